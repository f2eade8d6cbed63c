/* Option structs of older, newer and careless callers. */
#include "support.h"

#include "base/options.h"

#include <string.h>

typedef struct current {
    size_t struct_size;
    int32_t a, b;
    double c;
} current;

static const current defaults = {sizeof defaults, 1, 2, 3.0};

START_TEST(null_gives_defaults)
{
    current o = defaults;
    hnt_ok(hni_options_read(&o, sizeof o, NULL, "f"));
    ck_assert(memcmp(&o, &defaults, sizeof o) == 0);
}
END_TEST

START_TEST(an_older_caller_keeps_later_defaults)
{
    struct {
        size_t struct_size;
        int32_t a, guard;
    } old = {offsetof(current, b), 9, 77};
    current o = defaults;
    hnt_ok(hni_options_read(&o, sizeof o, &old, "f"));
    ck_assert_int_eq(o.a, 9);
    ck_assert_int_eq(o.b, 2);
    ck_assert(o.c == 3.0);
    ck_assert_uint_eq(o.struct_size, sizeof o);

    memset(&old, 0x55, sizeof old);
    hni_options_init(&old, offsetof(current, b), &defaults, sizeof defaults);
    ck_assert_int_eq(old.a, 1);
    ck_assert_int_eq(old.guard, 0x55555555); /* nothing behind the caller's struct is written */
}
END_TEST

START_TEST(a_newer_caller_may_leave_the_unknown_zero)
{
    struct {
        current known;
        int64_t unknown;
    } newer = {{0, 4, 5, 6.0}, 0};
    newer.known.struct_size = sizeof newer;
    current o = defaults;
    hnt_ok(hni_options_read(&o, sizeof o, &newer, "f"));
    ck_assert_int_eq(o.b, 5);
    newer.unknown = 1;
    hnt_fails(hni_options_read(&o, sizeof o, &newer, "f"), HN_E_VERSION, "does not know");
    newer.unknown = -1;
    hni_options_init(&newer, sizeof newer, &defaults, sizeof defaults);
    ck_assert_int_eq(newer.unknown, 0);
    ck_assert_uint_eq(newer.known.struct_size, sizeof newer);
}
END_TEST

START_TEST(an_uninitialised_struct_is_refused)
{
    current bad, o = defaults;
    memset(&bad, 0xff, sizeof bad);
    hnt_fails(hni_options_read(&o, sizeof o, &bad, "f"), HN_E_ARG, "struct_size");
    memset(&bad, 0, sizeof bad);
    hnt_fails(hni_options_read(&o, sizeof o, &bad, "f"), HN_E_ARG, "struct_size is 0");
    ck_assert(memcmp(&o, &defaults, sizeof o) == 0);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("options");
    TCase *unit = hnt_case(s, "unit");
    tcase_add_test(unit, null_gives_defaults);
    tcase_add_test(unit, an_older_caller_keeps_later_defaults);
    tcase_add_test(unit, a_newer_caller_may_leave_the_unknown_zero);
    tcase_add_test(unit, an_uninitialised_struct_is_refused);
    return s;
}

HNT_MAIN(suite)
