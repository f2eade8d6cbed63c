/* JPEG by libjpeg. Its errors arrive in callbacks that must not return: each call of the library lies below one setjmp,
 * in a function that has no resources of its own.                                                                       */
#include "data/image_codec.h"

#include "base/context.h"
#include "base/error.h"

#ifndef HNI_HAVE_JPEG

hn_status hni_jpeg_size(hni_image *image)
{
    image->unbuilt = true;
    return hni_fail(HN_E_UNSUPPORTED, "%s: %s is a JPEG, and this build is without libjpeg (CMake option HN_JPEG)",
                    image->function, image->name);
}

hn_status hni_jpeg_decode(hni_image *image, int32_t shrink, const hni_part *part)
{
    (void)shrink;
    (void)part;
    return hni_jpeg_size(image);
}

#else

#include <setjmp.h>
#include <stdio.h> /* jpeglib.h needs it */

#include <jpeglib.h>

#include <jerror.h>

/* A file may repeat scans without end, each of which costs a pass over all pixels: no encoder writes that many. */
enum { MAX_SCANS = 200 };

struct decoder {
    hni_image *image;
    hn_status status;
    int32_t shrink;
    const hni_part *part;
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf failed;
};

static struct decoder *decoder_of(j_common_ptr common)
{
    return common->client_data;
}

_Noreturn static void stop(struct decoder *d, hn_status status)
{
    d->status = status;
    longjmp(d->failed, 1);
}

static hn_status status_of(int code)
{
    switch (code) {
    case JERR_OUT_OF_MEMORY:
        return HN_E_NOMEM;
    case JERR_ARITH_NOTIMPL:
    case JERR_BAD_PRECISION:
    case JERR_CCIR601_NOTIMPL:
    case JERR_CONVERSION_NOTIMPL:
    case JERR_FRACT_SAMPLE_NOTIMPL:
    case JERR_NOTIMPL:
    case JERR_NOT_COMPILED:
    case JERR_SOF_UNSUPPORTED:
        return HN_E_UNSUPPORTED;
    default:
        return HN_E_FORMAT;
    }
}

static void on_error(j_common_ptr common)
{
    struct decoder *d = decoder_of(common);
    char text[JMSG_LENGTH_MAX];
    common->err->format_message(common, text);
    stop(d, hni_fail(status_of(common->err->msg_code), "%s: %s: %s", d->image->function, d->image->name, text));
}

/* Level -1 is a warning about the data. Only one ends the decoding: a file that breaks off, which Pillow refuses too. */
static void on_message(j_common_ptr common, int level)
{
    struct decoder *d = decoder_of(common);
    if (level >= 0)
        return;
    if (common->err->msg_code == JWRN_JPEG_EOF)
        stop(d, hni_fail(HN_E_FORMAT, "%s: %s is truncated: the JPEG data breaks off after its %zu bytes",
                         d->image->function, d->image->name, d->image->file_bytes));
    if (common->err->num_warnings++ == 0) {
        char text[JMSG_LENGTH_MAX];
        common->err->format_message(common, text);
        hni_log(d->image->context, HN_LOG_WARNING, "%s: %s", d->image->name, text);
    }
}

static void on_output(j_common_ptr common)
{
    (void)common;
}

static void on_progress(j_common_ptr common)
{
    struct decoder *d = decoder_of(common);
    if (d->jpeg.input_scan_number > MAX_SCANS)
        stop(d, hni_fail(HN_E_FORMAT, "%s: %s has more than %d scans", d->image->function, d->image->name,
                         (int)MAX_SCANS));
}

/* A code has a bit at least, and a block a code: a file cannot have more blocks than bits, whatever it says. Coding by
 * arithmetic alone may need less, for large images of one colour, which are refused too.                               */
static hn_status check_blocks(const struct decoder *d)
{
    uint64_t blocks = 0;
    for (int c = 0; c < d->jpeg.num_components; ++c)
        blocks += (uint64_t)d->jpeg.comp_info[c].width_in_blocks * d->jpeg.comp_info[c].height_in_blocks;
    HNI_FAIL_IF(blocks / 8 > d->image->file_bytes, HN_E_FORMAT,
                "%s: %s says it has %ux%u pixels: more than its %zu bytes can hold", d->image->function, d->image->name,
                d->jpeg.image_height, d->jpeg.image_width, d->image->file_bytes);
    return HN_OK;
}

static void read_header(struct decoder *d)
{
    jpeg_create_decompress(&d->jpeg);
    d->jpeg.progress = &d->progress;
    jpeg_mem_src(&d->jpeg, d->image->file, (unsigned long)d->image->file_bytes);
    (void)jpeg_read_header(&d->jpeg, TRUE);
    d->status = hni_image_set_full_size(d->image, d->jpeg.image_height, d->jpeg.image_width);
    if (d->status == HN_OK)
        d->status = check_blocks(d);
}

/* a * b / 255, rounded as Pillow rounds it. */
static uint32_t times(uint32_t a, uint32_t b)
{
    uint32_t t = a * b + 128;
    return ((t >> 8) + t) >> 8;
}

/* Four channels stand inverted in the file, as Adobe's programs write them and Pillow takes them. */
static void convert_cmyk(const uint8_t *cmyk, uint8_t *rgb, size_t pixels)
{
    for (size_t i = 0; i < pixels; ++i) {
        uint32_t white = cmyk[4 * i + 3];
        for (size_t c = 0; c < 3; ++c)
            rgb[3 * i + c] = (uint8_t)(white - times(255u - cmyk[4 * i + c], white));
    }
}

static void start(struct decoder *d)
{
    struct jpeg_decompress_struct *jpeg = &d->jpeg;
    bool four = jpeg->jpeg_color_space == JCS_CMYK || jpeg->jpeg_color_space == JCS_YCCK;
    if (jpeg->jpeg_color_space == JCS_UNKNOWN) {
        d->status = hni_fail(HN_E_UNSUPPORTED, "%s: %s is a JPEG of %d channels whose colours are not known",
                             d->image->function, d->image->name, jpeg->num_components);
        return;
    }
    jpeg->out_color_space = four ? JCS_CMYK : JCS_RGB;
    jpeg->scale_num = 1;
    jpeg->scale_denom = (unsigned)d->shrink;
    (void)jpeg_start_decompress(jpeg);
    d->status = hni_image_reserve(d->image, (int32_t)jpeg->output_height, (int32_t)jpeg->output_width);
}

/* What the part is in pixels of the shrunk image, and which of them libjpeg is asked for. */
typedef struct window {
    JDIMENSION top, bottom, left, width;
} window;

enum {
    EDGE = 16
}; /* pixels by an edge that is cut lack neighbours to smooth colours with: more than those, rounded up */

/* Whether libjpeg has the same pixels for a part as for the whole. It has not where colours or brightness have fewer than
 * half of the pixels a side: libjpeg-turbo 2.1 then skips rows wrongly, up to not coming back. Nor where scans of a
 * progressive file are missing and it smooths over the blocks' edges, which wants their neighbours.                     */
static bool divides(const struct jpeg_decompress_struct *jpeg)
{
    for (int c = 0; jpeg->progressive_mode && c < jpeg->num_components; ++c)
        for (int k = 0; k < DCTSIZE2; ++k)
            if (jpeg->coef_bits[c][k] != 0) /* bits that have not come */
                return false;
    return jpeg->max_h_samp_factor <= 2 && jpeg->max_v_samp_factor <= 2;
}

static window window_of(const struct decoder *d)
{
    if (!divides(&d->jpeg))
        return (window){.bottom = d->jpeg.output_height, .width = d->jpeg.output_width};
    const JDIMENSION shrink = (JDIMENSION)d->shrink, all = d->jpeg.output_width, rows = d->jpeg.output_height;
    const JDIMENSION left = (JDIMENSION)d->part->left / shrink,
                     right = ((JDIMENSION)d->part->right + shrink - 1) / shrink;
    window w = {.top = (JDIMENSION)d->part->top / shrink,
                .bottom = ((JDIMENSION)d->part->bottom + shrink - 1) / shrink,
                .left = left > EDGE ? left - EDGE : 0};
    w.bottom = w.bottom < rows ? w.bottom : rows;
    w.width = (right + EDGE < all ? right + EDGE : all) - w.left;
    return w;
}

/* Goes over rows that nobody wants: read all the same, so that a file that breaks off is found, but no pixels made. */
static void skip_rows(struct jpeg_decompress_struct *jpeg, JDIMENSION rows)
{
#ifdef LIBJPEG_TURBO_VERSION
    if (rows > 0)
        (void)jpeg_skip_scanlines(jpeg, rows);
#else
    (void)jpeg;
    (void)rows;
#endif
}

static void decode(struct decoder *d)
{
    struct jpeg_decompress_struct *jpeg = &d->jpeg;
    hni_image *image = d->image;
    read_header(d);
    if (d->status == HN_OK)
        start(d);
    if (d->status < 0)
        return;
    window w = window_of(d);
#ifdef LIBJPEG_TURBO_VERSION
    if (w.width < jpeg->output_width)
        jpeg_crop_scanline(jpeg, &w.left, &w.width); /* moves the edges outwards, to the next block */
    else
        w.left = 0;
#else
    w = (window){.bottom = jpeg->output_height};
#endif
    const size_t row_bytes = (size_t)image->width * 3;
    JSAMPARRAY inks = NULL;
    if (jpeg->out_color_space == JCS_CMYK)
        inks = jpeg->mem->alloc_sarray((j_common_ptr)jpeg, JPOOL_IMAGE, jpeg->output_width * 4, 1);
    skip_rows(jpeg, w.top);
    while (jpeg->output_scanline < jpeg->output_height) {
        uint8_t *pixels = image->pixels + jpeg->output_scanline * row_bytes + (size_t)w.left * 3;
        JSAMPROW row = inks != NULL ? inks[0] : pixels;
        (void)jpeg_read_scanlines(jpeg, &row, 1);
        if (inks != NULL)
            convert_cmyk(inks[0], pixels, jpeg->output_width);
        if (jpeg->output_scanline == w.bottom && w.bottom < jpeg->output_height) /* on to the last row */
            skip_rows(jpeg, jpeg->output_height - 1 - w.bottom);
    }
    /* The end marker is not looked for: files without one are common, and all pixels are there. */
}

/* Apart from run, so that what the decoder holds is not the frame's own that longjmp returns to. */
static void guard(struct decoder *d, void (*work)(struct decoder *))
{
    if (setjmp(d->failed) == 0)
        work(d);
}

static hn_status run(hni_image *image, int32_t shrink, const hni_part *part, void (*work)(struct decoder *))
{
    struct decoder d = {.image = image, .shrink = shrink, .part = part};
    d.jpeg.err = jpeg_std_error(&d.errors);
    d.jpeg.client_data = &d;
    d.errors.error_exit = on_error;
    d.errors.emit_message = on_message;
    d.errors.output_message = on_output;
    d.progress.progress_monitor = on_progress;
    guard(&d, work);
    jpeg_destroy_decompress(&d.jpeg);
    return d.status;
}

hn_status hni_jpeg_size(hni_image *image)
{
    return run(image, 1, NULL, read_header);
}

hn_status hni_jpeg_decode(hni_image *image, int32_t shrink, const hni_part *part)
{
    return run(image, shrink, part, decode);
}

#endif
