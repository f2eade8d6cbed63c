/* directory.h -- what is in a directory, and taking a file out of it. */
#ifndef HNI_DIRECTORY_H
#define HNI_DIRECTORY_H

#include <hybridnet/status.h>

typedef hn_status hni_directory_visit(void *user, const char *name);

/* Calls visit with the name of every entry, in no order, until one fails. HN_END where there is no such directory;
 * HN_E_IO. function: begins the sentence.                                                                              */
hn_status hni_directory_each(const char *function, const char *path, hni_directory_visit *visit, void *user);

/* Makes what was renamed, made or removed in a directory durable. HN_E_IO. A directory that cannot be opened, or is of a file
 * system that does not do this, is no failure.                                                                         */
hn_status hni_directory_sync(const char *function, const char *path);

/* Takes a file away; one that is not there is no failure. HN_E_IO. */
hn_status hni_file_remove(const char *function, const char *path);

#endif
