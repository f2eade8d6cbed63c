#include "support.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { CLASSES = 5, IMAGES = 100, KINDS = 7, WEIGHTED = 6 };

/* 50, 25, 0, 20 and 3 images; two have no label. */
static const int64_t class_counts[CLASSES] = {50, 25, 0, 20, 3};

static void make_labels(int32_t labels[IMAGES])
{
    int64_t at = 0;
    labels[at++] = -1;
    for (int32_t c = 0; c < CLASSES; ++c)
        for (int64_t i = 0; i < class_counts[c]; ++i)
            labels[at++] = c;
    labels[at++] = -7;
    ck_assert_int_eq(at, IMAGES);
    for (int i = 0; i < IMAGES; ++i) { /* spread the classes */
        int k = i * 37 % IMAGES;
        int32_t swap = labels[i];
        labels[i] = labels[k];
        labels[k] = swap;
    }
}

static double weight_of(int64_t i)
{
    return i % 10 == 0 ? 0.0 : 1.0 + (double)(i % 3);
}

static hn_sampler *make(hn_context *context, int32_t kind, uint64_t seed, int64_t length)
{
    int32_t labels[IMAGES];
    double weights[IMAGES];
    hn_sampler *s = NULL;
    hn_sampler_options o;
    make_labels(labels);
    hn_sampler_options_init(&o, sizeof o);
    o.seed = seed;
    o.epoch_length = length;
    o.total_epochs = 11;
    for (int i = 0; i < IMAGES; ++i)
        weights[i] = weight_of(i);
    if (kind == WEIGHTED)
        hnt_ok(hn_sampler_create_weighted(&s, context, weights, IMAGES, &o));
    else
        hnt_ok(hn_sampler_create(&s, context, kind, labels, IMAGES, CLASSES, &o));
    return s;
}

/* A whole epoch, in pieces of different sizes. */
static int64_t *draw_epoch(hn_sampler *s, int64_t epoch)
{
    int64_t length = hn_sampler_epoch_length(s), at = 0, got;
    int64_t *index = hnt_alloc((size_t)length * sizeof *index);
    hnt_ok(hn_sampler_seek(s, epoch, 0));
    for (int64_t piece = 1; at < length; piece = piece % 13 + 3) {
        ck_assert_int_eq(hn_sampler_next(s, index + at, piece < length - at ? piece : length - at, &got), HN_OK);
        at += got;
    }
    int64_t none;
    ck_assert_int_eq(hn_sampler_next(s, &none, 1, &got), HN_END);
    ck_assert_int_eq(got, 0);
    return index;
}

START_TEST(order_is_a_function_of_seed_and_epoch)
{
    hn_context *context = hnt_context(1);
    for (int32_t kind = 0; kind < KINDS; ++kind) {
        hn_sampler *a = make(context, kind, 1, 250), *b = make(context, kind, 1, 250), *c = make(context, kind, 2, 250);
        int64_t *first = draw_epoch(a, 3), *second = draw_epoch(b, 0), *third = draw_epoch(c, 3);
        ck_assert(memcmp(first, second, 250 * sizeof *first) != 0);
        ck_assert(memcmp(first, third, 250 * sizeof *first) != 0);
        free(second);
        second = draw_epoch(b, 3);
        ck_assert(memcmp(first, second, 250 * sizeof *first) == 0);
        /* From the middle, forwards and backwards. */
        for (int64_t position = 240; position >= 0; position -= 37) {
            int64_t index[10], got, epoch, at;
            hnt_ok(hn_sampler_seek(b, 3, position));
            hn_sampler_tell(b, &epoch, &at);
            ck_assert_int_eq(epoch, 3);
            ck_assert_int_eq(at, position);
            hnt_ok(hn_sampler_next(b, index, 10, &got));
            ck_assert(memcmp(index, first + position, (size_t)got * sizeof *index) == 0);
        }
        free(first);
        free(second);
        free(third);
        hn_sampler_destroy(a);
        hn_sampler_destroy(b);
        hn_sampler_destroy(c);
    }
    hn_context_destroy(context);
}
END_TEST

START_TEST(instance_balanced_is_a_permutation)
{
    hn_context *context = hnt_context(1);
    hn_sampler *s = make(context, HN_SAMPLER_INSTANCE_BALANCED, 5, 0);
    int32_t labels[IMAGES];
    make_labels(labels);
    ck_assert_int_eq(hn_sampler_epoch_length(s), IMAGES - 2);
    int64_t *index = draw_epoch(s, 2);
    int seen[IMAGES] = {0};
    for (int i = 0; i < IMAGES - 2; ++i)
        seen[index[i]]++;
    for (int i = 0; i < IMAGES; ++i)
        ck_assert_int_eq(seen[i], labels[i] >= 0);
    free(index);
    hn_sampler_destroy(s);
    hn_context_destroy(context);
}
END_TEST

START_TEST(class_aware_cycles)
{
    hn_context *context = hnt_context(1);
    hn_sampler *s = make(context, HN_SAMPLER_CLASS_BALANCED, 5, 4 * 100);
    int32_t labels[IMAGES];
    make_labels(labels);
    int64_t *index = draw_epoch(s, 1);
    int drawn[IMAGES] = {0};
    bool orders_differ = false;
    for (int cycle = 0; cycle < 100; ++cycle) {
        int classes[CLASSES] = {0};
        for (int k = 0; k < 4; ++k) {
            int64_t i = index[4 * cycle + k];
            ck_assert_int_ge(labels[i], 0);
            classes[labels[i]]++;
            drawn[i]++;
            orders_differ = orders_differ || labels[i] != labels[index[k]];
        }
        for (int c = 0; c < CLASSES; ++c)
            ck_assert_int_eq(classes[c], class_counts[c] > 0); /* every class once a cycle */
        for (int i = 0; i < IMAGES; ++i)                       /* every image once before any repeats */
            if (labels[i] >= 0) {
                int64_t n = class_counts[labels[i]];
                ck_assert_int_ge(drawn[i], (cycle + 1) / n);
                ck_assert_int_le(drawn[i], (cycle + n) / n);
            }
    }
    ck_assert(orders_differ);
    free(index);
    hn_sampler_destroy(s);
    hn_context_destroy(context);
}
END_TEST

/* Chi-square of the images' frequencies against their probabilities. */
START_TEST(frequencies)
{
    enum { DRAWS = 200000 };
    hn_context *context = hnt_context(1);
    int32_t labels[IMAGES];
    make_labels(labels);
    for (int32_t kind = HN_SAMPLER_CLASS_BALANCED_RANDOM; kind < KINDS; ++kind) {
        for (int64_t epoch = 0; epoch <= (kind == HN_SAMPLER_PROGRESSIVE ? 10 : 0); epoch += 5) {
            hn_sampler *s = make(context, kind, 3, DRAWS);
            int64_t *index = draw_epoch(s, epoch), count[IMAGES] = {0};
            double p[IMAGES], sum = 0, chi = 0, freedom = -1;
            for (int i = 0; i < DRAWS; ++i)
                count[index[i]]++;
            for (int i = 0; i < IMAGES; ++i) {
                double n = labels[i] >= 0 ? (double)class_counts[labels[i]] : 1, t = (double)epoch / 10;
                p[i] = kind == WEIGHTED                 ? weight_of(i)
                       : labels[i] < 0                  ? 0
                       : kind == HN_SAMPLER_SQUARE_ROOT ? sqrt(n) / n
                       : kind == HN_SAMPLER_REVERSED    ? 1 / n / n
                       : kind == HN_SAMPLER_PROGRESSIVE ? ((1 - t) * n / (IMAGES - 2) + t / 4) / n
                                                        : 1 / n;
                sum += p[i];
            }
            for (int i = 0; i < IMAGES; ++i) {
                double expected = DRAWS * p[i] / sum;
                if (p[i] == 0) {
                    ck_assert_int_eq(count[i], 0);
                    continue;
                }
                chi += pow((double)count[i] - expected, 2) / expected;
                freedom += 1;
            }
            /* mean + 3.5 standard deviations of chi-square */
            ck_assert_msg(chi < freedom + 3.5 * sqrt(2 * freedom), "kind %d epoch %lld: chi-square %.1f of %.0f", kind,
                          (long long)epoch, chi, freedom);
            free(index);
            hn_sampler_destroy(s);
        }
    }
    hn_context_destroy(context);
}
END_TEST

START_TEST(ten_million_samples)
{
    enum { N = 10000000 };
    hn_context *context = hnt_context(1);
    int32_t *labels = hnt_alloc((size_t)N * sizeof *labels);
    for (int64_t i = 0; i < N; ++i)
        labels[i] = (int32_t)(i % 1000);
    for (int32_t kind = 0; kind <= HN_SAMPLER_CLASS_BALANCED; ++kind) {
        hn_sampler *s = NULL;
        hnt_ok(hn_sampler_create(&s, context, kind, labels, N, 1000, NULL));
        int64_t index[256], got;
        hnt_ok(hn_sampler_seek(s, 7, N - 100));
        hnt_ok(hn_sampler_next(s, index, 256, &got));
        ck_assert_int_eq(got, 100);
        hn_sampler_destroy(s);
    }
    free(labels);
    hn_context_destroy(context);
}
END_TEST

START_TEST(bad_input_is_named)
{
    hn_context *context = hnt_context(1);
    hn_sampler *s = NULL;
    hn_sampler_options o;
    const int32_t labels[3] = {0, 5, 1}, none[2] = {-1, -1};
    hn_sampler_options_init(&o, sizeof o);
    hnt_fails(hn_sampler_create(&s, context, 9, labels, 3, 6, &o), HN_E_ARG, "kind 9");
    hnt_fails(hn_sampler_create(&s, context, 0, labels, 3, 5, &o), HN_E_LABEL, "label 5 of image 1");
    hnt_fails(hn_sampler_create(&s, context, 0, labels, 0, 6, &o), HN_E_ARG, "n is 0");
    hnt_fails(hn_sampler_create(&s, context, 0, none, 2, 6, &o), HN_E_ARG, "no image has a label");
    hnt_fails(hn_sampler_create(&s, context, HN_SAMPLER_PROGRESSIVE, labels, 3, 6, &o), HN_E_ARG, "total_epochs is 0");
    o.epoch_length = -4;
    hnt_fails(hn_sampler_create(&s, context, 0, labels, 3, 6, &o), HN_E_ARG, "epoch_length is -4");
    hnt_fails(hn_sampler_create_weighted(&s, context, (const double[]){1, -2}, 2, NULL), HN_E_ARG, "weights[1] is -2");
    hnt_fails(hn_sampler_create_weighted(&s, context, (const double[]){1, (double)NAN}, 2, NULL), HN_E_ARG,
              "weights[1]");
    hnt_fails(hn_sampler_create_weighted(&s, context, (const double[]){0, 0}, 2, NULL), HN_E_ARG, "sum is 0");
    hnt_fails(hn_sampler_create_weighted(&s, context, (const double[]){1, 2}, 0, NULL), HN_E_ARG, "n is 0");
    hnt_fails(hn_sampler_create_weighted(&s, context, (const double[]){1, 2}, -1, NULL), HN_E_ARG, "n is -1");
    ck_assert_ptr_null(s);
    hnt_ok(hn_sampler_create(&s, context, 0, labels, 3, 6, NULL));
    int64_t index, got;
    hnt_fails(hn_sampler_seek(s, 0, 4), HN_E_ARG, "position is 4");
    hnt_fails(hn_sampler_seek(s, -1, 0), HN_E_ARG, "epoch is -1");
    hnt_fails(hn_sampler_next(s, &index, 0, &got), HN_E_ARG, "capacity is 0");
    hn_sampler_destroy(s);
    hn_sampler_destroy(NULL);
    hn_context_destroy(context);
}
END_TEST

static hn_status attempt(hn_context *context, const void *kind)
{
    const int32_t k = *(const int32_t *)kind;
    int32_t labels[IMAGES];
    hn_sampler *s = NULL;
    double weights[2] = {1, 2};
    hn_sampler_options o;
    hn_sampler_options_init(&o, sizeof o);
    o.total_epochs = 2;
    make_labels(labels);
    const hn_status status = k == WEIGHTED ? hn_sampler_create_weighted(&s, context, weights, 2, &o)
                                           : hn_sampler_create(&s, context, k, labels, IMAGES, CLASSES, &o);
    ck_assert((status == HN_OK) == (s != NULL));
    hn_sampler_destroy(s);
    return status;
}

START_TEST(every_allocation_may_fail)
{
    for (int32_t kind = 0; kind < KINDS; ++kind)
        hnt_survives(attempt, &kind, 3);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("sampler");
    TCase *unit = hnt_case(s, "unit"), *property = hnt_case(s, "property");
    tcase_add_test(unit, order_is_a_function_of_seed_and_epoch);
    tcase_add_test(unit, bad_input_is_named);
    tcase_add_test(property, instance_balanced_is_a_permutation);
    tcase_add_test(property, class_aware_cycles);
    tcase_add_test(property, frequencies);
    tcase_add_test(property, ten_million_samples);
    tcase_add_test(hnt_case(s, "oom"), every_allocation_may_fail);
    return s;
}

HNT_MAIN(suite)
