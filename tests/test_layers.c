/* The built-in layers other than convolution and batch norm (test_conv.c): references in double, PyTorch, threads. */
#include "layer_case.h"

#include <math.h>
#include <stdlib.h>

/* ---- makers --------------------------------------------------------------------------------------------------------- */

static hn_status make_linear(hn_layer **out, hn_context *c)
{
    return hn_linear_create(out, c, 13, 7, 1);
}

static hn_status make_cosine_linear(hn_layer **out, hn_context *c)
{
    return hn_cosine_linear_create(out, c, 13, 7, 3.5f);
}

/* With more rows of weights than one task takes. */
static hn_status make_wide_linear(hn_layer **out, hn_context *c)
{
    return hn_linear_create(out, c, 13, 150, 1);
}

static hn_status make_wide_cosine_linear(hn_layer **out, hn_context *c)
{
    return hn_cosine_linear_create(out, c, 13, 150, 3.5f);
}

static hn_status make_conv2d(hn_layer **out, hn_context *c)
{
    hn_conv2d_options o;
    hn_conv2d_options_init(&o, sizeof o);
    o.in_channels = 3;
    o.out_channels = 8;
    o.kernel = 5;
    o.stride = 2;
    o.padding = 2;
    o.bias = 1;
    return hn_conv2d_create(out, c, &o);
}

static hn_status make_batchnorm(hn_layer **out, hn_context *c)
{
    return hn_batchnorm_create(out, c, 6, NULL);
}

static hn_status make_max_pool(hn_layer **out, hn_context *c)
{
    return hn_max_pool_create(out, c, 3, 2, 1);
}

static hn_status make_residual(hn_layer **out, hn_context *c, int32_t shortcut, int32_t in, int32_t channels,
                               int32_t stride)
{
    hn_layer *body = NULL, *unit = NULL;
    hn_status status = hn_sequential_create(&body, c);
    for (int i = 0; i < 2 && status == HN_OK; ++i) {
        hn_conv2d_options o;
        hn_conv2d_options_init(&o, sizeof o);
        o.in_channels = i == 0 ? in : channels;
        o.out_channels = channels;
        o.stride = i == 0 ? stride : 1;
        status = hn_conv_unit_create(&unit, c, i == 0 ? "conv1" : "conv2", i == 0 ? "bn1" : "bn2", &o, NULL, i == 0);
        if (status == HN_OK && (status = hn_layer_add_child(body, "", unit)) < 0)
            hn_layer_destroy(unit);
    }
    hn_residual_options r;
    hn_residual_options_init(&r, sizeof r);
    r.shortcut = shortcut;
    r.in_channels = in;
    r.out_channels = channels;
    r.stride = stride;
    if (status == HN_OK)
        status = hn_residual_create(out, c, body, &r);
    if (status < 0)
        hn_layer_destroy(body);
    return status;
}

static hn_status make_identity(hn_layer **out, hn_context *c)
{
    return make_residual(out, c, HN_SHORTCUT_IDENTITY, 8, 8, 1);
}

static hn_status make_option_a(hn_layer **out, hn_context *c)
{
    return make_residual(out, c, HN_SHORTCUT_OPTION_A, 6, 12, 2);
}

static hn_status make_projection(hn_layer **out, hn_context *c)
{
    return make_residual(out, c, HN_SHORTCUT_PROJECTION, 6, 10, 2);
}

/* The body cannot add x: the residual does. */
static hn_status make_norm_residual(hn_layer **out, hn_context *c)
{
    hn_layer *body = NULL;
    hn_status status = hn_l2norm_create(&body, c);
    if (status == HN_OK && (status = hn_residual_create(out, c, body, NULL)) < 0)
        hn_layer_destroy(body);
    return status;
}

/* large: a batch that all of the layer's loops cut into several tasks: of 32768 values in a ReLU, 65536 in batch norm, 64 rows
 * to be normalised, 32 rows of a product and at most 8 images elsewhere.                                                    */
static const struct {
    const char *name;
    hn_status (*make)(hn_layer **out, hn_context *c);
    hn_desc input;
    int64_t large;
} cases[] = {{"linear", make_linear, {HN_F32, 2, {5, 13}}, 2000},
             {"conv2d", make_conv2d, {HN_F32, 4, {2, 11, 9, 3}}, 150},
             {"batchnorm", make_batchnorm, {HN_F32, 4, {3, 5, 4, 6}}, 2200},
             {"relu", hn_relu_create, {HN_F32, 4, {3, 5, 4, 6}}, 2200},
             {"max_pool", make_max_pool, {HN_F32, 4, {2, 9, 8, 4}}, 150},
             {"avg_pool", hn_global_avg_pool_create, {HN_F32, 4, {2, 9, 8, 4}}, 150},
             {"l2norm", hn_l2norm_create, {HN_F32, 2, {6, 10}}, 2000},
             {"identity", make_identity, {HN_F32, 4, {2, 7, 6, 8}}, 600},
             {"option_a", make_option_a, {HN_F32, 4, {2, 7, 6, 6}}, 1400},
             {"projection", make_projection, {HN_F32, 4, {2, 7, 6, 6}}, 1700},
             {"cosine_linear", make_cosine_linear, {HN_F32, 2, {5, 13}}, 2000},
             {"wide_linear", make_wide_linear, {HN_F32, 2, {5, 13}}, 500},
             {"wide_cosine_linear", make_wide_cosine_linear, {HN_F32, 2, {5, 13}}, 500},
             {"norm_residual", make_norm_residual, {HN_F32, 2, {5, 13}}, 10000}};

enum { CASES = sizeof cases / sizeof cases[0], GOLDEN = CASES - 3 }; /* the others have no golden data */

static hn_layer *made(hn_context *context, int i)
{
    hn_layer *layer = NULL;
    hn_rng rng;
    hnt_ok(cases[i].make(&layer, context));
    hn_rng_seed(&rng, 1, 0);
    hnt_ok(hn_layer_init_params(layer, &rng));
    return layer;
}

/* ---- golden, threads, memory ---------------------------------------------------------------------------------------- */

#ifdef HNI_HAVE_JANSSON
START_TEST(matches_pytorch)
{
    hn_context *context = hnt_context(2);
    hn_safetensors *file = hnt_golden_open(context, "layers");
    hnt_layer_matches(context, file, cases[_i].name, made(context, _i));
    hn_safetensors_close(file);
    hn_context_destroy(context);
}
END_TEST
#endif

/* Output, gradient of x and all gradients of one pass, one after another; n: how many values. */
static float *run(int i, int32_t threads, int64_t *n)
{
    hn_context *context = hnt_context(threads);
    hn_layer *layer = made(context, i);
    hn_exec *exec = NULL;
    hn_tensor *x = NULL, *dx = NULL, *dy = NULL;
    const hn_tensor *y = NULL;
    hn_desc input = cases[i].input;
    input.dim[0] = cases[i].large;
    hnt_ok(hn_exec_create(&exec, context, layer, &input, HN_MODE_TRAIN));
    hnt_ok(hn_tensor_create(&x, context, &input));
    hnt_ok(hn_tensor_create(&dx, context, &input));
    hnt_normal(1, hn_tensor_data(x), hn_tensor_count(x));
    hnt_ok(hn_exec_forward(exec, x, &y));
    hnt_ok(hn_tensor_create(&dy, context, hn_tensor_desc(y)));
    hnt_normal(2, hn_tensor_data(dy), hn_tensor_count(dy));
    hnt_ok(hn_exec_backward(exec, dy, dx));
    *n = hn_tensor_count(y) + hn_tensor_count(dx) + hn_layer_param_total(layer);
    float *all = hnt_alloc((size_t)*n * sizeof *all), *at = all;
    memcpy(at, hn_tensor_cdata(y), hn_tensor_bytes(y));
    at += hn_tensor_count(y);
    memcpy(at, hn_tensor_cdata(dx), hn_tensor_bytes(dx));
    at += hn_tensor_count(dx);
    for (int64_t k = 0; k < hn_layer_param_count(layer); ++k) {
        hn_param p = hnt_param(layer, k);
        if (p.grad == NULL)
            continue;
        memcpy(at, hn_tensor_cdata(p.grad), hn_tensor_bytes(p.grad));
        at += hn_tensor_count(p.grad);
    }
    hn_tensor_destroy(x);
    hn_tensor_destroy(dx);
    hn_tensor_destroy(dy);
    hn_exec_destroy(exec);
    hn_layer_destroy(layer);
    hn_context_destroy(context);
    return all;
}

START_TEST(same_bits_on_any_number_of_threads)
{
    int64_t n, m;
    float *one = run(_i, 1, &n);
    for (int32_t threads = 2; threads <= 3; ++threads) {
        float *more = run(_i, threads, &m);
        ck_assert_int_eq(n, m);
        ck_assert_msg(memcmp(one, more, (size_t)n * sizeof *one) == 0, "%s differs on %d threads", cases[_i].name,
                      (int)threads);
        free(more);
    }
    free(one);
}
END_TEST

static hn_status attempt(hn_context *context, const void *which)
{
    const int i = *(const int *)which;
    hn_layer *layer = NULL;
    hn_exec *exec = NULL;
    hn_status status = cases[i].make(&layer, context);
    ck_assert((status == HN_OK) == (layer != NULL));
    if (status == HN_OK)
        status = hn_exec_create(&exec, context, layer, &cases[i].input, HN_MODE_TRAIN);
    hn_exec_destroy(exec);
    hn_layer_destroy(layer);
    return status;
}

START_TEST(every_allocation_may_fail)
{
    hnt_survives(attempt, &_i, 3);
}
END_TEST

/* ---- references in double ------------------------------------------------------------------------------------------- */

static void linear_reference(const double *x, const double *w, double *y)
{
    for (int i = 0; i < 5; ++i)
        for (int o = 0; o < 7; ++o) {
            y[i * 7 + o] = w[91 + o];
            for (int d = 0; d < 13; ++d)
                y[i * 7 + o] += x[i * 13 + d] * w[o * 13 + d];
        }
}

static void cosine_linear_reference(const double *x, const double *w, double *y)
{
    for (int i = 0; i < 5; ++i)
        for (int o = 0; o < 7; ++o) {
            double along = 0, xx = 0, ww = 0;
            for (int d = 0; d < 13; ++d) {
                along += x[i * 13 + d] * w[o * 13 + d];
                xx += x[i * 13 + d] * x[i * 13 + d];
                ww += w[o * 13 + d] * w[o * 13 + d];
            }
            y[i * 7 + o] = 3.5 * along / sqrt(xx * ww);
        }
}

static void relu_reference(const double *x, const double *w, double *y)
{
    (void)w;
    for (int i = 0; i < 3 * 5 * 4 * 6; ++i)
        y[i] = fmax(x[i], 0);
}

static void max_pool_reference(const double *x, const double *w, double *y)
{
    (void)w;
    for (int at = 0; at < 2 * 5 * 4 * 4; ++at) {
        int c = at % 4, ox = at / 4 % 4, oy = at / 16 % 5, n = at / 80;
        y[at] = -INFINITY;
        for (int iy = 2 * oy - 1; iy < 2 * oy + 2; ++iy)
            for (int ix = 2 * ox - 1; ix < 2 * ox + 2; ++ix)
                if (iy >= 0 && iy < 9 && ix >= 0 && ix < 8)
                    y[at] = fmax(y[at], x[((n * 9 + iy) * 8 + ix) * 4 + c]);
    }
}

static void avg_pool_reference(const double *x, const double *w, double *y)
{
    (void)w;
    for (int n = 0; n < 2; ++n)
        for (int c = 0; c < 4; ++c) {
            y[n * 4 + c] = 0;
            for (int p = 0; p < 72; ++p)
                y[n * 4 + c] += x[(n * 72 + p) * 4 + c] / 72;
        }
}

static void l2norm_reference(const double *x, const double *w, double *y)
{
    (void)w;
    for (int i = 0; i < 6; ++i) {
        double square = 0;
        for (int d = 0; d < 10; ++d)
            square += x[i * 10 + d] * x[i * 10 + d];
        for (int d = 0; d < 10; ++d)
            y[i * 10 + d] = x[i * 10 + d] / sqrt(square);
    }
}

static const struct {
    int layer;
    void (*reference)(const double *x, const double *w, double *y);
} references[] = {{0, linear_reference},   {3, relu_reference},   {4, max_pool_reference},
                  {5, avg_pool_reference}, {6, l2norm_reference}, {10, cosine_linear_reference}};

/* dy . reference(x, w) */
static double dot_reference(int r, const double *x, const double *w, const float *dy, double *y, int64_t n)
{
    double sum = 0;
    references[r].reference(x, w, y);
    for (int64_t i = 0; i < n; ++i)
        sum += (double)dy[i] * y[i];
    return sum;
}

/* Central differences of the reference with respect to one of its arrays. */
static void differences(int r, double *array, int64_t count, const double *x, const double *w, const float *dy,
                        double *y, int64_t n, double *gradient)
{
    const double h = 1e-5;
    for (int64_t i = 0; i < count; ++i) {
        double keep = array[i];
        array[i] = keep + h;
        double up = dot_reference(r, x, w, dy, y, n);
        array[i] = keep - h;
        gradient[i] = (up - dot_reference(r, x, w, dy, y, n)) / (2 * h);
        array[i] = keep;
    }
}

START_TEST(matches_its_reference_and_central_differences)
{
    const int i = references[_i].layer;
    hn_context *context = hnt_context(1);
    hn_layer *layer = made(context, i);
    hn_exec *exec = NULL;
    hn_tensor *tx = NULL, *tdx = NULL, *tdy = NULL;
    const hn_tensor *ty = NULL;
    hnt_ok(hn_exec_create(&exec, context, layer, &cases[i].input, HN_MODE_TRAIN));
    hnt_ok(hn_tensor_create(&tx, context, &cases[i].input));
    hnt_ok(hn_tensor_create(&tdx, context, &cases[i].input));
    int64_t n = hn_tensor_count(tx), weights = 0;
    double *x = hnt_alloc((size_t)n * sizeof *x), *want = hnt_alloc((size_t)(n + 200) * sizeof *x);
    double *y = hnt_alloc((size_t)n * sizeof *x), w[200];
    hnt_normal(3, hn_tensor_data(tx), n);
    for (int64_t k = 0; k < n; ++k)
        x[k] = (double)((const float *)hn_tensor_cdata(tx))[k];
    for (int64_t k = 0; k < hn_layer_param_count(layer); ++k) {
        hn_param p = hnt_param(layer, k);
        hnt_normal((uint64_t)k + 20, hn_tensor_data(p.value), hn_tensor_count(p.value));
        for (int64_t v = 0; v < hn_tensor_count(p.value); ++v)
            w[weights++] = (double)((const float *)hn_tensor_cdata(p.value))[v];
    }
    hnt_ok(hn_exec_forward(exec, tx, &ty));
    int64_t m = hn_tensor_count(ty);
    references[_i].reference(x, w, y);
    hnt_close_fd("y", hn_tensor_cdata(ty), y, m, 1e-6);
    hnt_ok(hn_tensor_create(&tdy, context, hn_tensor_desc(ty)));
    hnt_normal(4, hn_tensor_data(tdy), m);
    hnt_ok(hn_exec_backward(exec, tdy, tdx));
    differences(_i, x, n, x, w, hn_tensor_cdata(tdy), y, m, want);
    hnt_close_fd("dx", hn_tensor_cdata(tdx), want, n, 1e-5);
    differences(_i, w, weights, x, w, hn_tensor_cdata(tdy), y, m, want);
    for (int64_t k = 0, at = 0; k < hn_layer_param_count(layer); ++k) {
        hn_param p = hnt_param(layer, k);
        hnt_close_fd(p.name, hn_tensor_cdata(p.grad), want + at, hn_tensor_count(p.grad), 1e-5);
        at += hn_tensor_count(p.grad);
    }
    free(x);
    free(y);
    free(want);
    hn_tensor_destroy(tx);
    hn_tensor_destroy(tdx);
    hn_tensor_destroy(tdy);
    hn_exec_destroy(exec);
    hn_layer_destroy(layer);
    hn_context_destroy(context);
}
END_TEST

/* ---- unit ----------------------------------------------------------------------------------------------------------- */

/* relu(w x + x) with a body that cannot add: the residual does it itself. */
START_TEST(residual_around_a_body_that_cannot_add)
{
    hn_context *context = hnt_context(1);
    hn_layer *body = NULL, *layer = NULL;
    hn_exec *exec = NULL;
    hn_tensor *x = NULL, *dx = NULL;
    const hn_tensor *y = NULL;
    const hn_desc desc = {HN_F32, 2, {1, 4}};
    hnt_ok(hn_l2norm_create(&body, context));
    hnt_ok(hn_residual_create(&layer, context, body, NULL));
    hnt_ok(hn_exec_create(&exec, context, layer, &desc, HN_MODE_TRAIN));
    hnt_ok(hn_tensor_create(&x, context, &desc));
    hnt_ok(hn_tensor_create(&dx, context, &desc));
    memcpy(hn_tensor_data(x), (const float[]){3, 0, -4, 0}, 16);
    hnt_ok(hn_exec_forward(exec, x, &y));
    hnt_close_f("y", hn_tensor_cdata(y), (const float[]){3.6f, 0, 0, 0}, 4, 1e-6);
    memcpy(hn_tensor_data(dx), (const float[]){1, 1, 1, 1}, 16);
    hn_tensor *dy = dx;
    hn_tensor *out = NULL;
    hnt_ok(hn_tensor_create(&out, context, &desc));
    hnt_ok(hn_exec_backward(exec, dy, out));
    /* masked dy = (1, 0, 0, 0); through the norm: (1 - 0.36, 0, 0.48, 0) / 5; plus the identity */
    hnt_close_f("dx", hn_tensor_cdata(out), (const float[]){1.128f, 0, 0.096f, 0}, 4, 1e-6);
    hn_tensor_destroy(x);
    hn_tensor_destroy(dx);
    hn_tensor_destroy(out);
    hn_exec_destroy(exec);
    hn_layer_destroy(layer);
    hn_context_destroy(context);
}
END_TEST

START_TEST(zero_rows_stay_zero)
{
    hn_context *context = hnt_context(1);
    hn_layer *layer = NULL;
    hn_exec *exec = NULL;
    hn_tensor *x = NULL, *dy = NULL, *dx = NULL;
    const hn_tensor *y = NULL;
    const hn_desc desc = {HN_F32, 2, {1, 3}};
    hnt_ok(hn_l2norm_create(&layer, context));
    hnt_ok(hn_exec_create(&exec, context, layer, &desc, HN_MODE_TRAIN));
    hnt_ok(hn_tensor_create(&x, context, &desc));
    hnt_ok(hn_tensor_create(&dy, context, &desc));
    hnt_ok(hn_tensor_create(&dx, context, &desc));
    hnt_normal(1, hn_tensor_data(dy), 3);
    hnt_normal(1, hn_tensor_data(dx), 3);
    hnt_ok(hn_exec_forward(exec, x, &y));
    hnt_ok(hn_exec_backward(exec, dy, dx));
    for (int i = 0; i < 3; ++i) {
        ck_assert(((const float *)hn_tensor_cdata(y))[i] == 0.0f);
        ck_assert(((const float *)hn_tensor_cdata(dx))[i] == 0.0f);
    }
    hn_tensor_destroy(x);
    hn_tensor_destroy(dy);
    hn_tensor_destroy(dx);
    hn_exec_destroy(exec);
    hn_layer_destroy(layer);
    hn_context_destroy(context);
}
END_TEST

/* Row 0 of x and row 1 of w have no direction: they give 0 and get no gradient, the others do. */
START_TEST(cosines_of_zero_rows_are_zero)
{
    enum { N = 2, IN = 3, OUT = 3 };
    hn_context *context = hnt_context(1);
    hn_layer *layer = NULL;
    hn_exec *exec = NULL;
    hn_tensor *x = NULL, *dy = NULL, *dx = NULL;
    const hn_tensor *y = NULL;
    const hn_desc in = {HN_F32, 2, {N, IN}}, out = {HN_F32, 2, {N, OUT}};
    hn_rng rng;
    hn_rng_seed(&rng, 2, 0);
    hnt_ok(hn_cosine_linear_create(&layer, context, IN, OUT, 3.0f));
    hnt_ok(hn_layer_init_params(layer, &rng));
    const hn_param p = hnt_param(layer, 0);
    float *w = hn_tensor_data(p.value);
    for (int c = 0; c < OUT; ++c) /* initial directions have length 1 */
        ck_assert_float_eq_tol(w[c * IN] * w[c * IN] + w[c * IN + 1] * w[c * IN + 1] + w[c * IN + 2] * w[c * IN + 2],
                               1.0f, 1e-6f);
    hnt_ok(hn_exec_create(&exec, context, layer, &in, HN_MODE_TRAIN));
    hnt_ok(hn_tensor_create(&x, context, &in));
    hnt_ok(hn_tensor_create(&dx, context, &in));
    hnt_ok(hn_tensor_create(&dy, context, &out));
    hnt_normal(1, (float *)hn_tensor_data(x) + IN, IN);
    hnt_normal(2, hn_tensor_data(dy), N * OUT);
    hnt_normal(3, hn_tensor_data(dx), N * IN);
    memset(w + IN, 0, IN * sizeof *w);
    hnt_ok(hn_exec_forward(exec, x, &y));
    hnt_ok(hn_exec_backward(exec, dy, dx));
    const float *cosines = hn_tensor_cdata(y), *gx = hn_tensor_cdata(dx), *gw = hn_tensor_cdata(p.grad);
    for (int i = 0; i < N; ++i)
        for (int c = 0; c < OUT; ++c)
            ck_assert((cosines[i * OUT + c] == 0.0f) == (i == 0 || c == 1));
    for (int k = 0; k < IN; ++k) {
        ck_assert(gx[k] == 0.0f && gx[IN + k] != 0.0f);
        ck_assert(gw[IN + k] == 0.0f && gw[k] != 0.0f && gw[2 * IN + k] != 0.0f);
    }
    hn_tensor_destroy(x);
    hn_tensor_destroy(dy);
    hn_tensor_destroy(dx);
    hn_exec_destroy(exec);
    hn_layer_destroy(layer);
    hn_context_destroy(context);
}
END_TEST

START_TEST(wrong_inputs_are_named)
{
    hn_context *context = hnt_context(1);
    hn_desc out;
    const hn_desc flat = {HN_F32, 2, {4, 5}}, bytes = {HN_U8, 4, {1, 8, 8, 3}}, tiny = {HN_F32, 4, {1, 1, 1, 3}};
    hn_layer *layer = NULL, *body = NULL;
    hnt_ok(hn_linear_create(&layer, context, 13, 7, 1));
    hnt_fails(hn_layer_output(layer, &flat, &out), HN_E_SHAPE, "linear: the input is f32 4x5; it must have 13 columns");
    hn_layer_destroy(layer);
    hnt_ok(hn_global_avg_pool_create(&layer, context));
    hnt_fails(hn_layer_output(layer, &flat, &out), HN_E_SHAPE, "4 dimensions");
    hnt_fails(hn_layer_output(layer, &bytes, &out), HN_E_SHAPE, "it must be f32");
    hn_layer_destroy(layer);
    hnt_ok(hn_max_pool_create(&layer, context, 3, 2, 0));
    hnt_fails(hn_layer_output(layer, &tiny, &out), HN_E_SHAPE, "does not fit");
    hn_layer_destroy(layer);
    layer = NULL;
    const hn_desc many = {HN_BF16, 4, {1LL << 46, 1, 1, 1}};
    hnt_ok(hn_max_pool_create(&layer, context, 2, 1, 1)); /* 2x2 of each pixel */
    hnt_fails(hn_layer_output(layer, &many, &out), HN_E_SHAPE, "max_pool: the shape is too large");
    hn_layer_destroy(layer);
    layer = NULL;
    hnt_fails(hn_max_pool_create(&layer, context, 3, 2, 2), HN_E_ARG, "padding is 2");
    hnt_fails(hn_max_pool_create(&layer, context, 0, 2, 0), HN_E_ARG, "kernel is 0");
    hnt_fails(hn_linear_create(&layer, context, 0, 2, 0), HN_E_ARG, "in is 0");
    hnt_fails(hn_cosine_linear_create(&layer, context, 3, 0, 1.0f), HN_E_ARG, "out is 0");
    hnt_fails(hn_cosine_linear_create(&layer, context, 3, 2, 0.0f), HN_E_ARG, "scale is 0");
    hnt_fails(hn_cosine_linear_create(&layer, context, 3, 2, NAN), HN_E_ARG, "scale is nan");
    hnt_fails(hn_cosine_linear_create(NULL, context, 3, 2, 1.0f), HN_E_ARG, "out is NULL");
    hn_residual_options o;
    hn_residual_options_init(&o, sizeof o);
    hnt_ok(hn_relu_create(&body, context));
    o.shortcut = 5;
    hnt_fails(hn_residual_create(&layer, context, body, &o), HN_E_ARG, "shortcut 5");
    o.shortcut = HN_SHORTCUT_OPTION_A;
    o.in_channels = 8;
    o.out_channels = 4;
    hnt_fails(hn_residual_create(&layer, context, body, &o), HN_E_ARG, "from 8 channels to 4");
    hnt_fails(hn_residual_create(&layer, context, NULL, &o), HN_E_ARG, "body is NULL");
    ck_assert_ptr_null(layer);
    o.out_channels = 16;
    hnt_ok(hn_residual_create(&layer, context, body, &o));
    const hn_desc image = {HN_F32, 4, {1, 8, 8, 8}};
    hnt_fails(hn_layer_output(layer, &image, &out), HN_E_SHAPE, "the shortcut does not lead");
    hn_layer_destroy(layer);
    hn_context_destroy(context);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("layers");
    TCase *unit = hnt_case(s, "unit");
    tcase_add_test(unit, residual_around_a_body_that_cannot_add);
    tcase_add_test(unit, zero_rows_stay_zero);
    tcase_add_test(unit, cosines_of_zero_rows_are_zero);
    tcase_add_test(unit, wrong_inputs_are_named);
    tcase_add_loop_test(hnt_case(s, "grad"), matches_its_reference_and_central_differences, 0,
                        sizeof references / sizeof references[0]);
#ifdef HNI_HAVE_JANSSON
    tcase_add_loop_test(hnt_case(s, "golden"), matches_pytorch, 0, GOLDEN);
#endif
    tcase_add_loop_test(hnt_case(s, "oom"), every_allocation_may_fail, 0, CASES);
    tcase_add_loop_test(hnt_case(s, "repro"), same_bits_on_any_number_of_threads, 0, CASES);
    return s;
}

HNT_MAIN(suite)
