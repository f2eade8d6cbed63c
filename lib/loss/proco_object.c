/* ProCo as an object: two sets of statistics that take turns. */
#include "loss/loss.h"

#include "base/context.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/options.h"
#include "kernel/rownorm.h"
#include "loss/common.h"
#include "loss/prior.h"

#include <inttypes.h>
#include <string.h>

#define UNSEEN_LENGTH 0.9f /* of the mean of a class without rows, as the authors begin */

typedef struct proco_loss {
    hn_loss base;
    hn_loss_proco_options options;
    int64_t classes, dim;
    float *adjustment; /* [classes] or NULL                                                           */
    double *sum[2];    /* classes x dim, as hn_proco_observe has them                                 */
    int64_t *count[2]; /* [classes]                                                                   */
    int32_t used;      /* which of the two the loss takes its means from                              */
    float *mean;       /* classes x dim, of the used one                                              */
    float *unseen;     /* classes x dim, means of classes that have no rows yet; 0 before init_params */
} proco_loss;

static size_t entries(const proco_loss *l)
{
    return (size_t)(l->classes * l->dim);
}

static hn_status proco_scratch(const hn_loss *loss, int64_t rows, int64_t cols, size_t *bytes)
{
    const proco_loss *l = (const proco_loss *)loss;
    HNI_FAIL_IF(cols != l->dim, HN_E_SHAPE,
                "hn_loss_apply: embeddings have %" PRId64 " columns; the loss was made for %" PRId64, cols, l->dim);
    return hn_loss_proco_scratch(&l->options, rows, l->classes, cols, bytes);
}

static hn_status proco_apply(hn_loss *loss, const hn_cmatf *input, const int32_t *labels, float scale, double *value,
                             hn_matf *dinput, const hn_scratch *scratch)
{
    static const char function[] = "hn_loss_apply";
    proco_loss *l = (proco_loss *)loss;
    hn_loss_proco_options o = l->options;
    hn_matf mean = {l->mean, l->classes, l->dim, l->dim};
    const hn_cmatf means = {l->mean, l->classes, l->dim, l->dim};
    int64_t valid;
    o.grad_scale = scale;
    /* All that could fail, before anything changes; what enters the statistics must be finite, asked for or not. */
    HNI_TRY(hni_loss_check_common(&o, function));
    HNI_TRY(hni_loss_check_labels(labels, input->rows, l->classes, function, &valid));
    HNI_TRY(hni_loss_check_finite(o.check_finite, input, function, "the input"));
    for (int which = 0; dinput != NULL && which < 2; ++which)
        HNI_TRY(hn_proco_observe(input, labels, 1, l->classes, l->sum[which], l->count[which]));
    HNI_TRY(hn_proco_mean(l->sum[l->used], l->count[l->used], &mean));
    return hn_loss_proco(&o, input, labels, &means, value, NULL, dinput, scratch);
}

/* Empties one of the two. */
static void forget(proco_loss *l, int32_t which)
{
    memset(l->sum[which], 0, entries(l) * sizeof *l->sum[which]);
    memset(l->count[which], 0, (size_t)l->classes * sizeof *l->count[which]);
}

static hn_status proco_begin_epoch(hn_loss *loss, int64_t epoch)
{
    proco_loss *l = (proco_loss *)loss;
    (void)epoch;
    l->used = 1 - l->used;
    forget(l, 1 - l->used);
    memcpy(l->mean, l->unseen, entries(l) * sizeof *l->mean);
    return HN_OK;
}

static hn_status proco_init_params(hn_loss *loss, const hn_rng *rng)
{
    proco_loss *l = (proco_loss *)loss;
    hn_rng stream;
    hn_rng_derive(&stream, rng, "means of classes without rows", 0);
    hn_rng_fill_normal(&stream, l->unseen, entries(l), 0.0f, 1.0f);
    for (int64_t c = 0; c < l->classes; ++c) {
        float *row = l->unseen + c * l->dim;
        (void)hni_rownorm_row(l->dim, row, row);
        for (int64_t d = 0; d < l->dim; ++d)
            row[d] *= UNSEEN_LENGTH;
    }
    forget(l, 0);
    forget(l, 1);
    memcpy(l->mean, l->unseen, entries(l) * sizeof *l->mean);
    return HN_OK;
}

static int32_t proco_state(hn_loss *loss, hni_loss_array *arrays)
{
    static const char *const sums[] = {"sum0", "sum1"}, *const counts[] = {"count0", "count1"};
    proco_loss *l = (proco_loss *)loss;
    const int64_t classes = l->classes;
    int32_t n = 0;
    for (int which = 0; which < 2; ++which) {
        arrays[n++] = (hni_loss_array){sums[which], l->sum[which], {HN_F64, 2, {classes, l->dim}}, 0, 0};
        arrays[n++] = (hni_loss_array){counts[which], l->count[which], {HN_I64, 1, {classes}}, 0, INT64_MAX / 2};
    }
    arrays[n++] = (hni_loss_array){"used", &l->used, {HN_I32, 1, {1}}, 0, 1};
    arrays[n++] = hni_loss_floats("mean", l->mean, classes, l->dim);
    arrays[n++] = hni_loss_floats("unseen", l->unseen, classes, l->dim);
    return n;
}

static void proco_release(hn_loss *loss)
{
    proco_loss *l = (proco_loss *)loss;
    hn_context *context = loss->context;
    hni_release(context, l->adjustment, (size_t)l->classes * sizeof *l->adjustment);
    for (int which = 0; which < 2; ++which) {
        hni_release(context, l->sum[which], entries(l) * sizeof *l->sum[which]);
        hni_release(context, l->count[which], (size_t)l->classes * sizeof *l->count[which]);
    }
    hni_release(context, l->mean, entries(l) * sizeof *l->mean);
    hni_release(context, l->unseen, entries(l) * sizeof *l->unseen);
}

static const hni_loss_kind proco_kind = {.name = "probabilistic contrastive",
                                         .size = sizeof(proco_loss),
                                         .scratch = proco_scratch,
                                         .apply = proco_apply,
                                         .init_params = proco_init_params,
                                         .begin_epoch = proco_begin_epoch,
                                         .state = proco_state,
                                         .release = proco_release};

static hn_status allocate(proco_loss *l, const int64_t *counts, const char *function)
{
    hn_context *context = l->base.context;
    const float *given = l->options.logit_adjustment;
    size_t bytes;
    l->options.logit_adjustment = NULL;
    HNI_TRY(
        hn_loss_proco_scratch(&l->options, 1, l->classes, l->dim, &bytes)); /* before a count that may be nonsense */
    HNI_TRY(hni_loss_log_prior(&l->base, counts, given, l->classes, 1.0, function, &l->adjustment));
    l->options.logit_adjustment = l->adjustment;
    for (int which = 0; which < 2; ++which) {
        l->sum[which] = hni_alloc_zero(context, entries(l) * sizeof *l->sum[which]);
        l->count[which] = hni_alloc_zero(context, (size_t)l->classes * sizeof *l->count[which]);
    }
    l->mean = hni_alloc_zero(context, entries(l) * sizeof *l->mean);
    l->unseen = hni_alloc_zero(context, entries(l) * sizeof *l->unseen);
    if (l->sum[0] == NULL || l->sum[1] == NULL || l->count[0] == NULL || l->count[1] == NULL || l->mean == NULL ||
        l->unseen == NULL)
        return hni_no_memory(function, entries(l) * sizeof **l->sum);
    return HN_OK;
}

hn_status hn_loss_create_proco(hn_loss **out, hn_context *context, int64_t classes, int64_t dim, const int64_t *counts,
                               const hn_loss_proco_options *options)
{
    static const char function[] = "hn_loss_create_proco";
    hn_loss *loss = NULL;
    HNI_FAIL_IF(out == NULL, HN_E_ARG, "%s: out is NULL", function);
    HNI_TRY(hni_loss_check_size(classes, dim, function));
    HNI_TRY(hni_loss_start(&loss, context, &proco_kind, function));
    proco_loss *l = (proco_loss *)loss;
    hn_loss_proco_options *o = &l->options;
    hn_loss_proco_options_init(o, sizeof *o);
    l->classes = classes;
    l->dim = dim;
    hn_status status = hni_options_read(o, sizeof *o, options, function);
    o->num_threads = context->num_threads;
    o->grad_beta = 0.0f;
    if (status == HN_OK)
        status = allocate(l, counts, function);
    return hni_loss_finish(status, out, loss, dim);
}
