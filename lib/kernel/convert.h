/* convert.h -- from one element type to another. */
#ifndef HNI_CONVERT_H
#define HNI_CONVERT_H

#include <stdint.h>

/* y = x, n values; dtypes: HN_F32 or HN_BF16. To bf16: the nearest, ties to even. */
void hni_convert(int32_t num_threads, int64_t n, int32_t x_dtype, const void *x, int32_t y_dtype, void *y);

#endif
