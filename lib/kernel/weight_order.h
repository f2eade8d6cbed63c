/* weight_order.h -- a convolution's weights in the order that a matrix product wants. */
#ifndef HNI_KERNEL_WEIGHT_ORDER_H
#define HNI_KERNEL_WEIGHT_ORDER_H

#include <stdbool.h>
#include <stdint.h>

/* w is [out, in, taps]; weight (o, i, t) goes to o * out_stride + i * in_stride + t * tap_stride. */
typedef struct hni_weight_order {
    int64_t out, in, taps;
    int64_t out_stride, in_stride, tap_stride;
    bool turned; /* the taps in reverse: the kernel turned by 180 degrees */
} hni_weight_order;

/* packed: out * in * taps floats, all of them written. */
void hni_weights_pack(int32_t num_threads, const hni_weight_order *order, const float *w, float *packed);

/* dw += packed, back in w's order. */
void hni_weights_add(int32_t num_threads, const hni_weight_order *order, const float *packed, float *dw);

#endif
