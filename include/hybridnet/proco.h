/* proco.h -- the probabilistic contrastive loss (ProCo) on the caller's arrays, and the statistics it needs.
 * loss.h states the common contract.
 *
 * Du et al., "Probabilistic contrastive learning for long-tailed visual recognition", TPAMI 2024. Instead of contrasting a row
 * with keys of a batch, it takes the expectation over infinitely many of them: class c is a von Mises-Fisher distribution
 * on the unit sphere of dimension p, of density proportional to exp(kappa_c m_c.x). From r_c, the mean of the class's unit
 * rows (hn_proco_observe, hn_proco_mean), and its length R_c <= 1,
 *     m_c = r_c / R_c,   kappa_c = p R_c / (1 - R_c^2), at most 1e5 (and 1e5 for R_c >= 1)
 * and, with C(k) = k^(p/2-1) / I_{p/2-1}(k), I being the modified Bessel function of the first kind,
 *     l_ic = log C(kappa_c) - log C( |kappa_c m_c + z_i / tau| ) + adjustment_c,
 *     L_i = -log softmax(l_i)_y,   y = label of row i
 * The paper adjusts by the log prior of the classes. A class with r_c = 0 is the uniform distribution (kappa 0). The
 * gradient goes to z alone.
 * Logarithms and ratios of Bessel functions are as good as double anywhere. The authors' code rounds the order of an odd dim
 * down, and starts its recurrence at twice the order: for dim 128 its ratio, which is the gradient, is off by 1e-4 at an
 * argument of 1250 and, before it is clipped to 1, by a fifth at 5000.
 * Cost: 4 n classes dim flops with the gradient, and a Bessel function for each row and class: some 10 ns where AVX-512 is,
 * for dim >= 64, and two to three times that for a small dim.                                                            */
#ifndef HYBRIDNET_PROCO_H
#define HYBRIDNET_PROCO_H

#include <hybridnet/loss_common.h>

typedef struct hn_loss_proco_options {
    HN_LOSS_COMMON_OPTIONS
    float temperature;             /* tau, positive and finite; default 0.1                                         */
    int32_t normalize;             /* nonzero (default): rows of z are L2-normalised here, and dz is with respect to the
                                      raw ones; a row of length 0 stays 0 and gets gradient 0. 0: taken as they are */
    const float *logit_adjustment; /* [classes], finite, or NULL (default): none                                    */
} hn_loss_proco_options;

HN_BEGIN_DECLS

/* Fills the struct with its defaults; struct_size: sizeof *options. NULL is ignored. */
HN_API void hn_loss_proco_options_init(hn_loss_proco_options *options, size_t struct_size);

/* Bytes of scratch that hn_loss_proco needs: about 8 n classes + 4 (2 n + classes) dim. */
HN_API HN_MUST_CHECK hn_status hn_loss_proco_scratch(const hn_loss_proco_options *options, int64_t n, int64_t classes,
                                                     int64_t dim, size_t *bytes);

/* ProCo over one batch.
 *   z       n x dim embeddings, dim >= 2
 *   labels  [n] in [0, classes), or < 0 to ignore the row
 *   mean    classes x dim, the r_c: means of unit rows, not normalised
 *   dz      n x dim                                                                                               */
HN_API HN_MUST_CHECK hn_status hn_loss_proco(const hn_loss_proco_options *options, const hn_cmatf *z,
                                             const int32_t *labels, const hn_cmatf *mean, double *loss, float *row_loss,
                                             hn_matf *dz, const hn_scratch *scratch);

/* Takes rows into the statistics of their classes; rows with a label < 0 stay out.
 *   z          n x dim
 *   labels     [n] in [0, classes), or < 0
 *   normalize  nonzero: rows are L2-normalised first, as they should be
 *   sum        classes x dim, dense: the class's rows are added to it
 *   count      [classes], of rows in sum
 * Sums are in double and in the order of the rows: batches make no difference. HN_E_ARG, HN_E_SHAPE, HN_E_LABEL,
 * HN_E_NONFINITE (a row that counts holds a NaN or an infinity); then nothing is written.                            */
HN_API HN_MUST_CHECK hn_status hn_proco_observe(const hn_cmatf *z, const int32_t *labels, int32_t normalize,
                                                int64_t classes, double *sum, int64_t *count);

/* mean_c = sum_c / count_c; rows of classes with a count of 0 stay what they are. sum, count: as hn_proco_observe left
 * them; mean: classes x dim. HN_E_ARG, HN_E_SHAPE; then nothing is written.                                           */
HN_API HN_MUST_CHECK hn_status hn_proco_mean(const double *sum, const int64_t *count, hn_matf *mean);

HN_END_DECLS
#endif
