/* PaCo against a plain double reference, central differences and PyTorch. What it shares with the other losses is the contract
 * of loss_contract.h.                                                                                                   */
#include "paco_case.h"

#include <stdio.h>

static hnt_batch sized(uint64_t seed, int size, int64_t pad)
{
    static const int64_t shapes[][4] = {{0, 12, 4, 8}, {12, 20, 4, 3}, {40, 50, 6, 7}, {333, 2100, 30, 24}};
    const int64_t *shape = shapes[size];
    hnt_batch b = hnt_paco_batch(seed, shape[0], shape[1], shape[2], shape[3], pad);
    if (size == HNT_SMALL)
        b.o.paco.logit_adjustment = b.extra[0];
    return b;
}

static const hnt_mistake mistakes[] = {
    HNT_F32(paco, logit_temperature, -1, "logit_temperature is -1"),
    HNT_F32(paco, logit_temperature, 1e-45, "logit_temperature is 1"),
    HNT_F32(paco, alpha, -0.5, "alpha is -0.5"),
    HNT_F32(paco, beta, INFINITY, "beta is inf"),
    HNT_F32(paco, gamma, NAN, "gamma is nan"),
    {HNT_EXTRA, 2, -INFINITY, HN_E_ARG, "logit_adjustment[2] is -inf"},
    {HNT_INDEX + HNT_LABELS, 5, 4, HN_E_LABEL, "label 4 of row 5"},
    {HNT_INDEX + HNT_SELF, 3, 20, HN_E_ARG, "self[3] is 20"},
    {HNT_GIVEN_ROWS + HNT_Y, 0, 21, HN_E_SHAPE, "dkeys has 21 rows"},
};

static const hnt_misshape misshapes[] = {
    {HNT_INPUT, HNT_T, 3, 3, 3, HN_E_SHAPE, "logits have 3 rows"},
    {HNT_INPUT, HNT_Y, 3, 2, 2, HN_E_SHAPE, "keys have 2 columns"},
    {HNT_GRADIENT, HNT_Y, 4, 3, 3, HN_E_SHAPE, "dkeys has 4 rows"},
};

static const hnt_missize missizes[] = {
    {{.n = 4, .k = 3, .classes = 0, .dim = 3}, HN_E_SHAPE, "logits is 4x0"},
    {{.n = -4, .k = 3, .classes = 3, .dim = 3}, HN_E_SHAPE, "-4"},
    {{.n = 4, .k = INT64_MAX, .classes = 3, .dim = 3}, HN_E_SHAPE, "keys is"},
};

static double rounding(const hnt_batch *b)
{
    return hnt_rounding(b) + 2e-7 * (double)b->classes / (double)b->o.paco.logit_temperature;
}

static const hnt_subject subject = {.loss = &hnt_paco,
                                    .evaluate = hnt_paco_value,
                                    .rounding = rounding,
                                    .make = sized,
                                    .given = 20,
                                    .zero_key = 41,
                                    HNT_TABLE(mistake),
                                    HNT_TABLE(misshape),
                                    HNT_TABLE(missize)};

/* Options that are not the defaults, many combinations of them. */
static void set(hnt_batch *b, int32_t setting)
{
    static const float alphas[] = {0.01f, 0.5f, 0.0f, 2.0f}, betas[] = {1.0f, 0.0f, 0.3f, 1.0f},
                       gammas[] = {1.0f, 0.25f, 3.0f, 0.0f};
    b->o.normalize = (setting & 1) == 0;
    b->o.reduction = setting >> 1 & 1;
    b->o.temperature = setting >> 2 & 1 ? 0.2f : 1.0f;
    b->o.paco.alpha = alphas[setting % 4];
    b->o.paco.beta = b->o.paco.alpha == 0.0f ? 1.0f : betas[setting / 2 % 4];
    b->o.paco.gamma = gammas[setting / 3 % 4];
    b->o.paco.logit_temperature = setting % 5 == 2 ? 0.4f : 1.0f;
    b->o.paco.logit_adjustment = setting % 3 == 1 ? b->extra[0] : NULL;
}

/* ---- unit -------------------------------------------------------------------------------------------------------- */

START_TEST(values_follow_the_formula)
{
    static const int64_t shapes[][5] = {{1, 1, 1, 1, 0},    {5, 0, 3, 4, 3},    {6, 4, 2, 3, 1},  {64, 64, 7, 16, 0},
                                        {20, 300, 9, 5, 2}, {270, 33, 4, 8, 0}, {3, 50, 90, 6, 0}};
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; ++s)
        for (int32_t setting = 0; setting < 12; ++setting) {
            hnt_batch b = hnt_paco_batch(s, shapes[s][0], shapes[s][1], shapes[s][2], shapes[s][3], shapes[s][4]);
            set(&b, setting);
            hnt_value_follows(&subject, &b);
            hnt_drop(&b);
        }
    hnt_batch wide = hnt_paco_batch(9, 12, 3000, 5, 4, 0); /* more than one chunk of keys */
    wide.o.temperature = 0.2f;
    hnt_value_follows(&subject, &wide);
    hnt_drop(&wide);
}
END_TEST

START_TEST(defaults_are_the_headers)
{
    hn_loss_paco_options o;
    hn_loss_paco_options_init(&o, sizeof o);
    ck_assert_uint_eq(o.struct_size, sizeof o);
    ck_assert_float_eq(o.temperature, 0.05f);
    ck_assert_int_eq(o.normalize, 1);
    ck_assert_float_eq(o.alpha, 0.01f);
    ck_assert_float_eq(o.beta, 1.0f);
    ck_assert_float_eq(o.gamma, 1.0f);
    ck_assert_float_eq(o.logit_temperature, 1.0f);
    ck_assert_ptr_null(o.logit_adjustment);
}
END_TEST

START_TEST(nothing_to_learn_from_is_zero)
{
    hnt_batch b = hnt_paco_batch(7, 0, 0, 4, 8, 0);
    hnt_ok(hnt_call(&b));
    ck_assert_double_eq(b.loss, 0.0);
    hnt_drop(&b);

    b = hnt_paco_batch(8, 10, 20, 4, 8, 0); /* no centre as positive, and no key of any class */
    b.o.paco.beta = 0.0f;
    for (int64_t k = 0; k < b.y.rows; ++k)
        b.key_labels[k] = 100;
    hnt_ok(hnt_call(&b));
    ck_assert_double_eq(b.loss, 0.0);
    hnt_zero_gradient(&b.t);
    hnt_zero_gradient(&b.z);
    hnt_drop(&b);
}
END_TEST

START_TEST(keys_left_out_are_not_there)
{
    hnt_batch b = hnt_paco_batch(6, 12, 30, 4, 5, 0), few = hnt_paco_batch(6, 12, 30, 4, 5, 0);
    int64_t kept = 0;
    for (int64_t i = 0; i < b.n; ++i)
        b.self[i] = few.self[i] = -1;
    for (int64_t k = 0; k < b.y.rows; ++k)
        if (b.key_labels[k] >= 0) {
            memcpy(few.y.x + kept * b.dim, b.y.x + k * b.dim, (size_t)b.dim * sizeof *b.y.x);
            few.key_labels[kept++] = b.key_labels[k];
        }
    few.y.rows = few.y.given = kept;
    ck_assert_int_lt(kept, b.y.rows);
    hnt_ok(hnt_call(&b));
    hnt_ok(hnt_call(&few));
    hnt_close_d("loss", b.loss, few.loss, 1e-6);
    hnt_close_f("dz", b.z.g, few.z.g, b.n * b.dim, 1e-5);
    for (int64_t k = 0, l = 0; k < b.y.rows; ++k)
        if (b.key_labels[k] < 0)
            hnt_zeros(b.y.g + k * b.dim, b.dim);
        else
            hnt_close_f("dkeys", b.y.g + k * b.dim, few.y.g + l++ * b.dim, b.dim, 1e-4);
    hnt_drop(&b);
    hnt_drop(&few);
}
END_TEST

START_TEST(without_keys_gradients_are_scaled_and_added)
{
    hnt_batch b = hnt_paco_batch(8, 40, 0, 6, 7, 2), c = hnt_paco_batch(8, 40, 0, 6, 7, 2);
    hnt_scales_and_adds(&b, &c);
    hnt_drop(&b);
    hnt_drop(&c);
}
END_TEST

START_TEST(something_must_be_positive)
{
    hnt_batch b = sized(10, HNT_SMALL, 0);
    b.o.paco.alpha = b.o.paco.beta = 0.0f;
    hnt_refuse(&b, HN_E_ARG, "both 0");
    hnt_drop(&b);
}
END_TEST

/* ---- grad -------------------------------------------------------------------------------------------------------- */

START_TEST(gradients_follow_differences)
{
    for (int32_t setting = 0; setting < 12; ++setting) {
        hnt_batch b = hnt_paco_batch(20 + (uint64_t)setting, 11, setting == 7 ? 0 : 25, 5, 4, setting & 1);
        set(&b, setting);
        hnt_gradients_follow(&subject, &b, 1e-5);
        hnt_drop(&b);
    }
}
END_TEST

/* ---- golden ------------------------------------------------------------------------------------------------------ */

START_TEST(pytorch_agrees)
{
    enum { N = 16, K = 40, C = 7, D = 10, SETTINGS = 6 };
    hn_context *context = hnt_context(1);
    hn_safetensors *file = hnt_golden_open(context, "paco");
    for (int setting = 0; setting < SETTINGS; ++setting) {
        hnt_batch b = hnt_paco_batch(0, N, K, C, D, 0);
        char key[32];
        snprintf(key, sizeof key, "%d.options", setting);
        const float *o = hnt_golden_f(file, key, 7);
        b.o.temperature = o[0];
        b.o.paco.alpha = o[1];
        b.o.paco.beta = o[2];
        b.o.paco.gamma = o[3];
        b.o.paco.logit_temperature = o[4];
        b.o.normalize = (int32_t)o[5];
        b.o.reduction = (int32_t)o[6];
        b.o.paco.logit_adjustment = hnt_golden_f(file, "log_prior", C);
        memcpy(b.t.x, hnt_golden_f(file, "logits", N * C), N * C * sizeof *b.t.x);
        memcpy(b.z.x, hnt_golden_f(file, "z", N * D), N * D * sizeof *b.z.x);
        memcpy(b.y.x, hnt_golden_f(file, "keys", K * D), K * D * sizeof *b.y.x);
        memcpy(b.labels, hnt_golden_i(file, "labels", N), N * sizeof *b.labels);
        memcpy(b.key_labels, hnt_golden_i(file, "key_labels", K), K * sizeof *b.key_labels);
        memcpy(b.self, hnt_golden_i(file, "self", N), N * sizeof *b.self);
        snprintf(key, sizeof key, "%d", setting);
        hnt_golden_agrees(file, key, &b, 1, 1e-5, 1e-5);
        hnt_drop(&b);
    }
    hn_safetensors_close(file);
    hn_context_destroy(context);
}
END_TEST

/* ---- property ---------------------------------------------------------------------------------------------------- */

START_TEST(without_keys_it_is_cross_entropy)
{
    for (int how = 0; how < 2; ++how) { /* gamma and alpha 0; no keys */
        hnt_batch b = hnt_paco_batch(30, 40, how == 0 ? 30 : 0, 6, 5, 1);
        b.o.paco.alpha = how == 0 ? 0.0f : 0.3f;
        b.o.paco.gamma = how == 0 ? 0.0f : 1.0f;
        b.o.paco.logit_adjustment = b.extra[0];
        hnt_ok(hnt_call(&b));
        hn_loss_ce_options o;
        hn_loss_ce_options_init(&o, sizeof o);
        o.logit_adjustment = b.extra[0];
        size_t bytes;
        hnt_ok(hn_loss_ce_scratch(&o, b.n, b.classes, &bytes));
        hn_scratch scratch = hnt_scratch(bytes);
        float *g = hnt_poison(b.n * 7), *rows = hnt_poison(b.n);
        hn_matf dt = {g, b.n, b.classes, 7};
        double loss;
        hnt_ok(hn_loss_ce(&o, &(hn_cmatf){b.t.x, b.n, b.classes, 7}, b.labels, &loss, rows, &dt, &scratch));
        hnt_close_d("loss", b.loss, loss, 1e-6);
        hnt_close_f("row_loss", b.rows, rows, b.n, 1e-6);
        float *got = hnt_dense(b.t.g, b.n, b.classes, 7), *want = hnt_dense(g, b.n, b.classes, 7);
        hnt_close_f("dlogits", got, want, b.n * b.classes, 1e-6);
        hnt_zero_gradient(&b.z);
        free(got);
        free(want);
        free(g);
        free(rows);
        free(scratch.data);
        hnt_drop(&b);
    }
}
END_TEST

START_TEST(with_weak_centres_it_is_supcon)
{
    hnt_batch b = hnt_paco_batch(31, 30, 50, 5, 6, 0);
    b.o.paco.alpha = 0.7f;
    b.o.paco.beta = 0.0f;
    for (int64_t i = 0; i < b.n * b.classes; ++i)
        b.t.x[i] = -1e4f;
    hnt_ok(hnt_call(&b));
    hn_loss_sc_options o;
    hn_loss_sc_options_init(&o, sizeof o);
    o.temperature = b.o.temperature;
    o.reduction = b.o.reduction;
    size_t bytes;
    hnt_ok(hn_loss_sc_contrast_scratch(&o, b.n, b.y.rows, b.dim, &bytes));
    hn_scratch scratch = hnt_scratch(bytes);
    float *dz = hnt_poison(b.n * b.dim), *dy = hnt_poison(b.y.rows * b.dim), *rows = hnt_poison(b.n);
    hn_matf gz = {dz, b.n, b.dim, b.dim}, gy = {dy, b.y.rows, b.dim, b.dim};
    double loss;
    hnt_ok(hn_loss_sc_contrast(&o, &(hn_cmatf){b.z.x, b.n, b.dim, b.dim}, b.labels,
                               &(hn_cmatf){b.y.x, b.y.rows, b.dim, b.dim}, b.key_labels, b.self, &loss, rows, &gz, &gy,
                               &scratch));
    hnt_close_d("loss", b.loss, loss, 1e-6);
    hnt_close_f("row_loss", b.rows, rows, b.n, 1e-6);
    hnt_close_f("dz", b.z.g, dz, b.n * b.dim, 1e-5);
    hnt_close_f("dkeys", b.y.g, dy, b.y.rows * b.dim, 1e-5);
    free(dz);
    free(dy);
    free(rows);
    free(scratch.data);
    hnt_drop(&b);
}
END_TEST

START_TEST(any_temperature_and_scale_is_finite)
{
    static const float temperatures[] = {0.005f, 0.02f, 0.1f, 1.0f, 100.0f}, scales[] = {1e-20f, 1.0f, 1e20f};
    for (size_t t = 0; t < 5; ++t)
        for (size_t s = 0; s < 3; ++s)
            for (int strong = 0; strong < 2; ++strong) {
                hnt_batch b = hnt_paco_batch(50, 24, 40, 6, 8, 0);
                b.o.temperature = temperatures[t];
                b.o.paco.logit_temperature = temperatures[4 - t];
                for (int64_t d = 0; d < b.dim; ++d) {
                    b.z.x[b.dim + d] = -b.y.x[30 * b.dim + d];
                    b.z.x[2 * b.dim + d] = 0.0f;
                    b.z.x[3 * b.dim + d] = b.z.x[5 * b.dim + d];
                    b.y.x[31 * b.dim + d] = 0.0f;
                }
                for (int64_t i = 0; i < b.n * b.dim; ++i)
                    b.z.x[i] *= scales[s];
                for (int64_t i = 0; i < b.y.rows * b.dim; ++i)
                    b.y.x[i] *= scales[2 - s];
                for (int64_t i = 0; strong && i < b.n * b.classes; ++i)
                    b.t.x[i] *= 1e3f;
                if (strong) {
                    hnt_ok(hnt_call(&b));
                    ck_assert(isfinite(b.loss));
                } else
                    hnt_value_follows(&subject, &b);
                hnt_finite_gradients(&b);
                hnt_drop(&b);
            }
}
END_TEST

START_TEST(a_masked_row_may_outweigh_everything)
{
    /* The row's own exponential, which is masked, is exp(400) times the others: the authors' 1e-12 would be all of D. */
    hnt_batch b = hnt_paco_batch(52, 6, 6, 3, 4, 0);
    b.o.temperature = 0.005f;
    for (int64_t i = 0; i < b.n; ++i) {
        b.labels[i] = b.key_labels[i] = (int32_t)i % 3;
        b.self[i] = (int32_t)i;
        for (int64_t d = 0; d < b.dim; ++d)
            b.z.x[i * b.dim + d] = b.y.x[i * b.dim + d] = d == i % 4 ? 1.0f : 0.0f;
        for (int64_t c = 0; c < b.classes; ++c)
            b.t.x[i * b.classes + c] = -300.0f;
    }
    hnt_value_follows(&subject, &b);
    hnt_finite("dz", b.z.g, b.n * b.dim);
    hnt_drop(&b);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("paco");
    TCase *unit = hnt_case(s, "unit"), *property = hnt_case(s, "property");
    tcase_add_test(unit, values_follow_the_formula);
    tcase_add_test(unit, defaults_are_the_headers);
    tcase_add_test(unit, nothing_to_learn_from_is_zero);
    tcase_add_test(unit, keys_left_out_are_not_there);
    tcase_add_test(unit, without_keys_gradients_are_scaled_and_added);
    tcase_add_test(unit, something_must_be_positive);
    hnt_contract(&subject, unit, property, hnt_case(s, "repro"));
    tcase_add_test(hnt_case(s, "grad"), gradients_follow_differences);
    tcase_add_test(hnt_case(s, "golden"), pytorch_agrees);
    tcase_add_test(property, without_keys_it_is_cross_entropy);
    tcase_add_test(property, with_weak_centres_it_is_supcon);
    tcase_add_test(property, any_temperature_and_scale_is_finite);
    tcase_add_test(property, a_masked_row_may_outweigh_everything);
    return s;
}

HNT_MAIN(suite)
