/* hybrid_case.h -- a small two-branch network for tests of what goes on around it. */
#ifndef HNT_HYBRID_CASE_H
#define HNT_HYBRID_CASE_H

#include "support.h"

enum { HNT_HYBRID_SIDE = 8, HNT_HYBRID_CLASSES = 3, HNT_HYBRID_DIM = 8, HNT_HYBRID_FEATURES = 64 };

/* ResNet-8 on rows images of 8x8x3, projection, linear classifier; cross-entropy, and SC or PSC. settings: options of which
 * input is filled in here; NULL: defaults.                                                                                  */
hn_hybrid *hnt_hybrid(hn_context *context, int64_t rows, int psc, const hn_hybrid_options *settings, uint64_t seed);

/* So many of its images, of normal numbers. */
hn_tensor *hnt_hybrid_images(hn_context *context, int64_t rows, uint64_t seed);

#endif
