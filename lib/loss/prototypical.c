/* With s_ik = z_i.p_k / tau, lse_i = log sum exp(s_ik) over the denominator, w the assignment of row i to the prototypes of
 * its class and a the reduction's weight:
 *     L_i = lse_i - sum_m w_im s_im,    dL/ds_ik = a (exp(s_ik - lse_i) [k in the denominator] - w_ik)
 * Similarities exist for one block of ROWS rows at a time: as a row needs all of its own at once, nothing is computed
 * twice, 6 n k dim flops with gradients and 2 without, and the memory does not grow with n. Blocks come one after the
 * other, so that the prototypes' gradient is added up in a fixed order; within a block the work is shared out.         */
#include "loss/prototypical.h"

#include "base/error.h"
#include "base/options.h"
#include "base/parallel.h"
#include "kernel/gemm.h"
#include "kernel/rownorm.h"
#include "kernel/softmax.h"
#include "loss/common.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { ROWS = 128, COLS = 256, FEW = 8 }; /* rows of a block; prototypes and rows of a task */

static const hn_loss_psc_options defaults = {.struct_size = sizeof defaults,
                                             .num_threads = 1,
                                             .grad_scale = 1.0f,
                                             .temperature = 0.1f,
                                             .normalize = 1,
                                             .prototypes_per_class = 1};

void hn_loss_psc_options_init(hn_loss_psc_options *options, size_t struct_size)
{
    hni_options_init(options, struct_size, &defaults, sizeof defaults);
}

static hn_status read_options(hn_loss_psc_options *o, const hn_loss_psc_options *options, const char *function)
{
    *o = defaults;
    HNI_TRY(hni_options_read(o, sizeof *o, options, function));
    HNI_TRY(hni_loss_check_common(o, function));
    HNI_TRY(hni_loss_check_temperature(o->temperature, function));
    HNI_FAIL_IF(o->prototypes_per_class < 1, HN_E_ARG, "%s: prototypes_per_class is %d; it must be positive", function,
                (int)o->prototypes_per_class);
    HNI_FAIL_IF(o->assign < HN_ASSIGN_SOFT || o->assign > HN_ASSIGN_UNIFORM, HN_E_ARG, "%s: assign %d does not exist",
                function, (int)o->assign);
    return HN_OK;
}

/* Everything a call needs. k = classes * M prototypes; those of row i's class are labels[i] * M and the M - 1 after it.
 * One block of rows at a time, rows i to i + m - 1; what is said to have m rows has ROWS at most.                        */
typedef struct work {
    const hn_loss_psc_options *o;
    const hn_cmatf *x;
    const int32_t *labels;
    int64_t n, k, dim, per_class, i, m;
    float *z, *p, *gz, *gp;        /* m x dim, k x dim: normalised or copied; gradients with respect to these */
    double *z_inverse, *p_inverse; /* [m], [k], of the lengths */
    float *assign;                 /* m x M, the weights w */
    float *s;                      /* m x k, similarities, then a dL/ds */
    double *row;                   /* [n], losses */
    float weight;                  /* a */
    const hn_matf *dz, *dp;
} work;

static int64_t minimum(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static size_t carve(work *w, char *base)
{
    hni_carver c = {base, 0};
    int64_t m = minimum(w->n, ROWS);
    w->z = hni_carve(&c, m * w->dim, sizeof *w->z);
    w->p = hni_carve(&c, w->k * w->dim, sizeof *w->p);
    w->gz = hni_carve(&c, m * w->dim, sizeof *w->gz);
    w->gp = hni_carve(&c, w->k * w->dim, sizeof *w->gp);
    w->z_inverse = hni_carve(&c, m, sizeof *w->z_inverse);
    w->p_inverse = hni_carve(&c, w->k, sizeof *w->p_inverse);
    w->assign = hni_carve(&c, m * w->per_class, sizeof *w->assign);
    w->s = hni_carve(&c, m * w->k, sizeof *w->s);
    w->row = hni_carve(&c, w->n, sizeof *w->row);
    return c.used;
}

/* y = n rows from x, normalised if the options say so. */
static void take_rows(const work *w, int64_t n, const float *x, int64_t ld, float *y, double *inverse)
{
    if (w->o->normalize) {
        hni_rownorm_forward(w->o->num_threads, n, w->dim, x, ld, y, inverse);
        return;
    }
    for (int64_t i = 0; i < n; ++i)
        memcpy(y + i * w->dim, x + i * ld, (size_t)w->dim * sizeof *y);
}

/* Hands gradients with respect to the n rows y on to the caller's array. */
static void give_rows(const work *w, int64_t n, const float *y, const double *inverse, const float *g, float beta,
                      float *to, int64_t ld)
{
    const float scale = w->o->grad_scale;
    if (w->o->normalize) {
        hni_rownorm_backward(w->o->num_threads, n, w->dim, y, inverse, g, scale, beta, to, ld);
        return;
    }
    for (int64_t i = 0; i < n; ++i)
        for (int64_t d = 0; d < w->dim; ++d)
            to[i * ld + d] = scale * g[i * w->dim + d] + (beta == 0.0f ? 0.0f : beta * to[i * ld + d]);
}

/* A task: COLS prototypes. */
static void similarities(void *arg, int64_t task, int32_t thread)
{
    const work *w = arg;
    int64_t k = task * COLS;
    (void)thread;
    hni_gemm(false, true, w->m, minimum(COLS, w->k - k), w->dim, 1.0f / w->o->temperature, w->z, w->dim,
             w->p + k * w->dim, w->dim, 0.0f, w->s + k, w->k);
}

/* Weights w from the similarities s[M] of a row with the prototypes of its class; returns the weighted similarity. */
static double assign_row(const work *w, const float *s, float *weight)
{
    const int64_t m = w->per_class;
    int64_t best = 0;
    for (int64_t l = 1; l < m; ++l)
        best = s[l] > s[best] ? l : best;
    double sum = 0.0, similarity = 0.0;
    for (int64_t l = 0; l < m; ++l)
        sum += exp((double)s[l] - (double)s[best]);
    for (int64_t l = 0; l < m; ++l) {
        double share = w->o->assign == HN_ASSIGN_SOFT   ? exp((double)s[l] - (double)s[best]) / sum
                       : w->o->assign == HN_ASSIGN_HARD ? (l == best ? 1.0 : 0.0)
                                                        : 1.0 / (double)m;
        weight[l] = (float)share;
        if (share > 0.0)
            similarity += share * (double)s[l];
    }
    return similarity;
}

/* A task: FEW rows of the block. Takes their losses and turns similarities into a dL/ds, the factor 1/tau left out. */
static void losses(void *arg, int64_t task, int32_t thread)
{
    const work *w = arg;
    (void)thread;
    for (int64_t r = task * FEW; r < w->m && r < (task + 1) * FEW; ++r) {
        float *s = w->s + r * w->k, *weight = w->assign + r * w->per_class;
        int32_t label = w->labels[w->i + r];
        w->row[w->i + r] = 0.0;
        if (label < 0) {
            memset(s, 0, (size_t)w->k * sizeof *s);
            continue;
        }
        float *own = s + label * w->per_class;
        double near = assign_row(w, own, weight);
        for (int64_t l = 0; !w->o->include_own && l < w->per_class; ++l)
            own[l] = -INFINITY;
        hni_lse lse = {-INFINITY, 0.0};
        hni_lse_add(&lse, w->k, s);
        w->row[w->i + r] = hni_lse_value(&lse) - near;
        if (w->dz == NULL && w->dp == NULL)
            continue;
        hni_exp_shifted(w->k, s, lse.max, (float)((double)w->weight / lse.sum), s);
        for (int64_t l = 0; l < w->per_class; ++l)
            own[l] -= w->weight * weight[l];
    }
}

/* A task: the gradient of FEW * 8 rows. */
static void rows_gradient(void *arg, int64_t task, int32_t thread)
{
    const work *w = arg;
    int64_t r = task * FEW * 8, rows = minimum(FEW * 8, w->m - r);
    (void)thread;
    hni_gemm(false, false, rows, w->dim, w->k, 1.0f / w->o->temperature, w->s + r * w->k, w->k, w->p, w->dim, 0.0f,
             w->gz + r * w->dim, w->dim);
}

/* A task: what the block adds to the gradient of COLS prototypes. */
static void prototypes_gradient(void *arg, int64_t task, int32_t thread)
{
    const work *w = arg;
    int64_t k = task * COLS;
    (void)thread;
    hni_gemm(true, false, minimum(COLS, w->k - k), w->dim, w->m, 1.0f / w->o->temperature, w->s + k, w->k, w->z, w->dim,
             w->i == 0 ? 0.0f : 1.0f, w->gp + k * w->dim, w->dim);
}

static void run_block(work *w)
{
    const int32_t threads = w->o->num_threads;
    const int64_t tiles = (w->k + COLS - 1) / COLS;
    take_rows(w, w->m, w->x->data + w->i * w->x->ld, w->x->ld, w->z, w->z_inverse);
    hni_parallel(threads, tiles, similarities, w);
    hni_parallel(threads, (w->m + FEW - 1) / FEW, losses, w);
    if (w->dp != NULL)
        hni_parallel(threads, tiles, prototypes_gradient, w);
    if (w->dz != NULL) {
        hni_parallel(threads, (w->m + FEW * 8 - 1) / (FEW * 8), rows_gradient, w);
        give_rows(w, w->m, w->z, w->z_inverse, w->gz, w->o->grad_beta, w->dz->data + w->i * w->dz->ld, w->dz->ld);
    }
}

/* What the gradients become when there is nothing to learn from. */
static void no_gradient(const hn_matf *g, float beta)
{
    for (int64_t i = 0; g != NULL && i < g->rows; ++i)
        hni_loss_scale_row(g->cols, beta, g->data + i * g->ld);
}

hn_status hn_loss_psc_scratch(const hn_loss_psc_options *options, int64_t n, int64_t classes, int64_t dim,
                              size_t *bytes)
{
    static const char function[] = "hn_loss_psc_scratch";
    hn_loss_psc_options o;
    HNI_FAIL_IF(bytes == NULL, HN_E_ARG, "%s: bytes is NULL", function);
    HNI_TRY(read_options(&o, options, function));
    HNI_TRY(hni_loss_check_extents(n, dim, function, "z"));
    HNI_FAIL_IF(classes < 1, HN_E_SHAPE, "%s: classes is %" PRId64 "; it must be positive", function, classes);
    HNI_TRY(hni_loss_check_extents(n, o.prototypes_per_class, function, "the assignment"));
    HNI_FAIL_IF(classes > INT32_MAX / o.prototypes_per_class, HN_E_SHAPE,
                "%s: %" PRId64 " classes have too many prototypes", function, classes);
    HNI_TRY(hni_loss_check_extents(classes * o.prototypes_per_class, dim, function, "prototypes"));
    work w = {.n = n, .k = classes * o.prototypes_per_class, .dim = dim, .per_class = o.prototypes_per_class};
    *bytes = carve(&w, NULL);
    return HN_OK;
}

/* Checks everything; on HN_OK nothing can fail any more. */
static hn_status check(const char *function, hn_loss_psc_options *o, const hn_loss_psc_options *options,
                       const hn_cmatf *z, const hn_cmatf *prototypes, const int32_t *labels, const hn_matf *dz,
                       const hn_matf *dprototypes, const hn_scratch *scratch, int64_t *valid)
{
    size_t bytes;
    HNI_TRY(read_options(o, options, function));
    HNI_TRY(hni_loss_check_matrix(z, function, "z"));
    HNI_TRY(hni_loss_check_matrix(prototypes, function, "prototypes"));
    HNI_FAIL_IF(prototypes->cols != z->cols, HN_E_SHAPE, "%s: prototypes have %" PRId64 " columns, z has %" PRId64,
                function, prototypes->cols, z->cols);
    HNI_FAIL_IF(prototypes->rows < 1 || prototypes->rows % o->prototypes_per_class != 0, HN_E_SHAPE,
                "%s: prototypes have %" PRId64 " rows; it must be a positive multiple of prototypes_per_class, %d",
                function, prototypes->rows, (int)o->prototypes_per_class);
    HNI_TRY(hni_loss_check_gradient(dz, z, function, "dz"));
    HNI_TRY(hni_loss_check_gradient(dprototypes, prototypes, function, "dprototypes"));
    HNI_TRY(hni_loss_check_labels(labels, z->rows, prototypes->rows / o->prototypes_per_class, function, valid));
    HNI_TRY(hni_loss_check_finite(o->check_finite, z, function, "z"));
    HNI_TRY(hni_loss_check_finite(o->check_finite, prototypes, function, "prototypes"));
    HNI_TRY(hn_loss_psc_scratch(o, z->rows, prototypes->rows / o->prototypes_per_class, z->cols, &bytes));
    return hni_loss_check_scratch(scratch, bytes, function);
}

hn_status hni_loss_psc(const char *function, const hn_loss_psc_options *options, float prototypes_beta,
                       const hn_cmatf *z, const hn_cmatf *prototypes, const int32_t *labels, double *loss,
                       float *row_loss, hn_matf *dz, hn_matf *dprototypes, const hn_scratch *scratch)
{
    hn_loss_psc_options o;
    int64_t valid = 0;
    HNI_TRY(check(function, &o, options, z, prototypes, labels, dz, dprototypes, scratch, &valid));
    work w = {.o = &o,
              .x = z,
              .labels = labels,
              .n = z->rows,
              .k = prototypes->rows,
              .dim = z->cols,
              .per_class = o.prototypes_per_class,
              .weight = o.reduction == HN_REDUCE_SUM ? 1.0f
                        : valid > 0                  ? 1.0f / (float)valid
                                                     : 0.0f,
              .dz = dz,
              .dp = dprototypes};
    (void)carve(&w, scratch->data);
    double sum = 0.0;
    if (valid == 0 || (w.k == w.per_class && !o.include_own)) {
        for (int64_t i = 0; i < w.n; ++i)
            w.row[i] = 0.0;
        no_gradient(dz, o.grad_beta);
        no_gradient(dprototypes, prototypes_beta);
    } else {
        take_rows(&w, w.k, prototypes->data, prototypes->ld, w.p, w.p_inverse);
        for (w.i = 0; w.i < w.n; w.i += ROWS) {
            w.m = minimum(ROWS, w.n - w.i);
            run_block(&w);
        }
        if (dprototypes != NULL)
            give_rows(&w, w.k, w.p, w.p_inverse, w.gp, prototypes_beta, dprototypes->data, dprototypes->ld);
    }
    for (int64_t i = 0; i < w.n; ++i) {
        sum += w.row[i];
        if (row_loss != NULL)
            row_loss[i] = (float)w.row[i];
    }
    if (loss != NULL)
        *loss = o.reduction == HN_REDUCE_SUM || valid == 0 ? sum : sum / (double)valid;
    return HN_OK;
}

hn_status hn_loss_psc(const hn_loss_psc_options *options, const hn_cmatf *z, const hn_cmatf *prototypes,
                      const int32_t *labels, double *loss, float *row_loss, hn_matf *dz, hn_matf *dprototypes,
                      const hn_scratch *scratch)
{
    /* The prototypes' factor is the common one, which is checked with the rest of the options. */
    hn_loss_psc_options o;
    HNI_TRY(read_options(&o, options, "hn_loss_psc"));
    return hni_loss_psc("hn_loss_psc", &o, o.grad_beta, z, prototypes, labels, loss, row_loss, dz, dprototypes,
                        scratch);
}
