/* balanced_contrastive.h -- the balanced contrastive loss (BCL) on the caller's arrays. loss.h states the common contract.
 *
 * Zhu et al., "Balanced contrastive learning for long-tailed visual recognition", CVPR 2022, and loss/contrastive.py of its
 * repository. The keys are the rows of the batch and one prototype a class (class complement). With x_k the unit key k of
 * class c(k), N_c how many keys there are of class c, prototype and anchor included, and P(i) the other keys of the class
 * of row i,
 *     L_i = -1/|P(i)| sum_{p in P(i)} log( exp(z_i.x_p / tau) / sum_{k != i} exp(z_i.x_k / tau) / w_ik )
 *     w_ik = N_c(k), less 1 if k is of the anchor's class                                          (class averaging)
 * so that each class has the weight of one key in the denominator. Prototypes are keys and positives, never anchors; every
 * anchor has a positive. Rows with a label < 0 are neither anchors nor keys. Memory is O((n + classes) dim).
 *
 * In the paper the prototypes are the classifier's weights through a head of their own (an MLP) and the whole loss is
 * alpha * logit-adjusted cross-entropy + beta * BCL: run the weights [classes x features] through the head as one more
 * batch, hand its output in as prototypes, and dprototypes to the head's backward pass, whose input gradient is added to
 * that of the weights. Prototypes that are parameters themselves are what hn_loss_create_bcl has.                         */
#ifndef HYBRIDNET_BALANCED_CONTRASTIVE_H
#define HYBRIDNET_BALANCED_CONTRASTIVE_H

#include <hybridnet/loss_common.h>

typedef struct hn_loss_bcl_options {
    HN_LOSS_COMMON_OPTIONS
    float temperature; /* tau, positive and finite; default 0.1 (the paper's scripts: 0.07)                            */
    int32_t normalize; /* nonzero (default): rows of z and of the prototypes are L2-normalised here, and the gradients
                          are with respect to the raw rows; a row of length 0 stays 0 and gets gradient 0. 0: both are
                          taken as they are                                                                            */
} hn_loss_bcl_options;

HN_BEGIN_DECLS

/* Fills the struct with its defaults; struct_size: sizeof *options. NULL is ignored. */
HN_API void hn_loss_bcl_options_init(hn_loss_bcl_options *options, size_t struct_size);

/* Bytes of scratch that hn_loss_bcl needs. */
HN_API HN_MUST_CHECK hn_status hn_loss_bcl_scratch(const hn_loss_bcl_options *options, int64_t n, int64_t classes,
                                                   int64_t dim, size_t *bytes);

/* BCL over one batch.
 *   z            n x dim embeddings: all views of all images stacked in any order; two views of one image share a label
 *   labels       [n] in [0, classes), or < 0 to ignore the row
 *   prototypes   classes x dim
 *   dz           n x dim
 *   dprototypes  classes x dim                                                                                        */
HN_API HN_MUST_CHECK hn_status hn_loss_bcl(const hn_loss_bcl_options *options, const hn_cmatf *z, const int32_t *labels,
                                           const hn_cmatf *prototypes, double *loss, float *row_loss, hn_matf *dz,
                                           hn_matf *dprototypes, const hn_scratch *scratch);

HN_END_DECLS
#endif
