#include "support.h"

#include "data/string_list.h"

#include <stdio.h>
#include <string.h>

START_TEST(strings_stay_where_they_are)
{
    hn_context *context = hnt_context(1);
    hni_string_list list;
    hni_string_list_init(&list, context);
    enum { N = 40000 };
    const char *first = NULL;
    for (int i = 0; i < N; ++i) {
        char text[64];
        int size = snprintf(text, sizeof text, "a/longer/path/of/number/%d.jpg", i);
        hnt_ok(hni_string_list_add(&list, "test", text, (size_t)size));
        if (i == 0)
            first = list.items[0];
    }
    ck_assert_int_eq(list.count, N);
    ck_assert_ptr_eq(list.items[0], first);
    for (int i = 0; i < N; ++i) {
        char text[64];
        snprintf(text, sizeof text, "a/longer/path/of/number/%d.jpg", i);
        ck_assert_str_eq(list.items[i], text);
    }
    hni_string_list_release(&list);
    hni_string_list_release(&list);
    hn_context_destroy(context);
}
END_TEST

START_TEST(empty_and_huge)
{
    static char huge[3 << 20];
    hn_context *context = hnt_context(1);
    hni_string_list list;
    hni_string_list_init(&list, context);
    memset(huge, 'x', sizeof huge);
    hnt_ok(hni_string_list_add(&list, "test", "", 0));
    hnt_ok(hni_string_list_add(&list, "test", huge, sizeof huge)); /* larger than a block */
    hnt_ok(hni_string_list_add(&list, "test", "end!", 3));
    ck_assert_str_eq(list.items[0], "");
    ck_assert_uint_eq(strlen(list.items[1]), sizeof huge);
    ck_assert_str_eq(list.items[2], "end");
    hni_string_list_release(&list);
    hn_context_destroy(context);
}
END_TEST

/* The characters and a pointer each, with a little over. */
START_TEST(compact)
{
    hnt_counter counter = {.fail_at = -1};
    hn_context *context;
    hnt_ok(hnt_counting_context(&context, &counter, 1));
    hni_string_list list;
    hni_string_list_init(&list, context);
    enum { N = 200000, SIZE = 60 };
    char text[SIZE];
    memset(text, 'p', sizeof text);
    for (int i = 0; i < N; ++i)
        hnt_ok(hni_string_list_add(&list, "test", text, sizeof text));
    ck_assert_int_lt(counter.alive_bytes, N * (SIZE + 1 + 8 * 3 / 2) * 1.05);
    hni_string_list_release(&list);
    hn_context_destroy(context);
    ck_assert_int_eq(counter.alive, 0);
}
END_TEST

static Suite *string_list_suite(void)
{
    Suite *suite = suite_create("string_list");
    TCase *unit = hnt_case(suite, "unit");
    tcase_add_test(unit, strings_stay_where_they_are);
    tcase_add_test(unit, empty_and_huge);
    tcase_add_test(unit, compact);
    return suite;
}

HNT_MAIN(string_list_suite)
