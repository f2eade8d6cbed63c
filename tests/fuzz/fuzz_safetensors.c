/* A safetensors file. What can be read is written again and must come back the same. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_TENSORS = 64 };

static hn_named_tensor tensor_at(const hn_safetensors *file, int64_t i)
{
    hn_named_tensor t = {NULL, NULL};
    if (hn_safetensors_get(file, i, &t.name, &t.tensor) != HN_OK || t.name == NULL || t.tensor == NULL)
        fuzz_finding("tensor %lld of %lld: %s", (long long)i, (long long)hn_safetensors_count(file), hn_last_error());
    return t;
}

static void compare(hn_named_tensor a, hn_named_tensor b)
{
    const hn_desc *x = hn_tensor_desc(a.tensor), *y = hn_tensor_desc(b.tensor);
    if (strcmp(a.name, b.name) != 0 || x->dtype != y->dtype || x->ndim != y->ndim ||
        memcmp(x->dim, y->dim, (size_t)x->ndim * sizeof x->dim[0]) != 0 ||
        memcmp(hn_tensor_cdata(a.tensor), hn_tensor_cdata(b.tensor), hn_tensor_bytes(a.tensor)) != 0)
        fuzz_finding("%s did not come back", a.name);
}

static void write_again(hn_context *context, const hn_safetensors *file)
{
    hn_named_tensor tensors[MAX_TENSORS];
    const int64_t n = hn_safetensors_count(file);
    for (int64_t i = 0; i < n && i < MAX_TENSORS; ++i) {
        tensors[i] = tensor_at(file, i);
        if (hn_safetensors_find(file, tensors[i].name) != tensors[i].tensor)
            fuzz_finding("%s is not found", tensors[i].name);
    }
    const char *key = hn_safetensors_metadata(file, "format");
    const hn_metadata metadata = {"format", key};
    if (n > MAX_TENSORS)
        return;
    char path[512];
    (void)snprintf(path, sizeof path, "%s/again", fuzz_directory());
    hn_safetensors *again = NULL;
    if (hn_safetensors_write(context, path, tensors, n, &metadata, key != NULL) != HN_OK ||
        hn_safetensors_open(&again, context, path) != HN_OK)
        fuzz_finding("it cannot be written again: %s", hn_last_error());
    if (hn_safetensors_count(again) != n)
        fuzz_finding("%lld tensors became %lld", (long long)n, (long long)hn_safetensors_count(again));
    for (int64_t i = 0; i < n; ++i)
        compare(tensors[i], tensor_at(again, i));
    if (key != NULL && strcmp(key, hn_safetensors_metadata(again, "format")) != 0)
        fuzz_finding("the metadata did not come back");
    hn_safetensors_close(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *path = fuzz_file("input", (fuzz_bytes){data, size});
    hn_context *context = fuzz_begin(128, FUZZ_CONSTANT);
    hn_safetensors *file = FUZZ_UNTOUCHED;
    hn_status status = hn_safetensors_open(&file, context, path);
    fuzz_outcome(status, "hn_safetensors_open", file);
    if (status == HN_OK) {
        write_again(context, file);
        hn_safetensors_close(file);
    }
    fuzz_end();
    return 0;
}
