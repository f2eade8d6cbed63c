#include "layer_case.h"

#include <math.h>

static hn_layer *head(hn_context *context, int32_t batchnorm)
{
    hn_layer *layer = NULL;
    hn_projection_options o;
    hn_projection_options_init(&o, sizeof o);
    o.in = 16;
    o.hidden = 12;
    o.out = 9;
    o.batchnorm = batchnorm;
    hnt_ok(hn_projection_create(&layer, context, &o));
    return layer;
}

#ifdef HNI_HAVE_JANSSON
START_TEST(matches_pytorch)
{
    hn_context *context = hnt_context(2);
    hn_safetensors *file = hnt_golden_open(context, "layers");
    hnt_layer_matches(context, file, "head", head(context, 0));
    hnt_layer_matches(context, file, "head_bn", head(context, 1));
    hn_safetensors_close(file);
    hn_context_destroy(context);
}
END_TEST
#endif

START_TEST(sizes_and_names)
{
    hn_context *context = hnt_context(1);
    hn_layer *layer = NULL;
    hn_projection_options o;
    hn_desc out;
    const hn_desc in = {HN_F32, 2, {3, 64}};
    hn_projection_options_init(&o, sizeof o);
    hnt_fails(hn_projection_create(&layer, context, &o), HN_E_ARG, "in is 0");
    o.in = 64;
    o.out = -1;
    hnt_fails(hn_projection_create(&layer, context, &o), HN_E_ARG, "out -1");
    o.out = 128;
    o.normalize = 1;
    hnt_ok(hn_projection_create(&layer, context, &o));
    hnt_ok(hn_layer_output(layer, &in, &out));
    ck_assert_int_eq(out.dim[1], 128);
    ck_assert_int_eq(hn_layer_param_total(layer), 64 * 64 + 64 + 64 * 128 + 128); /* hidden as wide as in */
    ck_assert_str_eq(hnt_param(layer, 0).name, "0.weight");
    ck_assert_str_eq(hnt_param(layer, 3).name, "2.bias");
    hn_layer_destroy(layer);
    layer = head(context, 1);
    ck_assert_str_eq(hnt_param(layer, hn_layer_param_count(layer) - 1).name, "3.bias");
    hn_layer_destroy(layer);
    hn_context_destroy(context);
}
END_TEST

/* With `normalize` the projection ends in rows of length 1: the same head without it, L2-normalised. */
START_TEST(normalized_rows_have_length_one)
{
    enum { N = 5, IN = 16, OUT = 9 };
    hn_context *context = hnt_context(1);
    hn_layer *plain = head(context, 0), *unit = NULL;
    hn_projection_options o;
    hn_projection_options_init(&o, sizeof o);
    o.in = IN;
    o.hidden = 12;
    o.out = OUT;
    o.normalize = 1;
    hnt_ok(hn_projection_create(&unit, context, &o));
    hn_rng rng;
    hn_rng_seed(&rng, 5, 0);
    hnt_ok(hn_layer_init_params(plain, &rng));
    hnt_ok(hn_layer_init_params(unit, &rng));
    const hn_desc desc = {HN_F32, 2, {N, IN}};
    hn_exec *execs[2] = {NULL};
    const hn_tensor *y[2];
    hn_tensor *x = NULL;
    hnt_ok(hn_tensor_create(&x, context, &desc));
    hnt_normal(4, hn_tensor_data(x), N * IN);
    hnt_ok(hn_exec_create(&execs[0], context, plain, &desc, HN_MODE_INFER));
    hnt_ok(hn_exec_create(&execs[1], context, unit, &desc, HN_MODE_INFER));
    for (int i = 0; i < 2; ++i)
        hnt_ok(hn_exec_forward(execs[i], x, &y[i]));
    const float *raw = hn_tensor_cdata(y[0]), *normalized = hn_tensor_cdata(y[1]);
    for (int i = 0; i < N; ++i) {
        double square = 0.0, want[OUT];
        for (int k = 0; k < OUT; ++k)
            square += (double)raw[i * OUT + k] * (double)raw[i * OUT + k];
        ck_assert_double_gt(fabs(square - 1.0), 0.01); /* else there would be nothing to see */
        for (int k = 0; k < OUT; ++k)
            want[k] = (double)raw[i * OUT + k] / sqrt(square);
        hnt_close_fd("normalized row", normalized + i * OUT, want, OUT, 1e-6);
    }
    for (int i = 0; i < 2; ++i)
        hn_exec_destroy(execs[i]);
    hn_tensor_destroy(x);
    hn_layer_destroy(plain);
    hn_layer_destroy(unit);
    hn_context_destroy(context);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("heads");
    TCase *unit = hnt_case(s, "unit");
    tcase_add_test(unit, sizes_and_names);
    tcase_add_test(unit, normalized_rows_have_length_one);
#ifdef HNI_HAVE_JANSSON
    tcase_add_test(hnt_case(s, "golden"), matches_pytorch);
#endif
    return s;
}

HNT_MAIN(suite)
