/* winograd_filters.h -- the weights of a convolution in Winograd's domain, and their gradient back from it. */
#ifndef HNI_WINOGRAD_FILTERS_H
#define HNI_WINOGRAD_FILTERS_H

#include "kernel/conv.h"

/* Rounded up to whole panels (winograd.h). */
int64_t hni_winograd_padded(int64_t channels);
/* Floats of transformed weights, or of their gradient: [HNI_POINTS][in][padded out]. */
int64_t hni_winograd_filters(const hni_conv *g);

/* packed, as a product's right side: [HNI_POINTS][panels][depth][HNI_PANEL]. turned: for dx, by 180 degrees with in and
 * out exchanged.                                                                                                      */
void hni_winograd_pack(int32_t num_threads, const hni_conv *g, bool turned, const float *w, float *packed);

/* dw += the sum of `count` gradients, [HNI_POINTS][in][padded out] each and `bytes` apart; the first is overwritten. */
void hni_winograd_unpack_add(int32_t num_threads, const hni_conv *g, int64_t count, size_t bytes, float *gradients,
                             float *dw);

#endif
