#include "layer_case.h"

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

static Suite *suite(void)
{
    Suite *s = suite_create("heads");
    tcase_add_test(hnt_case(s, "unit"), sizes_and_names);
#ifdef HNI_HAVE_JANSSON
    tcase_add_test(hnt_case(s, "golden"), matches_pytorch);
#endif
    return s;
}

HNT_MAIN(suite)
