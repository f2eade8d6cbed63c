/* Executors: state, shapes, memory, and that a batch smaller than planned works. */
#include "scale_layer.h"

#include <stdlib.h>
#include <string.h>

enum { WIDTH = 6, ROWS = 5 };

typedef struct net {
    hn_context *context;
    scale_layer parts[3];
    hn_layer *layer;
} net;

static void make(net *n, int32_t threads)
{
    n->context = hnt_context(threads);
    hnt_ok(hn_sequential_create(&n->layer, n->context));
    for (int i = 0; i < 3; ++i) {
        hn_layer *leaf = NULL;
        char name[2] = {(char)('a' + i), '\0'};
        hnt_ok(scale_create(&leaf, n->context, &n->parts[i], WIDTH));
        hnt_ok(hn_layer_add_child(n->layer, name, leaf));
    }
    hn_rng rng;
    hn_rng_seed(&rng, 3, 0);
    hnt_ok(hn_layer_init_params(n->layer, &rng));
}

static void drop(net *n)
{
    hn_layer_destroy(n->layer);
    hn_context_destroy(n->context);
}

static hn_tensor *tensor(hn_context *context, int64_t rows, int64_t cols, uint64_t seed)
{
    const hn_desc desc = {HN_F32, 2, {rows, cols}};
    hn_tensor *t = NULL;
    hnt_ok(hn_tensor_create(&t, context, &desc));
    hnt_normal(seed, hn_tensor_data(t), rows * cols);
    return t;
}

/* The product of the three weights, column by column. */
static void weights(const net *n, double w[WIDTH])
{
    for (int c = 0; c < WIDTH; ++c) {
        w[c] = 1;
        for (int i = 0; i < 3; ++i)
            w[c] *= (double)((const float *)hn_tensor_cdata(n->parts[i].weight))[c];
    }
}

/* A plan that breaks the rule: fewer rows, more memory. */
static hn_status greedy_plan(const void *self, const hn_desc *input, int32_t mode, int32_t threads, hn_layer_plan *plan)
{
    (void)self, (void)mode, (void)threads;
    plan->output = *input;
    plan->scratch_bytes = (size_t)(1000 - input->dim[0]);
    return HN_OK;
}

static hn_status copy_forward(void *self, const hn_layer_call *call)
{
    (void)self;
    memcpy(call->y, call->x, (size_t)(call->input.dim[0] * call->input.dim[1]) * sizeof(float));
    return HN_OK;
}

START_TEST(memory_that_was_not_planned_is_refused)
{
    static const hn_layer_ops ops = {.struct_size = sizeof ops,
                                     .kind = "greedy",
                                     .plan = greedy_plan,
                                     .forward = copy_forward,
                                     .backward = copy_forward};
    hn_context *context = hnt_context(1);
    hn_layer *layer = NULL;
    hn_exec *exec = NULL;
    const hn_desc planned = {HN_F32, 2, {ROWS, WIDTH}};
    hnt_ok(hn_layer_create(&layer, context, &ops, NULL));
    hnt_ok(hn_exec_create(&exec, context, layer, &planned, HN_MODE_TRAIN));
    hn_tensor *all = tensor(context, ROWS, WIDTH, 1), *fewer = tensor(context, ROWS - 1, WIDTH, 1);
    const hn_tensor *y = NULL;
    hnt_ok(hn_exec_forward(exec, all, &y));
    hnt_fails(hn_exec_forward(exec, fewer, &y), HN_E_STATE,
              "the greedy wants more memory for 4 rows (96, 0 and 996 bytes) than was planned for 5 (120, 0 and 995)");
    hn_tensor_destroy(all);
    hn_tensor_destroy(fewer);
    hn_exec_destroy(exec);
    hn_layer_destroy(layer);
    hn_context_destroy(context);
}
END_TEST

/* A layer that has grown since it was planned. */
START_TEST(an_output_that_was_not_planned_is_refused)
{
    hn_context *context = hnt_context(1);
    hn_layer *chain = NULL, *part = NULL;
    hn_exec *exec = NULL;
    const hn_desc planned = {HN_F32, 2, {ROWS, WIDTH}};
    hnt_ok(hn_sequential_create(&chain, context));
    for (int i = 0; i < 2; ++i) {
        hnt_ok(hn_linear_create(&part, context, i == 0 ? WIDTH : 64, i == 0 ? 64 : 4, 0));
        hnt_ok(hn_layer_add_child(chain, i == 0 ? "0" : "1", part));
    }
    hnt_ok(hn_exec_create(&exec, context, chain, &planned, HN_MODE_TRAIN));
    hn_tensor *x = tensor(context, ROWS, WIDTH, 1), *dy = tensor(context, ROWS, 4, 2);
    const hn_tensor *y = NULL;
    hnt_ok(hn_exec_forward(exec, x, &y));
    hnt_ok(hn_linear_create(&part, context, 4, 900, 1));
    hnt_ok(hn_layer_add_child(chain, "2", part));
    hnt_fails(hn_exec_backward(exec, dy, NULL), HN_E_STATE, "the sequential wants more memory for 5 rows (18000, ");
    y = NULL;
    hnt_fails(hn_exec_forward(exec, x, &y), HN_E_STATE, "the sequential wants more memory for 5 rows (18000, ");
    ck_assert_ptr_null(y);
    hn_tensor_destroy(x);
    hn_tensor_destroy(dy);
    hn_exec_destroy(exec);
    hn_layer_destroy(chain);
    hn_context_destroy(context);
}
END_TEST

START_TEST(forward_and_backward_follow_the_product)
{
    net n;
    make(&n, 1);
    const hn_desc planned = {HN_F32, 2, {ROWS, WIDTH}};
    double w[WIDTH];
    weights(&n, w);
    for (int mode = HN_MODE_INFER; mode <= HN_MODE_TRAIN; ++mode) {
        hn_exec *exec = NULL;
        hnt_ok(hn_exec_create(&exec, n.context, n.layer, &planned, mode));
        ck_assert_uint_ge(hn_exec_bytes(exec), ROWS * WIDTH * sizeof(float));
        for (int64_t rows = ROWS; rows >= 1; rows -= 2) { /* smaller batches than planned */
            hn_tensor *x = tensor(n.context, rows, WIDTH, 1), *dx = tensor(n.context, rows, WIDTH, 2);
            const hn_tensor *y = NULL;
            hnt_ok(hn_exec_forward(exec, x, &y));
            ck_assert_int_eq(hn_tensor_desc(y)->dim[0], rows);
            double want[ROWS * WIDTH], want_dw[WIDTH] = {0};
            const float *xs = hn_tensor_cdata(x);
            for (int64_t i = 0; i < rows * WIDTH; ++i)
                want[i] = (double)xs[i] * w[i % WIDTH];
            hnt_close_fd("y", hn_tensor_cdata(y), want, rows * WIDTH, 1e-6);
            if (mode == HN_MODE_TRAIN) {
                memset(hn_tensor_data(n.parts[1].grad), 0, WIDTH * sizeof(float));
                hn_tensor *dy = tensor(n.context, rows, WIDTH, 3);
                const float *g = hn_tensor_cdata(dy);
                hnt_ok(hn_exec_backward(exec, dy, dx));
                for (int64_t i = 0; i < rows * WIDTH; ++i) {
                    want[i] = (double)g[i] * w[i % WIDTH];
                    want_dw[i % WIDTH] += (double)g[i] * (double)xs[i] * w[i % WIDTH] /
                                          (double)((const float *)hn_tensor_cdata(n.parts[1].weight))[i % WIDTH];
                }
                hnt_close_fd("dx", hn_tensor_cdata(dx), want, rows * WIDTH, 1e-6);
                hnt_close_fd("dw", hn_tensor_cdata(n.parts[1].grad), want_dw, WIDTH, 1e-6);
                hn_tensor_destroy(dy);
            }
            hn_tensor_destroy(x);
            hn_tensor_destroy(dx);
        }
        hn_exec_destroy(exec);
    }
    drop(&n);
}
END_TEST

START_TEST(misuse_is_named)
{
    net n;
    make(&n, 1);
    const hn_desc planned = {HN_F32, 2, {ROWS, WIDTH}}, empty = {HN_F32, 2, {0, WIDTH}}, wide = {HN_F32, 2, {ROWS, 9}};
    hn_exec *exec = NULL, *infer = NULL;
    const hn_tensor *y = NULL;
    hnt_fails(hn_exec_create(&exec, n.context, n.layer, &planned, 7), HN_E_ARG, "mode 7");
    hnt_fails(hn_exec_create(&exec, n.context, n.layer, &empty, HN_MODE_TRAIN), HN_E_SHAPE, "empty");
    ck_assert_int_eq(hn_exec_create(&exec, n.context, n.layer, &wide, HN_MODE_TRAIN), HN_E_SHAPE);
    ck_assert_ptr_null(exec);
    hnt_ok(hn_exec_create(&exec, n.context, n.layer, &planned, HN_MODE_TRAIN));
    hnt_ok(hn_exec_create(&infer, n.context, n.layer, &planned, HN_MODE_INFER));
    hn_tensor *x = tensor(n.context, ROWS, WIDTH, 1), *big = tensor(n.context, ROWS + 1, WIDTH, 1),
              *small = tensor(n.context, ROWS - 1, WIDTH, 1);
    hnt_fails(hn_exec_backward(exec, x, NULL), HN_E_STATE, "forward");
    hnt_fails(hn_exec_forward(exec, big, &y), HN_E_SHAPE, "x is f32 6x6; the executor was planned for f32 5x6");
    hnt_fails(hn_exec_forward(exec, NULL, &y), HN_E_ARG, "x is NULL");
    hnt_ok(hn_exec_forward(exec, x, &y));
    hnt_fails(hn_exec_backward(exec, small, NULL), HN_E_SHAPE, "dy is f32 4x6; the output was f32 5x6");
    hnt_fails(hn_exec_backward(exec, x, small), HN_E_SHAPE, "dx is f32 4x6");
    hn_tensor *dy = tensor(n.context, ROWS, WIDTH, 2), *shifted = NULL;
    hnt_fails(hn_exec_backward(exec, dy, dy), HN_E_ARG, "dx overlaps dy");
    hnt_fails(hn_exec_backward(exec, dy, x), HN_E_ARG, "dx overlaps x");
    float *room = hnt_alloc((ROWS + 1) * WIDTH * sizeof *room);
    hn_tensor *front = NULL;
    hnt_ok(hn_tensor_wrap(&front, n.context, room, &planned));
    hnt_ok(hn_tensor_wrap(&shifted, n.context, room + WIDTH, &planned));
    hnt_fails(hn_exec_backward(exec, front, shifted), HN_E_ARG, "dx overlaps dy");
    hn_tensor_destroy(front);
    hn_tensor_destroy(shifted);
    hn_tensor_destroy(dy);
    free(room);
    const hn_tensor *own = y;
    hnt_fails(hn_exec_forward(exec, own, &y), HN_E_ARG, "x lies in the executor's own memory");
    hnt_ok(hn_exec_backward(exec, x, NULL));
    hnt_fails(hn_exec_backward(exec, x, NULL), HN_E_STATE, "forward");
    hnt_ok(hn_exec_forward(infer, x, &y));
    hnt_fails(hn_exec_backward(infer, x, NULL), HN_E_STATE, "inference");
    hn_tensor_destroy(x);
    hn_tensor_destroy(big);
    hn_tensor_destroy(small);
    hn_exec_destroy(exec);
    hn_exec_destroy(infer);
    hn_exec_destroy(NULL);
    drop(&n);
}
END_TEST

static hn_context *engine_context(int32_t engine)
{
    hn_context_options o;
    hn_context *context = NULL;
    hn_context_options_init(&o, sizeof o);
    o.num_threads = 1;
    o.engine = engine;
    hnt_ok(hn_context_create(&context, &o));
    return context;
}

enum { FEATURES = 4 * 64, PIXELS = 4 * 16 * 16 * 3, GRADIENTS = 80000 };

/* What an executor puts out: features, the images' gradient and those of all parameters, one after the other. */
typedef struct outcome {
    float features[FEATURES], dx[PIXELS], gradients[GRADIENTS];
    int64_t count;
} outcome;

static void keep_gradients(const hn_layer *layer, outcome *o)
{
    for (int64_t i = 0; i < hn_layer_param_count(layer); ++i) {
        hn_param param = {.struct_size = sizeof param};
        hnt_ok(hn_layer_param(layer, i, &param));
        if (param.grad == NULL)
            continue;
        const int64_t n = hn_tensor_count(param.grad);
        ck_assert_int_le(o->count + n, GRADIENTS);
        memcpy(o->gradients + o->count, hn_tensor_cdata(param.grad), hn_tensor_bytes(param.grad));
        o->count += n;
    }
}

/* Forward and backward of a small ResNet that was made in one context, by an executor of another. */
static outcome *run_elsewhere(int32_t made_by, int32_t run_by, int32_t precision)
{
    outcome *result = hnt_alloc(sizeof *result);
    hn_context *home = engine_context(made_by), *away = engine_context(run_by);
    hn_resnet_cifar_options o;
    hn_layer *layer = NULL;
    hn_exec *exec = NULL;
    const hn_desc input = {HN_F32, 4, {4, 16, 16, 3}}, output = {HN_F32, 2, {4, 64}};
    hn_tensor *x = NULL, *dy = NULL, *dx = NULL;
    const hn_tensor *y = NULL;
    hn_rng rng;
    hn_resnet_cifar_options_init(&o, sizeof o);
    o.depth = 8;
    o.precision = precision;
    hnt_ok(hn_resnet_cifar_create(&layer, home, &o));
    hn_rng_seed(&rng, 5, 0);
    hnt_ok(hn_layer_init_params(layer, &rng));
    hnt_ok(hn_exec_create(&exec, away, layer, &input, HN_MODE_TRAIN));
    hnt_ok(hn_tensor_create(&x, away, &input));
    hnt_ok(hn_tensor_create(&dx, away, &input));
    hnt_ok(hn_tensor_create(&dy, away, &output));
    hnt_normal(6, hn_tensor_data(x), hn_tensor_count(x));
    hnt_normal(7, hn_tensor_data(dy), hn_tensor_count(dy));
    hnt_ok(hn_exec_forward(exec, x, &y));
    memcpy(result->features, hn_tensor_cdata(y), sizeof result->features);
    hnt_ok(hn_exec_backward(exec, dy, dx));
    memcpy(result->dx, hn_tensor_cdata(dx), sizeof result->dx);
    keep_gradients(layer, result);
    hn_tensor_destroy(x);
    hn_tensor_destroy(dx);
    hn_tensor_destroy(dy);
    hn_exec_destroy(exec);
    hn_layer_destroy(layer);
    hn_context_destroy(away);
    hn_context_destroy(home);
    return result;
}

/* What has been planned is what runs, whichever engine the executor's own context would take. */
START_TEST(a_convolution_keeps_the_engine_of_its_context)
{
    static const int32_t engines[] = {HN_ENGINE_CBLAS, HN_ENGINE_DIRECT, HN_ENGINE_AUTO};
    for (int a = 0; a < 3; ++a) {
        const int32_t precision = engines[a] == HN_ENGINE_CBLAS ? HN_F32 : HN_BF16;
        outcome *home = run_elsewhere(engines[a], engines[a], precision);
        ck_assert_int_gt(home->count, GRADIENTS / 2);
        for (int b = 0; b < 3; ++b) {
            outcome *away = run_elsewhere(engines[a], engines[b], precision);
            ck_assert_mem_eq(home->features, away->features, sizeof home->features);
            ck_assert_mem_eq(home->dx, away->dx, sizeof home->dx);
            ck_assert_mem_eq(home->gradients, away->gradients, sizeof home->gradients);
            free(away);
        }
        free(home);
    }
}
END_TEST

START_TEST(nothing_is_allocated_after_creation)
{
    hnt_counter counter = {.fail_at = -1};
    net n;
    hnt_ok(hnt_counting_context(&n.context, &counter, 1));
    hnt_ok(hn_sequential_create(&n.layer, n.context));
    hn_layer *leaf = NULL;
    hnt_ok(scale_create(&leaf, n.context, &n.parts[0], WIDTH));
    hnt_ok(hn_layer_add_child(n.layer, "a", leaf));
    const hn_desc planned = {HN_F32, 2, {ROWS, WIDTH}};
    hn_exec *exec = NULL;
    int64_t before = counter.alive;
    for (int64_t k = 0; exec == NULL; ++k) {
        counter.for_good = (int)(k % 2); /* each allocation once alone, once with all that follow */
        counter.fail_at = counter.calls + k / 2;
        const hn_status status = hn_exec_create(&exec, n.context, n.layer, &planned, HN_MODE_TRAIN);
        ck_assert_int_eq(status, exec != NULL ? HN_OK : HN_E_NOMEM);
        ck_assert(exec != NULL || counter.alive == before);
    }
    counter.fail_at = -1;
    hn_tensor *x = tensor(n.context, ROWS, WIDTH, 1);
    int64_t calls = counter.calls;
    const hn_tensor *y = NULL;
    hnt_ok(hn_exec_forward(exec, x, &y));
    hnt_ok(hn_exec_backward(exec, x, NULL));
    ck_assert_int_eq(counter.calls, calls);
    hn_tensor_destroy(x);
    hn_exec_destroy(exec);
    drop(&n);
    ck_assert_int_eq(counter.alive, 0);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("exec");
    TCase *unit = hnt_case(s, "unit");
    tcase_add_test(unit, forward_and_backward_follow_the_product);
    tcase_add_test(unit, misuse_is_named);
    tcase_add_test(unit, a_convolution_keeps_the_engine_of_its_context);
    tcase_add_test(unit, memory_that_was_not_planned_is_refused);
    tcase_add_test(unit, an_output_that_was_not_planned_is_refused);
    tcase_add_test(hnt_case(s, "oom"), nothing_is_allocated_after_creation);
    return s;
}

HNT_MAIN(suite)
