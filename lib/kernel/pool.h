/* pool.h -- average pooling of channels-last images. */
#ifndef HNI_POOL_H
#define HNI_POOL_H

#include <stdint.h>

/* y: images x channels in f32, the mean of x: images x pixels x channels, of dtype HN_F32 or HN_BF16. */
void hni_avg_pool_forward(int32_t num_threads, int32_t dtype, int64_t images, int64_t pixels, int64_t channels,
                          const void *x, float *y);
/* dx, of that dtype, = dy / pixels at every pixel. */
void hni_avg_pool_backward(int32_t num_threads, int32_t dtype, int64_t images, int64_t pixels, int64_t channels,
                           const float *dy, void *dx);

#endif
