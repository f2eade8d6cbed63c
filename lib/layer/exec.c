#include <hybridnet/exec.h>

#include "base/context.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/tensor.h"

#include <inttypes.h>

struct hn_exec {
    hn_context *context;
    hn_layer *layer;
    hn_desc planned; /* input of the largest batch */
    size_t y_bytes, workspace_bytes, scratch_bytes;
    int32_t mode;
    bool ready; /* forward has run: backward may */
    hn_layer_call call;
    hn_tensor y;  /* of the last forward */
    char *memory; /* y, workspace, scratch */
    size_t memory_bytes;
};

hn_status hn_exec_create(hn_exec **out, hn_context *context, hn_layer *layer, const hn_desc *input, int32_t mode)
{
    HNI_FAIL_IF(out == NULL || context == NULL || layer == NULL || input == NULL, HN_E_ARG,
                "hn_exec_create: %s is NULL",
                out == NULL       ? "out"
                : context == NULL ? "context"
                : layer == NULL   ? "layer"
                                  : "input");
    HNI_FAIL_IF(mode != HN_MODE_INFER && mode != HN_MODE_TRAIN, HN_E_ARG, "hn_exec_create: mode %d does not exist",
                (int)mode);
    int64_t count;
    size_t y_bytes, total;
    HNI_TRY(hni_desc_size(input, "hn_exec_create", &count, &y_bytes));
    HNI_FAIL_IF(count == 0, HN_E_SHAPE, "hn_exec_create: the input's shape is empty");
    hn_layer_plan plan;
    HNI_TRY(hn_layer_plan_call(layer, input, mode, context->num_threads, &plan));
    HNI_TRY(hni_desc_size(&plan.output, "hn_exec_create", &count, &y_bytes));
    size_t workspace = hni_round_up(plan.workspace_bytes);
    HNI_FAIL_IF(!hni_size_add(hni_round_up(y_bytes), workspace, &total) ||
                    !hni_size_add(total, plan.scratch_bytes, &total),
                HN_E_SHAPE, "hn_exec_create: the shape is too large to address");

    hn_exec *exec = hni_alloc(context, sizeof *exec);
    char *memory = hni_alloc(context, total);
    if (exec == NULL || memory == NULL) {
        hni_release(context, exec, sizeof *exec);
        hni_release(context, memory, total);
        return hni_no_memory("hn_exec_create", total);
    }
    *exec = (hn_exec){.context = context,
                      .layer = layer,
                      .planned = *input,
                      .y_bytes = y_bytes,
                      .workspace_bytes = plan.workspace_bytes,
                      .scratch_bytes = plan.scratch_bytes,
                      .mode = mode,
                      .y = hni_tensor_view(memory, &plan.output),
                      .memory = memory,
                      .memory_bytes = total};
    exec->call = (hn_layer_call){.struct_size = sizeof exec->call,
                                 .context = context,
                                 .mode = mode,
                                 .num_threads = context->num_threads,
                                 .y = memory,
                                 .workspace = memory + hni_round_up(y_bytes),
                                 .scratch = memory + hni_round_up(y_bytes) + workspace};
    *out = exec;
    return HN_OK;
}

size_t hn_exec_bytes(const hn_exec *exec)
{
    return exec == NULL ? 0 : exec->memory_bytes;
}

/* desc is the planned one but for a batch of 1 .. planned. */
static bool fits(const hn_desc *desc, const hn_desc *planned)
{
    hn_desc same = *planned;
    same.dim[0] = desc->dim[0];
    return hni_desc_equal(desc, &same) && desc->dim[0] >= 1 && desc->dim[0] <= planned->dim[0];
}

static bool overlap(const void *a, size_t a_bytes, const void *b, size_t b_bytes)
{
    const uintptr_t p = (uintptr_t)a, q = (uintptr_t)b;
    return p < q + b_bytes && q < p + a_bytes;
}

/* Plans again, for rows of this description: a layer may have got children since the executor was made. */
static hn_status plan_again(const hn_exec *exec, const hn_desc *input, const char *function, hn_layer_plan *plan)
{
    HNI_TRY(hn_layer_plan_call(exec->layer, input, exec->mode, exec->call.num_threads, plan));
    int64_t count;
    size_t y_bytes;
    HNI_TRY(hni_desc_size(&plan->output, function, &count, &y_bytes));
    HNI_FAIL_IF(y_bytes > exec->y_bytes || plan->workspace_bytes > exec->workspace_bytes ||
                    plan->scratch_bytes > exec->scratch_bytes,
                HN_E_STATE,
                "%s: the %s wants more memory for %" PRId64
                " rows (%zu, %zu and %zu bytes) than was planned for %" PRId64 " (%zu, %zu and %zu)",
                function, hn_layer_kind(exec->layer), input->dim[0], y_bytes, plan->workspace_bytes,
                plan->scratch_bytes, exec->planned.dim[0], exec->y_bytes, exec->workspace_bytes, exec->scratch_bytes);
    return HN_OK;
}

static hn_status run(hn_exec *exec, const hn_tensor *x, bool again, const hn_tensor **y, const char *function)
{
    char got[HNI_DESC_TEXT], want[HNI_DESC_TEXT];
    HNI_FAIL_IF(exec == NULL || x == NULL || y == NULL, HN_E_ARG, "%s: %s is NULL", function,
                exec == NULL ? "exec"
                : x == NULL  ? "x"
                             : "y");
    HNI_FAIL_IF(!fits(&x->desc, &exec->planned), HN_E_SHAPE, "%s: x is %s; the executor was planned for %s", function,
                hni_desc_text(&x->desc, got), hni_desc_text(&exec->planned, want));
    HNI_FAIL_IF(overlap(x->data, hn_tensor_bytes(x), exec->memory, exec->memory_bytes), HN_E_ARG,
                "%s: x lies in the executor's own memory", function);
    hn_layer_plan plan;
    HNI_TRY(plan_again(exec, &x->desc, function, &plan));
    exec->ready = false;
    exec->call.input = x->desc;
    exec->call.output = plan.output;
    exec->call.x = x->data;
    exec->call.again = again;
    exec->y.desc = plan.output;
    HNI_TRY(hn_layer_forward(exec->layer, &exec->call));
    exec->ready = exec->mode == HN_MODE_TRAIN;
    *y = &exec->y;
    return HN_OK;
}

hn_status hn_exec_forward(hn_exec *exec, const hn_tensor *x, const hn_tensor **y)
{
    return run(exec, x, false, y, "hn_exec_forward");
}

hn_status hn_exec_forward_again(hn_exec *exec, const hn_tensor *x, const hn_tensor **y)
{
    return run(exec, x, true, y, "hn_exec_forward_again");
}

hn_status hn_exec_backward(hn_exec *exec, const hn_tensor *dy, hn_tensor *dx)
{
    char got[HNI_DESC_TEXT], want[HNI_DESC_TEXT];
    HNI_FAIL_IF(exec == NULL || dy == NULL, HN_E_ARG, "hn_exec_backward: %s is NULL", exec == NULL ? "exec" : "dy");
    HNI_FAIL_IF(exec->mode != HN_MODE_TRAIN, HN_E_STATE, "hn_exec_backward: the executor was made for inference");
    HNI_FAIL_IF(!exec->ready, HN_E_STATE, "hn_exec_backward: it needs a forward of its own before it");
    HNI_FAIL_IF(!hni_desc_equal(&dy->desc, &exec->call.output), HN_E_SHAPE,
                "hn_exec_backward: dy is %s; the output was %s", hni_desc_text(&dy->desc, got),
                hni_desc_text(&exec->call.output, want));
    HNI_FAIL_IF(dx != NULL && !hni_desc_equal(&dx->desc, &exec->call.input), HN_E_SHAPE,
                "hn_exec_backward: dx is %s; the input was %s", hni_desc_text(&dx->desc, got),
                hni_desc_text(&exec->call.input, want));
    const size_t x_bytes = dx == NULL ? 0 : hn_tensor_bytes(dx);
    HNI_FAIL_IF(dx != NULL && (overlap(dx->data, x_bytes, dy->data, hn_tensor_bytes(dy)) ||
                               overlap(dx->data, x_bytes, exec->call.x, x_bytes)),
                HN_E_ARG, "hn_exec_backward: dx overlaps %s",
                overlap(dx->data, x_bytes, exec->call.x, x_bytes) ? "x" : "dy");
    HNI_FAIL_IF(dx != NULL && overlap(dx->data, x_bytes, exec->memory, exec->memory_bytes), HN_E_ARG,
                "hn_exec_backward: dx lies in the executor's own memory");
    hn_layer_plan plan;
    HNI_TRY(plan_again(exec, &exec->call.input, "hn_exec_backward", &plan));
    HNI_FAIL_IF(!hni_desc_equal(&plan.output, &exec->call.output), HN_E_STATE,
                "hn_exec_backward: the %s has another output now, %s; it was %s", hn_layer_kind(exec->layer),
                hni_desc_text(&plan.output, got), hni_desc_text(&exec->call.output, want));
    hn_layer_call call = exec->call;
    call.dy = dy->data;
    call.dx = dx == NULL ? NULL : dx->data;
    exec->ready = false; /* layers may have used their workspace up */
    return hn_layer_backward(exec->layer, &call);
}

void hn_exec_destroy(hn_exec *exec)
{
    if (exec == NULL)
        return;
    hni_release(exec->context, exec->memory, exec->memory_bytes);
    hni_release(exec->context, exec, sizeof *exec);
}
