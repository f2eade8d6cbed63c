/* fuzz.h -- what the fuzz targets share. A target gives hostile bytes to one reader, and not only crashes are findings:
 * the process aborts, with a sentence, when a reader breaks what its header promises. That is: a failure has a sentence of
 * its own and leaves the outputs alone; everything is given back; memory stays below a multiple of the input.
 *
 * A target is a file fuzz_NAME.c with LLVMFuzzerTestOneInput, a line in CMakeLists.txt and a folder corpus/NAME:
 *
 *     const char *path = fuzz_file("input", (fuzz_bytes){data, size});
 *     hn_context *context = fuzz_begin(PER_BYTE, FUZZ_CONSTANT);
 *     hn_thing *thing = FUZZ_UNTOUCHED;
 *     hn_status status = hn_thing_open(&thing, context, path);
 *     fuzz_outcome(status, "hn_thing_open", thing);
 *     if (status == HN_OK)
 *         hn_thing_close(thing);
 *     fuzz_end();
 *     return 0;                                                                                                        */
#ifndef FUZZ_H
#define FUZZ_H

#include <hybridnet.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* One input: defined by each target; 0 always. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- the input ---------------------------------------------------------------------------------------------------- */

typedef struct fuzz_bytes {
    const uint8_t *data;
    size_t size;
} fuzz_bytes;

/* An input that stands for several files has them one after another with "--8<--" between them. The next of them; *rest
 * becomes what follows it, empty after the last.                                                                       */
fuzz_bytes fuzz_part(fuzz_bytes *rest);

/* A directory of this process, removed when it exits. */
const char *fuzz_directory(void);

/* Writes a file of that name there; its path, until eight calls later. */
const char *fuzz_file(const char *name, fuzz_bytes content);

/* ---- the watch ---------------------------------------------------------------------------------------------------- */

enum { FUZZ_CONSTANT = 1 << 20 }; /* bytes that a reader may always take: SECURITY.md */

/* A context whose memory is watched until fuzz_end. From here on at most `constant` bytes may be alive at any time, and
 * per_byte bytes for each byte that fuzz_file has written since the last fuzz_end, for gzip: that it can unpack to. Under
 * a sanitizer all of the process' memory counts, what libraries take for themselves too; otherwise the context's.      */
hn_context *fuzz_begin(uint64_t per_byte, uint64_t constant);

/* Destroys the context; everything must have been released. */
void fuzz_end(void);

/* What a reader's output is before the call. */
#define FUZZ_UNTOUCHED ((void *)&fuzz_mark)
extern char fuzz_mark;

/* Checks a status: a failure has a sentence that begins with the function's name, is one line without control
 * characters and no internal error; the output is untouched then, and only then.                                       */
void fuzz_outcome(hn_status status, const char *function, const void *output);

/* Goes through a dataset that was opened, and releases it. */
void fuzz_dataset(hn_dataset *dataset);

/* From fuzz_listen on, what is printed is caught. fuzz_heard ends that: a failure must have said something on stderr, in
 * lines without control characters. What went to stdout, 0-terminated, until the next fuzz_listen.                     */
void fuzz_listen(void);
const char *fuzz_heard(bool failed);

/* Says what is wrong and aborts. */
_Noreturn void fuzz_finding(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
