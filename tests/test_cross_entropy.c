/* Cross-entropy against a plain double reference, central differences and PyTorch's; policies. What it shares with the other
 * losses is the contract of loss_contract.h.                                                                            */
#include "loss_contract.h"

#include "kernel/softmax.h"

#include <stdio.h>

enum { SMOOTH = 1, WEIGHT = 2, ADJUST = 4, SUM = 8, MARGIN = 16, BY_CLASS = 32, FOCAL = 64, SETTINGS = 128 };
enum { WEIGHTS, ADJUSTMENTS, MARGINS, SMOOTHINGS }; /* extra arrays */

static hnt_batch make(uint64_t seed, int64_t n, int64_t classes, int64_t pad, int setting)
{
    hnt_batch b = hnt_batch_of(&hnt_ce, n, classes, 0);
    float *array[HNT_EXTRAS];
    b.t = hnt_matrix_of(seed, n, classes, pad);
    for (int i = 0; i < HNT_EXTRAS; ++i)
        array[i] = b.extra[i] = hnt_alloc((size_t)classes * sizeof(float));
    hnt_normal(seed + 1, array[WEIGHTS], classes);
    hnt_normal(seed + 3, array[MARGINS], classes);
    hnt_normal(seed + 2, array[ADJUSTMENTS], classes);
    for (int64_t c = 0; c < classes; ++c) {
        array[WEIGHTS][c] = c % 5 == 3 ? 0.0f : fabsf(array[WEIGHTS][c]);
        array[SMOOTHINGS][c] = (float)(c % 4) / 4.0f;
    }
    for (int64_t i = 0; i < n; ++i)
        b.labels[i] = i % 9 == 4 ? -1 - (int32_t)i : (int32_t)((i * 7 + i / 3) % classes);
    b.o.ce.label_smoothing = setting & SMOOTH ? 0.2f : 0.0f;
    b.o.ce.class_weight = setting & WEIGHT ? array[WEIGHTS] : NULL;
    b.o.ce.logit_adjustment = setting & ADJUST ? array[ADJUSTMENTS] : NULL;
    b.o.ce.margin = setting & MARGIN ? array[MARGINS] : NULL;
    b.o.ce.logit_scale = setting & MARGIN ? 1.75f : 1.0f;
    b.o.ce.class_smoothing = setting & BY_CLASS ? array[SMOOTHINGS] : NULL;
    b.o.ce.focal_gamma = setting & FOCAL ? (setting & WEIGHT ? 0.5f : 2.0f) : 0.0f;
    b.o.reduction = setting & SUM ? HN_REDUCE_SUM : HN_REDUCE_MEAN;
    return b;
}

static hnt_batch sized(uint64_t seed, int size, int64_t pad)
{
    static const int64_t shapes[][2] = {{0, 4}, {6, 4}, {70, 7}, {333, 700}};
    static const int settings[] = {SMOOTH, WEIGHT | ADJUST | MARGIN | BY_CLASS, SMOOTH | WEIGHT | ADJUST,
                                   SMOOTH | WEIGHT | ADJUST | MARGIN | FOCAL};
    return make(seed, shapes[size][0], shapes[size][1], pad, settings[size]);
}

/* ---- the reference ----------------------------------------------------------------------------------------------- */

static double weight_of(const hnt_batch *b, int64_t c)
{
    return b->o.ce.class_weight == NULL ? 1.0 : (double)b->o.ce.class_weight[c];
}

static double evaluate(const void *arg)
{
    const hnt_reference *r = arg;
    const hnt_batch *b = r->b;
    double total = 0, divisor = 0;
    double *x = hnt_alloc((size_t)b->classes * sizeof *x);
    for (int64_t i = 0; i < b->n; ++i) {
        const int32_t label = b->labels[i];
        double max = -INFINITY, sum = 0, others = 0;
        r->rows[i] = 0;
        if (label < 0)
            continue;
        double smooth =
            (double)(b->o.ce.class_smoothing == NULL ? b->o.ce.label_smoothing : b->o.ce.class_smoothing[label]);
        for (int64_t c = 0; c < b->classes; ++c) {
            double margin = b->o.ce.margin != NULL && c == label ? (double)b->o.ce.margin[c] : 0;
            x[c] = (double)b->o.ce.logit_scale * (r->t[i * b->classes + c] - margin);
            if (b->o.ce.logit_adjustment != NULL)
                x[c] += (double)b->o.ce.logit_adjustment[c];
            max = fmax(max, x[c]);
        }
        for (int64_t c = 0; c < b->classes; ++c) {
            sum += exp(x[c] - max);
            others += c == label ? 0 : exp(x[c] - max);
        }
        for (int64_t c = 0; c < b->classes; ++c) {
            double q = smooth / (double)b->classes + (c == label ? 1 - smooth : 0);
            r->rows[i] += q * weight_of(b, c) * (max + log(sum) - x[c]);
        }
        r->rows[i] *= pow(others / sum, (double)b->o.ce.focal_gamma);
        total += r->rows[i];
        divisor += weight_of(b, b->labels[i]);
    }
    free(x);
    if (b->o.reduction == HN_REDUCE_SUM)
        return total;
    return divisor > 0 ? total / divisor : 0;
}

/* ---- the contract ------------------------------------------------------------------------------------------------ */

static const hnt_mistake mistakes[] = {
    HNT_F32(ce, label_smoothing, -0.01, "label_smoothing"),
    HNT_F32(ce, label_smoothing, 1.01, "label_smoothing"),
    HNT_F32(ce, label_smoothing, NAN, "label_smoothing"),
    HNT_F32(ce, logit_scale, 0, "logit_scale is 0"),
    HNT_F32(ce, focal_gamma, -1, "focal_gamma is -1"),
    {HNT_EXTRA + WEIGHTS, 1, -1, HN_E_ARG, "class_weight[1] is -1"},
    {HNT_EXTRA + WEIGHTS, 1, INFINITY, HN_E_ARG, "class_weight[1] is inf"},
    {HNT_EXTRA + ADJUSTMENTS, 3, NAN, HN_E_ARG, "logit_adjustment[3]"},
    {HNT_EXTRA + MARGINS, 2, NAN, HN_E_ARG, "margin[2] is nan"},
    {HNT_EXTRA + SMOOTHINGS, 1, 1.5, HN_E_ARG, "class_smoothing[1] is 1.5"},
    {HNT_INDEX + HNT_LABELS, 3, 4, HN_E_LABEL, "label 4 of row 3"},
};

static const hnt_misshape misshapes[] = {{HNT_INPUT, HNT_T, 4, 0, 3, HN_E_SHAPE, "logits is 4x0"}};

static const hnt_missize missizes[] = {{{.n = -4, .classes = 3}, HN_E_SHAPE, "-4"}};

static const hnt_subject subject = {
    .loss = &hnt_ce, .evaluate = evaluate, .make = sized, HNT_TABLE(mistake), HNT_TABLE(misshape), HNT_TABLE(missize)};

static void check_value(hnt_batch *b)
{
    hnt_ok(hnt_call(b));
    hnt_reference r = hnt_refer(&subject, b);
    hnt_close_d("loss", b->loss, evaluate(&r), 1e-6);
    hnt_close_fd("row_loss", b->rows, r.rows, b->n, 1e-6);
    hnt_drop_reference(&r);
}

/* ---- unit -------------------------------------------------------------------------------------------------------- */

START_TEST(values_follow_the_formula)
{
    static const int64_t shapes[][3] = {{1, 1, 0}, {1, 2, 1}, {31, 10, 0}, {65, 255, 3}, {33, 257, 0}, {40, 1000, 7}};
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; ++s)
        for (int setting = 0; setting < SETTINGS; ++setting) {
            hnt_batch b = make(s, shapes[s][0], shapes[s][1], shapes[s][2], setting);
            check_value(&b);
            hnt_drop(&b);
        }
}
END_TEST

START_TEST(defaults_are_the_headers)
{
    hn_loss_ce_options o;
    hn_loss_ce_options_init(&o, sizeof o);
    ck_assert_uint_eq(o.struct_size, sizeof o);
    ck_assert_float_eq(o.label_smoothing, 0.0f);
    ck_assert_ptr_null(o.class_weight);
    ck_assert_ptr_null(o.logit_adjustment);
    ck_assert_ptr_null(o.margin);
    ck_assert_float_eq(o.logit_scale, 1.0f);
    ck_assert_ptr_null(o.class_smoothing);
    ck_assert_float_eq(o.focal_gamma, 0.0f);
}
END_TEST

START_TEST(nothing_to_average_is_zero)
{
    hnt_batch b = make(1, 10, 4, 0, WEIGHT); /* only labels of weight 0 */
    for (int64_t i = 0; i < b.n; ++i)
        b.labels[i] = 3;
    hnt_ok(hnt_call(&b));
    ck_assert_double_eq(b.loss, 0.0);
    hnt_zero_gradient(&b.t);
    hnt_drop(&b);

    double loss = 5.0;
    hnt_ok(hn_loss_ce(NULL, &(hn_cmatf){NULL, 0, 4, 4}, NULL, &loss, NULL, NULL, NULL)); /* no rows, no scratch */
    ck_assert_double_eq(loss, 0.0);
}
END_TEST

START_TEST(a_class_may_be_impossible)
{
    hnt_batch b = make(11, 20, 5, 0, ADJUST);
    b.extra[ADJUSTMENTS][2] = -INFINITY; /* the logarithm of a prior of 0 */
    for (int64_t i = 0; i < b.n; ++i)
        b.labels[i] = i % 2 == 0 ? 0 : 4;
    hnt_ok(hnt_call(&b));
    ck_assert(isfinite(b.loss));
    for (int64_t i = 0; i < b.n; ++i)
        ck_assert_float_le(fabsf(b.t.g[i * 5 + 2]), 1e-30f);
    hnt_finite("dlogits", b.t.g, b.n * 5);
    hnt_drop(&b);
}
END_TEST

/* A row of an impossible class has no finite loss, but the gradient p - q. */
START_TEST(an_impossible_label_has_a_gradient)
{
    hnt_batch b = make(12, 4, 5, 0, ADJUST);
    b.extra[ADJUSTMENTS][2] = -INFINITY;
    for (int64_t i = 0; i < b.n; ++i)
        b.labels[i] = 2;
    hnt_ok(hnt_call(&b));
    ck_assert(isinf(b.loss));
    hnt_finite("dlogits", b.t.g, b.n * 5);
    for (int64_t i = 0; i < b.n; ++i)
        ck_assert_float_eq_tol(b.t.g[i * 5 + 2], -1.0f / (float)b.n, 1e-6f);
    hnt_drop(&b);
}
END_TEST

/* ---- kernels: exponentials and their sums ------------------------------------------------------------------------------ */

START_TEST(exponentials_are_nearly_exact)
{
    enum { COUNT = 100003 };
    float *x = hnt_alloc(COUNT * sizeof *x), *y = hnt_alloc(COUNT * sizeof *y);
    for (int64_t i = 0; i < COUNT; ++i)
        x[i] = -79.9f + 167.0f * (float)i / COUNT;
    hni_exp_shifted(COUNT, x, 0.0f, 1.0f, y);
    for (int64_t i = 0; i < COUNT; ++i)
        hnt_close_d("exp", (double)y[i], exp((double)x[i]), 2e-7);
    float special[5] = {-INFINITY, -81.0f, 0.0f, INFINITY, NAN};
    hni_exp_shifted(5, special, 0.0f, 1.0f, special);
    ck_assert_float_eq(special[0], 0.0f);
    ck_assert_float_eq(special[1], 0.0f);
    ck_assert_float_eq(special[2], 1.0f);
    ck_assert_float_ge(special[3], 1e38f);
    ck_assert(isnan(special[4]));
    free(x);
    free(y);
}
END_TEST

START_TEST(log_sum_exp_takes_pieces_in_any_sizes)
{
    enum { COUNT = 1000 };
    static const int64_t pieces[] = {1, 7, 16, 17, 255, 256, 999, 1000};
    float *x = hnt_alloc(COUNT * sizeof *x);
    double sum = 0;
    hnt_normal(3, x, COUNT);
    for (int64_t i = 0; i < COUNT; ++i)
        x[i] = i % 50 == 3 ? -INFINITY : 30 * x[i];
    for (int64_t i = 0; i < COUNT; ++i)
        sum += exp((double)x[i]);
    for (size_t p = 0; p < sizeof pieces / sizeof pieces[0]; ++p) {
        hni_lse lse = {-INFINITY, 0.0};
        ck_assert(isinf(hni_lse_value(&lse)) && hni_lse_value(&lse) < 0);
        for (int64_t i = 0; i < COUNT; i += pieces[p])
            hni_lse_add(&lse, COUNT - i < pieces[p] ? COUNT - i : pieces[p], x + i);
        hnt_close_d("log-sum-exp", hni_lse_value(&lse), log(sum), 1e-8);
        const float bad = NAN;
        hni_lse_add(&lse, 1, &bad);
        ck_assert(isnan(hni_lse_value(&lse)));
    }
    free(x);
}
END_TEST

/* ---- grad -------------------------------------------------------------------------------------------------------- */

START_TEST(gradients_follow_differences)
{
    for (int setting = 0; setting < SETTINGS; ++setting) {
        hnt_batch b = make(20 + (uint64_t)setting, 13, 6, setting % 2, setting);
        hnt_gradients_follow(&subject, &b, 1e-6);
        hnt_drop(&b);
    }
}
END_TEST

/* ---- golden ------------------------------------------------------------------------------------------------------ */

START_TEST(pytorch_agrees)
{
    static const struct {
        const char *name;
        float smoothing;
        bool weight, adjust;
    } cases[] = {{"plain", 0.0f, false, false},
                 {"smooth", 0.1f, false, false},
                 {"weight", 0.0f, true, false},
                 {"adjust", 0.0f, false, true},
                 {"all", 0.25f, true, true}};
    enum { N = 37, C = 11 };
    hn_context *context = hnt_context(1);
    hn_safetensors *file = hnt_golden_open(context, "losses");
    for (int k = 0; k < 10; ++k) {
        hnt_batch b = make(0, N, C, 0, 0);
        char name[96];
        const char *reduction = k % 2 == 0 ? "mean" : "sum";
        memcpy(b.t.x, hnt_golden_f(file, "ce.logits", N * C), N * C * sizeof *b.t.x);
        memcpy(b.labels, hnt_golden_i(file, "ce.labels", N), N * sizeof *b.labels);
        b.o.ce.label_smoothing = cases[k / 2].smoothing;
        b.o.ce.class_weight = cases[k / 2].weight ? hnt_golden_f(file, "ce.weight", C) : NULL;
        b.o.ce.logit_adjustment = cases[k / 2].adjust ? hnt_golden_f(file, "ce.adjustment", C) : NULL;
        b.o.reduction = k % 2 == 0 ? HN_REDUCE_MEAN : HN_REDUCE_SUM;
        snprintf(name, sizeof name, "ce.%s.%s", cases[k / 2].name, reduction);
        hnt_golden_agrees(file, name, &b, 0, 1e-6, 1e-5);
        hnt_drop(&b);
    }
    hn_safetensors_close(file);
    hn_context_destroy(context);
}
END_TEST

/* ---- property -------------------------------------------------------------------------------------------------------- */

START_TEST(a_constant_added_to_a_row_does_not_matter)
{
    hnt_batch b = make(40, 30, 12, 0, SMOOTH), c = make(40, 30, 12, 0, SMOOTH);
    for (int64_t i = 0; i < b.n * 12; ++i) { /* multiples of 1/8 that stay exact beside 2^16 */
        b.t.x[i] = roundf(b.t.x[i] * 8) / 8;
        c.t.x[i] = b.t.x[i] + (i / 12 % 2 == 0 ? 65536.0f : -65536.0f);
    }
    hnt_ok(hnt_call(&b));
    hnt_ok(hnt_call(&c));
    hnt_close_d("loss", c.loss, b.loss, 1e-6);
    hnt_close_f("dlogits", c.t.g, b.t.g, b.n * 12, 1e-5);
    hnt_drop(&b);
    hnt_drop(&c);
}
END_TEST

START_TEST(each_row_of_the_gradient_sums_to_zero)
{
    for (int setting = 0; setting < SETTINGS; ++setting) {
        hnt_batch b = make(41, 50, 300, 0, setting);
        hnt_ok(hnt_call(&b));
        for (int64_t i = 0; i < b.n; ++i) {
            double sum = 0, size = 0;
            for (int64_t c = 0; c < b.classes; ++c) {
                sum += (double)b.t.g[i * b.classes + c];
                size += fabs((double)b.t.g[i * b.classes + c]);
            }
            hnt_check(fabs(sum) <= 1e-6 * size, "row %lld sums to %g of %g", (long long)i, sum, size);
        }
        hnt_drop(&b);
    }
}
END_TEST

START_TEST(logits_of_any_size_are_finite)
{
    static const float scales[] = {1e-30f, 1e-3f, 1e3f, 1e6f, 1e30f};
    for (size_t s = 0; s < 5; ++s) {
        hnt_batch b = make(42, 20, 9, 0, SMOOTH);
        for (int64_t i = 0; i < b.n * 9; ++i)
            b.t.x[i] *= scales[s];
        check_value(&b);
        hnt_finite("dlogits", b.t.g, b.n * 9);
        hnt_drop(&b);
    }
}
END_TEST

/* The focal factor where the label's probability is 1 or 0 to the last bit: its derivative is infinite at 1 for gamma < 1. */
START_TEST(focal_loss_is_finite_at_certainty)
{
    static const float gammas[] = {0.01f, 0.5f, 1.0f, 5.0f}, gaps[] = {1.0f, 20.0f, 90.0f, 1e4f, 1e30f};
    for (int k = 0; k < 40; ++k) {
        hnt_batch b = make(43, 3, k % 2 == 0 ? 1 : 4, 0, SUM);
        for (int64_t i = 0; i < b.n; ++i) {
            b.labels[i] = 0;
            for (int64_t c = 0; c < b.classes; ++c)
                b.t.x[i * b.classes + c] = (c == 0 ? 1.0f : -1.0f) * (i == 1 ? -1.0f : 1.0f) * gaps[k / 8];
        }
        b.o.ce.focal_gamma = gammas[k / 2 % 4];
        hnt_ok(hnt_call(&b));
        ck_assert(isfinite(b.loss) && b.loss >= 0);
        hnt_finite("row_loss", b.rows, b.n);
        hnt_finite("dlogits", b.t.g, b.n * b.classes);
        hnt_drop(&b);
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("cross_entropy");
    TCase *unit = hnt_case(s, "unit"), *property = hnt_case(s, "property");
    tcase_add_test(unit, values_follow_the_formula);
    tcase_add_test(unit, defaults_are_the_headers);
    tcase_add_test(unit, nothing_to_average_is_zero);
    tcase_add_test(unit, a_class_may_be_impossible);
    tcase_add_test(unit, an_impossible_label_has_a_gradient);
    tcase_add_test(unit, exponentials_are_nearly_exact);
    tcase_add_test(unit, log_sum_exp_takes_pieces_in_any_sizes);
    hnt_contract(&subject, unit, property, hnt_case(s, "repro"));
    tcase_add_test(hnt_case(s, "grad"), gradients_follow_differences);
    tcase_add_test(hnt_case(s, "golden"), pytorch_agrees);
    tcase_add_test(property, a_constant_added_to_a_row_does_not_matter);
    tcase_add_test(property, each_row_of_the_gradient_sums_to_zero);
    tcase_add_test(property, logits_of_any_size_are_finite);
    tcase_add_test(property, focal_loss_is_finite_at_certainty);
    return s;
}

HNT_MAIN(suite)
