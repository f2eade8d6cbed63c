/* Augmentation: crops, mirrors, grey, sizes; options; torchvision's centre crops. Its frequencies are in
 * test_augment_draws.c.                                                                                               */
#include "augment_case.h"
#include "golden.h"

#include "data/augment.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { H = 6, W = 5, IMAGE = H * W * 3 };

static const hn_image_shape shape = {H, W, 3};

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
    hn_rng rng = hnt_stream(0);
    hnt_random_pixels(pixels, IMAGE);
    pixels[0] = 0;
    pixels[1] = 255;
    hnt_ok(hn_augment_image(NULL, &shape, pixels, &rng, out, NULL));
    for (int i = 0; i < IMAGE; ++i)
        ck_assert(out[i] == (float)pixels[i] / 255.0f);
    hn_augment_options o = hnt_augmentation(0, 0, 0);
    for (int c = 0; c < 3; ++c) {
        o.mean[c] = 0.4f + 0.1f * (float)c;
        o.std[c] = 0.2f + 0.05f * (float)c;
    }
    hnt_ok(hn_augment_image(&o, &shape, pixels, &rng, normal, NULL));
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
    hn_augment_options o = hnt_augmentation(0, 0, 1);
    for (size_t i = 0; i < sizeof want / sizeof *want; ++i) {
        float out[3];
        hn_rng rng = hnt_stream(i);
        hnt_ok(hn_augment_image(&o, &one, want[i], &rng, out, NULL));
        for (int c = 0; c < 3; ++c)
            ck_assert(out[c] == (float)want[i][3] / 255.0f);
    }
}
END_TEST

START_TEST(other_channel_counts)
{
    uint8_t pixels[H * W * 4];
    float out[H * W * 4];
    hn_augment_options o = hnt_augmentation(0, 1, 1); /* grayscale: nothing to do without 3 channels */
    hnt_random_pixels(pixels, H * W * 4);
    for (int32_t channels = 1; channels <= 4; ++channels) {
        if (channels == 3)
            continue;
        const hn_image_shape s = {H, W, channels};
        int mirrored = 0;
        for (uint64_t i = 0; i < 20; ++i) {
            hn_rng rng = hnt_stream(i);
            hnt_ok(hn_augment_image(&o, &s, pixels, &rng, out, NULL));
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
    hn_rng rng = hnt_stream(0);
    hn_augment_options o = hnt_augmentation(0, 0, 0);
#define REFUSED(text)                                                                     \
    do {                                                                                  \
        hnt_fails(hn_augment_check(&o, &shape), HN_E_ARG, text);                          \
        hnt_fails(hn_augment_image(&o, &shape, pixels, &rng, out, NULL), HN_E_ARG, text); \
        o = hnt_augmentation(0, 0, 0);                                                    \
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
    o.height = 5;
    REFUSED("the output is 5x0");
    o.height = o.width = 5000;
    REFUSED("5000x5000");
    o.height = o.width = 4;
    o.crop_padding = 5;
    REFUSED("crop_padding is 5; it must be in [0, 4]");
    o.resize_shorter = 5;
    REFUSED("resize_shorter is 5");
    o.resize_shorter = 8;
    o.resized_crop = 1;
    REFUSED("exclude each other");
    o.scale_min = 0;
    REFUSED("scale_min and scale_max are 0 and 1");
    o.scale_max = 1.5f;
    REFUSED("scale_max");
    o.ratio_min = 2;
    REFUSED("ratio_min");
    o.ratio_max = NAN;
    REFUSED("ratio_max");
    o.jitter = 2;
    REFUSED("jitter is 2");
    o.brightness = -1;
    REFUSED("brightness is -1");
    o.contrast = INFINITY;
    REFUSED("contrast is inf");
    o.saturation = NAN;
    REFUSED("saturation is nan");
    o.hue = 0.6f;
    REFUSED("hue is 0.6");
    o.blur = -0.5f;
    REFUSED("blur is -0.5");
    o.blur_sigma_min = 3;
    REFUSED("blur_sigma_min and blur_sigma_max are 3 and 2");
    o.blur_kernel = 4;
    REFUSED("blur_kernel is 4");
    o.blur_kernel = 11;
    REFUSED("blur_kernel is 11; it must be 0, or odd and below 10");
    o.policy = 3;
    REFUSED("policy is 3");
    o.randaugment_ops = 17;
    REFUSED("randaugment_ops is 17");
    o.randaugment_level = 31;
    REFUSED("randaugment_level is 31");
    o.fill = 256;
    REFUSED("fill is 256");
    o.cutout = -1;
    REFUSED("cutout is -1");
#undef REFUSED
    ck_assert(out[0] == 7);
    o.std[3] = 0; /* of a channel that is not there */
    hnt_ok(hn_augment_check(&o, &shape));
    hn_image_shape five = {H, W, 5}, empty = {0, W, 3};
    hnt_fails(hn_augment_check(NULL, &five), HN_E_ARG, "6x5x5");
    hnt_fails(hn_augment_check(NULL, &empty), HN_E_ARG, "0x5x3");
    hnt_fails(hn_augment_check(NULL, NULL), HN_E_ARG, "shape is NULL");
    hnt_fails(hn_augment_image(NULL, &shape, NULL, &rng, out, NULL), HN_E_ARG, "pixels is NULL");
    hnt_fails(hn_augment_image(NULL, &shape, pixels, NULL, out, NULL), HN_E_ARG, "rng is NULL");
    hnt_fails(hn_augment_image(NULL, &shape, pixels, &rng, NULL, NULL), HN_E_ARG, "out is NULL");
}
END_TEST

/* Every result is one of the possible outcomes, each about as often as it should be: 2000 draws, 5 standard deviations. */
START_TEST(outcomes_and_their_frequencies)
{
    enum { DRAWS = 2000 };
    uint8_t pixels[IMAGE];
    float out[IMAGE];
    int tops[5] = {0}, lefts[5] = {0}, mirrors = 0, greys = 0;
    hn_augment_options o = hnt_augmentation(2, 1, 0.2f);
    for (int c = 0; c < 3; ++c) {
        o.mean[c] = 0.5f;
        o.std[c] = 0.25f;
    }
    hnt_random_pixels(pixels, IMAGE);
    for (uint64_t i = 0; i < DRAWS; ++i) {
        hn_rng rng = hnt_stream(i), before = rng;
        hnt_ok(hn_augment_image(&o, &shape, pixels, &rng, out, NULL));
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
    hnt_random_pixels(pixels, IMAGE);
    hn_augment_options all = hnt_augmentation(2, 1, 0.5f);
    for (uint64_t i = 0; i < 200; ++i) {
        hn_rng rng = hnt_stream(i);
        hnt_ok(hn_augment_image(&all, &shape, pixels, &rng, out, NULL));
        struct outcome full = identify(&all, pixels, out), found;
        for (int off = 0; off < 3; ++off) {
            hn_augment_options o = hnt_augmentation(off == 0 ? 0 : 2, off != 1, off == 2 ? 0 : 0.5f);
            hnt_ok(hn_augment_image(&o, &shape, pixels, &rng, out, NULL));
            found = identify(&o, pixels, out);
            ck_assert_int_eq(found.top, off == 0 ? 0 : full.top);
            ck_assert_int_eq(found.left, off == 0 ? 0 : full.left);
            ck_assert_int_eq(found.mirror, off == 1 ? 0 : full.mirror);
            ck_assert_int_eq(found.grey, off == 2 ? 0 : full.grey);
        }
    }
}
END_TEST

/* ---- sizes ------------------------------------------------------------------------------------------------------- */

START_TEST(output_and_scratch)
{
    static const hn_image_shape any = {0, 0, 3}, half = {0, 5, 3};
    uint8_t pixels[IMAGE] = {0};
    float out[8 * 9 * 3] = {7};
    hn_rng rng = hnt_stream(0);
    hn_augment_options o = hnt_augmentation(2, 1, 0.2f);
    hn_image_shape output = {1, 1, 1};
    size_t bytes = 1;
    hnt_ok(hn_augment_output(&o, &shape, &output));
    ck_assert(output.height == H && output.width == W && output.channels == 3);
    hnt_ok(hn_augment_scratch(&o, &shape, &bytes));
    ck_assert_uint_eq(bytes, 0);
    hnt_fails(hn_augment_check(&o, &any), HN_E_ARG, "the images differ in size");
    o.height = 8;
    o.width = 9;
    hnt_ok(hn_augment_check(&o, &any));
    hnt_fails(hn_augment_check(&o, &half), HN_E_ARG, "0x5x3");
    hnt_ok(hn_augment_output(&o, &any, &output));
    ck_assert(output.height == 8 && output.width == 9 && output.channels == 3);
    hnt_fails(hn_augment_output(&o, &shape, NULL), HN_E_ARG, "output is NULL");
    hnt_fails(hn_augment_scratch(&o, &any, &bytes), HN_E_ARG, "0x0x3");
    hnt_fails(hn_augment_scratch(&o, &shape, NULL), HN_E_ARG, "bytes is NULL");
    hnt_ok(hn_augment_scratch(&o, &shape, &bytes));
    ck_assert_uint_gt(bytes, 8 * 9 * 3);
    hnt_fails(hn_augment_image(&o, &shape, pixels, &rng, out, NULL), HN_E_WORKSPACE,
              "hn_augment_image: these options need");
    hn_scratch scratch = hnt_scratch(bytes + 64), less = {scratch.data, bytes - 1},
               crooked = {(char *)scratch.data + 8, bytes}, none = {NULL, bytes};
    hnt_fails(hn_augment_image(&o, &shape, pixels, &rng, out, &less), HN_E_WORKSPACE, "bytes of scratch");
    hnt_fails(hn_augment_image(&o, &shape, pixels, &rng, out, &crooked), HN_E_WORKSPACE, "not aligned");
    hnt_fails(hn_augment_image(&o, &shape, pixels, &rng, out, &none), HN_E_WORKSPACE, "was lent 0");
    ck_assert(out[0] == 7);
    hnt_ok(hn_augment_image(&o, &shape, pixels, &rng, out, &scratch));
    ck_assert(out[0] == 0);
    free(scratch.data);
}
END_TEST

/* A cut-out part is an image of its own: what lies beyond it does not count. */
START_TEST(a_crop_is_resized_by_itself)
{
    static const hn_image_shape s = {23, 31, 3};
    static uint8_t pixels[23 * 31 * 3], part[23 * 31 * 3], want[8 * 9 * 3];
    float out[8 * 9 * 3];
    hn_augment_options o = hnt_augmentation(0, 0, 0);
    o.height = 8;
    o.width = 9;
    o.resized_crop = 1;
    hnt_random_pixels(pixels, sizeof pixels);
    for (uint64_t i = 0; i < 200; ++i) {
        hni_augment a;
        hni_choice choice;
        hn_rng rng = hnt_stream(i);
        hnt_ok(hni_augment_plan(&a, &o, &s, "f"));
        hni_augment_draw(&a, s.height, s.width, 3, &rng, &choice);
        int top = (int)choice.crop.top, left = (int)choice.crop.left;
        int height = (int)choice.crop.bottom - top, width = (int)choice.crop.right - left;
        for (int y = 0; y < height; ++y)
            memcpy(part + y * width * 3, pixels + ((top + y) * s.width + left) * 3, (size_t)width * 3);
        const hni_box all = {0, 0, height, width};
        hn_scratch scratch = hnt_scratch(hni_resample_scratch(height, width, 3, 8, 9));
        hni_resample(part, width * 3, height, width, 3, &all, want, 8, 9, false, scratch.data);
        free(scratch.data);
        hnt_augment(&o, &s, pixels, i, out);
        for (int k = 0; k < 8 * 9 * 3; ++k)
            ck_assert(out[k] == (float)want[k] / 255.0f);
    }
}
END_TEST

/* What is enlarged or stays is decoded whole; else both sides of the crop keep the output's pixels. */
START_TEST(how_far_an_image_may_shrink)
{
    static const struct {
        double height, width;
        int32_t shrink;
    } cases[] = {{10, 20, 1}, {19, 40, 1},  {20, 40, 2},  {39, 1000, 2},
                 {40, 80, 4}, {80, 159, 4}, {80, 160, 8}, {900, 900, 8}};
    static const hn_image_shape any = {0, 0, 3};
    hni_augment a;
    hn_augment_options o = hnt_augmentation(0, 0, 0);
    o.height = 10;
    o.width = 20;
    hnt_ok(hni_augment_plan(&a, &o, &any, "f"));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        const hni_choice choice = {.crop = {5, 7, 5 + cases[i].height, 7 + cases[i].width}};
        ck_assert_int_eq(hni_augment_shrink(&a, &choice), cases[i].shrink);
    }
}
END_TEST

/* Images too long for any of the ten attempts give their middle. */
START_TEST(central_part_of_extreme_images)
{
    hn_augment_options o = hnt_augmentation(0, 0, 0);
    static const int32_t cases[][6] = {/* height, width; top, left, bottom, right */
                                       {10, 1000, 0, 493, 10, 506},
                                       {1000, 10, 493, 0, 506, 10},
                                       {1, 1, 0, 0, 1, 1},
                                       {1, 200, 0, 99, 1, 100}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i)
        for (uint64_t k = 0; k < 50; ++k) {
            hn_rng rng = hnt_stream(k);
            hni_box b = hni_crop_random(&o, cases[i][0], cases[i][1], &rng);
            ck_assert_int_eq((int)b.top, cases[i][2]);
            ck_assert_int_eq((int)b.left, cases[i][3]);
            ck_assert_int_eq((int)b.bottom, cases[i][4]);
            ck_assert_int_eq((int)b.right, cases[i][5]);
        }
}
END_TEST

/* ---- golden ------------------------------------------------------------------------------------------------------ */

static void compare_centre(const hn_safetensors *file, const char *name, const uint8_t *pixels, hn_image_shape s,
                           int32_t shorter, int32_t height, int32_t width)
{
    hn_augment_options o = hnt_augmentation(0, 0, 0);
    float *out = hnt_alloc((size_t)(height * width * 3) * sizeof *out);
    const uint8_t *want = hn_tensor_cdata(hnt_golden(file, name, HN_U8, height * width * 3));
    o.resize_shorter = shorter;
    o.height = height;
    o.width = width;
    hnt_augment(&o, &s, pixels, 0, out);
    for (int i = 0; i < height * width * 3; ++i)
        ck_assert_msg(out[i] == (float)want[i] / 255.0f, "%s: value %d is %g, want %d", name, i, (double)(out[i] * 255),
                      want[i]);
    free(out);
}

/* torchvision's Resize and CenterCrop. */
START_TEST(centre_crops_for_evaluation)
{
    static const hn_image_shape wide = {61, 83, 3}, tall = {83, 61, 3};
    static uint8_t turned[61 * 83 * 3];
    hn_context *context = hnt_context(1);
    hn_safetensors *file = hnt_golden_open(context, "augment");
    const uint8_t *pixels = hn_tensor_cdata(hnt_golden(file, "source.3", HN_U8, 61 * 83 * 3));
    compare_centre(file, "centre.0", pixels, wide, 40, 32, 32);
    compare_centre(file, "centre.1", pixels, wide, 61, 61, 61);
    compare_centre(file, "centre.2", pixels, wide, 100, 64, 90);
    for (int y = 0; y < 61; ++y)
        for (int x = 0; x < 83; ++x)
            memcpy(turned + (x * 61 + y) * 3, pixels + (y * 83 + x) * 3, 3);
    compare_centre(file, "centre.tall", turned, tall, 40, 32, 32);
    hn_safetensors_close(file);
    hn_context_destroy(context);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("augment");
    TCase *unit = hnt_case(s, "unit"), *property = hnt_case(s, "property");
    tcase_add_test(unit, defaults_scale_to_one);
    tcase_add_test(unit, known_luma);
    tcase_add_test(unit, other_channel_counts);
    tcase_add_test(unit, wrong_options);
    tcase_add_test(unit, output_and_scratch);
    tcase_add_test(unit, a_crop_is_resized_by_itself);
    tcase_add_test(unit, how_far_an_image_may_shrink);
    tcase_add_test(unit, central_part_of_extreme_images);
    tcase_add_test(property, outcomes_and_their_frequencies);
    tcase_add_test(property, changes_are_independent);
    tcase_add_test(hnt_case(s, "golden"), centre_crops_for_evaluation);
    return s;
}

HNT_MAIN(suite)
