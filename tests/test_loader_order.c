/* Loaders give the same bits for any number of workers, from any place. */
#include "loader_case.h"

#include <stdlib.h>
#include <string.h>

START_TEST(same_bits_for_any_workers)
{
    hn_loader_options o = hnt_loader_options(0);
    hnt_loader_setting s;
    hnt_loader_open(&s, HN_SAMPLER_CLASS_BALANCED_RANDOM, &o);
    hnt_loader_copy *want = hnt_loader_collect(s.loader, 3);
    hnt_loader_close(&s);
    for (size_t w = 0; w < HNT_LOADER_WORKERS; ++w)
        for (int32_t prefetch = 1; prefetch <= 5; prefetch += 2) {
            o = hnt_loader_options(hnt_loader_workers[w]);
            o.prefetch = prefetch;
            hnt_loader_open(&s, HN_SAMPLER_CLASS_BALANCED_RANDOM, &o);
            hnt_loader_copy *got = hnt_loader_collect(s.loader, 3);
            ck_assert_mem_eq(got, want, 3 * BATCHES * sizeof *got);
            free(got);
            hnt_loader_close(&s);
        }
    free(want);
}
END_TEST

START_TEST(seek_equals_running_there)
{
    static const int places[][2] = {{1, 3}, {0, 0}, {2, 6}, {2, 0}, {0, 5}};
    for (size_t w = 0; w < HNT_LOADER_WORKERS; ++w) {
        hn_loader_options o = hnt_loader_options(hnt_loader_workers[w]);
        hnt_loader_setting s;
        hnt_loader_open(&s, HN_SAMPLER_INSTANCE_BALANCED, &o);
        hnt_loader_copy *want = hnt_loader_collect(s.loader, 4), got;
        hn_batch b;
        for (size_t p = 0; p < sizeof places / sizeof *places; ++p) {
            int at = places[p][0] * BATCHES + places[p][1];
            hnt_ok(hn_loader_seek(s.loader, places[p][0], places[p][1]));
            for (int i = 0; i < BATCHES; ++i, ++at) {
                if (i > 0 && at % BATCHES == 0)
                    ck_assert_int_eq(hnt_loader_next(s.loader, &b), HN_END);
                ck_assert_int_eq(hnt_loader_next(s.loader, &b), HN_OK);
                hnt_loader_keep(&got, &b);
                ck_assert_mem_eq(&got, &want[at], sizeof got);
            }
        }
        free(want);
        hnt_loader_close(&s);
    }
}
END_TEST

static void tells(const hn_loader *loader, int64_t epoch, int64_t batch)
{
    int64_t e = -1, b = -1;
    hn_loader_tell(loader, &e, &b);
    ck_assert_int_eq(e, epoch);
    ck_assert_int_eq(b, batch);
}

/* Wherever a loader stands, at an epoch's end too, another one goes on from what it tells. */
START_TEST(tell_and_seek_go_together)
{
    for (size_t w = 0; w < HNT_LOADER_WORKERS; ++w) {
        hn_loader_options o = hnt_loader_options(hnt_loader_workers[w]);
        hnt_loader_setting s, t;
        hnt_loader_copy here, there;
        int64_t epoch, batch;
        hn_batch b;
        hnt_loader_open(&s, HN_SAMPLER_CLASS_BALANCED, &o);
        hnt_loader_open(&t, HN_SAMPLER_CLASS_BALANCED, &o);
        tells(s.loader, 0, 0);
        for (int i = 0; i < 2 * BATCHES + 3; ++i) { /* with the ends of two epochs */
            hn_loader_tell(s.loader, &epoch, &batch);
            tells(s.loader, i / (BATCHES + 1), i % (BATCHES + 1));
            hnt_ok(hn_loader_seek(t.loader, epoch, batch));
            tells(t.loader, epoch, batch);
            hn_status status = hnt_loader_next(s.loader, &b);
            ck_assert_int_eq(status, batch == BATCHES ? HN_END : HN_OK);
            if (status == HN_OK)
                hnt_loader_keep(&here, &b);
            ck_assert_int_eq(hnt_loader_next(t.loader, &b), status);
            if (status == HN_OK)
                hnt_loader_keep(&there, &b);
            ck_assert_mem_eq(&here, &there, sizeof here);
        }
        hn_loader_tell(s.loader, &epoch, NULL);
        hn_loader_tell(s.loader, NULL, &batch);
        hn_loader_tell(NULL, &epoch, &batch);
        ck_assert(epoch == 2 && batch == 1);
        hnt_loader_close(&s);
        hnt_loader_close(&t);
    }
}
END_TEST

/* Epochs below 2^62 are as good as any. */
START_TEST(the_last_epoch_is_one_below_two_to_the_62nd)
{
    const int64_t last = (INT64_C(1) << 62) - 1;
    for (size_t w = 0; w < HNT_LOADER_WORKERS; ++w) {
        hn_loader_options o = hnt_loader_options(hnt_loader_workers[w]);
        hnt_loader_setting s;
        hnt_loader_copy first, second;
        hn_batch b;
        hnt_loader_open(&s, HN_SAMPLER_INSTANCE_BALANCED, &o);
        hnt_ok(hn_loader_seek(s.loader, 3, 2));
        hnt_fails(hn_loader_seek(s.loader, last + 1, 0), HN_E_ARG, "epoch is 4611686018427387904");
        hnt_fails(hn_loader_seek(s.loader, INT64_MAX, 0), HN_E_ARG, "epoch is 9223372036854775807");
        hnt_fails(hn_loader_seek(s.loader, -1, 0), HN_E_ARG, "epoch is -1");
        tells(s.loader, 3, 2);
        hnt_ok(hnt_loader_next(s.loader, &b));
        hnt_loader_keep(&first, &b);
        hnt_ok(hn_loader_seek(s.loader, last, 2));
        tells(s.loader, last, 2);
        hnt_ok(hnt_loader_next(s.loader, &b));
        hnt_loader_keep(&second, &b);
        ck_assert_mem_ne(first.index, second.index, sizeof first.index); /* an order of its own */
        hnt_loader_close(&s);
    }
}
END_TEST

/* An image's stream is its own: epochs, positions, views and seeds differ; the batch size does not matter. */
START_TEST(streams_are_separate)
{
    hn_loader_options o = hnt_loader_options(1);
    hnt_loader_setting s;
    hnt_loader_open(&s, HN_SAMPLER_INSTANCE_BALANCED, &o);
    hnt_loader_copy *all = hnt_loader_collect(s.loader, 1);
    int differ = 0;
    for (int64_t k = 0; k < BATCH; ++k)
        differ += memcmp(all[0].images + k * IMAGE, all[0].images + (BATCH + k) * IMAGE, ROW_BYTES) != 0;
    ck_assert_int_ge(differ, BATCH / 2); /* views of an image differ, but for rare coincidences */
    hnt_loader_close(&s);
    o.seed = 10;
    hnt_loader_open(&s, HN_SAMPLER_INSTANCE_BALANCED, &o);
    hnt_loader_copy *other = hnt_loader_collect(s.loader, 1);
    ck_assert_mem_eq(other[0].index, all[0].index, sizeof all[0].index); /* the order is the sampler's */
    ck_assert_mem_ne(other[0].images, all[0].images, sizeof all[0].images);
    hnt_loader_close(&s);
    o = hnt_loader_options(1);
    o.batch = 5;
    hnt_loader_open(&s, HN_SAMPLER_INSTANCE_BALANCED, &o);
    for (int64_t at = 0; at < IMAGES; at += 5) {
        hn_batch b;
        hnt_ok(hnt_loader_next(s.loader, &b));
        const float *images = hn_tensor_cdata(b.images);
        for (int64_t i = 0; i < b.n; ++i)
            for (int64_t v = 0; v < VIEWS; ++v) {
                const hnt_loader_copy *c = &all[(at + i) / BATCH];
                ck_assert_mem_eq(images + (v * b.n + i) * IMAGE, c->images + (v * c->n + (at + i) % BATCH) * IMAGE,
                                 ROW_BYTES);
            }
    }
    free(all);
    free(other);
    hnt_loader_close(&s);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("loader_order");
    TCase *repro = hnt_case(s, "repro");
    tcase_add_test(repro, same_bits_for_any_workers);
    tcase_add_test(repro, seek_equals_running_there);
    tcase_add_test(repro, tell_and_seek_go_together);
    tcase_add_test(repro, the_last_epoch_is_one_below_two_to_the_62nd);
    tcase_add_test(repro, streams_are_separate);
    return s;
}

HNT_MAIN(suite)
