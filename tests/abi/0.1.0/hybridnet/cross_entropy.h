/* cross_entropy.h -- softmax cross-entropy on the caller's arrays. loss.h states the common contract. */
#ifndef HYBRIDNET_CROSS_ENTROPY_H
#define HYBRIDNET_CROSS_ENTROPY_H

#include <hybridnet/loss_common.h>

typedef struct hn_loss_ce_options {
    HN_LOSS_COMMON_OPTIONS
    float label_smoothing;         /* in [0, 1]; default 0                                                     */
    const float *class_weight;     /* [classes], >= 0, or NULL (default). HN_REDUCE_MEAN then divides by the sum
                                      of the weights of the rows' labels, as PyTorch does; if that is 0 the
                                      loss and its gradient are 0                                              */
    const float *logit_adjustment; /* [classes], added to every row of logits first, or NULL (default)         */
} hn_loss_ce_options;

HN_BEGIN_DECLS

HN_API void hn_loss_ce_options_init(hn_loss_ce_options *options, size_t struct_size);

/* Bytes of scratch that hn_loss_ce needs for n rows and this many classes. */
HN_API HN_MUST_CHECK hn_status hn_loss_ce_scratch(const hn_loss_ce_options *options, int64_t n, int64_t classes,
                                                  size_t *bytes);

/* L_i = -sum_c q_c log softmax(logits_i + adjustment)_c, with q = (1 - s) onehot(label) + s / classes; with class
 * weights every term of the sum is multiplied by the weight of its class c (PyTorch's cross_entropy).
 *   logits   n x classes
 *   labels   [n]; < 0 ignored
 *   dlogits  n x classes                                                                                          */
HN_API HN_MUST_CHECK hn_status hn_loss_ce(const hn_loss_ce_options *options, const hn_cmatf *logits,
                                          const int32_t *labels, double *loss, float *row_loss, hn_matf *dlogits,
                                          const hn_scratch *scratch);

HN_END_DECLS
#endif
