#include "paco_case.h"

hnt_batch hnt_paco_batch(uint64_t seed, int64_t n, int64_t k, int64_t classes, int64_t dim, int64_t pad)
{
    hnt_batch b = hnt_batch_of(&hnt_paco, n, classes, dim);
    b.t = hnt_matrix_of(seed, n, classes, pad);
    b.z = hnt_matrix_of(seed + 1, n, dim, pad);
    b.y = hnt_matrix_of(seed + 2, k, dim, pad);
    b.extra[0] = hnt_alloc((size_t)classes * sizeof *b.extra[0]);
    b.key_labels = hnt_integers(k);
    b.self = hnt_integers(n);
    for (int64_t c = 0; c < classes; ++c)
        b.extra[0][c] = -0.3f * (float)c;
    for (int64_t i = 0; i < n; ++i) {
        b.labels[i] = i % 9 == 4 ? -1 - (int32_t)i : (int32_t)((i * 7 + i / 3) % classes);
        b.self[i] = i < k && i % 5 != 3 ? (int32_t)i : -2;
    }
    for (int64_t i = 0; i < k; ++i) {
        b.key_labels[i] = i < n ? b.labels[i] : i % 11 == 7 ? -3 : (int32_t)(i * 5 % classes);
        for (int64_t d = 0; i < n && i % 2 == 0 && d < dim; ++d) /* some rows are keys themselves */
            b.y.x[i * (dim + pad) + d] = b.z.x[i * (dim + pad) + d];
    }
    return b;
}

/* Row i: exponents e[classes + k] with their weights in the denominator and as positives. */
static double row_value(const hnt_reference *r, const double *z, const double *y, int64_t i)
{
    const hnt_batch *b = r->b;
    const int64_t m = b->classes + b->y.rows;
    double *e = hnt_alloc((size_t)m * sizeof *e), *in = hnt_alloc((size_t)m * sizeof *in),
           *positive = hnt_alloc((size_t)m * sizeof *positive), max = -INFINITY, sum = 0, total = 0, near = 0;
    for (int64_t c = 0; c < b->classes; ++c) {
        double shift = b->o.paco.logit_adjustment == NULL ? 0 : (double)b->o.paco.logit_adjustment[c];
        e[c] = (r->t[i * b->classes + c] + shift) / (double)b->o.paco.logit_temperature;
        in[c] = 1;
        positive[c] = c == b->labels[i] ? (double)b->o.paco.beta : 0;
    }
    for (int64_t k = 0; k < b->y.rows; ++k) {
        const int there = b->key_labels[k] >= 0 && (b->self == NULL || k != b->self[i]);
        double s = 0;
        for (int64_t d = 0; d < b->dim; ++d)
            s += z[i * b->dim + d] * y[k * b->dim + d];
        e[b->classes + k] = s / (double)b->o.temperature;
        in[b->classes + k] = there ? (double)b->o.paco.gamma : 0;
        positive[b->classes + k] = there && b->key_labels[k] == b->labels[i] ? (double)b->o.paco.alpha : 0;
    }
    for (int64_t j = 0; j < m; ++j)
        max = in[j] > 0 ? fmax(max, e[j]) : max;
    for (int64_t j = 0; j < m; ++j) {
        sum += in[j] > 0 ? in[j] * exp(e[j] - max) : 0;
        near += positive[j] * e[j];
        total += positive[j];
    }
    free(e);
    free(in);
    free(positive);
    return total > 0 ? max + log(sum) - near / total : 0;
}

double hnt_paco_value(const void *reference)
{
    const hnt_reference *r = reference;
    const hnt_batch *b = r->b;
    double *z = hnt_reference_rows(b, r->z, b->n), *y = hnt_reference_rows(b, r->y, b->y.rows), total = 0;
    int64_t counted = 0;
    for (int64_t i = 0; i < b->n; ++i) {
        r->rows[i] = b->labels[i] < 0 ? 0 : row_value(r, z, y, i);
        counted += b->labels[i] >= 0;
        total += r->rows[i];
    }
    free(z);
    free(y);
    return hnt_reduce(b, total, counted);
}
