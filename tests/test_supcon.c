/* SC against a plain double reference, central differences and SupContrast's formula in PyTorch; policies; bits and threads. */
#include "golden.h"
#include "loss_case.h"

#include <stdio.h>

/* One call: inputs, options, results. The leading dimension is dim + pad. */
typedef struct batch {
    hn_loss_sc_options o;
    int64_t n, dim, pad;
    float *z, *dz, *rows;
    int32_t *labels;
    double loss;
} batch;

/* About `classes` classes, a lonely row and an ignored one among every eleven. */
static batch make(uint64_t seed, int64_t n, int64_t dim, int64_t classes, int64_t pad)
{
    batch b = {.n = n, .dim = dim, .pad = pad};
    hn_loss_sc_options_init(&b.o, sizeof b.o);
    b.z = hnt_padded(seed, n, dim, dim + pad);
    b.dz = hnt_poison(n * (dim + pad));
    b.rows = hnt_poison(n);
    b.labels = hnt_alloc((size_t)n * sizeof *b.labels);
    for (int64_t i = 0; i < n; ++i)
        b.labels[i] = i % 11 == 4   ? -1 - (int32_t)i
                      : i % 11 == 7 ? INT32_MAX - (int32_t)i
                                    : (int32_t)((i * 7 + i / 3) % classes);
    return b;
}

static void drop(batch *b)
{
    free(b->z);
    free(b->dz);
    free(b->rows);
    free(b->labels);
}

static hn_status call(batch *b)
{
    int64_t ld = b->dim + b->pad;
    size_t bytes;
    hn_status status = hn_loss_sc_scratch(&b->o, b->n, b->dim, &bytes);
    if (status < 0)
        return status;
    hn_scratch scratch = hnt_scratch(bytes);
    memset(scratch.data, 0xff, bytes); /* NaN: nothing may rely on what scratch holds */
    hn_matf dz = {b->dz, b->n, b->dim, ld};
    status = hn_loss_sc(&b->o, &(hn_cmatf){b->z, b->n, b->dim, ld}, b->labels, &b->loss, b->rows,
                        b->dz == NULL ? NULL : &dz, &scratch);
    free(scratch.data);
    return status;
}

/* ---- the reference --------------------------------------------------------------------------------------------------- */

typedef struct reference {
    const batch *b;
    double *z, *rows;
} reference;

static double evaluate(const void *arg)
{
    const reference *r = arg;
    const batch *b = r->b;
    int64_t n = b->n, dim = b->dim, counted = 0;
    double *z = hnt_alloc((size_t)(n * dim) * sizeof *z), *s = hnt_alloc((size_t)n * sizeof *s), total = 0;
    memcpy(z, r->z, (size_t)(n * dim) * sizeof *z);
    if (b->o.normalize)
        hnt_unit_rows(z, n, dim);
    for (int64_t i = 0; i < n; ++i) {
        double max = -INFINITY, sum = 0, near = 0;
        int64_t positives = 0;
        r->rows[i] = 0;
        if (b->labels[i] < 0)
            continue;
        for (int64_t j = 0; j < n; ++j) {
            s[j] = 0;
            for (int64_t d = 0; d < dim; ++d)
                s[j] += z[i * dim + d] * z[j * dim + d] / (double)b->o.temperature;
            if (j != i && b->labels[j] >= 0)
                max = fmax(max, s[j]);
        }
        for (int64_t j = 0; j < n; ++j) {
            if (j == i || b->labels[j] < 0)
                continue;
            sum += exp(s[j] - max);
            if (b->labels[j] == b->labels[i]) {
                near += s[j];
                ++positives;
            }
        }
        counted += positives > 0 || b->o.lonely_anchor == HN_LONELY_ZERO;
        if (positives > 0)
            r->rows[i] = max + log(sum) - near / (double)positives;
        total += r->rows[i];
    }
    free(z);
    free(s);
    return b->o.reduction == HN_REDUCE_SUM || counted == 0 ? total : total / (double)counted;
}

static reference refer(const batch *b)
{
    return (reference){b, hnt_dense_d(b->z, b->n, b->dim, b->dim + b->pad), hnt_alloc((size_t)b->n * sizeof(double))};
}

static void drop_reference(reference *r)
{
    free(r->z);
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
    static const int64_t shapes[][4] = {{1, 3, 1, 0},   {2, 5, 1, 1},    {7, 1, 2, 0},    {40, 64, 3, 4},
                                        {128, 9, 5, 0}, {129, 16, 4, 1}, {300, 7, 60, 3}, {530, 12, 10, 0}};
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; ++s)
        for (int32_t setting = 0; setting < 8; ++setting) {
            batch b = make(s, shapes[s][0], shapes[s][1], shapes[s][2], shapes[s][3]);
            b.o.lonely_anchor = setting & 1;
            b.o.normalize = (setting >> 1 & 1) == 0;
            b.o.reduction = setting >> 2 & 1;
            b.o.temperature = b.o.normalize ? 0.15f : 1.5f;
            check_value(&b);
            drop(&b);
        }
}
END_TEST

START_TEST(defaults_are_the_headers)
{
    hn_loss_sc_options o;
    hn_loss_sc_options_init(&o, sizeof o);
    ck_assert_uint_eq(o.struct_size, sizeof o);
    ck_assert_int_eq(o.reduction, HN_REDUCE_MEAN);
    ck_assert_int_eq(o.check_finite, 0);
    ck_assert_int_eq(o.num_threads, 1);
    ck_assert_float_eq(o.grad_scale, 1.0f);
    ck_assert_float_eq(o.grad_beta, 0.0f);
    ck_assert_float_eq(o.temperature, 0.1f);
    ck_assert_int_eq(o.normalize, 1);
    ck_assert_int_eq(o.lonely_anchor, HN_LONELY_SKIP);
    batch b = make(3, 20, 6, 4, 0);
    hnt_ok(call(&b));
    size_t bytes;
    hnt_ok(hn_loss_sc_scratch(NULL, b.n, b.dim, &bytes));
    hn_scratch scratch = hnt_scratch(bytes);
    double loss;
    hnt_ok(hn_loss_sc(NULL, &(hn_cmatf){b.z, b.n, b.dim, b.dim}, b.labels, &loss, NULL, NULL, &scratch));
    ck_assert_double_eq(loss, b.loss);
    free(scratch.data);
    drop(&b);
}
END_TEST

/* Nothing is the loss of batches without a pair: no row, one row, nobody alike, all ignored. */
START_TEST(no_pair_no_loss)
{
    for (int32_t what = 0; what < 4; ++what)
        for (int32_t lonely = 0; lonely < 2; ++lonely) {
            batch b = make(5, what == 0 ? 0 : what == 1 ? 1 : 20, 6, 3, 0);
            b.o.lonely_anchor = lonely;
            for (int64_t i = 0; i < b.n; ++i)
                b.labels[i] = what == 3 ? -7 : (int32_t)i;
            hnt_ok(call(&b));
            ck_assert_double_eq(b.loss, 0.0);
            for (int64_t i = 0; i < b.n; ++i)
                ck_assert_float_eq(b.rows[i], 0.0f);
            for (int64_t i = 0; i < b.n * b.dim; ++i)
                ck_assert_float_eq(b.dz[i], 0.0f);
            drop(&b);
        }
}
END_TEST

START_TEST(lonely_anchors_are_still_negatives)
{
    batch b = make(6, 3, 4, 1, 0), c = make(6, 3, 4, 1, 0);
    for (int32_t i = 0; i < 3; ++i) {
        b.labels[i] = i / 2; /* rows 0 and 1 are a pair, row 2 is alone */
        c.labels[i] = i / 2;
    }
    c.o.lonely_anchor = HN_LONELY_ZERO;
    hnt_ok(call(&b));
    hnt_ok(call(&c));
    ck_assert_float_eq(b.rows[2], 0.0f);
    hnt_close_d("mean over two", b.loss, ((double)b.rows[0] + (double)b.rows[1]) / 2, 1e-6);
    hnt_close_d("mean over three", c.loss, b.loss * 2 / 3, 1e-6);
    double push = 0;
    for (int64_t d = 0; d < b.dim; ++d) {
        push += fabs((double)b.dz[2 * b.dim + d]);
        hnt_close_d("gradient over three", (double)c.dz[d], (double)b.dz[d] * 2 / 3, 1e-5);
    }
    ck_assert_double_gt(push, 1e-3);
    drop(&b);
    drop(&c);
}
END_TEST

START_TEST(ignored_rows_are_as_if_absent)
{
    batch b = make(7, 60, 8, 5, 0), c = make(7, 60, 8, 5, 0);
    hnt_ok(call(&b));
    c.n = 0;
    for (int64_t i = 0; i < b.n; ++i) {
        if (b.labels[i] < 0) {
            ck_assert_float_eq(b.rows[i], 0.0f);
            for (int64_t d = 0; d < b.dim; ++d)
                ck_assert_float_eq(b.dz[i * b.dim + d], 0.0f);
            continue;
        }
        memcpy(c.z + c.n * c.dim, b.z + i * b.dim, (size_t)b.dim * sizeof *b.z);
        c.labels[c.n++] = b.labels[i];
    }
    ck_assert_int_lt(c.n, b.n);
    hnt_ok(call(&c));
    ck_assert_double_eq(b.loss, c.loss);
    for (int64_t i = 0, k = 0; i < b.n; ++i)
        if (b.labels[i] >= 0)
            ck_assert_mem_eq(b.dz + i * b.dim, c.dz + k++ * c.dim, (size_t)b.dim * sizeof *b.dz);
    drop(&b);
    drop(&c);
}
END_TEST

START_TEST(zero_rows_have_gradient_zero)
{
    batch b = make(8, 12, 6, 3, 0);
    memset(b.z + 2 * b.dim, 0, (size_t)b.dim * sizeof *b.z);
    check_value(&b);
    double others = 0;
    for (int64_t d = 0; d < b.dim; ++d) {
        ck_assert_float_eq(b.dz[2 * b.dim + d], 0.0f);
        others += fabs((double)b.dz[d]);
    }
    ck_assert_double_gt(others, 1e-3);
    drop(&b);
}
END_TEST

START_TEST(gradients_are_scaled_and_added)
{
    for (int32_t normalize = 0; normalize < 2; ++normalize) {
        batch b = make(9, 150, 7, 5, 2), c = make(9, 150, 7, 5, 2);
        b.o.normalize = c.o.normalize = normalize;
        b.o.temperature = c.o.temperature = 1.0f;
        c.o.grad_scale = -0.75f;
        c.o.grad_beta = 0.5f;
        hnt_ok(call(&b));
        for (int64_t i = 0; i < c.n * 9; ++i)
            c.dz[i] = i % 9 < 7 ? 0.025f : NAN;
        hnt_ok(call(&c));
        float *dz = hnt_dense(b.dz, b.n, 7, 9), *cz = hnt_dense(c.dz, c.n, 7, 9);
        for (int64_t i = 0; i < b.n * 7; ++i)
            dz[i] = 0.0125f - 0.75f * dz[i];
        hnt_close_f("dz", cz, dz, b.n * 7, 1e-6);
        ck_assert_double_eq(b.loss, c.loss);
        free(dz);
        free(cz);
        drop(&b);
        drop(&c);
    }
}
END_TEST

START_TEST(without_gradient_the_value_is_the_same)
{
    batch b = make(10, 300, 9, 7, 0), c = make(10, 300, 9, 7, 0);
    float *dz = c.dz;
    c.dz = NULL;
    hnt_ok(call(&b));
    hnt_ok(call(&c));
    ck_assert_double_eq(b.loss, c.loss);
    ck_assert_mem_eq(b.rows, c.rows, (size_t)b.n * sizeof *b.rows);
    c.dz = dz;
    drop(&b);
    drop(&c);
}
END_TEST

/* One refusal: the outputs keep their values. */
static void refuse(batch *b, hn_status status, const char *sentence)
{
    b->loss = 77.0;
    for (int64_t i = 0; i < b->n * b->dim; ++i)
        b->dz[i] = 5.0f;
    for (int64_t i = 0; i < b->n; ++i)
        b->rows[i] = 5.0f;
    hnt_fails(call(b), status, sentence);
    ck_assert_double_eq(b->loss, 77.0);
    for (int64_t i = 0; i < b->n * b->dim; ++i)
        ck_assert_float_eq(b->dz[i], 5.0f);
    for (int64_t i = 0; i < b->n; ++i)
        ck_assert_float_eq(b->rows[i], 5.0f);
}

START_TEST(options_out_of_range_are_named)
{
    batch b = make(11, 6, 3, 2, 0);
    const hn_loss_sc_options good = b.o;
    static const float temperatures[] = {0.0f, -0.1f, INFINITY, NAN, 1e-44f};
    for (size_t i = 0; i < sizeof temperatures / sizeof temperatures[0]; ++i) {
        b.o.temperature = temperatures[i];
        refuse(&b, HN_E_ARG, "temperature");
    }
    b.o = good;
    b.o.lonely_anchor = 3;
    refuse(&b, HN_E_ARG, "lonely_anchor 3");
    b.o = good;
    b.o.reduction = -1;
    refuse(&b, HN_E_ARG, "reduction -1");
    b.o = good;
    b.o.num_threads = 1025;
    refuse(&b, HN_E_ARG, "num_threads is 1025");
    b.o = good;
    b.o.grad_scale = INFINITY;
    refuse(&b, HN_E_ARG, "grad_scale");
    b.o = good;
    b.o.grad_beta = NAN;
    refuse(&b, HN_E_ARG, "grad_beta");
    b.o = good;
    b.o.struct_size = 3;
    refuse(&b, HN_E_ARG, "struct_size is 3");
    b.o = good;
    b.o.check_finite = 1;
    hnt_ok(call(&b));
    b.z[4] = -INFINITY;
    refuse(&b, HN_E_NONFINITE, "z holds -inf in row 1, column 1");
    b.o.check_finite = 0;
    hnt_ok(call(&b));
    ck_assert(isnan(b.loss));
    drop(&b);
}
END_TEST

START_TEST(a_longer_struct_of_a_newer_header_is_judged_by_its_tail)
{
    struct {
        hn_loss_sc_options o;
        int64_t newer;
    } longer;
    size_t bytes;
    hn_loss_sc_options_init(&longer.o, sizeof longer);
    hnt_ok(hn_loss_sc_scratch(&longer.o, 4, 4, &bytes));
    longer.newer = 1;
    hnt_fails(hn_loss_sc_scratch(&longer.o, 4, 4, &bytes), HN_E_VERSION, "does not know");
}
END_TEST

START_TEST(arguments_out_of_shape_are_named)
{
    float x[12] = {1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1, 1}, g[12] = {0};
    const int32_t labels[4] = {0, 1, 1, 0};
    const hn_cmatf z = {x, 4, 3, 3}, nothing = {NULL, 4, 3, 3}, bad_ld = {x, 4, 3, 2}, negative = {x, -1, 3, 3},
                   flat = {x, 4, 0, 3};
    hn_matf dz_short = {g, 3, 3, 3}, dz_ld = {g, 4, 3, 2}, dz_null = {NULL, 4, 3, 3};
    size_t bytes, many;
    hnt_ok(hn_loss_sc_scratch(NULL, 4, 3, &bytes));
    hn_scratch good = hnt_scratch(bytes + 64), small = {good.data, bytes - 1}, odd = {(char *)good.data + 4, bytes};
    double loss = 77.0;
    hnt_fails(hn_loss_sc(NULL, NULL, labels, &loss, NULL, NULL, &good), HN_E_ARG, "z is NULL");
    hnt_fails(hn_loss_sc(NULL, &z, NULL, &loss, NULL, NULL, &good), HN_E_ARG, "labels is NULL");
    hnt_fails(hn_loss_sc(NULL, &nothing, labels, &loss, NULL, NULL, &good), HN_E_ARG, "z.data is NULL");
    hnt_fails(hn_loss_sc(NULL, &bad_ld, labels, &loss, NULL, NULL, &good), HN_E_SHAPE, "z.ld is 2");
    hnt_fails(hn_loss_sc(NULL, &negative, labels, &loss, NULL, NULL, &good), HN_E_SHAPE, "z is -1x3");
    hnt_fails(hn_loss_sc(NULL, &flat, labels, &loss, NULL, NULL, &good), HN_E_SHAPE, "z is 4x0");
    hnt_fails(hn_loss_sc(NULL, &z, labels, &loss, NULL, &dz_short, &good), HN_E_SHAPE, "dz is 3x3");
    hnt_fails(hn_loss_sc(NULL, &z, labels, &loss, NULL, &dz_ld, &good), HN_E_SHAPE, "dz.ld is 2");
    hnt_fails(hn_loss_sc(NULL, &z, labels, &loss, NULL, &dz_null, &good), HN_E_ARG, "dz.data is NULL");
    hnt_fails(hn_loss_sc(NULL, &z, labels, &loss, NULL, NULL, NULL), HN_E_WORKSPACE, "scratch is NULL");
    hnt_fails(hn_loss_sc(NULL, &z, labels, &loss, NULL, NULL, &small), HN_E_WORKSPACE, "bytes");
    hnt_fails(hn_loss_sc(NULL, &z, labels, &loss, NULL, NULL, &odd), HN_E_WORKSPACE, "aligned");
    ck_assert_double_eq(loss, 77.0);
    hnt_fails(hn_loss_sc_scratch(NULL, 4, 3, NULL), HN_E_ARG, "bytes is NULL");
    hnt_fails(hn_loss_sc_scratch(NULL, 1 << 30, INT32_MAX, &many), HN_E_SHAPE, "z is");
    free(good.data);
}
END_TEST

START_TEST(memory_grows_with_rows_not_with_their_square)
{
    size_t small, large;
    hnt_ok(hn_loss_sc_scratch(NULL, 10000, 128, &small));
    hnt_ok(hn_loss_sc_scratch(NULL, 20000, 128, &large));
    ck_assert_uint_le(large, 2 * small);
    ck_assert_uint_lt(large, (size_t)20000 * 20000);
}
END_TEST

/* ---- grad ------------------------------------------------------------------------------------------------------------ */

START_TEST(gradients_follow_differences)
{
    for (int32_t setting = 0; setting < 8; ++setting) {
        batch b = make(20 + (uint64_t)setting, 18, 4, 4, setting % 2);
        b.o.lonely_anchor = setting & 1;
        b.o.normalize = (setting >> 1 & 1) == 0;
        b.o.reduction = setting >> 2 & 1;
        b.o.temperature = 0.4f;
        hnt_ok(call(&b));
        reference r = refer(&b);
        double *want = hnt_differences(evaluate, &r, r.z, b.n * b.dim);
        float *dz = hnt_dense(b.dz, b.n, b.dim, b.dim + b.pad);
        hnt_close_fd("dz", dz, want, b.n * b.dim, 1e-5);
        free(want);
        free(dz);
        drop_reference(&r);
        drop(&b);
    }
}
END_TEST

START_TEST(gradients_across_tiles_follow_differences)
{
    batch b = make(30, 300, 3, 8, 0); /* three blocks of rows, two tiles of columns */
    hnt_ok(call(&b));
    reference r = refer(&b);
    for (int64_t at = 0; at < b.n * b.dim; at += 97) {
        double want, start = r.z[at];
        r.z[at] = start + 1e-6;
        want = evaluate(&r);
        r.z[at] = start - 1e-6;
        want = (want - evaluate(&r)) / 2e-6;
        r.z[at] = start;
        ck_assert_double_eq_tol((double)b.dz[at], want, 2e-7);
    }
    drop_reference(&r);
    drop(&b);
}
END_TEST

/* ---- golden ---------------------------------------------------------------------------------------------------------- */

START_TEST(pytorch_agrees)
{
    static const float temperatures[] = {0.02f, 0.1f, 1.0f, 10.0f};
    enum { N = 45, DIM = 19 };
    hn_context *context = hnt_context(1);
    hn_safetensors *file = hnt_golden_open(context, "losses");
    for (int32_t setting = 0; setting < 9; ++setting) {
        bool raw = setting == 8;
        batch b = make(0, N, DIM, 5, 0);
        char name[64], key[96];
        b.o.temperature = raw ? 0.5f : temperatures[setting % 4];
        b.o.lonely_anchor = raw ? HN_LONELY_SKIP : setting / 4;
        b.o.normalize = !raw;
        memcpy(b.z, hnt_golden_f(file, raw ? "sc.raw.z" : "sc.z", N * DIM), N * DIM * sizeof *b.z);
        memcpy(b.labels, hnt_golden_i(file, "sc.labels", N), N * sizeof *b.labels);
        hnt_ok(call(&b));
        snprintf(name, sizeof name, "sc.%s.%g", setting < 4 ? "skip" : "zero", (double)b.o.temperature);
        snprintf(key, sizeof key, "%s.loss", raw ? "sc.raw" : name);
        hnt_close_d(key, b.loss, (double)hnt_golden_f(file, key, 1)[0], 1e-5);
        snprintf(key, sizeof key, "%s.dz", raw ? "sc.raw" : name);
        hnt_close_f(key, b.dz, hnt_golden_f(file, key, N * DIM), N * DIM, 1e-4);
        drop(&b);
    }
    hn_safetensors_close(file);
    hn_context_destroy(context);
}
END_TEST

/* ---- property -------------------------------------------------------------------------------------------------------- */

START_TEST(order_of_rows_does_not_matter)
{
    batch b = make(40, 290, 10, 12, 0), c = make(40, 290, 10, 12, 0);
    hn_rng rng;
    int64_t order[290];
    hn_rng_seed(&rng, 1, 0);
    for (int64_t i = 0; i < b.n; ++i)
        order[i] = i;
    hn_rng_shuffle(&rng, order, 290);
    for (int64_t i = 0; i < b.n; ++i) {
        memcpy(c.z + i * c.dim, b.z + order[i] * b.dim, (size_t)b.dim * sizeof *b.z);
        c.labels[i] = b.labels[order[i]];
    }
    hnt_ok(call(&b));
    hnt_ok(call(&c));
    hnt_close_d("loss", c.loss, b.loss, 1e-7);
    float *back = hnt_alloc((size_t)(b.n * b.dim) * sizeof *back);
    for (int64_t i = 0; i < b.n; ++i)
        memcpy(back + order[i] * b.dim, c.dz + i * b.dim, (size_t)b.dim * sizeof *back);
    hnt_close_f("dz", back, b.dz, b.n * b.dim, 1e-5);
    free(back);
    drop(&b);
    drop(&c);
}
END_TEST

/* x - 2 (x.u) u for a unit u: a reflection, which is as good as a rotation. */
static void reflect(float *x, int64_t n, int64_t dim)
{
    double *u = hnt_alloc((size_t)dim * sizeof *u);
    for (int64_t d = 0; d < dim; ++d)
        u[d] = 1.0 + (double)(d % 3);
    hnt_unit_rows(u, 1, dim);
    for (int64_t i = 0; i < n; ++i) {
        double along = 0;
        for (int64_t d = 0; d < dim; ++d)
            along += (double)x[i * dim + d] * u[d];
        for (int64_t d = 0; d < dim; ++d)
            x[i * dim + d] = (float)((double)x[i * dim + d] - 2 * along * u[d]);
    }
    free(u);
}

START_TEST(rotation_does_not_matter)
{
    for (int32_t normalize = 0; normalize < 2; ++normalize) {
        batch b = make(41, 140, 10, 12, 0), c = make(41, 140, 10, 12, 0);
        b.o.normalize = c.o.normalize = normalize;
        b.o.temperature = c.o.temperature = normalize ? 0.1f : 2.0f;
        reflect(c.z, c.n, c.dim);
        hnt_ok(call(&b));
        hnt_ok(call(&c));
        hnt_close_d("loss", c.loss, b.loss, 1e-6);
        reflect(c.dz, c.n, c.dim);
        hnt_close_f("dz", c.dz, b.dz, b.n * b.dim, 2e-5);
        drop(&b);
        drop(&c);
    }
}
END_TEST

START_TEST(any_temperature_and_scale_is_finite)
{
    static const float temperatures[] = {0.005f, 0.02f, 0.1f, 1.0f, 100.0f}, scales[] = {1e-20f, 1.0f, 1e20f};
    for (size_t t = 0; t < 5; ++t)
        for (size_t s = 0; s < 3; ++s) {
            batch b = make(50, 24, 8, 4, 0);
            b.o.temperature = temperatures[t];
            for (int64_t d = 0; d < b.dim; ++d) {
                b.z[3 * b.dim + d] = b.z[d];          /* duplicates of other and of the same label */
                b.z[2 * b.dim + d] = -b.z[b.dim + d]; /* opposite rows                              */
                b.z[5 * b.dim + d] = 0.0f;
                b.z[9 * b.dim + d] = b.z[8 * b.dim + d];
            }
            b.labels[0] = b.labels[1] = b.labels[2] = 0;
            b.labels[3] = b.labels[8] = b.labels[9] = 1;
            for (int64_t i = 0; i < b.n * b.dim; ++i)
                b.z[i] *= scales[s];
            check_value(&b);
            hnt_finite("dz", b.dz, b.n * b.dim);
            drop(&b);
        }
}
END_TEST

/* ---- repro ----------------------------------------------------------------------------------------------------------- */

START_TEST(threads_do_not_change_bits)
{
    batch first = make(60, 700, 24, 20, 1);
    hnt_ok(call(&first));
    for (int32_t threads = 0; threads <= 3; ++threads) {
        batch b = make(60, 700, 24, 20, 1);
        b.o.num_threads = threads;
        hnt_ok(call(&b));
        ck_assert_mem_eq(&b.loss, &first.loss, sizeof b.loss);
        ck_assert_mem_eq(b.rows, first.rows, 700 * sizeof *b.rows);
        ck_assert_mem_eq(b.dz, first.dz, 700 * 25 * sizeof *b.dz);
        drop(&b);
    }
    drop(&first);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("supcon");
    TCase *unit = hnt_case(s, "unit");
    tcase_add_test(unit, values_follow_the_formula);
    tcase_add_test(unit, defaults_are_the_headers);
    tcase_add_test(unit, no_pair_no_loss);
    tcase_add_test(unit, lonely_anchors_are_still_negatives);
    tcase_add_test(unit, ignored_rows_are_as_if_absent);
    tcase_add_test(unit, zero_rows_have_gradient_zero);
    tcase_add_test(unit, gradients_are_scaled_and_added);
    tcase_add_test(unit, without_gradient_the_value_is_the_same);
    tcase_add_test(unit, options_out_of_range_are_named);
    tcase_add_test(unit, a_longer_struct_of_a_newer_header_is_judged_by_its_tail);
    tcase_add_test(unit, arguments_out_of_shape_are_named);
    tcase_add_test(unit, memory_grows_with_rows_not_with_their_square);
    TCase *grad = hnt_case(s, "grad");
    tcase_add_test(grad, gradients_follow_differences);
    tcase_add_test(grad, gradients_across_tiles_follow_differences);
    tcase_add_test(hnt_case(s, "golden"), pytorch_agrees);
    TCase *property = hnt_case(s, "property");
    tcase_add_test(property, order_of_rows_does_not_matter);
    tcase_add_test(property, rotation_does_not_matter);
    tcase_add_test(property, any_temperature_and_scale_is_finite);
    tcase_add_test(hnt_case(s, "repro"), threads_do_not_change_bits);
    return s;
}

HNT_MAIN(suite)
