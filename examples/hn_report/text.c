/* text.c: numbers, and texts with their markup escaped. */
#include "text.h"

#include "../character.h"

#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

void complain(const char *format, ...)
{
    char line[2048];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    character_plain(line);
    fprintf(stderr, "hn_report: %s\n", line);
}

/* Length of the character that text begins with, 0 where it is none that XML allows, or one that reaches beyond it. */
static int xml_character(const char *text)
{
    if (*text == '\t' || *text == '\n')
        return 1;
    /* U+FFFE and U+FFFF, and their like of every plane */
    const int length = character_length(text);
    const unsigned char *end = (const unsigned char *)text + length;
    const int plane_end =
        length >= 3 && end[-1] >= 0xBE && end[-2] == 0xBF && (length == 3 ? end[-3] == 0xEF : (end[-3] & 0x0F) == 0x0F);
    /* U+202A to U+202E and U+2066 to U+2069 turn the text around them, too */
    const bool turns = length == 3 && end[-3] == 0xE2 &&
                       ((end[-2] == 0x80 && end[-1] >= 0xAA && end[-1] <= 0xAE) ||
                        (end[-2] == 0x81 && end[-1] >= 0xA6 && end[-1] <= 0xA9));
    return plane_end || turns ? 0 : length;
}

void text_html(FILE *out, const char *text)
{
    for (const char *at = text; *at != '\0';) {
        static const char marks[] = "&<>\"'";
        static const char *const names[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"};
        const char *mark = strchr(marks, *at);
        const int length = xml_character(at);
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
        fprintf(out, fabs(value) < 1e16 ? format : "%g", value);
}
