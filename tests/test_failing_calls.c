/* The system calls of readers and loaders: transferring a byte at a time, interrupted, and failing, each once alone and once
 * with all that follow, by each errno that matters. The result is the same bits, or a status and a sentence with the path
 * and errno's text; no memory and no descriptor stays behind.                                                             */
#include "failing_calls.h"
#include "reader_case.h"

#include <errno.h>
#include <string.h>

static const int errors[] = {EIO, EMFILE, EACCES, ENOMEM};
enum { ERRORS = sizeof errors / sizeof *errors, MOST_CALLS = 2000 };

/* Nothing; a byte or seven at a time; every second or third call interrupted; both at once. */
static const hnt_trouble delays[] = {
    {.fail_at = -1},
    {.fail_at = -1, .piece = 1},
    {.fail_at = -1, .piece = 7},
    {.fail_at = -1, .interrupt = 2},
    {.fail_at = -1, .interrupt = 3},
    {.fail_at = -1, .piece = 100, .interrupt = 2},
};
enum { DELAYS = sizeof delays / sizeof *delays };

/* ENOMEM is lack of memory wherever it comes from. */
static void check_failure(hn_status status, int error, const char *dir, const char *what)
{
    const hn_status want = error == ENOMEM ? HN_E_NOMEM : HN_E_IO;
    ck_assert_msg(status == want, "%s: %s fails with %s: %s (%s)", what, hnt_call_failed(), strerror(error),
                  hn_status_name(status), hn_last_error());
    ck_assert_msg(strstr(hn_last_error(), strerror(error)) != NULL && strstr(hn_last_error(), dir) != NULL,
                  "%s: %s fails with %s: \"%s\"", what, hnt_call_failed(), strerror(error), hn_last_error());
}

/* ---- readers -------------------------------------------------------------------------------------------------------- */

/* Opens a dataset and reads all of it, in trouble; nothing may stay behind. */
static hn_status read_all(const hnt_reader *reader, const char *dir, const hnt_trouble *trouble, uint64_t *sum)
{
    hnt_counter counter = {.fail_at = -1};
    hn_context *context = NULL;
    hn_dataset *d = NULL;
    hnt_ok(hnt_counting_context(&context, &counter, 1));
    const int descriptors = hnt_descriptors();
    hnt_begin_trouble(trouble);
    hn_status status = reader->open(&d, context, dir);
    ck_assert((status == HN_OK) == (d != NULL));
    if (status == HN_OK)
        status = hnt_dataset_sum(d, context, sum);
    hnt_end_trouble();
    hn_dataset_release(d);
    hn_context_destroy(context);
    ck_assert_int_eq(counter.alive, 0);
    ck_assert_msg(hnt_descriptors() == descriptors, "%s leaves a descriptor open", reader->name);
    return status;
}

START_TEST(readers_of_slow_files)
{
    const hnt_place place = hnt_new_place("");
    hnt_make_files(place.dir);
    for (int i = 0; i < hnt_reader_count; ++i) {
        uint64_t want = 0;
        for (int k = 0; k < DELAYS && hnt_readers[i].in_build; ++k) {
            uint64_t sum = 0;
            const hn_status status = read_all(&hnt_readers[i], place.dir, &delays[k], &sum);
            ck_assert_msg(status == HN_OK, "%s, delay %d: %s", hnt_readers[i].name, k, hn_last_error());
            ck_assert_msg(k == 0 || sum == want, "%s, delay %d: other bits", hnt_readers[i].name, k);
            ck_assert(hnt_calls_made() == 0 || delays[k].interrupt == 0 || hnt_calls_interrupted() > 0);
            want = sum;
        }
    }
}
END_TEST

/* The k-th call fails, for every k. */
static void read_failing(const hnt_reader *reader, const char *dir, int error, bool for_good)
{
    uint64_t want = 0;
    for (int64_t k = -1;; ++k) {
        const hnt_trouble trouble = {.fail_at = k, .error = error, .for_good = for_good};
        uint64_t sum = 0;
        const hn_status status = read_all(reader, dir, &trouble, &sum);
        if (hnt_call_failed() != NULL && !hnt_call_harmless())
            check_failure(status, error, dir, reader->name);
        else
            ck_assert_msg(status == HN_OK && (k < 0 || sum == want), "%s: %s", reader->name, hn_last_error());
        if (k >= 0 && hnt_call_failed() == NULL)
            break; /* it makes no more */
        want = k < 0 ? sum : want;
        ck_assert_int_lt(k, MOST_CALLS);
    }
}

START_TEST(readers_of_failing_files)
{
    const hnt_place place = hnt_new_place("");
    hnt_make_files(place.dir);
    for (int i = 0; i < hnt_reader_count; ++i)
        for (int e = 0; e < 2 * ERRORS && hnt_readers[i].in_build; ++e)
            read_failing(&hnt_readers[i], place.dir, errors[e / 2], e % 2 != 0);
}
END_TEST

/* ---- loaders -------------------------------------------------------------------------------------------------------- */

#if defined(HNI_HAVE_JPEG) && defined(HNI_HAVE_PNG)

/* Images that cannot be read for once: another of the class stands in, or, where none can be read, the status tells. */
static hn_status load_all(const char *dir, int32_t workers, const hnt_trouble *trouble, uint64_t *sum, int64_t *skipped)
{
    hnt_counter counter = {.fail_at = -1};
    hn_context *context = NULL;
    hn_loader *l = NULL;
    hnt_batches all;
    hnt_ok(hnt_counting_context(&context, &counter, 1));
    const int descriptors = hnt_descriptors();
    hnt_begin_trouble(trouble);
    hn_status status = hnt_open_loader(&l, context, dir, workers);
    ck_assert((status == HN_OK) == (l != NULL));
    if (status == HN_OK) {
        hnt_batches_begin(&all);
        status = hnt_batches_add(&all, l);
        *sum = hni_crc64_value(&all.crc);
        *skipped = hn_loader_skipped(l);
    }
    hn_loader_destroy(l);
    hnt_end_trouble();
    hn_context_destroy(context);
    ck_assert_int_eq(counter.alive, 0);
    ck_assert_int_eq(hnt_descriptors(), descriptors);
    return status;
}

START_TEST(loaders_of_slow_files)
{
    const hnt_place place = hnt_new_place("");
    uint64_t want = 0, sum = 0;
    int64_t skipped = 0;
    hnt_make_files(place.dir);
    for (int k = 0; k < 2 * DELAYS; ++k) {
        hn_status status = load_all(place.dir, k % 2 == 0 ? 0 : 2, &delays[k / 2], &sum, &skipped);
        ck_assert_msg(status == HN_END && skipped == 0, "delay %d: %s", k / 2, hn_last_error());
        ck_assert_msg(k == 0 || sum == want, "delay %d: other bits", k / 2);
        want = sum;
    }
}
END_TEST

START_TEST(loaders_of_failing_files)
{
    const hnt_place place = hnt_new_place("");
    hnt_make_files(place.dir);
    for (int mode = 0; mode < 4 * ERRORS; ++mode) {
        const int32_t workers = mode / 2 % 2 == 0 ? 0 : 2;
        hnt_trouble trouble = {.error = errors[mode / 4], .for_good = mode % 2 != 0};
        int64_t passed_over = 0, calls = 1;
        for (trouble.fail_at = 0; trouble.fail_at < calls; ++trouble.fail_at) {
            uint64_t sum = 0;
            int64_t skipped = 0;
            const hn_status status = load_all(place.dir, workers, &trouble, &sum, &skipped);
            calls = hnt_call_failed() == NULL ? 0 : calls + 1;
            passed_over += skipped;
            if (hnt_call_failed() != NULL && strcmp(hnt_call_failed(), "pthread_create") == 0)
                hnt_fails(status, HN_E_STATE, "could not be started");
            else if (status != HN_END)
                check_failure(status, trouble.error, place.dir, "loader");
            else if (trouble.error == ENOMEM && workers == 0)
                ck_assert(hnt_call_failed() == NULL || hnt_call_harmless());
            ck_assert_int_lt(calls, MOST_CALLS);
        }
        /* Lack of memory is no damage; and where nothing can be read any more, no batch is made of what stands in. */
        ck_assert((trouble.error == ENOMEM || trouble.for_good) == (passed_over == 0));
    }
}
END_TEST

#endif

static Suite *suite(void)
{
    Suite *s = suite_create("failing_calls");
    TCase *unit = hnt_case(s, "unit");
    tcase_add_test(unit, readers_of_slow_files);
    tcase_add_test(unit, readers_of_failing_files);
#if defined(HNI_HAVE_JPEG) && defined(HNI_HAVE_PNG)
    tcase_add_test(unit, loaders_of_slow_files);
    tcase_add_test(unit, loaders_of_failing_files);
#endif
    return s;
}

HNT_MAIN(suite)
