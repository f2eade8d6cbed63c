/* string_list.h -- a growing list of strings, kept one after another in large blocks: half a million paths cost little
 * more than their characters. Strings stay where they are as the list grows.                                           */
#ifndef HNI_STRING_LIST_H
#define HNI_STRING_LIST_H

#include <hybridnet/context.h>

typedef struct hni_string_block hni_string_block;

typedef struct hni_string_list {
    hn_context *context;
    const char **items; /* [count], 0-terminated */
    int64_t count, capacity;
    hni_string_block *blocks; /* the newest first */
} hni_string_list;

/* A list that owns nothing yet. */
void hni_string_list_init(hni_string_list *list, hn_context *context);
void hni_string_list_release(hni_string_list *list);

/* Appends a copy of `size` characters, none of them 0. HN_E_NOMEM. */
hn_status hni_string_list_add(hni_string_list *list, const char *function, const char *text, size_t size);

#endif
