/* types.h -- the plain structs every other header builds on. They are frozen: they never grow. */
#ifndef HYBRIDNET_TYPES_H
#define HYBRIDNET_TYPES_H

#include <hybridnet/export.h>
#include <stddef.h>
#include <stdint.h>

/* A matrix in the caller's memory: row-major, element (i, j) at data[i * ld + j], ld >= cols. */
typedef struct hn_matf {
    float *data;
    int64_t rows, cols, ld;
} hn_matf;

/* The same, read only. */
typedef struct hn_cmatf {
    const float *data;
    int64_t rows, cols, ld;
} hn_cmatf;

/* Memory the caller lends for the length of one call; data is 64-byte aligned, size in bytes. */
typedef struct hn_scratch {
    void *data;
    size_t size;
} hn_scratch;

enum { HN_SCRATCH_ALIGN = 64 }; /* alignment of hn_scratch.data, in bytes */

/* Element types. */
enum { HN_F32 = 1, HN_I32 = 2, HN_U8 = 3, HN_BF16 = 4 };

enum { HN_MAX_DIMS = 6 };

/* Element type and shape of an array; images are N x H x W x C (channels last).
 * Entries of dim at ndim and beyond are ignored.                                  */
typedef struct hn_desc {
    int32_t dtype; /* HN_F32 ...        */
    int32_t ndim;  /* 1 .. HN_MAX_DIMS  */
    int64_t dim[HN_MAX_DIMS];
} hn_desc;

/* Option structs begin with `size_t struct_size`, set by their hn_*_options_init(&o, sizeof o).
 * The library reads no further than struct_size; fields it knows beyond that keep their defaults;
 * a longer struct from a newer header is accepted as long as the unknown tail is zero.
 * A NULL options pointer means all defaults.                                                       */

#endif
