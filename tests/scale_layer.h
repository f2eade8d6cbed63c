/* scale_layer.h -- a layer written by a user of the library, y = w x with one weight a column: public API alone. */
#ifndef HNT_SCALE_LAYER_H
#define HNT_SCALE_LAYER_H

#include "support.h"

#include <hybridnet/layers.h>

typedef struct scale_layer {
    int64_t width;
    hn_tensor *weight, *grad;
    int destroyed; /* counts: the layer borrows this struct from the test */
} scale_layer;

static inline hn_status scale_plan(const void *self, const hn_desc *input, int32_t mode, int32_t threads,
                                   hn_layer_plan *plan)
{
    const scale_layer *s = self;
    (void)mode;
    (void)threads;
    if (input->ndim != 2 || input->dim[1] != s->width)
        return HN_E_SHAPE;
    plan->output = *input;
    return HN_OK;
}

static inline hn_status scale_forward(void *self, const hn_layer_call *call)
{
    const float *w = hn_tensor_cdata(((scale_layer *)self)->weight), *x = call->x;
    float *y = call->y;
    for (int64_t i = 0; i < call->input.dim[0] * call->input.dim[1]; ++i)
        y[i] = w[i % call->input.dim[1]] * x[i];
    return HN_OK;
}

static inline hn_status scale_backward(void *self, const hn_layer_call *call)
{
    scale_layer *s = self;
    const float *w = hn_tensor_cdata(s->weight), *x = call->x, *dy = call->dy;
    float *dw = hn_tensor_data(s->grad), *dx = call->dx;
    for (int64_t i = 0; i < call->input.dim[0] * call->input.dim[1]; ++i) {
        dw[i % s->width] += dy[i] * x[i];
        if (dx != NULL)
            dx[i] = dy[i] * w[i % s->width];
    }
    return HN_OK;
}

static inline void scale_init(void *self, hn_rng *rng)
{
    scale_layer *s = self;
    hn_rng_fill_uniform(rng, hn_tensor_data(s->weight), (size_t)s->width, 0.5f, 2.0f);
}

static inline void scale_destroy(void *self)
{
    ((scale_layer *)self)->destroyed++;
}

static const hn_layer_ops scale_ops = {.struct_size = sizeof scale_ops,
                                       .kind = "scale",
                                       .plan = scale_plan,
                                       .forward = scale_forward,
                                       .backward = scale_backward,
                                       .init = scale_init,
                                       .destroy = scale_destroy};

static inline hn_status scale_create(hn_layer **out, hn_context *context, scale_layer *s, int64_t width)
{
    *s = (scale_layer){.width = width};
    hn_layer *layer = NULL;
    hn_status status = hn_layer_create(&layer, context, &scale_ops, s);
    if (status < 0)
        return status;
    const hn_desc desc = {HN_F32, 1, {width}};
    status = hn_layer_add_param(layer, "weight", &desc, 1, &s->weight, &s->grad);
    if (status < 0)
        hn_layer_destroy(layer);
    else
        *out = layer;
    return status;
}

#endif
