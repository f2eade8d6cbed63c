/* Reading. The file is hostile: no length, range or name in it is used before it has been checked against what is really
 * there. Allocated are the header (at most the file's size), what the JSON library makes of it, and the tensors, whose
 * bytes are all in the file.                                                                                              */
#include "io/safetensors.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/tensor.h"
#include "io/file.h"
#include "io/safetensors_file.h"

void hn_safetensors_close(hn_safetensors *file)
{
    if (file == NULL)
        return;
    hn_context *context = file->context;
    for (int64_t i = 0; i < file->count; ++i) {
        hni_release_string(context, file->entries[i].name);
        hn_tensor_destroy(file->entries[i].tensor);
    }
    for (int64_t i = 0; i < file->metadata_count; ++i) {
        hni_release_string(context, file->metadata[i].key);
        hni_release_string(context, file->metadata[i].value);
    }
    hni_release(context, file->entries, (size_t)file->capacity * sizeof *file->entries);
    hni_release(context, file->metadata, (size_t)file->metadata_capacity * sizeof *file->metadata);
    hni_release(context, file, sizeof *file);
}

#ifndef HNI_HAVE_JANSSON

hn_status hn_safetensors_open(hn_safetensors **out, hn_context *context, const char *path)
{
    (void)out;
    (void)context;
    (void)path;
    return hni_fail(HN_E_UNSUPPORTED,
                    "hn_safetensors_open: this build is without jansson (CMake option HN_SAFETENSORS)");
}

#else

#include "io/json_text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Where a tensor's bytes lie in the data part, in the header's order. */
typedef struct span {
    uint64_t begin, end;
    int64_t entry; /* -1: passed over */
} span;

typedef struct reader {
    hn_safetensors *file;
    const char *path;
    hni_file *source;
    uint64_t data_bytes, claimed; /* claimed: by the tensors so far */
    json_t *header;
    span *spans;
    int64_t span_count;
} reader;

static const char function[] = "hn_safetensors_open";

#define FORMAT_IF(condition, ...) HNI_FAIL_IF(condition, HN_E_FORMAT, "hn_safetensors_open: " __VA_ARGS__)

static hn_status read_header(reader *r, uint64_t file_bytes)
{
    unsigned char prefix[8];
    FORMAT_IF(file_bytes < sizeof prefix, "%s has %" PRIu64 " bytes: too short for a safetensors file", r->path,
              file_bytes);
    HNI_TRY(hni_file_read(r->source, prefix, sizeof prefix));
    uint64_t length = 0;
    for (int i = 7; i >= 0; --i)
        length = length << 8 | prefix[i];
    FORMAT_IF(length > file_bytes - sizeof prefix, "%s says its header has %" PRIu64 " bytes; the file has %" PRIu64,
              r->path, length, file_bytes);
    FORMAT_IF(length > HNI_SAFETENSORS_MAX_HEADER, "%s says its header has %" PRIu64 " bytes; it may have %d", r->path,
              length, (int)HNI_SAFETENSORS_MAX_HEADER);
    r->data_bytes = file_bytes - sizeof prefix - length;
    hn_context *context = r->file->context;
    char *text = hni_alloc(context, (size_t)length);
    if (text == NULL)
        return hni_no_memory(function, (size_t)length);
    hn_status status = hni_file_read(r->source, text, (size_t)length);
    if (status == HN_OK) {
        json_error_t error;
        bool no_memory;
        r->header = hni_json_load(text, (size_t)length, JSON_REJECT_DUPLICATES, &error, &no_memory);
        if (r->header == NULL && no_memory)
            status = hni_fail(HN_E_NOMEM, "%s: out of memory reading the header of %s", function, r->path);
        else if (r->header == NULL)
            status = hni_fail(HN_E_FORMAT, "%s: the header of %s is not JSON: %s (byte %d)", function, r->path,
                              error.text, error.position);
        else if (!json_is_object(r->header))
            status = hni_fail(HN_E_FORMAT, "%s: the header of %s is not a JSON object", function, r->path);
    }
    hni_release(context, text, (size_t)length);
    return status;
}

static hn_status read_metadata(reader *r, json_t *object)
{
    FORMAT_IF(!json_is_object(object), "__metadata__ of %s is not a JSON object", r->path);
    hn_safetensors *f = r->file;
    size_t n = json_object_size(object);
    f->metadata = hni_alloc(f->context, n * sizeof *f->metadata);
    if (f->metadata == NULL)
        return hni_no_memory(function, n * sizeof *f->metadata);
    f->metadata_capacity = (int64_t)n;
    const char *key;
    json_t *value;
    json_object_foreach (object, key, value) {
        FORMAT_IF(!json_is_string(value), "__metadata__ of %s: the value of %.64s is not a string", r->path, key);
        hni_safetensors_meta *m = &f->metadata[f->metadata_count];
        m->key = hni_copy_string(f->context, key);
        m->value = hni_copy_string(f->context, json_string_value(value));
        f->metadata_count++;
        if (m->key == NULL || m->value == NULL)
            return hni_no_memory(function, strlen(key));
    }
    return HN_OK;
}

/* Element i of a JSON array as an integer >= 0. */
static hn_status read_extent(const reader *r, const char *name, const char *what, json_t *array, size_t i, int64_t *out)
{
    json_t *value = json_array_get(array, i);
    FORMAT_IF(!json_is_integer(value) || json_integer_value(value) < 0,
              "%s: %s of %.64s does not consist of integers that are not negative", r->path, what, name);
    *out = (int64_t)json_integer_value(value);
    return HN_OK;
}

static hn_status read_desc(const reader *r, const char *name, json_t *shape, int32_t dtype, hn_desc *desc)
{
    FORMAT_IF(!json_is_array(shape) || json_array_size(shape) > HN_MAX_DIMS,
              "%s: the shape of %.64s is not an array of at most %d extents", r->path, name, (int)HN_MAX_DIMS);
    *desc = (hn_desc){.dtype = dtype, .ndim = (int32_t)json_array_size(shape)};
    for (int32_t i = 0; i < desc->ndim; ++i)
        HNI_TRY(read_extent(r, name, "the shape", shape, (size_t)i, &desc->dim[i]));
    if (desc->ndim == 0) { /* a scalar */
        desc->ndim = 1;
        desc->dim[0] = 1;
    }
    return HN_OK;
}

static hn_status read_entry(reader *r, const char *name, json_t *object)
{
    FORMAT_IF(!json_is_object(object), "%s: the entry of %.64s is not a JSON object", r->path, name);
    json_t *dtype = json_object_get(object, "dtype"), *offsets = json_object_get(object, "data_offsets");
    FORMAT_IF(!json_is_string(dtype), "%s: %.64s has no dtype", r->path, name);
    FORMAT_IF(!json_is_array(offsets) || json_array_size(offsets) != 2, "%s: %.64s has no data_offsets", r->path, name);
    int64_t begin = 0, end = 0;
    HNI_TRY(read_extent(r, name, "data_offsets", offsets, 0, &begin));
    HNI_TRY(read_extent(r, name, "data_offsets", offsets, 1, &end));
    FORMAT_IF(begin > end || (uint64_t)end > r->data_bytes,
              "%s: %.64s lies at %" PRId64 " to %" PRId64 " of %" PRIu64 " bytes", r->path, name, begin, end,
              r->data_bytes);
    /* Each byte belongs to one tensor: so many in all, whose memory then is no more than the file's. */
    r->claimed += (uint64_t)(end - begin);
    FORMAT_IF(r->claimed > r->data_bytes,
              "%s: the tensors overlap: up to %.64s they take %" PRIu64 " of %" PRIu64 " bytes", r->path, name,
              r->claimed, r->data_bytes);
    span *s = &r->spans[r->span_count++];
    *s = (span){(uint64_t)begin, (uint64_t)end, -1};
    int32_t known = hni_safetensors_dtype(json_string_value(dtype));
    if ((known == 0 || known == HN_I64) && hni_safetensors_counter(name)) /* PyTorch's, and of no use here */
        return HN_OK;
    FORMAT_IF(known == 0, "%s: %.64s is of dtype %.16s, which this library does not have", r->path, name,
              json_string_value(dtype));
    hn_desc desc;
    int64_t count;
    size_t bytes;
    HNI_TRY(read_desc(r, name, json_object_get(object, "shape"), known, &desc));
    if (hni_desc_size(&desc, function, &count, &bytes) < 0 || bytes != (uint64_t)(end - begin))
        return hni_fail(HN_E_FORMAT, "%s: %s: %.64s has %" PRId64 " bytes, which is not what its shape needs", function,
                        r->path, name, end - begin);
    hn_safetensors *f = r->file;
    hni_safetensors_entry *e = &f->entries[f->count];
    *e = (hni_safetensors_entry){NULL, NULL};
    HNI_TRY(hn_tensor_create(&e->tensor, f->context, &desc));
    s->entry = f->count++;
    e->name = hni_copy_string(f->context, name);
    return e->name == NULL ? hni_no_memory(function, strlen(name) + 1) : HN_OK;
}

static int compare_spans(const void *a, const void *b)
{
    const span *x = a, *y = b;
    int order = (x->begin > y->begin) - (x->begin < y->begin);
    return order != 0 ? order : (x->end > y->end) - (x->end < y->end);
}

/* The format wants every byte of the data to belong to exactly one tensor. Sorts spans by where they begin. */
static hn_status check_coverage(reader *r)
{
    if (r->span_count > 0)
        qsort(r->spans, (size_t)r->span_count, sizeof *r->spans, compare_spans);
    uint64_t at = 0;
    for (int64_t i = 0; i < r->span_count; ++i) {
        FORMAT_IF(r->spans[i].begin != at, "%s: the tensors %s at byte %" PRIu64 " of the data", r->path,
                  r->spans[i].begin < at ? "overlap" : "leave a hole", at);
        at = r->spans[i].end;
    }
    FORMAT_IF(at != r->data_bytes, "%s: %" PRIu64 " bytes at the end belong to no tensor", r->path, r->data_bytes - at);
    return HN_OK;
}

static hn_status read_data(reader *r)
{
    char skipped[256];
    for (int64_t i = 0; i < r->span_count; ++i) {
        const span *s = &r->spans[i];
        uint64_t left = s->end - s->begin;
        if (s->entry >= 0) {
            hn_tensor *t = r->file->entries[s->entry].tensor;
            HNI_TRY(hni_file_read(r->source, t->data, (size_t)left));
            hni_safetensors_host_order(t->data, (size_t)left, hn_dtype_bytes(t->desc.dtype));
            continue;
        }
        for (size_t piece; left > 0; left -= piece) {
            piece = left < sizeof skipped ? (size_t)left : sizeof skipped;
            HNI_TRY(hni_file_read(r->source, skipped, piece));
        }
    }
    return HN_OK;
}

static hn_status read_all(reader *r)
{
    HNI_TRY(read_header(r, hni_file_size(r->source)));
    hn_safetensors *f = r->file;
    size_t n = json_object_size(r->header);
    f->entries = hni_alloc(f->context, n * sizeof *f->entries);
    f->capacity = f->entries == NULL ? 0 : (int64_t)n;
    r->spans = hni_alloc(f->context, n * sizeof *r->spans);
    if (f->entries == NULL || r->spans == NULL)
        return hni_no_memory(function, n * sizeof *r->spans);
    const char *name;
    json_t *value;
    json_object_foreach (r->header, name, value) {
        if (strcmp(name, "__metadata__") == 0)
            HNI_TRY(read_metadata(r, value));
        else
            HNI_TRY(read_entry(r, name, value));
    }
    HNI_TRY(check_coverage(r));
    HNI_TRY(read_data(r));
    return hni_file_end(r->source);
}

hn_status hn_safetensors_open(hn_safetensors **out, hn_context *context, const char *path)
{
    HNI_FAIL_IF(out == NULL || context == NULL || path == NULL, HN_E_ARG, "%s: %s is NULL", function,
                out == NULL       ? "out"
                : context == NULL ? "context"
                                  : "path");
    reader r = {.path = path};
    r.file = hni_alloc(context, sizeof *r.file);
    if (r.file == NULL)
        return hni_no_memory(function, sizeof *r.file);
    *r.file = (hn_safetensors){.context = context};
    hn_status status = hni_file_open_plain(&r.source, context, function, path);
    size_t spans = 0;
    if (status == HN_OK) {
        status = read_all(&r);
        spans = json_object_size(r.header) * sizeof *r.spans;
    }
    hni_release(context, r.spans, spans);
    json_decref(r.header);
    hni_file_close(r.source);
    if (status < 0)
        hn_safetensors_close(r.file);
    else
        *out = r.file;
    return status;
}

#endif
