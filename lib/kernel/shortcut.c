#include "kernel/shortcut.h"

#include "base/parallel.h"
#include "kernel/clones.h"
#include "kernel/elementwise.h"

#include <string.h>

typedef struct job {
    const hni_shortcut *g;
    const float *x;
    float *s;
    const float *ds;
    float *dx;
} job;

static void forward_image(void *arg, int64_t image, int32_t thread)
{
    const job *j = arg;
    const hni_shortcut *g = j->g;
    (void)thread;
    int64_t before = (g->out_channels - g->in_channels) / 2;
    float *s = j->s + image * g->out_height * g->out_width * g->out_channels;
    memset(s, 0, (size_t)(g->out_height * g->out_width * g->out_channels) * sizeof *s);
    for (int64_t y = 0; y < g->out_height; ++y)
        for (int64_t x = 0; x < g->out_width; ++x) {
            const float *from =
                j->x + ((image * g->height + y * g->stride) * g->width + x * g->stride) * g->in_channels;
            memcpy(s + (y * g->out_width + x) * g->out_channels + before, from, (size_t)g->in_channels * sizeof *s);
        }
}

void hni_shortcut_forward(int32_t num_threads, const hni_shortcut *g, const float *x, float *s)
{
    job j = {.g = g, .x = x, .s = s};
    hni_parallel(num_threads, g->images, forward_image, &j);
}

static void backward_image(void *arg, int64_t image, int32_t thread)
{
    const job *j = arg;
    const hni_shortcut *g = j->g;
    (void)thread;
    int64_t before = (g->out_channels - g->in_channels) / 2;
    const float *ds = j->ds + image * g->out_height * g->out_width * g->out_channels;
    float *dx = j->dx + image * g->height * g->width * g->in_channels;
    if (g->stride == 1 && before == 0 && g->out_channels == g->in_channels) {
        hni_accumulate(g->out_height * g->out_width * g->out_channels, ds, dx);
        return;
    }
    for (int64_t y = 0; y < g->out_height; ++y)
        for (int64_t x = 0; x < g->out_width; ++x)
            hni_accumulate(g->in_channels, ds + (y * g->out_width + x) * g->out_channels + before,
                           dx + (y * g->stride * g->width + x * g->stride) * g->in_channels);
}

void hni_shortcut_backward_add(int32_t num_threads, const hni_shortcut *g, const float *ds, float *dx)
{
    job j = {.g = g, .ds = ds, .dx = dx};
    hni_parallel(num_threads, g->images, backward_image, &j);
}

enum { BLOCK = 1 << 15 }; /* values a task: 128 KiB of each array */

typedef struct flat {
    int64_t n;
    const float *s;
    float *y;
} flat;

HNI_CLONES static void add_relu(int64_t n, const float *restrict s, float *restrict y)
{
    for (int64_t i = 0; i < n; ++i) {
        float sum = y[i] + s[i];
        y[i] = sum < 0.0f ? 0.0f : sum; /* keeps a NaN */
    }
}

static void add_relu_block(void *arg, int64_t task, int32_t thread)
{
    const flat *f = arg;
    (void)thread;
    int64_t at = task * BLOCK, n = f->n - at < BLOCK ? f->n - at : BLOCK;
    add_relu(n, f->s + at, f->y + at);
}

void hni_shortcut_add_relu(int32_t num_threads, int64_t n, const float *s, float *y)
{
    flat f = {n, s, y};
    hni_parallel(num_threads, (n + BLOCK - 1) / BLOCK, add_relu_block, &f);
}
