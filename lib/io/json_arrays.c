#include "io/json_arrays.h"

#include "base/error.h"
#include "base/memory.h"
#include "io/file.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

enum { BUFFER_BYTES = 65536, MAX_ARRAYS = 8, MAX_DEPTH = 256, ENDED = -1 };

typedef struct scanner {
    hn_context *context;
    const char *function, *path;
    hni_file *file;
    hn_status status; /* of reading; the first failure stays */
    uint64_t passed;  /* bytes before the buffer             */
    size_t next, filled;
    bool keeping; /* what is passed over is put into text */
    char *text;
    size_t text_size;
    int64_t text_capacity;
    unsigned char buffer[BUFFER_BYTES];
} scanner;

static hn_status fail(const scanner *s, const char *what)
{
    if (s->status < 0)
        return s->status;
    return hni_fail(HN_E_FORMAT, "%s: %s: byte %" PRIu64 ": %s", s->function, s->path, s->passed + s->next, what);
}

/* The next byte, which stays the next, or ENDED: at the end, or after a failure. */
static int peek(scanner *s)
{
    if (s->next == s->filled) {
        size_t got = 0;
        s->passed += s->filled;
        s->next = s->filled = 0;
        if (s->status == HN_OK)
            s->status = hni_file_read_some(s->file, s->buffer, BUFFER_BYTES, &got);
        s->filled = s->status == HN_OK ? got : 0;
        if (s->filled == 0)
            return ENDED;
    }
    return s->buffer[s->next];
}

/* Goes past `size` bytes of the buffer. */
static hn_status pass(scanner *s, size_t size)
{
    if (s->keeping) {
        if (s->text_size + size > HNI_JSON_ELEMENT_BYTES)
            return fail(s, "an element is longer than 1 MiB");
        while ((int64_t)(s->text_size + size) > s->text_capacity) {
            char *text = hni_grow(s->context, s->text, &s->text_capacity, s->text_capacity, 1, 1, s->function);
            if (text == NULL)
                return s->status = HN_E_NOMEM;
            s->text = text;
        }
        memcpy(s->text + s->text_size, s->buffer + s->next, size);
        s->text_size += size;
    }
    s->next += size;
    return HN_OK;
}

static bool is_blank(int c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* The next byte that is no blank, which stays the next. */
static int skip_blanks(scanner *s)
{
    int c = peek(s);
    while (is_blank(c)) {
        s->next++;
        c = peek(s);
    }
    return c;
}

static hn_status expect(scanner *s, int want, const char *what)
{
    if (skip_blanks(s) != want)
        return fail(s, what);
    s->next++;
    return HN_OK;
}

/* How many bytes from the next on are no end of a string and nothing that hides one. */
static size_t plain_bytes(const scanner *s)
{
    size_t n = s->next;
    while (n < s->filled && s->buffer[n] != '"' && s->buffer[n] != '\\')
        ++n;
    return n - s->next;
}

/* How many bytes from the next on, outside of strings, neither begin one nor open or close anything. */
static size_t flat_bytes(const scanner *s)
{
    size_t n = s->next;
    while (n < s->filled && s->buffer[n] != '"' && (s->buffer[n] | 0x20) != '{' && (s->buffer[n] | 0x20) != '}')
        ++n; /* [ and ] are { and } but for that bit */
    return n - s->next;
}

/* A whole string; its first quote is the next byte. */
static hn_status scan_string(scanner *s)
{
    HNI_TRY(pass(s, 1));
    for (;;) {
        int c = peek(s);
        if (c == ENDED)
            return fail(s, "the file ends inside a string");
        HNI_TRY(pass(s, plain_bytes(s)));
        if (s->next == s->filled)
            continue;
        c = s->buffer[s->next];
        HNI_TRY(pass(s, 1));
        if (c == '"')
            return HN_OK;
        if (peek(s) == ENDED) /* after a backslash */
            return fail(s, "the file ends inside a string");
        HNI_TRY(pass(s, 1));
    }
}

/* A number, true, false or null: everything up to what may follow it. */
static hn_status scan_word(scanner *s)
{
    size_t size = 0;
    for (int c = peek(s); c != ENDED && !is_blank(c) && strchr(",:]}[{\"", c) == NULL; c = peek(s), ++size)
        HNI_TRY(pass(s, 1));
    return size > 0 ? HN_OK : fail(s, "a value was expected");
}

/* A whole value, from its first byte, which is the next and no blank. */
static hn_status scan_value(scanner *s)
{
    int depth = 0;
    do {
        int c = peek(s);
        if (c == ENDED) {
            return fail(s, "the file ends inside a value");
        } else if (c == '"') {
            HNI_TRY(scan_string(s));
        } else if (c == '{' || c == '[') {
            if (++depth > MAX_DEPTH)
                return fail(s, "too many brackets inside one another");
            HNI_TRY(pass(s, 1));
        } else if (depth > 0 && (c == '}' || c == ']')) {
            --depth;
            HNI_TRY(pass(s, 1));
        } else {
            HNI_TRY(depth > 0 ? pass(s, flat_bytes(s)) : scan_word(s));
        }
    } while (depth > 0);
    return HN_OK;
}

/* A value whose characters are in text afterwards. */
static hn_status keep_value(scanner *s)
{
    s->keeping = true;
    s->text_size = 0;
    hn_status status = scan_value(s);
    s->keeping = false;
    return status;
}

static hn_status read_array(scanner *s, const hni_json_array *array, void *user)
{
    HNI_TRY(expect(s, '[', "an array was expected"));
    if (skip_blanks(s) == ']') {
        s->next++;
        return HN_OK;
    }
    for (int64_t index = 0;; ++index) {
        (void)skip_blanks(s);
        HNI_TRY(keep_value(s));
        HNI_TRY(array->element(user, index, s->text, s->text_size));
        int c = skip_blanks(s);
        if (c != ',' && c != ']')
            return fail(s, c == ENDED ? "the file ends inside an array" : "a comma or ] was expected");
        s->next++;
        if (c == ']')
            return HN_OK;
    }
}

/* The wanted array whose name is in text, in its quotes; -1 for another name. */
static int32_t find_array(const scanner *s, const hni_json_array *arrays, int32_t count)
{
    for (int32_t i = 0; i < count; ++i)
        if (s->text_size == strlen(arrays[i].key) + 2 && memcmp(s->text + 1, arrays[i].key, s->text_size - 2) == 0)
            return i;
    return -1;
}

static hn_status read_member(scanner *s, const hni_json_array *arrays, int32_t count, bool *seen, void *user)
{
    if (skip_blanks(s) != '"')
        return fail(s, "a member's name in quotes was expected");
    HNI_TRY(keep_value(s));
    HNI_TRY(expect(s, ':', "a colon was expected"));
    int32_t i = find_array(s, arrays, count);
    if (i < 0) {
        (void)skip_blanks(s);
        return scan_value(s);
    }
    HNI_FAIL_IF(seen[i], HN_E_FORMAT, "%s: %s has two members \"%s\"", s->function, s->path, arrays[i].key);
    seen[i] = true;
    return read_array(s, &arrays[i], user);
}

static hn_status read_document(scanner *s, const hni_json_array *arrays, int32_t count, void *user)
{
    bool seen[MAX_ARRAYS] = {false};
    HNI_TRY(expect(s, '{', "a JSON object was expected"));
    if (skip_blanks(s) == '}') {
        s->next++;
    } else {
        for (int c = ','; c == ',';) {
            HNI_TRY(read_member(s, arrays, count, seen, user));
            c = skip_blanks(s);
            if (c != ',' && c != '}')
                return fail(s, c == ENDED ? "the file ends inside its object" : "a comma or } was expected");
            s->next++;
        }
    }
    if (skip_blanks(s) != ENDED || s->status < 0)
        return fail(s, "something follows the JSON object");
    for (int32_t i = 0; i < count; ++i)
        HNI_FAIL_IF(!seen[i], HN_E_FORMAT, "%s: %s has no member \"%s\"", s->function, s->path, arrays[i].key);
    return HN_OK;
}

hn_status hni_json_arrays(hn_context *context, const char *function, const char *path, const hni_json_array *arrays,
                          int32_t count, void *user)
{
    HNI_FAIL_IF(count > MAX_ARRAYS, HN_E_INTERNAL, "%s: %d arrays", function, (int)count);
    scanner *s = hni_alloc_zero(context, sizeof *s);
    if (s == NULL)
        return hni_no_memory(function, sizeof *s);
    s->context = context;
    s->function = function;
    s->path = path;
    hn_status status = hni_file_open(&s->file, context, function, path);
    if (status == HN_OK) {
        status = read_document(s, arrays, count, user);
        hni_file_close(s->file);
    }
    hni_release(context, s->text, (size_t)s->text_capacity);
    hni_release(context, s, sizeof *s);
    return status;
}
