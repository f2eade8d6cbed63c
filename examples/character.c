/* character.c: which bytes of others' texts may be shown to a person. */
#include "character.h"

/* Bytes of the character and, in code, which it is; 0 where it is no UTF-8. */
static int decode(const unsigned char *text, unsigned long *code)
{
    static const unsigned long least[] = {0, 0, 0x80, 0x800, 0x10000};
    *code = text[0];
    if (text[0] < 0x80)
        return 1;
    const int length = text[0] >= 0xF0 ? 4 : text[0] >= 0xE0 ? 3 : 2;
    *code = text[0] & (0xFFu >> (length + 1));
    for (int i = 1; i < length; ++i) {
        if ((text[i] & 0xC0) != 0x80)
            return 0;
        *code = *code << 6 | (text[i] & 0x3Fu);
    }
    const int bad = text[0] < 0xC2 || text[0] > 0xF4 || *code < least[length] || *code > 0x10FFFF ||
                    (*code >= 0xD800 && *code < 0xE000);
    return bad ? 0 : length;
}

static int controls(unsigned long code)
{
    return code < 0x20 || (code >= 0x7F && code < 0xA0);
}

int character_length(const char *text)
{
    unsigned long code;
    const int length = decode((const unsigned char *)text, &code);
    return length > 0 && controls(code) ? 0 : length;
}

void character_plain(char *text)
{
    while (*text != '\0') {
        unsigned long code;
        int length = decode((const unsigned char *)text, &code);
        if (length > 0 && !controls(code)) {
            text += length;
            continue;
        }
        do
            *text++ = '?';
        while (--length > 0);
    }
}

int character_controls(const char *text)
{
    for (int length; *text != '\0'; text += length > 0 ? length : 1) {
        unsigned long code;
        length = decode((const unsigned char *)text, &code);
        if (length > 0 && controls(code))
            return 1;
    }
    return 0;
}
