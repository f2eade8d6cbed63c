/* image_maker.h -- JPEG and PNG files for tests, made by the libraries that read them. */
#ifndef HNT_IMAGE_MAKER_H
#define HNT_IMAGE_MAKER_H

#include "support.h"

/* Room for what the tests make. */
enum { HNT_FILE_ROOM = 1 << 16 };

/* A picture of waves, height x width x 3. The file's bytes in out, their number returned; 0 in a build without the
 * library.                                                                                                             */
size_t hnt_make_jpeg(uint8_t out[HNT_FILE_ROOM], int32_t height, int32_t width, int progressive);
/* The same, with sampling factors of each channel (across, down; 0: the library's own) and, where it is progressive, the
 * last scans left out.                                                                                                 */
typedef struct hnt_jpeg {
    int progressive, scans_left_out;
    int sampling[3][2];
} hnt_jpeg;
size_t hnt_make_jpeg_of(uint8_t out[HNT_FILE_ROOM], int32_t height, int32_t width, const hnt_jpeg *kind);
size_t hnt_make_png(uint8_t out[HNT_FILE_ROOM], int32_t height, int32_t width);

/* The PNG's pixel bytes. */
uint8_t hnt_picture(int32_t y, int32_t x, int32_t channel);

#endif
