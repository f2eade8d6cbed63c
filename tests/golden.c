#include "golden.h"

#include <stdio.h>

hn_safetensors *hnt_golden_open(hn_context *context, const char *name)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s.safetensors", HNT_GOLDEN_DIR, name);
    hn_safetensors *file = NULL;
    hnt_ok(hn_safetensors_open(&file, context, path));
    return file;
}

const hn_tensor *hnt_golden(const hn_safetensors *file, const char *name, int32_t dtype, int64_t count)
{
    const hn_tensor *tensor = hn_safetensors_find(file, name);
    if (tensor == NULL)
        ck_abort_msg("the golden file has no tensor %s", name);
    ck_assert_int_eq(hn_tensor_desc(tensor)->dtype, dtype);
    if (count >= 0)
        ck_assert_int_eq(hn_tensor_count(tensor), count);
    return tensor;
}

const float *hnt_golden_f(const hn_safetensors *file, const char *name, int64_t count)
{
    return hn_tensor_cdata(hnt_golden(file, name, HN_F32, count));
}

const int32_t *hnt_golden_i(const hn_safetensors *file, const char *name, int64_t count)
{
    return hn_tensor_cdata(hnt_golden(file, name, HN_I32, count));
}
