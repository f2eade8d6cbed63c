/* The layers made of convolutions: convolution, batch norm, the conv unit and the ReLU, against a double reference of the
 * whole unit, and through executors.                                                                                  */
#include "conv_case.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- layers: a double reference of the whole unit ---------------------------------------------------------------- */

/* OWN_NORM: batch norm with options other than the defaults. */
enum { HAS_CONV = 1, HAS_BIAS = 2, HAS_NORM = 4, HAS_RELU = 8, HAS_ADDEND = 16, OWN_NORM = 32 };
static const float OWN_EPS = 0.1f, OWN_MOMENTUM = 0.25f;

typedef struct unit_case {
    int parts;
    hni_conv g;
} unit_case;

static const unit_case units[] = {
    {HAS_CONV, {2, 6, 5, 3, 0, 0, 4, 3, 3, 1, 1, HN_F32}},
    {HAS_CONV | HAS_BIAS, {2, 7, 6, 2, 0, 0, 3, 3, 3, 2, 1, HN_F32}},
    {HAS_CONV | HAS_NORM, {2, 5, 5, 3, 0, 0, 4, 3, 3, 1, 1, HN_F32}},
    {HAS_CONV | HAS_BIAS | HAS_NORM | HAS_RELU, {3, 5, 4, 2, 0, 0, 4, 3, 3, 1, 1, HN_F32}},
    {HAS_CONV | HAS_NORM | HAS_RELU | HAS_ADDEND, {2, 6, 6, 3, 0, 0, 5, 3, 3, 2, 1, HN_F32}},
    {HAS_CONV | HAS_NORM | HAS_ADDEND, {3, 4, 4, 4, 0, 0, 3, 1, 1, 1, 0, HN_F32}},
    {HAS_NORM, {3, 4, 5, 6, 0, 0, 6, 1, 1, 1, 0, HN_F32}},
    {HAS_NORM | HAS_RELU | HAS_ADDEND, {3, 4, 5, 6, 0, 0, 6, 1, 1, 1, 0, HN_F32}},
    {HAS_NORM | OWN_NORM, {3, 4, 5, 6, 0, 0, 6, 1, 1, 1, 0, HN_F32}},
    {HAS_CONV | HAS_BIAS | HAS_NORM | HAS_RELU | OWN_NORM, {3, 5, 4, 2, 0, 0, 4, 3, 3, 1, 1, HN_F32}},
};
enum { UNITS = sizeof units / sizeof units[0] };

/* The arrays that y depends on. */
enum { X, W, B, GAMMA, BETA, ADDEND, INPUTS };
static const char *const input_names[INPUTS] = {"x", "weight", "bias", "bn weight", "bn bias", "addend"};

static int64_t input_count(const unit_case *u, int which)
{
    switch (which) {
    case X:
        return hnt_count_x(&u->g);
    case W:
        return (u->parts & HAS_CONV) != 0 ? hnt_count_w(&u->g) : 0;
    case B:
        return (u->parts & HAS_BIAS) != 0 ? u->g.out : 0;
    case ADDEND:
        return (u->parts & HAS_ADDEND) != 0 ? hnt_count_y(&u->g) : 0;
    default:
        return (u->parts & HAS_NORM) != 0 ? u->g.out : 0;
    }
}

/* y in double; running: mean and variance to use, [2][out], or NULL for those of the batch. */
static void unit_reference(const unit_case *u, double *const in[INPUTS], const double *running, double *y)
{
    const hni_conv *g = &u->g;
    const int64_t n = hnt_count_y(g), rows = n / g->out;
    const double eps = (u->parts & OWN_NORM) != 0 ? (double)OWN_EPS : (double)1e-5f;
    if ((u->parts & HAS_CONV) == 0)
        memcpy(y, in[X], (size_t)n * sizeof *y);
    for (int64_t i = 0; i < n && (u->parts & HAS_CONV) != 0; ++i)
        y[i] = (u->parts & HAS_BIAS) != 0 ? in[B][i % g->out] : 0.0;
    if ((u->parts & HAS_CONV) != 0)
        hnt_conv_reference(g, in[X], in[W], NULL, y, NULL, NULL);
    for (int64_t c = 0; c < g->out && (u->parts & HAS_NORM) != 0; ++c) {
        double mean = 0.0, var = 0.0;
        for (int64_t i = c; i < n; i += g->out)
            mean += y[i] / (double)rows;
        for (int64_t i = c; i < n; i += g->out)
            var += (y[i] - mean) * (y[i] - mean) / (double)rows;
        if (running != NULL) {
            mean = running[c];
            var = running[g->out + c];
        }
        for (int64_t i = c; i < n; i += g->out)
            y[i] = (y[i] - mean) / sqrt(var + eps) * in[GAMMA][c] + in[BETA][c];
    }
    for (int64_t i = 0; i < n; ++i) {
        y[i] += (u->parts & HAS_ADDEND) != 0 ? in[ADDEND][i] : 0.0;
        y[i] = (u->parts & HAS_RELU) != 0 && y[i] < 0.0 ? 0.0 : y[i];
    }
}

/* The layer of a case. Its ReLU is its own if there is no addend, else the call's. */
static hn_layer *make_unit(hn_context *context, const unit_case *u)
{
    hn_layer *layer = NULL;
    hn_conv2d_options conv;
    hn_conv2d_options_init(&conv, sizeof conv);
    conv.in_channels = (int32_t)u->g.in;
    conv.out_channels = (int32_t)u->g.out;
    conv.kernel = (int32_t)u->g.kernel_height;
    conv.stride = (int32_t)u->g.stride;
    conv.padding = (int32_t)u->g.padding;
    conv.bias = (u->parts & HAS_BIAS) != 0;
    hn_batchnorm_options own;
    hn_batchnorm_options_init(&own, sizeof own);
    own.eps = OWN_EPS;
    own.momentum = OWN_MOMENTUM;
    const hn_batchnorm_options *norm = (u->parts & OWN_NORM) != 0 ? &own : NULL;
    if ((u->parts & HAS_NORM) == 0)
        hnt_ok(hn_conv2d_create(&layer, context, &conv));
    else if ((u->parts & HAS_CONV) == 0)
        hnt_ok(hn_batchnorm_create(&layer, context, u->g.in, norm));
    else
        hnt_ok(hn_conv_unit_create(&layer, context, "conv1", "bn1", &conv, norm,
                                   (u->parts & HAS_RELU) != 0 && (u->parts & HAS_ADDEND) == 0));
    return layer;
}

static hn_param param_at(const hn_layer *layer, int64_t index)
{
    hn_param param = {.struct_size = sizeof param};
    hnt_ok(hn_layer_param(layer, index, &param));
    return param;
}

/* Lists the parameters in the order of the reference's inputs. */
static void list_params(const unit_case *u, const hn_layer *layer, hn_param params[INPUTS])
{
    int64_t at = 0;
    memset(params, 0, INPUTS * sizeof *params);
    for (int which = W; which <= BETA; ++which)
        if (input_count(u, which) > 0) {
            params[which] = param_at(layer, at++);
            ck_assert_int_eq(hn_tensor_count(params[which].value), input_count(u, which));
        }
}

typedef struct unit_run {
    float *y, *grad[INPUTS]; /* grad[X] and grad[ADDEND] are dx and daddend */
} unit_run;

/* Plans and calls the layer as a container does. Fills in[] with the inputs used (doubles) if it is not NULL. */
static unit_run run_unit(const unit_case *u, int32_t threads, double *in[INPUTS])
{
    hn_context *context = hnt_context(threads);
    hn_layer *layer = make_unit(context, u);
    hn_param params[INPUTS];
    list_params(u, layer, params);
    float *value[INPUTS];
    unit_run r = {.y = hnt_normals(90, hnt_count_y(&u->g))};
    for (int which = 0; which < INPUTS; ++which) {
        const int64_t n = input_count(u, which);
        value[which] = hnt_normals(100 + (uint64_t)which, n);
        r.grad[which] = hnt_floats(n);
        if (params[which].value != NULL) {
            memcpy(hn_tensor_data(params[which].value), value[which], (size_t)n * 4);
            memset(hn_tensor_data(params[which].grad), 0, (size_t)n * 4);
        }
        if (in != NULL)
            in[which] = hnt_doubles(value[which], n);
    }
    float *dy = hnt_normals(99, hnt_count_y(&u->g));
    const hn_desc input = {HN_F32, 4, {u->g.images, u->g.height, u->g.width, u->g.in}};
    hn_layer_plan plan;
    hnt_ok(hn_layer_plan_call(layer, &input, HN_MODE_TRAIN, threads, &plan));
    hn_scratch workspace = hnt_scratch(plan.workspace_bytes + 1), scratch = hnt_scratch(plan.scratch_bytes + 1);
    const int adds = (u->parts & HAS_ADDEND) != 0;
    ck_assert_int_eq(hn_layer_can_add(layer), (u->parts & HAS_NORM) != 0);
    hn_layer_call call = {.struct_size = sizeof call,
                          .context = context,
                          .mode = HN_MODE_TRAIN,
                          .num_threads = threads,
                          .input = input,
                          .output = plan.output,
                          .x = value[X],
                          .y = r.y,
                          .workspace = workspace.data,
                          .scratch = scratch.data,
                          .addend = adds ? value[ADDEND] : NULL,
                          .relu = adds && (u->parts & HAS_RELU) != 0};
    hnt_ok(hn_layer_forward(layer, &call));
    memset(scratch.data, 0xff, scratch.size);
    call.dy = dy;
    call.dx = r.grad[X];
    call.daddend = adds ? r.grad[ADDEND] : NULL;
    hnt_ok(hn_layer_backward(layer, &call));
    for (int which = W; which <= BETA; ++which)
        if (params[which].value != NULL)
            memcpy(r.grad[which], hn_tensor_cdata(params[which].grad), (size_t)input_count(u, which) * 4);
    for (int which = 0; which < INPUTS; ++which)
        free(value[which]);
    free(dy);
    free(workspace.data);
    free(scratch.data);
    hn_layer_destroy(layer);
    hn_context_destroy(context);
    return r;
}

static void free_unit(unit_run *r)
{
    free(r->y);
    for (int which = 0; which < INPUTS; ++which)
        free(r->grad[which]);
}

static unit_case unit_at(int index)
{
    unit_case u = units[index];
    ck_assert(hni_conv_fit(&u.g));
    return u;
}

/* <dy, y> in double. */
static double objective(const unit_case *u, double *const in[INPUTS], const float *dy, double *y)
{
    double sum = 0.0;
    unit_reference(u, in, NULL, y);
    for (int64_t i = 0; i < hnt_count_y(&u->g); ++i)
        sum += y[i] * (double)dy[i];
    return sum;
}

START_TEST(layers_agree_with_central_differences)
{
    const unit_case u = unit_at(_i);
    double *in[INPUTS], *y = hnt_doubles(NULL, hnt_count_y(&u.g));
    unit_run r = run_unit(&u, 2, in);
    float *dy = hnt_normals(99, hnt_count_y(&u.g));
    unit_reference(&u, in, NULL, y);
    hnt_close_fd("y", r.y, y, hnt_count_y(&u.g), 5e-6);
    for (int which = 0; which < INPUTS; ++which) {
        const int64_t n = input_count(&u, which);
        double *want = hnt_doubles(NULL, n), largest = 0.0;
        for (int64_t i = 0; i < n; ++i) {
            const double at = in[which][i], h = 1e-6;
            in[which][i] = at + h;
            double up = objective(&u, in, dy, y);
            in[which][i] = at - h;
            want[i] = (up - objective(&u, in, dy, y)) / (2 * h);
            in[which][i] = at;
            largest = fmax(largest, fabs(want[i]));
        }
        if (which == B && (u.parts & HAS_NORM) != 0) /* batch norm takes a bias away again */
            for (int64_t i = 0; i < n; ++i)
                ck_assert(fabsf(r.grad[B][i]) < 1e-4f && largest < 1e-6);
        else if (n > 0)
            hnt_close_fd(input_names[which], r.grad[which], want, n, 1e-5);
        free(want);
    }
    for (int which = 0; which < INPUTS; ++which)
        free(in[which]);
    free_unit(&r);
    free(dy);
    free(y);
}
END_TEST

START_TEST(layer_bits_do_not_depend_on_threads)
{
    const unit_case u = unit_at(_i);
    unit_run one = run_unit(&u, 1, NULL);
    for (int32_t threads = 2; threads <= 3; ++threads) {
        unit_run r = run_unit(&u, threads, NULL);
        ck_assert_mem_eq(r.y, one.y, (size_t)hnt_count_y(&u.g) * 4);
        for (int which = 0; which < INPUTS; ++which)
            if (input_count(&u, which) > 0)
                ck_assert_mem_eq(r.grad[which], one.grad[which], (size_t)input_count(&u, which) * 4);
        free_unit(&r);
    }
    free_unit(&one);
}
END_TEST

/* ---- layers through executors ------------------------------------------------------------------------------------ */

static hn_tensor *tensor_of(hn_context *context, float *data, const hn_desc *desc)
{
    hn_tensor *t;
    hnt_ok(hn_tensor_wrap(&t, context, data, desc));
    return t;
}

/* Two training passes move the running statistics as PyTorch does; inference then uses them. */
START_TEST(running_statistics_and_inference)
{
    const unit_case u = unit_at(_i == 0 ? 3 : UNITS - 1);
    const double momentum = _i == 0 ? 0.1 : (double)OWN_MOMENTUM;
    hn_context *context = hnt_context(2);
    hn_layer *layer = make_unit(context, &u);
    hn_param params[INPUTS];
    list_params(&u, layer, params);
    const int64_t out = u.g.out, n = hnt_count_y(&u.g), rows = n / out, count = hn_layer_param_count(layer);
    hn_param mean = param_at(layer, count - 2), var = param_at(layer, count - 1);
    ck_assert_str_eq(mean.name, "bn1.running_mean");
    ck_assert_str_eq(var.name, "bn1.running_var");
    ck_assert_ptr_null(mean.grad);
    hn_rng rng;
    hn_rng_seed(&rng, 3, 0);
    hnt_ok(hn_layer_init_params(layer, &rng));
    double running[2 * 4] = {0, 0, 0, 0, 1, 1, 1, 1};
    ck_assert_int_eq(out, 4);

    const hn_desc input = {HN_F32, 4, {u.g.images, u.g.height, u.g.width, u.g.in}};
    hn_exec *exec;
    hnt_ok(hn_exec_create(&exec, context, layer, &input, HN_MODE_TRAIN));
    double *in[INPUTS] = {NULL}, *z = hnt_doubles(NULL, n), *y = hnt_doubles(NULL, n);
    for (int which = W; which <= BETA; ++which)
        in[which] = hnt_doubles(hn_tensor_cdata(params[which].value), input_count(&u, which));
    const hn_tensor *result;
    float *xf = NULL;
    for (uint64_t pass = 0; pass < 2; ++pass) {
        free(xf);
        free(in[X]);
        xf = hnt_normals(50 + pass, hnt_count_x(&u.g));
        in[X] = hnt_doubles(xf, hnt_count_x(&u.g));
        hn_tensor *x = tensor_of(context, xf, &input);
        hnt_ok(hn_exec_forward(exec, x, &result));
        hn_tensor_destroy(x);
        unit_case bare = {HAS_CONV | HAS_BIAS, u.g};
        unit_reference(&bare, in, NULL, z);
        for (int64_t c = 0; c < out; ++c) {
            double sum = 0.0, squares = 0.0;
            for (int64_t i = c; i < n; i += out)
                sum += z[i];
            for (int64_t i = c; i < n; i += out)
                squares += (z[i] - sum / (double)rows) * (z[i] - sum / (double)rows);
            running[c] = (1 - momentum) * running[c] + momentum * sum / (double)rows;
            running[out + c] = (1 - momentum) * running[out + c] + momentum * squares / (double)(rows - 1);
        }
    }
    hnt_close_fd("running_mean", hn_tensor_cdata(mean.value), running, out, 2e-6);
    hnt_close_fd("running_var", hn_tensor_cdata(var.value), running + out, out, 2e-6);
    hn_exec_destroy(exec);

    hnt_ok(hn_exec_create(&exec, context, layer, &input, HN_MODE_INFER));
    hn_tensor *x = tensor_of(context, xf, &input);
    float before[4];
    memcpy(before, hn_tensor_cdata(mean.value), sizeof before);
    hnt_ok(hn_exec_forward(exec, x, &result));
    unit_reference(&u, in, running, y);
    hnt_close_fd("y in inference", hn_tensor_cdata(result), y, n, 5e-6);
    ck_assert_mem_eq(before, hn_tensor_cdata(mean.value), sizeof before);
    hn_tensor_destroy(x);
    hn_exec_destroy(exec);
    for (int which = 0; which < INPUTS; ++which)
        free(in[which]);
    free(z);
    free(y);
    free(xf);
    hn_layer_destroy(layer);
    hn_context_destroy(context);
}
END_TEST

START_TEST(relu_layer)
{
    hn_context *context = hnt_context(2);
    hn_layer *layer;
    hn_exec *exec;
    hnt_ok(hn_relu_create(&layer, context));
    const hn_desc desc = {HN_F32, 3, {4, 5, 6}};
    hnt_ok(hn_exec_create(&exec, context, layer, &desc, HN_MODE_TRAIN));
    float *xf = hnt_normals(1, 120), *dyf = hnt_normals(2, 120), *dxf = hnt_floats(120);
    hn_tensor *x = tensor_of(context, xf, &desc), *dy = tensor_of(context, dyf, &desc);
    hn_tensor *dx = tensor_of(context, dxf, &desc);
    const hn_tensor *y;
    hnt_ok(hn_exec_forward(exec, x, &y));
    hnt_ok(hn_exec_backward(exec, dy, dx));
    for (int i = 0; i < 120; ++i) {
        ck_assert(((const float *)hn_tensor_cdata(y))[i] == fmaxf(xf[i], 0.0f));
        ck_assert(dxf[i] == (xf[i] > 0.0f ? dyf[i] : 0.0f));
    }
    hn_tensor_destroy(x);
    hn_tensor_destroy(dy);
    hn_tensor_destroy(dx);
    hn_exec_destroy(exec);
    hn_layer_destroy(layer);
    free(xf);
    free(dyf);
    free(dxf);
    hn_context_destroy(context);
}
END_TEST

START_TEST(parameters_and_their_first_values)
{
    hn_context *context = hnt_context(1);
    hn_conv2d_options o;
    hn_conv2d_options_init(&o, sizeof o);
    ck_assert_int_eq(o.kernel, 3);
    ck_assert_int_eq(o.stride, 1);
    ck_assert_int_eq(o.padding, 1);
    ck_assert_int_eq(o.bias, 0);
    o.in_channels = 32;
    o.out_channels = 64;
    hn_layer *layer;
    hnt_ok(hn_conv_unit_create(&layer, context, "downsample.0", "downsample.1", &o, NULL, 0));
    static const char *const names[] = {"downsample.0.weight", "downsample.1.weight", "downsample.1.bias",
                                        "downsample.1.running_mean", "downsample.1.running_var"};
    static const int32_t decay[] = {1, 0, 0, 0, 0};
    hn_rng rng;
    hn_rng_seed(&rng, 1, 0);
    hnt_ok(hn_layer_init_params(layer, &rng));
    ck_assert_int_eq(hn_layer_param_count(layer), 5);
    for (int i = 0; i < 5; ++i) {
        hn_param p = param_at(layer, i);
        ck_assert_str_eq(p.name, names[i]);
        ck_assert_int_eq(p.weight_decay, decay[i]);
        ck_assert_int_eq(p.grad != NULL, i < 3);
        const float *v = hn_tensor_cdata(p.value);
        if (i > 0)
            ck_assert(v[0] == (i == 1 || i == 4 ? 1.0f : 0.0f) && v[63] == v[0]);
        else
            hnt_close_d("variance", hnt_dot(v, v, 64 * 32 * 9) / (64 * 32 * 9), 2.0 / (32 * 9), 0.05);
    }
    hn_layer_destroy(layer);
    hn_context_destroy(context);
}
END_TEST

START_TEST(wrong_options_and_shapes)
{
    hn_context *context = hnt_context(1);
    hn_layer *layer = NULL;
    hn_conv2d_options o;
    hn_batchnorm_options b;
    hn_conv2d_options_init(&o, sizeof o);
    hn_batchnorm_options_init(&b, sizeof b);
    hnt_fails(hn_conv2d_create(&layer, context, NULL), HN_E_ARG, "in_channels 0");
    o.in_channels = 3;
    o.out_channels = 4;
    hnt_fails(hn_conv2d_create(NULL, context, &o), HN_E_ARG, "out is NULL");
    hnt_fails(hn_conv2d_create(&layer, NULL, &o), HN_E_ARG, "context is NULL");
    o.kernel = 65;
    hnt_fails(hn_conv2d_create(&layer, context, &o), HN_E_ARG, "kernel is 65");
    o.kernel = 3;
    o.stride = 0;
    hnt_fails(hn_conv2d_create(&layer, context, &o), HN_E_ARG, "stride is 0");
    o.stride = 1;
    o.padding = 4;
    hnt_fails(hn_conv_unit_create(&layer, context, "c", "b", &o, NULL, 0), HN_E_ARG, "padding is 4");
    o.padding = 0;
    o.out_channels = INT32_MAX;
    hnt_fails(hn_conv2d_create(&layer, context, &o), HN_E_ARG, "too many");
    o.out_channels = 4;
    hnt_fails(hn_conv_unit_create(&layer, context, NULL, "b", &o, NULL, 0), HN_E_ARG, "conv_name is NULL");
    hnt_fails(hn_conv_unit_create(&layer, context, "", "b", &o, NULL, 0), HN_E_ARG, "empty");
    hnt_fails(hn_conv_unit_create(&layer, context, "same", "same", &o, NULL, 0), HN_E_ARG, "same.weight already");
    hnt_fails(hn_batchnorm_create(&layer, context, 0, NULL), HN_E_ARG, "channels is 0");
    b.eps = 0.0f;
    hnt_fails(hn_batchnorm_create(&layer, context, 4, &b), HN_E_ARG, "eps is 0");
    b.eps = 1e-5f;
    b.momentum = NAN;
    hnt_fails(hn_batchnorm_create(&layer, context, 4, &b), HN_E_ARG, "momentum is");
    hnt_fails(hn_relu_create(NULL, context), HN_E_ARG, "hn_relu_create: out is NULL");
    ck_assert_ptr_null(layer);

    hn_desc in = {HN_F32, 4, {1, 3, 3, 3}}, out;
    const hn_desc many = {HN_F32, 4, {1LL << 41, 3, 3, 3}};
    o.padding = 1;
    hnt_ok(hn_conv2d_create(&layer, context, &o));
    hnt_fails(hn_layer_output(layer, &many, &out), HN_E_SHAPE, "conv2d: the shape is too large");
    hn_layer_destroy(layer);
    layer = NULL;
    o.padding = 0;
    hn_exec *exec = NULL;
    hnt_ok(hn_conv_unit_create(&layer, context, "c", "b", &o, NULL, 0));
    hnt_ok(hn_layer_output(layer, &in, &out));
    ck_assert_int_eq(out.dim[1] * out.dim[2], 1);
    hnt_fails(hn_exec_create(&exec, context, layer, &in, HN_MODE_TRAIN), HN_E_SHAPE, "no variance");
    in.dim[1] = 2;
    hnt_fails(hn_layer_output(layer, &in, &out), HN_E_SHAPE, "does not fit into images of 2x3");
    in.dim[3] = 5;
    hnt_fails(hn_layer_output(layer, &in, &out), HN_E_SHAPE, "5 channels, not 3");
    in.ndim = 3;
    hnt_fails(hn_layer_output(layer, &in, &out), HN_E_SHAPE, "must have 4 dimensions");
    hn_layer_destroy(layer);
    hnt_ok(hn_batchnorm_create(&layer, context, 4, NULL));
    in = (hn_desc){HN_F32, 2, {1, 4}};
    hnt_fails(hn_exec_create(&exec, context, layer, &in, HN_MODE_TRAIN), HN_E_SHAPE, "no variance");
    in.dim[1] = 3;
    hnt_fails(hn_layer_output(layer, &in, &out), HN_E_SHAPE, "3 channels, not 4");
    in.ndim = 1;
    hnt_fails(hn_layer_output(layer, &in, &out), HN_E_SHAPE, "1 dimension");
    hn_layer_destroy(layer);
    hn_context_destroy(context);
}
END_TEST

static hn_status attempt(hn_context *context, const void *which)
{
    const int part = *(const int *)which;
    hn_conv2d_options o;
    hn_conv2d_options_init(&o, sizeof o);
    o.in_channels = o.out_channels = 2;
    o.bias = 1;
    hn_layer *layer = NULL;
    const hn_status status = part == 0   ? hn_conv2d_create(&layer, context, &o)
                             : part == 1 ? hn_batchnorm_create(&layer, context, 4, NULL)
                             : part == 2 ? hn_conv_unit_create(&layer, context, "c", "b", &o, NULL, 1)
                                         : hn_relu_create(&layer, context);
    ck_assert((status == HN_OK) == (layer != NULL));
    hn_layer_destroy(layer);
    return status;
}

START_TEST(every_allocation_may_fail)
{
    for (int part = 0; part < 4; ++part)
        hnt_survives(attempt, &part, 1);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("conv_unit");
    TCase *unit = hnt_case(s, "unit");
    tcase_add_loop_test(unit, running_statistics_and_inference, 0, 2);
    tcase_add_test(unit, relu_layer);
    tcase_add_test(unit, parameters_and_their_first_values);
    tcase_add_test(unit, wrong_options_and_shapes);
    tcase_add_test(hnt_case(s, "oom"), every_allocation_may_fail);
    tcase_add_loop_test(hnt_case(s, "grad"), layers_agree_with_central_differences, 0, UNITS);
    tcase_add_loop_test(hnt_case(s, "repro"), layer_bits_do_not_depend_on_threads, 0, UNITS);
    return s;
}

HNT_MAIN(suite)
