/* y = relu?(batchnorm(conv(x)) + addend). In training the convolution's result z is kept for backward, which then writes
 * the gradient of z over it; in inference y takes its place.
 *
 * Batch norm's sums go over each part of z right after the convolution wrote it, and the gradient of z is computed right
 * before the convolution's backward reads it: both while the part is in the cache.                                      */
#include "base/error.h"
#include "base/memory.h"
#include "base/tensor.h"
#include "layer/batchnorm.h"
#include "layer/conv2d.h"
#include "layer/layer.h"

#include <stdio.h>

typedef struct conv_unit {
    hni_conv2d conv;
    hni_bn norm;
    int32_t relu;
} conv_unit;

static int64_t rows_of(const hni_conv *g)
{
    return g->images * g->out_height * g->out_width;
}

static size_t z_bytes(const hni_conv *g)
{
    return hni_round_up((size_t)(rows_of(g) * g->out) * hn_dtype_bytes(g->dtype));
}

static size_t norm_scratch_bytes(const hni_conv *g)
{
    return hni_round_up(hni_batchnorm_scratch_bytes(g->out, hni_conv_part_bound(g)));
}

static hni_batchnorm kernel_of(const conv_unit *u, const hni_conv *g)
{
    return hni_bn_kernel(&u->norm, g->dtype, rows_of(g), hni_conv_part_images(g) * g->out_height * g->out_width);
}

static hn_status plan(const void *self, const hn_desc *input, int32_t mode, int32_t num_threads, hn_layer_plan *plan)
{
    const conv_unit *u = self;
    hni_conv g;
    HNI_TRY(hni_conv2d_geometry(&u->conv, "conv_unit", input, &g, &plan->output));
    HNI_TRY(hni_bn_check_rows("conv_unit", rows_of(&g), mode));
    size_t conv;
    HNI_TRY(hni_conv2d_prepare(&u->conv, "conv_unit", num_threads, &g, mode, &conv));
    plan->scratch_bytes = norm_scratch_bytes(&g) + conv;
    if (mode == HN_MODE_TRAIN)
        plan->workspace_bytes = z_bytes(&g) + hni_bn_workspace_bytes(&u->norm);
    return HN_OK;
}

/* What both directions find in a call's memory: z and the batch's statistics in workspace; scratch of batch norm, which
 * lives through the convolution, and of the convolution.                                                              */
typedef struct memory {
    void *z, *statistics, *norm_scratch, *conv_scratch;
} memory;

static memory memory_of(const hn_layer_call *call, const hni_conv *g)
{
    const bool training = call->mode == HN_MODE_TRAIN;
    return (memory){.z = training ? call->workspace : call->y,
                    .statistics = training ? (char *)call->workspace + z_bytes(g) : NULL,
                    .norm_scratch = call->scratch,
                    .conv_scratch = (char *)call->scratch + norm_scratch_bytes(g)};
}

/* z, and fn of the pass for every part of it. A bias is added when the convolution is done: the pass then comes after. */
static hn_status convolve(const conv_unit *u, const hn_layer_call *call, const hni_conv *g, const memory *m,
                          hni_batchnorm_pass *pass, hni_batchnorm_fn fn)
{
    const bool has_bias = u->conv.options.bias != 0;
    const hni_conv_visit visit = {fn, pass};
    HNI_TRY(hni_conv2d_forward(&u->conv, call, g, call->x, m->z, m->conv_scratch, has_bias ? NULL : &visit));
    if (has_bias)
        hni_batchnorm_run(call->num_threads, pass, fn);
    return HN_OK;
}

static hn_status forward(void *self, const hn_layer_call *call)
{
    const conv_unit *u = self;
    hni_conv g;
    hn_desc output;
    hni_batchnorm_pass pass;
    HNI_TRY(hni_conv2d_geometry(&u->conv, "conv_unit", &call->input, &g, &output));
    const hni_batchnorm k = kernel_of(u, &g);
    const memory m = memory_of(call, &g);
    const int32_t relu = u->relu || call->relu;
    if (call->mode != HN_MODE_TRAIN) {
        hni_bn_begin_forward(&u->norm, &pass, &k, call->mode, m.z, call->addend, relu, call->y, NULL, m.norm_scratch);
        return convolve(u, call, &g, &m, &pass, hni_batchnorm_forward);
    }
    hni_batchnorm_begin_statistics(&pass, &k, m.z, m.norm_scratch);
    HNI_TRY(convolve(u, call, &g, &m, &pass, hni_batchnorm_statistics));
    hni_bn_end_statistics(&u->norm, &pass, call->again != 0, m.statistics);
    hni_bn_begin_forward(&u->norm, &pass, &k, call->mode, m.z, call->addend, relu, call->y, m.statistics,
                         m.norm_scratch);
    hni_batchnorm_run(call->num_threads, &pass, hni_batchnorm_forward);
    return HN_OK;
}

static hn_status backward(void *self, const hn_layer_call *call)
{
    const conv_unit *u = self;
    hni_conv g;
    hn_desc output;
    hni_batchnorm_pass pass;
    HNI_TRY(hni_conv2d_geometry(&u->conv, "conv_unit", &call->input, &g, &output));
    const hni_batchnorm k = kernel_of(u, &g);
    const memory m = memory_of(call, &g);
    hni_bn_begin_sums(&u->norm, &pass, &k, call, m.z, u->relu || call->relu, m.statistics, m.norm_scratch);
    hni_batchnorm_run(call->num_threads, &pass, hni_batchnorm_sums);
    hni_bn_end_sums(&u->norm, &pass, m.statistics);
    hni_batchnorm_begin_gradient(&pass, m.z);
    const hni_conv_visit before = {hni_batchnorm_gradient, &pass};
    return hni_conv2d_backward(&u->conv, call, &g, call->x, m.z, call->dx, m.conv_scratch, &before);
}

static void cost(const void *self, const hn_layer_call *call, int32_t pass, hn_layer_cost *cost)
{
    const conv_unit *u = self;
    hni_conv2d_cost(&u->conv, call, pass, cost);
    hni_bn_cost(call, u->relu || call->relu, true, pass, cost);
}

static void init(void *self, hn_rng *rng)
{
    const conv_unit *u = self;
    hni_conv2d_init(&u->conv, rng);
    hni_bn_init(&u->norm);
}

static void destroy(void *self)
{
    conv_unit *u = self;
    hni_release(u->conv.context, u, sizeof *u);
}

static const hn_layer_ops ops = {.struct_size = sizeof ops,
                                 .kind = "conv_unit",
                                 .flags = HN_LAYER_ADDEND,
                                 .plan = plan,
                                 .forward = forward,
                                 .backward = backward,
                                 .init = init,
                                 .destroy = destroy,
                                 .cost = cost};

enum { PREFIX = 256 }; /* as long as a parameter's name may be */

/* "NAME." */
static hn_status prefix_of(const char *name, char prefix[PREFIX])
{
    int length = snprintf(prefix, PREFIX, "%s.", name);
    HNI_FAIL_IF(length < 2 || length >= PREFIX, HN_E_ARG, "hn_conv_unit_create: the name \"%.32s\" is %s", name,
                name[0] == '\0' ? "empty" : "too long");
    return HN_OK;
}

static hn_status add_params(conv_unit *u, hn_layer *layer, const char *conv_name, const char *bn_name)
{
    char prefix[PREFIX];
    HNI_TRY(prefix_of(conv_name, prefix));
    HNI_TRY(hni_conv2d_add_params(&u->conv, layer, prefix));
    HNI_TRY(prefix_of(bn_name, prefix));
    return hni_bn_add_params(&u->norm, layer, prefix);
}

hn_status hn_conv_unit_create(hn_layer **out, hn_context *context, const char *conv_name, const char *bn_name,
                              const hn_conv2d_options *conv, const hn_batchnorm_options *bn, int32_t relu)
{
    conv_unit made = {.conv.context = context, .relu = relu != 0};
    hn_layer *layer;
    HNI_FAIL_IF(out == NULL || context == NULL || conv_name == NULL || bn_name == NULL, HN_E_ARG,
                "hn_conv_unit_create: %s is NULL",
                out == NULL         ? "out"
                : context == NULL   ? "context"
                : conv_name == NULL ? "conv_name"
                                    : "bn_name");
    HNI_TRY(hni_conv2d_options(&made.conv, conv, "hn_conv_unit_create"));
    HNI_TRY(hni_bn_options(&made.norm, made.conv.options.out_channels, bn, "hn_conv_unit_create"));
    HNI_TRY(hni_layer_begin(&layer, context, &ops, &made, sizeof made, "hn_conv_unit_create"));
    return hni_layer_finish(out, layer, add_params(layer->self, layer, conv_name, bn_name));
}
