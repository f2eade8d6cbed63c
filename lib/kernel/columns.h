/* columns.h -- the column matrix of a convolution (im2col) and its transpose. */
#ifndef HNI_COLUMNS_H
#define HNI_COLUMNS_H

#include "kernel/conv.h"

/* cols: count rows of kernel_height x kernel_width x in, one for each of the result's pixels first, first + 1 ... in
 * memory order: the part of x that the pixel sees, zeros outside the image. On the calling thread.                   */
void hni_columns(const hni_conv *g, const float *x, int64_t first, int64_t count, float *cols);

/* The transpose: adds the columns of these pixels to where in dx they were copied from. */
void hni_columns_add(const hni_conv *g, const float *cols, int64_t first, int64_t count, float *dx);

#endif
