/* ProCo's statistics, and the object that keeps them, against a double model of what the header says. */
#include "loss_object.h"
#include "proco_case.h"

static const hnt_subject subject = {.loss = &hnt_proco, .evaluate = hnt_proco_value};

/* ---- the statistics -------------------------------------------------------------------------------------------------- */

START_TEST(means_are_of_unit_rows)
{
    enum { N = 40, C = 5, D = 6, LD = 8 };
    float *z = hnt_padded(1, N, D, LD), mean[C * LD];
    int32_t labels[N];
    double sum[C * D] = {0}, twice[C * D] = {0}, want[C * D] = {0};
    int64_t count[C] = {0}, count_twice[C] = {0};
    for (int i = 0; i < N; ++i)
        labels[i] = i % 7 == 2 ? -1 : i % 4; /* none of class 4 */
    for (int d = 0; d < D; ++d)
        z[3 * LD + d] = 0.0f;
    z[2 * LD] = NAN; /* of an ignored row */
    double *unit = hnt_dense_d(z, N, D, LD);
    hnt_unit_rows(unit, N, D);
    hnt_ok(hn_proco_observe(&(hn_cmatf){z, N, D, LD}, labels, 1, C, sum, count));
    /* Two batches are as good as one. */
    hnt_ok(hn_proco_observe(&(hn_cmatf){z, 13, D, LD}, labels, 1, C, twice, count_twice));
    hnt_ok(hn_proco_observe(&(hn_cmatf){z + 13 * LD, N - 13, D, LD}, labels + 13, 1, C, twice, count_twice));
    ck_assert_mem_eq(sum, twice, sizeof sum);
    ck_assert_mem_eq(count, count_twice, sizeof count);
    for (int i = 0; i < C * LD; ++i)
        mean[i] = 33.0f;
    hnt_ok(hn_proco_mean(sum, count, &(hn_matf){mean, C, D, LD}));
    for (int c = 0; c < C; ++c) {
        int64_t rows = 0;
        for (int i = 0; i < N; ++i)
            for (int d = 0; labels[i] == c && d < D; rows += d == 0, ++d)
                want[c * D + d] += unit[i * D + d];
        ck_assert_int_eq(count[c], rows);
        for (int d = 0; d < LD; ++d)
            if (c == 4 || d >= D)
                ck_assert_float_eq(mean[c * LD + d], 33.0f);
            else
                ck_assert_double_eq_tol((double)mean[c * LD + d], want[c * D + d] / (double)rows, 1e-7);
    }
    /* Not normalised: the rows as they are. */
    double plain[C * D] = {0};
    hnt_ok(hn_proco_observe(&(hn_cmatf){z, 1, D, LD}, labels, 0, C, plain, count));
    for (int d = 0; d < D; ++d)
        ck_assert_double_eq(plain[d], (double)z[d]);
    free(unit);
    free(z);
}
END_TEST

START_TEST(statistics_take_no_nonsense)
{
    float x[6] = {1, 2, 3, 4, 5, NAN}, m[6] = {0};
    int32_t labels[2] = {0, 1};
    double sum[6] = {0};
    int64_t count[2] = {0};
    const hn_cmatf z = {x, 2, 3, 3}, bad_ld = {x, 2, 3, 2};
    hn_matf mean = {m, 2, 3, 3};
    hnt_fails(hn_proco_observe(&z, labels, 1, 2, sum, count), HN_E_NONFINITE, "row 1");
    ck_assert(sum[0] == 0.0 && count[0] == 0);
    x[5] = INFINITY;
    hnt_fails(hn_proco_observe(&z, labels, 1, 2, sum, count), HN_E_NONFINITE, "row 1");
    x[5] = 6;
    hnt_fails(hn_proco_observe(NULL, labels, 1, 2, sum, count), HN_E_ARG, "z is NULL");
    hnt_fails(hn_proco_observe(&z, NULL, 1, 2, sum, count), HN_E_ARG, "labels is NULL");
    hnt_fails(hn_proco_observe(&z, labels, 1, 2, NULL, count), HN_E_ARG, "sum is NULL");
    hnt_fails(hn_proco_observe(&z, labels, 1, 2, sum, NULL), HN_E_ARG, "count is NULL");
    hnt_fails(hn_proco_observe(&z, labels, 1, 0, sum, count), HN_E_SHAPE, "classes is 0");
    hnt_fails(hn_proco_observe(&z, labels, 1, 1, sum, count), HN_E_LABEL, "label 1 of row 1");
    hnt_fails(hn_proco_observe(&bad_ld, labels, 1, 2, sum, count), HN_E_SHAPE, "z.ld is 2");
    ck_assert(sum[0] == 0.0 && count[0] == 0);
    hnt_fails(hn_proco_mean(sum, count, NULL), HN_E_ARG, "mean is NULL");
    hnt_fails(hn_proco_mean(NULL, count, &mean), HN_E_ARG, "sum is NULL");
    hnt_fails(hn_proco_mean(sum, NULL, &mean), HN_E_ARG, "count is NULL");
}
END_TEST

/* ---- the object ------------------------------------------------------------------------------------------------------ */

enum { ROWS = 14, CLASSES = 5, DIM = 6 };

/* Two sets of statistics in double, as the header describes them. */
typedef struct model {
    double sum[2][CLASSES * DIM];
    int count[2][CLASSES];
    int used;
} model;

static void model_observe(model *m, const float *x, const int32_t *labels)
{
    double u[ROWS * DIM];
    for (int i = 0; i < ROWS * DIM; ++i)
        u[i] = (double)x[i];
    hnt_unit_rows(u, ROWS, DIM);
    for (int which = 0; which < 2; ++which)
        for (int i = 0; i < ROWS; ++i)
            for (int d = 0; labels[i] >= 0 && d < DIM; ++d) {
                m->sum[which][labels[i] * DIM + d] += u[i * DIM + d];
                m->count[which][labels[i]] += d == 0;
            }
}

static void model_begin_epoch(model *m)
{
    m->used = 1 - m->used;
    memset(m->sum[1 - m->used], 0, sizeof m->sum[0]);
    memset(m->count[1 - m->used], 0, sizeof m->count[0]);
}

static double model_value(const model *m, hnt_batch *b, double *dz)
{
    hnt_reference r = hnt_refer(&subject, b);
    for (int i = 0; i < CLASSES * DIM; ++i)
        r.y[i] = m->count[m->used][i / DIM] == 0 ? 0 : m->sum[m->used][i] / m->count[m->used][i / DIM];
    double value = hnt_proco_value(&r);
    if (dz != NULL) {
        double *d = hnt_differences(hnt_proco_value, &r, r.z, ROWS * DIM);
        memcpy(dz, d, ROWS * DIM * sizeof *d);
        free(d);
    }
    hnt_drop_reference(&r);
    return value;
}

START_TEST(the_object_follows_its_description)
{
    static const int64_t counts[CLASSES] = {50, 30, 10, 7, 3};
    hn_context *context = hnt_context(1);
    hn_loss *loss;
    model m = {.used = 0};
    hnt_batch b = hnt_proco_batch(70, ROWS, CLASSES, DIM, 0);
    b.o.temperature = 0.4f;
    hnt_ok(hn_loss_create_proco(&loss, context, CLASSES, DIM, counts, &b.o.proco));
    ck_assert_int_eq(hn_loss_param_count(loss), 0);
    for (int c = 0; c < CLASSES; ++c)
        b.extra[0][c] = (float)log((double)counts[c] / 100.0);
    b.o.proco.logit_adjustment = b.extra[0];
    hn_tensor *input, *gradient;
    const hn_desc desc = {HN_F32, 2, {ROWS, DIM}};
    hnt_ok(hn_tensor_wrap(&input, context, b.z.x, &desc));
    hnt_ok(hn_tensor_wrap(&gradient, context, b.z.g, &desc));
    double value, dz[ROWS * DIM];
    for (uint64_t step = 0; step < 9; ++step) { /* three epochs of three steps */
        if (step % 3 == 0) {
            hnt_ok(hn_loss_begin_epoch(loss, (int64_t)step / 3));
            model_begin_epoch(&m);
        }
        hnt_normal(80 + step, b.z.x, ROWS * DIM);
        for (int i = 0; i < ROWS; ++i) {
            b.labels[i] = i == 5 ? -2 : i % (step < 4 ? 4 : 5); /* class 4 comes late */
            b.z.x[i * DIM + i % 4] += 2.0f;
        }
        hnt_ok(hn_loss_apply(loss, input, b.labels, 1.0f, &value, NULL)); /* changes nothing */
        hnt_close_d("value alone", value, model_value(&m, &b, NULL), 1e-5);
        model_observe(&m, b.z.x, b.labels);
        hnt_ok(hn_loss_apply(loss, input, b.labels, 3.0f, &value, gradient));
        hnt_close_d("value", value, model_value(&m, &b, dz), 1e-5);
        for (int i = 0; i < ROWS * DIM; ++i)
            dz[i] *= 3;
        hnt_close_fd("dinput", b.z.g, dz, ROWS * DIM, 1e-5);
    }
    /* Nothing changes on failure. */
    const float keep = b.z.x[7];
    b.z.x[7] = NAN;
    value = 77.0;
    hnt_fails(hn_loss_apply(loss, input, b.labels, 1.0f, &value, gradient), HN_E_NONFINITE, "row 1");
    b.z.x[7] = keep;
    b.labels[0] = CLASSES;
    hnt_fails(hn_loss_apply(loss, input, b.labels, 1.0f, &value, gradient), HN_E_LABEL, "label 5 of row 0");
    ck_assert_double_eq(value, 77.0);
    b.labels[0] = 0;
    hnt_ok(hn_loss_apply(loss, input, b.labels, 1.0f, &value, NULL));
    hnt_close_d("value", value, model_value(&m, &b, NULL), 1e-5);
    hn_tensor_destroy(input);
    hn_tensor_destroy(gradient);
    hn_loss_destroy(loss);
    hn_context_destroy(context);
    hnt_drop(&b);
}
END_TEST

START_TEST(init_params_starts_anew)
{
    hn_context *context = hnt_context(1);
    hn_loss *loss;
    hnt_batch b = hnt_proco_batch(71, ROWS, CLASSES, DIM, 0);
    hnt_ok(hn_loss_create_proco(&loss, context, CLASSES, DIM, NULL, NULL));
    hn_tensor *input, *gradient;
    const hn_desc desc = {HN_F32, 2, {ROWS, DIM}};
    hnt_ok(hn_tensor_wrap(&input, context, b.z.x, &desc));
    hnt_ok(hn_tensor_wrap(&gradient, context, b.z.g, &desc));
    double first, again, other;
    hn_rng rng, another;
    hn_rng_seed(&rng, 3, 0);
    hn_rng_seed(&another, 4, 0);
    /* Nothing seen and no directions: every class is the uniform distribution. */
    hnt_ok(hn_loss_apply(loss, input, b.labels, 1.0f, &first, NULL));
    hnt_close_d("uniform", first, log(CLASSES), 1e-6);
    hnt_ok(hn_loss_init_params(loss, &rng));
    hnt_ok(hn_loss_apply(loss, input, b.labels, 1.0f, &first, NULL));
    ck_assert(fabs(first - log(CLASSES)) > 0.01); /* a direction for each class */
    hnt_ok(hn_loss_apply(loss, input, b.labels, 1.0f, &again, gradient));
    ck_assert(again < first); /* the classes have been seen */
    hnt_ok(hn_loss_begin_epoch(loss, 0));
    hnt_ok(hn_loss_apply(loss, input, b.labels, 1.0f, &other, NULL));
    ck_assert_double_eq(other, again); /* the second set had them too */
    hnt_ok(hn_loss_begin_epoch(loss, 1));
    hnt_ok(hn_loss_apply(loss, input, b.labels, 1.0f, &other, NULL));
    ck_assert_double_eq(other, first); /* a whole epoch without a row */
    hnt_ok(hn_loss_apply(loss, input, b.labels, 1.0f, &again, gradient));
    hnt_ok(hn_loss_init_params(loss, &rng));
    hnt_ok(hn_loss_apply(loss, input, b.labels, 1.0f, &again, NULL));
    ck_assert_double_eq(again, first);
    hnt_ok(hn_loss_init_params(loss, &another));
    hnt_ok(hn_loss_apply(loss, input, b.labels, 1.0f, &other, NULL));
    ck_assert_double_ne(other, first);
    hn_tensor_destroy(input);
    hn_tensor_destroy(gradient);
    hn_loss_destroy(loss);
    hn_context_destroy(context);
    hnt_drop(&b);
}
END_TEST

START_TEST(objects_that_cannot_be_are_named)
{
    hn_context *context = hnt_context(1);
    hn_loss *loss = NULL;
    int64_t counts[CLASSES] = {3, 2, -1, 1, 1};
    const float adjustment[CLASSES] = {0, 0, INFINITY, 0, 0};
    hn_loss_proco_options o;
    hn_loss_proco_options_init(&o, sizeof o);
    hnt_fails(hn_loss_create_proco(NULL, context, CLASSES, DIM, NULL, NULL), HN_E_ARG, "out is NULL");
    hnt_fails(hn_loss_create_proco(&loss, NULL, CLASSES, DIM, NULL, NULL), HN_E_ARG, "context is NULL");
    hnt_fails(hn_loss_create_proco(&loss, context, 0, DIM, NULL, NULL), HN_E_ARG, "classes is 0");
    hnt_fails(hn_loss_create_proco(&loss, context, CLASSES, 1, NULL, NULL), HN_E_SHAPE, "1 columns");
    hnt_fails(hn_loss_create_proco(&loss, context, INT32_MAX, INT32_MAX, NULL, NULL), HN_E_SHAPE, "mean is");
    hnt_fails(hn_loss_create_proco(&loss, context, CLASSES, DIM, counts, NULL), HN_E_ARG, "counts[2] is -1");
    counts[2] = 1;
    o.logit_adjustment = adjustment;
    hnt_fails(hn_loss_create_proco(&loss, context, CLASSES, DIM, counts, &o), HN_E_ARG, "both given");
    hnt_fails(hn_loss_create_proco(&loss, context, CLASSES, DIM, NULL, &o), HN_E_ARG, "logit_adjustment[2] is inf");
    o.logit_adjustment = NULL;
    o.temperature = -1.0f;
    hnt_fails(hn_loss_create_proco(&loss, context, CLASSES, DIM, counts, &o), HN_E_ARG, "temperature is -1");
    ck_assert_ptr_null(loss);
    hn_context_destroy(context);
}
END_TEST

/* ---- oom --------------------------------------------------------------------------------------------------------- */

static hn_status create(hn_loss **out, hn_context *context)
{
    static const int64_t counts[CLASSES] = {5, 4, 3, 2, 1};
    return hn_loss_create_proco(out, context, CLASSES, DIM, counts, NULL);
}

/* The object, prior, two sums, two counts, means, directions, two views, scratch. */
static const hnt_loss_object object = {create, ROWS, DIM, CLASSES, 0, 11};

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
    Suite *s = suite_create("proco_object");
    TCase *unit = hnt_case(s, "unit"), *oom = hnt_case(s, "oom");
    tcase_add_test(unit, means_are_of_unit_rows);
    tcase_add_test(unit, statistics_take_no_nonsense);
    tcase_add_test(unit, the_object_follows_its_description);
    tcase_add_test(unit, init_params_starts_anew);
    tcase_add_test(unit, objects_that_cannot_be_are_named);
    tcase_add_test(oom, every_allocation_may_fail);
    tcase_add_test(oom, steps_allocate_nothing);
    return s;
}

HNT_MAIN(suite)
