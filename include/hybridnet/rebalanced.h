/* rebalanced.h -- the rebalancing family: what the field's losses for long-tailed classes are made of. One include for all.
 *
 * Classifier losses are hn_loss_ce (cross_entropy.h) with an array from the functions below. n_c: training images of class c,
 * pi_c = n_c / sum n. docs/rebalancing.md has formulas, settings and when to use which.
 *
 *     loss                       paper                        hn_loss_ce_options
 *     focal                      Lin et al., ICCV 2017        focal_gamma = 2
 *     class-balanced             Cui et al., CVPR 2019        class_weight = hn_class_weights_effective(beta = 0.9999)
 *     deferred re-weighting      Cao et al., NeurIPS 2019     class_weight = hn_class_weights_deferred, every epoch
 *     balanced softmax           Ren et al., NeurIPS 2020     logit_adjustment = hn_class_log_prior(tau = 1)
 *     logit adjustment           Menon et al., ICLR 2021      the same, any tau; or hn_logits_adjust after plain training
 *     LDAM                       Cao et al., NeurIPS 2019     margin = hn_class_margins(0.5), logit_scale = 30, on the logits
 *                                                             of hn_cosine_linear_create (layers.h)
 *     label-aware smoothing      Zhong et al., CVPR 2021      class_smoothing = hn_class_smoothing(concave, 0.4, 0.1)
 *
 * Contrastive losses are functions of their own, each in its header:
 *
 *     BCL                        Zhu et al., CVPR 2022        hn_loss_bcl     balanced_contrastive.h
 *     KCL                        Kang et al., ICLR 2021       hn_loss_kcl     k_positive.h
 *     TSC                        Li et al., CVPR 2022         hn_loss_kcl     k_positive.h, target_weight = 0.2
 *     PaCo                       Cui et al., ICCV 2021        hn_loss_paco    paco.h
 *     ProCo                      Du et al., TPAMI 2024        hn_loss_proco   proco.h
 *
 * The functions here are pure: no context, any number of threads, nothing written on failure. HN_E_ARG: a NULL, a negative
 * count, no count above 0, classes < 1, a parameter out of its range.                                                     */
#ifndef HYBRIDNET_REBALANCED_H
#define HYBRIDNET_REBALANCED_H

#include <hybridnet/balanced_contrastive.h>
#include <hybridnet/cross_entropy.h>
#include <hybridnet/k_positive.h>
#include <hybridnet/paco.h>
#include <hybridnet/proco.h>

/* How the smoothing of a class goes from the tail's to the head's as its count grows (MiSLAS). */
enum { HN_SMOOTHING_CONCAVE = 0, HN_SMOOTHING_LINEAR = 1, HN_SMOOTHING_CONVEX = 2 };

HN_BEGIN_DECLS

/* Weights by the effective number of samples, (1 - beta) / (1 - beta^n_c), scaled to sum to classes (Cui et al. 2019).
 *   counts   [classes], >= 0
 *   beta     in [0, 1); published: 0.9999. 0: all alike
 *   weights  [classes]; a class without images gets 0                                                                   */
HN_API HN_MUST_CHECK hn_status hn_class_weights_effective(const int64_t *counts, int64_t classes, double beta,
                                                          float *weights);

/* Weights n_c^-power, scaled to sum to classes; power in [-16, 16], 1: inverse frequency, 0.5: its square root. A class without
 * images gets 0.                                                                                                        */
HN_API HN_MUST_CHECK hn_status hn_class_weights_inverse(const int64_t *counts, int64_t classes, double power,
                                                        float *weights);

/* Deferred re-weighting (DRW; Cao et al. 2019): all ones in epochs (from 0) before start_epoch, from there on
 * hn_class_weights_effective. LDAM: 160 of 200 epochs.                                                                  */
HN_API HN_MUST_CHECK hn_status hn_class_weights_deferred(const int64_t *counts, int64_t classes, double beta,
                                                         int64_t epoch, int64_t start_epoch, float *weights);

/* adjustment_c = tau log pi_c, for hn_loss_ce's logit_adjustment (Ren et al. 2020, Menon et al. 2021: tau = 1). pi_c counts
 * as 1e-12 at least, so a class without images has a finite one. |tau| <= 1e6.                                          */
HN_API HN_MUST_CHECK hn_status hn_class_log_prior(const int64_t *counts, int64_t classes, double tau,
                                                  float *adjustment);

/* margin_c = n_c^(-1/4), scaled so that the largest is max_margin (Cao et al. 2019: 0.5); a class without images has that of
 * one with a single image. max_margin: in [0, 1e6].                                                                     */
HN_API HN_MUST_CHECK hn_status hn_class_margins(const int64_t *counts, int64_t classes, double max_margin,
                                                float *margin);

/* Label-aware smoothing (Zhong et al. 2021): from `tail` for the smallest class to `head` for the largest; with
 * t = (n_c - n_min) / (n_max - n_min), 1 if all are equal,
 *     CONCAVE  tail + (head - tail) sin(t pi / 2)
 *     LINEAR   tail + (head - tail) t
 *     CONVEX   head + (head - tail) sin(3 pi / 2 + t pi / 2)
 * MiSLAS: concave, head 0.4 and tail 0.1 on CIFAR-100-LT at imbalance 100. head, tail: in [0, 1].                       */
HN_API HN_MUST_CHECK hn_status hn_class_smoothing(const int64_t *counts, int64_t classes, int32_t shape, double head,
                                                  double tail, float *smoothing);

/* Post-hoc logit adjustment (Menon et al. 2021): logits -= adjustment, row by row, for a classifier trained with plain
 * cross-entropy.
 *   adjustment  [logits->cols], of hn_class_log_prior
 *   logits      n x classes                                                                                             */
HN_API HN_MUST_CHECK hn_status hn_logits_adjust(const float *adjustment, hn_matf *logits);

HN_END_DECLS
#endif
