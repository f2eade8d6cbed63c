#include <hybridnet/optimizer.h>

#include "base/context.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/options.h"
#include "base/parallel.h"
#include "base/tensor.h"
#include "kernel/sgd.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { BLOCK = 1 << 14 }; /* values a task */

/* One parameter: its tensors are borrowed, its velocity is the optimizer's. */
typedef struct slot {
    hn_tensor *value, *grad, *velocity;
    bool decay;
    int64_t first_block; /* blocks are numbered through all parameters */
} slot;

struct hn_optimizer {
    hn_context *context;
    hn_sgd_options options;
    slot *slots;
    int64_t count, capacity, blocks;
};

static const hn_sgd_options defaults = {
    .struct_size = sizeof defaults, .lr = 0.1f, .momentum = 0.9f, .weight_decay = 1e-4f, .decay_all = 1};

void hn_sgd_options_init(hn_sgd_options *options, size_t struct_size)
{
    hni_options_init(options, struct_size, &defaults, sizeof defaults);
}

static hn_status read_options(hn_sgd_options *o, const hn_sgd_options *options, const char *function)
{
    *o = defaults;
    HNI_TRY(hni_options_read(o, sizeof *o, options, function));
    HNI_FAIL_IF(!(o->lr >= 0.0f && isfinite(o->lr)), HN_E_ARG, "%s: lr is %g; it must be finite and not negative",
                function, (double)o->lr);
    HNI_FAIL_IF(!(o->momentum >= 0.0f && o->momentum < 1.0f), HN_E_ARG, "%s: momentum is %g; it must be in [0, 1)",
                function, (double)o->momentum);
    HNI_FAIL_IF(!(o->weight_decay >= 0.0f && isfinite(o->weight_decay)), HN_E_ARG,
                "%s: weight_decay is %g; it must be finite and not negative", function, (double)o->weight_decay);
    return HN_OK;
}

hn_status hn_sgd_update(const hn_sgd_options *options, int64_t n, const float *grad, float *velocity, float *weight)
{
    hn_sgd_options o;
    HNI_TRY(read_options(&o, options, "hn_sgd_update"));
    HNI_FAIL_IF(n < 0, HN_E_ARG, "hn_sgd_update: n is %" PRId64, n);
    HNI_FAIL_IF(n > 0 && (grad == NULL || velocity == NULL || weight == NULL), HN_E_ARG, "hn_sgd_update: %s is NULL",
                grad == NULL       ? "grad"
                : velocity == NULL ? "velocity"
                                   : "weight");
    const hni_sgd s = {o.lr, o.momentum, o.weight_decay, o.nesterov};
    hni_sgd_update(&s, n, grad, velocity, weight);
    return HN_OK;
}

hn_status hn_optimizer_create_sgd(hn_optimizer **out, hn_context *context, const hn_sgd_options *options)
{
    HNI_FAIL_IF(out == NULL || context == NULL, HN_E_ARG, "hn_optimizer_create_sgd: %s is NULL",
                out == NULL ? "out" : "context");
    hn_sgd_options o;
    HNI_TRY(read_options(&o, options, "hn_optimizer_create_sgd"));
    hn_optimizer *optimizer = hni_alloc(context, sizeof *optimizer);
    if (optimizer == NULL)
        return hni_no_memory("hn_optimizer_create_sgd", sizeof *optimizer);
    *optimizer = (hn_optimizer){.context = context, .options = o};
    *out = optimizer;
    return HN_OK;
}

hn_status hn_optimizer_add(hn_optimizer *optimizer, const hn_param *param)
{
    HNI_FAIL_IF(optimizer == NULL || param == NULL || param->value == NULL, HN_E_ARG, "hn_optimizer_add: %s is NULL",
                optimizer == NULL ? "optimizer"
                : param == NULL   ? "param"
                                  : "param->value");
    if (param->grad == NULL)
        return HN_OK;
    HNI_FAIL_IF(!hni_desc_equal(&param->value->desc, &param->grad->desc) || param->value->desc.dtype != HN_F32,
                HN_E_SHAPE, "hn_optimizer_add: value and gradient of %s are not f32 of one shape",
                param->name != NULL ? param->name : "the parameter");
    for (int64_t i = 0; i < optimizer->count; ++i)
        HNI_FAIL_IF(optimizer->slots[i].value == param->value || optimizer->slots[i].grad == param->grad, HN_E_ARG,
                    "hn_optimizer_add: %s, or its gradient, is there already",
                    param->name != NULL ? param->name : "the parameter");
    slot *slots = hni_grow(optimizer->context, optimizer->slots, &optimizer->capacity, optimizer->count, 1,
                           sizeof *slots, "hn_optimizer_add");
    if (slots == NULL)
        return HN_E_NOMEM;
    optimizer->slots = slots;
    slot s = {.value = param->value, .grad = param->grad, .decay = param->weight_decay != 0};
    HNI_TRY(hn_tensor_create(&s.velocity, optimizer->context, &param->value->desc));
    s.first_block = optimizer->blocks;
    optimizer->blocks += (hn_tensor_count(s.value) + BLOCK - 1) / BLOCK;
    optimizer->slots[optimizer->count++] = s;
    return HN_OK;
}

/* Takes back the parameters added since there were `count`. */
static void shrink(hn_optimizer *o, int64_t count)
{
    while (o->count > count) {
        slot *s = &o->slots[--o->count];
        o->blocks = s->first_block;
        hn_tensor_destroy(s->velocity);
    }
}

hn_status hn_optimizer_add_layer(hn_optimizer *optimizer, const hn_layer *layer)
{
    HNI_FAIL_IF(optimizer == NULL || layer == NULL, HN_E_ARG, "hn_optimizer_add_layer: %s is NULL",
                optimizer == NULL ? "optimizer" : "layer");
    int64_t before = optimizer->count;
    for (int64_t i = 0; i < hn_layer_param_count(layer); ++i) {
        hn_param param = {.struct_size = sizeof param};
        hn_status status = hn_layer_param(layer, i, &param);
        if (status == HN_OK)
            status = hn_optimizer_add(optimizer, &param);
        if (status < 0) {
            shrink(optimizer, before);
            return status;
        }
    }
    return HN_OK;
}

hn_status hn_optimizer_add_loss(hn_optimizer *optimizer, const hn_loss *loss)
{
    HNI_FAIL_IF(optimizer == NULL || loss == NULL, HN_E_ARG, "hn_optimizer_add_loss: %s is NULL",
                optimizer == NULL ? "optimizer" : "loss");
    int64_t before = optimizer->count;
    for (int64_t i = 0; i < hn_loss_param_count(loss); ++i) {
        hn_param param = {.struct_size = sizeof param};
        hn_status status = hn_loss_param(loss, i, &param);
        if (status == HN_OK)
            status = hn_optimizer_add(optimizer, &param);
        if (status < 0) {
            shrink(optimizer, before);
            return status;
        }
    }
    return HN_OK;
}

hn_status hn_optimizer_set_lr(hn_optimizer *optimizer, double lr)
{
    HNI_FAIL_IF(optimizer == NULL, HN_E_ARG, "hn_optimizer_set_lr: optimizer is NULL");
    HNI_FAIL_IF(!(lr >= 0.0 && isfinite((float)lr)), HN_E_ARG,
                "hn_optimizer_set_lr: lr is %g; it must be finite and not negative", lr);
    optimizer->options.lr = (float)lr;
    return HN_OK;
}

/* The parameter that a block belongs to, by bisection. */
static const slot *slot_of(const hn_optimizer *o, int64_t block)
{
    int64_t low = 0, high = o->count - 1;
    while (low < high) {
        int64_t middle = (low + high + 1) / 2;
        if (o->slots[middle].first_block <= block)
            low = middle;
        else
            high = middle - 1;
    }
    return &o->slots[low];
}

static void update_block(void *arg, int64_t block, int32_t thread)
{
    const hn_optimizer *o = arg;
    (void)thread;
    const slot *s = slot_of(o, block);
    int64_t at = (block - s->first_block) * BLOCK, left = hn_tensor_count(s->value) - at;
    const hn_sgd_options *p = &o->options;
    const hni_sgd sgd = {p->lr, p->momentum, p->decay_all || s->decay ? p->weight_decay : 0.0f, p->nesterov};
    hni_sgd_update(&sgd, left < BLOCK ? left : BLOCK, (const float *)s->grad->data + at,
                   (float *)s->velocity->data + at, (float *)s->value->data + at);
}

/* For the trace: so many passes over arrays as large as all gradients. */
static hn_trace_event event_of(const hn_optimizer *o, int passes)
{
    hn_trace_event event = {.struct_size = sizeof event, .kind = "optimizer"};
    for (int64_t i = 0; o->context->trace != NULL && i < o->count; ++i)
        event.bytes += (double)passes * (double)hn_tensor_bytes(o->slots[i].grad);
    return event;
}

hn_status hn_optimizer_step(hn_optimizer *optimizer)
{
    HNI_FAIL_IF(optimizer == NULL, HN_E_ARG, "hn_optimizer_step: optimizer is NULL");
    hn_trace_event event = event_of(optimizer, 5); /* gradient read, velocity and value read and written */
    hni_trace(optimizer->context, &event, 0);
    hni_parallel(optimizer->context->num_threads, optimizer->blocks, update_block, optimizer);
    hni_trace(optimizer->context, &event, 1);
    return HN_OK;
}

hn_status hn_optimizer_zero_grad(hn_optimizer *optimizer)
{
    HNI_FAIL_IF(optimizer == NULL, HN_E_ARG, "hn_optimizer_zero_grad: optimizer is NULL");
    hn_trace_event event = event_of(optimizer, 1);
    hni_trace(optimizer->context, &event, 0);
    for (int64_t i = 0; i < optimizer->count; ++i)
        memset(optimizer->slots[i].grad->data, 0, hn_tensor_bytes(optimizer->slots[i].grad));
    hni_trace(optimizer->context, &event, 1);
    return HN_OK;
}

hn_tensor *hn_optimizer_momentum(hn_optimizer *optimizer, const hn_tensor *value)
{
    for (int64_t i = 0; optimizer != NULL && value != NULL && i < optimizer->count; ++i)
        if (optimizer->slots[i].value == value)
            return optimizer->slots[i].velocity;
    return NULL;
}

void hn_optimizer_destroy(hn_optimizer *optimizer)
{
    if (optimizer == NULL)
        return;
    shrink(optimizer, 0);
    hni_release(optimizer->context, optimizer->slots, (size_t)optimizer->capacity * sizeof *optimizer->slots);
    hni_release(optimizer->context, optimizer, sizeof *optimizer);
}
