/* bf16: its conversions, the layers that take it against f32 on the same rounded values, a network's gradients, and what
 * is said where it cannot be had.                                                                                      */
#include "layer_case.h"

#include "kernel/bf16.h"
#include "kernel/norm.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* ---- conversions ------------------------------------------------------------------------------------------------- */

enum { VALUES = 1 << 16 };

/* Every number that bf16 has, by every instruction set's kernel and one by one. */
START_TEST(every_value_survives)
{
    hni_bf16 *all = hnt_alloc(VALUES * sizeof *all), *back = hnt_alloc(VALUES * sizeof *back);
    float *wide = hnt_alloc(VALUES * sizeof *wide);
    const hni_norm_table *isa;
    for (int i = 0; i < VALUES; ++i)
        all[i] = (hni_bf16)i;
    for (int v = 0; (isa = hni_norm_variant(v)) != NULL; ++v) {
        const hni_norm_rows widen = {.x = all, .out = wide}, narrow = {.x = wide, .out = back};
        isa->convert[HNI_NORM_F32](&widen, 0, VALUES);
        isa->convert[HNI_NORM_BF16](&narrow, 0, VALUES);
        for (int i = 0; i < VALUES; ++i) {
            const float value = hni_from_bf16(all[i]);
            ck_assert(memcmp(&wide[i], &value, sizeof value) == 0);
            if (isnan(value))
                ck_assert(isnan(hni_from_bf16(back[i])) && isnan(hni_from_bf16(hni_to_bf16(value))));
            else
                ck_assert(back[i] == all[i] && hni_to_bf16(value) == all[i]);
        }
    }
    free(all);
    free(back);
    free(wide);
}
END_TEST

/* Halfway between two values, beside it, beyond the largest, and what is not a number. */
START_TEST(rounds_to_nearest_even)
{
    static const struct {
        uint32_t from;
        uint16_t to;
    } known[] = {{0x3f800000, 0x3f80}, {0x3f807fff, 0x3f80}, {0x3f808000, 0x3f80}, {0x3f808001, 0x3f81},
                 {0x3f818000, 0x3f82}, {0x7f7fffff, 0x7f80}, {0x7fffffff, 0x7fff}, {0xff800001, 0xffc0},
                 {0x80000000, 0x8000}, {0x00000001, 0x0000}, {0xffffffff, 0xffff}};
    enum { KNOWN = sizeof known / sizeof known[0], ALL = 3 * KNOWN }; /* whole vectors and a rest */
    float from[ALL];
    hni_bf16 to[ALL];
    const hni_norm_table *isa;
    for (int i = 0; i < ALL; ++i)
        memcpy(&from[i], &known[i % KNOWN].from, sizeof *from);
    for (int v = 0; (isa = hni_norm_variant(v)) != NULL; ++v) {
        const hni_norm_rows narrow = {.x = from, .out = to};
        isa->convert[HNI_NORM_BF16](&narrow, 0, ALL);
        for (int i = 0; i < ALL; ++i) {
            ck_assert_msg(to[i] == known[i % KNOWN].to, "%s: %08x becomes %04x", isa->name, known[i % KNOWN].from,
                          to[i]);
            ck_assert_int_eq(hni_to_bf16(from[i]), to[i]);
        }
    }
}
END_TEST

/* ---- layers ------------------------------------------------------------------------------------------------------ */

enum { BATCHNORM, UNIT, IDENTITY, OPTION_A, PROJECTION, POOL, MAX_POOL, LAYERS };

static hn_layer *unit(hn_context *context, const char *conv, const char *bn, int32_t in, int32_t out, int32_t stride,
                      int32_t relu)
{
    hn_layer *layer = NULL;
    hn_conv2d_options o;
    hn_conv2d_options_init(&o, sizeof o);
    o.in_channels = in;
    o.out_channels = out;
    o.stride = stride;
    hnt_ok(hn_conv_unit_create(&layer, context, conv, bn, &o, NULL, relu));
    return layer;
}

static hn_layer *block(hn_context *context, int32_t shortcut, int32_t in, int32_t out, int32_t stride)
{
    hn_layer *body = NULL, *layer = NULL;
    hnt_ok(hn_sequential_create(&body, context));
    hnt_ok(hn_layer_add_child(body, "", unit(context, "conv1", "bn1", in, out, stride, 1)));
    hnt_ok(hn_layer_add_child(body, "", unit(context, "conv2", "bn2", out, out, 1, 0)));
    hn_residual_options o;
    hn_residual_options_init(&o, sizeof o);
    o.shortcut = shortcut;
    o.in_channels = in;
    o.out_channels = out;
    o.stride = stride;
    hnt_ok(hn_residual_create(&layer, context, body, &o));
    return layer;
}

static hn_layer *make_layer(hn_context *context, int which)
{
    hn_layer *layer = NULL;
    switch (which) {
    case BATCHNORM:
        hnt_ok(hn_batchnorm_create(&layer, context, 16, NULL));
        return layer;
    case UNIT:
        return unit(context, "conv", "bn", 16, 20, 2, 1);
    case POOL:
        hnt_ok(hn_global_avg_pool_create(&layer, context));
        return layer;
    case MAX_POOL:
        hnt_ok(hn_max_pool_create(&layer, context, 3, 2, 1));
        return layer;
    case IDENTITY:
        return block(context, HN_SHORTCUT_IDENTITY, 16, 16, 1);
    default:
        return block(context, which == OPTION_A ? HN_SHORTCUT_OPTION_A : HN_SHORTCUT_PROJECTION, 16, 32, 2);
    }
}

static hn_layer *cast(hn_context *context, int32_t dtype)
{
    hn_layer *layer = NULL;
    hnt_ok(hn_cast_create(&layer, context, dtype));
    return layer;
}

typedef struct outcome {
    float *y, *dx, *gradients; /* gradients: of all parameters */
    int64_t y_count, x_count, gradient_count;
} outcome;

/* The layer in f32, or between casts in bf16; the same initial weights, the same x of bf16 values. */
static outcome run_layer(int which, bool bf16, int32_t threads)
{
    const hn_desc input = {HN_F32, 4, {20, 9, 8, 16}};
    hn_context *context = hnt_context(threads);
    hn_layer *net = NULL;
    hn_exec *exec = NULL;
    hn_tensor *x = NULL, *dx = NULL, *dy = NULL;
    const hn_tensor *y = NULL;
    hn_rng rng;
    hnt_ok(hn_sequential_create(&net, context));
    if (bf16)
        hnt_ok(hn_layer_add_child(net, "", cast(context, HN_BF16)));
    hnt_ok(hn_layer_add_child(net, "layer", make_layer(context, which)));
    hnt_ok(hn_layer_add_child(net, "", cast(context, HN_F32)));
    hn_rng_seed(&rng, 1, 0);
    hnt_ok(hn_layer_init_params(net, &rng));
    hnt_ok(hn_tensor_create(&x, context, &input));
    hnt_ok(hn_tensor_create(&dx, context, &input));
    hnt_normal(1, hn_tensor_data(x), hn_tensor_count(x));
    for (int64_t i = 0; i < hn_tensor_count(x); ++i)
        ((float *)hn_tensor_data(x))[i] = hni_from_bf16(hni_to_bf16(((float *)hn_tensor_data(x))[i]));
    hnt_ok(hn_exec_create(&exec, context, net, &input, HN_MODE_TRAIN));
    hnt_ok(hn_exec_forward(exec, x, &y));
    hnt_ok(hn_tensor_create(&dy, context, hn_tensor_desc(y)));
    hnt_normal(2, hn_tensor_data(dy), hn_tensor_count(dy));
    outcome r = {.y_count = hn_tensor_count(y), .x_count = hn_tensor_count(x)};
    r.gradient_count = hn_layer_param_total(net);
    r.y = hnt_alloc((size_t)r.y_count * sizeof(float));
    memcpy(r.y, hn_tensor_cdata(y), hn_tensor_bytes(y));
    hnt_ok(hn_exec_backward(exec, dy, dx));
    r.dx = hnt_alloc((size_t)r.x_count * sizeof(float));
    memcpy(r.dx, hn_tensor_cdata(dx), hn_tensor_bytes(dx));
    r.gradients = hnt_alloc((size_t)(r.gradient_count + 1) * sizeof(float));
    float *to = r.gradients;
    for (int64_t i = 0; i < hn_layer_param_count(net); ++i) {
        const hn_param p = hnt_param(net, i);
        if (p.grad == NULL)
            continue;
        memcpy(to, hn_tensor_cdata(p.grad), hn_tensor_bytes(p.grad));
        to += hn_tensor_count(p.grad);
    }
    hn_tensor_destroy(x);
    hn_tensor_destroy(dx);
    hn_tensor_destroy(dy);
    hn_exec_destroy(exec);
    hn_layer_destroy(net);
    hn_context_destroy(context);
    return r;
}

static void free_outcome(outcome *r)
{
    free(r->y);
    free(r->dx);
    free(r->gradients);
}

/* |a - b| / |b|, Euclidean. */
static double distance(const float *a, const float *b, int64_t n)
{
    double apart = 0.0, size = 0.0;
    for (int64_t i = 0; i < n; ++i) {
        apart += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
        size += (double)b[i] * (double)b[i];
    }
    return n == 0 ? 0.0 : sqrt(apart / size);
}

/* bf16 has 8 bits; where a value near zero falls to the other side of the ReLU, a gradient comes or goes. */
START_TEST(layers_agree_with_f32)
{
    outcome want = run_layer(_i, false, 1), got = run_layer(_i, true, 1), again = run_layer(_i, true, 2);
    ck_assert_int_eq(got.gradient_count, want.gradient_count);
    ck_assert_double_lt(distance(got.y, want.y, want.y_count), 5e-3);
    ck_assert_double_lt(distance(got.dx, want.dx, want.x_count), 0.1);
    ck_assert_double_lt(distance(got.gradients, want.gradients, want.gradient_count), 0.1);
    ck_assert_mem_eq(again.y, got.y, (size_t)got.y_count * sizeof(float));
    ck_assert_mem_eq(again.dx, got.dx, (size_t)got.x_count * sizeof(float));
    ck_assert_mem_eq(again.gradients, got.gradients, (size_t)got.gradient_count * sizeof(float));
    free_outcome(&want);
    free_outcome(&got);
    free_outcome(&again);
}
END_TEST

/* ---- networks ---------------------------------------------------------------------------------------------------- */

static hn_layer *net_of(hn_context *context, int32_t depth, int32_t precision)
{
    hn_layer *net = NULL;
    hn_resnet_cifar_options o;
    hn_resnet_cifar_options_init(&o, sizeof o);
    o.depth = depth;
    o.precision = precision;
    hnt_ok(hn_resnet_cifar_create(&net, context, &o));
    hn_rng rng;
    hn_rng_seed(&rng, 1, 0);
    hnt_ok(hn_layer_init_params(net, &rng));
    return net;
}

/* The same seed gives the same weights, under the same names, and nearly the same features and gradients. */
START_TEST(networks_agree_with_f32)
{
    enum { N = 32, SIDE = 16 };
    hn_context *context = hnt_context(2);
    const hn_desc input = {HN_F32, 4, {N, SIDE, SIDE, 3}}, output = {HN_F32, 2, {N, 64}};
    hn_tensor *x = NULL, *dy = NULL;
    hnt_ok(hn_tensor_create(&x, context, &input));
    hnt_ok(hn_tensor_create(&dy, context, &output));
    hnt_normal(1, hn_tensor_data(x), hn_tensor_count(x));
    hnt_normal(2, hn_tensor_data(dy), hn_tensor_count(dy));
    hn_layer *net[2];
    hn_exec *exec[2];
    const hn_tensor *y[2];
    for (int k = 0; k < 2; ++k) {
        net[k] = net_of(context, 8, k == 0 ? HN_F32 : HN_BF16);
        hnt_ok(hn_exec_create(&exec[k], context, net[k], &input, HN_MODE_TRAIN));
        hnt_ok(hn_exec_forward(exec[k], x, &y[k]));
        hnt_ok(hn_exec_backward(exec[k], dy, NULL));
    }
    ck_assert_int_eq(hn_tensor_desc(y[1])->dtype, HN_F32);
    ck_assert_double_lt(distance(hn_tensor_cdata(y[1]), hn_tensor_cdata(y[0]), N * 64), 0.01);
    ck_assert_int_eq(hn_layer_param_count(net[0]), hn_layer_param_count(net[1]));
    for (int64_t i = 0; i < hn_layer_param_count(net[0]); ++i) {
        const hn_param a = hnt_param(net[0], i), b = hnt_param(net[1], i);
        ck_assert_str_eq(a.name, b.name);
        if (a.grad == NULL)
            continue;
        ck_assert_int_eq(hn_tensor_desc(b.grad)->dtype, HN_F32);
        ck_assert_mem_eq(hn_tensor_cdata(a.value), hn_tensor_cdata(b.value), hn_tensor_bytes(a.value));
        ck_assert_double_lt(distance(hn_tensor_cdata(b.grad), hn_tensor_cdata(a.grad), hn_tensor_count(a.grad)), 0.3);
    }
    ck_assert_uint_lt(hn_exec_bytes(exec[1]), hn_exec_bytes(exec[0]));
    for (int k = 0; k < 2; ++k) {
        hn_exec_destroy(exec[k]);
        hn_layer_destroy(net[k]);
    }
    hn_tensor_destroy(x);
    hn_tensor_destroy(dy);
    hn_context_destroy(context);
}
END_TEST

/* ---- where it cannot be had -------------------------------------------------------------------------------------- */

static hn_context *context_with(int32_t engine)
{
    hn_context *context = NULL;
    hn_context_options o;
    hn_context_options_init(&o, sizeof o);
    o.engine = engine;
    hnt_ok(hn_context_create(&context, &o));
    return context;
}

START_TEST(an_engine_without_bf16_says_so)
{
    const hn_desc images = {HN_BF16, 4, {2, 8, 8, 16}};
    hn_desc output;
    ck_assert_int_eq(hn_engine_supports(HN_ENGINE_CBLAS, HN_BF16), 0);
    hn_context *context = context_with(HN_ENGINE_CBLAS);
    hn_layer *net = NULL, *layer = unit(context, "conv", "bn", 16, 16, 1, 1);
    hn_resnet_cifar_options o;
    hn_resnet_cifar_options_init(&o, sizeof o);
    o.precision = HN_BF16;
    hnt_fails(
        hn_resnet_cifar_create(&net, context, &o), HN_E_UNSUPPORTED,
        "precision bf16 needs the engine auto, direct or, on a CPU with AVX512-BF16, onednn; this context's is cblas");
    ck_assert_ptr_null(net);
    hnt_fails(hn_layer_output(layer, &images, &output), HN_E_UNSUPPORTED, "the engine cblas cannot compute in bf16");
    hn_layer_destroy(layer);
    hn_context_destroy(context);
}
END_TEST

START_TEST(engines_tell_what_they_support)
{
    static const int32_t engines[] = {HN_ENGINE_AUTO, HN_ENGINE_CBLAS, HN_ENGINE_DIRECT};
    for (int i = 0; i < 3; ++i) {
        ck_assert_int_eq(hn_engine_supports(engines[i], HN_F32), 1);
        ck_assert_int_eq(hn_engine_supports(engines[i], HN_BF16), engines[i] != HN_ENGINE_CBLAS);
    }
    ck_assert_int_eq(hn_engine_supports(HN_ENGINE_ONEDNN, HN_F32), hn_engine_available(HN_ENGINE_ONEDNN));
    ck_assert_int_le(hn_engine_supports(HN_ENGINE_ONEDNN, HN_BF16), hn_engine_available(HN_ENGINE_ONEDNN));
    ck_assert_int_eq(hn_engine_supports(HN_ENGINE_AUTO, HN_U8), 0);
    ck_assert_int_eq(hn_engine_supports(-1, HN_F32), 0);
}
END_TEST

START_TEST(wrong_types_are_named)
{
    hn_context *context = hnt_context(1);
    hn_layer *layer = NULL, *body = NULL, *relu = NULL;
    hn_desc output;
    const hn_desc rows = {HN_BF16, 2, {4, 16}}, images = {HN_BF16, 4, {2, 8, 8, 16}}, bytes = {HN_U8, 4, {2, 8, 8, 16}};
    hnt_ok(hn_linear_create(&layer, context, 16, 3, 1));
    hnt_fails(hn_layer_output(layer, &rows, &output), HN_E_SHAPE, "the input is bf16 4x16; it must be f32");
    hn_layer_destroy(layer);

    hn_conv2d_options o;
    hn_conv2d_options_init(&o, sizeof o);
    o.in_channels = o.out_channels = 16;
    o.bias = 1;
    hnt_ok(hn_conv2d_create(&layer, context, &o));
    hnt_fails(hn_layer_output(layer, &images, &output), HN_E_SHAPE, "a convolution with a bias takes f32 alone");
    hn_layer_destroy(layer);

    hnt_ok(hn_batchnorm_create(&layer, context, 16, NULL));
    hnt_fails(hn_layer_output(layer, &bytes, &output), HN_E_SHAPE, "the input is u8 2x8x8x16; it must be f32 or bf16");
    hn_layer_destroy(layer);

    hnt_ok(hn_sequential_create(&body, context)); /* ends in a layer that cannot add */
    hnt_ok(hn_batchnorm_create(&layer, context, 16, NULL));
    hnt_ok(hn_layer_add_child(body, "bn", layer));
    hnt_ok(hn_global_avg_pool_create(&relu, context));
    hnt_ok(hn_layer_add_child(body, "pool", relu));
    hnt_ok(hn_residual_create(&layer, context, body, NULL));
    hnt_fails(hn_layer_output(layer, &images, &output), HN_E_SHAPE, "residual");
    hn_layer_destroy(layer);

    hnt_fails(hn_cast_create(&layer, context, HN_I32), HN_E_ARG, "dtype is 2");
    hnt_fails(hn_cast_create(&layer, NULL, HN_F32), HN_E_ARG, "context is NULL");
    hnt_fails(hn_cast_create(NULL, context, HN_F32), HN_E_ARG, "out is NULL");
    hn_resnet_cifar_options r;
    hn_resnet_cifar_options_init(&r, sizeof r);
    r.precision = HN_U8;
    hnt_fails(hn_resnet_cifar_create(&layer, context, &r), HN_E_ARG, "precision is 3");
    hn_context_destroy(context);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("precision");
    TCase *small = hnt_case(s, "unit");
    tcase_add_test(small, every_value_survives);
    tcase_add_test(small, rounds_to_nearest_even);
    tcase_add_test(small, an_engine_without_bf16_says_so);
    tcase_add_test(small, engines_tell_what_they_support);
    tcase_add_test(small, wrong_types_are_named);
    TCase *layers = hnt_case(s, "grad");
    tcase_add_loop_test(layers, layers_agree_with_f32, 0, LAYERS);
    tcase_add_test(layers, networks_agree_with_f32);
    return s;
}

HNT_MAIN(suite)
