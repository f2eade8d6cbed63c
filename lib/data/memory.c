/* Images in one block of memory: the caller's, or what a reader of files has filled. */
#include "base/memory.h"
#include "base/error.h"
#include "data/dataset.h"

#include <string.h>

struct block {
    hn_context *context;
    const uint8_t *pixels;
    size_t image_bytes, owned;
};

static hn_status read_block(void *user, int64_t index, uint8_t *pixels)
{
    const struct block *b = user;
    memcpy(pixels, b->pixels + (size_t)index * b->image_bytes, b->image_bytes);
    return HN_OK;
}

static void release_block(void *user)
{
    struct block *b = user;
    if (b->owned > 0)
        hni_release(b->context, (void *)b->pixels, b->owned);
    hni_release(b->context, b, sizeof *b);
}

hn_status hni_dataset_new_memory(hn_dataset **out, hn_context *context, const char *function,
                                 const hn_image_shape *shape, const uint8_t *pixels, size_t owned,
                                 const int32_t *labels, int64_t n, int32_t classes)
{
    HNI_FAIL_IF(context == NULL || pixels == NULL, HN_E_ARG, "%s: %s is NULL", function,
                context == NULL ? "context" : "pixels");
    size_t image;
    HNI_TRY(hni_image_bytes(shape, 1, function, &image));
    struct block *b = hni_alloc(context, sizeof *b);
    if (b == NULL)
        return hni_no_memory(function, sizeof *b);
    *b = (struct block){.context = context, .pixels = pixels, .image_bytes = image, .owned = owned};
    const hni_dataset_source source = {.read = read_block, .release = release_block, .user = b};
    hn_status status = hni_dataset_new(out, context, function, shape, labels, n, classes, &source);
    if (status < 0)
        hni_release(context, b, sizeof *b);
    return status;
}

hn_status hn_dataset_create_memory(hn_dataset **out, hn_context *context, const hn_image_shape *shape,
                                   const uint8_t *pixels, const int32_t *labels, int64_t n, int32_t classes)
{
    return hni_dataset_new_memory(out, context, "hn_dataset_create_memory", shape, pixels, 0, labels, n, classes);
}
