#include "image_maker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef HNI_HAVE_JPEG
#include <jpeglib.h>
#endif
#ifdef HNI_HAVE_PNG
#include <png.h>
#endif

uint8_t hnt_picture(int32_t y, int32_t x, int32_t channel)
{
    return (uint8_t)(40 + (y * 5 + x * 3 + channel * 60 + (x * y) % 17) % 180);
}

#ifdef HNI_HAVE_JPEG

size_t hnt_make_jpeg_of(uint8_t out[HNT_FILE_ROOM], int32_t height, int32_t width, const hnt_jpeg *kind)
{
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    unsigned char *packed = NULL;
    unsigned long size = 0;
    uint8_t *row = hnt_alloc((size_t)width * 3);
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &packed, &size);
    jpeg.image_height = (JDIMENSION)height;
    jpeg.image_width = (JDIMENSION)width;
    jpeg.input_components = 3;
    jpeg.in_color_space = JCS_RGB;
    jpeg_set_defaults(&jpeg);
    for (int c = 0; c < 3 && kind->sampling[c][0] > 0; ++c) {
        jpeg.comp_info[c].h_samp_factor = kind->sampling[c][0];
        jpeg.comp_info[c].v_samp_factor = kind->sampling[c][1];
    }
    if (kind->progressive) {
        jpeg_simple_progression(&jpeg);
        jpeg.num_scans -= kind->scans_left_out;
    }
    jpeg_start_compress(&jpeg, TRUE);
    for (int32_t y = 0; y < height; ++y) {
        for (int32_t x = 0; x < width; ++x)
            for (int32_t c = 0; c < 3; ++c)
                row[3 * x + c] = hnt_picture(y, x, c);
        JSAMPROW rows[] = {row};
        ck_assert_uint_eq(jpeg_write_scanlines(&jpeg, rows, 1), 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    ck_assert_uint_le(size, HNT_FILE_ROOM);
    memcpy(out, packed, size);
    free(packed);
    free(row);
    return size;
}

#else

size_t hnt_make_jpeg_of(uint8_t out[HNT_FILE_ROOM], int32_t height, int32_t width, const hnt_jpeg *kind)
{
    (void)out, (void)height, (void)width, (void)kind;
    return 0;
}

#endif

size_t hnt_make_jpeg(uint8_t out[HNT_FILE_ROOM], int32_t height, int32_t width, int progressive)
{
    const hnt_jpeg kind = {.progressive = progressive};
    return hnt_make_jpeg_of(out, height, width, &kind);
}

#ifdef HNI_HAVE_PNG

size_t hnt_make_png(uint8_t out[HNT_FILE_ROOM], int32_t height, int32_t width)
{
    png_image image;
    memset(&image, 0, sizeof image);
    image.version = PNG_IMAGE_VERSION;
    image.height = (png_uint_32)height;
    image.width = (png_uint_32)width;
    image.format = PNG_FORMAT_RGB;
    uint8_t *pixels = hnt_alloc((size_t)height * (size_t)width * 3), *p = pixels;
    for (int32_t y = 0; y < height; ++y)
        for (int32_t x = 0; x < width; ++x)
            for (int32_t c = 0; c < 3; ++c)
                *p++ = hnt_picture(y, x, c);
    png_alloc_size_t size = HNT_FILE_ROOM;
    ck_assert_int_ne(png_image_write_to_memory(&image, out, &size, 0, pixels, 0, NULL), 0);
    free(pixels);
    return size;
}

#else

size_t hnt_make_png(uint8_t out[HNT_FILE_ROOM], int32_t height, int32_t width)
{
    (void)out, (void)height, (void)width;
    return 0;
}

#endif
