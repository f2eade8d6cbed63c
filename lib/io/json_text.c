#include "io/json_text.h"

#include "io/json_valid.h"

#include <string.h>

/* jansson has no word for most of its shortages: it leaves no error, or says that a string it could not store is an invalid
 * token. A text that is JSON all the same was not at fault.                                                              */
json_t *hni_json_load(const char *text, size_t size, size_t flags, json_error_t *error, bool *no_memory)
{
    memset(error, 0, sizeof *error); /* jansson leaves the code unset */
    *no_memory = false;
    if (memchr(text, '\0', size) != NULL) { /* jansson takes one behind a number for the end of it */
        memcpy(error->text, "a NUL byte", sizeof "a NUL byte");
        return NULL;
    }
    json_t *value = json_loadb(text, size, flags, error);
    const enum json_error_code code = json_error_code(error);
    *no_memory =
        value == NULL && (error->text[0] == '\0' || code == json_error_out_of_memory ||
                          (code == json_error_invalid_syntax && hni_json_valid(text, size, flags & JSON_DECODE_ANY)));
    return value;
}
