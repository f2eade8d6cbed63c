/* pool.h -- pooling of channels-last images. */
#ifndef HNI_POOL_H
#define HNI_POOL_H

#include <stdint.h>

/* y: images x channels in f32, the mean of x: images x pixels x channels, of dtype HN_F32 or HN_BF16. */
void hni_avg_pool_forward(int32_t num_threads, int32_t dtype, int64_t images, int64_t pixels, int64_t channels,
                          const void *x, float *y);
/* dx, of that dtype, = dy / pixels at every pixel. */
void hni_avg_pool_backward(int32_t num_threads, int32_t dtype, int64_t images, int64_t pixels, int64_t channels,
                           const float *dy, void *dx);

/* A square window over x: images x height x width x channels gives y: images x out_height x out_width x channels. */
typedef struct hni_max_pool {
    int64_t images, height, width, channels, out_height, out_width, kernel, stride, padding;
} hni_max_pool;

/* y = the maximum; at = which pixel (iy * width + ix) it came from, the first of equals; y's shape, or NULL. */
void hni_max_pool_forward(int32_t num_threads, const hni_max_pool *g, const float *x, float *y, int32_t *at);
/* dx, overwritten: dy summed where `at` points. */
void hni_max_pool_backward(int32_t num_threads, const hni_max_pool *g, const int32_t *at, const float *dy, float *dx);

#endif
