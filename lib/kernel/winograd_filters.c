#include "kernel/winograd_filters.h"

#include "base/integer.h"
#include "base/parallel.h"
#include "kernel/clones.h"
#include "kernel/elementwise.h"
#include "kernel/winograd.h"

int64_t hni_winograd_padded(int64_t channels)
{
    return (channels + HNI_PANEL - 1) / HNI_PANEL * HNI_PANEL;
}

int64_t hni_winograd_filters(const hni_conv *g)
{
    return HNI_POINTS * g->in * hni_winograd_padded(g->out);
}

/* G of F(2x2, 3x3). */
static const float filter[4][3] = {{1.0f, 0.0f, 0.0f}, {0.5f, 0.5f, 0.5f}, {0.5f, -0.5f, 0.5f}, {0.0f, 0.0f, 1.0f}};

enum { SLICE = 8 }; /* channels a task; fewer would have threads write into each other's cache lines */

typedef struct packing {
    bool turned;                    /* for dx: by 180 degrees, in and out exchanged */
    int64_t depth, columns, slices; /* of the packed matrices; slices: of the depth */
    const float *w;
    float *packed; /* [HNI_POINTS][columns / HNI_PANEL][depth][HNI_PANEL] */
} packing;

/* to[p stride ...] = (G g G^T)[p] of HNI_PANEL filters at once. */
HNI_CLONES static void transform_filters(const float taps[9][HNI_PANEL], float *restrict to, int64_t stride)
{
    float half[4][3][HNI_PANEL];
    for (int i = 0; i < 4; ++i)
        for (int x = 0; x < 3; ++x)
            for (int l = 0; l < HNI_PANEL; ++l)
                half[i][x][l] =
                    filter[i][0] * taps[x][l] + filter[i][1] * taps[3 + x][l] + filter[i][2] * taps[6 + x][l];
    for (int p = 0; p < HNI_POINTS; ++p)
        for (int l = 0; l < HNI_PANEL; ++l)
            to[p * stride + l] = filter[p % 4][0] * half[p / 4][0][l] + filter[p % 4][1] * half[p / 4][1][l] +
                                 filter[p % 4][2] * half[p / 4][2][l];
}

/* A panel of columns (output channels, or for dx input channels; zeros where it pads) and a slice of the depth. */
static void pack_slice(void *arg, int64_t task, int32_t thread)
{
    const packing *p = arg;
    const int64_t panel = task / p->slices, first = task % p->slices * SLICE, end = hni_min(first + SLICE, p->depth);
    const int64_t columns = hni_min(p->columns - panel * HNI_PANEL, HNI_PANEL);
    float taps[9][HNI_PANEL] = {{0}};
    (void)thread;
    for (int64_t k = first; k < end; ++k) {
        for (int64_t l = 0; l < columns; ++l) {
            const int64_t column = panel * HNI_PANEL + l;
            const float *w = p->w + 9 * (p->turned ? k * p->columns + column : column * p->depth + k);
            for (int t = 0; t < 9; ++t)
                taps[t][l] = w[p->turned ? 8 - t : t];
        }
        transform_filters((const float(*)[HNI_PANEL])taps, p->packed + (panel * p->depth + k) * HNI_PANEL,
                          p->depth * hni_winograd_padded(p->columns));
    }
}

void hni_winograd_pack(int32_t num_threads, const hni_conv *g, bool turned, const float *w, float *packed)
{
    packing p = {.turned = turned,
                 .depth = turned ? g->out : g->in,
                 .columns = turned ? g->in : g->out,
                 .w = w,
                 .packed = packed};
    p.slices = (p.depth + SLICE - 1) / SLICE;
    hni_parallel(num_threads, hni_winograd_padded(p.columns) / HNI_PANEL * p.slices, pack_slice, &p);
}

typedef struct unpacking {
    const hni_conv *g;
    int64_t count;
    size_t bytes;
    float *gradients;
    float *dw;
} unpacking;

/* taps = G^T s G of HNI_PANEL filters' gradients at once; sums: point apart. */
HNI_CLONES static void transform_gradients(const float *restrict sums, int64_t point, float taps[9][HNI_PANEL])
{
    float half[3][4][HNI_PANEL];
    for (int y = 0; y < 3; ++y)
        for (int x = 0; x < 4; ++x)
            for (int l = 0; l < HNI_PANEL; ++l) {
                half[y][x][l] = 0.0f;
                for (int i = 0; i < 4; ++i)
                    half[y][x][l] += filter[i][y] * sums[(4 * i + x) * point + l];
            }
    for (int t = 0; t < 9; ++t)
        for (int l = 0; l < HNI_PANEL; ++l) {
            taps[t][l] = 0.0f;
            for (int i = 0; i < 4; ++i)
                taps[t][l] += filter[i][t % 3] * half[t / 3][i][l];
        }
}

/* A slice of input channels: sums their gradients in order and adds G^T s G to dw. */
static void add_weight_gradient(void *arg, int64_t task, int32_t thread)
{
    const unpacking *u = arg;
    const hni_conv *g = u->g;
    (void)thread;
    const int64_t n = hni_winograd_padded(g->out), point = g->in * n, first = task * SLICE,
                  end = hni_min(first + SLICE, g->in);
    float *sums = u->gradients + first * n;
    for (int64_t i = 1; i < u->count; ++i)
        for (int p = 0; p < HNI_POINTS; ++p)
            hni_accumulate((end - first) * n,
                           (const float *)(const void *)((const char *)u->gradients + (size_t)i * u->bytes) +
                               p * point + first * n,
                           sums + p * point);
    for (int64_t in = first; in < end; ++in, sums += n)
        for (int64_t panel = 0; panel < g->out; panel += HNI_PANEL) {
            float taps[9][HNI_PANEL];
            transform_gradients(sums + panel, point, taps);
            for (int64_t l = 0; l < hni_min(HNI_PANEL, g->out - panel); ++l)
                for (int t = 0; t < 9; ++t)
                    u->dw[9 * ((panel + l) * g->in + in) + t] += taps[t][l];
        }
}

void hni_winograd_unpack_add(int32_t num_threads, const hni_conv *g, int64_t count, size_t bytes, float *gradients,
                             float *dw)
{
    unpacking u = {g, count, bytes, gradients, dw};
    hni_parallel(num_threads, (g->in + SLICE - 1) / SLICE, add_weight_gradient, &u);
}
