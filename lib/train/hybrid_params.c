/* The parameters of all parts under one set of names, and their files. */
#include "train/hybrid.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/options.h"

#include <hybridnet/safetensors.h>
#include <hybridnet/version.h>

#include <inttypes.h>
#include <string.h>

static hn_status add(hn_hybrid *h, const char *prefix, hn_param param)
{
    int64_t at = h->param_count;
    if (prefix[0] != '\0') {
        h->names[at] = hni_concat(h->context, prefix, param.name, "");
        if (h->names[at] == NULL)
            return hni_no_memory("hn_hybrid_create", strlen(prefix) + strlen(param.name) + 1);
        param.name = h->names[at];
    }
    for (int64_t i = 0; i < at; ++i)
        HNI_FAIL_IF(strcmp(h->params[i].name, param.name) == 0, HN_E_ARG,
                    "hn_hybrid_create: two parameters would be called %s", param.name);
    h->params[at] = param;
    h->param_count++;
    return HN_OK;
}

static hn_status add_layer(hn_hybrid *h, const char *prefix, const hn_layer *layer)
{
    for (int64_t i = 0; i < hn_layer_param_count(layer); ++i) {
        hn_param param = {.struct_size = sizeof param};
        HNI_TRY(hn_layer_param(layer, i, &param));
        HNI_TRY(add(h, prefix, param));
    }
    return HN_OK;
}

static int64_t capacity(const hn_hybrid *h)
{
    return hn_layer_param_count(h->backbone) + hn_layer_param_count(h->classifier.head) +
           hn_layer_param_count(h->feature.head) + hn_loss_param_count(h->feature.loss) +
           hn_loss_param_count(h->classifier.loss);
}

static hn_status add_loss(hn_hybrid *h, const hn_loss *loss)
{
    for (int64_t i = 0; i < hn_loss_param_count(loss); ++i) {
        hn_param param = {.struct_size = sizeof param};
        HNI_TRY(hn_loss_param(loss, i, &param));
        HNI_TRY(add(h, "", param));
    }
    return HN_OK;
}

hn_status hni_hybrid_list_params(hn_hybrid *h)
{
    h->param_capacity = capacity(h);
    const size_t n = (size_t)h->param_capacity;
    h->params = hni_alloc_zero(h->context, n * sizeof *h->params);
    h->names = hni_alloc_zero(h->context, n * sizeof *h->names);
    if (h->params == NULL || h->names == NULL)
        return hni_no_memory("hn_hybrid_create", n * sizeof *h->params);
    HNI_TRY(add_layer(h, "", h->backbone));
    h->backbone_count = h->param_count;
    HNI_TRY(add_layer(h, "fc.", h->classifier.head));
    h->required_count = h->param_count;
    if (h->feature.head != NULL) {
        HNI_TRY(add_layer(h, "projection.", h->feature.head));
        HNI_TRY(add_loss(h, h->feature.loss));
    }
    return add_loss(h, h->classifier.loss);
}

void hni_hybrid_release_params(hn_hybrid *h)
{
    const size_t n = (size_t)h->param_capacity;
    for (size_t i = 0; h->names != NULL && i < n; ++i)
        hni_release_string(h->context, h->names[i]);
    hni_release(h->context, h->names, n * sizeof *h->names);
    hni_release(h->context, h->params, n * sizeof *h->params);
}

int64_t hn_hybrid_param_count(const hn_hybrid *hybrid)
{
    return hybrid == NULL ? 0 : hybrid->param_count;
}

hn_status hn_hybrid_param(const hn_hybrid *hybrid, int64_t index, hn_param *param)
{
    HNI_FAIL_IF(hybrid == NULL || param == NULL, HN_E_ARG, "hn_hybrid_param: %s is NULL",
                hybrid == NULL ? "hybrid" : "param");
    HNI_FAIL_IF(index < 0 || index >= hybrid->param_count, HN_E_ARG,
                "hn_hybrid_param: index is %" PRId64 "; there are %" PRId64 " parameters", index, hybrid->param_count);
    HNI_TRY(hni_output_check(param, "hn_hybrid_param", "param"));
    hni_options_init(param, param->struct_size, &hybrid->params[index], sizeof(hn_param));
    return HN_OK;
}

int64_t hn_hybrid_param_total(const hn_hybrid *hybrid)
{
    return hybrid == NULL ? 0 : hn_layer_param_total(hybrid->backbone) + hn_layer_param_total(hybrid->classifier.head);
}

/* The first `count` parameters and buffers. */
static hn_status save(const hn_hybrid *h, int64_t count, const char *path, const char *function)
{
    HNI_FAIL_IF(h == NULL || path == NULL, HN_E_ARG, "%s: %s is NULL", function, h == NULL ? "hybrid" : "path");
    size_t bytes = (size_t)count * sizeof(hn_named_tensor);
    hn_named_tensor *tensors = hni_alloc(h->context, bytes);
    if (tensors == NULL)
        return hni_no_memory(function, bytes);
    for (int64_t i = 0; i < count; ++i)
        tensors[i] = (hn_named_tensor){h->params[i].name, h->params[i].value};
    const hn_metadata metadata[] = {{"format", "pt"}, {"producer", "libhybridnet"}, {"version", hn_version_string()}};
    hn_status status = hn_safetensors_write(h->context, path, tensors, count, metadata, 3);
    hni_release(h->context, tensors, bytes);
    return status;
}

hn_status hn_hybrid_save(const hn_hybrid *hybrid, const char *path)
{
    return save(hybrid, hybrid == NULL ? 0 : hybrid->param_count, path, "hn_hybrid_save");
}

hn_status hn_hybrid_save_inference(const hn_hybrid *hybrid, const char *path)
{
    return save(hybrid, hybrid == NULL ? 0 : hybrid->required_count, path, "hn_hybrid_save_inference");
}

hn_status hn_hybrid_load(hn_hybrid *h, const char *path, int32_t strict)
{
    HNI_FAIL_IF(h == NULL || path == NULL, HN_E_ARG, "hn_hybrid_load: %s is NULL", h == NULL ? "hybrid" : "path");
    hn_safetensors *file = NULL;
    HNI_TRY(hn_safetensors_open(&file, h->context, path));
    size_t bytes = (size_t)h->param_count * sizeof(hn_param);
    hn_param *wanted = hni_alloc(h->context, bytes);
    hn_status status = wanted == NULL ? hni_no_memory("hn_hybrid_load", bytes) : HN_OK;
    int64_t count = 0;
    if (status == HN_OK) {
        for (int64_t i = 0; i < h->param_count; ++i)
            if (strict || i < h->required_count || hn_safetensors_find(file, h->params[i].name) != NULL)
                wanted[count++] = h->params[i];
        status = hn_safetensors_load_params(file, wanted, count, strict);
    }
    hni_release(h->context, wanted, bytes);
    hn_safetensors_close(file);
    return status;
}
