/* Runs children in order. Their memory is cut from this layer's: in training every child's workspace and output is kept
 * until backward, in inference two outputs take turns. The layout is computed anew for every call, for it depends on the
 * batch, so that the layer itself stays unchanged. Plans are cheap beside a child's work, even those n (n + 1) / 2 by which
 * backward looks for n children from the front.                                                                          */
#include <hybridnet/layers.h>

#include "base/error.h"
#include "base/memory.h"
#include "layer/layer.h"

typedef struct sequential {
    hn_context *context;
    hn_layer *layer; /* whose children these are */
} sequential;

/* Memory of one call. Training: scratch = two gradients that take turns, then the children's scratch.
 * Inference: scratch = two outputs that take turns, then one child's workspace, then its scratch.       */
typedef struct layout {
    hn_desc output;
    size_t workspace;       /* kept                                    */
    size_t turn;            /* one of the two buffers that take turns  */
    size_t child_workspace; /* inference: the largest                  */
    size_t child_scratch;   /* the largest                             */
} layout;

static size_t max_size(size_t a, size_t b)
{
    return a > b ? a : b;
}

static hn_status make_layout(const sequential *s, const hn_desc *input, int32_t mode, int32_t num_threads, layout *l)
{
    const hn_layer *layer = s->layer;
    *l = (layout){.output = *input};
    for (int64_t i = 0; i < layer->child_count; ++i) {
        hn_layer_plan plan;
        HNI_TRY(hn_layer_plan_call(layer->children[i], &l->output, mode, num_threads, &plan));
        l->output = plan.output;
        size_t kept = hni_round_up(plan.workspace_bytes), out = hni_layer_room(&plan.output);
        bool last = i + 1 == layer->child_count;
        if (mode == HN_MODE_TRAIN)
            l->workspace += kept + (last ? 0 : out);
        else
            l->child_workspace = max_size(l->child_workspace, kept);
        if (!last)
            l->turn = max_size(l->turn, out);
        l->child_scratch = max_size(l->child_scratch, hni_round_up(plan.scratch_bytes));
    }
    return HN_OK;
}

static hn_status plan(const void *self, const hn_desc *input, int32_t mode, int32_t num_threads, hn_layer_plan *plan)
{
    const sequential *s = self;
    HNI_FAIL_IF(s->layer->child_count == 0, HN_E_STATE, "sequential: it has no children");
    layout l;
    HNI_TRY(make_layout(s, input, mode, num_threads, &l));
    plan->output = l.output;
    plan->workspace_bytes = l.workspace;
    plan->scratch_bytes = 2 * l.turn + l.child_workspace + l.child_scratch;
    return HN_OK;
}

/* The call of child i, apart from its arrays. Only the last child sees the addend and the ReLU. */
static hn_layer_call child_call(const hn_layer_call *call, bool last)
{
    hn_layer_call c = *call;
    c.struct_size = sizeof c;
    if (!last) {
        c.addend = NULL;
        c.daddend = NULL;
        c.relu = 0;
    }
    return c;
}

static hn_status forward(void *self, const hn_layer_call *call)
{
    const sequential *s = self;
    const hn_layer *layer = s->layer;
    bool train = call->mode == HN_MODE_TRAIN;
    layout l;
    HNI_TRY(make_layout(s, &call->input, call->mode, call->num_threads, &l));
    char *kept = call->workspace, *turns = call->scratch;
    const void *x = call->x;
    hn_desc input = call->input;
    for (int64_t i = 0; i < layer->child_count; ++i) {
        bool last = i + 1 == layer->child_count;
        hn_layer_plan p;
        HNI_TRY(hn_layer_plan_call(layer->children[i], &input, call->mode, call->num_threads, &p));
        hn_layer_call c = child_call(call, last);
        c.input = input;
        c.output = p.output;
        c.x = x;
        c.scratch = turns + 2 * l.turn + l.child_workspace;
        if (train) {
            c.workspace = kept;
            kept += hni_round_up(p.workspace_bytes);
            c.y = last ? call->y : kept;
            kept += last ? 0 : hni_layer_room(&p.output);
        } else {
            c.workspace = turns + 2 * l.turn;
            c.y = last ? call->y : turns + (size_t)(i % 2) * l.turn;
        }
        HNI_TRY(hn_layer_forward(layer->children[i], &c));
        x = c.y;
        input = p.output;
    }
    return HN_OK;
}

/* Finds where forward put child `index`: its input, workspace and output. */
static hn_status locate(const sequential *s, const hn_layer_call *call, int64_t index, hn_layer_call *c)
{
    const hn_layer *layer = s->layer;
    char *kept = call->workspace;
    c->input = call->input;
    c->x = call->x;
    for (int64_t i = 0;; ++i) {
        hn_layer_plan p;
        HNI_TRY(hn_layer_plan_call(layer->children[i], &c->input, call->mode, call->num_threads, &p));
        c->workspace = kept;
        c->output = p.output;
        c->y = i + 1 == layer->child_count ? call->y : kept + hni_round_up(p.workspace_bytes);
        if (i == index)
            return HN_OK;
        kept += hni_round_up(p.workspace_bytes) + hni_layer_room(&p.output);
        c->x = c->y;
        c->input = p.output;
    }
}

static hn_status backward(void *self, const hn_layer_call *call)
{
    const sequential *s = self;
    const hn_layer *layer = s->layer;
    layout l;
    HNI_TRY(make_layout(s, &call->input, call->mode, call->num_threads, &l));
    char *turns = call->scratch;
    const void *dy = call->dy;
    for (int64_t i = layer->child_count - 1; i >= 0; --i) {
        hn_layer_call c = child_call(call, i + 1 == layer->child_count);
        HNI_TRY(locate(s, call, i, &c));
        c.scratch = turns + 2 * l.turn;
        c.dy = dy;
        c.dx = i == 0 ? call->dx : turns + (size_t)(i % 2) * l.turn;
        HNI_TRY(hn_layer_backward(layer->children[i], &c));
        dy = c.dx;
    }
    return HN_OK;
}

static void destroy(void *self)
{
    sequential *s = self;
    hni_release(s->context, s, sizeof *s);
}

static const hn_layer_ops ops = {.struct_size = sizeof ops,
                                 .kind = "sequential",
                                 .flags = HN_LAYER_ADDEND_LAST,
                                 .plan = plan,
                                 .forward = forward,
                                 .backward = backward,
                                 .destroy = destroy};

hn_status hn_sequential_create(hn_layer **out, hn_context *context)
{
    HNI_FAIL_IF(out == NULL || context == NULL, HN_E_ARG, "hn_sequential_create: %s is NULL",
                out == NULL ? "out" : "context");
    const sequential made = {.context = context};
    hn_layer *layer;
    HNI_TRY(hni_layer_begin(&layer, context, &ops, &made, sizeof made, "hn_sequential_create"));
    ((sequential *)layer->self)->layer = layer;
    *out = layer;
    return HN_OK;
}
