/* ProCo against a plain double reference, central differences and PyTorch; its statistics; bits and threads; the object. */
#include "golden.h"
#include "loss_case.h"

#include <stdio.h>

/* One call: inputs, options, results. Leading dimensions are the columns plus pad. */
typedef struct batch {
    hn_loss_proco_options o;
    int64_t n, classes, dim, pad;
    float *z, *mean, *dz, *rows, *adjustment;
    int32_t *labels;
    double loss;
} batch;

static batch make(uint64_t seed, int64_t n, int64_t classes, int64_t dim, int64_t pad)
{
    batch b = {.n = n, .classes = classes, .dim = dim, .pad = pad};
    hn_loss_proco_options_init(&b.o, sizeof b.o);
    const int64_t ld = dim + pad;
    b.z = hnt_padded(seed, n, dim, ld);
    b.mean = hnt_padded(seed + 1, classes, dim, ld);
    b.dz = hnt_poison(n * ld);
    b.rows = hnt_poison(n);
    b.adjustment = hnt_alloc((size_t)classes * sizeof *b.adjustment);
    b.labels = hnt_alloc((size_t)n * sizeof *b.labels);
    for (int64_t i = 0; i < n; ++i)
        b.labels[i] = i % 9 == 4 ? -1 - (int32_t)i : (int32_t)((i * 7 + i / 3) % classes);
    for (int64_t c = 0; c < classes; ++c) { /* lengths 0.15 to 0.95 */
        double square = 0, length = 0.15 + 0.8 * (double)(c % 5) / 4;
        float *row = b.mean + c * ld;
        for (int64_t d = 0; d < dim; ++d)
            square += (double)row[d] * (double)row[d];
        for (int64_t d = 0; d < dim; ++d)
            row[d] = (float)((double)row[d] * length / sqrt(square));
        b.adjustment[c] = -0.4f * (float)(c % 7);
    }
    return b;
}

static void drop(batch *b)
{
    free(b->z);
    free(b->mean);
    free(b->dz);
    free(b->rows);
    free(b->adjustment);
    free(b->labels);
}

static hn_status call(batch *b)
{
    const int64_t ld = b->dim + b->pad;
    size_t bytes;
    hn_status status = hn_loss_proco_scratch(&b->o, b->n, b->classes, b->dim, &bytes);
    if (status < 0)
        return status;
    hn_scratch scratch = hnt_scratch(bytes);
    memset(scratch.data, 0xff, bytes); /* NaN: nothing may rely on what scratch holds */
    hn_matf dz = {b->dz, b->n, b->dim, ld};
    status = hn_loss_proco(&b->o, &(hn_cmatf){b->z, b->n, b->dim, ld}, b->labels,
                           &(hn_cmatf){b->mean, b->classes, b->dim, ld}, &b->loss, b->rows, b->dz == NULL ? NULL : &dz,
                           &scratch);
    free(scratch.data);
    return status;
}

/* ---- the reference --------------------------------------------------------------------------------------------------- */

/* log( I_nu(x) / x^nu ) from the power series, without its constant factors: log sum_k (x^2/4)^k / (k! (nu+1) .. (nu+k)).
 * Terms are positive; the sum is scaled down whenever it grows large.                                                     */
static double log_series(double nu, double x)
{
    double term = 1, sum = 1, scale = 0, q = x * x / 4;
    for (int64_t k = 1; term > 1e-17 * sum || (double)k * ((double)k + nu) < q; ++k) {
        term *= q / ((double)k * ((double)k + nu));
        sum += term;
        if (sum > 1e200) {
            sum *= 1e-200;
            term *= 1e-200;
            scale += 200 * log(10);
        }
    }
    return scale + log(sum);
}

typedef struct reference {
    const batch *b;
    double *z, *mean; /* dense */
    double *rows;
} reference;

static double row_value(const reference *r, const double *z, int64_t i)
{
    const batch *b = r->b;
    double *l = hnt_alloc((size_t)b->classes * sizeof *l), max = -INFINITY, sum = 0, nu = (double)b->dim / 2 - 1;
    for (int64_t c = 0; c < b->classes; ++c) {
        const double *m = r->mean + c * b->dim;
        double square = 0, away = 0;
        for (int64_t d = 0; d < b->dim; ++d)
            square += m[d] * m[d];
        double length = sqrt(square), kappa = (double)b->dim * length / (1 - square);
        kappa = length >= 1 || kappa > 1e5 ? 1e5 : kappa;
        for (int64_t d = 0; d < b->dim; ++d) {
            double v = (length > 0 ? kappa / length * m[d] : 0) + z[i * b->dim + d] / (double)b->o.temperature;
            away += v * v;
        }
        l[c] = log_series(nu, sqrt(away)) - log_series(nu, kappa);
        l[c] += b->o.logit_adjustment == NULL ? 0 : (double)b->o.logit_adjustment[c];
        max = fmax(max, l[c]);
    }
    for (int64_t c = 0; c < b->classes; ++c)
        sum += exp(l[c] - max);
    double own = l[b->labels[i]];
    free(l);
    return max + log(sum) - own;
}

static double evaluate(const void *arg)
{
    const reference *r = arg;
    const batch *b = r->b;
    double *z = hnt_alloc((size_t)(b->n * b->dim) * sizeof *z), total = 0;
    int64_t counted = 0;
    memcpy(z, r->z, (size_t)(b->n * b->dim) * sizeof *z);
    if (b->o.normalize)
        hnt_unit_rows(z, b->n, b->dim);
    for (int64_t i = 0; i < b->n; ++i) {
        double row = b->labels[i] < 0 ? 0 : row_value(r, z, i);
        counted += b->labels[i] >= 0;
        total += row;
        r->rows[i] = row;
    }
    free(z);
    return b->o.reduction == HN_REDUCE_SUM || counted == 0 ? total : total / (double)counted;
}

static reference refer(const batch *b)
{
    const int64_t ld = b->dim + b->pad;
    reference r = {b, hnt_dense_d(b->z, b->n, b->dim, ld), hnt_dense_d(b->mean, b->classes, b->dim, ld), NULL};
    r.rows = hnt_alloc((size_t)b->n * sizeof *r.rows);
    return r;
}

static void drop_reference(reference *r)
{
    free(r->z);
    free(r->mean);
    free(r->rows);
}

static void check_value(batch *b)
{
    hnt_ok(call(b));
    reference r = refer(b);
    double want = evaluate(&r);
    /* A value is a difference of logits, which are as large as 1 / tau. */
    double rounding = 5e-7 * (double)(b->o.normalize ? 1 : b->dim) / (double)b->o.temperature;
    ck_assert_double_eq_tol(b->loss, want, rounding * (b->o.reduction == HN_REDUCE_SUM ? (double)b->n : 1) + 1e-6);
    hnt_near("row_loss", b->rows, r.rows, b->n, rounding + 1e-6);
    drop_reference(&r);
}

static void set(batch *b, int32_t setting)
{
    b->o.normalize = (setting & 1) == 0;
    b->o.reduction = setting >> 1 & 1;
    b->o.temperature = setting >> 2 & 1 ? 0.1f : 1.0f;
    b->o.logit_adjustment = setting % 3 == 0 ? b->adjustment : NULL;
}

/* ---- unit ------------------------------------------------------------------------------------------------------------ */

START_TEST(values_follow_the_formula)
{
    static const int64_t shapes[][4] = {{1, 1, 2, 0},  {5, 3, 4, 3},    {20, 7, 16, 0}, {12, 300, 8, 1},
                                        {30, 5, 3, 2}, {10, 4, 128, 0}, {6, 5, 257, 1}};
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; ++s)
        for (int32_t setting = 0; setting < 8; ++setting) {
            batch b = make(s, shapes[s][0], shapes[s][1], shapes[s][2], shapes[s][3]);
            set(&b, setting);
            check_value(&b);
            drop(&b);
        }
}
END_TEST

START_TEST(defaults_are_the_headers)
{
    hn_loss_proco_options o;
    hn_loss_proco_options_init(&o, sizeof o);
    ck_assert_uint_eq(o.struct_size, sizeof o);
    ck_assert_int_eq(o.reduction, HN_REDUCE_MEAN);
    ck_assert_int_eq(o.check_finite, 0);
    ck_assert_int_eq(o.num_threads, 1);
    ck_assert_float_eq(o.grad_scale, 1.0f);
    ck_assert_float_eq(o.grad_beta, 0.0f);
    ck_assert_float_eq(o.temperature, 0.1f);
    ck_assert_int_eq(o.normalize, 1);
    ck_assert_ptr_null(o.logit_adjustment);
    /* NULL options are the defaults. */
    batch b = make(3, 20, 4, 6, 0);
    hnt_ok(call(&b));
    size_t bytes;
    hnt_ok(hn_loss_proco_scratch(NULL, b.n, b.classes, b.dim, &bytes));
    hn_scratch scratch = hnt_scratch(bytes);
    double loss;
    hnt_ok(hn_loss_proco(NULL, &(hn_cmatf){b.z, b.n, b.dim, b.dim}, b.labels,
                         &(hn_cmatf){b.mean, b.classes, b.dim, b.dim}, &loss, NULL, NULL, &scratch));
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

START_TEST(ignored_rows_add_nothing)
{
    batch b = make(5, 30, 6, 8, 0);
    for (int64_t d = 0; d < b.dim; ++d)
        b.z[4 * b.dim + d] = NAN; /* an ignored row, which is not looked at */
    hnt_ok(call(&b));
    ck_assert(isfinite(b.loss));
    for (int64_t i = 0; i < b.n; ++i)
        if (b.labels[i] < 0) {
            ck_assert_float_eq(b.rows[i], 0.0f);
            check_zero(b.dz + i * b.dim, b.dim);
        }
    hnt_finite("dz", b.dz, b.n * b.dim);
    for (int64_t i = 0; i < b.n; ++i)
        b.labels[i] = INT32_MIN;
    hnt_ok(call(&b));
    ck_assert_double_eq(b.loss, 0.0);
    check_zero(b.rows, b.n);
    check_zero(b.dz, b.n * b.dim);
    drop(&b);
    b = make(7, 0, 4, 8, 0);
    b.loss = 5.0;
    hnt_ok(call(&b));
    ck_assert_double_eq(b.loss, 0.0);
    drop(&b);
    b = make(7, 5, 1, 8, 0); /* one class */
    hnt_ok(call(&b));
    ck_assert_double_eq(b.loss, 0.0);
    check_zero(b.dz, b.n * b.dim);
    drop(&b);
}
END_TEST

START_TEST(zero_rows_have_gradient_zero)
{
    batch b = make(6, 12, 4, 5, 0);
    for (int64_t d = 0; d < b.dim; ++d)
        b.z[2 * b.dim + d] = 0.0f;
    check_value(&b);
    check_zero(b.dz + 2 * b.dim, b.dim);
    drop(&b);
}
END_TEST

START_TEST(gradients_are_scaled_and_added)
{
    for (int32_t normalize = 0; normalize < 2; ++normalize) {
        batch b = make(8, 40, 6, 7, 2), c = make(8, 40, 6, 7, 2);
        b.o.normalize = c.o.normalize = normalize;
        hnt_ok(call(&b));
        c.o.grad_scale = -3.0f;
        c.o.grad_beta = 0.5f;
        float *old = hnt_padded(100, c.n, 7, 9);
        memcpy(c.dz, old, (size_t)(c.n * 9) * sizeof *old);
        hnt_ok(call(&c));
        float *got = hnt_dense(c.dz, c.n, 7, 9), *want = hnt_dense(old, c.n, 7, 9), *g = hnt_dense(b.dz, c.n, 7, 9);
        for (int64_t i = 0; i < c.n * 7; ++i)
            want[i] = 0.5f * want[i] - 3.0f * g[i];
        hnt_close_f("dz", got, want, c.n * 7, 1e-6);
        b.o = c.o;
        free(got);
        free(want);
        free(g);
        free(old);
        /* Without the gradient the value is the same. */
        float *dz = c.dz;
        c.dz = NULL;
        hnt_ok(call(&c));
        ck_assert_double_eq(c.loss, b.loss);
        c.dz = dz;
        drop(&b);
        drop(&c);
    }
}
END_TEST

/* The call fails with the sentence, and writes nothing. */
static void refuse(batch *b, hn_status status, const char *sentence)
{
    b->loss = 77.0;
    b->rows[0] = b->dz[0] = 78.0f;
    hnt_fails(call(b), status, sentence);
    ck_assert_double_eq(b->loss, 77.0);
    ck_assert(b->rows[0] == 78.0f && b->dz[0] == 78.0f);
}

START_TEST(options_out_of_range_are_named)
{
    batch b = make(10, 12, 4, 3, 0);
    const hn_loss_proco_options good = b.o;
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
    b.o.grad_beta = INFINITY;
    refuse(&b, HN_E_ARG, "grad_beta is inf");
    b.o = good;
    b.o.struct_size = 0;
    refuse(&b, HN_E_ARG, "struct_size is 0");
    b.o = good;
    b.o.logit_adjustment = b.adjustment;
    b.adjustment[3] = -INFINITY;
    refuse(&b, HN_E_ARG, "logit_adjustment[3] is -inf");
    b.o = good;
    b.labels[5] = 4;
    refuse(&b, HN_E_LABEL, "label 4 of row 5");
    b.labels[5] = 0;
    b.o.check_finite = 1;
    hnt_ok(call(&b));
    b.mean[7] = INFINITY;
    refuse(&b, HN_E_NONFINITE, "mean holds inf in row 2, column 1");
    b.mean[7] = 0.5f;
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
    const hn_cmatf z = {x, 4, 3, 3}, mean = {x, 3, 3, 3}, narrow = {x, 3, 2, 2}, nothing = {NULL, 4, 3, 3},
                   bad_ld = {x, 4, 3, 2}, none = {x, 0, 3, 3}, thin = {x, 4, 1, 1};
    hn_matf dz_short = {g, 3, 3, 3}, dz_ld = {g, 4, 3, 2}, dz_null = {NULL, 4, 3, 3};
    size_t bytes, many;
    hnt_ok(hn_loss_proco_scratch(NULL, 4, 3, 3, &bytes));
    hn_scratch good = hnt_scratch(bytes + 64), small = {good.data, bytes - 1}, odd = {(char *)good.data + 4, bytes};
    double loss = 77.0;
    hnt_fails(hn_loss_proco(NULL, NULL, labels, &mean, &loss, NULL, NULL, &good), HN_E_ARG, "z is NULL");
    hnt_fails(hn_loss_proco(NULL, &z, labels, NULL, &loss, NULL, NULL, &good), HN_E_ARG, "mean is NULL");
    hnt_fails(hn_loss_proco(NULL, &z, NULL, &mean, &loss, NULL, NULL, &good), HN_E_ARG, "labels is NULL");
    hnt_fails(hn_loss_proco(NULL, &nothing, labels, &mean, &loss, NULL, NULL, &good), HN_E_ARG, "z.data is NULL");
    hnt_fails(hn_loss_proco(NULL, &bad_ld, labels, &mean, &loss, NULL, NULL, &good), HN_E_SHAPE, "z.ld is 2");
    hnt_fails(hn_loss_proco(NULL, &z, labels, &narrow, &loss, NULL, NULL, &good), HN_E_SHAPE, "2 columns");
    hnt_fails(hn_loss_proco(NULL, &z, labels, &none, &loss, NULL, NULL, &good), HN_E_SHAPE, "0 rows");
    hnt_fails(hn_loss_proco(NULL, &thin, labels, &thin, &loss, NULL, NULL, &good), HN_E_SHAPE, "1 columns");
    hnt_fails(hn_loss_proco(NULL, &z, labels, &mean, &loss, NULL, &dz_short, &good), HN_E_SHAPE, "dz is 3x3");
    hnt_fails(hn_loss_proco(NULL, &z, labels, &mean, &loss, NULL, &dz_ld, &good), HN_E_SHAPE, "dz.ld is 2");
    hnt_fails(hn_loss_proco(NULL, &z, labels, &mean, &loss, NULL, &dz_null, &good), HN_E_ARG, "dz.data is NULL");
    hnt_fails(hn_loss_proco(NULL, &z, labels, &mean, &loss, NULL, NULL, NULL), HN_E_WORKSPACE, "scratch is NULL");
    hnt_fails(hn_loss_proco(NULL, &z, labels, &mean, &loss, NULL, NULL, &small), HN_E_WORKSPACE, "bytes");
    hnt_fails(hn_loss_proco(NULL, &z, labels, &mean, &loss, NULL, NULL, &odd), HN_E_WORKSPACE, "aligned");
    ck_assert_double_eq(loss, 77.0);
    hnt_fails(hn_loss_proco_scratch(NULL, 4, 3, 3, NULL), HN_E_ARG, "bytes is NULL");
    hnt_fails(hn_loss_proco_scratch(NULL, 4, 0, 3, &many), HN_E_SHAPE, "classes is 0");
    hnt_fails(hn_loss_proco_scratch(NULL, 4, 3, 1, &many), HN_E_SHAPE, "1 columns");
    hnt_fails(hn_loss_proco_scratch(NULL, INT64_MAX, 3, 3, &many), HN_E_SHAPE, "z is");
    hnt_fails(hn_loss_proco_scratch(NULL, 4, INT64_MAX / 2, 3, &many), HN_E_SHAPE, "mean is");
    free(good.data);
}
END_TEST

/* ---- the statistics -------------------------------------------------------------------------------------------------- */

START_TEST(means_are_of_unit_rows)
{
    enum { N = 40, C = 5, D = 6, LD = 8 };
    float *z = hnt_padded(1, N, D, LD), mean[C * LD];
    int32_t labels[N];
    double sum[C * D] = {0}, twice[C * D] = {0}, want[C * D] = {0};
    int64_t count[C] = {0}, count_twice[C] = {0};
    for (int i = 0; i < N; ++i)
        labels[i] = i % 7 == 2 ? -1 : i % 4; /* none of class 4 */
    for (int d = 0; d < D; ++d)
        z[3 * LD + d] = 0.0f;
    z[2 * LD] = NAN; /* of an ignored row */
    double *unit = hnt_dense_d(z, N, D, LD);
    hnt_unit_rows(unit, N, D);
    hnt_ok(hn_proco_observe(&(hn_cmatf){z, N, D, LD}, labels, 1, C, sum, count));
    /* Two batches are as good as one. */
    hnt_ok(hn_proco_observe(&(hn_cmatf){z, 13, D, LD}, labels, 1, C, twice, count_twice));
    hnt_ok(hn_proco_observe(&(hn_cmatf){z + 13 * LD, N - 13, D, LD}, labels + 13, 1, C, twice, count_twice));
    ck_assert_mem_eq(sum, twice, sizeof sum);
    ck_assert_mem_eq(count, count_twice, sizeof count);
    for (int i = 0; i < C * LD; ++i)
        mean[i] = 33.0f;
    hnt_ok(hn_proco_mean(sum, count, &(hn_matf){mean, C, D, LD}));
    for (int c = 0; c < C; ++c) {
        int64_t rows = 0;
        for (int i = 0; i < N; ++i)
            for (int d = 0; labels[i] == c && d < D; rows += d == 0, ++d)
                want[c * D + d] += unit[i * D + d];
        ck_assert_int_eq(count[c], rows);
        for (int d = 0; d < LD; ++d)
            if (c == 4 || d >= D)
                ck_assert_float_eq(mean[c * LD + d], 33.0f);
            else
                ck_assert_double_eq_tol((double)mean[c * LD + d], want[c * D + d] / (double)rows, 1e-7);
    }
    /* Not normalised: the rows as they are. */
    double plain[C * D] = {0};
    hnt_ok(hn_proco_observe(&(hn_cmatf){z, 1, D, LD}, labels, 0, C, plain, count));
    for (int d = 0; d < D; ++d)
        ck_assert_double_eq(plain[d], (double)z[d]);
    free(unit);
    free(z);
}
END_TEST

START_TEST(statistics_take_no_nonsense)
{
    float x[6] = {1, 2, 3, 4, 5, NAN}, m[6] = {0};
    int32_t labels[2] = {0, 1};
    double sum[6] = {0};
    int64_t count[2] = {0};
    const hn_cmatf z = {x, 2, 3, 3}, bad_ld = {x, 2, 3, 2};
    hn_matf mean = {m, 2, 3, 3};
    hnt_fails(hn_proco_observe(&z, labels, 1, 2, sum, count), HN_E_NONFINITE, "row 1");
    ck_assert(sum[0] == 0.0 && count[0] == 0);
    x[5] = INFINITY;
    hnt_fails(hn_proco_observe(&z, labels, 1, 2, sum, count), HN_E_NONFINITE, "row 1");
    x[5] = 6;
    hnt_fails(hn_proco_observe(NULL, labels, 1, 2, sum, count), HN_E_ARG, "z is NULL");
    hnt_fails(hn_proco_observe(&z, NULL, 1, 2, sum, count), HN_E_ARG, "labels is NULL");
    hnt_fails(hn_proco_observe(&z, labels, 1, 2, NULL, count), HN_E_ARG, "sum is NULL");
    hnt_fails(hn_proco_observe(&z, labels, 1, 2, sum, NULL), HN_E_ARG, "count is NULL");
    hnt_fails(hn_proco_observe(&z, labels, 1, 0, sum, count), HN_E_SHAPE, "classes is 0");
    hnt_fails(hn_proco_observe(&z, labels, 1, 1, sum, count), HN_E_LABEL, "label 1 of row 1");
    hnt_fails(hn_proco_observe(&bad_ld, labels, 1, 2, sum, count), HN_E_SHAPE, "z.ld is 2");
    ck_assert(sum[0] == 0.0 && count[0] == 0);
    hnt_fails(hn_proco_mean(sum, count, NULL), HN_E_ARG, "mean is NULL");
    hnt_fails(hn_proco_mean(NULL, count, &mean), HN_E_ARG, "sum is NULL");
    hnt_fails(hn_proco_mean(sum, NULL, &mean), HN_E_ARG, "count is NULL");
}
END_TEST

/* ---- the object ------------------------------------------------------------------------------------------------------ */

enum { ROWS = 14, CLASSES = 5, DIM = 6 };

/* Two sets of statistics in double, as the header describes them. */
typedef struct model {
    double sum[2][CLASSES * DIM];
    int count[2][CLASSES];
    int used;
} model;

static void model_observe(model *m, const float *x, const int32_t *labels)
{
    double u[ROWS * DIM];
    for (int i = 0; i < ROWS * DIM; ++i)
        u[i] = (double)x[i];
    hnt_unit_rows(u, ROWS, DIM);
    for (int which = 0; which < 2; ++which)
        for (int i = 0; i < ROWS; ++i)
            for (int d = 0; labels[i] >= 0 && d < DIM; ++d) {
                m->sum[which][labels[i] * DIM + d] += u[i * DIM + d];
                m->count[which][labels[i]] += d == 0;
            }
}

static void model_begin_epoch(model *m)
{
    m->used = 1 - m->used;
    memset(m->sum[1 - m->used], 0, sizeof m->sum[0]);
    memset(m->count[1 - m->used], 0, sizeof m->count[0]);
}

static double model_value(const model *m, batch *b, double *dz)
{
    reference r = refer(b);
    for (int i = 0; i < CLASSES * DIM; ++i)
        r.mean[i] = m->count[m->used][i / DIM] == 0 ? 0 : m->sum[m->used][i] / m->count[m->used][i / DIM];
    double value = evaluate(&r);
    if (dz != NULL) {
        double *d = hnt_differences(evaluate, &r, r.z, ROWS * DIM);
        memcpy(dz, d, ROWS * DIM * sizeof *d);
        free(d);
    }
    drop_reference(&r);
    return value;
}

START_TEST(the_object_follows_its_description)
{
    static const int64_t counts[CLASSES] = {50, 30, 10, 7, 3};
    hn_context *context = hnt_context(1);
    hn_loss *loss;
    model m = {.used = 0};
    batch b = make(70, ROWS, CLASSES, DIM, 0);
    b.o.temperature = 0.4f;
    hnt_ok(hn_loss_create_proco(&loss, context, CLASSES, DIM, counts, &b.o));
    ck_assert_int_eq(hn_loss_param_count(loss), 0);
    for (int c = 0; c < CLASSES; ++c)
        b.adjustment[c] = (float)log((double)counts[c] / 100.0);
    b.o.logit_adjustment = b.adjustment;
    hn_tensor *input, *gradient;
    const hn_desc desc = {HN_F32, 2, {ROWS, DIM}};
    hnt_ok(hn_tensor_wrap(&input, context, b.z, &desc));
    hnt_ok(hn_tensor_wrap(&gradient, context, b.dz, &desc));
    double value, dz[ROWS * DIM];
    for (uint64_t step = 0; step < 9; ++step) { /* three epochs of three steps */
        if (step % 3 == 0) {
            hnt_ok(hn_loss_begin_epoch(loss, (int64_t)step / 3));
            model_begin_epoch(&m);
        }
        hnt_normal(80 + step, b.z, ROWS * DIM);
        for (int i = 0; i < ROWS; ++i) {
            b.labels[i] = i == 5 ? -2 : i % (step < 4 ? 4 : 5); /* class 4 comes late */
            b.z[i * DIM + i % 4] += 2.0f;
        }
        hnt_ok(hn_loss_apply(loss, input, b.labels, 1.0f, &value, NULL)); /* changes nothing */
        hnt_close_d("value alone", value, model_value(&m, &b, NULL), 1e-5);
        model_observe(&m, b.z, b.labels);
        hnt_ok(hn_loss_apply(loss, input, b.labels, 3.0f, &value, gradient));
        hnt_close_d("value", value, model_value(&m, &b, dz), 1e-5);
        for (int i = 0; i < ROWS * DIM; ++i)
            dz[i] *= 3;
        hnt_close_fd("dinput", b.dz, dz, ROWS * DIM, 1e-5);
    }
    /* Nothing changes on failure. */
    const float keep = b.z[7];
    b.z[7] = NAN;
    value = 77.0;
    hnt_fails(hn_loss_apply(loss, input, b.labels, 1.0f, &value, gradient), HN_E_NONFINITE, "row 1");
    b.z[7] = keep;
    b.labels[0] = CLASSES;
    hnt_fails(hn_loss_apply(loss, input, b.labels, 1.0f, &value, gradient), HN_E_LABEL, "label 5 of row 0");
    ck_assert_double_eq(value, 77.0);
    b.labels[0] = 0;
    hnt_ok(hn_loss_apply(loss, input, b.labels, 1.0f, &value, NULL));
    hnt_close_d("value", value, model_value(&m, &b, NULL), 1e-5);
    hn_tensor_destroy(input);
    hn_tensor_destroy(gradient);
    hn_loss_destroy(loss);
    hn_context_destroy(context);
    drop(&b);
}
END_TEST

START_TEST(init_params_starts_anew)
{
    hn_context *context = hnt_context(1);
    hn_loss *loss;
    batch b = make(71, ROWS, CLASSES, DIM, 0);
    hnt_ok(hn_loss_create_proco(&loss, context, CLASSES, DIM, NULL, NULL));
    hn_tensor *input, *gradient;
    const hn_desc desc = {HN_F32, 2, {ROWS, DIM}};
    hnt_ok(hn_tensor_wrap(&input, context, b.z, &desc));
    hnt_ok(hn_tensor_wrap(&gradient, context, b.dz, &desc));
    double first, again, other;
    hn_rng rng, another;
    hn_rng_seed(&rng, 3, 0);
    hn_rng_seed(&another, 4, 0);
    /* Nothing seen and no directions: every class is the uniform distribution. */
    hnt_ok(hn_loss_apply(loss, input, b.labels, 1.0f, &first, NULL));
    hnt_close_d("uniform", first, log(CLASSES), 1e-6);
    hnt_ok(hn_loss_init_params(loss, &rng));
    hnt_ok(hn_loss_apply(loss, input, b.labels, 1.0f, &first, NULL));
    ck_assert(fabs(first - log(CLASSES)) > 0.01); /* a direction for each class */
    hnt_ok(hn_loss_apply(loss, input, b.labels, 1.0f, &again, gradient));
    ck_assert(again < first); /* the classes have been seen */
    hnt_ok(hn_loss_begin_epoch(loss, 0));
    hnt_ok(hn_loss_apply(loss, input, b.labels, 1.0f, &other, NULL));
    ck_assert_double_eq(other, again); /* the second set had them too */
    hnt_ok(hn_loss_begin_epoch(loss, 1));
    hnt_ok(hn_loss_apply(loss, input, b.labels, 1.0f, &other, NULL));
    ck_assert_double_eq(other, first); /* a whole epoch without a row */
    hnt_ok(hn_loss_apply(loss, input, b.labels, 1.0f, &again, gradient));
    hnt_ok(hn_loss_init_params(loss, &rng));
    hnt_ok(hn_loss_apply(loss, input, b.labels, 1.0f, &again, NULL));
    ck_assert_double_eq(again, first);
    hnt_ok(hn_loss_init_params(loss, &another));
    hnt_ok(hn_loss_apply(loss, input, b.labels, 1.0f, &other, NULL));
    ck_assert_double_ne(other, first);
    hn_tensor_destroy(input);
    hn_tensor_destroy(gradient);
    hn_loss_destroy(loss);
    hn_context_destroy(context);
    drop(&b);
}
END_TEST

START_TEST(objects_that_cannot_be_are_named)
{
    hn_context *context = hnt_context(1);
    hn_loss *loss = NULL;
    int64_t counts[CLASSES] = {3, 2, -1, 1, 1};
    const float adjustment[CLASSES] = {0, 0, INFINITY, 0, 0};
    hn_loss_proco_options o;
    hn_loss_proco_options_init(&o, sizeof o);
    hnt_fails(hn_loss_create_proco(NULL, context, CLASSES, DIM, NULL, NULL), HN_E_ARG, "out is NULL");
    hnt_fails(hn_loss_create_proco(&loss, NULL, CLASSES, DIM, NULL, NULL), HN_E_ARG, "context is NULL");
    hnt_fails(hn_loss_create_proco(&loss, context, 0, DIM, NULL, NULL), HN_E_ARG, "classes is 0");
    hnt_fails(hn_loss_create_proco(&loss, context, CLASSES, 1, NULL, NULL), HN_E_SHAPE, "1 columns");
    hnt_fails(hn_loss_create_proco(&loss, context, INT32_MAX, INT32_MAX, NULL, NULL), HN_E_SHAPE, "mean is");
    hnt_fails(hn_loss_create_proco(&loss, context, CLASSES, DIM, counts, NULL), HN_E_ARG, "counts[2] is -1");
    counts[2] = 1;
    o.logit_adjustment = adjustment;
    hnt_fails(hn_loss_create_proco(&loss, context, CLASSES, DIM, counts, &o), HN_E_ARG, "both given");
    hnt_fails(hn_loss_create_proco(&loss, context, CLASSES, DIM, NULL, &o), HN_E_ARG, "logit_adjustment[2] is inf");
    o.logit_adjustment = NULL;
    o.temperature = -1.0f;
    hnt_fails(hn_loss_create_proco(&loss, context, CLASSES, DIM, counts, &o), HN_E_ARG, "temperature is -1");
    ck_assert_ptr_null(loss);
    hn_context_destroy(context);
}
END_TEST

/* ---- grad ------------------------------------------------------------------------------------------------------------ */

START_TEST(gradients_follow_differences)
{
    static const int64_t dims[] = {2, 3, 5, 32};
    for (int32_t setting = 0; setting < 32; ++setting) {
        batch b = make(20 + (uint64_t)setting, 7, 5, dims[setting / 8], setting & 1);
        set(&b, setting % 8);
        hnt_ok(call(&b));
        reference r = refer(&b);
        double *want = hnt_differences(evaluate, &r, r.z, b.n * b.dim);
        float *dz = hnt_dense(b.dz, b.n, b.dim, b.dim + b.pad);
        hnt_close_fd("dz", dz, want, b.n * b.dim, 2e-5);
        free(want);
        free(dz);
        drop_reference(&r);
        drop(&b);
    }
}
END_TEST

/* ---- golden ---------------------------------------------------------------------------------------------------------- */

START_TEST(pytorch_agrees)
{
    enum { N = 14, C = 6 };
    static const float temperatures[] = {0.05f, 0.1f, 1.0f};
    static const int dims[] = {2, 9, 64};
    hn_context *context = hnt_context(1);
    hn_safetensors *file = hnt_golden_open(context, "proco");
    for (int32_t setting = 0; setting < 18; ++setting) {
        const int dim = dims[setting % 3];
        batch b = make(0, N, C, dim, 0);
        char name[64], key[96];
        b.o.normalize = setting / 9;
        b.o.reduction = b.o.normalize ? HN_REDUCE_MEAN : HN_REDUCE_SUM;
        b.o.temperature = temperatures[setting / 3 % 3];
        b.o.logit_adjustment = hnt_golden_f(file, "log_prior", C);
        snprintf(key, sizeof key, "%d.z", dim);
        memcpy(b.z, hnt_golden_f(file, key, N * dim), (size_t)(N * dim) * sizeof *b.z);
        snprintf(key, sizeof key, "%d.mean", dim);
        memcpy(b.mean, hnt_golden_f(file, key, C * dim), (size_t)(C * dim) * sizeof *b.mean);
        memcpy(b.labels, hnt_golden_i(file, "labels", N), N * sizeof *b.labels);
        hnt_ok(call(&b));
        snprintf(name, sizeof name, "%d.%g.%d", dim, (double)b.o.temperature, (int)b.o.normalize);
        snprintf(key, sizeof key, "%s.loss", name);
        hnt_close_d(key, b.loss, (double)hnt_golden_f(file, key, 1)[0], 1e-5);
        snprintf(key, sizeof key, "%s.rows", name);
        hnt_close_f(key, b.rows, hnt_golden_f(file, key, N), N, 1e-5);
        snprintf(key, sizeof key, "%s.dz", name);
        hnt_close_f(key, b.dz, hnt_golden_f(file, key, N * dim), N * dim, 2e-5);
        drop(&b);
    }
    hn_safetensors_close(file);
    hn_context_destroy(context);
}
END_TEST

/* ---- property -------------------------------------------------------------------------------------------------------- */

START_TEST(uniform_classes_are_alike)
{
    batch b = make(30, 20, 6, 9, 0);
    for (int64_t i = 0; i < b.classes * b.dim; ++i)
        b.mean[i] = 0.0f;
    hnt_ok(call(&b));
    for (int64_t i = 0; i < b.n; ++i)
        hnt_close_d("row", (double)b.rows[i], b.labels[i] < 0 ? 0 : log(6), 1e-6);
    check_zero(b.dz, b.n * b.dim);
    drop(&b);
}
END_TEST

START_TEST(concentrated_classes_are_prototypes)
{
    /* For kappa far above dim and 1 / tau the logit is m.z / tau: cosine-softmax cross-entropy. */
    batch b = make(31, 20, 6, 9, 0);
    b.o.temperature = 0.5f;
    for (int64_t c = 0; c < b.classes; ++c) {
        double square = 0;
        for (int64_t d = 0; d < b.dim; ++d)
            square += (double)b.mean[c * b.dim + d] * (double)b.mean[c * b.dim + d];
        for (int64_t d = 0; d < b.dim; ++d)
            b.mean[c * b.dim + d] = (float)((double)b.mean[c * b.dim + d] / sqrt(square));
    }
    hnt_ok(call(&b));
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
    hnt_ok(hn_loss_psc(&o, &(hn_cmatf){b.z, b.n, b.dim, b.dim}, &(hn_cmatf){b.mean, b.classes, b.dim, b.dim}, b.labels,
                       &loss, NULL, &g, NULL, &scratch));
    hnt_close_d("loss", b.loss, loss, 1e-3);
    hnt_close_f("dz", b.dz, dz, b.n * b.dim, 1e-3);
    free(dz);
    free(scratch.data);
    drop(&b);
}
END_TEST

START_TEST(any_temperature_scale_and_concentration_is_finite)
{
    static const float temperatures[] = {0.005f, 0.02f, 0.1f, 1.0f, 100.0f}, scales[] = {1e-20f, 1.0f, 1e20f};
    static const int64_t dims[] = {2, 8, 130};
    for (int t = 0; t < 5; ++t)
        for (int s = 0; s < 3; ++s)
            for (int k = 0; k < 6; ++k) {
                batch b = make(50, 24, 7, dims[k / 2], 0);
                b.o.temperature = temperatures[t];
                b.o.normalize = k % 2 == 0;
                float *m = b.mean;
                for (int64_t d = 0; d < b.dim; ++d) {
                    m[d] = 0.0f;                                   /* never seen                        */
                    m[b.dim + d] = d == 0 ? 1.0f : 0.0f;           /* one row, or all alike: kappa 1e5  */
                    m[2 * b.dim + d] = d == 1 ? 1.0000001f : 0.0f; /* rounded above 1                   */
                    m[3 * b.dim + d] *= 1e-18f;                    /* all but uniform                   */
                    b.z[d] = -m[b.dim + d];
                    b.z[b.dim + d] = -m[4 * b.dim + d];
                    b.z[2 * b.dim + d] = 0.0f;
                    b.z[3 * b.dim + d] = b.z[5 * b.dim + d];
                }
                for (int64_t i = 0; i < b.n * b.dim; ++i)
                    b.z[i] *= scales[s];
                if (b.o.normalize && temperatures[t] > 0.01f && dims[k / 2] == 8)
                    check_value(&b);
                else
                    hnt_ok(call(&b));
                ck_assert(isfinite(b.loss));
                ck_assert(b.loss >= 0);
                hnt_finite("row_loss", b.rows, b.n);
                hnt_finite("dz", b.dz, b.n * b.dim);
                drop(&b);
            }
}
END_TEST

START_TEST(scale_of_rows_changes_only_their_gradient)
{
    batch b = make(51, 24, 6, 8, 0), c = make(51, 24, 6, 8, 0);
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

/* ---- oom ------------------------------------------------------------------------------------------------------------- */

static hn_status life(hn_context *context)
{
    float x[ROWS * DIM], dx[ROWS * DIM];
    int32_t labels[ROWS];
    const int64_t counts[CLASSES] = {5, 4, 3, 2, 1};
    hnt_normal(1, x, ROWS * DIM);
    for (int32_t i = 0; i < ROWS; ++i)
        labels[i] = i % CLASSES;
    hn_loss *loss = NULL;
    hn_tensor *input = NULL, *gradient = NULL;
    const hn_desc desc = {HN_F32, 2, {ROWS, DIM}};
    double value = 77.0;
    hn_status status = hn_loss_create_proco(&loss, context, CLASSES, DIM, counts, NULL);
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
    if (loss != NULL)
        hnt_ok(hn_loss_begin_epoch(loss, 1)); /* allocates nothing */
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
    ck_assert_int_ge(failures, 11); /* the object, prior, two sums, two counts, means, directions, two views, scratch */
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
    hnt_ok(hn_loss_create_proco(&loss, context, CLASSES, DIM, NULL, NULL));
    hnt_ok(hn_tensor_wrap(&input, context, x, &desc));
    hnt_ok(hn_tensor_wrap(&gradient, context, dx, &desc));
    hnt_ok(hn_loss_apply(loss, input, labels, 1.0f, &value, gradient));
    const int64_t calls = counter.calls;
    for (int step = 0; step < 5; ++step) {
        hnt_ok(hn_loss_begin_epoch(loss, step));
        hnt_ok(hn_loss_apply(loss, input, labels, 1.0f, &value, gradient));
    }
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
    batch first = make(60, 333, 300, 24, 1);
    hnt_ok(call(&first));
    for (int32_t threads = 0; threads <= 3; ++threads) {
        batch b = make(60, 333, 300, 24, 1);
        b.o.num_threads = threads;
        hnt_ok(call(&b));
        ck_assert_mem_eq(&b.loss, &first.loss, sizeof b.loss);
        ck_assert_mem_eq(b.rows, first.rows, 333 * sizeof *b.rows);
        ck_assert_mem_eq(b.dz, first.dz, 333 * 25 * sizeof *b.dz);
        drop(&b);
    }
    drop(&first);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("proco");
    TCase *unit = hnt_case(s, "unit");
    tcase_add_test(unit, values_follow_the_formula);
    tcase_add_test(unit, defaults_are_the_headers);
    tcase_add_test(unit, ignored_rows_add_nothing);
    tcase_add_test(unit, zero_rows_have_gradient_zero);
    tcase_add_test(unit, gradients_are_scaled_and_added);
    tcase_add_test(unit, options_out_of_range_are_named);
    tcase_add_test(unit, arguments_out_of_shape_are_named);
    tcase_add_test(unit, means_are_of_unit_rows);
    tcase_add_test(unit, statistics_take_no_nonsense);
    tcase_add_test(unit, the_object_follows_its_description);
    tcase_add_test(unit, init_params_starts_anew);
    tcase_add_test(unit, objects_that_cannot_be_are_named);
    tcase_add_test(hnt_case(s, "grad"), gradients_follow_differences);
    tcase_add_test(hnt_case(s, "golden"), pytorch_agrees);
    TCase *property = hnt_case(s, "property");
    tcase_add_test(property, uniform_classes_are_alike);
    tcase_add_test(property, concentrated_classes_are_prototypes);
    tcase_add_test(property, any_temperature_scale_and_concentration_is_finite);
    tcase_add_test(property, scale_of_rows_changes_only_their_gradient);
    TCase *oom = hnt_case(s, "oom");
    tcase_add_test(oom, every_allocation_may_fail);
    tcase_add_test(oom, steps_allocate_nothing);
    tcase_add_test(hnt_case(s, "repro"), threads_do_not_change_bits);
    return s;
}

HNT_MAIN(suite)
