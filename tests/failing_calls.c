#include "failing_calls.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* The linker's names: __real_X is the C library's X, __wrap_X what X leads to. */
int __real_open(const char *path, int flags, ...);
ssize_t __real_read(int fd, void *data, size_t size);
ssize_t __real_write(int fd, const void *data, size_t size);
int __real_fsync(int fd);
int __real_close(int fd);
int __real_rename(const char *from, const char *to);
int __real_unlink(const char *path);
int __real_stat(const char *path, struct stat *info);
int __real_fstat(int fd, struct stat *info);
DIR *__real_opendir(const char *path);
struct dirent *__real_readdir(DIR *dir);
int __real_closedir(DIR *dir);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*work)(void *), void *arg);

int __wrap_open(const char *path, int flags, ...);
ssize_t __wrap_read(int fd, void *data, size_t size);
ssize_t __wrap_write(int fd, const void *data, size_t size);
int __wrap_fsync(int fd);
int __wrap_close(int fd);
int __wrap_rename(const char *from, const char *to);
int __wrap_unlink(const char *path);
int __wrap_stat(const char *path, struct stat *info);
int __wrap_fstat(int fd, struct stat *info);
DIR *__wrap_opendir(const char *path);
struct dirent *__wrap_readdir(DIR *dir);
int __wrap_closedir(DIR *dir);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*work)(void *), void *arg);

static hnt_trouble trouble;
static atomic_bool active;
static atomic_int_least64_t made, interruptible, interrupted;
static _Atomic(const char *) failed;
static atomic_bool harmless;

void hnt_begin_trouble(const hnt_trouble *t)
{
    trouble = *t;
    made = interruptible = interrupted = 0;
    failed = NULL;
    harmless = false;
    active = true;
}

void hnt_end_trouble(void)
{
    active = false;
}

int64_t hnt_calls_made(void)
{
    return made;
}

int64_t hnt_calls_interrupted(void)
{
    return interrupted;
}

const char *hnt_call_failed(void)
{
    return failed;
}

bool hnt_call_harmless(void)
{
    return harmless;
}

int hnt_descriptors(void)
{
    DIR *dir = __real_opendir("/proc/self/fd");
    int count = -1; /* the directory's own */
    if (dir == NULL)
        return -1;
    while (__real_readdir(dir) != NULL)
        ++count;
    (void)__real_closedir(dir);
    return count;
}

/* Counts a call; true if it is to fail, with errno set. */
static bool fails(const char *name, bool is_harmless)
{
    if (!active)
        return false;
    const int64_t call = made++;
    const bool later = trouble.for_good && trouble.fail_at >= 0 && call > trouble.fail_at && !is_harmless;
    if (call != trouble.fail_at && !later)
        return false;
    if (failed == NULL || harmless) {
        failed = name;
        harmless = is_harmless;
    }
    errno = trouble.error;
    return true;
}

/* Whether a call that may be interrupted is, with errno set. */
static bool interrupts(void)
{
    if (!active || trouble.interrupt == 0 || ++interruptible % trouble.interrupt != 0)
        return false;
    ++interrupted;
    errno = EINTR;
    return true;
}

static size_t piece_of(size_t size)
{
    return active && trouble.piece > 0 && trouble.piece < size ? trouble.piece : size;
}

static bool is_directory(int fd)
{
    struct stat info;
    return __real_fstat(fd, &info) == 0 && S_ISDIR(info.st_mode);
}

static bool writes(int fd)
{
    return (fcntl(fd, F_GETFL) & O_ACCMODE) != O_RDONLY;
}

int __wrap_open(const char *path, int flags, ...)
{
    mode_t mode = 0;
    if ((flags & O_CREAT) != 0) {
        va_list rest;
        va_start(rest, flags);
        mode = (mode_t)va_arg(rest, int);
        va_end(rest);
    }
    return fails("open", (flags & O_DIRECTORY) != 0) || interrupts() ? -1 : __real_open(path, flags, mode);
}

ssize_t __wrap_read(int fd, void *data, size_t size)
{
    return fails("read", false) || interrupts() ? -1 : __real_read(fd, data, piece_of(size));
}

ssize_t __wrap_write(int fd, const void *data, size_t size)
{
    return fails("write", false) || interrupts() ? -1 : __real_write(fd, data, piece_of(size));
}

int __wrap_fsync(int fd)
{
    if (fails("fsync", is_directory(fd)) || interrupts())
        return -1;
    return active && trouble.no_sync ? 0 : __real_fsync(fd);
}

/* A descriptor is gone whatever close returns. */
int __wrap_close(int fd)
{
    const bool bad = fails("close", !writes(fd)) || interrupts();
    const int error = errno, result = __real_close(fd);
    if (!bad)
        return result;
    errno = error;
    return -1;
}

int __wrap_rename(const char *from, const char *to)
{
    return fails("rename", false) ? -1 : __real_rename(from, to);
}

int __wrap_unlink(const char *path)
{
    return fails("unlink", true) ? -1 : __real_unlink(path);
}

int __wrap_stat(const char *path, struct stat *info)
{
    return fails("stat", false) ? -1 : __real_stat(path, info);
}

int __wrap_fstat(int fd, struct stat *info)
{
    return fails("fstat", false) ? -1 : __real_fstat(fd, info);
}

DIR *__wrap_opendir(const char *path)
{
    return fails("opendir", false) || interrupts() ? NULL : __real_opendir(path);
}

struct dirent *__wrap_readdir(DIR *dir)
{
    return fails("readdir", false) ? NULL : __real_readdir(dir);
}

int __wrap_closedir(DIR *dir)
{
    const bool bad = fails("closedir", true);
    const int error = errno, result = __real_closedir(dir);
    if (!bad)
        return result;
    errno = error;
    return -1;
}

/* Returns its error, and leaves errno alone. */
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*work)(void *), void *arg)
{
    const int before = errno;
    if (!fails("pthread_create", false))
        return __real_pthread_create(thread, attributes, work, arg);
    errno = before;
    return trouble.error;
}
