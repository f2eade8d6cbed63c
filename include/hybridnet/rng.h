/* rng.h -- counter-based random numbers (Philox 4x32-10) in streams derived from purpose and index. */
#ifndef HYBRIDNET_RNG_H
#define HYBRIDNET_RNG_H

#include <hybridnet/types.h>

/* The whole state: lives on the stack, is copied with =, is saved with memcpy.
 * The sequences are part of the ABI: the same seed gives the same numbers in every release.
 * Generator: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011. */
typedef struct hn_rng {
    uint64_t opaque[8];
} hn_rng;

HN_BEGIN_DECLS

/* Starts the stream (seed, stream); different streams of a seed are independent. */
HN_API void hn_rng_seed(hn_rng *rng, uint64_t seed, uint64_t stream);

/* Starts an independent stream for (parent's key, purpose, index), whatever the parent has already drawn:
 * hn_rng_derive(&r, &root, "augment", sample) gives the same numbers on whichever thread it is called.
 * out may be parent.                                                                                       */
HN_API void hn_rng_derive(hn_rng *out, const hn_rng *parent, const char *purpose, uint64_t index);

/* 64 random bits. */
HN_API uint64_t hn_rng_u64(hn_rng *rng);
/* Uniform in [0, n), unbiased; 0 if n is 0. */
HN_API uint64_t hn_rng_below(hn_rng *rng, uint64_t n);
/* Uniform in [0, 1), 53 bits. */
HN_API double hn_rng_uniform(hn_rng *rng);
/* Standard normal (Box-Muller). */
HN_API double hn_rng_normal(hn_rng *rng);
/* n uniform numbers from lo to hi; hi itself only where rounding to float leads to it. hi - lo: at most 2^103. */
HN_API void hn_rng_fill_uniform(hn_rng *rng, float *x, size_t n, float lo, float hi);
/* n normal numbers. */
HN_API void hn_rng_fill_normal(hn_rng *rng, float *x, size_t n, float mean, float standard_deviation);
/* Fisher-Yates. */
HN_API void hn_rng_shuffle(hn_rng *rng, int64_t *x, size_t n);

HN_END_DECLS
#endif
