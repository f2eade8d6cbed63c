/* Losses as objects: each gives what its pure function gives; parameters, growth, misuse, failing allocations. */
#include "loss_object.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = 40, C = 7, DIM = 9 };

typedef struct fixture {
    hn_context *context;
    hn_tensor *x, *dx;
    int32_t labels[N];
} fixture;

static fixture start(int64_t cols)
{
    fixture f = {.context = hnt_context(2)};
    f.x = hnt_tensor(f.context, N, cols, 1);
    f.dx = hnt_tensor(f.context, N, cols, 2); /* to be overwritten */
    for (int32_t i = 0; i < N; ++i)
        f.labels[i] = i % 9 == 4 ? -1 : i % C;
    return f;
}

static void stop(fixture *f, hn_loss *loss)
{
    hn_loss_destroy(loss);
    hn_tensor_destroy(f->x);
    hn_tensor_destroy(f->dx);
    hn_context_destroy(f->context);
}

static hn_cmatf matrix(const hn_tensor *t)
{
    const int64_t *dim = hn_tensor_desc(t)->dim;
    return (hn_cmatf){hn_tensor_cdata(t), dim[0], dim[1], dim[1]};
}

/* value and scaled gradient must be the pure function's, bit by bit. */
static void compare(const fixture *f, double got, double want, const float *dx)
{
    ck_assert_double_eq(got, want);
    ck_assert_mem_eq(hn_tensor_cdata(f->dx), dx, hn_tensor_bytes(f->dx));
}

/* ---- unit ------------------------------------------------------------------------------------------------------------ */

START_TEST(cross_entropy_is_the_pure_function)
{
    fixture f = start(C);
    float weight[C], adjustment[C], dx[N * C];
    hn_loss_ce_options o;
    hn_loss_ce_options_init(&o, sizeof o);
    for (int c = 0; c < C; ++c) {
        weight[c] = 1.0f + (float)c;
        adjustment[c] = -0.1f * (float)c;
    }
    o.class_weight = weight;
    o.logit_adjustment = adjustment;
    o.label_smoothing = 0.1f;
    hn_loss *loss = NULL;
    o.grad_beta = 3.0f; /* has no say in an object: dinput is overwritten */
    o.grad_scale = 3.0f;
    hnt_ok(hn_loss_create_ce(&loss, f.context, C, &o));
    o.grad_beta = 0.0f;
    double value = 0, want = 0;
    size_t bytes;
    hnt_ok(hn_loss_ce_scratch(&o, N, C, &bytes));
    hn_scratch scratch = hnt_scratch(bytes);
    hn_cmatf x = matrix(f.x);
    o.grad_scale = 0.3f;
    hnt_ok(hn_loss_ce(&o, &x, f.labels, &want, NULL, &(hn_matf){dx, N, C, C}, &scratch));
    memset(weight, 0, sizeof weight); /* the object has copies */
    memset(adjustment, 0, sizeof adjustment);
    hnt_ok(hn_loss_apply(loss, f.x, f.labels, 0.3f, &value, f.dx));
    compare(&f, value, want, dx);
    hnt_ok(hn_loss_init_params(loss, &(hn_rng){{0}}));
    ck_assert_int_eq(hn_loss_param_count(loss), 0);
    free(scratch.data);
    stop(&f, loss);
}
END_TEST

START_TEST(supcon_is_the_pure_function)
{
    fixture f = start(DIM);
    hn_loss_sc_options o;
    hn_loss_sc_options_init(&o, sizeof o);
    o.temperature = 0.3f;
    o.reduction = HN_REDUCE_SUM;
    hn_loss *loss = NULL;
    hnt_ok(hn_loss_create_sc(&loss, f.context, &o));
    double value = 0, want = 0;
    float dx[N * DIM];
    size_t bytes;
    hnt_ok(hn_loss_sc_scratch(&o, N, DIM, &bytes));
    hn_scratch scratch = hnt_scratch(bytes);
    hn_cmatf x = matrix(f.x);
    o.grad_scale = -2.0f;
    hnt_ok(hn_loss_sc(&o, &x, f.labels, &want, NULL, &(hn_matf){dx, N, DIM, DIM}, &scratch));
    hnt_ok(hn_loss_apply(loss, f.x, f.labels, -2.0f, &value, f.dx));
    compare(&f, value, want, dx);
    free(scratch.data);
    stop(&f, loss);
}
END_TEST

START_TEST(psc_is_the_pure_function_and_adds_to_its_parameter)
{
    fixture f = start(DIM);
    hn_loss_psc_options o;
    hn_loss_psc_options_init(&o, sizeof o);
    o.temperature = 0.5f;
    o.prototypes_per_class = 2;
    hn_loss *loss = NULL;
    hnt_ok(hn_loss_create_psc(&loss, f.context, C, DIM, &o));
    ck_assert_int_eq(hn_loss_param_count(loss), 1);
    hn_param param = {.struct_size = sizeof param};
    hnt_ok(hn_loss_param(loss, 0, &param));
    ck_assert_str_eq(param.name, "prototypes");
    ck_assert_int_eq(hn_tensor_desc(param.value)->dim[0], 2 * C);
    ck_assert_int_eq(hn_tensor_desc(param.value)->dim[1], DIM);
    float *p = hn_tensor_data(param.value), *dp = hn_tensor_data(param.grad);
    for (int i = 0; i < 2 * C * DIM; ++i)
        ck_assert_float_eq(p[i], 0.0f);

    hn_rng rng;
    hn_rng_seed(&rng, 5, 0);
    const hn_rng before = rng;
    hnt_ok(hn_loss_init_params(loss, &rng));
    ck_assert_mem_eq(&rng, &before, sizeof rng);
    for (int i = 0; i < 2 * C; ++i) {
        double square = 0;
        for (int d = 0; d < DIM; ++d)
            square += (double)p[i * DIM + d] * (double)p[i * DIM + d];
        ck_assert_double_eq_tol(square, 1.0, 1e-6);
    }
    ck_assert_mem_ne(p, p + DIM, DIM * sizeof *p);

    double value = 0, want = 0;
    float dx[N * DIM], want_dp[2 * C * DIM];
    size_t bytes;
    hnt_ok(hn_loss_psc_scratch(&o, N, C, DIM, &bytes));
    hn_scratch scratch = hnt_scratch(bytes);
    hn_cmatf x = matrix(f.x), prototypes = matrix(param.value);
    o.grad_scale = 0.25f;
    hnt_ok(hn_loss_psc(&o, &x, &prototypes, f.labels, &want, NULL, &(hn_matf){dx, N, DIM, DIM},
                       &(hn_matf){want_dp, 2 * C, DIM, DIM}, &scratch));
    for (int i = 0; i < 2 * C * DIM; ++i)
        dp[i] = 1.0f;
    hnt_ok(hn_loss_apply(loss, f.x, f.labels, 0.25f, &value, f.dx));
    compare(&f, value, want, dx);
    for (int i = 0; i < 2 * C * DIM; ++i)
        want_dp[i] += 1.0f;
    hnt_close_f("grad", dp, want_dp, 2 * C * DIM, 1e-7);

    /* Without dinput there are no gradients at all. */
    float kept[2 * C * DIM];
    memcpy(kept, dp, sizeof kept);
    value = 0;
    hnt_ok(hn_loss_apply(loss, f.x, f.labels, 0.25f, &value, NULL));
    ck_assert_double_eq(value, want);
    ck_assert_mem_eq(dp, kept, sizeof kept);
    hnt_ok(hn_loss_apply(loss, f.x, f.labels, 0.25f, NULL, NULL));
    free(scratch.data);
    stop(&f, loss);
}
END_TEST

START_TEST(batches_may_differ_in_rows)
{
    static const int64_t rows[] = {3, 40, 1, 39, 0, 40};
    hn_context *context = hnt_context(1);
    hn_loss *kinds[3] = {NULL, NULL, NULL};
    int32_t labels[N];
    for (int32_t i = 0; i < N; ++i)
        labels[i] = i % C;
    hnt_ok(hn_loss_create_ce(&kinds[0], context, DIM, NULL));
    hnt_ok(hn_loss_create_sc(&kinds[1], context, NULL));
    hnt_ok(hn_loss_create_psc(&kinds[2], context, C, DIM, NULL));
    for (int k = 0; k < 3; ++k) {
        double at_first = NAN;
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; ++i) {
            hn_tensor *x = hnt_tensor(context, rows[i], DIM, 4), *dx = hnt_tensor(context, rows[i], DIM, 5);
            double value = NAN;
            hnt_ok(hn_loss_apply(kinds[k], x, labels, 1.0f, &value, dx));
            ck_assert(isfinite(value));
            if (i == 1)
                at_first = value;
            if (i == 5)
                ck_assert_double_eq(value, at_first);
            hn_tensor_destroy(x);
            hn_tensor_destroy(dx);
        }
        hn_loss_destroy(kinds[k]);
    }
    hn_context_destroy(context);
}
END_TEST

START_TEST(misuse_is_named)
{
    fixture f = start(DIM);
    hn_loss *loss = NULL, *ce = NULL, *none = NULL;
    hn_loss_psc_options o;
    hn_loss_psc_options_init(&o, sizeof o);
    hnt_fails(hn_loss_create_ce(NULL, f.context, C, NULL), HN_E_ARG, "out is NULL");
    hnt_fails(hn_loss_create_ce(&none, NULL, C, NULL), HN_E_ARG, "context is NULL");
    hnt_fails(hn_loss_create_ce(&none, f.context, 0, NULL), HN_E_ARG, "classes is 0");
    hnt_fails(hn_loss_create_sc(NULL, f.context, NULL), HN_E_ARG, "out is NULL");
    hnt_fails(hn_loss_create_psc(NULL, f.context, C, DIM, NULL), HN_E_ARG, "out is NULL");
    hnt_fails(hn_loss_create_psc(&none, f.context, C, 0, NULL), HN_E_ARG, "dim is 0");
    o.prototypes_per_class = INT32_MAX;
    hnt_fails(hn_loss_create_psc(&none, f.context, C, DIM, &o), HN_E_SHAPE, "too many prototypes");
    o.prototypes_per_class = 1;
    o.temperature = -1.0f;
    hnt_fails(hn_loss_create_psc(&none, f.context, C, DIM, &o), HN_E_ARG, "temperature is -1");
    hn_loss_sc_options sc;
    hn_loss_sc_options_init(&sc, sizeof sc);
    sc.temperature = NAN;
    hnt_fails(hn_loss_create_sc(&none, f.context, &sc), HN_E_ARG, "temperature is nan");
    const float weight[C] = {-1.0f};
    hn_loss_ce_options weighted;
    hn_loss_ce_options_init(&weighted, sizeof weighted);
    weighted.class_weight = weight;
    hnt_fails(hn_loss_create_ce(&none, f.context, C, &weighted), HN_E_ARG, "class_weight[0] is -1");
    weighted.class_weight = NULL;
    weighted.label_smoothing = 2.0f;
    hnt_fails(hn_loss_create_ce(&none, f.context, C, &weighted), HN_E_ARG, "label_smoothing is 2");
    ck_assert_ptr_null(none);

    o.temperature = 0.1f;
    o.assign = HN_ASSIGN_GIVEN; /* an array for the rows of one call */
    o.assignment = weight;
    hnt_fails(hn_loss_create_psc(&none, f.context, C, DIM, &o), HN_E_ARG, "HN_ASSIGN_GIVEN");
    ck_assert_ptr_null(none);
    o.assign = HN_ASSIGN_SOFT;
    hnt_ok(hn_loss_create_psc(&loss, f.context, C, DIM, &o));
    hnt_ok(hn_loss_create_ce(&ce, f.context, C, NULL));
    hn_tensor *flat = NULL, *narrow = hnt_tensor(f.context, N, DIM - 1, 1);
    hnt_ok(hn_tensor_create(&flat, f.context, &(hn_desc){HN_F32, 1, {N}}));
    double value = 77.0;
    hnt_normal(9, hn_tensor_data(f.dx), N * DIM);
    float first = *(const float *)hn_tensor_cdata(f.dx);
    hnt_fails(hn_loss_apply(NULL, f.x, f.labels, 1.0f, &value, f.dx), HN_E_ARG, "loss is NULL");
    hnt_fails(hn_loss_apply(loss, NULL, f.labels, 1.0f, &value, f.dx), HN_E_ARG, "input is NULL");
    hnt_fails(hn_loss_apply(loss, f.x, NULL, 1.0f, &value, f.dx), HN_E_ARG, "labels is NULL");
    hnt_fails(hn_loss_apply(loss, flat, f.labels, 1.0f, &value, f.dx), HN_E_SHAPE, "f32 40");
    hnt_fails(hn_loss_apply(loss, f.x, f.labels, 1.0f, &value, narrow), HN_E_SHAPE, "40x8");
    hnt_fails(hn_loss_apply(loss, narrow, f.labels, 1.0f, &value, NULL), HN_E_SHAPE, "8 columns");
    hnt_fails(hn_loss_apply(ce, f.x, f.labels, 1.0f, &value, f.dx), HN_E_SHAPE, "9 columns");
    hnt_fails(hn_loss_apply(loss, f.x, f.labels, NAN, &value, f.dx), HN_E_ARG, "grad_scale");
    f.labels[8] = C;
    hnt_fails(hn_loss_apply(loss, f.x, f.labels, 1.0f, &value, f.dx), HN_E_LABEL, "row 8");
    ck_assert_double_eq(value, 77.0);
    ck_assert_float_eq(*(const float *)hn_tensor_cdata(f.dx), first);
    hn_param param = {.struct_size = sizeof param};
    hn_rng rng;
    hn_rng_seed(&rng, 1, 0);
    hnt_fails(hn_loss_param(loss, 1, &param), HN_E_ARG, "index is 1");
    hnt_fails(hn_loss_param(ce, 0, &param), HN_E_ARG, "0 parameters");
    hnt_fails(hn_loss_param(loss, 0, NULL), HN_E_ARG, "param is NULL");
    hnt_fails(hn_loss_init_params(NULL, &rng), HN_E_ARG, "loss is NULL");
    hnt_fails(hn_loss_init_params(loss, NULL), HN_E_ARG, "rng is NULL");
    ck_assert_int_eq(hn_loss_param_count(NULL), 0);
    hn_loss_destroy(NULL);
    hn_loss_destroy(ce);
    hn_tensor_destroy(flat);
    hn_tensor_destroy(narrow);
    stop(&f, loss);
}
END_TEST

/* ---- oom ------------------------------------------------------------------------------------------------------------- */

static hn_status create_ce(hn_loss **out, hn_context *context)
{
    static const float ones[C] = {1, 1, 1, 1, 1, 1, 1};
    hn_loss_ce_options o;
    hn_loss_ce_options_init(&o, sizeof o);
    o.class_weight = o.logit_adjustment = ones;
    return hn_loss_create_ce(out, context, C, &o);
}

static hn_status create_sc(hn_loss **out, hn_context *context)
{
    return hn_loss_create_sc(out, context, NULL);
}

static hn_status create_psc(hn_loss **out, hn_context *context)
{
    return hn_loss_create_psc(out, context, C, C, NULL);
}

START_TEST(every_allocation_may_fail)
{
    static const hnt_loss_object objects[] = {
        {create_ce, N, C, C, 0, 4}, {create_sc, N, C, C, 0, 4}, {create_psc, N, C, C, 0, 4}};
    for (size_t i = 0; i < sizeof objects / sizeof *objects; ++i) {
        hnt_loss_survives(&objects[i]);
        hnt_loss_steps(&objects[i]);
    }
}
END_TEST

START_TEST(scratch_only_grows)
{
    for (int kind = 0; kind < 3; ++kind) {
        hnt_counter counter = {.fail_at = -1};
        hn_context *context = NULL;
        hnt_ok(hnt_counting_context(&context, &counter, 1));
        hn_loss *loss = NULL;
        hnt_ok(kind == 0   ? hn_loss_create_ce(&loss, context, C, NULL)
               : kind == 1 ? hn_loss_create_sc(&loss, context, NULL)
                           : hn_loss_create_psc(&loss, context, C, C, NULL));
        hn_tensor *large = hnt_tensor(context, N, C, 1), *small = hnt_tensor(context, N / 2, C, 1);
        int32_t labels[N] = {0};
        hnt_ok(hn_loss_apply(loss, large, labels, 1.0f, NULL, NULL));
        int64_t calls = counter.calls;
        hnt_ok(hn_loss_apply(loss, small, labels, 1.0f, NULL, NULL));
        hnt_ok(hn_loss_apply(loss, large, labels, 1.0f, NULL, NULL));
        ck_assert_int_eq(counter.calls, calls);
        hn_tensor_destroy(large);
        hn_tensor_destroy(small);
        hn_loss_destroy(loss);
        hn_context_destroy(context);
        ck_assert_int_eq(counter.alive, 0);
    }
}
END_TEST

/* Weights set later are those of the creator; the arrays are copies. */
START_TEST(class_weights_may_change)
{
    fixture f = start(C);
    hn_loss *loss = NULL, *weighted = NULL, *sc = NULL;
    float weights[C], margin[C], smoothing[C];
    double plain, value, want;
    for (int c = 0; c < C; ++c) {
        weights[c] = (float)(c + 1);
        margin[c] = 0.1f * (float)c;
        smoothing[c] = 0.05f * (float)c;
    }
    hn_loss_ce_options o;
    hn_loss_ce_options_init(&o, sizeof o);
    o.margin = margin;
    o.class_smoothing = smoothing;
    hnt_ok(hn_loss_create_ce(&loss, f.context, C, &o));
    o.class_weight = weights;
    hnt_ok(hn_loss_create_ce(&weighted, f.context, C, &o));
    hnt_ok(hn_loss_apply(loss, f.x, f.labels, 1.0f, &plain, NULL));
    hnt_ok(hn_loss_apply(weighted, f.x, f.labels, 1.0f, &want, NULL));
    ck_assert(fabs(plain - want) > 1e-3);
    hnt_ok(hn_loss_set_class_weights(loss, weights));
    hnt_ok(hn_loss_begin_epoch(loss, 3)); /* nothing to CE */
    memset(margin, 0, sizeof margin);
    memset(smoothing, 0, sizeof smoothing);
    const float first = weights[0];
    weights[0] = -1.0f;
    hnt_fails(hn_loss_set_class_weights(loss, weights), HN_E_ARG, "class_weight[0] is -1");
    hnt_ok(hn_loss_apply(loss, f.x, f.labels, 1.0f, &value, NULL));
    ck_assert_double_eq(value, want);
    weights[0] = first;
    hnt_ok(hn_loss_set_class_weights(weighted, NULL));
    hnt_ok(hn_loss_apply(weighted, f.x, f.labels, 1.0f, &value, NULL));
    ck_assert_double_eq(value, plain);
    hnt_ok(hn_loss_create_sc(&sc, f.context, NULL));
    hnt_fails(hn_loss_set_class_weights(sc, weights), HN_E_UNSUPPORTED, "supervised contrastive");
    hnt_fails(hn_loss_set_class_weights(NULL, weights), HN_E_ARG, "loss is NULL");
    hnt_fails(hn_loss_begin_epoch(sc, -1), HN_E_ARG, "epoch is -1");
    hn_loss_destroy(sc);
    hn_loss_destroy(weighted);
    stop(&f, loss);
}
END_TEST

START_TEST(prototypes_may_be_set)
{
    fixture f = start(DIM);
    hn_loss *loss = NULL, *sc = NULL;
    hn_param param = {.struct_size = sizeof param};
    float values[C * (DIM + 1)];
    hnt_normal(8, values, C * (DIM + 1));
    hnt_ok(hn_loss_create_psc(&loss, f.context, C, DIM, NULL));
    hnt_ok(hn_loss_create_sc(&sc, f.context, NULL));
    hnt_ok(hn_loss_set_params(loss, &(hn_cmatf){values, C, DIM, DIM + 1}));
    hnt_ok(hn_loss_param(loss, 0, &param));
    for (int c = 0; c < C; ++c)
        ck_assert_mem_eq((const float *)hn_tensor_cdata(param.value) + c * DIM, values + c * (DIM + 1),
                         DIM * sizeof *values);
    hnt_fails(hn_loss_set_params(sc, &(hn_cmatf){values, C, DIM, DIM}), HN_E_UNSUPPORTED, "has no parameters");
    hnt_fails(hn_loss_set_params(loss, &(hn_cmatf){values, C - 1, DIM, DIM}), HN_E_SHAPE, "values is 6x9");
    hnt_fails(hn_loss_set_params(loss, NULL), HN_E_ARG, "values is NULL");
    hnt_fails(hn_loss_set_params(NULL, NULL), HN_E_ARG, "loss is NULL");
    const float kept = ((const float *)hn_tensor_cdata(param.value))[0];
    values[0] += 1.0f;
    values[5] = NAN;
    hnt_fails(hn_loss_set_params(loss, &(hn_cmatf){values, C, DIM, DIM}), HN_E_NONFINITE, "column 5");
    ck_assert_float_eq(((const float *)hn_tensor_cdata(param.value))[0], kept);
    hn_loss_destroy(sc);
    stop(&f, loss);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("loss");
    TCase *unit = hnt_case(s, "unit"), *oom = hnt_case(s, "oom");
    tcase_add_test(unit, cross_entropy_is_the_pure_function);
    tcase_add_test(unit, supcon_is_the_pure_function);
    tcase_add_test(unit, psc_is_the_pure_function_and_adds_to_its_parameter);
    tcase_add_test(unit, batches_may_differ_in_rows);
    tcase_add_test(unit, class_weights_may_change);
    tcase_add_test(unit, prototypes_may_be_set);
    tcase_add_test(unit, misuse_is_named);
    tcase_add_test(oom, every_allocation_may_fail);
    tcase_add_test(oom, scratch_only_grows);
    return s;
}

HNT_MAIN(suite)
