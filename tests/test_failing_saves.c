/* The system calls of saving and of reading back, as test_failing_calls.c has them: weights, and checkpoints beside older ones.
 * A file that was to be replaced is the old one or the whole new one, nothing unfinished is left, the older checkpoint
 * still opens, and a training that could not take its file's content is as it was.                                      */
#include "checkpoint_case.h"
#include "failing_calls.h"
#include "reader_case.h"
#include "training_case.h"

#include "base/context.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const int errors[] = {EIO, ENOSPC, EMFILE, EACCES, ENOMEM};
enum { ERRORS = sizeof errors / sizeof *errors, MOST_CALLS = 500 };

static const hnt_trouble delays[] = {
    {.fail_at = -1, .piece = 1, .no_sync = true},
    {.fail_at = -1, .piece = 7, .no_sync = true},
    {.fail_at = -1, .interrupt = 2, .no_sync = true},
    {.fail_at = -1, .interrupt = 3, .no_sync = true},
    {.fail_at = -1, .piece = 1000, .interrupt = 2, .no_sync = true},
};
enum { DELAYS = sizeof delays / sizeof *delays };

/* ---- what is done --------------------------------------------------------------------------------------------------- */

static hn_status load(hnt_trainee *t)
{
    return hn_hybrid_load(t->t.hybrid, hnt_trainee_weights(t), 0);
}

/* The third, of which two are kept. */
static hn_status save_checkpoint(hnt_trainee *t)
{
    const int64_t epoch = t->t.epoch;
    t->t.epoch = 2;
    const hn_status status = hn_checkpoint_save(&t->t, t->out, 2, NULL, 0);
    t->t.epoch = epoch;
    return status;
}

static hn_status restore(hnt_trainee *t)
{
    hn_checkpoint *c = NULL;
    hn_status status = hn_checkpoint_open(&c, t->context, t->out);
    ck_assert((status == HN_OK) == (c != NULL));
    if (status == HN_OK)
        status = hn_checkpoint_restore(c, &t->t);
    hn_checkpoint_close(c);
    return status;
}

typedef struct part {
    const char *name;
    hn_status (*act)(hnt_trainee *t);
} part;

static const part parts[] = {{"save", hnt_trainee_save_weights},
                             {"save_inference", hnt_trainee_save_inference},
                             {"load", load},
                             {"checkpoint_save", save_checkpoint},
                             {"checkpoint_open and _restore", restore}};
enum { PARTS = sizeof parts / sizeof *parts };

/* ---- where it is done ----------------------------------------------------------------------------------------------- */

static int warnings;

static void on_log(int32_t level, const char *text, void *user)
{
    (void)text;
    (void)user;
    warnings += level == HN_LOG_WARNING;
}

/* One value of the first parameter and one of the last become what is in values, which takes what they were. */
static void swap_values(hnt_trainee *t, float values[2])
{
    for (int last = 0; last < 2; ++last) {
        hn_param param = {.struct_size = sizeof param};
        hnt_ok(hn_hybrid_param(t->t.hybrid, last ? hn_hybrid_param_count(t->t.hybrid) - 1 : 0, &param));
        float *value = hn_tensor_data(param.value), was = *value;
        *value = values[last];
        values[last] = was;
    }
}

/* Weights, and checkpoints of epochs 0 and 1, all of the values from `step` steps. */
static void write_files(hnt_trainee *t)
{
    char third[300];
    snprintf(third, sizeof third, "%s/checkpoint-%08d-%08d.safetensors", t->out, 2, (int)t->t.step);
    (void)remove(third);
    for (t->t.epoch = 0; t->t.epoch < 2; ++t->t.epoch)
        hnt_ok(hn_checkpoint_save(&t->t, t->out, 0, NULL, 0));
    hnt_ok(hnt_trainee_save_weights(t));
}

typedef struct bench {
    hnt_counter counter;
    hn_context *context;
    hnt_trainee t;
    float kept[2]; /* values of the training, in whose place are others */
} bench;

/* In place: the context has the counter's address. */
static void open_bench(bench *b, const char *in, const char *out)
{
    *b = (bench){.counter = {.fail_at = -1}, .kept = {3.0f, 4.0f}};
    hnt_begin_trouble(&(hnt_trouble){.fail_at = -1, .no_sync = true});
    hnt_ok(hnt_counting_context(&b->context, &b->counter, 1));
    b->context->log = on_log;
    hnt_ok(hnt_trainee_open(&b->t, b->context, &(hnt_plan){.in = in, .out = out, .kind = PSC}));
    hnt_ok(hnt_trainee_take(&b->t));
    hnt_ok(hnt_trainee_step(&b->t));
    swap_values(&b->t, b->kept);
}

static void close_bench(bench *b)
{
    hnt_trainee_close(&b->t);
    hn_context_destroy(b->context);
    ck_assert_int_eq(b->counter.alive, 0);
}

/* What a part leaves: the training's state and the files. */
typedef struct outcome {
    hn_status status;
    uint64_t before[2], after[2];
} outcome;

/* In trouble, from a disturbed training and the files of an undisturbed one. */
static outcome act(bench *b, const part *p, const hnt_trouble *trouble)
{
    hnt_trainee *t = &b->t;
    hnt_begin_trouble(&(hnt_trouble){.fail_at = -1, .no_sync = true});
    swap_values(t, b->kept);
    write_files(t);
    b->kept[0] = b->kept[1] = 3.0f; /* which no file has */
    swap_values(t, b->kept);
    t->t.epoch = 7;
    outcome o = {HN_OK, {hnt_trainee_sum(t, 1), hnt_files_sum(t->out)}, {0, 0}};
    const int descriptors = hnt_descriptors();
    const int64_t alive = b->counter.alive;
    warnings = 0;
    hnt_begin_trouble(trouble);
    o.status = p->act(t);
    hnt_end_trouble();
    ck_assert_int_eq(b->counter.alive, alive);
    ck_assert_msg(hnt_descriptors() == descriptors, "%s leaves a descriptor open", p->name);
    o.after[0] = hnt_trainee_sum(t, 1);
    o.after[1] = hnt_files_sum(t->out);
    return o;
}

/* ---- tests ---------------------------------------------------------------------------------------------------------- */

START_TEST(slow_files)
{
    RIG_DIRECTORIES;
    bench b;
    hnt_make_files(dir);
    open_bench(&b, dir, other);
    for (int i = 0; i < PARTS; ++i) {
        const outcome want = act(&b, &parts[i], &(hnt_trouble){.fail_at = -1});
        hnt_ok(want.status);
        for (int k = 0; k < DELAYS; ++k) {
            const outcome o = act(&b, &parts[i], &delays[k]);
            ck_assert_msg(o.status == HN_OK && warnings == 0, "%s, delay %d: %s", parts[i].name, k, hn_last_error());
            ck_assert(delays[k].interrupt == 0 || hnt_calls_interrupted() > 0);
            ck_assert_msg(memcmp(o.after, want.after, sizeof o.after) == 0, "%s, delay %d", parts[i].name, k);
        }
    }
    close_bench(&b);
}
END_TEST

/* A failure of the listing after the new checkpoint is whole, or of the latest where an older is whole too, is a warning. */
static bool passed_over(const bench *b, const part *p, int error)
{
    const char *call = hnt_call_failed();
    if (warnings != 1)
        return false;
    if (p->act == save_checkpoint)
        return hnt_call_harmless() || strcmp(call, "opendir") == 0 || strcmp(call, "readdir") == 0;
    return p->act == restore && error != ENOMEM && b->t.t.epoch == 0;
}

static void check(bench *b, const part *p, const hnt_trouble *trouble, const outcome *want)
{
    const outcome o = act(b, p, trouble);
    const char *call = hnt_call_failed(), *text = strerror(trouble->error);
    if (o.status == HN_OK) {
        const bool same = memcmp(o.after, want->after, sizeof o.after) == 0;
        ck_assert_msg(passed_over(b, p, trouble->error) || ((call == NULL || hnt_call_harmless()) && same),
                      "%s succeeds where %s fails with %s", p->name, call, text);
        return;
    }
    ck_assert_msg(call != NULL && o.status == (trouble->error == ENOMEM ? HN_E_NOMEM : HN_E_IO),
                  "%s: %s fails with %s: %s (%s)", p->name, call, text, hn_status_name(o.status), hn_last_error());
    ck_assert_msg(strstr(hn_last_error(), text) != NULL && strstr(hn_last_error(), b->t.out) != NULL,
                  "%s: %s fails with %s: \"%s\"", p->name, call, text, hn_last_error());
    ck_assert_msg(memcmp(o.after, o.before, sizeof o.after) == 0, "%s: %s fails with %s, and something has changed",
                  p->name, call, text);
    hnt_ok(restore(&b->t));
    ck_assert_int_eq(b->t.t.epoch, 1);
}

START_TEST(failing_files)
{
    RIG_DIRECTORIES;
    bench b;
    hnt_make_files(dir);
    open_bench(&b, dir, other);
    for (int i = 0; i < PARTS; ++i) {
        const outcome want = act(&b, &parts[i], &(hnt_trouble){.fail_at = -1, .no_sync = true});
        hnt_ok(want.status);
        for (int mode = 0; mode < 2 * ERRORS; ++mode) {
            hnt_trouble trouble = {.error = errors[mode / 2], .for_good = mode % 2 != 0, .no_sync = true};
            trouble.piece =
                trouble.error == ENOSPC ? 3000 : 0; /* a part of the file is written before the disk is full */
            do
                check(&b, &parts[i], &trouble, &want);
            while (hnt_call_failed() != NULL && ++trouble.fail_at < MOST_CALLS);
            ck_assert_int_gt(trouble.fail_at, 3);
            ck_assert_int_lt(trouble.fail_at, MOST_CALLS);
        }
    }
    close_bench(&b);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("failing_saves");
    TCase *unit = hnt_case(s, "unit");
    tcase_add_test(unit, slow_files);
    tcase_add_test(unit, failing_files);
    return s;
}

HNT_MAIN(suite)
