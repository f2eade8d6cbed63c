/* The maps of hn_report: principal components and t-SNE. */
#include "support.h"

#include "pca.h"
#include "tsne.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* n rows mean + 5 a u + 2 b v + 0.1 noise, for orthonormal u, v. */
static float *stretched(int64_t n, int64_t d, const double *u, const double *v)
{
    float *x = hnt_alloc(sizeof *x * (size_t)(n * d)), *ab = hnt_alloc(sizeof *ab * (size_t)(2 * n));
    hnt_normal(1, ab, 2 * n);
    hnt_normal(2, x, n * d);
    for (int64_t i = 0; i < n; ++i)
        for (int64_t k = 0; k < d; ++k)
            x[i * d + k] = 7.0f + 0.1f * x[i * d + k] +
                           (float)(5.0 * (double)ab[2 * i] * u[k] + 2.0 * (double)ab[2 * i + 1] * v[k]);
    free(ab);
    return x;
}

START_TEST(components_that_were_put_in)
{
    enum { N = 2000, D = 20 };
    double u[D] = {0.0}, v[D] = {0.0};
    u[2] = 0.8, u[5] = -0.6;
    v[2] = 0.6, v[5] = 0.8;
    float *x = stretched(N, D, u, v);
    struct pca pca, again;
    ck_assert_int_eq(pca_of(&pca, x, N, D), 0);
    for (int k = 0; k < D; ++k) {
        ck_assert_double_eq_tol(pca.components[k], u[k], 0.03);
        ck_assert_double_eq_tol(pca.components[D + k], v[k], 0.03);
    }
    /* The larger entry of v is v[5], of u it is u[2]: both stand as they are, the sign is settled. */
    ck_assert_double_eq_tol(pca.deviation, 5.0, 0.25);
    ck_assert_double_eq_tol(pca.share[0], 25.0 / 29.2, 0.02);
    ck_assert_double_eq_tol(pca.share[1], 4.0 / 29.2, 0.02);
    double sum[2] = {0}, squares[2] = {0}, cross = 0;
    for (int i = 0; i < N; ++i) {
        const double *c = pca.coordinates + (ptrdiff_t)2 * i;
        for (int b = 0; b < 2; ++b) {
            sum[b] += c[b];
            squares[b] += c[b] * c[b];
        }
        cross += c[0] * c[1];
    }
    ck_assert_double_eq_tol(sum[0] / N, 0.0, 1e-5);
    ck_assert_double_eq_tol(sum[1] / N, 0.0, 1e-5);
    ck_assert_double_eq_tol(sqrt(squares[0] / N), pca.deviation, 1e-9);
    ck_assert_double_eq_tol(cross / sqrt(squares[0] * squares[1]), 0.0, 1e-8); /* uncorrelated */
    ck_assert_int_eq(pca_of(&again, x, N, D), 0);
    ck_assert_mem_eq(pca.coordinates, again.coordinates, sizeof(double) * 2 * N);
    pca_free(&pca);
    pca_free(&again);
    free(x);
}
END_TEST

/* Against the closed form of a 2 x 2 covariance: [[2, 1], [1, 2]] has 3 along (1, 1) and 1 along (1, -1). */
START_TEST(components_by_hand)
{
    const float x[] = {2, 2, -2, -2, 1, -1, -1, 1};
    struct pca pca;
    ck_assert_int_eq(pca_of(&pca, x, 4, 2), 0);
    ck_assert_double_eq_tol(pca.components[0], sqrt(0.5), 1e-12);
    ck_assert_double_eq_tol(pca.components[1], sqrt(0.5), 1e-12);
    ck_assert_double_eq_tol(fabs(pca.components[2]), sqrt(0.5), 1e-12);
    ck_assert_double_eq_tol(pca.components[2] + pca.components[3], 0.0, 1e-12);
    ck_assert_double_eq_tol(pca.share[0], 0.8, 1e-12);
    ck_assert_double_eq_tol(pca.share[1], 0.2, 1e-12);
    ck_assert_double_eq_tol(pca.coordinates[0], sqrt(8.0), 1e-12);
    pca_free(&pca);
}
END_TEST

START_TEST(rows_without_spread)
{
    const float equal[] = {3, 1, 3, 1, 3, 1}, line[] = {1, 2, 3}, one[] = {5, 6, 7};
    struct pca pca;
    ck_assert_int_eq(pca_of(&pca, equal, 3, 2), 0);
    for (int k = 0; k < 6; ++k)
        ck_assert_double_eq(pca.coordinates[k], 0.0);
    ck_assert_double_eq(pca.share[0], 0.0);
    pca_free(&pca);
    ck_assert_int_eq(pca_of(&pca, line, 3, 1), 0);
    ck_assert_double_eq_tol(pca.share[0], 1.0, 1e-12);
    ck_assert_double_eq_tol(fabs(pca.coordinates[0]), 1.0, 1e-12);
    ck_assert_double_eq(pca.coordinates[1], 0.0);
    pca_free(&pca);
    ck_assert_int_eq(pca_of(&pca, one, 1, 3), 0);
    ck_assert_double_eq(pca.coordinates[0], 0.0);
    pca_free(&pca);
}
END_TEST

static double distance(const double *y, int64_t i, int64_t j)
{
    return hypot(y[2 * i] - y[2 * j], y[2 * i + 1] - y[2 * j + 1]);
}

START_TEST(clusters_stay_apart)
{
    enum { CLUSTER = 40, N = 3 * CLUSTER, D = 10 };
    static float x[N * D];
    static double y[2 * N], again[2 * N];
    hnt_normal(3, x, N * D);
    for (int i = 0; i < N; ++i)
        x[i * D + i % 3] += 20.0f;
    struct pca pca;
    ck_assert_int_eq(pca_of(&pca, x, N, D), 0);
    for (int k = 0; k < 2 * N; ++k)
        y[k] = again[k] = pca.coordinates[k] * 1e-4 / pca.deviation;
    pca_free(&pca);
    struct tsne result;
    ck_assert_int_eq(tsne_map(&result, x, N, D, y), 0);
    ck_assert_double_eq(result.perplexity, 30.0);
    ck_assert_double_gt(result.kl, 0.0);
    ck_assert_double_lt(result.kl, 0.5 * result.kl_start);
    /* Nobody is half as far from its own cluster as clusters are from each other. */
    double widest = 0.0, nearest = INFINITY;
    for (int64_t i = 0; i < N; ++i)
        for (int64_t j = 0; j < i; ++j) {
            ck_assert(isfinite(distance(y, i, j)));
            if (i % 3 != j % 3)
                nearest = fmin(nearest, distance(y, i, j));
        }
    for (int64_t i = 0; i < N; ++i) {
        double closest = INFINITY;
        for (int64_t j = 0; j < N; ++j)
            if (i != j && i % 3 == j % 3)
                closest = fmin(closest, distance(y, i, j));
        widest = fmax(widest, closest);
    }
    ck_assert_double_lt(widest, 0.5 * nearest);
    ck_assert_int_eq(tsne_map(&result, x, N, D, again), 0);
    ck_assert_mem_eq(y, again, sizeof y);
}
END_TEST

/* Few rows, rows that are equal, and rows far apart: a finite map in every case. */
START_TEST(odd_rows_have_a_map)
{
    enum { N = TSNE_ROWS_MIN };
    static const float sets[][N] = {{1, 1, 1, 1, 1}, {1, 1, 1, 1, 2}, {0, 1e18f, -1e18f, 3, 4}};
    for (int set = 0; set < 3; ++set) {
        double y[2 * N];
        struct tsne result;
        for (int k = 0; k < 2 * N; ++k)
            y[k] = 1e-4 * (k * k % 7);
        ck_assert_int_eq(tsne_map(&result, sets[set], N, 1, y), 0);
        for (int k = 0; k < 2 * N; ++k)
            ck_assert(isfinite(y[k]));
        ck_assert(isfinite(result.kl));
    }
}
END_TEST

static Suite *embedding_suite(void)
{
    Suite *suite = suite_create("embedding");
    TCase *unit = hnt_case(suite, "unit");
    tcase_add_test(unit, components_that_were_put_in);
    tcase_add_test(unit, components_by_hand);
    tcase_add_test(unit, rows_without_spread);
    tcase_add_test(unit, clusters_stay_apart);
    tcase_add_test(unit, odd_rows_have_a_map);
    return suite;
}

HNT_MAIN(embedding_suite)
