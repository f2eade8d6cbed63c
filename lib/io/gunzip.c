#include "io/gunzip.h"

#include "base/error.h"
#include "base/memory.h"

#ifdef HNI_HAVE_ZLIB

#include <zlib.h>

enum { PIECE_BYTES = 1 << 20 }; /* zlib counts in unsigned */

struct hni_gunzip {
    hn_context *context;
    const char *function, *path;
    z_stream stream;
    bool ended; /* the last member has, and none has begun */
};

static void *zlib_alloc(void *context, unsigned items, unsigned bytes)
{
    size_t size;
    return hni_size_mul(items, bytes, &size) ? hni_alloc_sized(context, size) : NULL;
}

static void zlib_release(void *context, void *ptr)
{
    hni_release_sized(context, ptr);
}

static hn_status fail_zlib(const hni_gunzip *u, int code)
{
    if (code == Z_MEM_ERROR)
        return hni_fail(HN_E_NOMEM, "%s: out of memory unpacking %s", u->function, u->path);
    return hni_fail(HN_E_FORMAT, "%s: %s is broken gzip: %s", u->function, u->path,
                    u->stream.msg != NULL ? u->stream.msg : "bad data");
}

hn_status hni_gunzip_new(hni_gunzip **out, hn_context *context, const char *function, const char *path)
{
    hni_gunzip *u = hni_alloc_zero(context, sizeof *u);
    if (u == NULL)
        return hni_no_memory(function, sizeof *u);
    *u = (hni_gunzip){.context = context,
                      .function = function,
                      .path = path,
                      .stream = {.zalloc = zlib_alloc, .zfree = zlib_release, .opaque = context}};
    int code = inflateInit2(&u->stream, MAX_WBITS + 16); /* + 16: gzip, with its checksum */
    if (code != Z_OK) {
        hn_status status = fail_zlib(u, code);
        hni_release(context, u, sizeof *u);
        return status;
    }
    *out = u;
    return HN_OK;
}

hn_status hni_gunzip_some(hni_gunzip *u, const unsigned char **packed, size_t size, unsigned char *data, size_t room,
                          size_t *got)
{
    z_stream *z = &u->stream;
    *got = 0;
    if (u->ended && inflateReset(z) != Z_OK)
        return fail_zlib(u, Z_DATA_ERROR);
    z->next_in = (unsigned char *)(uintptr_t)*packed; /* zlib only reads it */
    z->avail_in = size < PIECE_BYTES ? (unsigned)size : PIECE_BYTES;
    z->next_out = data;
    z->avail_out = room < PIECE_BYTES ? (unsigned)room : PIECE_BYTES;
    int code = inflate(z, Z_NO_FLUSH);
    *packed = z->next_in;
    *got = (size_t)(z->next_out - data);
    u->ended = code == Z_STREAM_END;
    return code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR ? HN_OK : fail_zlib(u, code);
}

bool hni_gunzip_at_end(const hni_gunzip *u)
{
    return u->ended;
}

void hni_gunzip_free(hni_gunzip *u)
{
    if (u == NULL)
        return;
    inflateEnd(&u->stream);
    hni_release(u->context, u, sizeof *u);
}

#else

hn_status hni_gunzip_new(hni_gunzip **out, hn_context *context, const char *function, const char *path)
{
    (void)out;
    (void)context;
    return hni_fail(HN_E_UNSUPPORTED,
                    "%s: %s is gzip, and this build is without zlib (CMake option HN_ZLIB); unpack it with gunzip",
                    function, path);
}

hn_status hni_gunzip_some(hni_gunzip *unpacker, const unsigned char **packed, size_t size, unsigned char *data,
                          size_t room, size_t *got)
{
    (void)unpacker;
    (void)packed;
    (void)size;
    (void)data;
    (void)room;
    *got = 0;
    return hni_fail(HN_E_INTERNAL, "no unpacker can have been made");
}

bool hni_gunzip_at_end(const hni_gunzip *unpacker)
{
    (void)unpacker;
    return true;
}

void hni_gunzip_free(hni_gunzip *unpacker)
{
    (void)unpacker;
}

#endif
