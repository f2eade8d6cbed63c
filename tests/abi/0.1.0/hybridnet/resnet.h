/* resnet.h -- the CIFAR residual networks (He et al. 2016, section 4.2): the backbones of the paper. */
#ifndef HYBRIDNET_RESNET_H
#define HYBRIDNET_RESNET_H

#include <hybridnet/layer.h>

typedef struct hn_resnet_cifar_options {
    size_t struct_size;
    int32_t depth;       /* 6n + 2 with n from 1: 8, 14, 20, 32 (default), 44, 56 ... up to 302 */
    int32_t in_channels; /* 1 or more; default 3                                                */
    int32_t width;       /* channels of the first stage; the others have 2x and 4x; default 16  */
    int32_t reserved;
} hn_resnet_cifar_options;

HN_BEGIN_DECLS

HN_API void hn_resnet_cifar_options_init(hn_resnet_cifar_options *options, size_t struct_size);

/* 3x3 convolution, three stages of n basic blocks (strides 1, 2, 2; option-A shortcuts), global average pool:
 * N x H x W x in_channels -> N x 4*width. Parameter names are those of LDAM's and most others' resnet_cifar.py:
 * conv1.weight, bn1.*, layer1.0.conv1.weight, layer1.0.bn1.*, ... H and W are free, 8 or more.                  */
HN_API HN_MUST_CHECK hn_status hn_resnet_cifar_create(hn_layer **out, hn_context *context,
                                                      const hn_resnet_cifar_options *options);

HN_END_DECLS
#endif
