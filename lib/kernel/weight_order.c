#include "kernel/weight_order.h"

#include "base/parallel.h"

typedef struct job {
    const hni_weight_order *order;
    const float *from;
    float *to;
} job;

/* Where the taps of (out, in) begin, and how far they lie apart. */
static int64_t first_tap(const hni_weight_order *o, int64_t out, int64_t in, int64_t *stride)
{
    *stride = o->turned ? -o->tap_stride : o->tap_stride;
    return out * o->out_stride + in * o->in_stride + (o->turned ? (o->taps - 1) * o->tap_stride : 0);
}

static void pack_channel(void *arg, int64_t out, int32_t thread)
{
    const job *j = arg;
    const hni_weight_order *o = j->order;
    (void)thread;
    for (int64_t in = 0; in < o->in; ++in) {
        int64_t stride;
        const float *w = j->from + (out * o->in + in) * o->taps;
        float *packed = j->to + first_tap(o, out, in, &stride);
        for (int64_t t = 0; t < o->taps; ++t)
            packed[t * stride] = w[t];
    }
}

static void add_channel(void *arg, int64_t out, int32_t thread)
{
    const job *j = arg;
    const hni_weight_order *o = j->order;
    (void)thread;
    for (int64_t in = 0; in < o->in; ++in) {
        int64_t stride;
        const float *packed = j->from + first_tap(o, out, in, &stride);
        float *dw = j->to + (out * o->in + in) * o->taps;
        for (int64_t t = 0; t < o->taps; ++t)
            dw[t] += packed[t * stride];
    }
}

void hni_weights_pack(int32_t num_threads, const hni_weight_order *order, const float *w, float *packed)
{
    job j = {order, w, packed};
    hni_parallel(num_threads, order->out, pack_channel, &j);
}

void hni_weights_add(int32_t num_threads, const hni_weight_order *order, const float *packed, float *dw)
{
    job j = {order, packed, dw};
    hni_parallel(num_threads, order->out, add_channel, &j);
}
