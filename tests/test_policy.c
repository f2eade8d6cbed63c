#include "golden.h"
#include "support.h"

#include "data/policy.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { H = 21, W = 26 };

struct held {
    hni_canvas c;
    uint8_t a[H * W * 3], b[H * W * 3];
};

static void hold(struct held *h, const uint8_t *pixels, int64_t channels)
{
    memcpy(h->a, pixels, (size_t)(H * W * channels));
    h->c = (hni_canvas){H, W, channels, h->a, h->b, NULL};
}

static void noise(uint8_t *pixels, int n)
{
    hn_rng rng;
    hn_rng_seed(&rng, 3, 9);
    for (int i = 0; i < n; ++i)
        pixels[i] = (uint8_t)hn_rng_below(&rng, 256);
    memset(pixels, 0, 3); /* the darkest and the lightest in every channel */
    memset(pixels + 3, 255, 3);
}

/* ---- unit ------------------------------------------------------------------------------------------------------------- */

START_TEST(every_operation_at_every_level)
{
    static struct held h;
    uint8_t pixels[H * W * 3];
    noise(pixels, H * W * 3);
    for (int64_t channels = 1; channels <= 3; ++channels)
        for (int op = 0; op < HNI_OP_COUNT; ++op)
            for (int32_t level = 0; level < HNI_RANDAUGMENT_BINS; ++level) {
                float m = hni_op_magnitude((hni_op)op, level, HNI_RANDAUGMENT_BINS, H, W);
                ck_assert(isfinite(m));
                hold(&h, pixels, channels);
                hni_op_apply((hni_op)op, &h.c, m, 128);
                if (level == 0 && hni_op_signed((hni_op)op)) /* no shear, no turn, factor 1 */
                    ck_assert_mem_eq(h.c.pixels, pixels, (size_t)(H * W * channels));
                if (hni_op_signed((hni_op)op))
                    hni_op_apply((hni_op)op, &h.c, -m, 128);
            }
}
END_TEST

START_TEST(no_operations_change_nothing)
{
    static struct held h;
    uint8_t pixels[H * W * 3];
    hn_rng rng;
    noise(pixels, H * W * 3);
    hold(&h, pixels, 3);
    hn_rng_seed(&rng, 1, 1);
    hni_randaugment(&h.c, 0, 9, 0, &rng);
    ck_assert_mem_eq(h.c.pixels, pixels, sizeof pixels);
}
END_TEST

/* Each draws its own: three at once are three by one after the other, from one stream. */
START_TEST(operations_follow_each_other)
{
    static struct held all, one;
    uint8_t pixels[H * W * 3];
    noise(pixels, H * W * 3);
    for (uint64_t i = 0; i < 200; ++i) {
        hn_rng rng;
        hn_rng_seed(&rng, 22, i);
        hn_rng same = rng;
        hold(&all, pixels, 3);
        hold(&one, pixels, 3);
        hni_randaugment(&all.c, 3, 20, 128, &rng);
        for (int k = 0; k < 3; ++k)
            hni_randaugment(&one.c, 1, 20, 128, &same);
        ck_assert_mem_eq(all.c.pixels, one.c.pixels, sizeof pixels);
        ck_assert_mem_eq(&rng, &same, sizeof rng);
    }
}
END_TEST

/* ---- property: each of the 14 operations about equally often; each pair of AutoAugment too ------------------------------- */

START_TEST(randaugment_draws_every_operation)
{
    enum { DRAWS = 7000, KINDS = HNI_OP_INVERT };
    static struct held h, want[2 * KINDS];
    int seen[KINDS] = {0}, negative = 0, with_sign = 0;
    uint8_t pixels[H * W * 3];
    noise(pixels, H * W * 3);
    for (int op = 0; op < KINDS; ++op)
        for (int sign = 0; sign < 2; ++sign) {
            float m = hni_op_magnitude((hni_op)op, 15, HNI_RANDAUGMENT_BINS, H, W);
            hold(&want[2 * op + sign], pixels, 3);
            hni_op_apply((hni_op)op, &want[2 * op + sign].c, sign && hni_op_signed((hni_op)op) ? -m : m, 7);
        }
    /* with both ends there, stretching its contrast leaves it as it is */
    ck_assert_mem_eq(want[2 * HNI_OP_AUTOCONTRAST].c.pixels, pixels, sizeof pixels);
    for (uint64_t i = 0; i < DRAWS; ++i) {
        hn_rng rng;
        hn_rng_seed(&rng, 21, i);
        hold(&h, pixels, 3);
        hni_randaugment(&h.c, 1, 15, 7, &rng);
        int found = 0;
        for (int k = 0; k < 2 * KINDS && !found; ++k)
            if (memcmp(h.c.pixels, want[k].c.pixels, sizeof pixels) == 0) {
                seen[k / 2]++;
                with_sign += hni_op_signed((hni_op)(k / 2));
                negative += hni_op_signed((hni_op)(k / 2)) && k % 2 == 1;
                found = 1;
            }
        ck_assert_int_eq(found, 1);
    }
    seen[HNI_OP_AUTOCONTRAST] = seen[HNI_OP_IDENTITY] -= DRAWS / KINDS;
    for (int op = 0; op < KINDS; ++op) /* 500 +- 5 x 21.5, twice as much for the two that share a count */
        ck_assert_msg(abs(seen[op] - DRAWS / KINDS) < 160, "operation %d: %d times", op, seen[op]);
    ck_assert(abs(negative - with_sign / 2) < 170);
}
END_TEST

/* A pair is drawn, then for each of its two steps whether it is taken, and its sign. */
START_TEST(autoaugment_draws_every_pair)
{
    enum { DRAWS = 5000, PAIRS = HNI_AUTOAUGMENT_PAIRS };
    static struct held h, want;
    int seen[PAIRS] = {0};
    uint8_t pixels[H * W * 3];
    noise(pixels, H * W * 3);
    for (uint64_t i = 0; i < DRAWS; ++i) {
        hn_rng rng;
        hn_rng_seed(&rng, 23, i);
        hn_rng same = rng;
        hold(&h, pixels, 3);
        hold(&want, pixels, 3);
        hni_autoaugment(&h.c, 128, &rng);
        const int64_t pair = (int64_t)hn_rng_below(&same, PAIRS);
        seen[pair]++;
        for (int k = 0; k < 2; ++k) {
            const hni_step *s = &hni_autoaugment_cifar10(pair)[k];
            const int takes = hn_rng_uniform(&same) <= (double)s->probability, minus = hn_rng_below(&same, 2) == 1;
            const float m = hni_op_magnitude(s->op, s->level, HNI_AUTOAUGMENT_BINS, H, W);
            if (takes)
                hni_op_apply(s->op, &want.c, minus && hni_op_signed(s->op) ? -m : m, 128);
        }
        ck_assert_mem_eq(h.c.pixels, want.c.pixels, sizeof pixels);
        ck_assert_mem_eq(&rng, &same, sizeof rng);
    }
    for (int pair = 0; pair < PAIRS; ++pair) /* 200 +- 5 x 13.9 */
        ck_assert_msg(abs(seen[pair] - DRAWS / PAIRS) < 70, "pair %d: %d times", pair, seen[pair]);
}
END_TEST

/* ---- golden -------------------------------------------------------------------------------------------------------------- */

/* Bit for bit, with grey and with coloured images. */
START_TEST(operations_equal_torchvisions)
{
    static struct held h;
    hn_context *context = hnt_context(1);
    hn_safetensors *file = hnt_golden_open(context, "augment");
    const float *magnitude = hnt_golden_f(file, "magnitudes.rand.21x26", HNI_OP_COUNT * HNI_RANDAUGMENT_BINS);
    int compared = 0;
    for (int gray = 0; gray < 2; ++gray)
        for (int op = 0; op < HNI_OP_COUNT; ++op)
            for (int32_t level = 0; level < HNI_RANDAUGMENT_BINS; ++level)
                for (int sign = 0; sign < 2; ++sign) {
                    char name[64];
                    int64_t channels = gray ? 1 : 3, n = H * W * channels;
                    snprintf(name, sizeof name, "%sop.%d.%d.%s", gray ? "gray." : "", op, (int)level,
                             sign ? "minus" : "plus");
                    if (hn_safetensors_find(file, name) == NULL)
                        continue;
                    const uint8_t *want = hn_tensor_cdata(hnt_golden(file, name, HN_U8, n));
                    float m = magnitude[op * HNI_RANDAUGMENT_BINS + level]; /* to the bit: a product may be whole */
                    hold(&h, hn_tensor_cdata(hnt_golden(file, gray ? "gray" : "small", HN_U8, n)), channels);
                    hni_op_apply((hni_op)op, &h.c, sign ? -m : m, 128);
                    for (int64_t i = 0; i < n; ++i)
                        ck_assert_msg(h.c.pixels[i] == want[i], "%s: value %d is %d, want %d", name, (int)i,
                                      h.c.pixels[i], want[i]);
                    ++compared;
                }
    ck_assert_int_eq(compared, 174);
    hn_safetensors_close(file);
    hn_context_destroy(context);
}
END_TEST

/* To the bit but for RandAugment and lengths, where torch.linspace rounds by the width of the CPU's vectors; of lengths the
 * whole pixels count. */
static void compare_magnitudes(const hn_safetensors *file, const char *policy, int32_t bins, int height, int width)
{
    char name[64];
    snprintf(name, sizeof name, "magnitudes.%s.%dx%d", policy, height, width);
    const float *want = hnt_golden_f(file, name, HNI_OP_COUNT * bins);
    for (int op = 0; op < HNI_OP_COUNT; ++op)
        for (int32_t level = 0; level < bins; ++level) {
            float got = hni_op_magnitude((hni_op)op, level, bins, height, width), w = want[op * bins + level];
            const bool rounded = bins != HNI_AUTOAUGMENT_BINS || op == HNI_OP_TRANSLATE_X || op == HNI_OP_TRANSLATE_Y;
            ck_assert_msg(got == w || (rounded && fabsf(got - w) <= 1.2e-7f * w),
                          "%s: operation %d, level %d: %.9g, want %.9g", name, op, (int)level, (double)got, (double)w);
        }
}

START_TEST(levels_and_policy_equal_torchvisions)
{
    hn_context *context = hnt_context(1);
    hn_safetensors *file = hnt_golden_open(context, "augment");
    static const int sizes[][2] = {{32, 32}, {21, 26}, {224, 200}};
    for (int i = 0; i < 3; ++i) {
        compare_magnitudes(file, "rand", HNI_RANDAUGMENT_BINS, sizes[i][0], sizes[i][1]);
        compare_magnitudes(file, "auto", HNI_AUTOAUGMENT_BINS, sizes[i][0], sizes[i][1]);
    }
    const int32_t *with_sign = hnt_golden_i(file, "signed", HNI_OP_COUNT);
    for (int op = 0; op < HNI_OP_COUNT; ++op)
        ck_assert_int_eq(hni_op_signed((hni_op)op), with_sign[op]);
    const float *want = hnt_golden_f(file, "autoaugment", HNI_AUTOAUGMENT_PAIRS * 6);
    for (int64_t pair = 0; pair < HNI_AUTOAUGMENT_PAIRS; ++pair)
        for (int i = 0; i < 2; ++i, want += 3) {
            const hni_step *s = &hni_autoaugment_cifar10(pair)[i];
            ck_assert(s->op == (hni_op)want[0] && s->probability == want[1] && s->level == (int32_t)want[2]);
        }
    hn_safetensors_close(file);
    hn_context_destroy(context);
}
END_TEST

static Suite *policy_suite(void)
{
    Suite *suite = suite_create("policy");
    TCase *unit = hnt_case(suite, "unit");
    tcase_add_test(unit, every_operation_at_every_level);
    tcase_add_test(unit, no_operations_change_nothing);
    tcase_add_test(unit, operations_follow_each_other);
    TCase *property = hnt_case(suite, "property");
    tcase_add_test(property, randaugment_draws_every_operation);
    tcase_add_test(property, autoaugment_draws_every_pair);
    TCase *golden = hnt_case(suite, "golden");
    tcase_add_test(golden, operations_equal_torchvisions);
    tcase_add_test(golden, levels_and_policy_equal_torchvisions);
    return suite;
}

HNT_MAIN(policy_suite)
