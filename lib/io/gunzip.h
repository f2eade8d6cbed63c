/* gunzip.h -- unpacking gzip piece by piece, any number of members end to end. In a build without zlib none can be made. */
#ifndef HNI_GUNZIP_H
#define HNI_GUNZIP_H

#include <hybridnet/context.h>

#include <stdbool.h>
#include <stddef.h>

/* One thread at a time. */
typedef struct hni_gunzip hni_gunzip;

/* function: borrowed, begins the sentences; path: borrowed, named in them. HN_E_NOMEM, HN_E_UNSUPPORTED (no zlib). */
hn_status hni_gunzip_new(hni_gunzip **out, hn_context *context, const char *function, const char *path);

/* Unpacks from *packed on, `size` bytes and at least one, to data, `room` bytes and at least one: moves *packed behind what
 * was used and sets *got, which is 0 where more is needed first. HN_E_FORMAT, a wrong checksum or length too; HN_E_NOMEM. */
hn_status hni_gunzip_some(hni_gunzip *unpacker, const unsigned char **packed, size_t size, unsigned char *data, size_t room,
                          size_t *got);

/* Whether a member has just ended: only here may the file end. */
bool hni_gunzip_at_end(const hni_gunzip *unpacker);

/* NULL is allowed. */
void hni_gunzip_free(hni_gunzip *unpacker);

#endif
