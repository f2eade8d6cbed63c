#include "kernel/columns.h"

#include "kernel/clones.h"
#include "kernel/elementwise.h"

#include <string.h>

/* Sixteen at a time, which is a fixed number of vector moves: runs are too short for a call of memcpy. */
static inline void copy(int64_t n, const float *restrict from, float *restrict to)
{
    int64_t i = 0;
    for (; i + 16 <= n; i += 16)
        memcpy(to + i, from + i, 16 * sizeof *to);
    for (; i < n; ++i)
        to[i] = from[i];
}

static inline void zero(int64_t n, float *to)
{
    for (int64_t i = 0; i < n; ++i)
        to[i] = 0.0f;
}

/* A walk over result pixels in memory order. */
typedef struct walk {
    int64_t image, oy, ox;
} walk;

static inline walk walk_from(const hni_conv *g, int64_t p)
{
    int64_t row = p / g->out_width;
    return (walk){row / g->out_height, row % g->out_height, p % g->out_width};
}

static inline void step(const hni_conv *g, walk *v)
{
    if (++v->ox < g->out_width)
        return;
    v->ox = 0;
    if (++v->oy < g->out_height)
        return;
    v->oy = 0;
    ++v->image;
}

/* The part [begin, end) of a window's columns that lies inside the image; its leftmost column is at `left`. */
typedef struct span {
    int64_t left, begin, end;
} span;

static inline span span_of(const hni_conv *g, int64_t ox)
{
    int64_t left = ox * g->stride - g->padding, end = g->width - left;
    return (span){left, left < 0 ? -left : 0, end < g->kernel_width ? end : g->kernel_width};
}

HNI_CLONES static void columns(const hni_conv *g, const float *x, int64_t first, int64_t count, float *cols)
{
    const int64_t in = g->in, run = g->kernel_width * in;
    walk v = walk_from(g, first);
    for (int64_t p = 0; p < count; ++p, step(g, &v)) {
        span s = span_of(g, v.ox);
        for (int64_t ky = 0; ky < g->kernel_height; ++ky, cols += run) {
            int64_t iy = v.oy * g->stride - g->padding + ky;
            if (iy < 0 || iy >= g->height || s.begin >= s.end) {
                zero(run, cols);
                continue;
            }
            const float *from = x + ((v.image * g->height + iy) * g->width + s.left + s.begin) * in;
            zero(s.begin * in, cols);
            copy((s.end - s.begin) * in, from, cols + s.begin * in);
            zero(run - s.end * in, cols + s.end * in);
        }
    }
}

HNI_CLONES static void columns_add(const hni_conv *g, const float *cols, int64_t first, int64_t count, float *dx)
{
    const int64_t in = g->in, run = g->kernel_width * in;
    walk v = walk_from(g, first);
    for (int64_t p = 0; p < count; ++p, step(g, &v)) {
        span s = span_of(g, v.ox);
        for (int64_t ky = 0; ky < g->kernel_height; ++ky, cols += run) {
            int64_t iy = v.oy * g->stride - g->padding + ky;
            if (iy < 0 || iy >= g->height || s.begin >= s.end)
                continue;
            float *to = dx + ((v.image * g->height + iy) * g->width + s.left + s.begin) * in;
            hni_accumulate_run((s.end - s.begin) * in, cols + s.begin * in, to);
        }
    }
}

void hni_columns(const hni_conv *g, const float *x, int64_t first, int64_t count, float *cols)
{
    columns(g, x, first, count, cols);
}

void hni_columns_add(const hni_conv *g, const float *cols, int64_t first, int64_t count, float *dx)
{
    columns_add(g, cols, first, count, dx);
}
