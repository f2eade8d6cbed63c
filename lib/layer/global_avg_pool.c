/* N x H x W x C -> N x C; from bf16 it leads back to f32. */
#include <hybridnet/layers.h>

#include "base/error.h"
#include "kernel/pool.h"
#include "layer/layer.h"

static hn_status plan(const void *self, const hn_desc *input, int32_t mode, int32_t num_threads, hn_layer_plan *plan)
{
    (void)self;
    (void)mode;
    (void)num_threads;
    HNI_TRY(hni_layer_check_floats("global_avg_pool", input, 4));
    plan->output = (hn_desc){HN_F32, 2, {input->dim[0], input->dim[3]}};
    return HN_OK;
}

static hn_status forward(void *self, const hn_layer_call *call)
{
    const int64_t *d = call->input.dim;
    (void)self;
    hni_avg_pool_forward(call->num_threads, call->input.dtype, d[0], d[1] * d[2], d[3], call->x, call->y);
    return HN_OK;
}

static hn_status backward(void *self, const hn_layer_call *call)
{
    const int64_t *d = call->input.dim;
    (void)self;
    if (call->dx != NULL)
        hni_avg_pool_backward(call->num_threads, call->input.dtype, d[0], d[1] * d[2], d[3], call->dy, call->dx);
    return HN_OK;
}

/* x and y; backward dy and dx, of the same shapes. */
static void cost(const void *self, const hn_layer_call *call, int32_t pass, hn_layer_cost *cost)
{
    (void)self;
    if (pass == HN_TRACE_FORWARD || call->dx != NULL)
        cost->bytes = hni_layer_bytes(&call->input) + hni_layer_bytes(&call->output);
}

static const hn_layer_ops ops = {.struct_size = sizeof ops,
                                 .kind = "global_avg_pool",
                                 .plan = plan,
                                 .forward = forward,
                                 .backward = backward,
                                 .cost = cost};

hn_status hn_global_avg_pool_create(hn_layer **out, hn_context *context)
{
    HNI_FAIL_IF(out == NULL || context == NULL, HN_E_ARG, "hn_global_avg_pool_create: %s is NULL",
                out == NULL ? "out" : "context");
    return hn_layer_create(out, context, &ops, NULL);
}
