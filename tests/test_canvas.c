#include "golden.h"
#include "support.h"

#include "data/canvas.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { H = 21, W = 26, MAX_KERNEL = 41 };

/* A canvas with a copy of pixels (NULL: noise), and memory of its own. */
struct held {
    hni_canvas c;
    uint8_t *a, *b;
    float *row;
};

static struct held hold(const uint8_t *pixels, int64_t height, int64_t width, int64_t channels)
{
    size_t bytes = (size_t)(height * width * channels);
    struct held h = {.a = hnt_alloc(bytes), .b = hnt_alloc(bytes)};
    h.row = hnt_alloc(hni_canvas_row_floats(width, channels, MAX_KERNEL) * sizeof *h.row);
    h.c = (hni_canvas){height, width, channels, h.a, h.b, h.row};
    hn_rng rng;
    hn_rng_seed(&rng, 8, (uint64_t)bytes);
    for (size_t i = 0; i < bytes; ++i)
        h.a[i] = pixels != NULL ? pixels[i] : (uint8_t)hn_rng_below(&rng, 256);
    return h;
}

static void let_go(struct held *h)
{
    free(h->a);
    free(h->b);
    free(h->row);
}

/* ---- unit ------------------------------------------------------------------------------------------------------------- */

static void (*const factors[])(hni_canvas *, float) = {hni_canvas_brightness, hni_canvas_contrast,
                                                       hni_canvas_saturation, hni_canvas_sharpness};

START_TEST(a_factor_of_one_changes_nothing)
{
    for (int64_t channels = 1; channels <= 4; ++channels)
        for (size_t f = 0; f < sizeof factors / sizeof *factors; ++f) {
            struct held h = hold(NULL, H, W, channels), want = hold(NULL, H, W, channels);
            factors[f](&h.c, 1);
            ck_assert_mem_eq(h.c.pixels, want.c.pixels, (size_t)hni_canvas_bytes(&h.c));
            let_go(&h);
            let_go(&want);
        }
}
END_TEST

START_TEST(colours_need_three_channels)
{
    for (int64_t channels = 1; channels <= 4; ++channels) {
        struct held h = hold(NULL, H, W, channels), before = hold(NULL, H, W, channels);
        hni_canvas_saturation(&h.c, 0.3f);
        hni_canvas_hue(&h.c, 0.3f);
        hni_canvas_grayscale(&h.c);
        int same = memcmp(h.c.pixels, before.c.pixels, (size_t)hni_canvas_bytes(&h.c)) == 0;
        ck_assert_int_eq(same, channels != 3);
        let_go(&h);
        let_go(&before);
    }
}
END_TEST

START_TEST(images_of_a_few_pixels)
{
    for (int64_t height = 1; height <= 3; ++height)
        for (int64_t width = 1; width <= 3; ++width)
            for (int64_t channels = 1; channels <= 4; ++channels) {
                struct held h = hold(NULL, height, width, channels);
                for (size_t f = 0; f < sizeof factors / sizeof *factors; ++f)
                    factors[f](&h.c, 1.7f);
                hni_canvas_hue(&h.c, -0.5f);
                hni_canvas_autocontrast(&h.c);
                hni_canvas_equalize(&h.c);
                hni_canvas_posterize(&h.c, 0);
                for (int64_t i = 0; i < hni_canvas_bytes(&h.c); ++i)
                    ck_assert_int_eq(h.c.pixels[i], 0);
                hni_canvas_shear_x(&h.c, 0.3, 9);
                hni_canvas_shear_y(&h.c, -0.3, 9);
                hni_canvas_rotate(&h.c, 30, 9);
                hni_canvas_translate(&h.c, 5, -5, 9);
                for (int64_t i = 0; i < hni_canvas_bytes(&h.c); ++i)
                    ck_assert_int_eq(h.c.pixels[i], 9);
                hni_canvas_blur(&h.c, 1, 2);
                ck_assert_int_eq(h.c.pixels[0], 9);
                hni_canvas_cutout(&h.c, height - 1, width - 1, 16);
                for (int64_t i = 0; i < hni_canvas_bytes(&h.c); ++i)
                    ck_assert_int_eq(h.c.pixels[i], 0);
                let_go(&h);
            }
}
END_TEST

START_TEST(cutout_is_a_square_cut_at_the_edges)
{
    static const int64_t places[][3] = {{10, 10, 6}, {0, 0, 8}, {20, 25, 8}, {3, 24, 7}, {10, 10, 100}, {5, 5, 1}};
    for (size_t p = 0; p < sizeof places / sizeof *places; ++p) {
        struct held h = hold(NULL, H, W, 3), before = hold(NULL, H, W, 3);
        int64_t cy = places[p][0], cx = places[p][1], half = places[p][2] / 2;
        hni_canvas_cutout(&h.c, cy, cx, places[p][2]);
        for (int64_t y = 0; y < H; ++y)
            for (int64_t x = 0; x < W; ++x) {
                int inside = y >= cy - half && y < cy + half && x >= cx - half && x < cx + half;
                for (int64_t c = 0; c < 3; ++c) {
                    int64_t at = (y * W + x) * 3 + c;
                    ck_assert_int_eq(h.c.pixels[at], inside ? 0 : before.c.pixels[at]);
                }
            }
        let_go(&h);
        let_go(&before);
    }
}
END_TEST

/* Gaussian blur in doubles, with both weights at once. */
START_TEST(blur_is_a_weighted_mean)
{
    static const float sigmas[] = {0.1f, 0.7f, 2, 50};
    for (int64_t channels = 1; channels <= 4; ++channels)
        for (int64_t kernel = 1; kernel <= MAX_KERNEL; kernel += 10)
            for (size_t s = 0; s < sizeof sigmas / sizeof *sigmas; ++s) {
                struct held h = hold(NULL, H, W, channels), in = hold(NULL, H, W, channels);
                int64_t half = kernel / 2;
                hni_canvas_blur(&h.c, kernel, sigmas[s]);
                for (int64_t i = 0; i < hni_canvas_bytes(&h.c); ++i) {
                    int64_t c = i % channels, x = i / channels % W, y = i / channels / W;
                    double sum = 0, weights = 0;
                    for (int64_t dy = -half; dy <= half; ++dy)
                        for (int64_t dx = -half; dx <= half; ++dx) {
                            int64_t sy = llabs(y + dy), sx = llabs(x + dx);
                            sy = sy < H ? sy : 2 * (H - 1) - sy;
                            sx = sx < W ? sx : 2 * (W - 1) - sx;
                            double w = exp(-(double)(dx * dx + dy * dy) / (2 * pow((double)sigmas[s], 2)));
                            weights += w;
                            sum += w * in.c.pixels[(sy * W + sx) * channels + c];
                        }
                    ck_assert(fabs(h.c.pixels[i] - sum / weights) <= 0.51);
                }
                let_go(&h);
                let_go(&in);
            }
}
END_TEST

/* ---- golden: Pillow, torchvision ---------------------------------------------------------------------------------------- */

static hn_context *context;
static hn_safetensors *file;

static void open_golden(void)
{
    context = hnt_context(1);
    file = hnt_golden_open(context, "augment");
}

static void close_golden(void)
{
    hn_safetensors_close(file);
    hn_context_destroy(context);
}

static const uint8_t *bytes(const char *name, int64_t count)
{
    return hn_tensor_cdata(hnt_golden(file, name, HN_U8, count));
}

/* No value further than `levels` from the golden one; lets the canvas go. */
static void compare(struct held *h, const char *name, int number, int levels)
{
    char full[64];
    snprintf(full, sizeof full, number < 0 ? "%s" : "%s.%d", name, number);
    int64_t n = hni_canvas_bytes(&h->c);
    const uint8_t *want = bytes(full, n);
    for (int64_t i = 0; i < n; ++i)
        ck_assert_msg(abs(h->c.pixels[i] - want[i]) <= levels, "%s: value %d is %d, want %d", full, (int)i,
                      h->c.pixels[i], want[i]);
    let_go(h);
}

START_TEST(enhancements)
{
    static const char *const names[] = {"brightness", "contrast", "saturation", "sharpness"};
    open_golden();
    const float *factor = hnt_golden_f(file, "factors", 9);
    for (int i = 0; i < 9; ++i)
        for (int f = 0; f < 4; ++f) {
            struct held h = hold(bytes("small", H * W * 3), H, W, 3);
            factors[f](&h.c, factor[i]);
            compare(&h, names[f], i, 0);
            if (f == 2) /* of grey images there is no saturation */
                continue;
            char name[32];
            snprintf(name, sizeof name, "gray.%s", names[f]);
            h = hold(bytes("gray", H * W), H, W, 1);
            factors[f](&h.c, factor[i]);
            compare(&h, name, i, 0);
        }
    struct held h = hold(bytes("small", H * W * 3), H, W, 3);
    hni_canvas_grayscale(&h.c);
    compare(&h, "grayscale", -1, 0);
    close_golden();
}
END_TEST

START_TEST(hues)
{
    open_golden();
    const float *turns = hnt_golden_f(file, "turns", 8);
    int64_t n = hn_tensor_count(hnt_golden(file, "cube", HN_U8, -1));
    for (int i = 0; i < 8; ++i) {
        struct held h = hold(bytes("cube", n), n / 54, 18, 3);
        hni_canvas_hue(&h.c, turns[i]);
        compare(&h, "hue", i, 0);
    }
    close_golden();
}
END_TEST

START_TEST(blurs)
{
    open_golden();
    const float *blur = hnt_golden_f(file, "blurs", 8);
    for (int i = 0; i < 4; ++i) {
        struct held h = hold(bytes("small", H * W * 3), H, W, 3);
        hni_canvas_blur(&h.c, (int64_t)blur[2 * i], blur[2 * i + 1]);
        compare(&h, "blur", i, 1);
    }
    close_golden();
}
END_TEST

static Suite *canvas_suite(void)
{
    Suite *suite = suite_create("canvas");
    TCase *unit = hnt_case(suite, "unit");
    tcase_add_test(unit, a_factor_of_one_changes_nothing);
    tcase_add_test(unit, colours_need_three_channels);
    tcase_add_test(unit, images_of_a_few_pixels);
    tcase_add_test(unit, cutout_is_a_square_cut_at_the_edges);
    tcase_add_test(unit, blur_is_a_weighted_mean);
    TCase *golden = hnt_case(suite, "golden");
    tcase_add_test(golden, enhancements);
    tcase_add_test(golden, hues);
    tcase_add_test(golden, blurs);
    return suite;
}

HNT_MAIN(canvas_suite)
