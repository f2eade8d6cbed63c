/* The ResNets for ImageNet's images: counts of parameters, sizes of images, options, both element types, and torchvision's
 * numbers with weights under its names.                                                                                 */
#include "layer_case.h"

#include "io/safetensors.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

/* Backbone and classifier, the parameters of both under torchvision's names. */
static hn_layer *classifier(hn_context *context, const hn_resnet_options *o, int64_t classes)
{
    const hn_desc image = {HN_F32, 4, {1, 64, 64, o->in_channels}};
    hn_layer *net = NULL, *backbone = NULL, *fc = NULL;
    hn_desc features;
    hnt_ok(hn_resnet_create(&backbone, context, o));
    hnt_ok(hn_layer_output(backbone, &image, &features));
    hnt_ok(hn_sequential_create(&net, context));
    hnt_ok(hn_layer_add_child(net, "", backbone));
    hnt_ok(hn_linear_create(&fc, context, features.dim[1], classes, 1));
    hnt_ok(hn_layer_add_child(net, "fc", fc));
    return net;
}

static hn_resnet_options options_of(int32_t depth, int32_t width)
{
    hn_resnet_options o;
    hn_resnet_options_init(&o, sizeof o);
    o.depth = depth;
    o.width = width;
    return o;
}

static int64_t total(hn_context *context, int32_t depth, int32_t width)
{
    const hn_resnet_options o = options_of(depth, width);
    hn_layer *net = classifier(context, &o, 1000);
    const int64_t n = hn_layer_param_total(net);
    hn_layer_destroy(net);
    return n;
}

/* ---- what it is made of ------------------------------------------------------------------------------------------ */

/* With 1000 classes. The deepest, which would take much memory, by what their further blocks have. */
START_TEST(parameters_are_as_many_as_published)
{
    hn_context *context = hnt_context(1);
    ck_assert_int_eq(total(context, 18, 64), 11689512);
    ck_assert_int_eq(total(context, 34, 64), 21797672);
    ck_assert_int_eq(total(context, 50, 64), 25557032);
    enum { W = 8, SECOND = 68 * W * W + 24 * W, THIRD = 272 * W * W + 48 * W };
    ck_assert_int_eq(total(context, 101, W) - total(context, 50, W), 17 * THIRD);
    ck_assert_int_eq(total(context, 152, W) - total(context, 50, W), 4 * SECOND + 30 * THIRD);
    hn_layer *net = NULL; /* no options: ResNet-50 without its classifier */
    hnt_ok(hn_resnet_create(&net, context, NULL));
    ck_assert_int_eq(hn_layer_param_total(net), 25557032 - 2049000);
    hn_layer_destroy(net);
    hn_context_destroy(context);
}
END_TEST

START_TEST(wrong_options_are_named)
{
    hn_context *context = hnt_context(1);
    hn_layer *net = NULL;
    hn_resnet_options o;
    hn_resnet_options_init(&o, sizeof o);
    ck_assert(o.depth == 50 && o.in_channels == 3 && o.width == 64 && o.precision == HN_F32 && !o.zero_init_residual);
    hnt_fails(hn_resnet_create(NULL, context, &o), HN_E_ARG, "hn_resnet_create: out is NULL");
    hnt_fails(hn_resnet_create(&net, NULL, &o), HN_E_ARG, "hn_resnet_create: context is NULL");
    static const int32_t depths[] = {INT32_MIN, 0, 17, 20, 32, 51, 200};
    for (size_t i = 0; i < sizeof depths / sizeof depths[0]; ++i) {
        char text[64];
        snprintf(text, sizeof text, "depth is %d; it must be 18, 34, 50, 101 or 152", (int)depths[i]);
        o.depth = depths[i];
        hnt_fails(hn_resnet_create(&net, context, &o), HN_E_ARG, text);
    }
    o.depth = 34;
    o.in_channels = 0;
    hnt_fails(hn_resnet_create(&net, context, &o), HN_E_ARG, "in_channels is 0");
    o.in_channels = 3;
    o.width = -64;
    hnt_fails(hn_resnet_create(&net, context, &o), HN_E_ARG, "width is -64");
    o.width = INT32_MAX; /* 32 times that must not wrap round */
    hnt_fails(hn_resnet_create(&net, context, &o), HN_E_ARG, "width is 2147483647");
    o.width = 64;
    o.precision = HN_U8;
    hnt_fails(hn_resnet_create(&net, context, &o), HN_E_ARG, "hn_resnet_create: precision is 3");
    o.struct_size = 3;
    hnt_fails(hn_resnet_create(&net, context, &o), HN_E_ARG, "struct_size");
    ck_assert_ptr_null(net);
    hn_context_destroy(context);
}
END_TEST

static bool ends_in(const char *name, const char *end)
{
    const size_t n = strlen(name), m = strlen(end);
    return n >= m && strcmp(name + n - m, end) == 0;
}

/* Weights are He normal by fan out; with zero_init_residual the last batch norms begin as 0 and all others as 1. */
START_TEST(initial_values)
{
    hn_context *context = hnt_context(1);
    for (int32_t depth = 18; depth <= 50; depth += 32)
        for (int32_t zero = 0; zero < 2; ++zero) {
            hn_resnet_options o = options_of(depth, 16);
            hn_layer *net = NULL;
            hn_rng rng;
            o.zero_init_residual = zero;
            hnt_ok(hn_resnet_create(&net, context, &o));
            hn_rng_seed(&rng, 1, 0);
            hnt_ok(hn_layer_init_params(net, &rng));
            for (int64_t i = 0; i < hn_layer_param_count(net); ++i) {
                const hn_param p = hnt_param(net, i);
                const hn_desc *d = hn_tensor_desc(p.value);
                const float *v = hn_tensor_cdata(p.value);
                const int64_t n = hn_tensor_count(p.value);
                double squares = 0;
                for (int64_t k = 0; k < n; ++k)
                    squares += (double)v[k] * (double)v[k];
                if (d->ndim == 4) {
                    const double fan = (double)(d->dim[0] * d->dim[2] * d->dim[3]);
                    ck_assert_msg(fabs(squares / (double)n * fan / 2 - 1) < 8 / sqrt((double)n), "%s", p.name);
                } else if (ends_in(p.name, ".weight")) {
                    const bool last =
                        strstr(p.name, "layer") != NULL && ends_in(p.name, depth == 18 ? "bn2.weight" : "bn3.weight");
                    ck_assert_msg(squares == (zero && last ? 0.0 : (double)n), "%s", p.name);
                }
            }
            hn_layer_destroy(net);
        }
    hn_context_destroy(context);
}
END_TEST

/* ---- running it -------------------------------------------------------------------------------------------------- */

typedef struct outcome {
    float *all; /* output, gradient of x, gradients of parameters */
    int64_t output, n;
} outcome;

/* Of a network whose blocks begin as their shortcuts, these are made to count for a little. */
static void wake_blocks(const hn_layer *net)
{
    for (int64_t i = 0; i < hn_layer_param_count(net); ++i) {
        const hn_param p = hnt_param(net, i);
        float *v = hn_tensor_data(p.value);
        if (ends_in(p.name, ".weight") && hnt_vanishes(v, hn_tensor_count(p.value), 0.0f))
            for (int64_t k = 0; k < hn_tensor_count(p.value); ++k)
                v[k] = 0.125f;
    }
}

static outcome run(hn_context *context, const hn_resnet_options *o, const hn_desc *input)
{
    hn_layer *net = classifier(context, o, 10);
    hn_exec *exec = NULL;
    hn_tensor *x = NULL, *dx = NULL, *dy = NULL;
    const hn_tensor *y = NULL;
    hn_rng rng;
    hn_rng_seed(&rng, 1, 0);
    hnt_ok(hn_layer_init_params(net, &rng));
    wake_blocks(net);
    hnt_ok(hn_exec_create(&exec, context, net, input, HN_MODE_TRAIN));
    hnt_ok(hn_tensor_create(&x, context, input));
    hnt_ok(hn_tensor_create(&dx, context, input));
    hnt_normal(1, hn_tensor_data(x), hn_tensor_count(x));
    hnt_ok(hn_exec_forward(exec, x, &y));
    hnt_ok(hn_tensor_create(&dy, context, hn_tensor_desc(y)));
    hnt_normal(2, hn_tensor_data(dy), hn_tensor_count(dy));
    hnt_ok(hn_exec_backward(exec, dy, dx));
    outcome r = {.output = hn_tensor_count(y)};
    r.n = r.output + hn_tensor_count(dx) + hn_layer_param_total(net);
    float *at = r.all = hnt_alloc((size_t)r.n * sizeof *at);
    memcpy(at, hn_tensor_cdata(y), hn_tensor_bytes(y));
    at += r.output;
    memcpy(at, hn_tensor_cdata(dx), hn_tensor_bytes(dx));
    at += hn_tensor_count(dx);
    for (int64_t i = 0; i < hn_layer_param_count(net); ++i) {
        const hn_param p = hnt_param(net, i);
        if (p.grad == NULL)
            continue;
        ck_assert_msg(!hnt_vanishes(hn_tensor_cdata(p.grad), hn_tensor_count(p.grad), 1e-7f), "no gradient of %s",
                      p.name);
        memcpy(at, hn_tensor_cdata(p.grad), hn_tensor_bytes(p.grad));
        at += hn_tensor_count(p.grad);
    }
    for (int64_t i = 0; i < r.n; ++i)
        if (!isfinite(r.all[i]))
            ck_abort_msg("number %lld is %g", (long long)i, (double)r.all[i]);
    hn_tensor_destroy(x);
    hn_tensor_destroy(dx);
    hn_tensor_destroy(dy);
    hn_exec_destroy(exec);
    hn_layer_destroy(net);
    return r;
}

static const int32_t depths[] = {18, 50};

/* Images whose sides are odd at every stride; both depths, both element types where the engine has them. */
START_TEST(same_bits_on_any_number_of_threads)
{
    const hn_desc input = {HN_F32, 4, {3, 65, 97, 3}};
    for (int32_t precision = HN_F32; precision <= HN_BF16; precision += HN_BF16 - HN_F32) {
        hn_resnet_options o = options_of(depths[_i], 8);
        o.precision = precision;
        outcome first = {NULL, 0, 0};
        for (int32_t threads = 1; threads <= 3; ++threads) {
            hn_context *context = hnt_context(threads);
            if (hn_engine_supports(hn_context_engine(context), precision)) {
                outcome r = run(context, &o, &input);
                if (first.all == NULL)
                    first = r;
                ck_assert_mem_eq(r.all, first.all, (size_t)r.n * sizeof *r.all);
                if (r.all != first.all)
                    free(r.all);
            }
            hn_context_destroy(context);
        }
        free(first.all);
    }
}
END_TEST

START_TEST(images_of_many_sizes)
{
    hn_context *context = hnt_context(2);
    for (size_t k = 0; k < 2; ++k) {
        const hn_resnet_options o = options_of(depths[k], 8);
        hn_layer *net = NULL;
        hn_desc out;
        hnt_ok(hn_resnet_create(&net, context, &o));
        for (int64_t size = 1; size <= 224; size += size < 40 ? 1 : 23) {
            const hn_desc in = {HN_F32, 4, {5, size, 225 - size, 3}};
            hnt_ok(hn_layer_output(net, &in, &out));
            ck_assert(out.dtype == HN_F32 && out.ndim == 2 && out.dim[0] == 5);
            ck_assert_int_eq(out.dim[1], depths[k] == 18 ? 64 : 256);
        }
        const hn_desc grey = {HN_F32, 4, {5, 64, 64, 1}}, flat = {HN_F32, 2, {5, 64}};
        ck_assert_int_eq(hn_layer_output(net, &grey, &out), HN_E_SHAPE);
        ck_assert_int_eq(hn_layer_output(net, &flat, &out), HN_E_SHAPE);
        hn_layer_destroy(net);
    }
    static const hn_desc inputs[] = {
        {HN_F32, 4, {2, 32, 33, 1}}, {HN_F32, 4, {5, 9, 70, 1}}, {HN_F32, 4, {17, 31, 5, 1}}};
    for (int i = 0; i < 3; ++i) {
        hn_resnet_options o = options_of(i == 1 ? 50 : 34, 4);
        o.in_channels = 1;
        free(run(context, &o, &inputs[i]).all);
    }
    hn_context_destroy(context);
}
END_TEST

/* |a - b| / |b|, Euclidean. */
static double distance(const float *a, const float *b, int64_t n)
{
    double apart = 0.0, size = 0.0;
    for (int64_t i = 0; i < n; ++i) {
        apart += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
        size += (double)b[i] * (double)b[i];
    }
    return sqrt(apart / size);
}

/* The same weights and nearly the same outputs and gradients, where a ReLU may fall to its other side. With 16 blocks of
 * full weight roundings grow to a fifth of the logits (PyTorch's, by autocast, to more): here blocks count for little.   */
START_TEST(bf16_agrees_with_f32)
{
    const hn_desc input = {HN_F32, 4, {16, 65, 64, 3}};
    hn_context *context = hnt_context(2);
    hn_resnet_options o = options_of(depths[_i], 16);
    o.zero_init_residual = 1;
    if (hn_engine_supports(hn_context_engine(context), HN_BF16)) {
        outcome want = run(context, &o, &input);
        o.precision = HN_BF16;
        outcome got = run(context, &o, &input);
        ck_assert_int_eq(got.n, want.n);
        ck_assert_double_lt(distance(got.all, want.all, want.output), 0.05);
        ck_assert_double_lt(distance(got.all + want.output, want.all + want.output, want.n - want.output), 0.35);
        free(want.all);
        free(got.all);
    } else {
        hn_layer *net = NULL;
        o.precision = HN_BF16;
        hnt_fails(hn_resnet_create(&net, context, &o), HN_E_UNSUPPORTED, "hn_resnet_create: precision bf16 needs");
    }
    hn_context_destroy(context);
}
END_TEST

static hn_status attempt(hn_context *context, const void *depth)
{
    const hn_desc input = {HN_F32, 4, {2, 33, 32, 3}};
    const hn_resnet_options o = options_of(*(const int32_t *)depth, 1);
    hn_layer *net = NULL;
    hn_exec *exec = NULL;
    hn_status status = hn_resnet_create(&net, context, &o);
    ck_assert((status == HN_OK) == (net != NULL));
    if (status == HN_OK)
        status = hn_exec_create(&exec, context, net, &input, HN_MODE_TRAIN);
    hn_exec_destroy(exec);
    hn_layer_destroy(net);
    return status;
}

START_TEST(every_allocation_may_fail)
{
    hnt_survives(attempt, &depths[_i], 400);
}
END_TEST

/* ---- torchvision ------------------------------------------------------------------------------------------------- */

#ifdef HNI_HAVE_JANSSON
enum { N = 2, SIDE = 64, CLASSES = 1000, LINE = 96 };

/* The numbers of tests/golden/make_resnet_imagenet.py, which says what they are. */
static uint64_t hash_of(int32_t seed, const char *name)
{
    char text[LINE + 16];
    uint64_t base = UINT64_C(0xcbf29ce484222325);
    snprintf(text, sizeof text, "%d:%s", (int)seed, name);
    for (const char *c = text; *c != '\0'; ++c)
        base = (base ^ (unsigned char)*c) * UINT64_C(0x100000001b3);
    return base;
}

static double number(uint64_t base, int64_t index)
{
    uint64_t h = base + (uint64_t)index * UINT64_C(0x9e3779b97f4a7c15);
    h = (h ^ (h >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    h = (h ^ (h >> 27)) * UINT64_C(0x94d049bb133111eb);
    h ^= h >> 31;
    return (double)(h >> 40) * 0x1p-23 - 1.0;
}

static double value_of(const char *name, const char *last, bool vector, double amplitude, double u)
{
    if (!vector)
        return u * amplitude;
    if (strncmp(name, "fc.", 3) == 0)
        return 0.1 * u;
    if (ends_in(name, "weight"))
        return 1.0 + 0.25 * u;
    if (ends_in(name, "running_var"))
        return 2.0 + u;
    if (ends_in(name, "running_mean") || strstr(name, "downsample") != NULL)
        return 0.25 * u;
    return u < 0 ? (strstr(name, last) != NULL ? -40.0 : -4.0) + u : 4.0 + u;
}

/* One line of the list, "NAME DIM DIM ...", to its name and shape; returns the next line. */
static const char *read_line(const char *line, char name[LINE], int64_t dim[4], int *ndim)
{
    const size_t length = strcspn(line, " \n");
    ck_assert(length < LINE);
    memcpy(name, line, length);
    name[length] = '\0';
    *ndim = 0;
    for (line += length; *line == ' '; ++*ndim) {
        char *end;
        ck_assert_int_lt(*ndim, 4);
        dim[*ndim] = strtoll(line, &end, 10);
        line = end;
    }
    return line + 1;
}

/* A file of torchvision's state_dict, counters and all, with values of the formula. */
static void write_state_dict(const char *path, const char *list, int32_t seed, const char *last)
{
    char name[LINE], *header = hnt_alloc(strlen(list) * 4 + (1 << 17));
    int64_t dim[4], offset = 0;
    int ndim;
    size_t at = (size_t)sprintf(header, "{");
    for (const char *line = list; *line != '\0';) {
        int64_t count = 1;
        line = read_line(line, name, dim, &ndim);
        at += (size_t)sprintf(header + at, "\"%s\":{\"dtype\":\"%s\",\"shape\":[", name, ndim == 0 ? "I64" : "F32");
        for (int i = 0; i < ndim; ++i) {
            at += (size_t)sprintf(header + at, "%s%lld", i == 0 ? "" : ",", (long long)dim[i]);
            count *= dim[i];
        }
        const int64_t end = offset + (ndim == 0 ? 8 : 4 * count);
        at += (size_t)sprintf(header + at, "],\"data_offsets\":[%lld,%lld]}%s", (long long)offset, (long long)end,
                              *line == '\0' ? "}" : ",");
        offset = end;
    }
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    uint64_t size = at;
    hni_safetensors_host_order(&size, sizeof size, sizeof size);
    ck_assert(fwrite(&size, sizeof size, 1, file) == 1 && fwrite(header, 1, at, file) == at);
    for (const char *line = list; *line != '\0';) {
        line = read_line(line, name, dim, &ndim);
        int64_t count = ndim == 0 ? 2 : 1, fan = 1;
        for (int i = 0; i < ndim; ++i) {
            count *= dim[i];
            fan *= i == 0 ? 1 : dim[i];
        }
        float *values = hnt_alloc((size_t)count * sizeof *values);
        const uint64_t base = hash_of(seed, name);
        const double amplitude = sqrt(6.0 / (double)fan);
        for (int64_t i = 0; i < count && ndim > 0; ++i)
            values[i] = (float)value_of(name, last, ndim == 1, amplitude, number(base, i));
        hni_safetensors_host_order(values, (size_t)count * sizeof *values, sizeof *values);
        ck_assert(fwrite(values, sizeof *values, (size_t)count, file) == (size_t)count);
        free(values);
    }
    ck_assert_int_eq(fclose(file), 0);
    free(header);
}

/* Into all of net's parameters and buffers, by name, nothing missing and nothing left over; their order is the list's. */
static void load_state_dict(hn_context *context, hn_layer *net, const char *list, int32_t seed, const char *last)
{
    char path[1024], name[LINE];
    hnt_temp_dir(path, sizeof path);
    strcat(path, "/resnet.safetensors");
    write_state_dict(path, list, seed, last);
    const int64_t count = hn_layer_param_count(net);
    hn_param *params = hnt_alloc((size_t)count * sizeof *params);
    for (int64_t i = 0; i < count; ++i)
        params[i] = hnt_param(net, i);
    int64_t dim[4], i = 0;
    int ndim;
    for (const char *line = list; *line != '\0';) {
        line = read_line(line, name, dim, &ndim);
        if (ndim == 0)
            continue;
        ck_assert_int_lt(i, count);
        ck_assert_str_eq(params[i++].name, name);
    }
    ck_assert_int_eq(i, count);
    hn_safetensors *file = NULL;
    hnt_ok(hn_safetensors_open(&file, context, path));
    hnt_ok(hn_safetensors_load_params(file, params, count, 1));
    hn_safetensors_close(file);
    free(params);
}

/* Every so many-th of a tensor's values against those in the file. */
static void close_samples(const hn_safetensors *golden, const char *key, const hn_tensor *got, double rtol)
{
    enum { SAMPLES = 96 };
    const int64_t n = hn_tensor_count(got), step = n / SAMPLES > 1 ? n / SAMPLES : 1, m = n < SAMPLES ? n : SAMPLES;
    float values[SAMPLES];
    for (int64_t i = 0; i < m; ++i)
        values[i] = ((const float *)hn_tensor_cdata(got))[i * step];
    const float *want = hnt_golden_f(golden, key, m);
    if (hnt_vanishes(want, m, 1e-10f)) /* a bias before another batch norm, where its channel is on everywhere */
        ck_assert_msg(hnt_vanishes(values, m, 1e-5f), "%s does not vanish", key);
    else
        hnt_close_f(key, values, want, m, rtol);
}

START_TEST(matches_torchvision_with_its_names)
{
    const int32_t depth = depths[_i];
    const hn_desc image_desc = {HN_F32, 4, {N, SIDE, SIDE, 3}}, logit_desc = {HN_F32, 2, {N, CLASSES}};
    const hn_resnet_options o = options_of(depth, 64);
    hn_context *context = hnt_context(2);
    hn_safetensors *golden = hnt_golden_open(context, "resnet_imagenet");
    char key[256];
    snprintf(key, sizeof key, "resnet%d.seed", (int)depth);
    const int32_t seed = hnt_golden_i(golden, key, 1)[0];
    snprintf(key, sizeof key, "resnet%d.state_dict", (int)depth);
    hn_layer *net = classifier(context, &o, CLASSES);
    load_state_dict(context, net, hn_tensor_cdata(hnt_golden(golden, key, HN_U8, -1)), seed,
                    depth == 18 ? "bn2.bias" : "bn3.bias");
    hn_tensor *x = NULL, *dy = NULL;
    const hn_tensor *y = NULL;
    hnt_ok(hn_tensor_create(&x, context, &image_desc));
    hnt_ok(hn_tensor_create(&dy, context, &logit_desc));
    for (int64_t i = 0; i < hn_tensor_count(x); ++i)
        ((float *)hn_tensor_data(x))[i] = (float)(2.0 * number(hash_of(seed, "images"), i));
    for (int64_t i = 0; i < N * CLASSES; ++i)
        ((float *)hn_tensor_data(dy))[i] = (float)number(hash_of(seed, "gradient"), i);
    static const char *const outputs[] = {"infer", "logits"};
    for (int32_t mode = HN_MODE_INFER; mode <= HN_MODE_TRAIN; ++mode) {
        hn_exec *exec = NULL;
        hnt_ok(hn_exec_create(&exec, context, net, &image_desc, mode));
        hnt_ok(hn_exec_forward(exec, x, &y));
        snprintf(key, sizeof key, "resnet%d.%s", (int)depth, outputs[mode]);
        hnt_close_f(key, hn_tensor_cdata(y), hnt_golden_f(golden, key, N * CLASSES), N * CLASSES, 1e-4);
        if (mode == HN_MODE_TRAIN)
            hnt_ok(hn_exec_backward(exec, dy, NULL));
        hn_exec_destroy(exec);
    }
    for (int64_t i = 0; i < hn_layer_param_count(net); ++i) {
        const hn_param p = hnt_param(net, i);
        snprintf(key, sizeof key, "resnet%d.%s.%s", (int)depth, p.grad == NULL ? "after" : "grad", p.name);
        close_samples(golden, key, p.grad == NULL ? p.value : p.grad, p.grad == NULL ? 1e-4 : 1e-3);
    }
    hn_tensor_destroy(x);
    hn_tensor_destroy(dy);
    hn_layer_destroy(net);
    hn_safetensors_close(golden);
    hn_context_destroy(context);
}
END_TEST
#endif

static Suite *suite(void)
{
    Suite *s = suite_create("resnet_imagenet");
    TCase *unit = hnt_case(s, "unit");
    tcase_add_test(unit, parameters_are_as_many_as_published);
    tcase_add_test(unit, wrong_options_are_named);
    tcase_add_test(unit, initial_values);
    tcase_add_test(unit, images_of_many_sizes);
    tcase_add_loop_test(hnt_case(s, "repro"), same_bits_on_any_number_of_threads, 0, 2);
    tcase_add_loop_test(hnt_case(s, "grad"), bf16_agrees_with_f32, 0, 2);
#ifdef HNI_HAVE_JANSSON
    tcase_add_loop_test(hnt_case(s, "golden"), matches_torchvision_with_its_names, 0, 2);
#endif
    tcase_add_loop_test(hnt_case(s, "oom"), every_allocation_may_fail, 0, 2);
    return s;
}

HNT_MAIN(suite)
