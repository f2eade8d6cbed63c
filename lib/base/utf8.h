/* utf8.h -- which bytes are characters. */
#ifndef HNI_UTF8_H
#define HNI_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the character that the text, which ends with a 0, begins with; 0 if it begins with none: no overlong form, no
 * surrogate, nothing beyond U+10FFFF. The 0 at the end is a character of one byte.                                      */
size_t hni_utf8_length(const char *text);

/* Whether all of the text is UTF-8. */
bool hni_utf8_valid(const char *text);

#endif
