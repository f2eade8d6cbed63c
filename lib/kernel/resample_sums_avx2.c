/* Products of pixels of 8 bits and halves of weights of 11 by vpmaddwd, which adds two of them in one instruction: a whole
 * weight of 22 bits takes a product of 32 bits, which is two instructions or more, and a sum.                           */
#include "kernel/resample_sums.h"

#include <immintrin.h>
#include <string.h>

enum {
    ROWS = HNI_RESAMPLE_ROWS,
    PIXEL = HNI_RESAMPLE_PIXEL,
    SITE = HNI_RESAMPLE_SITE,
    HALF = 1 << (HNI_RESAMPLE_BITS - 1)
};

static inline __m128i load(const uint8_t *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

static inline void store(uint8_t *p, __m128i v)
{
    _mm_storeu_si128((__m128i *)(void *)p, v);
}

static inline __m256i splat(const int16_t pair[2])
{
    int32_t both;
    memcpy(&both, pair, sizeof both);
    return _mm256_set1_epi32(both);
}

/* Of 16 bytes, those before and behind the eighth. */
typedef struct sums {
    __m256i high[2], low[2];
} sums;

static inline sums no_sums(void)
{
    const __m256i zero = _mm256_setzero_si256(), half = _mm256_set1_epi32(HALF);
    return (sums){{zero, zero}, {half, half}};
}

/* Adds the products of 16 bytes and of 16 more with a pair of weights. */
static inline void add(sums *s, const hni_resample_pair *w, __m128i first, __m128i second)
{
    const __m256i bytes[2] = {_mm256_cvtepu8_epi16(_mm_unpacklo_epi8(first, second)),
                              _mm256_cvtepu8_epi16(_mm_unpackhi_epi8(first, second))};
    const __m256i high = splat(w->high), low = splat(w->low);
    for (int i = 0; i < 2; ++i) {
        s->high[i] = _mm256_add_epi32(s->high[i], _mm256_madd_epi16(bytes[i], high));
        s->low[i] = _mm256_add_epi32(s->low[i], _mm256_madd_epi16(bytes[i], low));
    }
}

/* As bytes, in the order in which packing leaves them: 0-3 and 8-11, then 4-7 and 12-15. */
static inline __m256i narrow(const sums *s)
{
    __m256i v[2];
    for (int i = 0; i < 2; ++i) {
        v[i] = _mm256_add_epi32(_mm256_slli_epi32(s->high[i], HNI_RESAMPLE_LOW_BITS), s->low[i]);
        v[i] = _mm256_srli_epi32(v[i], HNI_RESAMPLE_BITS);
    }
    const __m256i words = _mm256_packus_epi32(v[0], v[1]);
    return _mm256_packus_epi16(words, words);
}

/* Four pixels of channels bytes, four bytes from each one's first on. */
static inline __m128i spread(const uint8_t *p, int64_t channels)
{
    const __m128i within = _mm_set1_epi32(0x03020100);
    const __m128i pixel = _mm_set_epi32(0x03030303, 0x02020202, 0x01010101, 0);
    const __m128i begin = _mm_mullo_epi16(pixel, _mm_set1_epi16((int16_t)channels)); /* 3 * 4 at most: no carry */
    return _mm_shuffle_epi8(load(p), _mm_add_epi8(begin, within));
}

static void gather(const uint8_t *const rows[ROWS], int64_t width, int64_t channels, uint8_t *wide)
{
    int64_t x = 0;
    for (; (width - x) * channels >= SITE; x += 4) {
        const int64_t at = x * channels;
        const __m128i a = spread(rows[0] + at, channels), b = spread(rows[1] + at, channels);
        const __m128i c = spread(rows[2] + at, channels), d = spread(rows[3] + at, channels);
        const __m128i ab0 = _mm_unpacklo_epi32(a, b), ab2 = _mm_unpackhi_epi32(a, b);
        const __m128i cd0 = _mm_unpacklo_epi32(c, d), cd2 = _mm_unpackhi_epi32(c, d);
        store(wide + x * SITE, _mm_unpacklo_epi64(ab0, cd0));
        store(wide + (x + 1) * SITE, _mm_unpackhi_epi64(ab0, cd0));
        store(wide + (x + 2) * SITE, _mm_unpacklo_epi64(ab2, cd2));
        store(wide + (x + 3) * SITE, _mm_unpackhi_epi64(ab2, cd2));
    }
    const uint8_t *rest[ROWS];
    for (int r = 0; r < ROWS; ++r)
        rest[r] = rows[r] + x * channels;
    hni_resample_sums_portable.gather(rest, width - x, channels, wide + x * SITE);
}

/* Pixel o of four rows: of the first and third, then of the second and fourth. */
static inline __m256i site(const hni_resample_axis *a, int64_t pairs, const uint8_t *wide, int64_t o)
{
    const uint8_t *p = wide + (int64_t)a->first[o] * SITE;
    const hni_resample_pair *w = a->weights + o * a->stride;
    sums s = no_sums();
    for (int64_t i = 0; i < pairs; ++i) /* as many for all: the loop's end can be foreseen */
        add(&s, w + i, load(p + 2 * i * SITE), load(p + (2 * i + 1) * SITE));
    return narrow(&s);
}

static inline void rows_of(const hni_resample_axis *a, int64_t pairs, const uint8_t *wide, int64_t out_width,
                           int64_t channels, bool mirror, uint8_t *const out[ROWS])
{
    const int64_t step = mirror ? -1 : 1, whole = out_width - (PIXEL + channels - 1) / channels + 1;
    int64_t x = 0, o = mirror ? out_width - 1 : 0;
    uint8_t *to[ROWS] = {out[0], out[1], out[2], out[3]};
    for (; x < out_width; ++x, o += step) {
        const __m256i pixels = site(a, pairs, wide, o);
        const uint64_t even = (uint64_t)_mm_cvtsi128_si64(_mm256_castsi256_si128(pixels));
        const uint64_t odd = (uint64_t)_mm_cvtsi128_si64(_mm256_extracti128_si256(pixels, 1));
        const uint32_t pixel[ROWS] = {(uint32_t)even, (uint32_t)odd, (uint32_t)(even >> 32), (uint32_t)(odd >> 32)};
        for (int r = 0; r < ROWS; ++r) {
            if (x < whole)
                memcpy(to[r], &pixel[r], PIXEL);
            else
                memcpy(to[r], &pixel[r], (size_t)channels);
            to[r] += channels;
        }
    }
}

static void rows(const hni_resample_axis *a, const uint8_t *wide, int64_t out_width, int64_t channels, bool mirror,
                 uint8_t *const out[ROWS])
{
    if (a->pairs == 2) /* what enlarging takes, and shrinking to two thirds: without a loop */
        rows_of(a, 2, wide, out_width, channels, mirror, out);
    else
        rows_of(a, a->pairs, wide, out_width, channels, mirror, out);
}

static inline __m128i column_means(const hni_resample_pair *weights, int64_t count, const uint8_t *rows, int64_t stride)
{
    sums s = no_sums();
    for (int64_t t = 0; t < count; t += 2) {
        const uint8_t *first = rows + t * stride, *second = t + 1 < count ? first + stride : first;
        add(&s, weights + t / 2, load(first), load(second));
    }
    const __m256i bytes = narrow(&s);
    return _mm_unpacklo_epi32(_mm256_castsi256_si128(bytes), _mm256_extracti128_si256(bytes, 1));
}

static void columns(const hni_resample_pair *weights, int64_t count, const uint8_t *rows, int64_t stride, int64_t n,
                    uint8_t *out)
{
    int64_t i = 0;
    for (; i + SITE <= n; i += SITE)
        store(out + i, column_means(weights, count, rows + i, stride));
    if (i < n && n >= SITE) /* the last ones once more */
        store(out + n - SITE, column_means(weights, count, rows + n - SITE, stride));
    else if (i < n)
        hni_resample_sums_portable.columns(weights, count, rows, stride, n, out);
}

const hni_resample_sums hni_resample_sums_avx2 = {.name = "avx2", .gather = gather, .rows = rows, .columns = columns};
