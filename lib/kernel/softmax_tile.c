/* Sums of exponentials over the rows and columns of a tile of similarities. */
#include "kernel/softmax.h"

#include "kernel/clones.h"
#include "kernel/exp.h"

#include <math.h>

enum { COLUMNS = 64, ROWS = 32 }; /* columns at a time; rows whose sums stay in float */

/* column[c] += sum over rows of exp(s - shift[c]), for n <= COLUMNS columns. */
HNI_CLONES static void sum_columns(int64_t rows, int64_t n, const float *restrict s, int64_t ld,
                                   const float *restrict shift, double *restrict column)
{
    for (int64_t r = 0; r < rows; r += ROWS) {
        float part[COLUMNS] = {0};
        for (int64_t q = r; q < rows && q < r + ROWS; ++q)
            for (int64_t c = 0; c < n; ++c)
                part[c] += hni_exp(s[q * ld + c] - shift[c]);
        for (int64_t c = 0; c < n; ++c)
            column[c] += (double)part[c];
    }
}

HNI_CLONES static void max_columns(int64_t rows, int64_t n, const float *restrict s, int64_t ld, float *restrict max)
{
    for (int64_t r = 0; r < rows; ++r)
        for (int64_t c = 0; c < n; ++c)
            max[c] = s[r * ld + c] > max[c] ? s[r * ld + c] : max[c];
}

/* What is already in the sum, for a larger maximum; exp(-inf) = 0 the first time. */
static void raise_max(float *max, double *sum, float to)
{
    if (to > *max) {
        *sum *= exp((double)*max - (double)to);
        *max = to;
    }
}

void hni_tile_lse(int64_t rows, int64_t cols, const float *s, int64_t ld, float *row_max, double *row_sum,
                  float *column_max, double *column_sum)
{
    for (int64_t r = 0; r < rows; ++r) {
        hni_lse lse = {row_max[r], row_sum[r]};
        hni_lse_add(&lse, cols, s + r * ld);
        row_max[r] = lse.max;
        row_sum[r] = lse.sum;
    }
    for (int64_t c = 0, n; column_max != NULL && c < cols; c += n) {
        float max[COLUMNS], shift[COLUMNS];
        n = cols - c < COLUMNS ? cols - c : COLUMNS;
        for (int64_t k = 0; k < n; ++k)
            max[k] = -INFINITY;
        max_columns(rows, n, s + c, ld, max);
        for (int64_t k = 0; k < n; ++k) {
            raise_max(column_max + c + k, column_sum + c + k, max[k]);
            shift[k] = column_max[c + k] == -INFINITY ? 0.0f : column_max[c + k];
        }
        sum_columns(rows, n, s + c, ld, shift, column_sum + c);
    }
}

/* column[c] += sum over rows of e. */
HNI_CLONES static void add_columns(int64_t rows, int64_t cols, const float *restrict e, int64_t ld,
                                   double *restrict column)
{
    for (int64_t c = 0, n; c < cols; c += n) {
        n = cols - c < COLUMNS ? cols - c : COLUMNS;
        for (int64_t r = 0; r < rows; r += ROWS) {
            float part[COLUMNS] = {0};
            for (int64_t q = r; q < rows && q < r + ROWS; ++q)
                for (int64_t k = 0; k < n; ++k)
                    part[k] += e[q * ld + c + k];
            for (int64_t k = 0; k < n; ++k)
                column[c + k] += (double)part[k];
        }
    }
}

void hni_tile_exp_sums(int64_t rows, int64_t cols, float *s, int64_t ld, float shift, double *row, double *column)
{
    for (int64_t r = 0; r < rows; ++r)
        row[r] += hni_exp_sum(cols, s + r * ld, shift, s + r * ld);
    if (column != NULL)
        add_columns(rows, cols, s, ld, column);
}
