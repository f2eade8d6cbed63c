#include <hybridnet/cross_entropy.h>

#include "base/error.h"
#include "base/options.h"
#include "base/parallel.h"
#include "kernel/softmax.h"
#include "loss/common.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>

enum { BLOCK = 32, TILE = 256 }; /* rows a task; classes at a time */

static const hn_loss_ce_options defaults = {
    .struct_size = sizeof defaults, .num_threads = 1, .grad_scale = 1.0f, .logit_scale = 1.0f};

void hn_loss_ce_options_init(hn_loss_ce_options *options, size_t struct_size)
{
    hni_options_init(options, struct_size, &defaults, sizeof defaults);
}

static hn_status read_options(hn_loss_ce_options *o, const hn_loss_ce_options *options, int64_t classes,
                              const char *function)
{
    *o = defaults;
    HNI_TRY(hni_options_read(o, sizeof *o, options, function));
    HNI_TRY(hni_loss_check_common(o, function));
    HNI_FAIL_IF(!(o->label_smoothing >= 0.0f && o->label_smoothing <= 1.0f), HN_E_ARG,
                "%s: label_smoothing is %g; it must be in [0, 1]", function, (double)o->label_smoothing);
    for (int64_t c = 0; o->class_weight != NULL && c < classes; ++c)
        HNI_FAIL_IF(!(o->class_weight[c] >= 0.0f && isfinite(o->class_weight[c])), HN_E_ARG,
                    "%s: class_weight[%" PRId64 "] is %g; it must be finite and not negative", function, c,
                    (double)o->class_weight[c]);
    for (int64_t c = 0; o->logit_adjustment != NULL && c < classes; ++c)
        HNI_FAIL_IF(isnan(o->logit_adjustment[c]), HN_E_ARG, "%s: logit_adjustment[%" PRId64 "] is NaN", function, c);
    for (int64_t c = 0; o->margin != NULL && c < classes; ++c)
        HNI_FAIL_IF(!isfinite(o->margin[c]), HN_E_ARG, "%s: margin[%" PRId64 "] is %g; it must be finite", function, c,
                    (double)o->margin[c]);
    HNI_FAIL_IF(!(o->logit_scale > 0.0f && isfinite(o->logit_scale)), HN_E_ARG,
                "%s: logit_scale is %g; it must be positive and finite", function, (double)o->logit_scale);
    for (int64_t c = 0; o->class_smoothing != NULL && c < classes; ++c)
        HNI_FAIL_IF(!(o->class_smoothing[c] >= 0.0f && o->class_smoothing[c] <= 1.0f), HN_E_ARG,
                    "%s: class_smoothing[%" PRId64 "] is %g; it must be in [0, 1]", function, c,
                    (double)o->class_smoothing[c]);
    HNI_FAIL_IF(!(o->focal_gamma >= 0.0f && isfinite(o->focal_gamma)), HN_E_ARG,
                "%s: focal_gamma is %g; it must be finite and not negative", function, (double)o->focal_gamma);
    return HN_OK;
}

typedef struct job {
    const hn_loss_ce_options *o;
    const hn_cmatf *logits;
    const int32_t *labels;
    double all_weights;     /* sum of the class weights, or classes */
    double gradient_factor; /* scale / divisor */
    double *row;            /* [n] row losses */
    const hn_matf *dlogits;
} job;

/* Whether the logits are used as they are. */
static bool plain(const hn_loss_ce_options *o)
{
    return o->logit_adjustment == NULL && o->margin == NULL && o->logit_scale == 1.0f;
}

/* The logits that the softmax is of: classes [from, from + n) of a row, in tile unless they are the caller's. */
static const float *adjusted(const job *j, const float *x, int32_t label, int64_t from, int64_t n, float *tile)
{
    const hn_loss_ce_options *o = j->o;
    if (plain(o))
        return x + from;
    for (int64_t c = 0; c < n; ++c)
        tile[c] = o->logit_scale * x[from + c];
    if (o->margin != NULL && label >= from && label < from + n)
        tile[label - from] = o->logit_scale * (x[label] - o->margin[label]);
    for (int64_t c = 0; o->logit_adjustment != NULL && c < n; ++c)
        tile[c] += o->logit_adjustment[from + c];
    return tile;
}

static float weight_of(const job *j, int64_t c)
{
    return j->o->class_weight == NULL ? 1.0f : j->o->class_weight[c];
}

static double smoothing_of(const job *j, int32_t label)
{
    return (double)(j->o->class_smoothing == NULL ? j->o->label_smoothing : j->o->class_smoothing[label]);
}

/* What a row's gradient needs of its loss. */
typedef struct row_state {
    hni_lse all, others; /* of the row; of all classes but the label's, which the focal factor needs */
    double base;         /* the loss without the focal factor                                        */
    double p, factor;    /* of the label; (1 - p)^gamma                                              */
} row_state;

static void add_others(hni_lse *others, int32_t label, int64_t from, int64_t n, const float *a)
{
    const int64_t own = label - from;
    if (own < 0 || own >= n) {
        hni_lse_add(others, n, a);
        return;
    }
    hni_lse_add(others, own, a);
    hni_lse_add(others, n - own - 1, a + own + 1);
}

/* Row loss: (1 - p)^gamma (W lse - sum_c q_c w_c a_c) with W = sum_c q_c w_c. */
static double row_loss(const job *j, const float *x, int32_t label, row_state *r)
{
    float tile[TILE];
    const int64_t classes = j->logits->cols;
    const double smooth = smoothing_of(j, label), share = smooth / (double)classes, gamma = (double)j->o->focal_gamma;
    *r = (row_state){.all = {-INFINITY, 0.0}, .others = {-INFINITY, 0.0}, .factor = 1.0};
    double weighted = 0.0, own = 0.0;
    for (int64_t from = 0; from < classes; from += TILE) {
        int64_t n = classes - from < TILE ? classes - from : TILE;
        const float *a = adjusted(j, x, label, from, n, tile);
        hni_lse_add(&r->all, n, a);
        if (gamma > 0.0)
            add_others(&r->others, label, from, n, a);
        for (int64_t c = 0; smooth > 0.0 && c < n; ++c)
            weighted += (double)weight_of(j, from + c) * (double)a[c];
        if (label >= from && label < from + n)
            own = (double)a[label - from];
    }
    const double lse = hni_lse_value(&r->all);
    r->base = (1.0 - smooth) * (double)weight_of(j, label) * (lse - own);
    if (smooth > 0.0)
        r->base += share * (j->all_weights * lse - weighted);
    if (gamma > 0.0) {
        r->p = exp(own - lse);
        r->factor = exp(gamma * fmin(hni_lse_value(&r->others) - lse, 0.0)); /* log(1 - p) without cancellation */
    }
    return r->factor * r->base;
}

/* For the base loss B and the factor f: dB/da_c = W p_c - q_c w_c; df/da_c = gamma f p_label o_c for the other classes, o their
 * own softmax, and -gamma f p_label for the label.                                                                          */
static void row_gradient(const job *j, const float *x, int32_t label, const row_state *r, float *g)
{
    float tile[TILE], p[TILE], o[TILE];
    const int64_t classes = j->logits->cols;
    const double smooth = smoothing_of(j, label), share = smooth / (double)classes;
    const double w = (double)weight_of(j, label), total = (1.0 - smooth) * w + share * j->all_weights;
    const double gamma = (double)j->o->focal_gamma;
    const double focal = gamma > 0.0 ? gamma * r->factor * r->p * r->base : 0.0; /* base may be infinite */
    const double factor = j->gradient_factor * (double)j->o->logit_scale;
    const bool others = focal != 0.0 && r->others.sum > 0.0;
    const float beta = j->o->grad_beta;
    for (int64_t from = 0; from < classes; from += TILE) {
        int64_t n = classes - from < TILE ? classes - from : TILE;
        const float *a = adjusted(j, x, label, from, n, tile);
        hni_exp_shifted(n, a, r->all.max, (float)(1.0 / r->all.sum), p);
        if (others)
            hni_exp_shifted(n, a, r->others.max, (float)(1.0 / r->others.sum), o);
        for (int64_t c = 0; c < n; ++c) {
            const bool own = from + c == label;
            double q = (share + (own ? 1.0 - smooth : 0.0)) * (double)weight_of(j, from + c);
            double slope = r->factor * (total * (double)p[c] - q);
            if (focal != 0.0)
                slope += own ? -focal : others ? focal * (double)o[c] : 0.0;
            float d = (float)(factor * slope);
            g[from + c] = beta == 0.0f ? d : beta * g[from + c] + d;
        }
    }
}

static void run_block(void *arg, int64_t task, int32_t thread)
{
    const job *j = arg;
    (void)thread;
    for (int64_t i = task * BLOCK; i < j->logits->rows && i < (task + 1) * BLOCK; ++i) {
        float *g = j->dlogits == NULL ? NULL : j->dlogits->data + i * j->dlogits->ld;
        j->row[i] = 0.0;
        if (j->labels[i] < 0) {
            if (g != NULL)
                hni_loss_scale_row(j->logits->cols, j->o->grad_beta, g);
            continue;
        }
        const float *x = j->logits->data + i * j->logits->ld;
        row_state r;
        j->row[i] = row_loss(j, x, j->labels[i], &r);
        if (g != NULL)
            row_gradient(j, x, j->labels[i], &r, g);
    }
}

/* The row losses. */
static size_t scratch_bytes(int64_t n)
{
    hni_carver carver = {NULL, 0};
    (void)hni_carve(&carver, n, sizeof(double));
    return carver.used;
}

hn_status hn_loss_ce_scratch(const hn_loss_ce_options *options, int64_t n, int64_t classes, size_t *bytes)
{
    hn_loss_ce_options o;
    HNI_FAIL_IF(bytes == NULL, HN_E_ARG, "hn_loss_ce_scratch: bytes is NULL");
    HNI_TRY(hni_loss_check_extents(n, classes, "hn_loss_ce_scratch", "logits"));
    HNI_TRY(read_options(&o, options, classes, "hn_loss_ce_scratch"));
    *bytes = scratch_bytes(n);
    return HN_OK;
}

hn_status hn_loss_ce(const hn_loss_ce_options *options, const hn_cmatf *logits, const int32_t *labels, double *loss,
                     float *row_losses, hn_matf *dlogits, const hn_scratch *scratch)
{
    static const char function[] = "hn_loss_ce";
    hn_loss_ce_options o;
    int64_t valid;
    HNI_TRY(hni_loss_check_matrix(logits, function, "logits"));
    HNI_TRY(read_options(&o, options, logits->cols, function));
    HNI_TRY(hni_loss_check_gradient(dlogits, logits, function, "dlogits"));
    HNI_TRY(hni_loss_check_labels(labels, logits->rows, logits->cols, function, &valid));
    HNI_TRY(hni_loss_check_finite(o.check_finite, logits, function, "logits"));
    HNI_TRY(hni_loss_check_scratch(scratch, scratch_bytes(logits->rows), function));

    job j = {.o = &o, .logits = logits, .labels = labels, .dlogits = dlogits};
    j.row = scratch == NULL ? NULL : scratch->data;
    for (int64_t c = 0; c < logits->cols; ++c)
        j.all_weights += (double)weight_of(&j, c);
    double divisor = 1.0;
    if (o.reduction == HN_REDUCE_MEAN) {
        divisor = 0.0;
        for (int64_t i = 0; i < logits->rows; ++i)
            divisor += labels[i] < 0 ? 0.0 : (double)weight_of(&j, labels[i]);
    }
    double inverse = divisor > 0.0 ? 1.0 / divisor : 0.0;
    j.gradient_factor = (double)o.grad_scale * inverse;
    hni_parallel(o.num_threads, (logits->rows + BLOCK - 1) / BLOCK, run_block, &j);
    double sum = 0.0;
    for (int64_t i = 0; i < logits->rows; ++i) {
        sum += j.row[i];
        if (row_losses != NULL)
            row_losses[i] = (float)j.row[i];
    }
    if (loss != NULL)
        *loss = inverse == 0.0 ? 0.0 : sum * inverse;
    return HN_OK;
}
