#include "failing_malloc.h"

#include <errno.h>
#include <stdlib.h>

/* glibc's own, under the names that it keeps for this. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *ptr, size_t size);
void *__libc_memalign(size_t align, size_t size);
void __libc_free(void *ptr);

/* Tests are compiled with hidden symbols; these must be seen by the shared libraries. */
#define SEEN __attribute__((visibility("default")))
SEEN void *malloc(size_t size);
SEEN void *calloc(size_t count, size_t size);
SEEN void *realloc(void *ptr, size_t size);
SEEN void *aligned_alloc(size_t align, size_t size);
SEEN void free(void *ptr);

static _Thread_local struct {
    int counting, for_good;
    int64_t calls, failed, alive, fail_at;
} state;

void hnt_malloc_begin(int64_t fail_at, int for_good)
{
    state.calls = state.failed = state.alive = 0;
    state.fail_at = fail_at;
    state.for_good = for_good;
    state.counting = 1;
}

int64_t hnt_malloc_is_back(void)
{
    state.fail_at = -1;
    return state.failed;
}

int64_t hnt_malloc_end(void)
{
    state.counting = 0;
    return state.alive;
}

/* Counts a call; nonzero if it is to fail, with errno set. */
static int fails(void)
{
    if (!state.counting)
        return 0;
    const int64_t call = state.calls++;
    if (state.fail_at < 0 || call < state.fail_at || (call > state.fail_at && !state.for_good))
        return 0;
    ++state.failed;
    errno = ENOMEM;
    return 1;
}

static void *counted(void *ptr)
{
    state.alive += state.counting && ptr != NULL;
    return ptr;
}

void *malloc(size_t size)
{
    return fails() ? NULL : counted(__libc_malloc(size));
}

void *calloc(size_t count, size_t size)
{
    return fails() ? NULL : counted(__libc_calloc(count, size));
}

void *realloc(void *ptr, size_t size)
{
    if (fails())
        return NULL;
    return ptr == NULL ? counted(__libc_malloc(size)) : __libc_realloc(ptr, size);
}

void *aligned_alloc(size_t align, size_t size)
{
    return counted(__libc_memalign(align, size));
}

void free(void *ptr)
{
    state.alive -= state.counting && ptr != NULL;
    __libc_free(ptr);
}
