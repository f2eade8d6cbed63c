/* Every allocation of whole undertakings fails, once alone and once with all that follow: reading each kind of file, a loader
 * whose workers allocate, and a training from its files to its checkpoint and back. Nothing may stay behind, and the same
 * call succeeds, with the same bits, as soon as there is memory. Parts of a training are in test_out_of_memory_parts.c.  */
#include "checkpoint_case.h"
#include "failing_calls.h"
#include "reader_case.h"
#include "training_case.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

/* Without waiting for the disk. */
static void do_not_sync(void)
{
    hnt_begin_trouble(&(hnt_trouble){.fail_at = -1, .no_sync = true});
}

/* ---- readers -------------------------------------------------------------------------------------------------------- */

typedef struct reading {
    const hnt_reader *reader;
    const char *dir;
    uint64_t want;
} reading;

static hn_status read_all(hn_context *context, const void *arg)
{
    const reading *r = arg;
    hn_dataset *d = NULL;
    uint64_t got = 0;
    hn_status status = r->reader->open(&d, context, r->dir);
    ck_assert_msg((status == HN_OK) == (d != NULL), "%s", r->reader->name);
    if (status == HN_OK)
        status = hnt_dataset_sum(d, context, &got);
    if (status < 0) {
        hnt_memory_is_back(context);
        if (d == NULL)
            hnt_ok(r->reader->open(&d, context, r->dir));
        hnt_ok(hnt_dataset_sum(d, context, &got));
    }
    ck_assert_msg(got == r->want, "%s", r->reader->name);
    hn_dataset_release(d);
    return status;
}

START_TEST(readers)
{
    const hnt_place place = hnt_new_place("");
    hn_context *context = hnt_context(1);
    hnt_make_files(place.dir);
    for (int i = 0; i < hnt_reader_count; ++i) {
        reading r = {&hnt_readers[i], place.dir, 0};
        hn_dataset *d = NULL;
        if (!r.reader->in_build)
            continue;
        hnt_ok(r.reader->open(&d, context, place.dir));
        hnt_ok(hnt_dataset_sum(d, context, &r.want));
        hn_dataset_release(d);
        hnt_survives(read_all, &r, 2);
    }
    hn_context_destroy(context);
}
END_TEST

/* ---- a loader of files ---------------------------------------------------------------------------------------------- */

#if defined(HNI_HAVE_JPEG) && defined(HNI_HAVE_PNG)

enum { LATE_LEAST = 3 };

/* The batch is made at the second try where memory ran out. */
static int64_t sum_batches(hn_loader *l, hn_context *context, uint64_t *sum)
{
    int64_t late = 0;
    hn_status status;
    hnt_batches all;
    hnt_batches_begin(&all);
    while ((status = hnt_batches_add(&all, l)) != HN_END)
        if (status < 0) {
            hnt_fails(status, HN_E_NOMEM, "out of memory");
            hnt_memory_is_back(context);
            ++late;
        }
    *sum = hni_crc64_value(&all.crc);
    return late;
}

/* Which allocation is the k-th is chance where workers allocate: all numbers up to those of an undisturbed run are gone
 * through, twice over.                                                                                                 */
static void starve_loader(const char *dir, int32_t workers, int for_good)
{
    uint64_t want = 0;
    int64_t late = 0, calls = 0;
    for (int64_t k = -1; k < 2 * calls + 1; ++k) {
        hnt_counter counter = {.fail_at = k < 0 ? -1 : 1 + k / 2, .for_good = for_good};
        hn_context *context = NULL;
        hn_loader *l = NULL;
        uint64_t got = want;
        hnt_ok(hnt_counting_context(&context, &counter, 1));
        const hn_status status = hnt_open_loader(&l, context, dir, workers);
        if (status < 0) {
            hnt_fails(status, HN_E_NOMEM, "out of memory");
            ck_assert_ptr_null(l);
        } else {
            late += sum_batches(l, context, &got); /* skipping none: lack of memory is no damage */
        }
        ck_assert_int_eq(hn_loader_skipped(l), 0);
        hn_loader_destroy(l);
        want = k < 0 ? got : want;
        calls = k < 0 ? counter.calls : calls;
        ck_assert_msg(got == want, "%d workers, allocation %lld", (int)workers, (long long)k);
        hn_context_destroy(context);
        ck_assert_int_eq(counter.alive, 0);
        ck_assert_int_eq(counter.alive_bytes, 0);
    }
    ck_assert_int_ge(late, LATE_LEAST);
}

START_TEST(loaders_of_files)
{
    const hnt_place place = hnt_new_place("");
    hnt_make_files(place.dir);
    for (int mode = 0; mode < 4; ++mode)
        starve_loader(place.dir, mode < 2 ? 0 : 2, mode % 2);
}
END_TEST

#endif

/* ---- a whole training ----------------------------------------------------------------------------------------------- */

typedef struct undertaking {
    hnt_plan plan;
    uint64_t want, files;
} undertaking;

/* No unfinished file may be left, whenever memory ran out. */
static void check_names(const char *dir)
{
    DIR *d = opendir(dir);
    ck_assert_ptr_nonnull(d);
    for (const struct dirent *e; (e = readdir(d)) != NULL;)
        ck_assert_msg(strstr(e->d_name, ".tmp-") == NULL, "%s is left", e->d_name);
    closedir(d);
}

static hn_status train(hn_context *context, const void *arg)
{
    const undertaking *u = arg;
    hnt_trainee t;
    hnt_empty(u->plan.out);
    const hn_status status = hnt_whole_training(&t, context, &u->plan);
    const int64_t failed = hnt_memory_is_back(context);
    check_names(u->plan.out);
    if (status == HN_OK)
        ck_assert(hnt_trainee_sum(&t, 1) == u->want && hnt_files_sum(u->plan.out) == u->files);
    hnt_trainee_close(&t);
    return status == HN_OK && failed > 0 ? HN_STOPPED : status; /* old checkpoints not looked for: a warning */
}

/* From nothing, on every allocation that it makes. */
START_TEST(a_whole_training)
{
    RIG_DIRECTORIES;
    undertaking u = {.plan = {.in = dir, .out = other, .kind = PSC}};
    hn_context *context = hnt_context(1);
    hnt_trainee t;
    hnt_make_files(dir);
    hnt_ok(hnt_whole_training(&t, context, &u.plan));
    u.want = hnt_trainee_sum(&t, 1);
    u.files = hnt_files_sum(other);
    hnt_trainee_close(&t);
    hn_context_destroy(context);
    hnt_survives(train, &u, 300);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("out_of_memory");
    TCase *oom = hnt_case(s, "oom");
    tcase_add_checked_fixture(oom, do_not_sync, NULL);
    tcase_add_test(oom, readers);
#if defined(HNI_HAVE_JPEG) && defined(HNI_HAVE_PNG)
    tcase_add_test(oom, loaders_of_files);
#endif
    tcase_add_test(oom, a_whole_training);
    return s;
}

HNT_MAIN(suite)
