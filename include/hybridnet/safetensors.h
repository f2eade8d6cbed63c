/* safetensors.h -- named tensors in a file: the safetensors format (8-byte little-endian header length, JSON header, data).
 * Files are treated as hostile: every length and range is checked before it is used. Reading one takes at most its data,
 * 128 bytes for each byte of its header (what the JSON library makes of empty objects; 20 is usual) and 1 MiB.            */
#ifndef HYBRIDNET_SAFETENSORS_H
#define HYBRIDNET_SAFETENSORS_H

#include <hybridnet/param.h>

/* An open file, read into memory. Any number of threads may read it. */
typedef struct hn_safetensors hn_safetensors;

/* One tensor to write; name "a.b", unique. */
typedef struct hn_named_tensor {
    const char *name;
    const hn_tensor *tensor;
} hn_named_tensor;

/* One "__metadata__" entry. */
typedef struct hn_metadata {
    const char *key, *value;
} hn_metadata;

HN_BEGIN_DECLS

/* Reads and checks a file. Tensors of dtypes this library does not have are refused with their names; PyTorch's counters of
 * batch norm (names that end in num_batches_tracked) are passed over. Big-endian hosts see values in their own order.
 * HN_E_IO, HN_E_FORMAT, HN_E_NOMEM, HN_E_UNSUPPORTED (a build without jansson).                                         */
HN_API HN_MUST_CHECK hn_status hn_safetensors_open(hn_safetensors **out, hn_context *context, const char *path);

/* Number of tensors, counters of batch norm left out. */
HN_API int64_t hn_safetensors_count(const hn_safetensors *file);
/* Tensor index in the header's order; name and tensor are borrowed from the file. */
HN_API HN_MUST_CHECK hn_status hn_safetensors_get(const hn_safetensors *file, int64_t index, const char **name,
                                                  const hn_tensor **tensor);
/* The tensor of that name, borrowed, or NULL. */
HN_API const hn_tensor *hn_safetensors_find(const hn_safetensors *file, const char *name);
/* The metadata value of that key, borrowed, or NULL. */
HN_API const char *hn_safetensors_metadata(const hn_safetensors *file, const char *key);

/* NULL is allowed. */
HN_API void hn_safetensors_close(hn_safetensors *file);

/* Writes a file: to a temporary file beside it first, synced and renamed, so that PATH is either the old file or the
 * whole new one. A path that is there and no regular file (a directory, a pipe, /dev/null) is HN_E_IO and stays; of a link to
 * a file the link is replaced, and the new file has the mode that the umask gives. HN_E_IO (with errno's text), HN_E_ARG
 * (names that repeat), HN_E_NOMEM, HN_E_UNSUPPORTED.                                                                  */
HN_API HN_MUST_CHECK hn_status hn_safetensors_write(hn_context *context, const char *path, const hn_named_tensor *tensors,
                                                    int64_t count, const hn_metadata *metadata, int64_t metadata_count);

/* Copies the file's tensors into parameters of the same name and shape. Every parameter must be there; with strict
 * nonzero the file may hold no other tensor (num_batches_tracked, which PyTorch adds, excepted). All are checked before
 * the first is written. HN_E_FORMAT names what is missing, superfluous or differs.                                     */
HN_API HN_MUST_CHECK hn_status hn_safetensors_load_params(const hn_safetensors *file, const hn_param *params,
                                                          int64_t count, int32_t strict);

HN_END_DECLS
#endif
