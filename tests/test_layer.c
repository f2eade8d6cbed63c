/* The common part of layers, on a layer made by a user. */
#include "scale_layer.h"

#include <stdlib.h>
#include <string.h>

START_TEST(table_is_checked)
{
    hn_context *context = hnt_context(1);
    hn_layer *layer = NULL;
    hn_layer_ops ops = scale_ops;
    hnt_fails(hn_layer_create(NULL, context, &ops, NULL), HN_E_ARG, "out is NULL");
    hnt_fails(hn_layer_create(&layer, context, NULL, NULL), HN_E_ARG, "ops is NULL");
    ops.backward = NULL;
    hnt_fails(hn_layer_create(&layer, context, &ops, NULL), HN_E_ARG, "lacks backward");
    ops = scale_ops;
    ops.forward = NULL;
    hnt_fails(hn_layer_create(&layer, context, &ops, NULL), HN_E_ARG, "lacks forward");
    ops = scale_ops;
    ops.plan = NULL;
    hnt_fails(hn_layer_create(&layer, context, &ops, NULL), HN_E_ARG, "lacks plan");
    ops = scale_ops;
    ops.kind = NULL;
    hnt_fails(hn_layer_create(&layer, context, &ops, NULL), HN_E_ARG, "lacks kind");
    ops.struct_size = 0;
    hnt_fails(hn_layer_create(&layer, context, &ops, NULL), HN_E_ARG, "struct_size");
    ck_assert_ptr_null(layer);
    hn_context_destroy(context);
}
END_TEST

START_TEST(names_are_checked)
{
    hn_context *context = hnt_context(1);
    scale_layer s;
    hn_layer *layer = NULL;
    hnt_ok(scale_create(&layer, context, &s, 3));
    hn_tensor *value, *grad;
    const hn_desc desc = {HN_F32, 1, {3}}, bytes = {HN_U8, 1, {3}};
    hnt_fails(hn_layer_add_param(layer, "weight", &desc, 1, &value, &grad), HN_E_ARG, "parameter weight already");
    hnt_fails(hn_layer_add_param(layer, "", &desc, 1, &value, &grad), HN_E_ARG, "empty");
    hnt_fails(hn_layer_add_param(layer, "a b", &desc, 1, &value, &grad), HN_E_ARG, "\"a b\"");
    hnt_fails(hn_layer_add_param(layer, "a", &bytes, 1, &value, &grad), HN_E_ARG, "not f32");
    hnt_fails(hn_layer_add_param(layer, NULL, &desc, 1, &value, &grad), HN_E_ARG, "name is NULL");
    char longer[400];
    memset(longer, 'x', sizeof longer);
    longer[399] = '\0';
    hnt_fails(hn_layer_add_param(layer, longer, &desc, 1, &value, &grad), HN_E_ARG, "longer than");
    hnt_fails(hn_layer_add_child(layer, "c", layer), HN_E_ARG, "own child");
    ck_assert_int_eq(hn_layer_param_count(layer), 1);
    hn_layer_destroy(layer);
    ck_assert_int_eq(s.destroyed, 1);
    hn_context_destroy(context);
}
END_TEST

START_TEST(children_list_their_parameters)
{
    hn_context *context = hnt_context(1);
    scale_layer parts[3];
    hn_layer *outer = NULL, *inner = NULL, *leaf[3];
    hnt_ok(hn_sequential_create(&outer, context));
    hnt_ok(hn_sequential_create(&inner, context));
    for (int i = 0; i < 3; ++i)
        hnt_ok(scale_create(&leaf[i], context, &parts[i], 4));
    hnt_ok(hn_layer_add_child(inner, "0", leaf[0]));
    hnt_ok(hn_layer_add_child(inner, "1", leaf[1]));
    hnt_ok(hn_layer_add_child(outer, "stage", inner));
    hnt_ok(hn_layer_add_child(outer, "", leaf[2]));
    static const char *const want[] = {"stage.0.weight", "stage.1.weight", "weight"};
    ck_assert_int_eq(hn_layer_param_count(outer), 3);
    ck_assert_int_eq(hn_layer_param_total(outer), 12);
    for (int i = 0; i < 3; ++i) {
        hn_param param = {.struct_size = sizeof param};
        hnt_ok(hn_layer_param(outer, i, &param));
        ck_assert_str_eq(param.name, want[i]);
        ck_assert_ptr_eq(param.value, parts[i].weight);
    }
    hn_param param = {.struct_size = sizeof param};
    hnt_fails(hn_layer_param(outer, 3, &param), HN_E_ARG, "index is 3");

    /* A child whose names are taken stays the caller's, and nothing of it stays behind. */
    scale_layer again;
    hn_layer *twice = NULL;
    hnt_ok(scale_create(&twice, context, &again, 4));
    hnt_fails(hn_layer_add_child(outer, "", twice), HN_E_ARG, "parameter weight already");
    ck_assert_int_eq(hn_layer_param_count(outer), 3);
    hn_layer_destroy(twice);
    ck_assert_int_eq(again.destroyed, 1);

    hn_layer_destroy(outer);
    for (int i = 0; i < 3; ++i)
        ck_assert_int_eq(parts[i].destroyed, 1);
    hn_context_destroy(context);
}
END_TEST

START_TEST(init_differs_by_child_and_repeats)
{
    hn_context *context = hnt_context(1);
    scale_layer parts[2];
    hn_layer *outer = NULL, *leaf[2] = {NULL, NULL};
    hnt_ok(hn_sequential_create(&outer, context));
    for (int i = 0; i < 2; ++i) {
        hnt_ok(scale_create(&leaf[i], context, &parts[i], 8));
        hnt_ok(hn_layer_add_child(outer, i == 0 ? "a" : "b", leaf[i]));
    }
    hn_rng rng;
    hn_rng_seed(&rng, 5, 0);
    hnt_ok(hn_layer_init_params(outer, &rng));
    float first[8];
    memcpy(first, hn_tensor_cdata(parts[0].weight), sizeof first);
    ck_assert(memcmp(first, hn_tensor_cdata(parts[1].weight), sizeof first) != 0);
    hnt_ok(hn_layer_init_params(outer, &rng));
    ck_assert(memcmp(first, hn_tensor_cdata(parts[0].weight), sizeof first) == 0);
    hn_layer_destroy(outer);
    hn_context_destroy(context);
}
END_TEST

START_TEST(output_shape_and_its_errors)
{
    hn_context *context = hnt_context(1);
    scale_layer s;
    hn_layer *outer = NULL, *leaf = NULL;
    hnt_ok(hn_sequential_create(&outer, context));
    hn_desc in = {HN_F32, 2, {5, 3}}, out;
    hnt_fails(hn_layer_output(outer, &in, &out), HN_E_STATE, "no children");
    hnt_ok(scale_create(&leaf, context, &s, 3));
    hnt_ok(hn_layer_add_child(outer, "x", leaf));
    hnt_ok(hn_layer_output(outer, &in, &out));
    ck_assert_int_eq(out.dim[0], 5);
    ck_assert_int_eq(out.dim[1], 3);
    hn_layer_plan plan = {.struct_size = 1};
    hnt_fails(hn_layer_plan_call(outer, &in, 2, 1, &plan), HN_E_ARG, "mode 2 does not exist");
    hnt_fails(hn_layer_plan_call(outer, &in, HN_MODE_TRAIN, 0, &plan), HN_E_ARG, "num_threads is 0");
    hnt_fails(hn_layer_plan_call(outer, &in, HN_MODE_TRAIN, -1, &plan), HN_E_ARG, "num_threads is -1");
    ck_assert_uint_eq(plan.struct_size, 1);
    in.dim[1] = 4; /* the scale's plan says no more than its status */
    hnt_fails(hn_layer_output(outer, &in, &out), HN_E_SHAPE, "scale: the layer's plan returned HN_E_SHAPE");
    ck_assert_int_eq(hn_layer_can_add(outer), 0);
    ck_assert_str_eq(hn_layer_kind(leaf), "scale");
    hn_layer_destroy(outer);
    hn_context_destroy(context);
}
END_TEST

static hn_status build(hn_context *context, scale_layer parts[2], hn_layer **out)
{
    hn_layer *outer = NULL, *leaf = NULL;
    hn_status status = hn_sequential_create(&outer, context);
    for (int i = 0; i < 2 && status == HN_OK; ++i) {
        status = scale_create(&leaf, context, &parts[i], 4);
        if (status == HN_OK) {
            status = hn_layer_add_child(outer, i == 0 ? "a" : "b", leaf);
            if (status < 0)
                hn_layer_destroy(leaf);
        }
    }
    if (status < 0)
        hn_layer_destroy(outer);
    else
        *out = outer;
    return status;
}

static hn_status attempt(hn_context *context, const void *unused)
{
    (void)unused;
    scale_layer parts[2];
    hn_layer *layer = NULL;
    const hn_status status = build(context, parts, &layer);
    hn_layer_destroy(layer);
    return status;
}

START_TEST(every_allocation_may_fail)
{
    hnt_survives(attempt, NULL, 10);
}
END_TEST

START_TEST(a_layer_has_one_owner)
{
    hn_context *context = hnt_context(1);
    hn_layer *outer = NULL, *inner = NULL, *relu = NULL;
    hnt_ok(hn_sequential_create(&outer, context));
    hnt_ok(hn_sequential_create(&inner, context));
    hnt_ok(hn_relu_create(&relu, context));
    hnt_ok(hn_layer_add_child(inner, "0", relu));
    hnt_fails(hn_layer_add_child(inner, "1", relu), HN_E_ARG, "the child \"1\", a relu, has an owner already");
    hnt_fails(hn_layer_add_child(outer, "relu", relu), HN_E_ARG, "has an owner already");
    hnt_ok(hn_layer_add_child(outer, "inner", inner));
    hnt_fails(hn_layer_add_child(inner, "outer", outer), HN_E_ARG, "inside of its child \"outer\"");
    hn_layer_destroy(outer);
    hn_context_destroy(context);
}
END_TEST

/* ---- functions of a caller's that do what they must not ---------------------------------------------------------------- */

/* What the functions of the layer below return and ask for. */
typedef struct odd {
    hn_status plan, forward, backward;
    size_t workspace, scratch;
    int32_t again; /* of the last forward call */
} odd;

static hn_status odd_plan(const void *self, const hn_desc *input, int32_t mode, int32_t threads, hn_layer_plan *plan)
{
    const odd *o = self;
    (void)mode, (void)threads;
    plan->output = *input;
    plan->workspace_bytes = o->workspace;
    plan->scratch_bytes = o->scratch;
    return o->plan;
}

static hn_status odd_forward(void *self, const hn_layer_call *call)
{
    odd *o = self;
    o->again = call->again;
    return o->forward;
}

static hn_status odd_backward(void *self, const hn_layer_call *call)
{
    (void)call;
    return ((const odd *)self)->backward;
}

START_TEST(failures_of_a_callers_functions_have_a_sentence)
{
    static const hn_layer_ops ops = {
        .struct_size = sizeof ops, .kind = "odd", .plan = odd_plan, .forward = odd_forward, .backward = odd_backward};
    hn_context *context = hnt_context(1);
    hn_layer *layer = NULL;
    odd o = {.plan = HN_OK};
    const hn_desc in = {HN_F32, 2, {5, 3}};
    hn_layer_plan plan;
    const hn_layer_call call = {.struct_size = sizeof call, .context = context, .input = in, .output = in}, empty = {0};
    hnt_ok(hn_layer_create(&layer, context, &ops, &o));
    hnt_ok(hn_layer_forward(layer, &call));
    o.forward = HN_E_NONFINITE;
    hnt_fails(hn_layer_forward(layer, &call), HN_E_NONFINITE, "odd: the layer's forward returned HN_E_NONFINITE");
    o.backward = HN_END; /* no failure, and not HN_OK */
    hnt_fails(hn_layer_backward(layer, &call), HN_E_STATE, "odd: the layer's backward returned HN_END");
    o.plan = -12345;
    hnt_fails(hn_layer_plan_call(layer, &in, HN_MODE_INFER, 1, &plan), -12345, "returned HN_UNKNOWN (-12345)");
    o = (odd){.workspace = SIZE_MAX - 3};
    hnt_fails(hn_layer_plan_call(layer, &in, HN_MODE_INFER, 1, &plan), HN_E_SHAPE, "wants 18446744073709551612 bytes");
    o = (odd){.scratch = ((size_t)1 << 48) + 1};
    hnt_fails(hn_layer_plan_call(layer, &in, HN_MODE_INFER, 1, &plan), HN_E_SHAPE, "281474976710657 of scratch");
    hnt_fails(hn_layer_forward(NULL, &call), HN_E_ARG, "hn_layer_forward: layer is NULL");
    hnt_fails(hn_layer_backward(layer, NULL), HN_E_ARG, "hn_layer_backward: call is NULL");
    hnt_fails(hn_layer_forward(layer, &empty), HN_E_ARG, "struct_size is 0");
    hn_layer_destroy(layer);
    hn_context_destroy(context);
}
END_TEST

/* An older header's hn_layer_call, which ends earlier, and a newer's, which ends later. */
START_TEST(call_struct_sizes)
{
    static const hn_layer_ops ops = {
        .struct_size = sizeof ops, .kind = "odd", .plan = odd_plan, .forward = odd_forward, .backward = odd_backward};
    hn_context *context = hnt_context(1);
    hn_layer *layer = NULL;
    odd o = {.plan = HN_OK};
    const hn_desc in = {HN_F32, 2, {5, 3}};
    struct {
        hn_layer_call call;
        int64_t later;
    } c = {{.struct_size = sizeof c, .context = context, .input = in, .output = in, .again = 1}, 0};
    hnt_ok(hn_layer_create(&layer, context, &ops, &o));
    hnt_ok(hn_layer_forward(layer, &c.call));
    ck_assert_int_eq(o.again, 1);
    c.later = 5;
    hnt_fails(hn_layer_forward(layer, &c.call), HN_E_VERSION, "hn_layer_forward: the struct uses a field");
    hnt_fails(hn_layer_backward(layer, &c.call), HN_E_VERSION, "hn_layer_backward: the struct uses a field");
    c.call.struct_size = sizeof(void *); /* of the pointer, by mistake */
    hnt_fails(hn_layer_forward(layer, &c.call), HN_E_ARG, "the call's struct_size is 8");
    c.call.struct_size = offsetof(hn_layer_call, again);
    hnt_ok(hn_layer_forward(layer, &c.call));
    ck_assert_int_eq(o.again, 0);
    hn_layer_destroy(layer);
    hn_context_destroy(context);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("layer");
    TCase *unit = hnt_case(s, "unit");
    tcase_add_test(unit, table_is_checked);
    tcase_add_test(unit, names_are_checked);
    tcase_add_test(unit, children_list_their_parameters);
    tcase_add_test(unit, init_differs_by_child_and_repeats);
    tcase_add_test(unit, output_shape_and_its_errors);
    tcase_add_test(unit, a_layer_has_one_owner);
    tcase_add_test(unit, failures_of_a_callers_functions_have_a_sentence);
    tcase_add_test(unit, call_struct_sizes);
    tcase_add_test(hnt_case(s, "oom"), every_allocation_may_fail);
    return s;
}

HNT_MAIN(suite)
