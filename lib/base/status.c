#include "base/error.h"
#include "base/utf8.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

/* The sentence lives in thread-local storage so that failing never allocates and never races. */
static _Thread_local char last_error[512];
static _Thread_local uint64_t failures;

/* U+0000 to U+001F, U+007F to U+009F: a terminal may obey the last as it obeys ESC [. */
static bool controls(const char *character)
{
    const unsigned char first = (unsigned char)character[0], second = (unsigned char)character[1];
    return first < 0x20 || first == 0x7f || (first == 0xc2 && second < 0xa0);
}

void hni_one_line(char *text)
{
    while (*text != '\0') {
        const size_t length = hni_utf8_length(text);
        if (length > 0 && !controls(text)) {
            text += length;
            continue;
        }
        for (size_t i = 0; i < (length > 0 ? length : 1); ++i)
            *text++ = '?';
    }
}

hn_status hni_fail(hn_status status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(last_error, sizeof last_error, format, args);
    va_end(args);
    hni_one_line(last_error);
    ++failures;
    return status;
}

uint64_t hni_failures(void)
{
    return failures;
}

const char *hn_last_error(void)
{
    return last_error;
}

const char *hn_status_name(hn_status status)
{
#define CASE(name, value, text) \
    case name:                  \
        return #name;
    switch (status) {
        HN_STATUS_LIST(CASE)
    default:
        return "HN_UNKNOWN";
    }
#undef CASE
}

const char *hn_status_text(hn_status status)
{
#define CASE(name, value, text) \
    case name:                  \
        return text;
    switch (status) {
        HN_STATUS_LIST(CASE)
    default:
        return "a status this version of the library does not know";
    }
#undef CASE
}
