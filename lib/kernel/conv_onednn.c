/* Convolution by oneDNN 2.x, channels last. Each part of a call's images is given to a primitive made for one thread:
 * oneDNN then has no work to share out, and results cannot depend on the number of threads.                            */
#include "base/error.h"
#include "base/integer.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "kernel/elementwise.h"
#include "kernel/onednn.h"

#include <stdatomic.h>

enum {
    PARTIAL_BYTES = 8 << 20, /* for the chunks' gradients of w */
    MAX_EXTENT = 1 << 16,
    MAX_HELD = 64 /* shapes made ahead for threads; more are made when needed   */
};

static size_t plain_bytes(const hni_conv *g)
{
    return hni_round_up((size_t)(g->out * g->in * g->kernel_height * g->kernel_width) * sizeof(float));
}

typedef struct layout {
    size_t packed;           /* weights in oneDNN's order, for x or for dx */
    size_t scratch, partial; /* a primitive's own; a gradient of w         */
    int64_t chunks;          /* at most                                    */
} layout;

static size_t scratch_of(const hni_onednn_shape *s)
{
    size_t most = 0;
    for (int kind = 0; kind < HNI_ONEDNN_KINDS; ++kind)
        most = s->of[kind].scratch_bytes > most ? s->of[kind].scratch_bytes : most;
    return most;
}

/* s: the shape of a whole part. */
static layout layout_of(const hni_conv *g, const hni_onednn_shape *s)
{
    const hni_onednn_operation *of = s->of;
    layout l = {.partial = of[HNI_ONEDNN_WEIGHTS].weight_bytes, .scratch = scratch_of(s)};
    for (int kind = HNI_ONEDNN_FORWARD; kind <= HNI_ONEDNN_DATA; ++kind)
        l.packed = of[kind].weight_bytes > l.packed ? of[kind].weight_bytes : l.packed;
    l.chunks = hni_min(hni_conv_chunks(l.partial, PARTIAL_BYTES), hni_conv_part_bound(g));
    return l;
}

/* Threads that can have a part, and need memory. */
static size_t owners(const hni_conv *g, int32_t num_threads)
{
    return (size_t)hni_min(num_threads, hni_conv_part_bound(g));
}

static size_t total_bytes(const layout *l, const hni_conv *g, int32_t num_threads, bool backward)
{
    const size_t threads = owners(g, num_threads), forward_bytes = l->packed + threads * l->scratch;
    return backward ? forward_bytes + plain_bytes(g) + (threads + (size_t)l->chunks) * l->partial : forward_bytes;
}

/* Images of a part: the last may have fewer. */
static int64_t images_of(const hni_conv *g, int64_t part)
{
    int64_t first, end;
    hni_conv_part(g, part, &first, &end);
    return end - first;
}

/* Of a call on g. A shorter last part may want more scratch than a whole one. */
static hn_status lay_out(hn_context *context, const hni_conv *g, layout *l)
{
    const int64_t last = hni_conv_part_count(g) - 1;
    hni_onednn_shape *s;
    HNI_TRY(hni_onednn_acquire(context, g, images_of(g, 0), &s));
    *l = layout_of(g, s);
    hni_onednn_release(context, s);
    if (images_of(g, last) == images_of(g, 0))
        return HN_OK;
    HNI_TRY(hni_onednn_acquire(context, g, images_of(g, last), &s));
    const size_t scratch = scratch_of(s);
    hni_onednn_release(context, s);
    l->scratch = scratch > l->scratch ? scratch : l->scratch;
    return HN_OK;
}

/* Makes what a call will need: the steps then allocate nothing. As many whole parts may run at once as there are threads;
 * the last part, if it is smaller, is of a shape of its own.                                                          */
static hn_status prepare(hn_context *context, int32_t num_threads, const hni_conv *g, bool backward, size_t *bytes)
{
    const int64_t last = hni_conv_part_count(g) - 1, whole = images_of(g, last) == images_of(g, 0) ? last + 1 : last;
    const int64_t wanted[2] = {hni_max(1, hni_min(num_threads, whole)), 1};
    for (int i = 0; i < 2; ++i) {
        hni_onednn_shape *held[MAX_HELD];
        int n = 0;
        hn_status status = HN_OK;
        while (n < hni_min(wanted[i], MAX_HELD) && status == HN_OK)
            if ((status = hni_onednn_acquire(context, g, images_of(g, i == 0 ? 0 : last), &held[n])) == HN_OK)
                ++n;
        while (n > 0)
            hni_onednn_release(context, held[--n]);
        HNI_TRY(status);
    }
    layout l;
    HNI_TRY(lay_out(context, g, &l));
    *bytes = total_bytes(&l, g, num_threads, backward);
    return HN_OK;
}

typedef struct job {
    hn_context *context;
    const hni_conv *g;
    const hni_conv_visit *visit;
    layout l;
    const char *x, *dy; /* bytes: f32 or bf16 */
    char *y, *dx;
    const float *w;
    float *dw;
    int64_t chunks;
    /* scratch: weights, the threads' own; for backward the gradient of w in its plain order, a gradient for each thread and
     * each chunk                                                                                                       */
    char *packed, *own, *plain, *singles, *partials;
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

/* Weights for x or dx into oneDNN's order, or their gradient out of it. */
static void reorder(void *arg, int64_t kind, int32_t thread)
{
    job *j = arg;
    hni_onednn_shape *s;
    (void)thread;
    hn_status status = hni_onednn_acquire(j->context, j->g, images_of(j->g, 0), &s);
    if (status < 0) {
        fail(j, status);
        return;
    }
    hni_onednn_operation *o = &s->of[kind];
    const bool back = kind == HNI_ONEDNN_WEIGHTS;
    (void)dnnl_memory_set_data_handle(o->weights, back ? j->partials : j->packed);
    (void)dnnl_memory_set_data_handle(o->plain, back ? j->plain : untyped(j->w));
    const dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, back ? o->weights : o->plain},
                                    {DNNL_ARG_TO, back ? o->plain : o->weights}};
    if (dnnl_primitive_execute(o->reorder, hni_onednn_stream(j->context), 2, args) != dnnl_success)
        fail(j, HN_E_NOMEM);
    hni_onednn_release(j->context, s);
}

static void forward_weights(void *arg, int64_t task, int32_t thread)
{
    (void)task;
    reorder(arg, HNI_ONEDNN_FORWARD, thread);
}

static void data_weights(void *arg, int64_t task, int32_t thread)
{
    (void)task;
    reorder(arg, HNI_ONEDNN_DATA, thread);
}

static void plain_gradient(void *arg, int64_t task, int32_t thread)
{
    (void)task;
    reorder(arg, HNI_ONEDNN_WEIGHTS, thread);
}

/* The operation on the images of one part. weights: packed ones, or where their gradient goes. */
static void execute(job *j, int kind, int64_t part, int32_t thread, void *weights)
{
    static const struct {
        int images, weights, results;
    } names[HNI_ONEDNN_KINDS] = {{DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST},
                                 {DNNL_ARG_DIFF_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DIFF_DST},
                                 {DNNL_ARG_SRC, DNNL_ARG_DIFF_WEIGHTS, DNNL_ARG_DIFF_DST}};
    const hni_conv *g = j->g;
    const int64_t first = part * hni_conv_part_images(g), bytes = g->dtype == HN_BF16 ? 2 : 4;
    const int64_t x_at = bytes * first * g->height * g->width * g->in;
    const int64_t y_at = bytes * first * g->out_height * g->out_width * g->out;
    hni_onednn_shape *s;
    hn_status status = hni_onednn_acquire(j->context, g, images_of(g, part), &s);
    if (status < 0) {
        fail(j, status);
        return;
    }
    hni_onednn_operation *o = &s->of[kind];
    (void)dnnl_memory_set_data_handle(o->images, kind == HNI_ONEDNN_DATA ? j->dx + x_at : untyped(j->x + x_at));
    (void)dnnl_memory_set_data_handle(o->results, kind == HNI_ONEDNN_FORWARD ? j->y + y_at : untyped(j->dy + y_at));
    (void)dnnl_memory_set_data_handle(o->weights, weights);
    (void)dnnl_memory_set_data_handle(o->scratch, j->own + (size_t)thread * j->l.scratch);
    const dnnl_exec_arg_t args[] = {{names[kind].images, o->images},
                                    {names[kind].weights, o->weights},
                                    {names[kind].results, o->results},
                                    {DNNL_ARG_SCRATCHPAD, o->scratch}};
    if (dnnl_primitive_execute(o->primitive, hni_onednn_stream(j->context), 4, args) != dnnl_success)
        fail(j, HN_E_NOMEM);
    hni_onednn_release(j->context, s);
}

static void forward_part(void *arg, int64_t part, int32_t thread)
{
    job *j = arg;
    execute(j, HNI_ONEDNN_FORWARD, part, thread, j->packed);
    hni_conv_visit_part(j->g, j->visit, part, thread);
}

static void backward_chunk(void *arg, int64_t chunk, int32_t thread)
{
    job *j = arg;
    char *partial = j->partials + (size_t)chunk * j->l.partial;
    char *single = j->singles + (size_t)thread * j->l.partial;
    const int64_t parts = hni_conv_part_count(j->g), first = chunk * parts / j->chunks;
    for (int64_t part = first; part < (chunk + 1) * parts / j->chunks; ++part) {
        hni_conv_visit_part(j->g, j->visit, part, thread);
        if (j->dx != NULL)
            execute(j, HNI_ONEDNN_DATA, part, thread, j->packed);
        if (j->dw == NULL)
            continue;
        execute(j, HNI_ONEDNN_WEIGHTS, part, thread, part == first ? partial : single);
        if (part > first)
            hni_accumulate((int64_t)(j->l.partial / sizeof(float)), (const float *)(const void *)single,
                           (float *)(void *)partial);
    }
}

static hn_status start(job *j, hn_context *context, int32_t num_threads, const hni_conv *g, const float *w,
                       void *scratch, const hni_conv_visit *visit)
{
    *j = (job){.context = context, .g = g, .visit = visit, .w = w, .packed = scratch};
    HNI_TRY(lay_out(context, g, &j->l));
    j->chunks = hni_min(j->l.chunks, hni_conv_part_count(g));
    j->own = j->packed + j->l.packed;
    j->plain = j->own + owners(g, num_threads) * j->l.scratch;
    j->singles = j->plain + plain_bytes(g);
    j->partials = j->singles + owners(g, num_threads) * j->l.partial;
    return HN_OK;
}

static hn_status outcome(const job *j)
{
    const int status = atomic_load(&j->failed);
    return status == 0 ? HN_OK : hni_fail((hn_status)status, "oneDNN could not run a convolution");
}

static hn_status forward(hn_context *context, int32_t num_threads, const hni_conv *g, const void *x, const float *w,
                         void *y, void *scratch, const hni_conv_visit *after)
{
    job j;
    HNI_TRY(start(&j, context, num_threads, g, w, scratch, after));
    j.x = x;
    j.y = y;
    hni_parallel(1, 1, forward_weights, &j);
    hni_parallel(num_threads, hni_conv_part_count(g), forward_part, &j);
    return outcome(&j);
}

static hn_status backward(hn_context *context, int32_t num_threads, const hni_conv *g, const void *x, const float *w,
                          const void *dy, void *dx, float *dw, void *scratch, const hni_conv_visit *before)
{
    job j;
    HNI_TRY(start(&j, context, num_threads, g, w, scratch, before));
    j.x = x;
    j.dy = dy;
    j.dx = dx;
    j.dw = dw;
    if (dx != NULL)
        hni_parallel(1, 1, data_weights, &j);
    hni_parallel(num_threads, j.chunks, backward_chunk, &j);
    if (dw == NULL || atomic_load(&j.failed) != 0)
        return outcome(&j);
    hni_accumulate_all(num_threads, (int64_t)(j.l.partial / sizeof(float)), j.chunks, j.l.partial,
                       (float *)(void *)j.partials);
    hni_parallel(1, 1, plain_gradient, &j);
    HNI_TRY(outcome(&j));
    hni_accumulate(g->out * g->in * g->kernel_height * g->kernel_width, (const float *)(const void *)j.plain, dw);
    return HN_OK;
}

/* bf16 where the CPU multiplies it: oneDNN would otherwise imitate it, slowly. Sides and channels that its ints hold, and of
 * which it does not take seconds to think: that grows with them.                                                       */
static bool takes(const hni_conv *g)
{
    if (g->height > MAX_EXTENT || g->width > MAX_EXTENT || g->in > MAX_EXTENT || g->out > MAX_EXTENT)
        return false;
    if (hni_max(g->height * g->width, g->out_height * g->out_width) > INT32_MAX / hni_max(g->in, g->out))
        return false;
    return g->dtype != HN_BF16 || hn_engine_supports(HN_ENGINE_ONEDNN, HN_BF16);
}

const hni_conv_engine hni_conv_onednn = {
    .name = "onednn", .takes = takes, .prepare = prepare, .forward = forward, .backward = backward};
