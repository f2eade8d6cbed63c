#include "support.h"

#include "io/json_arrays.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_SIZE = 512, ROOM = 4096 };

struct got {
    char text[ROOM];
    size_t size;
    hn_status status; /* what elements answer */
};

static hn_status note(struct got *g, char array, int64_t index, const char *text, size_t size)
{
    if (g->size < ROOM)
        g->size +=
            (size_t)snprintf(g->text + g->size, ROOM - g->size, "%c%d=%.*s;", array, (int)index, (int)size, text);
    return g->status;
}

static hn_status note_a(void *user, int64_t index, const char *text, size_t size)
{
    return note(user, 'a', index, text, size);
}

static hn_status note_b(void *user, int64_t index, const char *text, size_t size)
{
    return note(user, 'b', index, text, size);
}

static const hni_json_array arrays[] = {{"a", note_a}, {"bb", note_b}};

static hn_status scan(hn_context *context, const char *path, const char *text, struct got *got)
{
    hnt_write_file(path, text, strlen(text));
    memset(got, 0, sizeof *got);
    return hni_json_arrays(context, "test", path, arrays, 2, got);
}

static void place(char path[PATH_SIZE])
{
    hnt_temp_dir(path, PATH_SIZE - 8);
    strcat(path, "/json");
}

START_TEST(elements)
{
    static const char *const cases[][2] = {
        {"{\"a\":[],\"bb\":[]}", ""},
        {" {\n\"bb\" : [ 1 , {\"x\":[2,\"}\\\"]\"]} ],\t\"a\":[[ ],\"s\"]\r\n}\n",
         "b0=1;b1={\"x\":[2,\"}\\\"]\"]};a0=[ ];a1=\"s\";"},
        {"{\"other\":{\"a\":[7]},\"a\":[null],\"x\":-1.5e3,\"y\":\"]}\",\"z\":[{}],\"bb\":[true],\"w\":false}",
         "a0=null;b0=true;"},
        {"{\"a\":[{\"k\":\"\\\\\"}],\"b\":[1],\"bb\":[\"\xc3\xa9\"]}", "a0={\"k\":\"\\\\\"};b0=\"\xc3\xa9\";"},
    };
    hn_context *context = hnt_context(1);
    char path[PATH_SIZE];
    struct got got;
    place(path);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        hnt_ok(scan(context, path, cases[i][0], &got));
        ck_assert_str_eq(got.text, cases[i][1]);
    }
    hn_context_destroy(context);
}
END_TEST

START_TEST(not_in_order)
{
    static const char *const cases[][2] = {
        {"", "byte 0: a JSON object was expected"},
        {"[1]", "byte 0: a JSON object was expected"},
        {"{}", "has no member \"a\""},
        {"{\"a\":[]}", "has no member \"bb\""},
        {"{\"a\":[],\"bb\":[],\"a\":[]}", "has two members \"a\""},
        {"{\"a\":[],\"bb\":[],}", "name in quotes"},
        {"{\"a\":[],\"bb\":[]", "ends inside its object"},
        {"{\"a\":[],\"bb\":[]} x", "byte 17: something follows"},
        {"{\"a\":{},\"bb\":[]}", "byte 5: an array was expected"},
        {"{\"a\":[1,],\"bb\":[]}", "byte 8: a value was expected"},
        {"{\"a\":[,1],\"bb\":[]}", "a value was expected"},
        {"{\"a\":[1 2],\"bb\":[]}", "a comma or ]"},
        {"{\"a\":[1}", "a comma or ]"},
        {"{\"a\":[1", "ends inside an array"},
        {"{\"a\":[\"x", "ends inside a string"},
        {"{\"a\":[\"x\\", "ends inside a string"},
        {"{\"a\":[{", "ends inside a value"},
        {"{\"a\" [1", "a colon was expected"},
        {"{a:[1]}", "name in quotes"},
        {"{\"z\":}", "a value was expected"},
        {"{\"z\":1 \"a\":[]}", "a comma or }"},
    };
    hn_context *context = hnt_context(1);
    char path[PATH_SIZE];
    struct got got;
    place(path);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        hnt_fails(scan(context, path, cases[i][0], &got), HN_E_FORMAT, cases[i][1]);
        ck_assert_ptr_nonnull(strstr(hn_last_error(), path));
    }
    /* Brackets without end: no stack is used up. */
    char *deep = hnt_alloc(100001);
    memcpy(deep, "{\"z\":", 5);
    memset(deep + 5, '[', 99995);
    hnt_fails(scan(context, path, deep, &got), HN_E_FORMAT, "too many brackets");
    memcpy(deep, "{\"a\":[\"", 7);
    hnt_fails(scan(context, path, deep, &got), HN_E_FORMAT, "inside a string");
    free(deep);
    size_t size = HNI_JSON_ELEMENT_BYTES + 100;
    char *wide = hnt_alloc(size + 1);
    memset(wide, 'x', size);
    memcpy(wide, "{\"a\":[\"", 7);
    hnt_fails(scan(context, path, wide, &got), HN_E_FORMAT, "longer than 1 MiB");
    free(wide);
    hnt_write_file(path, "{\"a\":[1],\"bb\":[]}", 17);
    memset(&got, 0, sizeof got);
    got.status = HN_E_LABEL;
    ck_assert_int_eq(hni_json_arrays(context, "test", path, arrays, 2, &got), HN_E_LABEL);
    strcat(path, "x");
    hnt_fails(hni_json_arrays(context, "test", path, arrays, 2, &got), HN_E_IO, path);
    hn_context_destroy(context);
}
END_TEST

/* Every prefix of a document is refused; elements of all lengths, across the ends of the reader's buffer. */
START_TEST(truncated_and_long)
{
    static const char document[] = "{\"z\":[1,{\"y\":\"\\\"\"}],\"a\":[{\"k\":[1,2]},\"s\\\\\",3],\"bb\":[4.5]}";
    hn_context *context = hnt_context(1);
    char path[PATH_SIZE], part[sizeof document];
    struct got got;
    place(path);
    hnt_ok(scan(context, path, document, &got));
    for (size_t cut = 0; cut + 1 < sizeof document; ++cut) {
        memcpy(part, document, cut);
        part[cut] = '\0';
        hnt_fails(scan(context, path, part, &got), HN_E_FORMAT, path);
    }
    size_t room = 2 << 20, n = 0;
    char *text = hnt_alloc(room);
    n += (size_t)sprintf(text, "{\"a\":[");
    for (int i = 0; i < 1000; ++i) {
        n += (size_t)sprintf(text + n, "%s\"", i == 0 ? "" : ", ");
        memset(text + n, 'x', (size_t)i);
        n += (size_t)i;
        text[n++] = '"';
    }
    sprintf(text + n, "],\"bb\":[]}");
    hnt_write_file(path, text, strlen(text));
    memset(&got, 0, sizeof got);
    got.size = ROOM; /* nothing is noted */
    hnt_ok(hni_json_arrays(context, "test", path, arrays, 2, &got));
    free(text);
    hn_context_destroy(context);
}
END_TEST

static hn_status attempt(hn_context *context, const void *path)
{
    struct got got;
    return scan(context, path, "{\"a\":[1],\"bb\":[{\"key\":2}]}", &got);
}

START_TEST(allocation_failures)
{
    char path[PATH_SIZE];
    place(path);
    hnt_survives(attempt, path, 0);
}
END_TEST

static Suite *json_arrays_suite(void)
{
    Suite *suite = suite_create("json_arrays");
    TCase *unit = hnt_case(suite, "unit");
    tcase_add_test(unit, elements);
    tcase_add_test(unit, not_in_order);
    tcase_add_test(unit, truncated_and_long);
    tcase_add_test(hnt_case(suite, "oom"), allocation_failures);
    return suite;
}

HNT_MAIN(json_arrays_suite)
