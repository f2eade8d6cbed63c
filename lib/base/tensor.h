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

/* Elements of a desc that is valid. */
static inline int64_t hni_desc_count(const hn_desc *desc)
{
    int64_t count = 1;
    for (int32_t i = 0; i < desc->ndim; ++i)
        count *= desc->dim[i];
    return count;
}

/* Same dtype and dimensions. */
bool hni_desc_equal(const hn_desc *a, const hn_desc *b);

/* No array is larger, nor what a layer's plan asks for. Extents are int64_t, and sums of planned bytes are not checked in
 * each layer: 2^64 is out of reach for both.                                                                             */
#define HNI_MAX_BYTES ((size_t)1 << 48)

enum { HNI_DESC_TEXT = 96 };
/* "f32 128x32x32x16" into text; returns text. */
const char *hni_desc_text(const hn_desc *desc, char text[HNI_DESC_TEXT]);

#endif
