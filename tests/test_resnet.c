/* The CIFAR ResNets: size, names, PyTorch's numbers, and a plain double forward pass differentiated numerically. */
#include "layer_case.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

enum { SIDE = 28, N = 8, CLASSES = 10 };

static hn_layer *network(hn_context *context, int32_t depth, int32_t channels)
{
    hn_layer *net = NULL;
    hn_resnet_cifar_options o;
    hn_resnet_cifar_options_init(&o, sizeof o);
    o.depth = depth;
    o.in_channels = channels;
    hnt_ok(hn_resnet_cifar_create(&net, context, &o));
    return net;
}

START_TEST(parameters_as_published)
{
    static const struct {
        int32_t depth;
        int64_t parameters; /* with a 10-class classifier */
    } table[] = {{8, 75290}, {14, 172506}, {20, 269722}, {32, 464154}, {44, 658586}, {56, 853018}};
    hn_context *context = hnt_context(1);
    for (size_t i = 0; i < sizeof table / sizeof table[0]; ++i) {
        hn_layer *net = network(context, table[i].depth, 3);
        ck_assert_int_eq(hn_layer_parameter_total(net) + 64 * 10 + 10, table[i].parameters);
        hn_layer_destroy(net);
    }
    hn_layer *net = network(context, 32, 3);
    ck_assert_str_eq(hnt_param(net, 0).name, "conv1.weight");
    ck_assert_str_eq(hnt_param(net, 1).name, "bn1.weight");
    ck_assert_str_eq(hnt_param(net, 5).name, "layer1.0.conv1.weight");
    ck_assert_str_eq(hnt_param(net, hn_layer_param_count(net) - 1).name, "layer3.4.bn2.running_var");
    const hn_desc *d = hn_tensor_desc(hnt_param(net, 0).value);
    ck_assert(d->ndim == 4 && d->dim[0] == 16 && d->dim[1] == 3 && d->dim[2] == 3 && d->dim[3] == 3);
    hn_layer_destroy(net);
    hn_context_destroy(context);
}
END_TEST

START_TEST(takes_any_size)
{
    hn_context *context = hnt_context(1);
    hn_desc out;
    for (int32_t channels = 1; channels <= 3; channels += 2) {
        hn_layer *net = network(context, 8, channels);
        for (int64_t side = 24; side <= 64; side += 5) {
            const hn_desc in = {HN_F32, 4, {2, side, side + 1, channels}};
            hn_exec *exec = NULL;
            hnt_ok(hn_layer_output(net, &in, &out));
            ck_assert(out.ndim == 2 && out.dim[0] == 2 && out.dim[1] == 64);
            hnt_ok(hn_exec_create(&exec, context, net, &in, HN_MODE_TRAIN));
            hn_exec_destroy(exec);
        }
        const hn_desc wrong = {HN_F32, 4, {2, 32, 32, 5}};
        ck_assert_int_eq(hn_layer_output(net, &wrong, &out), HN_E_SHAPE);
        hn_layer_destroy(net);
    }
    hn_layer *net = NULL;
    hn_resnet_cifar_options o;
    hn_resnet_cifar_options_init(&o, sizeof o);
    for (int32_t depth = 9; depth < 14; ++depth) {
        o.depth = depth;
        hnt_fails(hn_resnet_cifar_create(&net, context, &o), HN_E_ARG, "it must be 6n + 2");
    }
    o.depth = 32;
    o.width = 0;
    hnt_fails(hn_resnet_cifar_create(&net, context, &o), HN_E_ARG, "width is 0");
    o.width = 16;
    o.in_channels = -1;
    hnt_fails(hn_resnet_cifar_create(&net, context, &o), HN_E_ARG, "in_channels is -1");
    ck_assert_ptr_null(net);
    hn_context_destroy(context);
}
END_TEST

#ifdef HNI_HAVE_JANSSON

/* ResNet-32 and classifier with the golden file's weights, on its 8 real images, differentiated once. */
typedef struct case_ {
    hn_context *context;
    hn_safetensors *golden;
    hn_layer *parts[2]; /* backbone, classifier */
    hn_exec *exec[2];
    hn_tensor *images, *gradient[2]; /* of features, of logits */
    const hn_tensor *logits;
    const int32_t *labels;
    double loss;
} case_;

static const char *name_in_file(int part, const char *name, const char *prefix, char key[256])
{
    snprintf(key, 256, "%s.%s%s", prefix, part == 1 ? "fc." : "", name);
    return key;
}

static void open_case(case_ *c)
{
    char key[256];
    c->context = hnt_context(2);
    c->golden = hnt_golden_open(c->context, "resnet");
    c->parts[0] = network(c->context, 32, 1);
    hnt_ok(hn_linear_create(&c->parts[1], c->context, 64, CLASSES, 1));
    for (int part = 0; part < 2; ++part)
        for (int64_t i = 0; i < hn_layer_param_count(c->parts[part]); ++i) {
            hn_param p = hnt_param(c->parts[part], i);
            memcpy(hn_tensor_data(p.value),
                   hnt_golden_f(c->golden, name_in_file(part, p.name, "start", key), hn_tensor_count(p.value)),
                   hn_tensor_bytes(p.value));
        }
    const hn_desc in = {HN_F32, 4, {N, SIDE, SIDE, 1}}, features = {HN_F32, 2, {N, 64}}, logits = {HN_F32, 2, {N, CLASSES}};
    hnt_ok(hn_tensor_create(&c->images, c->context, &in));
    const uint8_t *pixels = hn_tensor_cdata(hnt_golden(c->golden, "pixels", HN_U8, N * SIDE * SIDE));
    for (int i = 0; i < N * SIDE * SIDE; ++i)
        ((float *)hn_tensor_data(c->images))[i] = (float)pixels[i] / 255.0f - 0.5f;
    c->labels = hnt_golden_i(c->golden, "labels", N);
    hnt_ok(hn_tensor_create(&c->gradient[0], c->context, &features));
    hnt_ok(hn_tensor_create(&c->gradient[1], c->context, &logits));
    hnt_ok(hn_exec_create(&c->exec[0], c->context, c->parts[0], &in, HN_MODE_TRAIN));
    hnt_ok(hn_exec_create(&c->exec[1], c->context, c->parts[1], &features, HN_MODE_TRAIN));

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
    hn_safetensors_close(c->golden);
    hn_context_destroy(c->context);
}

START_TEST(matches_pytorch_with_its_weights)
{
    case_ c;
    char key[256];
    open_case(&c);
    hnt_close_f("logits", hn_tensor_cdata(c.logits), hnt_golden_f(c.golden, "logits", N * CLASSES), N * CLASSES, 1e-4);
    hnt_close_d("loss", c.loss, (double)hnt_golden_f(c.golden, "loss", 1)[0], 1e-5);
    for (int part = 0; part < 2; ++part)
        for (int64_t i = 0; i < hn_layer_param_count(c.parts[part]); ++i) {
            hn_param p = hnt_param(c.parts[part], i);
            const hn_tensor *got = p.grad == NULL ? p.value : p.grad;
            name_in_file(part, p.name, p.grad == NULL ? "after" : "grad", key);
            hnt_close_f(key, hn_tensor_cdata(got), hnt_golden_f(c.golden, key, hn_tensor_count(got)),
                        hn_tensor_count(got), 1e-4);
        }
    /* Inference with the running statistics that this pass has left. */
    const hn_tensor *y = NULL, *logits = NULL;
    hn_exec *infer[2] = {NULL, NULL};
    hnt_ok(hn_exec_create(&infer[0], c.context, c.parts[0], hn_tensor_desc(c.images), HN_MODE_INFER));
    hnt_ok(hn_exec_create(&infer[1], c.context, c.parts[1], hn_tensor_desc(c.gradient[0]), HN_MODE_INFER));
    hnt_ok(hn_exec_forward(infer[0], c.images, &y));
    hnt_ok(hn_exec_forward(infer[1], y, &logits));
    hnt_close_f("infer", hn_tensor_cdata(logits), hnt_golden_f(c.golden, "infer", N * CLASSES), N * CLASSES, 1e-4);
    hn_exec_destroy(infer[0]);
    hn_exec_destroy(infer[1]);
    close_case(&c);
}
END_TEST

/* ---- the plain double reference ------------------------------------------------------------------------------------- */

/* All parameters in double, in the order of hn_layer_param, buffers left out: backbone, then classifier. */
static double *parameters(const case_ *c, bool gradients, int64_t *count)
{
    *count = hn_layer_parameter_total(c->parts[0]) + hn_layer_parameter_total(c->parts[1]);
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
    open_case(&c);
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
#endif

START_TEST(every_allocation_may_fail)
{
    for (int64_t k = 0;; ++k) {
        hnt_counter counter = {.fail_at = -1};
        hn_context *context = NULL;
        hn_layer *net = NULL;
        hn_resnet_cifar_options o;
        hn_resnet_cifar_options_init(&o, sizeof o);
        o.depth = 8;
        hnt_ok(hnt_counting_context(&context, &counter, 1));
        counter.fail_at = counter.calls + k;
        hn_status status = hn_resnet_cifar_create(&net, context, &o);
        if (status < 0) {
            ck_assert_int_eq(status, HN_E_NOMEM);
            ck_assert_ptr_null(net);
        }
        hn_layer_destroy(net);
        hn_context_destroy(context);
        ck_assert_int_eq(counter.alive, 0);
        if (status == HN_OK) {
            ck_assert_int_ge(k, 50);
            return;
        }
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("resnet");
    TCase *unit_case = hnt_case(s, "unit");
    tcase_add_test(unit_case, parameters_as_published);
    tcase_add_test(unit_case, takes_any_size);
#ifdef HNI_HAVE_JANSSON
    tcase_add_test(hnt_case(s, "golden"), matches_pytorch_with_its_weights);
    tcase_add_test(hnt_case(s, "grad"), gradient_is_the_reference_s_difference_quotient);
#endif
    tcase_add_test(hnt_case(s, "oom"), every_allocation_may_fail);
    return s;
}

HNT_MAIN(suite)
