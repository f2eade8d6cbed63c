/* KCL and TSC against a plain double reference, central differences and PyTorch; the draw of positives; targets, centroids
 * and the queue; bits and threads; the object.                                                                          */
#include "golden.h"
#include "loss/queue.h"
#include "loss_case.h"

#include <stdio.h>

/* One call: inputs, options, results. Leading dimensions are the columns plus pad. */
typedef struct batch {
    hn_loss_kcl_options o;
    hn_rng rng;
    int64_t n, k, t, classes, dim, pad, m; /* m: rows of dkeys */
    float *x, *y, *targets, *dx, *dy, *rows;
    int32_t *labels, *key_labels, *self, *own, *class_target; /* self, own: NULL with no pairing */
    double loss;
} batch;

/* pairing: keys 0, 1, ... are the anchors' other views, the last ones the anchors themselves. */
static batch make(uint64_t seed, int64_t n, int64_t k, int64_t t, int64_t dim, int64_t pad, int pairing)
{
    batch b = {.n = n, .k = k, .t = t, .classes = 5, .dim = dim, .pad = pad, .m = k};
    int64_t ld = dim + pad;
    hn_loss_kcl_options_init(&b.o, sizeof b.o);
    hn_rng_seed(&b.rng, seed, 1);
    b.o.target_weight = t > 0 ? 0.2f : 0.0f;
    b.x = hnt_padded(seed, n, dim, ld);
    b.y = hnt_padded(seed + 1, k, dim, ld);
    b.targets = hnt_padded(seed + 2, t, dim, ld);
    b.dx = hnt_poison(n * ld);
    b.dy = hnt_poison(k * ld);
    b.rows = hnt_poison(n);
    b.labels = hnt_alloc((size_t)n * sizeof *b.labels);
    b.key_labels = hnt_alloc((size_t)k * sizeof *b.key_labels);
    b.class_target = hnt_alloc((size_t)b.classes * sizeof *b.class_target);
    for (int64_t i = 0; i < n; ++i)
        b.labels[i] = i % 9 == 4 ? -1 - (int32_t)i : (int32_t)(i % 2 == 0 ? 0 : i / 3 % b.classes);
    for (int64_t i = 0; i < k; ++i)
        b.key_labels[i] = i % 7 == 5 ? -1 : (int32_t)(i % 2 == 0 ? 0 : i * 5 % (b.classes - 1));
    for (int64_t c = 0; c < b.classes; ++c)
        b.class_target[c] = c == 3 || t == 0 ? -1 : (int32_t)((c * 3 + 1) % t);
    if (pairing) {
        b.self = hnt_alloc((size_t)n * sizeof *b.self);
        b.own = hnt_alloc((size_t)n * sizeof *b.own);
        for (int64_t i = 0; i < n; ++i) {
            b.own[i] = i % 5 == 3 ? -1 : (int32_t)(i % (k - 1));
            b.self[i] = i % 4 == 2 ? -7 : (int32_t)(b.own[i] + 1);
        }
    }
    return b;
}

static void drop(batch *b)
{
    free(b->x);
    free(b->y);
    free(b->targets);
    free(b->dx);
    free(b->dy);
    free(b->rows);
    free(b->labels);
    free(b->key_labels);
    free(b->self);
    free(b->own);
    free(b->class_target);
}

static hn_status call(batch *b)
{
    int64_t ld = b->dim + b->pad;
    size_t bytes;
    hn_status status = hn_loss_kcl_scratch(&b->o, b->n, b->k, b->t, b->dim, &bytes);
    if (status < 0)
        return status;
    hn_scratch scratch = hnt_scratch(bytes);
    memset(scratch.data, 0xff, bytes); /* NaN: nothing may rely on what scratch holds */
    hn_matf dx = {b->dx, b->n, b->dim, ld}, dy = {b->dy, b->m, b->dim, ld};
    const hn_cmatf targets = {b->targets, b->t, b->dim, ld};
    if (b->o.rng != NULL)
        b->o.rng = &b->rng; /* the batch may have been copied */
    status = hn_loss_kcl(&b->o, &(hn_cmatf){b->x, b->n, b->dim, ld}, b->labels, &(hn_cmatf){b->y, b->k, b->dim, ld},
                         b->key_labels, b->self, b->own, b->t == 0 ? NULL : &targets, b->classes, b->class_target,
                         &b->loss, b->rows, b->dx == NULL ? NULL : &dx, b->dy == NULL ? NULL : &dy, &scratch);
    free(scratch.data);
    return status;
}

/* ---- the reference --------------------------------------------------------------------------------------------------- */

typedef struct reference {
    const batch *b;
    double *x, *y, *t; /* dense */
    char *chosen;      /* n x k, the positives among the keys */
    double *rows;      /* or NULL */
} reference;

/* The draw as the header has it: Floyd's algorithm over the candidates in their order. */
static void choose(const batch *b, int64_t i, char *chosen)
{
    int32_t *candidate = hnt_alloc((size_t)(b->k + 1) * sizeof *candidate);
    int32_t own = b->own == NULL || b->own[i] < 0 ? -1 : b->own[i],
            self = b->self == NULL || b->self[i] < 0 ? -1 : b->self[i];
    int64_t many = 0;
    for (int32_t k = 0; k < b->k; ++k)
        if (b->key_labels[k] == b->labels[i] && k != own && k != self)
            candidate[many++] = k;
    int64_t take = b->o.positives == 0 || b->o.positives > many ? many : b->o.positives;
    hn_rng stream, zero;
    hn_rng_seed(&zero, 0, 0);
    hn_rng_derive(&stream, b->o.rng == NULL ? &zero : &b->rng, "k_positive", (uint64_t)i);
    for (int64_t last = many - take; last < many; ++last) {
        int64_t rank = (int64_t)hn_rng_below(&stream, (uint64_t)last + 1);
        chosen[candidate[chosen[candidate[rank]] ? last : rank]] = 1;
    }
    if (own >= 0)
        chosen[own] = 1;
    free(candidate);
}

static reference refer(const batch *b)
{
    int64_t ld = b->dim + b->pad;
    reference r = {.b = b};
    r.x = hnt_dense_d(b->x, b->n, b->dim, ld);
    r.y = hnt_dense_d(b->y, b->k, b->dim, ld);
    r.t = hnt_dense_d(b->targets, b->t, b->dim, ld);
    r.rows = hnt_alloc((size_t)b->n * sizeof *r.rows);
    r.chosen = hnt_alloc((size_t)(b->n * b->k + 1));
    for (int64_t i = 0; i < b->n; ++i)
        if (b->labels[i] >= 0)
            choose(b, i, r.chosen + i * b->k);
    return r;
}

static void drop_reference(reference *r)
{
    free(r->x);
    free(r->y);
    free(r->t);
    free(r->rows);
    free(r->chosen);
}

static double similarity(const batch *b, const double *x, const double *y)
{
    double s = 0;
    for (int64_t d = 0; d < b->dim; ++d)
        s += x[d] * y[d];
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

/* The loss of anchor x; *count: its positives. */
static double anchor(const reference *r, const double *x, const double *y, const double *t, int64_t i, int64_t *count)
{
    const batch *b = r->b;
    const bool targeted = b->o.target_weight > 0.0f;
    const int64_t self = b->self == NULL ? -1 : b->self[i];
    double max = -INFINITY, sum = 0, total = 0;
    *count = 0;
    for (int64_t k = 0; k < b->k; ++k)
        if (k != self)
            max = fmax(max, similarity(b, x, y + k * b->dim));
    for (int64_t j = 0; targeted && j < b->t; ++j)
        max = fmax(max, similarity(b, x, t + j * b->dim));
    for (int64_t k = 0; k < b->k; ++k)
        if (k != self)
            sum += exp(similarity(b, x, y + k * b->dim) - max);
    for (int64_t j = 0; targeted && j < b->t; ++j)
        sum += exp(similarity(b, x, t + j * b->dim) - max);
    for (int64_t k = 0; k < b->k; ++k)
        if (r->chosen[i * b->k + k]) {
            total -= similarity(b, x, y + k * b->dim) - max - log(sum);
            ++*count;
        }
    const int64_t j = targeted ? b->class_target[b->labels[i]] : -1;
    if (j >= 0) {
        total -= (double)b->o.target_weight * (similarity(b, x, t + j * b->dim) - max - log(sum));
        ++*count;
    }
    return *count == 0 ? 0 : total / (double)*count;
}

static double evaluate(const void *arg)
{
    const reference *r = arg;
    const batch *b = r->b;
    double *x = copy_rows(b, r->x, b->n), *y = copy_rows(b, r->y, b->k), *t = copy_rows(b, r->t, b->t), total = 0;
    int64_t counted = 0;
    for (int64_t i = 0; i < b->n; ++i) {
        int64_t count = 0;
        double row = b->labels[i] < 0 ? 0 : anchor(r, x + i * b->dim, y, t, i, &count);
        counted += count > 0;
        total += row;
        if (r->rows != NULL)
            r->rows[i] = row;
    }
    free(x);
    free(y);
    free(t);
    return b->o.reduction == HN_REDUCE_SUM || counted == 0 ? total : total / (double)counted;
}

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

static void check_zero(const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; ++i)
        ck_assert_float_eq(x[i], 0.0f);
}

/* ---- unit: the loss -------------------------------------------------------------------------------------------------- */

START_TEST(values_follow_the_formula)
{
    static const int64_t shapes[][5] = {{1, 2, 0, 1, 0},    {6, 9, 3, 4, 3},    {64, 70, 0, 16, 0}, {65, 100, 7, 8, 1},
                                        {270, 40, 4, 5, 2}, {3, 2500, 9, 4, 0}, {5, 0, 4, 3, 0},    {30, 2, 2, 6, 0}};
    static const int32_t positives[] = {6, 0, 1, 3, 1000};
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; ++s)
        for (int32_t setting = 0; setting < 20; ++setting) {
            const int64_t *shape = shapes[s];
            batch b = make(s, shape[0], shape[1], shape[2], shape[3], shape[4], setting % 2 && shape[1] > 1);
            b.o.positives = positives[setting % 5];
            b.o.normalize = setting % 3 != 2;
            b.o.reduction = setting / 5 % 2;
            b.o.rng = setting % 7 == 0 ? NULL : &b.rng;
            b.o.temperature = setting < 10 ? 1.0f : 0.2f;
            check_value(&b);
            drop(&b);
        }
}
END_TEST

START_TEST(defaults_are_the_headers)
{
    hn_loss_kcl_options o;
    hn_loss_kcl_options_init(&o, sizeof o);
    ck_assert_uint_eq(o.struct_size, sizeof o);
    ck_assert_int_eq(o.reduction, HN_REDUCE_MEAN);
    ck_assert_int_eq(o.check_finite, 0);
    ck_assert_int_eq(o.num_threads, 1);
    ck_assert_float_eq(o.grad_scale, 1.0f);
    ck_assert_float_eq(o.grad_beta, 0.0f);
    ck_assert_float_eq(o.temperature, 0.07f);
    ck_assert_int_eq(o.normalize, 1);
    ck_assert_int_eq(o.positives, 6);
    ck_assert_float_eq(o.target_weight, 0.0f);
    ck_assert_ptr_null(o.rng);
    /* NULL options are the defaults. */
    batch b = make(3, 20, 40, 0, 6, 0, 1);
    hnt_ok(call(&b));
    size_t bytes;
    hnt_ok(hn_loss_kcl_scratch(NULL, b.n, b.k, 0, b.dim, &bytes));
    hn_scratch scratch = hnt_scratch(bytes);
    double loss;
    hnt_ok(hn_loss_kcl(NULL, &(hn_cmatf){b.x, b.n, b.dim, b.dim}, b.labels, &(hn_cmatf){b.y, b.k, b.dim, b.dim},
                       b.key_labels, b.self, b.own, NULL, 0, NULL, &loss, NULL, NULL, NULL, &scratch));
    ck_assert_double_eq(loss, b.loss);
    free(scratch.data);
    drop(&b);
}
END_TEST

START_TEST(rows_without_a_positive_do_not_count)
{
    batch b = make(5, 30, 40, 0, 8, 0, 0), c = make(5, 30, 40, 0, 8, 0, 0);
    int64_t lonely = 0;
    for (int64_t i = 0; i < b.n; ++i)
        lonely += b.labels[i] == 4; /* no key has it */
    ck_assert_int_gt(lonely, 0);
    hnt_ok(call(&b));
    for (int64_t i = 0; i < b.n; ++i)
        if (b.labels[i] == 4 || b.labels[i] < 0) {
            ck_assert_float_eq(b.rows[i], 0.0f);
            check_zero(b.dx + i * b.dim, b.dim);
            c.labels[i] = -5;
        }
    hnt_ok(call(&c)); /* as if they were ignored */
    ck_assert_double_eq(b.loss, c.loss);
    ck_assert_mem_eq(b.dx, c.dx, (size_t)(b.n * b.dim) * sizeof *b.dx);
    ck_assert_mem_eq(b.dy, c.dy, (size_t)(b.k * b.dim) * sizeof *b.dy);
    drop(&b);
    drop(&c);

    b = make(6, 12, 20, 0, 4, 0, 0);
    for (int64_t i = 0; i < b.k; ++i)
        b.key_labels[i] = 7; /* nobody has a positive */
    hnt_ok(call(&b));
    ck_assert_double_eq(b.loss, 0.0);
    check_zero(b.rows, b.n);
    check_zero(b.dx, b.n * b.dim);
    check_zero(b.dy, b.k * b.dim);
    drop(&b);

    b = make(7, 0, 20, 3, 4, 0, 0);
    hnt_ok(call(&b));
    ck_assert_double_eq(b.loss, 0.0);
    check_zero(b.dy, b.k * b.dim);
    drop(&b);
}
END_TEST

START_TEST(one_class_and_one_key)
{
    batch b = make(8, 12, 20, 1, 4, 0, 1);
    for (int64_t i = 0; i < b.n; ++i)
        b.labels[i] = 0;
    for (int64_t i = 0; i < b.k; ++i)
        b.key_labels[i] = 0;
    b.class_target[0] = 0;
    check_value(&b);
    drop(&b);
    b = make(9, 1, 1, 0, 4, 0, 0); /* the only key is the only positive: nothing to contrast with */
    hnt_ok(call(&b));
    ck_assert_double_eq_tol(b.loss, 0.0, 1e-6);
    drop(&b);
}
END_TEST

START_TEST(keys_without_a_label_are_negatives)
{
    batch b = make(9, 20, 30, 0, 6, 0, 0), fewer = make(9, 20, 30, 0, 6, 0, 0);
    b.key_labels[29] = -1;
    fewer.k = fewer.m = 29;
    b.o.positives = fewer.o.positives = 0;
    hnt_ok(call(&b));
    hnt_ok(call(&fewer));
    for (int64_t i = 0; i < b.n; ++i) /* one key more in the denominator */
        ck_assert(fewer.rows[i] == 0.0f || b.rows[i] >= fewer.rows[i]);
    ck_assert_double_gt(b.loss, fewer.loss + 1e-3);
    drop(&b);
    drop(&fewer);
}
END_TEST

START_TEST(zero_rows_have_gradient_zero)
{
    batch b = make(6, 12, 20, 3, 5, 0, 1);
    for (int64_t d = 0; d < b.dim; ++d)
        b.x[2 * b.dim + d] = b.y[3 * b.dim + d] = b.targets[d] = 0.0f;
    check_value(&b);
    check_zero(b.dx + 2 * b.dim, b.dim);
    check_zero(b.dy + 3 * b.dim, b.dim);
    hnt_finite("danchors", b.dx, b.n * b.dim);
    hnt_finite("dkeys", b.dy, b.k * b.dim);
    drop(&b);
}
END_TEST

START_TEST(gradients_are_scaled_and_added)
{
    batch b = make(8, 40, 50, 4, 7, 2, 1), c = make(8, 40, 50, 4, 7, 2, 1);
    int64_t ld = b.dim + b.pad;
    hnt_ok(call(&b));
    c.o.grad_scale = -3.0f;
    c.o.grad_beta = 0.5f;
    float *dx = hnt_padded(100, c.n, c.dim, ld), *dy = hnt_padded(101, c.k, c.dim, ld);
    memcpy(c.dx, dx, (size_t)(c.n * ld) * sizeof *dx);
    memcpy(c.dy, dy, (size_t)(c.k * ld) * sizeof *dy);
    hnt_ok(call(&c));
    for (int64_t i = 0; i < c.n * ld; ++i)
        dx[i] = 0.5f * dx[i] - 3.0f * b.dx[i];
    for (int64_t i = 0; i < c.k * ld; ++i)
        dy[i] = 0.5f * dy[i] - 3.0f * b.dy[i];
    float *got = hnt_dense(c.dx, c.n, c.dim, ld), *want = hnt_dense(dx, c.n, c.dim, ld);
    hnt_close_f("danchors", got, want, c.n * c.dim, 1e-6);
    free(got);
    free(want);
    got = hnt_dense(c.dy, c.k, c.dim, ld);
    want = hnt_dense(dy, c.k, c.dim, ld);
    hnt_close_f("dkeys", got, want, c.k * c.dim, 1e-6);
    free(got);
    free(want);
    free(dx);
    free(dy);
    drop(&b);
    drop(&c);
}
END_TEST

START_TEST(outputs_may_be_left_out)
{
    batch b = make(9, 40, 50, 4, 7, 0, 1);
    hnt_ok(call(&b));
    for (int which = 0; which < 8; ++which) {
        batch c = make(9, 40, 50, 4, 7, 0, 1);
        float *dx = c.dx, *dy = c.dy;
        c.dx = which & 1 ? c.dx : NULL;
        c.dy = which & 2 ? c.dy : NULL;
        c.m = which & 4 ? 13 : c.m; /* the gradient of the first keys alone */
        hnt_ok(call(&c));
        ck_assert_double_eq(c.loss, b.loss);
        if (c.dx != NULL)
            ck_assert_mem_eq(c.dx, b.dx, (size_t)(b.n * b.dim) * sizeof *b.dx);
        if (c.dy != NULL)
            ck_assert_mem_eq(c.dy, b.dy, (size_t)(c.m * b.dim) * sizeof *b.dy);
        for (int64_t i = c.m * c.dim; i < c.k * c.dim; ++i)
            ck_assert(isnan(dy[i]));
        c.dx = dx;
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
    b->rows[0] = b->dx[0] = b->dy[0] = 78.0f;
    hnt_fails(call(b), status, sentence);
    ck_assert_double_eq(b->loss, 77.0);
    ck_assert(b->rows[0] == 78.0f && b->dx[0] == 78.0f && b->dy[0] == 78.0f);
}

START_TEST(options_out_of_range_are_named)
{
    batch b = make(10, 12, 15, 4, 3, 0, 1);
    const hn_loss_kcl_options good = b.o;
    b.o.temperature = 0.0f;
    refuse(&b, HN_E_ARG, "temperature is 0");
    b.o.temperature = NAN;
    refuse(&b, HN_E_ARG, "temperature is nan");
    b.o = good;
    b.o.reduction = 2;
    refuse(&b, HN_E_ARG, "reduction 2");
    b.o = good;
    b.o.num_threads = -1;
    refuse(&b, HN_E_ARG, "num_threads is -1");
    b.o = good;
    b.o.grad_scale = INFINITY;
    refuse(&b, HN_E_ARG, "grad_scale is inf");
    b.o = good;
    b.o.positives = -1;
    refuse(&b, HN_E_ARG, "positives is -1");
    b.o = good;
    b.o.target_weight = -0.5f;
    refuse(&b, HN_E_ARG, "target_weight is -0.5");
    b.o.target_weight = NAN;
    refuse(&b, HN_E_ARG, "target_weight is nan");
    b.o = good;
    b.o.struct_size = 0;
    refuse(&b, HN_E_ARG, "struct_size is 0");
    b.o = good;
    b.labels[5] = 5;
    refuse(&b, HN_E_LABEL, "label 5 of row 5");
    b.o.target_weight = 0.0f; /* without targets any label will do */
    hnt_ok(call(&b));
    b.o = good;
    b.labels[5] = 0;
    b.class_target[2] = 4;
    refuse(&b, HN_E_ARG, "class_target[2] is 4");
    b.class_target[2] = 0;
    b.self[3] = 15;
    refuse(&b, HN_E_ARG, "self[3] is 15");
    b.self[3] = -1;
    b.own[6] = 99;
    refuse(&b, HN_E_ARG, "own_key[6] is 99");
    b.own[6] = b.self[6] = 4;
    refuse(&b, HN_E_ARG, "key 4 is both self and own_key of row 6");
    b.self[6] = -1;
    b.m = 16;
    refuse(&b, HN_E_SHAPE, "dkeys has 16 rows");
    b.m = 15;
    b.o.check_finite = 1;
    hnt_ok(call(&b));
    b.y[7] = INFINITY;
    refuse(&b, HN_E_NONFINITE, "keys holds inf in row 2, column 1");
    b.y[7] = 1.0f;
    b.targets[4] = NAN;
    refuse(&b, HN_E_NONFINITE, "targets holds");
    b.targets[4] = 1.0f;
    b.x[0] = NAN;
    refuse(&b, HN_E_NONFINITE, "anchors holds");
    b.o.check_finite = 0;
    hnt_ok(call(&b));
    ck_assert(isnan(b.loss));
    drop(&b);
}
END_TEST

START_TEST(arguments_out_of_shape_are_named)
{
    float x[12] = {1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1, 1}, g[12] = {0};
    const int32_t labels[4] = {0, 1, 2, 0}, which[3] = {0, 1, 2};
    const hn_cmatf z = {x, 4, 3, 3}, y = {x, 4, 3, 3}, t = {x, 3, 3, 3}, narrow = {x, 4, 2, 2},
                   nothing = {NULL, 4, 3, 3}, bad_ld = {x, 4, 3, 2};
    hn_matf dz_short = {g, 3, 3, 3}, dz_ld = {g, 4, 3, 2}, dz_null = {NULL, 4, 3, 3};
    size_t bytes, many;
    hn_loss_kcl_options o;
    hn_loss_kcl_options_init(&o, sizeof o);
    o.target_weight = 0.2f;
    hnt_ok(hn_loss_kcl_scratch(&o, 4, 4, 3, 3, &bytes));
    hn_scratch good = hnt_scratch(bytes + 64), small = {good.data, bytes - 1}, odd = {(char *)good.data + 4, bytes};
    double loss = 77.0;
#define CALL(anchors, l, keys, kl, targets, classes, ct, dx, dy, scratch) \
    hn_loss_kcl(&o, anchors, l, keys, kl, NULL, NULL, targets, classes, ct, &loss, NULL, dx, dy, scratch)
    hnt_ok(CALL(&z, labels, &y, labels, &t, 3, which, NULL, NULL, &good));
    loss = 77.0;
    hnt_fails(CALL(NULL, labels, &y, labels, &t, 3, which, NULL, NULL, &good), HN_E_ARG, "anchors is NULL");
    hnt_fails(CALL(&z, NULL, &y, labels, &t, 3, which, NULL, NULL, &good), HN_E_ARG, "labels is NULL");
    hnt_fails(CALL(&z, labels, NULL, labels, &t, 3, which, NULL, NULL, &good), HN_E_ARG, "keys is NULL");
    hnt_fails(CALL(&z, labels, &y, NULL, &t, 3, which, NULL, NULL, &good), HN_E_ARG, "key_labels is NULL");
    hnt_fails(CALL(&z, labels, &y, labels, NULL, 3, which, NULL, NULL, &good), HN_E_ARG, "targets is NULL");
    hnt_fails(CALL(&z, labels, &y, labels, &t, 0, which, NULL, NULL, &good), HN_E_ARG, "classes is 0");
    hnt_fails(CALL(&z, labels, &y, labels, &t, 3, NULL, NULL, NULL, &good), HN_E_ARG, "class_target is NULL");
    hnt_fails(CALL(&nothing, labels, &y, labels, &t, 3, which, NULL, NULL, &good), HN_E_ARG, "anchors.data is NULL");
    hnt_fails(CALL(&bad_ld, labels, &y, labels, &t, 3, which, NULL, NULL, &good), HN_E_SHAPE, "anchors.ld is 2");
    hnt_fails(CALL(&z, labels, &narrow, labels, &t, 3, which, NULL, NULL, &good), HN_E_SHAPE, "keys have 2 columns");
    hnt_fails(CALL(&z, labels, &y, labels, &narrow, 3, which, NULL, NULL, &good), HN_E_SHAPE, "targets have 2 columns");
    hnt_fails(CALL(&z, labels, &y, labels, &t, 3, which, &dz_short, NULL, &good), HN_E_SHAPE, "danchors is 3x3");
    hnt_fails(CALL(&z, labels, &y, labels, &t, 3, which, &dz_null, NULL, &good), HN_E_ARG, "danchors.data is NULL");
    hnt_fails(CALL(&z, labels, &y, labels, &t, 3, which, NULL, &dz_ld, &good), HN_E_SHAPE, "dkeys.ld is 2");
    hnt_fails(CALL(&z, labels, &y, labels, &t, 3, which, NULL, NULL, NULL), HN_E_WORKSPACE, "scratch is NULL");
    hnt_fails(CALL(&z, labels, &y, labels, &t, 3, which, NULL, NULL, &small), HN_E_WORKSPACE, "bytes");
    hnt_fails(CALL(&z, labels, &y, labels, &t, 3, which, NULL, NULL, &odd), HN_E_WORKSPACE, "aligned");
    ck_assert_double_eq(loss, 77.0);
#undef CALL
    hnt_fails(hn_loss_kcl_scratch(NULL, 4, 4, 3, 3, NULL), HN_E_ARG, "bytes is NULL");
    hnt_fails(hn_loss_kcl_scratch(NULL, -4, 4, 3, 3, &many), HN_E_SHAPE, "anchors is -4x3");
    hnt_fails(hn_loss_kcl_scratch(NULL, 4, INT64_MAX, 3, 3, &many), HN_E_SHAPE, "keys is");
    hnt_fails(hn_loss_kcl_scratch(NULL, 4, 4, -1, 3, &many), HN_E_SHAPE, "targets is -1x3");
    hnt_fails(hn_loss_kcl_scratch(NULL, 4, INT32_MAX, INT32_MAX, 3, &many), HN_E_SHAPE, "together");
    free(good.data);
}
END_TEST

/* ---- unit: targets, centroids, the queue ----------------------------------------------------------------------------- */

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

START_TEST(the_queue_holds_the_last_rows)
{
    enum { CAPACITY = 5, DIM = 2 };
    hn_context *context = hnt_context(1);
    hni_queue q;
    hnt_fails(hni_queue_open(&q, context, -1, DIM, "f"), HN_E_SHAPE, "f: the queue is -1x2");
    hnt_ok(hni_queue_open(&q, context, CAPACITY, DIM, "f"));
    ck_assert_int_eq(q.count, 0);
    int32_t next = 0;
    for (int64_t rows = 0; rows < 8; ++rows) {
        float x[8 * 3];
        int32_t labels[8];
        for (int64_t i = 0; i < rows; ++i) {
            labels[i] = i == 1 ? -1 : next++;
            x[i * 3] = 3.0f * (float)(labels[i] + 1);
            x[i * 3 + 1] = 4.0f * (float)(labels[i] + 1);
            x[i * 3 + 2] = NAN;
        }
        hni_queue_push(&q, &(hn_cmatf){x, rows, DIM, 3}, labels, rows % 2 == 0);
        ck_assert_int_eq(q.count, next < CAPACITY ? next : CAPACITY);
        unsigned seen = 0;
        for (int64_t i = 0; i < q.count; ++i) {
            seen |= 1u << (next - 1 - q.labels[i]); /* the last `count` labels, each once */
            const float length = 5.0f * (float)(q.labels[i] + 1);
            ck_assert_float_eq_tol(q.x[i * DIM] * 4.0f, q.x[i * DIM + 1] * 3.0f, 1e-5f);
            ck_assert(fabsf(q.x[i * DIM + 1] - 0.8f) < 1e-6f || fabsf(q.x[i * DIM + 1] - 0.8f * length) < 1e-6f);
        }
        ck_assert_uint_eq(seen, (1u << q.count) - 1);
    }
    const int32_t before = q.labels[q.next];
    hni_queue_push(&q, &(hn_cmatf){(float[]){1, NAN, -INFINITY, 2}, 2, DIM, DIM}, (int32_t[]){99, 99}, 0);
    ck_assert_int_eq(q.labels[q.next], before);
    hni_queue_close(&q);
    hni_queue_close(&q); /* zero by now */
    hnt_ok(hni_queue_open(&q, context, 0, DIM, "f"));
    hni_queue_push(&q, &(hn_cmatf){(float[]){1, 2}, 1, DIM, DIM}, &(int32_t){0}, 1);
    ck_assert_int_eq(q.count, 0);
    hni_queue_close(&q);
    hn_context_destroy(context);
}
END_TEST

/* ---- unit: the object ------------------------------------------------------------------------------------------------ */

enum { ROWS = 24, CLASSES = 4, DIM = 6, QUEUE = 30 };

static hn_tensor *tensor(hn_context *context, int64_t rows, uint64_t seed)
{
    hn_tensor *t = NULL;
    hnt_ok(hn_tensor_create(&t, context, &(hn_desc){HN_F32, 2, {rows, DIM}}));
    hnt_normal(seed, hn_tensor_data(t), rows * DIM);
    return t;
}

static void label(int32_t *labels, int32_t step)
{
    for (int32_t i = 0; i < ROWS; ++i)
        labels[i] = (i + step) % 7 == 6 ? -1 : (i * i + step) % CLASSES;
}

/* The step an object should take, from its parts: keys are the batch's rows with a label, then the queue. */
static void expect_step(const hn_loss_kcl_options *options, const hn_rng *root, uint64_t step, const hni_queue *q,
                        const float *x, const int32_t *labels, const float *targets, const int32_t *class_target,
                        double *loss, float *dx)
{
    hn_loss_kcl_options o = *options;
    hn_rng rng;
    float keys[(ROWS + QUEUE) * DIM], dkeys[ROWS * DIM];
    int32_t key_labels[ROWS + QUEUE], self[ROWS], m = 0;
    hn_rng_derive(&rng, root, "k_positive step", step);
    o.rng = &rng;
    for (int i = 0; i < ROWS; ++i) {
        self[i] = labels[i] < 0 ? -1 : m;
        if (labels[i] >= 0) {
            memcpy(keys + m * DIM, x + i * DIM, DIM * sizeof *x);
            key_labels[m++] = labels[i];
        }
    }
    for (int64_t i = 0; i < q->count; ++i) {
        memcpy(keys + (m + i) * DIM, q->x + i * DIM, DIM * sizeof *x);
        key_labels[m + i] = q->labels[i];
    }
    size_t bytes;
    hnt_ok(hn_loss_kcl_scratch(&o, ROWS, m + q->count, CLASSES, DIM, &bytes));
    hn_scratch scratch = hnt_scratch(bytes);
    hn_matf g = {dx, ROWS, DIM, DIM}, gk = {dkeys, m, DIM, DIM};
    const hn_cmatf t = {targets, CLASSES, DIM, DIM};
    hnt_ok(hn_loss_kcl(&o, &(hn_cmatf){x, ROWS, DIM, DIM}, labels, &(hn_cmatf){keys, m + q->count, DIM, DIM},
                       key_labels, self, NULL, targets == NULL ? NULL : &t, CLASSES, class_target, loss, NULL, &g, &gk,
                       &scratch));
    for (int i = 0; i < ROWS; ++i)
        for (int d = 0; self[i] >= 0 && d < DIM; ++d)
            dx[i * DIM + d] += dkeys[self[i] * DIM + d];
    free(scratch.data);
}

START_TEST(the_object_contrasts_with_batch_and_queue)
{
    hn_context *context = hnt_context(1);
    hn_loss_kcl_options o;
    hn_rng root;
    hn_rng_seed(&root, 4, 5);
    hn_loss_kcl_options_init(&o, sizeof o);
    o.temperature = 0.3f;
    o.positives = 2;
    o.rng = &root;
    hn_loss *loss = NULL;
    hnt_ok(hn_loss_create_kcl(&loss, context, CLASSES, DIM, &o, QUEUE));
    ck_assert_int_eq(hn_loss_param_count(loss), 0);
    hni_queue q;
    hnt_ok(hni_queue_open(&q, context, QUEUE, DIM, "f"));
    o.grad_scale = -2.0f;
    int32_t labels[ROWS];
    for (int32_t step = 0; step < 5; ++step) {
        hn_tensor *x = tensor(context, ROWS, 10 + (uint64_t)step), *dx = tensor(context, ROWS, 9);
        float want[ROWS * DIM];
        double value = 0, wanted = 0, again = 0;
        label(labels, step);
        expect_step(&o, &root, (uint64_t)step, &q, hn_tensor_cdata(x), labels, NULL, NULL, &wanted, want);
        hnt_ok(hn_loss_apply(loss, x, labels, -2.0f, &again, NULL)); /* changes nothing */
        hnt_ok(hn_loss_apply(loss, x, labels, -2.0f, &value, dx));
        ck_assert_double_eq(value, wanted);
        ck_assert_double_eq(again, wanted);
        ck_assert_mem_eq(hn_tensor_cdata(dx), want, sizeof want);
        hni_queue_push(&q, &(hn_cmatf){hn_tensor_cdata(x), ROWS, DIM, DIM}, labels, 1);
        hn_tensor_destroy(x);
        hn_tensor_destroy(dx);
    }
    hni_queue_close(&q);
    hn_loss_destroy(loss);
    hn_context_destroy(context);
}
END_TEST

START_TEST(the_targeted_object_pulls_classes_to_their_targets)
{
    /* Embeddings moved down the gradient: the classes' mean directions become near orthogonal or opposite, as targets are. */
    hn_context *context = hnt_context(1);
    hn_loss_kcl_options o;
    hn_loss_kcl_options_init(&o, sizeof o);
    o.target_weight = 1.0f;
    o.temperature = 0.2f;
    hn_loss *loss = NULL;
    hnt_ok(hn_loss_create_kcl(&loss, context, CLASSES, DIM, &o, QUEUE));
    hn_tensor *x = tensor(context, ROWS, 3), *dx = tensor(context, ROWS, 4);
    float *z = hn_tensor_data(x), *g = hn_tensor_data(dx);
    int32_t labels[ROWS];
    for (int32_t i = 0; i < ROWS; ++i)
        labels[i] = i % CLASSES;
    double first = 0, value = 77.0;
    hnt_fails(hn_loss_apply(loss, x, labels, 1.0f, &value, dx), HN_E_STATE, "hn_loss_init_params");
    ck_assert_double_eq(value, 77.0);
    hn_rng rng;
    hn_rng_seed(&rng, 8, 0);
    hnt_ok(hn_loss_init_params(loss, &rng));
    for (int step = 0; step < 300; ++step) {
        hnt_ok(hn_loss_apply(loss, x, labels, 5.0f, step == 0 ? &first : &value, dx));
        for (int i = 0; i < ROWS * DIM; ++i)
            z[i] -= g[i];
    }
    ck_assert_double_lt(value, 0.8 * first);
    double *unit = hnt_dense_d(z, ROWS, DIM, DIM);
    hnt_unit_rows(unit, ROWS, DIM);
    for (int i = 0; i < ROWS; ++i)
        for (int k = 0; k < ROWS; ++k) {
            double s = 0;
            for (int d = 0; d < DIM; ++d)
                s += unit[i * DIM + d] * unit[k * DIM + d];
            ck_assert(i % CLASSES == k % CLASSES ? s > 0.9 : s < 0.1);
        }
    /* The same start is the same training, whatever went before. */
    double once = 0, twice = 0;
    hnt_normal(3, z, ROWS * DIM);
    hnt_ok(hn_loss_init_params(loss, &rng));
    hnt_ok(hn_loss_apply(loss, x, labels, 1.0f, &once, dx));
    ck_assert_double_eq(once, first);
    hnt_ok(hn_loss_apply(loss, x, labels, 1.0f, &twice, dx));
    ck_assert_double_ne(once, twice); /* by now there is a queue */
    free(unit);
    hn_tensor_destroy(x);
    hn_tensor_destroy(dx);
    hn_loss_destroy(loss);
    hn_context_destroy(context);
}
END_TEST

START_TEST(misuse_of_the_object_is_named)
{
    hn_context *context = hnt_context(1);
    hn_loss *loss = NULL;
    hn_loss_kcl_options o;
    hn_loss_kcl_options_init(&o, sizeof o);
    hnt_fails(hn_loss_create_kcl(NULL, context, CLASSES, DIM, NULL, QUEUE), HN_E_ARG, "out is NULL");
    hnt_fails(hn_loss_create_kcl(&loss, NULL, CLASSES, DIM, NULL, QUEUE), HN_E_ARG, "context is NULL");
    hnt_fails(hn_loss_create_kcl(&loss, context, 0, DIM, NULL, QUEUE), HN_E_ARG, "classes is 0");
    hnt_fails(hn_loss_create_kcl(&loss, context, CLASSES, 0, NULL, QUEUE), HN_E_ARG, "dim is 0");
    hnt_fails(hn_loss_create_kcl(&loss, context, CLASSES, DIM, NULL, -1), HN_E_SHAPE, "the queue is -1x6");
    hnt_fails(hn_loss_create_kcl(&loss, context, CLASSES, DIM, NULL, INT64_MAX), HN_E_SHAPE, "the queue is");
    o.positives = -2;
    hnt_fails(hn_loss_create_kcl(&loss, context, CLASSES, DIM, &o, QUEUE), HN_E_ARG, "positives is -2");
    ck_assert_ptr_null(loss);
    hnt_ok(hn_loss_create_kcl(&loss, context, CLASSES, DIM, NULL, 0)); /* no queue: the batch alone */
    hn_tensor *x = tensor(context, ROWS, 1), *dx = tensor(context, ROWS, 2), *wide = NULL;
    hnt_ok(hn_tensor_create(&wide, context, &(hn_desc){HN_F32, 2, {ROWS, DIM + 1}}));
    int32_t labels[ROWS];
    label(labels, 0);
    double value = 77.0;
    hnt_fails(hn_loss_apply(loss, wide, labels, 1.0f, &value, NULL), HN_E_SHAPE, "7 columns");
    hnt_fails(hn_loss_apply(loss, x, labels, NAN, &value, dx), HN_E_ARG, "grad_scale");
    labels[8] = CLASSES;
    hnt_fails(hn_loss_apply(loss, x, labels, 1.0f, &value, dx), HN_E_LABEL, "row 8");
    ck_assert_double_eq(value, 77.0);
    labels[8] = 0;
    hnt_ok(hn_loss_apply(loss, x, labels, 1.0f, &value, dx));
    ck_assert(isfinite(value) && value > 0);
    hn_loss_destroy(loss);
    o.positives = 6; /* one class, one target */
    o.target_weight = 0.2f;
    hn_rng rng;
    hn_rng_seed(&rng, 2, 0);
    memset(labels, 0, sizeof labels);
    hnt_ok(hn_loss_create_kcl(&loss, context, 1, DIM, &o, QUEUE));
    hnt_ok(hn_loss_init_params(loss, &rng));
    hnt_ok(hn_loss_apply(loss, x, labels, 1.0f, &value, dx));
    ck_assert(isfinite(value) && value > 0);
    hn_tensor_destroy(x);
    hn_tensor_destroy(dx);
    hn_tensor_destroy(wide);
    hn_loss_destroy(loss);
    hn_context_destroy(context);
}
END_TEST

/* ---- grad ------------------------------------------------------------------------------------------------------------ */

START_TEST(gradients_follow_differences)
{
    for (int32_t setting = 0; setting < 16; ++setting) {
        batch b = make(20 + (uint64_t)setting, 14, 25, setting & 1 ? 4 : 0, 4, setting & 1, setting >> 3);
        b.o.normalize = (setting >> 1 & 1) == 0;
        b.o.reduction = setting >> 2 & 1;
        b.o.positives = setting % 3 == 2 ? 0 : 2;
        b.o.temperature = 0.4f;
        b.o.rng = &b.rng;
        hnt_ok(call(&b));
        reference r = refer(&b);
        int64_t ld = b.dim + b.pad;
        double *wx = hnt_differences(evaluate, &r, r.x, b.n * b.dim),
               *wy = hnt_differences(evaluate, &r, r.y, b.k * b.dim);
        float *dx = hnt_dense(b.dx, b.n, b.dim, ld), *dy = hnt_dense(b.dy, b.k, b.dim, ld);
        hnt_close_fd("danchors", dx, wx, b.n * b.dim, 1e-5);
        hnt_close_fd("dkeys", dy, wy, b.k * b.dim, 1e-5);
        free(wx);
        free(wy);
        free(dx);
        free(dy);
        drop_reference(&r);
        drop(&b);
    }
}
END_TEST

/* ---- golden ---------------------------------------------------------------------------------------------------------- */

START_TEST(pytorch_agrees)
{
    enum { N = 21, K = 30, T = 5, C = 6, D = 9 };
    static const struct {
        const char *kind;
        float temperature, weight;
        int pairing;
    } settings[] = {{"kcl", 0.07f, 0.0f, 1}, {"kcl", 0.5f, 0.0f, 1}, {"kcl", 0.2f, 0.0f, 0},
                    {"tsc", 0.07f, 0.2f, 1}, {"tsc", 0.5f, 0.2f, 1}, {"tsc", 0.2f, 1.5f, 0}};
    hn_context *context = hnt_context(1);
    hn_safetensors *file = hnt_golden_open(context, "k_positive");
    const int32_t *own = hnt_golden_i(file, "own_key", N), *self = hnt_golden_i(file, "self", N);
    for (int32_t setting = 0; setting < 12; ++setting) {
        char name[64], key[96];
        batch b = make(0, N, K, T, D, 0, settings[setting / 2].pairing);
        free(b.class_target);
        b.class_target = hnt_alloc(C * sizeof *b.class_target);
        b.classes = C;
        b.o.positives = 0;
        b.o.normalize = setting % 2;
        b.o.temperature = settings[setting / 2].temperature;
        b.o.target_weight = settings[setting / 2].weight;
        memcpy(b.x, hnt_golden_f(file, "anchors", N * D), N * D * sizeof *b.x);
        memcpy(b.y, hnt_golden_f(file, "keys", K * D), K * D * sizeof *b.y);
        memcpy(b.targets, hnt_golden_f(file, "targets", T * D), T * D * sizeof *b.targets);
        memcpy(b.labels, hnt_golden_i(file, "labels", N), N * sizeof *b.labels);
        memcpy(b.key_labels, hnt_golden_i(file, "key_labels", K), K * sizeof *b.key_labels);
        memcpy(b.class_target, hnt_golden_i(file, "class_target", C), C * sizeof *b.class_target);
        if (b.own != NULL) {
            memcpy(b.own, own, N * sizeof *own);
            memcpy(b.self, self, N * sizeof *self);
        }
        for (int64_t i = 0; !b.o.normalize && i < K * D; ++i) {
            b.y[i] /= 4;
            if (i < N * D)
                b.x[i] /= 4;
            if (i < T * D)
                b.targets[i] /= 4;
        }
        hnt_ok(call(&b));
        snprintf(name, sizeof name, "%s.%g.%d.%d", settings[setting / 2].kind, (double)b.o.temperature,
                 settings[setting / 2].pairing, (int)b.o.normalize);
        snprintf(key, sizeof key, "%s.loss", name);
        hnt_close_d(key, b.loss, (double)hnt_golden_f(file, key, 1)[0], 1e-5);
        snprintf(key, sizeof key, "%s.rows", name);
        hnt_close_f(key, b.rows, hnt_golden_f(file, key, N), N, 1e-5);
        snprintf(key, sizeof key, "%s.danchors", name);
        hnt_close_f(key, b.dx, hnt_golden_f(file, key, N * D), N * D, 1e-4);
        snprintf(key, sizeof key, "%s.dkeys", name);
        hnt_close_f(key, b.dy, hnt_golden_f(file, key, K * D), K * D, 1e-4);
        drop(&b);
    }
    hn_safetensors_close(file);
    hn_context_destroy(context);
}
END_TEST

/* ---- property -------------------------------------------------------------------------------------------------------- */

START_TEST(all_positives_are_the_supervised_contrastive_loss)
{
    enum { N = 40, D = 7 };
    batch b = make(30, N, N, 0, D, 0, 0);
    b.o.positives = 0;
    b.o.temperature = 0.2f;
    b.self = hnt_alloc(N * sizeof *b.self);
    memcpy(b.y, b.x, N * D * sizeof *b.x);
    for (int32_t i = 0; i < N; ++i) {
        b.labels[i] = b.key_labels[i] = i / 3 % 8; /* some are alone in the end */
        b.self[i] = i;
    }
    b.labels[5] = b.key_labels[5] = 90;
    hnt_ok(call(&b));
    hn_loss_sc_options o;
    hn_loss_sc_options_init(&o, sizeof o);
    o.temperature = 0.2f;
    size_t bytes;
    hnt_ok(hn_loss_sc_scratch(&o, N, D, &bytes));
    hn_scratch scratch = hnt_scratch(bytes);
    float dz[N * D], rows[N];
    double loss;
    hnt_ok(hn_loss_sc(&o, &(hn_cmatf){b.x, N, D, D}, b.labels, &loss, rows, &(hn_matf){dz, N, D, D}, &scratch));
    hnt_close_d("loss", b.loss, loss, 1e-6);
    hnt_close_f("row_loss", b.rows, rows, N, 1e-5);
    for (int i = 0; i < N * D; ++i)
        b.dx[i] += b.dy[i];
    hnt_close_f("dz", b.dx, dz, N * D, 1e-5);
    free(scratch.data);
    drop(&b);
}
END_TEST

START_TEST(draws_are_even_and_without_replacement)
{
    /* Key k is the k-th axis: the gradient of an anchor at 0 shows which keys pull it. */
    enum { N = 3000, K = 12, TAKE = 3 };
    batch b = make(31, N, K, 0, K, 0, 0);
    hn_rng_seed(&b.rng, 17, 3);
    b.o.rng = &b.rng;
    b.o.positives = TAKE;
    b.o.normalize = 0;
    b.o.temperature = 1.0f;
    b.o.reduction = HN_REDUCE_SUM;
    b.self = hnt_alloc(N * sizeof *b.self);
    memset(b.x, 0, N * K * sizeof *b.x);
    for (int i = 0; i < K * K; ++i)
        b.y[i] = i / K == i % K;
    for (int k = 0; k < K; ++k)
        b.key_labels[k] = k == 4; /* 11 of class 0, of which one is the anchor itself */
    for (int i = 0; i < N; ++i) {
        b.labels[i] = 0;
        b.self[i] = 7;
    }
    hnt_ok(call(&b));
    double drawn[K] = {0}, pairs[K][K] = {{0}}, chi = 0, chi_pairs = 0;
    for (int i = 0; i < N; ++i) {
        int taken = 0;
        for (int k = 0; k < K; ++k)
            if (b.dx[i * K + k] < 0.0f) { /* 1/11 - 1/3, not 1/11 */
                ++taken;
                ++drawn[k];
                for (int l = 0; l < k; ++l)
                    pairs[k][l] += b.dx[i * K + l] < 0.0f;
            }
        ck_assert_int_eq(taken, TAKE);
    }
    ck_assert_double_eq(drawn[4] + drawn[7], 0.0);
    for (int k = 0; k < K; ++k)
        for (int l = 0; l <= k; ++l)
            if (k != 4 && k != 7 && l != 4 && l != 7) {
                double expected = l == k ? N * TAKE / 10.0 : N * TAKE * (TAKE - 1) / 90.0;
                double got = l == k ? drawn[k] : pairs[k][l];
                *(l == k ? &chi : &chi_pairs) += (got - expected) * (got - expected) / expected;
            }
    ck_assert_double_lt(chi, 27.9);       /* 9 degrees of freedom, 0.1 % */
    ck_assert_double_lt(chi_pairs, 80.1); /* 45, fewer in truth          */

    /* The same state draws the same, another one others. */
    batch again = b;
    again.loss = 0;
    hnt_ok(call(&again));
    ck_assert_double_eq(again.loss, b.loss);
    float *first = hnt_alloc(N * K * sizeof *first);
    memcpy(first, b.dx, N * K * sizeof *first);
    hn_rng_seed(&b.rng, 17, 4);
    hnt_ok(call(&b));
    ck_assert_mem_ne(first, b.dx, N * K * sizeof *first);
    free(first);
    drop(&b);
}
END_TEST

START_TEST(any_temperature_and_scale_is_finite)
{
    static const float temperatures[] = {0.005f, 0.02f, 0.1f, 1.0f, 100.0f}, scales[] = {1e-20f, 1.0f, 1e20f};
    for (size_t t = 0; t < 5; ++t)
        for (size_t s = 0; s < 3; ++s) {
            batch b = make(50, 24, 30, 5, 8, 0, 1);
            b.o.temperature = temperatures[t];
            for (int64_t d = 0; d < b.dim; ++d) {
                b.x[d] = b.y[d];                  /* a row on a key  */
                b.x[b.dim + d] = -b.y[b.dim + d]; /* opposite of one */
                b.x[2 * b.dim + d] = 0.0f;
                b.y[2 * b.dim + d] = b.y[3 * b.dim + d]; /* duplicates */
                b.y[4 * b.dim + d] = 0.0f;
                b.targets[d] = b.x[5 * b.dim + d];
            }
            for (int64_t i = 0; i < b.n * b.dim; ++i)
                b.x[i] *= scales[s];
            for (int64_t i = 0; i < b.k * b.dim; ++i)
                b.y[i] *= scales[2 - s];
            check_value(&b);
            hnt_finite("danchors", b.dx, b.n * b.dim);
            hnt_finite("dkeys", b.dy, b.k * b.dim);
            drop(&b);
        }
}
END_TEST

START_TEST(scale_of_rows_changes_only_their_gradient)
{
    batch b = make(51, 24, 30, 4, 8, 0, 1), c = make(51, 24, 30, 4, 8, 0, 1);
    for (int64_t i = 0; i < c.n * c.dim; ++i)
        c.x[i] *= 0x1p40f;
    hnt_ok(call(&b));
    hnt_ok(call(&c));
    ck_assert_double_eq(b.loss, c.loss);
    for (int64_t i = 0; i < c.n * c.dim; ++i)
        c.dx[i] *= 0x1p40f;
    hnt_close_f("danchors", c.dx, b.dx, b.n * b.dim, 1e-6);
    drop(&b);
    drop(&c);
}
END_TEST

/* ---- oom ------------------------------------------------------------------------------------------------------------- */

static hn_status life(hn_context *context)
{
    float x[ROWS * DIM], dx[ROWS * DIM];
    int32_t labels[ROWS];
    hn_loss_kcl_options o;
    hn_rng rng;
    hn_rng_seed(&rng, 1, 0);
    hn_loss_kcl_options_init(&o, sizeof o);
    o.target_weight = 0.2f;
    hnt_normal(1, x, ROWS * DIM);
    label(labels, 0);
    hn_loss *loss = NULL;
    hn_tensor *input = NULL, *gradient = NULL;
    const hn_desc desc = {HN_F32, 2, {ROWS, DIM}};
    double value = 77.0;
    hn_status status = hn_loss_create_kcl(&loss, context, CLASSES, DIM, &o, QUEUE);
    ck_assert((status == HN_OK) == (loss != NULL));
    if (status == HN_OK)
        status = hn_loss_init_params(loss, &rng);
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
                     10); /* the object, the queue's two, targets' three and their scratch, two views, scratch */
}
END_TEST

START_TEST(steps_after_the_first_allocate_nothing)
{
    hnt_counter counter = {.fail_at = -1};
    hn_context *context = NULL;
    hnt_ok(hnt_counting_context(&context, &counter, 1));
    hn_loss_kcl_options o;
    hn_rng rng;
    hn_rng_seed(&rng, 1, 0);
    hn_loss_kcl_options_init(&o, sizeof o);
    o.target_weight = 0.2f;
    hn_loss *loss = NULL;
    hnt_ok(hn_loss_create_kcl(&loss, context, CLASSES, DIM, &o, QUEUE));
    hnt_ok(hn_loss_init_params(loss, &rng));
    hn_tensor *x = tensor(context, ROWS, 1), *dx = tensor(context, ROWS, 2);
    int32_t labels[ROWS];
    label(labels, 0);
    hnt_ok(hn_loss_apply(loss, x, labels, 1.0f, NULL, dx));
    int64_t calls = counter.calls;
    for (int step = 0; step < 4; ++step) /* the queue fills and turns over */
        hnt_ok(hn_loss_apply(loss, x, labels, 1.0f, NULL, dx));
    ck_assert_int_eq(counter.calls, calls);
    hn_tensor_destroy(x);
    hn_tensor_destroy(dx);
    hn_loss_destroy(loss);
    hn_context_destroy(context);
    ck_assert_int_eq(counter.alive, 0);
}
END_TEST

/* ---- repro ----------------------------------------------------------------------------------------------------------- */

START_TEST(threads_do_not_change_bits)
{
    batch first = make(60, 300, 4500, 40, 24, 1, 1);
    hnt_ok(call(&first));
    for (int32_t threads = 0; threads <= 3; ++threads) {
        batch b = make(60, 300, 4500, 40, 24, 1, 1);
        b.o.num_threads = threads;
        hnt_ok(call(&b));
        ck_assert_mem_eq(&b.loss, &first.loss, sizeof b.loss);
        ck_assert_mem_eq(b.rows, first.rows, 300 * sizeof *b.rows);
        ck_assert_mem_eq(b.dx, first.dx, 300 * 25 * sizeof *b.dx);
        ck_assert_mem_eq(b.dy, first.dy, 4500 * 25 * sizeof *b.dy);
        drop(&b);
    }
    drop(&first);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("k_positive");
    TCase *unit = hnt_case(s, "unit");
    tcase_add_test(unit, values_follow_the_formula);
    tcase_add_test(unit, defaults_are_the_headers);
    tcase_add_test(unit, rows_without_a_positive_do_not_count);
    tcase_add_test(unit, one_class_and_one_key);
    tcase_add_test(unit, keys_without_a_label_are_negatives);
    tcase_add_test(unit, zero_rows_have_gradient_zero);
    tcase_add_test(unit, gradients_are_scaled_and_added);
    tcase_add_test(unit, outputs_may_be_left_out);
    tcase_add_test(unit, options_out_of_range_are_named);
    tcase_add_test(unit, arguments_out_of_shape_are_named);
    tcase_add_test(unit, assignment_is_the_best_there_is);
    tcase_add_test(unit, a_large_assignment_finds_the_hidden_permutation);
    tcase_add_test(unit, misuse_of_the_assignment_is_named);
    tcase_add_test(unit, centroids_follow_their_rows);
    tcase_add_test(unit, the_queue_holds_the_last_rows);
    tcase_add_test(unit, the_object_contrasts_with_batch_and_queue);
    tcase_add_test(unit, the_targeted_object_pulls_classes_to_their_targets);
    tcase_add_test(unit, misuse_of_the_object_is_named);
    tcase_add_test(hnt_case(s, "grad"), gradients_follow_differences);
    tcase_add_test(hnt_case(s, "golden"), pytorch_agrees);
    TCase *property = hnt_case(s, "property");
    tcase_add_test(property, all_positives_are_the_supervised_contrastive_loss);
    tcase_add_test(property, draws_are_even_and_without_replacement);
    tcase_add_test(property, any_temperature_and_scale_is_finite);
    tcase_add_test(property, scale_of_rows_changes_only_their_gradient);
    TCase *oom = hnt_case(s, "oom");
    tcase_add_test(oom, every_allocation_may_fail);
    tcase_add_test(oom, steps_after_the_first_allocate_nothing);
    tcase_add_test(hnt_case(s, "repro"), threads_do_not_change_bits);
    return s;
}

HNT_MAIN(suite)
