/* The supervised contrastive loss of anchors against a separate contrast set. denominator.h has the log-sum-exps, class_keys.h
 * the positives: with S the sum of the contrast rows of anchor i's label, P(i) these rows but self, a_i the anchor's weight,
 *     L_i = lse_i - x_i.(S - y_self) / (tau |P|)
 *     dL/dx_i -= a_i / (tau |P|) (S - y_self),   dL/dy_p -= a_i / (tau |P|) x_i                                            */
#include "loss/supcon.h"

#include "base/error.h"
#include "loss/class_keys.h"
#include "loss/common.h"
#include "loss/denominator.h"

typedef struct work {
    const hn_loss_sc_options *o;
    hni_denominator d;
    hni_class_keys keys;
    int8_t *kind; /* [n], HNI_ANCHOR ... */
    double *row;  /* [n], losses */
    double share; /* a */
    int32_t single;
} work;

static size_t carve(work *w, int64_t n, int64_t k, int64_t dim, char *base)
{
    hni_carver c = {base, 0};
    w->kind = hni_carve(&c, n, sizeof *w->kind);
    w->row = hni_carve(&c, n, sizeof *w->row);
    w->keys.n = n;
    w->keys.k = k;
    w->keys.dim = dim;
    size_t used = c.used;
    used += hni_class_keys_carve(&w->keys, base == NULL ? NULL : base + used);
    return used + hni_denominator_carve(&w->d, n, k, dim, base == NULL ? NULL : base + used);
}

/* Which anchors count, and whether anchors and contrast are all of one class. */
static void find_anchors(work *w)
{
    const hni_class_keys *keys = &w->keys;
    w->single = keys->groups.m > 0 && keys->groups.size[0] == keys->groups.m;
    for (int64_t i = 0; i < keys->n; ++i) {
        w->kind[i] = keys->labels[i] < 0 ? HNI_NO_ANCHOR : keys->positives[i] > 0 ? HNI_ANCHOR : HNI_LONELY;
        w->single = w->single && (keys->labels[i] < 0 || keys->first[i] == 0);
    }
}

static void adjust(void *arg, int64_t i, int64_t begin, int64_t end, float *s)
{
    const work *w = arg;
    hni_class_keys_leave_out(&w->keys, i, begin, end, s);
}

static double weigh(void *arg, int64_t i, double lse)
{
    const work *w = arg;
    w->row[i] = 0.0;
    if (w->kind[i] != HNI_ANCHOR)
        return 0.0;
    const double near = hni_class_keys_nearness(&w->keys, i, w->d.z, w->d.p);
    w->row[i] = lse - near / ((double)w->o->temperature * (double)w->keys.positives[i]);
    return w->share;
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

/* The weight of an anchor must be known before the gradients are taken, and under HN_LONELY_PML it depends on the losses of
 * all: then they are computed once more, first.                                                                            */
static double run(work *w)
{
    const hn_matf *dx = w->d.dx, *dy = w->d.dy;
    if (w->o->lonely_anchor == HN_LONELY_PML && (dx != NULL || dy != NULL)) {
        w->d.dx = w->d.dy = NULL;
        hni_denominator_run(&w->d);
    }
    (void)hni_loss_sc_reduce(w->o, w->d.n, w->kind, w->row, w->single, &w->share);
    for (int64_t i = 0; i < w->d.n; ++i)
        w->keys.by[i] =
            w->kind[i] == HNI_ANCHOR ? w->share / ((double)w->o->temperature * (double)w->keys.positives[i]) : 0.0;
    w->d.dx = dx;
    w->d.dy = dy;
    hni_denominator_run(&w->d);
    return hni_loss_sc_reduce(w->o, w->d.n, w->kind, w->row, w->single, &w->share);
}

static hn_status read_options(hn_loss_sc_options *o, const hn_loss_sc_options *options, const char *function)
{
    HNI_TRY(hni_loss_sc_read_options(o, options, function));
    HNI_FAIL_IF(o->views != 1 || o->view_order != HN_VIEW_MAJOR || o->anchors != HN_ANCHORS_ALL, HN_E_ARG,
                "%s: views, view_order and anchors must have their defaults: every row has its own label here",
                function);
    return HN_OK;
}

hn_status hn_loss_sc_contrast_scratch(const hn_loss_sc_options *options, int64_t n, int64_t k, int64_t dim,
                                      size_t *bytes)
{
    static const char function[] = "hn_loss_sc_contrast_scratch";
    hn_loss_sc_options o;
    work w;
    HNI_FAIL_IF(bytes == NULL, HN_E_ARG, "%s: bytes is NULL", function);
    HNI_TRY(read_options(&o, options, function));
    HNI_TRY(hni_loss_check_extents(n, dim, function, "anchors"));
    HNI_TRY(hni_loss_check_extents(k, dim, function, "contrast"));
    *bytes = carve(&w, n, k, dim, NULL);
    return HN_OK;
}

/* Checks everything; on HN_OK nothing can fail any more. */
static hn_status check(const char *function, hn_loss_sc_options *o, const hn_loss_sc_options *options, const work *w,
                       const hn_scratch *scratch)
{
    const hn_cmatf *x = w->d.x, *y = w->d.y;
    int64_t valid;
    size_t bytes;
    HNI_TRY(read_options(o, options, function));
    HNI_TRY(hni_loss_check_matrix(x, function, "anchors"));
    HNI_TRY(hni_loss_check_matrix(y, function, "contrast"));
    HNI_TRY(hni_loss_check_columns(x, y, function, "anchors have", "contrast has"));
    HNI_TRY(hni_loss_check_gradient(w->d.dx, x, function, "danchors"));
    HNI_TRY(hni_loss_check_gradient(w->d.dy, y, function, "dcontrast"));
    HNI_TRY(hni_loss_check_labels(w->keys.labels, x->rows, -1, function, &valid));
    HNI_FAIL_IF(w->keys.key_labels == NULL && y->rows > 0, HN_E_ARG, "%s: contrast_labels is NULL", function);
    HNI_TRY(hni_loss_check_indices(w->keys.self, x->rows, y->rows, function, "self"));
    HNI_TRY(hni_loss_check_finite(o->check_finite, x, function, "anchors"));
    HNI_TRY(hni_loss_check_finite(o->check_finite, y, function, "contrast"));
    HNI_TRY(hn_loss_sc_contrast_scratch(o, x->rows, y->rows, x->cols, &bytes));
    return hni_loss_check_scratch(scratch, bytes, function);
}

hn_status hn_loss_sc_contrast(const hn_loss_sc_options *options, const hn_cmatf *anchors, const int32_t *labels,
                              const hn_cmatf *contrast, const int32_t *contrast_labels, const int32_t *self,
                              double *loss, float *row_loss, hn_matf *danchors, hn_matf *dcontrast,
                              const hn_scratch *scratch)
{
    hn_loss_sc_options o;
    work w = {.o = &o, .keys = {.labels = labels, .key_labels = contrast_labels, .self = self}};
    w.d = (hni_denominator){.x = anchors,
                            .y = contrast,
                            .x_labels = labels,
                            .y_labels = contrast_labels,
                            .dx = danchors,
                            .dy = dcontrast,
                            .arg = &w,
                            .adjust = adjust,
                            .weigh = weigh,
                            .pull = pull,
                            .pull_keys = pull_keys};
    HNI_TRY(check("hn_loss_sc_contrast", &o, options, &w, scratch));
    w.d.num_threads = o.num_threads;
    w.d.normalize = o.normalize;
    w.d.temperature = o.temperature;
    w.d.grad_scale = (float)((double)o.grad_scale * hni_loss_sc_factor(&o));
    w.d.x_beta = w.d.y_beta = o.grad_beta;
    (void)carve(&w, anchors->rows, contrast->rows, anchors->cols, scratch == NULL ? NULL : scratch->data);
    hni_class_keys_find(&w.keys);
    find_anchors(&w);
    for (int64_t i = 0; i < w.d.n; ++i)
        w.row[i] = 1.0; /* above 0, so that it counts before it is known */
    hni_denominator_take(&w.d);
    hni_class_keys_sum(&w.keys, o.num_threads, w.d.p);
    double value = run(&w);
    for (int64_t i = 0; row_loss != NULL && i < anchors->rows; ++i)
        row_loss[i] = (float)(w.row[i] * hni_loss_sc_factor(&o));
    if (loss != NULL)
        *loss = value;
    return HN_OK;
}
