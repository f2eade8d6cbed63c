#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

#if defined(_MSC_VER)
#define THREAD_LOCAL __declspec(thread)
#else
#define THREAD_LOCAL _Thread_local
#endif

/* The sentence lives in thread-local storage so that failing never allocates and never races. */
static THREAD_LOCAL char last_error[512];

void hni_one_line(char *text)
{
    for (unsigned char *c = (unsigned char *)text; *c != '\0'; ++c)
        if (*c < 0x20 || *c == 0x7f)
            *c = '?';
}

hn_status hni_fail(hn_status status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(last_error, sizeof last_error, format, args);
    va_end(args);
    hni_one_line(last_error);
    return status;
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
