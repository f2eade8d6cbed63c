/* Convolution by oneDNN 2.x, channels last. The images of a call are cut into runs of a few, and each run is given to a
 * primitive made for one thread: oneDNN then has no work to share out, and results cannot depend on the number of
 * threads. Primitives and the memory objects they are run with are kept in the context, by geometry.                    */
#include "kernel/conv.h"

#include "base/context.h"
#include "base/error.h"
#include "base/integer.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "kernel/elementwise.h"

#include <oneapi/dnnl/dnnl.h>

#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>

enum {
    RUN = 8,         /* images a run                                                    */
    MAX_CHUNKS = 32, /* of runs in the gradient of w, each with a sum of its own         */
    MIN_CHUNKS = 8,
    PARTIAL_BYTES = 8 << 20 /* for these sums, unless that leaves too few chunks                */
};

/* What is computed, and the arrays it is computed from; indices into the tables below. */
enum { FORWARD, DATA, WEIGHTS, KINDS };

/* One primitive and its memory objects. */
typedef struct operation {
    dnnl_primitive_t primitive, reorder; /* reorder: of the weights from or to [out, in, height, width] */
    dnnl_memory_t images, results, weights, plain, scratch;
    dnnl_memory_desc_t order; /* of weights */
    size_t weight_bytes, scratch_bytes;
} operation;

/* All operations for a geometry, whose images are those of a run; used by one thread at a time. */
typedef struct shape {
    struct shape *next;
    hni_conv g;
    bool busy;
    operation of[KINDS];
} shape;

typedef struct cache {
    hn_context *context;
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    shape *shapes;
} cache;

/* ---- primitives -------------------------------------------------------------------------------------------------- */

static void destroy_shape(cache *c, shape *s)
{
    for (int kind = 0; kind < KINDS; ++kind) {
        operation *o = &s->of[kind];
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
        shape *s = c->shapes;
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
    case FORWARD:
        return dnnl_convolution_forward_desc_init(d, dnnl_forward_training, dnnl_convolution_direct, x, w, NULL, y,
                                                  stride, before, after);
    case DATA:
        return dnnl_convolution_backward_data_desc_init(d, dnnl_convolution_direct, x, w, y, stride, before, after);
    default:
        return dnnl_convolution_backward_weights_desc_init(d, dnnl_convolution_direct, x, w, NULL, y, stride, before,
                                                           after);
    }
}

static bool make_reorder(cache *c, operation *o, int kind, const dnnl_memory_desc_t *weights,
                         const dnnl_memory_desc_t *plain)
{
    dnnl_primitive_desc_t desc;
    if (dnnl_reorder_primitive_desc_create(&desc, kind == WEIGHTS ? weights : plain, c->engine,
                                           kind == WEIGHTS ? plain : weights, c->engine, NULL) != dnnl_success)
        return false;
    const bool made = dnnl_primitive_create(&o->reorder, desc) == dnnl_success;
    (void)dnnl_primitive_desc_destroy(desc);
    return made;
}

/* hint: the forward primitive's description, which the backward ones want. like: a shape whose order of weights this one
 * is to take, or NULL.                                                                                                */
static bool make_operation(cache *c, shape *s, int kind, const shape *like, dnnl_primitive_desc_t hint,
                           dnnl_primitive_desc_t *desc)
{
    const hni_conv *g = &s->g;
    operation *o = &s->of[kind];
    const dnnl_dims_t xd = {g->images, g->in, g->height, g->width},
                      yd = {g->images, g->out, g->out_height, g->out_width};
    const dnnl_dims_t wd = {g->out, g->in, g->kernel_height, g->kernel_width};
    dnnl_memory_desc_t x, y, any, plain;
    dnnl_convolution_desc_t convolution;
    dnnl_primitive_attr_t attributes;
    if (dnnl_memory_desc_init_by_tag(&x, 4, xd, dnnl_f32, dnnl_nhwc) != dnnl_success ||
        dnnl_memory_desc_init_by_tag(&y, 4, yd, dnnl_f32, dnnl_nhwc) != dnnl_success ||
        dnnl_memory_desc_init_by_tag(&any, 4, wd, dnnl_f32, dnnl_format_tag_any) != dnnl_success ||
        dnnl_memory_desc_init_by_tag(&plain, 4, wd, dnnl_f32, dnnl_oihw) != dnnl_success ||
        describe(kind, &convolution, g, &x, like == NULL ? &any : &like->of[kind].order, &y) != dnnl_success ||
        dnnl_primitive_attr_create(&attributes) != dnnl_success)
        return false;
    bool made = dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user) == dnnl_success &&
                dnnl_primitive_desc_create(desc, &convolution, attributes, c->engine, hint) == dnnl_success;
    (void)dnnl_primitive_attr_destroy(attributes);
    if (!made)
        return false;
    const dnnl_memory_desc_t *weights =
        dnnl_primitive_desc_query_md(*desc, kind == WEIGHTS ? dnnl_query_diff_weights_md : dnnl_query_weights_md, 0);
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

static bool make_operations(cache *c, shape *s, const shape *like)
{
    dnnl_primitive_desc_t desc[KINDS] = {NULL};
    bool made = true;
    for (int kind = 0; kind < KINDS && made; ++kind)
        made = make_operation(c, s, kind, like, kind == FORWARD ? NULL : desc[FORWARD], &desc[kind]);
    for (int kind = 0; kind < KINDS; ++kind)
        if (desc[kind] != NULL)
            (void)dnnl_primitive_desc_destroy(desc[kind]);
    return made;
}

/* ---- the cache --------------------------------------------------------------------------------------------------- */

typedef struct making {
    cache *c;
    shape *s;
    const shape *like;
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
           a->stride == b->stride && a->padding == b->padding;
}

static shape *find(const cache *c, const hni_conv *g, bool free_only)
{
    shape *s = c->shapes;
    while (s != NULL && ((free_only && s->busy) || !same(&s->g, g)))
        s = s->next;
    return s;
}

static hn_status create_shape(cache *c, const hni_conv *g, const shape *like, shape **out)
{
    shape *s = hni_alloc_zero(c->context, sizeof *s);
    if (s == NULL)
        return hni_no_memory("oneDNN", sizeof *s);
    s->g = *g;
    making m = {.c = c, .s = s, .like = like};
    hni_parallel(1, 1, make_in_task, &m);
    if (!m.made) {
        destroy_shape(c, s);
        return hni_fail(HN_E_UNSUPPORTED,
                        "oneDNN has no convolution of %" PRId64 "x%" PRId64 "x%" PRId64 " to %" PRId64
                        " channels, kernel %" PRId64 "x%" PRId64 ", stride %" PRId64 " on this CPU",
                        g->height, g->width, g->in, g->out, g->kernel_height, g->kernel_width, g->stride);
    }
    s->next = c->shapes;
    c->shapes = s;
    *out = s;
    return HN_OK;
}

/* A shape that was free, made if there is none. Shorter runs keep their weights in the order of whole ones, since both
 * take part in one call.                                                                                              */
static hn_status take(cache *c, const hni_conv *g, int64_t images, shape **out)
{
    hni_conv run = *g;
    run.images = images;
    if ((*out = find(c, &run, true)) == NULL) {
        run.images = RUN;
        shape *whole = find(c, &run, false);
        if (whole == NULL)
            HNI_TRY(create_shape(c, &run, NULL, &whole));
        run.images = images;
        *out = whole;
        if (images != RUN || whole->busy)
            HNI_TRY(create_shape(c, &run, whole, out));
    }
    (*out)->busy = true;
    return HN_OK;
}

static hn_status acquire(hn_context *context, const hni_conv *g, int64_t images, shape **out)
{
    cache *c;
    hni_context_lock(context);
    hn_status status = cache_of(context, &c);
    if (status == HN_OK)
        status = take(c, g, images, out);
    hni_context_unlock(context);
    return status;
}

static void release(hn_context *context, shape *s)
{
    hni_context_lock(context);
    s->busy = false;
    hni_context_unlock(context);
}

/* ---- a call ------------------------------------------------------------------------------------------------------ */

static size_t plain_bytes(const hni_conv *g)
{
    return hni_round_up((size_t)(g->out * g->in * g->kernel_height * g->kernel_width) * sizeof(float));
}

typedef struct layout {
    size_t packed;           /* weights in oneDNN's order, for x or for dx              */
    size_t scratch, partial; /* a primitive's own; a gradient of w                      */
    int64_t runs, chunks;    /* chunks of runs, each with a gradient of w               */
} layout;

static layout layout_of(const hni_conv *g, const shape *s)
{
    layout l = {.runs = (g->images + RUN - 1) / RUN};
    for (int kind = 0; kind < KINDS; ++kind)
        l.scratch = s->of[kind].scratch_bytes > l.scratch ? s->of[kind].scratch_bytes : l.scratch;
    l.packed =
        s->of[FORWARD].weight_bytes > s->of[DATA].weight_bytes ? s->of[FORWARD].weight_bytes : s->of[DATA].weight_bytes;
    l.partial = s->of[WEIGHTS].weight_bytes;
    const int64_t affordable = hni_max(MIN_CHUNKS, hni_min(MAX_CHUNKS, (int64_t)(PARTIAL_BYTES / l.partial)));
    l.chunks = hni_min(affordable, l.runs);
    return l;
}

static size_t total_bytes(const layout *l, const hni_conv *g, int32_t num_threads)
{
    return l->packed + plain_bytes(g) + (size_t)num_threads * (l->scratch + l->partial) +
           (size_t)l->chunks * l->partial;
}

/* Makes what a call will need: the steps then allocate nothing. */
static hn_status prepare(hn_context *context, int32_t num_threads, const hni_conv *g, size_t *bytes)
{
    const int64_t sizes[2] = {hni_min(g->images, RUN), g->images % RUN};
    for (int i = 0; i < 2; ++i) {
        shape *held[64];
        int n = 0;
        hn_status status = HN_OK;
        const int64_t wanted = i == 0 ? hni_min(hni_min(num_threads, 64), hni_max(g->images / RUN, 1)) : sizes[1] > 0;
        while (n < wanted && status == HN_OK)
            if ((status = acquire(context, g, sizes[i], &held[n])) == HN_OK)
                ++n;
        if (i == 0 && n > 0) {
            const layout l = layout_of(g, held[0]);
            *bytes = total_bytes(&l, g, num_threads);
        }
        while (n > 0)
            release(context, held[--n]);
        HNI_TRY(status);
    }
    return HN_OK;
}

typedef struct job {
    hn_context *context;
    const hni_conv *g;
    layout l;
    int kind;
    const float *x, *w, *dy; /* w: plain */
    float *y, *dx;
    char *packed, *plain, *own, *partials;
    atomic_int failed; /* a task's status, 0 if none failed */
} job;

static void fail(job *j, int status)
{
    int none = 0;
    (void)atomic_compare_exchange_strong(&j->failed, &none, status);
}

static void *untyped(const void *p)
{
    return (void *)(uintptr_t)p;
}

/* Weights into oneDNN's order, or their gradient out of it. */
static void reorder(void *arg, int64_t task, int32_t thread)
{
    job *j = arg;
    shape *s;
    (void)task;
    (void)thread;
    hn_status status = acquire(j->context, j->g, hni_min(j->g->images, RUN), &s);
    if (status < 0) {
        fail(j, status);
        return;
    }
    operation *o = &s->of[j->kind];
    const bool back = j->kind == WEIGHTS;
    (void)dnnl_memory_set_data_handle(o->weights, back ? j->partials : j->packed);
    (void)dnnl_memory_set_data_handle(o->plain, back ? j->plain : untyped(j->w));
    const dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, back ? o->weights : o->plain},
                                    {DNNL_ARG_TO, back ? o->plain : o->weights}};
    const cache *c = j->context->part.data;
    if (dnnl_primitive_execute(o->reorder, c->stream, 2, args) != dnnl_success)
        fail(j, HN_E_NOMEM);
    release(j->context, s);
}

/* The operation on the images of one run. weights: packed ones, or where their gradient goes. */
static void execute(job *j, int64_t run, int32_t thread, void *weights)
{
    const hni_conv *g = j->g;
    const int64_t first = run * RUN, x_at = first * g->height * g->width * g->in;
    const int64_t y_at = first * g->out_height * g->out_width * g->out;
    shape *s;
    hn_status status = acquire(j->context, g, hni_min(RUN, g->images - first), &s);
    if (status < 0) {
        fail(j, status);
        return;
    }
    static const struct {
        int images, weights, results;
    } names[KINDS] = {{DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST},
                      {DNNL_ARG_DIFF_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DIFF_DST},
                      {DNNL_ARG_SRC, DNNL_ARG_DIFF_WEIGHTS, DNNL_ARG_DIFF_DST}};
    operation *o = &s->of[j->kind];
    (void)dnnl_memory_set_data_handle(o->images, j->kind == DATA ? j->dx + x_at : untyped(j->x + x_at));
    (void)dnnl_memory_set_data_handle(o->results, j->kind == FORWARD ? j->y + y_at : untyped(j->dy + y_at));
    (void)dnnl_memory_set_data_handle(o->weights, weights);
    (void)dnnl_memory_set_data_handle(o->scratch, j->own + (size_t)thread * (j->l.scratch + j->l.partial));
    const dnnl_exec_arg_t args[] = {{names[j->kind].images, o->images},
                                    {names[j->kind].weights, o->weights},
                                    {names[j->kind].results, o->results},
                                    {DNNL_ARG_SCRATCHPAD, o->scratch}};
    const cache *c = j->context->part.data;
    if (dnnl_primitive_execute(o->primitive, c->stream, 4, args) != dnnl_success)
        fail(j, HN_E_NOMEM);
    release(j->context, s);
}

static void run_task(void *arg, int64_t run, int32_t thread)
{
    job *j = arg;
    execute(j, run, thread, j->packed);
}

static void weights_task(void *arg, int64_t chunk, int32_t thread)
{
    job *j = arg;
    char *partial = j->partials + (size_t)chunk * j->l.partial;
    char *single = j->own + (size_t)thread * (j->l.scratch + j->l.partial) + j->l.scratch;
    const int64_t first = chunk * j->l.runs / j->l.chunks, end = (chunk + 1) * j->l.runs / j->l.chunks;
    for (int64_t run = first; run < end; ++run) {
        execute(j, run, thread, run == first ? partial : single);
        if (run > first)
            hni_accumulate((int64_t)(j->l.partial / sizeof(float)), (const float *)(const void *)single,
                           (float *)(void *)partial);
    }
}

enum { SLICE = 4096 }; /* floats a task */

static void sum_task(void *arg, int64_t task, int32_t thread)
{
    const job *j = arg;
    (void)thread;
    const int64_t at = task * SLICE, n = hni_min(SLICE, (int64_t)(j->l.partial / sizeof(float)) - at);
    for (int64_t chunk = 1; chunk < j->l.chunks; ++chunk)
        hni_accumulate(n, (const float *)(const void *)(j->partials + (size_t)chunk * j->l.partial) + at,
                       (float *)(void *)j->partials + at);
}

static hn_status start(job *j, hn_context *context, int32_t num_threads, const hni_conv *g, void *scratch)
{
    shape *s;
    *j = (job){.context = context, .g = g, .packed = scratch};
    HNI_TRY(acquire(context, g, hni_min(g->images, RUN), &s));
    j->l = layout_of(g, s);
    release(context, s);
    j->plain = j->packed + j->l.packed;
    j->own = j->plain + plain_bytes(g);
    j->partials = j->own + (size_t)num_threads * (j->l.scratch + j->l.partial);
    return HN_OK;
}

static hn_status outcome(const job *j)
{
    const int status = atomic_load(&j->failed);
    return status == 0 ? HN_OK : hni_fail((hn_status)status, "oneDNN could not run a convolution");
}

static hn_status forward(hn_context *context, int32_t num_threads, const hni_conv *g, const float *x, const float *w,
                         float *y, void *scratch)
{
    job j;
    HNI_TRY(start(&j, context, num_threads, g, scratch));
    j.kind = FORWARD;
    j.x = x;
    j.w = w;
    j.y = y;
    hni_parallel(1, 1, reorder, &j);
    hni_parallel(num_threads, j.l.runs, run_task, &j);
    return outcome(&j);
}

static hn_status backward(hn_context *context, int32_t num_threads, const hni_conv *g, const float *x, const float *w,
                          const float *dy, float *dx, float *dw, void *scratch)
{
    job j;
    HNI_TRY(start(&j, context, num_threads, g, scratch));
    j.x = x;
    j.w = w;
    j.dy = dy;
    j.dx = dx;
    if (dx != NULL) {
        j.kind = DATA;
        hni_parallel(1, 1, reorder, &j);
        hni_parallel(num_threads, j.l.runs, run_task, &j);
    }
    if (dw != NULL) {
        j.kind = WEIGHTS;
        hni_parallel(num_threads, j.l.chunks, weights_task, &j);
        hni_parallel(num_threads, (int64_t)(j.l.partial / sizeof(float) + SLICE - 1) / SLICE, sum_task, &j);
        hni_parallel(1, 1, reorder, &j);
        hni_accumulate(g->out * g->in * g->kernel_height * g->kernel_width, (const float *)(const void *)j.plain, dw);
    }
    return outcome(&j);
}

static bool takes(const hni_conv *g)
{
    (void)g;
    return true;
}

const hni_conv_engine hni_conv_onednn = {
    .name = "onednn", .takes = takes, .prepare = prepare, .forward = forward, .backward = backward};
