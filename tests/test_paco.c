/* PaCo against a plain double reference, central differences and PyTorch; bits and threads; the object and its queue. */
#include "golden.h"
#include "loss_case.h"

#include <stdio.h>

/* One call: inputs, options, results. Leading dimensions are the columns plus pad. The first `given` keys get a gradient. */
typedef struct batch {
    hn_loss_paco_options o;
    int64_t n, k, classes, dim, pad, given;
    float *t, *z, *y, *dt, *dz, *dy, *rows, *adjustment;
    int32_t *labels, *key_labels, *self;
    double loss;
} batch;

static batch make(uint64_t seed, int64_t n, int64_t k, int64_t classes, int64_t dim, int64_t pad)
{
    batch b = {.n = n, .k = k, .classes = classes, .dim = dim, .pad = pad, .given = k};
    hn_loss_paco_options_init(&b.o, sizeof b.o);
    b.t = hnt_padded(seed, n, classes, classes + pad);
    b.z = hnt_padded(seed + 1, n, dim, dim + pad);
    b.y = hnt_padded(seed + 2, k, dim, dim + pad);
    b.dt = hnt_poison(n * (classes + pad));
    b.dz = hnt_poison(n * (dim + pad));
    b.dy = hnt_poison(k * (dim + pad));
    b.rows = hnt_poison(n);
    b.adjustment = hnt_alloc((size_t)classes * sizeof *b.adjustment);
    b.labels = hnt_alloc((size_t)n * sizeof *b.labels);
    b.key_labels = hnt_alloc((size_t)k * sizeof *b.key_labels);
    b.self = hnt_alloc((size_t)n * sizeof *b.self);
    for (int64_t c = 0; c < classes; ++c)
        b.adjustment[c] = -0.3f * (float)c;
    for (int64_t i = 0; i < n; ++i) {
        b.labels[i] = i % 9 == 4 ? -1 - (int32_t)i : (int32_t)((i * 7 + i / 3) % classes);
        b.self[i] = i < k && i % 5 != 3 ? (int32_t)i : -2;
    }
    for (int64_t i = 0; i < k; ++i) {
        b.key_labels[i] = i < n ? b.labels[i] : i % 11 == 7 ? -3 : (int32_t)(i * 5 % classes);
        for (int64_t d = 0; i < n && i % 2 == 0 && d < dim; ++d) /* some rows are keys themselves */
            b.y[i * (dim + pad) + d] = b.z[i * (dim + pad) + d];
    }
    return b;
}

static void drop(batch *b)
{
    float *floats[] = {b->t, b->z, b->y, b->dt, b->dz, b->dy, b->rows, b->adjustment};
    for (size_t i = 0; i < sizeof floats / sizeof floats[0]; ++i)
        free(floats[i]);
    free(b->labels);
    free(b->key_labels);
    free(b->self);
}

static hn_status call(batch *b)
{
    const int64_t ld = b->dim + b->pad, wide = b->classes + b->pad;
    size_t bytes;
    hn_status status = hn_loss_paco_scratch(&b->o, b->n, b->k, b->classes, b->dim, &bytes);
    if (status < 0)
        return status;
    hn_scratch scratch = hnt_scratch(bytes);
    memset(scratch.data, 0xff, bytes); /* NaN: nothing may rely on what scratch holds */
    hn_matf dt = {b->dt, b->n, b->classes, wide}, dz = {b->dz, b->n, b->dim, ld}, dy = {b->dy, b->given, b->dim, ld};
    status = hn_loss_paco(&b->o, &(hn_cmatf){b->t, b->n, b->classes, wide}, &(hn_cmatf){b->z, b->n, b->dim, ld},
                          b->labels, &(hn_cmatf){b->y, b->k, b->dim, ld}, b->key_labels, b->self, &b->loss, b->rows,
                          b->dt == NULL ? NULL : &dt, b->dz == NULL ? NULL : &dz, b->dy == NULL ? NULL : &dy, &scratch);
    free(scratch.data);
    return status;
}

/* ---- the reference --------------------------------------------------------------------------------------------------- */

/* The problem in double, dense. */
typedef struct reference {
    hn_loss_paco_options o;
    int64_t n, k, classes, dim;
    double *t, *z, *y;
    const int32_t *labels, *key_labels, *self;
    double *rows;
} reference;

static double *unit_rows(const reference *r, const double *x, int64_t rows)
{
    double *u = hnt_alloc((size_t)(rows * r->dim) * sizeof *u);
    memcpy(u, x, (size_t)(rows * r->dim) * sizeof *u);
    if (r->o.normalize)
        hnt_unit_rows(u, rows, r->dim);
    return u;
}

/* Row i: exponents e[classes + k] with their weights in the denominator and as positives. */
static double row_value(const reference *r, const double *z, const double *y, int64_t i)
{
    const int64_t m = r->classes + r->k;
    double *e = hnt_alloc((size_t)m * sizeof *e), *in = hnt_alloc((size_t)m * sizeof *in),
           *positive = hnt_alloc((size_t)m * sizeof *positive), max = -INFINITY, sum = 0, total = 0, near = 0;
    for (int64_t c = 0; c < r->classes; ++c) {
        double shift = r->o.logit_adjustment == NULL ? 0 : (double)r->o.logit_adjustment[c];
        e[c] = (r->t[i * r->classes + c] + shift) / (double)r->o.logit_temperature;
        in[c] = 1;
        positive[c] = c == r->labels[i] ? (double)r->o.beta : 0;
    }
    for (int64_t k = 0; k < r->k; ++k) {
        const int there = r->key_labels[k] >= 0 && (r->self == NULL || k != r->self[i]);
        double s = 0;
        for (int64_t d = 0; d < r->dim; ++d)
            s += z[i * r->dim + d] * y[k * r->dim + d];
        e[r->classes + k] = s / (double)r->o.temperature;
        in[r->classes + k] = there ? (double)r->o.gamma : 0;
        positive[r->classes + k] = there && r->key_labels[k] == r->labels[i] ? (double)r->o.alpha : 0;
    }
    for (int64_t j = 0; j < m; ++j)
        max = in[j] > 0 ? fmax(max, e[j]) : max;
    for (int64_t j = 0; j < m; ++j) {
        sum += in[j] > 0 ? in[j] * exp(e[j] - max) : 0;
        near += positive[j] * e[j];
        total += positive[j];
    }
    free(e);
    free(in);
    free(positive);
    return total > 0 ? max + log(sum) - near / total : 0;
}

static double evaluate(const void *arg)
{
    const reference *r = arg;
    double *z = unit_rows(r, r->z, r->n), *y = unit_rows(r, r->y, r->k), total = 0;
    int64_t counted = 0;
    for (int64_t i = 0; i < r->n; ++i) {
        double row = r->labels[i] < 0 ? 0 : row_value(r, z, y, i);
        counted += r->labels[i] >= 0;
        total += row;
        r->rows[i] = row;
    }
    free(z);
    free(y);
    return r->o.reduction == HN_REDUCE_SUM || counted == 0 ? total : total / (double)counted;
}

static reference refer(const batch *b)
{
    const int64_t ld = b->dim + b->pad;
    reference r = {.o = b->o,
                   .n = b->n,
                   .k = b->k,
                   .classes = b->classes,
                   .dim = b->dim,
                   .labels = b->labels,
                   .key_labels = b->key_labels,
                   .self = b->self};
    r.t = hnt_dense_d(b->t, b->n, b->classes, b->classes + b->pad);
    r.z = hnt_dense_d(b->z, b->n, b->dim, ld);
    r.y = hnt_dense_d(b->y, b->k, b->dim, ld);
    r.rows = hnt_alloc((size_t)b->n * sizeof *r.rows);
    return r;
}

static void drop_reference(reference *r)
{
    free(r->t);
    free(r->z);
    free(r->y);
    free(r->rows);
}

static void check_value(batch *b)
{
    hnt_ok(call(b));
    reference r = refer(b);
    double want = evaluate(&r);
    /* A value is a difference of similarities: it is as exact as these are large. */
    double rounding = 5e-7 * (double)(b->o.normalize ? 1 : b->dim) / (double)b->o.temperature +
                      2e-7 * (double)b->classes / (double)b->o.logit_temperature;
    ck_assert_double_eq_tol(b->loss, want, rounding * (b->o.reduction == HN_REDUCE_SUM ? (double)b->n : 1) + 1e-6);
    hnt_near("row_loss", b->rows, r.rows, b->n, rounding + 1e-6);
    drop_reference(&r);
}

/* Options that are not the defaults, many combinations of them. */
static void set(batch *b, int32_t setting)
{
    static const float alphas[] = {0.01f, 0.5f, 0.0f, 2.0f}, betas[] = {1.0f, 0.0f, 0.3f, 1.0f},
                       gammas[] = {1.0f, 0.25f, 3.0f, 0.0f};
    b->o.normalize = (setting & 1) == 0;
    b->o.reduction = setting >> 1 & 1;
    b->o.temperature = setting >> 2 & 1 ? 0.2f : 1.0f;
    b->o.alpha = alphas[setting % 4];
    b->o.beta = b->o.alpha == 0.0f ? 1.0f : betas[setting / 2 % 4];
    b->o.gamma = gammas[setting / 3 % 4];
    b->o.logit_temperature = setting % 5 == 2 ? 0.4f : 1.0f;
    b->o.logit_adjustment = setting % 3 == 1 ? b->adjustment : NULL;
}

/* ---- unit ------------------------------------------------------------------------------------------------------------ */

START_TEST(values_follow_the_formula)
{
    static const int64_t shapes[][5] = {{1, 1, 1, 1, 0},    {5, 0, 3, 4, 3},    {6, 4, 2, 3, 1},  {64, 64, 7, 16, 0},
                                        {20, 300, 9, 5, 2}, {270, 33, 4, 8, 0}, {3, 50, 90, 6, 0}};
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; ++s)
        for (int32_t setting = 0; setting < 12; ++setting) {
            batch b = make(s, shapes[s][0], shapes[s][1], shapes[s][2], shapes[s][3], shapes[s][4]);
            set(&b, setting);
            check_value(&b);
            drop(&b);
        }
    batch wide = make(9, 12, 3000, 5, 4, 0); /* more than one chunk of keys */
    wide.o.temperature = 0.2f;
    check_value(&wide);
    drop(&wide);
}
END_TEST

START_TEST(defaults_are_the_headers)
{
    hn_loss_paco_options o;
    hn_loss_paco_options_init(&o, sizeof o);
    ck_assert_uint_eq(o.struct_size, sizeof o);
    ck_assert_int_eq(o.reduction, HN_REDUCE_MEAN);
    ck_assert_int_eq(o.check_finite, 0);
    ck_assert_int_eq(o.num_threads, 1);
    ck_assert_float_eq(o.grad_scale, 1.0f);
    ck_assert_float_eq(o.grad_beta, 0.0f);
    ck_assert_float_eq(o.temperature, 0.05f);
    ck_assert_int_eq(o.normalize, 1);
    ck_assert_float_eq(o.alpha, 0.01f);
    ck_assert_float_eq(o.beta, 1.0f);
    ck_assert_float_eq(o.gamma, 1.0f);
    ck_assert_float_eq(o.logit_temperature, 1.0f);
    ck_assert_ptr_null(o.logit_adjustment);
    /* NULL options are the defaults; self NULL is no self. */
    batch b = make(3, 20, 30, 4, 6, 0);
    for (int64_t i = 0; i < b.n; ++i)
        b.self[i] = -1;
    hnt_ok(call(&b));
    size_t bytes;
    hnt_ok(hn_loss_paco_scratch(NULL, b.n, b.k, b.classes, b.dim, &bytes));
    hn_scratch scratch = hnt_scratch(bytes);
    double loss;
    hnt_ok(hn_loss_paco(NULL, &(hn_cmatf){b.t, b.n, b.classes, b.classes}, &(hn_cmatf){b.z, b.n, b.dim, b.dim},
                        b.labels, &(hn_cmatf){b.y, b.k, b.dim, b.dim}, b.key_labels, NULL, &loss, NULL, NULL, NULL,
                        NULL, &scratch));
    ck_assert_double_eq(loss, b.loss);
    free(scratch.data);
    drop(&b);
}
END_TEST

static void check_zero(const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; ++i)
        ck_assert_float_eq(x[i], 0.0f);
}

START_TEST(nothing_to_learn_from_is_zero)
{
    batch b = make(5, 30, 40, 6, 8, 0);
    for (int64_t i = 0; i < b.n; ++i)
        b.labels[i] = INT32_MIN;
    hnt_ok(call(&b));
    ck_assert_double_eq(b.loss, 0.0);
    check_zero(b.rows, b.n);
    check_zero(b.dt, b.n * b.classes);
    check_zero(b.dz, b.n * b.dim);
    check_zero(b.dy, b.k * b.dim);
    drop(&b);

    b = make(7, 0, 12, 4, 8, 0);
    b.loss = 5.0;
    hnt_ok(call(&b));
    ck_assert_double_eq(b.loss, 0.0);
    check_zero(b.dy, b.k * b.dim);
    drop(&b);

    b = make(7, 0, 0, 4, 8, 0);
    hnt_ok(call(&b));
    ck_assert_double_eq(b.loss, 0.0);
    drop(&b);

    b = make(8, 10, 20, 4, 8, 0); /* no centre as positive, and no key of any class */
    b.o.beta = 0.0f;
    for (int64_t k = 0; k < b.k; ++k)
        b.key_labels[k] = 100;
    hnt_ok(call(&b));
    ck_assert_double_eq(b.loss, 0.0);
    check_zero(b.dt, b.n * b.classes);
    check_zero(b.dz, b.n * b.dim);
    drop(&b);
}
END_TEST

START_TEST(keys_left_out_are_not_there)
{
    batch b = make(6, 12, 30, 4, 5, 0), few = make(6, 12, 30, 4, 5, 0);
    int64_t kept = 0;
    for (int64_t i = 0; i < b.n; ++i)
        b.self[i] = few.self[i] = -1;
    for (int64_t k = 0; k < b.k; ++k)
        if (b.key_labels[k] >= 0) {
            memcpy(few.y + kept * b.dim, b.y + k * b.dim, (size_t)b.dim * sizeof *b.y);
            few.key_labels[kept++] = b.key_labels[k];
        }
    few.k = few.given = kept;
    ck_assert_int_lt(kept, b.k);
    hnt_ok(call(&b));
    hnt_ok(call(&few));
    hnt_close_d("loss", b.loss, few.loss, 1e-6);
    hnt_close_f("dz", b.dz, few.dz, b.n * b.dim, 1e-5);
    for (int64_t k = 0, l = 0; k < b.k; ++k)
        if (b.key_labels[k] < 0)
            check_zero(b.dy + k * b.dim, b.dim);
        else
            hnt_close_f("dkeys", b.dy + k * b.dim, few.dy + l++ * b.dim, b.dim, 1e-4);
    drop(&b);
    drop(&few);
}
END_TEST

START_TEST(zero_rows_have_gradient_zero)
{
    batch b = make(6, 12, 30, 4, 5, 0);
    for (int64_t d = 0; d < b.dim; ++d)
        b.z[2 * b.dim + d] = b.y[13 * b.dim + d] = 0.0f;
    check_value(&b);
    check_zero(b.dz + 2 * b.dim, b.dim);
    check_zero(b.dy + 13 * b.dim, b.dim);
    hnt_finite("dz", b.dz, b.n * b.dim);
    drop(&b);
}
END_TEST

/* dst = 0.5 old - 3 gradient, as grad_beta and grad_scale are set below. */
static void check_added(const char *what, const float *got, const float *old, const float *gradient, int64_t rows,
                        int64_t cols, int64_t ld)
{
    float *g = hnt_dense(got, rows, cols, ld), *w = hnt_dense(old, rows, cols, ld),
          *d = hnt_dense(gradient, rows, cols, ld);
    for (int64_t i = 0; i < rows * cols; ++i)
        w[i] = 0.5f * w[i] - 3.0f * d[i];
    hnt_close_f(what, g, w, rows * cols, 1e-6);
    free(g);
    free(w);
    free(d);
}

START_TEST(gradients_are_scaled_and_added)
{
    for (int64_t k = 0; k <= 50; k += 50) {
        batch b = make(8, 40, k, 6, 7, 2), c = make(8, 40, k, 6, 7, 2), old = make(80, 40, k, 6, 7, 2);
        hnt_ok(call(&b));
        c.o.grad_scale = -3.0f;
        c.o.grad_beta = 0.5f;
        memcpy(c.dt, old.t, (size_t)(c.n * 8) * sizeof *c.dt);
        memcpy(c.dz, old.z, (size_t)(c.n * 9) * sizeof *c.dz);
        memcpy(c.dy, old.y, (size_t)(c.k * 9) * sizeof *c.dy);
        hnt_ok(call(&c));
        ck_assert_double_eq(c.loss, b.loss);
        check_added("dlogits", c.dt, old.t, b.dt, c.n, 6, 8);
        check_added("dz", c.dz, old.z, b.dz, c.n, 7, 9);
        check_added("dkeys", c.dy, old.y, b.dy, c.k, 7, 9);
        drop(&b);
        drop(&c);
        drop(&old);
    }
}
END_TEST

START_TEST(outputs_may_be_left_out)
{
    batch b = make(9, 40, 50, 6, 7, 0);
    hnt_ok(call(&b));
    for (int which = 0; which < 8; ++which) {
        batch c = make(9, 40, 50, 6, 7, 0);
        float *dt = c.dt, *dz = c.dz, *dy = c.dy;
        c.dt = which & 1 ? c.dt : NULL;
        c.dz = which & 2 ? c.dz : NULL;
        c.dy = which & 4 ? c.dy : NULL;
        c.given = 20; /* some keys are constants */
        hnt_ok(call(&c));
        ck_assert_double_eq(c.loss, b.loss);
        if (c.dt != NULL)
            ck_assert_mem_eq(c.dt, b.dt, (size_t)(b.n * b.classes) * sizeof *b.dt);
        if (c.dz != NULL)
            ck_assert_mem_eq(c.dz, b.dz, (size_t)(b.n * b.dim) * sizeof *b.dz);
        if (c.dy != NULL)
            ck_assert_mem_eq(c.dy, b.dy, (size_t)(c.given * b.dim) * sizeof *b.dy);
        ck_assert(isnan(dy[c.given * b.dim]));
        c.dt = dt;
        c.dz = dz;
        c.dy = dy;
        drop(&c);
    }
    drop(&b);
}
END_TEST

/* The call fails with the sentence, and writes nothing. */
static void refuse(batch *b, hn_status status, const char *sentence)
{
    b->loss = 77.0;
    b->rows[0] = b->dt[0] = b->dz[0] = b->dy[0] = 78.0f;
    hnt_fails(call(b), status, sentence);
    ck_assert_double_eq(b->loss, 77.0);
    ck_assert(b->rows[0] == 78.0f && b->dt[0] == 78.0f && b->dz[0] == 78.0f && b->dy[0] == 78.0f);
}

START_TEST(options_out_of_range_are_named)
{
    batch b = make(10, 12, 20, 4, 3, 0);
    const hn_loss_paco_options good = b.o;
    struct {
        float *field, value;
        const char *sentence;
    } cases[] = {{&b.o.temperature, 0.0f, "temperature is 0"},
                 {&b.o.temperature, NAN, "temperature is nan"},
                 {&b.o.logit_temperature, -1.0f, "logit_temperature is -1"},
                 {&b.o.logit_temperature, 1e-45f, "logit_temperature is 1"},
                 {&b.o.alpha, -0.5f, "alpha is -0.5"},
                 {&b.o.beta, INFINITY, "beta is inf"},
                 {&b.o.gamma, NAN, "gamma is nan"},
                 {&b.o.grad_scale, INFINITY, "grad_scale is inf"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; ++i) {
        *cases[i].field = cases[i].value;
        refuse(&b, HN_E_ARG, cases[i].sentence);
        b.o = good;
    }
    b.o.alpha = b.o.beta = 0.0f;
    refuse(&b, HN_E_ARG, "both 0");
    b.o = good;
    b.o.reduction = 2;
    refuse(&b, HN_E_ARG, "reduction 2");
    b.o = good;
    b.o.struct_size = 0;
    refuse(&b, HN_E_ARG, "struct_size is 0");
    b.o = good;
    b.o.logit_adjustment = b.adjustment;
    b.adjustment[2] = -INFINITY;
    refuse(&b, HN_E_ARG, "logit_adjustment[2] is -inf");
    b.o = good;
    b.labels[5] = 4;
    refuse(&b, HN_E_LABEL, "label 4 of row 5");
    b.labels[5] = 0;
    b.self[3] = 20;
    refuse(&b, HN_E_ARG, "self[3] is 20");
    b.self[3] = -1;
    b.given = 21;
    refuse(&b, HN_E_SHAPE, "dkeys has 21 rows");
    b.given = 20;
    b.o.check_finite = 1;
    hnt_ok(call(&b));
    b.t[5] = NAN;
    refuse(&b, HN_E_NONFINITE, "logits holds");
    b.t[5] = 0.0f;
    b.y[4] = INFINITY;
    refuse(&b, HN_E_NONFINITE, "keys holds inf in row 1, column 1");
    b.y[4] = 0.0f;
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
    const hn_cmatf z = {x, 4, 3, 3}, y = {x, 3, 3, 3}, narrow = {x, 3, 2, 2}, nothing = {NULL, 4, 3, 3},
                   bad_ld = {x, 4, 3, 2};
    hn_matf dz = {g, 4, 3, 3}, dz_short = {g, 3, 3, 3}, dz_narrow = {g, 3, 2, 3}, dz_null = {NULL, 4, 3, 3};
    size_t bytes, many;
    hnt_ok(hn_loss_paco_scratch(NULL, 4, 3, 3, 3, &bytes));
    hn_scratch good = hnt_scratch(bytes + 64), small = {good.data, bytes - 1}, odd = {(char *)good.data + 4, bytes};
    double loss = 77.0;
    struct {
        const hn_cmatf *logits, *z;
        const int32_t *labels;
        const hn_cmatf *keys;
        const int32_t *key_labels;
        hn_matf *dlogits, *dz, *dkeys;
        const hn_scratch *scratch;
        hn_status status;
        const char *sentence;
    } cases[] = {{NULL, &z, labels, &y, labels, NULL, NULL, NULL, &good, HN_E_ARG, "logits is NULL"},
                 {&z, NULL, labels, &y, labels, NULL, NULL, NULL, &good, HN_E_ARG, "z is NULL"},
                 {&z, &z, NULL, &y, labels, NULL, NULL, NULL, &good, HN_E_ARG, "labels is NULL"},
                 {&z, &z, labels, NULL, labels, NULL, NULL, NULL, &good, HN_E_ARG, "keys is NULL"},
                 {&z, &z, labels, &y, NULL, NULL, NULL, NULL, &good, HN_E_ARG, "key_labels is NULL"},
                 {&nothing, &z, labels, &y, labels, NULL, NULL, NULL, &good, HN_E_ARG, "logits.data is NULL"},
                 {&z, &bad_ld, labels, &y, labels, NULL, NULL, NULL, &good, HN_E_SHAPE, "z.ld is 2"},
                 {&y, &z, labels, &y, labels, NULL, NULL, NULL, &good, HN_E_SHAPE, "logits have 3 rows"},
                 {&z, &z, labels, &narrow, labels, NULL, NULL, NULL, &good, HN_E_SHAPE, "keys have 2 columns"},
                 {&z, &z, labels, &y, labels, &dz_short, NULL, NULL, &good, HN_E_SHAPE, "dlogits is 3x3"},
                 {&z, &z, labels, &y, labels, NULL, &dz_short, NULL, &good, HN_E_SHAPE, "dz is 3x3"},
                 {&z, &z, labels, &y, labels, NULL, &dz_null, NULL, &good, HN_E_ARG, "dz.data is NULL"},
                 {&z, &z, labels, &y, labels, NULL, NULL, &dz, &good, HN_E_SHAPE, "dkeys has 4 rows"},
                 {&z, &z, labels, &y, labels, NULL, NULL, &dz_narrow, &good, HN_E_SHAPE, "dkeys is 3x2"},
                 {&z, &z, labels, &y, labels, NULL, NULL, NULL, NULL, HN_E_WORKSPACE, "scratch is NULL"},
                 {&z, &z, labels, &y, labels, NULL, NULL, NULL, &small, HN_E_WORKSPACE, "bytes"},
                 {&z, &z, labels, &y, labels, NULL, NULL, NULL, &odd, HN_E_WORKSPACE, "aligned"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; ++i)
        hnt_fails(hn_loss_paco(NULL, cases[i].logits, cases[i].z, cases[i].labels, cases[i].keys, cases[i].key_labels,
                               NULL, &loss, NULL, cases[i].dlogits, cases[i].dz, cases[i].dkeys, cases[i].scratch),
                  cases[i].status, cases[i].sentence);
    ck_assert_double_eq(loss, 77.0);
    hnt_fails(hn_loss_paco_scratch(NULL, 4, 3, 3, 3, NULL), HN_E_ARG, "bytes is NULL");
    hnt_fails(hn_loss_paco_scratch(NULL, 4, 3, 0, 3, &many), HN_E_SHAPE, "logits is 4x0");
    hnt_fails(hn_loss_paco_scratch(NULL, -4, 3, 3, 3, &many), HN_E_SHAPE, "-4");
    hnt_fails(hn_loss_paco_scratch(NULL, 4, INT64_MAX, 3, 3, &many), HN_E_SHAPE, "keys is");
    free(good.data);
}
END_TEST

/* ---- the object ------------------------------------------------------------------------------------------------------ */

enum { ROWS = 12, CLASSES = 4, DIM = 6, QUEUE = 15 };

/* What the object does in double: logits from the rows and centres, keys from the rows and the queue. */
typedef struct model {
    hn_loss_paco_options o;
    const int32_t *labels;
    double x[ROWS * DIM], centres[CLASSES * DIM], queue[QUEUE * DIM];
    int32_t queue_labels[QUEUE];
    int64_t count; /* rows of the queue */
} model;

static double model_value(const void *arg)
{
    const model *m = arg;
    double u[ROWS * DIM], t[ROWS * CLASSES] = {0}, y[(ROWS + QUEUE) * DIM], rows[ROWS];
    int32_t key_labels[ROWS + QUEUE], self[ROWS];
    memcpy(u, m->x, sizeof u);
    if (m->o.normalize)
        hnt_unit_rows(u, ROWS, DIM);
    for (int i = 0; i < ROWS * CLASSES; ++i)
        for (int d = 0; d < DIM; ++d)
            t[i] += u[i / CLASSES * DIM + d] * m->centres[i % CLASSES * DIM + d];
    memcpy(y, u, sizeof u);
    memcpy(y + ROWS * DIM, m->queue, sizeof m->queue);
    for (int i = 0; i < ROWS; ++i) {
        key_labels[i] = m->labels[i];
        self[i] = i;
    }
    memcpy(key_labels + ROWS, m->queue_labels, sizeof m->queue_labels);
    reference r = {.o = m->o,
                   .n = ROWS,
                   .k = ROWS + m->count,
                   .classes = CLASSES,
                   .dim = DIM,
                   .t = t,
                   .z = u,
                   .y = y,
                   .labels = m->labels,
                   .key_labels = key_labels,
                   .self = self,
                   .rows = rows};
    r.o.normalize = 0;
    return evaluate(&r);
}

/* The oldest row leaves first; the order of rows is of no account. */
static void model_push(model *m, const float *x)
{
    double u[ROWS * DIM];
    for (int i = 0; i < ROWS * DIM; ++i)
        u[i] = (double)x[i];
    if (m->o.normalize)
        hnt_unit_rows(u, ROWS, DIM);
    for (int i = 0; i < ROWS; ++i) {
        if (m->labels[i] < 0)
            continue;
        memmove(m->queue + DIM, m->queue, (QUEUE - 1) * DIM * sizeof *m->queue);
        memmove(m->queue_labels + 1, m->queue_labels, (QUEUE - 1) * sizeof *m->queue_labels);
        memcpy(m->queue, u + i * DIM, DIM * sizeof *u);
        m->queue_labels[0] = m->labels[i];
        m->count += m->count < QUEUE;
    }
}

static void check_object(int32_t normalize)
{
    static const int32_t labels[ROWS] = {0, 1, 0, 3, -1, 2, 0, 1, 0, -7, 3, 0};
    static const int64_t counts[CLASSES] = {100, 50, 20, 5};
    float log_prior[CLASSES], x[ROWS * DIM], dx[ROWS * DIM];
    hn_context *context = hnt_context(1);
    hn_loss *loss;
    hn_loss_paco_options o;
    hn_loss_paco_options_init(&o, sizeof o);
    o.normalize = normalize;
    o.temperature = 0.3f;
    o.alpha = 0.4f;
    o.gamma = 0.7f;
    o.logit_temperature = 0.5f;
    hnt_ok(hn_loss_create_paco(&loss, context, CLASSES, DIM, counts, &o, QUEUE));
    hn_rng rng;
    hn_rng_seed(&rng, 5, 0);
    hnt_ok(hn_loss_init_params(loss, &rng));
    for (int c = 0; c < CLASSES; ++c)
        log_prior[c] = (float)log((double)counts[c] / 175.0);
    o.logit_adjustment = log_prior;
    model m = {.o = o, .labels = labels};
    hn_param param = {.struct_size = sizeof param};
    ck_assert_int_eq(hn_loss_param_count(loss), 1);
    hnt_ok(hn_loss_param(loss, 0, &param));
    ck_assert_str_eq(param.name, "centers");
    const float *centres = hn_tensor_data(param.value);
    float *dcentres = hn_tensor_data(param.grad);
    for (int i = 0; i < CLASSES * DIM; ++i)
        m.centres[i] = (double)centres[i];
    hn_tensor *input, *gradient;
    const hn_desc desc = {HN_F32, 2, {ROWS, DIM}};
    hnt_ok(hn_tensor_wrap(&input, context, x, &desc));
    hnt_ok(hn_tensor_wrap(&gradient, context, dx, &desc));
    for (uint64_t step = 0; step < 4; ++step) {
        hnt_normal(step, x, ROWS * DIM);
        for (int i = 0; i < ROWS * DIM; ++i)
            m.x[i] = (double)x[i];
        double value, want = model_value(&m);
        for (int i = 0; i < CLASSES * DIM; ++i)
            dcentres[i] = 1.0f;
        hnt_ok(hn_loss_apply(loss, input, labels, 2.0f, &value, NULL)); /* changes nothing */
        hnt_close_d("value", value, want, 1e-5);
        hnt_ok(hn_loss_apply(loss, input, labels, 2.0f, &value, gradient));
        hnt_close_d("value", value, want, 1e-5);
        double *wx = hnt_differences(model_value, &m, m.x, ROWS * DIM),
               *wc = hnt_differences(model_value, &m, m.centres, CLASSES * DIM);
        for (int i = 0; i < ROWS * DIM; ++i)
            wx[i] *= 2;
        for (int i = 0; i < CLASSES * DIM; ++i)
            wc[i] = 1 + 2 * wc[i];
        hnt_close_fd("dinput", dx, wx, ROWS * DIM, 2e-5);
        hnt_close_fd("centers.grad", dcentres, wc, CLASSES * DIM, 2e-5);
        free(wx);
        free(wc);
        model_push(&m, x);
    }
    ck_assert_int_eq(m.count, QUEUE);
    /* init_params empties the queue. */
    hnt_ok(hn_loss_init_params(loss, &rng));
    m.count = 0;
    double value;
    hnt_ok(hn_loss_apply(loss, input, labels, 1.0f, &value, NULL));
    hnt_close_d("value", value, model_value(&m), 1e-5);
    /* Nothing changes on failure. */
    int32_t bad[ROWS] = {0};
    bad[3] = CLASSES;
    value = 77.0;
    hnt_fails(hn_loss_apply(loss, input, bad, 1.0f, &value, gradient), HN_E_LABEL, "label 4 of row 3");
    ck_assert_double_eq(value, 77.0);
    hnt_ok(hn_loss_apply(loss, input, labels, 1.0f, &value, NULL));
    hnt_close_d("value", value, model_value(&m), 1e-5);
    hn_tensor_destroy(input);
    hn_tensor_destroy(gradient);
    hn_loss_destroy(loss);
    hn_context_destroy(context);
}

START_TEST(the_object_follows_its_description)
{
    check_object(1);
    check_object(0);
}
END_TEST

START_TEST(objects_that_cannot_be_are_named)
{
    hn_context *context = hnt_context(1);
    hn_loss *loss = NULL;
    int64_t counts[CLASSES] = {3, 2, -4, 1};
    const float adjustment[CLASSES] = {0, 0, NAN, 0};
    hn_loss_paco_options o;
    hn_loss_paco_options_init(&o, sizeof o);
    hnt_fails(hn_loss_create_paco(NULL, context, CLASSES, DIM, NULL, NULL, 0), HN_E_ARG, "out is NULL");
    hnt_fails(hn_loss_create_paco(&loss, NULL, CLASSES, DIM, NULL, NULL, 0), HN_E_ARG, "context is NULL");
    hnt_fails(hn_loss_create_paco(&loss, context, 0, DIM, NULL, NULL, 0), HN_E_ARG, "classes is 0");
    hnt_fails(hn_loss_create_paco(&loss, context, CLASSES, DIM, NULL, NULL, -1), HN_E_SHAPE, "the queue is -1x6");
    hnt_fails(hn_loss_create_paco(&loss, context, CLASSES, DIM, NULL, NULL, INT64_MAX), HN_E_SHAPE, "the queue");
    hnt_fails(hn_loss_create_paco(&loss, context, INT32_MAX, INT32_MAX, NULL, NULL, 0), HN_E_SHAPE, "centers");
    hnt_fails(hn_loss_create_paco(&loss, context, CLASSES, DIM, counts, NULL, 4), HN_E_ARG, "counts[2] is -4");
    counts[2] = 1;
    o.logit_adjustment = adjustment;
    hnt_fails(hn_loss_create_paco(&loss, context, CLASSES, DIM, counts, &o, 4), HN_E_ARG, "both given");
    hnt_fails(hn_loss_create_paco(&loss, context, CLASSES, DIM, NULL, &o, 4), HN_E_ARG, "logit_adjustment[2] is nan");
    o.logit_adjustment = NULL;
    o.temperature = -1.0f;
    hnt_fails(hn_loss_create_paco(&loss, context, CLASSES, DIM, counts, &o, 4), HN_E_ARG, "temperature is -1");
    ck_assert_ptr_null(loss);
    hn_context_destroy(context);
}
END_TEST

/* ---- grad ------------------------------------------------------------------------------------------------------------ */

START_TEST(gradients_follow_differences)
{
    for (int32_t setting = 0; setting < 12; ++setting) {
        batch b = make(20 + (uint64_t)setting, 11, setting == 7 ? 0 : 25, 5, 4, setting & 1);
        set(&b, setting);
        hnt_ok(call(&b));
        reference r = refer(&b);
        const int64_t ld = b.dim + b.pad;
        double *wt = hnt_differences(evaluate, &r, r.t, b.n * b.classes),
               *wz = hnt_differences(evaluate, &r, r.z, b.n * b.dim),
               *wy = hnt_differences(evaluate, &r, r.y, b.k * b.dim);
        float *dt = hnt_dense(b.dt, b.n, b.classes, b.classes + b.pad), *dz = hnt_dense(b.dz, b.n, b.dim, ld),
              *dy = hnt_dense(b.dy, b.k, b.dim, ld);
        hnt_close_fd("dlogits", dt, wt, b.n * b.classes, 1e-5);
        hnt_close_fd("dz", dz, wz, b.n * b.dim, 1e-5);
        hnt_close_fd("dkeys", dy, wy, b.k * b.dim, 1e-5);
        free(wt);
        free(wz);
        free(wy);
        free(dt);
        free(dz);
        free(dy);
        drop_reference(&r);
        drop(&b);
    }
}
END_TEST

/* ---- golden ---------------------------------------------------------------------------------------------------------- */

START_TEST(pytorch_agrees)
{
    enum { N = 16, K = 40, C = 7, D = 10, SETTINGS = 6 };
    hn_context *context = hnt_context(1);
    hn_safetensors *file = hnt_golden_open(context, "paco");
    for (int setting = 0; setting < SETTINGS; ++setting) {
        batch b = make(0, N, K, C, D, 0);
        char key[32];
        snprintf(key, sizeof key, "%d.options", setting);
        const float *o = hnt_golden_f(file, key, 7);
        b.o.temperature = o[0];
        b.o.alpha = o[1];
        b.o.beta = o[2];
        b.o.gamma = o[3];
        b.o.logit_temperature = o[4];
        b.o.normalize = (int32_t)o[5];
        b.o.reduction = (int32_t)o[6];
        b.o.logit_adjustment = hnt_golden_f(file, "log_prior", C);
        memcpy(b.t, hnt_golden_f(file, "logits", N * C), N * C * sizeof *b.t);
        memcpy(b.z, hnt_golden_f(file, "z", N * D), N * D * sizeof *b.z);
        memcpy(b.y, hnt_golden_f(file, "keys", K * D), K * D * sizeof *b.y);
        memcpy(b.labels, hnt_golden_i(file, "labels", N), N * sizeof *b.labels);
        memcpy(b.key_labels, hnt_golden_i(file, "key_labels", K), K * sizeof *b.key_labels);
        memcpy(b.self, hnt_golden_i(file, "self", N), N * sizeof *b.self);
        hnt_ok(call(&b));
        snprintf(key, sizeof key, "%d.loss", setting);
        hnt_close_d(key, b.loss, (double)hnt_golden_f(file, key, 1)[0], 1e-5);
        snprintf(key, sizeof key, "%d.rows", setting);
        hnt_close_f(key, b.rows, hnt_golden_f(file, key, N), N, 1e-5);
        snprintf(key, sizeof key, "%d.dlogits", setting);
        hnt_close_f(key, b.dt, hnt_golden_f(file, key, N * C), N * C, 1e-5);
        snprintf(key, sizeof key, "%d.dz", setting);
        hnt_close_f(key, b.dz, hnt_golden_f(file, key, N * D), N * D, 1e-5);
        snprintf(key, sizeof key, "%d.dkeys", setting);
        hnt_close_f(key, b.dy, hnt_golden_f(file, key, K * D), K * D, 1e-5);
        drop(&b);
    }
    hn_safetensors_close(file);
    hn_context_destroy(context);
}
END_TEST

/* ---- property -------------------------------------------------------------------------------------------------------- */

START_TEST(without_keys_it_is_cross_entropy)
{
    for (int how = 0; how < 2; ++how) { /* gamma and alpha 0; no keys */
        batch b = make(30, 40, how == 0 ? 30 : 0, 6, 5, 1);
        b.o.alpha = how == 0 ? 0.0f : 0.3f;
        b.o.gamma = how == 0 ? 0.0f : 1.0f;
        b.o.logit_adjustment = b.adjustment;
        hnt_ok(call(&b));
        hn_loss_ce_options o;
        hn_loss_ce_options_init(&o, sizeof o);
        o.logit_adjustment = b.adjustment;
        size_t bytes;
        hnt_ok(hn_loss_ce_scratch(&o, b.n, b.classes, &bytes));
        hn_scratch scratch = hnt_scratch(bytes);
        float *g = hnt_poison(b.n * 7), *rows = hnt_poison(b.n);
        hn_matf dt = {g, b.n, b.classes, 7};
        double loss;
        hnt_ok(hn_loss_ce(&o, &(hn_cmatf){b.t, b.n, b.classes, 7}, b.labels, &loss, rows, &dt, &scratch));
        hnt_close_d("loss", b.loss, loss, 1e-6);
        hnt_close_f("row_loss", b.rows, rows, b.n, 1e-6);
        float *got = hnt_dense(b.dt, b.n, b.classes, 7), *want = hnt_dense(g, b.n, b.classes, 7);
        hnt_close_f("dlogits", got, want, b.n * b.classes, 1e-6);
        float *dz = hnt_dense(b.dz, b.n, b.dim, 6);
        check_zero(dz, b.n * b.dim);
        free(dz);
        free(got);
        free(want);
        free(g);
        free(rows);
        free(scratch.data);
        drop(&b);
    }
}
END_TEST

START_TEST(with_weak_centres_it_is_supcon)
{
    batch b = make(31, 30, 50, 5, 6, 0);
    b.o.alpha = 0.7f;
    b.o.beta = 0.0f;
    for (int64_t i = 0; i < b.n * b.classes; ++i)
        b.t[i] = -1e4f;
    hnt_ok(call(&b));
    hn_loss_sc_options o;
    hn_loss_sc_options_init(&o, sizeof o);
    o.temperature = b.o.temperature;
    o.reduction = b.o.reduction;
    size_t bytes;
    hnt_ok(hn_loss_sc_contrast_scratch(&o, b.n, b.k, b.dim, &bytes));
    hn_scratch scratch = hnt_scratch(bytes);
    float *dz = hnt_poison(b.n * b.dim), *dy = hnt_poison(b.k * b.dim), *rows = hnt_poison(b.n);
    hn_matf gz = {dz, b.n, b.dim, b.dim}, gy = {dy, b.k, b.dim, b.dim};
    double loss;
    hnt_ok(hn_loss_sc_contrast(&o, &(hn_cmatf){b.z, b.n, b.dim, b.dim}, b.labels, &(hn_cmatf){b.y, b.k, b.dim, b.dim},
                               b.key_labels, b.self, &loss, rows, &gz, &gy, &scratch));
    hnt_close_d("loss", b.loss, loss, 1e-6);
    hnt_close_f("row_loss", b.rows, rows, b.n, 1e-6);
    hnt_close_f("dz", b.dz, dz, b.n * b.dim, 1e-5);
    hnt_close_f("dkeys", b.dy, dy, b.k * b.dim, 1e-5);
    free(dz);
    free(dy);
    free(rows);
    free(scratch.data);
    drop(&b);
}
END_TEST

START_TEST(any_temperature_and_scale_is_finite)
{
    static const float temperatures[] = {0.005f, 0.02f, 0.1f, 1.0f, 100.0f}, scales[] = {1e-20f, 1.0f, 1e20f};
    for (size_t t = 0; t < 5; ++t)
        for (size_t s = 0; s < 3; ++s)
            for (int strong = 0; strong < 2; ++strong) {
                batch b = make(50, 24, 40, 6, 8, 0);
                b.o.temperature = temperatures[t];
                b.o.logit_temperature = temperatures[4 - t];
                for (int64_t d = 0; d < b.dim; ++d) {
                    b.z[b.dim + d] = -b.y[30 * b.dim + d];
                    b.z[2 * b.dim + d] = 0.0f;
                    b.z[3 * b.dim + d] = b.z[5 * b.dim + d];
                    b.y[31 * b.dim + d] = 0.0f;
                }
                for (int64_t i = 0; i < b.n * b.dim; ++i)
                    b.z[i] *= scales[s];
                for (int64_t i = 0; i < b.k * b.dim; ++i)
                    b.y[i] *= scales[2 - s];
                for (int64_t i = 0; strong && i < b.n * b.classes; ++i)
                    b.t[i] *= 1e3f;
                if (strong) {
                    hnt_ok(call(&b));
                    ck_assert(isfinite(b.loss));
                } else
                    check_value(&b);
                hnt_finite("dlogits", b.dt, b.n * b.classes);
                hnt_finite("dz", b.dz, b.n * b.dim);
                hnt_finite("dkeys", b.dy, b.k * b.dim);
                drop(&b);
            }
}
END_TEST

START_TEST(a_masked_row_may_outweigh_everything)
{
    /* The row's own exponential, which is masked, is exp(400) times the others: the authors' 1e-12 would be all of D. */
    batch b = make(52, 6, 6, 3, 4, 0);
    b.o.temperature = 0.005f;
    for (int64_t i = 0; i < b.n; ++i) {
        b.labels[i] = b.key_labels[i] = (int32_t)i % 3;
        b.self[i] = (int32_t)i;
        for (int64_t d = 0; d < b.dim; ++d)
            b.z[i * b.dim + d] = b.y[i * b.dim + d] = d == i % 4 ? 1.0f : 0.0f;
        for (int64_t c = 0; c < b.classes; ++c)
            b.t[i * b.classes + c] = -300.0f;
    }
    check_value(&b);
    hnt_finite("dz", b.dz, b.n * b.dim);
    drop(&b);
}
END_TEST

/* ---- oom ------------------------------------------------------------------------------------------------------------- */

static hn_status life(hn_context *context)
{
    float x[ROWS * DIM], dx[ROWS * DIM];
    int32_t labels[ROWS];
    const int64_t counts[CLASSES] = {4, 3, 2, 1};
    hnt_normal(1, x, ROWS * DIM);
    for (int32_t i = 0; i < ROWS; ++i)
        labels[i] = i % CLASSES;
    hn_loss *loss = NULL;
    hn_tensor *input = NULL, *gradient = NULL;
    const hn_desc desc = {HN_F32, 2, {ROWS, DIM}};
    double value = 77.0;
    hn_status status = hn_loss_create_paco(&loss, context, CLASSES, DIM, counts, NULL, QUEUE);
    ck_assert((status == HN_OK) == (loss != NULL));
    if (status == HN_OK)
        status = hn_tensor_wrap(&input, context, x, &desc);
    if (status == HN_OK)
        status = hn_tensor_wrap(&gradient, context, dx, &desc);
    if (status == HN_OK) {
        status = hn_loss_apply(loss, input, labels, 1.0f, &value, gradient);
        if (status < 0)
            ck_assert_double_eq(value, 77.0);
        if (status == HN_E_NOMEM) /* the object is still good */
            hnt_ok(hn_loss_apply(loss, input, labels, 1.0f, &value, gradient));
    }
    hn_tensor_destroy(input);
    hn_tensor_destroy(gradient);
    hn_loss_destroy(loss);
    return status;
}

START_TEST(every_allocation_may_fail)
{
    int64_t failures = 0;
    for (int64_t fail_at = 1;; ++fail_at) { /* 0 is the context's own */
        hnt_counter counter = {.fail_at = fail_at};
        hn_context *context = NULL;
        hnt_ok(hnt_counting_context(&context, &counter, 1));
        hn_status status = life(context);
        hn_context_destroy(context);
        ck_assert_int_eq(counter.alive, 0);
        ck_assert_int_eq(counter.alive_bytes, 0);
        if (status == HN_OK)
            break;
        ck_assert_int_eq(status, HN_E_NOMEM);
        ++failures;
    }
    ck_assert_int_ge(failures,
                     9); /* the object, prior, queue and its labels, centres and gradient, two views, scratch */
}
END_TEST

START_TEST(steps_allocate_nothing)
{
    hnt_counter counter = {.fail_at = -1};
    hn_context *context = NULL;
    float x[ROWS * DIM], dx[ROWS * DIM];
    const int32_t labels[ROWS] = {0};
    const hn_desc desc = {HN_F32, 2, {ROWS, DIM}};
    hn_loss *loss;
    hn_tensor *input, *gradient;
    double value;
    hnt_normal(2, x, ROWS * DIM);
    hnt_ok(hnt_counting_context(&context, &counter, 1));
    hnt_ok(hn_loss_create_paco(&loss, context, CLASSES, DIM, NULL, NULL, QUEUE));
    hnt_ok(hn_tensor_wrap(&input, context, x, &desc));
    hnt_ok(hn_tensor_wrap(&gradient, context, dx, &desc));
    hnt_ok(hn_loss_apply(loss, input, labels, 1.0f, &value, gradient));
    const int64_t calls = counter.calls;
    for (int step = 0; step < 5; ++step)
        hnt_ok(hn_loss_apply(loss, input, labels, 1.0f, &value, gradient));
    ck_assert_int_eq(counter.calls, calls);
    hn_tensor_destroy(input);
    hn_tensor_destroy(gradient);
    hn_loss_destroy(loss);
    hn_context_destroy(context);
}
END_TEST

/* ---- repro ----------------------------------------------------------------------------------------------------------- */

START_TEST(threads_do_not_change_bits)
{
    batch first = make(60, 333, 2100, 30, 24, 1);
    hnt_ok(call(&first));
    for (int32_t threads = 0; threads <= 3; ++threads) {
        batch b = make(60, 333, 2100, 30, 24, 1);
        b.o.num_threads = threads;
        hnt_ok(call(&b));
        ck_assert_mem_eq(&b.loss, &first.loss, sizeof b.loss);
        ck_assert_mem_eq(b.rows, first.rows, 333 * sizeof *b.rows);
        ck_assert_mem_eq(b.dt, first.dt, 333 * 31 * sizeof *b.dt);
        ck_assert_mem_eq(b.dz, first.dz, 333 * 25 * sizeof *b.dz);
        ck_assert_mem_eq(b.dy, first.dy, 2100 * 25 * sizeof *b.dy);
        drop(&b);
    }
    drop(&first);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("paco");
    TCase *unit = hnt_case(s, "unit");
    tcase_add_test(unit, values_follow_the_formula);
    tcase_add_test(unit, defaults_are_the_headers);
    tcase_add_test(unit, nothing_to_learn_from_is_zero);
    tcase_add_test(unit, keys_left_out_are_not_there);
    tcase_add_test(unit, zero_rows_have_gradient_zero);
    tcase_add_test(unit, gradients_are_scaled_and_added);
    tcase_add_test(unit, outputs_may_be_left_out);
    tcase_add_test(unit, options_out_of_range_are_named);
    tcase_add_test(unit, arguments_out_of_shape_are_named);
    tcase_add_test(unit, the_object_follows_its_description);
    tcase_add_test(unit, objects_that_cannot_be_are_named);
    tcase_add_test(hnt_case(s, "grad"), gradients_follow_differences);
    tcase_add_test(hnt_case(s, "golden"), pytorch_agrees);
    TCase *property = hnt_case(s, "property");
    tcase_add_test(property, without_keys_it_is_cross_entropy);
    tcase_add_test(property, with_weak_centres_it_is_supcon);
    tcase_add_test(property, any_temperature_and_scale_is_finite);
    tcase_add_test(property, a_masked_row_may_outweigh_everything);
    TCase *oom = hnt_case(s, "oom");
    tcase_add_test(oom, every_allocation_may_fail);
    tcase_add_test(oom, steps_allocate_nothing);
    tcase_add_test(hnt_case(s, "repro"), threads_do_not_change_bits);
    return s;
}

HNT_MAIN(suite)
