/* failing_malloc.h -- the C library's malloc, failing: what jansson, libjpeg, zlib and the C library itself allocate, which the
 * context's allocator does not see.
 *
 * The program's own malloc takes the place of the C library's in all shared libraries, as glibc allows, and hands on to
 * it. Only the thread that has asked for it is affected. Not under a sanitizer, whose own malloc this would be.         */
#ifndef HNT_FAILING_MALLOC_H
#define HNT_FAILING_MALLOC_H

#include <stdint.h>

/* From now on the calling thread's malloc, calloc and realloc are counted, and the call at fail_at (from 0 on; negative: none)
 * fails, if for_good those after it too. aligned_alloc, which is the context's, is counted only.                        */
void hnt_malloc_begin(int64_t fail_at, int for_good);
/* None fails from now on; counting goes on. Returns how many have failed. */
int64_t hnt_malloc_is_back(void);
/* Ends it; returns how many blocks are alive that were not before. */
int64_t hnt_malloc_end(void);

#endif
