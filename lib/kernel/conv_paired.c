/* The library's own engine for bf16, for every geometry: each row of results from rows of the image that were copied into
 * a frame of zeros. Copies and what is computed from them stay in the first-level cache.                               */
#include "kernel/conv.h"

#include "base/context.h"
#include "base/integer.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "kernel/frame.h"
#include "kernel/paired.h"
#include "kernel/paired_filters.h"

#include <string.h>

enum {
    COPY_BYTES = 48 << 10,  /* of an image, if it does not need more for a single row of results                  */
    CHUNK_PARTS = 4,        /* parts whose work outweighs such a gradient                                         */
    PARTIAL_BYTES = 1 << 20 /* for the chunks' gradients of w, which should stay cached */
};

static bool takes(const hni_conv *g)
{
    return g->dtype == HN_BF16;
}

/* ---- bands of rows ----------------------------------------------------------------------------------------------- */

static int64_t even(int64_t channels)
{
    return channels + channels % 2;
}

/* So many units that base + count unit_bytes <= COPY_BYTES, but at least 1. */
static int64_t affordable(int64_t base, int64_t unit_bytes, int64_t most)
{
    return hni_max(1, hni_min(most, (COPY_BYTES - base) / unit_bytes));
}

/* A convolution out of a frame: g itself, or the one that gives dx. */
typedef struct framed {
    hni_frame in;
    int64_t numbers, rows; /* of a pixel of the copy; of results in a band */
    int64_t out_height, out_width, out;
    int64_t stride;
} framed;

static framed framed_of(const hni_conv *g, bool turned)
{
    const hni_frame x = {.height = g->height,
                         .width = g->width,
                         .channels = g->in,
                         .top = g->padding,
                         .left = g->padding,
                         .spread = 1,
                         .pixels = (g->out_width - 1) * g->stride + g->kernel_width};
    const hni_frame dy = {.height = g->out_height,
                          .width = g->out_width,
                          .channels = g->out,
                          .top = g->kernel_height - 1 - g->padding,
                          .left = g->kernel_width - 1 - g->padding,
                          .spread = g->stride,
                          .pixels = g->width + g->kernel_width - 1};
    framed f = turned ? (framed){dy, 0, 0, g->height, g->width, g->in, 1}
                      : (framed){x, 0, 0, g->out_height, g->out_width, g->out, g->stride};
    f.numbers = even(f.in.channels);
    const int64_t row = f.in.pixels * f.numbers * (int64_t)sizeof(hni_bf16);
    f.rows = affordable((g->kernel_height - f.stride) * row, f.stride * row, f.out_height);
    return f;
}

static size_t framed_bytes(const framed *f, const hni_conv *g)
{
    const int64_t rows = (f->rows - 1) * f->stride + g->kernel_height;
    return hni_round_up((size_t)(rows * f->in.pixels * f->numbers) * sizeof(hni_bf16));
}

/* Pairs of rows for the gradient of w: of several small images at a time, or of a band of a large one. */
typedef struct pairing {
    hni_frame x, dy;
    int64_t columns;          /* of dy, whole panels                            */
    int64_t images, segments; /* at a time; a segment is two rows of dy         */
    int64_t x_row, x_image;   /* numbers from one to the next                   */
    int64_t dy_segment, dy_image;
} pairing;

/* Rows of pairs that the segments need: their kernels begin 2 stride apart. */
static int64_t paired_rows(const hni_conv *g, int64_t segments)
{
    return 2 * g->stride * (segments - 1) + g->kernel_height;
}

static pairing pairing_of(const hni_conv *g)
{
    const int64_t all = (g->out_height + 1) / 2, border = g->kernel_width - 1;
    pairing p = {.x = framed_of(g, false).in, .columns = hni_paired_padded(g->out)};
    p.dy = (hni_frame){.height = g->out_height,
                       .width = g->out_width,
                       .channels = g->out,
                       .left = border,
                       .spread = 1,
                       .pixels = g->out_width + 2 * border};
    p.x_row = 2 * p.x.pixels * g->in;
    p.dy_segment = 2 * p.dy.pixels * p.columns;
    const int64_t row = p.x_row * (int64_t)sizeof(hni_bf16);
    p.segments = affordable((g->kernel_height - 2 * g->stride) * row, 2 * g->stride * row, all);
    p.images = p.segments < all ? 1 : affordable(0, paired_rows(g, all) * row, hni_conv_part_images(g));
    p.x_image = paired_rows(g, p.segments) * p.x_row;
    p.dy_image = p.segments * p.dy_segment;
    return p;
}

typedef struct layout {
    size_t plain, packed, zeros;
    size_t copy, x_pairs, dy_pairs; /* of a thread */
    size_t partial;                 /* of a chunk  */
    framed forward, turned;
    pairing pairs;
} layout;

static layout layout_of(const hni_conv *g)
{
    const int64_t packed = hni_max(hni_paired_packed(g, false), hni_paired_packed(g, true));
    layout l = {.forward = framed_of(g, false), .turned = framed_of(g, true), .pairs = pairing_of(g)};
    const size_t copies[2] = {framed_bytes(&l.forward, g), framed_bytes(&l.turned, g)};
    l.plain = hni_round_up((size_t)(g->out * g->in * g->kernel_height * g->kernel_width) * sizeof(hni_bf16));
    l.packed = hni_round_up((size_t)packed * sizeof(hni_bf16));
    l.zeros = hni_round_up((size_t)hni_max(g->width * g->in, g->out_width * g->out) * sizeof(hni_bf16));
    l.copy = copies[0] > copies[1] ? copies[0] : copies[1];
    l.x_pairs = hni_round_up((size_t)(l.pairs.images * l.pairs.x_image) * sizeof(hni_bf16));
    l.dy_pairs = hni_round_up((size_t)(l.pairs.images * l.pairs.dy_image) * sizeof(hni_bf16));
    l.partial = hni_round_up((size_t)hni_paired_gradients(g) * sizeof(float));
    return l;
}

static int64_t chunk_count(const hni_conv *g, const layout *l)
{
    const int64_t bound = hni_conv_part_bound(g), worth = hni_min(bound / CHUNK_PARTS, HNI_CONV_MAX_CHUNKS);
    return hni_min(bound, hni_max(hni_conv_chunks(l->partial, PARTIAL_BYTES), worth));
}

static size_t own_bytes(const layout *l)
{
    return l->copy + l->x_pairs + l->dy_pairs;
}

/* Threads that can have a part, and need memory. */
static size_t owners(const hni_conv *g, int32_t num_threads)
{
    return (size_t)hni_min(num_threads, hni_conv_part_bound(g));
}

static hn_status prepare(hn_context *context, int32_t num_threads, const hni_conv *g, bool backward, size_t *bytes)
{
    (void)context;
    const layout l = layout_of(g);
    const int64_t chunks = backward ? chunk_count(g, &l) : 0;
    *bytes = l.plain + l.packed + l.zeros + owners(g, num_threads) * own_bytes(&l) + (size_t)chunks * l.partial;
    return HN_OK;
}

/* ---- images ------------------------------------------------------------------------------------------------------ */

typedef struct job {
    const hni_conv *g;
    const hni_paired *isa;
    const hni_conv_visit *visit;
    layout l;
    int64_t chunks;
    const hni_bf16 *x, *dy;
    hni_bf16 *y, *dx;
    bool dw;
    hni_bf16 *plain, *packed, *zeros;
    char *own, *partials;
} job;

static job job_of(const hni_conv *g, int32_t num_threads, void *scratch, const hni_conv_visit *visit)
{
    job j = {.g = g, .isa = hni_paired_best(), .visit = visit, .l = layout_of(g)};
    char *at = scratch;
    j.plain = (hni_bf16 *)(void *)at;
    j.packed = (hni_bf16 *)(void *)(at += j.l.plain);
    j.zeros = (hni_bf16 *)(void *)(at += j.l.packed);
    j.own = at += j.l.zeros;
    j.partials = at + owners(g, num_threads) * own_bytes(&j.l);
    j.chunks = hni_min(chunk_count(g, &j.l), hni_conv_part_count(g));
    return j;
}

/* A thread's memory, `offset` bytes behind its beginning. */
static hni_bf16 *own(const job *j, int32_t thread, size_t offset)
{
    return (hni_bf16 *)(void *)(j->own + (size_t)thread * own_bytes(&j->l) + offset);
}

/* What the next band or image will read: its rows come into the second-level cache while this one is computed. `done`
 * of the image's rows of results are. Past the last image the addresses may be invalid, which is harmless to prefetch. */
static void prefetch(const framed *f, const hni_bf16 *image, int64_t done, int64_t rows)
{
    enum { LINE = 64 };
    const int64_t row = f->in.width * f->in.channels * (int64_t)sizeof *image;
    const uintptr_t first = (uintptr_t)image + (uintptr_t)(f->in.height * done / f->out_height * row);
    for (int64_t i = 0; i < f->in.height * rows / f->out_height * row; i += LINE)
        __builtin_prefetch((const void *)(first + (uintptr_t)i), 0, 2);
}

/* y of one image, or with the turned convolution dx out of dy. */
static void convolve(const job *j, const framed *f, const hni_bf16 *x, hni_bf16 *y, hni_bf16 *copy)
{
    const hni_conv *g = j->g;
    const int64_t row = f->in.pixels * f->numbers;
    for (int64_t first = 0; first < f->out_height; first += f->rows) {
        const int64_t rows = hni_min(f->rows, f->out_height - first);
        for (int64_t i = 0; i < (rows - 1) * f->stride + g->kernel_height; ++i)
            hni_frame_copy(&f->in, hni_frame_row(&f->in, x, first * f->stride + i), f->numbers, copy + i * row);
        prefetch(f, x, first + rows, rows);
        j->isa->multiply(&(hni_paired_conv){.rows = rows,
                                            .pixels = f->out_width,
                                            .columns = f->out,
                                            .kernel_height = g->kernel_height,
                                            .kernel_width = g->kernel_width,
                                            .pairs = f->numbers / 2,
                                            .stride = f->stride,
                                            .x_row = row,
                                            .x = copy,
                                            .w = j->packed,
                                            .y = y + first * f->out_width * f->out});
    }
}

/* Adds the gradient of w of some images' segments to the partial one. */
static void gradient_of(const job *j, int64_t image, int64_t images, int64_t first, int64_t segments, float *partial,
                        int32_t thread)
{
    const hni_conv *g = j->g;
    const pairing *p = &j->l.pairs;
    hni_bf16 *x = own(j, thread, j->l.copy), *dy = own(j, thread, j->l.copy + j->l.x_pairs);
    for (int64_t i = 0; i < images; ++i) {
        const hni_bf16 *from_x = j->x + (image + i) * g->height * g->width * g->in;
        const hni_bf16 *from_dy = j->dy + (image + i) * g->out_height * g->out_width * g->out;
        for (int64_t r = 0; r < paired_rows(g, segments); ++r) {
            const int64_t row = 2 * g->stride * first + r;
            if (r % (2 * g->stride) < g->kernel_height)
                hni_frame_pair(j->isa, &p->x, hni_frame_row(&p->x, from_x, row),
                               hni_frame_row(&p->x, from_x, row + g->stride), j->zeros, g->in,
                               x + i * p->x_image + r * p->x_row);
        }
        for (int64_t s = 0; s < segments; ++s) {
            const hni_bf16 *row = from_dy + 2 * (first + s) * g->out_width * g->out;
            const bool whole = 2 * (first + s) + 1 < g->out_height;
            hni_frame_pair(j->isa, &p->dy, row, whole ? row + g->out_width * g->out : NULL, j->zeros, p->columns,
                           dy + i * p->dy_image + s * p->dy_segment);
        }
    }
    for (int64_t ky = 0; ky < g->kernel_height; ++ky)
        j->isa->accumulate(&(hni_paired_gradient){.images = images,
                                                  .segments = segments,
                                                  .pixels = g->out_width,
                                                  .taps = g->kernel_width,
                                                  .in = g->in,
                                                  .columns = p->columns,
                                                  .stride = g->stride,
                                                  .x_image = p->x_image,
                                                  .x_segment = 2 * g->stride * p->x_row,
                                                  .dy_image = p->dy_image,
                                                  .dy_segment = p->dy_segment,
                                                  .x = x + ky * p->x_row,
                                                  .dy = dy + 2 * p->dy.left * p->columns,
                                                  .dw = partial + ky * g->kernel_width * g->in * p->columns});
}

/* ---- the engine -------------------------------------------------------------------------------------------------- */

static void forward_part(void *arg, int64_t part, int32_t thread)
{
    const job *j = arg;
    const hni_conv *g = j->g;
    int64_t first, end;
    hni_conv_part(g, part, &first, &end);
    for (int64_t i = first; i < end; ++i)
        convolve(j, &j->l.forward, j->x + i * g->height * g->width * g->in,
                 j->y + i * g->out_height * g->out_width * g->out, own(j, thread, 0));
    hni_conv_visit_part(g, j->visit, part, thread);
}

static hn_status forward(hn_context *context, int32_t num_threads, const hni_conv *g, const void *x, const float *w,
                         void *y, void *scratch, const hni_conv_visit *after)
{
    (void)context;
    job j = job_of(g, num_threads, scratch, after);
    j.x = x;
    j.y = y;
    hni_paired_pack(num_threads, g, false, w, j.plain, j.packed);
    hni_parallel(num_threads, hni_conv_part_count(g), forward_part, &j);
    return HN_OK;
}

static void backward_part(const job *j, int64_t part, float *partial, int32_t thread)
{
    const hni_conv *g = j->g;
    const pairing *p = &j->l.pairs;
    int64_t first, end;
    hni_conv_part(g, part, &first, &end);
    const int64_t all = (g->out_height + 1) / 2;
    hni_conv_visit_part(g, j->visit, part, thread);
    for (int64_t i = first; j->dx != NULL && i < end; ++i)
        convolve(j, &j->l.turned, j->dy + i * g->out_height * g->out_width * g->out,
                 j->dx + i * g->height * g->width * g->in, own(j, thread, 0));
    for (int64_t i = first; j->dw && i < end; i += p->images)
        for (int64_t s = 0; s < all; s += p->segments)
            gradient_of(j, i, hni_min(p->images, end - i), s, hni_min(p->segments, all - s), partial, thread);
}

static void backward_chunk(void *arg, int64_t chunk, int32_t thread)
{
    const job *j = arg;
    const int64_t parts = hni_conv_part_count(j->g);
    float *partial = (float *)(void *)(j->partials + (size_t)chunk * j->l.partial);
    if (j->dw)
        memset(partial, 0, j->l.partial);
    for (int64_t part = chunk * parts / j->chunks; part < (chunk + 1) * parts / j->chunks; ++part)
        backward_part(j, part, partial, thread);
}

static hn_status backward(hn_context *context, int32_t num_threads, const hni_conv *g, const void *x, const float *w,
                          const void *dy, void *dx, float *dw, void *scratch, const hni_conv_visit *before)
{
    (void)context;
    job j = job_of(g, num_threads, scratch, before);
    j.x = x;
    j.dy = dy;
    j.dx = dx;
    j.dw = dw != NULL;
    memset(j.zeros, 0, j.l.zeros);
    if (dx != NULL)
        hni_paired_pack(num_threads, g, true, w, j.plain, j.packed);
    hni_parallel(num_threads, j.chunks, backward_chunk, &j);
    if (dw != NULL)
        hni_paired_unpack_add(num_threads, g, j.chunks, j.l.partial, (float *)(void *)j.partials, dw);
    return HN_OK;
}

/* As measured against oneDNN (bench/README.md). */
bool hni_conv_paired_leads(const hn_context *context, const hni_conv *g)
{
    enum { CHANNELS = 64 };
    return takes(g) && g->kernel_height == 3 && g->kernel_width == 3 && g->stride == 1 && g->in <= CHANNELS &&
           g->out <= CHANNELS && context->bf16_vectors;
}

const hni_conv_engine hni_conv_paired = {
    .name = "paired", .takes = takes, .prepare = prepare, .forward = forward, .backward = backward};
