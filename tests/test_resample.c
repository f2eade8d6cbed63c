#include "golden.h"
#include "support.h"

#include "data/resample.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint8_t *resample(const uint8_t *pixels, int64_t height, int64_t width, int64_t channels, const hni_box *box,
                         int64_t out_height, int64_t out_width)
{
    uint8_t *out = hnt_alloc((size_t)(out_height * out_width * channels));
    hn_scratch s = hnt_scratch(hni_resample_scratch(height, width, channels, out_height, out_width));
    hni_resample(pixels, width * channels, height, width, channels, box, out, out_height, out_width, false, s.data);
    uint8_t *mirrored = hnt_alloc((size_t)(out_height * out_width * channels));
    hni_resample(pixels, width * channels, height, width, channels, box, mirrored, out_height, out_width, true, s.data);
    for (int64_t y = 0; y < out_height; ++y)
        for (int64_t x = 0; x < out_width; ++x)
            ck_assert_mem_eq(mirrored + (y * out_width + x) * channels,
                             out + (y * out_width + out_width - 1 - x) * channels, (size_t)channels);
    free(mirrored);
    free(s.data);
    return out;
}

/* One axis of the plain reference: the mean of in[0 .. n) (stride apart) under a triangle about output pixel o. */
static double mean_at(const double *in, int64_t n, int64_t stride, double from, double to, int64_t out, int64_t o)
{
    double scale = (to - from) / (double)out, reach = fmax(scale, 1), centre = from + ((double)o + 0.5) * scale;
    double sum = 0, weights = 0;
    for (int64_t i = 0; i < n; ++i) {
        double w = fmax(0, 1 - fabs((double)i + 0.5 - centre) / reach);
        sum += w * in[i * stride];
        weights += w;
    }
    return sum / weights;
}

/* In doubles, not rounded in between: up to a level from what 8-bit steps give. */
static void compare_with_reference(int64_t height, int64_t width, int64_t channels, hni_box box, int64_t out_height,
                                   int64_t out_width, uint64_t seed)
{
    hn_rng rng;
    uint8_t *pixels = hnt_alloc((size_t)(height * width * channels));
    double *plain = hnt_alloc((size_t)(height * width * channels) * sizeof *plain);
    double *wide = hnt_alloc((size_t)(height * out_width * channels) * sizeof *wide);
    hn_rng_seed(&rng, seed, 5);
    for (int64_t i = 0; i < height * width * channels; ++i)
        plain[i] = pixels[i] = (uint8_t)hn_rng_below(&rng, 256);
    uint8_t *out = resample(pixels, height, width, channels, &box, out_height, out_width);
    for (int64_t y = 0; y < height; ++y)
        for (int64_t x = 0; x < out_width; ++x)
            for (int64_t c = 0; c < channels; ++c)
                wide[(y * out_width + x) * channels + c] =
                    mean_at(plain + y * width * channels + c, width, channels, box.left, box.right, out_width, x);
    for (int64_t y = 0; y < out_height; ++y)
        for (int64_t i = 0; i < out_width * channels; ++i) {
            double want = mean_at(wide + i, height, out_width * channels, box.top, box.bottom, out_height, y);
            double error = fabs(want - out[y * out_width * channels + i]);
            ck_assert_msg(error <= 1.01, "%dx%d to %dx%d: row %d value %d: %d, want %g", (int)height, (int)width,
                          (int)out_height, (int)out_width, (int)y, (int)i, out[y * out_width * channels + i], want);
        }
    free(pixels);
    free(plain);
    free(wide);
    free(out);
}

START_TEST(close_to_plain_doubles)
{
    for (int64_t channels = 1; channels <= 4; ++channels) {
        compare_with_reference(40, 50, channels, (hni_box){0, 0, 40, 50}, 20, 20, 1);
        compare_with_reference(40, 50, channels, (hni_box){0, 0, 40, 50}, 90, 130, 2);
        compare_with_reference(40, 50, channels, (hni_box){0, 0, 40, 50}, 1, 1, 3);
        compare_with_reference(40, 50, channels, (hni_box){3.3, 5.1, 38.9, 44.4}, 13, 57, 4);
        compare_with_reference(1, 1, channels, (hni_box){0, 0, 1, 1}, 7, 3, 5);
        compare_with_reference(1, 300, channels, (hni_box){0, 0, 1, 300}, 4, 7, 6);
        compare_with_reference(300, 2, channels, (hni_box){0, 0, 300, 2}, 3, 9, 7);
        compare_with_reference(9, 9, channels, (hni_box){8.5, 8.5, 9, 9}, 3, 3, 8);
    }
}
END_TEST

START_TEST(the_same_size_is_a_copy)
{
    uint8_t pixels[6 * 7 * 3];
    const hni_box part = {1, 2, 5, 6};
    for (size_t i = 0; i < sizeof pixels; ++i)
        pixels[i] = (uint8_t)(i * 5);
    uint8_t *out = resample(pixels, 6, 7, 3, &part, 4, 4);
    for (int y = 0; y < 4; ++y)
        ck_assert_mem_eq(out + y * 12, pixels + ((y + 1) * 7 + 2) * 3, 12);
    free(out);
}
END_TEST

START_TEST(one_level_stays_that_level)
{
    uint8_t pixels[31 * 17];
    const hni_box all = {0, 0, 31, 17};
    for (int level = 0; level < 256; level += 51) {
        memset(pixels, level, sizeof pixels);
        for (int64_t side = 1; side < 40; side += 6) {
            uint8_t *out = resample(pixels, 31, 17, 1, &all, side, side + 3);
            for (int64_t i = 0; i < side * (side + 3); ++i)
                ck_assert_int_eq(out[i], level);
            free(out);
        }
    }
}
END_TEST

/* Rows lie a stride apart: what is between them does not count. */
START_TEST(strides)
{
    uint8_t tight[8 * 9 * 3], loose[8 * 40];
    const hni_box all = {0, 0, 8, 9};
    memset(loose, 255, sizeof loose);
    for (int i = 0; i < 8 * 27; ++i)
        tight[i] = loose[i / 27 * 40 + i % 27] = (uint8_t)(i * 7);
    uint8_t *want = resample(tight, 8, 9, 3, &all, 5, 4), out[5 * 4 * 3];
    hn_scratch s = hnt_scratch(hni_resample_scratch(8, 9, 3, 5, 4));
    hni_resample(loose, 40, 8, 9, 3, &all, out, 5, 4, false, s.data);
    ck_assert_mem_eq(out, want, sizeof out);
    free(want);
    free(s.data);
}
END_TEST

/* Bit for bit what Pillow made. */
START_TEST(pillow)
{
    hn_context *context = hnt_context(1);
    hn_safetensors *file = hnt_golden_open(context, "augment");
    const hn_tensor *cases = hnt_golden(file, "resize.cases", HN_I32, -1);
    int64_t n = hn_tensor_desc(cases)->dim[0];
    const int32_t *c = hn_tensor_cdata(cases);
    ck_assert_int_eq(n, 15);
    for (int64_t i = 0; i < n; ++i, c += 7) {
        char name[32];
        snprintf(name, sizeof name, "source.%d", (int)c[0]);
        const uint8_t *pixels = hn_tensor_cdata(hnt_golden(file, name, HN_U8, 61 * 83 * c[0]));
        const hni_box box = {c[2] / 4.0, c[1] / 4.0, c[4] / 4.0, c[3] / 4.0};
        int64_t width = c[5], height = c[6];
        snprintf(name, sizeof name, "resize.%d", (int)i);
        const uint8_t *want = hn_tensor_cdata(hnt_golden(file, name, HN_U8, height * width * c[0]));
        uint8_t *out = resample(pixels, 61, 83, c[0], &box, height, width);
        ck_assert_msg(memcmp(out, want, (size_t)(height * width * c[0])) == 0, "%s differs", name);
        free(out);
    }
    hn_safetensors_close(file);
    hn_context_destroy(context);
}
END_TEST

static Suite *resample_suite(void)
{
    Suite *suite = suite_create("resample");
    TCase *unit = hnt_case(suite, "unit");
    tcase_add_test(unit, close_to_plain_doubles);
    tcase_add_test(unit, the_same_size_is_a_copy);
    tcase_add_test(unit, one_level_stays_that_level);
    tcase_add_test(unit, strides);
    TCase *golden = hnt_case(suite, "golden");
    tcase_add_test(golden, pillow);
    return suite;
}

HNT_MAIN(resample_suite)
