/* With lse_i the log-sum-exp of row i over its keys, W_i = beta + alpha |P(i)|, S the sum of the keys of the row's class and a
 * the reduction's weight,
 *     log D_i = log( sum_c exp(t_ic) + gamma exp(lse_i) ),
 *     L_i = log D_i - ( beta t_iy + alpha z_i.(S - y_self) / tau ) / W_i
 *     dL/dt_ic = a ( exp(t_ic - log D_i) - [c = y] beta / W_i ),
 *     dL/ds_ik = a ( gamma exp(s_ik - log D_i) - [k in P(i)] alpha / W_i )
 * denominator.h has lse_i and the first part of dL/ds, class_keys.h the second.                                          */
#include <hybridnet/paco.h>

#include "base/error.h"
#include "base/options.h"
#include "kernel/softmax.h"
#include "loss/class_keys.h"
#include "loss/common.h"
#include "loss/denominator.h"

#include <inttypes.h>
#include <math.h>

static const hn_loss_paco_options defaults = {.struct_size = sizeof defaults,
                                              .num_threads = 1,
                                              .grad_scale = 1.0f,
                                              .temperature = 0.05f,
                                              .normalize = 1,
                                              .alpha = 0.01f,
                                              .beta = 1.0f,
                                              .gamma = 1.0f,
                                              .logit_temperature = 1.0f};

void hn_loss_paco_options_init(hn_loss_paco_options *options, size_t struct_size)
{
    hni_options_init(options, struct_size, &defaults, sizeof defaults);
}

static hn_status check_weight(float weight, const char *function, const char *name)
{
    HNI_FAIL_IF(!(weight >= 0.0f && isfinite(weight)), HN_E_ARG, "%s: %s is %g; it must be finite and not negative",
                function, name, (double)weight);
    return HN_OK;
}

static hn_status read_options(hn_loss_paco_options *o, const hn_loss_paco_options *options, int64_t classes,
                              const char *function)
{
    *o = defaults;
    HNI_TRY(hni_options_read(o, sizeof *o, options, function));
    HNI_TRY(hni_loss_check_common(o, function));
    HNI_TRY(hni_loss_check_temperature(o->temperature, function));
    HNI_FAIL_IF(
        !(o->logit_temperature > 0.0f && isfinite(o->logit_temperature) && isfinite(1.0f / o->logit_temperature)),
        HN_E_ARG, "%s: logit_temperature is %g; it must be positive and finite", function,
        (double)o->logit_temperature);
    HNI_TRY(check_weight(o->alpha, function, "alpha"));
    HNI_TRY(check_weight(o->beta, function, "beta"));
    HNI_TRY(check_weight(o->gamma, function, "gamma"));
    HNI_FAIL_IF(o->alpha == 0.0f && o->beta == 0.0f, HN_E_ARG, "%s: alpha and beta are both 0", function);
    return hni_loss_check_adjustment(o->logit_adjustment, classes, function);
}

/* What a call is given. */
typedef struct input {
    const hn_cmatf *logits, *z, *keys;
    const int32_t *labels, *key_labels, *self;
    const hn_matf *dlogits, *dz, *dkeys;
} input;

/* What the callbacks need. */
typedef struct work {
    const hn_loss_paco_options *o;
    const input *in;
    hni_denominator d;
    hni_class_keys keys;
    float *t;      /* n x classes  */
    double *row;   /* [n], losses  */
    double weight; /* a            */
} work;

static size_t carve(work *w, int64_t n, int64_t k, int64_t classes, int64_t dim, char *base)
{
    hni_carver c = {base, 0};
    w->keys.n = n;
    w->keys.k = k;
    w->keys.dim = dim;
    w->t = hni_carve(&c, n * classes, sizeof *w->t);
    w->row = hni_carve(&c, n, sizeof *w->row);
    size_t used = c.used + hni_class_keys_carve(&w->keys, base == NULL ? NULL : base + c.used);
    return used + hni_denominator_carve(&w->d, n, k, dim, base == NULL ? NULL : base + used);
}

/* W; 0 for an ignored row. */
static double total_weight(const work *w, int64_t i)
{
    return w->in->labels[i] < 0 ? 0.0 : (double)w->o->beta + (double)w->o->alpha * (double)w->keys.positives[i];
}

/* ---- the callbacks -------------------------------------------------------------------------------------------------- */

static void leave_out(void *arg, int64_t i, int64_t begin, int64_t end, float *s)
{
    const work *w = arg;
    hni_class_keys_leave_out(&w->keys, i, begin, end, s);
}

/* The gradient of the row's logits: e[c] exp(shift) = exp(t_c) of sum D; own = beta / W. */
static void give_logits(const work *w, int64_t i, const float *e, double factor, double own)
{
    const hn_matf *to = w->in->dlogits;
    const double by = w->weight * (double)w->o->grad_scale / (double)w->o->logit_temperature;
    const float beta = w->o->grad_beta;
    float *row = to->data + i * to->ld;
    for (int64_t c = 0; c < to->cols; ++c) {
        float value = (float)(by * ((double)e[c] * factor - (c == w->in->labels[i] ? own : 0.0)));
        row[c] = beta == 0.0f ? value : beta * row[c] + value;
    }
}

static double weigh(void *arg, int64_t i, double lse)
{
    const work *w = arg;
    const hn_loss_paco_options *o = w->o;
    const int64_t classes = w->in->logits->cols;
    const float *x = w->in->logits->data + i * w->in->logits->ld;
    const double total = total_weight(w, i);
    w->row[i] = 0.0;
    if (total == 0.0) {
        if (w->in->dlogits != NULL)
            hni_loss_scale_row(classes, o->grad_beta, w->in->dlogits->data + i * w->in->dlogits->ld);
        return 0.0;
    }
    float *t = w->t + i * classes;
    for (int64_t c = 0; c < classes; ++c)
        t[c] = (x[c] + (o->logit_adjustment == NULL ? 0.0f : o->logit_adjustment[c])) / o->logit_temperature;
    const double own = (double)t[w->in->labels[i]];
    const float max = hni_row_max(classes, t);
    const double centres = (double)max + log(hni_exp_sum(classes, t, max, t));
    const double keys = o->gamma == 0.0f ? (double)-INFINITY : lse + log((double)o->gamma);
    const double high = keys > centres ? keys : centres, low = keys > centres ? centres : keys;
    const double all = high + log1p(exp(low - high));
    const double near = hni_class_keys_nearness(&w->keys, i, w->d.z, w->d.p) / (double)o->temperature;
    w->row[i] = all - ((double)o->beta * own + (double)o->alpha * near) / total;
    if (w->in->dlogits != NULL)
        give_logits(w, i, t, exp((double)max - all), (double)o->beta / total);
    return w->weight * exp(keys - all);
}

static void pull(void *arg, int64_t i, float *g)
{
    const work *w = arg;
    hni_class_keys_pull(&w->keys, i, w->d.p, g);
}

static void pull_keys(void *arg, float *g)
{
    work *w = arg;
    hni_class_keys_pull_keys(&w->keys, w->d.z, g);
}

/* ---- the function --------------------------------------------------------------------------------------------------- */

hn_status hn_loss_paco_scratch(const hn_loss_paco_options *options, int64_t n, int64_t k, int64_t classes, int64_t dim,
                               size_t *bytes)
{
    static const char function[] = "hn_loss_paco_scratch";
    hn_loss_paco_options o;
    HNI_FAIL_IF(bytes == NULL, HN_E_ARG, "%s: bytes is NULL", function);
    HNI_TRY(hni_loss_check_extents(n, dim, function, "z"));
    HNI_TRY(hni_loss_check_extents(k, dim, function, "keys"));
    HNI_TRY(hni_loss_check_extents(n, classes, function, "logits"));
    HNI_TRY(read_options(&o, options, classes, function));
    work w = {0};
    *bytes = carve(&w, n, k, classes, dim, NULL);
    return HN_OK;
}

/* Checks everything; on HN_OK nothing can fail any more. */
static hn_status check(hn_loss_paco_options *o, const hn_loss_paco_options *options, const input *in,
                       const hn_scratch *scratch, int64_t *valid)
{
    static const char function[] = "hn_loss_paco";
    size_t bytes;
    HNI_TRY(hni_loss_check_matrix(in->logits, function, "logits"));
    HNI_TRY(hni_loss_check_matrix(in->z, function, "z"));
    HNI_TRY(hni_loss_check_matrix(in->keys, function, "keys"));
    HNI_FAIL_IF(in->logits->rows != in->z->rows, HN_E_SHAPE, "%s: logits have %" PRId64 " rows, z has %" PRId64,
                function, in->logits->rows, in->z->rows);
    HNI_TRY(read_options(o, options, in->logits->cols, function));
    HNI_TRY(hni_loss_check_labels(in->labels, in->z->rows, in->logits->cols, function, valid));
    HNI_TRY(hni_loss_check_gradient(in->dlogits, in->logits, function, "dlogits"));
    HNI_TRY(hni_loss_check_gradient(in->dz, in->z, function, "dz"));
    HNI_TRY(hni_loss_check_columns(in->keys, in->z, function, "keys have", "z has"));
    HNI_TRY(hni_loss_check_indices(in->self, in->z->rows, in->keys->rows, function, "self"));
    HNI_TRY(hni_loss_check_keys(in->key_labels, in->dkeys, in->keys, function));
    HNI_TRY(hni_loss_check_finite(o->check_finite, in->logits, function, "logits"));
    HNI_TRY(hni_loss_check_finite(o->check_finite, in->z, function, "z"));
    HNI_TRY(hni_loss_check_finite(o->check_finite, in->keys, function, "keys"));
    HNI_TRY(hn_loss_paco_scratch(o, in->z->rows, in->keys->rows, in->logits->cols, in->z->cols, &bytes));
    return hni_loss_check_scratch(scratch, bytes, function);
}

/* Losses of all rows, and the gradients. */
static void run(work *w)
{
    const input *in = w->in;
    /* The keys' gradient stays in the engine's array and is handed out from there. */
    const hn_matf all = {w->d.gp, w->d.k, w->d.dim, w->d.dim};
    w->d.dy = in->dkeys == NULL ? NULL : &all;
    hni_denominator_take(&w->d);
    hni_class_keys_sum(&w->keys, w->o->num_threads, w->d.p);
    hni_denominator_run(&w->d);
    hni_loss_give(in->dkeys, w->o->grad_beta, all.data);
}

hn_status hn_loss_paco(const hn_loss_paco_options *options, const hn_cmatf *logits, const hn_cmatf *z,
                       const int32_t *labels, const hn_cmatf *keys, const int32_t *key_labels, const int32_t *self,
                       double *loss, float *row_loss, hn_matf *dlogits, hn_matf *dz, hn_matf *dkeys,
                       const hn_scratch *scratch)
{
    hn_loss_paco_options o;
    const input in = {logits, z, keys, labels, key_labels, self, dlogits, dz, dkeys};
    int64_t valid = 0;
    HNI_TRY(check(&o, options, &in, scratch, &valid));
    work w = {.o = &o, .in = &in, .keys = {.labels = labels, .key_labels = key_labels, .self = self}};
    w.d = (hni_denominator){.num_threads = o.num_threads,
                            .normalize = o.normalize,
                            .temperature = o.temperature,
                            .grad_scale = o.grad_scale,
                            .x_beta = o.grad_beta,
                            .x = z,
                            .y = keys,
                            .x_labels = labels,
                            .y_labels = key_labels,
                            .dx = dz,
                            .arg = &w,
                            .adjust = leave_out,
                            .weigh = weigh,
                            .pull = pull,
                            .pull_keys = pull_keys};
    (void)carve(&w, z->rows, keys->rows, logits->cols, z->cols, scratch == NULL ? NULL : scratch->data);
    const double divisor = hni_loss_divisor(o.reduction, valid);
    w.weight = 1.0 / divisor;
    hni_class_keys_find(&w.keys);
    for (int64_t i = 0; i < z->rows; ++i) {
        const double total = total_weight(&w, i);
        w.keys.by[i] = w.keys.positives[i] == 0 || total == 0.0
                           ? 0.0
                           : w.weight * (double)o.alpha / (total * (double)o.temperature);
    }
    if (valid > 0 && keys->rows > 0) {
        run(&w);
    } else { /* the centres at most */
        for (int64_t i = 0; i < z->rows; ++i)
            (void)weigh(&w, i, (double)-INFINITY);
        hni_loss_give(dz, o.grad_beta, NULL);
        hni_loss_give(dkeys, o.grad_beta, NULL);
    }
    hni_loss_reduce(z->rows, w.row, divisor, loss, row_loss);
    return HN_OK;
}
