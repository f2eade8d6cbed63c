#include "io/json_text.h"

#include "io/json_valid.h"

#include <string.h>

/* jansson has no word for most of its shortages: it leaves no error, or says that a string it could not store is an invalid
 * token. A text that is JSON all the same was not at fault.                                                              */
json_t *hni_json_load(const char *text, size_t size, size_t flags, json_error_t *error, bool *no_memory)
{
    memset(error, 0, sizeof *error); /* jansson leaves the code unset */
    json_t *value = json_loadb(text, size, flags, error);
    const enum json_error_code code = json_error_code(error);
    *no_memory =
        value == NULL && (error->text[0] == '\0' || code == json_error_out_of_memory ||
                          (code == json_error_invalid_syntax && hni_json_valid(text, size, flags & JSON_DECODE_ANY)));
    return value;
}

/* The length of the character at s; 0 if it is none. */
static size_t character(const unsigned char *s)
{
    const unsigned lead = s[0];
    if (lead < 0x80)
        return 1;
    const size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4)
        return 0;
    for (size_t i = 1; i < length; ++i)
        if ((s[i] & 0xc0) != 0x80) /* the 0 at the end too */
            return 0;
    const bool overlong = (lead == 0xe0 && s[1] < 0xa0) || (lead == 0xf0 && s[1] < 0x90);
    const bool outside = (lead == 0xed && s[1] > 0x9f) || (lead == 0xf4 && s[1] > 0x8f);
    return overlong || outside ? 0 : length;
}

bool hni_json_is_utf8(const char *text)
{
    const unsigned char *s = (const unsigned char *)text;
    while (*s != 0) {
        const size_t length = character(s);
        if (length == 0)
            return false;
        s += length;
    }
    return true;
}
