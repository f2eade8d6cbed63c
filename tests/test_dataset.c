/* Datasets that need no file: the caller's own source, memory, subsets, the synthetic set; references. */
#include "support.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static const hn_image_shape tiny = {2, 3, 1};

/* ---- the caller's own source ------------------------------------------------------------------------------------- */

struct source {
    int32_t released;
    hn_status status;
};

static hn_status read_source(void *user, int64_t index, uint8_t *pixels)
{
    const struct source *s = user;
    memset(pixels, (int)index, 6);
    return index == 3 ? s->status : HN_OK;
}

static void release_source(void *user)
{
    ((struct source *)user)->released++;
}

static const hn_dataset_ops ops = {sizeof ops, read_source, release_source};
static const int32_t five[] = {0, 1, 2, 1, 1};

static hn_dataset *custom(hn_context *context, struct source *source)
{
    hn_dataset *d = NULL;
    hnt_ok(hn_dataset_create_custom(&d, context, &tiny, five, 5, 4, &ops, source));
    return d;
}

START_TEST(custom_source)
{
    hn_context *context = hnt_context(1);
    struct source source = {0, HN_OK};
    hn_dataset *d = custom(context, &source);
    ck_assert_int_eq(hn_dataset_count(d), 5);
    ck_assert_int_eq(hn_dataset_classes(d), 4);
    hn_image_shape shape = hn_dataset_shape(d);
    ck_assert_mem_eq(&shape, &tiny, sizeof tiny);
    ck_assert_mem_eq(hn_dataset_labels(d), five, sizeof five);
    ck_assert_ptr_ne(hn_dataset_labels(d), five);
    int64_t counts[4];
    static const int64_t want[4] = {1, 3, 1, 0};
    hn_dataset_class_counts(d, counts);
    ck_assert_mem_eq(counts, want, sizeof want);
    uint8_t pixels[6];
    hnt_ok(hn_dataset_read(d, 4, pixels));
    ck_assert_int_eq(pixels[5], 4);
    hn_dataset_release(d);
    ck_assert_int_eq(source.released, 1);
    hn_context_destroy(context);
}
END_TEST

START_TEST(references)
{
    hn_context *context = hnt_context(1);
    struct source source = {0, HN_OK};
    hn_dataset *d = custom(context, &source);
    ck_assert_ptr_eq(hn_dataset_retain(d), d);
    hn_dataset_release(d);
    ck_assert_int_eq(source.released, 0);
    hn_dataset_release(d);
    ck_assert_int_eq(source.released, 1);
    ck_assert_ptr_null(hn_dataset_retain(NULL));
    hn_dataset_release(NULL);
    hn_context_destroy(context);
}
END_TEST

static void *retain_and_release(void *arg)
{
    for (int i = 0; i < 10000; ++i)
        hn_dataset_release(hn_dataset_retain(arg));
    return NULL;
}

START_TEST(references_from_threads)
{
    hn_context *context = hnt_context(1);
    struct source source = {0, HN_OK};
    hn_dataset *d = custom(context, &source);
    pthread_t threads[3];
    for (int i = 0; i < 3; ++i)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, retain_and_release, d), 0);
    for (int i = 0; i < 3; ++i)
        pthread_join(threads[i], NULL);
    ck_assert_int_eq(source.released, 0);
    hn_dataset_release(d);
    ck_assert_int_eq(source.released, 1);
    hn_context_destroy(context);
}
END_TEST

START_TEST(failing_source)
{
    hn_context *context = hnt_context(1);
    struct source source = {0, HN_E_IO};
    hn_dataset *d = custom(context, &source);
    uint8_t pixels[6];
    hnt_fails(hn_dataset_read(d, 3, pixels), HN_E_IO, "image 3 returned HN_E_IO");
    hnt_ok(hn_dataset_read(d, 2, pixels));
    source.status = HN_STOPPED; /* a read that is neither done nor failed */
    hnt_fails(hn_dataset_read(d, 3, pixels), HN_E_STATE, "image 3 returned HN_STOPPED");
    hnt_fails(hn_dataset_read(d, 5, pixels), HN_E_ARG, "index 5 is not in [0, 5)");
    hnt_fails(hn_dataset_read(d, -1, pixels), HN_E_ARG, "index -1");
    hnt_fails(hn_dataset_read(NULL, 0, pixels), HN_E_ARG, "dataset is NULL");
    hnt_fails(hn_dataset_read(d, 0, NULL), HN_E_ARG, "pixels is NULL");
    hn_dataset_release(d);
    hn_context_destroy(context);
}
END_TEST

START_TEST(wrong_arguments)
{
    hn_context *context = hnt_context(1);
    struct source source = {0, HN_OK};
    hn_dataset *d = NULL;
    hn_dataset_ops bad = {sizeof bad, NULL, NULL};
    hn_image_shape shape = tiny;
    int32_t labels[5];
    uint8_t pixels[30];
    memcpy(labels, five, sizeof five);
#define CREATE(out, ctx, shp, lab, n, cls, op) hn_dataset_create_custom(out, ctx, shp, lab, n, cls, op, &source)
    hnt_fails(CREATE(NULL, context, &tiny, five, 5, 4, &ops), HN_E_ARG, "out is NULL");
    hnt_fails(CREATE(&d, NULL, &tiny, five, 5, 4, &ops), HN_E_ARG, "context is NULL");
    hnt_fails(CREATE(&d, context, NULL, five, 5, 4, &ops), HN_E_ARG, "shape is NULL");
    hnt_fails(CREATE(&d, context, &tiny, NULL, 5, 4, &ops), HN_E_ARG, "labels is NULL");
    hnt_fails(CREATE(&d, context, &tiny, five, 5, 4, NULL), HN_E_ARG, "ops is NULL");
    hnt_fails(CREATE(&d, context, &tiny, five, 5, 4, &bad), HN_E_ARG, "ops.read is NULL");
    bad = (hn_dataset_ops){0, read_source, NULL};
    hnt_fails(CREATE(&d, context, &tiny, five, 5, 4, &bad), HN_E_ARG, "struct_size is 0");
    hnt_fails(CREATE(&d, context, &tiny, five, 0, 4, &ops), HN_E_ARG, "n is 0");
    hnt_fails(CREATE(&d, context, &tiny, five, -7, 4, &ops), HN_E_ARG, "n is -7");
    hnt_fails(CREATE(&d, context, &tiny, five, INT64_MAX, 4, &ops), HN_E_SHAPE, "too large");
    hnt_fails(CREATE(&d, context, &tiny, five, 5, 0, &ops), HN_E_ARG, "classes is 0");
    hnt_fails(CREATE(&d, context, &tiny, five, 5, 2, &ops), HN_E_LABEL, "label 2 of image 2 is not in [0, 2)");
    labels[4] = -1;
    hnt_fails(CREATE(&d, context, &tiny, labels, 5, 4, &ops), HN_E_LABEL, "label -1 of image 4");
    shape.width = 0;
    hnt_fails(CREATE(&d, context, &shape, five, 5, 4, &ops), HN_E_SHAPE, "2x0x1");
    shape = (hn_image_shape){INT32_MAX, INT32_MAX, INT32_MAX};
    hnt_fails(CREATE(&d, context, &shape, five, 5, 4, &ops), HN_E_SHAPE, "too large");
#undef CREATE
    hnt_fails(hn_dataset_create_memory(&d, context, &tiny, NULL, five, 5, 4), HN_E_ARG, "pixels is NULL");
    hnt_fails(hn_dataset_create_memory(&d, context, &tiny, pixels, five, 5, 1), HN_E_LABEL, "label 1 of image 1");
    hnt_fails(hn_dataset_create_memory(&d, context, NULL, pixels, five, 5, 4), HN_E_ARG, "shape is NULL");
    ck_assert_ptr_null(d);
    ck_assert_int_eq(source.released, 0); /* on failure user stays the caller's */
    ck_assert_int_eq(hn_dataset_count(NULL), 0);
    ck_assert_int_eq(hn_dataset_classes(NULL), 0);
    ck_assert_int_eq(hn_dataset_shape(NULL).height, 0);
    ck_assert_ptr_null(hn_dataset_labels(NULL));
    hn_context_destroy(context);
}
END_TEST

/* ---- memory and subset ---------------------------------------------------------------------------------------------- */

static void count_up(uint8_t *x, size_t n)
{
    for (size_t i = 0; i < n; ++i)
        x[i] = (uint8_t)(i * 7 + 1);
}

START_TEST(memory_and_subset)
{
    hn_context *context = hnt_context(1);
    uint8_t pixels[30], got[6];
    count_up(pixels, sizeof pixels);
    hn_dataset *base = NULL, *part = NULL, *nested = NULL;
    hnt_ok(hn_dataset_create_memory(&base, context, &tiny, pixels, five, 5, 4));
    static const int64_t order[] = {4, 2, 2, 0}, again[] = {3, 1};
    hnt_ok(hn_dataset_create_subset(&part, base, order, 4));
    hnt_ok(hn_dataset_create_subset(&nested, part, again, 2));
    hn_dataset_release(base); /* the subsets keep it */
    hn_dataset_release(part);
    static const int32_t labels[] = {0, 2};
    ck_assert_int_eq(hn_dataset_count(nested), 2);
    ck_assert_int_eq(hn_dataset_classes(nested), 4);
    ck_assert_mem_eq(hn_dataset_labels(nested), labels, sizeof labels);
    hnt_ok(hn_dataset_read(nested, 0, got));
    ck_assert_mem_eq(got, pixels, 6);
    hnt_ok(hn_dataset_read(nested, 1, got));
    ck_assert_mem_eq(got, pixels + 12, 6);
    hn_dataset *none = NULL;
    static const int64_t outside[] = {0, 2}, negative[] = {-1};
    hnt_fails(hn_dataset_create_subset(&none, nested, outside, 2), HN_E_ARG, "index[1] is 2; it must be in [0, 2)");
    hnt_fails(hn_dataset_create_subset(&none, nested, negative, 1), HN_E_ARG, "index[0] is -1");
    hnt_fails(hn_dataset_create_subset(&none, nested, again, 0), HN_E_ARG, "n is 0");
    hnt_fails(hn_dataset_create_subset(&none, NULL, again, 1), HN_E_ARG, "base is NULL");
    hnt_fails(hn_dataset_create_subset(&none, nested, NULL, 1), HN_E_ARG, "index is NULL");
    ck_assert_ptr_null(none);
    hn_dataset_release(nested);
    hn_context_destroy(context);
}
END_TEST

/* ---- synthetic -------------------------------------------------------------------------------------------------------- */

START_TEST(synthetic_images)
{
    hn_context *context = hnt_context(1);
    hn_dataset *a = NULL, *longer = NULL, *other = NULL;
    hnt_ok(hn_dataset_create_synthetic(&a, context, 60, 1));
    hnt_ok(hn_dataset_create_synthetic(&longer, context, 200, 1));
    hnt_ok(hn_dataset_create_synthetic(&other, context, 200, 2));
    ck_assert_int_eq(hn_dataset_classes(a), 10);
    uint8_t x[3072], y[3072];
    for (int64_t i = 0; i < 60; ++i) {
        int lo = 255, hi = 0;
        hnt_ok(hn_dataset_read(a, i, x));
        hnt_ok(hn_dataset_read(longer, i, y));
        ck_assert_mem_eq(x, y, sizeof x); /* a function of (seed, index), not of n or of what was read before */
        ck_assert_int_eq(hn_dataset_labels(a)[i], i % 10);
        for (size_t k = 0; k < sizeof x; ++k) {
            lo = x[k] < lo ? x[k] : lo;
            hi = x[k] > hi ? x[k] : hi;
        }
        ck_assert_int_gt(hi - lo, 80); /* there is something to see */
        for (int64_t j = 0; j < 200; ++j) {
            hnt_ok(hn_dataset_read(other, j, y));
            ck_assert_mem_ne(x, y, sizeof x);
        }
    }
    hn_dataset *none = NULL;
    hnt_fails(hn_dataset_create_synthetic(&none, context, 0, 1), HN_E_ARG, "n is 0");
    hnt_fails(hn_dataset_create_synthetic(&none, context, INT64_MAX, 1), HN_E_SHAPE, "too large");
    hnt_fails(hn_dataset_create_synthetic(NULL, context, 1, 1), HN_E_ARG, "out is NULL");
    hnt_fails(hn_dataset_create_synthetic(&none, NULL, 1, 1), HN_E_ARG, "context is NULL");
    ck_assert_ptr_null(none);
    hn_dataset_release(a);
    hn_dataset_release(longer);
    hn_dataset_release(other);
    hn_context_destroy(context);
}
END_TEST

/* ---- allocations that fail --------------------------------------------------------------------------------------------- */

enum { SOURCE_CUSTOM, SOURCE_MEMORY, SOURCE_SUBSET, SOURCE_TAIL, SOURCE_SYNTHETIC, SOURCES };

static struct source user;

static hn_status create(hn_dataset **out, hn_context *context, int which)
{
    static const uint8_t pixels[30];
    static const int64_t order[] = {1, 0};
    hn_dataset *base = NULL;
    switch (which) {
    case SOURCE_CUSTOM:
        return hn_dataset_create_custom(out, context, &tiny, five, 5, 4, &ops, &user);
    case SOURCE_MEMORY:
        return hn_dataset_create_memory(out, context, &tiny, pixels, five, 5, 4);
    case SOURCE_SYNTHETIC:
        return hn_dataset_create_synthetic(out, context, 50, 1);
    default:
        break;
    }
    hn_status status = hn_dataset_create_synthetic(&base, context, 50, 1);
    if (status == HN_OK)
        status = which == SOURCE_SUBSET ? hn_dataset_create_subset(out, base, order, 2)
                                        : hn_dataset_create_long_tail(out, base, NULL);
    hn_dataset_release(base);
    return status;
}

/* On failure the caller's own source stays the caller's. */
static hn_status attempt(hn_context *context, const void *which)
{
    hn_dataset *d = NULL;
    user = (struct source){0, HN_OK};
    const hn_status status = create(&d, context, *(const int *)which);
    ck_assert((status == HN_OK) == (d != NULL));
    ck_assert_int_eq(user.released, 0);
    hn_dataset_release(d);
    return status;
}

START_TEST(allocation_failures)
{
    for (int which = 0; which < SOURCES; ++which)
        hnt_survives(attempt, &which, 2);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("dataset");
    TCase *unit = hnt_case(s, "unit");
    tcase_add_test(unit, custom_source);
    tcase_add_test(unit, references);
    tcase_add_test(unit, references_from_threads);
    tcase_add_test(unit, failing_source);
    tcase_add_test(unit, wrong_arguments);
    tcase_add_test(unit, memory_and_subset);
    tcase_add_test(unit, synthetic_images);
    tcase_add_test(hnt_case(s, "oom"), allocation_failures);
    return s;
}

HNT_MAIN(suite)
