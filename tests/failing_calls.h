/* failing_calls.h -- the library's system calls, so that they transfer little, are interrupted, or fail.
 *
 * By the linker (--wrap=open and so on, tests/tests.cmake): it turns the calls of the library's objects, and of the tests', to
 * the functions here, and leaves those inside of the C library and of Check alone. A preloaded library would have to know
 * which calls are the library's, and would come before a sanitizer's own; the library calls no stdio on files, whose
 * calls neither could reach.                                                                                           */
#ifndef HNT_FAILING_CALLS_H
#define HNT_FAILING_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What shall happen to the calls from now on. All zero and fail_at negative: nothing. */
typedef struct hnt_trouble {
    size_t piece;             /* the most bytes that a read or a write transfers; 0: what is asked for          */
    int64_t interrupt;        /* every so many calls one returns EINTR first; 0: none                           */
    int64_t fail_at;          /* this call, from 0 on, fails; negative: none                                    */
    int error;                /* with this errno                                                                */
    bool for_good;            /* and so do all the later calls that are not harmless                            */
    bool no_sync;             /* fsync does nothing: where the disk's time is not the matter                    */
} hnt_trouble;

void hnt_begin_trouble(const hnt_trouble *trouble);
/* Ends it. */
void hnt_end_trouble(void);

/* Since trouble began: calls made, those interrupted, and the name of the one that failed, NULL if none did: of
 * several the first that is not harmless.                                                                              */
int64_t hnt_calls_made(void);
int64_t hnt_calls_interrupted(void);
const char *hnt_call_failed(void);
/* Whether the failure of that call is one that the library's contract lets pass: closing what was read, syncing a directory,
 * removing an old file.                                                                                                */
bool hnt_call_harmless(void);

/* Open descriptors of the process. */
int hnt_descriptors(void);

#endif
