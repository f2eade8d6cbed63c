/* text.c */
#include "text.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

void complain(const char *format, ...)
{
    char line[2048];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    for (char *c = line; *c != '\0'; ++c)
        if (iscntrl((unsigned char)*c))
            *c = '?';
    fprintf(stderr, "hn_report: %s\n", line);
}

/* Length of the character that text begins with, 0 where it is none that XML allows. */
static int character(const unsigned char *text)
{
    if (text[0] < 0x80)
        return text[0] >= 0x20 || text[0] == '\t' || text[0] == '\n' ? 1 : 0;
    const int length = text[0] >= 0xF0 ? 4 : text[0] >= 0xE0 ? 3 : 2;
    unsigned long code = text[0] & (0xFFu >> (length + 1));
    for (int i = 1; i < length; ++i) {
        if ((text[i] & 0xC0) != 0x80)
            return 0;
        code = code << 6 | (text[i] & 0x3Fu);
    }
    static const unsigned long least[] = {0, 0, 0x80, 0x800, 0x10000};
    const int bad = text[0] < 0xC2 || text[0] > 0xF4 || code < least[length] || code > 0x10FFFF ||
                    (code & 0xFFFE) == 0xFFFE || (code >= 0xD800 && code < 0xE000) || (code >= 0x80 && code < 0xA0);
    return bad ? 0 : length;
}

void text_html(FILE *out, const char *text)
{
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0';) {
        static const char marks[] = "&<>\"'";
        static const char *const names[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"};
        const char *mark = strchr(marks, *at);
        const int length = character(at);
        if (mark != NULL)
            fputs(names[mark - marks], out);
        else if (length == 0)
            fputs("\xEF\xBF\xBD", out);
        else
            fwrite(at, 1, (size_t)length, out);
        at += length == 0 ? 1 : length;
    }
}

void text_number(FILE *out, const char *format, double value)
{
    if (isnan(value))
        fputs("\xE2\x80\x93", out);
    else
        fprintf(out, format, value);
}
