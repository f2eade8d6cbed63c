/* The residual networks for ImageNet's images. Blocks are children of the network itself, not of a stage: a level less of
 * gradients that take turns, each as large as a stage's images.                                                         */
#include <hybridnet/resnet.h>

#include "base/error.h"
#include "base/options.h"
#include "model/resnet_blocks.h"

#include <stdio.h>

enum { STAGES = 4, EXPANSION = 4, MAX_WIDTH = 4096, MAX_CHANNELS = 4096 };

static const hn_resnet_options defaults = {
    .struct_size = sizeof defaults, .depth = 50, .in_channels = 3, .width = 64, .precision = HN_F32};

/* He et al. 2016, table 1. */
typedef struct shape {
    int32_t depth;
    bool bottleneck;
    int32_t blocks[STAGES];
} shape;

static const shape *shape_of(int32_t depth)
{
    static const shape shapes[] = {{18, false, {2, 2, 2, 2}},
                                   {34, false, {3, 4, 6, 3}},
                                   {50, true, {3, 4, 6, 3}},
                                   {101, true, {3, 4, 23, 3}},
                                   {152, true, {3, 8, 36, 3}}};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; ++i)
        if (shapes[i].depth == depth)
            return &shapes[i];
    return NULL;
}

void hn_resnet_options_init(hn_resnet_options *options, size_t struct_size)
{
    hni_options_init(options, struct_size, &defaults, sizeof defaults);
}

static hn_status check_options(const hn_resnet_options *o)
{
    HNI_FAIL_IF(shape_of(o->depth) == NULL, HN_E_ARG,
                "hn_resnet_create: depth is %d; it must be 18, 34, 50, 101 or 152", (int)o->depth);
    HNI_FAIL_IF(o->in_channels < 1 || o->in_channels > MAX_CHANNELS, HN_E_ARG,
                "hn_resnet_create: in_channels is %d; it must be in [1, %d]", (int)o->in_channels, (int)MAX_CHANNELS);
    HNI_FAIL_IF(o->width < 1 || o->width > MAX_WIDTH, HN_E_ARG, "hn_resnet_create: width is %d; it must be in [1, %d]",
                (int)o->width, (int)MAX_WIDTH);
    return HN_OK;
}

/* 7x7 convolution and 3x3 max pool, both with stride 2. */
static hn_status add_stem(hn_layer *net, hn_context *context, const hn_resnet_options *o)
{
    const hni_unit unit = {1, o->in_channels, o->width, 7, 2, HN_FAN_OUT, true, false};
    HNI_TRY(hni_resnet_add_unit(net, context, &unit));
    hn_layer *pool = NULL;
    hn_status status = hn_max_pool_create(&pool, context, 3, 2, 1);
    return hni_resnet_give(status, net, "maxpool", pool);
}

/* Stage s, from 0. *in: the channels that come in, then those that go out. */
static hn_status add_stage(hn_layer *net, hn_context *context, const hn_resnet_options *o, int32_t s, int32_t *in)
{
    const shape *h = shape_of(o->depth);
    const int32_t channels = o->width << s;
    for (int32_t i = 0; i < h->blocks[s]; ++i) {
        const hni_block b = {.in = *in,
                             .channels = channels,
                             .out = h->bottleneck ? EXPANSION * channels : channels,
                             .stride = i == 0 && s > 0 ? 2 : 1,
                             .shortcut = HN_SHORTCUT_PROJECTION,
                             .fan = HN_FAN_OUT,
                             .bottleneck = h->bottleneck,
                             .zero = o->zero_init_residual != 0};
        char name[32];
        (void)snprintf(name, sizeof name, "layer%d.%d", (int)s + 1, (int)i);
        hn_layer *block = NULL;
        hn_status status = hni_resnet_create_block(&block, context, &b);
        HNI_TRY(hni_resnet_give(status, net, name, block));
        *in = b.out;
    }
    return HN_OK;
}

hn_status hn_resnet_create(hn_layer **out, hn_context *context, const hn_resnet_options *options)
{
    hn_resnet_options o = defaults;
    HNI_FAIL_IF(out == NULL || context == NULL, HN_E_ARG, "hn_resnet_create: %s is NULL",
                out == NULL ? "out" : "context");
    HNI_TRY(hni_options_read(&o, sizeof o, options, "hn_resnet_create"));
    HNI_TRY(check_options(&o));
    HNI_TRY(hni_resnet_check_precision(context, o.precision, "hn_resnet_create"));
    hn_layer *net = NULL;
    HNI_TRY(hni_resnet_begin(&net, context, o.precision));
    hn_status status = add_stem(net, context, &o);
    int32_t in = o.width;
    for (int32_t s = 0; s < STAGES && status == HN_OK; ++s)
        status = add_stage(net, context, &o, s, &in);
    return hni_resnet_end(status, out, context, net);
}
