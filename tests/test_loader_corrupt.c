/* Loaders over files of which some cannot be read: the failure with its path, or another image in the place. */
#include "loader_files_case.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { IMAGES = HNT_FILES_IMAGES, BATCHES = HNT_FILES_BATCHES, IMAGE = HNT_FILES_IMAGE };

static const int32_t workers[] = {0, 1, 2, 4};

START_TEST(corrupt_files_fail_with_their_path)
{
    hnt_files_setting s;
    hn_augment_options a = hnt_files_augment();
    hnt_files_make();
    hnt_files_corrupt(8);
    for (size_t w = 0; w < sizeof workers / sizeof *workers; ++w) {
        hn_loader_options o = hnt_files_options(workers[w], 1, &a);
        hn_batch b;
        int failures = 0;
        hnt_files_open(&s, &o);
        for (int i = 0; i < BATCHES && failures == 0; ++i) {
            hn_status status = hnt_files_next(s.loader, &b);
            if (status == HN_OK)
                continue;
            hnt_fails(status, HN_E_FORMAT, "hn_loader_next: ");
            ck_assert_ptr_nonnull(strstr(hn_last_error(), "/class1/03.jpg"));
            hnt_fails(hnt_files_next(s.loader, &b), HN_E_FORMAT, "/class1/03.jpg"); /* it stays there */
            ++failures;
        }
        ck_assert_int_eq(failures, 1);
        ck_assert_int_eq(hn_loader_skipped(s.loader), 0);
        hnt_files_close(&s);
    }
}
END_TEST

/* The next of the same class stands in: 8, the fourth of class 1, by the first, since the fifth is corrupt too. */
START_TEST(corrupt_files_are_skipped)
{
    static float good[IMAGES * IMAGE], images[IMAGES * IMAGE];
    int64_t before[IMAGES], index[IMAGES];
    hnt_files_setting s;
    hn_augment_options a = hnt_files_augment();
    hnt_files_make();
    hn_loader_options o = hnt_files_options(1, 1, &a);
    hnt_files_open(&s, &o);
    hnt_files_collect(s.loader, 1, 1, good, before);
    hnt_files_close(&s);
    hnt_files_corrupt(2);
    hnt_files_corrupt(8);
    hnt_files_corrupt(9);
    o.on_corrupt = HN_LOADER_SKIP;
    for (size_t w = 0; w < sizeof workers / sizeof *workers; ++w) {
        o.workers = workers[w];
        hnt_files_open(&s, &o);
        hnt_files_collect(s.loader, 1, 1, images, index);
        for (int64_t i = 0; i < IMAGES; ++i) {
            int64_t want = before[i] == 2 ? 3 : (before[i] == 8 || before[i] == 9 ? 5 : before[i]);
            ck_assert_int_eq(index[i], want);
            if (want == before[i])
                ck_assert_mem_eq(images + i * IMAGE, good + i * IMAGE, IMAGE * sizeof *good);
        }
        ck_assert_int_eq(hn_loader_skipped(s.loader), 3); /* whatever is prepared of the next epoch */
        hn_loader_destroy(s.loader);
        s.loader = NULL;
        ck_assert_int_ge(s.log.lines, 4);
        ck_assert_ptr_nonnull(strstr(s.log.last, "skipped: "));
        ck_assert_ptr_nonnull(strstr(s.log.last, hnt_files_dir));
        hnt_files_close(&s);
    }
    for (int i = 5; i < 8; ++i)
        hnt_files_corrupt(i);
    hnt_files_open(&s, &o);
    hn_batch b;
    hn_status status = HN_OK;
    for (int i = 0; i < BATCHES && status == HN_OK; ++i)
        status = hnt_files_next(s.loader, &b);
    hnt_fails(status, HN_E_FORMAT, "/class1/"); /* none of the class is left */
    hnt_files_close(&s);
}
END_TEST

/* A bit of the header makes a JPEG one of 12 bits, which libjpeg cannot read: that is as corrupt as any. */
START_TEST(headers_that_ask_too_much_are_skipped)
{
    static float images[IMAGES * IMAGE];
    static uint8_t bytes[HNT_FILE_ROOM];
    int64_t index[IMAGES];
    char path[512];
    hnt_files_setting s;
    hn_augment_options a = hnt_files_augment();
    hnt_files_make();
    hnt_files_path(path, sizeof path, 2);
    size_t size = hnt_files_read(2, bytes), sof = 0;
    while (sof + 4 < size && (bytes[sof] != 0xff || bytes[sof + 1] != 0xc0))
        ++sof;
    ck_assert_uint_eq(bytes[sof + 4], 8);
    bytes[sof + 4] = 12;
    hnt_write_file(path, bytes, size);
    hn_loader_options o = hnt_files_options(0, 1, &a);
    hnt_files_open(&s, &o);
    hn_batch b;
    hn_status status = HN_OK;
    for (int i = 0; i < BATCHES && status == HN_OK; ++i)
        status = hnt_files_next(s.loader, &b);
    hnt_fails(status, HN_E_UNSUPPORTED, "precision 12");
    hnt_files_close(&s);
    o.on_corrupt = HN_LOADER_SKIP;
    hnt_files_open(&s, &o);
    hnt_files_collect(s.loader, 1, 1, images, index);
    ck_assert_int_eq(hn_loader_skipped(s.loader), 1);
    hnt_files_close(&s);
}
END_TEST

/* Names of files are others' texts: nothing in one makes a second line of the log, or anything else of a terminal. Here
 * a file that is skipped has such a name, then one that libjpeg complains about and reads.                           */
START_TEST(names_of_files_stay_on_their_line)
{
    static float images[IMAGES * IMAGE];
    static uint8_t bytes[HNT_FILE_ROOM];
    int64_t index[IMAGES];
    char from[512], to[512];
    hnt_files_setting s;
    hn_augment_options a = hnt_files_augment();
    hnt_files_make();
    hn_loader_options o = hnt_files_options(0, 1, &a);
    o.on_corrupt = HN_LOADER_SKIP;
    hnt_files_corrupt(8); /* becomes the last of its class: 9 */
    hnt_files_path(from, sizeof from, 8);
    snprintf(to, sizeof to, "%s/class1/x\ny.jpg", hnt_files_dir);
    ck_assert_int_eq(rename(from, to), 0);
    hnt_files_open(&s, &o);
    hnt_files_collect(s.loader, 1, 1, images, index);
    ck_assert_int_eq(hn_loader_skipped(s.loader), 1);
    ck_assert_int_eq(s.log.lines, 1);
    ck_assert_int_eq(s.log.skipped, 1);
    ck_assert_ptr_nonnull(strstr(s.log.last, "/class1/x?y.jpg"));
    hnt_files_close(&s);

    ck_assert_int_eq(unlink(to), 0);
    size_t size = hnt_files_read(6, bytes), head = 4 + (size_t)bytes[4] * 256 + bytes[5]; /* of the first segment */
    ck_assert_uint_lt(size + 3, sizeof bytes);
    memmove(bytes + head + 3, bytes + head, size - head);
    memset(bytes + head, 0, 3);
    hnt_write_file(to, bytes, size + 3);
    hnt_files_open(&s, &o);
    hnt_files_collect(s.loader, 1, 1, images, index);
    ck_assert_int_eq(hn_loader_skipped(s.loader), 0);
    ck_assert_int_ge(s.log.warned, 1); /* its head is read twice */
    ck_assert_int_eq(s.log.lines, s.log.warned);
    ck_assert_ptr_nonnull(strstr(s.log.last, "/class1/x?y.jpg"));
    hnt_files_close(&s);
}
END_TEST

/* A source that fails for good is no corrupt image. */
static hn_status no_memory(void *user, int64_t index, uint8_t *pixels)
{
    (void)user;
    memset(pixels, 1, 3);
    return index == 1 ? HN_E_NOMEM : HN_OK;
}

START_TEST(other_failures_are_not_skipped)
{
    static const hn_image_shape one = {1, 1, 3};
    static const hn_dataset_ops ops = {sizeof ops, no_memory, NULL};
    static const int32_t labels[4] = {0, 0, 0, 0};
    hn_context *context = hnt_context(1);
    hn_dataset *dataset = NULL;
    hn_sampler *sampler = NULL;
    hn_loader *l = NULL;
    hn_loader_options o = hnt_files_options(1, 1, NULL);
    o.on_corrupt = HN_LOADER_SKIP;
    hnt_ok(hn_dataset_create_custom(&dataset, context, &one, labels, 4, 1, &ops, NULL));
    hnt_ok(hn_sampler_create(&sampler, context, HN_SAMPLER_INSTANCE_BALANCED, labels, 4, 1, NULL));
    hnt_ok(hn_loader_create(&l, context, dataset, sampler, &o));
    hn_batch b;
    hnt_fails(hnt_files_next(l, &b), HN_E_NOMEM, "image 1");
    ck_assert_int_eq(hn_loader_skipped(l), 0);
    hn_loader_destroy(l);
    hn_dataset_release(dataset);
    hn_context_destroy(context);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("loader_corrupt");
    TCase *unit = hnt_case(s, "unit");
    tcase_add_test(unit, corrupt_files_fail_with_their_path);
    tcase_add_test(unit, corrupt_files_are_skipped);
    tcase_add_test(unit, headers_that_ask_too_much_are_skipped);
    tcase_add_test(unit, names_of_files_stay_on_their_line);
    tcase_add_test(unit, other_failures_are_not_skipped);
    return s;
}

int main(void)
{
    return hnt_files_main(suite());
}
