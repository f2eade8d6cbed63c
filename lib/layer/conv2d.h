/* conv2d.h -- what the convolution layer and the conv unit share: options, parameters, geometry. */
#ifndef HNI_CONV2D_H
#define HNI_CONV2D_H

#include <hybridnet/layers.h>

#include "kernel/conv.h"

typedef struct hni_conv2d {
    hn_context *context; /* the layer's: its engine computes, whoever's executor calls */
    hn_conv2d_options options;
    hn_tensor *weight, *dweight;
    hn_tensor *bias, *dbias; /* NULL without a bias */
} hni_conv2d;

/* Reads and checks the caller's options. */
hn_status hni_conv2d_options(hni_conv2d *c, const hn_conv2d_options *options, const char *function);
/* Adds "weight" and, if wanted, "bias" under prefix ("" or "conv1."). */
hn_status hni_conv2d_add_params(hni_conv2d *c, hn_layer *layer, const char *prefix);
/* He normal, by the fan that the options ask for; bias 0. */
void hni_conv2d_init(const hni_conv2d *c, hn_rng *rng);

/* Geometry and output for an input; HN_E_SHAPE. kind: for the sentence. */
hn_status hni_conv2d_geometry(const hni_conv2d *c, const char *kind, const hn_desc *input, hni_conv *g,
                              hn_desc *output);
/* Prepares forward and, for HN_MODE_TRAIN, backward; *bytes: their scratch, the bias included. kind: for the sentence. */
hn_status hni_conv2d_prepare(const hni_conv2d *c, const char *kind, int32_t num_threads, const hni_conv *g, int32_t mode,
                             size_t *bytes);
/* Of a call: the number of threads. after: as in kernel/conv.h; it sees y without the bias. */
hn_status hni_conv2d_forward(const hni_conv2d *c, const hn_layer_call *call, const hni_conv *g, const void *x, void *y,
                             void *scratch, const hni_conv_visit *after);
/* dx may be NULL; before: as in kernel/conv.h. */
hn_status hni_conv2d_backward(const hni_conv2d *c, const hn_layer_call *call, const hni_conv *g, const void *x,
                              const void *dy, void *dx, void *scratch, const hni_conv_visit *before);

/* Adds what the convolution of a call costs. */
void hni_conv2d_cost(const hni_conv2d *c, const hn_layer_call *call, int32_t pass, hn_layer_cost *cost);

#endif
