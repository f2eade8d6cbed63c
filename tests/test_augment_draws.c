/* What augmentation draws: how often, how much, in which order, and what depends on what. */
#include "augment_case.h"

#include "data/augment.h"
#include "data/canvas.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Mean and largest distance from it that chance explains: 5 standard errors. */
struct sample {
    double sum, squares;
    int64_t n;
};

static void put(struct sample *s, double x)
{
    s->sum += x;
    s->squares += x * x;
    s->n++;
}

static void mean_is(const struct sample *s, double want, const char *what)
{
    double mean = s->sum / (double)s->n, variance = s->squares / (double)s->n - mean * mean;
    double bound = 5 * sqrt(fmax(variance, 0) / (double)s->n);
    ck_assert_msg(fabs(mean - want) <= bound, "%s: mean %g, want %g +- %g", what, mean, want, bound);
}

static double mean_of_squares(double low, double high)
{
    return (low * low + low * high + high * high) / 3;
}

/* In an image so large against its crops that each first attempt fits: area uniform, ratio uniform in the logarithm,
 * place uniform.                                                                                                        */
static void crops_are(const hn_augment_options *o)
{
    enum { SIDE = 1000 };
    const double smallest = (double)o->scale_min, largest = (double)o->scale_max;
    const double tall = log((double)o->ratio_min), wide = log((double)o->ratio_max);
    struct sample area = {0}, area2 = {0}, ratio = {0}, ratio2 = {0}, top = {0}, left = {0};
    for (uint64_t i = 0; i < 20000; ++i) {
        hn_rng rng = hnt_stream(i);
        hni_box b = hni_crop_random(o, SIDE, SIDE, &rng);
        double height = b.bottom - b.top, width = b.right - b.left, a = height * width / (SIDE * SIDE),
               r = log(width / height);
        hnt_check(b.top >= 0 && b.left >= 0 && b.bottom <= SIDE && b.right <= SIDE, "crop %d leaves the image", (int)i);
        hnt_check(a > smallest - 0.001 && a < largest + 0.001 && r > tall - 0.01 && r < wide + 0.01,
                  "crop %d: %g of the area, log of the ratio %g", (int)i, a, r);
        put(&area, a);
        put(&area2, a * a);
        put(&ratio, r);
        put(&ratio2, r * r);
        put(&top, b.top / (SIDE - height));
        put(&left, b.left / (SIDE - width));
    }
    mean_is(&area, (smallest + largest) / 2, "area");
    mean_is(&area2, mean_of_squares(smallest, largest), "area squared");
    mean_is(&ratio, (tall + wide) / 2, "log of the ratio");
    mean_is(&ratio2, mean_of_squares(tall, wide), "its square");
    mean_is(&top, 0.5, "top");
    mean_is(&left, 0.5, "left");
}

START_TEST(crops_are_distributed_as_they_should)
{
    hn_augment_options o = hnt_augmentation(0, 0, 0);
    o.scale_max = 0.7f;
    ck_assert(o.scale_min == 0.08f && o.ratio_min == 0.75f && fabsf(o.ratio_max - 4.0f / 3.0f) < 1e-6f);
    crops_are(&o);
    o.scale_min = 0.2f; /* never wider than tall, and none as tall as the image */
    o.scale_max = 0.48f;
    o.ratio_min = 0.5f;
    o.ratio_max = 1;
    crops_are(&o);
}
END_TEST

/* One grey level: only brightness can change it, by its factor. */
START_TEST(brightness_is_uniform_and_as_frequent_as_asked)
{
    static const hn_image_shape one = {1, 1, 3};
    static const uint8_t pixel[3] = {100, 100, 100};
    hn_augment_options o = hnt_augmentation(0, 0, 0);
    struct sample changed = {0}, level = {0}, square = {0};
    o.jitter = 0.8f;
    o.brightness = 0.4f;
    o.saturation = 0.5f; /* of grey there is none */
    o.hue = 0.5f;
    for (uint64_t i = 0; i < 20000; ++i) {
        float out[3];
        hnt_augment(&o, &one, pixel, i, out);
        int value = (int)lrintf(out[0] * 255);
        ck_assert(value >= 60 && value <= 140);
        put(&changed, value != 100);
        if (value != 100) {
            put(&level, value + 0.5); /* cut to whole levels */
            put(&square, pow((value + 0.5 - 100) / 40, 2));
        }
    }
    mean_is(&changed, 0.8 * (1 - 1.0 / 80), "how often");
    mean_is(&level, 100, "brightness");
    mean_is(&square, 1.0 / 3, "its variance");
}
END_TEST

START_TEST(blur_is_as_frequent_as_asked)
{
    static const hn_image_shape s = {12, 12, 1};
    uint8_t pixels[144];
    float out[144];
    struct sample blurred = {0};
    hn_augment_options o = hnt_augmentation(0, 0, 0);
    o.blur = 0.3f;
    o.blur_sigma_min = 0.5f;
    o.blur_kernel = 3;
    hnt_random_pixels(pixels, 144);
    for (uint64_t i = 0; i < 5000; ++i) {
        hnt_augment(&o, &s, pixels, i, out);
        int differ = 0;
        for (int k = 0; k < 144; ++k)
            differ += out[k] != (float)pixels[k] / 255.0f;
        put(&blurred, differ > 0);
    }
    mean_is(&blurred, 0.3, "blurred");
}
END_TEST

/* Which pixels are cut out, and where, does not depend on what else is on; nor does the mirror. */
START_TEST(new_changes_are_independent)
{
    static const hn_image_shape s = {20, 24, 3};
    enum { N = 20 * 24 * 3 };
    static uint8_t white[N], ramp[N];
    static float a[N], b[N];
    int64_t cut = 0;
    for (int i = 0; i < N; ++i) {
        white[i] = 255;
        ramp[i] = (uint8_t)(60 + i / 3 % 24 * 6);
    }
    for (uint64_t i = 0; i < 500; ++i) {
        hn_augment_options o = hnt_augmentation(0, 0, 0), all = hnt_augmentation(0, 1, 0.3f);
        o.cutout = all.cutout = 8;
        all.jitter = 0.8f;
        all.brightness = all.contrast = all.saturation = 0.4f;
        all.hue = 0.1f;
        all.blur = 0.5f;
        all.resized_crop = 1;
        hnt_augment(&o, &s, white, i, a);
        hnt_augment(&all, &s, white, i, b);
        for (int k = 0; k < N; ++k) {
            hnt_check((a[k] == 0) == (b[k] == 0), "image %d: value %d is %g and %g", (int)i, k, (double)a[k],
                      (double)b[k]);
            cut += a[k] == 0;
        }
        o = hnt_augmentation(0, 1, 0);
        all.cutout = 0;
        all.resized_crop = 0;
        hnt_augment(&o, &s, ramp, i, a);
        hnt_augment(&all, &s, ramp, i, b);
        ck_assert((a[0] < a[23 * 3]) == (b[0] < b[23 * 3]));
    }
    ck_assert_int_gt(cut, 500 * 4 * 4 * 3); /* the least that a corner leaves */
}
END_TEST

/* Of a square of two by two pixels, cut at the edges, the last is the centre: uniform over the image, each row and each
 * column reached.                                                                                                    */
START_TEST(cutouts_are_anywhere)
{
    static const hn_image_shape s = {20, 24, 1};
    enum { N = 20 * 24 };
    static uint8_t white[N];
    static float out[N];
    struct sample rows = {0}, rows2 = {0}, columns = {0}, columns2 = {0};
    int row[20] = {0}, column[24] = {0};
    hn_augment_options o = hnt_augmentation(0, 0, 0);
    o.cutout = 2;
    memset(white, 255, sizeof white);
    for (uint64_t i = 0; i < 2000; ++i) {
        int last = -1;
        hnt_augment(&o, &s, white, i, out);
        for (int k = 0; k < N; ++k)
            last = out[k] == 0 ? k : last;
        ck_assert_int_ge(last, 0);
        const int y = last / 24, x = last % 24;
        for (int k = 0; k < N; ++k) {
            const int above = y - k / 24, before = x - k % 24;
            const int inside = above >= 0 && above < 2 && before >= 0 && before < 2;
            hnt_check(out[k] == (inside ? 0.0f : 1.0f), "image %d: value %d is %g", (int)i, k, (double)out[k]);
        }
        row[y]++;
        column[x]++;
        put(&rows, y);
        put(&rows2, y * y);
        put(&columns, x);
        put(&columns2, x * x);
    }
    mean_is(&rows, 9.5, "row");
    mean_is(&rows2, 19 * 39 / 6.0, "row squared");
    mean_is(&columns, 11.5, "column");
    mean_is(&columns2, 23 * 47 / 6.0, "column squared");
    for (int y = 0; y < 20; ++y)
        ck_assert_int_gt(row[y], 0);
    for (int x = 0; x < 24; ++x)
        ck_assert_int_gt(column[x], 0);
}
END_TEST

/* The order of draws is part of what a seed means: probability, order of the four, factors, hue. */
START_TEST(jitter_is_its_four_changes_in_the_drawn_order)
{
    static const hn_image_shape s = {9, 7, 3};
    enum { N = 9 * 7 * 3 };
    uint8_t pixels[N], first[N], spare[N];
    float out[N];
    int orders[24] = {0};
    hn_augment_options o = hnt_augmentation(0, 0, 0);
    o.jitter = 1;
    o.brightness = 0.4f;
    o.contrast = 1.5f;
    o.saturation = 0.2f;
    o.hue = 0.1f;
    hnt_random_pixels(pixels, N);
    for (uint64_t i = 0; i < 2400; ++i) {
        hn_rng rng = hnt_stream(i);
        int64_t order[4] = {0, 1, 2, 3};
        hn_rng_derive(&rng, &rng, "colour jitter", 0);
        (void)hn_rng_uniform(&rng);
        hn_rng_shuffle(&rng, order, 4);
        double b = 0.6 + 0.8 * hn_rng_uniform(&rng), c = 2.5 * hn_rng_uniform(&rng),
               t = 0.8 + 0.4 * hn_rng_uniform(&rng);
        double h = 0.1 * (2 * hn_rng_uniform(&rng) - 1);
        memcpy(first, pixels, N);
        hni_canvas canvas = {9, 7, 3, first, spare, NULL};
        for (int k = 0; k < 4; ++k) {
            if (order[k] == 0)
                hni_canvas_brightness(&canvas, (float)b);
            if (order[k] == 1)
                hni_canvas_contrast(&canvas, (float)c);
            if (order[k] == 2)
                hni_canvas_saturation(&canvas, (float)t);
            if (order[k] == 3)
                hni_canvas_hue(&canvas, (float)h);
        }
        int64_t number = order[0] * 6 + (order[1] - (order[1] > order[0])) * 2 + (order[2] > order[3]);
        orders[number]++;
        hnt_augment(&o, &s, pixels, i, out);
        int far = 0; /* a factor may fall to the other side of a float here */
        for (int k = 0; k < N; ++k)
            far += fabsf(out[k] * 255 - (float)canvas.pixels[k]) > 2.5f;
        ck_assert_int_eq(far, 0);
    }
    for (int k = 0; k < 24; ++k)
        ck_assert(abs(orders[k] - 100) < 50);
}
END_TEST

/* Policies run on the canvas between colours and cutout; whatever they do, the bits are a function of the stream. */
START_TEST(policies_are_functions_of_the_stream)
{
    static const hn_image_shape s = {17, 13, 3};
    enum { N = 17 * 13 * 3 };
    uint8_t pixels[N];
    float a[N], b[N], plain[N];
    hnt_random_pixels(pixels, N);
    for (int32_t policy = 1; policy <= HN_POLICY_AUTOAUGMENT_CIFAR10; ++policy) {
        int differ = 0;
        for (uint64_t i = 0; i < 300; ++i) {
            hn_augment_options o = hnt_augmentation(2, 1, 0.2f);
            hnt_augment(&o, &s, pixels, i, plain);
            o.policy = policy;
            o.randaugment_level = 20;
            o.fill = 128;
            hnt_augment(&o, &s, pixels, i, a);
            hnt_augment(&o, &s, pixels, i, b);
            ck_assert_mem_eq(a, b, sizeof a);
            differ += memcmp(a, plain, sizeof a) != 0;
        }
        ck_assert(differ > 150 && differ < 300);
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("augment_draws");
    TCase *property = hnt_case(s, "property");
    tcase_add_test(property, crops_are_distributed_as_they_should);
    tcase_add_test(property, brightness_is_uniform_and_as_frequent_as_asked);
    tcase_add_test(property, blur_is_as_frequent_as_asked);
    tcase_add_test(property, new_changes_are_independent);
    tcase_add_test(property, cutouts_are_anywhere);
    tcase_add_test(property, jitter_is_its_four_changes_in_the_drawn_order);
    tcase_add_test(property, policies_are_functions_of_the_stream);
    return s;
}

HNT_MAIN(suite)
