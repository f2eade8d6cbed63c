/* image_codec.h -- the two formats of images: what image.c asks of image_jpeg.c and image_png.c. */
#ifndef HNI_IMAGE_CODEC_H
#define HNI_IMAGE_CODEC_H

#include "data/image.h"

enum { HNI_IMAGE_JPEG = 1, HNI_IMAGE_PNG = 2 };

/* Sets the full size from the file's bytes. */
hn_status hni_jpeg_size(hni_image *image);
hn_status hni_png_size(hni_image *image);

/* Reserves the pixels and fills them; what is left after a failure is undefined. */
hn_status hni_jpeg_decode(hni_image *image, int32_t shrink, const hni_part *part);
hn_status hni_png_decode(hni_image *image);

/* Sets full_height and full_width, or HN_E_FORMAT if they are beyond what is decoded. */
hn_status hni_image_set_full_size(hni_image *image, uint32_t height, uint32_t width);

#endif
