/* A JPEG or PNG file, decoded at a size that depends on its length. */
#include "fuzz.h"

#include "data/image.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const int32_t shrink = 1 << (size % 4);
    const char *path = fuzz_file("input", (fuzz_bytes){data, size});
    hn_context *context = fuzz_begin(32768, FUZZ_CONSTANT);
    hni_image image;
    hni_image_init(&image, context);
    hn_status status = hni_image_load(&image, path);
    if (status == HN_OK)
        status = hni_image_decode(&image, shrink);
    fuzz_outcome(status, "image", image.height == 0 && image.width == 0 ? FUZZ_UNTOUCHED : image.pixels);
    if (status < 0 && strstr(hn_last_error(), path) == NULL)
        fuzz_finding("the sentence does not name the file: \"%s\"", hn_last_error());
    if (status == HN_OK && ((int64_t)(image.full_height - 1) / shrink > image.height ||
                            (int64_t)(image.full_width - 1) / shrink > image.width))
        fuzz_finding("%dx%d pixels of %dx%d", (int)image.height, (int)image.width, (int)image.full_height,
                     (int)image.full_width);
    hni_image_release(&image);
    fuzz_end();
    return 0;
}
