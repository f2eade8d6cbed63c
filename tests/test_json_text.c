/* What is wrong with a text that jansson refuses. Memory that runs out is in test_failing_malloc.c. */
#include "support.h"

#include "io/json_text.h"

#include <string.h>

START_TEST(a_wrong_text_is_not_lack_of_memory)
{
    /* Most stop behind a whole string, as jansson does where it has no memory for one. */
    static const char *const wrong[] = {"",
                                        "{",
                                        "{\"a\"",
                                        "{\"a\" \"b\"}",
                                        "{\"a\":1 \"b\":2}",
                                        "[\"a\" \"b\"]",
                                        "[\"a\"",
                                        "{\"a\":\"",
                                        "{\"a\"\"b\"",
                                        "\"a\" \"b\"",
                                        "[1 \"b\"]",
                                        "[true \"b\"]",
                                        "[\"\\\"\" \"b\"]",
                                        "[tru]",
                                        "[01]",
                                        "[\"\\x\"]",
                                        "[\"\xff\"]",
                                        "[{} \"a\"]",
                                        "[[] \"a\"]",
                                        "{\"a\":1,}",
                                        "{1:2}",
                                        "[1,]",
                                        "{\"a\":\"b\" \"",
                                        "[\"a\\",
                                        "[\"\\\\\" \"b\"]",
                                        "{\"a\", \"b\"}"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; ++i) {
        json_error_t error;
        bool no_memory = true;
        json_t *value = hni_json_load(wrong[i], strlen(wrong[i]), JSON_DECODE_ANY, &error, &no_memory);
        ck_assert_msg(value == NULL && !no_memory && error.text[0] != '\0', "%s: %s", wrong[i], error.text);
    }
    static const char nul[] = "{\"a\": 1\0}";
    json_error_t error;
    bool no_memory = true;
    ck_assert(hni_json_load(nul, sizeof nul - 1, 0, &error, &no_memory) == NULL && !no_memory);
    ck_assert_str_eq(error.text, "a NUL byte");
}
END_TEST

/* Nor any other that is put together from JSON's tokens and pieces of them. */
START_TEST(no_text_is_taken_for_lack_of_memory)
{
    static const char *const pieces[] = {"{",  "}",  "[", "]", ":",    ",", "\"a\"", "\"\\\"\"",
                                         "\"", "\\", " ", "7", "true", "e", "-"};
    hn_rng rng;
    hn_rng_seed(&rng, 1, 0);
    for (int n = 0; n < 300000; ++n) {
        char text[64] = "";
        json_error_t error;
        bool no_memory = false;
        for (uint64_t left = 1 + hn_rng_below(&rng, 9); left > 0; --left)
            strcat(text, pieces[hn_rng_below(&rng, sizeof pieces / sizeof *pieces)]);
        json_decref(hni_json_load(text, strlen(text), JSON_DECODE_ANY, &error, &no_memory));
        hnt_check(!no_memory, "%s: %s", text, error.text);
    }
}
END_TEST

START_TEST(a_right_text_is_read)
{
    static const char text[] = "{\"a\": [\"b\", \"\\\"\"], \"c\": {\"d\": \"e\"}}";
    json_error_t error;
    bool no_memory = true;
    json_t *value = hni_json_load(text, sizeof text - 1, 0, &error, &no_memory);
    ck_assert(json_is_object(value) && !no_memory);
    json_decref(value);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("json_text");
    TCase *unit = hnt_case(s, "unit");
    tcase_add_test(unit, a_wrong_text_is_not_lack_of_memory);
    tcase_add_test(unit, no_text_is_taken_for_lack_of_memory);
    tcase_add_test(unit, a_right_text_is_read);
    return s;
}

HNT_MAIN(suite)
