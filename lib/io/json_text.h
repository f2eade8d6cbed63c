/* json_text.h -- what jansson does not tell apart: a text that is wrong, and memory that ran out. */
#ifndef HNI_JSON_TEXT_H
#define HNI_JSON_TEXT_H

#include <jansson.h>
#include <stdbool.h>

/* json_loadb. NULL on failure; then *no_memory says whether the text was not at fault, else error tells what was. */
json_t *hni_json_load(const char *text, size_t size, size_t flags, json_error_t *error, bool *no_memory);

#endif
