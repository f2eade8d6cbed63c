/* file.h -- reading files: plain, or gzip recognised by its first bytes.
 * Nothing here allocates in proportion to the file; a reader that calls hni_file_expect before it allocates never asks
 * for more than the file's size (plain) or HNI_DEFLATE_MAX_RATIO times it (gzip).                                          */
#ifndef HNI_FILE_H
#define HNI_FILE_H

#include <hybridnet/context.h>

#include <stdbool.h>

/* Bytes that one byte of deflate, and so of gzip and PNG, can unpack to. */
enum { HNI_DEFLATE_MAX_RATIO = 1032 };

/* One thread at a time. */
typedef struct hni_file hni_file;

/* Opens a regular file for reading. function: borrowed, begins the sentences; path: borrowed, named in them.
 * HN_E_IO, HN_E_NOMEM, HN_E_FORMAT (a broken gzip header), HN_E_UNSUPPORTED (gzip without zlib).             */
hn_status hni_file_open(hni_file **out, hn_context *context, const char *function, const char *path);

/* The same for content that is never gzip, whatever its first bytes are. */
hn_status hni_file_open_plain(hni_file **out, hn_context *context, const char *function, const char *path);

/* Whether the content is gzip. */
bool hni_file_compressed(const hni_file *file);

/* The file's size on disk. */
uint64_t hni_file_size(const hni_file *file);

/* HN_E_FORMAT if the content cannot be exactly `total` bytes. Settles it for a plain file; for gzip it only refuses
 * what no compressor could have packed so small.                                                                     */
hn_status hni_file_expect(const hni_file *file, uint64_t total);

/* Exactly size bytes of (unpacked) content; HN_E_FORMAT if it ends before. */
hn_status hni_file_read(hni_file *file, void *data, size_t size);

/* The next *got bytes of content: size of them, or what is left where that is less. */
hn_status hni_file_read_some(hni_file *file, void *data, size_t size, size_t *got);

/* HN_E_FORMAT if content is left, or if gzip's checksum or length is wrong. */
hn_status hni_file_end(hni_file *file);

/* NULL is allowed. */
void hni_file_close(hni_file *file);

/* HN_E_IO, or HN_E_NOMEM for ENOMEM, with the sentence "FUNCTION: cannot WHAT PATH: the error's text". */
hn_status hni_fail_errno(const char *function, const char *what, const char *path, int error);

/* Whether there is anything at the path; HN_E_IO where that cannot be found out. */
hn_status hni_file_look(const char *function, const char *path, bool *exists);

/* "directory/name"; release with hni_release_string. NULL on failure. */
char *hni_path_join(hn_context *context, const char *directory, const char *name);

#endif
