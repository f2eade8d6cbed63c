#include "layer/layer.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/options.h"

#include <inttypes.h>
#include <string.h>

enum { MAX_NAME = 255 };

hn_status hn_layer_create(hn_layer **out, hn_context *context, const hn_layer_ops *ops, void *self)
{
    HNI_FAIL_IF(out == NULL || context == NULL || ops == NULL, HN_E_ARG, "hn_layer_create: %s is NULL",
                out == NULL       ? "out"
                : context == NULL ? "context"
                                  : "ops");
    hn_layer_ops table = {.struct_size = sizeof table};
    HNI_TRY(hni_options_read(&table, sizeof table, ops, "hn_layer_create"));
    HNI_FAIL_IF(table.kind == NULL || table.plan == NULL || table.forward == NULL || table.backward == NULL, HN_E_ARG,
                "hn_layer_create: the table lacks %s",
                table.kind == NULL      ? "kind"
                : table.plan == NULL    ? "plan"
                : table.forward == NULL ? "forward"
                                        : "backward");
    hn_layer *layer = hni_alloc(context, sizeof *layer);
    if (layer == NULL)
        return hni_no_memory("hn_layer_create", sizeof *layer);
    *layer = (hn_layer){.context = context, .ops = table, .self = self};
    *out = layer;
    return HN_OK;
}

hn_status hni_layer_begin(hn_layer **layer, hn_context *context, const hn_layer_ops *ops, const void *self,
                          size_t bytes, const char *function)
{
    void *copy = hni_alloc(context, bytes);
    if (copy == NULL)
        return hni_no_memory(function, bytes);
    memcpy(copy, self, bytes);
    hn_status status = hn_layer_create(layer, context, ops, copy);
    if (status < 0)
        hni_release(context, copy, bytes);
    return status;
}

hn_status hni_layer_finish(hn_layer **out, hn_layer *layer, hn_status status)
{
    if (status < 0)
        hn_layer_destroy(layer);
    else
        *out = layer;
    return status;
}

static hn_status reserve_entries(hn_layer *layer, int64_t more, const char *function)
{
    if (more == 0)
        return HN_OK;
    hni_layer_entry *entries = hni_grow(layer->context, layer->entries, &layer->entry_capacity, layer->entry_count,
                                        more, sizeof *entries, function);
    if (entries == NULL)
        return HN_E_NOMEM;
    layer->entries = entries;
    return HN_OK;
}

static hn_status check_name(const char *function, const char *name)
{
    HNI_FAIL_IF(name == NULL, HN_E_ARG, "%s: name is NULL", function);
    HNI_FAIL_IF(strlen(name) > MAX_NAME, HN_E_ARG, "%s: the name is longer than %d bytes", function, (int)MAX_NAME);
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.";
    HNI_FAIL_IF(name[strspn(name, allowed)] != '\0', HN_E_ARG,
                "%s: name \"%s\" holds something other than letters, digits, '_' and '.'", function, name);
    return HN_OK;
}

static bool has_name(const hn_layer *layer, const char *name)
{
    for (int64_t i = 0; i < layer->entry_count; ++i)
        if (strcmp(layer->entries[i].name, name) == 0)
            return true;
    return false;
}

hn_status hn_layer_add_param(hn_layer *layer, const char *name, const hn_desc *desc, int32_t weight_decay,
                             hn_tensor **value, hn_tensor **grad)
{
    HNI_FAIL_IF(layer == NULL || desc == NULL || value == NULL, HN_E_ARG, "hn_layer_add_param: %s is NULL",
                layer == NULL  ? "layer"
                : desc == NULL ? "desc"
                               : "value");
    HNI_FAIL_IF(layer->owned, HN_E_STATE, "hn_layer_add_param: the %s has an owner, which would not see the parameter",
                layer->ops.kind);
    HNI_TRY(check_name("hn_layer_add_param", name));
    HNI_FAIL_IF(name[0] == '\0', HN_E_ARG, "hn_layer_add_param: the name is empty");
    HNI_FAIL_IF(desc->dtype != HN_F32, HN_E_ARG, "hn_layer_add_param: %s is not f32", name);
    HNI_FAIL_IF(has_name(layer, name), HN_E_ARG, "hn_layer_add_param: the layer has a parameter %s already", name);
    HNI_TRY(reserve_entries(layer, 1, "hn_layer_add_param"));
    hni_layer_entry entry = {.weight_decay = weight_decay, .owned = true};
    hn_status status = hn_tensor_create(&entry.value, layer->context, desc);
    if (status == HN_OK && grad != NULL)
        status = hn_tensor_create(&entry.grad, layer->context, desc);
    if (status == HN_OK && (entry.name = hni_copy_string(layer->context, name)) == NULL)
        status = hni_no_memory("hn_layer_add_param", strlen(name) + 1);
    if (status < 0) {
        hn_tensor_destroy(entry.value);
        hn_tensor_destroy(entry.grad);
        return status;
    }
    layer->entries[layer->entry_count++] = entry;
    *value = entry.value;
    if (grad != NULL)
        *grad = entry.grad;
    return HN_OK;
}

hn_status hni_layer_add_param(hn_layer *layer, const char *prefix, const char *name, const hn_desc *desc,
                              int32_t weight_decay, hn_tensor **value, hn_tensor **grad)
{
    char *full = hni_concat(layer->context, prefix, name, "");
    if (full == NULL)
        return hni_no_memory("hn_layer_add_param", strlen(prefix) + strlen(name) + 1);
    hn_status status = hn_layer_add_param(layer, full, desc, weight_decay, value, grad);
    hni_release_string(layer->context, full);
    return status;
}

/* The child's parameters as this layer's own: "NAME.CHILDS", or CHILDS for an empty name. On failure those that came before
 * stay, for the caller to take out.                                                                                    */
static hn_status list_child(hn_layer *layer, const char *name, const hn_layer *child)
{
    for (int64_t i = 0; i < child->entry_count; ++i) {
        hni_layer_entry entry = child->entries[i];
        entry.owned = false;
        entry.name = hni_concat(layer->context, name, name[0] == '\0' ? "" : ".", child->entries[i].name);
        if (entry.name == NULL)
            return hni_no_memory("hn_layer_add_child", strlen(name) + strlen(child->entries[i].name) + 2);
        if (has_name(layer, entry.name)) {
            hn_status status =
                hni_fail(HN_E_ARG, "hn_layer_add_child: the layer has a parameter %s already", entry.name);
            hni_release_string(layer->context, entry.name);
            return status;
        }
        layer->entries[layer->entry_count++] = entry;
    }
    return HN_OK;
}

hn_status hn_layer_add_child(hn_layer *layer, const char *name, hn_layer *child)
{
    static const char function[] = "hn_layer_add_child";
    HNI_FAIL_IF(layer == NULL || child == NULL, HN_E_ARG, "%s: %s is NULL", function,
                layer == NULL ? "layer" : "child");
    HNI_FAIL_IF(layer == child, HN_E_ARG, "%s: a layer cannot be its own child", function);
    HNI_TRY(check_name(function, name));
    HNI_FAIL_IF(child->owned, HN_E_ARG, "%s: the child \"%s\", a %s, has an owner already", function, name,
                child->ops.kind);
    for (const hn_layer *above = layer->parent; above != NULL; above = above->parent)
        HNI_FAIL_IF(above == child, HN_E_ARG, "%s: the layer is inside of its child \"%s\"", function, name);
    HNI_FAIL_IF(layer->owned, HN_E_STATE, "%s: the %s has an owner, which would not see the child", function,
                layer->ops.kind);
    hn_layer **children = hni_grow(layer->context, layer->children, &layer->child_capacity, layer->child_count, 1,
                                   sizeof *children, function);
    if (children == NULL)
        return HN_E_NOMEM;
    layer->children = children;
    HNI_TRY(reserve_entries(layer, child->entry_count, function));
    const int64_t before = layer->entry_count;
    hn_status status = list_child(layer, name, child);
    if (status < 0) {
        while (layer->entry_count > before)
            hni_release_string(layer->context, layer->entries[--layer->entry_count].name);
        return status;
    }
    layer->children[layer->child_count++] = child;
    child->parent = layer;
    child->owned = true;
    return HN_OK;
}

hn_status hn_layer_init_params(hn_layer *layer, const hn_rng *rng)
{
    HNI_FAIL_IF(layer == NULL || rng == NULL, HN_E_ARG, "hn_layer_init_params: %s is NULL",
                layer == NULL ? "layer" : "rng");
    hn_rng stream;
    if (layer->ops.init != NULL) {
        hn_rng_derive(&stream, rng, "layer", 0);
        layer->ops.init(layer->self, &stream);
    }
    uint64_t number = 0; /* without the casts: the same seed gives the same weights in every precision */
    for (int64_t i = 0; i < layer->child_count; ++i) {
        if ((layer->children[i]->ops.flags & HN_LAYER_CAST) != 0)
            continue;
        hn_rng_derive(&stream, rng, "child", number++);
        HNI_TRY(hn_layer_init_params(layer->children[i], &stream));
    }
    return HN_OK;
}

int64_t hn_layer_param_count(const hn_layer *layer)
{
    return layer == NULL ? 0 : layer->entry_count;
}

hn_status hn_layer_param(const hn_layer *layer, int64_t index, hn_param *param)
{
    HNI_FAIL_IF(layer == NULL || param == NULL, HN_E_ARG, "hn_layer_param: %s is NULL",
                layer == NULL ? "layer" : "param");
    HNI_FAIL_IF(index < 0 || index >= layer->entry_count, HN_E_ARG,
                "hn_layer_param: index is %" PRId64 "; the layer has %" PRId64 " parameters", index,
                layer->entry_count);
    const hni_layer_entry *e = &layer->entries[index];
    const hn_param full = {sizeof full, e->name, e->value, e->grad, e->weight_decay, 0};
    HNI_TRY(hni_output_check(param, "hn_layer_param", "param"));
    hni_options_init(param, param->struct_size, &full, sizeof full);
    return HN_OK;
}

int64_t hn_layer_param_total(const hn_layer *layer)
{
    int64_t total = 0;
    for (int64_t i = 0; i < hn_layer_param_count(layer); ++i)
        if (layer->entries[i].grad != NULL)
            total += hn_tensor_count(layer->entries[i].value);
    return total;
}

const char *hn_layer_kind(const hn_layer *layer)
{
    return layer == NULL ? "" : layer->ops.kind;
}

int32_t hn_layer_can_add(const hn_layer *layer)
{
    while (layer != NULL && (layer->ops.flags & HN_LAYER_ADDEND_LAST) != 0)
        layer = layer->child_count > 0 ? layer->children[layer->child_count - 1] : NULL;
    return layer != NULL && (layer->ops.flags & HN_LAYER_ADDEND) != 0;
}

void hn_layer_destroy(hn_layer *layer)
{
    if (layer == NULL)
        return;
    hn_context *context = layer->context;
    if (layer->ops.destroy != NULL)
        layer->ops.destroy(layer->self);
    for (int64_t i = 0; i < layer->child_count; ++i)
        hn_layer_destroy(layer->children[i]);
    for (int64_t i = 0; i < layer->entry_count; ++i) {
        hni_release_string(context, layer->entries[i].name);
        if (layer->entries[i].owned) {
            hn_tensor_destroy(layer->entries[i].value);
            hn_tensor_destroy(layer->entries[i].grad);
        }
    }
    hni_release(context, layer->entries, (size_t)layer->entry_capacity * sizeof *layer->entries);
    hni_release(context, layer->children, (size_t)layer->child_capacity * sizeof *layer->children);
    hni_release(context, layer, sizeof *layer);
}
