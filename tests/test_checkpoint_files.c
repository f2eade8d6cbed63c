/* The files of checkpoints: old ones go when the new one is whole, a save that fails leaves them, damage is found. */
#include "checkpoint_case.h"

#include <stdio.h>

#ifdef HNI_HAVE_JANSSON

#include "train/checkpoint.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- unit: files come and go ---------------------------------------------------------------------------------------- */

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

START_TEST(old_ones_go_when_the_new_one_is_whole)
{
    RIG_DIRECTORIES;
    static const char *const strangers[] = {"notes.txt",
                                            "checkpoint-1-2.safetensors.bak",
                                            "checkpoint-x-2.safetensors",
                                            "checkpoint-00000001-00000001.safetensors.tmpfile",
                                            "checkpoint-0-7.safetensors",
                                            "checkpoint-000000000-00000006.safetensors"};
    char path[300], left[400];
    rig r;
    rig_open(&r, CE);
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; ++i) {
        snprintf(path, sizeof path, "%s/%s", dir, strangers[i]);
        hnt_write_file(path, "mine", 4);
    }
    const int mine = (int)(sizeof strangers / sizeof *strangers);
    r.t.epoch = 3; /* of a training that nobody goes on with */
    hnt_ok(hn_checkpoint_save(&r.t, dir, 2, NULL, 0));
    r.t.epoch = 0;
    for (int steps = 0; steps < 8; ++steps) {
        rig_train(&r, steps);
        snprintf(left, sizeof left, "%s.tmp-123-0", rig_path(dir, steps)); /* by a writer that was killed */
        hnt_write_file(left, "half", 4);
        hnt_ok(hn_checkpoint_save(&r.t, dir, 2, NULL, 0));
        ck_assert(!exists(left));
        for (int k = 0; k <= steps; ++k)
            ck_assert_msg(exists(rig_path(dir, k)) == (k > steps - 2), "after step %d, %d", steps, k);
        ck_assert_int_eq(rig_entries(dir), mine + 1 + (steps > 0 ? 2 : 1));
    }
    ck_assert(exists(rig_path(dir, 3 * STEPS)));
    rig_train(&r, 9);
    hnt_ok(hn_checkpoint_save(&r.t, dir, 0, NULL, 0)); /* all stay */
    ck_assert_int_eq(rig_entries(dir), mine + 4);
    rig_close(&r);
}
END_TEST

/* A directory in the place of an old checkpoint cannot be removed as a file: that does not keep the others. */
START_TEST(one_that_stays_does_not_keep_the_others)
{
    RIG_DIRECTORIES;
    char left[400];
    rig r;
    rig_open(&r, CE);
    for (int steps = 0; steps < 3; ++steps) {
        rig_train(&r, steps);
        hnt_ok(hn_checkpoint_save(&r.t, dir, 0, NULL, 0));
    }
    ck_assert_int_eq(mkdir(rig_path(dir, 3), 0777), 0);
    snprintf(left, sizeof left, "%s.tmp-123-0", rig_path(dir, 0));
    hnt_write_file(left, "half", 4);
    for (int steps = 3; steps < 5; ++steps)
        rig_train(&r, steps);
    hnt_ok(hn_checkpoint_save(&r.t, dir, 1, NULL, 0));
    for (int k = 0; k < 3; ++k)
        ck_assert(!exists(rig_path(dir, k)));
    ck_assert(exists(rig_path(dir, 3)) && exists(rig_path(dir, 4)) && !exists(left));
    ck_assert_int_eq(rmdir(rig_path(dir, 3)), 0);
    hnt_fails(hn_checkpoint_save(&r.t, "", 1, NULL, 0), HN_E_ARG, "directory is empty");
    rig_close(&r);
}
END_TEST

/* No room, and no directory: a sentence, the old checkpoint, and nothing left about. */
START_TEST(a_save_that_fails_leaves_the_old_one)
{
    RIG_DIRECTORIES;
    char path[300];
    rig r;
    hn_checkpoint *c = NULL;
    rig_open(&r, PSC);
    rig_train(&r, 1);
    hnt_ok(hn_checkpoint_save(&r.t, dir, 1, NULL, 0));
    rig_train(&r, 2);
    struct rlimit before, small;
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 2000;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    hn_status status = hn_checkpoint_save(&r.t, dir, 1, NULL, 0);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, handler);
    hnt_fails(status, HN_E_IO, "File too large");
    ck_assert_int_eq(rig_entries(dir), 1);
    hnt_ok(hn_checkpoint_open(&c, r.context, dir));
    ck_assert_int_eq(hn_checkpoint_step(c), 1);
    hn_checkpoint_close(c);
    hn_param param = {.struct_size = sizeof param};
    hnt_ok(hn_hybrid_param(r.t.hybrid, 0, &param));
    float *weight = hn_tensor_data(param.value), kept = weight[1];
    weight[1] = -INFINITY; /* the training has diverged */
    hnt_fails(hn_checkpoint_save(&r.t, dir, 1, NULL, 0), HN_E_NONFINITE, "conv.weight is -inf at its value 1");
    weight[1] = kept;
    ck_assert_int_eq(rig_entries(dir), 1);
    snprintf(path, sizeof path, "%s/file", other);
    hnt_write_file(path, "", 0);
    hnt_fails(hn_checkpoint_save(&r.t, path, 1, NULL, 0), HN_E_IO, path);
    hnt_fails(hn_checkpoint_save(&r.t, "/nonexistent", 1, NULL, 0), HN_E_IO, "/nonexistent");
    hnt_fails(hn_checkpoint_save(&r.t, "/proc", 1, NULL, 0), HN_E_IO, "/proc");
    rig_close(&r);
}
END_TEST

/* ---- unit: damage --------------------------------------------------------------------------------------------------- */

/* The file at `path` is bad: alone it is refused by name, beside an older one it is passed over with a warning. */
static void refused_for_older(rig *r, const char *dir, const char *path, const char *what)
{
    hn_checkpoint *c = NULL;
    r->warnings = 0;
    hn_status status = hn_checkpoint_open(&c, r->context, dir);
    ck_assert_msg(status == HN_OK, "%s: %s", what, hn_last_error());
    ck_assert_int_eq(hn_checkpoint_step(c), 1);
    ck_assert_msg(r->warnings == 1 && strstr(r->warning, path) != NULL, "%s: %d warnings, the last: %s", what,
                  r->warnings, r->warning);
    hn_checkpoint_close(c);
}

START_TEST(damaged_and_foreign_files_are_passed_over)
{
    RIG_DIRECTORIES;
    rig r;
    char path[300];
    hn_checkpoint *c = NULL;
    rig_open(&r, PROCO);
    rig_train(&r, 1);
    hnt_ok(hn_checkpoint_save(&r.t, dir, 0, NULL, 0));
    rig_train(&r, 3);
    hnt_ok(hn_checkpoint_save(&r.t, dir, 0, NULL, 0));
    snprintf(path, sizeof path, "%s", rig_path(dir, 3));
    rig_bytes whole = rig_read(path);
    const size_t cuts[] = {0, 1, 7, 8, 9, whole.size / 4, whole.size / 2, whole.size - 1};
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; ++i) {
        hnt_write_file(path, whole.data, cuts[i]);
        refused_for_older(&r, dir, path, "a truncated file");
    }
    unsigned char *longer = hnt_alloc(whole.size + 1);
    memcpy(longer, whole.data, whole.size);
    hnt_write_file(path, longer, whole.size + 1);
    refused_for_older(&r, dir, path, "a byte too many");
    memset(longer, 0, whole.size);
    hnt_write_file(path, longer, whole.size); /* as some file systems leave it after a crash */
    refused_for_older(&r, dir, path, "zeros");
    hnt_write_file(path, "checkpoint of another program\n", 30);
    refused_for_older(&r, dir, path, "text");
    hnt_ok(hn_hybrid_save(r.t.hybrid, path));
    refused_for_older(&r, dir, path, "weights");
    remove(path);
    ck_assert_int_eq(mkdir(path, 0777), 0);
    refused_for_older(&r, dir, path, "a directory");
    remove(path);

    /* No older one: an error that names the latest. */
    hnt_write_file(path, whole.data, whole.size - 1);
    hnt_write_file(rig_path(dir, 1), "", 0);
    hnt_fails(hn_checkpoint_open(&c, r.context, dir), HN_E_FORMAT, path);
    ck_assert_ptr_null(c);
    ck_assert_ptr_nonnull(strstr(hn_last_error(), "2 are there"));
    hnt_write_file(path, whole.data, whole.size); /* it was good */
    hnt_ok(hn_checkpoint_open(&c, r.context, dir));
    hn_checkpoint_close(c);
    free(longer);
    free(whole.data);
    rig_close(&r);
}
END_TEST

/* A whole checkpoint of a newer library is no damage: an older one does not take its place unasked. */
START_TEST(a_newer_format_is_refused)
{
    RIG_DIRECTORIES;
    rig r;
    char path[300];
    rig_open(&r, CE);
    rig_train(&r, 1);
    hnt_ok(hn_checkpoint_save(&r.t, dir, 0, NULL, 0));
    rig_train(&r, 3);
    hnt_ok(hn_checkpoint_save(&r.t, dir, 0, NULL, 0));
    snprintf(path, sizeof path, "%s", rig_path(dir, 3));
    hn_safetensors *file = NULL;
    hn_checkpoint *untouched = (hn_checkpoint *)&r, *c = untouched;
    hnt_ok(hn_safetensors_open(&file, r.context, path));
    char *version = (char *)(uintptr_t)hn_safetensors_metadata(file, HNI_CHECKPOINT_FORMAT);
    ck_assert_str_eq(version, "1");
    *version = '2';
    rig_seal(r.context, file, path);
    hnt_fails(hn_checkpoint_open(&c, r.context, dir), HN_E_VERSION, "is in version 2 of the format");
    ck_assert_ptr_nonnull(strstr(hn_last_error(), path));
    ck_assert_ptr_eq(c, untouched);
    ck_assert_int_eq(r.warnings, 0);
    *version = '1'; /* nothing else is wrong with it */
    rig_seal(r.context, file, path);
    hnt_ok(hn_checkpoint_open(&c, r.context, dir));
    ck_assert_int_eq(hn_checkpoint_step(c), 3);
    hn_checkpoint_close(c);
    hn_safetensors_close(file);
    rig_close(&r);
}
END_TEST

/* Every bit of a checkpoint is flipped in turn. The few that are not found change nothing. */
START_TEST(no_flipped_bit_goes_unseen)
{
    static const hn_metadata metadata = {"options", "lr = 0.1\nname = \"x\"\n"};
    RIG_DIRECTORIES;
    rig r;
    char path[300];
    size_t harmless = 0;
    rig_open(&r, CE);
    rig_train(&r, 1);
    hnt_ok(hn_checkpoint_save(&r.t, dir, 0, &metadata, 1));
    snprintf(path, sizeof path, "%s", rig_path(dir, 1));
    rig_bytes whole = rig_read(path), want = rig_state(&r, other);
    FILE *f = fopen(path, "r+b");
    ck_assert_ptr_nonnull(f);
    setvbuf(f, NULL, _IONBF, 0);
    for (size_t bit = 0; bit < 8 * whole.size; ++bit) {
        hn_checkpoint *c = NULL;
        fseek(f, (long)(bit / 8), SEEK_SET);
        fputc(whole.data[bit / 8] ^ 1 << bit % 8, f);
        hn_status status = hn_checkpoint_open(&c, r.context, dir);
        if (status == HN_OK) {
            ++harmless;
            ck_assert_str_eq(hn_checkpoint_metadata(c, "options"), metadata.value);
            hnt_ok(hn_checkpoint_restore(c, &r.t));
            rig_bytes got = rig_state(&r, other);
            ck_assert_msg(rig_same(want, got), "bit %zu was flipped unseen", bit);
            free(got.data);
            hn_checkpoint_close(c);
        } else {
            ck_assert_msg(status == HN_E_FORMAT, "bit %zu: %s", bit, hn_last_error());
            ck_assert_ptr_null(c);
        }
        fseek(f, (long)(bit / 8), SEEK_SET);
        fputc(whole.data[bit / 8], f);
    }
    fclose(f);
    ck_assert_uint_lt(harmless, 16);
    rig_bytes after = rig_read(path);
    ck_assert(rig_same(whole, after));
    free(after.data);
    free(whole.data);
    free(want.data);
    rig_close(&r);
}
END_TEST

#else

START_TEST(a_build_without_jansson_writes_nothing)
{
    RIG_DIRECTORIES;
    rig r;
    rig_open(&r, CE);
    hnt_fails(hn_checkpoint_save(&r.t, dir, 1, NULL, 0), HN_E_UNSUPPORTED, "without jansson");
    ck_assert_int_eq(rig_entries(dir), 0);
    rig_close(&r);
    (void)other;
}
END_TEST

#endif

static Suite *suite(void)
{
    Suite *s = suite_create("checkpoint_files");
    TCase *unit = hnt_case(s, "unit");
#ifdef HNI_HAVE_JANSSON
    tcase_add_test(unit, old_ones_go_when_the_new_one_is_whole);
    tcase_add_test(unit, one_that_stays_does_not_keep_the_others);
    tcase_add_test(unit, a_save_that_fails_leaves_the_old_one);
    tcase_add_test(unit, damaged_and_foreign_files_are_passed_over);
    tcase_add_test(unit, a_newer_format_is_refused);
    tcase_add_test(unit, no_flipped_bit_goes_unseen);
#else
    tcase_add_test(unit, a_build_without_jansson_writes_nothing);
#endif
    return s;
}

HNT_MAIN(suite)
