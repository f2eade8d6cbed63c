/* PaCo's object, its centres and its queue, against a double model of what the header says. */
#include "loss_object.h"
#include "paco_case.h"

/* ---- the object ------------------------------------------------------------------------------------------------------ */

enum { ROWS = 12, CLASSES = 4, DIM = 6, QUEUE = 15 };

/* What the object does in double: logits from the rows and centres, keys from the rows and the queue. */
typedef struct model {
    hn_loss_paco_options o;
    int32_t *labels;
    double x[ROWS * DIM], centres[CLASSES * DIM], queue[QUEUE * DIM];
    int32_t queue_labels[QUEUE];
    int64_t count; /* rows of the queue */
} model;

static double model_value(const void *arg)
{
    const model *m = arg;
    double u[ROWS * DIM], t[ROWS * CLASSES] = {0}, y[(ROWS + QUEUE) * DIM], rows[ROWS];
    int32_t key_labels[ROWS + QUEUE], self[ROWS];
    memcpy(u, m->x, sizeof u);
    if (m->o.normalize)
        hnt_unit_rows(u, ROWS, DIM);
    for (int i = 0; i < ROWS * CLASSES; ++i)
        for (int d = 0; d < DIM; ++d)
            t[i] += u[i / CLASSES * DIM + d] * m->centres[i % CLASSES * DIM + d];
    memcpy(y, u, sizeof u);
    memcpy(y + ROWS * DIM, m->queue, sizeof m->queue);
    for (int i = 0; i < ROWS; ++i) {
        key_labels[i] = m->labels[i];
        self[i] = i;
    }
    memcpy(key_labels + ROWS, m->queue_labels, sizeof m->queue_labels);
    hnt_batch b = {.o = {.paco = m->o},
                   .n = ROWS,
                   .classes = CLASSES,
                   .dim = DIM,
                   .y = {.rows = ROWS + m->count},
                   .labels = m->labels,
                   .key_labels = key_labels,
                   .self = self};
    b.o.normalize = 0; /* it is done */
    hnt_reference r = {.b = &b, .t = t, .z = u, .y = y, .rows = rows};
    return hnt_paco_value(&r);
}

/* The oldest row leaves first; the order of rows is of no account. */
static void model_push(model *m, const float *x)
{
    double u[ROWS * DIM];
    for (int i = 0; i < ROWS * DIM; ++i)
        u[i] = (double)x[i];
    if (m->o.normalize)
        hnt_unit_rows(u, ROWS, DIM);
    for (int i = 0; i < ROWS; ++i) {
        if (m->labels[i] < 0)
            continue;
        memmove(m->queue + DIM, m->queue, (QUEUE - 1) * DIM * sizeof *m->queue);
        memmove(m->queue_labels + 1, m->queue_labels, (QUEUE - 1) * sizeof *m->queue_labels);
        memcpy(m->queue, u + i * DIM, DIM * sizeof *u);
        m->queue_labels[0] = m->labels[i];
        m->count += m->count < QUEUE;
    }
}

static void check_object(int32_t normalize)
{
    int32_t labels[ROWS] = {0, 1, 0, 3, -1, 2, 0, 1, 0, -7, 3, 0};
    static const int64_t counts[CLASSES] = {100, 50, 20, 5};
    float log_prior[CLASSES], x[ROWS * DIM], dx[ROWS * DIM];
    hn_context *context = hnt_context(1);
    hn_loss *loss;
    hn_loss_paco_options o;
    hn_loss_paco_options_init(&o, sizeof o);
    o.normalize = normalize;
    o.temperature = 0.3f;
    o.alpha = 0.4f;
    o.gamma = 0.7f;
    o.logit_temperature = 0.5f;
    hnt_ok(hn_loss_create_paco(&loss, context, CLASSES, DIM, counts, &o, QUEUE));
    hn_rng rng;
    hn_rng_seed(&rng, 5, 0);
    hnt_ok(hn_loss_init_params(loss, &rng));
    for (int c = 0; c < CLASSES; ++c)
        log_prior[c] = o.logit_temperature * (float)log((double)counts[c] / 175.0);
    o.logit_adjustment = log_prior;
    model m = {.o = o, .labels = labels};
    hn_param param = {.struct_size = sizeof param};
    ck_assert_int_eq(hn_loss_param_count(loss), 1);
    hnt_ok(hn_loss_param(loss, 0, &param));
    ck_assert_str_eq(param.name, "centers");
    const float *centres = hn_tensor_data(param.value);
    float *dcentres = hn_tensor_data(param.grad);
    for (int i = 0; i < CLASSES * DIM; ++i)
        m.centres[i] = (double)centres[i];
    hn_tensor *input, *gradient;
    const hn_desc desc = {HN_F32, 2, {ROWS, DIM}};
    hnt_ok(hn_tensor_wrap(&input, context, x, &desc));
    hnt_ok(hn_tensor_wrap(&gradient, context, dx, &desc));
    for (uint64_t step = 0; step < 4; ++step) {
        hnt_normal(step, x, ROWS * DIM);
        for (int i = 0; i < ROWS * DIM; ++i)
            m.x[i] = (double)x[i];
        for (int i = 0; i < ROWS * DIM; ++i) /* what has no label may hold anything */
            if (labels[i / DIM] < 0)
                x[i] = i % 2 == 0 ? NAN : INFINITY;
        double value, want = model_value(&m);
        for (int i = 0; i < CLASSES * DIM; ++i)
            dcentres[i] = 1.0f;
        hnt_ok(hn_loss_apply(loss, input, labels, 2.0f, &value, NULL)); /* changes nothing */
        hnt_close_d("value", value, want, 1e-5);
        hnt_ok(hn_loss_apply(loss, input, labels, 2.0f, &value, gradient));
        hnt_close_d("value", value, want, 1e-5);
        double *wx = hnt_differences(model_value, &m, m.x, ROWS * DIM),
               *wc = hnt_differences(model_value, &m, m.centres, CLASSES * DIM);
        for (int i = 0; i < ROWS * DIM; ++i)
            wx[i] *= 2;
        for (int i = 0; i < CLASSES * DIM; ++i)
            wc[i] = 1 + 2 * wc[i];
        hnt_close_fd("dinput", dx, wx, ROWS * DIM, 2e-5);
        hnt_close_fd("centers.grad", dcentres, wc, CLASSES * DIM, 2e-5);
        free(wx);
        free(wc);
        model_push(&m, x);
    }
    ck_assert_int_eq(m.count, QUEUE);
    /* init_params empties the queue. */
    hnt_ok(hn_loss_init_params(loss, &rng));
    m.count = 0;
    double value;
    hnt_ok(hn_loss_apply(loss, input, labels, 1.0f, &value, NULL));
    hnt_close_d("value", value, model_value(&m), 1e-5);
    /* Nothing changes on failure. */
    int32_t bad[ROWS] = {0};
    bad[3] = CLASSES;
    value = 77.0;
    hnt_fails(hn_loss_apply(loss, input, bad, 1.0f, &value, gradient), HN_E_LABEL, "label 4 of row 3");
    ck_assert_double_eq(value, 77.0);
    hnt_ok(hn_loss_apply(loss, input, labels, 1.0f, &value, NULL));
    hnt_close_d("value", value, model_value(&m), 1e-5);
    hn_tensor_destroy(input);
    hn_tensor_destroy(gradient);
    hn_loss_destroy(loss);
    hn_context_destroy(context);
}

START_TEST(the_object_follows_its_description)
{
    check_object(1);
    check_object(0);
}
END_TEST

START_TEST(objects_that_cannot_be_are_named)
{
    hn_context *context = hnt_context(1);
    hn_loss *loss = NULL;
    int64_t counts[CLASSES] = {3, 2, -4, 1};
    const float adjustment[CLASSES] = {0, 0, NAN, 0};
    hn_loss_paco_options o;
    hn_loss_paco_options_init(&o, sizeof o);
    hnt_fails(hn_loss_create_paco(NULL, context, CLASSES, DIM, NULL, NULL, 0), HN_E_ARG, "out is NULL");
    hnt_fails(hn_loss_create_paco(&loss, NULL, CLASSES, DIM, NULL, NULL, 0), HN_E_ARG, "context is NULL");
    hnt_fails(hn_loss_create_paco(&loss, context, 0, DIM, NULL, NULL, 0), HN_E_ARG, "classes is 0");
    hnt_fails(hn_loss_create_paco(&loss, context, CLASSES, DIM, NULL, NULL, -1), HN_E_SHAPE, "the queue is -1x6");
    hnt_fails(hn_loss_create_paco(&loss, context, CLASSES, DIM, NULL, NULL, INT64_MAX), HN_E_SHAPE, "the queue");
    hnt_fails(hn_loss_create_paco(&loss, context, INT32_MAX, INT32_MAX, NULL, NULL, 0), HN_E_SHAPE, "centers");
    hnt_fails(hn_loss_create_paco(&loss, context, CLASSES, DIM, counts, NULL, 4), HN_E_ARG, "counts[2] is -4");
    counts[2] = 1;
    o.logit_adjustment = adjustment;
    hnt_fails(hn_loss_create_paco(&loss, context, CLASSES, DIM, counts, &o, 4), HN_E_ARG, "both given");
    hnt_fails(hn_loss_create_paco(&loss, context, CLASSES, DIM, NULL, &o, 4), HN_E_ARG, "logit_adjustment[2] is nan");
    o.logit_adjustment = NULL;
    o.temperature = -1.0f;
    hnt_fails(hn_loss_create_paco(&loss, context, CLASSES, DIM, counts, &o, 4), HN_E_ARG, "temperature is -1");
    ck_assert_ptr_null(loss);
    hn_context_destroy(context);
}
END_TEST

/* ---- oom --------------------------------------------------------------------------------------------------------- */

static hn_status create(hn_loss **out, hn_context *context)
{
    static const int64_t counts[CLASSES] = {4, 3, 2, 1};
    return hn_loss_create_paco(out, context, CLASSES, DIM, counts, NULL, QUEUE);
}

/* The object, prior, queue and its labels, centres and gradient, two views, scratch. */
static const hnt_loss_object object = {create, ROWS, DIM, CLASSES, 0, 9};

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
    Suite *s = suite_create("paco_object");
    TCase *unit = hnt_case(s, "unit"), *oom = hnt_case(s, "oom");
    tcase_add_test(unit, the_object_follows_its_description);
    tcase_add_test(unit, objects_that_cannot_be_are_named);
    tcase_add_test(oom, every_allocation_may_fail);
    tcase_add_test(oom, steps_allocate_nothing);
    return s;
}

HNT_MAIN(suite)
