/* The library's own engine: 3x3 convolutions of stride 1 by Winograd's F(2x2, 3x3). Tiles are taken a block at a time, so
 * few that their transforms stay in the second-level cache: transform, one small product for each of the 16 points,
 * transform back.                                                                                                       */
#include "kernel/conv.h"

#include "base/integer.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "kernel/clones.h"
#include "kernel/elementwise.h"
#include "kernel/winograd.h"

#include <string.h>

enum {
    BLOCK = 24,      /* tiles: a multiple of the rows that every variant keeps in registers             */
    MAX_CHUNKS = 32, /* of tiles, a task each; in the gradient of w with a sum of its own                */
    MIN_CHUNKS = 8,
    PARTIAL_BYTES = 8 << 20 /* for these sums, unless that leaves too few chunks                          */
};

static bool takes(const hni_conv *g)
{
    return g->kernel_height == 3 && g->kernel_width == 3 && g->stride == 1 && g->padding <= 2;
}

/* The convolution that computes dx from dy. */
static hni_conv reversed(const hni_conv *g)
{
    return (hni_conv){g->images, g->out_height, g->out_width, g->out, g->height, g->width, g->in, 3, 3,
                      1,         2 - g->padding};
}

static int64_t padded(int64_t channels)
{
    return (channels + HNI_PANEL - 1) / HNI_PANEL * HNI_PANEL;
}

/* Floats of transformed weights, or of their gradient: [HNI_POINTS][in][padded(out)]. */
static int64_t weights(const hni_conv *g)
{
    return HNI_POINTS * g->in * padded(g->out);
}

/* Depends on shapes only, as the order of summation does. */
static int64_t chunk_count(const hni_conv *g)
{
    int64_t affordable = PARTIAL_BYTES / 4 / weights(g);
    return affordable < MIN_CHUNKS ? MIN_CHUNKS : hni_min(affordable, MAX_CHUNKS);
}

typedef struct layout {
    size_t packed, zeros, sources, targets, partial; /* bytes; sources and targets: a thread's, partial: a chunk's */
} layout;

static layout layout_of(const hni_conv *g)
{
    const hni_conv r = reversed(g);
    const int64_t channels = hni_max(g->in, g->out), width = hni_max(g->width, g->out_width);
    return (layout){.packed = hni_round_up((size_t)hni_max(weights(g), weights(&r)) * sizeof(float)),
                    .zeros = hni_round_up((size_t)(width * channels) * sizeof(float)),
                    .sources = hni_round_up((size_t)(HNI_POINTS * BLOCK * channels) * sizeof(float)),
                    .targets = hni_round_up((size_t)(HNI_POINTS * BLOCK * padded(channels)) * sizeof(float)),
                    .partial = hni_round_up((size_t)weights(g) * sizeof(float))};
}

static hn_status prepare(hn_context *context, int32_t num_threads, const hni_conv *g, size_t *bytes)
{
    (void)context;
    const layout l = layout_of(g);
    *bytes = l.packed + l.zeros + (size_t)num_threads * (l.sources + l.targets) + (size_t)chunk_count(g) * l.partial;
    return HN_OK;
}

typedef struct job {
    const hni_conv *g;
    const hni_winograd *isa;
    int64_t high, wide;         /* tiles of an image */
    int64_t tiles, chunk_tiles; /* of all images; of a chunk, a multiple of BLOCK */
    const float *x, *dy;
    float *y;
    const float *packed, *zeros;
    char *own; /* a thread's sources and targets */
    char *partials;
    layout bytes;
} job;

static job job_of(const hni_conv *g, const layout *l, void *scratch, int32_t num_threads)
{
    job j = {.g = g,
             .isa = hni_winograd_best(),
             .high = (g->out_height + 1) / 2,
             .wide = (g->out_width + 1) / 2,
             .packed = scratch,
             .zeros = (float *)(void *)((char *)scratch + l->packed),
             .own = (char *)scratch + l->packed + l->zeros,
             .bytes = *l};
    j.partials = j.own + (size_t)num_threads * (l->sources + l->targets);
    j.tiles = g->images * j.high * j.wide;
    const int64_t chunks = chunk_count(g);
    j.chunk_tiles = ((j.tiles + chunks - 1) / chunks + BLOCK - 1) / BLOCK * BLOCK;
    return j;
}

static int64_t chunks_of(const job *j)
{
    return (j->tiles + j->chunk_tiles - 1) / j->chunk_tiles;
}

static float *sources(const job *j, int32_t thread)
{
    return (float *)(void *)(j->own + (size_t)thread * (j->bytes.sources + j->bytes.targets));
}

static float *targets(const job *j, int32_t thread)
{
    return (float *)(void *)((char *)sources(j, thread) + j->bytes.sources);
}

/* ---- blocks of tiles --------------------------------------------------------------------------------------------- */

/* Neighbours within one row of an image's tiles. */
typedef struct run {
    int64_t image, row, column, tiles; /* row and column count tiles */
} run;

static run run_at(const job *j, int64_t tile, int64_t last)
{
    const int64_t row = tile / j->wide, column = tile % j->wide;
    return (run){row / j->high, row % j->high, column, hni_min(j->wide - column, last - tile)};
}

/* Transforms count tiles of x, or of what stands for it. v: [HNI_POINTS][count][in]. */
static void transform(const job *j, int64_t first, int64_t count, float *v)
{
    const hni_conv *g = j->g;
    const int64_t row_floats = g->width * g->in;
    for (int64_t at = first; at < first + count;) {
        const run r = run_at(j, at, first + count);
        const float *rows[4];
        for (int64_t i = 0; i < 4; ++i) {
            const int64_t y = 2 * r.row - g->padding + i;
            rows[i] = y < 0 || y >= g->height ? j->zeros : j->x + (r.image * g->height + y) * row_floats;
        }
        j->isa->input(r.tiles, g->in, rows, 2 * r.column - g->padding, g->width, v + (at - first) * g->in,
                      count * g->in);
        at += r.tiles;
    }
}

/* Where a run's results stand in y; rows[1] is NULL below the image. */
static void result_rows(const job *j, const run *r, float *y, float *rows[2])
{
    const hni_conv *g = j->g;
    const int64_t row = 2 * r->row, row_floats = g->out_width * g->out;
    rows[0] = y + (r->image * g->out_height + row) * row_floats + 2 * r->column * g->out;
    rows[1] = row + 1 < g->out_height ? rows[0] + row_floats : NULL;
}

static void forward_chunk(void *arg, int64_t chunk, int32_t thread)
{
    const job *j = arg;
    const hni_conv *g = j->g;
    const int64_t end = hni_min((chunk + 1) * j->chunk_tiles, j->tiles), n = padded(g->out);
    float *v = sources(j, thread), *m = targets(j, thread);
    for (int64_t first = chunk * j->chunk_tiles; first < end; first += BLOCK) {
        const int64_t count = hni_min(BLOCK, end - first);
        transform(j, first, count, v);
        for (int64_t p = 0; p < HNI_POINTS; ++p)
            j->isa->multiply(count, n, g->in, v + p * count * g->in, g->in, j->packed + p * g->in * n,
                             m + p * count * n);
        for (int64_t at = first; at < first + count;) {
            const run r = run_at(j, at, first + count);
            float *rows[2];
            result_rows(j, &r, j->y, rows);
            j->isa->output(r.tiles, g->out, m + (at - first) * n, n, count * n, rows, g->out_width - 2 * r.column);
            at += r.tiles;
        }
    }
}

static void weight_gradient_chunk(void *arg, int64_t chunk, int32_t thread)
{
    const job *j = arg;
    const hni_conv *g = j->g;
    const int64_t end = hni_min((chunk + 1) * j->chunk_tiles, j->tiles), n = padded(g->out);
    float *v = sources(j, thread), *m = targets(j, thread);
    float *partial = (float *)(void *)(j->partials + (size_t)chunk * j->bytes.partial);
    memset(partial, 0, j->bytes.partial);
    memset(m, 0, j->bytes.targets); /* the columns that pad a panel stay zero */
    for (int64_t first = chunk * j->chunk_tiles; first < end; first += BLOCK) {
        const int64_t count = hni_min(BLOCK, end - first);
        transform(j, first, count, v);
        for (int64_t at = first; at < first + count;) {
            const run r = run_at(j, at, first + count);
            float *rows[2];
            result_rows(j, &r, (float *)(uintptr_t)j->dy, rows);
            j->isa->gradient(r.tiles, g->out, (const float *const *)rows, g->out_width - 2 * r.column,
                             m + (at - first) * n, n, count * n);
            at += r.tiles;
        }
        for (int64_t p = 0; p < HNI_POINTS; ++p)
            j->isa->accumulate(g->in, n, count, v + p * count * g->in, m + p * count * n, partial + p * g->in * n);
    }
}

/* ---- weights ----------------------------------------------------------------------------------------------------- */

/* G of F(2x2, 3x3). */
static const float filter[4][3] = {{1.0f, 0.0f, 0.0f}, {0.5f, 0.5f, 0.5f}, {0.5f, -0.5f, 0.5f}, {0.0f, 0.0f, 1.0f}};

enum { SLICE = 8 }; /* channels a task; fewer would have threads write into each other's cache lines */

typedef struct packing {
    const hni_conv *g;
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
                          p->depth * padded(p->columns));
    }
}

static void pack(int32_t num_threads, const hni_conv *g, bool turned, const float *w, float *packed)
{
    packing p = {.g = g,
                 .turned = turned,
                 .depth = turned ? g->out : g->in,
                 .columns = turned ? g->in : g->out,
                 .w = w,
                 .packed = packed};
    p.slices = (p.depth + SLICE - 1) / SLICE;
    hni_parallel(num_threads, padded(p.columns) / HNI_PANEL * p.slices, pack_slice, &p);
}

typedef struct unpacking {
    const hni_conv *g;
    int64_t chunks;
    size_t partial_bytes;
    char *partials;
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

/* A slice of input channels: sums their chunks in order and adds G^T s G to dw. */
static void add_weight_gradient(void *arg, int64_t task, int32_t thread)
{
    const unpacking *u = arg;
    const hni_conv *g = u->g;
    (void)thread;
    const int64_t n = padded(g->out), point = g->in * n, first = task * SLICE, end = hni_min(first + SLICE, g->in);
    float *sums = (float *)(void *)u->partials + first * n;
    for (int64_t chunk = 1; chunk < u->chunks; ++chunk)
        for (int p = 0; p < HNI_POINTS; ++p)
            hni_accumulate((end - first) * n,
                           (const float *)(const void *)(u->partials + (size_t)chunk * u->partial_bytes) + p * point +
                               first * n,
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

/* ---- the engine -------------------------------------------------------------------------------------------------- */

/* y = x convolved with weights that are packed already. */
static void convolve(int32_t num_threads, const hni_conv *g, const layout *l, const float *x, float *y, void *scratch)
{
    job j = job_of(g, l, scratch, num_threads);
    j.x = x;
    j.y = y;
    hni_parallel(num_threads, chunks_of(&j), forward_chunk, &j);
}

static void clear_zeros(const layout *l, void *scratch)
{
    memset((char *)scratch + l->packed, 0, l->zeros);
}

static hn_status forward(hn_context *context, int32_t num_threads, const hni_conv *g, const float *x, const float *w,
                         float *y, void *scratch)
{
    (void)context;
    const layout l = layout_of(g);
    clear_zeros(&l, scratch);
    pack(num_threads, g, false, w, scratch);
    convolve(num_threads, g, &l, x, y, scratch);
    return HN_OK;
}

static hn_status backward(hn_context *context, int32_t num_threads, const hni_conv *g, const float *x, const float *w,
                          const float *dy, float *dx, float *dw, void *scratch)
{
    (void)context;
    const layout l = layout_of(g);
    clear_zeros(&l, scratch);
    if (dx != NULL) {
        const hni_conv r = reversed(g);
        pack(num_threads, g, true, w, scratch);
        convolve(num_threads, &r, &l, dy, dx, scratch);
    }
    if (dw == NULL)
        return HN_OK;
    job j = job_of(g, &l, scratch, num_threads);
    j.x = x;
    j.dy = dy;
    hni_parallel(num_threads, chunks_of(&j), weight_gradient_chunk, &j);
    unpacking u = {g, chunks_of(&j), l.partial, j.partials, dw};
    hni_parallel(num_threads, (g->in + SLICE - 1) / SLICE, add_weight_gradient, &u);
    return HN_OK;
}

const hni_conv_engine hni_conv_direct = {
    .name = "direct", .takes = takes, .prepare = prepare, .forward = forward, .backward = backward};
