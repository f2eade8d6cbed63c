#include "support.h"

#include "base/error.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

START_TEST(values_and_names_are_permanent)
{
    static const struct {
        hn_status value, number;
        const char *name;
    } table[] = {{HN_OK, 0, "HN_OK"},
                 {HN_END, 1, "HN_END"},
                 {HN_STOPPED, 2, "HN_STOPPED"},
                 {HN_E_ARG, -1, "HN_E_ARG"},
                 {HN_E_SHAPE, -2, "HN_E_SHAPE"},
                 {HN_E_NOMEM, -3, "HN_E_NOMEM"},
                 {HN_E_WORKSPACE, -4, "HN_E_WORKSPACE"},
                 {HN_E_IO, -5, "HN_E_IO"},
                 {HN_E_FORMAT, -6, "HN_E_FORMAT"},
                 {HN_E_VERSION, -7, "HN_E_VERSION"},
                 {HN_E_UNSUPPORTED, -8, "HN_E_UNSUPPORTED"},
                 {HN_E_STATE, -9, "HN_E_STATE"},
                 {HN_E_NONFINITE, -10, "HN_E_NONFINITE"},
                 {HN_E_LABEL, -11, "HN_E_LABEL"},
                 {HN_E_INTERNAL, -99, "HN_E_INTERNAL"}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; ++i) {
        ck_assert_int_eq(table[i].value, table[i].number);
        ck_assert_str_eq(hn_status_name(table[i].value), table[i].name);
        ck_assert_uint_gt(strlen(hn_status_text(table[i].value)), 5);
    }
    ck_assert_str_eq(hn_status_name(-1000), "HN_UNKNOWN");
    ck_assert_ptr_nonnull(hn_status_text(-1000));
}
END_TEST

START_TEST(sentence_is_kept_and_cut)
{
    ck_assert_str_eq(hn_last_error(), "");
    ck_assert_int_eq(hni_fail(HN_E_ARG, "x is %d", 7), HN_E_ARG);
    ck_assert_str_eq(hn_last_error(), "x is 7");
    char longer[2000];
    memset(longer, 'a', sizeof longer);
    longer[1999] = '\0';
    (void)hni_fail(HN_E_IO, "%s", longer);
    ck_assert_uint_eq(strlen(hn_last_error()), 511);
}
END_TEST

/* What a hostile file is quoted with does nothing to a terminal, and makes no second line. */
START_TEST(sentence_is_one_line)
{
    (void)hni_fail(HN_E_FORMAT, "a label is \"%s\"", "\x1b[2J\r\n\t\x7f\x01 \xc3\xa9");
    ck_assert_str_eq(hn_last_error(), "a label is \"?[2J????? \xc3\xa9\"");
    /* U+009B is another ESC [; U+00A0 is the first that does nothing; then what is no UTF-8, and a character cut in two. */
    (void)hni_fail(HN_E_FORMAT, "%s",
                   "\xc2\x9b"
                   "2J \xc2\xa0 \x9b \xff \xe2\x82\xac \xe2\x82");
    ck_assert_str_eq(hn_last_error(), "??2J \xc2\xa0 ? ? \xe2\x82\xac ??");
}
END_TEST

static void *other_thread(void *arg)
{
    (void)arg;
    (void)hni_fail(HN_E_ARG, "theirs");
    return NULL;
}

START_TEST(sentence_belongs_to_its_thread)
{
    pthread_t thread;
    (void)hni_fail(HN_E_ARG, "mine");
    ck_assert_int_eq(pthread_create(&thread, NULL, other_thread, NULL), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_str_eq(hn_last_error(), "mine");
}
END_TEST

START_TEST(versions_agree)
{
    char text[32];
    snprintf(text, sizeof text, "%d.%d.%d", HN_VERSION_MAJOR, HN_VERSION_MINOR, HN_VERSION_PATCH);
    ck_assert_uint_eq(hn_version_number(), HN_VERSION_NUMBER);
    ck_assert_str_eq(hn_version_string(), text);
    ck_assert_ptr_nonnull(strstr(hn_build_info(), "BLAS"));
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("status");
    TCase *unit = hnt_case(s, "unit");
    tcase_add_test(unit, values_and_names_are_permanent);
    tcase_add_test(unit, sentence_is_kept_and_cut);
    tcase_add_test(unit, sentence_is_one_line);
    tcase_add_test(unit, sentence_belongs_to_its_thread);
    tcase_add_test(unit, versions_agree);
    return s;
}

HNT_MAIN(suite)
