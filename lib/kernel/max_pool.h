/* max_pool.h -- max pooling of channels-last images and its gradient. */
#ifndef HNI_MAX_POOL_H
#define HNI_MAX_POOL_H

#include <stdint.h>

/* A square window over x: images x height x width x channels gives y: images x out_height x out_width x channels. Padding
 * counts as minus infinity and is less than the kernel.                                                               */
typedef struct hni_max_pool {
    int64_t images, height, width, channels, out_height, out_width, kernel, stride, padding;
    int32_t dtype; /* of x, y and their gradients: HN_BF16, else f32 */
} hni_max_pool;

/* y = the maximum; at = where in its window (ky kernel + kx) it stood, the first of equals; y's shape, or NULL. */
void hni_max_pool_forward(int32_t num_threads, const hni_max_pool *g, const void *x, void *y, uint16_t *at);
/* dx, overwritten: the sum, in f32, of dy of the windows whose maximum the pixel was. */
void hni_max_pool_backward(int32_t num_threads, const hni_max_pool *g, const uint16_t *at, const void *dy, void *dx);

#endif
