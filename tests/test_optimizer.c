#include "golden.h"
#include "scale_layer.h"

#include <math.h>
#include <string.h>

enum { STEPS = 5, N = 37 };

#ifdef HNI_HAVE_JANSSON
static const struct {
    const char *name;
    float lr, momentum, decay;
    int32_t nesterov;
} cases[] = {{"plain", 0.1f, 0.0f, 0.0f, 0},
             {"momentum", 0.1f, 0.9f, 0.0f, 0},
             {"decay", 0.05f, 0.9f, 1e-2f, 0},
             {"nesterov", 0.05f, 0.8f, 5e-3f, 1}};

static hn_sgd_options options_of(int i)
{
    hn_sgd_options o;
    hn_sgd_options_init(&o, sizeof o);
    o.lr = cases[i].lr;
    o.momentum = cases[i].momentum;
    o.weight_decay = cases[i].decay;
    o.nesterov = cases[i].nesterov;
    return o;
}

START_TEST(follows_torch)
{
    hn_context *context = hnt_context(2);
    hn_safetensors *golden = hnt_golden_open(context, "optimizer");
    const float *start = hnt_golden_f(golden, "start", N), *grads = hnt_golden_f(golden, "grads", STEPS * N);
    for (int i = 0; i < 4; ++i) {
        const float *want = hnt_golden_f(golden, cases[i].name, N);
        hn_sgd_options o = options_of(i);

        float weight[N], velocity[N] = {0}; /* on arrays */
        memcpy(weight, start, sizeof weight);
        for (int s = 0; s < STEPS; ++s)
            hnt_ok(hn_sgd_update(&o, N, grads + s * N, velocity, weight));
        hnt_close_f(cases[i].name, weight, want, N, 1e-6);

        scale_layer scale; /* on a layer */
        hn_layer *layer = NULL;
        hn_optimizer *optimizer = NULL;
        hnt_ok(scale_create(&layer, context, &scale, N));
        memcpy(hn_tensor_data(scale.weight), start, sizeof weight);
        hnt_ok(hn_optimizer_create_sgd(&optimizer, context, &o));
        hnt_ok(hn_optimizer_add_layer(optimizer, layer));
        for (int s = 0; s < STEPS; ++s) {
            hnt_ok(hn_optimizer_zero_grad(optimizer));
            float *grad = hn_tensor_data(scale.grad);
            for (int k = 0; k < N; ++k)
                grad[k] += grads[s * N + k];
            hnt_ok(hn_optimizer_step(optimizer));
        }
        hnt_close_f(cases[i].name, hn_tensor_cdata(scale.weight), want, N, 1e-6);
        hn_optimizer_destroy(optimizer);
        hn_layer_destroy(layer);
    }
    hn_safetensors_close(golden);
    hn_context_destroy(context);
}
END_TEST
#endif

/* Weight decay, buffers and several blocks: 40,000 values of three parameters against a plain loop. */
START_TEST(parameters_of_all_kinds)
{
    enum { BIG = 40000 };
    hn_context *context = hnt_context(3);
    hn_optimizer *optimizer = NULL;
    hn_sgd_options o;
    hn_sgd_options_init(&o, sizeof o);
    o.decay_all = 0;
    o.weight_decay = 0.5f;
    o.momentum = 0.0f;
    hnt_ok(hn_optimizer_create_sgd(&optimizer, context, &o));
    hn_tensor *value[3], *grad[3];
    for (int i = 0; i < 3; ++i) {
        const hn_desc desc = {HN_F32, 1, {i == 1 ? BIG : 5}};
        hnt_ok(hn_tensor_create(&value[i], context, &desc));
        hnt_ok(hn_tensor_create(&grad[i], context, &desc));
        hnt_normal((uint64_t)i, hn_tensor_data(value[i]), desc.dim[0]);
        hnt_normal((uint64_t)i + 10, hn_tensor_data(grad[i]), desc.dim[0]);
        const hn_param param = {sizeof param, "p", value[i], i == 2 ? NULL : grad[i], i == 1, 0};
        hnt_ok(hn_optimizer_add(optimizer, &param));
    }
    static float before[3][BIG];
    for (int i = 0; i < 3; ++i)
        memcpy(before[i], hn_tensor_cdata(value[i]), hn_tensor_bytes(value[i]));
    hnt_ok(hn_optimizer_set_lr(optimizer, 0.25));
    hnt_ok(hn_optimizer_step(optimizer));
    for (int i = 0; i < 3; ++i) {
        const float *now = hn_tensor_cdata(value[i]), *g = hn_tensor_cdata(grad[i]);
        for (int64_t k = 0; k < hn_tensor_count(value[i]); ++k) {
            float w = before[i][k], want = i == 2 ? w : w - 0.25f * (g[k] + (i == 1 ? 0.5f * w : 0.0f));
            ck_assert_float_eq_tol(now[k], want, 1e-6f);
        }
    }
    hn_optimizer_destroy(optimizer);
    for (int i = 0; i < 3; ++i) {
        hn_tensor_destroy(value[i]);
        hn_tensor_destroy(grad[i]);
    }
    hn_context_destroy(context);
}
END_TEST

/* What is read as momentum, and set in another optimizer, gives that one the same next step. */
START_TEST(momentum_moves_to_another_optimizer)
{
    hn_context *context = hnt_context(1);
    hn_optimizer *optimizer[2] = {NULL, NULL};
    hn_layer *layer[2] = {NULL, NULL};
    scale_layer scale[2];
    for (int i = 0; i < 2; ++i) {
        hnt_ok(scale_create(&layer[i], context, &scale[i], N));
        hnt_ok(hn_optimizer_create_sgd(&optimizer[i], context, NULL));
        hnt_ok(hn_optimizer_add_layer(optimizer[i], layer[i]));
        hnt_normal(5, hn_tensor_data(scale[i].grad), N);
    }
    for (int i = 0; i < 3; ++i)
        hnt_ok(hn_optimizer_step(optimizer[0]));
    hn_tensor *from = hn_optimizer_momentum(optimizer[0], scale[0].weight);
    hn_tensor *to = hn_optimizer_momentum(optimizer[1], scale[1].weight);
    ck_assert_int_eq(hn_tensor_count(from), N);
    ck_assert_ptr_null(hn_optimizer_momentum(optimizer[0], scale[1].weight));
    ck_assert_ptr_null(hn_optimizer_momentum(optimizer[0], scale[0].grad));
    ck_assert_ptr_null(hn_optimizer_momentum(NULL, scale[0].weight));
    memcpy(hn_tensor_data(to), hn_tensor_cdata(from), hn_tensor_bytes(to));
    memcpy(hn_tensor_data(scale[1].weight), hn_tensor_cdata(scale[0].weight), hn_tensor_bytes(to));
    for (int i = 0; i < 2; ++i)
        hnt_ok(hn_optimizer_step(optimizer[i]));
    ck_assert_mem_eq(hn_tensor_cdata(scale[0].weight), hn_tensor_cdata(scale[1].weight), hn_tensor_bytes(to));
    for (int i = 0; i < 2; ++i) {
        hn_optimizer_destroy(optimizer[i]);
        hn_layer_destroy(layer[i]);
    }
    hn_context_destroy(context);
}
END_TEST

START_TEST(parameters_of_a_loss)
{
    enum { CLASSES = 3, DIM = 4 };
    hn_context *context = hnt_context(1);
    hn_loss *psc = NULL, *ce = NULL;
    hn_optimizer *optimizer = NULL;
    hn_sgd_options o;
    hn_param p = {.struct_size = sizeof p};
    hn_rng rng;
    float before[CLASSES * DIM];
    hn_rng_seed(&rng, 1, 0);
    hn_sgd_options_init(&o, sizeof o);
    o.lr = 0.1f;
    o.momentum = o.weight_decay = 0.0f;
    hnt_ok(hn_loss_create_psc(&psc, context, CLASSES, DIM, NULL));
    hnt_ok(hn_loss_create_ce(&ce, context, CLASSES, NULL)); /* has none */
    hnt_ok(hn_loss_init_params(psc, &rng));
    hnt_ok(hn_loss_param(psc, 0, &p));
    hnt_ok(hn_optimizer_create_sgd(&optimizer, context, &o));
    hnt_ok(hn_optimizer_add_loss(optimizer, ce));
    hnt_ok(hn_optimizer_add_loss(optimizer, psc));
    memcpy(before, hn_tensor_cdata(p.value), sizeof before);
    for (int i = 0; i < CLASSES * DIM; ++i)
        ((float *)hn_tensor_data(p.grad))[i] = (float)(i + 1);
    hnt_ok(hn_optimizer_step(optimizer));
    for (int i = 0; i < CLASSES * DIM; ++i)
        ck_assert_float_eq_tol(((const float *)hn_tensor_cdata(p.value))[i], before[i] - 0.1f * (float)(i + 1), 1e-6f);
    hnt_fails(hn_optimizer_add_loss(optimizer, NULL), HN_E_ARG, "loss is NULL");
    hn_optimizer_destroy(optimizer);
    hn_loss_destroy(psc);
    hn_loss_destroy(ce);
    hn_context_destroy(context);
}
END_TEST

/* Two tasks would update one tensor. */
START_TEST(a_parameter_is_added_once)
{
    hn_context *context = hnt_context(1);
    scale_layer scale;
    hn_layer *layer = NULL;
    hn_optimizer *optimizer = NULL;
    hnt_ok(scale_create(&layer, context, &scale, N));
    hnt_ok(hn_optimizer_create_sgd(&optimizer, context, NULL));
    hnt_ok(hn_optimizer_add_layer(optimizer, layer));
    hnt_fails(hn_optimizer_add_layer(optimizer, layer), HN_E_ARG, "is there already");
    hn_optimizer_destroy(optimizer);
    hn_layer_destroy(layer);
    hn_context_destroy(context);
}
END_TEST

START_TEST(bad_values_are_named)
{
    hn_context *context = hnt_context(1);
    hn_optimizer *optimizer = NULL;
    float x[1] = {1};
    hn_sgd_options o;
    hn_sgd_options_init(&o, sizeof o);
    o.lr = -1.0f;
    hnt_fails(hn_sgd_update(&o, 1, x, x, x), HN_E_ARG, "lr is -1");
    o.lr = 0.1f;
    o.momentum = 1.0f;
    hnt_fails(hn_optimizer_create_sgd(&optimizer, context, &o), HN_E_ARG, "momentum is 1");
    o.momentum = 0.5f;
    o.weight_decay = NAN;
    hnt_fails(hn_optimizer_create_sgd(&optimizer, context, &o), HN_E_ARG, "weight_decay is");
    ck_assert_ptr_null(optimizer);
    hnt_fails(hn_sgd_update(NULL, -1, x, x, x), HN_E_ARG, "n is -1");
    hnt_fails(hn_sgd_update(NULL, 1, x, NULL, x), HN_E_ARG, "velocity is NULL");
    hnt_ok(hn_optimizer_create_sgd(&optimizer, context, NULL));
    hnt_fails(hn_optimizer_set_lr(optimizer, (double)INFINITY), HN_E_ARG, "lr is inf");
    hnt_fails(hn_optimizer_add_layer(optimizer, NULL), HN_E_ARG, "layer is NULL");
    hnt_fails(hn_optimizer_add(optimizer, NULL), HN_E_ARG, "param is NULL");
    hn_optimizer_destroy(optimizer);
    hn_optimizer_destroy(NULL);
    hn_context_destroy(context);
}
END_TEST

static hn_status attempt(hn_context *context, const void *unused)
{
    (void)unused;
    hn_layer *layer = NULL;
    hn_optimizer *optimizer = NULL;
    scale_layer scale;
    hn_status status = scale_create(&layer, context, &scale, N);
    if (status == HN_OK)
        status = hn_optimizer_create_sgd(&optimizer, context, NULL);
    if (status == HN_OK)
        status = hn_optimizer_add_layer(optimizer, layer);
    hn_optimizer_destroy(optimizer);
    hn_layer_destroy(layer);
    return status;
}

START_TEST(every_allocation_may_fail)
{
    hnt_survives(attempt, NULL, 8);
}
END_TEST

/* Whichever allocation fails while a layer of several parameters is added: the optimizer then moves none of them. */
START_TEST(a_layer_is_added_whole_or_not_at_all)
{
    int64_t failures = 0;
    for (int64_t at = 0; at < 40; ++at) {
        hnt_counter counter = {.fail_at = -1};
        hn_context *context = NULL;
        hn_layer *layer = NULL, *child = NULL;
        hn_optimizer *optimizer = NULL;
        scale_layer scale[5];
        hnt_ok(hnt_counting_context(&context, &counter, 1));
        hnt_ok(hn_sequential_create(&layer, context));
        for (int i = 0; i < 5; ++i) {
            hnt_ok(scale_create(&child, context, &scale[i], N));
            hnt_ok(hn_layer_add_child(layer, (const char *[]){"a", "b", "c", "d", "e"}[i], child));
            hnt_normal(6, hn_tensor_data(scale[i].weight), N);
            hnt_normal(7, hn_tensor_data(scale[i].grad), N);
        }
        hnt_ok(hn_optimizer_create_sgd(&optimizer, context, NULL));
        counter.fail_at = counter.calls + at;
        const hn_status status = hn_optimizer_add_layer(optimizer, layer);
        counter.fail_at = -1;
        hnt_ok(hn_optimizer_step(optimizer));
        float start[N];
        hnt_normal(6, start, N);
        for (int i = 0; i < 5; ++i)
            ck_assert_int_eq(memcmp(hn_tensor_cdata(scale[i].weight), start, sizeof start) == 0, status != HN_OK);
        failures += status == HN_E_NOMEM;
        hn_optimizer_destroy(optimizer);
        hn_layer_destroy(layer);
        hn_context_destroy(context);
        ck_assert_int_eq(counter.alive, 0);
        if (status == HN_OK)
            break;
    }
    ck_assert_int_ge(failures, 5); /* each parameter has a momentum */
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("optimizer");
    TCase *unit = hnt_case(s, "unit");
    tcase_add_test(unit, parameters_of_all_kinds);
    tcase_add_test(unit, momentum_moves_to_another_optimizer);
    tcase_add_test(unit, parameters_of_a_loss);
    tcase_add_test(unit, bad_values_are_named);
    tcase_add_test(unit, a_parameter_is_added_once);
#ifdef HNI_HAVE_JANSSON
    tcase_add_test(hnt_case(s, "golden"), follows_torch);
#endif
    TCase *oom = hnt_case(s, "oom");
    tcase_add_test(oom, every_allocation_may_fail);
    tcase_add_test(oom, a_layer_is_added_whole_or_not_at_all);
    return s;
}

HNT_MAIN(suite)
