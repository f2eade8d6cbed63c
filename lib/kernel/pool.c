#include "kernel/pool.h"

#include "base/parallel.h"
#include "kernel/bf16.h"
#include "kernel/clones.h"

#include <hybridnet/types.h>

#include <math.h>
#include <stddef.h>
#include <string.h>

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

typedef struct max_job {
    const hni_max_pool *g;
    const float *x, *dy;
    float *y, *dx;
    int32_t *at;
    const int32_t *from;
} max_job;

/* One result pixel: x is the image, y and at (or NULL) are the pixel's channels. */
static void pool_window(const hni_max_pool *g, const float *x, int64_t oy, int64_t ox, float *y, int32_t *at)
{
    for (int64_t c = 0; c < g->channels; ++c)
        y[c] = -INFINITY;
    int64_t first = -1; /* so that a window of nothing but -inf still points into itself */
    for (int64_t iy = oy * g->stride - g->padding; iy < oy * g->stride - g->padding + g->kernel; ++iy)
        for (int64_t ix = ox * g->stride - g->padding; ix < ox * g->stride - g->padding + g->kernel; ++ix) {
            if (iy < 0 || iy >= g->height || ix < 0 || ix >= g->width)
                continue;
            int64_t pixel = iy * g->width + ix;
            const float *from = x + pixel * g->channels;
            for (int64_t c = 0; c < g->channels; ++c) {
                if (first >= 0 && !(from[c] > y[c] || isnan(from[c])))
                    continue;
                y[c] = from[c];
                if (at != NULL)
                    at[c] = (int32_t)pixel;
            }
            first = first < 0 ? pixel : first;
        }
}

static void max_forward_image(void *arg, int64_t image, int32_t thread)
{
    const max_job *j = arg;
    const hni_max_pool *g = j->g;
    (void)thread;
    const float *x = j->x + image * g->height * g->width * g->channels;
    for (int64_t oy = 0; oy < g->out_height; ++oy)
        for (int64_t ox = 0; ox < g->out_width; ++ox) {
            int64_t to = ((image * g->out_height + oy) * g->out_width + ox) * g->channels;
            pool_window(g, x, oy, ox, j->y + to, j->at == NULL ? NULL : j->at + to);
        }
}

void hni_max_pool_forward(int32_t num_threads, const hni_max_pool *g, const float *x, float *y, int32_t *at)
{
    max_job j = {.g = g, .x = x, .y = y, .at = at};
    hni_parallel(num_threads, g->images, max_forward_image, &j);
}

static void max_backward_image(void *arg, int64_t image, int32_t thread)
{
    const max_job *j = arg;
    const hni_max_pool *g = j->g;
    (void)thread;
    int64_t in = g->height * g->width * g->channels, out = g->out_height * g->out_width * g->channels;
    float *dx = j->dx + image * in;
    memset(dx, 0, (size_t)in * sizeof *dx);
    for (int64_t i = image * out; i < (image + 1) * out; ++i)
        dx[j->from[i] * g->channels + i % g->channels] += j->dy[i];
}

void hni_max_pool_backward(int32_t num_threads, const hni_max_pool *g, const int32_t *at, const float *dy, float *dx)
{
    max_job j = {.g = g, .from = at, .dy = dy, .dx = dx};
    hni_parallel(num_threads, g->images, max_backward_image, &j);
}
