/* image_maker.h -- JPEG and PNG files for tests, made by the libraries that read them. */
#ifndef HNT_IMAGE_MAKER_H
#define HNT_IMAGE_MAKER_H

#include "support.h"

/* Room for what the tests make. */
enum { HNT_FILE_ROOM = 1 << 16 };

/* A picture of waves, height x width x 3. The file's bytes in out, their number returned; 0 in a build without the
 * library.                                                                                                             */
size_t hnt_make_jpeg(uint8_t out[HNT_FILE_ROOM], int32_t height, int32_t width, int progressive);
size_t hnt_make_png(uint8_t out[HNT_FILE_ROOM], int32_t height, int32_t width);

/* The PNG's pixel bytes. */
uint8_t hnt_picture(int32_t y, int32_t x, int32_t channel);

#endif
