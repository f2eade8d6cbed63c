/* BCL against a plain double reference, central differences and PyTorch; class averaging; the object. What it shares with the
 * other losses is the contract of loss_contract.h.                                                                      */
#include "loss_contract.h"
#include "loss_object.h"

#include <stdio.h>

static hnt_batch make(uint64_t seed, int64_t n, int64_t classes, int64_t dim, int64_t pad)
{
    hnt_batch b = hnt_batch_of(&hnt_bcl, n, classes, dim);
    b.z = hnt_matrix_of(seed, n, dim, pad);
    b.y = hnt_matrix_of(seed + 1, classes, dim, pad);
    for (int64_t i = 0; i < n; ++i) /* long-tailed: half the rows are of class 0 */
        b.labels[i] = i % 9 == 4 ? -1 - (int32_t)i : (int32_t)(i % 2 == 0 ? 0 : (i * 7 + i / 3) % classes);
    return b;
}

static hnt_batch sized(uint64_t seed, int size, int64_t pad)
{
    static const int64_t shapes[][3] = {{0, 4, 8}, {12, 4, 3}, {40, 6, 7}, {600, 2000, 24}};
    return make(seed, shapes[size][0], shapes[size][1], shapes[size][2], pad);
}

/* ---- the reference --------------------------------------------------------------------------------------------------- */

/* The loss of anchor i: for each class the mean exponential of its keys, the anchor not among them. */
static double anchor(const hnt_batch *b, const double *z, const double *p, int64_t i)
{
    double total = 0, near = 0, max = -INFINITY;
    int64_t positives = 0;
    for (int64_t k = 0; k < b->n; ++k)
        if (b->labels[k] >= 0 && k != i)
            max = fmax(max, hnt_similarity(b, z + i * b->dim, z + k * b->dim));
    for (int64_t c = 0; c < b->classes; ++c)
        max = fmax(max, hnt_similarity(b, z + i * b->dim, p + c * b->dim));
    for (int64_t c = 0; c < b->classes; ++c) {
        double s = hnt_similarity(b, z + i * b->dim, p + c * b->dim), sum = exp(s - max), pull = s;
        int64_t keys = 1;
        for (int64_t k = 0; k < b->n; ++k)
            if (b->labels[k] == c && k != i) {
                s = hnt_similarity(b, z + i * b->dim, z + k * b->dim);
                sum += exp(s - max);
                pull += s;
                ++keys;
            }
        total += sum / (double)keys;
        if (c == b->labels[i]) {
            near = pull;
            positives = keys;
        }
    }
    return max + log(total) - near / (double)positives;
}

static double evaluate(const void *arg)
{
    const hnt_reference *r = arg;
    const hnt_batch *b = r->b;
    double *z = hnt_reference_rows(b, r->z, b->n), *p = hnt_reference_rows(b, r->y, b->classes), total = 0;
    int64_t counted = 0;
    for (int64_t i = 0; i < b->n; ++i) {
        r->rows[i] = b->labels[i] < 0 ? 0 : anchor(b, z, p, i);
        counted += b->labels[i] >= 0;
        total += r->rows[i];
    }
    free(z);
    free(p);
    return hnt_reduce(b, total, counted);
}

/* ---- the contract ---------------------------------------------------------------------------------------------------- */

static const hnt_mistake mistakes[] = {{HNT_INDEX + HNT_LABELS, 5, 4, HN_E_LABEL, "label 4 of row 5"}};

static const hnt_misshape misshapes[] = {
    {HNT_INPUT, HNT_Y, 3, 2, 2, HN_E_SHAPE, "2 columns"},
    {HNT_INPUT, HNT_Y, 0, 3, 3, HN_E_SHAPE, "0 rows"},
    {HNT_GRADIENT, HNT_Y, 4, 3, 3, HN_E_SHAPE, "dprototypes is 4x3"},
};

static const hnt_missize missizes[] = {
    {{.n = 4, .classes = 0, .dim = 3}, HN_E_SHAPE, "classes is 0"},
    {{.n = -4, .classes = 3, .dim = 3}, HN_E_SHAPE, "-4"},
    {{.n = INT64_MAX, .classes = 3, .dim = 3}, HN_E_SHAPE, "z is"},
    {{.n = 4, .classes = INT64_MAX / 2, .dim = 3}, HN_E_SHAPE, "prototypes"},
    {{.n = INT32_MAX, .classes = INT32_MAX, .dim = 3}, HN_E_SHAPE, "together"},
};

static const hnt_subject subject = {.loss = &hnt_bcl,
                                    .evaluate = evaluate,
                                    .make = sized,
                                    .zero_key = 3,
                                    HNT_TABLE(mistake),
                                    HNT_TABLE(misshape),
                                    HNT_TABLE(missize)};

/* ---- unit ------------------------------------------------------------------------------------------------------------ */

START_TEST(values_follow_the_formula)
{
    static const int64_t shapes[][4] = {{1, 2, 1, 0},    {5, 3, 4, 3},   {64, 7, 16, 0}, {65, 100, 8, 1},
                                        {270, 40, 5, 2}, {3, 50, 12, 0}, {40, 1, 6, 2},  {1, 1, 3, 0}};
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; ++s)
        for (int32_t setting = 0; setting < 8; ++setting) {
            hnt_batch b = make(s, shapes[s][0], shapes[s][1], shapes[s][2], shapes[s][3]);
            b.o.normalize = (setting & 1) == 0;
            b.o.reduction = setting >> 1 & 1;
            b.o.temperature = setting >> 2 & 1 ? 1.0f : 0.2f;
            hnt_value_follows(&subject, &b);
            hnt_drop(&b);
        }
    hnt_batch wide = make(9, 2300, 3, 4, 0); /* more than one chunk of keys */
    hnt_value_follows(&subject, &wide);
    hnt_drop(&wide);
}
END_TEST

START_TEST(defaults_are_the_headers)
{
    hn_loss_bcl_options o;
    hn_loss_bcl_options_init(&o, sizeof o);
    ck_assert_uint_eq(o.struct_size, sizeof o);
    ck_assert_float_eq(o.temperature, 0.1f);
    ck_assert_int_eq(o.normalize, 1);
}
END_TEST

START_TEST(a_prototype_alone_is_nothing_to_contrast)
{
    hnt_batch b = make(7, 1, 1, 8, 0);
    hnt_ok(hnt_call(&b));
    ck_assert_double_eq_tol(b.loss, 0.0, 1e-6);
    hnt_drop(&b);
}
END_TEST

START_TEST(ignored_rows_are_not_there)
{
    hnt_batch b = make(8, 30, 5, 8, 0), kept = make(8, 30, 5, 8, 0);
    int64_t n = 0;
    for (int64_t i = 0; i < b.n; ++i)
        if (b.labels[i] >= 0) {
            memcpy(kept.z.x + n * b.dim, b.z.x + i * b.dim, (size_t)b.dim * sizeof *b.z.x);
            kept.labels[n++] = b.labels[i];
        }
    kept.n = kept.z.rows = kept.z.given = n;
    ck_assert_int_lt(n, b.n);
    hnt_ok(hnt_call(&b));
    hnt_ok(hnt_call(&kept));
    hnt_close_d("loss", b.loss, kept.loss, 1e-6);
    hnt_close_f("dprototypes", b.y.g, kept.y.g, b.classes * b.dim, 1e-6);
    for (int64_t i = 0, k = 0; i < b.n; ++i) {
        if (b.labels[i] < 0) {
            ck_assert_float_eq(b.rows[i], 0.0f);
            hnt_zeros(b.z.g + i * b.dim, b.dim);
        } else
            hnt_close_f("dz", b.z.g + i * b.dim, kept.z.g + k++ * b.dim, b.dim, 1e-5);
    }
    hnt_drop(&b);
    hnt_drop(&kept);
}
END_TEST

START_TEST(the_object_is_the_pure_function)
{
    enum { N = 30, C = 5, DIM = 6 };
    hnt_batch b = make(12, N, C, DIM, 0);
    hn_context *context = hnt_context(1);
    hn_loss *loss = NULL;
    b.o.temperature = 0.3f;
    hnt_fails(hn_loss_create_bcl(NULL, context, C, DIM, NULL), HN_E_ARG, "out is NULL");
    hnt_fails(hn_loss_create_bcl(&loss, NULL, C, DIM, NULL), HN_E_ARG, "context is NULL");
    hnt_fails(hn_loss_create_bcl(&loss, context, 0, DIM, NULL), HN_E_ARG, "classes is 0");
    b.o.temperature = -1.0f;
    hnt_fails(hn_loss_create_bcl(&loss, context, C, DIM, &b.o.bcl), HN_E_ARG, "temperature is -1");
    ck_assert_ptr_null(loss);
    b.o.temperature = 0.3f;
    hnt_ok(hn_loss_create_bcl(&loss, context, C, DIM, &b.o.bcl));
    ck_assert_int_eq(hn_loss_param_count(loss), 1);
    hn_param param = {.struct_size = sizeof param};
    hnt_ok(hn_loss_param(loss, 0, &param));
    ck_assert_str_eq(param.name, "prototypes");
    float *value = hn_tensor_data(param.value), *grad = hn_tensor_data(param.grad);
    memcpy(value, b.y.x, C * DIM * sizeof *value);
    for (int i = 0; i < C * DIM; ++i)
        grad[i] = 1.0f;
    hn_tensor *x = NULL, *dx = NULL, *narrow = NULL;
    hnt_ok(hn_tensor_create(&x, context, &(hn_desc){HN_F32, 2, {N, DIM}}));
    hnt_ok(hn_tensor_create(&dx, context, &(hn_desc){HN_F32, 2, {N, DIM}}));
    hnt_ok(hn_tensor_create(&narrow, context, &(hn_desc){HN_F32, 2, {N, DIM - 1}}));
    memcpy(hn_tensor_data(x), b.z.x, N * DIM * sizeof *b.z.x);
    double got = 0;
    hnt_fails(hn_loss_apply(loss, narrow, b.labels, 1.0f, &got, NULL), HN_E_SHAPE, "5 columns");
    hnt_ok(hn_loss_apply(loss, x, b.labels, -2.0f, &got, dx));
    b.o.grad_scale = -2.0f;
    hnt_ok(hnt_call(&b));
    ck_assert_double_eq(got, b.loss);
    ck_assert_mem_eq(hn_tensor_cdata(dx), b.z.g, N * DIM * sizeof *b.z.g);
    for (int i = 0; i < C * DIM; ++i)
        b.y.g[i] += 1.0f;
    hnt_close_f("grad", grad, b.y.g, C * DIM, 1e-6);
    hn_tensor_destroy(narrow);
    hn_tensor_destroy(x);
    hn_tensor_destroy(dx);
    hn_loss_destroy(loss);
    hn_context_destroy(context);
    hnt_drop(&b);
}
END_TEST

/* ---- grad ------------------------------------------------------------------------------------------------------------ */

START_TEST(gradients_follow_differences)
{
    for (int32_t setting = 0; setting < 8; ++setting) {
        hnt_batch b = make(20 + (uint64_t)setting, 14, 5, 4, setting & 1);
        b.o.normalize = (setting & 1) == 0;
        b.o.reduction = setting >> 1 & 1;
        b.o.temperature = setting >> 2 & 1 ? 0.15f : 0.5f;
        hnt_gradients_follow(&subject, &b, 1e-5);
        hnt_drop(&b);
    }
}
END_TEST

/* ---- golden ---------------------------------------------------------------------------------------------------------- */

START_TEST(pytorch_agrees)
{
    enum { N = 33, C = 7, DIM = 11 };
    static const float temperatures[] = {0.05f, 0.1f, 1.0f};
    static const char *const reductions[] = {"mean", "sum"};
    hn_context *context = hnt_context(1);
    hn_safetensors *file = hnt_golden_open(context, "balanced_contrastive");
    for (int32_t setting = 0; setting < 12; ++setting) {
        hnt_batch b = make(0, N, C, DIM, 0);
        char name[64];
        b.o.normalize = setting & 1;
        b.o.reduction = setting >> 1 & 1;
        b.o.temperature = temperatures[setting / 4];
        memcpy(b.z.x, hnt_golden_f(file, "z", N * DIM), N * DIM * sizeof *b.z.x);
        memcpy(b.y.x, hnt_golden_f(file, "prototypes", C * DIM), C * DIM * sizeof *b.y.x);
        memcpy(b.labels, hnt_golden_i(file, "labels", N), N * sizeof *b.labels);
        for (int64_t i = 0; !b.o.normalize && i < N * DIM; ++i)
            b.z.x[i] /= 4;
        for (int64_t i = 0; !b.o.normalize && i < C * DIM; ++i)
            b.y.x[i] /= 4;
        snprintf(name, sizeof name, "%d.%g.%s", (int)b.o.normalize, (double)b.o.temperature, reductions[b.o.reduction]);
        hnt_golden_agrees(file, name, &b, 1, 1e-5, 1e-4);
        hnt_drop(&b);
    }
    hn_safetensors_close(file);
    hn_context_destroy(context);
}
END_TEST

/* ---- property -------------------------------------------------------------------------------------------------------- */

START_TEST(copies_of_another_class_change_nothing)
{
    /* Ten copies of the prototype of class 1 as rows of class 1: for anchors of class 0 the class counts as before. */
    enum { N = 4, MORE = 10, C = 3, DIM = 5 };
    hnt_batch few = make(30, N, C, DIM, 0), many = make(30, N + MORE, C, DIM, 0);
    for (int i = 0; i < N + MORE; ++i) {
        memcpy(many.z.x + i * DIM, i < N ? few.z.x + i * DIM : few.y.x + DIM, DIM * sizeof *few.z.x);
        many.labels[i] = i >= N;
        if (i < N)
            few.labels[i] = 0;
    }
    memcpy(many.y.x, few.y.x, C * DIM * sizeof *few.y.x);
    hnt_ok(hnt_call(&few));
    hnt_ok(hnt_call(&many));
    hnt_close_f("row_loss", many.rows, few.rows, N, 1e-6);
    hnt_drop(&few);
    hnt_drop(&many);
}
END_TEST

START_TEST(one_row_a_class_is_supcon_with_prototypes)
{
    /* Every class has one row and its prototype: each key of another class weighs 1/2, the own one 1. */
    enum { C = 6, DIM = 7 };
    hnt_batch b = make(31, C, C, DIM, 0);
    for (int32_t i = 0; i < C; ++i)
        b.labels[i] = i;
    b.o.temperature = 0.5f;
    hnt_ok(hnt_call(&b));
    double *z = hnt_dense_d(b.z.x, C, DIM, DIM), *p = hnt_dense_d(b.y.x, C, DIM, DIM);
    hnt_unit_rows(z, C, DIM);
    hnt_unit_rows(p, C, DIM);
    for (int i = 0; i < C; ++i) {
        double own = hnt_similarity(&b, z + i * DIM, p + i * DIM), sum = exp(own);
        for (int k = 0; k < C; ++k)
            if (k != i)
                sum += 0.5 * (exp(hnt_similarity(&b, z + i * DIM, z + k * DIM)) +
                              exp(hnt_similarity(&b, z + i * DIM, p + k * DIM)));
        hnt_close_d("row", (double)b.rows[i], log(sum) - own, 1e-6);
    }
    free(z);
    free(p);
    hnt_drop(&b);
}
END_TEST

START_TEST(any_temperature_and_scale_is_finite)
{
    static const float temperatures[] = {0.005f, 0.02f, 0.1f, 1.0f, 100.0f}, scales[] = {1e-20f, 1.0f, 1e20f};
    for (size_t t = 0; t < 5; ++t)
        for (size_t s = 0; s < 3; ++s) {
            hnt_batch b = make(50, 24, 6, 8, 0);
            b.o.temperature = temperatures[t];
            for (int64_t d = 0; d < b.dim; ++d) {
                b.z.x[d] = b.y.x[d];                  /* a row on a prototype */
                b.z.x[b.dim + d] = -b.y.x[b.dim + d]; /* opposite of one      */
                b.z.x[2 * b.dim + d] = 0.0f;
                b.z.x[3 * b.dim + d] = b.z.x[5 * b.dim + d]; /* duplicates   */
                b.y.x[2 * b.dim + d] = b.y.x[3 * b.dim + d];
                b.y.x[4 * b.dim + d] = 0.0f;
            }
            for (int64_t i = 0; i < b.n * b.dim; ++i)
                b.z.x[i] *= scales[s];
            for (int64_t i = 0; i < b.classes * b.dim; ++i)
                b.y.x[i] *= scales[2 - s];
            hnt_value_follows(&subject, &b);
            hnt_finite_gradients(&b);
            hnt_drop(&b);
        }
}
END_TEST

/* ---- oom ------------------------------------------------------------------------------------------------------------- */

enum { ROWS = 20, CLASSES = 4, DIM = 5 };

static hn_status create(hn_loss **out, hn_context *context)
{
    return hn_loss_create_bcl(out, context, CLASSES, DIM, NULL);
}

/* The object, the parameter and its gradient, two views, scratch. */
static const hnt_loss_object object = {create, ROWS, DIM, CLASSES, 0, 6};

START_TEST(every_allocation_may_fail)
{
    hnt_loss_survives(&object);
}
END_TEST

START_TEST(steps_allocate_nothing)
{
    hnt_loss_steps(&object);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("balanced_contrastive");
    TCase *unit = hnt_case(s, "unit"), *property = hnt_case(s, "property"), *oom = hnt_case(s, "oom");
    tcase_add_test(unit, values_follow_the_formula);
    tcase_add_test(unit, defaults_are_the_headers);
    tcase_add_test(unit, a_prototype_alone_is_nothing_to_contrast);
    tcase_add_test(unit, ignored_rows_are_not_there);
    tcase_add_test(unit, the_object_is_the_pure_function);
    hnt_contract(&subject, unit, property, hnt_case(s, "repro"));
    tcase_add_test(hnt_case(s, "grad"), gradients_follow_differences);
    tcase_add_test(hnt_case(s, "golden"), pytorch_agrees);
    tcase_add_test(property, copies_of_another_class_change_nothing);
    tcase_add_test(property, one_row_a_class_is_supcon_with_prototypes);
    tcase_add_test(property, any_temperature_and_scale_is_finite);
    tcase_add_test(oom, every_allocation_may_fail);
    tcase_add_test(oom, steps_allocate_nothing);
    return s;
}

HNT_MAIN(suite)
