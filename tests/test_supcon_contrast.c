/* SC of anchors against a separate contrast set: double reference, PyTorch, and hn_loss_sc where they must agree. What it
 * shares with the other losses is the contract of loss_contract.h.                                                      */
#include "loss_contract.h"

#include <stdio.h>

static hnt_batch make(uint64_t seed, int64_t n, int64_t k, int64_t dim, int64_t pad)
{
    hnt_batch b = hnt_batch_of(&hnt_sc_contrast, n, 0, dim);
    b.z = hnt_matrix_of(seed, n, dim, pad);
    b.y = hnt_matrix_of(seed + 1, k, dim, pad);
    b.key_labels = hnt_integers(k);
    b.self = hnt_integers(n);
    for (int64_t i = 0; i < n; ++i) {
        b.labels[i] = i % 8 == 5 ? -2 : i % 11 == 7 ? 900 : (int32_t)(i % 4); /* 900: nobody's */
        b.self[i] = -1;
    }
    for (int64_t i = 0; i < k; ++i)
        b.key_labels[i] = i % 6 == 3 ? -1 : (int32_t)(i % 5);
    return b;
}

static hnt_batch sized(uint64_t seed, int size, int64_t pad)
{
    static const int64_t shapes[][3] = {{0, 5, 4}, {6, 7, 3}, {40, 50, 7}, {300, 3000, 12}};
    return make(seed, shapes[size][0], shapes[size][1], shapes[size][2], pad);
}

/* ---- the reference ----------------------------------------------------------------------------------------------- */

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
    const hnt_reference *r = arg;
    const hnt_batch *b = r->b;
    double total = 0, tau = (double)b->o.temperature;
    int64_t counted = 0;
    for (int64_t i = 0; i < b->n; ++i) {
        double max = -INFINITY, sum = 0, near = 0;
        int64_t positives = 0;
        r->rows[i] = 0;
        if (b->labels[i] < 0)
            continue;
        for (int pass = 0; pass < 2; ++pass)
            for (int64_t k = 0; k < b->y.rows; ++k) {
                if (b->key_labels[k] < 0 || (b->self != NULL && b->self[i] == k))
                    continue;
                double s = cosine(r->z + i * b->dim, r->y + k * b->dim, b->dim) / tau;
                if (pass == 0) {
                    max = fmax(max, s);
                    continue;
                }
                sum += exp(s - max);
                if (b->key_labels[k] == b->labels[i]) {
                    near += s;
                    ++positives;
                }
            }
        const double row = r->rows[i] = positives > 0 ? max + log(sum) - near / (double)positives : 0;
        total += row;
        counted += b->o.sc.lonely_anchor == HN_LONELY_ZERO ||
                   (b->o.sc.lonely_anchor == HN_LONELY_PML ? row > 0 : positives > 0);
    }
    return hnt_reduce(b, total, counted);
}

/* ---- the contract ------------------------------------------------------------------------------------------------ */

static const hnt_mistake mistakes[] = {
    HNT_I32(sc, views, 2, "views, view_order and anchors"),
    {HNT_INDEX + HNT_SELF, 2, 7, HN_E_ARG, "self[2] is 7; it must be below 7"},
};

static const hnt_misshape misshapes[] = {{HNT_INPUT, HNT_Y, 3, 2, 3, HN_E_SHAPE, "contrast has 2"}};

static const hnt_missize missizes[] = {{{.n = 6, .k = -7, .dim = 3}, HN_E_SHAPE, "contrast is -7x3"}};

static const hnt_subject subject = {.loss = &hnt_sc_contrast,
                                    .evaluate = evaluate,
                                    .make = sized,
                                    .zero_key = 5,
                                    HNT_TABLE(mistake),
                                    HNT_TABLE(misshape),
                                    HNT_TABLE(missize)};

/* ---- unit -------------------------------------------------------------------------------------------------------- */

START_TEST(a_queue_gets_no_gradient)
{
    hnt_batch b = make(9, 30, 40, 8, 1), q = make(9, 30, 40, 8, 1);
    hnt_ok(hnt_call(&b));
    free(q.y.g);
    q.y.g = NULL;
    free(q.self);
    q.self = NULL; /* the same as -1 for all */
    hnt_ok(hnt_call(&q));
    ck_assert_double_eq(b.loss, q.loss);
    float *dx = hnt_dense(b.z.g, b.n, 8, 9), *qx = hnt_dense(q.z.g, q.n, 8, 9);
    ck_assert_mem_eq(dx, qx, 30 * 8 * sizeof *dx);
    for (int64_t i = 0; i < b.n; ++i)
        ck_assert(b.labels[i] >= 0 || (b.rows[i] == 0.0f && dx[i * 8] == 0.0f));
    free(dx);
    free(qx);
    hnt_drop(&b);
    hnt_drop(&q);
}
END_TEST

START_TEST(empty_sets_are_zero)
{
    static const int64_t shapes[][2] = {{0, 5}, {5, 0}, {0, 0}};
    for (size_t s = 0; s < 3; ++s) {
        hnt_batch b = make(3, shapes[s][0], shapes[s][1], 4, 0);
        hnt_ok(hnt_call(&b));
        ck_assert_double_eq(b.loss, 0.0);
        hnt_zero_gradient(&b.z);
        hnt_zero_gradient(&b.y);
        hnt_drop(&b);
    }
}
END_TEST

/* ---- grad -------------------------------------------------------------------------------------------------------- */

START_TEST(gradients_follow_differences)
{
    static const float temperatures[] = {0.02f, 0.1f, 1.0f, 100.0f};
    for (int k = 0; k < 48; ++k) {
        hnt_batch b = make(70 + (uint64_t)k, 17, 23, 6, k % 3);
        b.o.temperature = temperatures[k % 4];
        b.o.sc.lonely_anchor = k / 4 % 3;
        b.o.reduction = k / 12 % 2 == 0 ? HN_REDUCE_MEAN : HN_REDUCE_SUM;
        for (int64_t i = 0; k >= 24 && i < b.n; ++i)
            b.self[i] = (int32_t)(i % 3 == 0 ? -7 : i + 2);
        hnt_gradients_follow(&subject, &b, k % 4 == 3 ? 1e-4 : 2e-5); /* at 100 gradients are differences of equals */
        hnt_reference r = hnt_refer(&subject, &b);
        hnt_close_d("loss", b.loss, evaluate(&r), 2e-6);
        hnt_drop_reference(&r);
        hnt_drop(&b);
    }
}
END_TEST

/* ---- golden ------------------------------------------------------------------------------------------------------ */

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
        hnt_batch b = make(1, N, k, DIM, 0);
        char key[64];
        memcpy(b.z.x, hnt_golden_f(file, "z", N * DIM), N * DIM * sizeof *b.z.x);
        memcpy(b.y.x, hnt_golden_f(file, "ref", K * DIM), K * DIM * sizeof *b.y.x);
        memcpy(b.labels, hnt_golden_i(file, "z_labels", N), N * sizeof *b.labels);
        memcpy(b.key_labels, hnt_golden_i(file, "ref_labels", K), K * sizeof *b.labels);
        for (int32_t i = 0; gathered && i < N; ++i) {
            memcpy(b.y.x + (K + i) * DIM, b.z.x + i * DIM, DIM * sizeof *b.z.x);
            b.key_labels[K + i] = b.labels[i];
            b.self[i] = K + i;
        }
        b.o.sc.lonely_anchor = cases[c].lonely;
        b.o.temperature = cases[c].temperature;
        b.o.sc.base_temperature = gathered ? 0.2f : 0.0f;
        hnt_ok(hnt_call(&b));
        snprintf(key, sizeof key, "%s.loss", cases[c].name);
        hnt_close_d(key, b.loss, (double)hnt_golden_f(file, key, 1)[0], 1e-6);
        snprintf(key, sizeof key, "%s.dz", cases[c].name);
        hnt_close_f(key, b.z.g, hnt_golden_f(file, key, N * DIM), N * DIM, 1e-5);
        snprintf(key, sizeof key, "%s.dref", cases[c].name);
        hnt_close_f(key, b.y.g, hnt_golden_f(file, key, k * DIM), k * DIM, 1e-5);
        hnt_drop(&b);
    }
    hn_safetensors_close(file);
    hn_context_destroy(context);
}
END_TEST

/* ---- property ---------------------------------------------------------------------------------------------------- */

/* Embeddings gathered from several processes: each has its own rows as anchors and all rows as contrast. What the processes
 * compute adds up to hn_loss_sc on the whole batch.                                                                        */
START_TEST(gathered_parts_make_the_whole_batch)
{
    enum { PARTS = 3, EACH = 110, N = PARTS * EACH, DIM = 9 };
    hnt_batch whole = make(5, N, N, DIM, 0);
    for (int32_t i = 0; i < N; ++i)
        whole.labels[i] = i % 13 == 4 ? -1 : i % 17;
    double *sum = hnt_alloc(N * DIM * sizeof *sum), total = 0, want_loss;
    for (int part = 0; part < PARTS; ++part) {
        hnt_batch b = make(5, EACH, N, DIM, 0);
        memcpy(b.y.x, whole.z.x, N * DIM * sizeof *b.y.x);
        memcpy(b.key_labels, whole.labels, N * sizeof(int32_t));
        memcpy(b.z.x, whole.z.x + part * EACH * DIM, EACH * DIM * sizeof *b.z.x);
        memcpy(b.labels, whole.labels + part * EACH, EACH * sizeof(int32_t));
        for (int32_t i = 0; i < EACH; ++i)
            b.self[i] = part * EACH + i;
        b.o.reduction = HN_REDUCE_SUM;
        hnt_ok(hnt_call(&b));
        total += b.loss;
        for (int i = 0; i < EACH * DIM; ++i)
            sum[part * EACH * DIM + i] += (double)b.z.g[i];
        for (int i = 0; i < N * DIM; ++i)
            sum[i] += (double)b.y.g[i];
        hnt_drop(&b);
    }
    size_t bytes;
    whole.o.reduction = HN_REDUCE_SUM;
    hnt_ok(hn_loss_sc_scratch(&whole.o.sc, N, DIM, &bytes));
    hn_scratch scratch = hnt_scratch(bytes);
    hnt_ok(hn_loss_sc(&whole.o.sc, &(hn_cmatf){whole.z.x, N, DIM, DIM}, whole.labels, &want_loss, NULL,
                      &(hn_matf){whole.z.g, N, DIM, DIM}, &scratch));
    hnt_close_d("loss", total, want_loss, 1e-6);
    hnt_close_fd("gradient", whole.z.g, sum, N * DIM, 1e-5);
    free(scratch.data);
    free(sum);
    hnt_drop(&whole);
}
END_TEST

/* More anchors than a stripe and more keys than a chunk, against hn_loss_sc, whose sums go another way. */
START_TEST(stripes_and_chunks_agree_with_pairs)
{
    enum { N = 2100, DIM = 5 };
    hnt_batch b = make(6, N, N, DIM, 0);
    memcpy(b.y.x, b.z.x, N * DIM * sizeof *b.y.x);
    for (int32_t i = 0; i < N; ++i) {
        b.labels[i] = b.key_labels[i] = i % 6;
        b.self[i] = i;
    }
    float *want = hnt_poison(N * DIM);
    for (int k = 0; k < 3; ++k) {
        double loss;
        size_t bytes;
        b.o.temperature = k == 0 ? 0.1f : k == 1 ? 0.02f : 5.0f;
        hnt_ok(hnt_call(&b));
        hnt_ok(hn_loss_sc_scratch(&b.o.sc, N, DIM, &bytes));
        hn_scratch scratch = hnt_scratch(bytes);
        hnt_ok(hn_loss_sc(&b.o.sc, &(hn_cmatf){b.z.x, N, DIM, DIM}, b.labels, &loss, NULL,
                          &(hn_matf){want, N, DIM, DIM}, &scratch));
        free(scratch.data);
        for (int i = 0; i < N * DIM; ++i)
            b.z.g[i] += b.y.g[i];
        hnt_close_d("loss", b.loss, loss, 1e-6);
        hnt_close_f("gradient", b.z.g, want, N * DIM, 2e-5);
    }
    free(want);
    hnt_drop(&b);
}
END_TEST

START_TEST(extremes_are_finite)
{
    static const float temperatures[] = {0.005f, 0.1f, 100.0f}, scales[] = {1e-20f, 1.0f, 1e20f};
    for (int k = 0; k < 9; ++k) {
        hnt_batch b = make(8, 40, 50, 7, 0);
        b.o.temperature = temperatures[k % 3];
        for (int64_t i = 0; i < b.n * b.dim; ++i)
            b.z.x[i] *= scales[k / 3];
        memcpy(b.y.x, b.z.x, 20 * 7 * sizeof *b.y.x); /* the same rows, and their opposites */
        for (int64_t i = 0; i < 20 * 7; ++i)
            b.y.x[20 * 7 + i] = -b.y.x[i];
        memset(b.z.x + 21, 0, 7 * sizeof *b.z.x);
        hnt_ok(hnt_call(&b));
        ck_assert(isfinite(b.loss));
        hnt_finite("rows", b.rows, b.n);
        hnt_finite_gradients(&b);
        hnt_drop(&b);
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("supcon_contrast");
    TCase *unit = hnt_case(s, "unit"), *property = hnt_case(s, "property");
    tcase_add_test(unit, a_queue_gets_no_gradient);
    tcase_add_test(unit, empty_sets_are_zero);
    hnt_contract(&subject, unit, property, hnt_case(s, "repro"));
    tcase_add_test(hnt_case(s, "grad"), gradients_follow_differences);
    tcase_add_test(hnt_case(s, "golden"), pytorch_agrees);
    tcase_add_test(property, gathered_parts_make_the_whole_batch);
    tcase_add_test(property, stripes_and_chunks_agree_with_pairs);
    tcase_add_test(property, extremes_are_finite);
    return s;
}

HNT_MAIN(suite)
