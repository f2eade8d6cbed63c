/* A pair of IDX files, labels first. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_bytes images = {data, size};
    const char *labels_path = fuzz_file("labels", fuzz_part(&images));
    const char *images_path = fuzz_file("images", images);
    hn_context *context = fuzz_begin(10, FUZZ_CONSTANT);
    hn_dataset *dataset = FUZZ_UNTOUCHED;
    hn_status status = hn_dataset_open_idx(&dataset, context, images_path, labels_path);
    fuzz_outcome(status, "hn_dataset_open_idx", dataset);
    if (status == HN_OK)
        fuzz_dataset(dataset);
    fuzz_end();
    return 0;
}
