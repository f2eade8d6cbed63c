#include "base/tensor.h"

#include "base/error.h"
#include "base/memory.h"

#include <inttypes.h>
#include <stdio.h>

static const struct {
    int32_t dtype;
    size_t bytes;
    const char *name;
} dtypes[] = {{HN_F32, 4, "f32"},   {HN_I32, 4, "i32"}, {HN_U8, 1, "u8"},
              {HN_BF16, 2, "bf16"}, {HN_F64, 8, "f64"}, {HN_I64, 8, "i64"}};

_Static_assert(sizeof(size_t) >= 8, "libhybridnet needs a 64-bit machine");

enum { DTYPES = sizeof dtypes / sizeof dtypes[0] };

size_t hn_dtype_bytes(int32_t dtype)
{
    for (int i = 0; i < DTYPES; ++i)
        if (dtypes[i].dtype == dtype)
            return dtypes[i].bytes;
    return 0;
}

hn_status hni_desc_size(const hn_desc *desc, const char *function, int64_t *count, size_t *bytes)
{
    HNI_FAIL_IF(desc == NULL, HN_E_ARG, "%s: desc is NULL", function);
    size_t total = hn_dtype_bytes(desc->dtype);
    HNI_FAIL_IF(total == 0, HN_E_ARG, "%s: dtype %d does not exist", function, (int)desc->dtype);
    HNI_FAIL_IF(desc->ndim < 1 || desc->ndim > HN_MAX_DIMS, HN_E_SHAPE, "%s: ndim is %d; it must be in [1, %d]",
                function, (int)desc->ndim, (int)HN_MAX_DIMS);
    int64_t elements = 1;
    for (int32_t i = 0; i < desc->ndim; ++i) {
        int64_t dim = desc->dim[i];
        HNI_FAIL_IF(dim < 0, HN_E_SHAPE, "%s: dimension %d is %" PRId64, function, (int)i, dim);
        HNI_FAIL_IF(!hni_size_mul(total, (size_t)dim, &total) || total > HNI_MAX_BYTES, HN_E_SHAPE,
                    "%s: the shape is too large to address", function);
        elements *= dim;
    }
    *count = elements;
    *bytes = total;
    return HN_OK;
}

bool hni_desc_equal(const hn_desc *a, const hn_desc *b)
{
    if (a->dtype != b->dtype || a->ndim != b->ndim)
        return false;
    for (int32_t i = 0; i < a->ndim; ++i)
        if (a->dim[i] != b->dim[i])
            return false;
    return true;
}

const char *hni_desc_text(const hn_desc *desc, char text[HNI_DESC_TEXT])
{
    const char *name = "?";
    for (int i = 0; i < DTYPES; ++i)
        if (dtypes[i].dtype == desc->dtype)
            name = dtypes[i].name;
    size_t used = (size_t)snprintf(text, HNI_DESC_TEXT, "%s ", name);
    for (int32_t i = 0; i < desc->ndim && i < HN_MAX_DIMS && used < HNI_DESC_TEXT; ++i)
        used += (size_t)snprintf(text + used, HNI_DESC_TEXT - used, "%s%" PRId64, i > 0 ? "x" : "", desc->dim[i]);
    return text;
}

static hn_status new_tensor(hn_tensor **out, hn_context *context, const hn_desc *desc, void *data, bool owned,
                            const char *function)
{
    hn_tensor *tensor = hni_alloc(context, sizeof *tensor);
    if (tensor == NULL)
        return hni_no_memory(function, sizeof *tensor);
    *tensor = (hn_tensor){.context = context, .data = data, .desc = *desc, .owned = owned};
    for (int32_t i = desc->ndim; i < HN_MAX_DIMS; ++i)
        tensor->desc.dim[i] = 1;
    *out = tensor;
    return HN_OK;
}

hn_status hn_tensor_create(hn_tensor **out, hn_context *context, const hn_desc *desc)
{
    HNI_FAIL_IF(out == NULL || context == NULL, HN_E_ARG, "hn_tensor_create: %s is NULL",
                out == NULL ? "out" : "context");
    int64_t count;
    size_t bytes;
    HNI_TRY(hni_desc_size(desc, "hn_tensor_create", &count, &bytes));
    void *data = hni_alloc_zero(context, bytes);
    if (data == NULL)
        return hni_no_memory("hn_tensor_create", bytes);
    hn_status status = new_tensor(out, context, desc, data, true, "hn_tensor_create");
    if (status < 0)
        hni_release(context, data, bytes);
    return status;
}

hn_status hn_tensor_wrap(hn_tensor **out, hn_context *context, void *data, const hn_desc *desc)
{
    HNI_FAIL_IF(out == NULL || context == NULL, HN_E_ARG, "hn_tensor_wrap: %s is NULL",
                out == NULL ? "out" : "context");
    int64_t count;
    size_t bytes;
    HNI_TRY(hni_desc_size(desc, "hn_tensor_wrap", &count, &bytes));
    HNI_FAIL_IF(data == NULL && bytes > 0, HN_E_ARG, "hn_tensor_wrap: data is NULL for %zu bytes", bytes);
    HNI_FAIL_IF((uintptr_t)data % hn_dtype_bytes(desc->dtype) != 0, HN_E_ARG,
                "hn_tensor_wrap: data is not aligned to its %zu-byte elements", hn_dtype_bytes(desc->dtype));
    return new_tensor(out, context, desc, data, false, "hn_tensor_wrap");
}

void *hn_tensor_data(hn_tensor *tensor)
{
    return tensor == NULL ? NULL : tensor->data;
}

const void *hn_tensor_cdata(const hn_tensor *tensor)
{
    return tensor == NULL ? NULL : tensor->data;
}

const hn_desc *hn_tensor_desc(const hn_tensor *tensor)
{
    return tensor == NULL ? NULL : &tensor->desc;
}

int64_t hn_tensor_count(const hn_tensor *tensor)
{
    return tensor == NULL ? 0 : hni_desc_count(&tensor->desc);
}

size_t hn_tensor_bytes(const hn_tensor *tensor)
{
    return tensor == NULL ? 0 : (size_t)hn_tensor_count(tensor) * hn_dtype_bytes(tensor->desc.dtype);
}

void hn_tensor_destroy(hn_tensor *tensor)
{
    if (tensor == NULL)
        return;
    hn_context *context = tensor->context;
    if (tensor->owned)
        hni_release(context, tensor->data, hn_tensor_bytes(tensor));
    hni_release(context, tensor, sizeof *tensor);
}
