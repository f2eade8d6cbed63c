#include "data/string_list.h"

#include "base/memory.h"

#include <string.h>

enum { BLOCK_BYTES = 1 << 18 };

struct hni_string_block {
    hni_string_block *older;
    size_t used, size; /* of text */
    char text[];
};

void hni_string_list_init(hni_string_list *list, hn_context *context)
{
    *list = (hni_string_list){.context = context};
}

void hni_string_list_release(hni_string_list *list)
{
    hni_release(list->context, list->items, (size_t)list->capacity * sizeof *list->items);
    for (hni_string_block *b = list->blocks, *older; b != NULL; b = older) {
        older = b->older;
        hni_release(list->context, b, sizeof *b + b->size);
    }
    hni_string_list_init(list, list->context);
}

/* Room for `size` bytes in the newest block, or a new one that is the newest from now on. */
static char *make_room(hni_string_list *list, size_t size)
{
    hni_string_block *b = list->blocks;
    if (b == NULL || b->size - b->used < size) {
        size_t whole, bytes = size > BLOCK_BYTES ? size : BLOCK_BYTES;
        if (!hni_size_add(bytes, sizeof *b, &whole) || (b = hni_alloc(list->context, whole)) == NULL)
            return NULL;
        b->older = list->blocks;
        b->used = 0;
        b->size = bytes;
        list->blocks = b;
    }
    b->used += size;
    return b->text + b->used - size;
}

hn_status hni_string_list_add(hni_string_list *list, const char *function, const char *text, size_t size)
{
    const char **items =
        hni_grow(list->context, list->items, &list->capacity, list->count, 1, sizeof *list->items, function);
    if (items == NULL)
        return HN_E_NOMEM;
    list->items = items;
    char *copy = make_room(list, size + 1);
    if (copy == NULL)
        return hni_no_memory(function, size + 1);
    memcpy(copy, text, size);
    copy[size] = '\0';
    list->items[list->count++] = copy;
    return HN_OK;
}
