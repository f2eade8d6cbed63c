/* softmax.h -- rows of similarities or logits: maxima, sums of exponentials. */
#ifndef HNI_SOFTMAX_H
#define HNI_SOFTMAX_H

#include <stdint.h>

/* A log-sum-exp under construction: log(sum) + max. Start with max = -INFINITY, sum = 0. */
typedef struct hni_lse {
    float max;
    double sum;
} hni_lse;

/* Takes n values into it; -INFINITY adds nothing, a NaN makes it NaN. */
void hni_lse_add(hni_lse *lse, int64_t n, const float *x);

/* log(sum of exp); -INFINITY if nothing was added. */
double hni_lse_value(const hni_lse *lse);

/* The largest of n values; NaNs are passed over (they show in sums), -INFINITY if there is none. */
float hni_row_max(int64_t n, const float *x);

/* y[i] = exp(x[i] - shift), y may be x; returns their sum. */
double hni_exp_sum(int64_t n, const float *x, float shift, float *y);

/* y[i] = factor exp(x[i] - shift); y may be x. With a log-sum-exp's max as shift and 1 / sum as factor this is the softmax,
 * as exact for large values as for small ones.                                                                            */
void hni_exp_shifted(int64_t n, const float *x, float shift, float factor, float *y);

/* Sums over the rows and columns of a tile s (rows x cols, leading dimension ld) of exp(s - shift): row[r] += ...,
 * column[c] += ... unless column is NULL. s is left in an unspecified state.                                              */
void hni_tile_exp_sums(int64_t rows, int64_t cols, float *s, int64_t ld, float shift, double *row, double *column);

/* The same as log-sum-exps under construction: sum[r] exp(max[r]) += the row's exponentials, max[r] = the largest so far
 * (start with -INFINITY and 0), likewise for columns unless they are NULL.                                                */
void hni_tile_lse(int64_t rows, int64_t cols, const float *s, int64_t ld, float *row_max, double *row_sum,
                  float *column_max, double *column_sum);

/* s[j] = (a + b[j]) exp(s[j] - shift) */
void hni_exp_weighted(int64_t n, float a, const float *b, float shift, float *s);

/* s[j] = a exp(s[j] - shift) + b[j] exp(s[j] - shifts[j]): how strongly a pair of rows repel each other in the supervised
 * contrastive loss, seen from both.                                                                                       */
void hni_exp_pair(int64_t n, float a, float shift, const float *b, const float *shifts, float *s);

#endif
