/* rownorm.h -- rows divided by their lengths, forward and backward. */
#ifndef HNI_ROWNORM_H
#define HNI_ROWNORM_H

#include <stdint.h>

/* y: rows x dim, dense; y_i = x_i / |x_i| with x_i at x + i * ld. inverse[i] = 1 / |x_i|, in double so that no length of a
 * float row is lost; a row of length 0 gives y_i = 0 and inverse 0.                                                     */
void hni_rownorm_forward(int32_t num_threads, int64_t rows, int64_t dim, const float *x, int64_t ld, float *y,
                         double *inverse);

/* dx_i = beta dx_i + scale inverse_i (dy_i - (dy_i . y_i) y_i); dy, y dense, dx with leading dimension ld. beta 0 never
 * reads dx; with beta 0 and ld = dim, dx may be dy.                                                                       */
void hni_rownorm_backward(int32_t num_threads, int64_t rows, int64_t dim, const float *y, const double *inverse,
                          const float *dy, float scale, float beta, float *dx, int64_t ld);

/* One row of each. */
double hni_rownorm_row(int64_t dim, const float *x, float *y);
void hni_rownorm_row_backward(int64_t dim, const float *y, double inverse, const float *dy, float scale, float beta,
                              float *dx);

/* The greatest length of n dense rows, 0 of none; NaN if one holds a NaN. */
double hni_longest_row(int64_t n, int64_t dim, const float *rows);

/* The dot product of two rows, in double. */
double hni_dot(int64_t dim, const float *a, const float *b);

#endif
