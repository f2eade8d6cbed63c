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

HNI_CLONES static void mean_rows(int64_t pixels, int64_t channels, const float *restrict x, float *restrict y)
{
    for (int64_t c = 0; c < channels; ++c)
        y[c] = x[c];
    for (int64_t p = 1; p < pixels; ++p)
        for (int64_t c = 0; c < channels; ++c)
            y[c] += x[p * channels + c];
    for (int64_t c = 0; c < channels; ++c)
        y[c] /= (float)pixels;
}

HNI_CLONES static void mean_rows_bf16(int64_t pixels, int64_t channels, const hni_bf16 *restrict x, float *restrict y)
{
    for (int64_t c = 0; c < channels; ++c)
        y[c] = hni_from_bf16(x[c]);
    for (int64_t p = 1; p < pixels; ++p)
        for (int64_t c = 0; c < channels; ++c)
            y[c] += hni_from_bf16(x[p * channels + c]);
    for (int64_t c = 0; c < channels; ++c)
        y[c] /= (float)pixels;
}

static void forward_image(void *arg, int64_t image, int32_t thread)
{
    const average *a = arg;
    (void)thread;
    const int64_t at = image * a->pixels * a->channels;
    float *y = (float *)a->to + image * a->channels;
    if (a->dtype == HN_BF16)
        mean_rows_bf16(a->pixels, a->channels, (const hni_bf16 *)a->from + at, y);
    else
        mean_rows(a->pixels, a->channels, (const float *)a->from + at, y);
}

void hni_avg_pool_forward(int32_t num_threads, int32_t dtype, int64_t images, int64_t pixels, int64_t channels,
                          const void *x, float *y)
{
    average a = {dtype, pixels, channels, x, y};
    hni_parallel(num_threads, images, forward_image, &a);
}

HNI_CLONES static void spread(int64_t pixels, int64_t channels, const float *restrict dy, float *restrict dx)
{
    for (int64_t p = 0; p < pixels; ++p)
        for (int64_t c = 0; c < channels; ++c)
            dx[p * channels + c] = dy[c] / (float)pixels;
}

HNI_CLONES static void spread_bf16(int64_t pixels, int64_t channels, const float *restrict dy, hni_bf16 *restrict dx)
{
    for (int64_t p = 0; p < pixels; ++p)
        for (int64_t c = 0; c < channels; ++c)
            dx[p * channels + c] = hni_to_bf16(dy[c] / (float)pixels);
}

static void backward_image(void *arg, int64_t image, int32_t thread)
{
    const average *a = arg;
    (void)thread;
    const int64_t at = image * a->pixels * a->channels;
    const float *dy = (const float *)a->from + image * a->channels;
    if (a->dtype == HN_BF16)
        spread_bf16(a->pixels, a->channels, dy, (hni_bf16 *)a->to + at);
    else
        spread(a->pixels, a->channels, dy, (float *)a->to + at);
}

void hni_avg_pool_backward(int32_t num_threads, int32_t dtype, int64_t images, int64_t pixels, int64_t channels,
                           const float *dy, void *dx)
{
    average a = {dtype, pixels, channels, dy, dx};
    hni_parallel(num_threads, images, backward_image, &a);
}
