/* The library's own engine: 3x3 convolutions of stride 1 by Winograd's F(2x2, 3x3). Tiles are taken a block at a time, so
 * few that their transforms stay in the second-level cache: transform, one small product for each of the 16 points,
 * transform back.                                                                                                       */
#include "kernel/conv.h"

#include "base/integer.h"
#include "base/memory.h"
#include "base/parallel.h"
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

static const float filter[4][3] = {{1.0f, 0.0f, 0.0f}, {0.5f, 0.5f, 0.5f}, {0.5f, -0.5f, 0.5f}, {0.0f, 0.0f, 1.0f}};

typedef struct packing {
    const hni_conv *g;
    bool turned; /* for dx: by 180 degrees, in and out exchanged */
    const float *w;
    float *packed; /* [HNI_POINTS][columns / HNI_PANEL][depth][HNI_PANEL] */
} packing;

/* G g G^T of one column of the packed matrices: an output channel, or for dx an input channel; zeros where it pads. */
static void pack_column(void *arg, int64_t column, int32_t thread)
{
    const packing *p = arg;
    const hni_conv *g = p->g;
    (void)thread;
    const int64_t depth = p->turned ? g->out : g->in, columns = p->turned ? g->in : g->out;
    float *to = p->packed + column / HNI_PANEL * depth * HNI_PANEL + column % HNI_PANEL;
    for (int64_t k = 0; k < depth; ++k, to += HNI_PANEL) {
        const float *w = p->w + 9 * (p->turned ? k * g->in + column : column * g->in + k);
        float half[4][3];
        for (int i = 0; i < 4 && column < columns; ++i)
            for (int x = 0; x < 3; ++x) {
                half[i][x] = 0.0f;
                for (int y = 0; y < 3; ++y)
                    half[i][x] += filter[i][y] * (p->turned ? w[8 - 3 * y - x] : w[3 * y + x]);
            }
        for (int i = 0; i < HNI_POINTS; ++i) {
            float sum = 0.0f;
            for (int x = 0; x < 3 && column < columns; ++x)
                sum += filter[i % 4][x] * half[i / 4][x];
            to[i * depth * padded(columns)] = sum;
        }
    }
}

static void pack(int32_t num_threads, const hni_conv *g, bool turned, const float *w, float *packed)
{
    packing p = {g, turned, w, packed};
    hni_parallel(num_threads, padded(turned ? g->in : g->out), pack_column, &p);
}

typedef struct unpacking {
    const hni_conv *g;
    int64_t chunks;
    size_t partial_bytes;
    char *partials;
    float *dw;
} unpacking;

/* One input channel: sums its chunks in their order and adds G^T s G to dw. */
static void add_weight_gradient(void *arg, int64_t in, int32_t thread)
{
    const unpacking *u = arg;
    const hni_conv *g = u->g;
    (void)thread;
    const int64_t n = padded(g->out), point = g->in * n;
    float *sums = (float *)(void *)u->partials + in * n;
    for (int64_t chunk = 1; chunk < u->chunks; ++chunk)
        for (int p = 0; p < HNI_POINTS; ++p)
            hni_accumulate(
                n, (const float *)(const void *)(u->partials + (size_t)chunk * u->partial_bytes) + p * point + in * n,
                sums + p * point);
    for (int64_t out = 0; out < g->out; ++out) {
        float half[3][4], *dw = u->dw + 9 * (out * g->in + in);
        for (int y = 0; y < 3; ++y)
            for (int x = 0; x < 4; ++x) {
                half[y][x] = 0.0f;
                for (int i = 0; i < 4; ++i)
                    half[y][x] += filter[i][y] * sums[(4 * i + x) * point + out];
            }
        for (int y = 0; y < 3; ++y)
            for (int x = 0; x < 3; ++x) {
                float sum = 0.0f;
                for (int i = 0; i < 4; ++i)
                    sum += filter[i][x] * half[y][i];
                dw[3 * y + x] += sum;
            }
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
    hni_parallel(num_threads, g->in, add_weight_gradient, &u);
    return HN_OK;
}

const hni_conv_engine hni_conv_direct = {
    .name = "direct", .takes = takes, .prepare = prepare, .forward = forward, .backward = backward};
