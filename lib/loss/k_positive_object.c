/* KCL and TSC as an object: the queue, and TSC's targets and centroids. */
#include "loss/loss.h"

#include <hybridnet/prototypes.h>

#include "base/context.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/options.h"
#include "kernel/rownorm.h"
#include "loss/common.h"
#include "loss/queue.h"

#include <inttypes.h>

#define MOMENTUM 0.9f /* of the centroids */

typedef struct kcl_loss {
    hn_loss base;
    hn_loss_kcl_options options;
    int64_t classes, dim;
    hn_rng rng;
    int64_t steps;
    hni_queue queue;
    /* TSC's; NULL for KCL. */
    float *targets, *centroids; /* classes x dim */
    int32_t *class_target;      /* [classes]     */
    int32_t ready;              /* they are made */
} kcl_loss;

/* What apply cuts its scratch into. */
typedef struct parts {
    float *keys;         /* (rows + capacity) x dim: the batch's rows that have a label, the queue's */
    int32_t *key_labels; /* [rows + capacity]                                                        */
    int32_t *self;       /* [rows], where the row is among the keys, or -1                           */
    float *dkeys;        /* rows x dim                                                               */
    hn_scratch step;     /* for the functions that are called, one after the other                   */
} parts;

static hn_status carve(const kcl_loss *l, int64_t rows, char *base, parts *p, size_t *bytes)
{
    const int64_t k = rows + l->queue.capacity, targets = l->targets == NULL ? 0 : l->classes;
    hni_carver c = {base, 0};
    size_t step = 0, more = 0;
    HNI_TRY(hn_loss_kcl_scratch(&l->options, rows, k, targets, l->dim, &step));
    if (targets > 0) {
        HNI_TRY(hn_kcl_update_centroids_scratch(rows, l->classes, l->dim, &more));
        step = more > step ? more : step;
        HNI_TRY(hn_kcl_assign_targets_scratch(l->classes, targets, l->dim, &more));
        step = more > step ? more : step;
    }
    p->keys = hni_carve(&c, k * l->dim, sizeof *p->keys);
    p->key_labels = hni_carve(&c, k, sizeof *p->key_labels);
    p->self = hni_carve(&c, rows, sizeof *p->self);
    p->dkeys = hni_carve(&c, rows * l->dim, sizeof *p->dkeys);
    p->step.size = step;
    p->step.data = hni_carve(&c, (int64_t)step, 1);
    *bytes = c.used;
    return HN_OK;
}

static hn_status kcl_scratch(const hn_loss *loss, int64_t rows, int64_t cols, size_t *bytes)
{
    const kcl_loss *l = (const kcl_loss *)loss;
    parts p;
    HNI_FAIL_IF(cols != l->dim, HN_E_SHAPE,
                "hn_loss_apply: embeddings have %" PRId64 " columns; the loss was made for %" PRId64, cols, l->dim);
    return carve(l, rows, NULL, &p, bytes);
}

/* Centroids after this batch, and the targets that go with them. */
static hn_status follow(kcl_loss *l, const hn_cmatf *input, const int32_t *labels, const hn_scratch *scratch)
{
    hn_matf centroids = {l->centroids, l->classes, l->dim, l->dim};
    const hn_cmatf moved = {l->centroids, l->classes, l->dim, l->dim},
                   targets = {l->targets, l->classes, l->dim, l->dim};
    HNI_TRY(hn_kcl_update_centroids(input, labels, MOMENTUM, &centroids, scratch));
    return hn_kcl_assign_targets(&moved, &targets, l->class_target, scratch);
}

static hn_status kcl_apply(hn_loss *loss, const hn_cmatf *input, const int32_t *labels, float scale, double *value,
                           hn_matf *dinput, const hn_scratch *scratch)
{
    static const char function[] = "hn_loss_apply";
    kcl_loss *l = (kcl_loss *)loss;
    hn_loss_kcl_options o = l->options;
    hn_rng rng;
    parts p;
    size_t bytes;
    int64_t valid;
    o.grad_scale = scale;
    o.rng = &rng;
    hn_rng_derive(&rng, &l->rng, "k_positive step", (uint64_t)l->steps);
    /* All that could fail, before anything changes. */
    HNI_FAIL_IF(l->targets != NULL && !l->ready, HN_E_STATE, "%s: the targets are not made: call hn_loss_init_params",
                function);
    HNI_TRY(hni_loss_check_common(&o, function));
    HNI_TRY(hni_loss_check_labels(labels, input->rows, l->classes, function, &valid));
    HNI_TRY(hni_loss_check_finite(o.check_finite, input, function, "the input"));
    HNI_TRY(carve(l, input->rows, scratch->data, &p, &bytes));
    if (dinput != NULL && l->targets != NULL)
        HNI_TRY(follow(l, input, labels, &p.step));
    const int64_t m = hni_queue_gather(&l->queue, input, labels, p.keys, p.key_labels, p.self);
    const hn_cmatf keys = {p.keys, m + l->queue.count, l->dim, l->dim},
                   targets = {l->targets, l->classes, l->dim, l->dim};
    hn_matf dkeys = {p.dkeys, m, l->dim, l->dim};
    HNI_TRY(hn_loss_kcl(&o, input, labels, &keys, p.key_labels, p.self, NULL, l->targets == NULL ? NULL : &targets,
                        l->classes, l->class_target, value, NULL, dinput, dinput == NULL ? NULL : &dkeys, &p.step));
    if (dinput == NULL)
        return HN_OK;
    for (int64_t i = 0; i < input->rows; ++i)
        for (int64_t c = 0; p.self[i] >= 0 && c < l->dim; ++c)
            dinput->data[i * dinput->ld + c] += p.dkeys[p.self[i] * l->dim + c];
    hni_queue_push(&l->queue, input, labels, o.normalize);
    ++l->steps;
    return HN_OK;
}

static hn_status make_targets(kcl_loss *l, const hn_rng *rng)
{
    hn_context *context = l->base.context;
    hn_prototypes_options o;
    hn_rng stream;
    size_t bytes;
    hn_prototypes_options_init(&o, sizeof o);
    o.num_threads = l->options.num_threads;
    hn_rng_derive(&stream, rng, "targets", 0);
    HNI_TRY(hn_prototypes_separated_scratch(&o, l->classes, l->dim, &bytes));
    const hn_scratch scratch = {hni_alloc(context, bytes), bytes};
    if (scratch.data == NULL)
        return hni_no_memory("hn_loss_init_params", bytes);
    hn_matf targets = {l->targets, l->classes, l->dim, l->dim};
    hn_status status = hn_prototypes_separated(&o, &stream, &targets, &scratch);
    hni_release(context, scratch.data, bytes);
    return status;
}

static hn_status kcl_init_params(hn_loss *loss, const hn_rng *rng)
{
    kcl_loss *l = (kcl_loss *)loss;
    if (l->targets != NULL)
        HNI_TRY(make_targets(l, rng));
    l->queue.count = l->queue.next = 0;
    l->steps = 0;
    if (l->targets == NULL)
        return HN_OK;
    hn_rng stream;
    hn_rng_derive(&stream, rng, "centroids", 0);
    hn_rng_fill_normal(&stream, l->centroids, (size_t)(l->classes * l->dim), 0.0f, 1.0f);
    for (int64_t c = 0; c < l->classes; ++c) {
        (void)hni_rownorm_row(l->dim, l->centroids + c * l->dim, l->centroids + c * l->dim);
        l->class_target[c] = (int32_t)c;
    }
    l->ready = 1;
    return HN_OK;
}

static int32_t kcl_state(hn_loss *loss, hni_loss_array *arrays)
{
    kcl_loss *l = (kcl_loss *)loss;
    const int64_t classes = l->classes;
    int32_t n = hni_queue_state(&l->queue, classes, arrays);
    arrays[n++] = hni_loss_integer("steps", &l->steps, 0, INT64_MAX / 2);
    arrays[n++] = (hni_loss_array){"rng", l->rng.opaque, {HN_I64, 1, {8}}, INT64_MIN, INT64_MAX};
    if (l->targets == NULL)
        return n;
    arrays[n++] = hni_loss_floats("targets", l->targets, classes, l->dim);
    arrays[n++] = hni_loss_floats("centroids", l->centroids, classes, l->dim);
    arrays[n++] = (hni_loss_array){"class_target", l->class_target, {HN_I32, 1, {classes}}, 0, classes - 1};
    arrays[n++] = (hni_loss_array){"ready", &l->ready, {HN_I32, 1, {1}}, 0, 1};
    return n;
}

static void kcl_release(hn_loss *loss)
{
    kcl_loss *l = (kcl_loss *)loss;
    const size_t bytes = (size_t)(l->classes * l->dim) * sizeof(float);
    hni_queue_close(&l->queue);
    hni_release(loss->context, l->targets, bytes);
    hni_release(loss->context, l->centroids, bytes);
    hni_release(loss->context, l->class_target, (size_t)l->classes * sizeof *l->class_target);
}

static const hni_loss_kind kcl_kind = {.name = "k-positive contrastive",
                                       .size = sizeof(kcl_loss),
                                       .scratch = kcl_scratch,
                                       .apply = kcl_apply,
                                       .init_params = kcl_init_params,
                                       .state = kcl_state,
                                       .release = kcl_release};

static hn_status allocate(kcl_loss *l, int64_t queue_length, const char *function)
{
    hn_context *context = l->base.context;
    size_t bytes;
    /* Judged before anything is made from sizes that may be nonsense. */
    HNI_TRY(hni_loss_check_extents(queue_length, l->dim, function, "the queue"));
    HNI_TRY(hn_loss_kcl_scratch(&l->options, 1, 1 + queue_length, l->classes, l->dim, &bytes));
    HNI_TRY(hni_queue_open(&l->queue, context, queue_length, l->dim, function));
    if (l->options.target_weight == 0.0f)
        return HN_OK;
    bytes = (size_t)(l->classes * l->dim) * sizeof(float);
    l->targets = hni_alloc_zero(context, bytes);
    l->centroids = hni_alloc_zero(context, bytes);
    l->class_target = hni_alloc_zero(context, (size_t)l->classes * sizeof *l->class_target);
    if (l->targets == NULL || l->centroids == NULL || l->class_target == NULL)
        return hni_no_memory(function, bytes);
    return HN_OK;
}

hn_status hn_loss_create_kcl(hn_loss **out, hn_context *context, int64_t classes, int64_t dim,
                             const hn_loss_kcl_options *options, int64_t queue_length)
{
    static const char function[] = "hn_loss_create_kcl";
    hn_loss *loss = NULL;
    HNI_FAIL_IF(out == NULL, HN_E_ARG, "%s: out is NULL", function);
    HNI_TRY(hni_loss_check_size(classes, dim, function));
    HNI_TRY(hni_loss_start(&loss, context, &kcl_kind, function));
    kcl_loss *l = (kcl_loss *)loss;
    hn_loss_kcl_options *o = &l->options;
    hn_loss_kcl_options_init(o, sizeof *o);
    l->classes = classes;
    l->dim = dim;
    hn_status status = hni_options_read(o, sizeof *o, options, function);
    hn_rng_seed(&l->rng, 0, 0);
    if (status == HN_OK && o->rng != NULL)
        l->rng = *o->rng;
    o->rng = NULL;
    o->num_threads = context->num_threads;
    o->grad_beta = 0.0f;
    if (status == HN_OK)
        status = allocate(l, queue_length, function);
    return hni_loss_finish(status, out, loss, dim);
}
