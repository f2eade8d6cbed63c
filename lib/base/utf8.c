#include "base/utf8.h"

size_t hni_utf8_length(const char *text)
{
    const unsigned char *s = (const unsigned char *)text;
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

bool hni_utf8_valid(const char *text)
{
    while (*text != '\0') {
        const size_t length = hni_utf8_length(text);
        if (length == 0)
            return false;
        text += length;
    }
    return true;
}
