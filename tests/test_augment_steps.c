/* Options of augmentation's steps: what hn_augment_image does is the operation on a canvas, with the numbers that the
 * options and the step's own stream give.                                                                            */
#include "augment_case.h"

#include "data/canvas.h"
#include "data/policy.h"

#include <stdlib.h>
#include <string.h>

enum { MOST = 70 * 90 * 3 };

/* A canvas of its own, with the pixels and room for the blur. */
struct easel {
    hni_canvas c;
    uint8_t a[MOST], b[MOST];
};

static void paint_on(struct easel *e, const hn_image_shape *s, const uint8_t *pixels, int64_t kernel)
{
    e->c = (hni_canvas){s->height, s->width, s->channels, e->a, e->b, NULL};
    memcpy(e->a, pixels, (size_t)hni_canvas_bytes(&e->c));
    e->c.row = hnt_alloc(hni_canvas_row_floats(s->width, s->channels, kernel) * sizeof(float));
}

/* The image of stream i is what stands on the easel, which goes. */
static void image_is(struct easel *e, const hn_augment_options *o, const hn_image_shape *s, const uint8_t *pixels,
                     uint64_t i)
{
    static float out[MOST];
    hnt_augment(o, s, pixels, i, out);
    for (int64_t k = 0; k < hni_canvas_bytes(&e->c); ++k)
        hnt_check(out[k] == (float)e->c.pixels[k] / 255.0f, "image %d: value %d is %g, not %d", (int)i, (int)k,
                  (double)(out[k] * 255), e->c.pixels[k]);
    free(e->c.row);
}

/* The stream of one step. */
static hn_rng stream_of(uint64_t i, const char *step)
{
    hn_rng rng = hnt_stream(i);
    hn_rng_derive(&rng, &rng, step, 0);
    return rng;
}

/* Kernel 0: a tenth of the shorter side, made odd. */
START_TEST(blur_kernel_follows_the_shorter_side)
{
    static const struct {
        hn_image_shape shape;
        int64_t kernel;
    } cases[] = {{{45, 60, 3}, 5}, {{60, 45, 3}, 5}, {{50, 50, 3}, 5},
                 {{39, 90, 1}, 3}, {{90, 70, 3}, 7}, {{9, 40, 3}, 1}};
    static struct easel e;
    static uint8_t pixels[MOST];
    hn_augment_options o = hnt_augmentation(0, 0, 0);
    o.blur = 1;
    o.blur_sigma_min = o.blur_sigma_max = 1.3f;
    hnt_random_pixels(pixels, MOST);
    for (size_t k = 0; k < sizeof cases / sizeof *cases; ++k) {
        paint_on(&e, &cases[k].shape, pixels, cases[k].kernel);
        hni_canvas_blur(&e.c, cases[k].kernel, 1.3f);
        ck_assert_int_eq(memcmp(e.c.pixels, pixels, (size_t)hni_canvas_bytes(&e.c)) != 0, cases[k].kernel > 1);
        image_is(&e, &o, &cases[k].shape, pixels, k);
    }
}
END_TEST

/* Sigma is drawn between its bounds, after whether there is a blur. */
START_TEST(blur_sigma_is_between_its_bounds)
{
    static const hn_image_shape s = {20, 31, 3};
    static struct easel e;
    static uint8_t pixels[MOST];
    hn_augment_options o = hnt_augmentation(0, 0, 0);
    o.blur = 0.6f;
    o.blur_sigma_min = 0.5f;
    o.blur_sigma_max = 4;
    o.blur_kernel = 9;
    hnt_random_pixels(pixels, MOST);
    for (uint64_t i = 0; i < 100; ++i) {
        hn_rng rng = stream_of(i, "blur");
        const int takes = hn_rng_uniform(&rng) < (double)o.blur;
        const float sigma = (float)(0.5 + 3.5 * hn_rng_uniform(&rng));
        paint_on(&e, &s, pixels, 9);
        if (takes)
            hni_canvas_blur(&e.c, 9, sigma);
        image_is(&e, &o, &s, pixels, i);
    }
}
END_TEST

/* How many operations, of which level, and what they move in. */
START_TEST(randaugment_is_as_the_options_say)
{
    static const hn_image_shape s = {17, 13, 3};
    static const int32_t settings[][3] = {/* operations, level, fill */
                                          {3, 20, 128}, {3, 20, 7},   {3, 30, 128},
                                          {1, 20, 128}, {16, 4, 255}, {0, 20, 128}};
    static struct easel e;
    static uint8_t pixels[MOST];
    hn_augment_options o = hnt_augmentation(0, 0, 0);
    o.policy = HN_POLICY_RANDAUGMENT;
    hnt_random_pixels(pixels, MOST);
    for (size_t k = 0; k < sizeof settings / sizeof *settings; ++k)
        for (uint64_t i = 0; i < 60; ++i) {
            hn_rng rng = stream_of(i, "policy");
            o.randaugment_ops = settings[k][0];
            o.randaugment_level = settings[k][1];
            o.fill = settings[k][2];
            paint_on(&e, &s, pixels, 1);
            hni_randaugment(&e.c, settings[k][0], settings[k][1], (uint8_t)settings[k][2], &rng);
            image_is(&e, &o, &s, pixels, i);
        }
}
END_TEST

START_TEST(autoaugment_fills_as_the_options_say)
{
    static const hn_image_shape s = {17, 13, 3};
    static struct easel e;
    static uint8_t pixels[MOST];
    hn_augment_options o = hnt_augmentation(0, 0, 0);
    o.policy = HN_POLICY_AUTOAUGMENT_CIFAR10;
    hnt_random_pixels(pixels, MOST);
    for (o.fill = 0; o.fill < 256; o.fill += 85)
        for (uint64_t i = 0; i < 100; ++i) {
            hn_rng rng = stream_of(i, "policy");
            paint_on(&e, &s, pixels, 1);
            hni_autoaugment(&e.c, (uint8_t)o.fill, &rng);
            image_is(&e, &o, &s, pixels, i);
        }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("augment_steps");
    TCase *unit = hnt_case(s, "unit");
    tcase_add_test(unit, blur_kernel_follows_the_shorter_side);
    tcase_add_test(unit, blur_sigma_is_between_its_bounds);
    tcase_add_test(unit, randaugment_is_as_the_options_say);
    tcase_add_test(unit, autoaugment_fills_as_the_options_say);
    return s;
}

HNT_MAIN(suite)
