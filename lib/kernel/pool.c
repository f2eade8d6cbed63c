#include "kernel/pool.h"

#include "base/parallel.h"
#include "kernel/bf16.h"
#include "kernel/clones.h"

#include <hybridnet/types.h>

typedef struct average {
    int32_t dtype;
    int64_t pixels, channels;
    const void *from;
    void *to;
} average;

/* y [channels] = the mean of x, pixels x channels. */
HNI_INLINE void mean(int64_t pixels, int64_t channels, const void *restrict x, int64_t at, float *restrict y, bool bf16)
{
    for (int64_t c = 0; c < channels; ++c)
        y[c] = hni_load_as_float(x, at + c, bf16);
    for (int64_t p = 1; p < pixels; ++p)
        for (int64_t c = 0; c < channels; ++c)
            y[c] += hni_load_as_float(x, at + p * channels + c, bf16);
    for (int64_t c = 0; c < channels; ++c)
        y[c] /= (float)pixels;
}

/* dx, pixels x channels, = dy [channels] / pixels. */
HNI_INLINE void spread(int64_t pixels, int64_t channels, const float *restrict dy, void *restrict dx, int64_t at,
                       bool bf16)
{
    for (int64_t p = 0; p < pixels; ++p)
        for (int64_t c = 0; c < channels; ++c)
            hni_store_as(dx, at + p * channels + c, dy[c] / (float)pixels, bf16);
}

HNI_CLONES static void mean_f32(const average *a, int64_t at, float *y)
{
    mean(a->pixels, a->channels, a->from, at, y, false);
}

HNI_CLONES static void mean_bf16(const average *a, int64_t at, float *y)
{
    mean(a->pixels, a->channels, a->from, at, y, true);
}

HNI_CLONES static void spread_f32(const average *a, const float *dy, int64_t at)
{
    spread(a->pixels, a->channels, dy, a->to, at, false);
}

HNI_CLONES static void spread_bf16(const average *a, const float *dy, int64_t at)
{
    spread(a->pixels, a->channels, dy, a->to, at, true);
}

static void forward_image(void *arg, int64_t image, int32_t thread)
{
    const average *a = arg;
    (void)thread;
    const int64_t at = image * a->pixels * a->channels;
    float *y = (float *)a->to + image * a->channels;
    if (a->dtype == HN_BF16)
        mean_bf16(a, at, y);
    else
        mean_f32(a, at, y);
}

void hni_avg_pool_forward(int32_t num_threads, int32_t dtype, int64_t images, int64_t pixels, int64_t channels,
                          const void *x, float *y)
{
    average a = {dtype, pixels, channels, x, y};
    hni_parallel(num_threads, images, forward_image, &a);
}

static void backward_image(void *arg, int64_t image, int32_t thread)
{
    const average *a = arg;
    (void)thread;
    const int64_t at = image * a->pixels * a->channels;
    const float *dy = (const float *)a->from + image * a->channels;
    if (a->dtype == HN_BF16)
        spread_bf16(a, dy, at);
    else
        spread_f32(a, dy, at);
}

void hni_avg_pool_backward(int32_t num_threads, int32_t dtype, int64_t images, int64_t pixels, int64_t channels,
                           const float *dy, void *dx)
{
    average a = {dtype, pixels, channels, dy, dx};
    hni_parallel(num_threads, images, backward_image, &a);
}
