#include "io/safetensors.h"

#include "base/error.h"

#ifndef HNI_HAVE_JANSSON

hn_status hn_safetensors_write(hn_context *context, const char *path, const hn_named_tensor *tensors, int64_t count,
                               const hn_metadata *metadata, int64_t metadata_count)
{
    (void)context;
    (void)path;
    (void)tensors;
    (void)count;
    (void)metadata;
    (void)metadata_count;
    return hni_fail(HN_E_UNSUPPORTED,
                    "hn_safetensors_write: this build is without jansson (CMake option HN_SAFETENSORS)");
}

#else

#include "base/memory.h"
#include "base/tensor.h"
#include "base/utf8.h"
#include "io/atomic_file.h"
#include "io/json_text.h"

#include <inttypes.h>
#include <string.h>

static const char function[] = "hn_safetensors_write";

/* Puts value (stolen) under a new key. */
static hn_status put(json_t *object, const char *what, const char *key, json_t *value)
{
    if (key == NULL || !hni_utf8_valid(key) || json_object_get(object, key) != NULL) {
        json_decref(value);
        HNI_FAIL_IF(key == NULL, HN_E_ARG, "%s: the name of a %s is NULL", function, what);
        HNI_FAIL_IF(!hni_utf8_valid(key), HN_E_ARG, "%s: the %s %s is not valid UTF-8", function, what, key);
        return hni_fail(HN_E_ARG, "%s: two %ss are named %s", function, what, key);
    }
    HNI_FAIL_IF(value == NULL || json_object_set_new(object, key, value) != 0, HN_E_NOMEM,
                "%s: out of memory for the %s %s", function, what, key);
    return HN_OK;
}

static json_t *describe(const hn_tensor *t, json_int_t begin, json_int_t end)
{
    json_t *shape = json_array();
    for (int32_t i = 0; i < t->desc.ndim; ++i)
        if (json_array_append_new(shape, json_integer((json_int_t)t->desc.dim[i])) != 0) {
            json_decref(shape);
            return NULL;
        }
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", hni_safetensors_dtype_name(t->desc.dtype), "shape", shape,
                     "data_offsets", begin, end);
}

static hn_status make_header(json_t *header, const hn_named_tensor *tensors, int64_t count, const hn_metadata *metadata,
                             int64_t metadata_count)
{
    if (metadata_count > 0) {
        json_t *strings = json_object();
        HNI_TRY(put(header, "tensor", "__metadata__", strings));
        for (int64_t i = 0; i < metadata_count; ++i) {
            HNI_FAIL_IF(metadata[i].value == NULL, HN_E_ARG, "%s: a metadata value is NULL", function);
            HNI_FAIL_IF(!hni_utf8_valid(metadata[i].value), HN_E_ARG, "%s: the value of %s is not valid UTF-8",
                        function, metadata[i].key == NULL ? "NULL" : metadata[i].key);
            HNI_TRY(put(strings, "metadata key", metadata[i].key, json_string(metadata[i].value)));
        }
    }
    int64_t offset = 0;
    for (int64_t i = 0; i < count; ++i) {
        HNI_FAIL_IF(tensors[i].tensor == NULL, HN_E_ARG, "%s: tensor %" PRId64 " is NULL", function, i);
        HNI_FAIL_IF(tensors[i].name == NULL || strcmp(tensors[i].name, "__metadata__") == 0, HN_E_ARG,
                    "%s: a tensor cannot be named %s", function, tensors[i].name == NULL ? "NULL" : "__metadata__");
        int64_t bytes = (int64_t)hn_tensor_bytes(tensors[i].tensor);
        HNI_FAIL_IF(bytes > INT64_MAX - offset, HN_E_ARG, "%s: the tensors are too large for one file", function);
        HNI_TRY(put(header, "tensor", tensors[i].name, describe(tensors[i].tensor, offset, offset + bytes)));
        offset += bytes;
    }
    return HN_OK;
}

/* The header's length and text, padded with spaces to a multiple of 8, in one block. */
static hn_status write_header(hni_atomic_file *file, hn_context *context, const json_t *header)
{
    unsigned char prefix[8];
    size_t length = json_dumpb(header, NULL, 0, JSON_COMPACT), padded = (length + 7) / 8 * 8;
    HNI_FAIL_IF(length == 0, HN_E_NOMEM, "%s: out of memory", function);
    HNI_FAIL_IF(padded > HNI_SAFETENSORS_MAX_HEADER, HN_E_ARG, "%s: the header would have %zu bytes; the limit is %d",
                function, padded, (int)HNI_SAFETENSORS_MAX_HEADER);
    for (int i = 0; i < 8; ++i)
        prefix[i] = (unsigned char)(padded >> (8 * i));
    char *text = hni_alloc(context, padded);
    if (text == NULL)
        return hni_no_memory(function, padded);
    memset(text, ' ', padded);
    hn_status status = HN_OK;
    if (json_dumpb(header, text, padded, JSON_COMPACT) != length)
        status = hni_fail(HN_E_NOMEM, "%s: out of memory", function);
    if (status == HN_OK)
        status = hni_atomic_write(file, prefix, sizeof prefix);
    if (status == HN_OK)
        status = hni_atomic_write(file, text, padded);
    hni_release(context, text, padded);
    return status;
}

/* Where the byte order differs, elements are swapped a piece at a time. */
static hn_status write_tensor(hni_atomic_file *file, const hn_tensor *t)
{
    unsigned char piece[4096];
    const unsigned char *from = t->data;
    size_t element = hn_dtype_bytes(t->desc.dtype), bytes = hn_tensor_bytes(t);
    if (!hni_safetensors_swapped(element))
        return hni_atomic_write(file, from, bytes);
    for (size_t left = bytes, n; left > 0; left -= n, from += n) {
        n = left < sizeof piece ? left : sizeof piece;
        memcpy(piece, from, n);
        hni_safetensors_host_order(piece, n, element);
        HNI_TRY(hni_atomic_write(file, piece, n));
    }
    return HN_OK;
}

static hn_status write_all(hni_atomic_file *file, hn_context *context, const json_t *header,
                           const hn_named_tensor *tensors, int64_t count)
{
    HNI_TRY(write_header(file, context, header));
    for (int64_t i = 0; i < count; ++i)
        HNI_TRY(write_tensor(file, tensors[i].tensor));
    return HN_OK;
}

hn_status hn_safetensors_write(hn_context *context, const char *path, const hn_named_tensor *tensors, int64_t count,
                               const hn_metadata *metadata, int64_t metadata_count)
{
    HNI_FAIL_IF(context == NULL || path == NULL || (tensors == NULL && count > 0) ||
                    (metadata == NULL && metadata_count > 0),
                HN_E_ARG, "%s: %s is NULL", function,
                context == NULL   ? "context"
                : path == NULL    ? "path"
                : tensors == NULL ? "tensors"
                                  : "metadata");
    HNI_FAIL_IF(count < 0 || metadata_count < 0, HN_E_ARG, "%s: a count is negative", function);
    json_t *header = json_object();
    HNI_FAIL_IF(header == NULL, HN_E_NOMEM, "%s: out of memory", function);
    hni_atomic_file *file = NULL;
    hn_status status = make_header(header, tensors, count, metadata, metadata_count);
    if (status == HN_OK)
        status = hni_atomic_open(&file, context, function, path);
    if (status == HN_OK) {
        status = write_all(file, context, header, tensors, count);
        if (status == HN_OK)
            status = hni_atomic_commit(file);
        else
            hni_atomic_abandon(file);
    }
    json_decref(header);
    return status;
}

#endif
