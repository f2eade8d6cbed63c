#include "support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { H = 6, W = 5, IMAGE = H * W * 3 };

static const hn_image_shape shape = {H, W, 3};

static hn_augment_options options(int32_t padding, int32_t flip, float grayscale)
{
    hn_augment_options o;
    hn_augment_options_init(&o, sizeof o);
    o.crop_padding = padding;
    o.flip = flip;
    o.grayscale = grayscale;
    return o;
}

static void random_pixels(uint8_t *pixels, int n)
{
    hn_rng rng;
    hn_rng_seed(&rng, 3, 1);
    for (int i = 0; i < n; ++i)
        pixels[i] = (uint8_t)(1 + hn_rng_below(&rng, 255)); /* no zeros: those are the padding's */
}

static hn_rng stream(uint64_t i)
{
    hn_rng rng;
    hn_rng_seed(&rng, 11, i);
    return rng;
}

/* The reference: pads, crops at (top, left) of the padded image, mirrors, takes the luma, scales; step after step. */
static void reference(const hn_augment_options *o, const uint8_t *pixels, int top, int left, int mirror, int grey,
                      double out[H][W][3])
{
    int pad = o->crop_padding;
    for (int y = 0; y < H; ++y)
        for (int x = 0; x < W; ++x) {
            int sy = y + top - pad, sx = (mirror ? W - 1 - x : x) + left - pad;
            int inside = sy >= 0 && sy < H && sx >= 0 && sx < W;
            double rgb[3];
            for (int c = 0; c < 3; ++c)
                rgb[c] = inside ? pixels[(sy * W + sx) * 3 + c] : 0;
            if (grey) { /* Pillow's integers, so that rounding to a byte is its own */
                double luma = floor((19595 * rgb[0] + 38470 * rgb[1] + 7471 * rgb[2] + 32768) / 65536);
                rgb[0] = rgb[1] = rgb[2] = luma;
            }
            for (int c = 0; c < 3; ++c)
                out[y][x][c] = (rgb[c] / 255 - (double)o->mean[c]) / (double)o->std[c];
        }
}

/* Which of all possible outcomes an image is: (top, left, mirror, grey), or a failure. */
struct outcome {
    int top, left, mirror, grey;
};

static struct outcome identify(const hn_augment_options *o, const uint8_t *pixels, const float *got)
{
    int places = 2 * o->crop_padding + 1, found = 0;
    struct outcome result = {0, 0, 0, 0};
    for (int top = 0; top < places; ++top)
        for (int left = 0; left < places; ++left)
            for (int mirror = 0; mirror < 2; ++mirror)
                for (int grey = 0; grey < 2; ++grey) {
                    double want[H][W][3], worst = 0;
                    reference(o, pixels, top, left, mirror, grey, want);
                    for (int i = 0; i < IMAGE; ++i)
                        worst = fmax(worst, fabs((double)got[i] - (&want[0][0][0])[i]));
                    if (worst < 1e-5) {
                        result = (struct outcome){top, left, mirror, grey};
                        ++found;
                    }
                }
    ck_assert_int_eq(found, 1);
    return result;
}

START_TEST(defaults_scale_to_one)
{
    uint8_t pixels[IMAGE];
    float out[IMAGE], normal[IMAGE];
    hn_rng rng = stream(0);
    random_pixels(pixels, IMAGE);
    pixels[0] = 0;
    pixels[1] = 255;
    hnt_ok(hn_augment_apply(NULL, &shape, pixels, &rng, out));
    for (int i = 0; i < IMAGE; ++i)
        ck_assert(out[i] == (float)pixels[i] / 255.0f);
    hn_augment_options o = options(0, 0, 0);
    for (int c = 0; c < 3; ++c) {
        o.mean[c] = 0.4f + 0.1f * (float)c;
        o.std[c] = 0.2f + 0.05f * (float)c;
    }
    hnt_ok(hn_augment_apply(&o, &shape, pixels, &rng, normal));
    for (int i = 0; i < IMAGE; ++i) /* torchvision's ToTensor and Normalize, in their floats */
        ck_assert(normal[i] == ((float)pixels[i] / 255.0f - o.mean[i % 3]) / o.std[i % 3]);
}
END_TEST

START_TEST(known_luma)
{
    static const hn_image_shape one = {1, 1, 3};
    /* pixel and what Pillow's Image.convert("L") makes of it */
    static const uint8_t want[][4] = {{255, 0, 0, 76}, {0, 255, 0, 150}, {0, 0, 255, 29},    {255, 255, 255, 255},
                                      {0, 0, 0, 0},    {10, 20, 30, 18}, {200, 100, 50, 124}};
    hn_augment_options o = options(0, 0, 1);
    for (size_t i = 0; i < sizeof want / sizeof *want; ++i) {
        float out[3];
        hn_rng rng = stream(i);
        hnt_ok(hn_augment_apply(&o, &one, want[i], &rng, out));
        for (int c = 0; c < 3; ++c)
            ck_assert(out[c] == (float)want[i][3] / 255.0f);
    }
}
END_TEST

START_TEST(other_channel_counts)
{
    uint8_t pixels[H * W * 4];
    float out[H * W * 4];
    hn_augment_options o = options(0, 1, 1); /* grayscale: nothing to do without 3 channels */
    random_pixels(pixels, H * W * 4);
    for (int32_t channels = 1; channels <= 4; ++channels) {
        if (channels == 3)
            continue;
        const hn_image_shape s = {H, W, channels};
        int mirrored = 0;
        for (uint64_t i = 0; i < 20; ++i) {
            hn_rng rng = stream(i);
            hnt_ok(hn_augment_apply(&o, &s, pixels, &rng, out));
            int mirror = out[0] != (float)pixels[0] / 255.0f;
            mirrored += mirror;
            for (int y = 0; y < H; ++y)
                for (int x = 0; x < W; ++x)
                    for (int c = 0; c < channels; ++c)
                        ck_assert(out[(y * W + x) * channels + c] ==
                                  (float)pixels[(y * W + (mirror ? W - 1 - x : x)) * channels + c] / 255.0f);
        }
        ck_assert(mirrored > 2 && mirrored < 18);
    }
}
END_TEST

START_TEST(wrong_options)
{
    uint8_t pixels[IMAGE] = {0};
    float out[IMAGE];
    hn_rng rng = stream(0);
    hn_augment_options o = options(0, 0, 0);
#define REFUSED(text)                                                               \
    do {                                                                            \
        hnt_fails(hn_augment_check(&o, &shape), HN_E_ARG, text);                    \
        hnt_fails(hn_augment_apply(&o, &shape, pixels, &rng, out), HN_E_ARG, text); \
        o = options(0, 0, 0);                                                       \
    } while (0)
    out[0] = 7;
    o.crop_padding = -1;
    REFUSED("crop_padding is -1");
    o.crop_padding = 6; /* more than the width */
    REFUSED("crop_padding is 6; it must be in [0, 5]");
    o.grayscale = 1.5f;
    REFUSED("grayscale is 1.5");
    o.grayscale = -0.1f;
    REFUSED("grayscale");
    o.grayscale = NAN;
    REFUSED("grayscale is nan");
    o.mean[1] = INFINITY;
    REFUSED("mean[1] is inf");
    o.std[2] = 0;
    REFUSED("std[2] is 0");
    o.std[0] = -1;
    REFUSED("std[0]");
    o.std[0] = NAN;
    REFUSED("std[0] is nan");
    o.struct_size = 0;
    REFUSED("struct_size");
#undef REFUSED
    ck_assert(out[0] == 7);
    o.std[3] = 0; /* of a channel that is not there */
    hnt_ok(hn_augment_check(&o, &shape));
    hn_image_shape five = {H, W, 5}, empty = {0, W, 3};
    hnt_fails(hn_augment_check(NULL, &five), HN_E_ARG, "6x5x5");
    hnt_fails(hn_augment_check(NULL, &empty), HN_E_ARG, "0x5x3");
    hnt_fails(hn_augment_check(NULL, NULL), HN_E_ARG, "shape is NULL");
    hnt_fails(hn_augment_apply(NULL, &shape, NULL, &rng, out), HN_E_ARG, "pixels is NULL");
    hnt_fails(hn_augment_apply(NULL, &shape, pixels, NULL, out), HN_E_ARG, "rng is NULL");
    hnt_fails(hn_augment_apply(NULL, &shape, pixels, &rng, NULL), HN_E_ARG, "out is NULL");
}
END_TEST

/* Every result is one of the possible outcomes, each about as often as it should be: 2000 draws, 5 standard deviations. */
START_TEST(outcomes_and_their_frequencies)
{
    enum { DRAWS = 2000 };
    uint8_t pixels[IMAGE];
    float out[IMAGE];
    int tops[5] = {0}, lefts[5] = {0}, mirrors = 0, greys = 0;
    hn_augment_options o = options(2, 1, 0.2f);
    for (int c = 0; c < 3; ++c) {
        o.mean[c] = 0.5f;
        o.std[c] = 0.25f;
    }
    random_pixels(pixels, IMAGE);
    for (uint64_t i = 0; i < DRAWS; ++i) {
        hn_rng rng = stream(i), before = rng;
        hnt_ok(hn_augment_apply(&o, &shape, pixels, &rng, out));
        ck_assert_mem_eq(&rng, &before, sizeof rng); /* a copy is drawn from */
        struct outcome found = identify(&o, pixels, out);
        tops[found.top]++;
        lefts[found.left]++;
        mirrors += found.mirror;
        greys += found.grey;
    }
    for (int k = 0; k < 5; ++k) {
        ck_assert(abs(tops[k] - DRAWS / 5) < 90);
        ck_assert(abs(lefts[k] - DRAWS / 5) < 90);
    }
    ck_assert(abs(mirrors - DRAWS / 2) < 112);
    ck_assert(abs(greys - DRAWS / 5) < 90);
}
END_TEST

/* Turning one kind of change off leaves what the others do to an image as it was. */
START_TEST(changes_are_independent)
{
    uint8_t pixels[IMAGE];
    float out[IMAGE];
    random_pixels(pixels, IMAGE);
    hn_augment_options all = options(2, 1, 0.5f);
    for (uint64_t i = 0; i < 200; ++i) {
        hn_rng rng = stream(i);
        hnt_ok(hn_augment_apply(&all, &shape, pixels, &rng, out));
        struct outcome full = identify(&all, pixels, out), found;
        for (int off = 0; off < 3; ++off) {
            hn_augment_options o = options(off == 0 ? 0 : 2, off != 1, off == 2 ? 0 : 0.5f);
            hnt_ok(hn_augment_apply(&o, &shape, pixels, &rng, out));
            found = identify(&o, pixels, out);
            ck_assert_int_eq(found.top, off == 0 ? 0 : full.top);
            ck_assert_int_eq(found.left, off == 0 ? 0 : full.left);
            ck_assert_int_eq(found.mirror, off == 1 ? 0 : full.mirror);
            ck_assert_int_eq(found.grey, off == 2 ? 0 : full.grey);
        }
    }
}
END_TEST

static Suite *augment_suite(void)
{
    Suite *suite = suite_create("augment");
    TCase *unit = hnt_case(suite, "unit");
    tcase_add_test(unit, defaults_scale_to_one);
    tcase_add_test(unit, known_luma);
    tcase_add_test(unit, other_channel_counts);
    tcase_add_test(unit, wrong_options);
    TCase *property = hnt_case(suite, "property");
    tcase_add_test(property, outcomes_and_their_frequencies);
    tcase_add_test(property, changes_are_independent);
    return suite;
}

HNT_MAIN(augment_suite)
