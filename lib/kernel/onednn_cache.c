#include "kernel/onednn.h"

#include "base/context.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/parallel.h"

#include <inttypes.h>

typedef struct cache {
    hn_context *context;
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    hni_onednn_shape *shapes;
} cache;

/* ---- primitives -------------------------------------------------------------------------------------------------- */

static void destroy_shape(cache *c, hni_onednn_shape *s)
{
    for (int kind = 0; kind < HNI_ONEDNN_KINDS; ++kind) {
        hni_onednn_operation *o = &s->of[kind];
        const dnnl_memory_t memories[] = {o->images, o->results, o->weights, o->plain, o->scratch};
        for (size_t i = 0; i < sizeof memories / sizeof memories[0]; ++i)
            if (memories[i] != NULL)
                (void)dnnl_memory_destroy(memories[i]);
        if (o->primitive != NULL)
            (void)dnnl_primitive_destroy(o->primitive);
        if (o->reorder != NULL)
            (void)dnnl_primitive_destroy(o->reorder);
    }
    hni_release(c->context, s, sizeof *s);
}

static void destroy_cache(void *data)
{
    cache *c = data;
    while (c->shapes != NULL) {
        hni_onednn_shape *s = c->shapes;
        c->shapes = s->next;
        destroy_shape(c, s);
    }
    if (c->stream != NULL)
        (void)dnnl_stream_destroy(c->stream);
    if (c->engine != NULL)
        (void)dnnl_engine_destroy(c->engine);
    hni_release(c->context, c, sizeof *c);
}

static dnnl_memory_t memory_of(const cache *c, const dnnl_memory_desc_t *desc)
{
    dnnl_memory_t memory;
    return dnnl_memory_create(&memory, desc, c->engine, DNNL_MEMORY_NONE) == dnnl_success ? memory : NULL;
}

static dnnl_status_t describe(int kind, dnnl_convolution_desc_t *d, const hni_conv *g, const dnnl_memory_desc_t *x,
                              const dnnl_memory_desc_t *w, const dnnl_memory_desc_t *y)
{
    const dnnl_dims_t stride = {g->stride, g->stride}, before = {g->padding, g->padding};
    /* oneDNN wants the padding after the image that the last result sees; it may be negative. */
    const dnnl_dims_t after = {(g->out_height - 1) * g->stride + g->kernel_height - g->height - g->padding,
                               (g->out_width - 1) * g->stride + g->kernel_width - g->width - g->padding};
    switch (kind) {
    case HNI_ONEDNN_FORWARD:
        return dnnl_convolution_forward_desc_init(d, dnnl_forward_training, dnnl_convolution_direct, x, w, NULL, y,
                                                  stride, before, after);
    case HNI_ONEDNN_DATA:
        return dnnl_convolution_backward_data_desc_init(d, dnnl_convolution_direct, x, w, y, stride, before, after);
    default:
        return dnnl_convolution_backward_weights_desc_init(d, dnnl_convolution_direct, x, w, NULL, y, stride, before,
                                                           after);
    }
}

static bool make_reorder(cache *c, hni_onednn_operation *o, int kind, const dnnl_memory_desc_t *weights,
                         const dnnl_memory_desc_t *plain)
{
    dnnl_primitive_desc_t desc;
    if (dnnl_reorder_primitive_desc_create(&desc, kind == HNI_ONEDNN_WEIGHTS ? weights : plain, c->engine,
                                           kind == HNI_ONEDNN_WEIGHTS ? plain : weights, c->engine,
                                           NULL) != dnnl_success)
        return false;
    const bool made = dnnl_primitive_create(&o->reorder, desc) == dnnl_success;
    (void)dnnl_primitive_desc_destroy(desc);
    return made;
}

/* hint: the forward primitive's description, which the backward ones want. like: a shape whose order of weights this one
 * is to take, or NULL.                                                                                                */
static bool make_operation(cache *c, hni_onednn_shape *s, int kind, const hni_onednn_shape *like,
                           dnnl_primitive_desc_t hint, dnnl_primitive_desc_t *desc)
{
    const hni_conv *g = &s->g;
    hni_onednn_operation *o = &s->of[kind];
    const dnnl_data_type_t type = g->dtype == HN_BF16 ? dnnl_bf16 : dnnl_f32;
    const dnnl_dims_t xd = {g->images, g->in, g->height, g->width},
                      yd = {g->images, g->out, g->out_height, g->out_width};
    const dnnl_dims_t wd = {g->out, g->in, g->kernel_height, g->kernel_width};
    dnnl_memory_desc_t x, y, any, plain;
    dnnl_convolution_desc_t convolution;
    dnnl_primitive_attr_t attributes;
    if (dnnl_memory_desc_init_by_tag(&x, 4, xd, type, dnnl_nhwc) != dnnl_success ||
        dnnl_memory_desc_init_by_tag(&y, 4, yd, type, dnnl_nhwc) != dnnl_success ||
        dnnl_memory_desc_init_by_tag(&any, 4, wd, kind == HNI_ONEDNN_WEIGHTS ? dnnl_f32 : type, dnnl_format_tag_any) !=
            dnnl_success ||
        dnnl_memory_desc_init_by_tag(&plain, 4, wd, dnnl_f32, dnnl_oihw) != dnnl_success ||
        describe(kind, &convolution, g, &x, like == NULL ? &any : &like->of[kind].order, &y) != dnnl_success ||
        dnnl_primitive_attr_create(&attributes) != dnnl_success)
        return false;
    bool made = dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user) == dnnl_success &&
                dnnl_primitive_desc_create(desc, &convolution, attributes, c->engine, hint) == dnnl_success;
    (void)dnnl_primitive_attr_destroy(attributes);
    if (!made)
        return false;
    const dnnl_memory_desc_t *weights = dnnl_primitive_desc_query_md(
        *desc, kind == HNI_ONEDNN_WEIGHTS ? dnnl_query_diff_weights_md : dnnl_query_weights_md, 0);
    const dnnl_memory_desc_t *scratch = dnnl_primitive_desc_query_md(*desc, dnnl_query_scratchpad_md, 0);
    o->order = *weights;
    o->images = memory_of(c, &x);
    o->results = memory_of(c, &y);
    o->weights = memory_of(c, weights);
    o->plain = memory_of(c, &plain);
    o->scratch = memory_of(c, scratch);
    o->weight_bytes = hni_round_up(dnnl_memory_desc_get_size(weights));
    o->scratch_bytes = hni_round_up(dnnl_memory_desc_get_size(scratch));
    return o->images != NULL && o->results != NULL && o->weights != NULL && o->plain != NULL && o->scratch != NULL &&
           dnnl_primitive_create(&o->primitive, *desc) == dnnl_success && make_reorder(c, o, kind, weights, &plain);
}

static bool make_operations(cache *c, hni_onednn_shape *s, const hni_onednn_shape *like)
{
    dnnl_primitive_desc_t desc[HNI_ONEDNN_KINDS] = {NULL};
    bool made = true;
    for (int kind = 0; kind < HNI_ONEDNN_KINDS && made; ++kind)
        made =
            make_operation(c, s, kind, like, kind == HNI_ONEDNN_FORWARD ? NULL : desc[HNI_ONEDNN_FORWARD], &desc[kind]);
    for (int kind = 0; kind < HNI_ONEDNN_KINDS; ++kind)
        if (desc[kind] != NULL)
            (void)dnnl_primitive_desc_destroy(desc[kind]);
    return made;
}

/* ---- the cache --------------------------------------------------------------------------------------------------- */

typedef struct making {
    cache *c;
    hni_onednn_shape *s;
    const hni_onednn_shape *like;
    bool made;
} making;

/* In a task, because a primitive is made for as many threads as OpenMP offers the thread that makes it. */
static void make_in_task(void *arg, int64_t task, int32_t thread)
{
    making *m = arg;
    (void)task;
    (void)thread;
    if (m->s != NULL) {
        m->made = make_operations(m->c, m->s, m->like);
        return;
    }
    m->made = dnnl_engine_create(&m->c->engine, dnnl_cpu, 0) == dnnl_success &&
              dnnl_stream_create(&m->c->stream, m->c->engine, dnnl_stream_default_flags) == dnnl_success;
}

static hn_status cache_of(hn_context *context, cache **out)
{
    *out = context->part.data;
    if (*out != NULL)
        return HN_OK;
    cache *c = hni_alloc_zero(context, sizeof *c);
    if (c == NULL)
        return hni_no_memory("oneDNN", sizeof *c);
    c->context = context;
    making m = {.c = c};
    hni_parallel(1, 1, make_in_task, &m);
    if (!m.made) {
        destroy_cache(c);
        return hni_fail(HN_E_NOMEM, "oneDNN could not create an engine");
    }
    context->part = (hni_context_part){c, destroy_cache};
    *out = c;
    return HN_OK;
}

static bool same(const hni_conv *a, const hni_conv *b)
{
    return a->images == b->images && a->height == b->height && a->width == b->width && a->in == b->in &&
           a->out == b->out && a->kernel_height == b->kernel_height && a->kernel_width == b->kernel_width &&
           a->stride == b->stride && a->padding == b->padding && a->dtype == b->dtype;
}

static hni_onednn_shape *find(const cache *c, const hni_conv *g, int64_t whole, bool free_only)
{
    hni_onednn_shape *s = c->shapes;
    while (s != NULL && ((free_only && s->busy) || s->whole != whole || !same(&s->g, g)))
        s = s->next;
    return s;
}

static hn_status create_shape(cache *c, const hni_conv *g, int64_t whole, const hni_onednn_shape *like,
                              hni_onednn_shape **out)
{
    hni_onednn_shape *s = hni_alloc_zero(c->context, sizeof *s);
    if (s == NULL)
        return hni_no_memory("oneDNN", sizeof *s);
    s->g = *g;
    s->whole = whole;
    making m = {.c = c, .s = s, .like = like};
    hni_parallel(1, 1, make_in_task, &m);
    if (!m.made) {
        destroy_shape(c, s);
        return hni_fail(HN_E_UNSUPPORTED,
                        "oneDNN has no %s convolution of %" PRId64 "x%" PRId64 "x%" PRId64 " to %" PRId64
                        " channels, kernel %" PRId64 "x%" PRId64 ", stride %" PRId64 " on this CPU",
                        g->dtype == HN_BF16 ? "bf16" : "f32", g->height, g->width, g->in, g->out, g->kernel_height,
                        g->kernel_width, g->stride);
    }
    s->next = c->shapes;
    c->shapes = s;
    *out = s;
    return HN_OK;
}

/* A shape that was free, made if there is none. Shorter runs keep their weights in the order of whole ones, since both
 * take part in one call: a run of as many images beside other whole ones is another shape, whose order may be another.  */
static hn_status take(cache *c, const hni_conv *g, int64_t images, hni_onednn_shape **out)
{
    const int64_t whole_images = hni_conv_part_images(g);
    hni_conv run = *g;
    run.images = images;
    if ((*out = find(c, &run, whole_images, true)) == NULL) {
        run.images = whole_images;
        hni_onednn_shape *whole = find(c, &run, whole_images, false);
        if (whole == NULL)
            HNI_TRY(create_shape(c, &run, whole_images, NULL, &whole));
        run.images = images;
        *out = whole;
        if (images != whole_images || whole->busy)
            HNI_TRY(create_shape(c, &run, whole_images, whole, out));
    }
    (*out)->busy = true;
    return HN_OK;
}

hn_status hni_onednn_acquire(hn_context *context, const hni_conv *g, int64_t images, hni_onednn_shape **out)
{
    cache *c;
    hni_context_lock(context);
    hn_status status = cache_of(context, &c);
    if (status == HN_OK)
        status = take(c, g, images, out);
    hni_context_unlock(context);
    return status;
}

void hni_onednn_release(hn_context *context, hni_onednn_shape *s)
{
    hni_context_lock(context);
    s->busy = false;
    hni_context_unlock(context);
}

dnnl_stream_t hni_onednn_stream(const hn_context *context)
{
    const cache *c = context->part.data;
    return c->stream;
}
