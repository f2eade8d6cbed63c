/* vec.h -- short vectors of floats for sources that are compiled once for each instruction set. Defined before it is
 * included: LANES, the floats in a vector.                                                                            */
#ifndef HNI_VEC_H
#define HNI_VEC_H

#include "kernel/clones.h"

#include <stdint.h>
#include <string.h>
#if LANES == 16 && defined(__AVX512F__)
#include <immintrin.h>
#endif

typedef float vec __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef uint32_t words __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef uint16_t halves __attribute__((vector_size(2 * LANES), aligned(2), may_alias));

/* s - 0 is s, whatever its sign: compilers make it one broadcast. */
static inline vec splat(float s)
{
    return s - (vec){0};
}

/* The first n floats, zeros behind them. With the constant n = LANES it is one load. */
HNI_INLINE vec load(const float *p, int64_t n)
{
    if (n == LANES)
        return *(const vec *)(const void *)p;
    vec v = {0};
    memcpy(&v, p, (size_t)n * sizeof *p);
    return v;
}

HNI_INLINE void store(float *p, int64_t n, vec v)
{
    if (n == LANES)
        *(vec *)(void *)p = v;
    else
        memcpy(p, &v, (size_t)n * sizeof *p);
}

/* GCC 12 would take vectors of 16 apart for these. */
#if LANES == 16 && defined(__AVX512F__)
HNI_INLINE words widen(halves h)
{
    return (words)_mm512_cvtepu16_epi32((__m256i)h);
}

HNI_INLINE halves narrow(words w)
{
    return (halves)_mm512_cvtepi32_epi16((__m512i)w);
}
#else
HNI_INLINE words widen(halves h)
{
    return __builtin_convertvector(h, words);
}

HNI_INLINE halves narrow(words w)
{
    return __builtin_convertvector(w, halves);
}
#endif

/* The same for bf16, the upper half of a float. */
HNI_INLINE vec load_bf16(const uint16_t *p, int64_t n)
{
    halves h = {0};
    if (n == LANES)
        h = *(const halves *)(const void *)p;
    else
        memcpy(&h, p, (size_t)n * sizeof *p);
    return (vec)(widen(h) << 16);
}

/* Rounds to nearest, ties to even; a NaN stays one (rounded as a number it could become infinite or zero). */
HNI_INLINE void store_bf16(uint16_t *p, int64_t n, vec v)
{
    const words bits = (words)v, nan = (words)(v != v);
    const words rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16, quiet = bits >> 16 | 0x40;
    const halves h = narrow((rounded & ~nan) | (quiet & nan));
    if (n == LANES)
        *(halves *)(void *)p = h;
    else
        memcpy(p, &h, (size_t)n * sizeof *p);
}

#endif
