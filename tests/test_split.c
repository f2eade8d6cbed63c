/* A validation set carved out: sizes, disjointness, order, purity, errors, memory. */
#include "support.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

enum { IMAGES = 200, CLASSES = 6 };

/* Classes of 120, 60, 15, 3, 1 and 1 images, mixed up. */
static void label(int32_t *labels)
{
    static const int32_t sizes[CLASSES] = {120, 60, 15, 3, 1, 1};
    int n = 0;
    for (int32_t c = 0; c < CLASSES; ++c)
        for (int i = 0; i < sizes[c]; ++i)
            labels[n++ * 37 % IMAGES] = c;
}

/* Image i is the byte i. */
static hn_status read_byte(void *user, int64_t index, uint8_t *pixels)
{
    (void)user;
    *pixels = (uint8_t)index;
    return HN_OK;
}

static hn_status numbered(hn_dataset **out, hn_context *context)
{
    const hn_image_shape shape = {1, 1, 1};
    const hn_dataset_ops ops = {sizeof ops, read_byte, NULL};
    int32_t labels[IMAGES];
    label(labels);
    return hn_dataset_create_custom(out, context, &shape, labels, IMAGES, CLASSES, &ops, NULL);
}

static int number_of(const hn_dataset *d, int64_t i)
{
    uint8_t byte;
    hnt_ok(hn_dataset_read(d, i, &byte));
    return byte;
}

START_TEST(every_class_gives_its_share)
{
    static const struct {
        double share;
        int64_t part[CLASSES];
    } cases[] = {{0.1, {12, 6, 2, 1, 0, 0}},
                 {0.5, {60, 30, 8, 2, 0, 0}},
                 {0.99, {119, 59, 14, 2, 0, 0}},
                 {0.001, {1, 1, 1, 1, 0, 0}}};
    hn_context *context = hnt_context(1);
    hn_dataset *base;
    int64_t all[CLASSES];
    hnt_ok(numbered(&base, context));
    hn_dataset_class_counts(base, all);
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; ++k) {
        hn_dataset *rest = NULL, *part = NULL;
        int64_t small[CLASSES], large[CLASSES];
        hnt_ok(hn_dataset_split(&rest, &part, base, cases[k].share, 1));
        hn_dataset_class_counts(part, small);
        hn_dataset_class_counts(rest, large);
        for (int c = 0; c < CLASSES; ++c) {
            ck_assert_int_eq(small[c], cases[k].part[c]);
            ck_assert_int_eq(small[c] + large[c], all[c]);
        }
        hn_dataset_release(rest);
        hn_dataset_release(part);
    }
    hn_dataset_release(base);
    hn_context_destroy(context);
}
END_TEST

/* Every image is on one side, with its label, in its order; the same seed gives the same sides, another one others. */
START_TEST(sides_share_no_image)
{
    hn_context *context = hnt_context(1);
    hn_dataset *base, *sides[3][2];
    int32_t labels[IMAGES];
    bool seen[3][IMAGES] = {{false}};
    label(labels);
    hnt_ok(numbered(&base, context));
    for (int k = 0; k < 3; ++k) {
        hnt_ok(hn_dataset_split(&sides[k][0], &sides[k][1], base, 0.2, k == 2 ? 8 : 7));
        for (int side = 0; side < 2; ++side) {
            int last = -1;
            for (int64_t i = 0; i < hn_dataset_count(sides[k][side]); ++i) {
                const int n = number_of(sides[k][side], i);
                ck_assert_int_gt(n, last);
                ck_assert_int_eq(hn_dataset_labels(sides[k][side])[i], labels[n]);
                ck_assert(side == 0 || !seen[k][n]);
                seen[k][n] = side == 0 || seen[k][n];
                last = n;
            }
        }
        ck_assert_int_eq(hn_dataset_count(sides[k][0]) + hn_dataset_count(sides[k][1]), IMAGES);
    }
    ck_assert_mem_eq(seen[0], seen[1], sizeof seen[0]);
    ck_assert(memcmp(seen[0], seen[2], sizeof seen[0]) != 0);
    hn_dataset_release(base); /* the sides hold it */
    for (int k = 0; k < 3; ++k)
        for (int side = 0; side < 2; ++side) {
            (void)number_of(sides[k][side], 0);
            hn_dataset_release(sides[k][side]);
        }
    hn_context_destroy(context);
}
END_TEST

START_TEST(mistakes_are_named)
{
    hn_context *context = hnt_context(1);
    hn_dataset *base, *rest = NULL, *part = NULL, *single = NULL;
    hnt_ok(numbered(&base, context));
    hnt_fails(hn_dataset_split(&rest, &part, base, 0.0, 1), HN_E_ARG, "share is 0");
    hnt_fails(hn_dataset_split(&rest, &part, base, 1.0, 1), HN_E_ARG, "share is 1");
    hnt_fails(hn_dataset_split(&rest, &part, base, (double)NAN, 1), HN_E_ARG, "share is nan");
    hnt_fails(hn_dataset_split(&rest, &part, NULL, 0.5, 1), HN_E_ARG, "base is NULL");
    hnt_fails(hn_dataset_split(NULL, &part, base, 0.5, 1), HN_E_ARG, "rest is NULL");
    const int64_t one = 0;
    hnt_ok(hn_dataset_create_subset(&single, base, &one, 1));
    hnt_fails(hn_dataset_split(&rest, &part, single, 0.5, 1), HN_E_ARG, "no class has two images");
    ck_assert(rest == NULL && part == NULL);
    hn_dataset_release(single);
    hn_dataset_release(base);
    hn_context_destroy(context);
}
END_TEST

START_TEST(every_allocation_may_fail)
{
    for (int64_t allowed = 0;; ++allowed) {
        hnt_counter counter = {.fail_at = -1};
        hn_context *context;
        hn_dataset *base, *rest = NULL, *part = NULL;
        hnt_ok(hnt_counting_context(&context, &counter, 1));
        hnt_ok(numbered(&base, context));
        counter.fail_at = counter.calls + allowed;
        const hn_status status = hn_dataset_split(&rest, &part, base, 0.2, 1);
        counter.fail_at = -1;
        if (status == HN_OK) {
            hn_dataset_release(rest);
            hn_dataset_release(part);
        } else {
            ck_assert_int_eq(status, HN_E_NOMEM);
            ck_assert(rest == NULL && part == NULL);
        }
        hn_dataset_release(base);
        hn_context_destroy(context);
        ck_assert_int_eq(counter.alive, 0);
        if (status == HN_OK) {
            ck_assert_int_gt(allowed, 2);
            break;
        }
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("split");
    TCase *unit = hnt_case(s, "unit"), *oom = hnt_case(s, "oom");
    tcase_add_test(unit, every_class_gives_its_share);
    tcase_add_test(unit, sides_share_no_image);
    tcase_add_test(unit, mistakes_are_named);
    tcase_add_test(oom, every_allocation_may_fail);
    return s;
}

HNT_MAIN(suite)
