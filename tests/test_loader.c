/* Loaders: what batches hold, misuse, data sets that fail, allocations that fail. */
#include "loader_case.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

START_TEST(an_epoch_without_augmentation)
{
    for (size_t w = 0; w < HNT_LOADER_WORKERS; ++w) {
        hn_loader_options o = hnt_loader_options(hnt_loader_workers[w]);
        o.augment = NULL;
        hnt_loader_setting s;
        hnt_loader_open(&s, HN_SAMPLER_INSTANCE_BALANCED, &o);
        ck_assert_int_eq(hn_loader_batches(s.loader), BATCHES);
        hnt_loader_copy *all = hnt_loader_collect(s.loader, 2);
        int32_t labels[IMAGES];
        hnt_loader_labels(labels);
        for (int e = 0; e < 2; ++e) {
            int seen[IMAGES] = {0};
            for (int i = 0; i < BATCHES; ++i) {
                const hnt_loader_copy *c = &all[e * BATCHES + i];
                ck_assert_int_eq(c->n, i < BATCHES - 1 ? BATCH : IMAGES % BATCH);
                for (int64_t k = 0; k < c->n; ++k) {
                    seen[c->index[k]]++;
                    for (int v = 0; v < VIEWS; ++v) {
                        int64_t row = v * c->n + k;
                        ck_assert_int_eq(c->labels[row], labels[c->index[k]]);
                        for (int p = 0; p < IMAGE; ++p)
                            ck_assert(c->images[row * IMAGE + p] ==
                                      (float)(uint8_t)(c->index[k] * 31 + p * 3 + 1) / 255.0f);
                    }
                }
            }
            for (int i = 0; i < IMAGES; ++i)
                ck_assert_int_eq(seen[i], 1);
        }
        free(all);
        hnt_loader_close(&s);
    }
}
END_TEST

/* The indices are those the sampler gives on its own. */
START_TEST(order_is_the_samplers)
{
    hn_loader_options o = hnt_loader_options(2);
    hnt_loader_setting s;
    hnt_loader_open(&s, HN_SAMPLER_CLASS_BALANCED, &o);
    hnt_loader_copy *all = hnt_loader_collect(s.loader, 2);
    hn_sampler *sampler = NULL;
    hnt_ok(hnt_loader_sampler(&sampler, s.context, HN_SAMPLER_CLASS_BALANCED));
    for (int e = 0; e < 2; ++e) {
        int64_t index[IMAGES], got = 0;
        hnt_ok(hn_sampler_seek(sampler, e, 0));
        hnt_ok(hn_sampler_next(sampler, index, IMAGES, &got));
        ck_assert_int_eq(got, IMAGES);
        for (int i = 0; i < IMAGES; ++i)
            ck_assert_int_eq(all[e * BATCHES + i / BATCH].index[i % BATCH], index[i]);
    }
    hn_sampler_destroy(sampler);
    free(all);
    hnt_loader_close(&s);
}
END_TEST

START_TEST(drop_last)
{
    hn_loader_options o = hnt_loader_options(1);
    o.drop_last = 1;
    hnt_loader_setting s;
    hnt_loader_open(&s, HN_SAMPLER_INSTANCE_BALANCED, &o);
    ck_assert_int_eq(hn_loader_batches(s.loader), BATCHES - 1);
    hn_batch b;
    for (int e = 0; e < 3; ++e) {
        for (int i = 0; i < BATCHES - 1; ++i) {
            ck_assert_int_eq(hnt_loader_next(s.loader, &b), HN_OK);
            ck_assert_int_eq(b.n, BATCH);
        }
        ck_assert_int_eq(hnt_loader_next(s.loader, &b), HN_END);
    }
    hnt_loader_close(&s);
}
END_TEST

/* A newer header's longer hn_batch: what the library does not know comes back zero. Of an older's shorter one no more is
 * written than it has.                                                                                                 */
START_TEST(batch_struct_sizes)
{
    hn_loader_options o = hnt_loader_options(1);
    hnt_loader_setting s;
    struct {
        hn_batch b;
        int64_t later;
    } longer = {{.struct_size = sizeof longer}, 5};
    hn_batch b = {.struct_size = 0};
    hnt_loader_open(&s, HN_SAMPLER_INSTANCE_BALANCED, &o);
    hnt_fails(hn_loader_next(s.loader, &b), HN_E_ARG, "struct_size is 0");
    b.struct_size = SIZE_MAX;
    hnt_fails(hn_loader_next(s.loader, &b), HN_E_ARG, "struct_size");
    hnt_fails(hn_loader_next(NULL, &b), HN_E_ARG, "loader is NULL");
    hnt_fails(hn_loader_next(s.loader, NULL), HN_E_ARG, "batch is NULL");
    hnt_ok(hn_loader_next(s.loader, &longer.b));
    ck_assert_uint_eq(longer.b.struct_size, sizeof longer);
    ck_assert_int_eq(longer.b.n, BATCH);
    ck_assert_int_eq(longer.later, 0);
    b = (hn_batch){.struct_size = offsetof(hn_batch, n), .n = -7};
    hnt_ok(hn_loader_next(s.loader, &b));
    ck_assert_uint_eq(b.struct_size, offsetof(hn_batch, n));
    ck_assert(b.index != NULL && b.n == -7);
    hnt_loader_close(&s);
}
END_TEST

START_TEST(wrong_arguments)
{
    hn_context *context = hnt_context(1);
    hnt_loader_source source = {.bad = -1};
    hn_dataset *dataset = NULL;
    hn_sampler *sampler = NULL;
    hn_loader *l = NULL;
    pthread_mutex_init(&source.lock, NULL);
    hnt_ok(hnt_loader_dataset(&dataset, context, &source));
    hnt_ok(hnt_loader_sampler(&sampler, context, HN_SAMPLER_INSTANCE_BALANCED));
    hn_loader_options o;
#define REFUSED(field, value, status, text)                                           \
    do {                                                                              \
        o = hnt_loader_options(1);                                                    \
        o.field = (value);                                                            \
        hnt_fails(hn_loader_create(&l, context, dataset, sampler, &o), status, text); \
    } while (0)
    REFUSED(batch, 0, HN_E_ARG, "batch is 0");
    REFUSED(batch, -5, HN_E_ARG, "batch is -5");
    REFUSED(batch, INT64_MAX, HN_E_ARG, "batch");
    REFUSED(views, 0, HN_E_ARG, "views is 0");
    REFUSED(views, 17, HN_E_ARG, "views is 17");
    REFUSED(workers, -1, HN_E_ARG, "workers is -1");
    REFUSED(workers, 100000, HN_E_ARG, "workers is 100000");
    REFUSED(prefetch, 0, HN_E_ARG, "prefetch is 0");
    REFUSED(prefetch, 65, HN_E_ARG, "prefetch is 65");
    REFUSED(struct_size, 1, HN_E_ARG, "struct_size is 1");
    hn_augment_options augment;
    hn_augment_options_init(&augment, sizeof augment);
    augment.crop_padding = 4;
    REFUSED(augment, &augment, HN_E_ARG, "crop_padding is 4");
    o = hnt_loader_options(1);
    o.batch = 54;
    o.drop_last = 1;
    hnt_fails(hn_loader_create(&l, context, dataset, sampler, &o), HN_E_ARG, "53");
    hnt_fails(hn_loader_create(NULL, context, dataset, sampler, NULL), HN_E_ARG, "out is NULL");
    hnt_fails(hn_loader_create(&l, NULL, dataset, sampler, NULL), HN_E_ARG, "context is NULL");
    hnt_fails(hn_loader_create(&l, context, NULL, sampler, NULL), HN_E_ARG, "dataset is NULL");
    hnt_fails(hn_loader_create(&l, context, dataset, NULL, NULL), HN_E_ARG, "sampler is NULL");
    ck_assert_ptr_null(l);
    int64_t index, got = 0; /* the sampler is still the caller's */
    hnt_ok(hn_sampler_next(sampler, &index, 1, &got));
    hnt_ok(hn_loader_create(&l, context, dataset, sampler, NULL));
    hnt_fails(hn_loader_seek(l, -1, 0), HN_E_ARG, "epoch is -1");
    hnt_fails(hn_loader_seek(l, 0, -1), HN_E_ARG, "batch is -1");
    hnt_fails(hn_loader_seek(l, 0, hn_loader_batches(l) + 1), HN_E_ARG, "batch is 2");
    hnt_fails(hn_loader_seek(NULL, 0, 0), HN_E_ARG, "loader is NULL");
    ck_assert_int_eq(hn_loader_batches(NULL), 0);
    hn_loader_destroy(NULL);
    hn_loader_destroy(l);
    hn_dataset_release(dataset);
    hn_context_destroy(context);
    pthread_mutex_destroy(&source.lock);
}
END_TEST

/* A failure arrives with its sentence, in its place; the batch is tried again, and comes out right once it can be read. */
START_TEST(failing_dataset)
{
    for (size_t w = 0; w < HNT_LOADER_WORKERS; ++w) {
        hn_loader_options o = hnt_loader_options(hnt_loader_workers[w]);
        hnt_loader_setting good, s;
        hnt_loader_open(&good, HN_SAMPLER_INSTANCE_BALANCED, &o);
        hnt_loader_copy *want = hnt_loader_collect(good.loader, 1), got;
        hnt_loader_close(&good);
        hnt_loader_open(&s, HN_SAMPLER_INSTANCE_BALANCED, &o);
        s.source.bad = want[2].index[5]; /* nobody knows of it before it is broken */
        hnt_loader_break(&s.source, 1);
        hnt_ok(hn_loader_seek(s.loader, 0, 0));
        hn_batch b;
        for (int i = 0; i < 2; ++i)
            hnt_ok(hnt_loader_next(s.loader, &b));
        char sentence[64];
        snprintf(sentence, sizeof sentence, "image %d returned HN_E_IO", (int)s.source.bad);
        for (int again = 0; again < 3; ++again) {
            hnt_fails(hnt_loader_next(s.loader, &b), HN_E_IO, sentence);
            ck_assert_ptr_null(b.images);
        }
        hnt_loader_break(&s.source, 0);
        hn_status status = hnt_loader_next(s.loader, &b);
        if (status != HN_OK) /* it may have been tried ahead while it was broken */
            status = hnt_loader_next(s.loader, &b);
        for (int i = 2; i < BATCHES; ++i) {
            hnt_ok(status);
            hnt_loader_keep(&got, &b);
            ck_assert_mem_eq(&got, &want[i], sizeof got);
            status = hnt_loader_next(s.loader, &b);
        }
        ck_assert_int_eq(status, HN_END);
        hnt_loader_break(&s.source, 1);
        hnt_ok(hn_loader_seek(s.loader, 0, 3)); /* past the bad image */
        hnt_ok(hnt_loader_next(s.loader, &b));
        hnt_loader_keep(&got, &b);
        ck_assert_mem_eq(&got, &want[3], sizeof got);
        free(want);
        hnt_loader_close(&s);
    }
}
END_TEST

/* A sampler made for a larger set. */
START_TEST(sampler_beyond_the_dataset)
{
    for (int32_t w = 0; w < 2; ++w) {
        hnt_loader_source source = {.bad = -1};
        hn_context *context = hnt_context(1);
        hn_dataset *dataset = NULL;
        hn_sampler *sampler = NULL;
        hn_loader *l = NULL;
        hn_loader_options o = hnt_loader_options(w);
        int32_t labels[500] = {0};
        pthread_mutex_init(&source.lock, NULL);
        o.batch = 500;
        hnt_ok(hnt_loader_dataset(&dataset, context, &source));
        hnt_ok(hn_sampler_create(&sampler, context, HN_SAMPLER_INSTANCE_BALANCED, labels, 500, 1, NULL));
        hnt_ok(hn_loader_create(&l, context, dataset, sampler, &o));
        hn_loader *second = NULL;
        hnt_fails(hn_loader_create(&second, context, dataset, sampler, &o), HN_E_ARG, "is another loader's already");
        hn_batch b;
        hnt_fails(hnt_loader_next(l, &b), HN_E_ARG, "is not in [0, 53)");
        hn_loader_destroy(l);
        hn_dataset_release(dataset);
        hn_context_destroy(context);
        pthread_mutex_destroy(&source.lock);
    }
}
END_TEST

START_TEST(destroyed_while_busy)
{
    for (int32_t w = 0; w <= 4; ++w)
        for (int taken = 0; taken < 10; ++taken) {
            hn_loader_options o = hnt_loader_options(w);
            hnt_loader_setting s;
            hn_batch b;
            hnt_loader_open(&s, HN_SAMPLER_INSTANCE_BALANCED, &o);
            for (int i = 0; i < taken; ++i) {
                hn_status status = hnt_loader_next(s.loader, &b);
                ck_assert(status == HN_OK || status == HN_END);
            }
            hnt_loader_close(&s);
        }
}
END_TEST

/* What the caller holds stays as it is while the workers go on. */
START_TEST(held_batch_is_left_alone)
{
    hn_loader_options o = hnt_loader_options(4);
    o.prefetch = 1;
    hnt_loader_setting s;
    hn_batch b;
    hnt_loader_copy first, later;
    hnt_loader_open(&s, HN_SAMPLER_INSTANCE_BALANCED, &o);
    for (int i = 0; i < 5; ++i) {
        hnt_ok(hnt_loader_next(s.loader, &b));
        hnt_loader_keep(&first, &b);
        const struct timespec moment = {0, 5000000};
        nanosleep(&moment, NULL);
        hnt_loader_keep(&later, &b);
        ck_assert_mem_eq(&first, &later, sizeof first);
    }
    hnt_loader_close(&s);
}
END_TEST

/* ---- allocations that fail --------------------------------------------------------------------------------------------- */

/* The workers allocate nothing, so that counting on one thread is right: the counter stands still after creation. */
START_TEST(allocation_failures)
{
    hnt_loader_source source = {.bad = -1};
    pthread_mutex_init(&source.lock, NULL);
    for (int32_t w = 0; w <= 2; w += 2) {
        hn_status status = HN_E_NOMEM;
        int64_t failures = 0;
        for (int64_t fail_at = 1; status != HN_OK; ++fail_at) { /* call 0 is the context's own */
            ck_assert_int_lt(fail_at, 200);
            hnt_counter counter = {.fail_at = fail_at};
            hn_context *context = NULL;
            hn_dataset *dataset = NULL;
            hn_sampler *sampler = NULL;
            hn_loader *l = NULL;
            hn_loader_options o = hnt_loader_options(w);
            hnt_ok(hnt_counting_context(&context, &counter, 1));
            status = hnt_loader_dataset(&dataset, context, &source);
            if (status == HN_OK)
                status = hnt_loader_sampler(&sampler, context, HN_SAMPLER_INSTANCE_BALANCED);
            if (status == HN_OK) {
                status = hn_loader_create(&l, context, dataset, sampler, &o);
                failures += status != HN_OK;
                sampler = status == HN_OK ? NULL : sampler; /* the loader's, or still ours */
            }
            if (status != HN_OK) {
                hnt_fails(status, HN_E_NOMEM, "out of memory");
                ck_assert_ptr_null(l);
            } else {
                int64_t calls = counter.calls;
                free(hnt_loader_collect(l, 2));
                hnt_ok(hn_loader_seek(l, 1, 1));
                ck_assert_int_eq(counter.calls, calls);
            }
            hn_loader_destroy(l);
            hn_sampler_destroy(sampler);
            hn_dataset_release(dataset);
            hn_context_destroy(context);
            ck_assert_int_eq(counter.alive, 0);
            ck_assert_int_eq(counter.alive_bytes, 0);
        }
        ck_assert_int_ge(failures, 5);
    }
    pthread_mutex_destroy(&source.lock);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("loader");
    TCase *unit = hnt_case(s, "unit");
    tcase_add_test(unit, an_epoch_without_augmentation);
    tcase_add_test(unit, order_is_the_samplers);
    tcase_add_test(unit, drop_last);
    tcase_add_test(unit, batch_struct_sizes);
    tcase_add_test(unit, wrong_arguments);
    tcase_add_test(unit, failing_dataset);
    tcase_add_test(unit, sampler_beyond_the_dataset);
    tcase_add_test(unit, destroyed_while_busy);
    tcase_add_test(unit, held_batch_is_left_alone);
    TCase *oom = hnt_case(s, "oom");
    tcase_add_test(oom, allocation_failures);
    return s;
}

HNT_MAIN(suite)
