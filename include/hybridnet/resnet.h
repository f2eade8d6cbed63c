/* resnet.h -- residual networks (He et al. 2016) for images of CIFAR's size (section 4.2) and of ImageNet's (table 1). */
#ifndef HYBRIDNET_RESNET_H
#define HYBRIDNET_RESNET_H

#include <hybridnet/layer.h>

typedef struct hn_resnet_cifar_options {
    size_t struct_size;
    int32_t depth;       /* 6n + 2 with n from 1: 8, 14, 20, 32 (default), 44, 56 ... up to 302 */
    int32_t in_channels; /* 1 to 4096; default 3                                                */
    int32_t width;       /* channels of the first stage; the others have 2x and 4x; 1 to 4096; default 16 */
    int32_t precision;   /* of images inside the network: HN_F32 (default, as is 0) or HN_BF16  */
} hn_resnet_cifar_options;

typedef struct hn_resnet_options {
    size_t struct_size;
    int32_t depth;              /* 18, 34, 50 (default), 101 or 152                                                  */
    int32_t in_channels;        /* 1 to 4096; default 3                                                              */
    int32_t width;              /* channels of the stem and of the first stage's 3x3 convolutions, 1 to 4096; the other
                                   stages have 2x, 4x and 8x; default 64                                             */
    int32_t precision;          /* of images inside the network: HN_F32 (default, as is 0) or HN_BF16                */
    int32_t zero_init_residual; /* nonzero: the weight of each block's last batch norm begins as 0, and so the block as
                                   its shortcut (Goyal et al. 2017); default 0                                       */
    int32_t reserved;
} hn_resnet_options;

HN_BEGIN_DECLS

/* Fills the struct with its defaults; struct_size: sizeof *options. NULL is ignored. */
HN_API void hn_resnet_cifar_options_init(hn_resnet_cifar_options *options, size_t struct_size);
/* Fills the struct with its defaults; struct_size: sizeof *options. NULL is ignored. */
HN_API void hn_resnet_options_init(hn_resnet_options *options, size_t struct_size);

/* 3x3 convolution, three stages of n basic blocks (strides 1, 2, 2; option-A shortcuts), global average pool:
 * N x H x W x in_channels -> N x 4*width. Parameter names are those of LDAM's and most others' resnet_cifar.py:
 * conv1.weight, bn1.*, layer1.0.conv1.weight, layer1.0.bn1.*, ... H and W are free.
 * HN_BF16: images, the network's inner images and their gradients are bf16, and so are the weights inside convolutions;
 * input, output, parameters, their gradients, statistics and every sum are f32. HN_E_UNSUPPORTED where the context's
 * engine cannot do that (hn_engine_supports).
 * *out is the caller's to destroy or to give to a parent. HN_E_ARG for options out of range, HN_E_NOMEM.              */
HN_API HN_MUST_CHECK hn_status hn_resnet_cifar_create(hn_layer **out, hn_context *context,
                                                      const hn_resnet_cifar_options *options);

/* 7x7 convolution of stride 2, 3x3 max pool of stride 2, four stages (strides 1, 2, 2, 2) of basic blocks (depths 18 and
 * 34) or bottlenecks, projection shortcuts where a shape changes, global average pool:
 * N x H x W x in_channels -> N x 8*width, or N x 32*width with bottlenecks (512 and 2048 at width 64). Made for 224 x 224;
 * H and W are free.
 * It is torchvision's network of that depth (models/resnet.py) without its "fc", which is a hn_linear of that name: the
 * stride of a bottleneck is in its 3x3 convolution ("v1.5"), initial weights are He normal by fan out, and parameters have
 * torchvision's names, shapes and order (conv1.weight, bn1.*, layer1.0.conv1.weight, layer1.0.downsample.0.weight ...), so
 * that its state_dicts load by hn_safetensors_load_params.
 * HN_BF16, ownership and errors: as above. Creating and using it are bound to threads as any layer is (layer.h).       */
HN_API HN_MUST_CHECK hn_status hn_resnet_create(hn_layer **out, hn_context *context, const hn_resnet_options *options);

HN_END_DECLS
#endif
