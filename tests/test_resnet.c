/* The CIFAR ResNets: parameters as other programs count and name them, sizes of images, PyTorch's numbers, and a plain
 * double forward pass differentiated numerically.                                                                        */
#include "layer_case.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

enum { SIDE = 10, N = 8, CLASSES = 10 };

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
    } known[] = {{8, 75290}, {14, 172506}, {20, 269722}, {32, 464154}, {44, 658586}, {56, 853018}, {110, 1727962}};
    hn_context *context = hnt_context(1);
    for (size_t i = 0; i < sizeof known / sizeof known[0]; ++i) {
        hn_layer *net = classifier(context, known[i].depth, 3);
        ck_assert_int_eq(hn_layer_param_total(net), known[i].total);
        hn_layer_destroy(net);
    }
    hn_layer *net = NULL; /* no options: ResNet-32 without its classifier */
    hnt_ok(hn_resnet_cifar_create(&net, context, NULL));
    ck_assert_int_eq(hn_layer_param_total(net), 464154 - 650);
    hn_layer_destroy(net);
    hn_resnet_cifar_options o;
    hn_resnet_cifar_options_init(&o, sizeof o);
    o.depth = 8;
    o.width = 5; /* 9 (15 + 25 + 25) + 4 * 15 for bn, then 9 (50 + 100) + 40, 9 (200 + 400) + 80 ... */
    hnt_ok(hn_resnet_cifar_create(&net, context, &o));
    ck_assert_int_eq(hn_layer_param_total(net), 9 * (65 + 150 + 600) + 2 * (15 + 20 + 40));
    hn_layer_destroy(net);
    hn_context_destroy(context);
}
END_TEST

/* As LDAM's resnet_cifar.py: He normal by fan in, no bias, batch norms the identity. */
START_TEST(initial_weights_are_he_normal)
{
    hn_context *context = hnt_context(1);
    hn_layer *net = classifier(context, 20, 3);
    for (int64_t i = 0; i < hn_layer_param_count(net); ++i) {
        const hn_param p = hnt_param(net, i);
        const hn_desc *desc = hn_tensor_desc(p.value);
        const int64_t n = hn_tensor_count(p.value), fan = n / desc->dim[0];
        const float *x = hn_tensor_cdata(p.value);
        double sum = 0, square = 0;
        for (int64_t k = 0; k < n; ++k) {
            sum += (double)x[k];
            square += (double)x[k] * (double)x[k];
        }
        if (desc->ndim == 1) {
            const int one = strstr(p.name, "weight") != NULL || strstr(p.name, "running_var") != NULL;
            ck_assert_msg(sum == (one ? (double)n : 0.0) && square == sum, "%s begins as %g", p.name, sum / (double)n);
            continue;
        }
        const double variance = 2.0 / (double)fan; /* five standard deviations of its estimate, and of the mean's */
        ck_assert_msg(fabs(square / (double)n / variance - 1) < 5 * sqrt(2.0 / (double)n), "%s: variance %g, not %g",
                      p.name, square / (double)n, variance);
        ck_assert_msg(fabs(sum / (double)n) < 5 * sqrt(variance / (double)n), "%s: mean %g", p.name, sum / (double)n);
    }
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
    *n = hn_tensor_count(y) + hn_tensor_count(dx) + hn_layer_param_total(net);
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

/* ResNet-32 and classifier on 8 images, differentiated once. */
typedef struct case_ {
    hn_context *context;
    hn_layer *parts[2]; /* backbone, classifier */
    hn_exec *exec[2];
    hn_tensor *images, *gradient[2]; /* of features, of logits */
    const hn_tensor *logits;
    int32_t labels[N];
    double loss;
} case_;

#ifdef HNI_HAVE_JANSSON
static const char *name_in_file(int part, const char *name, const char *prefix, char key[256])
{
    snprintf(key, 256, "%s.%s%s", prefix, part == 1 ? "fc." : "", name);
    return key;
}

/* The golden file's weights and its real images. */
static void fill_from_file(case_ *c, const hn_safetensors *golden)
{
    char key[256];
    for (int part = 0; part < 2; ++part)
        for (int64_t i = 0; i < hn_layer_param_count(c->parts[part]); ++i) {
            hn_param p = hnt_param(c->parts[part], i);
            memcpy(hn_tensor_data(p.value),
                   hnt_golden_f(golden, name_in_file(part, p.name, "start", key), hn_tensor_count(p.value)),
                   hn_tensor_bytes(p.value));
        }
    const uint8_t *pixels = hn_tensor_cdata(hnt_golden(golden, "pixels", HN_U8, N * SIDE * SIDE));
    for (int i = 0; i < N * SIDE * SIDE; ++i)
        ((float *)hn_tensor_data(c->images))[i] = (float)pixels[i] / 255.0f - 0.5f;
    memcpy(c->labels, hnt_golden_i(golden, "labels", N), sizeof c->labels);
}
#endif

/* Initial weights, batch norm's away from 1 and 0, and normal images. */
static void fill_at_random(case_ *c)
{
    hn_rng rng;
    hn_rng_seed(&rng, 1, 0);
    for (int part = 0; part < 2; ++part) {
        hnt_ok(hn_layer_init_params(c->parts[part], &rng));
        for (int64_t i = 0; i < hn_layer_param_count(c->parts[part]); ++i) {
            hn_param p = hnt_param(c->parts[part], i);
            if (hn_tensor_desc(p.value)->ndim == 1 && p.grad != NULL)
                for (int64_t k = 0; k < hn_tensor_count(p.value); ++k)
                    ((float *)hn_tensor_data(p.value))[k] += 0.05f * (float)(k % 9 - 4);
        }
    }
    hnt_normal(1, hn_tensor_data(c->images), N * SIDE * SIDE);
    for (int i = 0; i < N; ++i)
        c->labels[i] = i % 5;
}

static const hn_desc image_desc = {HN_F32, 4, {N, SIDE, SIDE, 1}}, feature_desc = {HN_F32, 2, {N, 64}},
                     logit_desc = {HN_F32, 2, {N, CLASSES}};

static void make_case(case_ *c)
{
    c->context = hnt_context(2);
    c->parts[0] = resnet(c->context, 32, 1);
    hnt_ok(hn_linear_create(&c->parts[1], c->context, 64, CLASSES, 1));
    hnt_ok(hn_tensor_create(&c->images, c->context, &image_desc));
}

/* Forward and backward, once the case is filled. */
static void run_case(case_ *c)
{
    hnt_ok(hn_tensor_create(&c->gradient[0], c->context, &feature_desc));
    hnt_ok(hn_tensor_create(&c->gradient[1], c->context, &logit_desc));
    hnt_ok(hn_exec_create(&c->exec[0], c->context, c->parts[0], &image_desc, HN_MODE_TRAIN));
    hnt_ok(hn_exec_create(&c->exec[1], c->context, c->parts[1], &feature_desc, HN_MODE_TRAIN));

    const hn_tensor *y = NULL;
    hn_loss *ce = NULL;
    hnt_ok(hn_loss_create_ce(&ce, c->context, CLASSES, NULL));
    hnt_ok(hn_exec_forward(c->exec[0], c->images, &y));
    hnt_ok(hn_exec_forward(c->exec[1], y, &c->logits));
    hnt_ok(hn_loss_apply(ce, c->logits, c->labels, 1.0f, &c->loss, c->gradient[1]));
    hnt_ok(hn_exec_backward(c->exec[1], c->gradient[1], c->gradient[0]));
    hnt_ok(hn_exec_backward(c->exec[0], c->gradient[0], NULL));
    hn_loss_destroy(ce);
}

static void close_case(case_ *c)
{
    for (int part = 0; part < 2; ++part) {
        hn_exec_destroy(c->exec[part]);
        hn_tensor_destroy(c->gradient[part]);
        hn_layer_destroy(c->parts[part]);
    }
    hn_tensor_destroy(c->images);
    hn_context_destroy(c->context);
}

#ifdef HNI_HAVE_JANSSON
START_TEST(matches_pytorch_with_its_weights)
{
    case_ c;
    char key[256];
    hn_context *context = hnt_context(1);
    hn_safetensors *golden = hnt_golden_open(context, "resnet");
    make_case(&c);
    fill_from_file(&c, golden);
    run_case(&c);
    hnt_close_f("logits", hn_tensor_cdata(c.logits), hnt_golden_f(golden, "logits", N * CLASSES), N * CLASSES, 1e-4);
    hnt_close_d("loss", c.loss, (double)hnt_golden_f(golden, "loss", 1)[0], 1e-5);
    for (int part = 0; part < 2; ++part)
        for (int64_t i = 0; i < hn_layer_param_count(c.parts[part]); ++i) {
            hn_param p = hnt_param(c.parts[part], i);
            const hn_tensor *got = p.grad == NULL ? p.value : p.grad;
            name_in_file(part, p.name, p.grad == NULL ? "after" : "grad", key);
            hnt_close_f(key, hn_tensor_cdata(got), hnt_golden_f(golden, key, hn_tensor_count(got)),
                        hn_tensor_count(got), 1e-4);
        }
    /* Inference with the running statistics that this pass has left. */
    const hn_tensor *y = NULL, *logits = NULL;
    hn_exec *infer[2] = {NULL, NULL};
    hnt_ok(hn_exec_create(&infer[0], c.context, c.parts[0], hn_tensor_desc(c.images), HN_MODE_INFER));
    hnt_ok(hn_exec_create(&infer[1], c.context, c.parts[1], hn_tensor_desc(c.gradient[0]), HN_MODE_INFER));
    hnt_ok(hn_exec_forward(infer[0], c.images, &y));
    hnt_ok(hn_exec_forward(infer[1], y, &logits));
    hnt_close_f("infer", hn_tensor_cdata(logits), hnt_golden_f(golden, "infer", N * CLASSES), N * CLASSES, 1e-4);
    hn_exec_destroy(infer[0]);
    hn_exec_destroy(infer[1]);
    close_case(&c);
    hn_safetensors_close(golden);
    hn_context_destroy(context);
}
END_TEST
#endif

/* ---- the plain double reference ------------------------------------------------------------------------------------- */

/* All parameters in double, in the order of hn_layer_param, buffers left out: backbone, then classifier. */
static double *parameters(const case_ *c, bool gradients, int64_t *count)
{
    *count = hn_layer_param_total(c->parts[0]) + hn_layer_param_total(c->parts[1]);
    double *all = hnt_alloc((size_t)*count * sizeof *all);
    int64_t at = 0;
    for (int part = 0; part < 2; ++part)
        for (int64_t i = 0; i < hn_layer_param_count(c->parts[part]); ++i) {
            hn_param p = hnt_param(c->parts[part], i);
            if (p.grad == NULL)
                continue;
            const float *from = hn_tensor_cdata(gradients ? p.grad : p.value);
            for (int64_t k = 0; k < hn_tensor_count(p.value); ++k)
                all[at++] = (double)from[k];
        }
    return all;
}

/* 3x3 convolution, padding 1, then batch norm with the batch's statistics; images x side x side x channels. Takes its
 * parameters from *w and moves it on.                                                                                    */
static double *unit(const double *x, int side, int in, int out, int stride, const double **w)
{
    int outs = (side - 1) / stride + 1, rows = N * outs * outs;
    double *y = hnt_alloc((size_t)(rows * out) * sizeof *y);
    for (int r = 0; r < rows; ++r)
        for (int ky = 0; ky < 3; ++ky)
            for (int kx = 0; kx < 3; ++kx) {
                int n = r / (outs * outs), iy = r / outs % outs * stride + ky - 1, ix = r % outs * stride + kx - 1;
                if (iy < 0 || iy >= side || ix < 0 || ix >= side)
                    continue;
                const double *from = x + ((n * side + iy) * side + ix) * in;
                for (int o = 0; o < out; ++o)
                    for (int i = 0; i < in; ++i)
                        y[r * out + o] += from[i] * (*w)[((o * in + i) * 3 + ky) * 3 + kx];
            }
    *w += out * in * 9;
    for (int o = 0; o < out; ++o) {
        double mean = 0, variance = 0;
        for (int r = 0; r < rows; ++r)
            mean += y[r * out + o] / rows;
        for (int r = 0; r < rows; ++r)
            variance += pow(y[r * out + o] - mean, 2) / rows;
        for (int r = 0; r < rows; ++r)
            y[r * out + o] = (y[r * out + o] - mean) / sqrt(variance + 1e-5) * (*w)[o] + (*w)[out + o];
    }
    *w += 2 * out;
    return y;
}

static void relu(double *x, int n)
{
    for (int i = 0; i < n; ++i)
        x[i] = x[i] > 0 ? x[i] : 0;
}

/* Cross-entropy of ResNet-32 on the images. */
static double reference_loss(const case_ *c, const double *w)
{
    const float *images = hn_tensor_cdata(c->images);
    double *x = hnt_alloc(N * SIDE * SIDE * sizeof *x), loss = 0;
    for (int i = 0; i < N * SIDE * SIDE; ++i)
        x[i] = (double)images[i];
    double *h = unit(x, SIDE, 1, 16, 1, &w);
    relu(h, N * SIDE * SIDE * 16);
    free(x);
    int side = SIDE, channels = 16;
    for (int block = 0; block < 15; ++block) {
        int out = 16 << (block / 5), stride = block > 0 && block % 5 == 0 ? 2 : 1, outs = (side - 1) / stride + 1;
        double *a = unit(h, side, channels, out, stride, &w);
        relu(a, N * outs * outs * out);
        double *b = unit(a, outs, out, out, 1, &w);
        for (int r = 0; r < N * outs * outs; ++r) /* option A */
            for (int k = 0; k < channels; ++k) {
                int n = r / (outs * outs), iy = r / outs % outs * stride, ix = r % outs * stride;
                b[r * out + (out - channels) / 2 + k] += h[((n * side + iy) * side + ix) * channels + k];
            }
        relu(b, N * outs * outs * out);
        free(a);
        free(h);
        h = b;
        side = outs;
        channels = out;
    }
    for (int n = 0; n < N; ++n) {
        double logit[CLASSES], sum = 0;
        for (int k = 0; k < CLASSES; ++k) {
            logit[k] = w[CLASSES * 64 + k];
            for (int p = 0; p < side * side; ++p)
                for (int d = 0; d < 64; ++d)
                    logit[k] += h[(n * side * side + p) * 64 + d] / (side * side) * w[k * 64 + d];
            sum += exp(logit[k]);
        }
        loss += (log(sum) - logit[c->labels[n]]) / N;
    }
    free(h);
    return loss;
}

/* The gradient's component along a direction, for three directions. */
START_TEST(gradient_is_the_reference_s_difference_quotient)
{
    case_ c;
    int64_t n;
    make_case(&c);
    fill_at_random(&c);
    run_case(&c);
    double *w = parameters(&c, false, &n), *g = parameters(&c, true, &n);
    hnt_close_d("loss", c.loss, reference_loss(&c, w), 1e-5);
    float *direction = hnt_alloc((size_t)n * sizeof *direction);
    double *moved = hnt_alloc((size_t)n * sizeof *moved);
    for (int k = 0; k < 3; ++k) {
        const double h = 1e-9; /* the direction is about 500 long */
        double along = 0, up, down;
        hnt_normal((uint64_t)k, direction, n);
        for (int64_t i = 0; i < n; ++i) {
            /* Mostly along the gradient, so that what is compared is not small by chance. */
            direction[i] = (float)(g[i] * 30) + 0.1f * direction[i];
            along += (double)direction[i] * g[i];
        }
        for (int64_t i = 0; i < n; ++i)
            moved[i] = w[i] + h * (double)direction[i];
        up = reference_loss(&c, moved);
        for (int64_t i = 0; i < n; ++i)
            moved[i] = w[i] - h * (double)direction[i];
        down = reference_loss(&c, moved);
        hnt_close_d("derivative along a direction", along, (up - down) / (2 * h), 1e-3);
    }
    free(w);
    free(g);
    free(moved);
    free(direction);
    close_case(&c);
}
END_TEST

static hn_status attempt(hn_context *context, const void *options)
{
    const hn_desc input = {HN_F32, 4, {2, 8, 8, 3}};
    hn_layer *net = NULL;
    hn_exec *exec = NULL;
    hn_status status = hn_resnet_cifar_create(&net, context, options);
    ck_assert((status == HN_OK) == (net != NULL));
    if (status == HN_OK)
        status = hn_exec_create(&exec, context, net, &input, HN_MODE_TRAIN);
    hn_exec_destroy(exec);
    hn_layer_destroy(net);
    return status;
}

START_TEST(every_allocation_may_fail)
{
    hn_resnet_cifar_options o;
    hn_resnet_cifar_options_init(&o, sizeof o);
    o.depth = 14; /* blocks of both kinds */
    o.width = 2;
    hnt_survives(attempt, &o, 100);
    o.precision = HN_BF16; /* with casts */
    hn_context *context = hnt_context(1);
    if (hn_engine_supports(hn_context_engine(context), HN_BF16))
        hnt_survives(attempt, &o, 100);
    hn_context_destroy(context);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("resnet");
    TCase *small = hnt_case(s, "unit");
    tcase_add_test(small, parameters_are_as_many_as_published);
    tcase_add_test(small, initial_weights_are_he_normal);
    tcase_add_test(small, names_shapes_and_order);
    tcase_add_test(small, wrong_options_are_named);
    tcase_add_test(small, same_bits_on_any_number_of_threads);
    tcase_add_test(small, images_of_many_sizes);
#ifdef HNI_HAVE_JANSSON
    tcase_add_test(hnt_case(s, "golden"), matches_pytorch_with_its_weights);
#endif
    tcase_add_test(hnt_case(s, "grad"), gradient_is_the_reference_s_difference_quotient);
    tcase_add_test(hnt_case(s, "oom"), every_allocation_may_fail);
    return s;
}

HNT_MAIN(suite)
