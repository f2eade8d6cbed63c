/* The CIFAR ResNets: parameters as other programs count and name them, sizes of images, and a ResNet-32 of PyTorch's. */
#include "layer_case.h"

#include <math.h>
#include <stdlib.h>

static hn_layer *resnet(hn_context *context, int32_t depth, int32_t channels)
{
    hn_layer *net = NULL;
    hn_resnet_cifar_options o;
    hn_resnet_cifar_options_init(&o, sizeof o);
    o.depth = depth;
    o.in_channels = channels;
    hnt_ok(hn_resnet_cifar_create(&net, context, &o));
    return net;
}

/* Backbone and classifier, the parameters of both under the names that files use. */
static hn_layer *classifier(hn_context *context, int32_t depth, int32_t channels)
{
    hn_layer *net = NULL, *fc = NULL;
    hn_rng rng;
    hnt_ok(hn_sequential_create(&net, context));
    hnt_ok(hn_layer_add_child(net, "", resnet(context, depth, channels)));
    hnt_ok(hn_linear_create(&fc, context, 64, 10, 1));
    hnt_ok(hn_layer_add_child(net, "fc", fc));
    hn_rng_seed(&rng, 1, 0);
    hnt_ok(hn_layer_init_params(net, &rng));
    return net;
}

/* ---- parameters -------------------------------------------------------------------------------------------------- */

START_TEST(parameters_are_as_many_as_published)
{
    static const struct {
        int32_t depth, total;
    } known[] = {{8, 75290}, {20, 269722}, {32, 464154}, {44, 658586}, {56, 853018}, {110, 1727962}};
    hn_context *context = hnt_context(1);
    for (size_t i = 0; i < sizeof known / sizeof known[0]; ++i) {
        hn_layer *net = classifier(context, known[i].depth, 3);
        ck_assert_int_eq(hn_layer_parameter_total(net), known[i].total);
        hn_layer_destroy(net);
    }
    hn_layer *net = NULL; /* no options: ResNet-32 without its classifier */
    hnt_ok(hn_resnet_cifar_create(&net, context, NULL));
    ck_assert_int_eq(hn_layer_parameter_total(net), 464154 - 650);
    hn_layer_destroy(net);
    hn_resnet_cifar_options o;
    hn_resnet_cifar_options_init(&o, sizeof o);
    o.depth = 8;
    o.width = 5; /* 9 (15 + 25 + 25) + 4 * 15 for bn, then 9 (50 + 100) + 40, 9 (200 + 400) + 80 ... */
    hnt_ok(hn_resnet_cifar_create(&net, context, &o));
    ck_assert_int_eq(hn_layer_parameter_total(net), 9 * (65 + 150 + 600) + 2 * (15 + 20 + 40));
    hn_layer_destroy(net);
    hn_context_destroy(context);
}
END_TEST

static void wants(const hn_layer *net, int64_t *at, const char *module, const char *name, const int64_t shape[4])
{
    char full[64];
    snprintf(full, sizeof full, "%s%s", module, name);
    hn_param p = hnt_param(net, (*at)++);
    ck_assert_str_eq(p.name, full);
    const hn_desc *desc = hn_tensor_desc(p.value);
    const int is_conv = shape[1] > 0, is_buffer = strstr(name, "running") != NULL;
    ck_assert_int_eq(desc->ndim, is_conv ? 4 : 1);
    for (int i = 0; i < desc->ndim; ++i)
        ck_assert_int_eq(desc->dim[i], shape[i]);
    ck_assert_int_eq(p.weight_decay, is_conv);
    ck_assert_int_eq(p.grad == NULL, is_buffer);
}

/* "conv1.weight", "bn1.weight", ... of one unit; number: "1" or "2". */
static void wants_unit(const hn_layer *net, int64_t *at, const char *module, int number, int64_t in, int64_t out)
{
    static const char *const parts[] = {"weight", "bias", "running_mean", "running_var"};
    char name[32];
    snprintf(name, sizeof name, "conv%d.weight", number);
    wants(net, at, module, name, (const int64_t[]){out, in, 3, 3});
    for (int i = 0; i < 4; ++i) {
        snprintf(name, sizeof name, "bn%d.%s", number, parts[i]);
        wants(net, at, module, name, (const int64_t[]){out, 0, 0, 0});
    }
}

/* The order and spelling of resnet_cifar.py, as LDAM, BBN and others have it. */
START_TEST(names_shapes_and_order)
{
    hn_context *context = hnt_context(1);
    hn_layer *net = resnet(context, 32, 3);
    int64_t at = 0, in = 16;
    wants_unit(net, &at, "", 1, 3, 16);
    for (int stage = 1; stage <= 3; ++stage)
        for (int block = 0; block < 5; ++block) {
            const int64_t out = 16 << (stage - 1);
            char module[32];
            snprintf(module, sizeof module, "layer%d.%d.", stage, block);
            wants_unit(net, &at, module, 1, in, out);
            wants_unit(net, &at, module, 2, out, out);
            in = out;
        }
    ck_assert_int_eq(at, hn_layer_param_count(net));
    hn_layer_destroy(net);
    hn_context_destroy(context);
}
END_TEST

START_TEST(wrong_options_are_named)
{
    hn_context *context = hnt_context(1);
    hn_layer *net = NULL;
    hn_resnet_cifar_options o;
    hn_resnet_cifar_options_init(&o, sizeof o);
    ck_assert(o.depth == 32 && o.in_channels == 3 && o.width == 16);
    hnt_fails(hn_resnet_cifar_create(NULL, context, &o), HN_E_ARG, "out is NULL");
    hnt_fails(hn_resnet_cifar_create(&net, NULL, &o), HN_E_ARG, "context is NULL");
    static const int32_t depths[] = {INT32_MIN, 2, 7, 18, 34, 308};
    for (size_t i = 0; i < sizeof depths / sizeof depths[0]; ++i) {
        char text[32];
        snprintf(text, sizeof text, "depth is %d;", (int)depths[i]);
        o.depth = depths[i];
        hnt_fails(hn_resnet_cifar_create(&net, context, &o), HN_E_ARG, text);
    }
    o.depth = 8;
    o.in_channels = 0;
    hnt_fails(hn_resnet_cifar_create(&net, context, &o), HN_E_ARG, "in_channels is 0");
    o.in_channels = 3;
    o.width = -16;
    hnt_fails(hn_resnet_cifar_create(&net, context, &o), HN_E_ARG, "width is -16");
    o.width = INT32_MAX; /* four times that must not wrap round */
    hnt_fails(hn_resnet_cifar_create(&net, context, &o), HN_E_ARG, "width is 2147483647");
    o.struct_size = 3;
    hnt_fails(hn_resnet_cifar_create(&net, context, &o), HN_E_ARG, "struct_size");
    ck_assert_ptr_null(net);
    hn_context_destroy(context);
}
END_TEST

/* ---- running it -------------------------------------------------------------------------------------------------- */

/* Everything one pass gives, output and gradients one after another; n: how many values. */
static float *run(int32_t threads, int64_t size, int32_t channels, int64_t *n)
{
    hn_context *context = hnt_context(threads);
    hn_layer *net = classifier(context, 8, channels);
    hn_exec *exec = NULL;
    hn_tensor *x = NULL, *dx = NULL, *dy = NULL;
    const hn_tensor *y = NULL;
    const hn_desc input = {HN_F32, 4, {5, size, size, channels}};
    hnt_ok(hn_exec_create(&exec, context, net, &input, HN_MODE_TRAIN));
    hnt_ok(hn_tensor_create(&x, context, &input));
    hnt_ok(hn_tensor_create(&dx, context, &input));
    hnt_normal(1, hn_tensor_data(x), hn_tensor_count(x));
    hnt_ok(hn_exec_forward(exec, x, &y));
    ck_assert_int_eq(hn_tensor_desc(y)->dim[1], 10);
    hnt_ok(hn_tensor_create(&dy, context, hn_tensor_desc(y)));
    hnt_normal(2, hn_tensor_data(dy), hn_tensor_count(dy));
    hnt_ok(hn_exec_backward(exec, dy, dx));
    *n = hn_tensor_count(y) + hn_tensor_count(dx) + hn_layer_parameter_total(net);
    float *all = hnt_alloc((size_t)*n * sizeof *all), *at = all;
    memcpy(at, hn_tensor_cdata(y), hn_tensor_bytes(y));
    at += hn_tensor_count(y);
    memcpy(at, hn_tensor_cdata(dx), hn_tensor_bytes(dx));
    at += hn_tensor_count(dx);
    for (int64_t i = 0; i < hn_layer_param_count(net); ++i) {
        hn_param p = hnt_param(net, i);
        if (p.grad == NULL)
            continue;
        float largest = 0.0f; /* no parameter is out of the gradient's reach */
        for (int64_t k = 0; k < hn_tensor_count(p.grad); ++k)
            largest = fmaxf(largest, fabsf(((const float *)hn_tensor_cdata(p.grad))[k]));
        ck_assert_msg(largest > 1e-6f, "the gradient of %s is 0", p.name);
        memcpy(at, hn_tensor_cdata(p.grad), hn_tensor_bytes(p.grad));
        at += hn_tensor_count(p.grad);
    }
    hn_tensor_destroy(x);
    hn_tensor_destroy(dx);
    hn_tensor_destroy(dy);
    hn_exec_destroy(exec);
    hn_layer_destroy(net);
    hn_context_destroy(context);
    return all;
}

START_TEST(same_bits_on_any_number_of_threads)
{
    int64_t n, m;
    float *one = run(1, 32, 3, &n);
    for (int32_t threads = 2; threads <= 3; ++threads) {
        float *more = run(threads, 32, 3, &m);
        ck_assert_int_eq(n, m);
        ck_assert_mem_eq(one, more, (size_t)n * sizeof *one);
        free(more);
    }
    free(one);
}
END_TEST

START_TEST(images_of_many_sizes)
{
    hn_context *context = hnt_context(1);
    for (int32_t channels = 1; channels <= 3; channels += 2) {
        hn_layer *net = resnet(context, 32, channels);
        for (int64_t size = 8; size <= 64; ++size) {
            const hn_desc in = {HN_F32, 4, {7, size, 72 - size, channels}};
            hn_desc out;
            hnt_ok(hn_layer_output(net, &in, &out));
            ck_assert_int_eq(out.ndim, 2);
            ck_assert_int_eq(out.dim[0], 7);
            ck_assert_int_eq(out.dim[1], 64);
        }
        const hn_desc other = {HN_F32, 4, {7, 32, 32, 4 - channels}}, flat = {HN_F32, 2, {7, 1024}};
        hn_desc out;
        ck_assert_int_eq(hn_layer_output(net, &other, &out), HN_E_SHAPE);
        ck_assert_int_eq(hn_layer_output(net, &flat, &out), HN_E_SHAPE);
        hn_layer_destroy(net);
    }
    static const int64_t sizes[] = {24, 29, 64};
    for (int i = 0; i < 3; ++i) {
        int64_t n;
        float *all = run(2, sizes[i], i == 1 ? 1 : 3, &n);
        for (int64_t k = 0; k < n; ++k)
            ck_assert(isfinite(all[k]));
        free(all);
    }
    hn_context_destroy(context);
}
END_TEST

#ifdef HNI_HAVE_JANSSON

/* Mean cross-entropy of logits [rows][10] in double, and its gradient. */
static double cross_entropy(const float *logits, const int32_t *labels, int64_t rows, float *gradient)
{
    double loss = 0.0;
    for (int64_t i = 0; i < rows; ++i) {
        const float *row = logits + i * 10;
        double largest = -INFINITY, sum = 0.0;
        for (int c = 0; c < 10; ++c)
            largest = fmax(largest, (double)row[c]);
        for (int c = 0; c < 10; ++c)
            sum += exp((double)row[c] - largest);
        loss += (largest + log(sum) - (double)row[labels[i]]) / (double)rows;
        for (int c = 0; c < 10; ++c)
            gradient[i * 10 + c] = (float)((exp((double)row[c] - largest) / sum - (c == labels[i])) / (double)rows);
    }
    return loss;
}

/* The golden file's values are computed in double: what both libraries' f32 approximates. */
START_TEST(follows_pytorch)
{
    enum { N = 8 };
    hn_context *context = hnt_context(2);
    hn_safetensors *file = hnt_golden_open(context, "resnet");
    hn_layer *net = classifier(context, 32, 1);
    hn_exec *exec = NULL;
    hn_tensor *x = NULL, *dy = NULL;
    const hn_tensor *y = NULL;
    const hn_desc input = {HN_F32, 4, {N, 28, 28, 1}}, output = {HN_F32, 2, {N, 10}};
    char key[128];
    for (int64_t i = 0; i < hn_layer_param_count(net); ++i) {
        hn_param p = hnt_param(net, i);
        snprintf(key, sizeof key, "start.%s", p.name);
        memcpy(hn_tensor_data(p.value), hnt_golden_f(file, key, hn_tensor_count(p.value)), hn_tensor_bytes(p.value));
    }
    hnt_ok(hn_tensor_create(&x, context, &input));
    hnt_ok(hn_tensor_create(&dy, context, &output));
    const uint8_t *pixels = hn_tensor_cdata(hnt_golden(file, "pixels", HN_U8, N * 28 * 28));
    for (int64_t i = 0; i < N * 28 * 28; ++i)
        ((float *)hn_tensor_data(x))[i] = (float)pixels[i] / 255.0f - 0.5f;

    hnt_ok(hn_exec_create(&exec, context, net, &input, HN_MODE_TRAIN));
    hnt_ok(hn_exec_forward(exec, x, &y));
    hnt_close_f("logits", hn_tensor_cdata(y), hnt_golden_f(file, "logits", N * 10), N * 10, 5e-5);
    double loss = cross_entropy(hn_tensor_cdata(y), hnt_golden_i(file, "labels", N), N, hn_tensor_data(dy));
    hnt_close_d("loss", loss, (double)*hnt_golden_f(file, "loss", 1), 1e-5);
    hnt_ok(hn_exec_backward(exec, dy, NULL));
    for (int64_t i = 0; i < hn_layer_param_count(net); ++i) {
        hn_param p = hnt_param(net, i);
        snprintf(key, sizeof key, "%s.%s", p.grad == NULL ? "after" : "grad", p.name);
        const hn_tensor *got = p.grad == NULL ? p.value : p.grad;
        hnt_close_f(key, hn_tensor_cdata(got), hnt_golden_f(file, key, hn_tensor_count(got)), hn_tensor_count(got),
                    p.grad == NULL ? 1e-5 : 2e-4);
    }
    hn_exec_destroy(exec);
    hnt_ok(hn_exec_create(&exec, context, net, &input, HN_MODE_INFER)); /* with the running statistics */
    hnt_ok(hn_exec_forward(exec, x, &y));
    hnt_close_f("infer", hn_tensor_cdata(y), hnt_golden_f(file, "infer", N * 10), N * 10, 5e-5);
    hn_exec_destroy(exec);
    hn_tensor_destroy(x);
    hn_tensor_destroy(dy);
    hn_layer_destroy(net);
    hn_safetensors_close(file);
    hn_context_destroy(context);
}
END_TEST

#endif

START_TEST(every_allocation_may_fail)
{
    const hn_desc input = {HN_F32, 4, {2, 8, 8, 3}};
    hn_resnet_cifar_options o;
    hn_resnet_cifar_options_init(&o, sizeof o);
    o.depth = 14; /* blocks of both kinds */
    o.width = 2;
    for (int64_t k = 0;; ++k) {
        hnt_counter counter = {.fail_at = -1};
        hn_context *context = NULL;
        hn_layer *net = NULL;
        hn_exec *exec = NULL;
        hnt_ok(hnt_counting_context(&context, &counter, 1));
        int64_t before = counter.alive;
        counter.fail_at = counter.calls + k;
        hn_status status = hn_resnet_cifar_create(&net, context, &o);
        if (status < 0) {
            ck_assert_ptr_null(net);
            ck_assert_int_eq(counter.alive, before);
        } else {
            status = hn_exec_create(&exec, context, net, &input, HN_MODE_TRAIN);
        }
        if (status < 0)
            ck_assert_int_eq(status, HN_E_NOMEM);
        hn_exec_destroy(exec);
        hn_layer_destroy(net);
        hn_context_destroy(context);
        ck_assert_int_eq(counter.alive, 0);
        if (status == HN_OK) {
            ck_assert_int_gt(k, 100);
            return;
        }
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("resnet");
    TCase *unit = hnt_case(s, "unit");
    tcase_add_test(unit, parameters_are_as_many_as_published);
    tcase_add_test(unit, names_shapes_and_order);
    tcase_add_test(unit, wrong_options_are_named);
    tcase_add_test(unit, same_bits_on_any_number_of_threads);
    tcase_add_test(unit, images_of_many_sizes);
#ifdef HNI_HAVE_JANSSON
    tcase_add_test(hnt_case(s, "golden"), follows_pytorch);
#endif
    tcase_add_test(hnt_case(s, "oom"), every_allocation_may_fail);
    return s;
}

HNT_MAIN(suite)
