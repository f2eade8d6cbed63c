/* integer.h -- the smaller and the larger of two sizes. */
#ifndef HNI_INTEGER_H
#define HNI_INTEGER_H

#include <stdint.h>

static inline int64_t hni_min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t hni_max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

#endif
