/* Both directions write each result once, a row a task, some channels at a time in registers: backward gathers from the
 * windows that a pixel lies in, so that sums of bf16 gradients are rounded once.                                        */
#include "kernel/max_pool.h"

#include "base/integer.h"
#include "base/parallel.h"
#include "kernel/bf16.h"
#include "kernel/clones.h"

#include <hybridnet/types.h>

#include <math.h>
#include <stddef.h>

enum { BLOCK = 64 }; /* channels at a time */

typedef struct job {
    const hni_max_pool *g;
    const void *from;
    void *to;
    uint16_t *at;
    const uint16_t *chosen;
} job;

/* [first, end) */
typedef struct span {
    int64_t first, end;
} span;

/* The rows or columns of the window of result `o` that lie inside the image. */
static span inside(const hni_max_pool *g, int64_t o, int64_t size)
{
    const int64_t begin = o * g->stride - g->padding;
    return (span){hni_max(0, -begin), hni_min(g->kernel, size - begin)};
}

/* The results whose windows hold row or column i of the image. */
static span holding(const hni_max_pool *g, int64_t i, int64_t results)
{
    const int64_t last = i + g->padding, before = last - g->kernel;
    return (span){before < 0 ? 0 : before / g->stride + 1, hni_min(results, last / g->stride + 1)};
}

/* n values that stand at `here` in their windows. */
HNI_INLINE void compare(int64_t n, const void *restrict x, int64_t from, int32_t here, float *restrict best,
                        int32_t *restrict place, bool bf16)
{
    for (int64_t k = 0; k < n; ++k) {
        const float value = hni_load_as_float(x, from + k, bf16);
        const bool better = (value > best[k]) | (value != value);
        best[k] = better ? value : best[k];
        place[k] = better ? here : place[k];
    }
}

/* Adds the n gradients whose maxima stood at `here`. Zeros the others by their bits: compilers vectorise that. */
HNI_INLINE void gather(int64_t n, const void *restrict dy, const uint16_t *restrict chosen, int64_t from, int32_t here,
                       float *restrict sum, bool bf16)
{
    for (int64_t k = 0; k < n; ++k) {
        hni_float_bits value = {.value = hni_load_as_float(dy, from + k, bf16)};
        value.bits &= chosen[from + k] == here ? UINT32_MAX : 0;
        sum[k] += value.value;
    }
}

/* Channels [c, c + n) of one result. corner: of its window, which may lie outside. */
HNI_INLINE void forward_channels(const job *j, int64_t to, int64_t corner, span rows, span columns, int64_t c,
                                 int64_t n, bool bf16)
{
    const hni_max_pool *g = j->g;
    float best[BLOCK];
    int32_t place[BLOCK]; /* the first inside, also for a window of nothing but -infinity */
    for (int64_t k = 0; k < n; ++k) {
        best[k] = -INFINITY;
        place[k] = (int32_t)(rows.first * g->kernel + columns.first);
    }
    for (int64_t ky = rows.first; ky < rows.end; ++ky)
        for (int64_t kx = columns.first; kx < columns.end; ++kx)
            compare(n, j->from, (corner + ky * g->width + kx) * g->channels + c, (int32_t)(ky * g->kernel + kx), best,
                    place, bf16);
    for (int64_t k = 0; k < n; ++k)
        hni_store_as(j->to, to * g->channels + c + k, best[k], bf16);
    if (j->at == NULL)
        return;
    for (int64_t k = 0; k < n; ++k)
        j->at[to * g->channels + c + k] = (uint16_t)place[k];
}

HNI_INLINE void forward_row(const job *j, int64_t row, bool bf16)
{
    const hni_max_pool *g = j->g;
    const int64_t image = row / g->out_height, top = row % g->out_height * g->stride - g->padding;
    const span rows = inside(g, row % g->out_height, g->height);
    for (int64_t ox = 0; ox < g->out_width; ++ox) {
        const int64_t to = row * g->out_width + ox;
        const int64_t corner = (image * g->height + top) * g->width + ox * g->stride - g->padding;
        const span columns = inside(g, ox, g->width);
        int64_t c = 0;
        for (; c + BLOCK <= g->channels; c += BLOCK)
            forward_channels(j, to, corner, rows, columns, c, BLOCK, bf16);
        if (c < g->channels)
            forward_channels(j, to, corner, rows, columns, c, g->channels - c, bf16);
    }
}

/* Channels [c, c + n) of column ix of row iy of an image's gradient, pixel `to` of all. */
HNI_INLINE void backward_channels(const job *j, int64_t to, int64_t iy, int64_t ix, int64_t first, span rows,
                                  span columns, int64_t c, int64_t n, bool bf16)
{
    const hni_max_pool *g = j->g;
    float sum[BLOCK];
    for (int64_t k = 0; k < n; ++k)
        sum[k] = 0.0f;
    for (int64_t oy = rows.first; oy < rows.end; ++oy)
        for (int64_t ox = columns.first; ox < columns.end; ++ox) {
            const int64_t ky = iy + g->padding - oy * g->stride, kx = ix + g->padding - ox * g->stride;
            gather(n, j->from, j->chosen, (first + oy * g->out_width + ox) * g->channels + c,
                   (int32_t)(ky * g->kernel + kx), sum, bf16);
        }
    for (int64_t k = 0; k < n; ++k)
        hni_store_as(j->to, to * g->channels + c + k, sum[k], bf16);
}

HNI_INLINE void backward_row(const job *j, int64_t row, bool bf16)
{
    const hni_max_pool *g = j->g;
    const int64_t iy = row % g->height, first = row / g->height * g->out_height * g->out_width;
    const span rows = holding(g, iy, g->out_height);
    for (int64_t ix = 0; ix < g->width; ++ix) {
        const span columns = holding(g, ix, g->out_width);
        int64_t c = 0;
        for (; c + BLOCK <= g->channels; c += BLOCK)
            backward_channels(j, row * g->width + ix, iy, ix, first, rows, columns, c, BLOCK, bf16);
        if (c < g->channels)
            backward_channels(j, row * g->width + ix, iy, ix, first, rows, columns, c, g->channels - c, bf16);
    }
}

HNI_CLONES static void forward_row_f32(const job *j, int64_t row)
{
    forward_row(j, row, false);
}

HNI_CLONES static void forward_row_bf16(const job *j, int64_t row)
{
    forward_row(j, row, true);
}

HNI_CLONES static void backward_row_f32(const job *j, int64_t row)
{
    backward_row(j, row, false);
}

HNI_CLONES static void backward_row_bf16(const job *j, int64_t row)
{
    backward_row(j, row, true);
}

static void forward_task(void *arg, int64_t row, int32_t thread)
{
    const job *j = arg;
    (void)thread;
    if (j->g->dtype == HN_BF16)
        forward_row_bf16(j, row);
    else
        forward_row_f32(j, row);
}

static void backward_task(void *arg, int64_t row, int32_t thread)
{
    const job *j = arg;
    (void)thread;
    if (j->g->dtype == HN_BF16)
        backward_row_bf16(j, row);
    else
        backward_row_f32(j, row);
}

void hni_max_pool_forward(int32_t num_threads, const hni_max_pool *g, const void *x, void *y, uint16_t *at)
{
    job j = {.g = g, .from = x, .to = y, .at = at};
    hni_parallel(num_threads, g->images * g->out_height, forward_task, &j);
}

void hni_max_pool_backward(int32_t num_threads, const hni_max_pool *g, const uint16_t *at, const void *dy, void *dx)
{
    job j = {.g = g, .from = dy, .to = dx, .chosen = at};
    hni_parallel(num_threads, g->images * g->height, backward_task, &j);
}
