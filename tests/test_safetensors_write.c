/* Writing safetensors: the bytes, what cannot be written, and what a failed write leaves behind. */
#include "safetensors_case.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef HNI_HAVE_JANSSON

/* A build without jansson says so, before it looks at anything else, and allocates nothing. */
START_TEST(is_not_in_this_build)
{
    hnt_counter counter = {.fail_at = -1};
    hn_context *context = NULL;
    hnt_ok(hnt_counting_context(&context, &counter, 1));
    int64_t calls = counter.calls;
    hnt_fails(hn_safetensors_write(context, "x.safetensors", NULL, 0, NULL, 0), HN_E_UNSUPPORTED, "HN_SAFETENSORS");
    ck_assert_int_eq(counter.calls, calls);
    ck_assert_int_eq(access("x.safetensors", F_OK), -1);
    hn_context_destroy(context);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("safetensors_write");
    tcase_add_test(hnt_case(s, "unit"), is_not_in_this_build);
    tcase_add_test(hnt_case(s, "oom"), is_not_in_this_build);
    return s;
}

#else

/* Byte for byte, so that other readers of the format are served too. */
START_TEST(bytes_of_a_file)
{
    hnt_place p = hnt_new_place("a.safetensors");
    hn_context *context = hnt_context(1);
    hn_tensor *t = NULL;
    const hn_desc desc = {HN_F32, 2, {1, 2}};
    hnt_ok(hn_tensor_create(&t, context, &desc));
    ((float *)hn_tensor_data(t))[0] = 1.0f;
    ((float *)hn_tensor_data(t))[1] = -2.0f;
    const hn_named_tensor named = {"w", t};
    const hn_metadata note = {"k", "v"};
    static const char want[] = "\x58\0\0\0\0\0\0\0"
                               "{\"__metadata__\":{\"k\":\"v\"},"
                               "\"w\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[0,8]}}       "
                               "\0\0\x80\x3f\0\0\0\xc0";
    for (int round = 0; round < 2; ++round) {
        hnt_ok(hn_safetensors_write(context, p.file, &named, 1, &note, 1));
        size_t size;
        unsigned char *got = hnt_read_file(p.file, &size);
        ck_assert_uint_eq(size, sizeof want - 1);
        ck_assert_mem_eq(got, want, size);
        free(got);
    }
    /* No tensor and no metadata is a file, too. */
    hnt_ok(hn_safetensors_write(context, p.file, NULL, 0, NULL, 0));
    size_t size;
    unsigned char *got = hnt_read_file(p.file, &size);
    ck_assert_uint_eq(size, 16);
    ck_assert_mem_eq(got + 8, "{}      ", 8);
    free(got);
    hn_safetensors *file = NULL;
    hnt_ok(hn_safetensors_open(&file, context, p.file));
    ck_assert_int_eq(hn_safetensors_count(file), 0);
    hn_safetensors_close(file);
    ck_assert_int_eq(hnt_entries_in(p.dir), 1);
    hn_tensor_destroy(t);
    hn_context_destroy(context);
}
END_TEST

START_TEST(what_cannot_be_written)
{
    hnt_place p = hnt_new_place("a.safetensors");
    hn_context *context = hnt_context(1);
    hnt_samples s = hnt_make_samples(context);
    hnt_fails(hn_safetensors_write(NULL, p.file, s.named, 1, NULL, 0), HN_E_ARG, "context is NULL");
    hnt_fails(hn_safetensors_write(context, NULL, s.named, 1, NULL, 0), HN_E_ARG, "path is NULL");
    hnt_fails(hn_safetensors_write(context, p.file, NULL, 1, NULL, 0), HN_E_ARG, "tensors is NULL");
    hnt_fails(hn_safetensors_write(context, p.file, s.named, 1, NULL, 1), HN_E_ARG, "metadata is NULL");
    hnt_fails(hn_safetensors_write(context, p.file, s.named, -1, NULL, 0), HN_E_ARG, "negative");
    hn_named_tensor two[2] = {{"w", s.tensor[0]}, {"w", s.tensor[1]}};
    hnt_fails(hn_safetensors_write(context, p.file, two, 2, NULL, 0), HN_E_ARG, "two tensors are named w");
    two[1].name = NULL;
    hnt_fails(hn_safetensors_write(context, p.file, two, 2, NULL, 0), HN_E_ARG, "named NULL");
    two[1].name = "__metadata__";
    hnt_fails(hn_safetensors_write(context, p.file, two, 2, NULL, 0), HN_E_ARG, "named __metadata__");
    two[1].name = "\xff";
    hnt_fails(hn_safetensors_write(context, p.file, two, 2, NULL, 0), HN_E_ARG, "UTF-8");
    two[1] = (hn_named_tensor){"v", NULL};
    hnt_fails(hn_safetensors_write(context, p.file, two, 2, NULL, 0), HN_E_ARG, "tensor 1 is NULL");
    hn_metadata keys[2] = {{"k", "1"}, {"k", "2"}};
    hnt_fails(hn_safetensors_write(context, p.file, s.named, 1, keys, 2), HN_E_ARG, "are named k");
    keys[1].key = NULL;
    hnt_fails(hn_safetensors_write(context, p.file, s.named, 1, keys, 2), HN_E_ARG, "is NULL");
    keys[1] = (hn_metadata){"l", NULL};
    hnt_fails(hn_safetensors_write(context, p.file, s.named, 1, keys, 2), HN_E_ARG, "value is NULL");
    keys[1].value = "\xc3(";
    hnt_fails(hn_safetensors_write(context, p.file, s.named, 1, keys, 2), HN_E_ARG, "UTF-8");
    ck_assert_int_eq(hnt_entries_in(p.dir), 0);
    hnt_drop_samples(&s);
    hn_context_destroy(context);
}
END_TEST

/* ---- writes that fail -------------------------------------------------------------------------------------------- */

/* 20 kB under the name "big". */
static hn_status write_big(hn_context *context, const char *path)
{
    hn_tensor *t = NULL;
    const hn_desc desc = {HN_F32, 1, {5000}};
    hnt_ok(hn_tensor_create(&t, context, &desc));
    const hn_named_tensor named = {"big", t};
    hn_status status = hn_safetensors_write(context, path, &named, 1, NULL, 0);
    hn_tensor_destroy(t);
    return status;
}

/* A disk that fills up in the header, in the data, and at its last byte. */
START_TEST(full_disk_leaves_the_old_file)
{
    hnt_place p = hnt_new_place("a.safetensors");
    hn_context *context = hnt_context(1);
    size_t before, after;
    unsigned char *old = hnt_small_file(&p, &before);
    static const rlim_t limits[] = {0, 5, 20, 100, 10000, 20071};
    struct sigaction ignore = {.sa_handler = SIG_IGN}, former;
    ck_assert_int_eq(sigaction(SIGXFSZ, &ignore, &former), 0);
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; ++i) {
        struct rlimit limit, small;
        ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
        small = limit;
        small.rlim_cur = limits[i];
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
        hn_status status = write_big(context, p.file);
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
        hnt_fails(status, HN_E_IO, strerror(EFBIG));
        ck_assert_ptr_nonnull(strstr(hn_last_error(), p.file));
        unsigned char *now = hnt_read_file(p.file, &after);
        ck_assert_uint_eq(after, before);
        ck_assert_mem_eq(now, old, before);
        ck_assert_int_eq(hnt_entries_in(p.dir), 1);
        free(now);
    }
    ck_assert_int_eq(sigaction(SIGXFSZ, &former, NULL), 0);
    hnt_ok(write_big(context, p.file));
    free(hnt_read_file(p.file, &after));
    ck_assert_uint_eq(after, 8 + 64 + 20000);
    free(old);
    hn_context_destroy(context);
}
END_TEST

START_TEST(directories_that_cannot_be_written)
{
    hnt_place p = hnt_new_place("a.safetensors");
    hn_context *context = hnt_context(1);
    char path[2 * sizeof p.file];
    snprintf(path, sizeof path, "%s/nowhere/a", p.dir);
    hnt_fails(write_big(context, path), HN_E_IO, "No such file");
    hnt_fails(write_big(context, ""), HN_E_IO, "cannot");
    ck_assert_int_eq(mkdir(p.file, 0755), 0); /* a directory where the file should go */
    hnt_fails(write_big(context, p.file), HN_E_IO, "is no regular file, and is not replaced by one");
    ck_assert_int_eq(hnt_entries_in(p.dir), 1);

    struct stat info; /* a pipe, or a device such as /dev/null, stays one */
    snprintf(path, sizeof path, "%s/pipe", p.dir);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    hnt_fails(write_big(context, path), HN_E_IO, "is no regular file");
    ck_assert_int_eq(stat(path, &info), 0);
    ck_assert(S_ISFIFO(info.st_mode));
    ck_assert_int_eq(hnt_entries_in(p.dir), 2);

    snprintf(path, sizeof path, "%s/b", p.file);
    ck_assert_int_eq(chmod(p.dir, 0755), 0);
    ck_assert_int_eq(chmod(p.file, 0555), 0);
    const uid_t self = geteuid();
    if (self == 0) /* root may write anywhere: be nobody for a while */
        ck_assert_int_eq(seteuid(65534), 0);
    hn_status status = write_big(context, path);
    if (self == 0)
        ck_assert_int_eq(seteuid(self), 0);
    hnt_fails(status, HN_E_IO, strerror(EACCES));
    ck_assert_int_eq(hnt_entries_in(p.file), 0);
    hn_context_destroy(context);
}
END_TEST

/* As long as a name may be: what is written beside it has no room for more. */
START_TEST(long_names_are_written)
{
    hnt_place p = hnt_new_place("a.safetensors");
    hn_context *context = hnt_context(1);
    char path[sizeof p.dir + 256 + 1];
    snprintf(path, sizeof path, "%s/%0255d", p.dir, 7);
    hnt_ok(write_big(context, path));
    hnt_ok(write_big(context, path));
    ck_assert_int_eq(hnt_entries_in(p.dir), 1);
    hn_context_destroy(context);
}
END_TEST

START_TEST(mode_follows_the_umask)
{
    hnt_place p = hnt_new_place("a.safetensors");
    hn_context *context = hnt_context(1);
    for (int i = 0; i < 2; ++i) {
        const mode_t masks[] = {022, 077};
        mode_t former = umask(masks[i]);
        hn_status status = write_big(context, p.file);
        umask(former);
        hnt_ok(status);
        struct stat info;
        ck_assert_int_eq(stat(p.file, &info), 0);
        ck_assert_uint_eq(info.st_mode & 0777, 0666 & ~masks[i]);
    }
    /* What an earlier process left under the temporary name stays, and is in nobody's way. */
    char stale[sizeof p.file + 64];
    snprintf(stale, sizeof stale, "%s.tmp-%ld-0", p.file, (long)getpid());
    hnt_write_file(stale, "x", 1);
    hnt_ok(write_big(context, p.file));
    ck_assert_int_eq(hnt_entries_in(p.dir), 2);
    hn_context_destroy(context);
}
END_TEST

/* ---- memory that runs out ---------------------------------------------------------------------------------------------- */

/* The old file stays, alone and as it was. */
START_TEST(every_allocation_may_fail)
{
    hnt_place p = hnt_new_place("a.safetensors");
    size_t before;
    unsigned char *old = hnt_small_file(&p, &before);
    for (int64_t k = 0;; ++k) {
        hnt_counter counter = {.fail_at = -1};
        hn_context *context = NULL;
        hnt_ok(hnt_counting_context(&context, &counter, 1));
        hnt_samples s = hnt_make_samples(context);
        int64_t alive = counter.alive;
        counter.fail_at = counter.calls + k;
        hn_status status = hn_safetensors_write(context, p.file, s.named, HNT_SAMPLES, hnt_notes, HNT_NOTES);
        ck_assert_int_eq(counter.alive, alive);
        hnt_drop_samples(&s);
        hn_context_destroy(context);
        ck_assert_int_eq(counter.alive, 0);
        ck_assert_int_eq(hnt_entries_in(p.dir), 1);
        if (status == HN_OK) {
            ck_assert_int_ge(k, 4);
            break;
        }
        ck_assert_int_eq(status, HN_E_NOMEM);
        size_t size;
        unsigned char *now = hnt_read_file(p.file, &size);
        ck_assert_uint_eq(size, before);
        ck_assert_mem_eq(now, old, before);
        free(now);
    }
    free(old);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("safetensors_write");
    TCase *unit = hnt_case(s, "unit");
    tcase_add_test(unit, bytes_of_a_file);
    tcase_add_test(unit, what_cannot_be_written);
    tcase_add_test(unit, full_disk_leaves_the_old_file);
    tcase_add_test(unit, directories_that_cannot_be_written);
    tcase_add_test(unit, mode_follows_the_umask);
    tcase_add_test(unit, long_names_are_written);
    tcase_add_test(hnt_case(s, "oom"), every_allocation_may_fail);
    return s;
}

#endif

HNT_MAIN(suite)
