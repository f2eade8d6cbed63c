/* mt19937.h -- NumPy's legacy generator (numpy.random.RandomState), as far as its shuffle needs it.
 * Generator: Matsumoto, Nishimura, "Mersenne twister", ACM TOMACS 8(1), 1998.                        */
#ifndef HNI_MT19937_H
#define HNI_MT19937_H

#include <stddef.h>
#include <stdint.h>

enum { HNI_MT_WORDS = 624 };

typedef struct hni_mt19937 {
    uint32_t state[HNI_MT_WORDS];
    int32_t used; /* words of the state already handed out */
} hni_mt19937;

/* As RandomState(seed) and numpy.random.seed(seed) with an integer. */
void hni_mt19937_seed(hni_mt19937 *mt, uint32_t seed);

/* The next 32 bits. */
uint32_t hni_mt19937_u32(hni_mt19937 *mt);

/* Uniform in [0, max], as NumPy's legacy random_interval: bits under a mask, drawn again while above max. */
uint64_t hni_mt19937_interval(hni_mt19937 *mt, uint64_t max);

/* As RandomState.shuffle of a one-dimensional array. */
void hni_mt19937_shuffle(hni_mt19937 *mt, int64_t *x, size_t n);

#endif
