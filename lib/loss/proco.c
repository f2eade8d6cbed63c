/* With nu = dim / 2 - 1, F(x) = log( I_nu(x) / x^nu ) = -log C(x), A(x) = F'(x) / x, d_c = kappa_c m_c and
 *     x_ic^2 = |d_c + z_i / tau|^2 = kappa_c^2 + 2 d_c.z_i / tau + |z_i|^2 / tau^2,
 *     l_ic = F(x_ic) - F(kappa_c) + adjustment_c,    g_ic = dL/dl_ic = a (softmax(l_i)_c - [c = y]),
 *     dL/dz_i = sum_c g_ic A(x_ic) (d_c + z_i / tau) / tau
 * Both sums over dim are matrix products; no quotient is left at x = 0. Where z_i was normalised, its own direction is taken
 * out of the gradient anyhow, and the second term is not added.                                                          */
#include <hybridnet/proco.h>

#include "base/error.h"
#include "base/options.h"
#include "base/parallel.h"
#include "kernel/bessel.h"
#include "kernel/clones.h"
#include "kernel/gemm.h"
#include "kernel/rownorm.h"
#include "kernel/softmax.h"
#include "loss/common.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { ROWS = 4, BLOCK = 256 }; /* rows of a task; classes whose Bessel functions are taken at a time */

#define KAPPA_MOST 1e5

static const hn_loss_proco_options defaults = {
    .struct_size = sizeof defaults, .num_threads = 1, .grad_scale = 1.0f, .temperature = 0.1f, .normalize = 1};

void hn_loss_proco_options_init(hn_loss_proco_options *options, size_t struct_size)
{
    hni_options_init(options, struct_size, &defaults, sizeof defaults);
}

static hn_status read_options(hn_loss_proco_options *o, const hn_loss_proco_options *options, int64_t classes,
                              const char *function)
{
    *o = defaults;
    HNI_TRY(hni_options_read(o, sizeof *o, options, function));
    HNI_TRY(hni_loss_check_common(o, function));
    HNI_TRY(hni_loss_check_temperature(o->temperature, function));
    return hni_loss_check_adjustment(o->logit_adjustment, classes, function);
}

typedef struct work {
    const hn_loss_proco_options *o;
    const int32_t *labels;
    int64_t n, classes, dim;
    const hn_cmatf *z, *mean;
    const hn_matf *dz;
    double weight; /* a */
    hni_bessel bessel;
    float *x;       /* n x dim, z as the loss takes it                                      */
    double *length; /* [n], 1 / |z_i| (of normalised rows)                                  */
    float *d;       /* classes x dim                                                        */
    double *kappa;  /* [classes]                                                            */
    double *offset; /* [classes], adjustment - F(kappa)                                     */
    float *s;       /* n x classes: d_c.z_i, then l, then g A                               */
    float *a;       /* n x classes: A                                                       */
    float *g;       /* n x dim, the gradient with respect to x                              */
    double *total;  /* [n], sum_c g_ic A_ic                                                 */
    double *row;    /* [n], losses                                                          */
} work;

static size_t carve(work *w, char *base)
{
    hni_carver c = {base, 0};
    w->x = hni_carve(&c, w->n * w->dim, sizeof *w->x);
    w->length = hni_carve(&c, w->n, sizeof *w->length);
    w->d = hni_carve(&c, w->classes * w->dim, sizeof *w->d);
    w->kappa = hni_carve(&c, w->classes, sizeof *w->kappa);
    w->offset = hni_carve(&c, w->classes, sizeof *w->offset);
    w->s = hni_carve(&c, w->n * w->classes, sizeof *w->s);
    w->a = hni_carve(&c, w->n * w->classes, sizeof *w->a);
    w->g = hni_carve(&c, w->n * w->dim, sizeof *w->g);
    w->total = hni_carve(&c, w->n, sizeof *w->total);
    w->row = hni_carve(&c, w->n, sizeof *w->row);
    return c.used;
}

/* kappa and, in offset, what all logits of the class have in common. */
static void concentrate(const work *w)
{
    double square[BLOCK], value[BLOCK], ratio[BLOCK];
    for (int64_t begin = 0; begin < w->classes; begin += BLOCK) {
        const int64_t count = w->classes - begin < BLOCK ? w->classes - begin : BLOCK;
        for (int64_t c = 0; c < count; ++c) {
            const float *r = w->mean->data + (begin + c) * w->mean->ld;
            const double squared = hni_dot(w->dim, r, r);
            double kappa = (double)w->dim * sqrt(squared) / (1.0 - squared);
            kappa = squared >= 1.0 || kappa > KAPPA_MOST ? KAPPA_MOST : kappa;
            w->kappa[begin + c] = kappa;
            square[c] = kappa * kappa;
        }
        hni_bessel_log(&w->bessel, count, square, value, ratio);
        for (int64_t c = 0; c < count; ++c)
            w->offset[begin + c] =
                (w->o->logit_adjustment == NULL ? 0.0 : (double)w->o->logit_adjustment[begin + c]) - value[c];
    }
}

/* The distributions, and the rows. */
static void prepare(const work *w)
{
    concentrate(w);
    for (int64_t c = 0; c < w->classes; ++c) {
        float *d = w->d + c * w->dim;
        (void)hni_rownorm_row(w->dim, w->mean->data + c * w->mean->ld, d);
        for (int64_t l = 0; l < w->dim; ++l)
            d[l] = (float)(w->kappa[c] * (double)d[l]);
    }
    if (w->o->normalize)
        hni_rownorm_forward(w->o->num_threads, w->n, w->dim, w->z->data, w->z->ld, w->x, w->length);
    for (int64_t i = 0; !w->o->normalize && i < w->n; ++i)
        memcpy(w->x + i * w->dim, w->z->data + i * w->z->ld, (size_t)w->dim * sizeof *w->x);
}

/* s and a of row i: logits and A. */
static void logits(const work *w, int64_t i)
{
    const float *x = w->x + i * w->dim;
    float *s = w->s + i * w->classes, *a = w->a + i * w->classes;
    const double sharp = 1.0 / (double)w->o->temperature, own = hni_dot(w->dim, x, x) * (sharp * sharp);
    double square[BLOCK], value[BLOCK], ratio[BLOCK];
    for (int64_t begin = 0; begin < w->classes; begin += BLOCK) {
        const int64_t count = w->classes - begin < BLOCK ? w->classes - begin : BLOCK;
        for (int64_t c = 0; c < count; ++c) {
            const double kappa = w->kappa[begin + c];
            square[c] = kappa * kappa + 2.0 * sharp * (double)s[begin + c] + own;
            square[c] = square[c] < 0.0 ? 0.0 : square[c]; /* it was rounded */
        }
        hni_bessel_log(&w->bessel, count, square, value, ratio);
        for (int64_t c = 0; c < count; ++c) {
            s[begin + c] = (float)(value[c] + w->offset[begin + c]);
            a[begin + c] = (float)ratio[c];
        }
    }
}

/* s[c] = share s[c] a[c]; returns their sum. */
HNI_CLONES static double share_out(int64_t n, double share, const float *restrict a, float *restrict s)
{
    double sum = 0.0;
#pragma omp simd reduction(+ : sum)
    for (int64_t c = 0; c < n; ++c) {
        s[c] = (float)(share * (double)s[c] * (double)a[c]);
        sum += (double)s[c];
    }
    return sum;
}

/* A task: ROWS rows, from s to losses and, for gradients, g A. */
static void rows(void *arg, int64_t task, int32_t thread)
{
    const work *w = arg;
    const int64_t classes = w->classes;
    (void)thread;
    for (int64_t i = task * ROWS; i < w->n && i < (task + 1) * ROWS; ++i) {
        float *s = w->s + i * classes;
        const float *a = w->a + i * classes;
        w->row[i] = w->total[i] = 0.0;
        if (w->labels[i] < 0) {
            memset(s, 0, (size_t)classes * sizeof *s);
            continue;
        }
        logits(w, i);
        const int64_t y = w->labels[i];
        const double near = (double)s[y];
        const float max = hni_row_max(classes, s);
        const double sum = hni_exp_sum(classes, s, max, s);
        w->row[i] = log(sum) + ((double)max - near);
        if (w->dz == NULL)
            continue;
        const float pull = (float)(w->weight * (double)a[y]);
        w->total[i] = share_out(classes, w->weight / sum, a, s) - (double)pull;
        s[y] -= pull;
    }
}

/* dz from g. */
static void give(const work *w)
{
    const double sharp = 1.0 / (double)w->o->temperature, scale = (double)w->o->grad_scale;
    const float beta = w->o->grad_beta;
    for (int64_t i = 0; i < w->n; ++i) {
        float *to = w->dz->data + i * w->dz->ld;
        const float *g = w->g + i * w->dim, *x = w->x + i * w->dim;
        if (w->labels[i] < 0)
            hni_loss_scale_row(w->dim, beta, to);
        else if (w->o->normalize)
            hni_rownorm_row_backward(w->dim, x, w->length[i], g, w->o->grad_scale, beta, to);
        for (int64_t l = 0; w->labels[i] >= 0 && !w->o->normalize && l < w->dim; ++l) {
            float value = (float)(scale * ((double)g[l] + w->total[i] * (sharp * sharp) * (double)x[l]));
            to[l] = beta == 0.0f ? value : beta * to[l] + value;
        }
    }
}

hn_status hn_loss_proco_scratch(const hn_loss_proco_options *options, int64_t n, int64_t classes, int64_t dim,
                                size_t *bytes)
{
    static const char function[] = "hn_loss_proco_scratch";
    hn_loss_proco_options o;
    HNI_FAIL_IF(bytes == NULL, HN_E_ARG, "%s: bytes is NULL", function);
    HNI_TRY(hni_loss_check_extents(n, dim, function, "z"));
    HNI_FAIL_IF(dim < 2, HN_E_SHAPE, "%s: z has %" PRId64 " columns; a sphere takes 2", function, dim);
    HNI_FAIL_IF(classes < 1, HN_E_SHAPE, "%s: classes is %" PRId64 "; it must be positive", function, classes);
    HNI_TRY(hni_loss_check_extents(classes, dim, function, "mean"));
    HNI_TRY(hni_loss_check_extents(n, classes, function, "the logits"));
    HNI_TRY(read_options(&o, options, classes, function));
    work w = {.n = n, .classes = classes, .dim = dim};
    *bytes = carve(&w, NULL);
    return HN_OK;
}

/* Checks everything; on HN_OK nothing can fail any more. */
static hn_status check(hn_loss_proco_options *o, const hn_loss_proco_options *options, const work *w,
                       const hn_scratch *scratch, int64_t *valid)
{
    static const char function[] = "hn_loss_proco";
    size_t bytes;
    HNI_TRY(hni_loss_check_matrix(w->z, function, "z"));
    HNI_TRY(hni_loss_check_matrix(w->mean, function, "mean"));
    HNI_TRY(hni_loss_check_columns(w->mean, w->z, function, "mean has", "z has"));
    HNI_FAIL_IF(w->mean->rows < 1, HN_E_SHAPE, "%s: mean has %" PRId64 " rows; it must be positive", function,
                w->mean->rows);
    HNI_TRY(read_options(o, options, w->mean->rows, function));
    HNI_TRY(hni_loss_check_gradient(w->dz, w->z, function, "dz"));
    HNI_TRY(hni_loss_check_labels(w->labels, w->z->rows, w->mean->rows, function, valid));
    HNI_TRY(hni_loss_check_finite(o->check_finite, w->z, function, "z"));
    HNI_TRY(hni_loss_check_finite(o->check_finite, w->mean, function, "mean"));
    HNI_TRY(hn_loss_proco_scratch(o, w->z->rows, w->mean->rows, w->z->cols, &bytes));
    return hni_loss_check_scratch(scratch, bytes, function);
}

hn_status hn_loss_proco(const hn_loss_proco_options *options, const hn_cmatf *z, const int32_t *labels,
                        const hn_cmatf *mean, double *loss, float *row_loss, hn_matf *dz, const hn_scratch *scratch)
{
    hn_loss_proco_options o;
    int64_t valid = 0;
    work w = {.o = &o, .labels = labels, .z = z, .mean = mean, .dz = dz};
    HNI_TRY(check(&o, options, &w, scratch, &valid));
    w.n = z->rows;
    w.classes = mean->rows;
    w.dim = z->cols;
    (void)carve(&w, scratch->data);
    hni_bessel_init(&w.bessel, 0.5 * (double)w.dim - 1.0);
    const double divisor = hni_loss_divisor(o.reduction, valid);
    w.weight = 1.0 / divisor;
    prepare(&w);
    hni_gemm_parallel(o.num_threads, false, true, w.n, w.classes, w.dim, 1.0f, w.x, w.dim, w.d, w.dim, 0.0f, w.s,
                      w.classes);
    hni_parallel(o.num_threads, (w.n + ROWS - 1) / ROWS, rows, &w);
    if (dz != NULL) {
        hni_gemm_parallel(o.num_threads, false, false, w.n, w.dim, w.classes, 1.0f / o.temperature, w.s, w.classes, w.d,
                          w.dim, 0.0f, w.g, w.dim);
        give(&w);
    }
    hni_loss_reduce(w.n, w.row, divisor, loss, row_loss);
    return HN_OK;
}
