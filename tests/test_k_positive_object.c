/* The objects of KCL and TSC: the queue, the steps made of its parts, targets that pull, misuse, failing allocations. */
#include "kernel/rownorm.h"
#include "loss/queue.h"
#include "loss_case.h"
#include "loss_object.h"

/* ---- the queue --------------------------------------------------------------------------------------------------- */

START_TEST(the_queue_holds_the_last_rows)
{
    enum { CAPACITY = 5, DIM = 2 };
    hn_context *context = hnt_context(1);
    hni_queue q;
    hnt_fails(hni_queue_open(&q, context, -1, DIM, "f"), HN_E_SHAPE, "f: the queue is -1x2");
    hnt_ok(hni_queue_open(&q, context, CAPACITY, DIM, "f"));
    ck_assert_int_eq(q.count, 0);
    int32_t next = 0;
    for (int64_t rows = 0; rows < 8; ++rows) {
        float x[8 * 3];
        int32_t labels[8];
        for (int64_t i = 0; i < rows; ++i) {
            labels[i] = i == 1 ? -1 : next++;
            x[i * 3] = 3.0f * (float)(labels[i] + 1);
            x[i * 3 + 1] = 4.0f * (float)(labels[i] + 1);
            x[i * 3 + 2] = NAN;
        }
        hni_queue_push(&q, &(hn_cmatf){x, rows, DIM, 3}, labels, rows % 2 == 0);
        ck_assert_int_eq(q.count, next < CAPACITY ? next : CAPACITY);
        unsigned seen = 0;
        for (int64_t i = 0; i < q.count; ++i) {
            seen |= 1u << (next - 1 - q.labels[i]); /* the last `count` labels, each once */
            const float length = 5.0f * (float)(q.labels[i] + 1);
            ck_assert_float_eq_tol(q.x[i * DIM] * 4.0f, q.x[i * DIM + 1] * 3.0f, 1e-5f);
            ck_assert(fabsf(q.x[i * DIM + 1] - 0.8f) < 1e-6f || fabsf(q.x[i * DIM + 1] - 0.8f * length) < 1e-6f);
        }
        ck_assert_uint_eq(seen, (1u << q.count) - 1);
    }
    const int32_t before = q.labels[q.next];
    hni_queue_push(&q, &(hn_cmatf){(float[]){1, NAN, -INFINITY, 2}, 2, DIM, DIM}, (int32_t[]){99, 99}, 0);
    ck_assert_int_eq(q.labels[q.next], before);
    hni_queue_close(&q);
    hni_queue_close(&q); /* zero by now */
    hnt_ok(hni_queue_open(&q, context, 0, DIM, "f"));
    hni_queue_push(&q, &(hn_cmatf){(float[]){1, 2}, 1, DIM, DIM}, &(int32_t){0}, 1);
    ck_assert_int_eq(q.count, 0);
    hni_queue_close(&q);
    hn_context_destroy(context);
}
END_TEST

/* ---- the object -------------------------------------------------------------------------------------------------- */

enum { ROWS = 24, CLASSES = 4, DIM = 6, QUEUE = 30 };

static void label(int32_t *labels, int32_t step)
{
    for (int32_t i = 0; i < ROWS; ++i)
        labels[i] = (i + step) % 7 == 6 ? -1 : (i * i + step) % CLASSES;
}

/* The step an object should take, from its parts: keys are the batch's rows with a label, then the queue. */
static void expect_step(const hn_loss_kcl_options *options, const hn_rng *root, uint64_t step, const hni_queue *q,
                        const float *x, const int32_t *labels, const float *targets, const int32_t *class_target,
                        double *loss, float *dx)
{
    hn_loss_kcl_options o = *options;
    hn_rng rng;
    float keys[(ROWS + QUEUE) * DIM], dkeys[ROWS * DIM];
    int32_t key_labels[ROWS + QUEUE], self[ROWS], m = 0;
    hn_rng_derive(&rng, root, "k_positive step", step);
    o.rng = &rng;
    for (int i = 0; i < ROWS; ++i) {
        self[i] = labels[i] < 0 ? -1 : m;
        if (labels[i] >= 0) {
            memcpy(keys + m * DIM, x + i * DIM, DIM * sizeof *x);
            key_labels[m++] = labels[i];
        }
    }
    for (int64_t i = 0; i < q->count; ++i) {
        memcpy(keys + (m + i) * DIM, q->x + i * DIM, DIM * sizeof *x);
        key_labels[m + i] = q->labels[i];
    }
    size_t bytes;
    hnt_ok(hn_loss_kcl_scratch(&o, ROWS, m + q->count, CLASSES, DIM, &bytes));
    hn_scratch scratch = hnt_scratch(bytes);
    hn_matf g = {dx, ROWS, DIM, DIM}, gk = {dkeys, m, DIM, DIM};
    const hn_cmatf t = {targets, CLASSES, DIM, DIM};
    hnt_ok(hn_loss_kcl(&o, &(hn_cmatf){x, ROWS, DIM, DIM}, labels, &(hn_cmatf){keys, m + q->count, DIM, DIM},
                       key_labels, self, NULL, targets == NULL ? NULL : &t, CLASSES, class_target, loss, NULL, &g, &gk,
                       &scratch));
    for (int i = 0; i < ROWS; ++i)
        for (int d = 0; self[i] >= 0 && d < DIM; ++d)
            dx[i * DIM + d] += dkeys[self[i] * DIM + d];
    free(scratch.data);
}

START_TEST(the_object_contrasts_with_batch_and_queue)
{
    hn_context *context = hnt_context(1);
    hn_loss_kcl_options o;
    hn_rng root;
    hn_rng_seed(&root, 4, 5);
    hn_loss_kcl_options_init(&o, sizeof o);
    o.temperature = 0.3f;
    o.positives = 2;
    o.rng = &root;
    hn_loss *loss = NULL;
    hnt_ok(hn_loss_create_kcl(&loss, context, CLASSES, DIM, &o, QUEUE));
    ck_assert_int_eq(hn_loss_param_count(loss), 0);
    hni_queue q;
    hnt_ok(hni_queue_open(&q, context, QUEUE, DIM, "f"));
    o.grad_scale = -2.0f;
    int32_t labels[ROWS];
    for (int32_t step = 0; step < 5; ++step) {
        hn_tensor *x = hnt_tensor(context, ROWS, DIM, 10 + (uint64_t)step), *dx = hnt_tensor(context, ROWS, DIM, 9);
        float want[ROWS * DIM];
        double value = 0, wanted = 0, again = 0;
        label(labels, step);
        expect_step(&o, &root, (uint64_t)step, &q, hn_tensor_cdata(x), labels, NULL, NULL, &wanted, want);
        hnt_ok(hn_loss_apply(loss, x, labels, -2.0f, &again, NULL)); /* changes nothing */
        hnt_ok(hn_loss_apply(loss, x, labels, -2.0f, &value, dx));
        ck_assert_double_eq(value, wanted);
        ck_assert_double_eq(again, wanted);
        ck_assert_mem_eq(hn_tensor_cdata(dx), want, sizeof want);
        hni_queue_push(&q, &(hn_cmatf){hn_tensor_cdata(x), ROWS, DIM, DIM}, labels, 1);
        hn_tensor_destroy(x);
        hn_tensor_destroy(dx);
    }
    hni_queue_close(&q);
    hn_loss_destroy(loss);
    hn_context_destroy(context);
}
END_TEST

START_TEST(the_targeted_object_pulls_classes_to_their_targets)
{
    /* Embeddings moved down the gradient: the classes' mean directions become near orthogonal or opposite, as targets are. */
    hn_context *context = hnt_context(1);
    hn_loss_kcl_options o;
    hn_loss_kcl_options_init(&o, sizeof o);
    o.target_weight = 1.0f;
    o.temperature = 0.2f;
    hn_loss *loss = NULL;
    hnt_ok(hn_loss_create_kcl(&loss, context, CLASSES, DIM, &o, QUEUE));
    hn_tensor *x = hnt_tensor(context, ROWS, DIM, 3), *dx = hnt_tensor(context, ROWS, DIM, 4);
    float *z = hn_tensor_data(x), *g = hn_tensor_data(dx);
    int32_t labels[ROWS];
    for (int32_t i = 0; i < ROWS; ++i)
        labels[i] = i % CLASSES;
    double first = 0, value = 77.0;
    hnt_fails(hn_loss_apply(loss, x, labels, 1.0f, &value, dx), HN_E_STATE, "hn_loss_init_params");
    ck_assert_double_eq(value, 77.0);
    hn_rng rng;
    hn_rng_seed(&rng, 8, 0);
    hnt_ok(hn_loss_init_params(loss, &rng));
    for (int step = 0; step < 300; ++step) {
        hnt_ok(hn_loss_apply(loss, x, labels, 5.0f, step == 0 ? &first : &value, dx));
        for (int i = 0; i < ROWS * DIM; ++i)
            z[i] -= g[i];
    }
    ck_assert_double_lt(value, 0.8 * first);
    double *unit = hnt_dense_d(z, ROWS, DIM, DIM);
    hnt_unit_rows(unit, ROWS, DIM);
    for (int i = 0; i < ROWS; ++i)
        for (int k = 0; k < ROWS; ++k) {
            double s = 0;
            for (int d = 0; d < DIM; ++d)
                s += unit[i * DIM + d] * unit[k * DIM + d];
            ck_assert(i % CLASSES == k % CLASSES ? s > 0.9 : s < 0.1);
        }
    /* The same start is the same training, whatever went before. */
    double once = 0, twice = 0;
    hnt_normal(3, z, ROWS * DIM);
    hnt_ok(hn_loss_init_params(loss, &rng));
    hnt_ok(hn_loss_apply(loss, x, labels, 1.0f, &once, dx));
    ck_assert_double_eq(once, first);
    hnt_ok(hn_loss_apply(loss, x, labels, 1.0f, &twice, dx));
    ck_assert_double_ne(once, twice); /* by now there is a queue */
    free(unit);
    hn_tensor_destroy(x);
    hn_tensor_destroy(dx);
    hn_loss_destroy(loss);
    hn_context_destroy(context);
}
END_TEST

/* Each step of TSC from its parts: centroids follow the batch, targets are assigned anew, and then comes the loss. */
START_TEST(the_targeted_object_takes_the_steps_of_its_parts)
{
    hn_context *context = hnt_context(1);
    hn_loss_kcl_options o;
    hn_rng root, rng, stream;
    hn_rng_seed(&root, 4, 5);
    hn_rng_seed(&rng, 8, 0);
    hn_loss_kcl_options_init(&o, sizeof o);
    o.target_weight = 0.7f;
    o.temperature = 0.2f;
    o.rng = &root;
    hn_loss *loss = NULL;
    hnt_ok(hn_loss_create_kcl(&loss, context, CLASSES, DIM, &o, QUEUE));
    hnt_ok(hn_loss_init_params(loss, &rng));
    hni_queue q;
    hnt_ok(hni_queue_open(&q, context, QUEUE, DIM, "f"));

    float targets[CLASSES * DIM], centroids[CLASSES * DIM];
    hn_matf t = {targets, CLASSES, DIM, DIM}, c = {centroids, CLASSES, DIM, DIM};
    const hn_cmatf targets_now = {targets, CLASSES, DIM, DIM}, centroids_now = {centroids, CLASSES, DIM, DIM};
    size_t bytes, more;
    hn_rng_derive(&stream, &rng, "targets", 0);
    hnt_ok(hn_prototypes_separated_scratch(NULL, CLASSES, DIM, &bytes));
    hn_scratch scratch = hnt_scratch(bytes);
    hnt_ok(hn_prototypes_separated(NULL, &stream, &t, &scratch));
    free(scratch.data);
    hn_rng_derive(&stream, &rng, "centroids", 0);
    hn_rng_fill_normal(&stream, centroids, CLASSES * DIM, 0.0f, 1.0f);
    for (int i = 0; i < CLASSES; ++i)
        (void)hni_rownorm_row(DIM, centroids + i * DIM, centroids + i * DIM);

    hnt_ok(hn_kcl_update_centroids_scratch(ROWS, CLASSES, DIM, &bytes));
    hnt_ok(hn_kcl_assign_targets_scratch(CLASSES, CLASSES, DIM, &more));
    scratch = hnt_scratch(bytes > more ? bytes : more);
    int changes = 0;
    for (int32_t step = 0; step < 5; ++step) {
        hn_tensor *x = hnt_tensor(context, ROWS, DIM, 30 + (uint64_t)step), *dx = hnt_tensor(context, ROWS, DIM, 9);
        float want[ROWS * DIM];
        double value = 0, wanted = 0;
        int32_t labels[ROWS], class_target[CLASSES] = {0};
        label(labels, step);
        hnt_ok(hn_kcl_update_centroids(&(hn_cmatf){hn_tensor_cdata(x), ROWS, DIM, DIM}, labels, 0.9f, &c, &scratch));
        hnt_ok(hn_kcl_assign_targets(&centroids_now, &targets_now, class_target, &scratch));
        for (int32_t i = 0; i < CLASSES; ++i)
            changes += class_target[i] != i;
        expect_step(&o, &root, (uint64_t)step, &q, hn_tensor_cdata(x), labels, targets, class_target, &wanted, want);
        hnt_ok(hn_loss_apply(loss, x, labels, 1.0f, &value, dx));
        ck_assert_double_eq(value, wanted);
        ck_assert_mem_eq(hn_tensor_cdata(dx), want, sizeof want);
        hni_queue_push(&q, &(hn_cmatf){hn_tensor_cdata(x), ROWS, DIM, DIM}, labels, 1);
        hn_tensor_destroy(x);
        hn_tensor_destroy(dx);
    }
    ck_assert_int_gt(changes, 0); /* classes do not have the targets that they began with */
    free(scratch.data);
    hni_queue_close(&q);
    hn_loss_destroy(loss);
    hn_context_destroy(context);
}
END_TEST

START_TEST(misuse_of_the_object_is_named)
{
    hn_context *context = hnt_context(1);
    hn_loss *loss = NULL;
    hn_loss_kcl_options o;
    hn_loss_kcl_options_init(&o, sizeof o);
    hnt_fails(hn_loss_create_kcl(NULL, context, CLASSES, DIM, NULL, QUEUE), HN_E_ARG, "out is NULL");
    hnt_fails(hn_loss_create_kcl(&loss, NULL, CLASSES, DIM, NULL, QUEUE), HN_E_ARG, "context is NULL");
    hnt_fails(hn_loss_create_kcl(&loss, context, 0, DIM, NULL, QUEUE), HN_E_ARG, "classes is 0");
    hnt_fails(hn_loss_create_kcl(&loss, context, CLASSES, 0, NULL, QUEUE), HN_E_ARG, "dim is 0");
    hnt_fails(hn_loss_create_kcl(&loss, context, CLASSES, DIM, NULL, -1), HN_E_SHAPE, "the queue is -1x6");
    hnt_fails(hn_loss_create_kcl(&loss, context, CLASSES, DIM, NULL, INT64_MAX), HN_E_SHAPE, "the queue is");
    o.positives = -2;
    hnt_fails(hn_loss_create_kcl(&loss, context, CLASSES, DIM, &o, QUEUE), HN_E_ARG, "positives is -2");
    ck_assert_ptr_null(loss);
    hnt_ok(hn_loss_create_kcl(&loss, context, CLASSES, DIM, NULL, 0)); /* no queue: the batch alone */
    hn_tensor *x = hnt_tensor(context, ROWS, DIM, 1), *dx = hnt_tensor(context, ROWS, DIM, 2), *wide = NULL;
    hnt_ok(hn_tensor_create(&wide, context, &(hn_desc){HN_F32, 2, {ROWS, DIM + 1}}));
    int32_t labels[ROWS];
    label(labels, 0);
    double value = 77.0;
    hnt_fails(hn_loss_apply(loss, wide, labels, 1.0f, &value, NULL), HN_E_SHAPE, "7 columns");
    hnt_fails(hn_loss_apply(loss, x, labels, NAN, &value, dx), HN_E_ARG, "grad_scale");
    labels[8] = CLASSES;
    hnt_fails(hn_loss_apply(loss, x, labels, 1.0f, &value, dx), HN_E_LABEL, "row 8");
    ck_assert_double_eq(value, 77.0);
    labels[8] = 0;
    hnt_ok(hn_loss_apply(loss, x, labels, 1.0f, &value, dx));
    ck_assert(isfinite(value) && value > 0);
    hn_loss_destroy(loss);
    o.positives = 6; /* one class, one target */
    o.target_weight = 0.2f;
    hn_rng rng;
    hn_rng_seed(&rng, 2, 0);
    memset(labels, 0, sizeof labels);
    hnt_ok(hn_loss_create_kcl(&loss, context, 1, DIM, &o, QUEUE));
    hnt_ok(hn_loss_init_params(loss, &rng));
    hnt_ok(hn_loss_apply(loss, x, labels, 1.0f, &value, dx));
    ck_assert(isfinite(value) && value > 0);
    hn_tensor_destroy(x);
    hn_tensor_destroy(dx);
    hn_tensor_destroy(wide);
    hn_loss_destroy(loss);
    hn_context_destroy(context);
}
END_TEST

/* ---- oom --------------------------------------------------------------------------------------------------------- */

static hn_status create(hn_loss **out, hn_context *context)
{
    hn_loss_kcl_options o;
    hn_loss_kcl_options_init(&o, sizeof o);
    o.target_weight = 0.2f;
    return hn_loss_create_kcl(out, context, CLASSES, DIM, &o, QUEUE);
}

/* The object, the queue's two, targets' three and their scratch, two views, scratch. */
static const hnt_loss_object object = {create, ROWS, DIM, CLASSES, 1, 10};

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
    Suite *s = suite_create("k_positive_object");
    TCase *unit = hnt_case(s, "unit"), *oom = hnt_case(s, "oom");
    tcase_add_test(unit, the_queue_holds_the_last_rows);
    tcase_add_test(unit, the_object_contrasts_with_batch_and_queue);
    tcase_add_test(unit, the_targeted_object_pulls_classes_to_their_targets);
    tcase_add_test(unit, the_targeted_object_takes_the_steps_of_its_parts);
    tcase_add_test(unit, misuse_of_the_object_is_named);
    tcase_add_test(oom, every_allocation_may_fail);
    tcase_add_test(oom, steps_allocate_nothing);
    return s;
}

HNT_MAIN(suite)
