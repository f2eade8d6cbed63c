/* version.h -- the release these headers belong to; the build reads its version from here. */
#ifndef HYBRIDNET_VERSION_H
#define HYBRIDNET_VERSION_H

#include <hybridnet/export.h>
#include <stdint.h>

#define HN_VERSION_MAJOR 0
#define HN_VERSION_MINOR 9
#define HN_VERSION_PATCH 0
#define HN_VERSION_NUMBER (HN_VERSION_MAJOR * 1000000 + HN_VERSION_MINOR * 1000 + HN_VERSION_PATCH)

HN_BEGIN_DECLS

/* HN_VERSION_NUMBER of the library actually loaded, which may differ from the headers'. */
HN_API uint32_t hn_version_number(void);

/* "0.9.0", of the library actually loaded; static storage. */
HN_API const char *hn_version_string(void);

/* One line about this build: compiler, BLAS, OpenMP, optional parts, e.g.
 * "gcc 12.2.0; BLAS openblas; OpenMP; oneDNN; zlib; jansson; jpeg; png". Static storage. */
HN_API const char *hn_build_info(void);

HN_END_DECLS
#endif
