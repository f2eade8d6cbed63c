/* BCL against a plain double reference, central differences and PyTorch; class averaging; bits and threads; the object. */
#include "golden.h"
#include "loss_case.h"

#include <stdio.h>

/* One call: inputs, options, results. Leading dimensions are the columns plus pad. */
typedef struct batch {
    hn_loss_bcl_options o;
    int64_t n, classes, dim, pad;
    float *z, *p, *dz, *dp, *rows;
    int32_t *labels;
    double loss;
} batch;

static batch make(uint64_t seed, int64_t n, int64_t classes, int64_t dim, int64_t pad)
{
    batch b = {.n = n, .classes = classes, .dim = dim, .pad = pad};
    hn_loss_bcl_options_init(&b.o, sizeof b.o);
    int64_t ld = dim + pad;
    b.z = hnt_padded(seed, n, dim, ld);
    b.p = hnt_padded(seed + 1, classes, dim, ld);
    b.dz = hnt_poison(n * ld);
    b.dp = hnt_poison(classes * ld);
    b.rows = hnt_poison(n);
    b.labels = hnt_alloc((size_t)n * sizeof *b.labels);
    for (int64_t i = 0; i < n; ++i) /* long-tailed: half the rows are of class 0 */
        b.labels[i] = i % 9 == 4 ? -1 - (int32_t)i : (int32_t)(i % 2 == 0 ? 0 : (i * 7 + i / 3) % classes);
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
}

static hn_status call(batch *b)
{
    int64_t ld = b->dim + b->pad;
    size_t bytes;
    hn_status status = hn_loss_bcl_scratch(&b->o, b->n, b->classes, b->dim, &bytes);
    if (status < 0)
        return status;
    hn_scratch scratch = hnt_scratch(bytes);
    memset(scratch.data, 0xff, bytes); /* NaN: nothing may rely on what scratch holds */
    hn_matf dz = {b->dz, b->n, b->dim, ld}, dp = {b->dp, b->classes, b->dim, ld};
    status =
        hn_loss_bcl(&b->o, &(hn_cmatf){b->z, b->n, b->dim, ld}, b->labels, &(hn_cmatf){b->p, b->classes, b->dim, ld},
                    &b->loss, b->rows, b->dz == NULL ? NULL : &dz, b->dp == NULL ? NULL : &dp, &scratch);
    free(scratch.data);
    return status;
}

/* ---- the reference --------------------------------------------------------------------------------------------------- */

typedef struct reference {
    const batch *b;
    double *z, *p; /* dense */
    double *rows;  /* or NULL */
} reference;

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

/* The loss of anchor i: for each class the mean exponential of its keys, the anchor not among them. */
static double anchor(const batch *b, const double *z, const double *p, int64_t i)
{
    double total = 0, near = 0, max = -INFINITY;
    int64_t positives = 0;
    for (int64_t k = 0; k < b->n; ++k)
        if (b->labels[k] >= 0 && k != i)
            max = fmax(max, similarity(b, z + i * b->dim, z + k * b->dim));
    for (int64_t c = 0; c < b->classes; ++c)
        max = fmax(max, similarity(b, z + i * b->dim, p + c * b->dim));
    for (int64_t c = 0; c < b->classes; ++c) {
        double s = similarity(b, z + i * b->dim, p + c * b->dim), sum = exp(s - max), pull = s;
        int64_t keys = 1;
        for (int64_t k = 0; k < b->n; ++k)
            if (b->labels[k] == c && k != i) {
                s = similarity(b, z + i * b->dim, z + k * b->dim);
                sum += exp(s - max);
                pull += s;
                ++keys;
            }
        total += sum / (double)keys;
        if (c == b->labels[i]) {
            near = pull;
            positives = keys;
        }
    }
    return max + log(total) - near / (double)positives;
}

static double evaluate(const void *arg)
{
    const reference *r = arg;
    const batch *b = r->b;
    double *z = copy_rows(b, r->z, b->n), *p = copy_rows(b, r->p, b->classes), total = 0;
    int64_t counted = 0;
    for (int64_t i = 0; i < b->n; ++i) {
        double row = b->labels[i] < 0 ? 0 : anchor(b, z, p, i);
        counted += b->labels[i] >= 0;
        total += row;
        if (r->rows != NULL)
            r->rows[i] = row;
    }
    free(z);
    free(p);
    return b->o.reduction == HN_REDUCE_SUM || counted == 0 ? total : total / (double)counted;
}

static reference refer(const batch *b)
{
    int64_t ld = b->dim + b->pad;
    reference r = {b, hnt_dense_d(b->z, b->n, b->dim, ld), hnt_dense_d(b->p, b->classes, b->dim, ld), NULL};
    r.rows = hnt_alloc((size_t)b->n * sizeof *r.rows);
    return r;
}

static void drop_reference(reference *r)
{
    free(r->z);
    free(r->p);
    free(r->rows);
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

/* ---- unit ------------------------------------------------------------------------------------------------------------ */

START_TEST(values_follow_the_formula)
{
    static const int64_t shapes[][4] = {{1, 2, 1, 0},    {5, 3, 4, 3},   {64, 7, 16, 0}, {65, 100, 8, 1},
                                        {270, 40, 5, 2}, {3, 50, 12, 0}, {40, 1, 6, 2},  {1, 1, 3, 0}};
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; ++s)
        for (int32_t setting = 0; setting < 8; ++setting) {
            batch b = make(s, shapes[s][0], shapes[s][1], shapes[s][2], shapes[s][3]);
            b.o.normalize = (setting & 1) == 0;
            b.o.reduction = setting >> 1 & 1;
            b.o.temperature = setting >> 2 & 1 ? 1.0f : 0.2f;
            check_value(&b);
            drop(&b);
        }
    batch wide = make(9, 2300, 3, 4, 0); /* more than one chunk of keys */
    check_value(&wide);
    drop(&wide);
}
END_TEST

START_TEST(defaults_are_the_headers)
{
    hn_loss_bcl_options o;
    hn_loss_bcl_options_init(&o, sizeof o);
    ck_assert_uint_eq(o.struct_size, sizeof o);
    ck_assert_int_eq(o.reduction, HN_REDUCE_MEAN);
    ck_assert_int_eq(o.check_finite, 0);
    ck_assert_int_eq(o.num_threads, 1);
    ck_assert_float_eq(o.grad_scale, 1.0f);
    ck_assert_float_eq(o.grad_beta, 0.0f);
    ck_assert_float_eq(o.temperature, 0.1f);
    ck_assert_int_eq(o.normalize, 1);
    /* NULL options are the defaults. */
    batch b = make(3, 20, 4, 6, 0);
    hnt_ok(call(&b));
    size_t bytes;
    hnt_ok(hn_loss_bcl_scratch(NULL, b.n, b.classes, b.dim, &bytes));
    hn_scratch scratch = hnt_scratch(bytes);
    double loss;
    hnt_ok(hn_loss_bcl(NULL, &(hn_cmatf){b.z, b.n, b.dim, b.dim}, b.labels, &(hn_cmatf){b.p, b.classes, b.dim, b.dim},
                       &loss, NULL, NULL, NULL, &scratch));
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

START_TEST(nothing_to_contrast_is_zero)
{
    batch b = make(5, 30, 6, 8, 0);
    for (int64_t i = 0; i < b.n; ++i)
        b.labels[i] = INT32_MIN;
    hnt_ok(call(&b));
    ck_assert_double_eq(b.loss, 0.0);
    check_zero(b.rows, b.n);
    check_zero(b.dz, b.n * b.dim);
    check_zero(b.dp, b.classes * b.dim);
    drop(&b);

    b = make(7, 0, 4, 8, 0);
    b.loss = 5.0;
    hnt_ok(call(&b));
    ck_assert_double_eq(b.loss, 0.0);
    check_zero(b.dp, b.classes * b.dim);
    drop(&b);

    b = make(7, 1, 1, 8, 0); /* its prototype is all there is */
    hnt_ok(call(&b));
    ck_assert_double_eq_tol(b.loss, 0.0, 1e-6);
    drop(&b);
}
END_TEST

START_TEST(ignored_rows_are_not_there)
{
    batch b = make(8, 30, 5, 8, 0), kept = make(8, 30, 5, 8, 0);
    int64_t n = 0;
    for (int64_t i = 0; i < b.n; ++i)
        if (b.labels[i] >= 0) {
            memcpy(kept.z + n * b.dim, b.z + i * b.dim, (size_t)b.dim * sizeof *b.z);
            kept.labels[n++] = b.labels[i];
        }
    kept.n = n;
    ck_assert_int_lt(n, b.n);
    hnt_ok(call(&b));
    hnt_ok(call(&kept));
    hnt_close_d("loss", b.loss, kept.loss, 1e-6);
    hnt_close_f("dprototypes", b.dp, kept.dp, b.classes * b.dim, 1e-6);
    for (int64_t i = 0, k = 0; i < b.n; ++i) {
        if (b.labels[i] < 0) {
            ck_assert_float_eq(b.rows[i], 0.0f);
            check_zero(b.dz + i * b.dim, b.dim);
        } else
            hnt_close_f("dz", b.dz + i * b.dim, kept.dz + k++ * b.dim, b.dim, 1e-5);
    }
    drop(&b);
    drop(&kept);
}
END_TEST

START_TEST(zero_rows_have_gradient_zero)
{
    batch b = make(6, 12, 4, 5, 0);
    for (int64_t d = 0; d < b.dim; ++d)
        b.z[2 * b.dim + d] = b.p[3 * b.dim + d] = 0.0f;
    check_value(&b);
    check_zero(b.dz + 2 * b.dim, b.dim);
    check_zero(b.dp + 3 * b.dim, b.dim);
    hnt_finite("dz", b.dz, b.n * b.dim);
    drop(&b);
}
END_TEST

START_TEST(gradients_are_scaled_and_added)
{
    batch b = make(8, 40, 6, 7, 2), c = make(8, 40, 6, 7, 2);
    int64_t ld = b.dim + b.pad;
    hnt_ok(call(&b));
    c.o.grad_scale = -3.0f;
    c.o.grad_beta = 0.5f;
    float *dz = hnt_padded(100, c.n, c.dim, ld), *dp = hnt_padded(101, c.classes, c.dim, ld);
    memcpy(c.dz, dz, (size_t)(c.n * ld) * sizeof *dz);
    memcpy(c.dp, dp, (size_t)(c.classes * ld) * sizeof *dp);
    hnt_ok(call(&c));
    for (int64_t i = 0; i < c.n * ld; ++i)
        dz[i] = 0.5f * dz[i] - 3.0f * b.dz[i];
    for (int64_t i = 0; i < c.classes * ld; ++i)
        dp[i] = 0.5f * dp[i] - 3.0f * b.dp[i];
    float *got = hnt_dense(c.dz, c.n, c.dim, ld), *want = hnt_dense(dz, c.n, c.dim, ld);
    hnt_close_f("dz", got, want, c.n * c.dim, 1e-6);
    free(got);
    free(want);
    got = hnt_dense(c.dp, c.classes, c.dim, ld);
    want = hnt_dense(dp, c.classes, c.dim, ld);
    hnt_close_f("dprototypes", got, want, c.classes * c.dim, 1e-6);
    free(got);
    free(want);
    free(dz);
    free(dp);
    drop(&b);
    drop(&c);
}
END_TEST

START_TEST(outputs_may_be_left_out)
{
    batch b = make(9, 40, 6, 7, 0);
    hnt_ok(call(&b));
    for (int which = 0; which < 4; ++which) {
        batch c = make(9, 40, 6, 7, 0);
        float *dz = c.dz, *dp = c.dp;
        c.dz = which & 1 ? c.dz : NULL;
        c.dp = which & 2 ? c.dp : NULL;
        hnt_ok(call(&c));
        ck_assert_double_eq(c.loss, b.loss);
        if (c.dz != NULL)
            ck_assert_mem_eq(c.dz, b.dz, (size_t)(b.n * b.dim) * sizeof *b.dz);
        if (c.dp != NULL)
            ck_assert_mem_eq(c.dp, b.dp, (size_t)(b.classes * b.dim) * sizeof *b.dp);
        c.dz = dz;
        c.dp = dp;
        drop(&c);
    }
    drop(&b);
}
END_TEST

/* The call fails with the sentence, and writes nothing. */
static void refuse(batch *b, hn_status status, const char *sentence)
{
    b->loss = 77.0;
    b->rows[0] = b->dz[0] = b->dp[0] = 78.0f;
    hnt_fails(call(b), status, sentence);
    ck_assert_double_eq(b->loss, 77.0);
    ck_assert(b->rows[0] == 78.0f && b->dz[0] == 78.0f && b->dp[0] == 78.0f);
}

START_TEST(options_out_of_range_are_named)
{
    batch b = make(10, 12, 4, 3, 0);
    const hn_loss_bcl_options good = b.o;
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
                   bad_ld = {x, 4, 3, 2}, none = {x, 0, 3, 3};
    hn_matf dz = {g, 4, 3, 3}, dz_short = {g, 3, 3, 3}, dz_ld = {g, 4, 3, 2}, dz_null = {NULL, 4, 3, 3};
    size_t bytes, many;
    hnt_ok(hn_loss_bcl_scratch(NULL, 4, 3, 3, &bytes));
    hn_scratch good = hnt_scratch(bytes + 64), small = {good.data, bytes - 1}, odd = {(char *)good.data + 4, bytes};
    double loss = 77.0;
    hnt_fails(hn_loss_bcl(NULL, NULL, labels, &p, &loss, NULL, NULL, NULL, &good), HN_E_ARG, "z is NULL");
    hnt_fails(hn_loss_bcl(NULL, &z, labels, NULL, &loss, NULL, NULL, NULL, &good), HN_E_ARG, "prototypes is NULL");
    hnt_fails(hn_loss_bcl(NULL, &z, NULL, &p, &loss, NULL, NULL, NULL, &good), HN_E_ARG, "labels is NULL");
    hnt_fails(hn_loss_bcl(NULL, &nothing, labels, &p, &loss, NULL, NULL, NULL, &good), HN_E_ARG, "z.data is NULL");
    hnt_fails(hn_loss_bcl(NULL, &bad_ld, labels, &p, &loss, NULL, NULL, NULL, &good), HN_E_SHAPE, "z.ld is 2");
    hnt_fails(hn_loss_bcl(NULL, &z, labels, &narrow, &loss, NULL, NULL, NULL, &good), HN_E_SHAPE, "2 columns");
    hnt_fails(hn_loss_bcl(NULL, &z, labels, &none, &loss, NULL, NULL, NULL, &good), HN_E_SHAPE, "0 rows");
    hnt_fails(hn_loss_bcl(NULL, &z, labels, &p, &loss, NULL, &dz_short, NULL, &good), HN_E_SHAPE, "dz is 3x3");
    hnt_fails(hn_loss_bcl(NULL, &z, labels, &p, &loss, NULL, NULL, &dz, &good), HN_E_SHAPE, "dprototypes is 4x3");
    hnt_fails(hn_loss_bcl(NULL, &z, labels, &p, &loss, NULL, &dz_ld, NULL, &good), HN_E_SHAPE, "dz.ld is 2");
    hnt_fails(hn_loss_bcl(NULL, &z, labels, &p, &loss, NULL, &dz_null, NULL, &good), HN_E_ARG, "dz.data is NULL");
    hnt_fails(hn_loss_bcl(NULL, &z, labels, &p, &loss, NULL, NULL, NULL, NULL), HN_E_WORKSPACE, "scratch is NULL");
    hnt_fails(hn_loss_bcl(NULL, &z, labels, &p, &loss, NULL, NULL, NULL, &small), HN_E_WORKSPACE, "bytes");
    hnt_fails(hn_loss_bcl(NULL, &z, labels, &p, &loss, NULL, NULL, NULL, &odd), HN_E_WORKSPACE, "aligned");
    ck_assert_double_eq(loss, 77.0);
    hnt_fails(hn_loss_bcl_scratch(NULL, 4, 3, 3, NULL), HN_E_ARG, "bytes is NULL");
    hnt_fails(hn_loss_bcl_scratch(NULL, 4, 0, 3, &many), HN_E_SHAPE, "classes is 0");
    hnt_fails(hn_loss_bcl_scratch(NULL, -4, 3, 3, &many), HN_E_SHAPE, "-4");
    hnt_fails(hn_loss_bcl_scratch(NULL, INT64_MAX, 3, 3, &many), HN_E_SHAPE, "z is");
    hnt_fails(hn_loss_bcl_scratch(NULL, 4, INT64_MAX / 2, 3, &many), HN_E_SHAPE, "prototypes");
    hnt_fails(hn_loss_bcl_scratch(NULL, INT32_MAX, INT32_MAX, 3, &many), HN_E_SHAPE, "together");
    free(good.data);
}
END_TEST

START_TEST(the_object_is_the_pure_function)
{
    enum { N = 30, C = 5, DIM = 6 };
    batch b = make(12, N, C, DIM, 0);
    hn_context *context = hnt_context(1);
    hn_loss *loss = NULL;
    b.o.temperature = 0.3f;
    hnt_fails(hn_loss_create_bcl(NULL, context, C, DIM, NULL), HN_E_ARG, "out is NULL");
    hnt_fails(hn_loss_create_bcl(&loss, NULL, C, DIM, NULL), HN_E_ARG, "context is NULL");
    hnt_fails(hn_loss_create_bcl(&loss, context, 0, DIM, NULL), HN_E_ARG, "classes is 0");
    b.o.temperature = -1.0f;
    hnt_fails(hn_loss_create_bcl(&loss, context, C, DIM, &b.o), HN_E_ARG, "temperature is -1");
    ck_assert_ptr_null(loss);
    b.o.temperature = 0.3f;
    hnt_ok(hn_loss_create_bcl(&loss, context, C, DIM, &b.o));
    ck_assert_int_eq(hn_loss_param_count(loss), 1);
    hn_param param = {.struct_size = sizeof param};
    hnt_ok(hn_loss_param(loss, 0, &param));
    ck_assert_str_eq(param.name, "prototypes");
    float *value = hn_tensor_data(param.value), *grad = hn_tensor_data(param.grad);
    memcpy(value, b.p, C * DIM * sizeof *value);
    for (int i = 0; i < C * DIM; ++i)
        grad[i] = 1.0f;
    hn_tensor *x = NULL, *dx = NULL, *narrow = NULL;
    hnt_ok(hn_tensor_create(&x, context, &(hn_desc){HN_F32, 2, {N, DIM}}));
    hnt_ok(hn_tensor_create(&dx, context, &(hn_desc){HN_F32, 2, {N, DIM}}));
    hnt_ok(hn_tensor_create(&narrow, context, &(hn_desc){HN_F32, 2, {N, DIM - 1}}));
    memcpy(hn_tensor_data(x), b.z, N * DIM * sizeof *b.z);
    double got = 0;
    hnt_fails(hn_loss_apply(loss, narrow, b.labels, 1.0f, &got, NULL), HN_E_SHAPE, "5 columns");
    hnt_ok(hn_loss_apply(loss, x, b.labels, -2.0f, &got, dx));
    b.o.grad_scale = -2.0f;
    hnt_ok(call(&b));
    ck_assert_double_eq(got, b.loss);
    ck_assert_mem_eq(hn_tensor_cdata(dx), b.dz, N * DIM * sizeof *b.dz);
    for (int i = 0; i < C * DIM; ++i)
        b.dp[i] += 1.0f;
    hnt_close_f("grad", grad, b.dp, C * DIM, 1e-6);
    hn_tensor_destroy(narrow);
    hn_tensor_destroy(x);
    hn_tensor_destroy(dx);
    hn_loss_destroy(loss);
    hn_context_destroy(context);
    drop(&b);
}
END_TEST

/* ---- grad ------------------------------------------------------------------------------------------------------------ */

START_TEST(gradients_follow_differences)
{
    for (int32_t setting = 0; setting < 8; ++setting) {
        batch b = make(20 + (uint64_t)setting, 14, 5, 4, setting & 1);
        b.o.normalize = (setting & 1) == 0;
        b.o.reduction = setting >> 1 & 1;
        b.o.temperature = setting >> 2 & 1 ? 0.15f : 0.5f;
        hnt_ok(call(&b));
        reference r = refer(&b);
        int64_t ld = b.dim + b.pad;
        double *wz = hnt_differences(evaluate, &r, r.z, b.n * b.dim),
               *wp = hnt_differences(evaluate, &r, r.p, b.classes * b.dim);
        float *dz = hnt_dense(b.dz, b.n, b.dim, ld), *dp = hnt_dense(b.dp, b.classes, b.dim, ld);
        hnt_close_fd("dz", dz, wz, b.n * b.dim, 1e-5);
        hnt_close_fd("dprototypes", dp, wp, b.classes * b.dim, 1e-5);
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
    enum { N = 33, C = 7, DIM = 11 };
    static const float temperatures[] = {0.05f, 0.1f, 1.0f};
    static const char *const reductions[] = {"mean", "sum"};
    hn_context *context = hnt_context(1);
    hn_safetensors *file = hnt_golden_open(context, "balanced_contrastive");
    for (int32_t setting = 0; setting < 12; ++setting) {
        batch b = make(0, N, C, DIM, 0);
        char name[64], key[96];
        b.o.normalize = setting & 1;
        b.o.reduction = setting >> 1 & 1;
        b.o.temperature = temperatures[setting / 4];
        memcpy(b.z, hnt_golden_f(file, "z", N * DIM), N * DIM * sizeof *b.z);
        memcpy(b.p, hnt_golden_f(file, "prototypes", C * DIM), C * DIM * sizeof *b.p);
        memcpy(b.labels, hnt_golden_i(file, "labels", N), N * sizeof *b.labels);
        for (int64_t i = 0; !b.o.normalize && i < N * DIM; ++i)
            b.z[i] /= 4;
        for (int64_t i = 0; !b.o.normalize && i < C * DIM; ++i)
            b.p[i] /= 4;
        hnt_ok(call(&b));
        snprintf(name, sizeof name, "%d.%g.%s", (int)b.o.normalize, (double)b.o.temperature, reductions[b.o.reduction]);
        snprintf(key, sizeof key, "%s.loss", name);
        hnt_close_d(key, b.loss, (double)hnt_golden_f(file, key, 1)[0], 1e-5);
        snprintf(key, sizeof key, "%s.rows", name);
        hnt_close_f(key, b.rows, hnt_golden_f(file, key, N), N, 1e-5);
        snprintf(key, sizeof key, "%s.dz", name);
        hnt_close_f(key, b.dz, hnt_golden_f(file, key, N * DIM), N * DIM, 1e-4);
        snprintf(key, sizeof key, "%s.dprototypes", name);
        hnt_close_f(key, b.dp, hnt_golden_f(file, key, C * DIM), C * DIM, 1e-4);
        drop(&b);
    }
    hn_safetensors_close(file);
    hn_context_destroy(context);
}
END_TEST

/* ---- property -------------------------------------------------------------------------------------------------------- */

START_TEST(copies_of_another_class_change_nothing)
{
    /* Ten copies of the prototype of class 1 as rows of class 1: for anchors of class 0 the class counts as before. */
    enum { N = 4, MORE = 10, C = 3, DIM = 5 };
    batch few = make(30, N, C, DIM, 0), many = make(30, N + MORE, C, DIM, 0);
    for (int i = 0; i < N + MORE; ++i) {
        memcpy(many.z + i * DIM, i < N ? few.z + i * DIM : few.p + DIM, DIM * sizeof *few.z);
        many.labels[i] = i >= N;
        if (i < N)
            few.labels[i] = 0;
    }
    memcpy(many.p, few.p, C * DIM * sizeof *few.p);
    hnt_ok(call(&few));
    hnt_ok(call(&many));
    hnt_close_f("row_loss", many.rows, few.rows, N, 1e-6);
    drop(&few);
    drop(&many);
}
END_TEST

START_TEST(one_row_a_class_is_supcon_with_prototypes)
{
    /* Every class has one row and its prototype: each key of another class weighs 1/2, the own one 1. */
    enum { C = 6, DIM = 7 };
    batch b = make(31, C, C, DIM, 0);
    for (int32_t i = 0; i < C; ++i)
        b.labels[i] = i;
    b.o.temperature = 0.5f;
    hnt_ok(call(&b));
    double *z = hnt_dense_d(b.z, C, DIM, DIM), *p = hnt_dense_d(b.p, C, DIM, DIM);
    hnt_unit_rows(z, C, DIM);
    hnt_unit_rows(p, C, DIM);
    for (int i = 0; i < C; ++i) {
        double own = similarity(&b, z + i * DIM, p + i * DIM), sum = exp(own);
        for (int k = 0; k < C; ++k)
            if (k != i)
                sum += 0.5 *
                       (exp(similarity(&b, z + i * DIM, z + k * DIM)) + exp(similarity(&b, z + i * DIM, p + k * DIM)));
        hnt_close_d("row", (double)b.rows[i], log(sum) - own, 1e-6);
    }
    free(z);
    free(p);
    drop(&b);
}
END_TEST

START_TEST(any_temperature_and_scale_is_finite)
{
    static const float temperatures[] = {0.005f, 0.02f, 0.1f, 1.0f, 100.0f}, scales[] = {1e-20f, 1.0f, 1e20f};
    for (size_t t = 0; t < 5; ++t)
        for (size_t s = 0; s < 3; ++s) {
            batch b = make(50, 24, 6, 8, 0);
            b.o.temperature = temperatures[t];
            for (int64_t d = 0; d < b.dim; ++d) {
                b.z[d] = b.p[d];                  /* a row on a prototype */
                b.z[b.dim + d] = -b.p[b.dim + d]; /* opposite of one      */
                b.z[2 * b.dim + d] = 0.0f;
                b.z[3 * b.dim + d] = b.z[5 * b.dim + d]; /* duplicates   */
                b.p[2 * b.dim + d] = b.p[3 * b.dim + d];
                b.p[4 * b.dim + d] = 0.0f;
            }
            for (int64_t i = 0; i < b.n * b.dim; ++i)
                b.z[i] *= scales[s];
            for (int64_t i = 0; i < b.classes * b.dim; ++i)
                b.p[i] *= scales[2 - s];
            check_value(&b);
            hnt_finite("dz", b.dz, b.n * b.dim);
            hnt_finite("dprototypes", b.dp, b.classes * b.dim);
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
    enum { N = 20, C = 4, DIM = 5 };
    float x[N * DIM], dx[N * DIM];
    int32_t labels[N];
    hnt_normal(1, x, N * DIM);
    for (int32_t i = 0; i < N; ++i)
        labels[i] = i % C;
    hn_loss *loss = NULL;
    hn_tensor *input = NULL, *gradient = NULL;
    const hn_desc desc = {HN_F32, 2, {N, DIM}};
    double value = 77.0;
    hn_status status = hn_loss_create_bcl(&loss, context, C, DIM, NULL);
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
    ck_assert_int_ge(failures, 6); /* the object, the parameter and its gradient, two views, scratch */
}
END_TEST

/* ---- repro ----------------------------------------------------------------------------------------------------------- */

START_TEST(threads_do_not_change_bits)
{
    batch first = make(60, 600, 2000, 24, 1);
    hnt_ok(call(&first));
    for (int32_t threads = 0; threads <= 3; ++threads) {
        batch b = make(60, 600, 2000, 24, 1);
        b.o.num_threads = threads;
        hnt_ok(call(&b));
        ck_assert_mem_eq(&b.loss, &first.loss, sizeof b.loss);
        ck_assert_mem_eq(b.rows, first.rows, 600 * sizeof *b.rows);
        ck_assert_mem_eq(b.dz, first.dz, 600 * 25 * sizeof *b.dz);
        ck_assert_mem_eq(b.dp, first.dp, 2000 * 25 * sizeof *b.dp);
        drop(&b);
    }
    drop(&first);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("balanced_contrastive");
    TCase *unit = hnt_case(s, "unit");
    tcase_add_test(unit, values_follow_the_formula);
    tcase_add_test(unit, defaults_are_the_headers);
    tcase_add_test(unit, nothing_to_contrast_is_zero);
    tcase_add_test(unit, ignored_rows_are_not_there);
    tcase_add_test(unit, zero_rows_have_gradient_zero);
    tcase_add_test(unit, gradients_are_scaled_and_added);
    tcase_add_test(unit, outputs_may_be_left_out);
    tcase_add_test(unit, options_out_of_range_are_named);
    tcase_add_test(unit, arguments_out_of_shape_are_named);
    tcase_add_test(unit, the_object_is_the_pure_function);
    tcase_add_test(hnt_case(s, "grad"), gradients_follow_differences);
    tcase_add_test(hnt_case(s, "golden"), pytorch_agrees);
    TCase *property = hnt_case(s, "property");
    tcase_add_test(property, copies_of_another_class_change_nothing);
    tcase_add_test(property, one_row_a_class_is_supcon_with_prototypes);
    tcase_add_test(property, any_temperature_and_scale_is_finite);
    tcase_add_test(property, scale_of_rows_changes_only_their_gradient);
    tcase_add_test(hnt_case(s, "oom"), every_allocation_may_fail);
    tcase_add_test(hnt_case(s, "repro"), threads_do_not_change_bits);
    return s;
}

HNT_MAIN(suite)
