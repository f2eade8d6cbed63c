/* supcon.h -- the supervised contrastive loss (SC) on the caller's arrays. loss.h states the common contract.
 *
 * Khosla et al., "Supervised contrastive learning", NeurIPS 2020, eq. 2 (L_out); equation of L_SCL in Wang et al.,
 * CVPR 2021. For unit rows z and temperature tau, with P(i) the other rows of i's label and A(i) all other rows:
 *     L_i = -1/|P(i)| sum_{p in P(i)} log( exp(z_i.z_p / tau) / sum_{a in A(i)} exp(z_i.z_a / tau) )
 * Memory is O(n * dim): the n x n similarities are never stored.                                                    */
#ifndef HYBRIDNET_SUPCON_H
#define HYBRIDNET_SUPCON_H

#include <hybridnet/loss_common.h>

/* What an anchor without a positive does: it adds nothing to the loss and its gradient as an anchor is 0
 * (it stays a negative of the others), and the mean ...                                                  */
enum {
    HN_LONELY_SKIP = 0, /* does not count it (default)                     */
    HN_LONELY_ZERO = 1  /* counts it as 0, as SupContrast's code has done since 2023 */
};

typedef struct hn_loss_sc_options {
    HN_LOSS_COMMON_OPTIONS
    float temperature;     /* tau, positive and finite; default 0.1                                          */
    int32_t normalize;     /* nonzero (default): rows are L2-normalised here and dz is with respect to the raw
                              rows; a row of length 0 stays 0 and gets gradient 0. 0: taken as they are       */
    int32_t lonely_anchor; /* HN_LONELY_SKIP or HN_LONELY_ZERO                                               */
} hn_loss_sc_options;

HN_BEGIN_DECLS

HN_API void hn_loss_sc_options_init(hn_loss_sc_options *options, size_t struct_size);

/* Bytes of scratch that hn_loss_sc needs; depends on n, dim and num_threads. */
HN_API HN_MUST_CHECK hn_status hn_loss_sc_scratch(const hn_loss_sc_options *options, int64_t n, int64_t dim,
                                                  size_t *bytes);

/* SC over one batch.
 *   z       n x dim: all views of all images stacked in any order; two views of one image share a label
 *   labels  [n], any int32 >= 0; rows with a label < 0 are neither anchors nor negatives
 *   dz      n x dim                                                                                  */
HN_API HN_MUST_CHECK hn_status hn_loss_sc(const hn_loss_sc_options *options, const hn_cmatf *z, const int32_t *labels,
                                          double *loss, float *row_loss, hn_matf *dz, const hn_scratch *scratch);

HN_END_DECLS
#endif
