/* resample.h -- resizing 8-bit images, bilinear with antialiasing, bit for bit as Pillow 9's resize(BILINEAR, box). */
#ifndef HNI_RESAMPLE_H
#define HNI_RESAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Part of an image, in its pixels, which cover [0, width) x [0, height); need not be whole. */
typedef struct hni_box {
    double top, left, bottom, right;
} hni_box;

/* Bytes of scratch to resize any part of an image of height x width to out_height x out_width. */
size_t hni_resample_scratch(int64_t height, int64_t width, int64_t channels, int64_t out_height, int64_t out_width);

/* The part `box` of pixels -> out. pixels: height rows of width * channels bytes, `stride` bytes apart; out: out_height
 * x out_width x channels bytes; 1 <= channels <= 4; box within the image, not empty. Pixels of the image beyond the box
 * count where the filter reaches that far. mirror: left and right of out change places. scratch: 64-byte aligned,
 * hni_resample_scratch of these sizes.                                                                               */
void hni_resample(const uint8_t *pixels, int64_t stride, int64_t height, int64_t width, int64_t channels,
                  const hni_box *box, uint8_t *out, int64_t out_height, int64_t out_width, bool mirror, void *scratch);

#endif
