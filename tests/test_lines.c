#include "support.h"

#include "io/lines.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_SIZE = 512 };

/* The lines of a text, joined by "|" in out; the last status. */
static hn_status read_all(hn_context *context, const char *path, const char *text, size_t size, char *out)
{
    hnt_write_file(path, text, size);
    hni_lines *lines = NULL;
    char *line;
    size_t length;
    int64_t number, want = 0;
    hn_status status;
    hnt_ok(hni_lines_open(&lines, context, "test", path));
    *out = '\0';
    while ((status = hni_lines_next(lines, &line, &length, &number)) == HN_OK) {
        ck_assert_int_eq(number, ++want);
        ck_assert_uint_eq(strlen(line), length);
        out += sprintf(out, "%s|", line);
    }
    hni_lines_close(lines);
    return status;
}

START_TEST(ends_of_lines)
{
    static const char *const texts[][2] = {
        {"", ""},           {"a", "a|"},          {"a\n", "a|"},       {"\n\n", "||"},
        {"a\r\nb", "a|b|"}, {"a\r\n\r\n", "a||"}, {"a\rb\n", "a\rb|"}, {"\r", "|"},
        {" a \n", " a |"}};
    hn_context *context = hnt_context(1);
    char path[PATH_SIZE], got[64];
    hnt_temp_dir(path, sizeof path - 8);
    strcat(path, "/list");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; ++i) {
        ck_assert_int_eq(read_all(context, path, texts[i][0], strlen(texts[i][0]), got), HN_END);
        ck_assert_str_eq(got, texts[i][1]);
    }
    hnt_fails(read_all(context, path, "a\nb\0c\n", 6, got), HN_E_FORMAT, "line 2 has a byte 0");
    hn_context_destroy(context);
}
END_TEST

/* Lines of all lengths, so that every one of them lies across the buffer's end once. */
START_TEST(long_lines)
{
    enum { N = 3000, ROOM = N * N / 2 + 2 * N };
    hn_context *context = hnt_context(1);
    char path[PATH_SIZE], *text = hnt_alloc(ROOM), *got = hnt_alloc(ROOM), *p = text;
    hnt_temp_dir(path, sizeof path - 8);
    strcat(path, "/list");
    for (int i = 0; i < N; ++i) {
        memset(p, 'a' + i % 26, (size_t)i);
        p += i;
        *p++ = '\n';
    }
    ck_assert_int_eq(read_all(context, path, text, (size_t)(p - text), got), HN_END);
    for (char *q = got; *q != '\0'; ++q)
        *q = *q == '|' ? '\n' : *q;
    ck_assert_mem_eq(got, text, (size_t)(p - text));
    memset(text, 'x', HNI_LINE_BYTES);
    ck_assert_int_eq(read_all(context, path, text, HNI_LINE_BYTES - 1, got), HN_END);
    ck_assert_uint_eq(strlen(got), HNI_LINE_BYTES);
    hnt_fails(read_all(context, path, text, HNI_LINE_BYTES, got), HN_E_FORMAT, "line 1 is longer than 16384 bytes");
    hni_lines *lines = NULL;
    strcat(path, "x");
    hnt_fails(hni_lines_open(&lines, context, "test", path), HN_E_IO, path);
    ck_assert_ptr_null(lines);
    hni_lines_close(NULL);
    free(text);
    free(got);
    hn_context_destroy(context);
}
END_TEST

static Suite *lines_suite(void)
{
    Suite *suite = suite_create("lines");
    TCase *unit = hnt_case(suite, "unit");
    tcase_add_test(unit, ends_of_lines);
    tcase_add_test(unit, long_lines);
    return suite;
}

HNT_MAIN(lines_suite)
