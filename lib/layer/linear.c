/* y = x W^T + b. */
#include <hybridnet/layers.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/tensor.h"
#include "kernel/elementwise.h"
#include "kernel/gemm.h"
#include "layer/layer.h"

#include <inttypes.h>
#include <math.h>

typedef struct linear {
    hn_context *context;
    int64_t in, out;
    hn_tensor *weight, *dweight; /* out x in     */
    hn_tensor *bias, *dbias;     /* out, or NULL */
} linear;

static hn_status plan(const void *self, const hn_desc *input, int32_t mode, int32_t num_threads, hn_layer_plan *plan)
{
    const linear *l = self;
    char text[HNI_DESC_TEXT];
    (void)mode;
    (void)num_threads;
    HNI_TRY(hni_layer_check_input("linear", input, 2));
    HNI_FAIL_IF(input->dim[1] != l->in, HN_E_SHAPE, "linear: the input is %s; it must have %" PRId64 " columns",
                hni_desc_text(input, text), l->in);
    plan->output = *input;
    plan->output.dim[1] = l->out;
    plan->scratch_bytes = l->bias != NULL ? hni_bias_scratch_bytes(l->out) : 0;
    return HN_OK;
}

static hn_status forward(void *self, const hn_layer_call *call)
{
    const linear *l = self;
    int64_t rows = call->input.dim[0];
    hni_gemm_parallel(call->num_threads, false, true, rows, l->out, l->in, 1.0f, call->x, l->in, l->weight->data, l->in,
                      0.0f, call->y, l->out);
    if (l->bias != NULL)
        hni_bias_forward(call->num_threads, rows, l->out, l->bias->data, call->y);
    return HN_OK;
}

static hn_status backward(void *self, const hn_layer_call *call)
{
    const linear *l = self;
    int64_t rows = call->input.dim[0];
    hni_gemm_parallel(call->num_threads, true, false, l->out, l->in, rows, 1.0f, call->dy, l->out, call->x, l->in, 1.0f,
                      l->dweight->data, l->in);
    if (l->bias != NULL)
        hni_bias_backward(call->num_threads, rows, l->out, call->dy, l->dbias->data, call->scratch);
    if (call->dx != NULL)
        hni_gemm_parallel(call->num_threads, false, false, rows, l->in, l->out, 1.0f, call->dy, l->out, l->weight->data,
                          l->in, 0.0f, call->dx, l->in);
    return HN_OK;
}

/* He et al., "Delving deep into rectifiers", ICCV 2015, eq. 10; the bias stays 0. */
static void init(void *self, hn_rng *rng)
{
    const linear *l = self;
    hn_rng_fill_normal(rng, l->weight->data, (size_t)(l->out * l->in), 0.0f, sqrtf(2.0f / (float)l->in));
    for (int64_t i = 0; l->bias != NULL && i < l->out; ++i)
        ((float *)l->bias->data)[i] = 0.0f;
}

/* x, W and y; backward dy, x and the sum in W's gradient and then, for dx, dy, W and dx. */
static void cost(const void *self, const hn_layer_call *call, int32_t pass, hn_layer_cost *cost)
{
    const linear *l = self;
    const double x = hni_layer_bytes(&call->input), y = hni_layer_bytes(&call->output);
    const double w = (double)hn_tensor_bytes(l->weight), product = 2.0 * hni_layer_count(&call->input) * (double)l->out;
    cost->flops = product;
    cost->bytes = pass == HN_TRACE_FORWARD ? x + w + y : y + x + 2.0 * w;
    if (l->bias != NULL)
        cost->bytes += pass == HN_TRACE_FORWARD ? 2.0 * y : y;
    if (pass == HN_TRACE_FORWARD || call->dx == NULL)
        return;
    cost->flops += product;
    cost->bytes += y + w + x;
}

static void destroy(void *self)
{
    linear *l = self;
    hni_release(l->context, l, sizeof *l);
}

static const hn_layer_ops ops = {.struct_size = sizeof ops,
                                 .kind = "linear",
                                 .plan = plan,
                                 .forward = forward,
                                 .backward = backward,
                                 .init = init,
                                 .destroy = destroy,
                                 .cost = cost};

hn_status hn_linear_create(hn_layer **out, hn_context *context, int64_t in, int64_t out_features, int32_t bias)
{
    static const char function[] = "hn_linear_create";
    HNI_FAIL_IF(out == NULL || context == NULL, HN_E_ARG, "%s: %s is NULL", function, out == NULL ? "out" : "context");
    HNI_FAIL_IF(in < 1 || out_features < 1 || in > INT32_MAX || out_features > INT32_MAX, HN_E_ARG,
                "%s: in is %" PRId64 " and out is %" PRId64 "; both must be in [1, 2^31 - 1]", function, in,
                out_features);
    const linear made = {.context = context, .in = in, .out = out_features};
    const hn_desc weight = {HN_F32, 2, {out_features, in}}, bias_desc = {HN_F32, 1, {out_features}};
    hn_layer *layer;
    HNI_TRY(hni_layer_begin(&layer, context, &ops, &made, sizeof made, function));
    linear *l = layer->self;
    hn_status status = hn_layer_add_param(layer, "weight", &weight, 1, &l->weight, &l->dweight);
    if (status == HN_OK && bias)
        status = hn_layer_add_param(layer, "bias", &bias_desc, 0, &l->bias, &l->dbias);
    return hni_layer_finish(out, layer, status);
}
