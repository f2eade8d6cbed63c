/* y = scale cos(x_i, w_c): a linear layer on L2-normalised rows and weights. */
#include <hybridnet/layers.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/tensor.h"
#include "kernel/gemm.h"
#include "kernel/rownorm.h"
#include "layer/layer.h"

#include <inttypes.h>
#include <math.h>

typedef struct cosine_linear {
    hn_context *context;
    int64_t in, out;
    float scale;
    hn_tensor *weight, *dweight; /* out x in */
} cosine_linear;

/* What forward makes and backward reads. */
typedef struct normalised {
    double *x_inverse, *w_inverse; /* [rows], [out], of the lengths */
    float *x, *w;                  /* rows x in, out x in           */
} normalised;

static size_t lay_out(const cosine_linear *l, int64_t rows, char *base, normalised *n)
{
    const size_t part[4] = {(size_t)rows * sizeof(double), (size_t)l->out * sizeof(double),
                            (size_t)(rows * l->in) * sizeof(float), (size_t)(l->out * l->in) * sizeof(float)};
    size_t at[5] = {0};
    for (int i = 0; i < 4; ++i)
        at[i + 1] = at[i] + hni_round_up(part[i]);
    if (n != NULL)
        *n = (normalised){(double *)(void *)(base + at[0]), (double *)(void *)(base + at[1]),
                          (float *)(void *)(base + at[2]), (float *)(void *)(base + at[3])};
    return at[4];
}

static hn_status plan(const void *self, const hn_desc *input, int32_t mode, int32_t num_threads, hn_layer_plan *plan)
{
    const cosine_linear *l = self;
    char text[HNI_DESC_TEXT];
    (void)num_threads;
    HNI_TRY(hni_layer_check_input("cosine_linear", input, 2));
    HNI_FAIL_IF(input->dim[1] != l->in, HN_E_SHAPE, "cosine_linear: the input is %s; it must have %" PRId64 " columns",
                hni_desc_text(input, text), l->in);
    plan->output = *input;
    plan->output.dim[1] = l->out;
    const size_t bytes = lay_out(l, input->dim[0], NULL, NULL);
    plan->workspace_bytes = mode == HN_MODE_TRAIN ? bytes : 0;
    /* In training: the gradients with respect to the normalised rows and weights. */
    plan->scratch_bytes = mode == HN_MODE_TRAIN ? hni_round_up((size_t)(input->dim[0] * l->in) * sizeof(float)) +
                                                      hni_round_up((size_t)(l->out * l->in) * sizeof(float))
                                                : bytes;
    return HN_OK;
}

static hn_status forward(void *self, const hn_layer_call *call)
{
    const cosine_linear *l = self;
    const int64_t rows = call->input.dim[0];
    normalised n;
    (void)lay_out(l, rows, call->mode == HN_MODE_TRAIN ? call->workspace : call->scratch, &n);
    hni_rownorm_forward(call->num_threads, rows, l->in, call->x, l->in, n.x, n.x_inverse);
    hni_rownorm_forward(call->num_threads, l->out, l->in, l->weight->data, l->in, n.w, n.w_inverse);
    hni_gemm_parallel(call->num_threads, false, true, rows, l->out, l->in, l->scale, n.x, l->in, n.w, l->in, 0.0f,
                      call->y, l->out);
    return HN_OK;
}

static hn_status backward(void *self, const hn_layer_call *call)
{
    const cosine_linear *l = self;
    const int64_t rows = call->input.dim[0];
    normalised n;
    (void)lay_out(l, rows, call->workspace, &n);
    float *dx = call->scratch, *dw = dx + hni_round_up((size_t)(rows * l->in) * sizeof(float)) / sizeof(float);
    hni_gemm_parallel(call->num_threads, true, false, l->out, l->in, rows, l->scale, call->dy, l->out, n.x, l->in, 0.0f,
                      dw, l->in);
    hni_rownorm_backward(call->num_threads, l->out, l->in, n.w, n.w_inverse, dw, 1.0f, 1.0f, l->dweight->data, l->in);
    if (call->dx == NULL)
        return HN_OK;
    hni_gemm_parallel(call->num_threads, false, false, rows, l->in, l->out, l->scale, call->dy, l->out, n.w, l->in,
                      0.0f, dx, l->in);
    hni_rownorm_backward(call->num_threads, rows, l->in, n.x, n.x_inverse, dx, 1.0f, 0.0f, call->dx, l->in);
    return HN_OK;
}

/* Random directions. */
static void init(void *self, hn_rng *rng)
{
    const cosine_linear *l = self;
    float *w = l->weight->data;
    hn_rng_fill_normal(rng, w, (size_t)(l->out * l->in), 0.0f, 1.0f);
    for (int64_t c = 0; c < l->out; ++c)
        (void)hni_rownorm_row(l->in, w + c * l->in, w + c * l->in);
}

/* As for a linear layer on the normalised arrays, and the passes that normalise: each reads one array and writes one;
 * backward reads two and writes one, and a fourth time where it adds to the gradient that there is.                     */
static void cost(const void *self, const hn_layer_call *call, int32_t pass, hn_layer_cost *cost)
{
    const cosine_linear *l = self;
    const double x = hni_layer_bytes(&call->input), y = hni_layer_bytes(&call->output);
    const double w = (double)hn_tensor_bytes(l->weight), product = 2.0 * hni_layer_count(&call->input) * (double)l->out;
    cost->flops = product;
    cost->bytes = pass == HN_TRACE_FORWARD ? 3.0 * x + 3.0 * w + y : y + x + 5.0 * w;
    if (pass == HN_TRACE_FORWARD || call->dx == NULL)
        return;
    cost->flops += product;
    cost->bytes += y + w + 4.0 * x;
}

static void destroy(void *self)
{
    cosine_linear *l = self;
    hni_release(l->context, l, sizeof *l);
}

static const hn_layer_ops ops = {.struct_size = sizeof ops,
                                 .kind = "cosine_linear",
                                 .plan = plan,
                                 .forward = forward,
                                 .backward = backward,
                                 .init = init,
                                 .destroy = destroy,
                                 .cost = cost};

hn_status hn_cosine_linear_create(hn_layer **out, hn_context *context, int64_t in, int64_t out_features, float scale)
{
    static const char function[] = "hn_cosine_linear_create";
    HNI_FAIL_IF(out == NULL || context == NULL, HN_E_ARG, "%s: %s is NULL", function, out == NULL ? "out" : "context");
    HNI_FAIL_IF(in < 1 || out_features < 1 || in > INT32_MAX || out_features > INT32_MAX, HN_E_ARG,
                "%s: in is %" PRId64 " and out is %" PRId64 "; both must be in [1, 2^31 - 1]", function, in,
                out_features);
    HNI_FAIL_IF(!(scale > 0.0f && isfinite(scale)), HN_E_ARG, "%s: scale is %g; it must be positive and finite",
                function, (double)scale);
    const cosine_linear made = {.context = context, .in = in, .out = out_features, .scale = scale};
    const hn_desc weight = {HN_F32, 2, {out_features, in}};
    hn_layer *layer;
    HNI_TRY(hni_layer_begin(&layer, context, &ops, &made, sizeof made, function));
    cosine_linear *l = layer->self;
    return hni_layer_finish(out, layer, hn_layer_add_param(layer, "weight", &weight, 1, &l->weight, &l->dweight));
}
