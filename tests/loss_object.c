#include "loss_object.h"

enum { MOST = 512 };

hn_tensor *hnt_tensor(hn_context *context, int64_t rows, int64_t cols, uint64_t seed)
{
    hn_tensor *t = NULL;
    hnt_ok(hn_tensor_create(&t, context, &(hn_desc){HN_F32, 2, {rows, cols}}));
    hnt_normal(seed, hn_tensor_data(t), rows * cols);
    return t;
}

static void label(const hnt_loss_object *object, int32_t *labels)
{
    for (int32_t i = 0; i < object->rows; ++i)
        labels[i] = i % 7 == 6 ? -1 : i % object->classes;
}

static hn_status begin(const hnt_loss_object *object, hn_loss **loss, hn_context *context)
{
    hn_rng rng;
    hn_rng_seed(&rng, 1, 0);
    const hn_status status = object->create(loss, context);
    ck_assert((status == HN_OK) == (*loss != NULL));
    return status == HN_OK && object->init ? hn_loss_init_params(*loss, &rng) : status;
}

static hn_status live(hn_context *context, const void *arg)
{
    const hnt_loss_object *object = arg;
    float x[MOST], dx[MOST];
    int32_t labels[MOST];
    hn_loss *loss = NULL;
    hn_tensor *input = NULL, *gradient = NULL;
    const hn_desc desc = {HN_F32, 2, {object->rows, object->cols}};
    double value = 77.0;
    ck_assert_int_le(object->rows * object->cols, MOST);
    hnt_normal(1, x, object->rows * object->cols);
    label(object, labels);
    hn_status status = begin(object, &loss, context);
    if (status == HN_OK)
        status = hn_tensor_wrap(&input, context, x, &desc);
    if (status == HN_OK)
        status = hn_tensor_wrap(&gradient, context, dx, &desc);
    if (status == HN_OK) {
        status = hn_loss_apply(loss, input, labels, 1.0f, &value, gradient);
        if (status < 0)
            ck_assert_double_eq(value, 77.0);
        hnt_memory_is_back(context);
        if (status == HN_E_NOMEM) /* the object is still good */
            hnt_ok(hn_loss_apply(loss, input, labels, 1.0f, &value, gradient));
    }
    if (loss != NULL)
        hnt_ok(hn_loss_begin_epoch(loss, 1));
    hn_tensor_destroy(input);
    hn_tensor_destroy(gradient);
    hn_loss_destroy(loss);
    return status;
}

void hnt_loss_survives(const hnt_loss_object *object)
{
    hnt_survives(live, object, object->allocations);
}

void hnt_loss_steps(const hnt_loss_object *object)
{
    hnt_counter counter = {.fail_at = -1};
    hn_context *context = NULL;
    hn_loss *loss = NULL;
    int32_t labels[MOST];
    double value;
    hnt_ok(hnt_counting_context(&context, &counter, 1));
    hnt_ok(begin(object, &loss, context));
    hn_tensor *x = hnt_tensor(context, object->rows, object->cols, 1),
              *dx = hnt_tensor(context, object->rows, object->cols, 2);
    label(object, labels);
    hnt_ok(hn_loss_apply(loss, x, labels, 1.0f, &value, dx));
    const int64_t calls = counter.calls;
    for (int step = 0; step < 5; ++step) { /* queues fill and turn over */
        hnt_ok(hn_loss_begin_epoch(loss, step));
        hnt_ok(hn_loss_apply(loss, x, labels, 1.0f, &value, dx));
    }
    ck_assert_int_eq(counter.calls, calls);
    hn_tensor_destroy(x);
    hn_tensor_destroy(dx);
    hn_loss_destroy(loss);
    hn_context_destroy(context);
    ck_assert_int_eq(counter.alive, 0);
    ck_assert_int_eq(counter.alive_bytes, 0);
}
