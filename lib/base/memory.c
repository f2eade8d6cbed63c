#include "base/memory.h"

#include "base/context.h"
#include "base/error.h"

#include <stdint.h>
#include <string.h>

void *hni_alloc(hn_context *context, size_t size)
{
    const hn_allocator *a = &context->allocator;
    if (size > SIZE_MAX - HNI_ALIGN)
        return NULL;
    return a->alloc(a->user, hni_round_up(size == 0 ? 1 : size), HNI_ALIGN);
}

void *hni_alloc_zero(hn_context *context, size_t size)
{
    void *ptr = hni_alloc(context, size);
    if (ptr != NULL)
        memset(ptr, 0, size);
    return ptr;
}

void hni_release(hn_context *context, void *ptr, size_t size)
{
    const hn_allocator *a = &context->allocator;
    if (ptr != NULL)
        a->release(a->user, ptr, hni_round_up(size == 0 ? 1 : size));
}

void *hni_alloc_sized(hn_context *context, size_t size)
{
    size_t whole;
    if (!hni_size_add(size, HNI_ALIGN, &whole)) /* a whole unit, which leaves the alignment alone */
        return NULL;
    unsigned char *block = hni_alloc(context, whole);
    if (block == NULL)
        return NULL;
    memcpy(block, &whole, sizeof whole);
    return block + HNI_ALIGN;
}

void hni_release_sized(hn_context *context, void *ptr)
{
    if (ptr == NULL)
        return;
    unsigned char *block = (unsigned char *)ptr - HNI_ALIGN;
    size_t whole;
    memcpy(&whole, block, sizeof whole);
    hni_release(context, block, whole);
}

void *hni_grow(hn_context *context, void *data, int64_t *capacity, int64_t count, int64_t more, size_t element,
               const char *function)
{
    if (count + more <= *capacity)
        return data;
    size_t used = (size_t)count * element, size;
    int64_t larger = *capacity < 16 ? 16 : *capacity + *capacity / 2;
    if (larger < count + more)
        larger = count + more;
    if (!hni_size_mul((size_t)larger, element, &size))
        size = SIZE_MAX;
    void *copy = size == SIZE_MAX ? NULL : hni_alloc(context, size);
    if (copy == NULL) {
        (void)hni_no_memory(function, size);
        return NULL;
    }
    if (used > 0)
        memcpy(copy, data, used);
    hni_release(context, data, (size_t)*capacity * element);
    *capacity = larger;
    return copy;
}

char *hni_copy_string(hn_context *context, const char *text)
{
    return hni_concat(context, text, "", "");
}

char *hni_concat(hn_context *context, const char *first, const char *second, const char *third)
{
    const size_t a = strlen(first), b = strlen(second), c = strlen(third);
    char *text = hni_alloc(context, a + b + c + 1);
    if (text == NULL)
        return NULL;
    memcpy(text, first, a);
    memcpy(text + a, second, b);
    memcpy(text + a + b, third, c + 1);
    return text;
}

void hni_release_string(hn_context *context, char *text)
{
    if (text != NULL)
        hni_release(context, text, strlen(text) + 1);
}

hn_status hni_no_memory(const char *function, size_t size)
{
    return hni_fail(HN_E_NOMEM, "%s: out of memory (%zu bytes)", function, size);
}

bool hni_size_mul(size_t a, size_t b, size_t *out)
{
    if (a != 0 && b > SIZE_MAX / a)
        return false;
    *out = a * b;
    return true;
}

bool hni_size_add(size_t a, size_t b, size_t *out)
{
    if (b > SIZE_MAX - a)
        return false;
    *out = a + b;
    return true;
}

size_t hni_round_up(size_t size)
{
    return (size + (HNI_ALIGN - 1)) & ~(size_t)(HNI_ALIGN - 1);
}
