#include "layer/conv2d.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/options.h"
#include "base/tensor.h"
#include "kernel/elementwise.h"
#include "layer/layer.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { MAX_KERNEL = 64, MAX_STRIDE = 64 };

static const hn_conv2d_options defaults = {.struct_size = sizeof defaults, .kernel = 3, .stride = 1, .padding = 1};

void hn_conv2d_options_init(hn_conv2d_options *options, size_t struct_size)
{
    hni_options_init(options, struct_size, &defaults, sizeof defaults);
}

hn_status hni_conv2d_options(hni_conv2d *c, const hn_conv2d_options *options, const char *function)
{
    hn_conv2d_options o = defaults;
    HNI_TRY(hni_options_read(&o, sizeof o, options, function));
    HNI_FAIL_IF(o.in_channels < 1 || o.out_channels < 1, HN_E_ARG,
                "%s: in_channels %d and out_channels %d must be positive", function, (int)o.in_channels,
                (int)o.out_channels);
    HNI_FAIL_IF(o.kernel < 1 || o.kernel > MAX_KERNEL, HN_E_ARG, "%s: kernel is %d; it must be in [1, %d]", function,
                (int)o.kernel, (int)MAX_KERNEL);
    HNI_FAIL_IF(o.stride < 1 || o.stride > MAX_STRIDE, HN_E_ARG, "%s: stride is %d; it must be in [1, %d]", function,
                (int)o.stride, (int)MAX_STRIDE);
    HNI_FAIL_IF(o.padding < 0 || o.padding > o.kernel, HN_E_ARG, "%s: padding is %d; it must be in [0, kernel = %d]",
                function, (int)o.padding, (int)o.kernel);
    HNI_FAIL_IF(o.fan != HN_FAN_IN && o.fan != HN_FAN_OUT, HN_E_ARG, "%s: fan %d does not exist", function, (int)o.fan);
    /* BLAS counts in int. */
    int64_t channels = o.in_channels > o.out_channels ? o.in_channels : o.out_channels;
    HNI_FAIL_IF(channels * o.kernel * o.kernel > INT32_MAX, HN_E_ARG,
                "%s: %" PRId64 " channels are too many for kernel %d", function, channels, (int)o.kernel);
    c->options = o;
    return HN_OK;
}

hn_status hni_conv2d_add_params(hni_conv2d *c, hn_layer *layer, const char *prefix)
{
    const hn_conv2d_options *o = &c->options;
    const hn_desc weight = {HN_F32, 4, {o->out_channels, o->in_channels, o->kernel, o->kernel}};
    const hn_desc bias = {HN_F32, 1, {o->out_channels}};
    HNI_TRY(hni_layer_add_param(layer, prefix, "weight", &weight, 1, &c->weight, &c->dweight));
    if (o->bias)
        HNI_TRY(hni_layer_add_param(layer, prefix, "bias", &bias, 0, &c->bias, &c->dbias));
    return HN_OK;
}

void hni_conv2d_init(const hni_conv2d *c, hn_rng *rng)
{
    const hn_conv2d_options *o = &c->options;
    double fan = (double)(o->fan == HN_FAN_OUT ? o->out_channels : o->in_channels) * o->kernel * o->kernel;
    hn_rng_fill_normal(rng, hn_tensor_data(c->weight), (size_t)hn_tensor_count(c->weight), 0.0f,
                       (float)sqrt(2.0 / fan));
    if (c->bias != NULL)
        memset(hn_tensor_data(c->bias), 0, hn_tensor_bytes(c->bias));
}

hn_status hni_conv2d_geometry(const hni_conv2d *c, const char *kind, const hn_desc *input, hni_conv *g, hn_desc *output)
{
    const hn_conv2d_options *o = &c->options;
    HNI_TRY(hni_layer_check_floats(kind, input, 4));
    HNI_FAIL_IF(input->dtype == HN_BF16 && o->bias, HN_E_SHAPE,
                "%s: the input is bf16; a convolution with a bias takes f32 alone", kind);
    HNI_FAIL_IF(input->dim[3] != o->in_channels, HN_E_SHAPE, "%s: the input has %" PRId64 " channels, not %d", kind,
                input->dim[3], (int)o->in_channels);
    *g = (hni_conv){.images = input->dim[0],
                    .height = input->dim[1],
                    .width = input->dim[2],
                    .in = input->dim[3],
                    .out = o->out_channels,
                    .kernel_height = o->kernel,
                    .kernel_width = o->kernel,
                    .stride = o->stride,
                    .padding = o->padding,
                    .dtype = input->dtype};
    HNI_FAIL_IF(!hni_conv_fit(g), HN_E_SHAPE,
                "%s: kernel %d does not fit into images of %" PRId64 "x%" PRId64 " with padding %d", kind,
                (int)o->kernel, g->height, g->width, (int)o->padding);
    *output = (hn_desc){input->dtype, 4, {g->images, g->out_height, g->out_width, g->out}};
    int64_t count;
    size_t bytes;
    return hni_desc_size(output, kind, &count, &bytes);
}

hn_status hni_conv2d_prepare(const hni_conv2d *c, const char *kind, int32_t num_threads, const hni_conv *g,
                             int32_t mode, size_t *bytes)
{
    const hni_conv_engine *engine = hni_conv_engine_for(c->context, g);
    const char *name = hn_engine_name(hn_context_engine(c->context));
    HNI_FAIL_IF(
        engine == NULL && !hn_engine_supports(hn_context_engine(c->context), g->dtype), HN_E_UNSUPPORTED,
        "%s: the engine %s cannot compute in bf16 here; auto and direct can, and onednn on a CPU with AVX512-BF16",
        kind, name);
    HNI_FAIL_IF(engine == NULL, HN_E_UNSUPPORTED,
                "%s: the engine %s does not take images of %" PRId64 "x%" PRId64 " and %" PRId64 " to %" PRId64
                " channels: the others do",
                kind, name, g->height, g->width, g->in, g->out);
    HNI_TRY(engine->prepare(c->context, num_threads, g, mode == HN_MODE_TRAIN, bytes));
    const size_t bias = c->options.bias ? hni_bias_scratch_bytes(g->out) : 0;
    *bytes = *bytes > bias ? *bytes : bias;
    return HN_OK;
}

static int64_t pixels(const hni_conv *g)
{
    return g->images * g->out_height * g->out_width;
}

hn_status hni_conv2d_forward(const hni_conv2d *c, const hn_layer_call *call, const hni_conv *g, const void *x, void *y,
                             void *scratch, const hni_conv_visit *after)
{
    HNI_TRY(hni_conv_engine_for(c->context, g)
                ->forward(c->context, call->num_threads, g, x, hn_tensor_cdata(c->weight), y, scratch, after));
    if (c->bias != NULL)
        hni_bias_forward(call->num_threads, pixels(g), g->out, hn_tensor_cdata(c->bias), y);
    return HN_OK;
}

hn_status hni_conv2d_backward(const hni_conv2d *c, const hn_layer_call *call, const hni_conv *g, const void *x,
                              const void *dy, void *dx, void *scratch, const hni_conv_visit *before)
{
    HNI_TRY(hni_conv_engine_for(c->context, g)
                ->backward(c->context, call->num_threads, g, x, hn_tensor_cdata(c->weight), dy, dx,
                           hn_tensor_data(c->dweight), scratch, before));
    if (c->bias != NULL)
        hni_bias_backward(call->num_threads, pixels(g), g->out, dy, hn_tensor_data(c->dbias), scratch);
    return HN_OK;
}

void hni_conv2d_cost(const hni_conv2d *c, const hn_layer_call *call, int32_t pass, hn_layer_cost *cost)
{
    const hn_conv2d_options *o = &c->options;
    const double x = hni_layer_bytes(&call->input), y = hni_layer_bytes(&call->output);
    const double w = (double)hn_tensor_bytes(c->weight);
    const double product = 2.0 * hni_layer_count(&call->output) * o->in_channels * o->kernel * o->kernel;
    /* Forward x, w and y; backward dy, x and the sum in w's gradient and then, for dx, w and dx: engines may have both of
     * the same dy.                                                                                                       */
    const bool both = pass == HN_TRACE_BACKWARD && call->dx != NULL;
    cost->flops += both ? 2.0 * product : product;
    cost->bytes += x + y + (pass == HN_TRACE_FORWARD ? w : 2.0 * w) + (both ? w + x : 0.0);
    if (c->bias != NULL)
        cost->bytes += pass == HN_TRACE_FORWARD ? 2.0 * y : y;
}

/* ---- the layer --------------------------------------------------------------------------------------------------- */

static hn_status plan(const void *self, const hn_desc *input, int32_t mode, int32_t num_threads, hn_layer_plan *plan)
{
    const hni_conv2d *c = self;
    hni_conv g;
    HNI_TRY(hni_conv2d_geometry(c, "conv2d", input, &g, &plan->output));
    return hni_conv2d_prepare(c, "conv2d", num_threads, &g, mode, &plan->scratch_bytes);
}

static hn_status forward(void *self, const hn_layer_call *call)
{
    const hni_conv2d *c = self;
    hni_conv g;
    hn_desc output;
    HNI_TRY(hni_conv2d_geometry(c, "conv2d", &call->input, &g, &output));
    return hni_conv2d_forward(c, call, &g, call->x, call->y, call->scratch, NULL);
}

static hn_status backward(void *self, const hn_layer_call *call)
{
    const hni_conv2d *c = self;
    hni_conv g;
    hn_desc output;
    HNI_TRY(hni_conv2d_geometry(c, "conv2d", &call->input, &g, &output));
    return hni_conv2d_backward(c, call, &g, call->x, call->dy, call->dx, call->scratch, NULL);
}

static void cost(const void *self, const hn_layer_call *call, int32_t pass, hn_layer_cost *cost)
{
    hni_conv2d_cost(self, call, pass, cost);
}

static void init(void *self, hn_rng *rng)
{
    hni_conv2d_init(self, rng);
}

static void destroy(void *self)
{
    hni_conv2d *c = self;
    hni_release(c->context, c, sizeof *c);
}

static const hn_layer_ops ops = {.struct_size = sizeof ops,
                                 .kind = "conv2d",
                                 .plan = plan,
                                 .forward = forward,
                                 .backward = backward,
                                 .init = init,
                                 .destroy = destroy,
                                 .cost = cost};

hn_status hn_conv2d_create(hn_layer **out, hn_context *context, const hn_conv2d_options *options)
{
    static const char function[] = "hn_conv2d_create";
    hni_conv2d c = {.context = context};
    hn_layer *layer;
    HNI_FAIL_IF(out == NULL || context == NULL, HN_E_ARG, "%s: %s is NULL", function, out == NULL ? "out" : "context");
    HNI_TRY(hni_conv2d_options(&c, options, function));
    HNI_TRY(hni_layer_begin(&layer, context, &ops, &c, sizeof c, function));
    return hni_layer_finish(out, layer, hni_conv2d_add_params(layer->self, layer, ""));
}
