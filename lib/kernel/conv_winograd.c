/* The library's own engine: 3x3 convolutions of stride 1 by Winograd's F(2x2, 3x3). Tiles are taken a block at a time, so
 * few that their transforms stay in the second-level cache: transform, one small product for each of the 16 points,
 * transform back.                                                                                                       */
#include "kernel/conv.h"

#include "base/integer.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "kernel/winograd.h"
#include "kernel/winograd_filters.h"

#include <string.h>

enum {
    BLOCK = 24,             /* tiles: a multiple of the rows that every variant keeps in registers             */
    PARTIAL_BYTES = 8 << 20 /* for the chunks' gradients of w */
};

static bool takes(const hni_conv *g)
{
    return g->dtype != HN_BF16 && g->kernel_height == 3 && g->kernel_width == 3 && g->stride == 1 && g->padding <= 2;
}

static int64_t chunk_count(const hni_conv *g)
{
    return hni_conv_chunks((size_t)hni_winograd_filters(g) * sizeof(float), PARTIAL_BYTES);
}

/* Pieces, of this number of images or fewer. */
static int64_t piece_bound(const hni_conv *g)
{
    return hni_conv_piece_bound(g, (g->out_height + 1) / 2 * ((g->out_width + 1) / 2), BLOCK);
}

/* Threads that can have a piece, and need memory. */
static size_t owners(const hni_conv *g, int32_t num_threads)
{
    return (size_t)hni_min(num_threads, piece_bound(g));
}

typedef struct layout {
    size_t packed, zeros, sources, targets, partial; /* bytes; sources and targets: a thread's, partial: a chunk's */
} layout;

static layout layout_of(const hni_conv *g)
{
    const hni_conv r = hni_conv_reversed(g);
    const int64_t channels = hni_max(g->in, g->out), width = hni_max(g->width, g->out_width);
    return (layout){
        .packed = hni_round_up((size_t)hni_max(hni_winograd_filters(g), hni_winograd_filters(&r)) * sizeof(float)),
        .zeros = hni_round_up((size_t)(width * channels) * sizeof(float)),
        .sources = hni_round_up((size_t)(HNI_POINTS * BLOCK * channels) * sizeof(float)),
        .targets = hni_round_up((size_t)(HNI_POINTS * BLOCK * hni_winograd_padded(channels)) * sizeof(float)),
        .partial = hni_round_up((size_t)hni_winograd_filters(g) * sizeof(float))};
}

static hn_status prepare(hn_context *context, int32_t num_threads, const hni_conv *g, bool backward, size_t *bytes)
{
    (void)context;
    const layout l = layout_of(g);
    const int64_t chunks = backward ? hni_min(chunk_count(g), piece_bound(g)) : 0;
    *bytes = l.packed + l.zeros + owners(g, num_threads) * (l.sources + l.targets) + (size_t)chunks * l.partial;
    return HN_OK;
}

/* Tiles are worked on in pieces: a part of the images, or where these are few a block of tiles. */
typedef struct job {
    const hni_conv *g;
    const hni_winograd *isa;
    const hni_conv_visit *visit;
    int64_t high, wide; /* tiles of an image */
    int64_t tiles;      /* of all images     */
    int64_t piece_tiles, pieces, chunks;
    bool by_parts;
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
             .by_parts = hni_conv_part_count(g) >= HNI_CONV_FEW_PARTS,
             .packed = scratch,
             .zeros = (float *)(void *)((char *)scratch + l->packed),
             .own = (char *)scratch + l->packed + l->zeros,
             .bytes = *l};
    j.partials = j.own + owners(g, num_threads) * (l->sources + l->targets);
    j.tiles = g->images * j.high * j.wide;
    j.piece_tiles = j.by_parts ? hni_conv_part_images(g) * j.high * j.wide : BLOCK;
    j.pieces = (j.tiles + j.piece_tiles - 1) / j.piece_tiles;
    return j;
}

/* [first, end) of tiles, pieces or parts. */
typedef struct span {
    int64_t first, end;
} span;

/* The tiles of pieces [piece, last). */
static span tiles_of(const job *j, int64_t piece, int64_t last)
{
    return (span){piece * j->piece_tiles, hni_min(last * j->piece_tiles, j->tiles)};
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

static void forward_tiles(const job *j, span tiles, int32_t thread)
{
    const hni_conv *g = j->g;
    const int64_t n = hni_winograd_padded(g->out);
    float *v = sources(j, thread), *m = targets(j, thread);
    for (int64_t first = tiles.first; first < tiles.end; first += BLOCK) {
        const int64_t count = hni_min(BLOCK, tiles.end - first);
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

/* Adds to the chunk's gradient of w. */
static void gradient_tiles(const job *j, span tiles, float *partial, int32_t thread)
{
    const hni_conv *g = j->g;
    const int64_t n = hni_winograd_padded(g->out);
    float *v = sources(j, thread), *m = targets(j, thread);
    if (n != g->out)
        memset(m, 0, j->bytes.targets); /* the columns that pad a panel stay zero */
    for (int64_t first = tiles.first; first < tiles.end; first += BLOCK) {
        const int64_t count = hni_min(BLOCK, tiles.end - first);
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

/* ---- the engine -------------------------------------------------------------------------------------------------- */

static void forward_chunk(void *arg, int64_t chunk, int32_t thread)
{
    const job *j = arg;
    forward_tiles(j, tiles_of(j, chunk * j->pieces / j->chunks, (chunk + 1) * j->pieces / j->chunks), thread);
    if (j->by_parts)
        hni_conv_visit_part(j->g, j->visit, chunk, thread);
}

static void clear_zeros(const layout *l, void *scratch)
{
    memset((char *)scratch + l->packed, 0, l->zeros);
}

static hn_status forward(hn_context *context, int32_t num_threads, const hni_conv *g, const void *x, const float *w,
                         void *y, void *scratch, const hni_conv_visit *after)
{
    (void)context;
    const layout l = layout_of(g);
    clear_zeros(&l, scratch);
    hni_winograd_pack(num_threads, g, false, w, scratch);
    job j = job_of(g, &l, scratch, num_threads);
    j.x = x;
    j.y = y;
    j.visit = after;
    j.chunks = j.by_parts ? j.pieces : hni_min(j.pieces, HNI_CONV_MAX_CHUNKS);
    hni_parallel(num_threads, j.chunks, forward_chunk, &j);
    if (!j.by_parts)
        hni_conv_visit_all(num_threads, g, after);
    return HN_OK;
}

typedef struct gradients {
    job data, weights; /* the convolution that gives dx; the one whose dw is wanted */
    bool dx, dw;
} gradients;

/* Pieces [first, last) of each; they are the same images where pieces are parts. */
static void backward_pieces(const gradients *b, span data, span weights, float *partial, int32_t thread)
{
    if (b->dx)
        forward_tiles(&b->data, tiles_of(&b->data, data.first, data.end), thread);
    if (b->dw)
        gradient_tiles(&b->weights, tiles_of(&b->weights, weights.first, weights.end), partial, thread);
}

static void backward_chunk(void *arg, int64_t chunk, int32_t thread)
{
    const gradients *b = arg;
    const job *d = &b->data, *w = &b->weights;
    const span data = {chunk * d->pieces / w->chunks, (chunk + 1) * d->pieces / w->chunks};
    const span weights = {chunk * w->pieces / w->chunks, (chunk + 1) * w->pieces / w->chunks};
    float *partial = (float *)(void *)(w->partials + (size_t)chunk * w->bytes.partial);
    if (b->dw)
        memset(partial, 0, w->bytes.partial);
    if (!w->by_parts) {
        backward_pieces(b, data, weights, partial, thread);
        return;
    }
    for (int64_t part = weights.first; part < weights.end; ++part) {
        hni_conv_visit_part(w->g, w->visit, part, thread);
        backward_pieces(b, (span){part, part + 1}, (span){part, part + 1}, partial, thread);
    }
}

static hn_status backward(hn_context *context, int32_t num_threads, const hni_conv *g, const void *x, const float *w,
                          const void *dy, void *dx, float *dw, void *scratch, const hni_conv_visit *before)
{
    (void)context;
    const layout l = layout_of(g);
    const hni_conv r = hni_conv_reversed(g);
    clear_zeros(&l, scratch);
    if (dx != NULL)
        hni_winograd_pack(num_threads, g, true, w, scratch);
    gradients b = {job_of(&r, &l, scratch, num_threads), job_of(g, &l, scratch, num_threads), dx != NULL, dw != NULL};
    b.data.x = dy;
    b.data.y = dx;
    b.weights.x = x;
    b.weights.dy = dy;
    b.weights.visit = before;
    b.weights.chunks = hni_min(chunk_count(g), b.weights.pieces);
    if (!b.weights.by_parts)
        hni_conv_visit_all(num_threads, g, before);
    hni_parallel(num_threads, b.weights.chunks, backward_chunk, &b);
    if (dw != NULL)
        hni_winograd_unpack_add(num_threads, g, b.weights.chunks, l.partial, (float *)(void *)b.weights.partials, dw);
    return HN_OK;
}

/* With few channels the transforms cost more than the products save. Filters take 64 bytes for a pair of channels and are
 * read again for every few tiles: above 8 MiB, as from 512 channels to 512, they come from memory.                     */
bool hni_conv_winograd_leads(const hni_conv *g)
{
    enum { CHANNELS = 8, WEIGHTS = 1 << 17 };
    return takes(g) && g->in >= CHANNELS && g->out >= CHANNELS && g->in * g->out <= WEIGHTS;
}

const hni_conv_engine hni_conv_winograd = {
    .name = "direct", .takes = takes, .prepare = prepare, .forward = forward, .backward = backward};
