/* lines.h -- the lines of a text file, plain or gzip, one at a time. */
#ifndef HNI_LINES_H
#define HNI_LINES_H

#include <hybridnet/context.h>

enum { HNI_LINE_BYTES = 16384 }; /* the longest line */

typedef struct hni_lines hni_lines;

/* function, path: borrowed, for the sentences. Errors as hni_file_open. */
hn_status hni_lines_open(hni_lines **out, hn_context *context, const char *function, const char *path);

/* The next line without its end (LF or CRLF; the last line may lack it), 0-terminated, and its number from 1. Valid
 * until the next call. HN_END after the last; HN_E_IO, HN_E_FORMAT for a line that is too long or has a byte 0.       */
hn_status hni_lines_next(hni_lines *lines, char **line, size_t *size, int64_t *number);

/* NULL is allowed. */
void hni_lines_close(hni_lines *lines);

#endif
