/* bf16.h -- bf16, the upper half of a float, one value at a time; loops over it vectorise. */
#ifndef HNI_BF16_H
#define HNI_BF16_H

#include "kernel/clones.h"

#include <stdbool.h>
#include <stdint.h>

typedef uint16_t hni_bf16;

typedef union hni_float_bits {
    float value;
    uint32_t bits;
} hni_float_bits;

static inline float hni_from_bf16(hni_bf16 h)
{
    return (hni_float_bits){.bits = (uint32_t)h << 16}.value;
}

/* To nearest, ties to even; a NaN stays one. */
static inline hni_bf16 hni_to_bf16(float value)
{
    const uint32_t bits = (hni_float_bits){.value = value}.bits;
    const uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16, quiet = bits >> 16 | 0x40;
    return (hni_bf16)(value != value ? quiet : rounded);
}

/* Element i of an array of bf16 or of floats. */
HNI_INLINE float hni_load_as_float(const void *from, int64_t i, bool bf16)
{
    return bf16 ? hni_from_bf16(((const hni_bf16 *)from)[i]) : ((const float *)from)[i];
}

HNI_INLINE void hni_store_as(void *to, int64_t i, float value, bool bf16)
{
    if (bf16)
        ((hni_bf16 *)to)[i] = hni_to_bf16(value);
    else
        ((float *)to)[i] = value;
}

#endif
