/* shortcut.h -- the parameter-free shortcuts of residual blocks, channels last. */
#ifndef HNI_SHORTCUT_H
#define HNI_SHORTCUT_H

#include <stdint.h>

/* Every stride-th pixel of x, its channels put in the middle of out_channels with zeros around them (option A). */
typedef struct hni_shortcut {
    int64_t images, height, width, in_channels;  /* x: images x height x width x in_channels */
    int64_t out_height, out_width, out_channels; /* s: images x out_height x out_width x out_channels */
    int64_t stride;
    int32_t dtype; /* of x, s and their gradients: HN_BF16, else f32 */
} hni_shortcut;

/* s = shortcut(x). */
void hni_shortcut_forward(int32_t num_threads, const hni_shortcut *g, const void *x, void *s);
/* dx += gradient of x for the gradient ds of s. With stride 1 and equal channels: dx += ds. */
void hni_shortcut_backward_add(int32_t num_threads, const hni_shortcut *g, const void *ds, void *dx);

/* y = max(y + s, 0), n values of f32: the end of a residual block whose body could not do it itself. */
void hni_shortcut_add_relu(int32_t num_threads, int64_t n, const float *s, float *y);

#endif
