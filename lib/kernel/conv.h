/* conv.h -- two-dimensional convolution of channels-last images: the geometry and what an engine is. */
#ifndef HNI_CONV_H
#define HNI_CONV_H

#include <hybridnet/context.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* x: images x height x width x in; y: images x out_height x out_width x out; w: out x in x kernel_height x kernel_width
 * (PyTorch's order). y(oy, ox) = sum over ky, kx of w(ky, kx) x(oy stride - padding + ky, ox stride - padding + kx);
 * x is zero outside the image.                                                                                       */
typedef struct hni_conv {
    int64_t images, height, width, in;
    int64_t out_height, out_width, out;
    int64_t kernel_height, kernel_width, stride, padding;
} hni_conv;

/* Fills out_height and out_width; false if the kernel does not fit into the padded image. */
bool hni_conv_fit(hni_conv *g);

/* One way of computing it. After prepare, forward and backward do not allocate; they fail only where a library that they
 * call does. Their bits do not depend on num_threads.                                                                 */
typedef struct hni_conv_engine {
    const char *name;
    /* Whether it can compute this geometry. */
    bool (*takes)(const hni_conv *g);
    /* Makes what the calls need that is kept in the context. *bytes: the scratch, 64-byte aligned and dead after each
     * call, that forward and backward need.                                                                          */
    hn_status (*prepare)(hn_context *context, int32_t num_threads, const hni_conv *g, size_t *bytes);
    /* Writes y. */
    hn_status (*forward)(hn_context *context, int32_t num_threads, const hni_conv *g, const float *x, const float *w,
                         float *y, void *scratch);
    /* Writes dx and adds to dw; either may be NULL. One call for both, since they read the same dy. */
    hn_status (*backward)(hn_context *context, int32_t num_threads, const hni_conv *g, const float *x, const float *w,
                          const float *dy, float *dx, float *dw, void *scratch);
} hni_conv_engine;

/* The engine for a geometry, as the context's options ask; the same one whenever it is asked. */
const hni_conv_engine *hni_conv_engine_for(const hn_context *context, const hni_conv *g);
/* All engines of this build; NULL from `index` = their number on. */
const hni_conv_engine *hni_conv_engine_at(int index);

/* cblas takes every geometry, direct 3x3 with stride 1; onednn is there where HNI_HAVE_ONEDNN is defined. */
extern const hni_conv_engine hni_conv_cblas, hni_conv_direct, hni_conv_onednn;

#endif
