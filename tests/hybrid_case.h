/* hybrid_case.h -- a small two-branch network for tests of what goes on around it. */
#ifndef HNT_HYBRID_CASE_H
#define HNT_HYBRID_CASE_H

#include "support.h"

enum { HNT_HYBRID_SIDE = 8, HNT_HYBRID_CLASSES = 3, HNT_HYBRID_DIM = 8, HNT_HYBRID_FEATURES = 64 };

/* ResNet-8 on rows images of 8x8x3, projection, linear classifier; cross-entropy, and SC or PSC. settings: options of which
 * input is filled in here; NULL: defaults.                                                                                  */
hn_hybrid *hnt_hybrid(hn_context *context, int64_t rows, int psc, const hn_hybrid_options *settings, uint64_t seed);
/* The same with other losses, which it takes over: feature of HNT_HYBRID_DIM columns, classifier of HNT_HYBRID_CLASSES. */
hn_hybrid *hnt_hybrid_of(hn_context *context, int64_t rows, hn_loss *feature, hn_loss *classifier,
                         const hn_hybrid_options *settings, uint64_t seed);

/* So many of its images, of normal numbers. */
hn_tensor *hnt_hybrid_images(hn_context *context, int64_t rows, uint64_t seed);

/* Entry `index` of its parameters and buffers. */
hn_param hnt_hybrid_param(const hn_hybrid *h, int64_t index);
/* The first parameter or buffer whose bits differ; NULL: two networks of one make are the same. */
const char *hnt_hybrid_difference(const hn_hybrid *a, const hn_hybrid *b);
/* All values and buffers of `from` into another of its make. */
void hnt_hybrid_copy(hn_hybrid *to, const hn_hybrid *from);

#endif
