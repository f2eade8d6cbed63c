/* PNG by libpng. Its errors arrive in a callback that must not return: each call of the library lies below one setjmp, in
 * a function that has no resources of its own. Its memory is the context's.                                              */
#include "data/image_codec.h"

#include "base/error.h"
#include "base/memory.h"
#include "io/file.h"

#ifndef HNI_HAVE_PNG

hn_status hni_png_size(hni_image *image)
{
    image->unbuilt = true;
    return hni_fail(HN_E_UNSUPPORTED, "%s: %s is a PNG, and this build is without libpng (CMake option HN_PNG)",
                    image->function, image->name);
}

hn_status hni_png_decode(hni_image *image)
{
    return hni_png_size(image);
}

#else

#include <inttypes.h>
#include <png.h>
#include <setjmp.h>
#include <string.h>

struct decoder {
    hni_image *image;
    hn_status status;
    bool no_memory;
    size_t next; /* byte of the file */
    png_structp png;
    png_infop info;
    jmp_buf failed;
};

static void on_error(png_structp png, png_const_charp text)
{
    struct decoder *d = png_get_error_ptr(png);
    const hni_image *image = d->image;
    d->status = d->no_memory ? hni_fail(HN_E_NOMEM, "%s: out of memory decoding %s", image->function, image->name)
                             : hni_fail(HN_E_FORMAT, "%s: %s: %s", image->function, image->name, text);
    longjmp(d->failed, 1);
}

/* Of what does not touch the pixels. */
static void on_warning(png_structp png, png_const_charp text)
{
    (void)png;
    (void)text;
}

static void *on_alloc(png_structp png, png_alloc_size_t size)
{
    struct decoder *d = png_get_mem_ptr(png);
    void *ptr = hni_alloc_sized(d->image->context, size);
    d->no_memory = ptr == NULL;
    return ptr;
}

static void on_release(png_structp png, png_voidp ptr)
{
    struct decoder *d = png_get_mem_ptr(png);
    hni_release_sized(d->image->context, ptr);
}

static void on_read(png_structp png, png_bytep data, size_t size)
{
    struct decoder *d = png_get_io_ptr(png);
    if (size > d->image->file_bytes - d->next)
        png_error(png, "the file is truncated");
    memcpy(data, d->image->file + d->next, size);
    d->next += size;
}

/* Rows are packed by deflate. In an interlaced file they have no less. */
static hn_status check_rows(const struct decoder *d, uint32_t height, uint32_t width)
{
    uint64_t row = png_get_rowbytes(d->png, d->info);
    HNI_FAIL_IF(row * height / HNI_DEFLATE_MAX_RATIO > d->image->file_bytes, HN_E_FORMAT,
                "%s: %s says it has %" PRIu32 "x%" PRIu32 " pixels: more than its %zu bytes can hold",
                d->image->function, d->image->name, height, width, d->image->file_bytes);
    return HN_OK;
}

static void read_header(struct decoder *d)
{
    d->png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, d, on_error, on_warning, d, on_alloc, on_release);
    if (d->png != NULL)
        d->info = png_create_info_struct(d->png);
    if (d->info == NULL) {
        d->status = hni_fail(HN_E_NOMEM, "%s: out of memory decoding %s", d->image->function, d->image->name);
        return;
    }
    png_set_read_fn(d->png, d, on_read);
    png_set_user_limits(d->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);         /* refused below, with the numbers */
#ifdef PNG_SET_UNKNOWN_CHUNKS_SUPPORTED
    png_set_keep_unknown_chunks(d->png, PNG_HANDLE_CHUNK_NEVER, NULL, -1); /* texts, profiles: unread */
#endif
    png_read_info(d->png, d->info);
    const uint32_t height = png_get_image_height(d->png, d->info), width = png_get_image_width(d->png, d->info);
    d->status = hni_image_set_full_size(d->image, height, width);
    if (d->status == HN_OK)
        d->status = check_rows(d, height, width);
}

/* Whatever is in the file, RGB of 8 bits comes out. */
static void set_transforms(struct decoder *d)
{
    int colour = png_get_color_type(d->png, d->info), depth = png_get_bit_depth(d->png, d->info);
    if (colour == PNG_COLOR_TYPE_PALETTE)
        png_set_palette_to_rgb(d->png);
    if (colour == PNG_COLOR_TYPE_GRAY && depth < 8)
        png_set_expand_gray_1_2_4_to_8(d->png);
    if (depth == 16)
        png_set_strip_16(d->png);
    if (colour == PNG_COLOR_TYPE_GRAY || colour == PNG_COLOR_TYPE_GRAY_ALPHA)
        png_set_gray_to_rgb(d->png);
    png_set_strip_alpha(d->png);
}

static void decode(struct decoder *d)
{
    hni_image *image = d->image;
    read_header(d);
    if (d->status < 0)
        return;
    set_transforms(d);
    int passes = png_set_interlace_handling(d->png);
    png_read_update_info(d->png, d->info);
    size_t row_bytes = (size_t)image->full_width * 3;
    if (png_get_rowbytes(d->png, d->info) != row_bytes) {
        d->status = hni_fail(HN_E_INTERNAL, "%s: %s: %zu bytes a row", image->function, image->name,
                             png_get_rowbytes(d->png, d->info));
        return;
    }
    d->status = hni_image_reserve(image, image->full_height, image->full_width);
    if (d->status < 0)
        return;
    for (int pass = 0; pass < passes; ++pass)
        for (int32_t y = 0; y < image->height; ++y)
            png_read_row(d->png, image->pixels + (size_t)y * row_bytes, NULL);
    png_read_end(d->png, NULL);
}

/* Apart from run, so that what the decoder holds is not the frame's own that longjmp returns to. */
static void guard(struct decoder *d, void (*work)(struct decoder *))
{
    if (setjmp(d->failed) == 0)
        work(d);
}

static hn_status run(hni_image *image, void (*work)(struct decoder *))
{
    struct decoder d = {.image = image};
    guard(&d, work);
    png_destroy_read_struct(&d.png, &d.info, NULL);
    return d.status;
}

hn_status hni_png_size(hni_image *image)
{
    return run(image, read_header);
}

hn_status hni_png_decode(hni_image *image)
{
    return run(image, decode);
}

#endif
