/* batchnorm.h -- what the batch-norm layer and the conv unit share: options, parameters, running statistics. */
#ifndef HNI_LAYER_BATCHNORM_H
#define HNI_LAYER_BATCHNORM_H

#include <hybridnet/layers.h>

#include "kernel/batchnorm.h"

typedef struct hni_bn {
    hn_batchnorm_options options;
    int64_t channels;
    hn_tensor *weight, *dweight, *bias, *dbias, *running_mean, *running_var;
} hni_bn;

/* Reads and checks the caller's options. */
hn_status hni_bn_options(hni_bn *b, int64_t channels, const hn_batchnorm_options *options, const char *function);
/* Adds "weight", "bias", "running_mean" and "running_var" under prefix ("" or "bn1."). */
hn_status hni_bn_add_params(hni_bn *b, hn_layer *layer, const char *prefix);
void hni_bn_init(const hni_bn *b);

/* HN_E_SHAPE for statistics of a single row. kind: for the sentence. */
hn_status hni_bn_check_rows(const char *kind, int64_t rows, int32_t mode);
/* Kept from forward to backward: mean and variance of the batch. */
size_t hni_bn_workspace_bytes(const hni_bn *b);

/* The passes of kernel/batchnorm.h with this layer's parameters. Arrays are of dtype; the caller calls the passes'
 * functions for the parts between begin and end.                                                                      */
hni_batchnorm hni_bn_kernel(const hni_bn *b, int32_t dtype, int64_t rows, int64_t part_rows);
/* After hni_batchnorm_begin_statistics: keeps them in workspace and, unless these rows have been run before, updates the
 * running ones. */
void hni_bn_end_statistics(const hni_bn *b, const hni_batchnorm_pass *pass, bool again, void *workspace);
/* In training with the statistics in workspace, in inference with the running ones. */
void hni_bn_begin_forward(const hni_bn *b, hni_batchnorm_pass *pass, const hni_batchnorm *k, int32_t mode,
                            const void *x, const void *addend, int32_t relu, void *y, const void *workspace,
                            void *scratch);
/* call: the backward pass's, of which addend, daddend, y and dy are taken. relu: whether y went through it. */
void hni_bn_begin_sums(const hni_bn *b, hni_batchnorm_pass *pass, const hni_batchnorm *k, const hn_layer_call *call,
                         const void *x, int32_t relu, const void *workspace, void *scratch);
/* Adds to the parameters' gradients. */
void hni_bn_end_sums(const hni_bn *b, const hni_batchnorm_pass *pass, const void *workspace);
/* Adds what normalising a call's output costs. relu: whether y went through it. unit: behind a convolution, with which it
 * shares arrays in the cache; these are counted with the convolution.                                                  */
void hni_bn_cost(const hn_layer_call *call, int32_t relu, bool unit, int32_t pass, hn_layer_cost *cost);

#endif
