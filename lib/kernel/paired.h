/* paired.h -- sums of products of bf16 numbers, taken two at a time and added up in f32, as AVX512-BF16's instruction does:
 * the loops of a convolution and of its gradient. conv_paired.c has the policy.
 *
 * Both keep a block of results in registers. A step of the innermost loop loads the pairs of 16 or 32 output channels, and
 * for each row of the block broadcasts one pair. A panel is 16 output channels, zeros where there are fewer.             */
#ifndef HNI_PAIRED_H
#define HNI_PAIRED_H

#include "kernel/bf16.h"

enum { HNI_PAIRED_PANEL = 16 };

/* Channels of whole panels. */
static inline int64_t hni_paired_padded(int64_t channels)
{
    return (channels + HNI_PAIRED_PANEL - 1) / HNI_PAIRED_PANEL * HNI_PAIRED_PANEL;
}

/* Rows of y from rows of x that stand in a frame of zeros. Channels are padded to whole pairs. */
typedef struct hni_paired_conv {
    int64_t rows, pixels, columns;              /* of y: rows, pixels of each, output channels               */
    int64_t kernel_height, kernel_width, pairs; /* pairs of input channels                                   */
    int64_t stride, x_row;                      /* stride in pixels; from one row of x to the next in numbers */
    /* [(rows - 1) stride + kernel_height][(pixels - 1) stride + kernel_width][2 pairs] */
    const hni_bf16 *x;
    const hni_bf16 *w; /* [panel][kernel_height][kernel_width][pairs][HNI_PAIRED_PANEL][2] */
    hni_bf16 *y;       /* [rows][pixels][columns]                                          */
} hni_paired_conv;

/* dw(kx) += sum over images, segments and pixels of x(pixel stride + kx) dy(pixel), for one row of the kernel. Here a pair
 * is the same place in two rows of the image: those of a segment.                                                        */
typedef struct hni_paired_gradient {
    int64_t images, segments, pixels, taps; /* taps: the kernel's width                                 */
    int64_t in, columns;                    /* columns: output channels, a multiple of HNI_PAIRED_PANEL */
    int64_t stride;
    int64_t x_image, x_segment; /* from one to the next, in numbers */
    int64_t dy_image, dy_segment;
    const hni_bf16 *x; /* [images][segments][(pixels - 1) stride + taps][in][2] */
    /* [images][segments][pixels][columns][2], taps - 1 pixels of zeros on both sides of every segment */
    const hni_bf16 *dy;
    float *dw; /* [taps][in][columns] */
} hni_paired_gradient;

typedef struct hni_paired {
    const char *name;
    /* out = even[0], odd[0], even[1], odd[1] ...; n of each. */
    void (*interleave)(int64_t n, const hni_bf16 *even, const hni_bf16 *odd, hni_bf16 *out);
    void (*multiply)(const hni_paired_conv *c);
    void (*accumulate)(const hni_paired_gradient *g);
} hni_paired;

/* The tables that this build has and this CPU can run, from the plainest to the best; NULL from `index` = their number
 * on.                                                                                                                 */
const hni_paired *hni_paired_variant(int index);
/* The last of them. */
const hni_paired *hni_paired_best(void);

extern const hni_paired hni_paired_portable, hni_paired_avx2, hni_paired_avx512,
    hni_paired_avx512bf16; /* x86's: if HNI_X86_VARIANTS */

#endif
