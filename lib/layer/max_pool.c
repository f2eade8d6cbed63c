/* Max pooling; where in each window the maximum stood is kept for backward. */
#include <hybridnet/layers.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/tensor.h"
#include "kernel/max_pool.h"
#include "layer/layer.h"

typedef struct max_pool {
    hn_context *context;
    int32_t kernel, stride, padding;
} max_pool;

static hn_status geometry(const max_pool *p, const hn_desc *input, hni_max_pool *g)
{
    char text[HNI_DESC_TEXT];
    HNI_TRY(hni_layer_check_floats("max_pool", input, 4));
    const int64_t *d = input->dim;
    int64_t height = d[1] + 2 * p->padding - p->kernel, width = d[2] + 2 * p->padding - p->kernel;
    HNI_FAIL_IF(height < 0 || width < 0, HN_E_SHAPE,
                "max_pool: the input is %s; a window of %d with padding %d does not "
                "fit into it",
                hni_desc_text(input, text), (int)p->kernel, (int)p->padding);
    *g = (hni_max_pool){.images = d[0],
                        .height = d[1],
                        .width = d[2],
                        .channels = d[3],
                        .out_height = height / p->stride + 1,
                        .out_width = width / p->stride + 1,
                        .kernel = p->kernel,
                        .stride = p->stride,
                        .padding = p->padding,
                        .dtype = input->dtype};
    return HN_OK;
}

static hn_status plan(const void *self, const hn_desc *input, int32_t mode, int32_t num_threads, hn_layer_plan *plan)
{
    hni_max_pool g = {0};
    (void)num_threads;
    HNI_TRY(geometry(self, input, &g));
    plan->output = (hn_desc){input->dtype, 4, {g.images, g.out_height, g.out_width, g.channels}};
    int64_t count;
    size_t bytes;
    HNI_TRY(hni_desc_size(&plan->output, "max_pool", &count, &bytes));
    if (mode == HN_MODE_TRAIN)
        plan->workspace_bytes = (size_t)count * sizeof(uint16_t);
    return HN_OK;
}

static hn_status forward(void *self, const hn_layer_call *call)
{
    hni_max_pool g = {0};
    HNI_TRY(geometry(self, &call->input, &g));
    hni_max_pool_forward(call->num_threads, &g, call->x, call->y, call->mode == HN_MODE_TRAIN ? call->workspace : NULL);
    return HN_OK;
}

static hn_status backward(void *self, const hn_layer_call *call)
{
    hni_max_pool g = {0};
    HNI_TRY(geometry(self, &call->input, &g));
    if (call->dx != NULL)
        hni_max_pool_backward(call->num_threads, &g, call->workspace, call->dy, call->dx);
    return HN_OK;
}

/* x, y and, in training, where the maxima were; backward the latter, dy and dx. */
static void cost(const void *self, const hn_layer_call *call, int32_t pass, hn_layer_cost *cost)
{
    const bool kept = pass == HN_TRACE_BACKWARD || call->mode == HN_MODE_TRAIN;
    (void)self;
    if (pass == HN_TRACE_FORWARD || call->dx != NULL)
        cost->bytes = hni_layer_bytes(&call->input) + hni_layer_bytes(&call->output) +
                      (kept ? hni_layer_count(&call->output) * (double)sizeof(uint16_t) : 0.0);
}

static void destroy(void *self)
{
    max_pool *p = self;
    hni_release(p->context, p, sizeof *p);
}

static const hn_layer_ops ops = {.struct_size = sizeof ops,
                                 .kind = "max_pool",
                                 .plan = plan,
                                 .forward = forward,
                                 .backward = backward,
                                 .destroy = destroy,
                                 .cost = cost};

hn_status hn_max_pool_create(hn_layer **out, hn_context *context, int32_t kernel, int32_t stride, int32_t padding)
{
    HNI_FAIL_IF(out == NULL || context == NULL, HN_E_ARG, "hn_max_pool_create: %s is NULL",
                out == NULL ? "out" : "context");
    HNI_FAIL_IF(kernel < 1 || kernel > 64 || stride < 1 || stride > 64, HN_E_ARG,
                "hn_max_pool_create: kernel is %d and stride is %d; both must be in [1, 64]", (int)kernel, (int)stride);
    HNI_FAIL_IF(padding < 0 || padding > kernel / 2, HN_E_ARG,
                "hn_max_pool_create: padding is %d; it must be in [0, kernel / 2 = %d]", (int)padding,
                (int)(kernel / 2));
    const max_pool made = {context, kernel, stride, padding};
    return hni_layer_begin(out, context, &ops, &made, sizeof made, "hn_max_pool_create");
}
