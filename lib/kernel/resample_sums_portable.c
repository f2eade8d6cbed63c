#include "kernel/resample_sums.h"

#include <string.h>

enum {
    ROWS = HNI_RESAMPLE_ROWS,
    PIXEL = HNI_RESAMPLE_PIXEL,
    SITE = HNI_RESAMPLE_SITE,
    HALF = 1 << (HNI_RESAMPLE_BITS - 1),
    BLOCK = 64
};

/* The t-th weight. */
static int32_t weight(const hni_resample_pair *pairs, int64_t t)
{
    const hni_resample_pair *p = pairs + t / 2;
    return p->high[t % 2] * (1 << HNI_RESAMPLE_LOW_BITS) + p->low[t % 2];
}

/* Weights are not negative and add up to 1 but for rounding: no sum leaves [0, 255]. */
static uint8_t narrow(int32_t sum)
{
    return (uint8_t)(sum >> HNI_RESAMPLE_BITS);
}

static void gather(const uint8_t *const rows[ROWS], int64_t width, int64_t channels, uint8_t *wide)
{
    for (int64_t x = 0; x < width; ++x)
        for (int r = 0; r < ROWS; ++r)
            memcpy(wide + x * SITE + r * PIXEL, rows[r] + x * channels, (size_t)channels);
}

static void rows(const hni_resample_axis *a, const uint8_t *wide, int64_t out_width, int64_t channels, bool mirror,
                 uint8_t *const out[ROWS])
{
    for (int64_t x = 0; x < out_width; ++x) {
        const int64_t o = mirror ? out_width - 1 - x : x;
        const uint8_t *p = wide + (int64_t)a->first[o] * SITE;
        int32_t sum[SITE];
        uint8_t pixels[SITE];
        for (int i = 0; i < SITE; ++i)
            sum[i] = HALF;
        for (int64_t t = 0; t < a->count[o]; ++t, p += SITE) {
            const int32_t w = weight(a->weights + o * a->stride, t);
            for (int i = 0; i < SITE; ++i)
                sum[i] += w * p[i];
        }
        for (int i = 0; i < SITE; ++i)
            pixels[i] = narrow(sum[i]);
        for (int r = 0; r < ROWS; ++r)
            memcpy(out[r] + x * channels, pixels + r * PIXEL, (size_t)channels);
    }
}

/* Of n <= BLOCK columns. */
static void block(const hni_resample_pair *weights, int64_t count, const uint8_t *rows, int64_t stride, int64_t n,
                  uint8_t *restrict out)
{
    int32_t sum[BLOCK];
    for (int64_t i = 0; i < n; ++i)
        sum[i] = HALF;
    for (int64_t t = 0; t < count; ++t) {
        const int32_t w = weight(weights, t);
        for (int64_t i = 0; i < n; ++i)
            sum[i] += w * rows[t * stride + i];
    }
    for (int64_t i = 0; i < n; ++i)
        out[i] = narrow(sum[i]);
}

static void columns(const hni_resample_pair *weights, int64_t count, const uint8_t *rows, int64_t stride, int64_t n,
                    uint8_t *out)
{
    int64_t i = 0;
    for (; i + BLOCK <= n; i += BLOCK)
        block(weights, count, rows + i, stride, BLOCK, out + i);
    if (i < n)
        block(weights, count, rows + i, stride, n - i, out + i);
}

const hni_resample_sums hni_resample_sums_portable = {
    .name = "portable", .gather = gather, .rows = rows, .columns = columns};
