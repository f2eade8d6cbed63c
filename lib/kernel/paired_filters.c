#include "kernel/paired_filters.h"

#include "base/integer.h"
#include "base/parallel.h"
#include "kernel/convert.h"
#include "kernel/elementwise.h"
#include "kernel/paired.h"

#include <string.h>

enum { PANEL = HNI_PAIRED_PANEL };

static int64_t taps_of(const hni_conv *g)
{
    return g->kernel_height * g->kernel_width;
}

int64_t hni_paired_packed(const hni_conv *g, bool turned)
{
    const int64_t in = turned ? g->out : g->in, out = turned ? g->in : g->out;
    return hni_paired_padded(out) * taps_of(g) * (in + in % 2);
}

int64_t hni_paired_gradients(const hni_conv *g)
{
    return taps_of(g) * g->in * hni_paired_padded(g->out);
}

typedef struct packing {
    const hni_conv *g;
    bool turned;
    int64_t in, out;       /* of the convolution that is to be computed                        */
    int64_t to_in, to_out; /* in w, from one of its input (output) channels to the next        */
    const hni_bf16 *plain; /* w                                                                */
    hni_bf16 *packed;
} packing;

static void pack_panel(void *arg, int64_t panel, int32_t thread)
{
    const packing *p = arg;
    const int64_t taps = taps_of(p->g), pairs = (p->in + 1) / 2, first = panel * PANEL;
    const int64_t columns = hni_min(PANEL, p->out - first);
    hni_bf16 *packed = p->packed + panel * taps * pairs * 2 * PANEL;
    (void)thread;
    if (columns < PANEL || p->in % 2 != 0)
        memset(packed, 0, (size_t)(taps * pairs * 2 * PANEL) * sizeof *packed);
    for (int64_t l = 0; l < columns; ++l)
        for (int64_t i = 0; i < p->in; ++i) {
            const hni_bf16 *from = p->plain + (first + l) * p->to_out + i * p->to_in;
            hni_bf16 *to = packed + i / 2 * 2 * PANEL + 2 * l + i % 2;
            for (int64_t t = 0; t < taps; ++t)
                to[t * pairs * 2 * PANEL] = from[p->turned ? taps - 1 - t : t];
        }
}

void hni_paired_pack(int32_t num_threads, const hni_conv *g, bool turned, const float *w, hni_bf16 *plain,
                    hni_bf16 *packed)
{
    const int64_t taps = taps_of(g);
    hni_convert(num_threads, g->out * g->in * taps, HN_F32, w, HN_BF16, plain);
    packing p = {.g = g,
                 .turned = turned,
                 .in = turned ? g->out : g->in,
                 .out = turned ? g->in : g->out,
                 .to_in = turned ? g->in * taps : taps,
                 .to_out = turned ? taps : g->in * taps,
                 .plain = plain,
                 .packed = packed};
    hni_parallel(num_threads, hni_paired_padded(p.out) / PANEL, pack_panel, &p);
}

typedef struct unpacking {
    const hni_conv *g;
    const float *sums;
    float *dw;
} unpacking;

static void unpack_channel(void *arg, int64_t out, int32_t thread)
{
    const unpacking *u = arg;
    const int64_t taps = taps_of(u->g), in = u->g->in, columns = hni_paired_padded(u->g->out);
    float *dw = u->dw + out * in * taps;
    (void)thread;
    for (int64_t i = 0; i < in; ++i)
        for (int64_t t = 0; t < taps; ++t)
            dw[i * taps + t] += u->sums[(t * in + i) * columns + out];
}

void hni_paired_unpack_add(int32_t num_threads, const hni_conv *g, int64_t count, size_t bytes, float *gradients,
                          float *dw)
{
    unpacking u = {g, gradients, dw};
    hni_accumulate_all(num_threads, hni_paired_gradients(g), count, bytes, gradients);
    hni_parallel(num_threads, g->out, unpack_channel, &u);
}
