/* memory.h -- every allocation goes through a context; sizes that cannot overflow silently. */
#ifndef HNI_MEMORY_H
#define HNI_MEMORY_H

#include <hybridnet/context.h>

#include <stdbool.h>

enum { HNI_ALIGN = 64 };

/* 64-byte aligned, uninitialised; NULL on failure (no sentence is set). size 0 gives a valid pointer.
 * Release with the same size.                                                                          */
void *hni_alloc(hn_context *context, size_t size);
/* The same, zeroed. */
void *hni_alloc_zero(hn_context *context, size_t size);
/* NULL is allowed. */
void hni_release(hn_context *context, void *ptr, size_t size);
/* For libraries that give no size back on release: it is kept in front. NULL on failure. */
void *hni_alloc_sized(hn_context *context, size_t size);
/* NULL is allowed. */
void hni_release_sized(hn_context *context, void *ptr);

/* Room for `more` > 0 further elements of an array of `count` elements of which *capacity fit: data itself, or a larger copy
 * in its place. NULL on failure, with the sentence; then data is as it was. Release with *capacity * element.           */
void *hni_grow(hn_context *context, void *data, int64_t *capacity, int64_t count, int64_t more, size_t element,
               const char *function);

/* A copy of a string, or three strings one after the other; release with hni_release_string. NULL on failure. */
char *hni_copy_string(hn_context *context, const char *text);
char *hni_concat(hn_context *context, const char *first, const char *second, const char *third);
void hni_release_string(hn_context *context, char *text);

/* HN_E_NOMEM with the sentence "FUNCTION: out of memory (SIZE bytes)". */
hn_status hni_no_memory(const char *function, size_t size);

/* Product or sum into *out; false if it does not fit. */
bool hni_size_mul(size_t a, size_t b, size_t *out);
bool hni_size_add(size_t a, size_t b, size_t *out);

/* size rounded up to a multiple of HNI_ALIGN: how pieces of one block are laid out. */
size_t hni_round_up(size_t size);

#endif
