/* Which bytes are UTF-8. jansson's own check is the reference, where there is jansson. */
#include "support.h"

#include "base/utf8.h"

#include <string.h>

START_TEST(lengths_are_those_of_characters)
{
    static const struct {
        const char *text;
        size_t length;
    } cases[] = {{"a", 1},
                 {"", 1},
                 {"\x7f", 1},
                 {"\xc2\x80", 2},
                 {"\xdf\xbf", 2},
                 {"\xe2\x82\xac", 3},
                 {"\xf0\x9f\x98\x80", 4},
                 {"\x80", 0},
                 {"\xc0\xaf", 0},
                 {"\xe2\x82", 0},
                 {"\xed\xa0\x80", 0},
                 {"\xf4\x90\x80\x80", 0},
                 {"\xe0\x9f\xbf", 0},
                 {"\xf0\x8f\xbf\xbf", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        ck_assert_uint_eq(hni_utf8_length(cases[i].text), cases[i].length);
        ck_assert_int_eq(hni_utf8_valid(cases[i].text), cases[i].length > 0);
    }
}
END_TEST

#ifdef HNI_HAVE_JANSSON
#include <jansson.h>

/* Every sequence of up to four bytes from around the borders. */
START_TEST(utf8_is_what_jansson_takes)
{
    static const unsigned char bytes[] = {0,    'a',  0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf,
                                          0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff};
    enum { BYTES = sizeof bytes };
    for (int n = 0; n < BYTES * BYTES * BYTES * BYTES; ++n) {
        char text[5] = {0};
        for (int i = 0, rest = n; i < 4; ++i, rest /= BYTES)
            text[i] = (char)bytes[rest % BYTES];
        json_t *value = json_string(text);
        hnt_check(hni_utf8_valid(text) == (value != NULL), "%02x %02x %02x %02x", text[0] & 0xff, text[1] & 0xff,
                  text[2] & 0xff, text[3] & 0xff);
        json_decref(value);
    }
}
END_TEST
#endif

static Suite *suite(void)
{
    Suite *s = suite_create("utf8");
    TCase *unit = hnt_case(s, "unit");
    tcase_add_test(unit, lengths_are_those_of_characters);
#ifdef HNI_HAVE_JANSSON
    tcase_add_test(unit, utf8_is_what_jansson_takes);
#endif
    return s;
}

HNT_MAIN(suite)
