/* Classifiers of learned features, on the caller's arrays, against plain double sums. */
#include "support.h"

#include <math.h>
#include <string.h>

enum { CLASSES = 5, DIM = 7, PADDED = 9, ROWS = 40 };

static double length_of(const float *row)
{
    double sum = 0.0;
    for (int d = 0; d < DIM; ++d)
        sum += (double)row[d] * (double)row[d];
    return sqrt(sum);
}

START_TEST(tau_scales_norms)
{
    static const double taus[] = {0.0, 0.5, 1.0, 2.0};
    for (int t = 0; t < 4; ++t) {
        float weight[CLASSES * PADDED], start[CLASSES * PADDED];
        hnt_normal(1, start, CLASSES * PADDED);
        memset(start + 2 * PADDED, 0, DIM * sizeof *start); /* a row of zeros */
        memcpy(weight, start, sizeof start);
        hn_matf w = {weight, CLASSES, DIM, PADDED};
        hnt_ok(hn_tau_normalize(&w, taus[t]));
        for (int c = 0; c < CLASSES; ++c) {
            const double before = length_of(start + c * PADDED);
            double want[DIM];
            for (int d = 0; d < DIM; ++d)
                want[d] = before == 0.0 ? 0.0 : (double)start[c * PADDED + d] / pow(before, taus[t]);
            hnt_close_fd("weight", weight + c * PADDED, want, DIM, 1e-6);
            ck_assert(memcmp(weight + c * PADDED + DIM, start + c * PADDED + DIM, 2 * sizeof(float)) == 0);
        }
    }
}
END_TEST

START_TEST(a_row_that_would_be_infinite_is_refused)
{
    float weight[2 * 2] = {3.0f, 4.0f, 1e-30f, 0.0f};
    hn_matf w = {weight, 2, 2, 2};
    hnt_fails(hn_tau_normalize(&w, 3.0), HN_E_NONFINITE, "row 1 has the length 1e-30; with tau 3");
    ck_assert(weight[0] == 3.0f && weight[1] == 4.0f && weight[2] == 1e-30f);
    float large[2] = {3e38f, 3e38f}; /* whose length is more than a float holds */
    w = (hn_matf){large, 1, 2, 2};
    hnt_ok(hn_tau_normalize(&w, 0.0));
    ck_assert(large[0] == 3e38f && large[1] == 3e38f);
}
END_TEST

static void fill(float *features, int32_t *labels)
{
    hnt_normal(2, features, ROWS * DIM);
    for (int i = 0; i < ROWS; ++i)
        labels[i] = i % 7 == 6 ? -1 : i % CLASSES;
    memset(features + 3 * DIM, 0, DIM * sizeof *features); /* no direction */
}

START_TEST(nearest_means_agree)
{
    float features[ROWS * DIM], sums[CLASSES * DIM] = {0}, weight[CLASSES * PADDED];
    int32_t labels[ROWS];
    int64_t counts[CLASSES] = {0}, want_counts[CLASSES] = {0};
    double want[CLASSES * DIM] = {0};
    fill(features, labels);
    hn_matf s = {sums, CLASSES, DIM, DIM}, w = {weight, CLASSES, DIM, PADDED};
    for (int first = 0; first < ROWS; first += 8) { /* in batches */
        const hn_cmatf batch = {features + first * DIM, 8, DIM, DIM};
        hnt_ok(hn_class_sums_add(&batch, labels + first, &s, counts));
    }
    for (int i = 0; i < ROWS; ++i) {
        const double length = length_of(features + i * DIM);
        if (labels[i] < 0 || length == 0.0)
            continue;
        want_counts[labels[i]]++;
        for (int d = 0; d < DIM; ++d)
            want[labels[i] * DIM + d] += (double)features[i * DIM + d] / length;
    }
    ck_assert_mem_eq(counts, want_counts, sizeof counts);
    hnt_close_fd("sums", sums, want, CLASSES * DIM, 1e-6);
    const hn_cmatf readable = {sums, CLASSES, DIM, DIM};
    hnt_ok(hn_nearest_mean_weights(&readable, counts, &w));
    for (int c = 0; c < CLASSES; ++c) {
        double length = 0.0;
        for (int d = 0; d < DIM; ++d)
            length += want[c * DIM + d] * want[c * DIM + d];
        for (int d = 0; d < DIM; ++d)
            want[c * DIM + d] /= sqrt(length);
        hnt_close_fd("weight", weight + c * PADDED, want + c * DIM, DIM, 1e-6);
    }
    hnt_ok(hn_nearest_mean_weights(&readable, counts, &s)); /* in place */
    hnt_close_fd("weight in place", sums, want, CLASSES * DIM, 1e-6);
}
END_TEST

/* The rows before it neither; what stands in the padding does not count. */
START_TEST(a_feature_that_is_not_finite_is_not_added)
{
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    static const int32_t labels[3] = {0, 1, 1};
    float features[3 * PADDED], sums[CLASSES * DIM], before[CLASSES * DIM];
    int64_t counts[CLASSES] = {4, 1, 0, 2, 7}, counts_before[CLASSES];
    hnt_normal(3, features, 3 * PADDED);
    hnt_normal(4, sums, CLASSES * DIM);
    memcpy(before, sums, sizeof sums);
    memcpy(counts_before, counts, sizeof counts);
    const hn_cmatf f = {features, 3, DIM, PADDED};
    hn_matf s = {sums, CLASSES, DIM, DIM};
    for (int k = 0; k < 3; ++k) {
        const float good = features[2 * PADDED + 4];
        features[2 * PADDED + 4] = bad[k];
        hnt_fails(hn_class_sums_add(&f, labels, &s, counts), HN_E_NONFINITE, "row 2, column 4");
        ck_assert_mem_eq(sums, before, sizeof sums);
        ck_assert_mem_eq(counts, counts_before, sizeof counts);
        features[2 * PADDED + 4] = good;
    }
    features[2 * PADDED + DIM] = NAN;
    hnt_ok(hn_class_sums_add(&f, labels, &s, counts));
    ck_assert(counts[0] == 5 && counts[1] == 3 && counts[4] == 7);
    for (int i = 0; i < CLASSES * DIM; ++i)
        ck_assert((sums[i] != before[i]) == (i < 2 * DIM));
}
END_TEST

START_TEST(mistakes_are_named)
{
    float data[CLASSES * DIM], other[CLASSES * DIM] = {0};
    int32_t labels[CLASSES] = {0, 1, 2, 3, 5};
    int64_t counts[CLASSES] = {1, 1, 0, 1, 1};
    hnt_normal(1, data, CLASSES * DIM);
    hn_matf m = {data, CLASSES, DIM, DIM}, to = {other, CLASSES, DIM, DIM}, narrow = {other, CLASSES, DIM - 1, DIM};
    const hn_cmatf c = {data, CLASSES, DIM, DIM};
    hnt_fails(hn_tau_normalize(&m, -1.0), HN_E_ARG, "tau is -1");
    hnt_fails(hn_tau_normalize(&m, (double)NAN), HN_E_ARG, "tau is nan");
    hnt_fails(hn_tau_normalize(NULL, 1.0), HN_E_ARG, "weight");
    float same[CLASSES * DIM];
    memcpy(same, data, sizeof data);
    hn_matf overlapping = {data, CLASSES, DIM, DIM - 1};
    hnt_fails(hn_tau_normalize(&overlapping, 1.0), HN_E_SHAPE, "weight.ld is 6");
    hnt_fails(hn_class_sums_add(&c, labels, &overlapping, counts), HN_E_SHAPE, "sums.ld is 6");
    hnt_fails(hn_nearest_mean_weights(&c, counts, &overlapping), HN_E_SHAPE, "weight.ld is 6");
    ck_assert_mem_eq(data, same, sizeof data);
    hnt_fails(hn_class_sums_add(&c, labels, &to, counts), HN_E_LABEL, "label 5");
    hnt_fails(hn_class_sums_add(&c, labels, &narrow, counts), HN_E_SHAPE, "features have 7 columns, sums 6");
    hnt_fails(hn_class_sums_add(&c, NULL, &to, counts), HN_E_ARG, "labels is NULL");
    hnt_fails(hn_nearest_mean_weights(&c, counts, &to), HN_E_LABEL, "class 2 has no image");
    hnt_fails(hn_nearest_mean_weights(&c, counts, &narrow), HN_E_SHAPE, "weight is 5x6, sums is 5x7");
    counts[2] = 1;
    memset(data + 3 * DIM, 0, DIM * sizeof *data);
    hnt_fails(hn_nearest_mean_weights(&c, counts, &to), HN_E_NONFINITE, "class 3 cancel out");
    data[0] = (float)NAN;
    hnt_fails(hn_tau_normalize(&m, 1.0), HN_E_NONFINITE, "weight");
    for (int i = 0; i < CLASSES * DIM; ++i)
        ck_assert(other[i] == 0.0f);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("decoupled");
    TCase *unit = hnt_case(s, "unit");
    tcase_add_test(unit, tau_scales_norms);
    tcase_add_test(unit, a_row_that_would_be_infinite_is_refused);
    tcase_add_test(unit, nearest_means_agree);
    tcase_add_test(unit, a_feature_that_is_not_finite_is_not_added);
    tcase_add_test(unit, mistakes_are_named);
    return s;
}

HNT_MAIN(suite)
