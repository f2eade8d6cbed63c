/* A list of image files and labels. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *path = fuzz_file("input", (fuzz_bytes){data, size});
    hn_context *context = fuzz_begin(32, FUZZ_CONSTANT);
    hn_dataset *dataset = FUZZ_UNTOUCHED;
    hn_status status = hn_dataset_open_image_list(&dataset, context, "images", path);
    fuzz_outcome(status, "hn_dataset_open_image_list", dataset);
    if (status == HN_OK)
        fuzz_dataset(dataset);
    fuzz_end();
    return 0;
}
