/* Every draw is a function of (seed, epoch, position): seeking needs no replay. Kinds with replacement derive a stream a
 * draw; permutations are shuffled from a stream an epoch (or, class-aware, a class and pass) and kept.                  */
#include "sample/sampler.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/options.h"
#include "sample/alias.h"
#include "sample/class_index.h"

#include <hybridnet/rng.h>

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { WEIGHTED = -1 };

struct hn_sampler {
    hn_context *context;
    bool owned; /* by a loader */
    int32_t kind;
    hn_sampler_options options;
    int64_t length, epoch, position;
    hn_rng root, stream;   /* of the seed; of the epoch */
    hni_class_index index; /* all kinds but WEIGHTED */
    hni_alias table;       /* kinds with replacement: over classes, or over images for WEIGHTED */
    int64_t *work;         /* [table.n] */
    double *weights;       /* [table.n], class probabilities under construction */
    int64_t *order;        /* INSTANCE_BALANCED, CLASS_BALANCED: [images] */
    int64_t *cycle;        /* CLASS_BALANCED: [classes], a permutation of the classes */
    int64_t round, *pass;  /* which permutation stands in order / cycle (-1: none); CLASS_BALANCED: in each class */
};

static const hn_sampler_options defaults = {.struct_size = sizeof defaults};

bool *hni_sampler_owned(hn_sampler *sampler)
{
    return &sampler->owned;
}

void hn_sampler_options_init(hn_sampler_options *options, size_t struct_size)
{
    hni_options_init(options, struct_size, &defaults, sizeof defaults);
}

/* ---- probabilities of the kinds with replacement ------------------------------------------------------------------- */

static double class_weight(const hn_sampler *s, int64_t c)
{
    double n = (double)(s->index.start[c + 1] - s->index.start[c]), classes = (double)s->index.classes;
    switch (s->kind) {
    case HN_SAMPLER_SQUARE_ROOT:
        return sqrt(n);
    case HN_SAMPLER_REVERSED:
        return 1.0 / n;
    case HN_SAMPLER_PROGRESSIVE: {
        double last = (double)(s->options.total_epochs - 1);
        double t = last > 0.0 ? fmin((double)s->epoch / last, 1.0) : 0.0;
        return (1.0 - t) * n / (double)s->index.images + t / classes;
    }
    default:
        return 1.0;
    }
}

static void build_class_table(hn_sampler *s)
{
    for (int64_t c = 0; c < s->table.n; ++c)
        s->weights[c] = class_weight(s, c);
    hni_alias_build(&s->table, s->weights, s->work);
}

/* ---- one draw a kind ------------------------------------------------------------------------------------------------ */

static int64_t draw_replaced(hn_sampler *s, int64_t k)
{
    hn_rng rng;
    hn_rng_derive(&rng, &s->stream, "draw", (uint64_t)k);
    int64_t c = hni_alias_draw(&s->table, &rng);
    if (s->kind == WEIGHTED)
        return c;
    int64_t start = s->index.start[c], n = s->index.start[c + 1] - start;
    return s->index.image[start + (int64_t)hn_rng_below(&rng, (uint64_t)n)];
}

static int64_t draw_permuted(hn_sampler *s, int64_t k)
{
    int64_t n = s->index.images, round = k / n;
    if (round != s->round) {
        hn_rng rng;
        hn_rng_derive(&rng, &s->stream, "permutation", (uint64_t)round);
        memcpy(s->order, s->index.image, (size_t)n * sizeof *s->order);
        hn_rng_shuffle(&rng, s->order, (size_t)n);
        s->round = round;
    }
    return s->order[k % n];
}

static int64_t draw_class_aware(hn_sampler *s, int64_t k)
{
    int64_t classes = s->index.classes, round = k / classes;
    hn_rng rng;
    if (round != s->round) {
        for (int64_t c = 0; c < classes; ++c)
            s->cycle[c] = c;
        hn_rng_derive(&rng, &s->stream, "cycle", (uint64_t)round);
        hn_rng_shuffle(&rng, s->cycle, (size_t)classes);
        s->round = round;
    }
    /* Every cycle takes one image of every class: in cycle `round` class c is at its image number `round`. */
    int64_t c = s->cycle[k % classes], start = s->index.start[c], n = s->index.start[c + 1] - start;
    int64_t pass = round / n;
    if (pass != s->pass[c]) {
        hn_rng_derive(&rng, &s->stream, "class", (uint64_t)c);
        hn_rng_derive(&rng, &rng, "pass", (uint64_t)pass);
        memcpy(s->order + start, s->index.image + start, (size_t)n * sizeof *s->order);
        hn_rng_shuffle(&rng, s->order + start, (size_t)n);
        s->pass[c] = pass;
    }
    return s->order[start + round % n];
}

static void enter_epoch(hn_sampler *s, int64_t epoch)
{
    s->epoch = epoch;
    hn_rng_derive(&s->stream, &s->root, "epoch", (uint64_t)epoch);
    s->round = -1;
    for (int32_t c = 0; s->pass != NULL && c < s->index.classes; ++c)
        s->pass[c] = -1;
    if (s->kind == HN_SAMPLER_PROGRESSIVE)
        build_class_table(s);
}

/* ---- life ----------------------------------------------------------------------------------------------------------- */

static hn_status allocate(hn_sampler *s, int64_t table, int64_t order, int64_t cycle)
{
    hn_context *c = s->context;
    size_t t = (size_t)table, bytes = sizeof(int64_t);
    s->table.n = table;
    bool ok = true;
    if (table > 0) {
        ok = ok && (s->table.keep = hni_alloc(c, t * sizeof(double))) != NULL;
        ok = ok && (s->table.alias = hni_alloc(c, t * bytes)) != NULL;
        ok = ok && (s->work = hni_alloc(c, t * bytes)) != NULL;
        ok = ok && (s->weights = hni_alloc(c, t * sizeof(double))) != NULL;
    }
    if (order > 0)
        ok = ok && (s->order = hni_alloc(c, (size_t)order * bytes)) != NULL;
    if (cycle > 0) {
        ok = ok && (s->cycle = hni_alloc(c, (size_t)cycle * bytes)) != NULL;
        ok = ok && (s->pass = hni_alloc(c, (size_t)cycle * bytes)) != NULL;
    }
    return ok ? HN_OK : hni_no_memory("hn_sampler_create", (t * 4 + (size_t)order + 2 * (size_t)cycle) * bytes);
}

static hn_status start(hn_sampler **out, hn_context *context, int32_t kind, int64_t n,
                       const hn_sampler_options *options, const char *function)
{
    hn_sampler_options o = defaults;
    HNI_FAIL_IF(context == NULL, HN_E_ARG, "%s: context is NULL", function);
    HNI_TRY(hni_options_read(&o, sizeof o, options, function));
    HNI_FAIL_IF(n < 1, HN_E_ARG, "%s: n is %" PRId64 "; it must be positive", function, n);
    HNI_FAIL_IF(o.epoch_length < 0, HN_E_ARG, "%s: epoch_length is %" PRId64 "; it must not be negative", function,
                o.epoch_length);
    HNI_FAIL_IF(kind == HN_SAMPLER_PROGRESSIVE && o.total_epochs < 1, HN_E_ARG,
                "%s: total_epochs is %" PRId64 "; the progressive sampler needs it positive", function, o.total_epochs);
    hn_sampler *s = hni_alloc(context, sizeof *s);
    if (s == NULL)
        return hni_no_memory(function, sizeof *s);
    *s = (hn_sampler){.context = context, .kind = kind, .options = o, .length = o.epoch_length};
    s->index.context = context;
    hn_rng_seed(&s->root, o.seed, 0);
    hn_rng_derive(&s->root, &s->root, "sampler", 0);
    *out = s;
    return HN_OK;
}

hn_status hn_sampler_create(hn_sampler **out, hn_context *context, int32_t kind, const int32_t *labels, int64_t n,
                            int32_t classes, const hn_sampler_options *options)
{
    HNI_FAIL_IF(out == NULL, HN_E_ARG, "hn_sampler_create: out is NULL");
    HNI_FAIL_IF(kind < HN_SAMPLER_INSTANCE_BALANCED || kind > HN_SAMPLER_REVERSED, HN_E_ARG,
                "hn_sampler_create: kind %d does not exist", (int)kind);
    HNI_FAIL_IF(labels == NULL, HN_E_ARG, "hn_sampler_create: labels is NULL");
    HNI_FAIL_IF(classes < 1 || classes == INT32_MAX, HN_E_ARG, "hn_sampler_create: classes is %d", (int)classes);
    hn_sampler *s = NULL;
    HNI_TRY(start(&s, context, kind, n, options, "hn_sampler_create"));
    hn_status status = hni_class_index_create(&s->index, context, "hn_sampler_create", labels, n, classes);
    if (status == HN_OK) {
        bool permuted = kind == HN_SAMPLER_INSTANCE_BALANCED, aware = kind == HN_SAMPLER_CLASS_BALANCED;
        status = allocate(s, permuted || aware ? 0 : s->index.classes, permuted || aware ? s->index.images : 0,
                          aware ? s->index.classes : 0);
    }
    if (status < 0) {
        hn_sampler_destroy(s);
        return status;
    }
    if (s->length == 0)
        s->length = s->index.images;
    enter_epoch(s, 0);
    if (s->table.n > 0 && kind != HN_SAMPLER_PROGRESSIVE)
        build_class_table(s);
    *out = s;
    return HN_OK;
}

hn_status hn_sampler_create_weighted(hn_sampler **out, hn_context *context, const double *weights, int64_t n,
                                     const hn_sampler_options *options)
{
    static const char function[] = "hn_sampler_create_weighted";
    HNI_FAIL_IF(out == NULL || weights == NULL, HN_E_ARG, "%s: %s is NULL", function, out == NULL ? "out" : "weights");
    double sum = 0.0;
    for (int64_t i = 0; i < n; ++i) {
        HNI_FAIL_IF(!(weights[i] >= 0.0 && isfinite(weights[i])), HN_E_ARG,
                    "%s: weights[%" PRId64 "] is %g; it must be finite and not negative", function, i, weights[i]);
        sum += weights[i];
    }
    HNI_FAIL_IF(n > 0 && !(sum > 0.0 && isfinite(sum)), HN_E_ARG,
                "%s: the weights' sum is %g; it must be positive and "
                "finite",
                function, sum);
    hn_sampler *s = NULL;
    HNI_TRY(start(&s, context, WEIGHTED, n, options, function));
    hn_status status = allocate(s, n, 0, 0);
    if (status < 0) {
        hn_sampler_destroy(s);
        return status;
    }
    hni_alias_build(&s->table, weights, s->work);
    if (s->length == 0)
        s->length = n;
    enter_epoch(s, 0);
    *out = s;
    return HN_OK;
}

void hn_sampler_destroy(hn_sampler *s)
{
    if (s == NULL)
        return;
    hn_context *c = s->context;
    size_t t = (size_t)s->table.n * sizeof(int64_t);
    hni_release(c, s->table.keep, t);
    hni_release(c, s->table.alias, t);
    hni_release(c, s->work, t);
    hni_release(c, s->weights, t);
    hni_release(c, s->order, (size_t)s->index.images * sizeof(int64_t));
    hni_release(c, s->cycle, (size_t)s->index.classes * sizeof(int64_t));
    hni_release(c, s->pass, (size_t)s->index.classes * sizeof(int64_t));
    hni_class_index_release(&s->index);
    hni_release(c, s, sizeof *s);
}

/* ---- use ------------------------------------------------------------------------------------------------------------ */

int64_t hn_sampler_epoch_length(const hn_sampler *sampler)
{
    return sampler == NULL ? 0 : sampler->length;
}

void hn_sampler_tell(const hn_sampler *sampler, int64_t *epoch, int64_t *position)
{
    if (epoch != NULL)
        *epoch = sampler == NULL ? 0 : sampler->epoch;
    if (position != NULL)
        *position = sampler == NULL ? 0 : sampler->position;
}

hn_status hn_sampler_seek(hn_sampler *sampler, int64_t epoch, int64_t position)
{
    HNI_FAIL_IF(sampler == NULL, HN_E_ARG, "hn_sampler_seek: sampler is NULL");
    HNI_FAIL_IF(epoch < 0, HN_E_ARG, "hn_sampler_seek: epoch is %" PRId64, epoch);
    HNI_FAIL_IF(position < 0 || position > sampler->length, HN_E_ARG,
                "hn_sampler_seek: position is %" PRId64 "; an epoch has %" PRId64 " draws", position, sampler->length);
    if (epoch != sampler->epoch)
        enter_epoch(sampler, epoch);
    sampler->position = position;
    return HN_OK;
}

hn_status hn_sampler_next(hn_sampler *s, int64_t *index, int64_t capacity, int64_t *got)
{
    HNI_FAIL_IF(s == NULL || index == NULL || got == NULL, HN_E_ARG, "hn_sampler_next: %s is NULL",
                s == NULL       ? "sampler"
                : index == NULL ? "index"
                                : "got");
    HNI_FAIL_IF(capacity < 1, HN_E_ARG, "hn_sampler_next: capacity is %" PRId64 "; it must be positive", capacity);
    int64_t left = s->length - s->position, n = left < capacity ? left : capacity;
    for (int64_t i = 0; i < n; ++i) {
        int64_t k = s->position + i;
        index[i] = s->kind == HN_SAMPLER_INSTANCE_BALANCED ? draw_permuted(s, k)
                   : s->kind == HN_SAMPLER_CLASS_BALANCED  ? draw_class_aware(s, k)
                                                           : draw_replaced(s, k);
    }
    s->position += n;
    *got = n;
    return n > 0 ? HN_OK : HN_END;
}
