#include "loss/denominator.h"

#include "base/integer.h"
#include "base/parallel.h"
#include "kernel/gemm.h"
#include "kernel/rownorm.h"
#include "kernel/softmax.h"
#include "loss/common.h"

#include <math.h>
#include <string.h>

/* Rows of a stripe; the least keys of a chunk, and the most chunks; rows of a task. Stripes and chunks of this size keep
 * the matrix products near their best rate, and a chunk's exponentials in the second-level cache.                        */
enum { ROWS = 256, KEYS = 2048, CHUNKS = 16, FEW = 8 };

/* Exponents between 0 and minus this keep sums, their reciprocals and products of both within a float, and rows of at most
 * this length the products of reciprocals and rows. A NaN is neither.                                                   */
#define WIDEST 60.0
#define LONGEST 1e6

size_t hni_denominator_carve(hni_denominator *d, int64_t n, int64_t k, int64_t dim, char *base)
{
    hni_carver c = {base, 0};
    int64_t m = hni_min(n, ROWS), share = (k + CHUNKS - 1) / CHUNKS;
    d->n = n;
    d->k = k;
    d->dim = dim;
    d->chunk = share < KEYS ? KEYS : share;
    d->chunks = k == 0 ? 1 : (k + d->chunk - 1) / d->chunk; /* an empty one gives the rows their zeros */
    d->z = hni_carve(&c, n * dim, sizeof *d->z);
    d->p = hni_carve(&c, k * dim, sizeof *d->p);
    d->gp = hni_carve(&c, k * dim, sizeof *d->gp);
    d->z_inverse = hni_carve(&c, n, sizeof *d->z_inverse);
    d->p_inverse = hni_carve(&c, k, sizeof *d->p_inverse);
    d->s = hni_carve(&c, d->chunks * m * d->chunk, sizeof *d->s);
    d->part = hni_carve(&c, d->chunks * m, sizeof *d->part);
    d->shift = hni_carve(&c, m, sizeof *d->shift);
    d->factor = hni_carve(&c, m, sizeof *d->factor);
    d->scaled = hni_carve(&c, m * dim, sizeof *d->scaled);
    d->g = hni_carve(&c, d->chunks * m * dim, sizeof *d->g);
    return c.used;
}

/* y: x's rows, dense, normalised if so wanted; zeros for those with a label < 0. */
static void take_rows(const hni_denominator *d, const hn_cmatf *x, const int32_t *labels, float *y, double *inverse)
{
    if (d->normalize)
        hni_rownorm_forward(d->num_threads, x->rows, d->dim, x->data, x->ld, y, inverse);
    for (int64_t i = 0; i < x->rows; ++i) {
        const bool counts = labels == NULL || labels[i] >= 0;
        if (!counts) {
            memset(y + i * d->dim, 0, (size_t)d->dim * sizeof *y);
            inverse[i] = 0.0;
        } else if (!d->normalize) {
            memcpy(y + i * d->dim, x->data + i * x->ld, (size_t)d->dim * sizeof *y);
        }
    }
}

/* Hands gradients g with respect to the rows y on to rows first and after of the caller's array. */
static void give_rows(const hni_denominator *d, int64_t rows, const float *y, const double *inverse, const float *g,
                      float beta, const hn_matf *to, int64_t first)
{
    float *out = to->data + first * to->ld;
    if (d->normalize) {
        hni_rownorm_backward(d->num_threads, rows, d->dim, y, inverse, g, d->grad_scale, beta, out, to->ld);
        return;
    }
    for (int64_t i = 0; i < rows; ++i)
        for (int64_t c = 0; c < d->dim; ++c) {
            float value = d->grad_scale * g[i * d->dim + c];
            out[i * to->ld + c] = beta == 0.0f ? value : beta * out[i * to->ld + c] + value;
        }
}

/* Whether one shift does for all rows, and which: an upper bound of every exponent, near enough to all of them. */
static void choose_shift(hni_denominator *d)
{
    const double z = d->normalize ? 1.0 : hni_longest_row(d->n, d->dim, d->z);
    const double p = d->normalize ? 1.0 : hni_longest_row(d->k, d->dim, d->p);
    const double most = z * p / (double)d->temperature;
    d->bounded = 2.0 * most + (double)d->highest - (double)d->lowest <= WIDEST && z <= LONGEST && p <= LONGEST;
    for (int64_t r = 0; d->bounded && r < hni_min(d->n, ROWS); ++r)
        d->shift[r] = (float)(most + (double)d->highest);
}

void hni_denominator_take(hni_denominator *d)
{
    take_rows(d, d->x, d->x_labels, d->z, d->z_inverse);
    take_rows(d, d->y, d->y_labels, d->p, d->p_inverse);
}

double hni_denominator_similarity(const hni_denominator *d, int64_t i, int64_t k)
{
    return hni_dot(d->dim, d->z + i * d->dim, d->p + k * d->dim) / (double)d->temperature;
}

/* A task: one chunk of keys. Similarities of the stripe and, if the shift is known, their exponentials while they are in the
 * cache, with the sum of each row; otherwise its maximum.                                                                  */
static void similarities(void *arg, int64_t task, int32_t thread)
{
    const hni_denominator *d = arg;
    const int64_t begin = task * d->chunk, keys = hni_min(d->chunk, d->k - begin);
    (void)thread;
    float *s = d->s + task * d->m * d->chunk;
    hni_gemm(false, true, d->m, keys, d->dim, 1.0f / d->temperature, d->z + d->i * d->dim, d->dim,
             d->p + begin * d->dim, d->dim, 0.0f, s, d->chunk);
    for (int64_t r = 0; r < d->m; ++r, s += d->chunk) {
        if (d->adjust != NULL)
            d->adjust(d->arg, d->i + r, begin, begin + keys, s);
        d->part[task * d->m + r] = d->bounded ? hni_exp_sum(keys, s, d->shift[r], s) : (double)hni_row_max(keys, s);
    }
}

/* Row r of the stripe gets, and gives, exponentials times factor. */
static void take_in(const hni_denominator *d, int64_t r, float factor)
{
    const float *z = d->z + (d->i + r) * d->dim;
    d->factor[r] = factor;
    for (int64_t c = 0; d->dy != NULL && c < d->dim; ++c)
        d->scaled[r * d->dim + c] = factor * z[c];
}

/* Row r of the stripe gets and gives nothing, where 0 times what it holds would be NaN. */
static void leave_out(const hni_denominator *d, int64_t r)
{
    d->factor[r] = 0.0f;
    memset(d->scaled + r * d->dim, 0, (size_t)d->dim * sizeof *d->scaled);
    for (int64_t c = 0; c < d->chunks; ++c)
        memset(d->s + (c * d->m + r) * d->chunk, 0, (size_t)hni_min(d->chunk, d->k - c * d->chunk) * sizeof *d->s);
}

/* A task: FEW rows of the stripe, all their similarities being there. */
static void weigh(void *arg, int64_t task, int32_t thread)
{
    const hni_denominator *d = arg;
    (void)thread;
    for (int64_t r = task * FEW; r < d->m && r < (task + 1) * FEW; ++r) {
        double sum = 0.0, max = (double)-INFINITY;
        for (int64_t c = 0; c < d->chunks; ++c) {
            double part = d->part[c * d->m + r];
            sum += part;
            max = part > max ? part : max;
        }
        if (!d->bounded) {
            d->shift[r] = max > (double)-INFINITY ? (float)max : 0.0f;
            sum = 0.0;
            for (int64_t c = 0; c < d->chunks; ++c) {
                float *s = d->s + (c * d->m + r) * d->chunk;
                sum += hni_exp_sum(hni_min(d->chunk, d->k - c * d->chunk), s, d->shift[r], s);
            }
        }
        double lse = sum == 0.0 ? (double)-INFINITY : (double)d->shift[r] + log(sum);
        const double weight = d->weigh(d->arg, d->i + r, lse);
        if (weight == 0.0 && isnan(sum)) /* a row that does not count, with a NaN of its own or a key's */
            leave_out(d, r);
        else
            take_in(d, r, sum == 0.0 ? 0.0f : (float)(weight / sum));
    }
}

/* A task: what one chunk of keys gets from the stripe, and gives to it. */
static void gradients(void *arg, int64_t task, int32_t thread)
{
    const hni_denominator *d = arg;
    const int64_t begin = task * d->chunk, keys = hni_min(d->chunk, d->k - begin);
    const float sharp = 1.0f / d->temperature, *e = d->s + task * d->m * d->chunk;
    (void)thread;
    if (d->dy != NULL)
        hni_gemm(true, false, keys, d->dim, d->m, sharp, e, d->chunk, d->scaled, d->dim, d->i == 0 ? 0.0f : 1.0f,
                 d->gp + begin * d->dim, d->dim);
    if (d->dx != NULL)
        hni_gemm(false, false, d->m, d->dim, keys, sharp, e, d->chunk, d->p + begin * d->dim, d->dim, 0.0f,
                 d->g + task * d->m * d->dim, d->dim);
}

/* A task: FEW rows of the stripe. */
static void rows_gradient(void *arg, int64_t task, int32_t thread)
{
    const hni_denominator *d = arg;
    (void)thread;
    for (int64_t r = task * FEW; r < d->m && r < (task + 1) * FEW; ++r) {
        float *g = d->g + r * d->dim;
        for (int64_t c = 1; c < d->chunks; ++c)
            for (int64_t l = 0; l < d->dim; ++l)
                g[l] += g[c * d->m * d->dim + l];
        for (int64_t l = 0; l < d->dim; ++l)
            g[l] = d->factor[r] == 0.0f ? 0.0f : d->factor[r] * g[l]; /* 0 times a key's NaN is 0 here */
        d->pull(d->arg, d->i + r, g);
    }
}

void hni_denominator_run(hni_denominator *d)
{
    choose_shift(d);
    for (d->i = 0; d->i < d->n; d->i += ROWS) {
        d->m = hni_min(ROWS, d->n - d->i);
        const int64_t tasks = (d->m + FEW - 1) / FEW;
        hni_parallel(d->num_threads, d->chunks, similarities, d);
        hni_parallel(d->num_threads, tasks, weigh, d);
        if (d->dx != NULL || d->dy != NULL)
            hni_parallel(d->num_threads, d->chunks, gradients, d);
        if (d->dx != NULL) {
            hni_parallel(d->num_threads, tasks, rows_gradient, d);
            give_rows(d, d->m, d->z + d->i * d->dim, d->z_inverse + d->i, d->g, d->x_beta, d->dx, d->i);
        }
    }
    if (d->dy != NULL) {
        if (d->n == 0)
            memset(d->gp, 0, (size_t)(d->k * d->dim) * sizeof *d->gp);
        for (int64_t k = 0; d->y_labels != NULL && k < d->k; ++k)
            if (d->y_labels[k] < 0) /* also where a row holds a NaN */
                memset(d->gp + k * d->dim, 0, (size_t)d->dim * sizeof *d->gp);
        d->pull_keys(d->arg, d->gp);
        give_rows(d, d->k, d->p, d->p_inverse, d->gp, d->y_beta, d->dy, 0);
    }
}
