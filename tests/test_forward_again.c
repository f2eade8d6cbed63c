/* Rows that go forward once more: the same bits, the same backward, and statistics that count them once. */
#include "support.h"

#include <string.h>

enum { ROWS = 7, WIDTH = 6, VALUES = ROWS * WIDTH };

/* Puts out what it is given, and remembers what it has been told of the calls. */
typedef struct recorder {
    int32_t again[8];
    int calls;
} recorder;

static hn_status recorder_plan(const void *self, const hn_desc *input, int32_t mode, int32_t threads,
                               hn_layer_plan *plan)
{
    (void)self, (void)mode, (void)threads;
    plan->output = *input;
    return HN_OK;
}

static hn_status recorder_forward(void *self, const hn_layer_call *call)
{
    recorder *r = self;
    r->again[r->calls++ % 8] = call->again;
    memcpy(call->y, call->x, (size_t)(call->input.dim[0] * call->input.dim[1]) * sizeof(float));
    return HN_OK;
}

static hn_status recorder_backward(void *self, const hn_layer_call *call)
{
    (void)self;
    memcpy(call->dx, call->dy, (size_t)(call->input.dim[0] * call->input.dim[1]) * sizeof(float));
    return HN_OK;
}

static const hn_layer_ops recorder_ops = {.struct_size = sizeof recorder_ops,
                                          .kind = "recorder",
                                          .plan = recorder_plan,
                                          .forward = recorder_forward,
                                          .backward = recorder_backward};

static hn_tensor *tensor(hn_context *context, uint64_t seed)
{
    const hn_desc desc = {HN_F32, 2, {ROWS, WIDTH}};
    hn_tensor *t = NULL;
    hnt_ok(hn_tensor_create(&t, context, &desc));
    hnt_normal(seed, hn_tensor_data(t), VALUES);
    return t;
}

/* A batch norm's gradients and buffers, each a number a channel. */
static float *array(const hn_layer *norm, const char *name, int gradient)
{
    for (int64_t i = 0; i < hn_layer_param_count(norm); ++i) {
        hn_param param = {.struct_size = sizeof param};
        hnt_ok(hn_layer_param(norm, i, &param));
        if (strcmp(param.name, name) == 0)
            return hn_tensor_data(gradient ? param.grad : param.value);
    }
    ck_abort_msg("there is no %s", name);
    return NULL;
}

typedef struct buffers {
    float mean[WIDTH], var[WIDTH];
} buffers;

static buffers buffers_of(const hn_layer *norm)
{
    buffers b;
    memcpy(b.mean, array(norm, "running_mean", 0), sizeof b.mean);
    memcpy(b.var, array(norm, "running_var", 0), sizeof b.var);
    return b;
}

/* How many of the numbers differ. */
static int moved(const buffers *a, const buffers *b)
{
    int n = 0;
    for (int c = 0; c < WIDTH; ++c)
        n += (a->mean[c] != b->mean[c]) + (a->var[c] != b->var[c]);
    return n;
}

typedef struct gradients {
    float dx[VALUES], weight[WIDTH], bias[WIDTH];
} gradients;

static gradients backward(hn_exec *exec, const hn_layer *norm, const hn_tensor *dy, hn_tensor *dx)
{
    gradients g;
    float *weight = array(norm, "weight", 1), *bias = array(norm, "bias", 1);
    memset(weight, 0, sizeof g.weight);
    memset(bias, 0, sizeof g.bias);
    hnt_ok(hn_exec_backward(exec, dy, dx));
    memcpy(g.dx, hn_tensor_cdata(dx), sizeof g.dx);
    memcpy(g.weight, weight, sizeof g.weight);
    memcpy(g.bias, bias, sizeof g.bias);
    return g;
}

START_TEST(a_batch_norm_counts_rows_once)
{
    hn_context *context = hnt_context(2);
    hn_layer *norm = NULL;
    hn_exec *exec = NULL;
    const hn_desc planned = {HN_F32, 2, {ROWS, WIDTH}};
    hnt_ok(hn_batchnorm_create(&norm, context, WIDTH, NULL));
    hnt_ok(hn_exec_create(&exec, context, norm, &planned, HN_MODE_TRAIN));
    hn_tensor *x = tensor(context, 1), *dy = tensor(context, 2), *dx = tensor(context, 3);
    const hn_tensor *y = NULL;
    float first[VALUES];
    const buffers start = buffers_of(norm);
    hnt_ok(hn_exec_forward(exec, x, &y));
    memcpy(first, hn_tensor_cdata(y), sizeof first);
    const buffers once = buffers_of(norm);
    ck_assert_int_eq(moved(&start, &once), 2 * WIDTH);
    const gradients want = backward(exec, norm, dy, dx);

    hnt_ok(hn_exec_forward_again(exec, x, &y));
    ck_assert_mem_eq(first, hn_tensor_cdata(y), sizeof first);
    const buffers again = buffers_of(norm);
    ck_assert_int_eq(moved(&once, &again), 0);
    const gradients got = backward(exec, norm, dy, dx);
    ck_assert_mem_eq(want.dx, got.dx, sizeof want.dx);
    ck_assert_mem_eq(want.weight, got.weight, sizeof want.weight);
    ck_assert_mem_eq(want.bias, got.bias, sizeof want.bias);
    hnt_fails(hn_exec_backward(exec, dy, dx), HN_E_STATE, "forward");

    hnt_ok(hn_exec_forward(exec, x, &y));
    ck_assert_mem_eq(first, hn_tensor_cdata(y), sizeof first);
    const buffers twice = buffers_of(norm);
    ck_assert_int_eq(moved(&once, &twice), 2 * WIDTH);
    hn_tensor_destroy(x);
    hn_tensor_destroy(dy);
    hn_tensor_destroy(dx);
    hn_exec_destroy(exec);
    hn_layer_destroy(norm);
    hn_context_destroy(context);
}
END_TEST

/* By itself, and through layers that are made of others. */
START_TEST(a_layer_is_told_of_rows_it_has_seen)
{
    for (int inside = 0; inside < 2; ++inside) {
        hn_context *context = hnt_context(1);
        recorder r = {.calls = 0};
        hn_layer *layer = NULL, *sequence = NULL;
        hn_exec *exec = NULL;
        const hn_desc planned = {HN_F32, 2, {ROWS, WIDTH}};
        hnt_ok(hn_layer_create(&layer, context, &recorder_ops, &r));
        if (inside) {
            hnt_ok(hn_sequential_create(&sequence, context));
            hnt_ok(hn_layer_add_child(sequence, "0", layer));
            layer = sequence;
        }
        hnt_ok(hn_exec_create(&exec, context, layer, &planned, HN_MODE_TRAIN));
        hn_tensor *x = tensor(context, 1);
        const hn_tensor *y = NULL;
        hnt_ok(hn_exec_forward(exec, x, &y));
        hnt_ok(hn_exec_forward_again(exec, x, &y));
        hnt_ok(hn_exec_forward(exec, x, &y));
        ck_assert_int_eq(r.calls, 3);
        ck_assert_int_eq(r.again[0], 0);
        ck_assert_int_ne(r.again[1], 0);
        ck_assert_int_eq(r.again[2], 0);
        hnt_fails(hn_exec_forward_again(exec, NULL, &y), HN_E_ARG, "hn_exec_forward_again: x is NULL");
        ck_assert_int_eq(r.calls, 3);
        hn_tensor_destroy(x);
        hn_exec_destroy(exec);
        hn_layer_destroy(layer);
        hn_context_destroy(context);
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("forward_again");
    TCase *unit = hnt_case(s, "unit");
    tcase_add_test(unit, a_batch_norm_counts_rows_once);
    tcase_add_test(unit, a_layer_is_told_of_rows_it_has_seen);
    return s;
}

HNT_MAIN(suite)
