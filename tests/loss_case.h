/* loss_case.h -- what the tests of the pure losses share: matrices with padding, central differences. */
#ifndef HNT_LOSS_CASE_H
#define HNT_LOSS_CASE_H

#include "support.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* rows x cols normal numbers, the padding of each row NaN. */
static inline float *hnt_padded(uint64_t seed, int64_t rows, int64_t cols, int64_t ld)
{
    float *x = hnt_alloc((size_t)(rows * ld) * sizeof *x), *dense = hnt_alloc((size_t)(rows * cols) * sizeof *x);
    hnt_normal(seed, dense, rows * cols);
    for (int64_t i = 0; i < rows * ld; ++i)
        x[i] = i % ld < cols ? dense[i / ld * cols + i % ld] : NAN;
    free(dense);
    return x;
}

/* The matrix without its padding, which must still be NaN. */
static inline float *hnt_dense(const float *x, int64_t rows, int64_t cols, int64_t ld)
{
    float *dense = hnt_alloc((size_t)(rows * cols) * sizeof *x);
    for (int64_t i = 0; i < rows * ld; ++i)
        if (i % ld < cols)
            dense[i / ld * cols + i % ld] = x[i];
        else
            ck_assert(isnan(x[i]));
    return dense;
}

/* The same in double. */
static inline double *hnt_dense_d(const float *x, int64_t rows, int64_t cols, int64_t ld)
{
    double *dense = hnt_alloc((size_t)(rows * cols) * sizeof *dense);
    for (int64_t i = 0; i < rows * cols; ++i)
        dense[i] = (double)x[i / cols * ld + i % cols];
    return dense;
}

/* n numbers, all NaN: memory that must not be read. */
static inline float *hnt_poison(int64_t n)
{
    float *x = hnt_alloc((size_t)n * sizeof *x);
    for (int64_t i = 0; i < n; ++i)
        x[i] = NAN;
    return x;
}

/* Central differences of f with respect to x[n], which is restored. */
static inline double *hnt_differences(double (*f)(const void *), const void *arg, double *x, int64_t n)
{
    double *g = hnt_alloc((size_t)n * sizeof *g);
    for (int64_t i = 0; i < n; ++i) {
        double at = x[i], h = 1e-5 * (fabs(at) + 0.01);
        x[i] = at + h;
        double above = f(arg);
        x[i] = at - h;
        double below = f(arg);
        x[i] = at;
        g[i] = (above - below) / (2 * h);
    }
    return g;
}

/* Rows x cols of float, each divided by its length in double; rows of length 0 stay. */
static inline void hnt_unit_rows(double *x, int64_t rows, int64_t cols)
{
    for (int64_t i = 0; i < rows; ++i) {
        double square = 0;
        for (int64_t d = 0; d < cols; ++d)
            square += x[i * cols + d] * x[i * cols + d];
        for (int64_t d = 0; square > 0 && d < cols; ++d)
            x[i * cols + d] /= sqrt(square);
    }
}

/* |got - want| <= tolerance * (1 + |want|): for values that may be near 0 as a difference of larger ones. */
static inline void hnt_near(const char *what, const float *got, const double *want, int64_t n, double tolerance)
{
    for (int64_t i = 0; i < n; ++i)
        if (!(fabs((double)got[i] - want[i]) <= tolerance * (1 + fabs(want[i]))))
            ck_abort_msg("%s: element %lld is %g, not %g", what, (long long)i, (double)got[i], want[i]);
}

static inline void hnt_finite(const char *what, const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; ++i)
        if (!isfinite(x[i]))
            ck_abort_msg("%s: element %lld is %g", what, (long long)i, (double)x[i]);
}

#endif
