#include "golden.h"
#include "support.h"

#include "data/mt19937.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IMAGES = 50000, MAX_CLASSES = 100 };

static const double ratios[] = {10, 20, 50, 100, 200};

/* A set whose image i is the number i in four bytes: reading it back tells which image a subset holds. */
static hn_status read_number(void *user, int64_t index, uint8_t *pixels)
{
    uint32_t number = (uint32_t)index;
    (void)user;
    memcpy(pixels, &number, sizeof number);
    return HN_OK;
}

static hn_dataset *numbered(hn_context *context, const int32_t *labels, int64_t n, int32_t classes)
{
    const hn_image_shape shape = {1, 1, 4};
    const hn_dataset_ops ops = {sizeof ops, read_number, NULL};
    hn_dataset *dataset = NULL;
    hnt_ok(hn_dataset_create_custom(&dataset, context, &shape, labels, n, classes, &ops, NULL));
    return dataset;
}

/* The labels of make_long_tail.py. */
static hn_dataset *cifar_like(hn_context *context, int32_t classes)
{
    int32_t *labels = hnt_alloc(IMAGES * sizeof *labels);
    for (int64_t i = 0; i < IMAGES; ++i)
        labels[i] = (int32_t)(i * 12347 % IMAGES % classes);
    hn_dataset *dataset = numbered(context, labels, IMAGES, classes);
    free(labels);
    return dataset;
}

static hn_long_tail_options options(int32_t profile, int32_t subset, double ratio, uint64_t seed)
{
    hn_long_tail_options o;
    hn_long_tail_options_init(&o, sizeof o);
    o.profile = profile;
    o.subset = subset;
    o.ratio = ratio;
    o.seed = seed;
    return o;
}

static hn_dataset *subset(hn_dataset *base, const hn_long_tail_options *o)
{
    hn_dataset *dataset = NULL;
    hnt_ok(hn_dataset_create_long_tail(&dataset, base, o));
    return dataset;
}

static uint32_t image(const hn_dataset *dataset, int64_t index)
{
    uint8_t pixels[4];
    uint32_t number;
    hnt_ok(hn_dataset_read(dataset, index, pixels));
    memcpy(&number, pixels, sizeof number);
    return number;
}

static int32_t checksum(const hn_dataset *dataset)
{
    uint32_t h = 2166136261u;
    int32_t result;
    for (int64_t i = 0; i < hn_dataset_count(dataset); ++i)
        h = (h ^ image(dataset, i)) * 16777619u;
    memcpy(&result, &h, sizeof result);
    return result;
}

START_TEST(defaults_are_cifar_10_lt_100)
{
    static const int64_t want[10] = {5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50};
    int64_t got[10];
    hnt_ok(hn_long_tail_counts(NULL, 5000, 10, got));
    for (int c = 0; c < 10; ++c)
        ck_assert_int_eq(got[c], want[c]);
}
END_TEST

/* Sizes that the literature gives (field.md, B.1: NCL's README and LDAM's code). */
START_TEST(totals)
{
    static const int64_t want[2][5] = {{20431, 17023, 13996, 12406, 11203}, {19573, 15907, 12608, 10847, 9502}};
    for (int k = 0; k < 2; ++k) {
        int32_t classes = k == 0 ? 10 : 100;
        for (int r = 0; r < 5; ++r) {
            int64_t counts[MAX_CLASSES], total = 0;
            hn_long_tail_options o = options(HN_PROFILE_EXP, HN_SUBSET_OWN, ratios[r], 0);
            hnt_ok(hn_long_tail_counts(&o, IMAGES / classes, classes, counts));
            for (int32_t c = 0; c < classes; ++c)
                total += counts[c];
            ck_assert_int_eq(total, want[k][r]);
        }
    }
}
END_TEST

START_TEST(known_profiles)
{
    static const int64_t fifty[10] = {5000, 3237, 2096, 1357, 878, 568, 368, 238, 154, 100};
    static const int64_t ten[10] = {5000, 3871, 2997, 2320, 1796, 1391, 1077, 834, 645, 500};
    static const int64_t step[10] = {5000, 5000, 5000, 5000, 5000, 50, 50, 50, 50, 50};
    static const int64_t odd[3] = {100, 10, 10};
    int64_t got[10];
    hn_long_tail_options o = options(HN_PROFILE_EXP, HN_SUBSET_OWN, 50, 0);
    hnt_ok(hn_long_tail_counts(&o, 5000, 10, got));
    ck_assert_mem_eq(got, fifty, sizeof fifty);
    o.ratio = 10;
    hnt_ok(hn_long_tail_counts(&o, 5000, 10, got));
    ck_assert_mem_eq(got, ten, sizeof ten);
    o = options(HN_PROFILE_STEP, HN_SUBSET_OWN, 100, 0);
    hnt_ok(hn_long_tail_counts(&o, 5000, 10, got));
    ck_assert_mem_eq(got, step, sizeof step);
    o.ratio = 10;
    hnt_ok(hn_long_tail_counts(&o, 100, 3, got));
    ck_assert_mem_eq(got, odd, sizeof odd);
    for (int32_t profile = HN_PROFILE_EXP; profile <= HN_PROFILE_STEP; ++profile) { /* one class has no tail */
        o.profile = profile;
        hnt_ok(hn_long_tail_counts(&o, 7, 1, got));
        ck_assert_int_eq(got[0], 7);
    }
}
END_TEST

START_TEST(wrong_options)
{
    int64_t counts[10] = {-1};
    hn_context *context = hnt_context(1);
    hn_dataset *base = cifar_like(context, 10), *out = NULL;
    hn_long_tail_options o = options(2, HN_SUBSET_OWN, 100, 0);
    hnt_fails(hn_long_tail_counts(&o, 5000, 10, counts), HN_E_ARG, "profile 2");
    o = options(HN_PROFILE_EXP, -1, 100, 0);
    hnt_fails(hn_long_tail_counts(&o, 5000, 10, counts), HN_E_ARG, "subset -1");
    static const double bad[] = {0.5, 0, -3, (double)NAN, (double)INFINITY};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i) {
        o = options(HN_PROFILE_EXP, HN_SUBSET_OWN, bad[i], 0);
        hnt_fails(hn_long_tail_counts(&o, 5000, 10, counts), HN_E_ARG, "ratio");
        hnt_fails(hn_dataset_create_long_tail(&out, base, &o), HN_E_ARG, "ratio");
    }
    o = options(HN_PROFILE_EXP, HN_SUBSET_NUMPY_LEGACY, 100, (uint64_t)1 << 32);
    hnt_fails(hn_dataset_create_long_tail(&out, base, &o), HN_E_ARG, "4294967296");
    hnt_fails(hn_long_tail_counts(NULL, 0, 10, counts), HN_E_ARG, "n_max is 0");
    hnt_fails(hn_long_tail_counts(NULL, INT64_MAX, 10, counts), HN_E_ARG, "n_max");
    hnt_fails(hn_long_tail_counts(NULL, 10, 0, counts), HN_E_ARG, "classes is 0");
    hnt_fails(hn_long_tail_counts(NULL, 10, 10, NULL), HN_E_ARG, "counts");
    hnt_fails(hn_dataset_create_long_tail(&out, NULL, NULL), HN_E_ARG, "base");
    hnt_fails(hn_dataset_create_long_tail(NULL, base, NULL), HN_E_ARG, "out");
    ck_assert_int_eq(counts[0], -1);
    ck_assert_ptr_null(out);
    hn_dataset_release(base);
    hn_context_destroy(context);
}
END_TEST

START_TEST(too_few_images)
{
    static const int32_t labels[] = {0, 0, 0, 1, 0, 0};
    static const int32_t scattered[] = {0, 5};
    hn_context *context = hnt_context(1);
    hn_dataset *base = numbered(context, labels, 6, 2), *out = NULL;
    hn_long_tail_options o = options(HN_PROFILE_EXP, HN_SUBSET_OWN, 1, 0);
    hnt_fails(hn_dataset_create_long_tail(&out, base, &o), HN_E_ARG, "class 1 has 1 images; the profile wants 3");
    hn_dataset_release(base);
    base = numbered(context, scattered, 2, 10); /* n_max is 0.2 */
    hnt_fails(hn_dataset_create_long_tail(&out, base, NULL), HN_E_ARG, "leave none");
    hn_dataset_release(base);
    ck_assert_ptr_null(out);
    hn_context_destroy(context);
}
END_TEST

START_TEST(generator_is_numpys)
{
    static const uint32_t seeds[] = {0, 1, 42, UINT32_MAX};
    static const int64_t sizes[] = {1, 2, 3, 10, 1000};
    hn_context *context = hnt_context(1);
    hn_safetensors *file = hnt_golden_open(context, "long_tail");
    hni_mt19937 mt;
    char name[64];
    for (size_t s = 0; s < sizeof seeds / sizeof *seeds; ++s) {
        snprintf(name, sizeof name, "raw.%lu", (unsigned long)seeds[s]);
        const int32_t *want = hnt_golden_i(file, name, 2000);
        hni_mt19937_seed(&mt, seeds[s]);
        for (int i = 0; i < 2000; ++i)
            ck_assert_uint_eq(hni_mt19937_u32(&mt), (uint32_t)want[i]);
    }
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; ++s) {
        int64_t x[1000];
        snprintf(name, sizeof name, "shuffle.%d", (int)sizes[s]);
        const int32_t *want = hnt_golden_i(file, name, sizes[s]);
        for (int64_t i = 0; i < sizes[s]; ++i)
            x[i] = i;
        hni_mt19937_seed(&mt, 12345);
        hni_mt19937_shuffle(&mt, x, (size_t)sizes[s]);
        hni_mt19937_shuffle(&mt, x, (size_t)sizes[s]);
        for (int64_t i = 0; i < sizes[s]; ++i)
            ck_assert_int_eq(x[i], want[i]);
    }
    hn_safetensors_close(file);
    hn_context_destroy(context);
}
END_TEST

/* 64-bit intervals draw two words, high word first; only bounds can be checked without sets of 2^32 images. */
START_TEST(interval_stays_in_bounds)
{
    static const uint64_t bounds[] = {0, 1, 2, 1000, UINT32_MAX, (uint64_t)UINT32_MAX + 1, UINT64_MAX / 3};
    hni_mt19937 mt;
    hni_mt19937_seed(&mt, 9);
    for (size_t b = 0; b < sizeof bounds / sizeof *bounds; ++b) {
        uint64_t largest = 0;
        for (int i = 0; i < 2000; ++i) {
            uint64_t x = hni_mt19937_interval(&mt, bounds[b]);
            ck_assert_uint_le(x, bounds[b]);
            largest = x > largest ? x : largest;
        }
        ck_assert_uint_ge(largest, bounds[b] - bounds[b] / 50);
    }
}
END_TEST

START_TEST(subsets_are_ldams)
{
    hn_context *context = hnt_context(1);
    hn_safetensors *file = hnt_golden_open(context, "long_tail");
    char name[64];
    for (int32_t classes = 10; classes <= 100; classes *= 10) {
        hn_dataset *base = cifar_like(context, classes);
        for (int32_t profile = HN_PROFILE_EXP; profile <= HN_PROFILE_STEP; ++profile)
            for (size_t r = 0; r < sizeof ratios / sizeof *ratios; ++r) {
                int64_t counts[MAX_CLASSES];
                hn_long_tail_options o = options(profile, HN_SUBSET_NUMPY_LEGACY, ratios[r], 0);
                hn_dataset *tail = subset(base, &o);
                int used = snprintf(name, sizeof name, "c%d.%s%d", (int)classes,
                                    profile == HN_PROFILE_EXP ? "exp" : "step", (int)ratios[r]);
                snprintf(name + used, sizeof name - (size_t)used, ".counts");
                const int32_t *want = hnt_golden_i(file, name, classes);
                hn_dataset_class_counts(tail, counts);
                for (int32_t c = 0; c < classes; ++c)
                    ck_assert_int_eq(counts[c], want[c]);
                snprintf(name + used, sizeof name - (size_t)used, ".checksum");
                ck_assert_int_eq(checksum(tail), hnt_golden_i(file, name, 1)[0]);
                if (profile == HN_PROFILE_EXP && ratios[r] == 100) {
                    snprintf(name + used, sizeof name - (size_t)used, ".index");
                    const int32_t *index = hnt_golden_i(file, name, hn_dataset_count(tail));
                    for (int64_t i = 0; i < hn_dataset_count(tail); ++i)
                        ck_assert_int_eq((int32_t)image(tail, i), index[i]);
                }
                hn_dataset_release(tail);
            }
        hn_long_tail_options o = options(HN_PROFILE_EXP, HN_SUBSET_NUMPY_LEGACY, 100, UINT32_MAX);
        hn_dataset *tail = subset(base, &o);
        snprintf(name, sizeof name, "c%d.seed.checksum", (int)classes);
        ck_assert_int_eq(checksum(tail), hnt_golden_i(file, name, 1)[0]);
        hn_dataset_release(tail);
        hn_dataset_release(base);
    }
    hn_safetensors_close(file);
    hn_context_destroy(context);
}
END_TEST

/* GLMC once sampled with replacement and lost two points: no image may be there twice, and each has its own label. */
START_TEST(no_image_twice)
{
    hn_context *context = hnt_context(1);
    hn_dataset *base = cifar_like(context, 100);
    for (int32_t kind = HN_SUBSET_OWN; kind <= HN_SUBSET_NUMPY_LEGACY; ++kind)
        for (uint64_t seed = 0; seed < 3; ++seed) {
            hn_long_tail_options o = options(HN_PROFILE_EXP, kind, 10, seed);
            hn_dataset *tail = subset(base, &o);
            const int32_t *labels = hn_dataset_labels(tail);
            uint8_t *seen = hnt_alloc(IMAGES);
            int64_t counts[MAX_CLASSES], want[MAX_CLASSES];
            for (int64_t i = 0; i < hn_dataset_count(tail); ++i) {
                uint32_t number = image(tail, i);
                ck_assert_int_eq(seen[number]++, 0);
                ck_assert_int_eq(labels[i], hn_dataset_labels(base)[number]);
                ck_assert(i == 0 || labels[i] >= labels[i - 1]);
            }
            hnt_ok(hn_long_tail_counts(&o, 500, 100, want));
            hn_dataset_class_counts(tail, counts);
            ck_assert_mem_eq(counts, want, sizeof want);
            free(seen);
            hn_dataset_release(tail);
        }
    hn_dataset_release(base);
    hn_context_destroy(context);
}
END_TEST

/* Own choice: the seed decides, and a larger ratio takes fewer of the same images. */
START_TEST(own_choice_follows_seed)
{
    hn_context *context = hnt_context(1);
    hn_dataset *base = cifar_like(context, 10);
    hn_long_tail_options o = options(HN_PROFILE_EXP, HN_SUBSET_OWN, 100, 5);
    hn_dataset *a = subset(base, &o), *b = subset(base, &o);
    o.seed = 6;
    hn_dataset *other = subset(base, &o);
    o.seed = 5;
    o.ratio = 200;
    hn_dataset *smaller = subset(base, &o);
    ck_assert_int_eq(checksum(a), checksum(b));
    ck_assert_int_ne(checksum(a), checksum(other));
    int64_t n[10], m[10], at = 0, from = 0;
    hn_dataset_class_counts(a, n);
    hn_dataset_class_counts(smaller, m);
    for (int c = 0; c < 10; at += n[c], from += m[c], ++c)
        for (int64_t i = 0; i < m[c]; ++i)
            ck_assert_uint_eq(image(a, at + i), image(smaller, from + i));
    hn_dataset_release(a);
    hn_dataset_release(b);
    hn_dataset_release(other);
    hn_dataset_release(smaller);
    hn_dataset_release(base);
    hn_context_destroy(context);
}
END_TEST

static Suite *long_tail_suite(void)
{
    Suite *suite = suite_create("long_tail");
    TCase *unit = hnt_case(suite, "unit");
    tcase_add_test(unit, defaults_are_cifar_10_lt_100);
    tcase_add_test(unit, totals);
    tcase_add_test(unit, known_profiles);
    tcase_add_test(unit, wrong_options);
    tcase_add_test(unit, too_few_images);
    TCase *golden = hnt_case(suite, "golden");
    tcase_add_test(golden, generator_is_numpys);
    tcase_add_test(golden, subsets_are_ldams);
    TCase *property = hnt_case(suite, "property");
    tcase_add_test(property, interval_stays_in_bounds);
    tcase_add_test(property, no_image_twice);
    tcase_add_test(property, own_choice_follows_seed);
    return suite;
}

HNT_MAIN(long_tail_suite)
