/* Similarities s_ik = z_i.p_k / tau exist only as tiles. With lse_i = log sum exp(s_ik) over the denominator, w the
 * assignment of row i to the prototypes of its class and a the reduction's weight:
 *     L_i = lse_i - sum_m w_im s_im,    dL/ds_ik = a (exp(s_ik - lse_i) [k in the denominator] - w_ik)
 * Three sweeps over the tiles: denominators, gradient of z (row blocks own their rows), gradient of the prototypes
 * (prototype blocks own theirs): 10 n k dim flops with gradients, 2 without.                                          */
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

enum { ROWS = 64, COLS = 256 }; /* of a tile: rows of z, prototypes */

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

/* Everything a call needs. k = classes * M prototypes; those of row i's class are own(i) .. own(i) + M - 1. */
typedef struct work {
    const hn_loss_psc_options *o;
    const int32_t *labels;
    int64_t n, k, dim, per_class;
    float *z, *p;                /* n x dim, k x dim: normalised or copied */
    double *z_inverse, *p_inverse; /* [n], [k], of the lengths */
    float *assign;               /* n x M */
    float *lse;                  /* [n] */
    double *row;                 /* [n], losses */
    float weight;                /* a */
    float prototypes_beta;
    const hn_matf *dz, *dp;
    char *tiles; /* tile_bytes a thread: ROWS x COLS similarities, COLS x dim gradients */
    size_t tile_bytes;
} work;

static size_t carve(work *w, int32_t threads, char *base)
{
    hni_carver c = {base, 0};
    w->z = hni_carve(&c, w->n * w->dim, sizeof *w->z);
    w->p = hni_carve(&c, w->k * w->dim, sizeof *w->p);
    w->z_inverse = hni_carve(&c, w->n, sizeof *w->z_inverse);
    w->p_inverse = hni_carve(&c, w->k, sizeof *w->p_inverse);
    w->assign = hni_carve(&c, w->n * w->per_class, sizeof *w->assign);
    w->lse = hni_carve(&c, w->n, sizeof *w->lse);
    w->row = hni_carve(&c, w->n, sizeof *w->row);
    size_t before = c.used;
    (void)hni_carve(&c, COLS * (ROWS + w->dim), sizeof(float));
    w->tile_bytes = c.used - before;
    w->tiles = base == NULL ? NULL : base + before;
    return before + (size_t)threads * w->tile_bytes;
}

static int64_t minimum(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static float *tile_of(const work *w, int32_t thread)
{
    return (float *)(void *)(w->tiles + (size_t)thread * w->tile_bytes);
}

/* y = the rows of x, normalised if the options say so. */
static void take_rows(const work *w, const hn_cmatf *x, float *y, double *inverse)
{
    if (w->o->normalize) {
        hni_rownorm_forward(w->o->num_threads, x->rows, w->dim, x->data, x->ld, y, inverse);
        return;
    }
    for (int64_t i = 0; i < x->rows; ++i)
        memcpy(y + i * w->dim, x->data + i * x->ld, (size_t)w->dim * sizeof *y);
}

/* tile: rows x cols similarities, rows from i, prototypes from k. */
static void similarities(const work *w, int64_t i, int64_t rows, int64_t k, int64_t cols, float *tile)
{
    hni_gemm(false, true, rows, cols, w->dim, 1.0f / w->o->temperature, w->z + i * w->dim, w->dim, w->p + k * w->dim,
             w->dim, 0.0f, tile, COLS);
}

/* The part of row i's own prototypes that lies in columns [k, k + cols): [*from, *to) relative to k. */
static void own_columns(const work *w, int64_t i, int64_t k, int64_t cols, int64_t *from, int64_t *to)
{
    int64_t own = w->labels[i] * w->per_class - k;
    *from = own < 0 ? 0 : own;
    *to = minimum(own + w->per_class, cols);
}

/* Weights of row i's own prototypes and the weighted similarity, which is returned. */
static double assign_row(const work *w, int64_t i)
{
    const int64_t m = w->per_class;
    float *weight = w->assign + i * m;
    const float *p = w->p + w->labels[i] * m * w->dim, *z = w->z + i * w->dim;
    const double sharp = 1.0 / (double)w->o->temperature;
    int64_t best = 0;
    for (int64_t l = 0; l < m; ++l) {
        weight[l] = (float)(hni_dot(w->dim, z, p + l * w->dim) * sharp);
        best = weight[l] > weight[best] ? l : best;
    }
    double most = (double)weight[best], sum = 0.0, similarity = 0.0;
    for (int64_t l = 0; l < m; ++l)
        sum += exp((double)weight[l] - most);
    for (int64_t l = 0; l < m; ++l) {
        double s = (double)weight[l];
        double share = w->o->assign == HN_ASSIGN_SOFT   ? exp(s - most) / sum
                       : w->o->assign == HN_ASSIGN_HARD ? (l == best ? 1.0 : 0.0)
                                                        : 1.0 / (double)m;
        weight[l] = (float)share;
        similarity += share * s;
    }
    return similarity;
}

static void loss_block(void *arg, int64_t task, int32_t thread)
{
    const work *w = arg;
    int64_t i = task * ROWS, rows = minimum(ROWS, w->n - i), from, to;
    float *tile = tile_of(w, thread);
    hni_lse lse[ROWS];
    for (int64_t r = 0; r < rows; ++r)
        lse[r] = (hni_lse){-INFINITY, 0.0};
    for (int64_t k = 0; k < w->k; k += COLS) {
        int64_t cols = minimum(COLS, w->k - k);
        similarities(w, i, rows, k, cols, tile);
        for (int64_t r = 0; r < rows; ++r) {
            if (w->labels[i + r] < 0)
                continue;
            own_columns(w, i + r, k, cols, &from, &to);
            for (int64_t c = from; !w->o->include_own && c < to; ++c)
                tile[r * COLS + c] = -INFINITY;
            hni_lse_add(&lse[r], cols, tile + r * COLS);
        }
    }
    for (int64_t r = 0; r < rows; ++r) {
        bool counts = w->labels[i + r] >= 0;
        double value = counts ? hni_lse_value(&lse[r]) : 0.0;
        w->lse[i + r] = (float)value;
        w->row[i + r] = counts ? value - assign_row(w, i + r) : 0.0;
    }
}

/* Turns similarities into a dL/ds, the factor 1/tau left out. Rows without a label become 0. */
static void coefficients(const work *w, int64_t i, int64_t rows, int64_t k, int64_t cols, float *tile)
{
    for (int64_t r = 0; r < rows; ++r) {
        float *s = tile + r * COLS;
        if (w->labels[i + r] < 0) {
            memset(s, 0, (size_t)cols * sizeof *s);
            continue;
        }
        int64_t from, to, own = w->labels[i + r] * w->per_class;
        own_columns(w, i + r, k, cols, &from, &to);
        hni_exp_shifted(cols, s, w->lse[i + r], s);
        for (int64_t c = from; c < to; ++c)
            s[c] = (w->o->include_own ? s[c] : 0.0f) - w->assign[(i + r) * w->per_class + (k + c - own)];
        for (int64_t c = 0; c < cols; ++c)
            s[c] *= w->weight;
    }
}

/* Hands a row's gradient with respect to the normalised row on to the caller's array. */
static void give_row(const work *w, const float *y, double inverse, const float *g, float beta, float *to)
{
    const float scale = w->o->grad_scale;
    if (w->o->normalize) {
        hni_rownorm_row_backward(w->dim, y, inverse, g, scale, beta, to);
        return;
    }
    for (int64_t d = 0; d < w->dim; ++d)
        to[d] = scale * g[d] + (beta == 0.0f ? 0.0f : beta * to[d]);
}

static void rows_gradient_block(void *arg, int64_t task, int32_t thread)
{
    const work *w = arg;
    int64_t i = task * ROWS, rows = minimum(ROWS, w->n - i);
    float *tile = tile_of(w, thread), *g = tile + ROWS * COLS;
    for (int64_t k = 0; k < w->k; k += COLS) {
        int64_t cols = minimum(COLS, w->k - k);
        similarities(w, i, rows, k, cols, tile);
        coefficients(w, i, rows, k, cols, tile);
        hni_gemm(false, false, rows, w->dim, cols, 1.0f / w->o->temperature, tile, COLS, w->p + k * w->dim, w->dim,
                 k == 0 ? 0.0f : 1.0f, g, w->dim);
    }
    for (int64_t r = 0; r < rows; ++r)
        give_row(w, w->z + (i + r) * w->dim, w->z_inverse[i + r], g + r * w->dim, w->o->grad_beta,
                 w->dz->data + (i + r) * w->dz->ld);
}

static void prototypes_gradient_block(void *arg, int64_t task, int32_t thread)
{
    const work *w = arg;
    int64_t k = task * COLS, cols = minimum(COLS, w->k - k);
    float *tile = tile_of(w, thread), *g = tile + ROWS * COLS;
    for (int64_t i = 0; i < w->n; i += ROWS) {
        int64_t rows = minimum(ROWS, w->n - i);
        similarities(w, i, rows, k, cols, tile);
        coefficients(w, i, rows, k, cols, tile);
        hni_gemm(true, false, cols, w->dim, rows, 1.0f / w->o->temperature, tile, COLS, w->z + i * w->dim, w->dim,
                 i == 0 ? 0.0f : 1.0f, g, w->dim);
    }
    if (w->n == 0)
        memset(g, 0, (size_t)(cols * w->dim) * sizeof *g);
    for (int64_t c = 0; c < cols; ++c)
        give_row(w, w->p + (k + c) * w->dim, w->p_inverse[k + c], g + c * w->dim, w->prototypes_beta,
                 w->dp->data + (k + c) * w->dp->ld);
}

/* What the gradients become when there is nothing to learn from. */
static void no_gradient(const hn_matf *g, float beta)
{
    for (int64_t i = 0; g != NULL && i < g->rows; ++i)
        hni_loss_scale_row(g->cols, beta, g->data + i * g->ld);
}

hn_status hn_loss_psc_scratch(const hn_loss_psc_options *options, int64_t n, int64_t classes, int64_t dim, size_t *bytes)
{
    static const char function[] = "hn_loss_psc_scratch";
    hn_loss_psc_options o;
    HNI_FAIL_IF(bytes == NULL, HN_E_ARG, "%s: bytes is NULL", function);
    HNI_TRY(read_options(&o, options, function));
    HNI_TRY(hni_loss_check_extents(n, dim, function, "z"));
    HNI_FAIL_IF(classes < 1, HN_E_SHAPE, "%s: classes is %" PRId64 "; it must be positive", function, classes);
    HNI_TRY(hni_loss_check_extents(n, o.prototypes_per_class, function, "the assignment"));
    HNI_FAIL_IF(classes > INT32_MAX / o.prototypes_per_class, HN_E_SHAPE, "%s: %" PRId64 " classes have too many prototypes",
                function, classes);
    HNI_TRY(hni_loss_check_extents(classes * o.prototypes_per_class, dim, function, "prototypes"));
    work w = {.n = n, .k = classes * o.prototypes_per_class, .dim = dim, .per_class = o.prototypes_per_class};
    *bytes = carve(&w, o.num_threads, NULL);
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
    HNI_FAIL_IF(prototypes->cols != z->cols, HN_E_SHAPE,
                "%s: prototypes have %" PRId64 " columns, z has %" PRId64, function, prototypes->cols, z->cols);
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
              .labels = labels,
              .n = z->rows,
              .k = prototypes->rows,
              .dim = z->cols,
              .per_class = o.prototypes_per_class,
              .weight = o.reduction == HN_REDUCE_SUM ? 1.0f : valid > 0 ? 1.0f / (float)valid : 0.0f,
              .prototypes_beta = prototypes_beta,
              .dz = dz,
              .dp = dprototypes};
    (void)carve(&w, o.num_threads, scratch->data);
    int64_t blocks = (w.n + ROWS - 1) / ROWS;
    double sum = 0.0;
    if (valid == 0 || (w.k == w.per_class && !o.include_own)) {
        for (int64_t i = 0; i < w.n; ++i)
            w.row[i] = 0.0;
        no_gradient(dz, o.grad_beta);
        no_gradient(dprototypes, prototypes_beta);
    } else {
        take_rows(&w, z, w.z, w.z_inverse);
        take_rows(&w, prototypes, w.p, w.p_inverse);
        hni_parallel(o.num_threads, blocks, loss_block, &w);
        if (dz != NULL)
            hni_parallel(o.num_threads, blocks, rows_gradient_block, &w);
        if (dprototypes != NULL)
            hni_parallel(o.num_threads, (w.k + COLS - 1) / COLS, prototypes_gradient_block, &w);
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
    return hni_loss_psc("hn_loss_psc", &o, o.grad_beta, z, prototypes, labels, loss, row_loss, dz, dprototypes, scratch);
}
