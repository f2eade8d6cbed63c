/* PaCo as an object: its centres and the queue. */
#include "loss/loss.h"

#include "base/context.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/options.h"
#include "kernel/gemm.h"
#include "kernel/rownorm.h"
#include "loss/common.h"
#include "loss/prior.h"
#include "loss/queue.h"

#include <inttypes.h>
#include <string.h>

typedef struct paco_loss {
    hn_loss base;
    hn_loss_paco_options options;
    int64_t classes, dim;
    hni_queue queue;
    float *adjustment; /* [classes] or NULL */
} paco_loss;

/* What apply cuts its scratch into; m of the batch's rows have a label. */
typedef struct parts {
    float *u;                /* rows x dim, the input as the loss takes it       */
    double *inverse;         /* [rows], 1 / length                               */
    float *keys;             /* (rows + capacity) x dim: m rows, the queue's     */
    int32_t *key_labels;     /* [rows + capacity]                                */
    int32_t *self;           /* [rows], where the row is among the keys, or -1   */
    float *logits, *dlogits; /* rows x classes                                  */
    float *du, *dkeys;       /* rows x dim                                       */
    hn_scratch step;         /* for hn_loss_paco                                 */
} parts;

static hn_status carve(const paco_loss *l, int64_t rows, char *base, parts *p, size_t *bytes)
{
    const int64_t k = rows + l->queue.capacity;
    hni_carver c = {base, 0};
    size_t step = 0;
    HNI_TRY(hn_loss_paco_scratch(&l->options, rows, k, l->classes, l->dim, &step));
    p->u = hni_carve(&c, rows * l->dim, sizeof *p->u);
    p->inverse = hni_carve(&c, rows, sizeof *p->inverse);
    p->keys = hni_carve(&c, k * l->dim, sizeof *p->keys);
    p->key_labels = hni_carve(&c, k, sizeof *p->key_labels);
    p->self = hni_carve(&c, rows, sizeof *p->self);
    p->logits = hni_carve(&c, rows * l->classes, sizeof *p->logits);
    p->dlogits = hni_carve(&c, rows * l->classes, sizeof *p->dlogits);
    p->du = hni_carve(&c, rows * l->dim, sizeof *p->du);
    p->dkeys = hni_carve(&c, rows * l->dim, sizeof *p->dkeys);
    p->step.size = step;
    p->step.data = hni_carve(&c, (int64_t)step, 1);
    *bytes = c.used;
    return HN_OK;
}

static hn_status paco_scratch(const hn_loss *loss, int64_t rows, int64_t cols, size_t *bytes)
{
    const paco_loss *l = (const paco_loss *)loss;
    parts p;
    HNI_FAIL_IF(cols != l->dim, HN_E_SHAPE,
                "hn_loss_apply: embeddings have %" PRId64 " columns; the centers have %" PRId64, cols, l->dim);
    return carve(l, rows, NULL, &p, bytes);
}

/* Fills u with the rows as the loss takes them. */
static void take(const paco_loss *l, const hn_cmatf *input, const int32_t *labels, const parts *p)
{
    const int64_t dim = l->dim;
    if (l->options.normalize)
        hni_rownorm_forward(l->options.num_threads, input->rows, dim, input->data, input->ld, p->u, p->inverse);
    for (int64_t i = 0; i < input->rows; ++i) {
        float *u = p->u + i * dim;
        if (labels[i] < 0) { /* whatever it holds, 0 times it must be 0 in the centres' gradient */
            memset(u, 0, (size_t)dim * sizeof *u);
            p->inverse[i] = 0.0;
        } else if (!l->options.normalize) {
            memcpy(u, input->data + i * input->ld, (size_t)dim * sizeof *u);
        }
    }
}

/* From the gradients of logits and keys to those of the centres and, in du and then dinput, of the input. */
static void give(paco_loss *l, const hn_cmatf *input, const parts *p, hn_matf *dinput)
{
    const int64_t rows = input->rows, dim = l->dim, classes = l->classes;
    const int32_t threads = l->options.num_threads;
    const hn_cmatf centres = hni_loss_param(&l->base);
    hn_matf dcentres = hni_loss_param_grad(&l->base);
    hni_gemm_parallel(threads, true, false, classes, dim, rows, 1.0f, p->dlogits, classes, p->u, dim, 1.0f,
                      dcentres.data, dcentres.ld);
    hni_gemm_parallel(threads, false, false, rows, dim, classes, 1.0f, p->dlogits, classes, centres.data, centres.ld,
                      1.0f, p->du, dim);
    for (int64_t i = 0; i < rows; ++i) {
        float *du = p->du + i * dim, *to = dinput->data + i * dinput->ld;
        for (int64_t c = 0; p->self[i] >= 0 && c < dim; ++c)
            du[c] += p->dkeys[p->self[i] * dim + c];
        if (l->options.normalize)
            hni_rownorm_row_backward(dim, p->u + i * dim, p->inverse[i], du, 1.0f, 0.0f, to);
        else
            memcpy(to, du, (size_t)dim * sizeof *to);
    }
}

static hn_status paco_apply(hn_loss *loss, const hn_cmatf *input, const int32_t *labels, float scale, double *value,
                            hn_matf *dinput, const hn_scratch *scratch)
{
    static const char function[] = "hn_loss_apply";
    paco_loss *l = (paco_loss *)loss;
    hn_loss_paco_options o = l->options;
    const int64_t rows = input->rows, dim = l->dim, classes = l->classes;
    const hn_cmatf centres = hni_loss_param(loss);
    parts p;
    size_t bytes;
    int64_t valid;
    o.grad_scale = scale;
    o.normalize = 0; /* is done here: the centres take the same rows */
    /* All that could fail, before anything changes. */
    HNI_TRY(hni_loss_check_common(&o, function));
    HNI_TRY(hni_loss_check_labels(labels, rows, classes, function, &valid));
    HNI_TRY(hni_loss_check_finite(o.check_finite, input, function, "the input"));
    HNI_TRY(carve(l, rows, scratch->data, &p, &bytes));
    const hn_cmatf u = {p.u, rows, dim, dim};
    take(l, input, labels, &p);
    const int64_t m = hni_queue_gather(&l->queue, &u, labels, p.keys, p.key_labels, p.self);
    hni_gemm_parallel(o.num_threads, false, true, rows, classes, dim, 1.0f, p.u, dim, centres.data, centres.ld, 0.0f,
                      p.logits, classes);
    const hn_cmatf keys = {p.keys, m + l->queue.count, dim, dim}, logits = {p.logits, rows, classes, classes};
    hn_matf du = {p.du, rows, dim, dim}, dkeys = {p.dkeys, m, dim, dim}, dlogits = {p.dlogits, rows, classes, classes};
    const bool wanted = dinput != NULL;
    HNI_TRY(hn_loss_paco(&o, &logits, &u, labels, &keys, p.key_labels, p.self, value, NULL, wanted ? &dlogits : NULL,
                         wanted ? &du : NULL, wanted ? &dkeys : NULL, &p.step));
    if (!wanted)
        return HN_OK;
    give(l, input, &p, dinput);
    hni_queue_push(&l->queue, &u, labels, 0);
    return HN_OK;
}

static hn_status paco_init_params(hn_loss *loss, const hn_rng *rng)
{
    paco_loss *l = (paco_loss *)loss;
    (void)rng;
    l->queue.count = l->queue.next = 0;
    return HN_OK;
}

static int32_t paco_state(hn_loss *loss, hni_loss_array *arrays)
{
    paco_loss *l = (paco_loss *)loss;
    return hni_queue_state(&l->queue, l->classes, arrays);
}

static void paco_release(hn_loss *loss)
{
    paco_loss *l = (paco_loss *)loss;
    hni_queue_close(&l->queue);
    hni_release(loss->context, l->adjustment, (size_t)l->classes * sizeof *l->adjustment);
}

static const hni_loss_kind paco_kind = {.name = "parametric contrastive",
                                        .size = sizeof(paco_loss),
                                        .scratch = paco_scratch,
                                        .apply = paco_apply,
                                        .init_params = paco_init_params,
                                        .state = paco_state,
                                        .release = paco_release};

static hn_status allocate(paco_loss *l, const int64_t *counts, int64_t queue_length, const char *function)
{
    hn_loss_paco_options *o = &l->options;
    const float *given = o->logit_adjustment;
    size_t bytes;
    o->logit_adjustment = NULL;
    /* Judged before anything is made from sizes that may be nonsense. */
    HNI_TRY(hni_loss_check_extents(queue_length, l->dim, function, "the queue"));
    HNI_TRY(hni_loss_check_extents(l->classes, l->dim, function, "centers"));
    HNI_TRY(hn_loss_paco_scratch(o, 1, 1 + queue_length, l->classes, l->dim, &bytes));
    /* The pure function divides the adjusted logits: times logit_temperature, log(prior) comes out whole. */
    HNI_TRY(hni_loss_log_prior(&l->base, counts, given, l->classes, (double)o->logit_temperature, function,
                               &l->adjustment));
    o->logit_adjustment = l->adjustment;
    HNI_TRY(hni_queue_open(&l->queue, l->base.context, queue_length, l->dim, function));
    return hni_loss_add_param(&l->base, "centers", l->classes, l->dim);
}

hn_status hn_loss_create_paco(hn_loss **out, hn_context *context, int64_t classes, int64_t dim, const int64_t *counts,
                              const hn_loss_paco_options *options, int64_t queue_length)
{
    static const char function[] = "hn_loss_create_paco";
    hn_loss *loss = NULL;
    HNI_FAIL_IF(out == NULL, HN_E_ARG, "%s: out is NULL", function);
    HNI_TRY(hni_loss_check_size(classes, dim, function));
    HNI_TRY(hni_loss_start(&loss, context, &paco_kind, function));
    paco_loss *l = (paco_loss *)loss;
    hn_loss_paco_options *o = &l->options;
    hn_loss_paco_options_init(o, sizeof *o);
    l->classes = classes;
    l->dim = dim;
    hn_status status = hni_options_read(o, sizeof *o, options, function);
    o->num_threads = context->num_threads;
    o->grad_beta = 0.0f;
    if (status == HN_OK)
        status = allocate(l, counts, queue_length, function);
    return hni_loss_finish(status, out, loss, dim);
}
