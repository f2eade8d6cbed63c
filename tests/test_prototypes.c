#include "loss_case.h"

enum { K = 12, DIM = 7 };

/* hn_prototypes_separated on fresh memory, with leading dimension ld; the padding is NaN. */
static float *separated(const hn_prototypes_options *o, uint64_t seed, int64_t k, int64_t dim, int64_t ld)
{
    size_t bytes;
    hn_rng rng;
    hn_rng_seed(&rng, seed, 0);
    hnt_ok(hn_prototypes_separated_scratch(o, k, dim, &bytes));
    hn_scratch scratch = hnt_scratch(bytes);
    float *t = hnt_poison(k * ld);
    hnt_ok(hn_prototypes_separated(o, &rng, &(hn_matf){t, k, dim, ld}, &scratch));
    float *dense = hnt_dense(t, k, dim, ld);
    free(t);
    free(scratch.data);
    return dense;
}

static double dot(const float *a, const float *b, int64_t dim)
{
    double sum = 0;
    for (int64_t c = 0; c < dim; ++c)
        sum += (double)a[c] * (double)b[c];
    return sum;
}

static void all_of_length_one(const float *t, int64_t k, int64_t dim)
{
    for (int64_t i = 0; i < k; ++i)
        ck_assert_double_eq_tol(dot(t + i * dim, t + i * dim, dim), 1.0, 1e-5);
}

static double largest_cosine(const float *t, int64_t k, int64_t dim)
{
    double most = -2;
    for (int64_t i = 0; i < k; ++i)
        for (int64_t j = 0; j < i; ++j)
            most = fmax(most, dot(t + i * dim, t + j * dim, dim));
    return most;
}

START_TEST(gaussian_rows_are_random_directions)
{
    hn_rng rng;
    hn_rng_seed(&rng, 3, 0);
    const hn_rng before = rng;
    float a[K * (DIM + 2)], b[K * (DIM + 2)];
    for (int i = 0; i < K * (DIM + 2); ++i)
        a[i] = b[i] = NAN;
    hnt_ok(hn_prototypes_gaussian(&rng, &(hn_matf){a, K, DIM, DIM + 2}));
    hnt_ok(hn_prototypes_gaussian(&rng, &(hn_matf){b, K, DIM, DIM + 2}));
    ck_assert_mem_eq(&rng, &before, sizeof rng);
    ck_assert_mem_eq(a, b, sizeof a); /* a function of the state, which stays */
    float *dense = hnt_dense(a, K, DIM, DIM + 2);
    all_of_length_one(dense, K, DIM);
    ck_assert(largest_cosine(dense, K, DIM) > 0.1);
    free(dense);
}
END_TEST

START_TEST(class_means_are_means_of_directions)
{
    enum { N = 40, CLASSES = 4, LD = DIM + 1 };
    float z[N * LD];
    int32_t labels[N];
    double want[CLASSES * DIM] = {0};
    hnt_normal(5, z, N * LD);
    for (int i = 0; i < N; ++i) {
        labels[i] = i % 7 == 6 ? -1 : i % 3; /* class 3 has no row */
        double length = sqrt(dot(z + i * LD, z + i * LD, DIM));
        for (int c = 0; c < DIM; ++c) {
            if (labels[i] >= 0)
                want[labels[i] * DIM + c] += (double)z[i * LD + c] / length;
            z[i * LD + c] *= i % 2 ? 1e10f : 1e-10f; /* the length does not count */
        }
    }
    hnt_unit_rows(want, CLASSES, DIM);
    hn_rng rng;
    hn_rng_seed(&rng, 3, 0);
    float got[CLASSES * DIM];
    hnt_ok(hn_prototypes_class_means(&(hn_cmatf){z, N, DIM, LD}, labels, 1, &rng, &(hn_matf){got, CLASSES, DIM, DIM}));
    hnt_close_fd("class means", got, want, 3 * DIM, 1e-5);
    all_of_length_one(got, CLASSES, DIM); /* the empty one too: a random direction */

    /* Opposite rows have no mean direction, and with two prototypes a class no row shares one. */
    float pair[2 * DIM] = {0};
    pair[0] = 1.0f;
    pair[DIM] = -1.0f;
    const int32_t same[2] = {0, 0};
    hnt_ok(hn_prototypes_class_means(&(hn_cmatf){pair, 2, DIM, DIM}, same, 1, &rng, &(hn_matf){got, 1, DIM, DIM}));
    all_of_length_one(got, 1, DIM);
    hnt_ok(hn_prototypes_class_means(&(hn_cmatf){pair, 2, DIM, DIM}, same, 2, &rng, &(hn_matf){got, 2, DIM, DIM}));
    ck_assert_mem_eq(got, pair, sizeof pair);
}
END_TEST

/* With two prototypes a class: the first, third and fifth row of it for the one, the second and fourth for the other. */
START_TEST(rows_of_a_class_are_dealt_out_in_turn)
{
    enum { N = 11, LD = DIM + 2 };
    static const int32_t labels[N] = {0, 1, 1, 0, 0, -1, 1, 0, 0, -1, 1};
    static const int prototype[N] = {0, 2, 3, 1, 0, -1, 2, 1, 0, -1, 3}; /* its row's */
    float z[N * LD], got[4 * LD];
    double want[4 * DIM] = {0};
    hn_rng rng;
    hn_rng_seed(&rng, 3, 0);
    hnt_normal(8, z, N * LD);
    for (int i = 0; i < N; ++i) {
        const double length = sqrt(dot(z + i * LD, z + i * LD, DIM));
        for (int c = 0; c < DIM && prototype[i] >= 0; ++c)
            want[prototype[i] * DIM + c] += (double)z[i * LD + c] / length;
    }
    hnt_unit_rows(want, 4, DIM);
    for (int i = 0; i < 4 * LD; ++i)
        got[i] = NAN;
    hnt_ok(hn_prototypes_class_means(&(hn_cmatf){z, N, DIM, LD}, labels, 2, &rng, &(hn_matf){got, 4, DIM, LD}));
    float *dense = hnt_dense(got, 4, DIM, LD);
    hnt_close_fd("prototypes", dense, want, 4 * DIM, 1e-5);
    free(dense);
}
END_TEST

START_TEST(a_simplex_where_it_fits)
{
    static const int64_t shapes[][2] = {{2, 1}, {2, 5}, {3, 2}, {12, 11}, {12, 12}, {12, 40}, {129, 128}};
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; ++s) {
        const int64_t k = shapes[s][0], dim = shapes[s][1];
        float *t = separated(NULL, s, k, dim, dim + 3);
        all_of_length_one(t, k, dim);
        for (int64_t i = 0; i < k; ++i)
            for (int64_t j = 0; j < i; ++j)
                ck_assert_double_eq_tol(dot(t + i * dim, t + j * dim, dim), -1.0 / (double)(k - 1), 1e-6);
        free(t);
    }
    float *one = separated(NULL, 1, 1, 4, 4), *none = separated(NULL, 1, 0, 4, 4);
    all_of_length_one(one, 1, 4);
    free(one);
    free(none);
}
END_TEST

/* Known optima: 0 for 4 points on a circle, 1/sqrt(5) for the 12 of an icosahedron, 0 for up to 2 dim points. */
START_TEST(optimised_where_it_does_not)
{
    static const struct {
        int64_t k, dim;
        double best, slack;
    } cases[] = {{4, 2, 0.0, 1e-2}, {12, 3, 0.44721, 1e-2}, {100, 64, 0.0, 2e-2}};
    for (size_t s = 0; s < sizeof cases / sizeof cases[0]; ++s) {
        const int64_t k = cases[s].k, dim = cases[s].dim;
        hn_prototypes_options o;
        hn_prototypes_options_init(&o, sizeof o);
        float *t = separated(&o, 9, k, dim, dim);
        all_of_length_one(t, k, dim);
        double cosine = largest_cosine(t, k, dim);
        ck_assert_double_ge(cosine, cases[s].best - 1e-4);
        ck_assert_double_le(cosine, cases[s].best + cases[s].slack);
        o.steps = 0;
        float *random = separated(&o, 9, k, dim, dim);
        ck_assert_double_gt(largest_cosine(random, k, dim), cosine + 0.1);
        free(random);
        free(t);
    }
}
END_TEST

/* On a circle a sharp temperature also rests where two lie together. */
START_TEST(neighbours_on_a_circle_do_not_coincide)
{
    for (uint64_t seed = 0; seed < 20; ++seed)
        for (int64_t k = 5; k <= 8; ++k) {
            float *t = separated(NULL, seed, k, 2, 2);
            ck_assert_double_le(largest_cosine(t, k, 2), cos(6.28318530717958648 / (double)k) + 0.03);
            free(t);
        }
}
END_TEST

START_TEST(bits_do_not_depend_on_threads)
{
    hn_prototypes_options o;
    hn_prototypes_options_init(&o, sizeof o);
    o.steps = 5;
    float *one = separated(&o, 4, 300, 20, 20);
    for (int32_t threads = 2; threads <= 3; ++threads) {
        o.num_threads = threads;
        float *more = separated(&o, 4, 300, 20, 20);
        ck_assert_mem_eq(one, more, 300 * 20 * sizeof *one);
        free(more);
    }
    free(one);
}
END_TEST

START_TEST(misuse_is_named)
{
    hn_prototypes_options o;
    hn_prototypes_options_init(&o, sizeof o);
    hn_rng rng;
    hn_rng_seed(&rng, 3, 0);
    size_t bytes = 7;
    float data[20 * 3];
    for (int i = 0; i < 60; ++i)
        data[i] = 5.0f;
    hn_matf t = {data, 20, 3, 3};
    const hn_cmatf z = {data, 20, 3, 3};
    int32_t labels[20] = {0};
    hnt_fails(hn_prototypes_gaussian(NULL, &t), HN_E_ARG, "rng is NULL");
    hnt_fails(hn_prototypes_gaussian(&rng, NULL), HN_E_ARG, "prototypes is NULL");
    hnt_fails(hn_prototypes_gaussian(&rng, &(hn_matf){data, 20, 3, 2}), HN_E_SHAPE, "prototypes.ld is 2");
    hnt_fails(hn_prototypes_separated_scratch(&o, 20, 3, NULL), HN_E_ARG, "bytes is NULL");
    hnt_fails(hn_prototypes_separated_scratch(&o, -1, 3, &bytes), HN_E_SHAPE, "-1x3");
    ck_assert_uint_eq(bytes, 7);
    hnt_fails(hn_prototypes_separated(&o, &rng, &t, NULL), HN_E_WORKSPACE, "scratch is NULL");
    o.steps = -1;
    hnt_fails(hn_prototypes_separated(&o, &rng, &t, NULL), HN_E_ARG, "steps is -1");
    o.steps = 1;
    o.temperature = 0.0f;
    hnt_fails(hn_prototypes_separated(&o, &rng, &t, NULL), HN_E_ARG, "temperature is 0");
    o.temperature = 1.0f;
    o.num_threads = -2;
    hnt_fails(hn_prototypes_separated(&o, &rng, &t, NULL), HN_E_ARG, "num_threads is -2");

    float means[4 * 3];
    hn_matf m = {means, 4, 3, 3};
    for (int i = 0; i < 12; ++i)
        means[i] = 5.0f;
    hnt_fails(hn_prototypes_class_means(&z, labels, 3, &rng, &m), HN_E_SHAPE, "multiple of prototypes_per_class, 3");
    hnt_fails(hn_prototypes_class_means(&z, labels, 1, &rng, &(hn_matf){means, 4, 2, 3}), HN_E_SHAPE, "z has 3");
    hnt_fails(hn_prototypes_class_means(&z, NULL, 1, &rng, &m), HN_E_ARG, "labels is NULL");
    labels[19] = 2;
    hnt_fails(hn_prototypes_class_means(&z, labels, 2, &rng, &m), HN_E_LABEL, "label 2 of row 19");
    data[7] = INFINITY;
    hnt_fails(hn_prototypes_class_means(&z, labels, 1, &rng, &m), HN_E_NONFINITE, "row 2, column 1");
    for (int i = 0; i < 12; ++i)
        ck_assert_float_eq(means[i], 5.0f);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("prototypes");
    TCase *unit = hnt_case(s, "unit"), *property = hnt_case(s, "property"), *repro = hnt_case(s, "repro");
    tcase_add_test(unit, class_means_are_means_of_directions);
    tcase_add_test(unit, rows_of_a_class_are_dealt_out_in_turn);
    tcase_add_test(unit, misuse_is_named);
    tcase_add_test(property, gaussian_rows_are_random_directions);
    tcase_add_test(property, a_simplex_where_it_fits);
    tcase_add_test(property, optimised_where_it_does_not);
    tcase_add_test(property, neighbours_on_a_circle_do_not_coincide);
    tcase_add_test(repro, bits_do_not_depend_on_threads);
    return s;
}

HNT_MAIN(suite)
