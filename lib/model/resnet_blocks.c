#include "model/resnet_blocks.h"

#include <hybridnet/context.h>

#include "base/error.h"

#include <stdio.h>

hn_status hni_resnet_give(hn_status status, hn_layer *parent, const char *name, hn_layer *child)
{
    if (status == HN_OK)
        status = hn_layer_add_child(parent, name, child);
    if (status < 0)
        hn_layer_destroy(child);
    return status;
}

hn_status hni_resnet_add_unit(hn_layer *parent, hn_context *context, const hni_unit *u)
{
    char conv[16], bn[16];
    hn_conv2d_options c;
    hn_batchnorm_options b;
    hn_conv2d_options_init(&c, sizeof c);
    hn_batchnorm_options_init(&b, sizeof b);
    c.in_channels = u->in;
    c.out_channels = u->out;
    c.kernel = u->kernel;
    c.stride = u->stride;
    c.padding = u->kernel / 2;
    c.fan = u->fan;
    b.zero_weight = u->zero;
    (void)snprintf(conv, sizeof conv, "conv%d", (int)u->number);
    (void)snprintf(bn, sizeof bn, "bn%d", (int)u->number);
    hn_layer *unit = NULL;
    hn_status status = hn_conv_unit_create(&unit, context, conv, bn, &c, &b, u->relu);
    return hni_resnet_give(status, parent, "", unit);
}

/* He et al. 2016, figures 2 and 5; the shortcut and the last ReLU are done by the last unit. */
hn_status hni_resnet_create_block(hn_layer **out, hn_context *context, const hni_block *b)
{
    const hni_unit basic[] = {
        {1, b->in, b->channels, 3, b->stride, b->fan, true, false},
        {2, b->channels, b->out, 3, 1, b->fan, false, b->zero},
    };
    const hni_unit bottleneck[] = {
        {1, b->in, b->channels, 1, 1, b->fan, true, false},
        {2, b->channels, b->channels, 3, b->stride, b->fan, true, false},
        {3, b->channels, b->out, 1, 1, b->fan, false, b->zero},
    };
    const hni_unit *units = b->bottleneck ? bottleneck : basic;
    hn_layer *body = NULL;
    HNI_TRY(hn_sequential_create(&body, context));
    hn_status status = HN_OK;
    for (int i = 0; i < (b->bottleneck ? 3 : 2) && status == HN_OK; ++i)
        status = hni_resnet_add_unit(body, context, &units[i]);
    hn_residual_options o;
    hn_residual_options_init(&o, sizeof o);
    o.shortcut = b->in == b->out && b->stride == 1 ? HN_SHORTCUT_IDENTITY : b->shortcut;
    o.in_channels = b->in;
    o.out_channels = b->out;
    o.stride = b->stride;
    o.fan = b->fan;
    if (status == HN_OK)
        status = hn_residual_create(out, context, body, &o);
    if (status < 0)
        hn_layer_destroy(body);
    return status;
}

hn_status hni_resnet_check_precision(const hn_context *context, int32_t precision, const char *function)
{
    HNI_FAIL_IF(precision != 0 && precision != HN_F32 && precision != HN_BF16, HN_E_ARG,
                "%s: precision is %d; it must be HN_F32 or HN_BF16", function, (int)precision);
    HNI_FAIL_IF(
        precision == HN_BF16 && !hn_engine_supports(hn_context_engine(context), HN_BF16), HN_E_UNSUPPORTED,
        "%s: precision bf16 needs the engine auto, direct or, on a CPU with AVX512-BF16, onednn; this context's "
        "is %s",
        function, hn_engine_name(hn_context_engine(context)));
    return HN_OK;
}

hn_status hni_resnet_begin(hn_layer **out, hn_context *context, int32_t precision)
{
    hn_layer *net = NULL, *cast = NULL;
    HNI_TRY(hn_sequential_create(&net, context));
    hn_status status = HN_OK;
    if (precision == HN_BF16) {
        status = hn_cast_create(&cast, context, HN_BF16);
        status = hni_resnet_give(status, net, "", cast);
    }
    if (status < 0)
        hn_layer_destroy(net);
    else
        *out = net;
    return status;
}

hn_status hni_resnet_end(hn_status status, hn_layer **out, hn_context *context, hn_layer *net)
{
    if (status == HN_OK) {
        hn_layer *pool = NULL;
        status = hn_global_avg_pool_create(&pool, context);
        status = hni_resnet_give(status, net, "pool", pool);
    }
    if (status < 0)
        hn_layer_destroy(net);
    else
        *out = net;
    return status;
}
