/* What is done with a layer that is there: plan, forward, backward; and what every layer's plan and cost ask. */
#include "base/context.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/options.h"
#include "base/tensor.h"
#include "layer/layer.h"

/* A table's function returned status. A caller's cannot set the library's sentence: a failure that came without one gets
 * one. before: hni_failures before the call.                                                                          */
static hn_status judged(const hn_layer *layer, const char *function, uint64_t before, hn_status status)
{
    if (status == HN_OK || (status < 0 && hni_failures() != before))
        return status;
    return hni_fail(status < 0 ? status : HN_E_STATE, "%s: the layer's %s returned %s (%d)", layer->ops.kind, function,
                    hn_status_name(status), (int)status);
}

hn_status hn_layer_plan_call(const hn_layer *layer, const hn_desc *input, int32_t mode, int32_t num_threads,
                             hn_layer_plan *plan)
{
    HNI_FAIL_IF(layer == NULL || input == NULL || plan == NULL, HN_E_ARG, "hn_layer_plan_call: %s is NULL",
                layer == NULL   ? "layer"
                : input == NULL ? "input"
                                : "plan");
    HNI_FAIL_IF(mode != HN_MODE_INFER && mode != HN_MODE_TRAIN, HN_E_ARG, "hn_layer_plan_call: mode %d does not exist",
                (int)mode);
    HNI_FAIL_IF(num_threads < 1, HN_E_ARG, "hn_layer_plan_call: num_threads is %d; it must be positive",
                (int)num_threads);
    hn_layer_plan made = {.struct_size = sizeof made};
    const uint64_t failures = hni_failures();
    HNI_TRY(judged(layer, "plan", failures, layer->ops.plan(layer->self, input, mode, num_threads, &made)));
    int64_t count;
    size_t bytes;
    HNI_TRY(hni_desc_size(&made.output, layer->ops.kind, &count, &bytes));
    HNI_FAIL_IF(made.workspace_bytes > HNI_MAX_BYTES || made.scratch_bytes > HNI_MAX_BYTES, HN_E_SHAPE,
                "%s: the layer's plan wants %zu bytes of workspace and %zu of scratch", layer->ops.kind,
                made.workspace_bytes, made.scratch_bytes);
    *plan = made;
    return HN_OK;
}

hn_status hn_layer_output(const hn_layer *layer, const hn_desc *input, hn_desc *output)
{
    HNI_FAIL_IF(output == NULL, HN_E_ARG, "hn_layer_output: output is NULL");
    hn_layer_plan plan;
    HNI_TRY(hn_layer_plan_call(layer, input, HN_MODE_INFER, 1, &plan));
    *output = plan.output;
    return HN_OK;
}

static hn_status run(const hn_layer *layer, const hn_layer_call *call, int32_t pass)
{
    const bool forward = pass == HN_TRACE_FORWARD;
    const uint64_t failures = hni_failures();
    return judged(layer, forward ? "forward" : "backward", failures,
                  (forward ? layer->ops.forward : layer->ops.backward)(layer->self, call));
}

/* A pass between its two events. Both are sent whatever comes of it, so that whoever listens never loses count. */
static hn_status traced(const hn_layer *layer, const hn_layer_call *call, int32_t pass)
{
    hn_layer_cost cost = {.struct_size = sizeof cost};
    if (layer->ops.cost != NULL)
        layer->ops.cost(layer->self, call, pass, &cost);
    hn_trace_event event = {.struct_size = sizeof event,
                            .kind = layer->ops.kind,
                            .pass = pass,
                            .flops = cost.flops,
                            .bytes = cost.bytes,
                            .input = &call->input,
                            .output = &call->output};
    hni_trace(call->context, &event, 0);
    hn_status status = run(layer, call, pass);
    hni_trace(call->context, &event, 1);
    return status;
}

static hn_status pass(const hn_layer *layer, const hn_layer_call *call, int32_t which, const char *function)
{
    HNI_FAIL_IF(layer == NULL || call == NULL, HN_E_ARG, "%s: %s is NULL", function, layer == NULL ? "layer" : "call");
    HNI_FAIL_IF(call->struct_size < offsetof(hn_layer_call, addend), HN_E_ARG,
                "%s: the call's struct_size is %zu; set it to sizeof(hn_layer_call)", function, call->struct_size);
    hn_layer_call full = {.struct_size = sizeof full};
    HNI_TRY(hni_options_read(&full, sizeof full, call, function));
    const bool watched = full.context != NULL && full.context->trace != NULL; /* one made by hand may lack a context */
    return watched ? traced(layer, &full, which) : run(layer, &full, which);
}

hn_status hn_layer_forward(const hn_layer *layer, const hn_layer_call *call)
{
    return pass(layer, call, HN_TRACE_FORWARD, "hn_layer_forward");
}

hn_status hn_layer_backward(const hn_layer *layer, const hn_layer_call *call)
{
    return pass(layer, call, HN_TRACE_BACKWARD, "hn_layer_backward");
}

static hn_status check_shape(const char *kind, const hn_desc *input, int32_t ndim)
{
    char text[HNI_DESC_TEXT];
    HNI_FAIL_IF(ndim != 0 && input->ndim != ndim, HN_E_SHAPE, "%s: the input is %s; it must have %d dimensions", kind,
                hni_desc_text(input, text), (int)ndim);
    int64_t count;
    size_t bytes;
    HNI_TRY(hni_desc_size(input, kind, &count, &bytes));
    HNI_FAIL_IF(count == 0, HN_E_SHAPE, "%s: the input is %s; it must not be empty", kind, hni_desc_text(input, text));
    return HN_OK;
}

hn_status hni_layer_check_input(const char *kind, const hn_desc *input, int32_t ndim)
{
    char text[HNI_DESC_TEXT];
    HNI_FAIL_IF(input->dtype != HN_F32, HN_E_SHAPE, "%s: the input is %s; it must be f32", kind,
                hni_desc_text(input, text));
    return check_shape(kind, input, ndim);
}

hn_status hni_layer_check_floats(const char *kind, const hn_desc *input, int32_t ndim)
{
    char text[HNI_DESC_TEXT];
    HNI_FAIL_IF(input->dtype != HN_F32 && input->dtype != HN_BF16, HN_E_SHAPE,
                "%s: the input is %s; it must be f32 or bf16", kind, hni_desc_text(input, text));
    return check_shape(kind, input, ndim);
}

double hni_layer_count(const hn_desc *desc)
{
    return (double)hni_desc_count(desc);
}

double hni_layer_bytes(const hn_desc *desc)
{
    return hni_layer_count(desc) * (double)hn_dtype_bytes(desc->dtype);
}

size_t hni_layer_room(const hn_desc *desc)
{
    return hni_round_up((size_t)hni_desc_count(desc) * hn_dtype_bytes(desc->dtype));
}
