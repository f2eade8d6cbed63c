/* decoupled.h -- classifiers for features that are already learned (Kang et al. 2020, "Decoupling representation and
 * classifier for long-tailed recognition"): tau-normalised weights, nearest class means. A classifier that is trained anew
 * on a frozen backbone (cRT) is hn_hybrid_freeze_backbone and the usual steps; a learned scale of each logit (LWS) is
 * hn_hybrid_predict, hn_loss_ce and hn_sgd_update (examples/second_stage.c).
 *
 * Pure functions on the caller's arrays, re-entrant. On failure nothing has been written.                                */
#ifndef HYBRIDNET_DECOUPLED_H
#define HYBRIDNET_DECOUPLED_H

#include <hybridnet/status.h>
#include <hybridnet/types.h>

HN_BEGIN_DECLS

/* tau-normalisation (Kang et al. 2020, section 4.1): w_c / |w_c|^tau for every row of a linear classifier's weights,
 * classes x features, in place. tau >= 0: 0 leaves them, 1 makes all norms 1. The paper leaves the bias out. A row of zeros
 * stays. HN_E_ARG, HN_E_SHAPE; HN_E_NONFINITE for weights that are not finite, or would not be; nothing is written then. */
HN_API HN_MUST_CHECK hn_status hn_tau_normalize(hn_matf *weight, double tau);

/* For nearest class means: adds the rows of features, n x dim, each scaled to unit length, to the sums of their classes,
 * [classes x dim], and counts them; counts: [classes]. Both are the caller's to clear before the first call. Rows with a
 * label < 0 or of length 0 are passed over. Sums are float: of 10^6 rows of a class they keep four digits. HN_E_ARG,
 * HN_E_SHAPE, HN_E_LABEL, HN_E_NONFINITE.                                                                             */
HN_API HN_MUST_CHECK hn_status hn_class_sums_add(const hn_cmatf *features, const int32_t *labels, hn_matf *sums,
                                                 int64_t *counts);

/* The nearest-class-mean classifier of these sums by cosine similarity (section 4.1) as the weights of a linear one without
 * bias: weight_c = m_c / |m_c|; the largest product with a feature vector is the largest cosine. weight: classes x dim, may
 * be sums itself. HN_E_LABEL where a class has no image, HN_E_NONFINITE where its images cancel out.                     */
HN_API HN_MUST_CHECK hn_status hn_nearest_mean_weights(const hn_cmatf *sums, const int64_t *counts, hn_matf *weight);

HN_END_DECLS
#endif
