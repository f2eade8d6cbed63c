#include "support.h"

#include "base/context.h"
#include "base/memory.h"
#include "base/parallel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

START_TEST(options_are_checked)
{
    hn_context *context = NULL;
    hn_context_options o;
    hn_context_options_init(&o, sizeof o);
    hnt_fails(hn_context_create(NULL, &o), HN_E_ARG, "out is NULL");
    o.num_threads = -1;
    hnt_fails(hn_context_create(&context, &o), HN_E_ARG, "num_threads is -1");
    o.num_threads = 1025;
    hnt_fails(hn_context_create(&context, &o), HN_E_ARG, "num_threads is 1025; it must be in [0, 1024]");
    o.num_threads = INT32_MAX;
    hnt_fails(hn_context_create(&context, &o), HN_E_ARG, "num_threads is 2147483647");
    o.num_threads = 1;
    hn_allocator lame = {.struct_size = sizeof lame};
    o.allocator = &lame;
    hnt_fails(hn_context_create(&context, &o), HN_E_ARG, "lacks alloc");
    ck_assert_ptr_null(context);
    hn_context_destroy(NULL);
}
END_TEST

START_TEST(threads_are_as_asked)
{
    hn_context *context = hnt_context(3);
    ck_assert_int_eq(hn_context_num_threads(context), strstr(hn_build_info(), "OpenMP") != NULL ? 3 : 1);
    hn_context_destroy(context);
    context = hnt_context(1024);
    ck_assert_int_eq(hn_context_num_threads(context), strstr(hn_build_info(), "OpenMP") != NULL ? 1024 : 1);
    hn_context_destroy(context);
    context = hnt_context(0);
    ck_assert_int_ge(hn_context_num_threads(context), 1);
    hn_context_destroy(context);
}
END_TEST

enum { LINE = 600 };

static void keep_line(int32_t level, const char *text, void *user)
{
    ck_assert_int_eq(level, HN_LOG_WARNING);
    snprintf(user, LINE, "%s", text);
}

static hn_context *context_with_log(char line[LINE])
{
    hn_context *context = NULL;
    hn_context_options o;
    hn_context_options_init(&o, sizeof o);
    o.log = keep_line;
    o.log_user = line;
    hnt_ok(hn_context_create(&context, &o));
    return context;
}

START_TEST(log_lines_reach_the_sink)
{
    char line[LINE] = "";
    hn_context *context = context_with_log(line);
    hni_log(context, HN_LOG_WARNING, "n is %d", 5);
    ck_assert_str_eq(line, "n is 5");
    hn_context_destroy(context);
}
END_TEST

/* Names of files are others' texts: what they hold does nothing to a terminal, and makes no second line. */
START_TEST(a_log_line_is_one_line)
{
    char line[LINE] = "", longer[LINE];
    hn_context *context = context_with_log(line);
    hni_log(context, HN_LOG_WARNING, "%s", "a\x1b[2J\nb");
    ck_assert_str_eq(line, "a?[2J?b");
    hni_log(context, HN_LOG_WARNING, "a file \"%s\"", "\r\t\x7f\x01 \xc2\x9b \xff \xc3\xa9");
    ck_assert_str_eq(line, "a file \"???? ?? ? \xc3\xa9\"");
    memset(longer, 'x', sizeof longer); /* cut to 511 bytes, and so in the middle of a character */
    memcpy(longer + 510, "\xc3\xa9", 3);
    hni_log(context, HN_LOG_WARNING, "%s", longer);
    ck_assert_uint_eq(strlen(line), 511);
    ck_assert_str_eq(line + 509, "x?");
    hn_context_destroy(context);
}
END_TEST

START_TEST(allocations_are_aligned_and_returned)
{
    hnt_counter counter = {.fail_at = -1};
    hn_context *context = NULL;
    hnt_ok(hnt_counting_context(&context, &counter, 1));
    for (size_t size = 0; size < 300; size += 37) {
        char *p = hni_alloc_zero(context, size);
        ck_assert_uint_eq((uintptr_t)p % HNI_ALIGN, 0);
        for (size_t i = 0; i < size; ++i)
            ck_assert_int_eq(p[i], 0);
        hni_release(context, p, size);
    }
    ck_assert_ptr_null(hni_alloc(context, SIZE_MAX));
    hn_context_destroy(context);
    ck_assert_int_eq(counter.alive, 0);
    ck_assert_int_eq(counter.alive_bytes, 0);
}
END_TEST

enum { TASKS = 300 };

/* Looked at when all threads are through: Check's assertions are for one thread. */
typedef struct tally {
    _Atomic int ran[TASKS], thread[TASKS];
} tally;

static void count_task(void *arg, int64_t task, int32_t thread)
{
    tally *t = arg;
    t->ran[task]++;
    t->thread[task] = thread;
}

/* Above 64 threads some begin with the same tasks. */
START_TEST(every_task_runs_once)
{
    static const int32_t threads[] = {1, 3, 64, 65, 70, 200};
    for (size_t k = 0; k < sizeof threads / sizeof threads[0]; ++k) {
        tally t = {0};
        hni_parallel(threads[k], TASKS, count_task, &t);
        for (int i = 0; i < TASKS; ++i) {
            ck_assert_msg(t.ran[i] == 1, "%d threads ran task %d %d times", (int)threads[k], i, t.ran[i]);
            ck_assert_int_ge(t.thread[i], 0);
            ck_assert_int_lt(t.thread[i], threads[k]);
        }
    }
}
END_TEST

START_TEST(no_tasks_are_none_to_run)
{
    tally t = {0};
    hni_parallel(3, 0, count_task, &t);
    hni_parallel(3, -1, count_task, &t);
    for (int i = 0; i < TASKS; ++i)
        ck_assert_int_eq(t.ran[i], 0);
}
END_TEST

START_TEST(no_memory_for_a_context)
{
    hnt_counter counter = {.fail_at = 0};
    hn_context *context = NULL;
    hnt_fails(hnt_counting_context(&context, &counter, 1), HN_E_NOMEM, "out of memory");
    ck_assert_ptr_null(context);
    ck_assert_int_eq(counter.alive, 0);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("context");
    TCase *unit = hnt_case(s, "unit");
    tcase_add_test(unit, options_are_checked);
    tcase_add_test(unit, threads_are_as_asked);
    tcase_add_test(unit, log_lines_reach_the_sink);
    tcase_add_test(unit, a_log_line_is_one_line);
    tcase_add_test(unit, allocations_are_aligned_and_returned);
    tcase_add_test(unit, every_task_runs_once);
    tcase_add_test(unit, no_tasks_are_none_to_run);
    tcase_add_test(hnt_case(s, "oom"), no_memory_for_a_context);
    return s;
}

HNT_MAIN(suite)
