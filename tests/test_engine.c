#include "support.h"

#include "kernel/conv.h"

#include <string.h>

START_TEST(every_engine_has_a_name)
{
    static const char *const names[] = {"auto", "cblas", "direct", "onednn"};
    for (int32_t e = 0; e < 4; ++e)
        ck_assert_str_eq(hn_engine_name(e), names[e]);
    ck_assert_ptr_null(hn_engine_name(-1));
    ck_assert_ptr_null(hn_engine_name(4));
    ck_assert_int_eq(hn_engine_available(-1), 0);
    ck_assert_int_eq(hn_engine_available(4), 0);
    ck_assert_int_eq(hn_engine_available(HN_ENGINE_AUTO), 1);
    ck_assert_int_eq(hn_engine_available(HN_ENGINE_CBLAS), 1);
    ck_assert_int_eq(hn_engine_available(HN_ENGINE_DIRECT), 1);
}
END_TEST

/* What the public function promises is what the table of engines holds. */
START_TEST(available_engines_exist)
{
    for (int32_t e = HN_ENGINE_CBLAS; hn_engine_name(e) != NULL; ++e) {
        int found = 0;
        for (int i = 0; hni_conv_engine_at(i) != NULL; ++i)
            found += strcmp(hni_conv_engine_at(i)->name, hn_engine_name(e)) == 0;
        ck_assert_int_eq(found, hn_engine_available(e));
    }
    ck_assert_ptr_null(hni_conv_engine_at(-1));
}
END_TEST

START_TEST(a_context_keeps_its_engine)
{
    hn_context_options o;
    hn_context_options_init(&o, sizeof o);
    ck_assert_int_eq(o.engine, HN_ENGINE_AUTO);
    ck_assert_int_eq(hn_context_engine(NULL), -1);
    for (int32_t e = HN_ENGINE_AUTO; hn_engine_name(e) != NULL; ++e) {
        hn_context *context = NULL;
        o.engine = e;
        if (hn_engine_available(e)) {
            hnt_ok(hn_context_create(&context, &o));
            ck_assert_int_eq(hn_context_engine(context), e);
        } else {
            hnt_fails(hn_context_create(&context, &o), HN_E_UNSUPPORTED, hn_engine_name(e));
            ck_assert_ptr_null(context);
        }
        hn_context_destroy(context);
    }
    hn_context *context = NULL;
    o.engine = 4;
    hnt_fails(hn_context_create(&context, &o), HN_E_ARG, "engine 4 does not exist");
    o.engine = -1;
    hnt_fails(hn_context_create(&context, &o), HN_E_ARG, "engine -1 does not exist");
    ck_assert_ptr_null(context);
}
END_TEST

/* Sides of which some do not fit an int: a shape to be planned, or refused, and nothing that ends the process. */
START_TEST(long_sides_are_planned_or_refused)
{
    static const hn_desc inputs[] = {{HN_F32, 4, {1, 1, (int64_t)1 << 32, 1}},
                                     {HN_F32, 4, {1, (int64_t)1 << 32, 1, 1}},
                                     {HN_F32, 4, {1, 1, (int64_t)1 << 40, 1}},
                                     {HN_F32, 4, {1, 1, 1 << 22, 1}},
                                     {HN_F32, 4, {1, 65537, 65537, 1}}};
    for (int32_t e = HN_ENGINE_AUTO; hn_engine_name(e) != NULL; ++e)
        for (int32_t kernel = 1; kernel <= 3; kernel += 2)
            for (int32_t stride = 1; stride <= 2; ++stride) {
                if (!hn_engine_available(e))
                    continue;
                hn_context *context = NULL;
                hn_context_options o;
                hn_context_options_init(&o, sizeof o);
                o.engine = e;
                hnt_ok(hn_context_create(&context, &o));
                hn_conv2d_options c;
                hn_conv2d_options_init(&c, sizeof c);
                c.in_channels = c.out_channels = 1;
                c.kernel = kernel;
                c.stride = stride;
                c.padding = kernel / 2;
                hn_layer *layer = NULL;
                hnt_ok(hn_conv2d_create(&layer, context, &c));
                for (size_t i = 0; i < sizeof inputs / sizeof inputs[0]; ++i) {
                    hn_desc output;
                    const hn_status status = hn_layer_output(layer, &inputs[i], &output);
                    ck_assert_msg(status == HN_OK || status == HN_E_SHAPE ||
                                      (e == HN_ENGINE_ONEDNN && status == HN_E_UNSUPPORTED),
                                  "%s, kernel %d, stride %d, input %d: %s", hn_engine_name(e), (int)kernel, (int)stride,
                                  (int)i, hn_last_error());
                    if (status == HN_OK)
                        ck_assert_int_eq(output.dim[2], (inputs[i].dim[2] - 1) / stride + 1);
                }
                hn_layer_destroy(layer);
                hn_context_destroy(context);
            }
}
END_TEST

/* An engine that cannot compute a geometry leaves it to one that can. */
START_TEST(every_geometry_finds_an_engine)
{
    const hni_conv geometries[] = {{.images = 1,
                                    .height = 8,
                                    .width = 8,
                                    .in = 4,
                                    .out = 4,
                                    .kernel_height = 3,
                                    .kernel_width = 3,
                                    .stride = 1,
                                    .padding = 1},
                                   {.images = 1,
                                    .height = 8,
                                    .width = 8,
                                    .in = 4,
                                    .out = 4,
                                    .kernel_height = 5,
                                    .kernel_width = 3,
                                    .stride = 2,
                                    .padding = 0}};
    for (int32_t e = HN_ENGINE_AUTO; hn_engine_name(e) != NULL; ++e) {
        if (!hn_engine_available(e))
            continue;
        hn_context *context = NULL;
        hn_context_options o;
        hn_context_options_init(&o, sizeof o);
        o.engine = e;
        hnt_ok(hn_context_create(&context, &o));
        for (int i = 0; i < 2; ++i) {
            hni_conv g = geometries[i];
            ck_assert(hni_conv_fit(&g));
            const hni_conv_engine *engine = hni_conv_engine_for(context, &g);
            ck_assert(engine->takes(&g));
            if (e != HN_ENGINE_AUTO && i == 0)
                ck_assert_str_eq(engine->name, hn_engine_name(e));
        }
        hn_context_destroy(context);
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("engine");
    TCase *unit = hnt_case(s, "unit");
    tcase_add_test(unit, every_engine_has_a_name);
    tcase_add_test(unit, available_engines_exist);
    tcase_add_test(unit, a_context_keeps_its_engine);
    tcase_add_test(unit, every_geometry_finds_an_engine);
    tcase_add_test(unit, long_sides_are_planned_or_refused);
    return s;
}

HNT_MAIN(suite)
