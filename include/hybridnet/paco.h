/* paco.h -- the parametric contrastive loss (PaCo) on the caller's arrays. loss.h states the common contract.
 *
 * Cui et al., "Parametric contrastive learning", ICCV 2021, as PaCo/LT/losses.py of the authors' repository computes it. A
 * row is contrasted with one learnable centre a class, through their logits, and with keys: the batch itself and a queue.
 *     t_ic = (logits_ic + adjustment_c) / logit_temperature,    s_ik = z_i.y_k / tau
 *     D_i  = sum_c exp(t_ic) + gamma sum_{k in A(i)} exp(s_ik)
 *     L_i  = log D_i - ( beta t_iy + alpha sum_{k in P(i)} s_ik ) / ( beta + alpha |P(i)| ),   y = label of row i
 * with A(i) all keys but self[i], and P(i) those of them with the row's label. The authors adjust by the log prior of the
 * classes. Their code adds 1e-12 to D_i after dividing it by the largest exponential, to keep the logarithm finite; here
 * nothing is added, and the logarithm is finite all the same. The two differ only where that largest is the row's own, which
 * is masked, and all others together are 1e-10 of it or less.
 * A row without any positive weight (beta 0 and no key of its class) adds nothing, and the mean counts it.
 * Memory is O((n + k) dim + n classes).                                                                                 */
#ifndef HYBRIDNET_PACO_H
#define HYBRIDNET_PACO_H

#include <hybridnet/loss_common.h>

typedef struct hn_loss_paco_options {
    HN_LOSS_COMMON_OPTIONS
    float temperature;             /* tau, positive and finite; default 0.05 (CIFAR-100-LT; for ImageNet-LT and
                                      iNaturalist the authors take 0.2)                                             */
    int32_t normalize;             /* nonzero (default): rows of z and of the keys are L2-normalised here, and the
                                      gradients are with respect to the raw rows; a row of length 0 stays 0 and gets
                                      gradient 0. 0: both are taken as they are                                     */
    float alpha;                   /* weight of a key as a positive, >= 0; default 0.01 (CIFAR-100-LT, ratio 100)   */
    float beta;                    /* weight of the class's own centre as a positive, >= 0; default 1. Not both 0   */
    float gamma;                   /* weight of the keys in the denominator, >= 0; default 1                        */
    float logit_temperature;       /* positive and finite ("supt" in the authors' code); default 1                  */
    const float *logit_adjustment; /* [classes], finite, or NULL (default): none                                    */
} hn_loss_paco_options;

HN_BEGIN_DECLS

/* Fills the struct with its defaults; struct_size: sizeof *options. NULL is ignored. */
HN_API void hn_loss_paco_options_init(hn_loss_paco_options *options, size_t struct_size);

/* Bytes of scratch that hn_loss_paco needs for n rows and k keys. */
HN_API HN_MUST_CHECK hn_status hn_loss_paco_scratch(const hn_loss_paco_options *options, int64_t n, int64_t k,
                                                    int64_t classes, int64_t dim, size_t *bytes);

/* PaCo over one batch.
 *   logits      n x classes, of the centres
 *   z           n x dim embeddings
 *   labels      [n] in [0, classes), or < 0 to ignore the row
 *   keys        k x dim: embeddings of the batch (of a slowly moving copy of the network, too) and a queue
 *   key_labels  [k]; < 0: the key is left out (of the denominators too)
 *   self        [n], the key that is row i itself and is not compared with it, or < 0; NULL: there is none
 *   dlogits     n x classes
 *   dz          n x dim
 *   dkeys       m x dim with m <= k: for the first m keys; the rest are constants. Where rows are keys too, their whole
 *               gradient is the sum of both                                                                            */
HN_API HN_MUST_CHECK hn_status hn_loss_paco(const hn_loss_paco_options *options, const hn_cmatf *logits,
                                            const hn_cmatf *z, const int32_t *labels, const hn_cmatf *keys,
                                            const int32_t *key_labels, const int32_t *self, double *loss,
                                            float *row_loss, hn_matf *dlogits, hn_matf *dz, hn_matf *dkeys,
                                            const hn_scratch *scratch);

HN_END_DECLS
#endif
