/* onednn.h -- oneDNN's convolutions as the engine `onednn` runs them: primitives made for one thread and the memory
 * objects they are run with, kept in the context by geometry. The one file that includes oneDNN's header.              */
#ifndef HNI_ONEDNN_H
#define HNI_ONEDNN_H

#include "kernel/conv.h"

#include <oneapi/dnnl/dnnl.h>

/* What is computed. */
enum { HNI_ONEDNN_FORWARD, HNI_ONEDNN_DATA, HNI_ONEDNN_WEIGHTS, HNI_ONEDNN_KINDS };

/* One primitive and its memory objects. */
typedef struct hni_onednn_operation {
    dnnl_primitive_t primitive, reorder; /* reorder: of the weights from or to [out, in, height, width] in f32 */
    dnnl_memory_t images, results, weights, plain, scratch;
    dnnl_memory_desc_t order; /* of weights */
    size_t weight_bytes, scratch_bytes;
} hni_onednn_operation;

/* All operations for a geometry, whose images are those of a part; used by one thread at a time. */
typedef struct hni_onednn_shape {
    struct hni_onednn_shape *next;
    hni_conv g;          /* of a part                                                     */
    int64_t whole;       /* images of a whole part beside it: its weights are in their order */
    bool busy;
    hni_onednn_operation of[HNI_ONEDNN_KINDS];
} hni_onednn_shape;

/* A shape for g with this number of images, made if none is free; to be released. HN_E_UNSUPPORTED, HN_E_NOMEM. */
hn_status hni_onednn_acquire(hn_context *context, const hni_conv *g, int64_t images, hni_onednn_shape **out);
void hni_onednn_release(hn_context *context, hni_onednn_shape *shape);

/* The stream to run on, once a shape has been acquired. */
dnnl_stream_t hni_onednn_stream(const hn_context *context);

#endif
