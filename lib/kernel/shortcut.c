#include "kernel/shortcut.h"

#include "base/parallel.h"
#include "kernel/bf16.h"
#include "kernel/clones.h"
#include "kernel/elementwise.h"

#include <hybridnet/types.h>

#include <string.h>

typedef struct job {
    const hni_shortcut *g;
    const char *from; /* bytes: f32 or bf16 */
    char *to;
} job;

static int64_t element_bytes(const hni_shortcut *g)
{
    return g->dtype == HN_BF16 ? (int64_t)sizeof(hni_bf16) : (int64_t)sizeof(float);
}

static void forward_image(void *arg, int64_t image, int32_t thread)
{
    const job *j = arg;
    const hni_shortcut *g = j->g;
    (void)thread;
    const int64_t bytes = element_bytes(g), before = (g->out_channels - g->in_channels) / 2 * bytes;
    const int64_t in = g->in_channels * bytes, out = g->out_channels * bytes;
    char *s = j->to + image * g->out_height * g->out_width * out;
    memset(s, 0, (size_t)(g->out_height * g->out_width * out));
    for (int64_t y = 0; y < g->out_height; ++y)
        for (int64_t x = 0; x < g->out_width; ++x) {
            const char *from = j->from + ((image * g->height + y * g->stride) * g->width + x * g->stride) * in;
            memcpy(s + (y * g->out_width + x) * out + before, from, (size_t)in);
        }
}

void hni_shortcut_forward(int32_t num_threads, const hni_shortcut *g, const void *x, void *s)
{
    job j = {.g = g, .from = x, .to = s};
    hni_parallel(num_threads, g->images, forward_image, &j);
}

HNI_CLONES static void add_bf16(int64_t n, const hni_bf16 *restrict from, hni_bf16 *restrict to)
{
    for (int64_t i = 0; i < n; ++i)
        to[i] = hni_to_bf16(hni_from_bf16(to[i]) + hni_from_bf16(from[i]));
}

static void add(const hni_shortcut *g, int64_t n, const char *from, char *to)
{
    if (g->dtype == HN_BF16)
        add_bf16(n, (const hni_bf16 *)(const void *)from, (hni_bf16 *)(void *)to);
    else
        hni_accumulate(n, (const float *)(const void *)from, (float *)(void *)to);
}

static void backward_image(void *arg, int64_t image, int32_t thread)
{
    const job *j = arg;
    const hni_shortcut *g = j->g;
    (void)thread;
    const int64_t bytes = element_bytes(g), before = (g->out_channels - g->in_channels) / 2 * bytes;
    const int64_t in = g->in_channels * bytes, out = g->out_channels * bytes;
    const char *ds = j->from + image * g->out_height * g->out_width * out;
    char *dx = j->to + image * g->height * g->width * in;
    if (g->stride == 1 && g->out_channels == g->in_channels) {
        add(g, g->out_height * g->out_width * g->out_channels, ds, dx);
        return;
    }
    for (int64_t y = 0; y < g->out_height; ++y)
        for (int64_t x = 0; x < g->out_width; ++x)
            add(g, g->in_channels, ds + (y * g->out_width + x) * out + before,
                dx + (y * g->stride * g->width + x * g->stride) * in);
}

void hni_shortcut_backward_add(int32_t num_threads, const hni_shortcut *g, const void *ds, void *dx)
{
    job j = {.g = g, .from = ds, .to = dx};
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
