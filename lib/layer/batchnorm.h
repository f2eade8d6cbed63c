/* batchnorm.h -- what the batch-norm layer and the conv unit share: options, parameters, running statistics. */
#ifndef HNI_LAYER_BATCHNORM_H
#define HNI_LAYER_BATCHNORM_H

#include <hybridnet/layers.h>

#include "kernel/batchnorm.h"

typedef struct hni_norm {
    hn_batchnorm_options options;
    int64_t channels;
    hn_tensor *weight, *dweight, *bias, *dbias, *running_mean, *running_var;
} hni_norm;

/* Reads and checks the caller's options. */
hn_status hni_norm_options(hni_norm *b, int64_t channels, const hn_batchnorm_options *options, const char *function);
/* Adds "weight", "bias", "running_mean" and "running_var" under prefix ("" or "bn1."). */
hn_status hni_norm_add_params(hni_norm *b, hn_layer *layer, const char *prefix);
void hni_norm_init(const hni_norm *b);

/* HN_E_SHAPE for statistics of a single row. kind: for the sentence. */
hn_status hni_norm_check_rows(const char *kind, int64_t rows, int32_t mode);
/* Kept from forward to backward: mean and variance of the batch. */
size_t hni_norm_workspace_bytes(const hni_norm *b);
size_t hni_norm_scratch_bytes(const hni_norm *b, int64_t rows);
/* In training updates the running statistics. workspace: unused in inference. Arrays as in kernel/batchnorm.h. */
void hni_norm_forward(const hni_norm *b, int32_t num_threads, int32_t mode, int64_t rows, const float *x,
                      const float *addend, int32_t relu, float *y, void *workspace, void *scratch);
void hni_norm_backward(const hni_norm *b, int32_t num_threads, int64_t rows, const float *x, const float *y,
                       const float *dy, float *dx, float *daddend, const void *workspace, void *scratch);
/* Adds what normalising a call's output costs. relu: whether y went through it; dx: whether backward writes one. */
void hni_norm_cost(const hn_layer_call *call, int32_t relu, bool dx, int32_t pass, hn_layer_cost *cost);

#endif
