#include "data/mt19937.h"

enum { SHIFT = 397 };

void hni_mt19937_seed(hni_mt19937 *mt, uint32_t seed)
{
    mt->state[0] = seed;
    for (uint32_t i = 1; i < HNI_MT_WORDS; ++i)
        mt->state[i] = 1812433253u * (mt->state[i - 1] ^ mt->state[i - 1] >> 30) + i;
    mt->used = HNI_MT_WORDS;
}

static void regenerate(hni_mt19937 *mt)
{
    uint32_t *s = mt->state;
    for (int i = 0; i < HNI_MT_WORDS; ++i) {
        uint32_t y = (s[i] & 0x80000000u) | (s[(i + 1) % HNI_MT_WORDS] & 0x7fffffffu);
        s[i] = s[(i + SHIFT) % HNI_MT_WORDS] ^ y >> 1 ^ ((y & 1) != 0 ? 0x9908b0dfu : 0);
    }
    mt->used = 0;
}

uint32_t hni_mt19937_u32(hni_mt19937 *mt)
{
    if (mt->used == HNI_MT_WORDS)
        regenerate(mt);
    uint32_t y = mt->state[mt->used++];
    y ^= y >> 11;
    y ^= y << 7 & 0x9d2c5680u;
    y ^= y << 15 & 0xefc60000u;
    return y ^ y >> 18;
}

/* High word first, as NumPy's mt19937_next64. */
static uint64_t next_u64(hni_mt19937 *mt)
{
    uint64_t high = hni_mt19937_u32(mt);
    return high << 32 | hni_mt19937_u32(mt);
}

uint64_t hni_mt19937_interval(hni_mt19937 *mt, uint64_t max)
{
    uint64_t mask = max, value;
    if (max == 0)
        return 0;
    for (int shift = 1; shift < 64; shift *= 2)
        mask |= mask >> shift;
    do
        value = (max <= UINT32_MAX ? hni_mt19937_u32(mt) : next_u64(mt)) & mask;
    while (value > max);
    return value;
}

void hni_mt19937_shuffle(hni_mt19937 *mt, int64_t *x, size_t n)
{
    for (size_t i = n; i > 1; --i) {
        size_t j = (size_t)hni_mt19937_interval(mt, i - 1);
        int64_t swap = x[i - 1];
        x[i - 1] = x[j];
        x[j] = swap;
    }
}
