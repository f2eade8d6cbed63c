#include "base/error.h"
#include "base/tensor.h"
#include "kernel/elementwise.h"
#include "layer/layer.h"

#include <hybridnet/layers.h>

static hn_status plan(const void *self, const hn_desc *input, int32_t mode, int32_t num_threads, hn_layer_plan *plan)
{
    (void)self, (void)mode, (void)num_threads;
    HNI_TRY(hni_layer_check_input("relu", input, 0));
    plan->output = *input;
    return HN_OK;
}

static hn_status forward(void *self, const hn_layer_call *call)
{
    (void)self;
    hni_relu_forward(call->num_threads, hni_desc_count(&call->input), call->x, call->y);
    return HN_OK;
}

static hn_status backward(void *self, const hn_layer_call *call)
{
    (void)self;
    if (call->dx != NULL)
        hni_relu_backward(call->num_threads, hni_desc_count(&call->input), call->y, call->dy, call->dx);
    return HN_OK;
}

/* x and y; backward y, dy and dx. */
static void cost(const void *self, const hn_layer_call *call, int32_t pass, hn_layer_cost *cost)
{
    (void)self;
    if (pass == HN_TRACE_FORWARD || call->dx != NULL)
        cost->bytes = (pass == HN_TRACE_FORWARD ? 2.0 : 3.0) * hni_layer_bytes(&call->input);
}

static const hn_layer_ops ops = {
    .struct_size = sizeof ops, .kind = "relu", .plan = plan, .forward = forward, .backward = backward, .cost = cost};

hn_status hn_relu_create(hn_layer **out, hn_context *context)
{
    HNI_FAIL_IF(out == NULL || context == NULL, HN_E_ARG, "hn_relu_create: %s is NULL", out == NULL ? "out" : "context");
    return hn_layer_create(out, context, &ops, NULL);
}
