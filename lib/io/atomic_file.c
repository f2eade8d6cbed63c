#include "io/atomic_file.h"

#include "base/error.h"
#include "base/memory.h"
#include "io/directory.h"
#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SUFFIX = 48, ATTEMPTS = 1000, LONGEST_NAME = 200 };

struct hni_atomic_file {
    hn_context *context;
    const char *function;
    char *path, *temporary;
    size_t temporary_size;
    int descriptor;
};

static hn_status fail_errno(const hni_atomic_file *f, const char *what, const char *path, int error)
{
    return hni_fail_errno(f->function, what, path, error);
}

static void release(hni_atomic_file *f)
{
    hni_release_string(f->context, f->path);
    hni_release(f->context, f->temporary, f->temporary_size);
    hni_release(f->context, f, sizeof *f);
}

/* A new file beside path, of a name that is cut where it would be too long. Not mkstemp: that makes it private, and what
 * the process' umask allows could only be found out by changing it for all threads; open applies it.                     */
static int create_beside(hni_atomic_file *f)
{
    const char *slash = strrchr(f->path, '/'), *name = slash == NULL ? f->path : slash + 1;
    const size_t directory = (size_t)(name - f->path), size = strlen(name);
    const int kept = (int)(directory + (size < LONGEST_NAME ? size : LONGEST_NAME));
    for (int i = 0; i < ATTEMPTS; ++i) {
        (void)snprintf(f->temporary, f->temporary_size, "%.*s.tmp-%ld-%d", kept, f->path, (long)getpid(), i);
        int descriptor = open(f->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (descriptor >= 0 || (errno != EEXIST && errno != EINTR))
            return descriptor;
    }
    return -1;
}

hn_status hni_atomic_open(hni_atomic_file **out, hn_context *context, const char *function, const char *path)
{
    struct stat info; /* a rename would put a file in the place of /dev/null */
    const int found = stat(path, &info);
    if (found != 0 && errno != ENOENT)
        return hni_fail_errno(function, "look at", path, errno);
    HNI_FAIL_IF(found == 0 && !S_ISREG(info.st_mode), HN_E_IO, "%s: %s is no regular file, and is not replaced by one",
                function, path);
    hni_atomic_file *f = hni_alloc(context, sizeof *f);
    if (f == NULL)
        return hni_no_memory(function, sizeof *f);
    *f = (hni_atomic_file){.context = context, .function = function, .descriptor = -1};
    f->temporary_size = strlen(path) + SUFFIX;
    f->path = hni_copy_string(context, path);
    f->temporary = hni_alloc(context, f->temporary_size);
    if (f->path == NULL || f->temporary == NULL) {
        release(f);
        return hni_no_memory(function, strlen(path));
    }
    f->descriptor = create_beside(f);
    if (f->descriptor < 0) {
        hn_status status = fail_errno(f, "create a file beside", path, errno);
        release(f);
        return status;
    }
    *out = f;
    return HN_OK;
}

hn_status hni_atomic_write(hni_atomic_file *f, const void *data, size_t size)
{
    const char *from = data;
    while (size > 0) {
        size_t piece = size < (size_t)1 << 30 ? size : (size_t)1 << 30;
        ssize_t done = write(f->descriptor, from, piece);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return fail_errno(f, "write", f->path, errno);
        if (done == 0)
            return fail_errno(f, "write", f->path, ENOSPC);
        from += done;
        size -= (size_t)done;
    }
    return HN_OK;
}

/* Makes the rename itself durable. Where that fails the content is on disk all the same, under one of the two names; whoever
 * then removes the other one asks again.                                                                               */
static void sync_directory(hni_atomic_file *f)
{
    char *slash = strrchr(f->path, '/');
    const char *directory = ".";
    if (slash != NULL) {
        directory = slash == f->path ? "/" : f->path;
        *slash = '\0';
    }
    (void)hni_directory_sync(f->function, directory);
    if (slash != NULL)
        *slash = '/';
}

hn_status hni_atomic_commit(hni_atomic_file *f)
{
    hn_status status = HN_OK;
    int synced;
    do
        synced = fsync(f->descriptor);
    while (synced != 0 && errno == EINTR);
    if (synced != 0)
        status = fail_errno(f, "sync", f->path, errno);
    int closed = close(f->descriptor);
    f->descriptor = -1;
    if (status == HN_OK && closed != 0 && errno != EINTR) /* interrupted: closed all the same, and on disk already */
        status = fail_errno(f, "close", f->path, errno);
    if (status == HN_OK && rename(f->temporary, f->path) != 0)
        status = fail_errno(f, "rename a file to", f->path, errno);
    if (status < 0) {
        (void)unlink(f->temporary);
    } else {
        sync_directory(f);
    }
    release(f);
    return status;
}

void hni_atomic_abandon(hni_atomic_file *f)
{
    if (f == NULL)
        return;
    (void)close(f->descriptor);
    (void)unlink(f->temporary);
    release(f);
}
