/* frame.h -- what a convolution reads of an image of bf16: its pixels in a frame of zeros, copied row by row. */
#ifndef HNI_FRAME_H
#define HNI_FRAME_H

#include "kernel/bf16.h"
#include "kernel/paired.h"

typedef struct hni_frame {
    int64_t height, width, channels; /* of the image                                              */
    int64_t top, left;               /* where its first row and column stand; what would lie before 0 is cut */
    int64_t spread;                  /* of its pixels: the frame has spread - 1 zeros between two   */
    int64_t pixels;                  /* of a row of the frame; what would lie beyond is cut         */
} hni_frame;

/* Row `row` of the frame in the image, or NULL where it is one of zeros. */
const hni_bf16 *hni_frame_row(const hni_frame *f, const hni_bf16 *image, int64_t row);

/* to: [pixels][numbers], numbers at least the channels; the others are zero. from: a row of the image, or NULL. */
void hni_frame_copy(const hni_frame *f, const hni_bf16 *from, int64_t numbers, hni_bf16 *to);

/* to: [pixels][numbers][2], the rows first and second, either of which may be NULL; spread must be 1. zeros: a row of
 * the image's width.                                                                                                   */
void hni_frame_pair(const hni_paired *isa, const hni_frame *f, const hni_bf16 *first, const hni_bf16 *second,
                    const hni_bf16 *zeros, int64_t numbers, hni_bf16 *to);

#endif
