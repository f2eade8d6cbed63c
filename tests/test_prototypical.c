/* PSC and MPSC against a plain double reference, central differences and PyTorch; policies. What they share with the other
 * losses is the contract of loss_contract.h.                                                                            */
#include "loss_contract.h"

#include <stdio.h>

static hnt_batch make(uint64_t seed, int64_t n, int64_t classes, int64_t dim, int32_t per_class, int64_t pad)
{
    hnt_batch b = hnt_batch_of(&hnt_psc, n, classes, dim);
    b.o.psc.prototypes_per_class = per_class;
    b.z = hnt_matrix_of(seed, n, dim, pad);
    b.y = hnt_matrix_of(seed + 1, classes * per_class, dim, pad);
    float *given = b.extra[0] = hnt_alloc((size_t)(n * per_class) * sizeof *given);
    for (int64_t i = 0; i < n * per_class; ++i) /* zeros among them; rows that do not sum to 1, some to 0 */
        given[i] = (float)((i * 5 + i / 7) % 4) / 4.0f;
    b.o.psc.assignment = given;
    for (int64_t i = 0; i < n; ++i)
        b.labels[i] = i % 9 == 4 ? -1 - (int32_t)i : (int32_t)((i * 7 + i / 3) % classes);
    return b;
}

static hnt_batch sized(uint64_t seed, int size, int64_t pad)
{
    static const int64_t shapes[][4] = {{0, 4, 8, 1}, {12, 4, 3, 1}, {70, 6, 7, 1}, {333, 1300, 24, 2}};
    const int64_t *shape = shapes[size];
    hnt_batch b = make(seed, shape[0], shape[1], shape[2], (int32_t)shape[3], pad);
    if (size == HNT_SMALL) {
        b.o.psc.assign = HN_ASSIGN_GIVEN;
        b.extra[0][0] = 1.0f; /* a row of weight 0 is not looked at */
    }
    return b;
}

/* ---- the reference ----------------------------------------------------------------------------------------------- */

/* The weights of the own prototypes p of row z. */
static void assign(const hnt_batch *b, const double *z, const double *p, double *w)
{
    int64_t m = b->o.psc.prototypes_per_class, best = 0;
    double sum = 0;
    for (int64_t l = 0; l < m; ++l)
        if (hnt_similarity(b, z, p + l * b->dim) > hnt_similarity(b, z, p + best * b->dim))
            best = l;
    for (int64_t l = 0; l < m; ++l)
        sum += exp(hnt_similarity(b, z, p + l * b->dim) - hnt_similarity(b, z, p + best * b->dim));
    for (int64_t l = 0; l < m; ++l)
        w[l] = b->o.psc.assign == HN_ASSIGN_SOFT
                   ? exp(hnt_similarity(b, z, p + l * b->dim) - hnt_similarity(b, z, p + best * b->dim)) / sum
               : b->o.psc.assign == HN_ASSIGN_HARD ? (double)(l == best)
                                                   : 1.0 / (double)m;
}

static double evaluate(const void *arg)
{
    const hnt_reference *r = arg;
    const hnt_batch *b = r->b;
    int64_t m = b->o.psc.prototypes_per_class, k = b->y.rows, counted = 0;
    double *z = hnt_reference_rows(b, r->z, b->n), *p = hnt_reference_rows(b, r->y, k), total = 0;
    for (int64_t i = 0; i < b->n; ++i) {
        double max = -INFINITY, sum = 0, pull = 0, weights = 0;
        int64_t own = b->labels[i] * m;
        const double *w = (const double *)r->held + i * m;
        r->rows[i] = 0;
        if (b->labels[i] < 0)
            continue;
        ++counted;
        if (b->classes == 1 && !b->o.psc.include_own)
            continue;
        for (int64_t c = 0; c < k; ++c)
            if (b->o.psc.include_own || c < own || c >= own + m)
                max = fmax(max, hnt_similarity(b, z + i * b->dim, p + c * b->dim));
        for (int64_t c = 0; c < k; ++c)
            if (b->o.psc.include_own || c < own || c >= own + m)
                sum += exp(hnt_similarity(b, z + i * b->dim, p + c * b->dim) - max);
        for (int64_t l = 0; l < m; ++l)
            weights += w[l];
        for (int64_t l = 0; l < m; ++l)
            pull += w[l] * hnt_similarity(b, z + i * b->dim, p + (own + l) * b->dim);
        r->rows[i] = (weights * (max + log(sum)) - pull) / (b->o.psc.one_over_m ? (double)m : 1);
        total += r->rows[i];
    }
    free(z);
    free(p);
    return hnt_reduce(b, total, counted);
}

/* The weights, which gradients take for constant. */
static void *hold(const hnt_reference *r)
{
    const hnt_batch *b = r->b;
    const int64_t m = b->o.psc.prototypes_per_class;
    double *z = hnt_reference_rows(b, r->z, b->n), *p = hnt_reference_rows(b, r->y, b->y.rows);
    double *w = hnt_alloc((size_t)(b->n * m) * sizeof *w);
    for (int64_t i = 0; i < b->n * m; ++i)
        w[i] = (double)b->extra[0][i];
    for (int64_t i = 0; i < b->n; ++i)
        if (b->labels[i] >= 0 && b->o.psc.assign != HN_ASSIGN_GIVEN)
            assign(b, z + i * b->dim, p + b->labels[i] * m * b->dim, w + i * m);
    free(z);
    free(p);
    return w;
}

/* ---- the contract ------------------------------------------------------------------------------------------------ */

static const hnt_mistake mistakes[] = {
    HNT_I32(psc, assign, 4, "assign 4"),
    HNT_I32(psc, prototypes_per_class, 0, "prototypes_per_class is 0"),
    {HNT_EXTRA, 1, -0.5, HN_E_ARG, "the assignment of row"},
    {HNT_EXTRA, 1, NAN, HN_E_ARG, "is nan; it must be finite and not negative"},
    {HNT_INDEX + HNT_LABELS, 5, 4, HN_E_LABEL, "label 4 of row 5"},
};

static const hnt_misshape misshapes[] = {
    {HNT_INPUT, HNT_Y, 3, 2, 2, HN_E_SHAPE, "2 columns"},
    {HNT_INPUT, HNT_Y, 0, 3, 3, HN_E_SHAPE, "0 rows"},
    {HNT_GRADIENT, HNT_Y, 4, 3, 3, HN_E_SHAPE, "dprototypes is 4x3"},
};

static const hnt_missize missizes[] = {
    {{.n = 4, .classes = 0, .dim = 3}, HN_E_SHAPE, "classes is 0"},
    {{.n = -4, .classes = 3, .dim = 3}, HN_E_SHAPE, "-4"},
    {{.n = INT64_MAX, .classes = 3, .dim = 3}, HN_E_SHAPE, "z is"},
    {{.n = 4, .classes = INT64_MAX / 2, .dim = 3}, HN_E_SHAPE, "prototypes"},
};

static const hnt_subject subject = {.loss = &hnt_psc,
                                    .evaluate = evaluate,
                                    .hold = hold,
                                    .make = sized,
                                    .zero_key = 3,
                                    HNT_TABLE(mistake),
                                    HNT_TABLE(misshape),
                                    HNT_TABLE(missize)};

/* ---- unit -------------------------------------------------------------------------------------------------------- */

START_TEST(values_follow_the_formula)
{
    static const int64_t shapes[][4] = {{1, 2, 1, 0},     {5, 3, 4, 3},     {64, 7, 16, 0},
                                        {65, 256, 8, 1},  {129, 300, 5, 2}, {200, 10, 33, 5},
                                        {3, 1000, 12, 0}, {40, 1, 6, 2},    {300, 1100, 3, 0}};
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; ++s)
        for (int32_t setting = 0; setting < 24; ++setting) {
            hnt_batch b = make(s, shapes[s][0], shapes[s][1], shapes[s][2], setting % 3 + 1, shapes[s][3]);
            b.o.psc.assign = setting / 3 % 4;
            b.o.psc.one_over_m = setting % 5 == 0;
            b.o.psc.include_own = setting & 1;
            b.o.normalize = (setting >> 1 & 1) == 0;
            b.o.reduction = setting >> 2 & 1;
            b.o.temperature = setting % 5 == 0 ? 1.0f : 0.3f;
            hnt_value_follows(&subject, &b);
            hnt_drop(&b);
        }
}
END_TEST

START_TEST(defaults_are_the_headers)
{
    hn_loss_psc_options o;
    hn_loss_psc_options_init(&o, sizeof o);
    ck_assert_uint_eq(o.struct_size, sizeof o);
    ck_assert_float_eq(o.temperature, 0.1f);
    ck_assert_int_eq(o.normalize, 1);
    ck_assert_int_eq(o.include_own, 0);
    ck_assert_int_eq(o.prototypes_per_class, 1);
    ck_assert_int_eq(o.assign, HN_ASSIGN_SOFT);
    ck_assert_ptr_null(o.assignment);
    ck_assert_int_eq(o.one_over_m, 0);
}
END_TEST

START_TEST(a_single_class_adds_nothing)
{
    hnt_batch b = make(6, 10, 1, 8, 3, 0);
    hnt_ok(hnt_call(&b));
    ck_assert_double_eq(b.loss, 0.0);
    hnt_zero_gradient(&b.z);
    hnt_drop(&b);
    b = make(5, 30, 6, 8, 2, 0); /* nor do ignored rows, to several prototypes a class */
    for (int64_t i = 0; i < b.n; ++i)
        b.labels[i] = INT32_MIN;
    hnt_ok(hnt_call(&b));
    ck_assert_double_eq(b.loss, 0.0);
    hnt_zero_gradient(&b.z);
    hnt_zero_gradient(&b.y);
    hnt_drop(&b);
}
END_TEST

START_TEST(gradients_of_several_prototypes_may_be_left_out)
{
    hnt_batch b = make(10, 33, 6, 5, 2, 0), c = make(10, 33, 6, 5, 2, 0);
    hnt_ok(hnt_call(&b));
    float *dp = c.y.g;
    c.y.g = NULL;
    hnt_ok(hnt_call(&c));
    ck_assert_mem_eq(b.z.g, c.z.g, (size_t)(b.n * b.dim) * sizeof *b.z.g);
    ck_assert_double_eq(b.loss, c.loss);
    c.y.g = dp;
    float *dz = c.z.g;
    c.z.g = NULL;
    hnt_ok(hnt_call(&c));
    ck_assert_mem_eq(b.y.g, c.y.g, (size_t)(b.y.rows * b.dim) * sizeof *b.y.g);
    c.z.g = dz;
    hnt_drop(&b);
    hnt_drop(&c);
}
END_TEST

START_TEST(prototypes_are_a_multiple_of_their_number)
{
    hnt_batch b = make(11, 6, 3, 3, 1, 0);
    b.o.psc.prototypes_per_class = 2;
    hnt_refuse(&b, HN_E_SHAPE, "multiple");
    b.o.psc.prototypes_per_class = 1;
    b.o.psc.assign = HN_ASSIGN_GIVEN;
    b.o.psc.assignment = NULL;
    hnt_refuse(&b, HN_E_ARG, "assignment is NULL");
    hnt_drop(&b);
}
END_TEST

/* ---- grad -------------------------------------------------------------------------------------------------------- */

START_TEST(gradients_follow_differences)
{
    for (int32_t setting = 0; setting < 24; ++setting) {
        hnt_batch b = make(20 + (uint64_t)setting, 14, 5, 4, setting % 3 + 1, setting % 2);
        b.o.psc.assign = setting / 3 % 4;
        b.o.psc.one_over_m = setting % 5 == 0;
        b.o.psc.include_own = setting & 1;
        b.o.normalize = (setting >> 1 & 1) == 0;
        b.o.reduction = setting >> 2 & 1;
        b.o.temperature = 0.4f;
        hnt_gradients_follow(&subject, &b, 1e-5);
        hnt_drop(&b);
    }
}
END_TEST

/* ---- golden ------------------------------------------------------------------------------------------------------ */

START_TEST(pytorch_agrees)
{
    static const char *const assigns[] = {"soft", "hard", "uniform"};
    static const float temperatures[] = {0.05f, 0.1f, 1.0f};
    hn_context *context = hnt_context(1);
    hn_safetensors *file = hnt_golden_open(context, "losses");
    for (int32_t m = 1; m <= 3; m += 2)
        for (int32_t setting = 0; setting < (m == 1 ? 6 : 18); ++setting) {
            hnt_batch b = make(0, 29, 7, 13, m, 0);
            char name[64], key[96];
            b.o.temperature = temperatures[setting % 3];
            b.o.psc.include_own = setting / 3 % 2;
            b.o.psc.assign = setting / 6;
            memcpy(b.z.x, hnt_golden_f(file, "psc.z", 29 * 13), 29 * 13 * sizeof *b.z.x);
            snprintf(key, sizeof key, "psc.prototypes%d", (int)m);
            memcpy(b.y.x, hnt_golden_f(file, key, 7 * m * 13), (size_t)(7 * m * 13) * sizeof *b.y.x);
            memcpy(b.labels, hnt_golden_i(file, "psc.labels", 29), 29 * sizeof *b.labels);
            snprintf(name, sizeof name, "psc.%d.%s.%d.%g", (int)m, assigns[b.o.psc.assign], (int)b.o.psc.include_own,
                     (double)b.o.temperature);
            hnt_golden_agrees(file, name, &b, 0, 1e-5, 1e-4);
            hnt_drop(&b);
        }
    hn_safetensors_close(file);
    hn_context_destroy(context);
}
END_TEST

/* The caller's own weights, and the factor 1 / M. */
START_TEST(pytorch_agrees_on_given_weights)
{
    enum { N = 29, C = 7, M = 3, DIM = 13 };
    hn_context *context = hnt_context(1);
    hn_safetensors *file = hnt_golden_open(context, "losses");
    for (int32_t include = 0; include < 2; ++include) {
        hnt_batch b = make(0, N, C, DIM, M, 0);
        char name[32];
        b.o.psc.include_own = include;
        b.o.psc.assign = HN_ASSIGN_GIVEN;
        b.o.psc.one_over_m = 1;
        b.o.psc.assignment = hnt_golden_f(file, "psc.given", N * M);
        memcpy(b.z.x, hnt_golden_f(file, "psc.z", N * DIM), N * DIM * sizeof *b.z.x);
        memcpy(b.y.x, hnt_golden_f(file, "psc.prototypes3", C * M * DIM), C * M * DIM * sizeof *b.y.x);
        memcpy(b.labels, hnt_golden_i(file, "psc.labels", N), N * sizeof *b.labels);
        snprintf(name, sizeof name, "psc.given.%d", (int)include);
        hnt_golden_agrees(file, name, &b, 0, 1e-5, 1e-4);
        hnt_drop(&b);
    }
    hn_safetensors_close(file);
    hn_context_destroy(context);
}
END_TEST

/* ---- property ---------------------------------------------------------------------------------------------------- */

START_TEST(include_own_is_cross_entropy_of_cosines)
{
    hnt_batch b = make(40, 90, 11, 9, 1, 0);
    b.o.psc.include_own = 1;
    b.o.temperature = 0.07f;
    hnt_ok(hnt_call(&b));
    double *z = hnt_dense_d(b.z.x, b.n, b.dim, b.dim), *p = hnt_dense_d(b.y.x, b.classes, b.dim, b.dim);
    hnt_unit_rows(z, b.n, b.dim);
    hnt_unit_rows(p, b.classes, b.dim);
    float *logits = hnt_alloc((size_t)(b.n * b.classes) * sizeof *logits);
    for (int64_t i = 0; i < b.n * b.classes; ++i)
        logits[i] = (float)hnt_similarity(&b, z + i / b.classes * b.dim, p + i % b.classes * b.dim);
    size_t bytes;
    hnt_ok(hn_loss_ce_scratch(NULL, b.n, b.classes, &bytes));
    hn_scratch scratch = hnt_scratch(bytes);
    float *rows = hnt_poison(b.n);
    double loss;
    hnt_ok(hn_loss_ce(NULL, &(hn_cmatf){logits, b.n, b.classes, b.classes}, b.labels, &loss, rows, NULL, &scratch));
    hnt_close_d("loss", b.loss, loss, 1e-6);
    hnt_close_f("row_loss", b.rows, rows, b.n, 1e-6);
    free(rows);
    free(scratch.data);
    free(logits);
    free(z);
    free(p);
    hnt_drop(&b);
}
END_TEST

START_TEST(any_temperature_and_scale_is_finite)
{
    static const float temperatures[] = {0.005f, 0.02f, 0.1f, 1.0f, 100.0f}, scales[] = {1e-20f, 1.0f, 1e20f};
    for (size_t t = 0; t < 5; ++t)
        for (size_t s = 0; s < 3; ++s)
            for (int32_t m = 1; m <= 2; ++m)
                for (int32_t include = 0; include < 2; ++include) {
                    hnt_batch b = make(50, 24, 6, 8, m, 0);
                    b.o.temperature = temperatures[t];
                    b.o.psc.include_own = include;
                    for (int64_t d = 0; d < b.dim; ++d) {
                        b.z.x[d] = b.y.x[d];                  /* a row on a prototype    */
                        b.z.x[b.dim + d] = -b.y.x[b.dim + d]; /* opposite of one         */
                        b.z.x[2 * b.dim + d] = 0.0f;
                        b.z.x[3 * b.dim + d] = b.z.x[5 * b.dim + d]; /* duplicates            */
                        b.y.x[2 * b.dim + d] = b.y.x[3 * b.dim + d];
                        b.y.x[4 * b.dim + d] = 0.0f;
                    }
                    for (int64_t i = 0; i < b.n * b.dim; ++i)
                        b.z.x[i] *= scales[s];
                    for (int64_t i = 0; i < b.y.rows * b.dim; ++i)
                        b.y.x[i] *= scales[2 - s];
                    hnt_value_follows(&subject, &b);
                    hnt_finite_gradients(&b);
                    hnt_drop(&b);
                }
}
END_TEST

/* Similarities of +-29 from rows and prototypes whose lengths are far apart: as those of length 1, gradients apart. */
START_TEST(lengths_far_apart_have_their_gradients)
{
    hnt_batch b[2];
    for (int e = 5; e <= 15; e += 5) {
        const float lengths[2] = {1.0f, powf(10.0f, (float)e)};
        for (int s = 0; s < 2; ++s) {
            b[s] = make(1, 2, 3, 2, 1, 0);
            b[s].o.temperature = 1.0f / 29.0f;
            b[s].o.normalize = 0;
            const float a = lengths[s], z[4] = {a, 0, -a, 0}, y[6] = {1 / a, 0, -1 / a, 0, -1 / a, 0};
            memcpy(b[s].z.x, z, sizeof z);
            memcpy(b[s].y.x, y, sizeof y);
            hnt_value_follows(&subject, &b[s]);
        }
        for (int i = 0; i < 4; i += 2)
            hnt_close_d("dz", (double)b[1].z.g[i] * (double)lengths[1], (double)b[0].z.g[i], 1e-5);
        for (int i = 0; i < 6; i += 2)
            hnt_close_d("dprototypes", (double)b[1].y.g[i] / (double)lengths[1], (double)b[0].y.g[i], 1e-5);
        hnt_drop(&b[0]);
        hnt_drop(&b[1]);
    }
}
END_TEST

/* With rows as they are, the others' losses do not depend on a row that is NaN, wherever it stands. */
START_TEST(a_nan_row_leaves_the_others_losses_alone)
{
    for (int64_t bad = 0; bad < 3; ++bad) {
        hnt_batch b = make(3, 3, 4, 5, 1, 0);
        b.o.temperature = 1.0f;
        b.o.normalize = 0;
        for (int64_t i = 0; i < b.z.rows; ++i)
            b.z.x[i * b.z.ld] = i == 0 ? 100.0f : 0.1f;
        for (int64_t k = 0; k < b.y.rows; ++k)
            b.y.x[k * b.y.ld] = k % 2 == 0 ? 1.0f : -1.0f;
        hnt_ok(hnt_call(&b));
        float rows[3];
        memcpy(rows, b.rows, sizeof rows);
        b.z.x[bad * b.z.ld] = NAN;
        hnt_ok(hnt_call(&b));
        for (int64_t i = 0; i < 3; ++i)
            if (i == bad)
                ck_assert(isnan(b.rows[i]));
            else
                hnt_close_d("row", (double)b.rows[i], (double)rows[i], 1e-6);
        hnt_drop(&b);
    }
}
END_TEST

START_TEST(nan_shows_up_with_every_assignment)
{
    for (int32_t kind = HN_ASSIGN_SOFT; kind <= HN_ASSIGN_UNIFORM; ++kind)
        for (int32_t m = 1; m <= 2; ++m) {
            hnt_batch b = make(51, 8, 3, 4, m, 0);
            b.o.psc.assign = kind;
            b.z.x[0] = NAN;
            hnt_ok(hnt_call(&b));
            hnt_check(isnan(b.loss) && isnan(b.rows[0]), "assign %d, %d prototypes: loss %g", kind, m, b.loss);
            hnt_drop(&b);
        }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("prototypical");
    TCase *unit = hnt_case(s, "unit"), *golden = hnt_case(s, "golden"), *property = hnt_case(s, "property");
    tcase_add_test(unit, values_follow_the_formula);
    tcase_add_test(unit, defaults_are_the_headers);
    tcase_add_test(unit, a_single_class_adds_nothing);
    tcase_add_test(unit, gradients_of_several_prototypes_may_be_left_out);
    tcase_add_test(unit, prototypes_are_a_multiple_of_their_number);
    tcase_add_test(unit, nan_shows_up_with_every_assignment);
    tcase_add_test(unit, lengths_far_apart_have_their_gradients);
    tcase_add_test(unit, a_nan_row_leaves_the_others_losses_alone);
    hnt_contract(&subject, unit, property, hnt_case(s, "repro"));
    tcase_add_test(hnt_case(s, "grad"), gradients_follow_differences);
    tcase_add_test(golden, pytorch_agrees);
    tcase_add_test(golden, pytorch_agrees_on_given_weights);
    tcase_add_test(property, include_own_is_cross_entropy_of_cosines);
    tcase_add_test(property, any_temperature_and_scale_is_finite);
    return s;
}

HNT_MAIN(suite)
