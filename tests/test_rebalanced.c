#include "golden.h"
#include "loss_case.h"

#include <stdio.h>

enum { C = 10, N = 41 };

/* CIFAR-10-LT at imbalance 100. */
static const int64_t cifar[C] = {5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50};

/* ---- unit ----------------------------------------------------------------------------------------------------------- */

/* As printed in tables of the field, four digits. */
START_TEST(arrays_of_cifar10_lt_are_the_published_ones)
{
    static const float weights[C] = {0.0506f, 0.0769f, 0.1211f, 0.1950f, 0.3188f,
                                     0.5246f, 0.8683f, 1.4426f, 2.4092f, 3.9927f};
    static const float margins[C] = {0.1581f, 0.1797f, 0.2042f, 0.2321f, 0.2638f,
                                     0.2998f, 0.3407f, 0.3872f, 0.4405f, 0.5f};
    float got[C];
    hnt_ok(hn_class_weights_effective(cifar, C, 0.9999, got));
    for (int c = 0; c < C; ++c)
        ck_assert_float_eq_tol(got[c], weights[c], 6e-5f);
    hnt_ok(hn_class_margins(cifar, C, 0.5, got));
    for (int c = 0; c < C; ++c)
        ck_assert_float_eq_tol(got[c], margins[c], 6e-5f);
}
END_TEST

START_TEST(weights_sum_to_the_classes)
{
    float got[C];
    static const double powers[] = {0.0, 0.5, 1.0, 2.0}, betas[] = {0.0, 0.99, 0.999, 0.9999999};
    for (int k = 0; k < 8; ++k) {
        if (k < 4)
            hnt_ok(hn_class_weights_inverse(cifar, C, powers[k], got));
        else
            hnt_ok(hn_class_weights_effective(cifar, C, betas[k - 4], got));
        double sum = 0;
        for (int c = 0; c < C; ++c)
            sum += (double)got[c];
        ck_assert_double_eq_tol(sum, C, 1e-5);
        if (k == 0 || k == 4)
            for (int c = 0; c < C; ++c)
                ck_assert_float_eq(got[c], 1.0f);
        else
            ck_assert_float_gt(got[9], got[0]);
    }
    float one[C], half[C];
    hnt_ok(hn_class_weights_inverse(cifar, C, 1.0, one));
    hnt_ok(hn_class_weights_inverse(cifar, C, 0.5, half));
    ck_assert_float_eq_tol(one[9] / one[0], 100.0f, 1e-3f);
    ck_assert_float_eq_tol(half[9] / half[0], 10.0f, 1e-4f);
}
END_TEST

/* Two classes, 1 and 2 images. At a bound the formula holds; just beyond it misuse_is_named says so. */
START_TEST(parameters_may_be_at_their_bounds)
{
    static const int64_t counts[2] = {1, 2};
    float got[2];
    hnt_ok(hn_class_weights_inverse(counts, 2, 16.0, got));
    hnt_close_d("power 16", (double)got[1], 2.0 / 65537.0, 1e-6);
    hnt_ok(hn_class_weights_inverse(counts, 2, -16.0, got));
    hnt_close_d("power -16", (double)got[0], 2.0 / 65537.0, 1e-6);
    hnt_ok(hn_class_log_prior(counts, 2, 1e6, got));
    hnt_close_d("tau 1e6", (double)got[0], -1e6 * log(3.0), 1e-6);
    hnt_ok(hn_class_log_prior(counts, 2, -1e6, got));
    hnt_close_d("tau -1e6", (double)got[0], 1e6 * log(3.0), 1e-6);
    hnt_ok(hn_class_margins(counts, 2, 1e6, got));
    hnt_close_d("max_margin 1e6", (double)got[1], 1e6 * pow(2.0, -0.25), 1e-6);
    hnt_ok(hn_class_smoothing(counts, 2, HN_SMOOTHING_LINEAR, 1.0, 0.0, got));
    ck_assert(got[0] == 0.0f && got[1] == 1.0f);
    hnt_ok(hn_class_smoothing(counts, 2, HN_SMOOTHING_LINEAR, 0.0, 1.0, got));
    ck_assert(got[0] == 1.0f && got[1] == 0.0f);
}
END_TEST

START_TEST(weights_are_deferred)
{
    float got[C], want[C];
    hnt_ok(hn_class_weights_effective(cifar, C, 0.9999, want));
    for (int64_t epoch = 158; epoch < 163; ++epoch) {
        hnt_ok(hn_class_weights_deferred(cifar, C, 0.9999, epoch, 160, got));
        for (int c = 0; c < C; ++c)
            ck_assert_float_eq(got[c], epoch < 160 ? 1.0f : want[c]);
    }
}
END_TEST

START_TEST(empty_classes_have_finite_values)
{
    static const int64_t counts[4] = {10, 0, 1000000000, 1};
    float got[4];
    hnt_ok(hn_class_weights_effective(counts, 4, 0.9999, got));
    ck_assert_float_eq(got[1], 0.0f);
    ck_assert_float_eq_tol(got[0] + got[2] + got[3], 4.0f, 1e-5f);
    hnt_ok(hn_class_weights_inverse(counts, 4, 1.0, got));
    ck_assert_float_eq(got[1], 0.0f);
    hnt_ok(hn_class_log_prior(counts, 4, 1.0, got));
    ck_assert_float_eq_tol(got[1], (float)log(1e-12), 1e-4f);
    ck_assert_float_eq_tol(got[3], (float)-log(1000000011.0), 1e-4f);
    hnt_ok(hn_class_margins(counts, 4, 0.5, got));
    ck_assert_float_eq(got[1], 0.5f);
    ck_assert_float_eq(got[3], 0.5f);
    hnt_finite("margins", got, 4);
    static const int64_t equal[3] = {7, 7, 7};
    for (int32_t shape = HN_SMOOTHING_CONCAVE; shape <= HN_SMOOTHING_CONVEX; ++shape) {
        hnt_ok(hn_class_smoothing(equal, 3, shape, 0.4, 0.1, got));
        for (int c = 0; c < 3; ++c)
            ck_assert_float_eq_tol(got[c], 0.4f, 1e-6f);
        hnt_ok(hn_class_smoothing(counts, 4, shape, 0.4, 0.1, got));
        ck_assert_float_eq_tol(got[2], 0.4f, 1e-6f);
        ck_assert_float_eq_tol(got[1], 0.1f, 1e-6f);
    }
}
END_TEST

START_TEST(logits_are_adjusted_after_training)
{
    float x[2 * 5], prior[3];
    static const int64_t counts[3] = {70, 20, 10};
    for (int i = 0; i < 10; ++i)
        x[i] = (float)i;
    hnt_ok(hn_class_log_prior(counts, 3, 1.0, prior));
    hnt_ok(hn_logits_adjust(prior, &(hn_matf){x, 2, 3, 5}));
    for (int i = 0; i < 10; ++i)
        ck_assert_float_eq_tol(x[i], i % 5 < 3 ? (float)(i - log((double)counts[i % 5] / 100.0)) : (float)i, 1e-5f);
}
END_TEST

START_TEST(misuse_is_named)
{
    static const int64_t negative[2] = {3, -4}, none[2] = {0, 0};
    float out[C] = {7.0f}, bad[2] = {0.0f, INFINITY}, x[4] = {1, 2, 3, 4};
    hnt_fails(hn_class_weights_effective(NULL, C, 0.9, out), HN_E_ARG, "counts is NULL");
    hnt_fails(hn_class_weights_effective(cifar, C, 0.9, NULL), HN_E_ARG, "array to write is NULL");
    hnt_fails(hn_class_weights_effective(cifar, 0, 0.9, out), HN_E_ARG, "classes is 0");
    hnt_fails(hn_class_weights_effective(negative, 2, 0.9, out), HN_E_ARG, "counts[1] is -4");
    hnt_fails(hn_class_weights_effective(none, 2, 0.9, out), HN_E_ARG, "no class has an image");
    hnt_fails(hn_class_weights_effective(cifar, C, 1.0, out), HN_E_ARG, "beta is 1");
    hnt_fails(hn_class_weights_effective(cifar, C, NAN, out), HN_E_ARG, "beta is nan");
    hnt_fails(hn_class_weights_inverse(cifar, C, NAN, out), HN_E_ARG, "power is nan");
    hnt_fails(hn_class_weights_inverse(cifar, C, 16.5, out), HN_E_ARG, "power is 16.5");
    hnt_fails(hn_class_weights_inverse(cifar, C, -16.5, out), HN_E_ARG, "power is -16.5");
    hnt_fails(hn_class_weights_deferred(cifar, C, 0.9, -1, 3, out), HN_E_ARG, "epoch is -1");
    hnt_fails(hn_class_log_prior(cifar, C, INFINITY, out), HN_E_ARG, "tau is inf");
    hnt_fails(hn_class_log_prior(cifar, C, 1.1e6, out), HN_E_ARG, "tau is 1.1e+06");
    hnt_fails(hn_class_log_prior(cifar, C, -1.1e6, out), HN_E_ARG, "tau is -1.1e+06");
    hnt_fails(hn_class_margins(cifar, C, -0.5, out), HN_E_ARG, "max_margin is -0.5");
    hnt_fails(hn_class_margins(cifar, C, 1.1e6, out), HN_E_ARG, "max_margin is 1.1e+06");
    hnt_fails(hn_class_smoothing(cifar, C, 3, 0.4, 0.1, out), HN_E_ARG, "shape 3 does not exist");
    hnt_fails(hn_class_smoothing(cifar, C, 0, 1.4, 0.1, out), HN_E_ARG, "head is 1.4");
    hnt_fails(hn_class_smoothing(cifar, C, 0, -0.4, 0.1, out), HN_E_ARG, "head is -0.4");
    hnt_fails(hn_class_smoothing(cifar, C, 0, 0.4, -0.1, out), HN_E_ARG, "tail -0.1");
    hnt_fails(hn_class_smoothing(cifar, C, 0, 0.4, 1.1, out), HN_E_ARG, "tail 1.1");
    ck_assert_float_eq(out[0], 7.0f);
    hnt_fails(hn_logits_adjust(NULL, &(hn_matf){x, 2, 2, 2}), HN_E_ARG, "adjustment is NULL");
    hnt_fails(hn_logits_adjust(bad, &(hn_matf){x, 2, 2, 1}), HN_E_SHAPE, "logits.ld is 1");
    hnt_fails(hn_logits_adjust(bad, &(hn_matf){x, 2, 2, 2}), HN_E_ARG, "adjustment[1] is inf");
    ck_assert_float_eq(x[0], 1.0f);
}
END_TEST

/* ---- golden --------------------------------------------------------------------------------------------------------- */

START_TEST(arrays_are_numpys)
{
    hn_context *context = hnt_context(1);
    hn_safetensors *file = hnt_golden_open(context, "rebalanced");
    float got[C];
    hnt_ok(hn_class_weights_effective(cifar, C, 0.9999, got));
    hnt_close_f("effective", got, hnt_golden_f(file, "array.effective", C), C, 1e-6);
    hnt_ok(hn_class_weights_inverse(cifar, C, 1.0, got));
    hnt_close_f("inverse", got, hnt_golden_f(file, "array.inverse", C), C, 1e-6);
    hnt_ok(hn_class_margins(cifar, C, 0.5, got));
    hnt_close_f("margin", got, hnt_golden_f(file, "array.margin", C), C, 1e-6);
    hnt_ok(hn_class_log_prior(cifar, C, 1.0, got));
    hnt_close_f("prior", got, hnt_golden_f(file, "array.prior", C), C, 1e-6);
    hnt_ok(hn_class_log_prior(cifar, C, 0.5, got));
    hnt_close_f("prior_half", got, hnt_golden_f(file, "array.prior_half", C), C, 1e-6);
    static const char *const shapes[] = {"array.concave", "array.linear", "array.convex"};
    for (int32_t shape = 0; shape < 3; ++shape) {
        hnt_ok(hn_class_smoothing(cifar, C, shape, 0.4, 0.1, got));
        hnt_close_f(shapes[shape], got, hnt_golden_f(file, shapes[shape], C), C, 1e-6);
    }
    hn_safetensors_close(file);
    hn_context_destroy(context);
}
END_TEST

/* Arrays by their names in the golden file, or NULL. */
static const struct {
    const char *name, *weight, *adjustment, *margin, *smoothing;
    float scale, gamma;
} cases[] = {{"focal", NULL, NULL, NULL, NULL, 1, 2},
             {"focal_one", NULL, NULL, NULL, NULL, 1, 1},
             {"class_balanced", "effective", NULL, NULL, NULL, 1, 0},
             {"class_balanced_focal", "effective", NULL, NULL, NULL, 1, 2},
             {"balanced_softmax", NULL, "prior", NULL, NULL, 1, 0},
             {"logit_adjustment_half", NULL, "prior_half", NULL, NULL, 1, 0},
             {"ldam", NULL, NULL, "margin", NULL, 30, 0},
             {"ldam_drw", "effective", NULL, "margin", NULL, 30, 0},
             {"label_aware", NULL, NULL, NULL, "concave", 1, 0},
             {"all", "effective", "prior", "margin", "convex", 4, 0.5f}};

static const float *array(const hn_safetensors *file, const char *name)
{
    char key[64];
    if (name == NULL)
        return NULL;
    snprintf(key, sizeof key, "array.%s", name);
    return hnt_golden_f(file, key, C);
}

START_TEST(pytorch_agrees)
{
    hn_context *context = hnt_context(1);
    hn_safetensors *file = hnt_golden_open(context, "rebalanced");
    const hn_cmatf logits = {hnt_golden_f(file, "logits", N * C), N, C, C};
    const int32_t *labels = hnt_golden_i(file, "labels", N);
    for (size_t k = 0; k < 2 * sizeof cases / sizeof cases[0]; ++k) {
        hn_loss_ce_options o;
        hn_loss_ce_options_init(&o, sizeof o);
        o.class_weight = array(file, cases[k / 2].weight);
        o.logit_adjustment = array(file, cases[k / 2].adjustment);
        o.margin = array(file, cases[k / 2].margin);
        o.class_smoothing = array(file, cases[k / 2].smoothing);
        o.logit_scale = cases[k / 2].scale;
        o.focal_gamma = cases[k / 2].gamma;
        o.reduction = k % 2 == 0 ? HN_REDUCE_MEAN : HN_REDUCE_SUM;
        size_t bytes;
        hnt_ok(hn_loss_ce_scratch(&o, N, C, &bytes));
        hn_scratch scratch = hnt_scratch(bytes);
        float dlogits[N * C];
        double loss;
        char key[96];
        hnt_ok(hn_loss_ce(&o, &logits, labels, &loss, NULL, &(hn_matf){dlogits, N, C, C}, &scratch));
        snprintf(key, sizeof key, "%s.%s.loss", cases[k / 2].name, k % 2 == 0 ? "mean" : "sum");
        hnt_close_d(key, loss, (double)hnt_golden_f(file, key, 1)[0], 1e-6);
        snprintf(key, sizeof key, "%s.%s.dlogits", cases[k / 2].name, k % 2 == 0 ? "mean" : "sum");
        hnt_close_f(key, dlogits, hnt_golden_f(file, key, N * C), N * C, 1e-5);
        free(scratch.data);
    }
    hn_safetensors_close(file);
    hn_context_destroy(context);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("rebalanced");
    TCase *unit = hnt_case(s, "unit"), *golden = hnt_case(s, "golden");
    tcase_add_test(unit, arrays_of_cifar10_lt_are_the_published_ones);
    tcase_add_test(unit, weights_sum_to_the_classes);
    tcase_add_test(unit, parameters_may_be_at_their_bounds);
    tcase_add_test(unit, weights_are_deferred);
    tcase_add_test(unit, empty_classes_have_finite_values);
    tcase_add_test(unit, logits_are_adjusted_after_training);
    tcase_add_test(unit, misuse_is_named);
    tcase_add_test(golden, arrays_are_numpys);
    tcase_add_test(golden, pytorch_agrees);
    return s;
}

HNT_MAIN(suite)
