#include "io/json_valid.h"

#include <stdint.h>
#include <string.h>

enum { MAX_DEPTH = 2048 };

/* What is left of the text. */
typedef struct cursor {
    const char *at, *end;
} cursor;

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static char look(const cursor *c)
{
    return c->at < c->end ? *c->at : '\0';
}

static bool take(cursor *c, char wanted)
{
    if (c->at >= c->end || *c->at != wanted)
        return false;
    ++c->at;
    return true;
}

static void skip_space(cursor *c)
{
    while (c->at < c->end && strchr(" \t\n\r", *c->at) != NULL && *c->at != '\0')
        ++c->at;
}

static bool digits(cursor *c)
{
    const char *first = c->at;
    while (is_digit(look(c)))
        ++c->at;
    return c->at > first;
}

static bool number(cursor *c)
{
    (void)take(c, '-');
    if (!take(c, '0') && !digits(c))
        return false;
    if (take(c, '.') && !digits(c))
        return false;
    if (take(c, 'e') || take(c, 'E')) {
        if (!take(c, '+'))
            (void)take(c, '-');
        return digits(c);
    }
    return true;
}

/* The four digits behind \u; -1 if there are none. */
static int32_t code_unit(cursor *c)
{
    int32_t value = 0;
    for (int i = 0; i < 4; ++i) {
        const char d = look(c);
        const int32_t digit = is_digit(d)              ? d - '0'
                              : (d >= 'a' && d <= 'f') ? d - 'a' + 10
                              : (d >= 'A' && d <= 'F') ? d - 'A' + 10
                                                       : -1;
        if (digit < 0)
            return -1;
        value = 16 * value + digit;
        ++c->at;
    }
    return value;
}

/* Behind a backslash. */
static bool escape(cursor *c)
{
    const char kind = look(c);
    if (kind == '\0' || strchr("\"\\/bfnrtu", kind) == NULL)
        return false;
    ++c->at;
    if (kind != 'u')
        return true;
    const int32_t unit = code_unit(c);
    if (unit >= 0xd800 && unit <= 0xdbff) { /* the first of two */
        if (!take(c, '\\') || !take(c, 'u'))
            return false;
        const int32_t second = code_unit(c);
        return second >= 0xdc00 && second <= 0xdfff;
    }
    return unit >= 0 && !(unit >= 0xdc00 && unit <= 0xdfff);
}

static bool string(cursor *c)
{
    if (!take(c, '"'))
        return false;
    while (c->at < c->end) {
        const unsigned char byte = (unsigned char)*c->at++;
        if (byte == '"')
            return true;
        if (byte < 0x20 || (byte == '\\' && !escape(c)))
            return false;
    }
    return false;
}

static bool literal(cursor *c, const char *word)
{
    const size_t length = strlen(word);
    if ((size_t)(c->end - c->at) < length || memcmp(c->at, word, length) != 0)
        return false;
    c->at += length;
    return true;
}

static bool value(cursor *c, int depth);

/* Behind the opening bracket: members or elements up to the closing one. */
static bool contents(cursor *c, char close, int depth)
{
    skip_space(c);
    if (take(c, close))
        return true;
    do {
        if (close == '}') {
            skip_space(c);
            if (!string(c))
                return false;
            skip_space(c);
            if (!take(c, ':'))
                return false;
        }
        if (!value(c, depth))
            return false;
        skip_space(c);
    } while (take(c, ','));
    return take(c, close);
}

static bool value(cursor *c, int depth)
{
    if (depth > MAX_DEPTH)
        return false;
    skip_space(c);
    if (take(c, '{'))
        return contents(c, '}', depth + 1);
    if (take(c, '['))
        return contents(c, ']', depth + 1);
    return look(c) == '"' ? string(c) : literal(c, "true") || literal(c, "false") || literal(c, "null") || number(c);
}

bool hni_json_valid(const char *text, size_t size, bool any)
{
    cursor c = {text, text + size};
    skip_space(&c);
    if (!any && look(&c) != '{' && look(&c) != '[')
        return false;
    if (!value(&c, 1))
        return false;
    skip_space(&c);
    return c.at == c.end;
}
