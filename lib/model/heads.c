#include <hybridnet/heads.h>
#include <hybridnet/layers.h>

#include "base/error.h"
#include "base/options.h"

#include <inttypes.h>
#include <stdio.h>

static const hn_projection_options defaults = {.struct_size = sizeof defaults, .out = 128};

void hn_projection_options_init(hn_projection_options *options, size_t struct_size)
{
    hni_options_init(options, struct_size, &defaults, sizeof defaults);
}

/* Appends a layer under its place as name, as PyTorch's nn.Sequential counts; layer is destroyed on failure. */
static hn_status append(hn_status status, hn_layer *head, int *place, hn_layer *layer)
{
    char name[16];
    (void)snprintf(name, sizeof name, "%d", (*place)++);
    if (status == HN_OK)
        status = hn_layer_add_child(head, name, layer);
    if (status < 0)
        hn_layer_destroy(layer);
    return status;
}

static hn_status fill(hn_layer *head, hn_context *context, const hn_projection_options *o)
{
    int64_t hidden = o->hidden > 0 ? o->hidden : o->in;
    int place = 0;
    hn_layer *layer = NULL;
    hn_status status = hn_linear_create(&layer, context, o->in, hidden, 1);
    HNI_TRY(append(status, head, &place, layer));
    if (o->batchnorm) {
        layer = NULL;
        status = hn_batchnorm_create(&layer, context, hidden, NULL);
        HNI_TRY(append(status, head, &place, layer));
    }
    layer = NULL;
    status = hn_relu_create(&layer, context);
    HNI_TRY(append(status, head, &place, layer));
    layer = NULL;
    status = hn_linear_create(&layer, context, hidden, o->out, 1);
    HNI_TRY(append(status, head, &place, layer));
    if (!o->normalize)
        return HN_OK;
    layer = NULL;
    status = hn_l2norm_create(&layer, context);
    return append(status, head, &place, layer);
}

hn_status hn_projection_create(hn_layer **out, hn_context *context, const hn_projection_options *options)
{
    hn_projection_options o = defaults;
    HNI_FAIL_IF(out == NULL || context == NULL, HN_E_ARG, "hn_projection_create: %s is NULL",
                out == NULL ? "out" : "context");
    HNI_TRY(hni_options_read(&o, sizeof o, options, "hn_projection_create"));
    HNI_FAIL_IF(o.in < 1 || o.hidden < 0 || o.out < 1, HN_E_ARG,
                "hn_projection_create: in is %" PRId64 ", hidden %" PRId64 ", out %" PRId64
                "; in and out must be positive, hidden not negative",
                o.in, o.hidden, o.out);
    hn_layer *head = NULL;
    HNI_TRY(hn_sequential_create(&head, context));
    hn_status status = fill(head, context, &o);
    if (status < 0)
        hn_layer_destroy(head);
    else
        *out = head;
    return status;
}
