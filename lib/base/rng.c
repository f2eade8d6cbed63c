#include <hybridnet/rng.h>

#include <math.h>

/* What the words of hn_rng.opaque hold. A block is one Philox call, 128 bits; USED of its two words are handed out. */
enum { KEY = 0, COUNTER = 1, STREAM = 2, BLOCK = 3, USED = 5 };

static uint64_t mix(uint64_t x)
{
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9u;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* Philox 4x32-10: Salmon et al. 2011, section 3.3. */
static void philox(uint64_t counter, uint64_t stream, uint64_t key, uint64_t out[2])
{
    uint32_t c0 = (uint32_t)counter, c1 = (uint32_t)(counter >> 32);
    uint32_t c2 = (uint32_t)stream, c3 = (uint32_t)(stream >> 32);
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    for (int round = 0; round < 10; ++round) {
        uint64_t p0 = (uint64_t)0xd2511f53u * c0, p1 = (uint64_t)0xcd9e8d57u * c2;
        uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        c0 = n0;
        c2 = n2;
        k0 += 0x9e3779b9u;
        k1 += 0xbb67ae85u;
    }
    out[0] = c0 | (uint64_t)c1 << 32;
    out[1] = c2 | (uint64_t)c3 << 32;
}

static void start(hn_rng *rng, uint64_t key, uint64_t stream)
{
    *rng = (hn_rng){.opaque = {[KEY] = key, [STREAM] = stream, [USED] = 2}};
}

void hn_rng_seed(hn_rng *rng, uint64_t seed, uint64_t stream)
{
    start(rng, seed, stream);
}

void hn_rng_derive(hn_rng *out, const hn_rng *parent, const char *purpose, uint64_t index)
{
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a over the purpose */
    for (const char *c = purpose; *c != '\0'; ++c)
        hash = (hash ^ (uint64_t)(unsigned char)*c) * 0x100000001b3u;
    uint64_t key = mix(mix(parent->opaque[KEY] + 0x9e3779b97f4a7c15u) ^ mix(parent->opaque[STREAM]) ^ hash);
    start(out, key, mix(index + 0x632be59bd9b4e019u));
}

uint64_t hn_rng_u64(hn_rng *rng)
{
    uint64_t *s = rng->opaque;
    if (s[USED] == 2) {
        philox(s[COUNTER], s[STREAM], s[KEY], &s[BLOCK]);
        s[COUNTER]++;
        s[USED] = 0;
    }
    return s[BLOCK + s[USED]++];
}

uint64_t hn_rng_below(hn_rng *rng, uint64_t n)
{
    if (n == 0)
        return 0;
    /* Values under 2^64 mod n would make small results likelier: draw again. */
    uint64_t reject = (0 - n) % n, x;
    do
        x = hn_rng_u64(rng);
    while (x < reject);
    return x % n;
}

double hn_rng_uniform(hn_rng *rng)
{
    return (double)(hn_rng_u64(rng) >> 11) * 0x1p-53;
}

double hn_rng_normal(hn_rng *rng)
{
    double u = 1.0 - hn_rng_uniform(rng), v = hn_rng_uniform(rng); /* u in (0, 1] */
    return sqrt(-2.0 * log(u)) * cos(6.283185307179586476925 * v);
}

void hn_rng_fill_uniform(hn_rng *rng, float *x, size_t n, float lo, float hi)
{
    for (size_t i = 0; i < n; ++i)
        x[i] = lo + (hi - lo) * (float)(hn_rng_u64(rng) >> 40) * 0x1p-24f;
}

void hn_rng_fill_normal(hn_rng *rng, float *x, size_t n, float mean, float standard_deviation)
{
    for (size_t i = 0; i < n; ++i)
        x[i] = (float)((double)mean + (double)standard_deviation * hn_rng_normal(rng));
}

void hn_rng_shuffle(hn_rng *rng, int64_t *x, size_t n)
{
    for (size_t i = n; i > 1; --i) {
        size_t j = (size_t)hn_rng_below(rng, i);
        int64_t swap = x[i - 1];
        x[i - 1] = x[j];
        x[j] = swap;
    }
}
