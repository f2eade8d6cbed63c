/* SC on views: the conventions of SupContrast, pytorch-metric-learning and lightly, and large batches. */
#include "golden.h"
#include "loss_case.h"

#include <stdio.h>

enum { IMAGES = 14, VIEWS = 3, DIM = 11, LD = DIM + 2 };

static hn_status run(const hn_loss_sc_options *o, const float *z, int64_t n, int64_t dim, int64_t ld,
                     const int32_t *labels, double *loss, float *rows, float *dz)
{
    size_t bytes;
    hnt_ok(hn_loss_sc_scratch(o, n, dim, &bytes));
    hn_scratch scratch = hnt_scratch(bytes);
    memset(scratch.data, 0xff, bytes);
    hn_matf g = {dz, n, dim, ld};
    hn_status status = hn_loss_sc(o, &(hn_cmatf){z, n, dim, ld}, labels, loss, rows, dz == NULL ? NULL : &g, &scratch);
    free(scratch.data);
    return status;
}

static hn_loss_sc_options defaults(void)
{
    hn_loss_sc_options o;
    hn_loss_sc_options_init(&o, sizeof o);
    return o;
}

/* Where row (image, view) stands. */
static int64_t place(int32_t order, int64_t images, int64_t views, int64_t image, int64_t view)
{
    return order == HN_VIEW_MAJOR ? view * images + image : image * views + view;
}

/* The golden features [IMAGES, VIEWS, DIM], the first `views` of each image, as rows in the order. */
static void arrange(const float *features, int32_t order, int64_t views, float *z)
{
    for (int64_t i = 0; i < IMAGES; ++i)
        for (int64_t v = 0; v < views; ++v)
            memcpy(z + place(order, IMAGES, views, i, v) * DIM, features + (i * VIEWS + v) * DIM, DIM * sizeof *z);
}

/* ---- golden --------------------------------------------------------------------------------------------------------- */

/* One golden case in both orders of rows; labels NULL: none. */
static void check_golden(const hn_safetensors *file, const char *name, hn_loss_sc_options o, const int32_t *labels)
{
    const float *features = hnt_golden_f(file, "features", IMAGES * VIEWS * DIM);
    const int64_t n = IMAGES * o.views;
    char key[96];
    for (o.view_order = HN_VIEW_MAJOR; o.view_order <= HN_SAMPLE_MAJOR; ++o.view_order) {
        float z[IMAGES * VIEWS * DIM], dz[IMAGES * VIEWS * DIM], back[IMAGES * VIEWS * DIM];
        double loss;
        arrange(features, o.view_order, o.views, z);
        hnt_ok(run(&o, z, n, DIM, DIM, labels, &loss, NULL, dz));
        snprintf(key, sizeof key, "%s.loss", name);
        hnt_close_d(key, loss, (double)hnt_golden_f(file, key, 1)[0], 1e-6);
        for (int64_t i = 0; i < IMAGES; ++i)
            for (int64_t v = 0; v < o.views; ++v)
                memcpy(back + (i * o.views + v) * DIM, dz + place(o.view_order, IMAGES, o.views, i, v) * DIM,
                       DIM * sizeof *dz);
        snprintf(key, sizeof key, "%s.dfeatures", name);
        hnt_close_f(key, back, hnt_golden_f(file, key, n * DIM), n * DIM, 1e-5);
    }
}

START_TEST(supcontrast_agrees)
{
    hn_context *context = hnt_context(1);
    hn_safetensors *file = hnt_golden_open(context, "supcon");
    const int32_t *labels = hnt_golden_i(file, "labels", IMAGES);
    for (int32_t views = 1; views <= VIEWS; ++views)
        for (int k = 0; k < 4; ++k) {
            hn_loss_sc_options o = defaults();
            o.views = views;
            o.temperature = 0.1f;
            o.base_temperature = 0.07f;
            o.lonely_anchor = HN_LONELY_ZERO;
            o.anchors = k % 2 == 0 ? HN_ANCHORS_ALL : HN_ANCHORS_FIRST;
            if (views == 1 && k >= 2)
                continue;
            char name[64];
            snprintf(name, sizeof name, "supcontrast.%d.%s.%s", (int)views, k % 2 == 0 ? "all" : "one",
                     k < 2 ? "labels" : "none");
            check_golden(file, name, o, k < 2 ? labels : NULL);
        }
    hn_safetensors_close(file);
    hn_context_destroy(context);
}
END_TEST

START_TEST(lightly_agrees)
{
    hn_context *context = hnt_context(1);
    hn_safetensors *file = hnt_golden_open(context, "supcon");
    hn_loss_sc_options o = defaults();
    o.views = 2;
    o.temperature = 0.5f;
    check_golden(file, "lightly", o, NULL);
    hn_safetensors_close(file);
    hn_context_destroy(context);
}
END_TEST

START_TEST(pytorch_metric_learning_agrees)
{
    enum { N = 23 };
    hn_context *context = hnt_context(1);
    hn_safetensors *file = hnt_golden_open(context, "supcon");
    const float *z = hnt_golden_f(file, "z", N * DIM);
    const int32_t *labels = hnt_golden_i(file, "z_labels", N);
    hn_loss_sc_options o = defaults();
    o.lonely_anchor = HN_LONELY_PML;
    for (int k = 0; k < 2; ++k) {
        float dz[N * DIM];
        double loss;
        char key[64];
        o.temperature = k == 0 ? 0.02f : 0.1f;
        hnt_ok(run(&o, z, N, DIM, DIM, labels, &loss, NULL, dz));
        snprintf(key, sizeof key, "pml.self.%s.loss", k == 0 ? "0.02" : "0.1");
        hnt_close_d(key, loss, (double)hnt_golden_f(file, key, 1)[0], 1e-6);
        snprintf(key, sizeof key, "pml.self.%s.dz", k == 0 ? "0.02" : "0.1");
        hnt_close_f(key, dz, hnt_golden_f(file, key, N * DIM), N * DIM, 1e-5);
    }
    hn_safetensors_close(file);
    hn_context_destroy(context);
}
END_TEST

/* ---- unit ----------------------------------------------------------------------------------------------------------- */

START_TEST(a_batch_without_pairs_is_zero_to_pytorch_metric_learning)
{
    enum { N = 6 };
    static const int32_t one_class[N] = {4, 4, 4, 4, 4, 4}, all_alone[N] = {0, 1, 2, 3, 4, 5};
    float z[N * DIM], dz[N * DIM];
    double loss = 1.0, usual = 0.0;
    hnt_normal(3, z, N * DIM);
    hn_loss_sc_options o = defaults();
    hnt_ok(run(&o, z, N, DIM, DIM, one_class, &usual, NULL, NULL));
    ck_assert_double_gt(usual, 1.0); /* log 5 and more: the other policies see a loss */
    o.lonely_anchor = HN_LONELY_PML;
    for (int k = 0; k < 2; ++k) {
        hnt_ok(run(&o, z, N, DIM, DIM, k == 0 ? one_class : all_alone, &loss, NULL, dz));
        ck_assert_double_eq(loss, 0.0);
        for (int i = 0; i < N * DIM; ++i)
            ck_assert_float_eq(dz[i], 0.0f);
    }
}
END_TEST

/* views, view_order and labels left out are shorthand for a label on every row. */
START_TEST(views_are_rows_of_one_label)
{
    enum { N = IMAGES * 2 };
    float z[N * LD], dz[N * LD], want[N * LD], rows[N], want_rows[N];
    int32_t labels[IMAGES], by_row[N];
    hnt_normal(7, z, N * LD);
    for (int32_t order = HN_VIEW_MAJOR; order <= HN_SAMPLE_MAJOR; ++order)
        for (int given = 0; given < 2; ++given) {
            for (int32_t i = 0; i < IMAGES; ++i) {
                labels[i] = i == 4 ? -3 : i % 5;
                for (int64_t v = 0; v < 2; ++v)
                    by_row[place(order, IMAGES, 2, i, v)] = given ? labels[i] : i;
            }
            double loss, want_loss;
            hn_loss_sc_options o = defaults();
            hnt_ok(run(&o, z, N, DIM, LD, by_row, &want_loss, want_rows, want));
            o.views = 2;
            o.view_order = order;
            hnt_ok(run(&o, z, N, DIM, LD, given ? labels : NULL, &loss, rows, dz));
            ck_assert_double_eq(loss, want_loss);
            ck_assert_mem_eq(rows, want_rows, sizeof rows);
            for (int64_t i = 0; i < N; ++i)
                ck_assert_mem_eq(dz + i * LD, want + i * LD, DIM * sizeof *dz);
        }
}
END_TEST

START_TEST(base_temperature_is_a_factor)
{
    enum { N = 20 };
    float z[N * DIM], dz[N * DIM], scaled[N * DIM], rows[N], scaled_rows[N];
    int32_t labels[N];
    double loss, scaled_loss;
    hnt_normal(9, z, N * DIM);
    for (int32_t i = 0; i < N; ++i)
        labels[i] = i % 4;
    hn_loss_sc_options o = defaults();
    hnt_ok(run(&o, z, N, DIM, DIM, labels, &loss, rows, dz));
    o.base_temperature = 0.4f;
    hnt_ok(run(&o, z, N, DIM, DIM, labels, &scaled_loss, scaled_rows, scaled));
    ck_assert_double_eq_tol(scaled_loss, loss / 4, 1e-7);
    for (int i = 0; i < N; ++i)
        ck_assert_float_eq_tol(scaled_rows[i], rows[i] / 4, 1e-6f);
    for (int i = 0; i < N * DIM; ++i)
        dz[i] /= 4;
    hnt_close_f("dz", scaled, dz, N * DIM, 1e-6);
}
END_TEST

START_TEST(misuse_is_named)
{
    float z[6 * DIM] = {1.0f}, dz[6 * DIM] = {7.0f};
    const int32_t labels[6] = {0};
    double loss = 77.0;
    hn_loss_sc_options good = defaults(), o = good;
    char memory[64];
    hn_scratch scratch = {memory, 0};
    hn_matf g = {dz, 6, DIM, DIM};
    const hn_cmatf x = {z, 6, DIM, DIM};
    o.views = 0;
    hnt_fails(hn_loss_sc(&o, &x, labels, &loss, NULL, &g, &scratch), HN_E_ARG, "views is 0");
    o.views = 4;
    hnt_fails(hn_loss_sc(&o, &x, labels, &loss, NULL, &g, &scratch), HN_E_SHAPE, "multiple of views, 4");
    o = good;
    hnt_fails(hn_loss_sc(&o, &x, NULL, &loss, NULL, &g, &scratch), HN_E_ARG, "labels is NULL");
    o.view_order = 2;
    hnt_fails(hn_loss_sc(&o, &x, labels, &loss, NULL, &g, &scratch), HN_E_ARG, "view_order 2");
    o = good;
    o.anchors = -1;
    hnt_fails(hn_loss_sc(&o, &x, labels, &loss, NULL, &g, &scratch), HN_E_ARG, "anchors -1");
    o = good;
    o.base_temperature = -0.1f;
    hnt_fails(hn_loss_sc(&o, &x, labels, &loss, NULL, &g, &scratch), HN_E_ARG, "base_temperature is -0.1");
    o.base_temperature = 1e-45f;
    o.temperature = 100.0f;
    hnt_fails(hn_loss_sc(&o, &x, labels, &loss, NULL, &g, &scratch), HN_E_ARG, "base_temperature is");
    ck_assert_double_eq(loss, 77.0);
    ck_assert_float_eq(dz[0], 7.0f);
}
END_TEST

/* ---- large batches -------------------------------------------------------------------------------------------------- */

/* SC in double, with gradients: n small enough to hold the similarities. */
static double reference(const float *x, const int32_t *labels, int64_t n, int64_t dim, double tau, double *dx)
{
    double *z = hnt_dense_d(x, n, dim, dim), *p = hnt_alloc((size_t)(n * n) * sizeof *p), loss = 0;
    double *g = hnt_alloc((size_t)(n * dim) * sizeof *g), *length = hnt_alloc((size_t)n * sizeof *length);
    int64_t counted = 0;
    for (int64_t i = 0; i < n; ++i) {
        for (int64_t c = 0; c < dim; ++c)
            length[i] += z[i * dim + c] * z[i * dim + c];
        length[i] = sqrt(length[i]);
    }
    hnt_unit_rows(z, n, dim);
    for (int64_t i = 0; i < n; ++i) {
        double max = -INFINITY, sum = 0, near = 0;
        int64_t positives = 0;
        for (int64_t j = 0; j < n; ++j) {
            double s = 0;
            for (int64_t c = 0; c < dim; ++c)
                s += z[i * dim + c] * z[j * dim + c];
            p[i * n + j] = s / tau;
            positives += j != i && labels[j] == labels[i];
            max = j != i ? fmax(max, s / tau) : max;
        }
        for (int64_t j = 0; j < n; ++j) {
            near += j != i && labels[j] == labels[i] ? p[i * n + j] / (double)positives : 0;
            p[i * n + j] = j == i ? 0 : exp(p[i * n + j] - max);
            sum += p[i * n + j];
        }
        for (int64_t j = 0; j < n; ++j) /* dL_i/ds_ij */
            p[i * n + j] = positives == 0 || j == i
                               ? 0
                               : p[i * n + j] / sum - (labels[j] == labels[i] ? 1.0 / (double)positives : 0);
        loss += positives > 0 ? max + log(sum) - near : 0;
        counted += positives > 0;
    }
    for (int64_t i = 0; i < n; ++i) {
        double along = 0;
        for (int64_t j = 0; j < n; ++j)
            for (int64_t c = 0; c < dim; ++c)
                g[i * dim + c] += (p[i * n + j] + p[j * n + i]) * z[j * dim + c] / (tau * (double)counted);
        for (int64_t c = 0; c < dim; ++c)
            along += g[i * dim + c] * z[i * dim + c];
        for (int64_t c = 0; c < dim; ++c)
            dx[i * dim + c] = (g[i * dim + c] - along * z[i * dim + c]) / length[i];
    }
    free(z);
    free(p);
    free(g);
    free(length);
    return loss / (double)counted;
}

/* Around the sizes where blocks and rounds change, with a shift for all rows (temperature 0.1) and one each (0.02). */
START_TEST(blocks_and_rounds_of_any_number)
{
    static const int64_t sizes[] = {127, 128, 129, 257, 385, 513, 2047, 2048, 2100};
    const int64_t n = sizes[_i], dim = 10;
    float *z = hnt_alloc((size_t)(n * dim) * sizeof *z), *dz = hnt_alloc((size_t)(n * dim) * sizeof *z);
    float *again = hnt_alloc((size_t)(n * dim) * sizeof *z);
    double *want = hnt_alloc((size_t)(n * dim) * sizeof *want);
    int32_t *labels = hnt_alloc((size_t)n * sizeof *labels);
    hnt_normal(31, z, n * dim);
    for (int64_t i = 0; i < n; ++i)
        labels[i] = (int32_t)(i % 7 == 0 ? i % 40 : i % 3);
    for (int k = 0; k < 2; ++k) {
        hn_loss_sc_options o = defaults();
        o.temperature = k == 0 ? 0.1f : 0.02f;
        double loss, loss_again;
        double want_loss = reference(z, labels, n, dim, (double)o.temperature, want);
        hnt_ok(run(&o, z, n, dim, dim, labels, &loss, NULL, dz));
        hnt_close_d("loss", loss, want_loss, 2e-6);
        hnt_close_fd("dz", dz, want, n * dim, 2e-5);
        for (o.num_threads = 2; o.num_threads <= 3; ++o.num_threads) {
            hnt_ok(run(&o, z, n, dim, dim, labels, &loss_again, NULL, again));
            ck_assert_mem_eq(&loss, &loss_again, sizeof loss);
            ck_assert_mem_eq(dz, again, (size_t)(n * dim) * sizeof *dz);
        }
    }
    free(z);
    free(dz);
    free(again);
    free(want);
    free(labels);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("supcon_views");
    TCase *unit = hnt_case(s, "unit"), *golden = hnt_case(s, "golden");
    tcase_add_test(unit, a_batch_without_pairs_is_zero_to_pytorch_metric_learning);
    tcase_add_test(unit, views_are_rows_of_one_label);
    tcase_add_test(unit, base_temperature_is_a_factor);
    tcase_add_test(unit, misuse_is_named);
    tcase_add_test(golden, supcontrast_agrees);
    tcase_add_test(golden, lightly_agrees);
    tcase_add_test(golden, pytorch_metric_learning_agrees);
    tcase_add_loop_test(hnt_case(s, "repro"), blocks_and_rounds_of_any_number, 0, 9);
    return s;
}

HNT_MAIN(suite)
