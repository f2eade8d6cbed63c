/* The keys are the prototypes and, after them, the rows of the batch. With s_ik = z_i.x_k / tau - log w_ik, n_c the rows of
 * class c, Z_c their sum and a the reduction's weight, the anchor of class c has n_c positives (its own place is the
 * prototype's), and
 *     L_i = log sum_{k != i} exp(s_ik) - z_i.(Z_c - z_i + p_c) / (tau n_c)
 * denominator.h has the first part; sums of classes make the second cost O((n + classes) dim).                            */
#include "loss/balanced_contrastive.h"

#include "base/error.h"
#include "base/options.h"
#include "kernel/clones.h"
#include "kernel/rownorm.h"
#include "loss/common.h"
#include "loss/denominator.h"
#include "loss/groups.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static const hn_loss_bcl_options defaults = {
    .struct_size = sizeof defaults, .num_threads = 1, .grad_scale = 1.0f, .temperature = 0.1f, .normalize = 1};

void hn_loss_bcl_options_init(hn_loss_bcl_options *options, size_t struct_size)
{
    hni_options_init(options, struct_size, &defaults, sizeof defaults);
}

static hn_status read_options(hn_loss_bcl_options *o, const hn_loss_bcl_options *options, const char *function)
{
    *o = defaults;
    HNI_TRY(hni_options_read(o, sizeof *o, options, function));
    HNI_TRY(hni_loss_check_common(o, function));
    return hni_loss_check_temperature(o->temperature, function);
}

/* What the callbacks need; key k < classes is the prototype of class k, key classes + i is row i. */
typedef struct work {
    const hn_loss_bcl_options *o;
    const int32_t *labels;
    hni_denominator d;
    hni_groups groups;
    int64_t n, classes;
    int32_t *first; /* [classes], where the class begins among the sorted rows; -1: no row */
    int32_t *class; /* [classes + n], of the keys                                          */
    float *adjust;  /* [classes + n], -log N_c; -INFINITY: no key                          */
    float *sum;     /* n x dim, Z_c in row first[c]                                        */
    double *row;    /* [n], losses                                                         */
    double weight;  /* a                                                                   */
} work;

static size_t carve(work *w, int64_t dim, char *base)
{
    hni_carver c = {base, 0};
    const int64_t k = w->classes + w->n;
    w->first = hni_carve(&c, w->classes, sizeof *w->first);
    w->class = hni_carve(&c, k, sizeof *w->class);
    w->adjust = hni_carve(&c, k, sizeof *w->adjust);
    w->sum = hni_carve(&c, w->n * dim, sizeof *w->sum);
    w->row = hni_carve(&c, w->n, sizeof *w->row);
    size_t used = c.used + hni_groups_carve(&w->groups, w->n, base == NULL ? NULL : base + c.used);
    return used + hni_denominator_carve(&w->d, w->n, k, dim, base == NULL ? NULL : base + used);
}

/* Rows of class c. */
static int64_t count(const work *w, int64_t c)
{
    return w->first[c] < 0 ? 0 : w->groups.size[w->first[c]];
}

/* Classes, their weights, and the keys; z and p are there afterwards. */
static void prepare(work *w)
{
    const int64_t dim = w->d.dim;
    int64_t most = 1;
    hni_groups_sort(&w->groups, w->labels, w->n);
    for (int64_t c = 0; c < w->classes; ++c) {
        w->first[c] = (int32_t)hni_groups_find(&w->groups, (int32_t)c);
        w->class[c] = (int32_t)c;
        w->adjust[c] = (float)-log((double)(count(w, c) + 1));
        most = count(w, c) + 1 > most ? count(w, c) + 1 : most;
    }
    for (int64_t i = 0; i < w->n; ++i) {
        w->class[w->classes + i] = w->labels[i];
        w->adjust[w->classes + i] = w->labels[i] < 0 ? -INFINITY : w->adjust[w->labels[i]];
    }
    w->d.lowest = (float)-log((double)most);
    hni_denominator_take(&w->d); /* fills the prototypes' part of p */
    memcpy(w->d.p + w->classes * dim, w->d.z, (size_t)(w->n * dim) * sizeof *w->d.p);
    for (int64_t i = 0; w->o->normalize && i < w->n; ++i)
        w->d.p_inverse[w->classes + i] = w->d.z_inverse[i];
    hni_groups_sum(&w->groups, w->o->num_threads, dim, w->d.z, w->groups.order, w->sum);
}

/* s[k] += own for keys of the class y, adjust[k] for the others. */
HNI_CLONES static void add_adjustment(int64_t n, int32_t y, float own, const int32_t *restrict class,
                                      const float *restrict adjust, float *restrict s)
{
    for (int64_t k = 0; k < n; ++k)
        s[k] += class[k] == y ? own : adjust[k];
}

static void adjust(void *arg, int64_t i, int64_t begin, int64_t end, float *s)
{
    const work *w = arg;
    const int32_t y = w->labels[i];
    if (y < 0)
        return;
    add_adjustment(end - begin, y, (float)-log((double)count(w, y)), w->class + begin, w->adjust + begin, s);
    if (w->classes + i >= begin && w->classes + i < end)
        s[w->classes + i - begin] = -INFINITY;
}

static double weigh(void *arg, int64_t i, double lse)
{
    const work *w = arg;
    const int64_t dim = w->d.dim, y = w->labels[i];
    w->row[i] = 0.0;
    if (y < 0)
        return 0.0;
    const float *z = w->d.z + i * dim, *sum = w->sum + w->first[y] * dim;
    double near = hni_dot(dim, z, sum) - hni_dot(dim, z, z) + hni_dot(dim, z, w->d.p + y * dim);
    w->row[i] = lse - near / ((double)w->o->temperature * (double)count(w, y));
    return w->weight;
}

/* How strongly an anchor of class c is pulled to each of its positives. */
static float strength(const work *w, int64_t c)
{
    return (float)(w->weight / ((double)w->o->temperature * (double)count(w, c)));
}

static void pull(void *arg, int64_t i, float *g)
{
    const work *w = arg;
    const int64_t dim = w->d.dim, y = w->labels[i];
    if (y < 0)
        return;
    const float *z = w->d.z + i * dim, *sum = w->sum + w->first[y] * dim, *p = w->d.p + y * dim, by = strength(w, y);
    for (int64_t l = 0; l < dim; ++l)
        g[l] -= by * (sum[l] - z[l] + p[l]);
}

static void pull_keys(void *arg, float *g)
{
    const work *w = arg;
    const int64_t dim = w->d.dim;
    for (int64_t c = 0; c < w->classes; ++c) {
        if (w->first[c] < 0)
            continue;
        const float *sum = w->sum + w->first[c] * dim, by = strength(w, c);
        for (int64_t l = 0; l < dim; ++l)
            g[c * dim + l] -= by * sum[l];
    }
    for (int64_t i = 0; i < w->n; ++i) {
        const int64_t y = w->labels[i];
        float *to = g + (w->classes + i) * dim;
        if (y < 0) { /* also where an anchor holds a NaN */
            memset(to, 0, (size_t)dim * sizeof *to);
            continue;
        }
        const float *z = w->d.z + i * dim, *sum = w->sum + w->first[y] * dim, by = strength(w, y);
        for (int64_t l = 0; l < dim; ++l)
            to[l] -= by * (sum[l] - z[l]);
    }
}

hn_status hn_loss_bcl_scratch(const hn_loss_bcl_options *options, int64_t n, int64_t classes, int64_t dim,
                              size_t *bytes)
{
    static const char function[] = "hn_loss_bcl_scratch";
    hn_loss_bcl_options o;
    HNI_FAIL_IF(bytes == NULL, HN_E_ARG, "%s: bytes is NULL", function);
    HNI_TRY(read_options(&o, options, function));
    HNI_TRY(hni_loss_check_extents(n, dim, function, "z"));
    HNI_FAIL_IF(classes < 1, HN_E_SHAPE, "%s: classes is %" PRId64 "; it must be positive", function, classes);
    HNI_TRY(hni_loss_check_extents(classes, dim, function, "prototypes"));
    HNI_TRY(hni_loss_check_extents(n + classes, dim, function, "z and prototypes together"));
    work w = {.n = n, .classes = classes};
    *bytes = carve(&w, dim, NULL);
    return HN_OK;
}

/* Checks everything; on HN_OK nothing can fail any more. */
static hn_status check(const char *function, hn_loss_bcl_options *o, const hn_loss_bcl_options *options,
                       const hn_cmatf *z, const int32_t *labels, const hn_cmatf *prototypes, const hn_matf *dz,
                       const hn_matf *dprototypes, const hn_scratch *scratch, int64_t *valid)
{
    size_t bytes;
    HNI_TRY(read_options(o, options, function));
    HNI_TRY(hni_loss_check_matrix(z, function, "z"));
    HNI_TRY(hni_loss_check_matrix(prototypes, function, "prototypes"));
    HNI_TRY(hni_loss_check_columns(prototypes, z, function, "prototypes have", "z has"));
    HNI_FAIL_IF(prototypes->rows < 1, HN_E_SHAPE, "%s: prototypes have %" PRId64 " rows; it must be positive", function,
                prototypes->rows);
    HNI_TRY(hni_loss_check_gradient(dz, z, function, "dz"));
    HNI_TRY(hni_loss_check_gradient(dprototypes, prototypes, function, "dprototypes"));
    HNI_TRY(hni_loss_check_labels(labels, z->rows, prototypes->rows, function, valid));
    HNI_TRY(hni_loss_check_finite(o->check_finite, z, function, "z"));
    HNI_TRY(hni_loss_check_finite(o->check_finite, prototypes, function, "prototypes"));
    HNI_TRY(hn_loss_bcl_scratch(o, z->rows, prototypes->rows, z->cols, &bytes));
    return hni_loss_check_scratch(scratch, bytes, function);
}

hn_status hni_loss_bcl(const char *function, const hn_loss_bcl_options *options, float prototypes_beta,
                       const hn_cmatf *z, const int32_t *labels, const hn_cmatf *prototypes, double *loss,
                       float *row_loss, hn_matf *dz, hn_matf *dprototypes, const hn_scratch *scratch)
{
    hn_loss_bcl_options o;
    int64_t valid = 0;
    HNI_TRY(check(function, &o, options, z, labels, prototypes, dz, dprototypes, scratch, &valid));
    work w = {.o = &o, .labels = labels, .n = z->rows, .classes = prototypes->rows};
    w.d = (hni_denominator){.num_threads = o.num_threads,
                            .normalize = o.normalize,
                            .temperature = o.temperature,
                            .grad_scale = o.grad_scale,
                            .x_beta = o.grad_beta,
                            .x = z,
                            .x_labels = labels,
                            .y = prototypes,
                            .dx = dz,
                            .arg = &w,
                            .adjust = adjust,
                            .weigh = weigh,
                            .pull = pull,
                            .pull_keys = pull_keys};
    (void)carve(&w, z->cols, scratch->data);
    /* The keys' gradient stays in the engine's array and is handed out from there. */
    const hn_matf keys = {w.d.gp, w.classes + w.n, z->cols, z->cols};
    w.d.dy = dz == NULL && dprototypes == NULL ? NULL : &keys;
    const double divisor = hni_loss_divisor(o.reduction, valid);
    w.weight = 1.0 / divisor;
    if (valid > 0) {
        prepare(&w);
        hni_denominator_run(&w.d);
        hni_loss_give(dprototypes, prototypes_beta, keys.data);
        hni_loss_give(dz, 1.0f, keys.data + w.classes * z->cols);
    } else {
        for (int64_t i = 0; i < w.n; ++i)
            w.row[i] = 0.0;
        hni_loss_give(dprototypes, prototypes_beta, NULL);
        hni_loss_give(dz, o.grad_beta, NULL);
    }
    hni_loss_reduce(w.n, w.row, divisor, loss, row_loss);
    return HN_OK;
}

hn_status hn_loss_bcl(const hn_loss_bcl_options *options, const hn_cmatf *z, const int32_t *labels,
                      const hn_cmatf *prototypes, double *loss, float *row_loss, hn_matf *dz, hn_matf *dprototypes,
                      const hn_scratch *scratch)
{
    /* The prototypes' factor is the common one, which is checked with the rest of the options. */
    hn_loss_bcl_options o;
    HNI_TRY(read_options(&o, options, "hn_loss_bcl"));
    return hni_loss_bcl("hn_loss_bcl", &o, o.grad_beta, z, labels, prototypes, loss, row_loss, dz, dprototypes,
                        scratch);
}
