#include "proco_case.h"

hnt_batch hnt_proco_batch(uint64_t seed, int64_t n, int64_t classes, int64_t dim, int64_t pad)
{
    const int64_t ld = dim + pad;
    hnt_batch b = hnt_batch_of(&hnt_proco, n, classes, dim);
    b.z = hnt_matrix_of(seed, n, dim, pad);
    b.y = hnt_matrix_of(seed + 1, classes, dim, pad);
    b.extra[0] = hnt_alloc((size_t)classes * sizeof *b.extra[0]);
    for (int64_t i = 0; i < n; ++i)
        b.labels[i] = i % 9 == 4 ? -1 - (int32_t)i : (int32_t)((i * 7 + i / 3) % classes);
    for (int64_t c = 0; c < classes; ++c) {
        double square = 0, length = 0.15 + 0.8 * (double)(c % 5) / 4;
        float *row = b.y.x + c * ld;
        for (int64_t d = 0; d < dim; ++d)
            square += (double)row[d] * (double)row[d];
        for (int64_t d = 0; d < dim; ++d)
            row[d] = (float)((double)row[d] * length / sqrt(square));
        b.extra[0][c] = -0.4f * (float)(c % 7);
    }
    return b;
}

/* log( I_nu(x) / x^nu ) from the power series, without its constant factors: log sum_k (x^2/4)^k / (k! (nu+1) .. (nu+k)).
 * Terms are positive; the sum is scaled down whenever it grows large.                                                     */
static double log_series(double nu, double x)
{
    double term = 1, sum = 1, scale = 0, q = x * x / 4;
    for (int64_t k = 1; term > 1e-17 * sum || (double)k * ((double)k + nu) < q; ++k) {
        term *= q / ((double)k * ((double)k + nu));
        sum += term;
        if (sum > 1e200) {
            sum *= 1e-200;
            term *= 1e-200;
            scale += 200 * log(10);
        }
    }
    return scale + log(sum);
}

static double row_value(const hnt_reference *r, const double *z, int64_t i)
{
    const hnt_batch *b = r->b;
    double *l = hnt_alloc((size_t)b->classes * sizeof *l), max = -INFINITY, sum = 0, nu = (double)b->dim / 2 - 1;
    for (int64_t c = 0; c < b->classes; ++c) {
        const double *m = r->y + c * b->dim;
        double square = 0, away = 0;
        for (int64_t d = 0; d < b->dim; ++d)
            square += m[d] * m[d];
        double length = sqrt(square), kappa = (double)b->dim * length / (1 - square);
        kappa = length >= 1 || kappa > 1e5 ? 1e5 : kappa;
        for (int64_t d = 0; d < b->dim; ++d) {
            double v = (length > 0 ? kappa / length * m[d] : 0) + z[i * b->dim + d] / (double)b->o.temperature;
            away += v * v;
        }
        l[c] = log_series(nu, sqrt(away)) - log_series(nu, kappa);
        l[c] += b->o.proco.logit_adjustment == NULL ? 0 : (double)b->o.proco.logit_adjustment[c];
        max = fmax(max, l[c]);
    }
    for (int64_t c = 0; c < b->classes; ++c)
        sum += exp(l[c] - max);
    double own = l[b->labels[i]];
    free(l);
    return max + log(sum) - own;
}

double hnt_proco_value(const void *reference)
{
    const hnt_reference *r = reference;
    const hnt_batch *b = r->b;
    double *z = hnt_reference_rows(b, r->z, b->n), total = 0;
    int64_t counted = 0;
    for (int64_t i = 0; i < b->n; ++i) {
        r->rows[i] = b->labels[i] < 0 ? 0 : row_value(r, z, i);
        counted += b->labels[i] >= 0;
        total += r->rows[i];
    }
    free(z);
    return hnt_reduce(b, total, counted);
}
