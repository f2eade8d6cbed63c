/* ProCo against a plain double reference, central differences and PyTorch. What it shares with the other losses is the
 * contract of loss_contract.h.                                                                                          */
#include "proco_case.h"

#include <stdio.h>

static hnt_batch sized(uint64_t seed, int size, int64_t pad)
{
    static const int64_t shapes[][3] = {{0, 4, 8}, {12, 4, 3}, {40, 6, 7}, {333, 300, 24}};
    hnt_batch b = hnt_proco_batch(seed, shapes[size][0], shapes[size][1], shapes[size][2], pad);
    if (size == HNT_SMALL)
        b.o.proco.logit_adjustment = b.extra[0];
    return b;
}

static const hnt_mistake mistakes[] = {
    {HNT_EXTRA, 3, -INFINITY, HN_E_ARG, "logit_adjustment[3] is -inf"},
    {HNT_INDEX + HNT_LABELS, 5, 4, HN_E_LABEL, "label 4 of row 5"},
};

static const hnt_misshape misshapes[] = {
    {HNT_INPUT, HNT_Y, 3, 2, 2, HN_E_SHAPE, "2 columns"},
    {HNT_INPUT, HNT_Y, 0, 3, 3, HN_E_SHAPE, "0 rows"},
};

static const hnt_missize missizes[] = {
    {{.n = 4, .classes = 0, .dim = 3}, HN_E_SHAPE, "classes is 0"},
    {{.n = 4, .classes = 3, .dim = 1}, HN_E_SHAPE, "1 columns"},
    {{.n = INT64_MAX, .classes = 3, .dim = 3}, HN_E_SHAPE, "z is"},
    {{.n = 4, .classes = INT64_MAX / 2, .dim = 3}, HN_E_SHAPE, "mean is"},
};

static const hnt_subject subject = {.loss = &hnt_proco,
                                    .evaluate = hnt_proco_value,
                                    .make = sized,
                                    HNT_TABLE(mistake),
                                    HNT_TABLE(misshape),
                                    HNT_TABLE(missize)};

static void set(hnt_batch *b, int32_t setting)
{
    b->o.normalize = (setting & 1) == 0;
    b->o.reduction = setting >> 1 & 1;
    b->o.temperature = setting >> 2 & 1 ? 0.1f : 1.0f;
    b->o.proco.logit_adjustment = setting % 3 == 0 ? b->extra[0] : NULL;
}

/* ---- unit -------------------------------------------------------------------------------------------------------- */

START_TEST(values_follow_the_formula)
{
    static const int64_t shapes[][4] = {{1, 1, 2, 0},  {5, 3, 4, 3},    {20, 7, 16, 0}, {12, 300, 8, 1},
                                        {30, 5, 3, 2}, {10, 4, 128, 0}, {6, 5, 257, 1}};
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; ++s)
        for (int32_t setting = 0; setting < 8; ++setting) {
            hnt_batch b = hnt_proco_batch(s, shapes[s][0], shapes[s][1], shapes[s][2], shapes[s][3]);
            set(&b, setting);
            hnt_value_follows(&subject, &b);
            hnt_drop(&b);
        }
}
END_TEST

START_TEST(defaults_are_the_headers)
{
    hn_loss_proco_options o;
    hn_loss_proco_options_init(&o, sizeof o);
    ck_assert_uint_eq(o.struct_size, sizeof o);
    ck_assert_float_eq(o.temperature, 0.1f);
    ck_assert_int_eq(o.normalize, 1);
    ck_assert_ptr_null(o.logit_adjustment);
}
END_TEST

START_TEST(ignored_rows_are_not_looked_at)
{
    hnt_batch b = hnt_proco_batch(5, 30, 6, 8, 0);
    for (int64_t d = 0; d < b.dim; ++d)
        b.z.x[4 * b.dim + d] = NAN; /* an ignored row, which is not looked at */
    hnt_ok(hnt_call(&b));
    ck_assert(isfinite(b.loss));
    for (int64_t i = 0; i < b.n; ++i)
        if (b.labels[i] < 0) {
            ck_assert_float_eq(b.rows[i], 0.0f);
            hnt_zeros(b.z.g + i * b.dim, b.dim);
        }
    hnt_finite_gradients(&b);
    hnt_drop(&b);
    b = hnt_proco_batch(7, 5, 1, 8, 0); /* one class */
    hnt_ok(hnt_call(&b));
    ck_assert_double_eq(b.loss, 0.0);
    hnt_zeros(b.z.g, b.n * b.dim);
    hnt_drop(&b);
}
END_TEST

/* On a line there is no direction. */
START_TEST(one_column_is_too_few)
{
    hnt_batch b = hnt_proco_batch(1, 4, 3, 2, 0);
    float x[4] = {1, 1, 1, 1};
    double loss = 77.0;
    size_t bytes;
    hnt_ok(hn_loss_proco_scratch(NULL, 4, 3, 2, &bytes));
    const hn_scratch scratch = hnt_scratch(bytes);
    const hn_cmatf thin = {x, 4, 1, 1};
    hnt_fails(hn_loss_proco(NULL, &thin, b.labels, &thin, &loss, NULL, NULL, &scratch), HN_E_SHAPE, "1 columns");
    ck_assert_double_eq(loss, 77.0);
    free(scratch.data);
    hnt_drop(&b);
}
END_TEST

/* The shapes that means may not have; nothing is written then. */
START_TEST(means_need_room_for_their_rows)
{
    static const hn_matf shapes[] = {{NULL, 2, 3, 2}, {NULL, 2, 0, 3}, {NULL, -1, 3, 3}, {NULL, INT64_MAX, 3, 3}};
    static const char *const sentences[] = {"mean.ld is 2; it must be at least the 3 columns", "mean is 2x0",
                                            "mean is -1x3", "mean is 9223372036854775807x3"};
    const double sum[6] = {1, 2, 3, 4, 5, 6};
    const int64_t count[2] = {1, 2};
    float m[6];
    for (int i = 0; i < 6; ++i)
        m[i] = 77.0f;
    for (int k = 0; k < 4; ++k) {
        hn_matf mean = shapes[k];
        mean.data = m;
        hnt_fails(hn_proco_mean(sum, count, &mean), HN_E_SHAPE, sentences[k]);
    }
    for (int i = 0; i < 6; ++i)
        ck_assert_float_eq(m[i], 77.0f);
    hnt_ok(hn_proco_mean(sum, count, &(hn_matf){m, 2, 3, 3}));
    for (int i = 0; i < 6; ++i)
        ck_assert_float_eq(m[i], (float)(sum[i] / (double)count[i / 3]));
}
END_TEST

/* ---- grad -------------------------------------------------------------------------------------------------------- */

START_TEST(gradients_follow_differences)
{
    static const int64_t dims[] = {2, 3, 5, 32};
    for (int32_t setting = 0; setting < 32; ++setting) {
        hnt_batch b = hnt_proco_batch(20 + (uint64_t)setting, 7, 5, dims[setting / 8], setting & 1);
        set(&b, setting % 8);
        hnt_gradients_follow(&subject, &b, 2e-5);
        hnt_drop(&b);
    }
}
END_TEST

/* ---- golden ------------------------------------------------------------------------------------------------------ */

START_TEST(pytorch_agrees)
{
    enum { N = 14, C = 6 };
    static const float temperatures[] = {0.05f, 0.1f, 1.0f};
    static const int dims[] = {2, 9, 64};
    hn_context *context = hnt_context(1);
    hn_safetensors *file = hnt_golden_open(context, "proco");
    for (int32_t setting = 0; setting < 18; ++setting) {
        const int dim = dims[setting % 3];
        hnt_batch b = hnt_proco_batch(0, N, C, dim, 0);
        char name[64], key[96];
        b.o.normalize = setting / 9;
        b.o.reduction = b.o.normalize ? HN_REDUCE_MEAN : HN_REDUCE_SUM;
        b.o.temperature = temperatures[setting / 3 % 3];
        b.o.proco.logit_adjustment = hnt_golden_f(file, "log_prior", C);
        snprintf(key, sizeof key, "%d.z", dim);
        memcpy(b.z.x, hnt_golden_f(file, key, N * dim), (size_t)(N * dim) * sizeof *b.z.x);
        snprintf(key, sizeof key, "%d.mean", dim);
        memcpy(b.y.x, hnt_golden_f(file, key, C * dim), (size_t)(C * dim) * sizeof *b.y.x);
        memcpy(b.labels, hnt_golden_i(file, "labels", N), N * sizeof *b.labels);
        snprintf(name, sizeof name, "%d.%g.%d", dim, (double)b.o.temperature, (int)b.o.normalize);
        hnt_golden_agrees(file, name, &b, 1, 1e-5, 2e-5);
        hnt_drop(&b);
    }
    hn_safetensors_close(file);
    hn_context_destroy(context);
}
END_TEST

/* ---- property ---------------------------------------------------------------------------------------------------- */

START_TEST(uniform_classes_are_alike)
{
    hnt_batch b = hnt_proco_batch(30, 20, 6, 9, 0);
    for (int64_t i = 0; i < b.classes * b.dim; ++i)
        b.y.x[i] = 0.0f;
    hnt_ok(hnt_call(&b));
    for (int64_t i = 0; i < b.n; ++i)
        hnt_close_d("row", (double)b.rows[i], b.labels[i] < 0 ? 0 : log(6), 1e-6);
    hnt_zeros(b.z.g, b.n * b.dim);
    hnt_drop(&b);
}
END_TEST

START_TEST(concentrated_classes_are_prototypes)
{
    /* For kappa far above dim and 1 / tau the logit is m.z / tau: cosine-softmax cross-entropy. */
    hnt_batch b = hnt_proco_batch(31, 20, 6, 9, 0);
    b.o.temperature = 0.5f;
    for (int64_t c = 0; c < b.classes; ++c) {
        double square = 0;
        for (int64_t d = 0; d < b.dim; ++d)
            square += (double)b.y.x[c * b.dim + d] * (double)b.y.x[c * b.dim + d];
        for (int64_t d = 0; d < b.dim; ++d)
            b.y.x[c * b.dim + d] = (float)((double)b.y.x[c * b.dim + d] / sqrt(square));
    }
    hnt_ok(hnt_call(&b));
    hn_loss_psc_options o;
    hn_loss_psc_options_init(&o, sizeof o);
    o.temperature = b.o.temperature;
    o.include_own = 1;
    size_t bytes;
    hnt_ok(hn_loss_psc_scratch(&o, b.n, b.classes, b.dim, &bytes));
    hn_scratch scratch = hnt_scratch(bytes);
    float *dz = hnt_poison(b.n * b.dim);
    hn_matf g = {dz, b.n, b.dim, b.dim};
    double loss;
    hnt_ok(hn_loss_psc(&o, &(hn_cmatf){b.z.x, b.n, b.dim, b.dim}, &(hn_cmatf){b.y.x, b.classes, b.dim, b.dim}, b.labels,
                       &loss, NULL, &g, NULL, &scratch));
    hnt_close_d("loss", b.loss, loss, 1e-3);
    hnt_close_f("dz", b.z.g, dz, b.n * b.dim, 1e-3);
    free(dz);
    free(scratch.data);
    hnt_drop(&b);
}
END_TEST

START_TEST(any_temperature_scale_and_concentration_is_finite)
{
    static const float temperatures[] = {0.005f, 0.02f, 0.1f, 1.0f, 100.0f}, scales[] = {1e-20f, 1.0f, 1e20f};
    static const int64_t dims[] = {2, 8, 130};
    for (int t = 0; t < 5; ++t)
        for (int s = 0; s < 3; ++s)
            for (int k = 0; k < 6; ++k) {
                hnt_batch b = hnt_proco_batch(50, 24, 7, dims[k / 2], 0);
                b.o.temperature = temperatures[t];
                b.o.normalize = k % 2 == 0;
                float *m = b.y.x;
                for (int64_t d = 0; d < b.dim; ++d) {
                    m[d] = 0.0f;                                   /* never seen                        */
                    m[b.dim + d] = d == 0 ? 1.0f : 0.0f;           /* one row, or all alike: kappa 1e5  */
                    m[2 * b.dim + d] = d == 1 ? 1.0000001f : 0.0f; /* rounded above 1                   */
                    m[3 * b.dim + d] *= 1e-18f;                    /* all but uniform                   */
                    b.z.x[d] = -m[b.dim + d];
                    b.z.x[b.dim + d] = -m[4 * b.dim + d];
                    b.z.x[2 * b.dim + d] = 0.0f;
                    b.z.x[3 * b.dim + d] = b.z.x[5 * b.dim + d];
                }
                for (int64_t i = 0; i < b.n * b.dim; ++i)
                    b.z.x[i] *= scales[s];
                if (b.o.normalize && temperatures[t] > 0.01f && dims[k / 2] == 8)
                    hnt_value_follows(&subject, &b);
                else
                    hnt_ok(hnt_call(&b));
                ck_assert(isfinite(b.loss));
                ck_assert(b.loss >= 0);
                hnt_finite("row_loss", b.rows, b.n);
                hnt_finite_gradients(&b);
                hnt_drop(&b);
            }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("proco");
    TCase *unit = hnt_case(s, "unit"), *property = hnt_case(s, "property");
    tcase_add_test(unit, values_follow_the_formula);
    tcase_add_test(unit, defaults_are_the_headers);
    tcase_add_test(unit, ignored_rows_are_not_looked_at);
    tcase_add_test(unit, one_column_is_too_few);
    tcase_add_test(unit, means_need_room_for_their_rows);
    hnt_contract(&subject, unit, property, hnt_case(s, "repro"));
    tcase_add_test(hnt_case(s, "grad"), gradients_follow_differences);
    tcase_add_test(hnt_case(s, "golden"), pytorch_agrees);
    tcase_add_test(property, uniform_classes_are_alike);
    tcase_add_test(property, concentrated_classes_are_prototypes);
    tcase_add_test(property, any_temperature_scale_and_concentration_is_finite);
    return s;
}

HNT_MAIN(suite)
