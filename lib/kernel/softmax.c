#include "kernel/softmax.h"

#include "kernel/clones.h"
#include "kernel/exp.h"

#include <math.h>

enum {
    STRETCH = 64
}; /* values summed in float before their sum goes on in double: few, for compilers that sum one by one */

/* The largest value; NaNs are passed over, they show in the sum. */
HNI_CLONES static float row_max(int64_t n, const float *x)
{
    float max = -INFINITY;
#pragma omp simd reduction(max : max)
    for (int64_t i = 0; i < n; ++i)
        max = x[i] > max ? x[i] : max;
    return max;
}

HNI_CLONES static double exp_sum_alone(int64_t n, const float *x, float shift)
{
    double sum = 0.0;
    for (int64_t i = 0; i < n; i += STRETCH) {
        const int64_t stop = i + STRETCH < n ? i + STRETCH : n;
        float part = 0.0f;
#pragma omp simd reduction(+ : part)
        for (int64_t k = i; k < stop; ++k)
            part += hni_exp(x[k] - shift);
        sum += (double)part;
    }
    return sum;
}

float hni_row_max(int64_t n, const float *x)
{
    return row_max(n, x);
}

/* y may be x, but not overlap it otherwise. */
HNI_CLONES static double exp_sum(int64_t n, const float *x, float shift, float *y)
{
    double sum = 0.0;
    for (int64_t i = 0; i < n; i += STRETCH) {
        const int64_t stop = i + STRETCH < n ? i + STRETCH : n;
        float part = 0.0f;
#pragma omp simd reduction(+ : part)
        for (int64_t k = i; k < stop; ++k) {
            y[k] = hni_exp(x[k] - shift);
            part += y[k];
        }
        sum += (double)part;
    }
    return sum;
}

double hni_exp_sum(int64_t n, const float *x, float shift, float *y)
{
    return exp_sum(n, x, shift, y);
}

void hni_lse_add(hni_lse *lse, int64_t n, const float *x)
{
    float max = row_max(n, x);
    if (max == -INFINITY) { /* nothing to add, unless it is NaN */
        for (int64_t i = 0; i < n; ++i)
            if (isnan(x[i]))
                lse->sum = NAN;
        return;
    }
    if (max > lse->max) {
        lse->sum *= exp((double)lse->max - (double)max); /* exp(-inf) = 0 the first time */
        lse->max = max;
    }
    lse->sum += exp_sum_alone(n, x, lse->max);
}

double hni_lse_value(const hni_lse *lse)
{
    return lse->sum == 0.0 ? (double)-INFINITY : (double)lse->max + log(lse->sum);
}

HNI_CLONES static void exp_shifted(int64_t n, const float *x, float shift, float factor, float *y)
{
#pragma omp simd
    for (int64_t i = 0; i < n; ++i)
        y[i] = factor * hni_exp(x[i] - shift);
}

void hni_exp_shifted(int64_t n, const float *x, float shift, float factor, float *y)
{
    exp_shifted(n, x, shift, factor, y);
}

HNI_CLONES static void exp_pair(int64_t n, float a, float shift, const float *restrict b, const float *restrict shifts,
                                float *restrict s)
{
    for (int64_t i = 0; i < n; ++i)
        s[i] = a * hni_exp(s[i] - shift) + b[i] * hni_exp(s[i] - shifts[i]);
}

void hni_exp_pair(int64_t n, float a, float shift, const float *b, const float *shifts, float *s)
{
    exp_pair(n, a, shift, b, shifts, s);
}

HNI_CLONES static void exp_weighted(int64_t n, float a, const float *restrict b, float shift, float *restrict s)
{
    for (int64_t i = 0; i < n; ++i)
        s[i] = (a + b[i]) * hni_exp(s[i] - shift);
}

void hni_exp_weighted(int64_t n, float a, const float *b, float shift, float *s)
{
    exp_weighted(n, a, b, shift, s);
}
