/* With s_ij = z_i.z_j / tau, lse_i = log sum_{j != i} exp(s_ij), a_i the weight of anchor i in the reduction and S the sum of
 * its class's rows:
 *     L_i    = lse_i - z_i.(S - z_i) / (tau |P|)
 *     dL/dz_i = [ what pairs.h gives ] - 1/tau sum_{p in P(i)} (a_i + a_p) / |P| z_p
 * so positives cost O(n dim), and only the denominators need similarities, which never exist but as tiles: 4 n^2 dim flops,
 * n^2 dim of them for the loss alone. Rows are sorted by label first: a class is then a stretch of rows.                  */
#include "loss/supcon.h"

#include "base/error.h"
#include "base/options.h"
#include "base/parallel.h"
#include "kernel/rownorm.h"
#include "loss/common.h"
#include "loss/groups.h"
#include "loss/pairs.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { ROWS = 128 }; /* of a task */

static const hn_loss_sc_options defaults = {.struct_size = sizeof defaults,
                                            .num_threads = 1,
                                            .grad_scale = 1.0f,
                                            .temperature = 0.1f,
                                            .normalize = 1,
                                            .views = 1};

void hn_loss_sc_options_init(hn_loss_sc_options *options, size_t struct_size)
{
    hni_options_init(options, struct_size, &defaults, sizeof defaults);
}

hn_status hni_loss_sc_read_options(hn_loss_sc_options *o, const hn_loss_sc_options *options, const char *function)
{
    *o = defaults;
    HNI_TRY(hni_options_read(o, sizeof *o, options, function));
    HNI_TRY(hni_loss_check_common(o, function));
    HNI_TRY(hni_loss_check_temperature(o->temperature, function));
    HNI_FAIL_IF(o->lonely_anchor < HN_LONELY_SKIP || o->lonely_anchor > HN_LONELY_PML, HN_E_ARG,
                "%s: lonely_anchor %d does not exist", function, (int)o->lonely_anchor);
    HNI_FAIL_IF(!(o->base_temperature >= 0.0f && isfinite(o->base_temperature)) ||
                    !isfinite((float)hni_loss_sc_factor(o)),
                HN_E_ARG, "%s: base_temperature is %g; it must be positive and finite, or 0 for no factor", function,
                (double)o->base_temperature);
    HNI_FAIL_IF(o->views < 1, HN_E_ARG, "%s: views is %d; it must be positive", function, (int)o->views);
    HNI_FAIL_IF(o->view_order != HN_VIEW_MAJOR && o->view_order != HN_SAMPLE_MAJOR, HN_E_ARG,
                "%s: view_order %d does not exist", function, (int)o->view_order);
    HNI_FAIL_IF(o->anchors != HN_ANCHORS_ALL && o->anchors != HN_ANCHORS_FIRST, HN_E_ARG,
                "%s: anchors %d does not exist", function, (int)o->anchors);
    return HN_OK;
}

double hni_loss_sc_factor(const hn_loss_sc_options *o)
{
    return o->base_temperature > 0.0f ? (double)o->temperature / (double)o->base_temperature : 1.0;
}

double hni_loss_sc_reduce(const hn_loss_sc_options *o, int64_t n, int8_t *kind, double *row, int32_t single,
                          double *share)
{
    int64_t counted = 0;
    double sum = 0.0;
    for (int64_t i = 0; i < n; ++i) {
        if (o->lonely_anchor == HN_LONELY_PML && kind[i] == HNI_ANCHOR && (single || !(row[i] > 0.0 || isnan(row[i]))))
            kind[i] = HNI_LONELY;
        if (kind[i] != HNI_ANCHOR)
            row[i] = 0.0;
        counted += kind[i] == HNI_ANCHOR || (kind[i] == HNI_LONELY && o->lonely_anchor == HN_LONELY_ZERO);
        sum += row[i];
    }
    *share = o->reduction == HN_REDUCE_SUM ? 1.0 : counted > 0 ? 1.0 / (double)counted : 0.0;
    return counted > 0 ? *share * sum * hni_loss_sc_factor(o) : 0.0;
}

/* Everything a call needs; rows below are in sorted order. */
typedef struct work {
    const hn_loss_sc_options *o;
    const hn_cmatf *x;
    const hn_matf *dx;
    int64_t dim;
    int32_t *labels; /* [n], of every row, the caller's order */
    hni_groups groups;
    hni_pairs pairs;
    float *z;        /* m x dim, normalised */
    double *inverse; /* [m], of the lengths */
    float *sum;      /* m x dim: row first[i] holds the sum of the class, or of what its anchors pull with */
    int8_t *kind;    /* [m], HNI_ANCHOR ... */
    double *row;     /* [m], losses */
} work;

static size_t carve(work *w, int64_t n, int64_t dim, int32_t threads, char *base)
{
    hni_carver c = {base, 0};
    w->labels = hni_carve(&c, n, sizeof *w->labels);
    w->z = hni_carve(&c, n * dim, sizeof *w->z);
    w->inverse = hni_carve(&c, n, sizeof *w->inverse);
    w->sum = hni_carve(&c, n * dim, sizeof *w->sum);
    w->kind = hni_carve(&c, n, sizeof *w->kind);
    w->row = hni_carve(&c, n, sizeof *w->row);
    w->pairs.sum = hni_carve(&c, n, sizeof *w->pairs.sum);
    w->pairs.shift = hni_carve(&c, n, sizeof *w->pairs.shift);
    w->pairs.push = hni_carve(&c, n, sizeof *w->pairs.push);
    w->pairs.g = hni_carve(&c, n * dim, sizeof *w->pairs.g);
    w->pairs.tiles = hni_carve(&c, hni_pairs_threads(n, threads), hni_pairs_tile_bytes(n));
    return c.used + hni_groups_carve(&w->groups, n, base == NULL ? NULL : base + c.used);
}

/* Which image and which view row i is. */
static int64_t image_of(const hn_loss_sc_options *o, int64_t n, int64_t i, int64_t *view)
{
    const int64_t images = n / o->views;
    *view = o->view_order == HN_VIEW_MAJOR ? i / images : i % o->views;
    return o->view_order == HN_VIEW_MAJOR ? i % images : i / o->views;
}

/* A task: ROWS rows of z. */
static void take_rows(void *arg, int64_t task, int32_t thread)
{
    const work *w = arg;
    (void)thread;
    for (int64_t i = task * ROWS; i < w->groups.m && i < (task + 1) * ROWS; ++i) {
        const float *x = w->x->data + w->groups.order[i] * w->x->ld;
        if (w->o->normalize)
            w->inverse[i] = hni_rownorm_row(w->dim, x, w->z + i * w->dim);
        else
            memcpy(w->z + i * w->dim, x, (size_t)w->dim * sizeof *x);
    }
}

/* A task: the losses of ROWS rows. */
static void row_losses(void *arg, int64_t task, int32_t thread)
{
    const work *w = arg;
    const hni_groups *g = &w->groups;
    (void)thread;
    for (int64_t i = task * ROWS; i < g->m && i < (task + 1) * ROWS; ++i) {
        const float *z = w->z + i * w->dim, *sum = w->sum + g->first[i] * w->dim;
        int64_t view, positives = g->size[i] - 1;
        (void)image_of(w->o, w->x->rows, g->order[i], &view);
        w->kind[i] = w->o->anchors == HN_ANCHORS_FIRST && view > 0 ? HNI_NO_ANCHOR
                     : positives > 0                               ? HNI_ANCHOR
                                                                   : HNI_LONELY;
        if (w->kind[i] != HNI_ANCHOR)
            continue;
        double near = hni_dot(w->dim, z, sum) - hni_dot(w->dim, z, z);
        w->row[i] =
            (double)w->pairs.shift[i] + log(w->pairs.sum[i]) - near / ((double)w->o->temperature * (double)positives);
    }
}

/* Sets g to the pull of positives, and what each anchor pushes with. For the members of a class all anchors weigh the same, so
 * (a_i + a_p) summed over p needs the sum of all and the sum of the anchors among them.                                     */
static void pull(work *w, double share)
{
    const hni_groups *g = &w->groups;
    const int64_t dim = w->dim;
    for (int64_t begin = 0; begin < g->m; begin += g->size[begin]) {
        const int64_t size = g->size[begin], end = begin + size;
        const float by = size > 1 ? (float)(share / ((double)(size - 1) * (double)w->o->temperature)) : 0.0f;
        const float *all = w->sum + begin * dim;
        float *anchors = w->pairs.g + begin * dim; /* of the first row: written last */
        int64_t count = 0;
        for (int64_t i = begin; i < end; ++i)
            count += w->kind[i] == HNI_ANCHOR;
        if (count < size) { /* the sum over anchors is another one */
            memset(anchors, 0, (size_t)dim * sizeof *anchors);
            for (int64_t i = begin; i < end; ++i)
                for (int64_t c = 0; w->kind[i] == HNI_ANCHOR && c < dim; ++c)
                    anchors[c] += w->z[i * dim + c];
        } else {
            memcpy(anchors, all, (size_t)dim * sizeof *anchors);
        }
        for (int64_t i = end - 1; i >= begin; --i) {
            const float *z = w->z + i * dim;
            float *to = w->pairs.g + i * dim;
            const float own = w->kind[i] == HNI_ANCHOR ? by : 0.0f;
            for (int64_t c = 0; c < dim; ++c)
                to[c] = -own * (all[c] - z[c]) - by * (anchors[c] - (own > 0.0f ? z[c] : 0.0f));
            w->pairs.push[i] = w->kind[i] == HNI_ANCHOR ? (float)(share / w->pairs.sum[i]) : 0.0f;
        }
    }
}

/* A task: hands the gradient of ROWS rows on. */
static void give_rows(void *arg, int64_t task, int32_t thread)
{
    const work *w = arg;
    const float beta = w->o->grad_beta, scale = (float)((double)w->o->grad_scale * hni_loss_sc_factor(w->o));
    (void)thread;
    for (int64_t i = task * ROWS; i < w->groups.m && i < (task + 1) * ROWS; ++i) {
        const float *z = w->z + i * w->dim, *g = w->pairs.g + i * w->dim;
        float *dx = w->dx->data + w->groups.order[i] * w->dx->ld;
        if (w->o->normalize)
            hni_rownorm_row_backward(w->dim, z, w->inverse[i], g, scale, beta, dx);
        else
            for (int64_t c = 0; c < w->dim; ++c)
                dx[c] = scale * g[c] + (beta == 0.0f ? 0.0f : beta * dx[c]);
    }
}

hn_status hn_loss_sc_scratch(const hn_loss_sc_options *options, int64_t n, int64_t dim, size_t *bytes)
{
    hn_loss_sc_options o;
    work w;
    HNI_FAIL_IF(bytes == NULL, HN_E_ARG, "hn_loss_sc_scratch: bytes is NULL");
    HNI_TRY(hni_loss_sc_read_options(&o, options, "hn_loss_sc_scratch"));
    HNI_TRY(hni_loss_check_extents(n, dim, "hn_loss_sc_scratch", "z"));
    *bytes = carve(&w, n, dim, o.num_threads, NULL);
    return HN_OK;
}

/* Checks everything; on HN_OK nothing can fail any more. */
static hn_status check(const char *function, hn_loss_sc_options *o, const hn_loss_sc_options *options,
                       const hn_cmatf *z, const int32_t *labels, const hn_matf *dz, const hn_scratch *scratch)
{
    size_t bytes;
    int64_t valid;
    HNI_TRY(hni_loss_sc_read_options(o, options, function));
    HNI_TRY(hni_loss_check_matrix(z, function, "z"));
    HNI_FAIL_IF(z->rows % o->views != 0, HN_E_SHAPE, "%s: z has %" PRId64 " rows; it must be a multiple of views, %d",
                function, z->rows, (int)o->views);
    HNI_TRY(hni_loss_check_gradient(dz, z, function, "dz"));
    if (labels != NULL || o->views == 1)
        HNI_TRY(hni_loss_check_labels(labels, z->rows / o->views, -1, function, &valid));
    HNI_TRY(hni_loss_check_finite(o->check_finite, z, function, "z"));
    HNI_TRY(hn_loss_sc_scratch(o, z->rows, z->cols, &bytes));
    return hni_loss_check_scratch(scratch, bytes, function);
}

hn_status hn_loss_sc(const hn_loss_sc_options *options, const hn_cmatf *z, const int32_t *labels, double *loss,
                     float *row_loss, hn_matf *dz, const hn_scratch *scratch)
{
    hn_loss_sc_options o;
    HNI_TRY(check("hn_loss_sc", &o, options, z, labels, dz, scratch));
    work w = {.o = &o, .x = z, .dx = dz, .dim = z->cols};
    (void)carve(&w, z->rows, z->cols, o.num_threads, scratch->data);
    for (int64_t i = 0, view; i < z->rows; ++i) {
        int64_t image = image_of(&o, z->rows, i, &view);
        w.labels[i] = labels == NULL ? (int32_t)image : labels[image];
    }
    const hni_groups *g = &w.groups;
    hni_groups_sort(&w.groups, w.labels, z->rows);
    const int64_t tasks = (g->m + ROWS - 1) / ROWS;
    hni_parallel(o.num_threads, tasks, take_rows, &w);
    hni_groups_sum(g, o.num_threads, w.dim, w.z, NULL, w.sum);
    w.pairs.num_threads = hni_pairs_threads(z->rows, o.num_threads);
    w.pairs.temperature = o.temperature;
    w.pairs.n = g->m;
    w.pairs.dim = w.dim;
    w.pairs.z = w.z;
    hni_pairs_sums(&w.pairs, o.normalize ? 1.0 : hni_longest_row(g->m, w.dim, w.z));
    hni_parallel(o.num_threads, tasks, row_losses, &w);
    double share, value = hni_loss_sc_reduce(&o, g->m, w.kind, w.row, g->m > 0 && g->size[0] == g->m, &share);
    if (dz != NULL) {
        for (int64_t i = 0; i < z->rows; ++i)
            if (w.labels[i] < 0)
                hni_loss_scale_row(z->cols, o.grad_beta, dz->data + i * dz->ld);
        pull(&w, share);
        hni_pairs_gradient(&w.pairs);
        hni_parallel(o.num_threads, tasks, give_rows, &w);
    }
    for (int64_t i = 0; row_loss != NULL && i < z->rows; ++i)
        row_loss[i] = 0.0f;
    for (int64_t i = 0; row_loss != NULL && i < g->m; ++i)
        row_loss[g->order[i]] = (float)(w.row[i] * hni_loss_sc_factor(&o));
    if (loss != NULL)
        *loss = value;
    return HN_OK;
}
