/* json_arrays.h -- the elements of the arrays in a JSON object that is too large to be held as a tree. Finds where each
 * element begins and ends; to read it is a JSON library's work, and so is to say whether it is JSON at all.             */
#ifndef HNI_JSON_ARRAYS_H
#define HNI_JSON_ARRAYS_H

#include <hybridnet/context.h>

enum { HNI_JSON_ELEMENT_BYTES = 1 << 20 }; /* the longest element */

/* One array that is wanted. */
typedef struct hni_json_array {
    const char *key; /* of the document's object */
    /* Called for every element, in order. index: from 0; text: its characters. A failure ends the reading. */
    hn_status (*element)(void *user, int64_t index, const char *text, size_t size);
} hni_json_array;

/* Reads the file, plain or gzip. Every array must be there once; members of other names are passed over. The arrays may
 * come in any order, and the file is read once. HN_E_IO, HN_E_NOMEM, HN_E_FORMAT (with the byte), or an element's status. */
hn_status hni_json_arrays(hn_context *context, const char *function, const char *path, const hni_json_array *arrays,
                          int32_t count, void *user);

#endif
