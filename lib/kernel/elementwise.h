/* elementwise.h -- sums of arrays, the ReLU and biases. */
#ifndef HNI_ELEMENTWISE_H
#define HNI_ELEMENTWISE_H

#include <stddef.h>
#include <stdint.h>

/* to += from on the calling thread; the arrays must not overlap. */
void hni_accumulate(int64_t n, const float *from, float *to);
/* The same as a part of its caller: for runs too short for a call. */
static inline void hni_accumulate_run(int64_t n, const float *restrict from, float *restrict to)
{
    for (int64_t i = 0; i < n; ++i)
        to[i] += from[i];
}

/* The first of `count` arrays of n floats, stride_bytes apart, += the others in order. */
void hni_accumulate_all(int32_t num_threads, int64_t n, int64_t count, size_t stride_bytes, float *arrays);

/* y = max(x, 0), n values; a NaN stays. */
void hni_relu_forward(int32_t num_threads, int64_t n, const float *x, float *y);
/* dx = dy where y > 0, else 0. */
void hni_relu_backward(int32_t num_threads, int64_t n, const float *y, const float *dy, float *dx);

/* y: rows x channels; y += bias, [channels], to every row. */
void hni_bias_forward(int32_t num_threads, int64_t rows, int64_t channels, const float *bias, float *y);
/* dbias += the sum of dy's rows, over a fixed partition. */
size_t hni_bias_scratch_bytes(int64_t channels);
void hni_bias_backward(int32_t num_threads, int64_t rows, int64_t channels, const float *dy, float *dbias,
                       void *scratch);

#endif
