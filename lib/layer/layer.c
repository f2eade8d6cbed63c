#include "layer/layer.h"

#include "base/context.h"
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

/* Makes room for `more` further elements of an array that belongs to the layer. */
static hn_status reserve(hn_context *context, void **array, int64_t count, int64_t *capacity, int64_t more, size_t size,
                         const char *function)
{
    if (count + more <= *capacity)
        return HN_OK;
    int64_t wanted = *capacity * 2 > count + more ? *capacity * 2 : count + more;
    void *grown = hni_alloc(context, (size_t)wanted * size);
    if (grown == NULL)
        return hni_no_memory(function, (size_t)wanted * size);
    if (count > 0)
        memcpy(grown, *array, (size_t)count * size);
    hni_release(context, *array, (size_t)*capacity * size);
    *array = grown;
    *capacity = wanted;
    return HN_OK;
}

static hn_status reserve_entries(hn_layer *layer, int64_t more, const char *function)
{
    void *array = layer->entries;
    HNI_TRY(reserve(layer->context, &array, layer->entry_count, &layer->entry_capacity, more, sizeof *layer->entries,
                    function));
    layer->entries = array;
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

/* "PREFIX.NAME", or NAME for an empty prefix. */
static char *join(hn_context *context, const char *prefix, const char *name)
{
    if (prefix[0] == '\0')
        return hni_copy_string(context, name);
    size_t head = strlen(prefix), tail = strlen(name);
    char *joined = hni_alloc(context, head + tail + 2);
    if (joined == NULL)
        return NULL;
    memcpy(joined, prefix, head);
    joined[head] = '.';
    memcpy(joined + head + 1, name, tail + 1);
    return joined;
}

hn_status hn_layer_add_child(hn_layer *layer, const char *name, hn_layer *child)
{
    HNI_FAIL_IF(layer == NULL || child == NULL, HN_E_ARG, "hn_layer_add_child: %s is NULL",
                layer == NULL ? "layer" : "child");
    HNI_FAIL_IF(layer == child, HN_E_ARG, "hn_layer_add_child: a layer cannot be its own child");
    HNI_TRY(check_name("hn_layer_add_child", name));
    HNI_FAIL_IF(child->owned, HN_E_ARG, "hn_layer_add_child: the child \"%s\", a %s, has an owner already", name,
                child->ops.kind);
    for (const hn_layer *above = layer->parent; above != NULL; above = above->parent)
        HNI_FAIL_IF(above == child, HN_E_ARG, "hn_layer_add_child: the layer is inside of its child \"%s\"", name);
    hn_context *context = layer->context;
    void *children = layer->children;
    HNI_TRY(reserve(context, &children, layer->child_count, &layer->child_capacity, 1, sizeof *layer->children,
                    "hn_layer_add_child"));
    layer->children = children;
    HNI_TRY(reserve_entries(layer, child->entry_count, "hn_layer_add_child"));
    int64_t before = layer->entry_count;
    hn_status status = HN_OK;
    for (int64_t i = 0; i < child->entry_count && status == HN_OK; ++i) {
        hni_layer_entry entry = child->entries[i];
        entry.owned = false;
        entry.name = join(context, name, child->entries[i].name);
        if (entry.name == NULL) {
            status = hni_no_memory("hn_layer_add_child", strlen(name) + strlen(child->entries[i].name) + 2);
        } else if (has_name(layer, entry.name)) {
            status = hni_fail(HN_E_ARG, "hn_layer_add_child: the layer has a parameter %s already", entry.name);
            hni_release_string(context, entry.name);
        } else {
            layer->entries[layer->entry_count++] = entry;
        }
    }
    if (status < 0) {
        while (layer->entry_count > before)
            hni_release_string(context, layer->entries[--layer->entry_count].name);
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
