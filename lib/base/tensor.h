/* tensor.h -- the tensor's insides, for views on the stack: no allocation in a training step. */
#ifndef HNI_TENSOR_H
#define HNI_TENSOR_H

#include <hybridnet/tensor.h>

#include <stdbool.h>

struct hn_tensor {
    hn_context *context;
    void *data;
    hn_desc desc;
    bool owned;
};

/* A view on the stack; never destroyed. */
static inline hn_tensor hni_tensor_view(void *data, const hn_desc *desc)
{
    return (hn_tensor){.context = NULL, .data = data, .desc = *desc, .owned = false};
}

/* Number of elements and bytes of a desc; HN_E_ARG or HN_E_SHAPE with a sentence if it is not valid or too large. */
hn_status hni_desc_size(const hn_desc *desc, const char *function, int64_t *count, size_t *bytes);

/* Same dtype and dimensions. */
bool hni_desc_equal(const hn_desc *a, const hn_desc *b);

enum { HNI_DESC_TEXT = 96 };
/* "f32 128x32x32x16" into text; returns text. */
const char *hni_desc_text(const hn_desc *desc, char text[HNI_DESC_TEXT]);

#endif
