/* supcon.h -- the supervised contrastive loss (SC) on the caller's arrays. loss.h states the common contract.
 *
 * Khosla et al., "Supervised contrastive learning", NeurIPS 2020, eq. 2 (L_out); equation of L_SCL in Wang et al.,
 * CVPR 2021. For unit rows z and temperature tau, with P(i) the other rows of i's label and A(i) all other rows:
 *     L_i = -1/|P(i)| sum_{p in P(i)} log( exp(z_i.z_p / tau) / sum_{a in A(i)} exp(z_i.z_a / tau) )
 * Memory is O(n * dim): the n x n similarities are never stored.
 * Conventions of other libraries are options: "Coming from ..." in docs/numerics.md lists which.                    */
#ifndef HYBRIDNET_SUPCON_H
#define HYBRIDNET_SUPCON_H

#include <hybridnet/loss_common.h>

/* What an anchor without a positive does: it adds nothing to the loss and its gradient as an anchor is 0
 * (it stays a negative of the others), and the mean ...                                                  */
enum {
    HN_LONELY_SKIP = 0, /* does not count it (default)                     */
    HN_LONELY_ZERO = 1, /* counts it as 0, as SupContrast's code has done since 2023 */
    HN_LONELY_PML = 2   /* counts only anchors whose loss is above 0, and a batch without a positive or without a
                           negative pair is 0: pytorch-metric-learning                 */
};

/* The order of rows when there are several views. */
enum {
    HN_VIEW_MAJOR = 0,  /* the first views of all images, then the second ... (torch.cat of the views; default) */
    HN_SAMPLE_MAJOR = 1 /* all views of the first image, then of the second ...                                 */
};

/* Which rows are anchors. */
enum {
    HN_ANCHORS_ALL = 0,  /* default; SupContrast's contrast_mode 'all'                                */
    HN_ANCHORS_FIRST = 1 /* the first view of each image: contrast_mode 'one'. The rest is contrast   */
};

typedef struct hn_loss_sc_options {
    HN_LOSS_COMMON_OPTIONS
    float temperature;     /* tau, positive and finite; default 0.1                                          */
    int32_t normalize;     /* nonzero (default): rows are L2-normalised here and dz is with respect to the raw
                              rows; a row of length 0 stays 0 and gets gradient 0. 0: taken as they are       */
    int32_t lonely_anchor; /* HN_LONELY_SKIP, _ZERO or _PML                                                  */
    float base_temperature; /* above 0: loss and gradients are multiplied by temperature / base_temperature, as in
                               SupContrast's code (there 0.07); 0 (default): no factor                       */
    int32_t views;          /* V >= 1, default 1: n rows are V views of n / V images, and labels is [n / V]  */
    int32_t view_order;     /* HN_VIEW_MAJOR or HN_SAMPLE_MAJOR                                              */
    int32_t anchors;        /* HN_ANCHORS_ALL or HN_ANCHORS_FIRST                                            */
} hn_loss_sc_options;

HN_BEGIN_DECLS

/* Fills the struct with its defaults; struct_size: sizeof *options. NULL is ignored. */
HN_API void hn_loss_sc_options_init(hn_loss_sc_options *options, size_t struct_size);

/* Bytes of scratch that hn_loss_sc needs; depends on n, dim and num_threads. */
HN_API HN_MUST_CHECK hn_status hn_loss_sc_scratch(const hn_loss_sc_options *options, int64_t n, int64_t dim,
                                                  size_t *bytes);

/* SC over one batch.
 *   z       n x dim: all views of all images; with views = 1 stacked in any order, two views of an image sharing a label
 *   labels  [n / views], any int32 >= 0; rows with a label < 0 are neither anchors nor negatives. NULL with views > 1:
 *           every image is a class of its own, which is the unsupervised NT-Xent loss (Chen et al., "SimCLR", 2020)
 *   dz      n x dim
 * HN_E_SHAPE also for n that is no multiple of views.                                                             */
HN_API HN_MUST_CHECK hn_status hn_loss_sc(const hn_loss_sc_options *options, const hn_cmatf *z, const int32_t *labels,
                                          double *loss, float *row_loss, hn_matf *dz, const hn_scratch *scratch);

/* Bytes of scratch that hn_loss_sc_contrast needs for n anchors and k contrast rows. */
HN_API HN_MUST_CHECK hn_status hn_loss_sc_contrast_scratch(const hn_loss_sc_options *options, int64_t n, int64_t k,
                                                           int64_t dim, size_t *bytes);

/* SC of anchors against a separate contrast set, such as a memory queue, or the embeddings gathered from all processes:
 *     L_i = -1/|P(i)| sum_{p in P(i)} log( exp(x_i.y_p / tau) / sum_{k in A(i)} exp(x_i.y_k / tau) )
 * where A(i) are the contrast rows but self[i], and P(i) those of them with the anchor's label.
 *   anchors          n x dim
 *   labels           [n]; < 0: no anchor
 *   contrast         k x dim
 *   contrast_labels  [k]; < 0: the row is left out (of the denominators too)
 *   self             [n], the contrast row that is anchor i itself, or < 0; NULL: there is none
 *   danchors         n x dim
 *   dcontrast        k x dim; NULL for a queue. Where an anchor is in the contrast set too, its whole gradient is the sum of
 *                    both
 * Memory is O((n + k) dim). The options views, view_order and anchors must have their defaults.                       */
HN_API HN_MUST_CHECK hn_status hn_loss_sc_contrast(const hn_loss_sc_options *options, const hn_cmatf *anchors,
                                                   const int32_t *labels, const hn_cmatf *contrast,
                                                   const int32_t *contrast_labels, const int32_t *self, double *loss,
                                                   float *row_loss, hn_matf *danchors, hn_matf *dcontrast,
                                                   const hn_scratch *scratch);

HN_END_DECLS
#endif
