/* Another element type for the same shape: where a network enters bf16, or leaves it. */
#include <hybridnet/layers.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/tensor.h"
#include "kernel/convert.h"
#include "layer/layer.h"

typedef struct cast {
    hn_context *context;
    int32_t dtype; /* of y */
} cast;

static hn_status plan(const void *self, const hn_desc *input, int32_t mode, int32_t num_threads, hn_layer_plan *plan)
{
    const cast *c = self;
    (void)mode;
    (void)num_threads;
    HNI_TRY(hni_layer_check_floats("cast", input, 0));
    plan->output = *input;
    plan->output.dtype = c->dtype;
    return HN_OK;
}

static hn_status forward(void *self, const hn_layer_call *call)
{
    const cast *c = self;
    hni_convert(call->num_threads, hni_desc_count(&call->input), call->input.dtype, call->x, c->dtype, call->y);
    return HN_OK;
}

static hn_status backward(void *self, const hn_layer_call *call)
{
    const cast *c = self;
    if (call->dx != NULL)
        hni_convert(call->num_threads, hni_desc_count(&call->input), c->dtype, call->dy, call->input.dtype, call->dx);
    return HN_OK;
}

static void cost(const void *self, const hn_layer_call *call, int32_t pass, hn_layer_cost *cost)
{
    (void)self;
    if (pass == HN_TRACE_FORWARD || call->dx != NULL)
        cost->bytes = hni_layer_bytes(&call->input) + hni_layer_bytes(&call->output);
}

static void destroy(void *self)
{
    cast *c = self;
    hni_release(c->context, c, sizeof *c);
}

static const hn_layer_ops ops = {.struct_size = sizeof ops,
                                 .kind = "cast",
                                 .flags = HN_LAYER_CAST,
                                 .plan = plan,
                                 .forward = forward,
                                 .backward = backward,
                                 .destroy = destroy,
                                 .cost = cost};

hn_status hn_cast_create(hn_layer **out, hn_context *context, int32_t dtype)
{
    HNI_FAIL_IF(out == NULL || context == NULL, HN_E_ARG, "hn_cast_create: %s is NULL",
                out == NULL ? "out" : "context");
    HNI_FAIL_IF(dtype != HN_F32 && dtype != HN_BF16, HN_E_ARG,
                "hn_cast_create: dtype is %d; it must be HN_F32 or HN_BF16", (int)dtype);
    const cast made = {context, dtype};
    return hni_layer_begin(out, context, &ops, &made, sizeof made, "hn_cast_create");
}
