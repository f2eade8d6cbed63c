/* cross_entropy.h -- softmax cross-entropy on the caller's arrays, with what the field's losses for long-tailed classes add
 * to it. loss.h states the common contract; rebalanced.h says which setting is which paper's, and makes the arrays from
 * class counts.                                                                                                          */
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
    const float *margin;           /* [classes], finite: margin[label] is subtracted from the label's logit, before
                                      the scale (LDAM), or NULL (default)                                      */
    float logit_scale;             /* positive and finite, multiplies the logits before the adjustment is added;
                                      default 1                                                                */
    const float *class_smoothing;  /* [classes], each in [0, 1]: the smoothing of rows of this label, in place of
                                      label_smoothing, or NULL (default)                                       */
    float focal_gamma;             /* >= 0 and finite: the row's loss times (1 - p)^gamma, p the softmax probability
                                      of the label; default 0                                                  */
} hn_loss_ce_options;

HN_BEGIN_DECLS

/* Fills the struct with its defaults; struct_size: sizeof *options. NULL is ignored. */
HN_API void hn_loss_ce_options_init(hn_loss_ce_options *options, size_t struct_size);

/* Bytes of scratch that hn_loss_ce needs for n rows and this many classes. */
HN_API HN_MUST_CHECK hn_status hn_loss_ce_scratch(const hn_loss_ce_options *options, int64_t n, int64_t classes,
                                                  size_t *bytes);

/* With a_c = logit_scale (x_c - margin_c [c = label]) + adjustment_c, x the row of logits, and p = softmax(a):
 *     L_i = (1 - p_label)^gamma ( -sum_c w_c q_c log p_c ),   q = (1 - s) onehot(label) + s / classes
 * with w the class weights (1 without) and s the smoothing, as PyTorch's cross_entropy has them. The focal factor takes p
 * before any weight (LDAM's code takes it from the weighted loss: another value where weights and gamma meet).
 *   logits   n x classes
 *   labels   [n]; < 0 ignored
 *   dlogits  n x classes                                                                                          */
HN_API HN_MUST_CHECK hn_status hn_loss_ce(const hn_loss_ce_options *options, const hn_cmatf *logits,
                                          const int32_t *labels, double *loss, float *row_loss, hn_matf *dlogits,
                                          const hn_scratch *scratch);

HN_END_DECLS
#endif
