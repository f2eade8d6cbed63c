#include "support.h"

#include "train/calibration.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { CLASSES = 4, ROWS = 8 };

/* Predictions 0 0 1 1 | 2 0 | 3 and an ignored row, against labels 0 0 0 1 | 2 2 | 3 -1. */
static const int32_t labels[ROWS] = {0, 0, 0, 1, 2, 2, 3, -1};
static const int32_t predicted[ROWS] = {0, 0, 1, 1, 2, 0, 3, 1};
static const int64_t train_counts[CLASSES] = {101, 100, 20, 19};

static hn_metrics *filled(hn_context *context, const int64_t *counts)
{
    float logits[ROWS * 5];
    memset(logits, 0, sizeof logits);
    for (int i = 0; i < ROWS; ++i) {
        logits[i * 5 + predicted[i]] = 3.0f;
        logits[i * 5 + 4] = NAN; /* padding */
    }
    const hn_cmatf m = {logits, ROWS, CLASSES, 5};
    hn_metrics *metrics = NULL;
    hnt_ok(hn_metrics_create(&metrics, context, CLASSES, counts));
    hnt_ok(hn_metrics_add(metrics, &m, labels));
    return metrics;
}

START_TEST(figures_by_hand)
{
    hn_context *context = hnt_context(1);
    hn_metrics *m = filled(context, train_counts);
    hn_metrics_report r = {.struct_size = 0, .images = -1};
    hnt_fails(hn_metrics_get(m, &r), HN_E_ARG, "report->struct_size is 0");
    ck_assert_int_eq(r.images, -1);
    r.struct_size = sizeof r;
    hnt_ok(hn_metrics_get(m, &r));
    ck_assert_int_eq(r.images, 7);
    hnt_close_d("top1", r.top1, 5.0 / 7, 1e-12);
    hnt_close_d("many", r.many, 2.0 / 3, 1e-12);             /* class 0: 101 > 100 */
    hnt_close_d("medium", r.medium, (1.0 + 0.5) / 2, 1e-12); /* classes 1 and 2: 100 and 20 */
    hnt_close_d("few", r.few, 1.0, 1e-12);                   /* class 3: 19 < 20 */
    ck_assert_int_eq(r.many_classes, 1);
    ck_assert_int_eq(r.medium_classes, 2);
    ck_assert_int_eq(r.few_classes, 1);
    hnt_close_d("balanced", r.balanced_accuracy, (2.0 / 3 + 1 + 0.5 + 1) / 4, 1e-12);
    /* F1: 0: 2*2/(3+3), 1: 2*1/(1+2), 2: 2*1/(2+1), 3: 1 */
    hnt_close_d("macro F1", r.macro_f1, (2.0 / 3 + 2.0 / 3 + 2.0 / 3 + 1) / 4, 1e-12);
    hnt_close_d("G-mean", r.g_mean, pow(2.0 / 3 * 1 * 0.5 * 1, 0.25), 1e-12);
    hnt_close_d("worst recall", r.worst_recall, 0.5, 1e-12);
    ck_assert_int_eq(r.worst_class, 2);
    const double confidence = exp(3) / (exp(3) + 3); /* of every row: one bin */
    hnt_close_d("ECE", r.ece, fabs(5 - 7 * confidence) / 7, 1e-12);
    hnt_close_d("ECE of many", r.many_ece, fabs(2 - 3 * confidence) / 3, 1e-12);
    hnt_close_d("ECE of medium", r.medium_ece, fabs(2 - 3 * confidence) / 3, 1e-12);
    hnt_close_d("ECE of few", r.few_ece, 1 - confidence, 1e-12);
    double accuracy[CLASSES];
    hnt_ok(hn_metrics_per_class(m, accuracy));
    hnt_close_d("class 2", accuracy[2], 0.5, 1e-12);
    static const int64_t confusion[CLASSES * CLASSES] = {2, 1, 0, 0, 0, 1, 0, 0, 1, 0, 1, 0, 0, 0, 0, 1};
    ck_assert(memcmp(hn_metrics_confusion(m), confusion, sizeof confusion) == 0);
    hn_metrics_reset(m);
    hnt_ok(hn_metrics_get(m, &r));
    ck_assert_int_eq(r.images, 0);
    ck_assert(isnan(r.top1) && isnan(r.many) && isnan(r.macro_f1) && isnan(r.balanced_accuracy));
    ck_assert(isnan(r.g_mean) && isnan(r.worst_recall) && isnan(r.ece) && isnan(r.few_ece));
    ck_assert_int_eq(r.worst_class, -1);
    hn_metrics_destroy(m);
    hn_metrics_destroy(NULL);
    hn_context_destroy(context);
}
END_TEST

/* Six images in three bins, by hand; ends of bins belong to the lower one. */
START_TEST(calibration_goes_by_bins)
{
    static const struct {
        double confidence;
        bool hit;
    } images[] = {{0.4, true}, {0.4, false}, {6.0 / 15, true}, {0.95, true}, {1.0, false}, {0.5, true}};
    hni_calibration c = {{0}, {0}, {0}};
    ck_assert(isnan(hni_calibration_error(&c)));
    for (int i = 0; i < 6; ++i)
        hni_calibration_add(&c, images[i].confidence, images[i].hit);
    ck_assert_int_eq(c.images[5], 3); /* (5/15, 6/15] */
    ck_assert_int_eq(c.images[7], 1);
    ck_assert_int_eq(c.images[14], 2);
    hnt_close_d("ECE", hni_calibration_error(&c), (fabs(2 - 1.2) + fabs(1 - 0.5) + fabs(1 - 1.95)) / 6, 1e-12);
}
END_TEST

START_TEST(confidence_is_the_largest_softmax)
{
    const float plain[] = {1.0f, -2.0f, 0.5f}, large[] = {1000.0f, 999.0f, -1000.0f};
    const float sure[] = {0.0f, INFINITY, 5.0f}, none[] = {-INFINITY, -INFINITY};
    hnt_close_d("plain", hni_confidence(plain, 3, 0), exp(1) / (exp(1) + exp(-2) + exp(0.5)), 1e-12);
    hnt_close_d("large", hni_confidence(large, 3, 0), 1 / (1 + exp(-1)), 1e-12);
    hnt_close_d("sure", hni_confidence(sure, 3, 1), 1.0, 1e-12);
    hnt_close_d("none", hni_confidence(none, 2, 0), 0.5, 1e-12);
}
END_TEST

START_TEST(many_classes_have_no_confusion_matrix)
{
    enum { MANY_CLASSES = HN_MAX_CONFUSION_CLASSES + 1 };
    hnt_counter counter = {.fail_at = -1};
    hn_context *context;
    hn_metrics *m = NULL;
    hn_metrics_report r = {.struct_size = sizeof r};
    float *logits = hnt_alloc(2 * MANY_CLASSES * sizeof *logits);
    const int32_t two[] = {MANY_CLASSES - 1, 3};
    hnt_ok(hnt_counting_context(&context, &counter, 1));
    hnt_ok(hn_metrics_create(&m, context, MANY_CLASSES, NULL));
    ck_assert_int_lt(counter.alive_bytes, 1 << 20);
    ck_assert_ptr_null(hn_metrics_confusion(m));
    logits[MANY_CLASSES - 1] = logits[MANY_CLASSES + 7] = 1.0f;
    const hn_cmatf rows = {logits, 2, MANY_CLASSES, MANY_CLASSES};
    hnt_ok(hn_metrics_add(m, &rows, two));
    hnt_ok(hn_metrics_get(m, &r));
    hnt_close_d("top1", r.top1, 0.5, 1e-12);
    hnt_close_d("balanced", r.balanced_accuracy, 0.5, 1e-12);
    ck_assert_int_eq(r.worst_class, 3);
    hn_metrics_reset(m);
    hn_metrics_destroy(m);
    hn_context_destroy(context);
    free(logits);
}
END_TEST

START_TEST(empty_groups_are_absent)
{
    hn_context *context = hnt_context(1);
    const int64_t large[CLASSES] = {500, 500, 500, 500};
    hn_metrics *m = filled(context, large), *plain = filled(context, NULL);
    hn_metrics_report r = {.struct_size = sizeof r};
    hnt_ok(hn_metrics_get(m, &r));
    ck_assert(!isnan(r.many) && isnan(r.medium) && isnan(r.few));
    ck_assert_int_eq(r.few_classes, 0);
    hnt_ok(hn_metrics_get(plain, &r));
    ck_assert(isnan(r.many) && !isnan(r.top1));
    hn_metrics_destroy(m);
    hn_metrics_destroy(plain);
    hn_context_destroy(context);
}
END_TEST

START_TEST(bad_input_counts_nothing)
{
    hn_context *context = hnt_context(1);
    hn_metrics *m = NULL;
    float logits[2 * CLASSES] = {0};
    int32_t bad[2] = {0, CLASSES};
    hn_cmatf matrix = {logits, 2, CLASSES, CLASSES};
    hnt_fails(hn_metrics_create(&m, context, 0, NULL), HN_E_ARG, "classes is 0");
    hnt_fails(hn_metrics_create(&m, context, 2, (const int64_t[]){1, -1}), HN_E_ARG, "train_counts[1] is -1");
    hnt_ok(hn_metrics_create(&m, context, CLASSES, NULL));
    hnt_fails(hn_metrics_add(m, &matrix, bad), HN_E_LABEL, "label 4 of row 1");
    bad[1] = 0;
    logits[5] = NAN;
    hnt_fails(hn_metrics_add(m, &matrix, bad), HN_E_NONFINITE, "class 1 in row 1");
    logits[5] = 0;
    matrix.cols = 3;
    hnt_fails(hn_metrics_add(m, &matrix, bad), HN_E_SHAPE, "4 columns");
    hn_metrics_report r = {.struct_size = sizeof r};
    hnt_ok(hn_metrics_get(m, &r));
    ck_assert_int_eq(r.images, 0);
    hn_metrics_destroy(m);
    hn_context_destroy(context);
}
END_TEST

static hn_status attempt(hn_context *context, const void *unused)
{
    (void)unused;
    hn_metrics *m = NULL;
    const hn_status status = hn_metrics_create(&m, context, 3, NULL);
    ck_assert((status == HN_OK) == (m != NULL));
    hn_metrics_destroy(m);
    return status;
}

START_TEST(every_allocation_may_fail)
{
    hnt_survives(attempt, NULL, 3);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("metrics");
    TCase *unit = hnt_case(s, "unit");
    tcase_add_test(unit, figures_by_hand);
    tcase_add_test(unit, calibration_goes_by_bins);
    tcase_add_test(unit, confidence_is_the_largest_softmax);
    tcase_add_test(unit, many_classes_have_no_confusion_matrix);
    tcase_add_test(unit, empty_groups_are_absent);
    tcase_add_test(unit, bad_input_counts_nothing);
    tcase_add_test(hnt_case(s, "oom"), every_allocation_may_fail);
    return s;
}

HNT_MAIN(suite)
