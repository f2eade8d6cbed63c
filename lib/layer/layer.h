/* layer.h -- the common part of every layer. */
#ifndef HNI_LAYER_H
#define HNI_LAYER_H

#include <hybridnet/layer.h>

#include <stdbool.h>

/* One line of a layer's parameter list; tensors belong to the layer that added them. */
typedef struct hni_layer_entry {
    char *name;
    hn_tensor *value, *grad;
    int32_t weight_decay;
    bool owned;
} hni_layer_entry;

struct hn_layer {
    hn_context *context;
    hn_layer_ops ops;
    void *self;
    hni_layer_entry *entries;
    int64_t entry_count, entry_capacity;
    hn_layer **children;
    int64_t child_count, child_capacity;
    hn_layer *parent; /* whose child it is                                              */
    bool owned;       /* by the parent, or by a network: there can be one owner only    */
};

/* A layer of the library's own: hn_layer_create with a copy of self, a struct of this many bytes, in memory of the context
 * that ops->destroy releases. Nothing stays after a failure. function: for the sentence.                              */
hn_status hni_layer_begin(hn_layer **layer, hn_context *context, const hn_layer_ops *ops, const void *self, size_t bytes,
                          const char *function);
/* The end of its construction, of which status tells: hands the layer out, or destroys it. Returns status. */
hn_status hni_layer_finish(hn_layer **out, hn_layer *layer, hn_status status);

/* hn_layer_add_param of prefix followed by name; grad NULL for a buffer. */
hn_status hni_layer_add_param(hn_layer *layer, const char *prefix, const char *name, const hn_desc *desc,
                              int32_t weight_decay, hn_tensor **value, hn_tensor **grad);

/* HN_E_SHAPE unless desc is f32 with ndim dimensions (0: any number), all of them positive. kind: for the sentence. */
hn_status hni_layer_check_input(const char *kind, const hn_desc *input, int32_t ndim);
/* The same for layers that also take bf16. */
hn_status hni_layer_check_floats(const char *kind, const hn_desc *input, int32_t ndim);

/* Elements and bytes of an array, for what a call costs. */
double hni_layer_count(const hn_desc *desc);
double hni_layer_bytes(const hn_desc *desc);

/* What an array takes of an executor's memory, padding included. */
size_t hni_layer_room(const hn_desc *desc);

#endif
