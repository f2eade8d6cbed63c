/* What a context reports while it computes: events that nest and pair, what they say, and silence where nobody listens. */
#include "scale_layer.h"

#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { MAX_EVENTS = 128, KIND = 32 };

/* Every event, in order; descs copied, since they are borrowed for the call. */
typedef struct record {
    char kind[KIND];
    int32_t pass, ends;
    double flops, bytes;
    hn_desc input, output; /* ndim 0: NULL */
} record;

typedef struct listener {
    record events[MAX_EVENTS];
    int count, strangers; /* strangers: on another thread than the test's */
    pthread_t thread;
} listener;

static void listen(const hn_trace_event *event, void *user)
{
    listener *l = user;
    ck_assert_uint_ge(event->struct_size, sizeof *event);
    ck_assert_int_lt(l->count, MAX_EVENTS);
    record *r = &l->events[l->count++];
    snprintf(r->kind, KIND, "%s", event->kind);
    r->pass = event->pass;
    r->ends = event->ends;
    r->flops = event->flops;
    r->bytes = event->bytes;
    r->input = event->input == NULL ? (hn_desc){0} : *event->input;
    r->output = event->output == NULL ? (hn_desc){0} : *event->output;
    l->strangers += !pthread_equal(pthread_self(), l->thread);
}

/* A context on three threads; trace NULL: silent, though there is a user. */
static hn_context *listened(listener *l, hn_trace_fn trace)
{
    hn_context *context = NULL;
    hn_context_options o;
    *l = (listener){.thread = pthread_self()};
    hn_context_options_init(&o, sizeof o);
    ck_assert(o.trace == NULL && o.trace_user == NULL);
    o.num_threads = 3;
    o.trace = trace;
    o.trace_user = l;
    hnt_ok(hn_context_create(&context, &o));
    return context;
}

/* Every end closes the piece that was begun last, with the same numbers, and nothing stays open. */
static void is_nested(const listener *l)
{
    const record *open[MAX_EVENTS];
    int depth = 0;
    for (int i = 0; i < l->count; ++i) {
        const record *r = &l->events[i];
        if (!r->ends) {
            open[depth++] = r;
            continue;
        }
        ck_assert_int_gt(depth, 0);
        const record *begun = open[--depth];
        ck_assert_str_eq(r->kind, begun->kind);
        ck_assert_int_eq(r->pass, begun->pass);
        ck_assert(r->flops == begun->flops && r->bytes == begun->bytes);
    }
    ck_assert_int_eq(depth, 0);
}

/* "kind pass:ends" of all events, as one text. */
static void is_story(const listener *l, const char *want)
{
    char got[4096] = "";
    size_t used = 0;
    for (int i = 0; i < l->count; ++i)
        used += (size_t)snprintf(got + used, sizeof got - used, "%s%s%c%c", i > 0 ? " " : "", l->events[i].kind,
                                 "ofb"[l->events[i].pass], "()"[l->events[i].ends]);
    ck_assert_str_eq(got, want);
}

/* A training step of a layer on one batch of noise; dx only if wanted. */
static void step(hn_context *context, hn_layer *layer, const hn_desc *input, int wants_dx)
{
    hn_exec *exec = NULL;
    hn_tensor *x = NULL, *dy = NULL, *dx = NULL;
    const hn_tensor *y = NULL;
    hnt_ok(hn_exec_create(&exec, context, layer, input, HN_MODE_TRAIN));
    hnt_ok(hn_tensor_create(&x, context, input));
    hnt_ok(hn_tensor_create(&dx, context, input));
    hnt_normal(1, hn_tensor_data(x), hn_tensor_count(x));
    hnt_ok(hn_exec_forward(exec, x, &y));
    hnt_ok(hn_tensor_create(&dy, context, hn_tensor_desc(y)));
    hnt_normal(2, hn_tensor_data(dy), hn_tensor_count(dy));
    hnt_ok(hn_exec_backward(exec, dy, wants_dx ? dx : NULL));
    hn_tensor_destroy(x);
    hn_tensor_destroy(dy);
    hn_tensor_destroy(dx);
    hn_exec_destroy(exec);
}

static hn_layer *unit(hn_context *context, int32_t in, int32_t out, int32_t kernel, int32_t stride, int32_t relu)
{
    hn_layer *layer = NULL;
    hn_conv2d_options o;
    hn_conv2d_options_init(&o, sizeof o);
    o.in_channels = in;
    o.out_channels = out;
    o.kernel = kernel;
    o.padding = kernel / 2;
    o.stride = stride;
    hnt_ok(hn_conv_unit_create(&layer, context, "conv", "bn", &o, NULL, relu));
    return layer;
}

/* residual(sequential(unit, unit)) */
static hn_layer *block(hn_context *context)
{
    hn_layer *body = NULL, *layer = NULL;
    hnt_ok(hn_sequential_create(&body, context));
    hnt_ok(hn_layer_add_child(body, "1", unit(context, 4, 4, 3, 1, 1)));
    hnt_ok(hn_layer_add_child(body, "2", unit(context, 4, 4, 3, 1, 0)));
    hnt_ok(hn_residual_create(&layer, context, body, NULL));
    return layer;
}

START_TEST(events_nest_and_pair)
{
    listener l;
    hn_context *context = listened(&l, listen);
    hn_layer *layer = block(context);
    const hn_desc input = {HN_F32, 4, {2, 8, 8, 4}};
    step(context, layer, &input, 1);
    is_nested(&l);
    is_story(&l, "residualf( sequentialf( conv_unitf( conv_unitf) conv_unitf( conv_unitf) sequentialf) residualf) "
                 "residualb( sequentialb( conv_unitb( conv_unitb) conv_unitb( conv_unitb) sequentialb) residualb)");
    ck_assert_int_eq(l.strangers, 0);
    /* Layers made of others leave the numbers to their children. */
    ck_assert(l.events[0].flops == 0.0 && l.events[0].bytes == 0.0);
    ck_assert_int_eq(l.events[2].input.dim[3], 4);
    ck_assert_int_eq(l.events[2].output.dim[1], 8);
    hn_layer_destroy(layer);
    hn_context_destroy(context);
}
END_TEST

START_TEST(flops_are_the_formula)
{
    enum { N = 3, IN = 5, OUT = 7 };
    static const int32_t kernels[] = {1, 3}, strides[] = {1, 2};
    for (int k = 0; k < 2; ++k)
        for (int s = 0; s < 2; ++s) {
            listener l;
            hn_context *context = listened(&l, listen);
            hn_layer *layer = unit(context, IN, OUT, kernels[k], strides[s], 1);
            const hn_desc input = {HN_F32, 4, {N, 8, 6, IN}};
            step(context, layer, &input, 1);
            ck_assert_int_eq(l.count, 4);
            const int64_t *out = l.events[0].output.dim;
            ck_assert_int_eq(out[1], 8 / strides[s]);
            ck_assert_int_eq(out[2], 6 / strides[s]);
            const double flops = 2.0 * N * (double)(out[1] * out[2]) * OUT * IN * kernels[k] * kernels[k];
            ck_assert_double_eq(l.events[0].flops, flops);
            ck_assert_double_eq(l.events[2].flops, 2.0 * flops);
            /* x, w, z; z and y. Backward z, dy; z, dy and dz; x, w's gradient twice, w, dx. What batch norm and the
             * convolution exchange stays in the cache.                                                                  */
            const double x = 4.0 * N * 8 * 6 * IN, y = 4.0 * N * (double)(out[1] * out[2]) * OUT;
            const double w = 4.0 * IN * OUT * kernels[k] * kernels[k];
            ck_assert_double_eq(l.events[0].bytes, x + w + 3.0 * y);
            ck_assert_double_eq(l.events[2].bytes, 5.0 * y + 2.0 * x + 3.0 * w);

            /* Without dx, half the flops. */
            l.count = 0;
            step(context, layer, &input, 0);
            ck_assert_double_eq(l.events[2].flops, flops);
            ck_assert_double_eq(l.events[2].bytes, 5.0 * y + x + 2.0 * w);
            hn_layer_destroy(layer);
            hn_context_destroy(context);
        }
}
END_TEST

/* What an addend costs is the unit's that adds it. */
START_TEST(addends_count)
{
    listener l;
    hn_context *context = listened(&l, listen);
    hn_layer *layer = block(context);
    const hn_desc input = {HN_F32, 4, {2, 8, 8, 4}};
    step(context, layer, &input, 1);
    const double array = 4.0 * 2 * 8 * 8 * 4;
    ck_assert_double_eq(l.events[4].bytes - l.events[2].bytes, array); /* forward it is read                         */
    ck_assert_double_eq(l.events[10].bytes - l.events[12].bytes, 2.0 * array); /* backward y is read, daddend written */
    ck_assert_double_eq(l.events[10].flops, l.events[12].flops);               /* and read in dy's place              */
    hn_layer_destroy(layer);
    hn_context_destroy(context);
}
END_TEST

START_TEST(plain_layers_say_bytes)
{
    listener l;
    hn_context *context = listened(&l, listen);
    const hn_desc rows = {HN_F32, 2, {6, 8}}, pixels = {HN_F32, 4, {2, 4, 4, 8}};
    static const struct {
        const char *kind;
        double flops[2], bytes[2]; /* forward, backward */
    } want[] = {
        {"linear", {2.0 * 6 * 8 * 5, 4.0 * 6 * 8 * 5}, {4.0 * (48 + 40 + 90), 4.0 * (48 + 80 + 60 + 30 + 40 + 48)}},
        {"cosine_linear", {2.0 * 6 * 8 * 5, 4.0 * 6 * 8 * 5}, {4.0 * (144 + 120 + 30), 4.0 * (60 + 240 + 240)}},
        {"relu", {0, 0}, {4.0 * 2 * 48, 4.0 * 3 * 48}},
        {"l2norm", {0, 0}, {4.0 * 2 * 48, 4.0 * 3 * 48}},
        {"batchnorm", {0, 0}, {4.0 * 3 * 48, 4.0 * 5 * 48}},
        {"global_avg_pool", {0, 0}, {4.0 * (256 + 16), 4.0 * (256 + 16)}},
        {"max_pool", {0, 0}, {4.0 * (256 + 64) + 2.0 * 64, 4.0 * (256 + 64) + 2.0 * 64}},
    };
    enum { KINDS = sizeof want / sizeof want[0] };
    hn_layer *layers[KINDS] = {NULL};
    hnt_ok(hn_linear_create(&layers[0], context, 8, 5, 1));
    hnt_ok(hn_cosine_linear_create(&layers[1], context, 8, 5, 1.0f));
    hnt_ok(hn_relu_create(&layers[2], context));
    hnt_ok(hn_l2norm_create(&layers[3], context));
    hnt_ok(hn_batchnorm_create(&layers[4], context, 8, NULL));
    hnt_ok(hn_global_avg_pool_create(&layers[5], context));
    hnt_ok(hn_max_pool_create(&layers[6], context, 2, 2, 0));
    for (int i = 0; i < KINDS; ++i) {
        l.count = 0;
        step(context, layers[i], i < 5 ? &rows : &pixels, 1);
        ck_assert_int_eq(l.count, 4);
        for (int pass = 0; pass < 2; ++pass) {
            const record *r = &l.events[2 * pass];
            ck_assert_str_eq(r->kind, want[i].kind);
            ck_assert_msg(r->flops == want[i].flops[pass], "%s, pass %d: %g flops", r->kind, pass, r->flops);
            ck_assert_msg(r->bytes == want[i].bytes[pass], "%s, pass %d: %g bytes", r->kind, pass, r->bytes);
        }
        hn_layer_destroy(layers[i]);
    }
    hn_context_destroy(context);
}
END_TEST

START_TEST(losses_and_the_optimizer_report)
{
    listener l;
    hn_context *context = listened(&l, listen);
    const hn_desc logits = {HN_F32, 2, {4, 3}};
    const int32_t labels[4] = {0, 1, 2, 0};
    hn_tensor *x = NULL, *dx = NULL;
    hn_loss *loss = NULL;
    hn_layer *layer = NULL;
    hn_optimizer *optimizer = NULL;
    hnt_ok(hn_tensor_create(&x, context, &logits));
    hnt_ok(hn_tensor_create(&dx, context, &logits));
    hnt_ok(hn_loss_create_ce(&loss, context, 3, NULL));
    hnt_ok(hn_linear_create(&layer, context, 8, 5, 1));
    hnt_ok(hn_optimizer_create_sgd(&optimizer, context, NULL));
    hnt_ok(hn_optimizer_add_layer(optimizer, layer));
    hnt_ok(hn_optimizer_zero_grad(optimizer));
    hnt_ok(hn_loss_apply(loss, x, labels, 1.0f, NULL, dx));
    hnt_ok(hn_optimizer_step(optimizer));
    is_nested(&l);
    is_story(&l, "optimizero( optimizero) cross-entropyo( cross-entropyo) optimizero( optimizero)");
    ck_assert_double_eq(l.events[0].bytes, 4.0 * 45);
    ck_assert_double_eq(l.events[4].bytes, 4.0 * 45 * 5);
    ck_assert_int_eq(l.events[2].input.dim[0], 4);
    ck_assert_int_eq(l.events[2].output.ndim, 0);
    ck_assert_int_eq(l.strangers, 0);
    hn_optimizer_destroy(optimizer);
    hn_layer_destroy(layer);
    hn_loss_destroy(loss);
    hn_tensor_destroy(dx);
    hn_tensor_destroy(x);
    hn_context_destroy(context);
}
END_TEST

static hn_status refuse(void *self, const hn_layer_call *call)
{
    (void)self;
    (void)call;
    return HN_E_NONFINITE;
}

/* A layer that fails still ends, and so do those around it. */
START_TEST(failures_end_their_events)
{
    listener l;
    hn_context *context = listened(&l, listen);
    scale_layer s = {.width = 3};
    hn_layer_ops ops = scale_ops;
    ops.kind = "refusing";
    ops.forward = refuse;
    ops.init = NULL;
    hn_layer *outer = NULL, *leaf = NULL;
    hnt_ok(hn_sequential_create(&outer, context));
    hnt_ok(hn_layer_create(&leaf, context, &ops, &s));
    hnt_ok(hn_layer_add_child(outer, "0", leaf));
    const hn_desc input = {HN_F32, 2, {2, 3}};
    hn_exec *exec = NULL;
    hn_tensor *x = NULL;
    const hn_tensor *y = NULL;
    hnt_ok(hn_tensor_create(&x, context, &input));
    hnt_ok(hn_exec_create(&exec, context, outer, &input, HN_MODE_INFER));
    ck_assert_int_eq(hn_exec_forward(exec, x, &y), HN_E_NONFINITE);
    is_nested(&l);
    is_story(&l, "sequentialf( refusingf( refusingf) sequentialf)");
    hn_exec_destroy(exec);
    hn_tensor_destroy(x);
    hn_layer_destroy(outer);
    hn_context_destroy(context);
}
END_TEST

static void priced(const void *self, const hn_layer_call *call, int32_t pass, hn_layer_cost *cost)
{
    (void)self;
    ck_assert_uint_eq(cost->struct_size, sizeof *cost);
    ck_assert(cost->flops == 0.0 && cost->bytes == 0.0);
    cost->flops = pass == HN_TRACE_FORWARD ? (double)call->input.dim[0] : 7.0;
}

/* The user's own layers: with a cost, without one, and with a table from before there was one. */
START_TEST(own_layers_may_state_their_cost)
{
    listener l;
    hn_context *context = listened(&l, listen);
    const hn_desc input = {HN_F32, 2, {2, 3}}, width = {HN_F32, 1, {3}};
    for (int i = 0; i < 3; ++i) {
        scale_layer s = {.width = 3};
        hn_layer_ops ops = scale_ops;
        ops.cost = i == 1 ? NULL : priced;
        if (i == 2)
            ops.struct_size = offsetof(hn_layer_ops, cost);
        hn_layer *layer = NULL;
        hnt_ok(hn_layer_create(&layer, context, &ops, &s));
        hnt_ok(hn_layer_add_param(layer, "weight", &width, 1, &s.weight, &s.grad));
        l.count = 0;
        step(context, layer, &input, 1);
        is_story(&l, "scalef( scalef) scaleb( scaleb)");
        ck_assert_double_eq(l.events[0].flops, i == 0 ? 2.0 : 0.0);
        ck_assert_double_eq(l.events[2].flops, i == 0 ? 7.0 : 0.0);
        hn_layer_destroy(layer);
    }
    hn_context_destroy(context);
}
END_TEST

START_TEST(silence_without_a_trace)
{
    listener l;
    hn_context *context = listened(&l, NULL);
    hn_layer *layer = block(context);
    const hn_desc input = {HN_F32, 4, {2, 8, 8, 4}};
    step(context, layer, &input, 1);
    hn_layer_destroy(layer);
    hn_context_destroy(context);
    ck_assert_int_eq(l.count, 0);
}
END_TEST

/* Options as long as those of version 0.1, with something else behind them. */
START_TEST(older_options_have_no_trace)
{
    listener l = {.thread = pthread_self()};
    hn_context_options o;
    hn_context_options_init(&o, sizeof o);
    o.struct_size = offsetof(hn_context_options, trace);
    o.trace = listen;
    o.trace_user = &l;
    hn_context *context = NULL;
    hnt_ok(hn_context_create(&context, &o));
    hn_layer *layer = block(context);
    const hn_desc input = {HN_F32, 4, {2, 8, 8, 4}};
    step(context, layer, &input, 1);
    hn_layer_destroy(layer);
    hn_context_destroy(context);
    ck_assert_int_eq(l.count, 0);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("trace");
    TCase *unit_case = hnt_case(s, "unit");
    tcase_add_test(unit_case, events_nest_and_pair);
    tcase_add_test(unit_case, flops_are_the_formula);
    tcase_add_test(unit_case, addends_count);
    tcase_add_test(unit_case, plain_layers_say_bytes);
    tcase_add_test(unit_case, losses_and_the_optimizer_report);
    tcase_add_test(unit_case, failures_end_their_events);
    tcase_add_test(unit_case, own_layers_may_state_their_cost);
    tcase_add_test(unit_case, silence_without_a_trace);
    tcase_add_test(unit_case, older_options_have_no_trace);
    return s;
}

HNT_MAIN(suite)
