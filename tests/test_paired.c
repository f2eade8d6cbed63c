/* Every instruction set's table of products of bf16 in pairs that this CPU can run, against plain double sums. */
#include "support.h"

#include "kernel/paired.h"

#include <stdlib.h>
#include <string.h>

enum { PANEL = HNI_PAIRED_PANEL };

static hni_bf16 *normal(uint64_t seed, int64_t n)
{
    float *x = hnt_alloc((size_t)n * sizeof *x);
    hni_bf16 *h = hnt_alloc((size_t)n * sizeof *h);
    hnt_normal(seed, x, n);
    for (int64_t i = 0; i < n; ++i)
        h[i] = hni_to_bf16(x[i]);
    free(x);
    return h;
}

static double value(hni_bf16 h)
{
    return (double)hni_from_bf16(h);
}

static double *doubles(int64_t n)
{
    return hnt_alloc((size_t)n * sizeof(double));
}

START_TEST(interleave_takes_turns)
{
    enum { MOST = 150 };
    const hni_paired *isa;
    hni_bf16 *even = normal(1, MOST), *odd = normal(2, MOST), out[2 * MOST + 1];
    for (int k = 0; (isa = hni_paired_variant(k)) != NULL; ++k)
        for (int64_t n = 0; n <= MOST; ++n) {
            out[2 * n] = 0x1234;
            isa->interleave(n, even, odd, out);
            for (int64_t i = 0; i < n; ++i) {
                ck_assert_msg(out[2 * i] == even[i], "%s: number %d of %d", isa->name, (int)(2 * i), (int)n);
                ck_assert_msg(out[2 * i + 1] == odd[i], "%s: number %d of %d", isa->name, (int)(2 * i + 1), (int)n);
            }
            ck_assert_msg(out[2 * n] == 0x1234, "%s wrote more than %d pairs", isa->name, (int)n);
        }
    free(even);
    free(odd);
}
END_TEST

/* rows, pixels, output channels, kernel's height and width, pairs of input channels, stride. Numbers of pixels and
 * channels beside and between what a block holds; three taps with stride 1 take a path of their own.                   */
static const struct {
    int64_t rows, pixels, columns, height, width, pairs, stride;
} convs[] = {
    {2, 5, 3, 3, 3, 2, 1},  {1, 33, 16, 3, 3, 4, 1}, {3, 16, 16, 3, 3, 8, 1}, {2, 17, 48, 3, 3, 1, 1},
    {2, 7, 32, 3, 3, 8, 1}, {1, 9, 20, 1, 1, 3, 1},  {2, 11, 40, 2, 4, 2, 2}, {1, 6, 64, 1, 1, 5, 3},
    {2, 3, 17, 5, 3, 1, 2}, {1, 1, 1, 1, 1, 1, 1},
};
enum { CONVS = sizeof convs / sizeof convs[0] };

START_TEST(multiply_agrees)
{
    const hni_paired *isa;
    hni_paired_conv c = {.rows = convs[_i].rows,
                         .pixels = convs[_i].pixels,
                         .columns = convs[_i].columns,
                         .kernel_height = convs[_i].height,
                         .kernel_width = convs[_i].width,
                         .pairs = convs[_i].pairs,
                         .stride = convs[_i].stride};
    const int64_t channels = 2 * c.pairs, taps = c.kernel_height * c.kernel_width;
    const int64_t panels = (c.columns + PANEL - 1) / PANEL, results = c.rows * c.pixels * c.columns;
    c.x_row = ((c.pixels - 1) * c.stride + c.kernel_width) * channels;
    hni_bf16 *x = normal(1, ((c.rows - 1) * c.stride + c.kernel_height) * c.x_row);
    hni_bf16 *w = normal(2, panels * taps * channels * PANEL);
    double *want = doubles(results);
    for (int64_t p = 0; p < c.rows * c.pixels; ++p)
        for (int64_t o = 0; o < c.columns; ++o)
            for (int64_t t = 0; t < taps; ++t)
                for (int64_t i = 0; i < channels; ++i) {
                    const int64_t row = p / c.pixels * c.stride + t / c.kernel_width;
                    const int64_t pixel = p % c.pixels * c.stride + t % c.kernel_width;
                    const int64_t pair = (o / PANEL * taps + t) * c.pairs + i / 2;
                    want[p * c.columns + o] += value(x[row * c.x_row + pixel * channels + i]) *
                                               value(w[(pair * PANEL + o % PANEL) * 2 + i % 2]);
                }
    c.x = x;
    c.w = w;
    for (int k = 0; (isa = hni_paired_variant(k)) != NULL; ++k) {
        hni_bf16 *y = normal(3, results + 1), after = y[results];
        float *got = hnt_alloc((size_t)results * sizeof *got);
        c.y = y;
        isa->multiply(&c);
        for (int64_t i = 0; i < results; ++i)
            got[i] = hni_from_bf16(y[i]);
        hnt_close_fd(isa->name, got, want, results, 4e-3);
        ck_assert_msg(y[results] == after, "%s wrote behind y", isa->name);
        free(y);
        free(got);
    }
    free(x);
    free(w);
    free(want);
}
END_TEST

/* images, segments, pixels, taps, input channels, panels, stride */
static const struct {
    int64_t images, segments, pixels, taps, in, panels, stride;
} gradients[] = {{1, 1, 4, 3, 5, 1, 1}, {2, 3, 5, 3, 16, 1, 1}, {1, 2, 7, 3, 19, 3, 1},
                 {2, 2, 3, 1, 8, 2, 2}, {1, 2, 6, 4, 3, 1, 2},  {3, 1, 1, 5, 9, 4, 1}};
enum { GRADIENTS = sizeof gradients / sizeof gradients[0] };

START_TEST(accumulate_agrees)
{
    const hni_paired *isa;
    hni_paired_gradient g = {.images = gradients[_i].images,
                             .segments = gradients[_i].segments,
                             .pixels = gradients[_i].pixels,
                             .taps = gradients[_i].taps,
                             .in = gradients[_i].in,
                             .columns = gradients[_i].panels * PANEL,
                             .stride = gradients[_i].stride};
    const int64_t border = g.taps - 1, x_pixel = 2 * g.in, dy_pixel = 2 * g.columns;
    const int64_t weights = g.taps * g.in * g.columns;
    g.x_segment = ((g.pixels - 1) * g.stride + g.taps) * x_pixel + 2; /* somewhat apart, as in an array of more rows */
    g.x_image = g.segments * g.x_segment + 4;
    g.dy_segment = (g.pixels + 2 * border) * dy_pixel;
    g.dy_image = g.segments * g.dy_segment;
    hni_bf16 *x = normal(1, g.images * g.x_image), *dy = normal(2, g.images * g.dy_image);
    for (int64_t s = 0; s < g.images * g.segments; ++s) {
        memset(dy + s * g.dy_segment, 0, (size_t)(border * dy_pixel) * sizeof *dy);
        memset(dy + s * g.dy_segment + (border + g.pixels) * dy_pixel, 0, (size_t)(border * dy_pixel) * sizeof *dy);
    }
    g.x = x;
    g.dy = dy + border * dy_pixel;
    float *start = hnt_alloc((size_t)weights * sizeof *start);
    double *want = doubles(weights);
    hnt_normal(3, start, weights);
    for (int64_t i = 0; i < weights; ++i) {
        const int64_t t = i / g.columns / g.in, in = i / g.columns % g.in, out = i % g.columns;
        want[i] = (double)start[i];
        for (int64_t s = 0; s < g.images * g.segments; ++s)
            for (int64_t p = 0; p < g.pixels; ++p)
                for (int64_t half = 0; half < 2; ++half) {
                    const int64_t image = s / g.segments, segment = s % g.segments;
                    const int64_t at = image * g.x_image + segment * g.x_segment + (p * g.stride + t) * x_pixel;
                    const int64_t dy_at = image * g.dy_image + segment * g.dy_segment + p * dy_pixel;
                    want[i] += value(x[at + 2 * in + half]) * value(g.dy[dy_at + 2 * out + half]);
                }
    }
    for (int k = 0; (isa = hni_paired_variant(k)) != NULL; ++k) {
        float *dw = hnt_alloc((size_t)weights * sizeof *dw);
        memcpy(dw, start, (size_t)weights * sizeof *dw);
        g.dw = dw;
        isa->accumulate(&g);
        hnt_close_fd(isa->name, dw, want, weights, 1e-6);
        free(dw);
    }
    free(x);
    free(dy);
    free(start);
    free(want);
}
END_TEST

START_TEST(the_last_variant_is_the_best)
{
    int n = 0;
    while (hni_paired_variant(n) != NULL)
        ++n;
    ck_assert_int_ge(n, 1);
    ck_assert_str_eq(hni_paired_variant(0)->name, "portable");
    ck_assert_ptr_eq(hni_paired_best(), hni_paired_variant(n - 1));
    ck_assert_ptr_null(hni_paired_variant(-1));
    ck_assert_ptr_null(hni_paired_variant(100));
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("paired");
    TCase *unit = hnt_case(s, "unit");
    tcase_add_test(unit, interleave_takes_turns);
    tcase_add_loop_test(unit, multiply_agrees, 0, CONVS);
    tcase_add_loop_test(unit, accumulate_agrees, 0, GRADIENTS);
    tcase_add_test(unit, the_last_variant_is_the_best);
    return s;
}

HNT_MAIN(suite)
