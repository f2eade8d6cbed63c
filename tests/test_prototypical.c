/* PSC and MPSC against a plain double reference, central differences and PyTorch; policies; bits and threads. */
#include "golden.h"
#include "loss_case.h"

#include <stdio.h>

/* One call: inputs, options, results. Leading dimensions are the columns plus pad. */
typedef struct batch {
    hn_loss_psc_options o;
    int64_t n, classes, dim, pad;
    float *z, *p, *dz, *dp, *rows, *given;
    int32_t *labels;
    double loss;
} batch;

static int64_t prototypes_of(const batch *b)
{
    return b->classes * b->o.prototypes_per_class;
}

static batch make(uint64_t seed, int64_t n, int64_t classes, int64_t dim, int32_t per_class, int64_t pad)
{
    batch b = {.n = n, .classes = classes, .dim = dim, .pad = pad};
    hn_loss_psc_options_init(&b.o, sizeof b.o);
    b.o.prototypes_per_class = per_class;
    int64_t ld = dim + pad, k = prototypes_of(&b);
    b.z = hnt_padded(seed, n, dim, ld);
    b.p = hnt_padded(seed + 1, k, dim, ld);
    b.dz = hnt_poison(n * ld);
    b.dp = hnt_poison(k * ld);
    b.rows = hnt_poison(n);
    b.labels = hnt_alloc((size_t)n * sizeof *b.labels);
    b.given = hnt_alloc((size_t)(n * per_class) * sizeof *b.given);
    for (int64_t i = 0; i < n * per_class; ++i) /* zeros among them; rows that do not sum to 1, some to 0 */
        b.given[i] = (float)((i * 5 + i / 7) % 4) / 4.0f;
    b.o.assignment = b.given;
    for (int64_t i = 0; i < n; ++i)
        b.labels[i] = i % 9 == 4 ? -1 - (int32_t)i : (int32_t)((i * 7 + i / 3) % classes);
    return b;
}

static void drop(batch *b)
{
    free(b->z);
    free(b->p);
    free(b->dz);
    free(b->dp);
    free(b->rows);
    free(b->labels);
    free(b->given);
}

static hn_status call(batch *b)
{
    int64_t ld = b->dim + b->pad, k = prototypes_of(b);
    size_t bytes;
    hn_status status = hn_loss_psc_scratch(&b->o, b->n, b->classes, b->dim, &bytes);
    if (status < 0)
        return status;
    hn_scratch scratch = hnt_scratch(bytes);
    memset(scratch.data, 0xff, bytes); /* NaN: nothing may rely on what scratch holds */
    hn_matf dz = {b->dz, b->n, b->dim, ld}, dp = {b->dp, k, b->dim, ld};
    status = hn_loss_psc(&b->o, &(hn_cmatf){b->z, b->n, b->dim, ld}, &(hn_cmatf){b->p, k, b->dim, ld}, b->labels,
                         &b->loss, b->rows, b->dz == NULL ? NULL : &dz, b->dp == NULL ? NULL : &dp, &scratch);
    free(scratch.data);
    return status;
}

/* ---- the reference --------------------------------------------------------------------------------------------------- */

typedef struct reference {
    const batch *b;
    double *z, *p, *w; /* dense; w: assignments held constant, or NULL */
    double *rows;      /* or NULL */
} reference;

static double similarity(const batch *b, const double *z, const double *p)
{
    double s = 0;
    for (int64_t d = 0; d < b->dim; ++d)
        s += z[d] * p[d];
    return s / (double)b->o.temperature;
}

static double *copy_rows(const batch *b, const double *x, int64_t rows)
{
    double *y = hnt_alloc((size_t)(rows * b->dim) * sizeof *y);
    memcpy(y, x, (size_t)(rows * b->dim) * sizeof *y);
    if (b->o.normalize)
        hnt_unit_rows(y, rows, b->dim);
    return y;
}

static void assign(const batch *b, const double *z, const double *p, double *w)
{
    int64_t m = b->o.prototypes_per_class, best = 0;
    double sum = 0;
    for (int64_t l = 0; l < m; ++l)
        if (similarity(b, z, p + l * b->dim) > similarity(b, z, p + best * b->dim))
            best = l;
    for (int64_t l = 0; l < m; ++l)
        sum += exp(similarity(b, z, p + l * b->dim) - similarity(b, z, p + best * b->dim));
    for (int64_t l = 0; l < m; ++l)
        w[l] = b->o.assign == HN_ASSIGN_SOFT
                   ? exp(similarity(b, z, p + l * b->dim) - similarity(b, z, p + best * b->dim)) / sum
               : b->o.assign == HN_ASSIGN_HARD ? (double)(l == best)
                                               : 1.0 / (double)m;
}

static double evaluate(const void *arg)
{
    const reference *r = arg;
    const batch *b = r->b;
    int64_t m = b->o.prototypes_per_class, k = prototypes_of(b), counted = 0;
    double *z = copy_rows(b, r->z, b->n), *p = copy_rows(b, r->p, k), total = 0;
    for (int64_t i = 0; i < b->n; ++i) {
        double max = -INFINITY, sum = 0, pull = 0, weights = 0;
        int64_t own = b->labels[i] * m;
        if (r->rows != NULL)
            r->rows[i] = 0;
        if (b->labels[i] < 0)
            continue;
        ++counted;
        if (b->classes == 1 && !b->o.include_own)
            continue;
        for (int64_t c = 0; c < k; ++c)
            if (b->o.include_own || c < own || c >= own + m)
                max = fmax(max, similarity(b, z + i * b->dim, p + c * b->dim));
        for (int64_t c = 0; c < k; ++c)
            if (b->o.include_own || c < own || c >= own + m)
                sum += exp(similarity(b, z + i * b->dim, p + c * b->dim) - max);
        double *w = hnt_alloc((size_t)m * sizeof *w);
        if (r->w != NULL)
            memcpy(w, r->w + i * m, (size_t)m * sizeof *w);
        else
            assign(b, z + i * b->dim, p + own * b->dim, w);
        for (int64_t l = 0; l < m; ++l)
            weights += w[l];
        for (int64_t l = 0; l < m; ++l)
            pull += w[l] * similarity(b, z + i * b->dim, p + (own + l) * b->dim);
        free(w);
        double row = (weights * (max + log(sum)) - pull) / (b->o.one_over_m ? (double)m : 1);
        if (r->rows != NULL)
            r->rows[i] = row;
        total += row;
    }
    free(z);
    free(p);
    return b->o.reduction == HN_REDUCE_SUM || counted == 0 ? total : total / (double)counted;
}

static reference refer(const batch *b)
{
    int64_t k = prototypes_of(b), m = b->o.prototypes_per_class, ld = b->dim + b->pad;
    reference r = {b, hnt_dense_d(b->z, b->n, b->dim, ld), hnt_dense_d(b->p, k, b->dim, ld), NULL, NULL};
    r.rows = hnt_alloc((size_t)b->n * sizeof *r.rows);
    double *z = copy_rows(b, r.z, b->n), *p = copy_rows(b, r.p, k);
    r.w = hnt_alloc((size_t)(b->n * m) * sizeof *r.w);
    for (int64_t i = 0; i < b->n * m; ++i)
        r.w[i] = (double)b->given[i];
    for (int64_t i = 0; i < b->n; ++i)
        if (b->labels[i] >= 0 && b->o.assign != HN_ASSIGN_GIVEN)
            assign(b, z + i * b->dim, p + b->labels[i] * m * b->dim, r.w + i * m);
    free(z);
    free(p);
    return r;
}

static void drop_reference(reference *r)
{
    free(r->z);
    free(r->p);
    free(r->w);
    free(r->rows);
}

/* ---- unit ------------------------------------------------------------------------------------------------------------ */

static void check_value(batch *b)
{
    hnt_ok(call(b));
    reference r = refer(b);
    double want = evaluate(&r);
    /* A value is a difference of similarities: it is as exact as these are large. */
    double rounding = 5e-7 * (double)(b->o.normalize ? 1 : b->dim) / (double)b->o.temperature;
    ck_assert_double_eq_tol(b->loss, want, rounding * (b->o.reduction == HN_REDUCE_SUM ? (double)b->n : 1) + 1e-6);
    hnt_near("row_loss", b->rows, r.rows, b->n, rounding + 1e-6);
    drop_reference(&r);
}

START_TEST(values_follow_the_formula)
{
    static const int64_t shapes[][4] = {{1, 2, 1, 0},     {5, 3, 4, 3},     {64, 7, 16, 0},
                                        {65, 256, 8, 1},  {129, 300, 5, 2}, {200, 10, 33, 5},
                                        {3, 1000, 12, 0}, {40, 1, 6, 2},    {300, 1100, 3, 0}};
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; ++s)
        for (int32_t setting = 0; setting < 24; ++setting) {
            batch b = make(s, shapes[s][0], shapes[s][1], shapes[s][2], setting % 3 + 1, shapes[s][3]);
            b.o.assign = setting / 3 % 4;
            b.o.one_over_m = setting % 5 == 0;
            b.o.include_own = setting & 1;
            b.o.normalize = (setting >> 1 & 1) == 0;
            b.o.reduction = setting >> 2 & 1;
            b.o.temperature = setting % 5 == 0 ? 1.0f : 0.3f;
            check_value(&b);
            drop(&b);
        }
}
END_TEST

START_TEST(defaults_are_the_headers)
{
    hn_loss_psc_options o;
    hn_loss_psc_options_init(&o, sizeof o);
    ck_assert_uint_eq(o.struct_size, sizeof o);
    ck_assert_int_eq(o.reduction, HN_REDUCE_MEAN);
    ck_assert_int_eq(o.check_finite, 0);
    ck_assert_int_eq(o.num_threads, 1);
    ck_assert_float_eq(o.grad_scale, 1.0f);
    ck_assert_float_eq(o.grad_beta, 0.0f);
    ck_assert_float_eq(o.temperature, 0.1f);
    ck_assert_int_eq(o.normalize, 1);
    ck_assert_int_eq(o.include_own, 0);
    ck_assert_int_eq(o.prototypes_per_class, 1);
    ck_assert_int_eq(o.assign, HN_ASSIGN_SOFT);
    ck_assert_ptr_null(o.assignment);
    ck_assert_int_eq(o.one_over_m, 0);
    /* NULL options are the defaults. */
    batch b = make(3, 20, 4, 6, 1, 0);
    hnt_ok(call(&b));
    size_t bytes;
    hnt_ok(hn_loss_psc_scratch(NULL, b.n, b.classes, b.dim, &bytes));
    hn_scratch scratch = hnt_scratch(bytes);
    double loss;
    hnt_ok(hn_loss_psc(NULL, &(hn_cmatf){b.z, b.n, b.dim, b.dim}, &(hn_cmatf){b.p, b.classes, b.dim, b.dim}, b.labels,
                       &loss, NULL, NULL, NULL, &scratch));
    ck_assert_double_eq(loss, b.loss);
    free(scratch.data);
    drop(&b);
}
END_TEST

START_TEST(ignored_rows_and_single_classes_add_nothing)
{
    batch b = make(5, 30, 6, 8, 2, 0);
    for (int64_t i = 0; i < b.n; ++i)
        b.labels[i] = INT32_MIN;
    hnt_ok(call(&b));
    ck_assert_double_eq(b.loss, 0.0);
    for (int64_t i = 0; i < b.n * b.dim; ++i)
        ck_assert_float_eq(b.dz[i], 0.0f);
    for (int64_t i = 0; i < 12 * b.dim; ++i)
        ck_assert_float_eq(b.dp[i], 0.0f);
    drop(&b);

    b = make(6, 10, 1, 8, 3, 0);
    hnt_ok(call(&b));
    ck_assert_double_eq(b.loss, 0.0);
    for (int64_t i = 0; i < b.n * b.dim; ++i)
        ck_assert_float_eq(b.dz[i], 0.0f);
    drop(&b);

    b = make(7, 0, 4, 8, 1, 0);
    b.loss = 5.0;
    hnt_ok(call(&b));
    ck_assert_double_eq(b.loss, 0.0);
    for (int64_t i = 0; i < 4 * b.dim; ++i)
        ck_assert_float_eq(b.dp[i], 0.0f);
    drop(&b);
}
END_TEST

START_TEST(zero_rows_have_gradient_zero)
{
    batch b = make(8, 12, 4, 6, 1, 0);
    b.labels[2] = 1;
    for (int64_t d = 0; d < b.dim; ++d)
        b.z[2 * b.dim + d] = b.p[3 * b.dim + d] = 0.0f;
    check_value(&b);
    double others = 0;
    for (int64_t d = 0; d < b.dim; ++d) {
        ck_assert_float_eq(b.dz[2 * b.dim + d], 0.0f);
        ck_assert_float_eq(b.dp[3 * b.dim + d], 0.0f);
        others += fabs((double)b.dz[d]) + fabs((double)b.dp[d]);
    }
    ck_assert_double_gt(others, 1e-3);
    drop(&b);
}
END_TEST

START_TEST(gradients_are_scaled_and_added)
{
    for (int32_t normalize = 0; normalize < 2; ++normalize) {
        batch b = make(9, 70, 5, 7, 1, 2), c = make(9, 70, 5, 7, 1, 2);
        b.o.normalize = c.o.normalize = normalize;
        c.o.grad_scale = -0.75f;
        c.o.grad_beta = 0.5f;
        hnt_ok(call(&b));
        for (int64_t i = 0; i < c.n * 9; ++i)
            c.dz[i] = i % 9 < 7 ? 0.25f : NAN;
        for (int64_t i = 0; i < c.classes * 9; ++i)
            c.dp[i] = i % 9 < 7 ? -2.0f : NAN;
        hnt_ok(call(&c));
        float *dz = hnt_dense(b.dz, b.n, 7, 9), *dp = hnt_dense(b.dp, 5, 7, 9);
        float *cz = hnt_dense(c.dz, b.n, 7, 9), *cp = hnt_dense(c.dp, 5, 7, 9);
        for (int64_t i = 0; i < b.n * 7; ++i)
            dz[i] = 0.125f - 0.75f * dz[i];
        for (int64_t i = 0; i < 5 * 7; ++i)
            dp[i] = -1.0f - 0.75f * dp[i];
        hnt_close_f("dz", cz, dz, b.n * 7, 1e-6);
        hnt_close_f("dprototypes", cp, dp, 5 * 7, 1e-6);
        ck_assert_double_eq(b.loss, c.loss);
        free(dz);
        free(dp);
        free(cz);
        free(cp);
        drop(&b);
        drop(&c);
    }
}
END_TEST

START_TEST(outputs_may_be_left_out)
{
    batch b = make(10, 33, 6, 5, 2, 0), c = make(10, 33, 6, 5, 2, 0);
    hnt_ok(call(&b));
    float *dp = c.dp;
    c.dp = NULL;
    hnt_ok(call(&c));
    ck_assert_mem_eq(b.dz, c.dz, (size_t)(b.n * b.dim) * sizeof *b.dz);
    ck_assert_double_eq(b.loss, c.loss);
    c.dp = dp;
    float *dz = c.dz;
    c.dz = NULL;
    hnt_ok(call(&c));
    ck_assert_mem_eq(b.dp, c.dp, (size_t)(prototypes_of(&b) * b.dim) * sizeof *b.dp);
    c.dz = dz;
    drop(&b);
    drop(&c);
}
END_TEST

/* One refusal: the outputs keep their bytes. */
static void refuse(batch *b, hn_status status, const char *sentence)
{
    float zero = 0.0f;
    b->loss = 77.0;
    for (int64_t i = 0; i < b->n * b->dim; ++i)
        b->dz[i] = zero;
    for (int64_t i = 0; i < b->n; ++i)
        b->rows[i] = zero;
    for (int64_t i = 0; i < b->classes * b->dim; ++i)
        b->dp[i] = zero;
    hnt_fails(call(b), status, sentence);
    ck_assert_double_eq(b->loss, 77.0);
    for (int64_t i = 0; i < b->n * b->dim; ++i)
        ck_assert_float_eq(b->dz[i], zero);
    for (int64_t i = 0; i < b->n; ++i)
        ck_assert_float_eq(b->rows[i], zero);
    for (int64_t i = 0; i < b->classes * b->dim; ++i)
        ck_assert_float_eq(b->dp[i], zero);
}

START_TEST(options_out_of_range_are_named)
{
    batch b = make(11, 6, 4, 3, 1, 0);
    const hn_loss_psc_options good = b.o;
    static const float temperatures[] = {0.0f, -0.1f, INFINITY, NAN, 1e-44f};
    for (size_t i = 0; i < sizeof temperatures / sizeof temperatures[0]; ++i) {
        b.o.temperature = temperatures[i];
        refuse(&b, HN_E_ARG, "temperature");
    }
    b.o = good;
    b.o.assign = 4;
    refuse(&b, HN_E_ARG, "assign 4");
    b.o.assign = HN_ASSIGN_GIVEN;
    b.given[1] = -0.5f;
    refuse(&b, HN_E_ARG, "the assignment of row");
    b.given[1] = NAN;
    refuse(&b, HN_E_ARG, "is nan; it must be finite and not negative");
    b.o.assignment = NULL;
    refuse(&b, HN_E_ARG, "assignment is NULL");
    b.o.assignment = b.given;
    b.o = good;
    b.o.prototypes_per_class = 0;
    refuse(&b, HN_E_ARG, "prototypes_per_class is 0");
    b.o = good;
    b.o.reduction = 2;
    refuse(&b, HN_E_ARG, "reduction 2");
    b.o = good;
    b.o.num_threads = -1;
    refuse(&b, HN_E_ARG, "num_threads is -1");
    b.o = good;
    b.o.grad_scale = NAN;
    refuse(&b, HN_E_ARG, "grad_scale");
    b.o = good;
    b.o.grad_beta = INFINITY;
    refuse(&b, HN_E_ARG, "grad_beta");
    b.o = good;
    b.o.struct_size = 0;
    refuse(&b, HN_E_ARG, "struct_size is 0");
    b.o = good;
    b.labels[5] = 4;
    refuse(&b, HN_E_LABEL, "label 4 of row 5");
    b.labels[5] = 0;
    b.o.check_finite = 1;
    hnt_ok(call(&b));
    b.p[7] = INFINITY;
    refuse(&b, HN_E_NONFINITE, "prototypes holds inf in row 2, column 1");
    b.p[7] = 1.0f;
    b.z[0] = NAN;
    refuse(&b, HN_E_NONFINITE, "z holds");
    b.o.check_finite = 0;
    hnt_ok(call(&b));
    ck_assert(isnan(b.loss));
    drop(&b);
}
END_TEST

START_TEST(arguments_out_of_shape_are_named)
{
    float x[12] = {1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1, 1}, g[12] = {0};
    const int32_t labels[4] = {0, 1, 2, 0};
    const hn_cmatf z = {x, 4, 3, 3}, p = {x, 3, 3, 3}, narrow = {x, 3, 2, 2}, nothing = {NULL, 4, 3, 3},
                   bad_ld = {x, 4, 3, 2}, none = {x, 0, 3, 3}, negative = {x, -1, 3, 3};
    hn_matf dz = {g, 4, 3, 3}, dz_short = {g, 3, 3, 3}, dz_ld = {g, 4, 3, 2}, dz_null = {NULL, 4, 3, 3};
    size_t bytes, many;
    hnt_ok(hn_loss_psc_scratch(NULL, 4, 3, 3, &bytes));
    hn_scratch good = hnt_scratch(bytes + 64), small = {good.data, bytes - 1}, odd = {(char *)good.data + 4, bytes};
    double loss = 77.0;
    hnt_fails(hn_loss_psc(NULL, NULL, &p, labels, &loss, NULL, NULL, NULL, &good), HN_E_ARG, "z is NULL");
    hnt_fails(hn_loss_psc(NULL, &z, NULL, labels, &loss, NULL, NULL, NULL, &good), HN_E_ARG, "prototypes is NULL");
    hnt_fails(hn_loss_psc(NULL, &z, &p, NULL, &loss, NULL, NULL, NULL, &good), HN_E_ARG, "labels is NULL");
    hnt_fails(hn_loss_psc(NULL, &nothing, &p, labels, &loss, NULL, NULL, NULL, &good), HN_E_ARG, "z.data is NULL");
    hnt_fails(hn_loss_psc(NULL, &bad_ld, &p, labels, &loss, NULL, NULL, NULL, &good), HN_E_SHAPE, "z.ld is 2");
    hnt_fails(hn_loss_psc(NULL, &negative, &p, labels, &loss, NULL, NULL, NULL, &good), HN_E_SHAPE, "z is -1x3");
    hnt_fails(hn_loss_psc(NULL, &z, &narrow, labels, &loss, NULL, NULL, NULL, &good), HN_E_SHAPE, "2 columns");
    hnt_fails(hn_loss_psc(NULL, &z, &none, labels, &loss, NULL, NULL, NULL, &good), HN_E_SHAPE, "0 rows");
    hnt_fails(hn_loss_psc(NULL, &z, &p, labels, &loss, NULL, &dz_short, NULL, &good), HN_E_SHAPE, "dz is 3x3");
    hnt_fails(hn_loss_psc(NULL, &z, &p, labels, &loss, NULL, NULL, &dz, &good), HN_E_SHAPE, "dprototypes is 4x3");
    hnt_fails(hn_loss_psc(NULL, &z, &p, labels, &loss, NULL, &dz_ld, NULL, &good), HN_E_SHAPE, "dz.ld is 2");
    hnt_fails(hn_loss_psc(NULL, &z, &p, labels, &loss, NULL, &dz_null, NULL, &good), HN_E_ARG, "dz.data is NULL");
    hnt_fails(hn_loss_psc(NULL, &z, &p, labels, &loss, NULL, NULL, NULL, NULL), HN_E_WORKSPACE, "scratch is NULL");
    hnt_fails(hn_loss_psc(NULL, &z, &p, labels, &loss, NULL, NULL, NULL, &small), HN_E_WORKSPACE, "bytes");
    hnt_fails(hn_loss_psc(NULL, &z, &p, labels, &loss, NULL, NULL, NULL, &odd), HN_E_WORKSPACE, "aligned");
    ck_assert_double_eq(loss, 77.0);
    hn_loss_psc_options two;
    hn_loss_psc_options_init(&two, sizeof two);
    two.prototypes_per_class = 2;
    hnt_fails(hn_loss_psc(&two, &z, &p, labels, &loss, NULL, NULL, NULL, &good), HN_E_SHAPE, "multiple");
    hnt_fails(hn_loss_psc_scratch(NULL, 4, 3, 3, NULL), HN_E_ARG, "bytes is NULL");
    hnt_fails(hn_loss_psc_scratch(NULL, 4, 0, 3, &many), HN_E_SHAPE, "classes is 0");
    hnt_fails(hn_loss_psc_scratch(NULL, -4, 3, 3, &many), HN_E_SHAPE, "-4");
    hnt_fails(hn_loss_psc_scratch(NULL, INT64_MAX, 3, 3, &many), HN_E_SHAPE, "z is");
    hnt_fails(hn_loss_psc_scratch(NULL, 4, INT64_MAX / 2, 3, &many), HN_E_SHAPE, "prototypes");
    free(good.data);
}
END_TEST

/* ---- grad ------------------------------------------------------------------------------------------------------------ */

START_TEST(gradients_follow_differences)
{
    for (int32_t setting = 0; setting < 24; ++setting) {
        batch b = make(20 + (uint64_t)setting, 14, 5, 4, setting % 3 + 1, setting % 2);
        b.o.assign = setting / 3 % 4;
        b.o.one_over_m = setting % 5 == 0;
        b.o.include_own = setting & 1;
        b.o.normalize = (setting >> 1 & 1) == 0;
        b.o.reduction = setting >> 2 & 1;
        b.o.temperature = 0.4f;
        hnt_ok(call(&b));
        reference r = refer(&b);
        int64_t ld = b.dim + b.pad, k = prototypes_of(&b);
        double *wz = hnt_differences(evaluate, &r, r.z, b.n * b.dim),
               *wp = hnt_differences(evaluate, &r, r.p, k * b.dim);
        float *dz = hnt_dense(b.dz, b.n, b.dim, ld), *dp = hnt_dense(b.dp, k, b.dim, ld);
        hnt_close_fd("dz", dz, wz, b.n * b.dim, 1e-5);
        hnt_close_fd("dprototypes", dp, wp, k * b.dim, 1e-5);
        free(wz);
        free(wp);
        free(dz);
        free(dp);
        drop_reference(&r);
        drop(&b);
    }
}
END_TEST

/* ---- golden ---------------------------------------------------------------------------------------------------------- */

START_TEST(pytorch_agrees)
{
    static const char *const assigns[] = {"soft", "hard", "uniform"};
    static const float temperatures[] = {0.05f, 0.1f, 1.0f};
    hn_context *context = hnt_context(1);
    hn_safetensors *file = hnt_golden_open(context, "losses");
    for (int32_t m = 1; m <= 3; m += 2)
        for (int32_t setting = 0; setting < (m == 1 ? 6 : 18); ++setting) {
            batch b = make(0, 29, 7, 13, m, 0);
            char name[64], key[96];
            b.o.temperature = temperatures[setting % 3];
            b.o.include_own = setting / 3 % 2;
            b.o.assign = setting / 6;
            memcpy(b.z, hnt_golden_f(file, "psc.z", 29 * 13), 29 * 13 * sizeof *b.z);
            snprintf(key, sizeof key, "psc.prototypes%d", (int)m);
            memcpy(b.p, hnt_golden_f(file, key, 7 * m * 13), (size_t)(7 * m * 13) * sizeof *b.p);
            memcpy(b.labels, hnt_golden_i(file, "psc.labels", 29), 29 * sizeof *b.labels);
            hnt_ok(call(&b));
            snprintf(name, sizeof name, "psc.%d.%s.%d.%g", (int)m, assigns[b.o.assign], (int)b.o.include_own,
                     (double)b.o.temperature);
            snprintf(key, sizeof key, "%s.loss", name);
            hnt_close_d(key, b.loss, (double)hnt_golden_f(file, key, 1)[0], 1e-5);
            snprintf(key, sizeof key, "%s.dz", name);
            hnt_close_f(key, b.dz, hnt_golden_f(file, key, 29 * 13), 29 * 13, 1e-4);
            snprintf(key, sizeof key, "%s.dprototypes", name);
            hnt_close_f(key, b.dp, hnt_golden_f(file, key, 7 * m * 13), 7 * m * 13, 1e-4);
            drop(&b);
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
        batch b = make(0, N, C, DIM, M, 0);
        char key[96];
        b.o.include_own = include;
        b.o.assign = HN_ASSIGN_GIVEN;
        b.o.one_over_m = 1;
        b.o.assignment = hnt_golden_f(file, "psc.given", N * M);
        memcpy(b.z, hnt_golden_f(file, "psc.z", N * DIM), N * DIM * sizeof *b.z);
        memcpy(b.p, hnt_golden_f(file, "psc.prototypes3", C * M * DIM), C * M * DIM * sizeof *b.p);
        memcpy(b.labels, hnt_golden_i(file, "psc.labels", N), N * sizeof *b.labels);
        hnt_ok(call(&b));
        snprintf(key, sizeof key, "psc.given.%d.loss", (int)include);
        hnt_close_d(key, b.loss, (double)hnt_golden_f(file, key, 1)[0], 1e-5);
        snprintf(key, sizeof key, "psc.given.%d.dz", (int)include);
        hnt_close_f(key, b.dz, hnt_golden_f(file, key, N * DIM), N * DIM, 1e-4);
        snprintf(key, sizeof key, "psc.given.%d.dprototypes", (int)include);
        hnt_close_f(key, b.dp, hnt_golden_f(file, key, C * M * DIM), C * M * DIM, 1e-4);
        drop(&b);
    }
    hn_safetensors_close(file);
    hn_context_destroy(context);
}
END_TEST

/* ---- property -------------------------------------------------------------------------------------------------------- */

START_TEST(include_own_is_cross_entropy_of_cosines)
{
    batch b = make(40, 90, 11, 9, 1, 0);
    b.o.include_own = 1;
    b.o.temperature = 0.07f;
    hnt_ok(call(&b));
    double *z = hnt_dense_d(b.z, b.n, b.dim, b.dim), *p = hnt_dense_d(b.p, b.classes, b.dim, b.dim);
    hnt_unit_rows(z, b.n, b.dim);
    hnt_unit_rows(p, b.classes, b.dim);
    float *logits = hnt_alloc((size_t)(b.n * b.classes) * sizeof *logits);
    for (int64_t i = 0; i < b.n * b.classes; ++i)
        logits[i] = (float)similarity(&b, z + i / b.classes * b.dim, p + i % b.classes * b.dim);
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
    drop(&b);
}
END_TEST

START_TEST(any_temperature_and_scale_is_finite)
{
    static const float temperatures[] = {0.005f, 0.02f, 0.1f, 1.0f, 100.0f}, scales[] = {1e-20f, 1.0f, 1e20f};
    for (size_t t = 0; t < 5; ++t)
        for (size_t s = 0; s < 3; ++s)
            for (int32_t m = 1; m <= 2; ++m)
                for (int32_t include = 0; include < 2; ++include) {
                    batch b = make(50, 24, 6, 8, m, 0);
                    b.o.temperature = temperatures[t];
                    b.o.include_own = include;
                    for (int64_t d = 0; d < b.dim; ++d) {
                        b.z[d] = b.p[d];                  /* a row on a prototype    */
                        b.z[b.dim + d] = -b.p[b.dim + d]; /* opposite of one         */
                        b.z[2 * b.dim + d] = 0.0f;
                        b.z[3 * b.dim + d] = b.z[5 * b.dim + d]; /* duplicates            */
                        b.p[2 * b.dim + d] = b.p[3 * b.dim + d];
                        b.p[4 * b.dim + d] = 0.0f;
                    }
                    for (int64_t i = 0; i < b.n * b.dim; ++i)
                        b.z[i] *= scales[s];
                    for (int64_t i = 0; i < prototypes_of(&b) * b.dim; ++i)
                        b.p[i] *= scales[2 - s];
                    check_value(&b);
                    hnt_finite("dz", b.dz, b.n * b.dim);
                    hnt_finite("dprototypes", b.dp, prototypes_of(&b) * b.dim);
                    drop(&b);
                }
}
END_TEST

START_TEST(scale_of_rows_changes_only_their_gradient)
{
    batch b = make(51, 24, 6, 8, 1, 0), c = make(51, 24, 6, 8, 1, 0);
    for (int64_t i = 0; i < c.n * c.dim; ++i)
        c.z[i] *= 0x1p40f;
    hnt_ok(call(&b));
    hnt_ok(call(&c));
    ck_assert_double_eq(b.loss, c.loss);
    for (int64_t i = 0; i < c.n * c.dim; ++i)
        c.dz[i] *= 0x1p40f;
    hnt_close_f("dz", c.dz, b.dz, b.n * b.dim, 1e-6);
    drop(&b);
    drop(&c);
}
END_TEST

/* ---- repro ----------------------------------------------------------------------------------------------------------- */

START_TEST(threads_do_not_change_bits)
{
    batch first = make(60, 333, 1300, 24, 2, 1);
    hnt_ok(call(&first));
    for (int32_t threads = 0; threads <= 3; ++threads) {
        batch b = make(60, 333, 1300, 24, 2, 1);
        b.o.num_threads = threads;
        hnt_ok(call(&b));
        ck_assert_mem_eq(&b.loss, &first.loss, sizeof b.loss);
        ck_assert_mem_eq(b.rows, first.rows, 333 * sizeof *b.rows);
        ck_assert_mem_eq(b.dz, first.dz, 333 * 25 * sizeof *b.dz);
        ck_assert_mem_eq(b.dp, first.dp, 2600 * 25 * sizeof *b.dp);
        drop(&b);
    }
    drop(&first);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("prototypical");
    TCase *unit = hnt_case(s, "unit");
    tcase_add_test(unit, values_follow_the_formula);
    tcase_add_test(unit, defaults_are_the_headers);
    tcase_add_test(unit, ignored_rows_and_single_classes_add_nothing);
    tcase_add_test(unit, zero_rows_have_gradient_zero);
    tcase_add_test(unit, gradients_are_scaled_and_added);
    tcase_add_test(unit, outputs_may_be_left_out);
    tcase_add_test(unit, options_out_of_range_are_named);
    tcase_add_test(unit, arguments_out_of_shape_are_named);
    tcase_add_test(hnt_case(s, "grad"), gradients_follow_differences);
    TCase *golden = hnt_case(s, "golden");
    tcase_add_test(golden, pytorch_agrees);
    tcase_add_test(golden, pytorch_agrees_on_given_weights);
    TCase *property = hnt_case(s, "property");
    tcase_add_test(property, include_own_is_cross_entropy_of_cosines);
    tcase_add_test(property, any_temperature_and_scale_is_finite);
    tcase_add_test(property, scale_of_rows_changes_only_their_gradient);
    tcase_add_test(hnt_case(s, "repro"), threads_do_not_change_bits);
    return s;
}

HNT_MAIN(suite)
