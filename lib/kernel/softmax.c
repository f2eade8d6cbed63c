#include "kernel/softmax.h"

#include "kernel/clones.h"
#include "kernel/exp.h"

#include <math.h>

enum { LANES = 16 };

/* The largest value; NaNs are passed over, they show in the sum. */
HNI_CLONES static float row_max(int64_t n, const float *x)
{
    float lane[LANES], max = -INFINITY;
    for (int64_t l = 0; l < LANES; ++l)
        lane[l] = -INFINITY;
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int64_t l = 0; l < LANES; ++l)
            lane[l] = x[i + l] > lane[l] ? x[i + l] : lane[l];
    for (; i < n; ++i)
        max = x[i] > max ? x[i] : max;
    for (int64_t l = 0; l < LANES; ++l)
        max = lane[l] > max ? lane[l] : max;
    return max;
}

HNI_CLONES static double exp_sum(int64_t n, const float *x, float shift)
{
    float lane[LANES] = {0};
    double sum = 0.0;
    int64_t i = 0;
    while (i + LANES <= n) { /* short stretches in float, their sum in double */
        int64_t stop = i + 16 * LANES < n - LANES + 1 ? i + 16 * LANES : n - LANES + 1;
        for (int64_t l = 0; l < LANES; ++l)
            lane[l] = 0.0f;
        for (; i < stop; i += LANES)
            for (int64_t l = 0; l < LANES; ++l)
                lane[l] += hni_exp(x[i + l] - shift);
        for (int64_t l = 0; l < LANES; ++l)
            sum += (double)lane[l];
    }
    for (; i < n; ++i)
        sum += (double)hni_exp(x[i] - shift);
    return sum;
}

float hni_row_max(int64_t n, const float *x)
{
    return row_max(n, x);
}

HNI_CLONES static double exp_store_sum(int64_t n, const float *x, float shift, float *y)
{
    double sum = 0.0;
    int64_t i = 0;
    while (i + LANES <= n) {
        float lane[LANES] = {0};
        int64_t stop = i + 16 * LANES < n - LANES + 1 ? i + 16 * LANES : n - LANES + 1;
        for (; i < stop; i += LANES)
            for (int64_t l = 0; l < LANES; ++l) {
                float e = hni_exp(x[i + l] - shift);
                y[i + l] = e;
                lane[l] += e;
            }
        for (int64_t l = 0; l < LANES; ++l)
            sum += (double)lane[l];
    }
    for (; i < n; ++i) {
        y[i] = hni_exp(x[i] - shift);
        sum += (double)y[i];
    }
    return sum;
}

double hni_exp_sum(int64_t n, const float *x, float shift, float *y)
{
    return exp_store_sum(n, x, shift, y);
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
    lse->sum += exp_sum(n, x, lse->max);
}

double hni_lse_value(const hni_lse *lse)
{
    return lse->sum == 0.0 ? (double)-INFINITY : (double)lse->max + log(lse->sum);
}

HNI_CLONES static void exp_shifted(int64_t n, const float *x, float shift, float factor, float *y)
{
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
