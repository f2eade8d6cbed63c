/* json_valid.h -- whether a text is JSON, without memory of its own: for telling a wrong text from a parser that ran out. */
#ifndef HNI_JSON_VALID_H
#define HNI_JSON_VALID_H

#include <stdbool.h>
#include <stddef.h>

/* Whether text[0 .. size) is one JSON value (RFC 8259) and nothing else; any: a string, number or literal will do, else it
 * must be an object or an array. Whether strings are UTF-8, keys come twice or numbers are too large is not asked. False for
 * nesting deeper than 2048, jansson's limit.                                                                              */
bool hni_json_valid(const char *text, size_t size, bool any);

#endif
