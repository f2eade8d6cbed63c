/* Cross-entropy against a plain double reference, central differences and PyTorch's; policies; bits and threads. */
#include "golden.h"
#include "loss_case.h"

#include "kernel/softmax.h"

#include <stdio.h>

/* One call: inputs, options, results. The leading dimension is classes + pad. */
typedef struct batch {
    hn_loss_ce_options o;
    int64_t n, classes, pad;
    float *x, *dx, *rows, *weight, *adjustment, *margin, *smoothing;
    int32_t *labels;
    double loss;
} batch;

enum { SMOOTH = 1, WEIGHT = 2, ADJUST = 4, SUM = 8, MARGIN = 16, BY_CLASS = 32, FOCAL = 64, SETTINGS = 128 };

static batch make(uint64_t seed, int64_t n, int64_t classes, int64_t pad, int setting)
{
    batch b = {.n = n, .classes = classes, .pad = pad};
    hn_loss_ce_options_init(&b.o, sizeof b.o);
    b.x = hnt_padded(seed, n, classes, classes + pad);
    b.dx = hnt_poison(n * (classes + pad));
    b.rows = hnt_poison(n);
    b.weight = hnt_alloc((size_t)classes * sizeof *b.weight);
    b.adjustment = hnt_alloc((size_t)classes * sizeof *b.adjustment);
    b.labels = hnt_alloc((size_t)n * sizeof *b.labels);
    b.margin = hnt_alloc((size_t)classes * sizeof *b.margin);
    b.smoothing = hnt_alloc((size_t)classes * sizeof *b.smoothing);
    hnt_normal(seed + 1, b.weight, classes);
    hnt_normal(seed + 3, b.margin, classes);
    hnt_normal(seed + 2, b.adjustment, classes);
    for (int64_t c = 0; c < classes; ++c) {
        b.weight[c] = c % 5 == 3 ? 0.0f : fabsf(b.weight[c]);
        b.smoothing[c] = (float)(c % 4) / 4.0f;
    }
    for (int64_t i = 0; i < n; ++i)
        b.labels[i] = i % 9 == 4 ? -1 - (int32_t)i : (int32_t)((i * 7 + i / 3) % classes);
    b.o.label_smoothing = setting & SMOOTH ? 0.2f : 0.0f;
    b.o.class_weight = setting & WEIGHT ? b.weight : NULL;
    b.o.logit_adjustment = setting & ADJUST ? b.adjustment : NULL;
    b.o.margin = setting & MARGIN ? b.margin : NULL;
    b.o.logit_scale = setting & MARGIN ? 1.75f : 1.0f;
    b.o.class_smoothing = setting & BY_CLASS ? b.smoothing : NULL;
    b.o.focal_gamma = setting & FOCAL ? (setting & WEIGHT ? 0.5f : 2.0f) : 0.0f;
    b.o.reduction = setting & SUM ? HN_REDUCE_SUM : HN_REDUCE_MEAN;
    return b;
}

static void drop(batch *b)
{
    free(b->x);
    free(b->dx);
    free(b->rows);
    free(b->weight);
    free(b->adjustment);
    free(b->margin);
    free(b->smoothing);
    free(b->labels);
}

static hn_status call(batch *b)
{
    int64_t ld = b->classes + b->pad;
    size_t bytes;
    hn_status status = hn_loss_ce_scratch(&b->o, b->n, b->classes, &bytes);
    if (status < 0)
        return status;
    hn_scratch scratch = hnt_scratch(bytes);
    memset(scratch.data, 0xff, bytes);
    hn_matf dx = {b->dx, b->n, b->classes, ld};
    status = hn_loss_ce(&b->o, &(hn_cmatf){b->x, b->n, b->classes, ld}, b->labels, &b->loss, b->rows,
                        b->dx == NULL ? NULL : &dx, &scratch);
    free(scratch.data);
    return status;
}

/* ---- the reference --------------------------------------------------------------------------------------------------- */

typedef struct reference {
    const batch *b;
    double *x, *rows;
} reference;

static double weight_of(const batch *b, int64_t c)
{
    return b->o.class_weight == NULL ? 1.0 : (double)b->o.class_weight[c];
}

static double evaluate(const void *arg)
{
    const reference *r = arg;
    const batch *b = r->b;
    double total = 0, divisor = 0;
    double *x = hnt_alloc((size_t)b->classes * sizeof *x);
    for (int64_t i = 0; i < b->n; ++i) {
        const int32_t label = b->labels[i];
        double max = -INFINITY, sum = 0, others = 0;
        r->rows[i] = 0;
        if (label < 0)
            continue;
        double smooth = (double)(b->o.class_smoothing == NULL ? b->o.label_smoothing : b->o.class_smoothing[label]);
        for (int64_t c = 0; c < b->classes; ++c) {
            double margin = b->o.margin != NULL && c == label ? (double)b->o.margin[c] : 0;
            x[c] = (double)b->o.logit_scale * (r->x[i * b->classes + c] - margin);
            if (b->o.logit_adjustment != NULL)
                x[c] += (double)b->o.logit_adjustment[c];
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
        r->rows[i] *= pow(others / sum, (double)b->o.focal_gamma);
        total += r->rows[i];
        divisor += weight_of(b, b->labels[i]);
    }
    free(x);
    if (b->o.reduction == HN_REDUCE_SUM)
        return total;
    return divisor > 0 ? total / divisor : 0;
}

static reference refer(const batch *b)
{
    return (reference){b, hnt_dense_d(b->x, b->n, b->classes, b->classes + b->pad),
                       hnt_alloc((size_t)b->n * sizeof(double))};
}

static void drop_reference(reference *r)
{
    free(r->x);
    free(r->rows);
}

static void check_value(batch *b)
{
    hnt_ok(call(b));
    reference r = refer(b);
    hnt_close_d("loss", b->loss, evaluate(&r), 1e-6);
    hnt_close_fd("row_loss", b->rows, r.rows, b->n, 1e-6);
    drop_reference(&r);
}

/* ---- unit ------------------------------------------------------------------------------------------------------------ */

START_TEST(values_follow_the_formula)
{
    static const int64_t shapes[][3] = {{1, 1, 0}, {1, 2, 1}, {31, 10, 0}, {65, 255, 3}, {33, 257, 0}, {40, 1000, 7}};
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; ++s)
        for (int setting = 0; setting < SETTINGS; ++setting) {
            batch b = make(s, shapes[s][0], shapes[s][1], shapes[s][2], setting);
            check_value(&b);
            drop(&b);
        }
}
END_TEST

START_TEST(defaults_are_the_headers)
{
    hn_loss_ce_options o;
    hn_loss_ce_options_init(&o, sizeof o);
    ck_assert_uint_eq(o.struct_size, sizeof o);
    ck_assert_int_eq(o.reduction, HN_REDUCE_MEAN);
    ck_assert_int_eq(o.check_finite, 0);
    ck_assert_int_eq(o.num_threads, 1);
    ck_assert_float_eq(o.grad_scale, 1.0f);
    ck_assert_float_eq(o.grad_beta, 0.0f);
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
    batch b = make(1, 10, 4, 0, 0);
    for (int64_t i = 0; i < b.n; ++i)
        b.labels[i] = -100;
    hnt_ok(call(&b));
    ck_assert_double_eq(b.loss, 0.0);
    for (int64_t i = 0; i < b.n * b.classes; ++i)
        ck_assert_float_eq(b.dx[i], 0.0f);
    drop(&b);

    b = make(1, 10, 4, 0, WEIGHT); /* only labels of weight 0 */
    for (int64_t i = 0; i < b.n; ++i)
        b.labels[i] = 3;
    hnt_ok(call(&b));
    ck_assert_double_eq(b.loss, 0.0);
    for (int64_t i = 0; i < b.n * b.classes; ++i)
        ck_assert_float_eq(b.dx[i], 0.0f);
    drop(&b);

    double loss = 5.0;
    hnt_ok(hn_loss_ce(NULL, &(hn_cmatf){NULL, 0, 4, 4}, NULL, &loss, NULL, NULL, NULL)); /* no rows, no scratch */
    ck_assert_double_eq(loss, 0.0);
}
END_TEST

START_TEST(gradients_are_scaled_and_added)
{
    batch b = make(9, 70, 7, 2, SMOOTH | WEIGHT | ADJUST), c = make(9, 70, 7, 2, SMOOTH | WEIGHT | ADJUST);
    c.o.grad_scale = -0.75f;
    c.o.grad_beta = 0.5f;
    hnt_ok(call(&b));
    for (int64_t i = 0; i < c.n * 9; ++i)
        c.dx[i] = i % 9 < 7 ? 0.025f : NAN;
    hnt_ok(call(&c));
    float *dx = hnt_dense(b.dx, b.n, 7, 9), *cx = hnt_dense(c.dx, c.n, 7, 9);
    for (int64_t i = 0; i < b.n * 7; ++i)
        dx[i] = 0.0125f - 0.75f * dx[i];
    hnt_close_f("dlogits", cx, dx, b.n * 7, 1e-6);
    ck_assert_double_eq(b.loss, c.loss);
    free(dx);
    free(cx);
    drop(&b);
    drop(&c);
}
END_TEST

START_TEST(outputs_may_be_left_out)
{
    batch b = make(10, 40, 6, 0, SMOOTH), c = make(10, 40, 6, 0, SMOOTH);
    float *dx = c.dx;
    c.dx = NULL;
    hnt_ok(call(&b));
    hnt_ok(call(&c));
    ck_assert_double_eq(b.loss, c.loss);
    ck_assert_mem_eq(b.rows, c.rows, (size_t)b.n * sizeof *b.rows);
    c.dx = dx;
    drop(&b);
    drop(&c);
}
END_TEST

START_TEST(a_class_may_be_impossible)
{
    batch b = make(11, 20, 5, 0, ADJUST);
    b.adjustment[2] = -INFINITY; /* the logarithm of a prior of 0 */
    for (int64_t i = 0; i < b.n; ++i)
        b.labels[i] = i % 2 == 0 ? 0 : 4;
    hnt_ok(call(&b));
    ck_assert(isfinite(b.loss));
    for (int64_t i = 0; i < b.n; ++i)
        ck_assert_float_le(fabsf(b.dx[i * 5 + 2]), 1e-30f);
    hnt_finite("dlogits", b.dx, b.n * 5);
    drop(&b);
}
END_TEST

/* One refusal: the outputs keep their values. */
static void refuse(batch *b, hn_status status, const char *sentence)
{
    b->loss = 77.0;
    for (int64_t i = 0; i < b->n * b->classes; ++i)
        b->dx[i] = 5.0f;
    for (int64_t i = 0; i < b->n; ++i)
        b->rows[i] = 5.0f;
    hnt_fails(call(b), status, sentence);
    ck_assert_double_eq(b->loss, 77.0);
    for (int64_t i = 0; i < b->n * b->classes; ++i)
        ck_assert_float_eq(b->dx[i], 5.0f);
    for (int64_t i = 0; i < b->n; ++i)
        ck_assert_float_eq(b->rows[i], 5.0f);
}

START_TEST(options_out_of_range_are_named)
{
    batch b = make(11, 6, 4, 0, WEIGHT | ADJUST);
    const hn_loss_ce_options good = b.o;
    static const float smoothings[] = {-0.01f, 1.01f, NAN};
    for (size_t i = 0; i < sizeof smoothings / sizeof smoothings[0]; ++i) {
        b.o.label_smoothing = smoothings[i];
        refuse(&b, HN_E_ARG, "label_smoothing");
    }
    b.o = good;
    b.weight[1] = -1.0f;
    refuse(&b, HN_E_ARG, "class_weight[1] is -1");
    b.weight[1] = INFINITY;
    refuse(&b, HN_E_ARG, "class_weight[1] is inf");
    b.weight[1] = 1.0f;
    b.adjustment[3] = NAN;
    refuse(&b, HN_E_ARG, "logit_adjustment[3]");
    b.adjustment[3] = 0.0f;
    b.o.margin = b.margin;
    b.margin[2] = NAN;
    refuse(&b, HN_E_ARG, "margin[2] is nan");
    b.o = good;
    b.o.class_smoothing = b.smoothing;
    b.smoothing[1] = 1.5f;
    refuse(&b, HN_E_ARG, "class_smoothing[1] is 1.5");
    b.o = good;
    b.o.logit_scale = 0.0f;
    refuse(&b, HN_E_ARG, "logit_scale is 0");
    b.o = good;
    b.o.focal_gamma = -1.0f;
    refuse(&b, HN_E_ARG, "focal_gamma is -1");
    b.o = good;
    b.o.reduction = 7;
    refuse(&b, HN_E_ARG, "reduction 7");
    b.o = good;
    b.o.num_threads = -3;
    refuse(&b, HN_E_ARG, "num_threads is -3");
    b.o = good;
    b.o.grad_scale = NAN;
    refuse(&b, HN_E_ARG, "grad_scale");
    b.o = good;
    b.o.grad_beta = NAN;
    refuse(&b, HN_E_ARG, "grad_beta");
    b.o = good;
    b.o.struct_size = 1 << 20;
    refuse(&b, HN_E_ARG, "struct_size is 1048576");
    b.o = good;
    b.labels[3] = 4;
    refuse(&b, HN_E_LABEL, "label 4 of row 3");
    b.labels[3] = 0;
    b.o.check_finite = 1;
    hnt_ok(call(&b));
    b.x[9] = NAN;
    refuse(&b, HN_E_NONFINITE, "row 2, column 1");
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
    const hn_cmatf z = {x, 4, 3, 3}, nothing = {NULL, 4, 3, 3}, bad_ld = {x, 4, 3, 2}, negative = {x, -1, 3, 3},
                   flat = {x, 4, 0, 3};
    hn_matf dx_short = {g, 3, 3, 3}, dx_ld = {g, 4, 3, 2}, dx_null = {NULL, 4, 3, 3};
    size_t bytes;
    hnt_ok(hn_loss_ce_scratch(NULL, 4, 3, &bytes));
    hn_scratch good = hnt_scratch(bytes + 64), small = {good.data, bytes - 1}, odd = {(char *)good.data + 4, bytes};
    double loss = 77.0;
    hnt_fails(hn_loss_ce(NULL, NULL, labels, &loss, NULL, NULL, &good), HN_E_ARG, "logits is NULL");
    hnt_fails(hn_loss_ce(NULL, &z, NULL, &loss, NULL, NULL, &good), HN_E_ARG, "labels is NULL");
    hnt_fails(hn_loss_ce(NULL, &nothing, labels, &loss, NULL, NULL, &good), HN_E_ARG, "logits.data is NULL");
    hnt_fails(hn_loss_ce(NULL, &bad_ld, labels, &loss, NULL, NULL, &good), HN_E_SHAPE, "logits.ld is 2");
    hnt_fails(hn_loss_ce(NULL, &negative, labels, &loss, NULL, NULL, &good), HN_E_SHAPE, "logits is -1x3");
    hnt_fails(hn_loss_ce(NULL, &flat, labels, &loss, NULL, NULL, &good), HN_E_SHAPE, "logits is 4x0");
    hnt_fails(hn_loss_ce(NULL, &z, labels, &loss, NULL, &dx_short, &good), HN_E_SHAPE, "dlogits is 3x3");
    hnt_fails(hn_loss_ce(NULL, &z, labels, &loss, NULL, &dx_ld, &good), HN_E_SHAPE, "dlogits.ld is 2");
    hnt_fails(hn_loss_ce(NULL, &z, labels, &loss, NULL, &dx_null, &good), HN_E_ARG, "dlogits.data is NULL");
    hnt_fails(hn_loss_ce(NULL, &z, labels, &loss, NULL, NULL, NULL), HN_E_WORKSPACE, "scratch is NULL");
    hnt_fails(hn_loss_ce(NULL, &z, labels, &loss, NULL, NULL, &small), HN_E_WORKSPACE, "bytes");
    hnt_fails(hn_loss_ce(NULL, &z, labels, &loss, NULL, NULL, &odd), HN_E_WORKSPACE, "aligned");
    ck_assert_double_eq(loss, 77.0);
    hnt_fails(hn_loss_ce_scratch(NULL, 4, 3, NULL), HN_E_ARG, "bytes is NULL");
    hnt_fails(hn_loss_ce_scratch(NULL, -4, 3, &bytes), HN_E_SHAPE, "-4");
    free(good.data);
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

/* ---- grad ------------------------------------------------------------------------------------------------------------ */

START_TEST(gradients_follow_differences)
{
    for (int setting = 0; setting < SETTINGS; ++setting) {
        batch b = make(20 + (uint64_t)setting, 13, 6, setting % 2, setting);
        hnt_ok(call(&b));
        reference r = refer(&b);
        double *want = hnt_differences(evaluate, &r, r.x, b.n * b.classes);
        float *dx = hnt_dense(b.dx, b.n, b.classes, b.classes + b.pad);
        hnt_close_fd("dlogits", dx, want, b.n * b.classes, 1e-6);
        free(want);
        free(dx);
        drop_reference(&r);
        drop(&b);
    }
}
END_TEST

/* ---- golden ---------------------------------------------------------------------------------------------------------- */

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
        batch b = make(0, N, C, 0, 0);
        char key[96];
        const char *reduction = k % 2 == 0 ? "mean" : "sum";
        memcpy(b.x, hnt_golden_f(file, "ce.logits", N * C), N * C * sizeof *b.x);
        memcpy(b.labels, hnt_golden_i(file, "ce.labels", N), N * sizeof *b.labels);
        b.o.label_smoothing = cases[k / 2].smoothing;
        b.o.class_weight = cases[k / 2].weight ? hnt_golden_f(file, "ce.weight", C) : NULL;
        b.o.logit_adjustment = cases[k / 2].adjust ? hnt_golden_f(file, "ce.adjustment", C) : NULL;
        b.o.reduction = k % 2 == 0 ? HN_REDUCE_MEAN : HN_REDUCE_SUM;
        hnt_ok(call(&b));
        snprintf(key, sizeof key, "ce.%s.%s.loss", cases[k / 2].name, reduction);
        hnt_close_d(key, b.loss, (double)hnt_golden_f(file, key, 1)[0], 1e-6);
        snprintf(key, sizeof key, "ce.%s.%s.dlogits", cases[k / 2].name, reduction);
        hnt_close_f(key, b.dx, hnt_golden_f(file, key, N * C), N * C, 1e-5);
        drop(&b);
    }
    hn_safetensors_close(file);
    hn_context_destroy(context);
}
END_TEST

/* ---- property -------------------------------------------------------------------------------------------------------- */

START_TEST(a_constant_added_to_a_row_does_not_matter)
{
    batch b = make(40, 30, 12, 0, SMOOTH), c = make(40, 30, 12, 0, SMOOTH);
    for (int64_t i = 0; i < b.n * 12; ++i) { /* multiples of 1/8 that stay exact beside 2^16 */
        b.x[i] = roundf(b.x[i] * 8) / 8;
        c.x[i] = b.x[i] + (i / 12 % 2 == 0 ? 65536.0f : -65536.0f);
    }
    hnt_ok(call(&b));
    hnt_ok(call(&c));
    hnt_close_d("loss", c.loss, b.loss, 1e-6);
    hnt_close_f("dlogits", c.dx, b.dx, b.n * 12, 1e-5);
    drop(&b);
    drop(&c);
}
END_TEST

START_TEST(each_row_of_the_gradient_sums_to_zero)
{
    for (int setting = 0; setting < SETTINGS; ++setting) {
        batch b = make(41, 50, 300, 0, setting);
        hnt_ok(call(&b));
        for (int64_t i = 0; i < b.n; ++i) {
            double sum = 0, size = 0;
            for (int64_t c = 0; c < b.classes; ++c) {
                sum += (double)b.dx[i * b.classes + c];
                size += fabs((double)b.dx[i * b.classes + c]);
            }
            ck_assert_double_le(fabs(sum), 1e-6 * size);
        }
        drop(&b);
    }
}
END_TEST

START_TEST(logits_of_any_size_are_finite)
{
    static const float scales[] = {1e-30f, 1e-3f, 1e3f, 1e6f, 1e30f};
    for (size_t s = 0; s < 5; ++s) {
        batch b = make(42, 20, 9, 0, SMOOTH);
        for (int64_t i = 0; i < b.n * 9; ++i)
            b.x[i] *= scales[s];
        check_value(&b);
        hnt_finite("dlogits", b.dx, b.n * 9);
        drop(&b);
    }
}
END_TEST

/* The focal factor where the label's probability is 1 or 0 to the last bit: its derivative is infinite at 1 for gamma < 1. */
START_TEST(focal_loss_is_finite_at_certainty)
{
    static const float gammas[] = {0.01f, 0.5f, 1.0f, 5.0f}, gaps[] = {1.0f, 20.0f, 90.0f, 1e4f, 1e30f};
    for (int k = 0; k < 40; ++k) {
        batch b = make(43, 3, k % 2 == 0 ? 1 : 4, 0, SUM);
        for (int64_t i = 0; i < b.n; ++i) {
            b.labels[i] = 0;
            for (int64_t c = 0; c < b.classes; ++c)
                b.x[i * b.classes + c] = (c == 0 ? 1.0f : -1.0f) * (i == 1 ? -1.0f : 1.0f) * gaps[k / 8];
        }
        b.o.focal_gamma = gammas[k / 2 % 4];
        hnt_ok(call(&b));
        ck_assert(isfinite(b.loss) && b.loss >= 0);
        hnt_finite("row_loss", b.rows, b.n);
        hnt_finite("dlogits", b.dx, b.n * b.classes);
        drop(&b);
    }
}
END_TEST

/* ---- repro ----------------------------------------------------------------------------------------------------------- */

START_TEST(threads_do_not_change_bits)
{
    batch first = make(60, 333, 700, 1, SMOOTH | WEIGHT | ADJUST | MARGIN | FOCAL);
    hnt_ok(call(&first));
    for (int32_t threads = 0; threads <= 3; ++threads) {
        batch b = make(60, 333, 700, 1, SMOOTH | WEIGHT | ADJUST | MARGIN | FOCAL);
        b.o.num_threads = threads;
        hnt_ok(call(&b));
        ck_assert_mem_eq(&b.loss, &first.loss, sizeof b.loss);
        ck_assert_mem_eq(b.rows, first.rows, 333 * sizeof *b.rows);
        ck_assert_mem_eq(b.dx, first.dx, 333 * 701 * sizeof *b.dx);
        drop(&b);
    }
    drop(&first);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("cross_entropy");
    TCase *unit = hnt_case(s, "unit");
    tcase_add_test(unit, values_follow_the_formula);
    tcase_add_test(unit, defaults_are_the_headers);
    tcase_add_test(unit, nothing_to_average_is_zero);
    tcase_add_test(unit, gradients_are_scaled_and_added);
    tcase_add_test(unit, outputs_may_be_left_out);
    tcase_add_test(unit, a_class_may_be_impossible);
    tcase_add_test(unit, options_out_of_range_are_named);
    tcase_add_test(unit, arguments_out_of_shape_are_named);
    tcase_add_test(unit, exponentials_are_nearly_exact);
    tcase_add_test(unit, log_sum_exp_takes_pieces_in_any_sizes);
    tcase_add_test(hnt_case(s, "grad"), gradients_follow_differences);
    tcase_add_test(hnt_case(s, "golden"), pytorch_agrees);
    TCase *property = hnt_case(s, "property");
    tcase_add_test(property, a_constant_added_to_a_row_does_not_matter);
    tcase_add_test(property, each_row_of_the_gradient_sums_to_zero);
    tcase_add_test(property, logits_of_any_size_are_finite);
    tcase_add_test(property, focal_loss_is_finite_at_certainty);
    tcase_add_test(hnt_case(s, "repro"), threads_do_not_change_bits);
    return s;
}

HNT_MAIN(suite)
