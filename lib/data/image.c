#include "data/image.h"

#include "base/error.h"
#include "base/memory.h"
#include "data/image_codec.h"
#include "io/file.h"

#include <inttypes.h>
#include <string.h>

enum { MAX_FILE_BYTES = 1 << 30 };

void hni_image_init(hni_image *image, hn_context *context)
{
    *image = (hni_image){.context = context, .function = "image"};
}

void hni_image_release(hni_image *image)
{
    hni_release(image->context, (void *)(uintptr_t)image->name, image->name_capacity);
    hni_release(image->context, image->file, image->file_capacity);
    hni_release(image->context, image->pixels, image->pixel_capacity);
    hni_image_init(image, image->context);
}

/* At least `need` bytes of new memory in place of old; a quarter more, so that images that differ little do not each
 * allocate. Nothing is left on failure.                                                                                */
static void *replace(const hni_image *image, void *old, size_t *capacity, size_t need)
{
    if (need <= *capacity && old != NULL)
        return old;
    hni_release(image->context, old, *capacity);
    size_t size = need + need / 4;
    void *fresh = hni_alloc(image->context, size);
    *capacity = fresh == NULL ? 0 : size;
    return fresh;
}

hn_status hni_image_reserve(hni_image *image, int32_t height, int32_t width)
{
    image->height = image->width = 0;
    HNI_FAIL_IF(height < 1 || width < 1 || height > HNI_IMAGE_MAX_SIDE || width > HNI_IMAGE_MAX_SIDE ||
                    (int64_t)height * width > HNI_IMAGE_MAX_PIXELS,
                HN_E_SHAPE, "%s: an image of %dx%d pixels; a side must be in [1, %d], and all pixels at most %d",
                image->function, (int)height, (int)width, (int)HNI_IMAGE_MAX_SIDE, (int)HNI_IMAGE_MAX_PIXELS);
    size_t bytes = (size_t)height * (size_t)width * 3;
    image->pixels = replace(image, image->pixels, &image->pixel_capacity, bytes);
    if (image->pixels == NULL)
        return hni_no_memory(image->function, bytes);
    image->height = height;
    image->width = width;
    return HN_OK;
}

hn_status hni_image_set_full_size(hni_image *image, uint32_t height, uint32_t width)
{
    HNI_FAIL_IF(height < 1 || width < 1 || height > HNI_IMAGE_MAX_SIDE || width > HNI_IMAGE_MAX_SIDE ||
                    (uint64_t)height * width > HNI_IMAGE_MAX_PIXELS,
                HN_E_FORMAT,
                "%s: %s says it has %" PRIu32 "x%" PRIu32 " pixels; a side must be in [1, %d], and all at most %d",
                image->function, image->name, height, width, (int)HNI_IMAGE_MAX_SIDE, (int)HNI_IMAGE_MAX_PIXELS);
    image->full_height = (int32_t)height;
    image->full_width = (int32_t)width;
    return HN_OK;
}

static hn_status set_name(hni_image *image, const char *directory, const char *path)
{
    bool alone = path[0] == '/' || directory[0] == '\0';
    size_t head = alone ? 0 : strlen(directory), tail = strlen(path) + 1;
    char *name = replace(image, (void *)(uintptr_t)image->name, &image->name_capacity, head + 1 + tail);
    image->name = name;
    if (name == NULL)
        return hni_no_memory(image->function, head + 1 + tail);
    memcpy(name, directory, head);
    if (head > 0 && name[head - 1] != '/')
        name[head++] = '/';
    memcpy(name + head, path, tail);
    return HN_OK;
}

static hn_status read_content(hni_image *image, hni_file *file)
{
    uint64_t size = hni_file_size(file);
    HNI_FAIL_IF(size > MAX_FILE_BYTES, HN_E_FORMAT, "%s: %s has %" PRIu64 " bytes; an image may have %d",
                image->function, image->name, size, (int)MAX_FILE_BYTES);
    HNI_FAIL_IF(hni_file_compressed(file), HN_E_FORMAT, "%s: %s is gzip, neither JPEG nor PNG", image->function,
                image->name);
    image->file = replace(image, image->file, &image->file_capacity, (size_t)size);
    if (image->file == NULL)
        return hni_no_memory(image->function, (size_t)size);
    HNI_TRY(hni_file_read(file, image->file, (size_t)size));
    image->file_bytes = (size_t)size;
    return HN_OK;
}

static hn_status read_header(hni_image *image)
{
    static const uint8_t jpeg[] = {0xff, 0xd8, 0xff}, png[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    const uint8_t *b = image->file;
    if (image->file_bytes >= sizeof jpeg && memcmp(b, jpeg, sizeof jpeg) == 0) {
        HNI_TRY(hni_jpeg_size(image));
        image->format = HNI_IMAGE_JPEG;
        return HN_OK;
    }
    if (image->file_bytes >= sizeof png && memcmp(b, png, sizeof png) == 0) {
        HNI_TRY(hni_png_size(image));
        image->format = HNI_IMAGE_PNG;
        return HN_OK;
    }
    HNI_FAIL_IF(image->file_bytes < sizeof png, HN_E_FORMAT, "%s: %s has %zu bytes: too short for an image",
                image->function, image->name, image->file_bytes);
    return hni_fail(HN_E_FORMAT, "%s: %s is neither JPEG nor PNG: it begins with %02x %02x %02x %02x", image->function,
                    image->name, b[0], b[1], b[2], b[3]);
}

hn_status hni_image_load_in(hni_image *image, const char *directory, const char *path)
{
    hni_file *file;
    image->format = 0;
    image->file_bytes = 0;
    image->height = image->width = image->full_height = image->full_width = 0;
    image->unbuilt = false;
    HNI_TRY(set_name(image, directory, path));
    HNI_TRY(hni_file_open(&file, image->context, image->function, image->name));
    hn_status status = read_content(image, file);
    hni_file_close(file);
    return status == HN_OK ? read_header(image) : status;
}

hn_status hni_image_load(hni_image *image, const char *path)
{
    return hni_image_load_in(image, "", path);
}

hn_status hni_image_decode_part(hni_image *image, int32_t shrink, const hni_part *part)
{
    HNI_FAIL_IF(image->format == 0, HN_E_STATE, "%s: no image has been loaded", image->function);
    HNI_FAIL_IF(shrink != 1 && shrink != 2 && shrink != 4 && shrink != 8, HN_E_ARG,
                "%s: shrink is %d; it must be 1, 2, 4 or 8", image->function, (int)shrink);
    HNI_FAIL_IF(part->top < 0 || part->left < 0 || part->top >= part->bottom || part->left >= part->right ||
                    part->bottom > image->full_height || part->right > image->full_width,
                HN_E_ARG, "%s: rows %d to %d, columns %d to %d are no part of %dx%d pixels", image->function,
                (int)part->top, (int)part->bottom, (int)part->left, (int)part->right, (int)image->full_height,
                (int)image->full_width);
    hn_status status = image->format == HNI_IMAGE_JPEG ? hni_jpeg_decode(image, shrink, part) : hni_png_decode(image);
    if (status < 0)
        image->height = image->width = 0;
    return status;
}

hn_status hni_image_decode(hni_image *image, int32_t shrink)
{
    const hni_part whole = {0, 0, image->full_height, image->full_width};
    return hni_image_decode_part(image, shrink, &whole);
}
