/* Max pooling against a plain loop over windows: odd sizes, padding, both element types, ties and what is no number. */
#include "kernel/bf16.h"
#include "kernel/max_pool.h"
#include "support.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const hni_max_pool shapes[] = {
    {.images = 2, .height = 9, .width = 8, .channels = 4, .kernel = 3, .stride = 2, .padding = 1},
    {.images = 3, .height = 33, .width = 49, .channels = 64, .kernel = 3, .stride = 2, .padding = 1},
    {.images = 1, .height = 7, .width = 5, .channels = 70, .kernel = 2, .stride = 2, .padding = 0},
    {.images = 2, .height = 6, .width = 11, .channels = 3, .kernel = 5, .stride = 1, .padding = 2},
    {.images = 1, .height = 10, .width = 7, .channels = 2, .kernel = 2, .stride = 3, .padding = 1},
    {.images = 1, .height = 1, .width = 1, .channels = 130, .kernel = 3, .stride = 2, .padding = 1},
};

enum { SHAPES = sizeof shapes / sizeof shapes[0] };

static hni_max_pool shape_at(int i)
{
    hni_max_pool g = shapes[i];
    g.out_height = (g.height + 2 * g.padding - g.kernel) / g.stride + 1;
    g.out_width = (g.width + 2 * g.padding - g.kernel) / g.stride + 1;
    return g;
}

/* Which element of x is the maximum of element `to` of y: the first of equals, a NaN above all. */
static int64_t winner(const hni_max_pool *g, const float *x, int64_t to)
{
    const int64_t c = to % g->channels, ox = to / g->channels % g->out_width;
    const int64_t oy = to / g->channels / g->out_width % g->out_height;
    const int64_t image = to / g->channels / g->out_width / g->out_height;
    int64_t best = -1;
    for (int64_t iy = oy * g->stride - g->padding; iy < oy * g->stride - g->padding + g->kernel; ++iy)
        for (int64_t ix = ox * g->stride - g->padding; ix < ox * g->stride - g->padding + g->kernel; ++ix) {
            const int64_t at = ((image * g->height + iy) * g->width + ix) * g->channels + c;
            if (iy < 0 || iy >= g->height || ix < 0 || ix >= g->width)
                continue;
            if (best < 0 || x[at] > x[best] || isnan(x[at]))
                best = at;
        }
    return best;
}

static hni_bf16 *rounded(const float *x, int64_t n)
{
    hni_bf16 *h = hnt_alloc((size_t)n * sizeof *h);
    for (int64_t i = 0; i < n; ++i)
        h[i] = hni_to_bf16(x[i]);
    return h;
}

static const float UNWRITTEN = 12345.0f;

/* y and dx of x and dy in one element type, on some threads. */
static void pool(hni_max_pool g, bool bf16, int32_t threads, const float *x, const float *dy, float *y, float *dx)
{
    const int64_t in = g.images * g.height * g.width * g.channels;
    const int64_t out = g.images * g.out_height * g.out_width * g.channels;
    uint16_t *at = hnt_alloc((size_t)out * sizeof *at);
    if (!bf16) {
        hni_max_pool_forward(threads, &g, x, y, NULL);
        hni_max_pool_forward(threads, &g, x, y, at);
        hni_max_pool_backward(threads, &g, at, dy, dx);
    } else {
        hni_bf16 *hx = rounded(x, in), *hdy = rounded(dy, out), *hy = rounded(y, out), *hdx = rounded(dx, in);
        g.dtype = HN_BF16;
        hni_max_pool_forward(threads, &g, hx, hy, at);
        hni_max_pool_backward(threads, &g, at, hdy, hdx);
        for (int64_t i = 0; i < out; ++i)
            y[i] = hni_from_bf16(hy[i]);
        for (int64_t i = 0; i < in; ++i)
            dx[i] = hni_from_bf16(hdx[i]);
        free(hx);
        free(hdy);
        free(hy);
        free(hdx);
    }
    free(at);
}

static void check(int shape, bool bf16, void (*change)(float *x, int64_t n))
{
    const hni_max_pool g = shape_at(shape);
    const int64_t in = g.images * g.height * g.width * g.channels;
    const int64_t out = g.images * g.out_height * g.out_width * g.channels;
    float *x = hnt_alloc((size_t)in * sizeof *x), *dy = hnt_alloc((size_t)out * sizeof *dy);
    float *dx = hnt_alloc((size_t)in * sizeof *dx), *y = hnt_alloc((size_t)out * sizeof *y);
    float *want = hnt_alloc((size_t)in * sizeof *want);
    hnt_normal(1, x, in);
    hnt_normal(2, dy, out);
    if (change != NULL)
        change(x, in);
    for (int64_t i = 0; i < in && bf16; ++i)
        x[i] = hni_from_bf16(hni_to_bf16(x[i]));
    for (int64_t i = 0; i < out && bf16; ++i)
        dy[i] = hni_from_bf16(hni_to_bf16(dy[i]));
    for (int32_t threads = 1; threads <= 3; ++threads) {
        memset(want, 0, (size_t)in * sizeof *want);
        for (int64_t i = 0; i < out; ++i) /* what no result is, so that each call must write all of its own */
            y[i] = UNWRITTEN;
        for (int64_t i = 0; i < in; ++i)
            dx[i] = UNWRITTEN;
        pool(g, bf16, threads, x, dy, y, dx);
        for (int64_t i = 0; i < out; ++i) { /* one by one without Check's bookkeeping, which takes long */
            const int64_t from = winner(&g, x, i);
            if (!(y[i] == x[from] || (isnan(y[i]) && isnan(x[from]))))
                ck_abort_msg("shape %d: y[%lld] is %g", shape, (long long)i, (double)y[i]);
            want[from] += dy[i];
        }
        for (int64_t i = 0; i < in; ++i)
            if (dx[i] != (bf16 ? hni_from_bf16(hni_to_bf16(want[i])) : want[i]))
                ck_abort_msg("shape %d: dx[%lld] is %g", shape, (long long)i, (double)dx[i]);
    }
    free(x);
    free(dy);
    free(dx);
    free(y);
    free(want);
}

START_TEST(every_shape_in_both_types)
{
    check(_i, false, NULL);
    check(_i, true, NULL);
}
END_TEST

static void coarsen(float *x, int64_t n)
{
    for (int64_t i = 0; i < n; ++i)
        x[i] = roundf(x[i]);
}

static void spoil(float *x, int64_t n)
{
    for (int64_t i = 0; i < n; ++i)
        x[i] = i % 3 == 0 ? -INFINITY : i % 7 == 0 ? NAN : i % 11 == 0 ? INFINITY : x[i];
}

static void sink(float *x, int64_t n)
{
    for (int64_t i = 0; i < n; ++i)
        x[i] = -INFINITY;
}

/* The first of equals wins, a NaN above all, and windows of nothing but -infinity still lie inside the image. */
START_TEST(ties_and_what_is_no_number)
{
    static void (*const changes[])(float *x, int64_t n) = {coarsen, spoil, sink};
    for (size_t k = 0; k < sizeof changes / sizeof changes[0]; ++k) {
        check(_i, false, changes[k]);
        check(_i, true, changes[k]);
    }
}
END_TEST

/* The layer says bf16 where bf16 goes in. */
START_TEST(the_layer_keeps_the_type)
{
    const hn_desc images = {HN_BF16, 4, {2, 65, 97, 8}}, bytes = {HN_U8, 4, {2, 8, 8, 3}};
    hn_context *context = hnt_context(1);
    hn_layer *layer = NULL;
    hn_desc output;
    hnt_ok(hn_max_pool_create(&layer, context, 3, 2, 1));
    hnt_ok(hn_layer_output(layer, &images, &output));
    ck_assert(output.dtype == HN_BF16 && output.dim[1] == 33 && output.dim[2] == 49 && output.dim[3] == 8);
    hnt_fails(hn_layer_output(layer, &bytes, &output), HN_E_SHAPE, "it must be f32 or bf16");
    hn_layer_destroy(layer);
    hn_context_destroy(context);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("max_pool");
    TCase *unit = hnt_case(s, "unit");
    tcase_add_loop_test(unit, every_shape_in_both_types, 0, SHAPES);
    tcase_add_loop_test(unit, ties_and_what_is_no_number, 0, SHAPES);
    tcase_add_test(unit, the_layer_keeps_the_type);
    return s;
}

HNT_MAIN(suite)
