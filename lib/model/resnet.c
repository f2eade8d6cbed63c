/* The residual networks for CIFAR's images. */
#include <hybridnet/resnet.h>

#include "base/error.h"
#include "base/options.h"
#include "model/resnet_blocks.h"

#include <stdio.h>

static const hn_resnet_cifar_options defaults = {
    .struct_size = sizeof defaults, .depth = 32, .in_channels = 3, .width = 16, .precision = HN_F32};

enum { STAGES = 3, MAX_DEPTH = 302, MAX_WIDTH = 4096, MAX_CHANNELS = 4096 };

void hn_resnet_cifar_options_init(hn_resnet_cifar_options *options, size_t struct_size)
{
    hni_options_init(options, struct_size, &defaults, sizeof defaults);
}

static hn_status create_stage(hn_layer **out, hn_context *context, int32_t blocks, int32_t in, int32_t channels,
                              int32_t stride)
{
    hn_layer *stage = NULL;
    HNI_TRY(hn_sequential_create(&stage, context));
    hn_status status = HN_OK;
    for (int32_t i = 0; i < blocks && status == HN_OK; ++i) {
        const hni_block b = {.in = i == 0 ? in : channels,
                             .channels = channels,
                             .out = channels,
                             .stride = i == 0 ? stride : 1,
                             .shortcut = HN_SHORTCUT_OPTION_A};
        char name[16];
        (void)snprintf(name, sizeof name, "%d", (int)i);
        hn_layer *block = NULL;
        status = hni_resnet_create_block(&block, context, &b);
        status = hni_resnet_give(status, stage, name, block);
    }
    if (status < 0)
        hn_layer_destroy(stage);
    else
        *out = stage;
    return status;
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
    HNI_TRY(hni_resnet_check_precision(context, o.precision, "hn_resnet_cifar_create"));
    hn_layer *net = NULL;
    HNI_TRY(hni_resnet_begin(&net, context, o.precision));
    const hni_unit stem = {1, o.in_channels, o.width, 3, 1, HN_FAN_IN, true, false};
    hn_status status = hni_resnet_add_unit(net, context, &stem);
    int32_t in = o.width;
    for (int32_t s = 0; s < STAGES && status == HN_OK; ++s) {
        static const char *const names[STAGES] = {"layer1", "layer2", "layer3"};
        int32_t channels = o.width << s;
        hn_layer *stage = NULL;
        status = create_stage(&stage, context, (o.depth - 2) / 6, in, channels, s == 0 ? 1 : 2);
        status = hni_resnet_give(status, net, names[s], stage);
        in = channels;
    }
    return hni_resnet_end(status, out, context, net);
}
