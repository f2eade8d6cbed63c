/* paired_filters.h -- weights in the order of paired.h, and their gradient out of it. */
#ifndef HNI_PAIRED_FILTERS_H
#define HNI_PAIRED_FILTERS_H

#include "kernel/bf16.h"
#include "kernel/conv.h"

/* Numbers of packed weights for forward (or, turned, for dx), and of a gradient of w. */
int64_t hni_paired_packed(const hni_conv *g, bool turned);
int64_t hni_paired_gradients(const hni_conv *g);

/* packed: [panel][kernel_height][kernel_width][pairs][HNI_PAIRED_PANEL][2], of w rounded to bf16; turned: by 180 degrees,
 * in and out exchanged. plain: scratch of as many numbers as w has.                                                    */
void hni_paired_pack(int32_t num_threads, const hni_conv *g, bool turned, const float *w, hni_bf16 *plain,
                    hni_bf16 *packed);

/* dw += the sum of `count` gradients, `bytes` apart, each [kernel_height][kernel_width][in][out padded to whole panels];
 * the first is overwritten.                                                                                                */
void hni_paired_unpack_add(int32_t num_threads, const hni_conv *g, int64_t count, size_t bytes, float *gradients,
                          float *dw);

#endif
