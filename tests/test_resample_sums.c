/* Every instruction set's sums of a resize, against plain 64-bit ones: equal to the bit, in arrays that end where they must. */
#include "support.h"

#include "kernel/resample_sums.h"

#include <stdlib.h>
#include <string.h>

enum { ROWS = HNI_RESAMPLE_ROWS, PIXEL = HNI_RESAMPLE_PIXEL, SITE = HNI_RESAMPLE_SITE, ONE = 1 << HNI_RESAMPLE_BITS };

/* Of its own, so that a sanitizer sees each byte before and behind it. */
static uint8_t *noise(hn_rng *rng, int64_t n)
{
    uint8_t *bytes = hnt_alloc((size_t)n);
    for (int64_t i = 0; i < n; ++i)
        bytes[i] = (uint8_t)hn_rng_below(rng, 256);
    return bytes;
}

/* `count` weights that add up to 1, sometimes one of them alone. */
static void draw_weights(hn_rng *rng, hni_resample_pair *pairs, int64_t count)
{
    int32_t left = ONE;
    for (int64_t t = 0; t < count; ++t) {
        int32_t w = t + 1 == count ? left : (int32_t)hn_rng_below(rng, (uint64_t)left + 1);
        if (hn_rng_below(rng, 5) == 0)
            w = left;
        left -= w;
        pairs[t / 2].high[t % 2] = (int16_t)(w >> HNI_RESAMPLE_LOW_BITS);
        pairs[t / 2].low[t % 2] = (int16_t)(w & ((1 << HNI_RESAMPLE_LOW_BITS) - 1));
    }
}

static int64_t weight_of(const hni_resample_pair *pairs, int64_t t)
{
    return pairs[t / 2].high[t % 2] * (INT64_C(1) << HNI_RESAMPLE_LOW_BITS) + pairs[t / 2].low[t % 2];
}

static int rounded(int64_t sum)
{
    return (int)((sum + ONE / 2) / ONE);
}

START_TEST(gather_puts_rows_side_by_side)
{
    hn_rng rng;
    hn_rng_seed(&rng, 1, 0);
    const hni_resample_sums *isa;
    for (int v = 0; (isa = hni_resample_sums_variant(v)) != NULL; ++v)
        for (int64_t channels = 1; channels <= PIXEL; ++channels)
            for (int64_t width = 1; width <= 40; ++width) {
                uint8_t *rows[ROWS], *wide = noise(&rng, width * SITE);
                for (int r = 0; r < ROWS; ++r)
                    rows[r] = noise(&rng, width * channels);
                isa->gather((const uint8_t *const *)rows, width, channels, wide);
                for (int r = 0; r < ROWS; ++r) {
                    for (int64_t x = 0; x < width; ++x)
                        ck_assert_msg(
                            memcmp(wide + x * SITE + r * PIXEL, rows[r] + x * channels, (size_t)channels) == 0,
                            "%s: pixel %d of %d, row %d, %d channels", isa->name, (int)x, (int)width, r, (int)channels);
                    free(rows[r]);
                }
                free(wide);
            }
}
END_TEST

/* A resize of `width` pixels to out_width by as many as 2 pairs weights each. */
static void check_rows(const hni_resample_sums *isa, hn_rng *rng, int64_t width, int64_t pairs, int64_t out_width,
                       int64_t channels, bool mirror)
{
    hni_resample_axis a = {.stride = pairs + 1, .pairs = pairs};
    a.first = hnt_alloc((size_t)out_width * sizeof *a.first);
    a.count = hnt_alloc((size_t)out_width * sizeof *a.count);
    a.weights = hnt_alloc((size_t)(out_width * a.stride) * sizeof *a.weights);
    memset(a.weights, 0, (size_t)(out_width * a.stride) * sizeof *a.weights);
    for (int64_t o = 0; o < out_width; ++o) {
        a.count[o] = (int32_t)(1 + hn_rng_below(rng, (uint64_t)(2 * pairs < width ? 2 * pairs : width)));
        a.first[o] = (int32_t)hn_rng_below(rng, (uint64_t)(width - a.count[o] + 1));
        draw_weights(rng, a.weights + o * a.stride, a.count[o]);
    }
    uint8_t *wide = noise(rng, (width + 2 * pairs) * SITE), *out[ROWS];
    for (int r = 0; r < ROWS - 1; ++r)
        out[r] = noise(rng, out_width * channels);
    out[ROWS - 1] = out[ROWS - 2]; /* as past an image's last row, which then comes twice */
    for (int64_t x = 0; x < width; ++x)
        memcpy(wide + x * SITE + (ROWS - 1) * PIXEL, wide + x * SITE + (ROWS - 2) * PIXEL, PIXEL);
    isa->rows(&a, wide, out_width, channels, mirror, out);
    for (int64_t x = 0; x < out_width; ++x)
        for (int64_t i = 0; i < ROWS * channels; ++i) {
            const int64_t o = mirror ? out_width - 1 - x : x, r = i / channels, c = i % channels;
            int64_t sum = 0;
            for (int64_t t = 0; t < a.count[o]; ++t)
                sum += weight_of(a.weights + o * a.stride, t) * wide[(a.first[o] + t) * SITE + r * PIXEL + c];
            ck_assert_msg(out[r][x * channels + c] == rounded(sum),
                          "%s: %d pixels to %d, %d pairs, %d channels%s: row %d, pixel %d is %d, not %d", isa->name,
                          (int)width, (int)out_width, (int)pairs, (int)channels, mirror ? ", mirrored" : "", (int)r,
                          (int)x, out[r][x * channels + c], rounded(sum));
        }
    for (int r = 0; r < ROWS - 1; ++r)
        free(out[r]);
    free(wide);
    free(a.first);
    free(a.count);
    free(a.weights);
}

START_TEST(rows_are_means)
{
    static const int64_t widths[] = {1, 2, 3, 7, 40}, all_pairs[] = {1, 2, 3, 6};
    hn_rng rng;
    hn_rng_seed(&rng, 2, 0);
    const hni_resample_sums *isa;
    for (int v = 0; (isa = hni_resample_sums_variant(v)) != NULL; ++v)
        for (size_t i = 0; i < sizeof widths / sizeof *widths; ++i)
            for (size_t p = 0; p < sizeof all_pairs / sizeof *all_pairs; ++p)
                for (int64_t out_width = 1; out_width <= 9; ++out_width)
                    for (int64_t channels = 1; channels <= PIXEL; ++channels)
                        for (int mirror = 0; mirror < 2; ++mirror)
                            check_rows(isa, &rng, widths[i], all_pairs[p], out_width, channels, mirror);
}
END_TEST

START_TEST(columns_are_means)
{
    enum { MOST = 9 };
    hn_rng rng;
    hn_rng_seed(&rng, 3, 0);
    const hni_resample_sums *isa;
    for (int v = 0; (isa = hni_resample_sums_variant(v)) != NULL; ++v)
        for (int64_t count = 1; count <= MOST; ++count)
            for (int64_t n = 1; n <= 150; n += n < 36 ? 1 : 19) {
                const int64_t stride = n + 5;
                uint8_t *rows = noise(&rng, (count - 1) * stride + n), *out = noise(&rng, n);
                hni_resample_pair weights[(MOST + 1) / 2] = {{{0, 0}, {0, 0}}};
                draw_weights(&rng, weights, count);
                isa->columns(weights, count, rows, stride, n, out);
                for (int64_t i = 0; i < n; ++i) {
                    int64_t sum = 0;
                    for (int64_t t = 0; t < count; ++t)
                        sum += weight_of(weights, t) * rows[t * stride + i];
                    ck_assert_msg(out[i] == rounded(sum), "%s: %d rows of %d: column %d is %d, not %d", isa->name,
                                  (int)count, (int)n, (int)i, out[i], rounded(sum));
                }
                free(rows);
                free(out);
            }
}
END_TEST

START_TEST(the_last_variant_is_the_best)
{
    int n = 0;
    while (hni_resample_sums_variant(n) != NULL)
        ++n;
    ck_assert_int_ge(n, 1);
    ck_assert_str_eq(hni_resample_sums_variant(0)->name, "portable");
    ck_assert_ptr_eq(hni_resample_sums_best(), hni_resample_sums_variant(n - 1));
    ck_assert_ptr_null(hni_resample_sums_variant(-1));
    ck_assert_ptr_null(hni_resample_sums_variant(100));
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("resample_sums");
    TCase *unit = hnt_case(s, "unit");
    tcase_add_test(unit, gather_puts_rows_side_by_side);
    tcase_add_test(unit, rows_are_means);
    tcase_add_test(unit, columns_are_means);
    tcase_add_test(unit, the_last_variant_is_the_best);
    return s;
}

HNT_MAIN(suite)
