/* y = relu(body(x) + shortcut(x)): He et al., "Deep residual learning for image recognition", CVPR 2016. */
#include <hybridnet/layers.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/options.h"
#include "base/tensor.h"
#include "kernel/elementwise.h"
#include "kernel/shortcut.h"
#include "layer/layer.h"

#include <string.h>

typedef struct residual {
    hn_context *context;
    hn_layer *body;
    hn_layer *projection; /* NULL unless HN_SHORTCUT_PROJECTION */
    bool fused;           /* the body adds and applies the ReLU itself */
    hn_residual_options options;
} residual;

/* Memory of one call.
 *   kept:    body's workspace, projection's workspace, output of a body that cannot add
 *   scratch: one array of y's shape (the shortcut, backward its gradient), one of x's shape (backward the projection's
 *            gradient of x), then what the children need
 * What the projection puts out is not kept: a conv unit without a ReLU does not look at it in backward.               */
typedef struct layout {
    hn_layer_plan body, projection;
    size_t y_bytes;
    size_t body_kept, projection_kept;
    size_t shortcut, projection_dx, children;
} layout;

static bool materialised(const residual *r)
{
    return r->options.shortcut == HN_SHORTCUT_OPTION_A;
}

/* The shortcut that adds an array of this shape to another: one pixel an image, all the rest its channels. */
static hni_shortcut identity_of(const hn_desc *x)
{
    const int64_t images = x->dim[0], channels = hni_desc_count(x) / images;
    return (hni_shortcut){.images = images,
                          .height = 1,
                          .width = 1,
                          .in_channels = channels,
                          .out_height = 1,
                          .out_width = 1,
                          .out_channels = channels,
                          .stride = 1,
                          .dtype = x->dtype};
}

/* Where the shortcut's pixels come from; HN_E_SHAPE if it does not lead from x's shape to y's. */
static hn_status geometry(const residual *r, const hn_desc *x, const hn_desc *y, hni_shortcut *g)
{
    char xt[HNI_DESC_TEXT], yt[HNI_DESC_TEXT];
    const hn_residual_options *o = &r->options;
    bool fits;
    if (o->shortcut == HN_SHORTCUT_IDENTITY) {
        fits = hni_desc_equal(x, y);
        *g = identity_of(x);
    } else {
        *g = (hni_shortcut){.images = x->dim[0],
                            .height = x->dim[1],
                            .width = x->dim[2],
                            .in_channels = x->dim[3],
                            .out_height = (x->dim[1] - 1) / o->stride + 1,
                            .out_width = (x->dim[2] - 1) / o->stride + 1,
                            .out_channels = o->out_channels,
                            .stride = o->stride,
                            .dtype = x->dtype};
        fits = x->ndim == 4 && y->ndim == 4 && x->dtype == y->dtype && x->dim[3] == o->in_channels &&
               y->dim[0] == g->images && y->dim[1] == g->out_height && y->dim[2] == g->out_width &&
               y->dim[3] == g->out_channels;
    }
    HNI_FAIL_IF(!fits, HN_E_SHAPE, "residual: the shortcut does not lead from %s to the body's %s",
                hni_desc_text(x, xt), hni_desc_text(y, yt));
    return HN_OK;
}

static hn_status make_layout(const residual *r, const hn_desc *input, int32_t mode, int32_t num_threads, layout *l)
{
    const bool training = mode == HN_MODE_TRAIN;
    *l = (layout){0};
    HNI_TRY(hn_layer_plan_call(r->body, input, mode, num_threads, &l->body));
    l->y_bytes = hni_layer_room(&l->body.output);
    l->body_kept = hni_round_up(l->body.workspace_bytes);
    l->children = hni_round_up(l->body.scratch_bytes);
    l->shortcut = training || r->options.shortcut != HN_SHORTCUT_IDENTITY ? l->y_bytes : 0;
    l->projection_dx = training && r->projection != NULL ? hni_layer_room(input) : 0;
    if (r->projection != NULL) {
        HNI_TRY(hn_layer_plan_call(r->projection, input, mode, num_threads, &l->projection));
        l->projection_kept = hni_round_up(l->projection.workspace_bytes);
        if (l->projection.scratch_bytes > l->children)
            l->children = hni_round_up(l->projection.scratch_bytes);
    }
    return HN_OK;
}

static hn_status plan(const void *self, const hn_desc *input, int32_t mode, int32_t num_threads, hn_layer_plan *plan)
{
    const residual *r = self;
    hni_shortcut g;
    layout l;
    HNI_TRY(hni_layer_check_floats("residual", input, r->options.shortcut == HN_SHORTCUT_IDENTITY ? 0 : 4));
    HNI_TRY(make_layout(r, input, mode, num_threads, &l));
    HNI_TRY(geometry(r, input, &l.body.output, &g));
    HNI_FAIL_IF(input->dtype == HN_BF16 && !r->fused, HN_E_SHAPE,
                "residual: in bf16 the body's last layer must be able to add, as a conv unit is; this body's is not");
    plan->output = l.body.output;
    plan->workspace_bytes = l.body_kept + l.projection_kept + (r->fused ? 0 : l.y_bytes);
    plan->scratch_bytes = l.shortcut + l.projection_dx + l.children;
    return HN_OK;
}

/* The body's and the projection's calls, apart from gradients. */
static void child_calls(const residual *r, const hn_layer_call *call, const layout *l, hn_layer_call *body,
                        hn_layer_call *projection)
{
    char *kept = call->workspace, *scratch = call->scratch;
    *body = *call;
    body->struct_size = sizeof *body;
    body->workspace = kept;
    body->scratch = scratch + l->shortcut + l->projection_dx;
    body->addend = NULL;
    body->daddend = NULL;
    body->relu = 0;
    *projection = *body;
    projection->workspace = kept + l->body_kept;
    projection->y = NULL;
    if (!r->fused)
        body->y = kept + l->body_kept + l->projection_kept;
}

static hn_status forward(void *self, const hn_layer_call *call)
{
    const residual *r = self;
    layout l;
    hni_shortcut g;
    hn_layer_call body, projection;
    HNI_TRY(make_layout(r, &call->input, call->mode, call->num_threads, &l));
    HNI_TRY(geometry(r, &call->input, &call->output, &g));
    child_calls(r, call, &l, &body, &projection);
    const void *shortcut = call->x;
    if (r->projection != NULL) {
        projection.y = call->scratch;
        HNI_TRY(hn_layer_forward(r->projection, &projection));
        shortcut = projection.y;
    } else if (materialised(r)) {
        hni_shortcut_forward(call->num_threads, &g, call->x, call->scratch);
        shortcut = call->scratch;
    }
    if (r->fused) {
        body.addend = shortcut;
        body.relu = 1;
        return hn_layer_forward(r->body, &body);
    }
    HNI_TRY(hn_layer_forward(r->body, &body));
    memcpy(call->y, body.y,
           (size_t)hni_desc_count(&call->output) * sizeof(float)); /* backward wants the body's own output */
    hni_shortcut_add_relu(call->num_threads, hni_desc_count(&call->output), shortcut, call->y);
    return HN_OK;
}

static hn_status backward(void *self, const hn_layer_call *call)
{
    const residual *r = self;
    layout l;
    hni_shortcut g;
    hn_layer_call body, projection;
    HNI_TRY(make_layout(r, &call->input, call->mode, call->num_threads, &l));
    HNI_TRY(geometry(r, &call->input, &call->output, &g));
    child_calls(r, call, &l, &body, &projection);
    float *ds = call->scratch; /* gradient of the shortcut's output: dy where the ReLU let it through */
    if (r->fused) {
        body.addend = ds; /* any array: backward asks only whether there was an addend */
        body.daddend = ds;
        body.relu = 1;
    } else {
        hni_relu_backward(call->num_threads, hni_desc_count(&call->output), call->y, call->dy, ds);
        body.dy = ds;
    }
    HNI_TRY(hn_layer_backward(r->body, &body));
    if (r->projection == NULL) {
        if (call->dx != NULL)
            hni_shortcut_backward_add(call->num_threads, &g, ds, call->dx);
        return HN_OK;
    }
    projection.dy = ds;
    projection.dx = call->dx != NULL ? (char *)call->scratch + l.shortcut : NULL;
    HNI_TRY(hn_layer_backward(r->projection, &projection));
    if (call->dx != NULL) {
        const hni_shortcut same = identity_of(&call->input);
        hni_shortcut_backward_add(call->num_threads, &same, projection.dx, call->dx);
    }
    return HN_OK;
}

static void destroy(void *self)
{
    residual *r = self;
    hni_release(r->context, r, sizeof *r);
}

static const hn_layer_ops ops = {.struct_size = sizeof ops,
                                 .kind = "residual",
                                 .plan = plan,
                                 .forward = forward,
                                 .backward = backward,
                                 .destroy = destroy};

static const hn_residual_options defaults = {.struct_size = sizeof defaults, .stride = 1};

void hn_residual_options_init(hn_residual_options *options, size_t struct_size)
{
    hni_options_init(options, struct_size, &defaults, sizeof defaults);
}

static hn_status check_options(const hn_residual_options *o)
{
    HNI_FAIL_IF(o->shortcut < HN_SHORTCUT_IDENTITY || o->shortcut > HN_SHORTCUT_PROJECTION, HN_E_ARG,
                "hn_residual_create: shortcut %d does not exist", (int)o->shortcut);
    if (o->shortcut == HN_SHORTCUT_IDENTITY)
        return HN_OK;
    HNI_FAIL_IF(o->in_channels < 1 || o->out_channels < 1 || o->stride < 1, HN_E_ARG,
                "hn_residual_create: in_channels %d, out_channels %d and stride %d must be positive",
                (int)o->in_channels, (int)o->out_channels, (int)o->stride);
    HNI_FAIL_IF(o->fan != HN_FAN_IN && o->fan != HN_FAN_OUT, HN_E_ARG, "hn_residual_create: fan %d does not exist",
                (int)o->fan);
    HNI_FAIL_IF(o->shortcut == HN_SHORTCUT_OPTION_A && o->out_channels < o->in_channels, HN_E_ARG,
                "hn_residual_create: option A cannot go from %d channels to %d", (int)o->in_channels,
                (int)o->out_channels);
    return HN_OK;
}

static hn_status create_projection(hn_layer **out, hn_context *context, const hn_residual_options *o)
{
    hn_conv2d_options conv;
    hn_conv2d_options_init(&conv, sizeof conv);
    conv.in_channels = o->in_channels;
    conv.out_channels = o->out_channels;
    conv.kernel = 1;
    conv.padding = 0;
    conv.stride = o->stride;
    conv.fan = o->fan;
    return hn_conv_unit_create(out, context, "0", "1", &conv, NULL, 0);
}

hn_status hn_residual_create(hn_layer **out, hn_context *context, hn_layer *body, const hn_residual_options *options)
{
    hn_residual_options o = defaults;
    HNI_FAIL_IF(out == NULL || context == NULL || body == NULL, HN_E_ARG, "hn_residual_create: %s is NULL",
                out == NULL       ? "out"
                : context == NULL ? "context"
                                  : "body");
    HNI_TRY(hni_options_read(&o, sizeof o, options, "hn_residual_create"));
    HNI_TRY(check_options(&o));
    residual made = {context, body, NULL, hn_layer_can_add(body) != 0, o};
    hn_layer *layer = NULL;
    if (o.shortcut == HN_SHORTCUT_PROJECTION)
        HNI_TRY(create_projection(&made.projection, context, &o));
    hn_status status = hni_layer_begin(&layer, context, &ops, &made, sizeof made, "hn_residual_create");
    /* The body goes first, so that its parameters are listed first; if the projection then cannot be added, the body is
     * taken out again and stays the caller's.                                                                           */
    if (status == HN_OK)
        status = hn_layer_add_child(layer, "", body);
    if (status == HN_OK && made.projection != NULL) {
        status = hn_layer_add_child(layer, "downsample", made.projection);
        if (status < 0) {
            layer->child_count = 0;
            body->parent = NULL;
            body->owned = false;
        }
    }
    if (status < 0)
        hn_layer_destroy(made.projection);
    return hni_layer_finish(out, layer, status);
}
