/* Every instruction set's table of Winograd's parts that this CPU can run, against plain double sums. */
#include "support.h"

#include "kernel/winograd.h"

#include <stdlib.h>

static const double bt[4][4] = {{1, 0, -1, 0}, {0, 1, 1, 0}, {0, -1, 1, 0}, {0, 1, 0, -1}};
static const double at[2][4] = {{1, 1, 1, 0}, {0, 1, -1, -1}};

/* Channels beside and between the widths of vectors; tiles; the first tile's column; what lies right of the image. */
static const struct {
    int64_t tiles, channels, column, width;
} shapes[] = {{1, 1, -1, 3}, {3, 5, -1, 6}, {4, 16, 0, 10}, {2, 19, 2, 7}, {5, 33, -2, 8}};
enum { SHAPES = sizeof shapes / sizeof shapes[0], SPARE = 3 };
static const double tolerance = 1e-6;

static float *normal(uint64_t seed, int64_t n)
{
    float *x = hnt_alloc((size_t)n * sizeof *x);
    hnt_normal(seed, x, n);
    return x;
}

static double *doubles(int64_t n)
{
    return hnt_alloc((size_t)n * sizeof(double));
}

START_TEST(input_agrees)
{
    const hni_winograd *isa;
    const int64_t tiles = shapes[_i].tiles, channels = shapes[_i].channels, width = shapes[_i].width;
    const int64_t stride = (tiles + SPARE) * channels;
    float *image = normal(1, 4 * width * channels);
    const float *const rows[4] = {image, image + width * channels, image + 2 * width * channels,
                                  image + 3 * width * channels};
    for (int k = 0; (isa = hni_winograd_variant(k)) != NULL; ++k) {
        float *v = normal(2, HNI_POINTS * stride), *before = normal(2, HNI_POINTS * stride);
        double *want = doubles(HNI_POINTS * stride);
        for (int64_t i = 0; i < HNI_POINTS * stride; ++i)
            want[i] = (double)before[i]; /* nothing else may be written */
        for (int64_t t = 0; t < tiles; ++t)
            for (int64_t c = 0; c < channels; ++c)
                for (int p = 0; p < HNI_POINTS; ++p) {
                    double sum = 0;
                    for (int y = 0; y < 4; ++y)
                        for (int x = 0; x < 4; ++x) {
                            const int64_t column = shapes[_i].column + 2 * t + x;
                            if (column >= 0 && column < width)
                                sum += bt[p / 4][y] * bt[p % 4][x] * (double)rows[y][column * channels + c];
                        }
                    want[p * stride + t * channels + c] = sum;
                }
        isa->input(tiles, channels, rows, shapes[_i].column, width, v, stride);
        hnt_close_fd(isa->name, v, want, HNI_POINTS * stride, tolerance);
        free(v);
        free(before);
        free(want);
    }
    free(image);
}
END_TEST

/* What output writes, and its transpose: with one row or two, with an odd number of columns or an even one. */
START_TEST(output_and_gradient_agree)
{
    const hni_winograd *isa;
    const int64_t tiles = shapes[_i].tiles, channels = shapes[_i].channels, ld = channels + SPARE;
    const int64_t stride = (tiles + 1) * ld, row = (2 * tiles + 1) * channels, points = HNI_POINTS * stride;
    for (int k = 0; (isa = hni_winograd_variant(k)) != NULL; ++k)
        for (int odd = 0; odd < 2; ++odd)
            for (int below = 0; below < 2; ++below) {
                const int64_t columns = 2 * tiles - odd;
                float *m = normal(3, points), *y = normal(4, 2 * row), *v = normal(5, points);
                double *want_y = doubles(2 * row), *want_v = doubles(points);
                float *const rows[2] = {y, below ? y + row : NULL};
                for (int64_t i = 0; i < 2 * row; ++i)
                    want_y[i] = (double)y[i];
                for (int64_t i = 0; i < points; ++i)
                    want_v[i] = (double)v[i];
                for (int64_t t = 0; t < tiles; ++t)
                    for (int64_t c = 0; c < channels; ++c) {
                        for (int p = 0; p < HNI_POINTS; ++p)
                            want_v[p * stride + t * ld + c] = 0;
                        for (int i = 0; i <= below; ++i)
                            for (int j = 0; j < 2 && 2 * t + j < columns; ++j) {
                                const int64_t at_y = i * row + (2 * t + j) * channels + c;
                                want_y[at_y] = 0;
                                for (int p = 0; p < HNI_POINTS; ++p) {
                                    const double factor = at[i][p / 4] * at[j][p % 4];
                                    want_y[at_y] += factor * (double)m[p * stride + t * ld + c];
                                    want_v[p * stride + t * ld + c] += factor * (double)y[at_y];
                                }
                            }
                    }
                isa->gradient(tiles, channels, (const float *const *)rows, columns, v, ld, stride);
                hnt_close_fd(isa->name, v, want_v, points, tolerance);
                isa->output(tiles, channels, m, ld, stride, rows, columns);
                hnt_close_fd(isa->name, y, want_y, 2 * row, tolerance);
                free(m);
                free(y);
                free(v);
                free(want_y);
                free(want_v);
            }
}
END_TEST

START_TEST(products_agree)
{
    static const int64_t sizes[][3] = {{1, 16, 1}, {13, 16, 7}, {24, 32, 16}, {27, 64, 33}}; /* m, n, k */
    const int64_t m = sizes[_i][0], n = sizes[_i][1], k = sizes[_i][2], lda = k + SPARE;
    const hni_winograd *isa;
    float *a = normal(6, m * lda), *b = normal(7, k * n), *packed = hnt_alloc((size_t)(k * n) * sizeof *packed);
    float *left = normal(8, k * m);
    double *want = doubles(m * n), *want_sum = doubles(m * n);
    float *start = normal(9, m * n);
    for (int64_t i = 0; i < k; ++i)
        for (int64_t j = 0; j < n; ++j)
            packed[(j / HNI_PANEL * k + i) * HNI_PANEL + j % HNI_PANEL] = b[i * n + j];
    for (int64_t i = 0; i < m; ++i)
        for (int64_t j = 0; j < n; ++j) {
            want_sum[i * n + j] = (double)start[i * n + j];
            for (int64_t x = 0; x < k; ++x) {
                want[i * n + j] += (double)a[i * lda + x] * (double)b[x * n + j];
                want_sum[i * n + j] += (double)left[x * m + i] * (double)b[x * n + j];
            }
        }
    for (int v = 0; (isa = hni_winograd_variant(v)) != NULL; ++v) {
        float *c = normal(10, m * n), *sum = normal(9, m * n);
        isa->multiply(m, n, k, a, lda, packed, c);
        hnt_close_fd(isa->name, c, want, m * n, tolerance);
        isa->accumulate(m, n, k, left, b, sum);
        hnt_close_fd(isa->name, sum, want_sum, m * n, tolerance);
        free(c);
        free(sum);
    }
    free(a);
    free(b);
    free(packed);
    free(left);
    free(want);
    free(want_sum);
    free(start);
}
END_TEST

START_TEST(the_last_variant_is_the_best)
{
    int n = 0;
    while (hni_winograd_variant(n) != NULL)
        ++n;
    ck_assert_int_ge(n, 1);
    ck_assert_str_eq(hni_winograd_variant(0)->name, "portable");
    ck_assert_ptr_eq(hni_winograd_best(), hni_winograd_variant(n - 1));
    ck_assert_ptr_null(hni_winograd_variant(-1));
    ck_assert_ptr_null(hni_winograd_variant(100));
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("winograd");
    TCase *unit = hnt_case(s, "unit");
    tcase_add_loop_test(unit, input_agrees, 0, SHAPES);
    tcase_add_loop_test(unit, output_and_gradient_agree, 0, SHAPES);
    tcase_add_loop_test(unit, products_agree, 0, 4);
    tcase_add_test(unit, the_last_variant_is_the_best);
    return s;
}

HNT_MAIN(suite)
