/* param.h -- a learnable array and its gradient, as layers and losses show them to optimizers and files. */
#ifndef HYBRIDNET_PARAM_H
#define HYBRIDNET_PARAM_H

#include <hybridnet/tensor.h>

/* Filled by the library; name and tensors are borrowed from the object that listed the parameter.
 * Shapes are PyTorch's: convolution weights are [out, in, kh, kw], linear weights [out, in].        */
typedef struct hn_param {
    size_t struct_size;
    const char *name;     /* "layer1.0.conv1.weight"                                              */
    hn_tensor *value;     /* f32                                                                  */
    hn_tensor *grad;      /* same shape; NULL for a buffer (batch-norm running statistics)        */
    int32_t weight_decay; /* nonzero: weight decay applies                                        */
    int32_t reserved;
} hn_param;

#endif
