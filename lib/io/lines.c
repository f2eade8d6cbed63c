#include "io/lines.h"

#include "base/error.h"
#include "base/memory.h"
#include "io/file.h"

#include <inttypes.h>
#include <string.h>

struct hni_lines {
    hn_context *context;
    const char *function, *path;
    hni_file *file;
    int64_t number;
    size_t next, filled;             /* what of the buffer is not yet used */
    char buffer[HNI_LINE_BYTES + 1]; /* + 1: a last line without an end gets its 0 */
};

hn_status hni_lines_open(hni_lines **out, hn_context *context, const char *function, const char *path)
{
    hni_lines *l = hni_alloc(context, sizeof *l);
    if (l == NULL)
        return hni_no_memory(function, sizeof *l);
    l->context = context;
    l->function = function;
    l->path = path;
    l->number = 0;
    l->next = l->filled = 0;
    hn_status status = hni_file_open(&l->file, context, function, path);
    if (status < 0) {
        hni_release(context, l, sizeof *l);
        return status;
    }
    *out = l;
    return HN_OK;
}

/* Moves what is left to the buffer's front and fills the rest; got is 0 at the file's end. */
static hn_status refill(hni_lines *l, size_t *got)
{
    memmove(l->buffer, l->buffer + l->next, l->filled - l->next);
    l->filled -= l->next;
    l->next = 0;
    HNI_TRY(hni_file_read_some(l->file, l->buffer + l->filled, HNI_LINE_BYTES - l->filled, got));
    l->filled += *got;
    return HN_OK;
}

hn_status hni_lines_next(hni_lines *l, char **line, size_t *size, int64_t *number)
{
    char *end = memchr(l->buffer + l->next, '\n', l->filled - l->next);
    if (end == NULL) {
        size_t got = 0;
        HNI_TRY(refill(l, &got));
        if (l->filled == 0)
            return HN_END;
        end = memchr(l->buffer, '\n', l->filled);
        HNI_FAIL_IF(end == NULL && l->filled == HNI_LINE_BYTES, HN_E_FORMAT,
                    "%s: %s: line %" PRId64 " is longer than %d bytes", l->function, l->path, l->number + 1,
                    (int)HNI_LINE_BYTES);
    }
    char *begin = l->buffer + l->next;
    size_t length = (size_t)((end != NULL ? end : l->buffer + l->filled) - begin);
    l->next += length + (end != NULL);
    l->number++;
    if (length > 0 && begin[length - 1] == '\r')
        length--;
    HNI_FAIL_IF(memchr(begin, '\0', length) != NULL, HN_E_FORMAT, "%s: %s: line %" PRId64 " has a byte 0: no text",
                l->function, l->path, l->number);
    begin[length] = '\0';
    *line = begin;
    *size = length;
    *number = l->number;
    return HN_OK;
}

void hni_lines_close(hni_lines *l)
{
    if (l == NULL)
        return;
    hni_file_close(l->file);
    hni_release(l->context, l, sizeof *l);
}
