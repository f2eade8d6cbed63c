#include "train/training_state.h"

#include "base/error.h"
#include "base/memory.h"
#include "loss/loss.h"

#include <inttypes.h>
#include <string.h>

static const char momentum_prefix[] = "optimizer.momentum.";

/* ---- the list ------------------------------------------------------------------------------------------------------- */

static hn_status add(hni_state *s, const char *function, const char *prefix, const char *name, hni_state_array array)
{
    array.name = hni_concat(s->hybrid->context, prefix, name, "");
    if (array.name == NULL)
        return hni_no_memory(function, strlen(prefix) + strlen(name) + 1);
    s->arrays[s->count++] = array;
    return HN_OK;
}

static hn_status add_params(hni_state *s, bool frozen, const char *function)
{
    hn_hybrid *h = s->hybrid;
    for (int64_t i = 0; i < h->param_count; ++i) {
        hn_tensor *value = h->params[i].value;
        const hni_state_array array = {.view = hni_tensor_view(value->data, &value->desc)};
        HNI_TRY(add(s, function, "", h->params[i].name, array));
    }
    for (int64_t i = frozen ? h->backbone_count : 0; i < h->param_count; ++i) {
        const hn_tensor *value = h->params[i].value;
        const hni_state_array array = {.view = hni_tensor_view(NULL, &value->desc), .trained = value};
        if (h->params[i].grad != NULL)
            HNI_TRY(add(s, function, momentum_prefix, h->params[i].name, array));
    }
    return HN_OK;
}

static hn_status add_loss(hni_state *s, const char *prefix, hn_loss *loss, const char *function)
{
    hni_loss_array arrays[HNI_LOSS_ARRAYS];
    const int32_t count = hni_loss_state(loss, arrays);
    for (int32_t i = 0; i < count; ++i) {
        const hni_state_array array = {
            .view = hni_tensor_view(arrays[i].data, &arrays[i].desc), .least = arrays[i].least, .most = arrays[i].most};
        HNI_TRY(add(s, function, prefix, arrays[i].name, array));
    }
    return HN_OK;
}

hn_status hni_state_list(hni_state *state, hn_hybrid *hybrid, bool frozen, const char *function)
{
    hni_state s = {.hybrid = hybrid, .capacity = 2 * hybrid->param_count + 2 * HNI_LOSS_ARRAYS};
    *state = (hni_state){0};
    s.arrays = hni_alloc(hybrid->context, (size_t)s.capacity * sizeof *s.arrays);
    if (s.arrays == NULL)
        return hni_no_memory(function, (size_t)s.capacity * sizeof *s.arrays);
    hn_status status = add_params(&s, frozen, function);
    if (status == HN_OK)
        status = add_loss(&s, "loss.feature.", hybrid->feature.loss, function);
    if (status == HN_OK)
        status = add_loss(&s, "loss.classifier.", hybrid->classifier.loss, function);
    if (status < 0)
        hni_state_release(&s);
    else
        *state = s;
    return status;
}

void hni_state_release(hni_state *state)
{
    if (state->arrays == NULL)
        return;
    for (int64_t i = 0; i < state->count; ++i)
        hni_release_string(state->hybrid->context, state->arrays[i].name);
    hni_release(state->hybrid->context, state->arrays, (size_t)state->capacity * sizeof *state->arrays);
    *state = (hni_state){0};
}

hn_tensor *hni_state_tensor(const hni_state *state, int64_t index)
{
    hni_state_array *array = &state->arrays[index];
    return array->trained == NULL ? &array->view : hn_optimizer_momentum(state->hybrid->optimizer, array->trained);
}

/* ---- from a file ---------------------------------------------------------------------------------------------------- */

static hn_status check_range(const hni_state_array *array, const hn_tensor *tensor, const char *function)
{
    const int32_t dtype = tensor->desc.dtype;
    for (int64_t i = 0; (dtype == HN_I32 || dtype == HN_I64) && i < hn_tensor_count(tensor); ++i) {
        const int64_t value = dtype == HN_I32 ? ((const int32_t *)tensor->data)[i] : ((const int64_t *)tensor->data)[i];
        HNI_FAIL_IF(value < array->least || value > array->most, HN_E_FORMAT,
                    "%s: %s has %" PRId64 " at %" PRId64 "; it must be in [%" PRId64 ", %" PRId64 "]", function,
                    array->name, value, i, array->least, array->most);
    }
    return HN_OK;
}

hn_status hni_state_check(const hni_state *state, const hn_safetensors *file, const char *function)
{
    char got[HNI_DESC_TEXT], want[HNI_DESC_TEXT];
    for (int64_t i = 0; i < state->count; ++i) {
        const hni_state_array *array = &state->arrays[i];
        const hn_tensor *tensor = hn_safetensors_find(file, array->name);
        HNI_FAIL_IF(tensor == NULL, HN_E_FORMAT, "%s: the checkpoint has no %s", function, array->name);
        HNI_FAIL_IF(!hni_desc_equal(&tensor->desc, &array->view.desc), HN_E_FORMAT,
                    "%s: %s is %s in the checkpoint and %s in the training", function, array->name,
                    hni_desc_text(&tensor->desc, got), hni_desc_text(&array->view.desc, want));
        HNI_TRY(check_range(array, tensor, function));
    }
    for (int64_t k = 0; k < hn_safetensors_count(file); ++k) {
        const char *name;
        const hn_tensor *tensor;
        bool known = false;
        HNI_TRY(hn_safetensors_get(file, k, &name, &tensor));
        for (int64_t i = 0; i < state->count && !known; ++i)
            known = strcmp(state->arrays[i].name, name) == 0;
        HNI_FAIL_IF(!known, HN_E_FORMAT, "%s: the checkpoint has %s, the training has not", function, name);
    }
    return HN_OK;
}

void hni_state_take(const hni_state *state, const hn_safetensors *file)
{
    for (int64_t i = 0; i < state->count; ++i) {
        const hn_tensor *from = hn_safetensors_find(file, state->arrays[i].name);
        memcpy(hni_state_tensor(state, i)->data, from->data, hn_tensor_bytes(from));
    }
}
