/* The norm of all gradients, clipping, and the gradient that is not finite. */
#include "support.h"

#include <math.h>
#include <string.h>

enum { PARAMS = 5 };

/* Parameters of uneven sizes, a buffer among them. */
typedef struct model {
    hn_context *context;
    hn_param params[PARAMS];
} model;

static const int64_t sizes[PARAMS] = {7, 40000, 3, 100003, 1};
static const char *const names[PARAMS] = {"conv1.weight", "fc.weight", "bn1.running_mean", "layer1.weight", "fc.bias"};

static void make_model(model *m, int32_t threads)
{
    m->context = hnt_context(threads);
    for (int p = 0; p < PARAMS; ++p) {
        const hn_desc desc = {HN_F32, 1, {sizes[p]}};
        m->params[p] = (hn_param){.struct_size = sizeof m->params[p], .name = names[p]};
        hnt_ok(hn_tensor_create(&m->params[p].value, m->context, &desc));
        if (p == 2)
            continue;
        hnt_ok(hn_tensor_create(&m->params[p].grad, m->context, &desc));
        hnt_normal((uint64_t)p, hn_tensor_data(m->params[p].grad), sizes[p]);
    }
}

static void drop_model(model *m)
{
    for (int p = 0; p < PARAMS; ++p) {
        hn_tensor_destroy(m->params[p].value);
        hn_tensor_destroy(m->params[p].grad);
    }
    hn_context_destroy(m->context);
}

static double norm_of(const model *m)
{
    double sum = 0.0;
    for (int p = 0; p < PARAMS; ++p)
        for (int64_t i = 0; m->params[p].grad != NULL && i < sizes[p]; ++i)
            sum += pow((double)((const float *)hn_tensor_cdata(m->params[p].grad))[i], 2);
    return sqrt(sum);
}

START_TEST(the_norm_is_of_all_gradients)
{
    model m;
    make_model(&m, 2);
    double norm = 0.0;
    const double want = norm_of(&m);
    hnt_ok(hn_gradients_clip(m.context, m.params, PARAMS, 0.0, &norm));
    hnt_close_d("norm", norm, want, 1e-12);
    hnt_close_d("left alone", norm_of(&m), want, 1e-15);
    hnt_ok(hn_gradients_clip(m.context, NULL, 0, 1.0, &norm));
    ck_assert(norm == 0.0);
    drop_model(&m);
}
END_TEST

/* PyTorch: coefficient max_norm / (norm + 1e-6), at most 1. */
START_TEST(clipping_scales_to_the_norm_that_is_allowed)
{
    model m;
    make_model(&m, 2);
    double norm = 0.0;
    const double before = norm_of(&m);
    const float first = ((const float *)hn_tensor_cdata(m.params[0].grad))[3];
    hnt_ok(hn_gradients_clip(m.context, m.params, PARAMS, 2.5, &norm));
    hnt_close_d("norm before", norm, before, 1e-12);
    hnt_close_d("norm after", norm_of(&m), 2.5, 1e-6);
    hnt_close_d("one value", (double)((const float *)hn_tensor_cdata(m.params[0].grad))[3],
                (double)first * 2.5 / (before + 1e-6), 1e-6);
    hnt_ok(hn_gradients_clip(m.context, m.params, PARAMS, 100.0, NULL)); /* far below: nothing to do */
    hnt_close_d("norm after", norm_of(&m), 2.5, 1e-6);
    drop_model(&m);
}
END_TEST

START_TEST(what_is_not_finite_is_named_and_nothing_changes)
{
    model m;
    make_model(&m, 2);
    float *grad = hn_tensor_data(m.params[3].grad), before = grad[0];
    double norm = 17.0;
    grad[100000] = -INFINITY;
    hnt_fails(hn_gradients_clip(m.context, m.params, PARAMS, 1.0, &norm), HN_E_NONFINITE,
              "the gradient of layer1.weight is -inf at its value 100000");
    ck_assert(norm == 17.0 && grad[0] == before);
    grad[100000] = NAN;
    hnt_fails(hn_gradients_clip(m.context, m.params, PARAMS, 0.0, NULL), HN_E_NONFINITE, "layer1.weight is nan");
    grad[100000] = 3e38f; /* its square is beyond a float, and fine */
    hnt_ok(hn_gradients_clip(m.context, m.params, PARAMS, 1.0, &norm));
    hnt_close_d("norm", norm, 3e38, 1e-6);
    drop_model(&m);
}
END_TEST

START_TEST(misuse_is_named)
{
    model m;
    make_model(&m, 1);
    hnt_fails(hn_gradients_clip(NULL, m.params, PARAMS, 1.0, NULL), HN_E_ARG, "context is NULL");
    hnt_fails(hn_gradients_clip(m.context, NULL, 1, 1.0, NULL), HN_E_ARG, "params is NULL");
    hnt_fails(hn_gradients_clip(m.context, m.params, -2, 1.0, NULL), HN_E_ARG, "count is -2");
    hnt_fails(hn_gradients_clip(m.context, m.params, PARAMS, -1.0, NULL), HN_E_ARG, "max_norm is -1");
    hnt_fails(hn_gradients_clip(m.context, m.params, PARAMS, (double)NAN, NULL), HN_E_ARG, "max_norm is");
    drop_model(&m);
}
END_TEST

START_TEST(the_bits_do_not_depend_on_threads)
{
    model one, more;
    make_model(&one, 1);
    double first = 0.0, other = 0.0;
    hnt_ok(hn_gradients_clip(one.context, one.params, PARAMS, 1.0, &first));
    for (int32_t threads = 2; threads <= 5; ++threads) {
        make_model(&more, threads);
        hnt_ok(hn_gradients_clip(more.context, more.params, PARAMS, 1.0, &other));
        ck_assert(memcmp(&first, &other, sizeof first) == 0);
        for (int p = 0; p < PARAMS; ++p)
            ck_assert(one.params[p].grad == NULL ||
                      memcmp(hn_tensor_cdata(one.params[p].grad), hn_tensor_cdata(more.params[p].grad),
                             hn_tensor_bytes(one.params[p].grad)) == 0);
        drop_model(&more);
    }
    drop_model(&one);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("gradients");
    TCase *unit = hnt_case(s, "unit");
    tcase_add_test(unit, the_norm_is_of_all_gradients);
    tcase_add_test(unit, clipping_scales_to_the_norm_that_is_allowed);
    tcase_add_test(unit, what_is_not_finite_is_named_and_nothing_changes);
    tcase_add_test(unit, misuse_is_named);
    tcase_add_test(hnt_case(s, "repro"), the_bits_do_not_depend_on_threads);
    return s;
}

HNT_MAIN(suite)
