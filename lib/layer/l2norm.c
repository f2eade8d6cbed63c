/* Each row divided by its length. */
#include <hybridnet/layers.h>

#include "base/error.h"
#include "kernel/rownorm.h"
#include "layer/layer.h"

static hn_status plan(const void *self, const hn_desc *input, int32_t mode, int32_t num_threads, hn_layer_plan *plan)
{
    (void)self;
    (void)num_threads;
    HNI_TRY(hni_layer_check_input("l2norm", input, 2));
    plan->output = *input;
    size_t inverse = (size_t)input->dim[0] * sizeof(double);
    plan->workspace_bytes = mode == HN_MODE_TRAIN ? inverse : 0;
    plan->scratch_bytes = mode == HN_MODE_TRAIN ? 0 : inverse;
    return HN_OK;
}

static hn_status forward(void *self, const hn_layer_call *call)
{
    const int64_t rows = call->input.dim[0], dim = call->input.dim[1];
    (void)self;
    hni_rownorm_forward(call->num_threads, rows, dim, call->x, dim, call->y,
                        call->mode == HN_MODE_TRAIN ? call->workspace : call->scratch);
    return HN_OK;
}

static hn_status backward(void *self, const hn_layer_call *call)
{
    const int64_t rows = call->input.dim[0], dim = call->input.dim[1];
    (void)self;
    if (call->dx != NULL)
        hni_rownorm_backward(call->num_threads, rows, dim, call->y, call->workspace, call->dy, 1.0f, 0.0f, call->dx,
                             dim);
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
    .struct_size = sizeof ops, .kind = "l2norm", .plan = plan, .forward = forward, .backward = backward, .cost = cost};

hn_status hn_l2norm_create(hn_layer **out, hn_context *context)
{
    HNI_FAIL_IF(out == NULL || context == NULL, HN_E_ARG, "hn_l2norm_create: %s is NULL",
                out == NULL ? "out" : "context");
    return hn_layer_create(out, context, &ops, NULL);
}
