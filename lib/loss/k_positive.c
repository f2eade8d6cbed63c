/* With q_ip the share of positive p in row i (1/|P| or, for the target, w/|P|, where |P| counts the target), W_i their sum
 * and a the reduction's weight,
 *     L_i = W_i lse_i - sum_p q_ip s_ip,    dL/ds_ik = a (W_i exp(s_ik - lse_i) - q_ik)
 * denominator.h has the first part, over keys and, after them, targets; the second, the pull, touches |P| keys a row.      */
#include <hybridnet/k_positive.h>

#include "base/error.h"
#include "base/options.h"
#include "kernel/rownorm.h"
#include "loss/common.h"
#include "loss/denominator.h"
#include "loss/positives.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static const hn_loss_kcl_options defaults = {.struct_size = sizeof defaults,
                                             .num_threads = 1,
                                             .grad_scale = 1.0f,
                                             .temperature = 0.07f,
                                             .normalize = 1,
                                             .positives = 6};

void hn_loss_kcl_options_init(hn_loss_kcl_options *options, size_t struct_size)
{
    hni_options_init(options, struct_size, &defaults, sizeof defaults);
}

static hn_status read_options(hn_loss_kcl_options *o, const hn_loss_kcl_options *options, const char *function)
{
    *o = defaults;
    HNI_TRY(hni_options_read(o, sizeof *o, options, function));
    HNI_TRY(hni_loss_check_common(o, function));
    HNI_TRY(hni_loss_check_temperature(o->temperature, function));
    HNI_FAIL_IF(o->positives < 0, HN_E_ARG, "%s: positives is %d; it must not be negative", function,
                (int)o->positives);
    HNI_FAIL_IF(!(o->target_weight >= 0.0f && isfinite(o->target_weight)), HN_E_ARG,
                "%s: target_weight is %g; it must be finite and not negative", function, (double)o->target_weight);
    return HN_OK;
}

/* What a call is given. */
typedef struct input {
    const hn_cmatf *anchors, *keys, *targets; /* targets: NULL for KCL */
    const int32_t *labels, *key_labels, *self, *own_key, *class_target;
    int64_t classes;
} input;

/* What the callbacks need; key k + j is target j. */
typedef struct work {
    const hn_loss_kcl_options *o;
    const input *in;
    hni_denominator d;
    hni_positives positives;
    int64_t t;
    double *row;   /* [n], losses */
    double weight; /* a           */
} work;

static size_t carve(work *w, int64_t n, int64_t k, int64_t dim, char *base)
{
    hni_carver c = {base, 0};
    w->row = hni_carve(&c, n, sizeof *w->row);
    size_t used = c.used + hni_positives_carve(&w->positives, base == NULL ? NULL : base + c.used);
    return used + hni_denominator_carve(&w->d, n, k + w->t, dim, base == NULL ? NULL : base + used);
}

/* The l-th positive of row i and its share. */
static int64_t positive(const work *w, int64_t i, int64_t l, double *share)
{
    int64_t key = hni_positives_key(&w->positives, i, l);
    *share = (key < w->positives.k ? 1.0 : (double)w->o->target_weight) / (double)w->positives.choice[i].count;
    return key;
}

/* ---- the callbacks -------------------------------------------------------------------------------------------------- */

/* An anchor is not compared with itself. */
static void leave_out(void *arg, int64_t i, int64_t begin, int64_t end, float *s)
{
    const work *w = arg;
    const int64_t self = w->in->self[i];
    if (self >= begin && self < end)
        s[self - begin] = -INFINITY;
}

static double weigh(void *arg, int64_t i, double lse)
{
    const work *w = arg;
    double total = 0.0, near = 0.0, share;
    for (int64_t l = 0; l < w->positives.choice[i].count; ++l) {
        const int64_t key = positive(w, i, l, &share);
        near += share * hni_denominator_similarity(&w->d, i, key);
        total += share;
    }
    w->row[i] = w->positives.choice[i].count == 0 ? 0.0 : total * lse - near;
    return w->weight * total;
}

static void pull(void *arg, int64_t i, float *g)
{
    const work *w = arg;
    const int64_t dim = w->d.dim;
    double share;
    for (int64_t l = 0; l < w->positives.choice[i].count; ++l) {
        const float *p = w->d.p + positive(w, i, l, &share) * dim;
        const float by = (float)(w->weight * share / (double)w->o->temperature);
        for (int64_t c = 0; c < dim; ++c)
            g[c] -= by * p[c];
    }
}

static void pull_keys(void *arg, float *g)
{
    const work *w = arg;
    const int64_t dim = w->d.dim;
    double share;
    for (int64_t i = 0; i < w->d.n; ++i) {
        const float *z = w->d.z + i * dim;
        for (int64_t l = 0; l < w->positives.choice[i].count; ++l) {
            float *to = g + positive(w, i, l, &share) * dim;
            const float by = (float)(w->weight * share / (double)w->o->temperature);
            for (int64_t c = 0; c < dim; ++c)
                to[c] -= by * z[c];
        }
    }
}

/* ---- the function --------------------------------------------------------------------------------------------------- */

hn_status hn_loss_kcl_scratch(const hn_loss_kcl_options *options, int64_t n, int64_t k, int64_t t, int64_t dim,
                              size_t *bytes)
{
    static const char function[] = "hn_loss_kcl_scratch";
    hn_loss_kcl_options o;
    HNI_FAIL_IF(bytes == NULL, HN_E_ARG, "%s: bytes is NULL", function);
    HNI_TRY(read_options(&o, options, function));
    HNI_TRY(hni_loss_check_extents(n, dim, function, "anchors"));
    HNI_TRY(hni_loss_check_extents(k, dim, function, "keys"));
    HNI_TRY(hni_loss_check_extents(t, dim, function, "targets"));
    HNI_TRY(hni_loss_check_extents(k + t, dim, function, "keys and targets together"));
    if (o.positives > 0 && o.positives < k)
        HNI_TRY(hni_loss_check_extents(n, o.positives, function, "the choice of positives"));
    work w = {.t = o.target_weight > 0.0f ? t : 0, .positives = {.n = n, .k = k, .most = o.positives}};
    *bytes = carve(&w, n, k, dim, NULL);
    return HN_OK;
}

static hn_status check_targets(const char *function, const hn_loss_kcl_options *o, const input *in)
{
    HNI_TRY(hni_loss_check_matrix(in->targets, function, "targets"));
    HNI_TRY(hni_loss_check_columns(in->targets, in->anchors, function, "targets have", "anchors have"));
    HNI_FAIL_IF(in->classes < 1 || in->classes > INT32_MAX, HN_E_ARG,
                "%s: classes is %" PRId64 "; it must be in [1, 2^31 - 1]", function, in->classes);
    HNI_FAIL_IF(in->class_target == NULL, HN_E_ARG, "%s: class_target is NULL", function);
    HNI_TRY(hni_loss_check_indices(in->class_target, in->classes, in->targets->rows, function, "class_target"));
    return hni_loss_check_finite(o->check_finite, in->targets, function, "targets");
}

/* Checks everything; on HN_OK nothing can fail any more. */
static hn_status check(hn_loss_kcl_options *o, const hn_loss_kcl_options *options, input *in, const hn_matf *danchors,
                       const hn_matf *dkeys, const hn_scratch *scratch)
{
    static const char function[] = "hn_loss_kcl";
    int64_t valid;
    size_t bytes;
    HNI_TRY(read_options(o, options, function));
    HNI_TRY(hni_loss_check_matrix(in->anchors, function, "anchors"));
    HNI_TRY(hni_loss_check_matrix(in->keys, function, "keys"));
    HNI_TRY(hni_loss_check_columns(in->keys, in->anchors, function, "keys have", "anchors have"));
    const int64_t n = in->anchors->rows, k = in->keys->rows;
    if (o->target_weight > 0.0f)
        HNI_TRY(check_targets(function, o, in));
    else
        in->targets = NULL;
    HNI_TRY(hni_loss_check_labels(in->labels, n, in->targets == NULL ? -1 : in->classes, function, &valid));
    HNI_TRY(hni_loss_check_keys(in->key_labels, dkeys, in->keys, function));
    HNI_TRY(hni_loss_check_indices(in->self, n, k, function, "self"));
    HNI_TRY(hni_loss_check_indices(in->own_key, n, k, function, "own_key"));
    for (int64_t i = 0; in->self != NULL && in->own_key != NULL && i < n; ++i)
        HNI_FAIL_IF(in->self[i] >= 0 && in->self[i] == in->own_key[i], HN_E_ARG,
                    "%s: key %d is both self and own_key of row %" PRId64, function, (int)in->self[i], i);
    HNI_TRY(hni_loss_check_gradient(danchors, in->anchors, function, "danchors"));
    HNI_TRY(hni_loss_check_finite(o->check_finite, in->anchors, function, "anchors"));
    HNI_TRY(hni_loss_check_finite(o->check_finite, in->keys, function, "keys"));
    HNI_TRY(hn_loss_kcl_scratch(o, n, k, in->targets == NULL ? 0 : in->targets->rows, in->anchors->cols, &bytes));
    return hni_loss_check_scratch(scratch, bytes, function);
}

/* The engine's rows and keys; targets come after the keys. */
static void take(work *w)
{
    const int64_t dim = w->d.dim;
    hni_denominator_take(&w->d);
    if (w->t == 0)
        return;
    const hn_cmatf *t = w->in->targets;
    float *to = w->d.p + w->positives.k * dim;
    if (w->o->normalize)
        hni_rownorm_forward(w->o->num_threads, w->t, dim, t->data, t->ld, to, w->d.p_inverse + w->positives.k);
    for (int64_t j = 0; !w->o->normalize && j < w->t; ++j)
        memcpy(to + j * dim, t->data + j * t->ld, (size_t)dim * sizeof *to);
}

hn_status hn_loss_kcl(const hn_loss_kcl_options *options, const hn_cmatf *anchors, const int32_t *labels,
                      const hn_cmatf *keys, const int32_t *key_labels, const int32_t *self, const int32_t *own_key,
                      const hn_cmatf *targets, int64_t classes, const int32_t *class_target, double *loss,
                      float *row_loss, hn_matf *danchors, hn_matf *dkeys, const hn_scratch *scratch)
{
    hn_loss_kcl_options o;
    input in = {anchors, keys, targets, labels, key_labels, self, own_key, class_target, classes};
    HNI_TRY(check(&o, options, &in, danchors, dkeys, scratch));
    const int64_t n = anchors->rows, k = keys->rows, dim = anchors->cols;
    work w = {.o = &o, .in = &in, .t = in.targets == NULL ? 0 : in.targets->rows};
    w.positives = (hni_positives){.n = n,
                                  .k = k,
                                  .most = o.positives,
                                  .labels = labels,
                                  .key_labels = key_labels,
                                  .self = self,
                                  .own_key = own_key,
                                  .class_target = in.targets == NULL ? NULL : class_target};
    w.d = (hni_denominator){.num_threads = o.num_threads,
                            .normalize = o.normalize,
                            .temperature = o.temperature,
                            .grad_scale = o.grad_scale,
                            .x_beta = o.grad_beta,
                            .x = anchors,
                            .x_labels = labels,
                            .y = keys,
                            .dx = danchors,
                            .arg = &w,
                            .adjust = self == NULL ? NULL : leave_out,
                            .weigh = weigh,
                            .pull = pull,
                            .pull_keys = pull_keys};
    (void)carve(&w, n, k, dim, scratch == NULL ? NULL : scratch->data);
    /* The keys' gradient stays in the engine's array, targets' and all, and is handed out from there. */
    const hn_matf all = {w.d.gp, k + w.t, dim, dim};
    w.d.dy = dkeys == NULL ? NULL : &all;
    hn_rng zero;
    hn_rng_seed(&zero, 0, 0);
    const int64_t counted = hni_positives_choose(&w.positives, o.rng == NULL ? &zero : o.rng);
    const double divisor = hni_loss_divisor(o.reduction, counted);
    w.weight = 1.0 / divisor;
    if (counted > 0) {
        take(&w);
        hni_denominator_run(&w.d);
        hni_loss_give(dkeys, o.grad_beta, all.data);
    } else {
        for (int64_t i = 0; i < n; ++i)
            w.row[i] = 0.0;
        hni_loss_give(danchors, o.grad_beta, NULL);
        hni_loss_give(dkeys, o.grad_beta, NULL);
    }
    hni_loss_reduce(n, w.row, divisor, loss, row_loss);
    return HN_OK;
}
