/* Flat kernels against plain double references: matrix products, the ReLU and biases, batch normalisation. */
#include "support.h"

#include "kernel/batchnorm.h"
#include "kernel/convert.h"
#include "kernel/elementwise.h"
#include "kernel/gemm.h"
#include "kernel/rownorm.h"
#include "kernel/softmax.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static float *normal(uint64_t seed, int64_t n)
{
    float *x = hnt_alloc((size_t)n * sizeof *x);
    hnt_normal(seed, x, n);
    return x;
}

/* ---- gemm -------------------------------------------------------------------------------------------------------- */

static void check_gemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k, float alpha, float beta)
{
    const int64_t lda = (ta ? m : k) + 3, ldb = (tb ? k : n) + 1, ldc = n + 2;
    float *a = normal(1, lda * (ta ? k : m)), *b = normal(2, ldb * (tb ? n : k)), *start = normal(3, ldc * m);
    double *want = hnt_alloc((size_t)(ldc * m) * sizeof *want);
    for (int64_t i = 0; i < ldc * m; ++i)
        want[i] = (double)start[i];
    for (int64_t i = 0; i < m; ++i)
        for (int64_t j = 0; j < n; ++j) {
            double sum = 0.0;
            for (int64_t l = 0; l < k; ++l)
                sum += (double)(ta ? a[l * lda + i] : a[i * lda + l]) * (double)(tb ? b[j * ldb + l] : b[l * ldb + j]);
            want[i * ldc + j] = (double)alpha * sum + (beta == 0.0f ? 0.0 : (double)beta * (double)start[i * ldc + j]);
        }
    float *first = NULL;
    for (int32_t threads = 0; threads <= 3; ++threads) { /* 0: the serial one */
        float *c = hnt_alloc((size_t)(ldc * m) * sizeof *c);
        memcpy(c, start, (size_t)(ldc * m) * sizeof *c);
        if (beta == 0.0f)
            for (int64_t i = 0; i < m; ++i)
                c[i * ldc] = NAN; /* must not be read */
        if (threads == 0)
            hni_gemm(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
        else
            hni_gemm_parallel(threads, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
        hnt_close_fd("gemm", c, want, ldc * m, 1e-5);
        if (threads == 1) {
            first = c;
            continue;
        }
        if (threads > 1)
            ck_assert_mem_eq(c, first, (size_t)(ldc * m) * sizeof *c);
        free(c);
    }
    free(first);
    free(a);
    free(b);
    free(start);
    free(want);
}

START_TEST(gemm_all_transposes)
{
    static const int64_t shapes[][3] = {{1, 1, 1}, {5, 7, 3}, {33, 16, 144}, {130, 9, 20}, {64, 64, 1}, {4, 6, 0}};
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; ++s)
        for (int t = 0; t < 4; ++t) {
            check_gemm((t & 1) != 0, (t & 2) != 0, shapes[s][0], shapes[s][1], shapes[s][2], 1.0f, 0.0f);
            check_gemm((t & 1) != 0, (t & 2) != 0, shapes[s][0], shapes[s][1], shapes[s][2], -0.5f, 2.0f);
        }
}
END_TEST

/* ---- elementwise ------------------------------------------------------------------------------------------------- */

START_TEST(relu_and_its_gradient)
{
    const int64_t n = 70001; /* more than two tasks and a remainder */
    float *x = normal(4, n), *dy = normal(5, n), *y = hnt_alloc((size_t)n * 4), *dx = hnt_alloc((size_t)n * 4);
    x[7] = 0.0f;
    x[8] = NAN;
    hni_relu_forward(2, n, x, y);
    hni_relu_backward(2, n, y, dy, dx);
    ck_assert(isnan(y[8]));
    for (int64_t i = 0; i < n; ++i) {
        if (i == 8)
            continue;
        ck_assert(y[i] == (x[i] > 0.0f ? x[i] : 0.0f));
        ck_assert(dx[i] == (x[i] > 0.0f ? dy[i] : 0.0f));
    }
    free(x);
    free(dy);
    free(y);
    free(dx);
}
END_TEST

START_TEST(bias_and_its_gradient)
{
    static const int64_t shapes[][2] = {{1, 1}, {5, 3}, {1000, 10}, {333, 64}};
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; ++s) {
        const int64_t rows = shapes[s][0], channels = shapes[s][1], n = rows * channels;
        float *x = normal(6, n), *bias = normal(7, channels), *y = hnt_alloc((size_t)n * 4);
        double *want = hnt_alloc((size_t)n * 8), *dwant = hnt_alloc((size_t)channels * 8);
        memcpy(y, x, (size_t)n * 4);
        float *dbias[2] = {normal(8, channels), normal(8, channels)};
        for (int64_t c = 0; c < channels; ++c)
            dwant[c] = (double)dbias[0][c];
        for (int64_t i = 0; i < n; ++i) {
            want[i] = (double)x[i] + (double)bias[i % channels];
            dwant[i % channels] += (double)x[i];
        }
        hni_bias_forward(2, rows, channels, bias, y);
        hnt_close_fd("bias", y, want, n, 1e-6);
        hn_scratch scratch = hnt_scratch(hni_bias_scratch_bytes(channels));
        for (int32_t t = 0; t < 2; ++t)
            hni_bias_backward(1 + t, rows, channels, x, dbias[t], scratch.data);
        hnt_close_fd("dbias", dbias[0], dwant, channels, 1e-6);
        ck_assert_mem_eq(dbias[0], dbias[1], (size_t)channels * 4);
        free(x);
        free(bias);
        free(y);
        free(want);
        free(dwant);
        free(dbias[0]);
        free(dbias[1]);
        free(scratch.data);
    }
}
END_TEST

/* ---- batch normalisation ----------------------------------------------------------------------------------------- */

typedef struct norm_case {
    int64_t rows, channels;
    float offset; /* of x from zero, in standard deviations */
    bool addend, relu;
    int32_t dtype;
} norm_case;

typedef struct norm_result {
    float *mean, *var, *y, *dx, *daddend, *dweight, *dbias;
} norm_result;

/* n values of the case's type, to be freed; back into floats. */
static void *typed(const norm_case *c, const float *x, int64_t n)
{
    void *t = hnt_alloc((size_t)n * sizeof(float));
    hni_convert(1, n, HN_F32, x, c->dtype, t);
    return t;
}

static void take_back(const norm_case *c, void *t, float *x, int64_t n)
{
    hni_convert(1, n, c->dtype, t, HN_F32, x);
    free(t);
}

/* by_x: backward takes the ReLU's mask from x instead of y, which it can where there is no addend. */
static norm_result run_norm(const norm_case *c, const hni_norm_table *isa, int32_t threads, bool in_place, bool by_x)
{
    const int64_t n = c->rows * c->channels;
    const hni_batchnorm b = {c->rows, c->channels, 1e-5f, c->dtype, hni_batchnorm_part_rows(c->rows, c->channels)};
    hni_batchnorm_pass pass;
    float *xf = normal(11, n), *weight = normal(12, c->channels), *bias = normal(13, c->channels);
    float *addendf = normal(14, n), *dyf = normal(15, n);
    for (int64_t i = 0; i < n; ++i)
        xf[i] += c->offset;
    norm_result r = {normal(0, c->channels), normal(0, c->channels),  normal(0, n),           normal(0, n),
                     normal(0, n),           normal(16, c->channels), normal(17, c->channels)};
    void *x = typed(c, xf, n), *addend = typed(c, addendf, n), *dy = typed(c, dyf, n), *y = typed(c, r.y, n);
    void *dx = typed(c, r.dx, n), *daddend = typed(c, r.daddend, n);
    hn_scratch scratch =
        hnt_scratch(hni_batchnorm_scratch_bytes(c->channels, hni_batchnorm_part_bound(c->rows, c->channels)));
    hni_batchnorm_begin_statistics(&pass, &b, x, scratch.data);
    pass.isa = isa;
    hni_batchnorm_run(threads, &pass, hni_batchnorm_statistics);
    hni_batchnorm_end_statistics(&pass, r.mean, r.var);
    hni_batchnorm_begin_forward(&pass, &b, x, r.mean, r.var, weight, bias, c->addend ? addend : NULL, c->relu, y,
                                scratch.data);
    pass.isa = isa;
    hni_batchnorm_run(threads, &pass, hni_batchnorm_forward);
    hni_batchnorm_begin_sums(&pass, &b, x, r.mean, c->relu && !by_x ? y : NULL, dy, c->addend ? daddend : NULL,
                             scratch.data);
    if (by_x)
        hni_batchnorm_relu_of_x(&pass, r.var, weight, bias);
    pass.isa = isa;
    hni_batchnorm_run(threads, &pass, hni_batchnorm_sums);
    hni_batchnorm_end_sums(&pass, r.var, weight, r.dweight, r.dbias);
    hni_batchnorm_begin_gradient(&pass, in_place ? x : dx);
    hni_batchnorm_run(threads, &pass, hni_batchnorm_gradient);
    take_back(c, y, r.y, n);
    take_back(c, in_place ? x : dx, r.dx, n);
    take_back(c, daddend, r.daddend, n);
    void *all[] = {xf, weight, bias, addendf, dyf, addend, dy, in_place ? dx : x, scratch.data};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; ++i)
        free(all[i]);
    return r;
}

static void free_norm(norm_result *r)
{
    free(r->mean);
    free(r->var);
    free(r->y);
    free(r->dx);
    free(r->daddend);
    free(r->dweight);
    free(r->dbias);
}

static double column_mean(const double *x, const norm_case *c, int64_t column)
{
    double sum = 0.0;
    for (int64_t r = 0; r < c->rows; ++r)
        sum += x[r * c->channels + column];
    return sum / (double)c->rows;
}

/* The formulas, column by column. The ReLU's mask is taken from the float result: at a value near zero the two may
 * rightly disagree.                                                                                                 */
static void check_norm(const norm_case *c, const norm_result *got)
{
    const int64_t n = c->rows * c->channels;
    float *xf = normal(11, n), *weight = normal(12, c->channels), *bias = normal(13, c->channels);
    float *addend = normal(14, n), *dy = normal(15, n), *dweight = normal(16, c->channels);
    float *dbias = normal(17, c->channels);
    double *x = hnt_alloc((size_t)n * 8), *y = hnt_alloc((size_t)n * 8), *dx = hnt_alloc((size_t)n * 8);
    double *g = hnt_alloc((size_t)n * 8), *mean = hnt_alloc((size_t)c->channels * 8);
    double *var = hnt_alloc((size_t)c->channels * 8), *dw = hnt_alloc((size_t)c->channels * 8);
    double *db = hnt_alloc((size_t)c->channels * 8);
    for (int64_t i = 0; i < n; ++i)
        xf[i] += c->offset; /* in float, as the kernel's input was made */
    float *arrays[] = {xf, addend, dy};
    for (int i = 0; i < 3; ++i)
        take_back(c, typed(c, arrays[i], n), arrays[i], n);
    for (int64_t i = 0; i < n; ++i) {
        x[i] = (double)xf[i];
        g[i] = c->relu && !(got->y[i] > 0.0f) ? 0.0 : (double)dy[i];
    }
    for (int64_t j = 0; j < c->channels; ++j) {
        mean[j] = column_mean(x, c, j);
        double squares = 0.0, sum_g = 0.0, sum_gx = 0.0;
        for (int64_t i = j; i < n; i += c->channels)
            squares += (x[i] - mean[j]) * (x[i] - mean[j]);
        var[j] = squares / (double)c->rows;
        double inverse = 1.0 / sqrt(var[j] + 1e-5);
        for (int64_t i = j; i < n; i += c->channels) {
            double normed = (x[i] - mean[j]) * inverse;
            y[i] = normed * (double)weight[j] + (double)bias[j] + (c->addend ? (double)addend[i] : 0.0);
            y[i] = c->relu && y[i] < 0.0 ? 0.0 : y[i];
            sum_g += g[i];
            sum_gx += g[i] * normed;
        }
        for (int64_t i = j; i < n; i += c->channels)
            dx[i] = (double)weight[j] * inverse *
                    (g[i] - sum_g / (double)c->rows - (x[i] - mean[j]) * inverse * sum_gx / (double)c->rows);
        dw[j] = (double)dweight[j] + sum_gx;
        db[j] = (double)dbias[j] + sum_g;
    }
    /* Of x itself, in standard deviations; bf16 rounds results to 2^-8 of their size. */
    const double tolerance = 2e-6 * (1.0 + fabs((double)c->offset)), rounding = c->dtype == HN_BF16 ? 4e-3 : 0.0;
    double largest = 0.0; /* an error of the mean counts in standard deviations, which are about 1 */
    for (int64_t j = 0; j < c->channels; ++j)
        largest = fmax(largest, fabs(mean[j]));
    hnt_close_fd("mean", got->mean, mean, c->channels, 5e-7 * (1.0 + largest) / largest);
    hnt_close_fd("var", got->var, var, c->channels, 5e-6);
    hnt_close_fd("y", got->y, y, n, tolerance + rounding);
    hnt_close_fd("dx", got->dx, dx, n, 2 * tolerance + rounding);
    hnt_close_fd("dweight", got->dweight, dw, c->channels, 2 * tolerance);
    hnt_close_fd("dbias", got->dbias, db, c->channels, 1e-5);
    if (c->addend)
        hnt_close_fd("daddend", got->daddend, g, n, 1e-7);
    void *all[] = {xf, weight, bias, addend, dy, dweight, dbias, x, y, dx, g, mean, var, dw, db};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; ++i)
        free(all[i]);
}

static bool same_norm(const norm_case *c, const norm_result *a, const norm_result *b)
{
    const size_t n = (size_t)(c->rows * c->channels) * 4, channels = (size_t)c->channels * 4;
    return memcmp(a->mean, b->mean, channels) == 0 && memcmp(a->var, b->var, channels) == 0 &&
           memcmp(a->y, b->y, n) == 0 && memcmp(a->dx, b->dx, n) == 0 && memcmp(a->daddend, b->daddend, n) == 0 &&
           memcmp(a->dweight, b->dweight, channels) == 0 && memcmp(a->dbias, b->dbias, channels) == 0;
}

enum { NORM_CASES = 18 };

START_TEST(batchnorm_kernels)
{
    static const norm_case cases[NORM_CASES] = {
        {4, 1, 0.0f, false, false, HN_F32},     {7, 3, 1.0f, true, true, HN_F32},
        {1, 5, 0.0f, false, false, HN_F32},     {40000, 16, 0.0f, true, true, HN_F32},
        {1000, 64, 0.0f, false, true, HN_F32},  {129, 100, 2.0f, true, false, HN_F32},
        {50000, 3, 50.0f, true, false, HN_F32}, {17, 64, 0.0f, false, false, HN_F32},
        {8192, 33, -3.0f, true, true, HN_F32},  {40000, 16, 0.0f, true, true, HN_BF16},
        {7, 3, 1.0f, true, true, HN_BF16},      {1000, 64, 0.0f, false, true, HN_BF16},
        {8192, 33, 3.0f, true, false, HN_BF16}, {129, 100, 2.0f, false, false, HN_BF16},
        {40000, 3, 0.0f, false, true, HN_F32},  {9000, 33, -3.0f, false, true, HN_F32},
        {40000, 3, 0.0f, false, true, HN_BF16}, {9000, 33, -3.0f, false, true, HN_BF16},
    };
    const norm_case *c = &cases[_i];
    const hni_norm_table *isa;
    for (int v = 0; (isa = hni_norm_variant(v)) != NULL; ++v) {
        const bool by_x = c->relu && !c->addend;
        enum { RUNS = 6 };
        norm_result r[RUNS] = {run_norm(c, isa, 1, false, false), run_norm(c, isa, 2, false, false),
                               run_norm(c, isa, 3, false, false), run_norm(c, isa, 2, true, false),
                               run_norm(c, isa, 1, false, by_x),  run_norm(c, isa, 3, true, by_x)};
        if (c->rows > 1)
            check_norm(c, &r[0]);
        for (int i = 1; i < RUNS; ++i)
            ck_assert_msg(same_norm(c, &r[0], &r[i]), "%s: run %d differs", isa->name, i);
        for (int i = 0; i < RUNS; ++i)
            free_norm(&r[i]);
    }
}
END_TEST

START_TEST(batchnorm_parts_are_bounded)
{
    static const int64_t channels[] = {1, 3, 16, 64, 100, 2048};
    for (int i = 0; i < 6; ++i)
        for (int64_t rows = 1; rows < 300000; rows += 1 + rows / 7) {
            const int64_t part = hni_batchnorm_part_rows(rows, channels[i]);
            ck_assert_int_le((rows + part - 1) / part, hni_batchnorm_part_bound(rows, channels[i]));
            ck_assert_int_le(hni_batchnorm_part_bound(rows, channels[i]),
                             hni_batchnorm_part_bound(rows + 1, channels[i]));
        }
}
END_TEST

/* A column far from zero and almost constant: sums of plain squares would lose its variance altogether. */
START_TEST(batchnorm_far_from_zero)
{
    enum { ROWS = 4096 };
    float x[ROWS], mean, var;
    double sum = 0.0, squares = 0.0;
    hnt_normal(21, x, ROWS);
    for (int i = 0; i < ROWS; ++i) {
        x[i] = 1000.0f + 0.01f * x[i];
        sum += (double)x[i];
    }
    for (int i = 0; i < ROWS; ++i)
        squares += ((double)x[i] - sum / ROWS) * ((double)x[i] - sum / ROWS);
    const hni_batchnorm b = {ROWS, 1, 1e-5f, HN_F32, 1000};
    hni_batchnorm_pass pass;
    hn_scratch scratch = hnt_scratch(hni_batchnorm_scratch_bytes(1, (ROWS + 999) / 1000));
    hni_batchnorm_begin_statistics(&pass, &b, x, scratch.data);
    hni_batchnorm_run(1, &pass, hni_batchnorm_statistics);
    hni_batchnorm_end_statistics(&pass, &mean, &var);
    hnt_close_d("mean", (double)mean, sum / ROWS, 1e-7);
    hnt_close_d("var", (double)var, squares / ROWS, 1e-4);
    free(scratch.data);
}
END_TEST

/* ---- rows and tiles of similarities -------------------------------------------------------------------------------- */

START_TEST(rows_are_normalised)
{
    enum { DIM = 37 };
    static const float scales[] = {1e-30f, 1.0f, 1e30f};
    for (int k = 0; k < 3; ++k) {
        float x[DIM], y[DIM], dy[DIM], dx[DIM], want[DIM];
        double square = 0, along = 0;
        hnt_normal(90, x, DIM);
        hnt_normal(91, dy, DIM);
        for (int d = 0; d < DIM; ++d) {
            x[d] *= scales[k];
            square += (double)x[d] * (double)x[d];
        }
        ck_assert_double_eq_tol(hni_dot(DIM, x, x), square, 1e-12 * square);
        const double inverse = hni_rownorm_row(DIM, x, y);
        ck_assert_double_eq_tol(inverse * sqrt(square), 1.0, 1e-12);
        for (int d = 0; d < DIM; ++d)
            along += (double)dy[d] * (double)x[d] / sqrt(square);
        for (int d = 0; d < DIM; ++d) {
            ck_assert_double_eq_tol((double)y[d], (double)x[d] / sqrt(square), 1e-7);
            want[d] = (float)(0.5 + 3 * ((double)dy[d] - along * (double)x[d] / sqrt(square))); /* times the length */
            dx[d] = (float)(1 / (2 * sqrt(square)));
        }
        hni_rownorm_row_backward(DIM, y, inverse, dy, 3.0f, 1.0f, dx);
        for (int d = 0; d < DIM; ++d)
            dx[d] = (float)((double)dx[d] * sqrt(square));
        hnt_close_f("dx", dx, want, DIM, 1e-6);
    }
}
END_TEST

START_TEST(exponentials_of_rows)
{
    for (int64_t n = 0; n < 600; n += n < 40 ? 1 : 93) {
        float x[600], y[600];
        double sum = 0;
        hnt_normal(92, x, 600);
        float max = -INFINITY;
        for (int64_t i = 0; i < n; ++i) {
            x[i] *= 10;
            max = fmaxf(max, x[i]);
            sum += exp((double)x[i] - 3.0);
        }
        ck_assert(hni_row_max(n, x) == max);
        ck_assert_double_eq_tol(hni_exp_sum(n, x, 3.0f, y), sum, 1e-6 * sum + 1e-30);
        for (int64_t i = 0; i < n; ++i)
            ck_assert_double_eq_tol((double)y[i], exp((double)x[i] - 3.0), 1e-6 * exp((double)x[i] - 3.0) + 1e-34);
        memcpy(y, x, sizeof y);
        (void)hni_exp_sum(n, y, 3.0f, y); /* in place */
        for (int64_t i = 0; i < n; ++i)
            ck_assert_double_eq_tol((double)y[i], exp((double)x[i] - 3.0), 1e-6 * exp((double)x[i] - 3.0) + 1e-34);
    }
}
END_TEST

/* Both kinds of sums over rows and columns of a tile, on top of what is there. */
START_TEST(tiles_sum_rows_and_columns)
{
    enum { ROWS = 70, COLS = 131, LD = 140 };
    float s[ROWS * LD], e[ROWS * LD], row_max[ROWS], column_max[COLS];
    double row[ROWS], column[COLS], want_row[ROWS], want_column[COLS], row_sum[ROWS], column_sum[COLS];
    hnt_normal(93, s, ROWS * LD);
    for (int r = 0; r < ROWS; ++r) {
        s[r * LD + r] = -INFINITY;
        row[r] = want_row[r] = 5;
        row_max[r] = 1.0f;
        row_sum[r] = 2;
    }
    for (int c = 0; c < COLS; ++c) {
        column[c] = want_column[c] = 7;
        column_max[c] = -INFINITY;
        column_sum[c] = 0;
    }
    for (int r = 0; r < ROWS; ++r)
        for (int c = 0; c < COLS; ++c) {
            want_row[r] += exp((double)s[r * LD + c] - 4);
            want_column[c] += exp((double)s[r * LD + c] - 4);
        }
    hni_tile_lse(ROWS, COLS, s, LD, row_max, row_sum, column_max, column_sum);
    memcpy(e, s, sizeof e);
    hni_tile_exp_sums(ROWS, COLS, e, LD, 4.0f, row, column);
    hnt_close_d("a row", row[3], want_row[3], 1e-6);
    for (int r = 0; r < ROWS; ++r) {
        ck_assert_double_eq_tol(row[r], want_row[r], 1e-6 * want_row[r]);
        want_row[r] = (want_row[r] - 5) * exp(4) + 2 * exp(1);
        ck_assert_double_eq_tol(row_sum[r] * exp((double)row_max[r]), want_row[r], 1e-5 * want_row[r]);
    }
    for (int c = 0; c < COLS; ++c) {
        ck_assert_double_eq_tol(column[c], want_column[c], 1e-6 * want_column[c]);
        want_column[c] = (want_column[c] - 7) * exp(4);
        ck_assert_double_eq_tol(column_sum[c] * exp((double)column_max[c]), want_column[c], 1e-5 * want_column[c]);
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("kernel");
    TCase *unit = hnt_case(s, "unit");
    tcase_add_test(unit, gemm_all_transposes);
    tcase_add_test(unit, relu_and_its_gradient);
    tcase_add_test(unit, bias_and_its_gradient);
    tcase_add_test(unit, batchnorm_parts_are_bounded);
    tcase_add_loop_test(unit, batchnorm_kernels, 0, NORM_CASES);
    tcase_add_test(unit, batchnorm_far_from_zero);
    tcase_add_test(unit, rows_are_normalised);
    tcase_add_test(unit, exponentials_of_rows);
    tcase_add_test(unit, tiles_sum_rows_and_columns);
    return s;
}

HNT_MAIN(suite)
