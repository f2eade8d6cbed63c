/* What is JSON: jansson's judgement is the reference. */
#include "augment_case.h"

#include "io/json_valid.h"

#include <jansson.h>
#include <stdbool.h>
#include <string.h>

/* Where jansson takes a text, or says that its grammar is wrong, both agree; what it refuses for another reason (numbers too
 * large, keys that repeat, bytes that are no UTF-8) is not asked here. Returns whether it is JSON.                          */
static bool agree(const char *text, size_t size, bool any)
{
    json_error_t error;
    memset(&error, 0, sizeof error);
    json_t *value = json_loadb(text, size, any ? JSON_DECODE_ANY : 0, &error);
    const enum json_error_code code = json_error_code(&error);
    const bool taken = value != NULL, valid = hni_json_valid(text, size, any);
    json_decref(value);
    if (taken || code == json_error_invalid_syntax || code == json_error_premature_end_of_input ||
        code == json_error_end_of_input_expected)
        hnt_check(valid == taken, "any %d: %.*s: %s", (int)any, (int)size, text, error.text);
    return taken;
}

START_TEST(known_texts)
{
    static const char *const texts[] = {"",
                                        " ",
                                        "{}",
                                        " [ ] ",
                                        "[1,-0,0.5,1e5,-2.5E-3,1E+2]",
                                        "[01]",
                                        "[1.]",
                                        "[.5]",
                                        "[-]",
                                        "[1e]",
                                        "[+1]",
                                        "true",
                                        "[true,false,null]",
                                        "[tru]",
                                        "nulll",
                                        "\"\\u12aB\\n\\/\"",
                                        "\"\\u12\"",
                                        "\"\\ud800\"",
                                        "\"\\udc00\"",
                                        "\"\\ud83d\\ude00\"",
                                        "\"\\ud83d\\u0041\"",
                                        "\"\\x\"",
                                        "\"a\tb\"",
                                        "\"open",
                                        "{\"a\":1,\"b\":{\"c\":[{}]}}",
                                        "{\"a\":1,}",
                                        "{\"a\"}",
                                        "{a:1}",
                                        "{\"a\":}",
                                        "{\"a\":1 \"b\":2}",
                                        "[1,]",
                                        "[1 2]",
                                        "[1]]",
                                        "[1}",
                                        "{} {}",
                                        "\v[]"};
    int taken = 0;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; ++i)
        for (int any = 0; any < 2; ++any)
            taken += agree(texts[i], strlen(texts[i]), any != 0);
    ck_assert_int_gt(taken, 12);
    /* jansson passes over bytes of 0; JSON has none. */
    ck_assert(!hni_json_valid("[1\0]", 4, true) && !hni_json_valid("[]\0", 3, true));
}
END_TEST

/* Texts of tokens drawn at random, and whole ones with a byte changed. */
START_TEST(random_texts)
{
    static const char *const tokens[] = {"{",        "}", "[",      "]",    ",", ":",  "\"a\"",
                                         "\"\\\"\"", "1", "-2.5e3", "true", " ", "\"", "\\"};
    static const char whole[] = "{\"a\":[1,2.5,\"b\\n\"],\"c\":{\"d\":null,\"e\":[[],{}]}}";
    static const char bytes[] = "{}[],:\"\\0-1.eut \n";
    int taken = 0;
    for (int i = 0; i < 100000; ++i) {
        hn_rng rng = hnt_stream((uint64_t)i);
        char text[256] = "";
        const int n = 1 + (int)hn_rng_below(&rng, 9);
        for (int k = 0; k < n; ++k)
            strcat(text, tokens[hn_rng_below(&rng, sizeof tokens / sizeof *tokens)]);
        taken += agree(text, strlen(text), i % 2 != 0);
        memcpy(text, whole, sizeof whole);
        text[hn_rng_below(&rng, sizeof whole - 1)] = bytes[hn_rng_below(&rng, sizeof bytes - 1)];
        taken += agree(text, sizeof whole - 1, i % 2 != 0);
    }
    ck_assert_int_gt(taken, 1000);
}
END_TEST

START_TEST(depth_has_jansson_s_limit)
{
    static char text[2 * 2049];
    for (int depth = 2040; depth <= 2049; ++depth) {
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        json_t *value = json_loadb(text, 2 * (size_t)depth, 0, NULL);
        ck_assert_msg(hni_json_valid(text, 2 * (size_t)depth, false) == (value != NULL), "depth %d", depth);
        json_decref(value);
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("json_valid");
    TCase *unit = hnt_case(s, "unit");
    tcase_add_test(unit, known_texts);
    tcase_add_test(unit, random_texts);
    tcase_add_test(unit, depth_has_jansson_s_limit);
    return s;
}

HNT_MAIN(suite)
