/* atomic_file.h -- writing a file so that its path holds either what it held before or the whole new content. */
#ifndef HNI_ATOMIC_FILE_H
#define HNI_ATOMIC_FILE_H

#include <hybridnet/context.h>

typedef struct hni_atomic_file hni_atomic_file;

/* Opens a temporary file beside path. function: borrowed, begins the sentences. HN_E_IO, also where path is there and no
 * regular file (a directory, a device, a pipe); HN_E_NOMEM.                                                             */
hn_status hni_atomic_open(hni_atomic_file **out, hn_context *context, const char *function, const char *path);

/* Appends. After a failure only hni_atomic_abandon remains. */
hn_status hni_atomic_write(hni_atomic_file *file, const void *data, size_t size);

/* Syncs, renames over path and syncs the directory; frees file, also on failure (then path is as it was). */
hn_status hni_atomic_commit(hni_atomic_file *file);

/* Removes the temporary file and frees; NULL is allowed. */
void hni_atomic_abandon(hni_atomic_file *file);

#endif
