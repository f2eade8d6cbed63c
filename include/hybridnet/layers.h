/* layers.h -- creators of the built-in layers. Images are N x H x W x C, feature rows N x D, in f32. Convolutions without
 * a bias, conv units, batch norm, residual blocks and the pools also take bf16 (hn_cast_create), which they put out as
 * bf16, the global average pool as f32; parameters, gradients of parameters and sums stay f32.
 * Parameters carry PyTorch's names, shapes and initial distributions as stated. Every creator's *out is the caller's
 * to destroy or to give to a parent. HN_E_ARG for sizes out of range, HN_E_NOMEM.                                     */
#ifndef HYBRIDNET_LAYERS_H
#define HYBRIDNET_LAYERS_H

#include <hybridnet/layer.h>

/* Whose count of inputs an initial weight's variance is 2 divided by. */
enum {
    HN_FAN_IN = 0, /* of an output: in_channels kernel^2; He et al. 2015                                       */
    HN_FAN_OUT = 1 /* of the gradient of an input: out_channels kernel^2; what torchvision's ResNets begin with */
};

typedef struct hn_conv2d_options {
    size_t struct_size;
    int32_t in_channels, out_channels; /* > 0                          */
    int32_t kernel;                    /* square, 1 .. 64; default 3   */
    int32_t stride;                    /* 1 .. 64; default 1           */
    int32_t padding;                   /* zeros, 0 .. kernel; default 1 */
    int32_t bias;                      /* default 0                    */
    int32_t fan;                       /* HN_FAN_IN (default) or HN_FAN_OUT */
    int32_t reserved;
} hn_conv2d_options;

typedef struct hn_batchnorm_options {
    size_t struct_size;
    float eps;      /* in (0, 1]; default 1e-5                                                                 */
    float momentum; /* running = (1 - momentum) running + momentum batch, unbiased variance; in [0, 1]; default 0.1 */
    int32_t zero_weight; /* nonzero: "weight" begins as 0, which leaves a residual block its shortcut alone (Goyal et
                            al. 2017); default 0                                                                    */
    int32_t reserved;
} hn_batchnorm_options;

enum {
    HN_SHORTCUT_IDENTITY = 0,  /* y = body(x) + x                                                               */
    HN_SHORTCUT_OPTION_A = 1,  /* every stride-th pixel, new channels zero, half of them before and half after
                                  (He et al. 2016, option A, as LDAM's code pads them)                           */
    HN_SHORTCUT_PROJECTION = 2 /* 1x1 convolution of that stride and batch norm; parameters "downsample.0.*", ".1.*" */
};

typedef struct hn_residual_options {
    size_t struct_size;
    int32_t shortcut;                  /* HN_SHORTCUT_*                                       */
    int32_t in_channels, out_channels; /* for OPTION_A and PROJECTION                         */
    int32_t stride;                    /* for OPTION_A and PROJECTION; default 1              */
    int32_t fan;                       /* of PROJECTION's convolution, as hn_conv2d_options has it */
    int32_t reserved;
} hn_residual_options;

HN_BEGIN_DECLS

/* Fills the struct with its defaults; struct_size: sizeof *options. NULL is ignored. */
HN_API void hn_conv2d_options_init(hn_conv2d_options *options, size_t struct_size);
/* Fills the struct with its defaults; struct_size: sizeof *options. NULL is ignored. */
HN_API void hn_batchnorm_options_init(hn_batchnorm_options *options, size_t struct_size);
/* Fills the struct with its defaults; struct_size: sizeof *options. NULL is ignored. */
HN_API void hn_residual_options_init(hn_residual_options *options, size_t struct_size);

/* 2-D convolution. "weight" [out, in, kernel, kernel], "bias" [out]. Init: He normal, by `fan`; bias 0. */
HN_API HN_MUST_CHECK hn_status hn_conv2d_create(hn_layer **out, hn_context *context, const hn_conv2d_options *options);

/* Batch normalisation over all but the last dimension (Ioffe and Szegedy 2015). "weight" (1), "bias" (0) without weight
 * decay unless asked for by the optimizer, buffers "running_mean" (0), "running_var" (1). In training it wants two or more
 * values a channel, else HN_E_SHAPE: a last batch of one image fails where rows are normalised, or images that have shrunk
 * to 1 x 1 (hn_loader_options.drop_last leaves it out).                                                                */
HN_API HN_MUST_CHECK hn_status hn_batchnorm_create(hn_layer **out, hn_context *context, int64_t channels,
                                                   const hn_batchnorm_options *options);

/* Convolution, batch norm, shortcut and ReLU as one unit with few passes over memory: y = relu?(bn(conv(x)) + addend).
 * Its parameters are named conv_name.weight, bn_name.weight, ... so that files agree with PyTorch's separate modules.
 * relu: nonzero applies it. As the last part of a residual's body it must be created with relu 0.                      */
HN_API HN_MUST_CHECK hn_status hn_conv_unit_create(hn_layer **out, hn_context *context, const char *conv_name,
                                                   const char *bn_name, const hn_conv2d_options *conv,
                                                   const hn_batchnorm_options *bn, int32_t relu);

/* y = x in another element type, HN_F32 or HN_BF16 (to the nearest, ties to even): where a network enters bf16 or leaves
 * it. Takes both. Convolutions of bf16 need an engine that computes them (hn_engine_supports).                         */
HN_API HN_MUST_CHECK hn_status hn_cast_create(hn_layer **out, hn_context *context, int32_t dtype);

/* y = max(x, 0), any shape. */
HN_API HN_MUST_CHECK hn_status hn_relu_create(hn_layer **out, hn_context *context);

/* y = x W^T + b on N x in rows. "weight" [out, in], "bias" [out]. Init: He normal, fan in; bias 0. */
HN_API HN_MUST_CHECK hn_status hn_linear_create(hn_layer **out, hn_context *context, int64_t in, int64_t out_features,
                                                int32_t bias);

/* y_ic = scale cos(x_i, w_c) on N x in rows: the normalised linear layer that LDAM (Cao et al. 2019) puts its margins on.
 * "weight" [out, in], used L2-normalised, no bias; a row or weight of length 0 gives 0 and gets gradient 0. scale: positive
 * and finite. Init: random directions of length 1.                                                                      */
HN_API HN_MUST_CHECK hn_status hn_cosine_linear_create(hn_layer **out, hn_context *context, int64_t in,
                                                       int64_t out_features, float scale);

/* N x H x W x C -> N x C, the mean over H x W. */
HN_API HN_MUST_CHECK hn_status hn_global_avg_pool_create(hn_layer **out, hn_context *context);

/* Max pooling with a square window; padding counts as minus infinity and is at most kernel / 2; kernel and
 * stride are in [1, 64]. The first maximum in row order gets the gradient.                                             */
HN_API HN_MUST_CHECK hn_status hn_max_pool_create(hn_layer **out, hn_context *context, int32_t kernel, int32_t stride,
                                                  int32_t padding);

/* Each row of N x D divided by its length; a row of length 0 stays 0 and gets gradient 0. */
HN_API HN_MUST_CHECK hn_status hn_l2norm_create(hn_layer **out, hn_context *context);

/* Runs its children in the order they are added with hn_layer_add_child. */
HN_API HN_MUST_CHECK hn_status hn_sequential_create(hn_layer **out, hn_context *context);

/* y = relu(body(x) + shortcut(x)). Takes ownership of body on HN_OK; its parameters keep their names. A body whose last
 * part can add (HN_LAYER_ADDEND) does the sum and the ReLU in its own pass.                                            */
HN_API HN_MUST_CHECK hn_status hn_residual_create(hn_layer **out, hn_context *context, hn_layer *body,
                                                  const hn_residual_options *options);

HN_END_DECLS
#endif
