/* prototypical.h -- the prototypical supervised contrastive loss (PSC, and MPSC with several prototypes a class)
 * on the caller's arrays. loss.h states the common contract.
 *
 * Wang et al., "Contrastive learning based hybrid networks for long-tailed image classification", CVPR 2021, L_PSCL:
 *     L_i = -log( exp(z_i.p_y / tau) / sum_{c != y} exp(z_i.p_c / tau) ),   y = label of row i
 * The own class is not in the denominator: values below zero are normal. With M prototypes a class (MPSC):
 *     L_i = -sum_m w_im log( exp(z_i.p_y^m / tau) / sum_{c != y} sum_l exp(z_i.p_c^l / tau) ),  sum_m w_im = 1         */
#ifndef HYBRIDNET_PROTOTYPICAL_H
#define HYBRIDNET_PROTOTYPICAL_H

#include <hybridnet/loss_common.h>

/* How MPSC spreads a row over the prototypes of its class; the weights are constants to the gradient. */
enum {
    HN_ASSIGN_SOFT = 0,    /* w_i = softmax over m of z_i.p_y^m / tau (default) */
    HN_ASSIGN_HARD = 1,    /* 1 for the most similar (the first of equals), else 0 */
    HN_ASSIGN_UNIFORM = 2, /* 1 / M                                              */
    HN_ASSIGN_GIVEN = 3    /* the caller's: options.assignment                    */
};

typedef struct hn_loss_psc_options {
    HN_LOSS_COMMON_OPTIONS
    float temperature;            /* tau, positive and finite; default 0.1                                          */
    int32_t normalize;            /* nonzero (default): rows of z and of the prototypes are L2-normalised here, and the
                                     gradients are with respect to the raw rows; a row of length 0 stays 0 and gets
                                     gradient 0. 0: both are taken as they are                                      */
    int32_t include_own;          /* 0 (default): the paper's denominator; nonzero: the own class is in it too, which
                                     for M = 1 is cosine-softmax cross-entropy                                      */
    int32_t prototypes_per_class; /* M >= 1; default 1                                                               */
    int32_t assign;               /* HN_ASSIGN_SOFT, _HARD, _UNIFORM (these have no effect for M = 1) or _GIVEN      */
    const float *assignment;      /* for HN_ASSIGN_GIVEN: [n * M], w of row i at i * M .. i * M + M - 1, >= 0 and finite;
                                     they need not sum to 1. Default NULL                                           */
    int32_t one_over_m;           /* nonzero: the whole loss of a row times 1 / M, as MPSC's formula is remembered;
                                     0 (default): the sum alone, so that M copies of one prototype change nothing but
                                     the denominator                                                                */
} hn_loss_psc_options;

HN_BEGIN_DECLS

/* Fills the struct with its defaults; struct_size: sizeof *options. NULL is ignored. */
HN_API void hn_loss_psc_options_init(hn_loss_psc_options *options, size_t struct_size);

/* Bytes of scratch that hn_loss_psc needs. */
HN_API HN_MUST_CHECK hn_status hn_loss_psc_scratch(const hn_loss_psc_options *options, int64_t n, int64_t classes,
                                                   int64_t dim, size_t *bytes);

/* PSC over one batch.
 *   z            n x dim embeddings
 *   prototypes   (classes * M) x dim; those of class c are rows c*M .. c*M + M-1. There are prototypes->rows / M classes,
 *                and M must divide the rows
 *   labels       [n] in [0, classes), or < 0 to ignore the row
 *   dz           n x dim
 *   dprototypes  (classes * M) x dim
 * options, loss, row_loss, dz and dprototypes may be NULL: the defaults; a result that is not wanted.
 * With one class and the paper's denominator there is nothing to contrast with: loss and gradients are 0.        */
HN_API HN_MUST_CHECK hn_status hn_loss_psc(const hn_loss_psc_options *options, const hn_cmatf *z,
                                           const hn_cmatf *prototypes, const int32_t *labels, double *loss,
                                           float *row_loss, hn_matf *dz, hn_matf *dprototypes,
                                           const hn_scratch *scratch);

HN_END_DECLS
#endif
