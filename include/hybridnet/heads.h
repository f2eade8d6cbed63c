/* heads.h -- what sits on the backbone: the projection head of the feature branch. The classifier branch is a linear
 * layer (hn_linear_create).                                                                                         */
#ifndef HYBRIDNET_HEADS_H
#define HYBRIDNET_HEADS_H

#include <hybridnet/layer.h>

typedef struct hn_projection_options {
    size_t struct_size;
    int64_t in;        /* width of the backbone's output, > 0                              */
    int64_t hidden;    /* 0 (default): as wide as in                                       */
    int64_t out;       /* width of the embeddings; default 128                             */
    int32_t batchnorm; /* nonzero: batch norm before the ReLU, which wants batches of two rows or more; default 0 */
    int32_t normalize; /* nonzero: L2-normalised output; default 0, the losses do it       */
} hn_projection_options;

HN_BEGIN_DECLS

/* Fills the struct with its defaults; struct_size: sizeof *options. NULL is ignored. */
HN_API void hn_projection_options_init(hn_projection_options *options, size_t struct_size);

/* linear - (batch norm) - ReLU - linear - (L2 norm): Wang et al. 2021; sizes by default as SupContrast's.
 * Parameters "0.weight", "0.bias", ("1.*" with batch norm), "2.weight", "2.bias", or "3.*" with batch norm, as in
 * PyTorch's nn.Sequential.                                                                                          */
HN_API HN_MUST_CHECK hn_status hn_projection_create(hn_layer **out, hn_context *context,
                                                    const hn_projection_options *options);

HN_END_DECLS
#endif
