/* conv_case.h -- what the tests of convolution engines and of layers made of them share: arrays, convolution in double. */
#ifndef HNT_CONV_CASE_H
#define HNT_CONV_CASE_H

#include "support.h"

#include "kernel/conv.h"

/* n normal numbers; n doubles, of x or (NULL) zeros; n zeros. To be freed. */
float *hnt_normals(uint64_t seed, int64_t n);
double *hnt_doubles(const float *x, int64_t n);
float *hnt_floats(int64_t n);

double hnt_dot(const float *a, const float *b, int64_t n);

/* Elements of input, output and weights. */
int64_t hnt_count_x(const hni_conv *g);
int64_t hnt_count_y(const hni_conv *g);
int64_t hnt_count_w(const hni_conv *g);

/* One term, y(oy, ox, o) += w(o, i, ky, kx) x(iy, ix, i), from which y, dx and dw all come. Any of y, dx
 * and dw may be NULL; all are added to.                                                                               */
void hnt_conv_reference(const hni_conv *g, const double *x, const double *w, const double *dy, double *y, double *dx,
                        double *dw);

#endif
