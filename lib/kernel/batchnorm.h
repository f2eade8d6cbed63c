/* batchnorm.h -- batch normalisation of rows x channels (channels last): y = relu?((x - mean) / sqrt(var + eps) weight
 * + bias + addend). Mean, variance, weight and bias: [channels]. Every function needs hni_batchnorm_scratch_bytes of
 * scratch, 64-byte aligned. Sums run over a fixed partition of the rows and are combined in double.                  */
#ifndef HNI_BATCHNORM_H
#define HNI_BATCHNORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct hni_batchnorm {
    int64_t rows, channels;
    float eps;
} hni_batchnorm;

size_t hni_batchnorm_scratch_bytes(int64_t rows, int64_t channels);

/* Mean and biased variance of x's columns in one pass over x. */
void hni_batchnorm_statistics(int32_t num_threads, const hni_batchnorm *b, const float *x, float *mean, float *var,
                              void *scratch);

/* y from x; addend: of y's shape, or NULL. relu: y = max(y, 0). No two arrays may overlap. */
void hni_batchnorm_forward(int32_t num_threads, const hni_batchnorm *b, const float *x, const float *mean,
                           const float *var, const float *weight, const float *bias, const float *addend, bool relu,
                           float *y, void *scratch);

/* For statistics of this very x. y: the result if it went through the ReLU, else NULL. Adds to dweight and dbias.
 * dx: overwritten; may be x itself; NULL if not wanted. daddend: overwritten with dy where the ReLU let it through;
 * NULL if not wanted.                                                                                               */
void hni_batchnorm_backward(int32_t num_threads, const hni_batchnorm *b, const float *x, const float *mean,
                            const float *var, const float *weight, const float *y, const float *dy, float *dx,
                            float *daddend, float *dweight, float *dbias, void *scratch);

#endif
