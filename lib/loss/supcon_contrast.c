/* The supervised contrastive loss of anchors against a separate contrast set. denominator.h has the log-sum-exps; positives
 * are closed: with S the sum of the contrast rows of anchor i's label, P(i) these rows but self, and a_i the anchor's weight,
 *     L_i = lse_i - x_i.(S - y_self) / (tau |P|),   dL/dx_i -= a_i / (tau |P|) (S - y_self),   dL/dy_p -= a_i / (tau |P|) x_i */
#include "loss/supcon.h"

#include "base/error.h"
#include "kernel/rownorm.h"
#include "loss/common.h"
#include "loss/denominator.h"
#include "loss/groups.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

typedef struct work {
    const hn_loss_sc_options *o;
    const int32_t *labels, *contrast_labels;
    const int32_t *self;
    hni_denominator d;
    hni_groups groups;  /* of the contrast rows */
    int32_t *first;     /* [n], where the anchor's class begins among the sorted contrast rows, or -1 */
    int32_t *positives; /* [n], |P| */
    float *sum;         /* k x dim: row first holds S, later what the class's anchors pull with */
    int8_t *kind;       /* [n], HNI_ANCHOR ... */
    double *row;        /* [n], losses */
    double *by;         /* [n], a_i / (tau |P|) */
    double share;
    int32_t single;
} work;

static size_t carve(work *w, int64_t n, int64_t k, int64_t dim, char *base)
{
    hni_carver c = {base, 0};
    w->first = hni_carve(&c, n, sizeof *w->first);
    w->positives = hni_carve(&c, n, sizeof *w->positives);
    w->sum = hni_carve(&c, k * dim, sizeof *w->sum);
    w->kind = hni_carve(&c, n, sizeof *w->kind);
    w->row = hni_carve(&c, n, sizeof *w->row);
    w->by = hni_carve(&c, n, sizeof *w->by);
    size_t used = c.used;
    used += hni_groups_carve(&w->groups, k, base == NULL ? NULL : base + used);
    return used + hni_denominator_carve(&w->d, n, k, dim, base == NULL ? NULL : base + used);
}

static int64_t self_of(const work *w, int64_t i)
{
    return w->self == NULL ? -1 : w->self[i];
}

/* Whether anchor i's own row is one of its class. */
static int own_in_class(const work *w, int64_t i)
{
    return self_of(w, i) >= 0 && w->contrast_labels[w->self[i]] == w->labels[i];
}

/* Classes of the anchors, and which of them count. */
static void find_positives(work *w)
{
    w->single = w->groups.m > 0 && w->groups.size[0] == w->groups.m;
    for (int64_t i = 0; i < w->d.n; ++i) {
        int64_t first = w->labels[i] < 0 ? -1 : hni_groups_find(&w->groups, w->labels[i]);
        w->first[i] = (int32_t)first;
        w->positives[i] = first < 0 ? 0 : w->groups.size[first] - own_in_class(w, i);
        w->kind[i] = w->labels[i] < 0 ? HNI_NO_ANCHOR : w->positives[i] > 0 ? HNI_ANCHOR : HNI_LONELY;
        w->single = w->single && (w->labels[i] < 0 || first == 0);
    }
}

static void adjust(void *arg, int64_t i, int64_t begin, int64_t end, float *s)
{
    const work *w = arg;
    const int64_t self = self_of(w, i);
    if (self >= begin && self < end)
        s[self - begin] = -INFINITY;
    for (int64_t k = begin; w->groups.m < w->d.k && k < end; ++k)
        if (w->contrast_labels[k] < 0)
            s[k - begin] = -INFINITY;
}

static double weigh_loss(void *arg, int64_t i, double lse)
{
    work *w = arg;
    w->row[i] = 0.0;
    if (w->kind[i] != HNI_ANCHOR)
        return 0.0;
    const int64_t dim = w->d.dim;
    const float *x = w->d.z + i * dim;
    double near = hni_dot(dim, x, w->sum + w->first[i] * dim);
    if (own_in_class(w, i))
        near -= hni_dot(dim, x, w->d.p + w->self[i] * dim);
    w->row[i] = lse - near / ((double)w->o->temperature * (double)w->positives[i]);
    return w->share;
}

static void pull(void *arg, int64_t i, float *g)
{
    const work *w = arg;
    const int64_t dim = w->d.dim;
    if (w->kind[i] != HNI_ANCHOR)
        return;
    const float *sum = w->sum + w->first[i] * dim, by = (float)w->by[i];
    for (int64_t c = 0; c < dim; ++c)
        g[c] -= by * sum[c];
    const float *own = own_in_class(w, i) ? w->d.p + w->self[i] * dim : NULL;
    for (int64_t c = 0; own != NULL && c < dim; ++c)
        g[c] += by * own[c];
}

/* Each key of a class is pulled by all anchors of the class but itself. */
static void pull_keys(void *arg, float *g)
{
    const work *w = arg;
    const hni_groups *groups = &w->groups;
    const int64_t dim = w->d.dim;
    for (int64_t i = 0; i < groups->m; i += groups->size[i])
        memset(w->sum + i * dim, 0, (size_t)dim * sizeof *w->sum);
    for (int64_t i = 0; i < w->d.n; ++i) {
        if (w->kind[i] != HNI_ANCHOR)
            continue;
        const float *x = w->d.z + i * dim, by = (float)w->by[i];
        float *sum = w->sum + w->first[i] * dim, *own = own_in_class(w, i) ? g + w->self[i] * dim : NULL;
        for (int64_t c = 0; c < dim; ++c)
            sum[c] += by * x[c];
        for (int64_t c = 0; own != NULL && c < dim; ++c)
            own[c] += by * x[c];
    }
    for (int64_t i = 0; i < groups->m; ++i) {
        const float *sum = w->sum + groups->first[i] * dim;
        float *to = g + groups->order[i] * dim;
        for (int64_t c = 0; c < dim; ++c)
            to[c] -= sum[c];
    }
}

/* The weight of an anchor must be known before the gradients are taken, and under HN_LONELY_PML it depends on the losses of
 * all: then they are computed once more, first.                                                                            */
static double run(work *w)
{
    const hn_matf *dx = w->d.dx, *dy = w->d.dy;
    w->d.dx = w->d.dy = NULL;
    const int twice = w->o->lonely_anchor == HN_LONELY_PML && (dx != NULL || dy != NULL);
    if (twice) {
        hni_denominator_run(&w->d);
        (void)hni_loss_sc_reduce(w->o, w->d.n, w->kind, w->row, w->single, &w->share);
    } else {
        int64_t counted = 0;
        for (int64_t i = 0; i < w->d.n; ++i)
            counted += w->kind[i] == HNI_ANCHOR || (w->kind[i] == HNI_LONELY && w->o->lonely_anchor == HN_LONELY_ZERO);
        w->share = w->o->reduction == HN_REDUCE_SUM ? 1.0 : counted > 0 ? 1.0 / (double)counted : 0.0;
    }
    for (int64_t i = 0; i < w->d.n; ++i)
        w->by[i] = w->positives[i] > 0 ? w->share / ((double)w->o->temperature * (double)w->positives[i]) : 0.0;
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
    HNI_FAIL_IF(x->cols != y->cols, HN_E_SHAPE, "%s: anchors have %" PRId64 " columns, contrast has %" PRId64, function,
                x->cols, y->cols);
    HNI_TRY(hni_loss_check_gradient(w->d.dx, x, function, "danchors"));
    HNI_TRY(hni_loss_check_gradient(w->d.dy, y, function, "dcontrast"));
    HNI_TRY(hni_loss_check_labels(w->labels, x->rows, -1, function, &valid));
    HNI_FAIL_IF(w->contrast_labels == NULL && y->rows > 0, HN_E_ARG, "%s: contrast_labels is NULL", function);
    for (int64_t i = 0; w->self != NULL && i < x->rows; ++i)
        HNI_FAIL_IF(w->self[i] >= y->rows, HN_E_ARG,
                    "%s: self of anchor %" PRId64 " is %d; contrast has %" PRId64 " rows", function, i, (int)w->self[i],
                    y->rows);
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
    work w = {.o = &o, .labels = labels, .contrast_labels = contrast_labels, .self = self};
    w.d = (hni_denominator){.x = anchors,
                            .y = contrast,
                            .dx = danchors,
                            .dy = dcontrast,
                            .arg = &w,
                            .adjust = adjust,
                            .weigh = weigh_loss,
                            .pull = pull,
                            .pull_keys = pull_keys};
    HNI_TRY(check("hn_loss_sc_contrast", &o, options, &w, scratch));
    w.d.num_threads = o.num_threads;
    w.d.normalize = o.normalize;
    w.d.temperature = o.temperature;
    w.d.grad_scale = (float)((double)o.grad_scale * hni_loss_sc_factor(&o));
    w.d.x_beta = w.d.y_beta = o.grad_beta;
    (void)carve(&w, anchors->rows, contrast->rows, anchors->cols, scratch == NULL ? NULL : scratch->data);
    hni_groups_sort(&w.groups, contrast_labels, contrast->rows);
    find_positives(&w);
    hni_denominator_take(&w.d);
    hni_groups_sum(&w.groups, o.num_threads, w.d.dim, w.d.p, w.groups.order, w.sum);
    double value = run(&w);
    for (int64_t i = 0; row_loss != NULL && i < anchors->rows; ++i)
        row_loss[i] = (float)(w.row[i] * hni_loss_sc_factor(&o));
    if (loss != NULL)
        *loss = value;
    return HN_OK;
}
