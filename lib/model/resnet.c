#include <hybridnet/context.h>
#include <hybridnet/layers.h>
#include <hybridnet/resnet.h>

#include "base/error.h"
#include "base/options.h"

#include <stdio.h>

static const hn_resnet_cifar_options defaults = {
    .struct_size = sizeof defaults, .depth = 32, .in_channels = 3, .width = 16, .precision = HN_F32};

enum { STAGES = 3, MAX_DEPTH = 302, MAX_WIDTH = 4096, MAX_CHANNELS = 4096 };

void hn_resnet_cifar_options_init(hn_resnet_cifar_options *options, size_t struct_size)
{
    hni_options_init(options, struct_size, &defaults, sizeof defaults);
}

/* Gives child to parent; on failure, of this call or an earlier one that made `status`, child is destroyed. */
static hn_status give(hn_status status, hn_layer *parent, const char *name, hn_layer *child)
{
    if (status == HN_OK)
        status = hn_layer_add_child(parent, name, child);
    if (status < 0)
        hn_layer_destroy(child);
    return status;
}

static hn_status add_unit(hn_layer *parent, hn_context *context, const char *conv, const char *bn, int32_t in,
                          int32_t out, int32_t stride, int32_t relu)
{
    hn_conv2d_options o;
    hn_conv2d_options_init(&o, sizeof o);
    o.in_channels = in;
    o.out_channels = out;
    o.stride = stride;
    hn_layer *unit = NULL;
    hn_status status = hn_conv_unit_create(&unit, context, conv, bn, &o, NULL, relu);
    return give(status, parent, "", unit);
}

/* He et al. 2016, figure 2: two 3x3 units; the shortcut and the last ReLU are the second unit's. */
static hn_status create_block(hn_layer **out, hn_context *context, int32_t in, int32_t channels, int32_t stride)
{
    hn_layer *body = NULL;
    HNI_TRY(hn_sequential_create(&body, context));
    hn_status status = add_unit(body, context, "conv1", "bn1", in, channels, stride, 1);
    if (status == HN_OK)
        status = add_unit(body, context, "conv2", "bn2", channels, channels, 1, 0);
    hn_residual_options o;
    hn_residual_options_init(&o, sizeof o);
    o.shortcut = in == channels && stride == 1 ? HN_SHORTCUT_IDENTITY : HN_SHORTCUT_OPTION_A;
    o.in_channels = in;
    o.out_channels = channels;
    o.stride = stride;
    if (status == HN_OK)
        status = hn_residual_create(out, context, body, &o);
    if (status < 0)
        hn_layer_destroy(body);
    return status;
}

static hn_status create_stage(hn_layer **out, hn_context *context, int32_t blocks, int32_t in, int32_t channels,
                              int32_t stride)
{
    hn_layer *stage = NULL;
    HNI_TRY(hn_sequential_create(&stage, context));
    hn_status status = HN_OK;
    for (int32_t i = 0; i < blocks && status == HN_OK; ++i) {
        char name[16];
        (void)snprintf(name, sizeof name, "%d", (int)i);
        hn_layer *block = NULL;
        status = create_block(&block, context, i == 0 ? in : channels, channels, i == 0 ? stride : 1);
        status = give(status, stage, name, block);
    }
    if (status < 0)
        hn_layer_destroy(stage);
    else
        *out = stage;
    return status;
}

static hn_status check_precision(const hn_context *context, int32_t precision)
{
    HNI_FAIL_IF(precision != 0 && precision != HN_F32 && precision != HN_BF16, HN_E_ARG,
                "hn_resnet_cifar_create: precision is %d; it must be HN_F32 or HN_BF16", (int)precision);
    HNI_FAIL_IF(
        precision == HN_BF16 && !hn_engine_supports(hn_context_engine(context), HN_BF16), HN_E_UNSUPPORTED,
        "hn_resnet_cifar_create: precision bf16 needs the engine auto, direct or, on a CPU with AVX512-BF16, onednn; "
        "this context's is %s",
        hn_engine_name(hn_context_engine(context)));
    return HN_OK;
}

static hn_status check_options(const hn_resnet_cifar_options *o)
{
    HNI_FAIL_IF(o->depth < 8 || o->depth > MAX_DEPTH || (o->depth - 2) % 6 != 0, HN_E_ARG,
                "hn_resnet_cifar_create: depth is %d; it must be 6n + 2 in [8, %d]: 8, 14, 20, 32, 44, 56 ...",
                (int)o->depth, (int)MAX_DEPTH);
    HNI_FAIL_IF(o->in_channels < 1 || o->in_channels > MAX_CHANNELS, HN_E_ARG,
                "hn_resnet_cifar_create: in_channels is %d; it must be in [1, %d]", (int)o->in_channels,
                (int)MAX_CHANNELS);
    HNI_FAIL_IF(o->width < 1 || o->width > MAX_WIDTH, HN_E_ARG,
                "hn_resnet_cifar_create: width is %d; it must be in [1, %d]", (int)o->width, (int)MAX_WIDTH);
    return HN_OK;
}

hn_status hn_resnet_cifar_create(hn_layer **out, hn_context *context, const hn_resnet_cifar_options *options)
{
    hn_resnet_cifar_options o = defaults;
    HNI_FAIL_IF(out == NULL || context == NULL, HN_E_ARG, "hn_resnet_cifar_create: %s is NULL",
                out == NULL ? "out" : "context");
    HNI_TRY(hni_options_read(&o, sizeof o, options, "hn_resnet_cifar_create"));
    HNI_TRY(check_options(&o));
    HNI_TRY(check_precision(context, o.precision));
    hn_layer *net = NULL;
    HNI_TRY(hn_sequential_create(&net, context));
    hn_status status = HN_OK;
    if (o.precision == HN_BF16) {
        hn_layer *cast = NULL;
        status = hn_cast_create(&cast, context, HN_BF16);
        status = give(status, net, "", cast);
    }
    if (status == HN_OK)
        status = add_unit(net, context, "conv1", "bn1", o.in_channels, o.width, 1, 1);
    int32_t in = o.width;
    for (int32_t s = 0; s < STAGES && status == HN_OK; ++s) {
        static const char *const names[STAGES] = {"layer1", "layer2", "layer3"};
        int32_t channels = o.width << s;
        hn_layer *stage = NULL;
        status = create_stage(&stage, context, (o.depth - 2) / 6, in, channels, s == 0 ? 1 : 2);
        status = give(status, net, names[s], stage);
        in = channels;
    }
    if (status == HN_OK) {
        hn_layer *pool = NULL;
        status = hn_global_avg_pool_create(&pool, context);
        status = give(status, net, "pool", pool);
    }
    if (status < 0)
        hn_layer_destroy(net);
    else
        *out = net;
    return status;
}
