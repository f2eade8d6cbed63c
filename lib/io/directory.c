#include "io/directory.h"

#include "io/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <unistd.h>

hn_status hni_directory_each(const char *function, const char *path, hni_directory_visit *visit, void *user)
{
    DIR *directory;
    do
        directory = opendir(path);
    while (directory == NULL && errno == EINTR);
    if (directory == NULL)
        return errno == ENOENT ? HN_END : hni_fail_errno(function, "open", path, errno);
    hn_status status = HN_OK;
    while (status == HN_OK) {
        errno = 0;
        const struct dirent *entry = readdir(directory);
        if (entry == NULL && errno != 0)
            status = hni_fail_errno(function, "read", path, errno);
        if (entry == NULL)
            break;
        status = visit(user, entry->d_name);
    }
    (void)closedir(directory);
    return status;
}

hn_status hni_directory_sync(const char *function, const char *path)
{
    const int descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0)
        return HN_OK;
    int error;
    do
        error = fsync(descriptor) == 0 ? 0 : errno;
    while (error == EINTR);
    (void)close(descriptor);
    static const int not_done_here[] = {0, EINVAL, EBADF, ENOSYS, ENOTSUP, EOPNOTSUPP, EROFS};
    for (size_t i = 0; i < sizeof not_done_here / sizeof not_done_here[0]; ++i)
        if (error == not_done_here[i])
            return HN_OK;
    return hni_fail_errno(function, "sync the directory", path, error);
}

hn_status hni_file_remove(const char *function, const char *path)
{
    if (unlink(path) == 0 || errno == ENOENT)
        return HN_OK;
    return hni_fail_errno(function, "remove", path, errno);
}
