/* TSC's targets: the assignment of classes to them, and the centroids that decide it. */
#include "loss_case.h"

/* The largest sum of similarities of classes from `row` on with targets not yet taken. */
static double best_sum(const float *similarity, int64_t classes, int64_t t, int64_t row, unsigned taken)
{
    double best = row == classes ? 0 : -INFINITY;
    for (int64_t j = 0; row < classes && j < t; ++j)
        if (!(taken & 1u << j))
            best = fmax(best,
                        (double)similarity[row * t + j] + best_sum(similarity, classes, t, row + 1, taken | 1u << j));
    return best;
}

static hn_status assign_targets(const float *c, int64_t classes, const float *t, int64_t targets, int64_t dim,
                                int32_t *class_target)
{
    size_t bytes;
    hn_status status = hn_kcl_assign_targets_scratch(classes, targets, dim, &bytes);
    if (status < 0)
        return status;
    hn_scratch scratch = hnt_scratch(bytes);
    memset(scratch.data, 0xff, bytes);
    status = hn_kcl_assign_targets(&(hn_cmatf){c, classes, dim, dim}, &(hn_cmatf){t, targets, dim, dim}, class_target,
                                   &scratch);
    free(scratch.data);
    return status;
}

START_TEST(assignment_is_the_best_there_is)
{
    enum { DIM = 3, MOST = 8 };
    for (uint64_t seed = 0; seed < 120; ++seed) {
        const int64_t classes = 1 + (int64_t)(seed % 7), t = classes + (int64_t)(seed % 2);
        float c[MOST * DIM], targets[MOST * DIM], similarity[MOST * MOST];
        int32_t class_target[MOST];
        hnt_normal(seed, c, classes * DIM);
        hnt_normal(seed + 1000, targets, t * DIM);
        for (int64_t i = 0; seed % 3 == 0 && i < t * DIM; ++i)
            targets[i] = roundf(targets[i]); /* ties */
        hnt_ok(assign_targets(c, classes, targets, t, DIM, class_target));
        double sum = 0;
        unsigned taken = 0;
        for (int64_t i = 0; i < classes * t; ++i) {
            similarity[i] = 0;
            for (int64_t d = 0; d < DIM; ++d)
                similarity[i] += c[i / t * DIM + d] * targets[i % t * DIM + d];
        }
        for (int64_t i = 0; i < classes; ++i) {
            ck_assert(class_target[i] >= 0 && class_target[i] < t);
            ck_assert(!(taken & 1u << class_target[i]));
            taken |= 1u << class_target[i];
            sum += (double)similarity[i * t + class_target[i]];
        }
        ck_assert_double_eq_tol(sum, best_sum(similarity, classes, t, 0, 0), 1e-5);
    }
}
END_TEST

START_TEST(a_large_assignment_finds_the_hidden_permutation)
{
    enum { C = 200, DIM = 64 };
    float *c = hnt_alloc(C * DIM * sizeof *c), *t = hnt_alloc(C * DIM * sizeof *t);
    int32_t class_target[C];
    hnt_normal(1, t, C * DIM);
    for (int i = 0; i < C * DIM; ++i)
        c[i / DIM * 77 % C * DIM + i % DIM] = t[i]; /* class 77 i is target i */
    hnt_ok(assign_targets(c, C, t, C, DIM, class_target));
    for (int i = 0; i < C; ++i)
        ck_assert_int_eq(class_target[i * 77 % C], i);
    free(c);
    free(t);
}
END_TEST

START_TEST(misuse_of_the_assignment_is_named)
{
    float c[6] = {1, 0, 0, 1, 1, 1}, t[6] = {1, 0, 0, 1, 2, 2};
    int32_t class_target[3] = {77, 77, 77};
    const hn_cmatf centroids = {c, 3, 2, 2}, targets = {t, 3, 2, 2}, few = {t, 2, 2, 2}, wide = {t, 2, 3, 3};
    size_t bytes;
    hnt_ok(hn_kcl_assign_targets_scratch(3, 3, 2, &bytes));
    hn_scratch good = hnt_scratch(bytes), small = {good.data, bytes - 1};
    hnt_fails(hn_kcl_assign_targets(NULL, &targets, class_target, &good), HN_E_ARG, "centroids is NULL");
    hnt_fails(hn_kcl_assign_targets(&centroids, NULL, class_target, &good), HN_E_ARG, "targets is NULL");
    hnt_fails(hn_kcl_assign_targets(&centroids, &targets, NULL, &good), HN_E_ARG, "class_target is NULL");
    hnt_fails(hn_kcl_assign_targets(&centroids, &few, class_target, &good), HN_E_SHAPE, "2 targets are too few");
    hnt_fails(hn_kcl_assign_targets(&centroids, &wide, class_target, &good), HN_E_SHAPE, "3 columns");
    hnt_fails(hn_kcl_assign_targets(&centroids, &targets, class_target, NULL), HN_E_WORKSPACE, "scratch is NULL");
    hnt_fails(hn_kcl_assign_targets(&centroids, &targets, class_target, &small), HN_E_WORKSPACE, "bytes");
    c[2] = NAN;
    hnt_fails(hn_kcl_assign_targets(&centroids, &targets, class_target, &good), HN_E_NONFINITE, "class 1 and target 0");
    ck_assert_int_eq(class_target[0], 77);
    hnt_fails(hn_kcl_assign_targets_scratch(3, 3, 2, NULL), HN_E_ARG, "bytes is NULL");
    hnt_fails(hn_kcl_assign_targets_scratch(-3, 3, 2, &bytes), HN_E_SHAPE, "-3x2");
    hnt_ok(hn_kcl_assign_targets(&(hn_cmatf){NULL, 0, 2, 2}, &targets, NULL, &good)); /* no class */
    free(good.data);
}
END_TEST

START_TEST(centroids_follow_their_rows)
{
    enum { N = 9, C = 4, DIM = 5, LD = 7 };
    static const int32_t labels[N] = {0, 2, 0, -1, 2, 2, 0, 0, -9};
    float *x = hnt_padded(1, N, DIM, LD), *c = hnt_padded(2, C, DIM, LD), *before = hnt_padded(2, C, DIM, LD);
    size_t bytes;
    hnt_ok(hn_kcl_update_centroids_scratch(N, C, DIM, &bytes));
    hn_scratch scratch = hnt_scratch(bytes);
    memset(scratch.data, 0xff, bytes);
    hn_matf centroids = {c, C, DIM, LD};
    hnt_ok(hn_kcl_update_centroids(&(hn_cmatf){x, N, DIM, LD}, labels, 0.9f, &centroids, &scratch));
    double *z = hnt_dense_d(x, N, DIM, LD), *want = hnt_dense_d(before, C, DIM, LD);
    hnt_unit_rows(z, N, DIM);
    for (int y = 0; y < C; y += 2) {
        double mean[DIM] = {0};
        for (int i = 0; i < N; ++i)
            for (int d = 0; labels[i] == y && d < DIM; ++d)
                mean[d] += z[i * DIM + d];
        hnt_unit_rows(mean, 1, DIM);
        for (int d = 0; d < DIM; ++d)
            want[y * DIM + d] = 0.9 * want[y * DIM + d] + 0.1 * mean[d];
        hnt_unit_rows(want + y * DIM, 1, DIM);
    }
    float *got = hnt_dense(c, C, DIM, LD);
    hnt_close_fd("centroids", got, want, C * DIM, 1e-6);
    ck_assert_mem_eq(c + LD, before + LD, DIM * sizeof *c); /* classes 1 and 3 have no row */
    ck_assert_mem_eq(c + 3 * LD, before + 3 * LD, DIM * sizeof *c);

    /* What would become 0 or NaN stays. */
    float pair[2 * DIM] = {1, 2, 3, 4, 5, -1, -2, -3, -4, -5}, bad[DIM] = {NAN, 1, 1, 1, 1};
    static const int32_t zero[2] = {0, 0};
    memcpy(before, c, C * LD * sizeof *c);
    hnt_ok(hn_kcl_update_centroids(&(hn_cmatf){pair, 2, DIM, DIM}, zero, 0.9f, &centroids, &scratch));
    hnt_ok(hn_kcl_update_centroids(&(hn_cmatf){bad, 1, DIM, DIM}, zero, 0.9f, &centroids, &scratch));
    ck_assert_mem_eq(c, before, DIM * sizeof *c);
    /* Momentum 0 forgets, momentum 1 only normalises. */
    hnt_ok(hn_kcl_update_centroids(&(hn_cmatf){pair, 1, DIM, DIM}, zero, 0.0f, &centroids, &scratch));
    for (int d = 0; d < DIM; ++d)
        ck_assert_float_eq_tol(c[d], pair[d] / sqrtf(55.0f), 1e-6f);

    const hn_cmatf rows = {x, N, DIM, LD}, narrow = {x, N, DIM - 1, LD};
    hn_matf few = {c, 2, DIM, LD};
    const hn_scratch small = {scratch.data, 64};
    memcpy(before, c, C * LD * sizeof *c);
    hnt_fails(hn_kcl_update_centroids(NULL, labels, 0.9f, &centroids, &scratch), HN_E_ARG, "z is NULL");
    hnt_fails(hn_kcl_update_centroids(&rows, NULL, 0.9f, &centroids, &scratch), HN_E_ARG, "labels is NULL");
    hnt_fails(hn_kcl_update_centroids(&rows, labels, 0.9f, NULL, &scratch), HN_E_ARG, "centroids is NULL");
    hnt_fails(hn_kcl_update_centroids(&rows, labels, 1.5f, &centroids, &scratch), HN_E_ARG, "momentum is 1.5");
    hnt_fails(hn_kcl_update_centroids(&rows, labels, NAN, &centroids, &scratch), HN_E_ARG, "momentum is nan");
    hnt_fails(hn_kcl_update_centroids(&rows, labels, 0.9f, &few, &scratch), HN_E_LABEL, "label 2 of row 1");
    hnt_fails(hn_kcl_update_centroids(&narrow, labels, 0.9f, &centroids, &scratch), HN_E_SHAPE, "z has 4");
    hnt_fails(hn_kcl_update_centroids(&rows, labels, 0.9f, &centroids, &small), HN_E_WORKSPACE, "64 bytes");
    hnt_fails(hn_kcl_update_centroids_scratch(1, 1, 1, NULL), HN_E_ARG, "bytes is NULL");
    hnt_fails(hn_kcl_update_centroids_scratch(1, -1, 1, &bytes), HN_E_SHAPE, "-1x1");
    ck_assert_mem_eq(c, before, (C * LD - (LD - DIM)) * sizeof *c);
    free(z);
    free(want);
    free(got);
    free(x);
    free(c);
    free(before);
    free(scratch.data);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("k_positive_targets");
    TCase *unit = hnt_case(s, "unit");
    tcase_add_test(unit, assignment_is_the_best_there_is);
    tcase_add_test(unit, a_large_assignment_finds_the_hidden_permutation);
    tcase_add_test(unit, misuse_of_the_assignment_is_named);
    tcase_add_test(unit, centroids_follow_their_rows);
    return s;
}

HNT_MAIN(suite)
