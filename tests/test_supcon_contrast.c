/* SC of anchors against a separate contrast set: double reference, PyTorch, and hn_loss_sc where they must agree. */
#include "golden.h"
#include "loss_case.h"

#include <stdio.h>

/* One call: inputs, options, results. */
typedef struct batch {
    hn_loss_sc_options o;
    int64_t n, k, dim, pad;
    float *x, *y, *dx, *dy, *rows;
    int32_t *x_labels, *y_labels, *self;
    double loss;
} batch;

static batch make(uint64_t seed, int64_t n, int64_t k, int64_t dim, int64_t pad)
{
    batch b = {.n = n, .k = k, .dim = dim, .pad = pad};
    hn_loss_sc_options_init(&b.o, sizeof b.o);
    b.x = hnt_padded(seed, n, dim, dim + pad);
    b.y = hnt_padded(seed + 1, k, dim, dim + pad);
    b.dx = hnt_poison(n * (dim + pad));
    b.dy = hnt_poison(k * (dim + pad));
    b.rows = hnt_poison(n);
    b.x_labels = hnt_alloc((size_t)n * sizeof(int32_t));
    b.y_labels = hnt_alloc((size_t)k * sizeof(int32_t));
    b.self = hnt_alloc((size_t)n * sizeof(int32_t));
    for (int64_t i = 0; i < n; ++i) {
        b.x_labels[i] = i % 8 == 5 ? -2 : i % 11 == 7 ? 900 : (int32_t)(i % 4); /* 900: nobody's */
        b.self[i] = -1;
    }
    for (int64_t i = 0; i < k; ++i)
        b.y_labels[i] = i % 6 == 3 ? -1 : (int32_t)(i % 5);
    return b;
}

static void drop(batch *b)
{
    free(b->x);
    free(b->y);
    free(b->dx);
    free(b->dy);
    free(b->rows);
    free(b->x_labels);
    free(b->y_labels);
    free(b->self);
}

static hn_status call(batch *b)
{
    const int64_t ld = b->dim + b->pad;
    size_t bytes;
    hn_status status = hn_loss_sc_contrast_scratch(&b->o, b->n, b->k, b->dim, &bytes);
    if (status < 0)
        return status;
    hn_scratch scratch = hnt_scratch(bytes);
    memset(scratch.data, 0xff, bytes);
    hn_matf dx = {b->dx, b->n, b->dim, ld}, dy = {b->dy, b->k, b->dim, ld};
    status = hn_loss_sc_contrast(&b->o, &(hn_cmatf){b->x, b->n, b->dim, ld}, b->x_labels,
                                 &(hn_cmatf){b->y, b->k, b->dim, ld}, b->y_labels, b->self, &b->loss, b->rows,
                                 b->dx == NULL ? NULL : &dx, b->dy == NULL ? NULL : &dy, &scratch);
    free(scratch.data);
    return status;
}

/* ---- the reference -------------------------------------------------------------------------------------------------- */

typedef struct reference {
    const batch *b;
    double *x, *y; /* raw rows */
} reference;

static double cosine(const double *a, const double *b, int64_t dim)
{
    double ab = 0, aa = 0, bb = 0;
    for (int64_t c = 0; c < dim; ++c) {
        ab += a[c] * b[c];
        aa += a[c] * a[c];
        bb += b[c] * b[c];
    }
    return aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : 0;
}

static double evaluate(const void *arg)
{
    const reference *r = arg;
    const batch *b = r->b;
    double total = 0, tau = (double)b->o.temperature;
    int64_t counted = 0;
    for (int64_t i = 0; i < b->n; ++i) {
        double max = -INFINITY, sum = 0, near = 0;
        int64_t positives = 0;
        if (b->x_labels[i] < 0)
            continue;
        for (int pass = 0; pass < 2; ++pass)
            for (int64_t k = 0; k < b->k; ++k) {
                if (b->y_labels[k] < 0 || (b->self != NULL && b->self[i] == k))
                    continue;
                double s = cosine(r->x + i * b->dim, r->y + k * b->dim, b->dim) / tau;
                if (pass == 0) {
                    max = fmax(max, s);
                    continue;
                }
                sum += exp(s - max);
                if (b->y_labels[k] == b->x_labels[i]) {
                    near += s;
                    ++positives;
                }
            }
        double row = positives > 0 ? max + log(sum) - near / (double)positives : 0;
        total += row;
        counted +=
            b->o.lonely_anchor == HN_LONELY_ZERO || (b->o.lonely_anchor == HN_LONELY_PML ? row > 0 : positives > 0);
    }
    if (b->o.reduction == HN_REDUCE_SUM)
        return total;
    return counted > 0 ? total / (double)counted : 0;
}

/* ---- grad ----------------------------------------------------------------------------------------------------------- */

START_TEST(gradients_follow_differences)
{
    static const float temperatures[] = {0.02f, 0.1f, 1.0f, 100.0f};
    for (int k = 0; k < 48; ++k) {
        batch b = make(70 + (uint64_t)k, 17, 23, 6, k % 3);
        b.o.temperature = temperatures[k % 4];
        b.o.lonely_anchor = k / 4 % 3;
        b.o.reduction = k / 12 % 2 == 0 ? HN_REDUCE_MEAN : HN_REDUCE_SUM;
        for (int64_t i = 0; k >= 24 && i < b.n; ++i)
            b.self[i] = (int32_t)(i % 3 == 0 ? -7 : i + 2);
        hnt_ok(call(&b));
        reference r = {&b, hnt_dense_d(b.x, b.n, b.dim, b.dim + b.pad), hnt_dense_d(b.y, b.k, b.dim, b.dim + b.pad)};
        hnt_close_d("loss", b.loss, evaluate(&r), 2e-6);
        double *want_x = hnt_differences(evaluate, &r, r.x, b.n * b.dim);
        double *want_y = hnt_differences(evaluate, &r, r.y, b.k * b.dim);
        float *dx = hnt_dense(b.dx, b.n, b.dim, b.dim + b.pad), *dy = hnt_dense(b.dy, b.k, b.dim, b.dim + b.pad);
        const double tolerance = k % 4 == 3 ? 1e-4 : 2e-5; /* at temperature 100 gradients are differences of equals */
        hnt_close_fd("danchors", dx, want_x, b.n * b.dim, tolerance);
        hnt_close_fd("dcontrast", dy, want_y, b.k * b.dim, tolerance);
        free(want_x);
        free(want_y);
        free(dx);
        free(dy);
        free(r.x);
        free(r.y);
        drop(&b);
    }
}
END_TEST

/* ---- golden --------------------------------------------------------------------------------------------------------- */

START_TEST(pytorch_agrees)
{
    enum { N = 23, K = 31, DIM = 11 };
    static const struct {
        const char *name;
        int32_t lonely;
        float temperature;
    } cases[] = {{"skip.ref.0.02", HN_LONELY_SKIP, 0.02f}, {"skip.ref.0.1", HN_LONELY_SKIP, 0.1f},
                 {"zero.ref.0.02", HN_LONELY_ZERO, 0.02f}, {"zero.ref.0.1", HN_LONELY_ZERO, 0.1f},
                 {"pml.ref.0.02", HN_LONELY_PML, 0.02f},   {"pml.ref.0.1", HN_LONELY_PML, 0.1f},
                 {"gathered", HN_LONELY_SKIP, 0.1f}};
    hn_context *context = hnt_context(1);
    hn_safetensors *file = hnt_golden_open(context, "supcon");
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; ++c) {
        const int gathered = c == 6;
        const int64_t k = gathered ? K + N : K;
        batch b = make(1, N, k, DIM, 0);
        char key[64];
        memcpy(b.x, hnt_golden_f(file, "z", N * DIM), N * DIM * sizeof *b.x);
        memcpy(b.y, hnt_golden_f(file, "ref", K * DIM), K * DIM * sizeof *b.y);
        memcpy(b.x_labels, hnt_golden_i(file, "z_labels", N), N * sizeof(int32_t));
        memcpy(b.y_labels, hnt_golden_i(file, "ref_labels", K), K * sizeof(int32_t));
        for (int32_t i = 0; gathered && i < N; ++i) {
            memcpy(b.y + (K + i) * DIM, b.x + i * DIM, DIM * sizeof *b.x);
            b.y_labels[K + i] = b.x_labels[i];
            b.self[i] = K + i;
        }
        b.o.lonely_anchor = cases[c].lonely;
        b.o.temperature = cases[c].temperature;
        b.o.base_temperature = gathered ? 0.2f : 0.0f;
        hnt_ok(call(&b));
        snprintf(key, sizeof key, "%s.loss", cases[c].name);
        hnt_close_d(key, b.loss, (double)hnt_golden_f(file, key, 1)[0], 1e-6);
        snprintf(key, sizeof key, "%s.dz", cases[c].name);
        hnt_close_f(key, b.dx, hnt_golden_f(file, key, N * DIM), N * DIM, 1e-5);
        snprintf(key, sizeof key, "%s.dref", cases[c].name);
        hnt_close_f(key, b.dy, hnt_golden_f(file, key, k * DIM), k * DIM, 1e-5);
        drop(&b);
    }
    hn_safetensors_close(file);
    hn_context_destroy(context);
}
END_TEST

/* ---- property ------------------------------------------------------------------------------------------------------- */

/* Embeddings gathered from several processes: each has its own rows as anchors and all rows as contrast. What the processes
 * compute adds up to hn_loss_sc on the whole batch.                                                                        */
START_TEST(gathered_parts_make_the_whole_batch)
{
    enum { PARTS = 3, EACH = 110, N = PARTS * EACH, DIM = 9 };
    batch whole = make(5, N, N, DIM, 0);
    for (int32_t i = 0; i < N; ++i)
        whole.x_labels[i] = i % 13 == 4 ? -1 : i % 17;
    double *sum = hnt_alloc(N * DIM * sizeof *sum), total = 0, want_loss;
    for (int part = 0; part < PARTS; ++part) {
        batch b = make(5, EACH, N, DIM, 0);
        memcpy(b.y, whole.x, N * DIM * sizeof *b.y);
        memcpy(b.y_labels, whole.x_labels, N * sizeof(int32_t));
        memcpy(b.x, whole.x + part * EACH * DIM, EACH * DIM * sizeof *b.x);
        memcpy(b.x_labels, whole.x_labels + part * EACH, EACH * sizeof(int32_t));
        for (int32_t i = 0; i < EACH; ++i)
            b.self[i] = part * EACH + i;
        b.o.reduction = HN_REDUCE_SUM;
        hnt_ok(call(&b));
        total += b.loss;
        for (int i = 0; i < EACH * DIM; ++i)
            sum[part * EACH * DIM + i] += (double)b.dx[i];
        for (int i = 0; i < N * DIM; ++i)
            sum[i] += (double)b.dy[i];
        drop(&b);
    }
    size_t bytes;
    whole.o.reduction = HN_REDUCE_SUM;
    hnt_ok(hn_loss_sc_scratch(&whole.o, N, DIM, &bytes));
    hn_scratch scratch = hnt_scratch(bytes);
    hnt_ok(hn_loss_sc(&whole.o, &(hn_cmatf){whole.x, N, DIM, DIM}, whole.x_labels, &want_loss, NULL,
                      &(hn_matf){whole.dx, N, DIM, DIM}, &scratch));
    hnt_close_d("loss", total, want_loss, 1e-6);
    hnt_close_fd("gradient", whole.dx, sum, N * DIM, 1e-5);
    free(scratch.data);
    free(sum);
    drop(&whole);
}
END_TEST

/* More anchors than a stripe and more keys than a chunk, against hn_loss_sc, whose sums go another way. */
START_TEST(stripes_and_chunks_agree_with_pairs)
{
    enum { N = 2100, DIM = 5 };
    batch b = make(6, N, N, DIM, 0);
    memcpy(b.y, b.x, N * DIM * sizeof *b.y);
    for (int32_t i = 0; i < N; ++i) {
        b.x_labels[i] = b.y_labels[i] = i % 6;
        b.self[i] = i;
    }
    float *want = hnt_poison(N * DIM);
    for (int k = 0; k < 3; ++k) {
        double loss;
        size_t bytes;
        b.o.temperature = k == 0 ? 0.1f : k == 1 ? 0.02f : 5.0f;
        hnt_ok(call(&b));
        hnt_ok(hn_loss_sc_scratch(&b.o, N, DIM, &bytes));
        hn_scratch scratch = hnt_scratch(bytes);
        hnt_ok(hn_loss_sc(&b.o, &(hn_cmatf){b.x, N, DIM, DIM}, b.x_labels, &loss, NULL, &(hn_matf){want, N, DIM, DIM},
                          &scratch));
        free(scratch.data);
        for (int i = 0; i < N * DIM; ++i)
            b.dx[i] += b.dy[i];
        hnt_close_d("loss", b.loss, loss, 1e-6);
        hnt_close_f("gradient", b.dx, want, N * DIM, 2e-5);
    }
    free(want);
    drop(&b);
}
END_TEST

START_TEST(extremes_are_finite)
{
    static const float temperatures[] = {0.005f, 0.1f, 100.0f}, scales[] = {1e-20f, 1.0f, 1e20f};
    for (int k = 0; k < 9; ++k) {
        batch b = make(8, 40, 50, 7, 0);
        b.o.temperature = temperatures[k % 3];
        for (int64_t i = 0; i < b.n * b.dim; ++i)
            b.x[i] *= scales[k / 3];
        memcpy(b.y, b.x, 20 * 7 * sizeof *b.y); /* the same rows, and their opposites */
        for (int64_t i = 0; i < 20 * 7; ++i)
            b.y[20 * 7 + i] = -b.y[i];
        memset(b.x + 21, 0, 7 * sizeof *b.x);
        hnt_ok(call(&b));
        ck_assert(isfinite(b.loss));
        hnt_finite("rows", b.rows, b.n);
        hnt_finite("danchors", b.dx, b.n * b.dim);
        hnt_finite("dcontrast", b.dy, b.k * b.dim);
        drop(&b);
    }
}
END_TEST

/* ---- unit ----------------------------------------------------------------------------------------------------------- */

START_TEST(a_queue_gets_no_gradient)
{
    batch b = make(9, 30, 40, 8, 1), q = make(9, 30, 40, 8, 1);
    hnt_ok(call(&b));
    free(q.dy);
    q.dy = NULL;
    free(q.self);
    q.self = NULL; /* the same as -1 for all */
    hnt_ok(call(&q));
    ck_assert_double_eq(b.loss, q.loss);
    float *dx = hnt_dense(b.dx, b.n, 8, 9), *qx = hnt_dense(q.dx, q.n, 8, 9);
    ck_assert_mem_eq(dx, qx, 30 * 8 * sizeof *dx);
    for (int64_t i = 0; i < b.n; ++i)
        ck_assert(b.x_labels[i] >= 0 || (b.rows[i] == 0.0f && dx[i * 8] == 0.0f));
    free(dx);
    free(qx);
    drop(&b);
    drop(&q);
}
END_TEST

START_TEST(empty_sets_are_zero)
{
    static const int64_t shapes[][2] = {{0, 5}, {5, 0}, {0, 0}};
    for (size_t s = 0; s < 3; ++s) {
        batch b = make(3, shapes[s][0], shapes[s][1], 4, 0);
        hnt_ok(call(&b));
        ck_assert_double_eq(b.loss, 0.0);
        for (int64_t i = 0; i < b.n * 4; ++i)
            ck_assert_float_eq(b.dx[i], 0.0f);
        for (int64_t i = 0; i < b.k * 4; ++i)
            ck_assert_float_eq(b.dy[i], 0.0f);
        drop(&b);
    }
}
END_TEST

START_TEST(gradients_are_scaled_and_added)
{
    batch b = make(11, 30, 40, 8, 0), c = make(11, 30, 40, 8, 0);
    hnt_ok(call(&b));
    c.o.grad_scale = -0.5f;
    c.o.grad_beta = 2.0f;
    for (int i = 0; i < 30 * 8; ++i)
        c.dx[i] = 0.25f;
    for (int i = 0; i < 40 * 8; ++i)
        c.dy[i] = 0.125f;
    hnt_ok(call(&c));
    for (int i = 0; i < 30 * 8; ++i)
        ck_assert_float_eq_tol(c.dx[i], 0.5f - 0.5f * b.dx[i], 1e-6f);
    for (int i = 0; i < 40 * 8; ++i)
        ck_assert_float_eq_tol(c.dy[i], 0.25f - 0.5f * b.dy[i], 1e-6f);
    drop(&b);
    drop(&c);
}
END_TEST

static void refuse(batch *b, hn_status status, const char *sentence)
{
    b->loss = 77.0;
    memset(b->dx, 0, (size_t)(b->n * b->dim) * sizeof *b->dx);
    memset(b->dy, 0, (size_t)(b->k * b->dim) * sizeof *b->dy);
    hnt_fails(call(b), status, sentence);
    ck_assert_double_eq(b->loss, 77.0);
    for (int64_t i = 0; i < b->n * b->dim; ++i)
        ck_assert_float_eq(b->dx[i], 0.0f);
    for (int64_t i = 0; i < b->k * b->dim; ++i)
        ck_assert_float_eq(b->dy[i], 0.0f);
}

START_TEST(misuse_is_named)
{
    batch b = make(12, 6, 7, 3, 0);
    const hn_loss_sc_options good = b.o;
    b.o.temperature = 0.0f;
    refuse(&b, HN_E_ARG, "temperature is 0");
    b.o = good;
    b.o.views = 2;
    refuse(&b, HN_E_ARG, "views, view_order and anchors");
    b.o = good;
    b.self[2] = 7;
    refuse(&b, HN_E_ARG, "self of anchor 2 is 7; contrast has 7 rows");
    b.self[2] = -1;
    b.o.check_finite = 1;
    b.y[4] = NAN;
    refuse(&b, HN_E_NONFINITE, "contrast holds nan in row 1, column 1");
    b.y[4] = 0.0f;
    b.x[0] = INFINITY;
    refuse(&b, HN_E_NONFINITE, "anchors holds inf");
    size_t bytes;
    double loss;
    const hn_cmatf x = {b.x, 6, 3, 3}, y = {b.y, 7, 3, 3}, narrow = {b.y, 7, 2, 3};
    hnt_fails(hn_loss_sc_contrast_scratch(NULL, 6, 7, 3, NULL), HN_E_ARG, "bytes is NULL");
    hnt_fails(hn_loss_sc_contrast_scratch(NULL, 6, -7, 3, &bytes), HN_E_SHAPE, "contrast is -7x3");
    hnt_fails(hn_loss_sc_contrast(NULL, &x, b.x_labels, &narrow, b.y_labels, NULL, &loss, NULL, NULL, NULL, NULL),
              HN_E_SHAPE, "contrast has 2");
    hnt_fails(hn_loss_sc_contrast(NULL, &x, b.x_labels, &y, NULL, NULL, &loss, NULL, NULL, NULL, NULL), HN_E_ARG,
              "contrast_labels is NULL");
    hnt_fails(hn_loss_sc_contrast(NULL, &x, NULL, &y, b.y_labels, NULL, &loss, NULL, NULL, NULL, NULL), HN_E_ARG,
              "labels is NULL");
    hnt_fails(hn_loss_sc_contrast(NULL, NULL, b.x_labels, &y, b.y_labels, NULL, &loss, NULL, NULL, NULL, NULL),
              HN_E_ARG, "anchors is NULL");
    hnt_fails(hn_loss_sc_contrast(NULL, &x, b.x_labels, &y, b.y_labels, NULL, &loss, NULL, NULL, NULL, NULL),
              HN_E_WORKSPACE, "scratch is NULL");
    drop(&b);
}
END_TEST

/* ---- repro ---------------------------------------------------------------------------------------------------------- */

START_TEST(threads_do_not_change_bits)
{
    batch first = make(20, 300, 3000, 12, 0);
    hnt_ok(call(&first));
    for (int32_t threads = 0; threads <= 3; ++threads) {
        batch b = make(20, 300, 3000, 12, 0);
        b.o.num_threads = threads;
        hnt_ok(call(&b));
        ck_assert_mem_eq(&b.loss, &first.loss, sizeof b.loss);
        ck_assert_mem_eq(b.rows, first.rows, 300 * sizeof *b.rows);
        ck_assert_mem_eq(b.dx, first.dx, 300 * 12 * sizeof *b.dx);
        ck_assert_mem_eq(b.dy, first.dy, 3000 * 12 * sizeof *b.dy);
        drop(&b);
    }
    drop(&first);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("supcon_contrast");
    TCase *unit = hnt_case(s, "unit"), *property = hnt_case(s, "property");
    tcase_add_test(unit, a_queue_gets_no_gradient);
    tcase_add_test(unit, empty_sets_are_zero);
    tcase_add_test(unit, gradients_are_scaled_and_added);
    tcase_add_test(unit, misuse_is_named);
    tcase_add_test(hnt_case(s, "grad"), gradients_follow_differences);
    tcase_add_test(hnt_case(s, "golden"), pytorch_agrees);
    tcase_add_test(property, gathered_parts_make_the_whole_batch);
    tcase_add_test(property, stripes_and_chunks_agree_with_pairs);
    tcase_add_test(property, extremes_are_finite);
    tcase_add_test(hnt_case(s, "repro"), threads_do_not_change_bits);
    return s;
}

HNT_MAIN(suite)
