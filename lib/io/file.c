#include "io/file.h"

#include "base/error.h"
#include "base/memory.h"
#include "io/gunzip.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUFFER_BYTES = 65536, ERRNO_TEXT = 128, MAGIC_BYTES = 2 };

struct hni_file {
    hn_context *context;
    const char *function, *path;
    int descriptor;
    hni_gunzip *unpacker; /* NULL: the content is plain */
    uint64_t size, done;  /* bytes on disk; bytes of content handed out */
    size_t next, filled;  /* what of the buffer is not yet used          */
    unsigned char buffer[BUFFER_BYTES];
};

hn_status hni_fail_errno(const char *function, const char *what, const char *path, int error)
{
    char text[ERRNO_TEXT];
    if (strerror_r(error, text, sizeof text) != 0)
        memcpy(text, "unknown error", sizeof "unknown error");
    return hni_fail(error == ENOMEM ? HN_E_NOMEM : HN_E_IO, "%s: cannot %s %s: %s", function, what, path, text);
}

static hn_status fail_errno(const hni_file *f, const char *what, int error)
{
    return hni_fail_errno(f->function, what, f->path, error);
}

/* Adds the next piece of the file to the buffer, which has room; none at the file's end. */
static hn_status read_more(hni_file *f, size_t *got)
{
    ssize_t done;
    do
        done = read(f->descriptor, f->buffer + f->filled, BUFFER_BYTES - f->filled);
    while (done < 0 && errno == EINTR);
    if (done < 0)
        return fail_errno(f, "read", errno);
    *got = (size_t)done;
    f->filled += (size_t)done;
    return HN_OK;
}

/* Reads the next piece of the file into an empty buffer; filled stays 0 at the file's end. */
static hn_status refill(hni_file *f)
{
    size_t got;
    f->next = f->filled = 0;
    return read_more(f, &got);
}

/* The first piece, however little a call brings: as much as says what the file is. */
static hn_status begin(hni_file *f)
{
    size_t got = 1;
    while (f->filled < MAGIC_BYTES && got > 0)
        HNI_TRY(read_more(f, &got));
    return HN_OK;
}

static hn_status read_plain(hni_file *f, unsigned char *data, size_t size, size_t *got)
{
    *got = 0;
    while (*got < size) {
        if (f->next == f->filled)
            HNI_TRY(refill(f));
        size_t piece = f->filled - f->next;
        if (piece == 0)
            break;
        if (piece > size - *got)
            piece = size - *got;
        memcpy(data + *got, f->buffer + f->next, piece);
        f->next += piece;
        *got += piece;
    }
    return HN_OK;
}

static hn_status read_gzip(hni_file *f, unsigned char *data, size_t size, size_t *got)
{
    *got = 0;
    while (*got < size) {
        if (f->next == f->filled)
            HNI_TRY(refill(f));
        if (f->filled == 0) {
            HNI_FAIL_IF(!hni_gunzip_at_end(f->unpacker), HN_E_FORMAT, "%s: %s is truncated: the gzip data breaks off",
                        f->function, f->path);
            break;
        }
        const unsigned char *packed = f->buffer + f->next;
        size_t piece;
        HNI_TRY(hni_gunzip_some(f->unpacker, &packed, f->filled - f->next, data + *got, size - *got, &piece));
        f->next = (size_t)(packed - f->buffer);
        *got += piece;
    }
    return HN_OK;
}

static hn_status read_content(hni_file *f, void *data, size_t size, size_t *got)
{
    return f->unpacker != NULL ? read_gzip(f, data, size, got) : read_plain(f, data, size, got);
}

/* Everything of opening but the memory. On failure the descriptor may be open. */
static hn_status open_file(hni_file *f, bool unpack)
{
    struct stat info;
    do /* O_NONBLOCK: a FIFO must be refused, not waited for */
        f->descriptor = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    while (f->descriptor < 0 && errno == EINTR);
    if (f->descriptor < 0)
        return fail_errno(f, "open", errno);
    if (fstat(f->descriptor, &info) != 0)
        return fail_errno(f, "examine", errno);
    HNI_FAIL_IF(!S_ISREG(info.st_mode), HN_E_IO, "%s: %s is not a regular file", f->function, f->path);
    f->size = (uint64_t)info.st_size;
    HNI_TRY(begin(f));
    if (unpack && f->filled >= MAGIC_BYTES && f->buffer[0] == 0x1f && f->buffer[1] == 0x8b)
        HNI_TRY(hni_gunzip_new(&f->unpacker, f->context, f->function, f->path));
    return HN_OK;
}

static hn_status open_any(hni_file **out, hn_context *context, const char *function, const char *path, bool unpack)
{
    hni_file *f = hni_alloc_zero(context, sizeof *f);
    if (f == NULL)
        return hni_no_memory(function, sizeof *f);
    f->context = context;
    f->function = function;
    f->path = path;
    hn_status status = open_file(f, unpack);
    if (status < 0) {
        if (f->descriptor >= 0)
            close(f->descriptor);
        hni_release(context, f, sizeof *f);
        return status;
    }
    *out = f;
    return HN_OK;
}

hn_status hni_file_open(hni_file **out, hn_context *context, const char *function, const char *path)
{
    return open_any(out, context, function, path, true);
}

hn_status hni_file_open_plain(hni_file **out, hn_context *context, const char *function, const char *path)
{
    return open_any(out, context, function, path, false);
}

bool hni_file_compressed(const hni_file *file)
{
    return file->unpacker != NULL;
}

uint64_t hni_file_size(const hni_file *file)
{
    return file->size;
}

hn_status hni_file_expect(const hni_file *f, uint64_t total)
{
    if (f->unpacker != NULL) {
        HNI_FAIL_IF(total / HNI_DEFLATE_MAX_RATIO > f->size, HN_E_FORMAT,
                    "%s: %s promises %" PRIu64 " bytes, more than its %" PRIu64 " bytes of gzip can hold", f->function,
                    f->path, total, f->size);
        return HN_OK;
    }
    HNI_FAIL_IF(f->size < total, HN_E_FORMAT, "%s: %s is truncated: it has %" PRIu64 " bytes of %" PRIu64, f->function,
                f->path, f->size, total);
    HNI_FAIL_IF(f->size > total, HN_E_FORMAT, "%s: %s has %" PRIu64 " trailing bytes after its %" PRIu64, f->function,
                f->path, f->size - total, total);
    return HN_OK;
}

hn_status hni_file_read_some(hni_file *f, void *data, size_t size, size_t *got)
{
    *got = 0;
    HNI_TRY(read_content(f, data, size, got));
    f->done += *got;
    return HN_OK;
}

hn_status hni_file_read(hni_file *f, void *data, size_t size)
{
    size_t got;
    HNI_TRY(hni_file_read_some(f, data, size, &got));
    HNI_FAIL_IF(got < size, HN_E_FORMAT, "%s: %s is truncated: it ends after %" PRIu64 " bytes, %zu too early",
                f->function, f->path, f->done, size - got);
    return HN_OK;
}

hn_status hni_file_end(hni_file *f)
{
    unsigned char extra;
    size_t got = 0;
    HNI_TRY(read_content(f, &extra, 1, &got));
    HNI_FAIL_IF(got > 0, HN_E_FORMAT, "%s: %s has trailing bytes after its %" PRIu64, f->function, f->path, f->done);
    return HN_OK;
}

void hni_file_close(hni_file *file)
{
    if (file == NULL)
        return;
    hni_gunzip_free(file->unpacker);
    close(file->descriptor);
    hni_release(file->context, file, sizeof *file);
}

hn_status hni_file_look(const char *function, const char *path, bool *exists)
{
    struct stat info;
    *exists = stat(path, &info) == 0;
    return *exists || errno == ENOENT || errno == ENOTDIR ? HN_OK : hni_fail_errno(function, "examine", path, errno);
}

char *hni_path_join(hn_context *context, const char *directory, const char *name)
{
    return hni_concat(context, directory, "/", name);
}
