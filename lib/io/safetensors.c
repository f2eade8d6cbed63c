/* The part of the safetensors code that works without a JSON library: access, and loading of parameters. */
#include "io/safetensors.h"

#include "base/error.h"
#include "base/tensor.h"
#include "io/safetensors_file.h"

#include <inttypes.h>
#include <string.h>

static const struct {
    int32_t dtype;
    const char *name;
} dtypes[] = {{HN_F32, "F32"}, {HN_I32, "I32"}, {HN_U8, "U8"}, {HN_BF16, "BF16"}, {HN_F64, "F64"}, {HN_I64, "I64"}};

enum { DTYPES = sizeof dtypes / sizeof dtypes[0] };

const char *hni_safetensors_dtype_name(int32_t dtype)
{
    for (int i = 0; i < DTYPES; ++i)
        if (dtypes[i].dtype == dtype)
            return dtypes[i].name;
    return NULL;
}

int32_t hni_safetensors_dtype(const char *name)
{
    for (int i = 0; i < DTYPES; ++i)
        if (strcmp(dtypes[i].name, name) == 0)
            return dtypes[i].dtype;
    return 0;
}

bool hni_safetensors_counter(const char *name)
{
    static const char end[] = "num_batches_tracked";
    size_t length = strlen(name);
    return length >= sizeof end - 1 && strcmp(name + length - (sizeof end - 1), end) == 0;
}

bool hni_safetensors_swapped(size_t element)
{
    const uint16_t one = 1;
    unsigned char first;
    memcpy(&first, &one, 1);
    return first != 1 && element > 1;
}

void hni_safetensors_host_order(void *data, size_t bytes, size_t element)
{
    if (!hni_safetensors_swapped(element))
        return;
    unsigned char *b = data;
    for (size_t i = 0; i + element <= bytes; i += element)
        for (size_t k = 0; k < element / 2; ++k) {
            unsigned char swap = b[i + k];
            b[i + k] = b[i + element - 1 - k];
            b[i + element - 1 - k] = swap;
        }
}

int64_t hn_safetensors_count(const hn_safetensors *file)
{
    return file == NULL ? 0 : file->count;
}

hn_status hn_safetensors_get(const hn_safetensors *file, int64_t index, const char **name, const hn_tensor **tensor)
{
    HNI_FAIL_IF(file == NULL || name == NULL || tensor == NULL, HN_E_ARG, "hn_safetensors_get: %s is NULL",
                file == NULL   ? "file"
                : name == NULL ? "name"
                               : "tensor");
    HNI_FAIL_IF(index < 0 || index >= file->count, HN_E_ARG,
                "hn_safetensors_get: index is %" PRId64 "; the file has %" PRId64 " tensors", index, file->count);
    *name = file->entries[index].name;
    *tensor = file->entries[index].tensor;
    return HN_OK;
}

const hn_tensor *hn_safetensors_find(const hn_safetensors *file, const char *name)
{
    for (int64_t i = 0; file != NULL && name != NULL && i < file->count; ++i)
        if (strcmp(file->entries[i].name, name) == 0)
            return file->entries[i].tensor;
    return NULL;
}

const char *hn_safetensors_metadata(const hn_safetensors *file, const char *key)
{
    for (int64_t i = 0; file != NULL && key != NULL && i < file->metadata_count; ++i)
        if (strcmp(file->metadata[i].key, key) == 0)
            return file->metadata[i].value;
    return NULL;
}

static hn_status check_params(const hn_safetensors *file, const hn_param *params, int64_t count, int32_t strict)
{
    static const char function[] = "hn_safetensors_load_params";
    char got[HNI_DESC_TEXT], want[HNI_DESC_TEXT];
    for (int64_t i = 0; i < count; ++i) {
        HNI_FAIL_IF(params[i].name == NULL || params[i].value == NULL, HN_E_ARG, "%s: parameter %" PRId64 " has no %s",
                    function, i, params[i].name == NULL ? "name" : "value");
        const hn_tensor *tensor = hn_safetensors_find(file, params[i].name);
        HNI_FAIL_IF(tensor == NULL, HN_E_FORMAT, "%s: the file has no tensor %s", function, params[i].name);
        HNI_FAIL_IF(!hni_desc_equal(&tensor->desc, &params[i].value->desc), HN_E_FORMAT,
                    "%s: %s is %s in the file and %s in the network", function, params[i].name,
                    hni_desc_text(&tensor->desc, got), hni_desc_text(&params[i].value->desc, want));
    }
    for (int64_t k = 0; strict && k < file->count; ++k) {
        bool wanted = hni_safetensors_counter(file->entries[k].name);
        for (int64_t i = 0; i < count && !wanted; ++i)
            wanted = strcmp(file->entries[k].name, params[i].name) == 0;
        HNI_FAIL_IF(!wanted, HN_E_FORMAT, "%s: the file has a tensor %s, the network has not", function,
                    file->entries[k].name);
    }
    return HN_OK;
}

hn_status hn_safetensors_load_params(const hn_safetensors *file, const hn_param *params, int64_t count, int32_t strict)
{
    HNI_FAIL_IF(file == NULL || (params == NULL && count > 0) || count < 0, HN_E_ARG, "hn_safetensors_load_params: %s",
                file == NULL ? "file is NULL" : "params is NULL or count negative");
    HNI_TRY(check_params(file, params, count, strict));
    for (int64_t i = 0; i < count; ++i) {
        const hn_tensor *tensor = hn_safetensors_find(file, params[i].name);
        memcpy(params[i].value->data, tensor->data, hn_tensor_bytes(tensor));
    }
    return HN_OK;
}
