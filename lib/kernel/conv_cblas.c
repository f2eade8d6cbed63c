/* Convolution as matrix products. A column matrix has one row a pixel of the result, [kernel_height, kernel_width,
 * channels] long, so that a row is copied from the image in kernel_height contiguous runs. It is made a block of pixels
 * at a time, small enough to stay in the second-level cache.
 *
 * The gradient of x for stride 1 is itself a convolution of dy with the kernel turned by 180 degrees; its columns of dy
 * serve the gradient of w too. Otherwise the columns of x give dw, and dx is summed from columns of gradients.          */
#include "kernel/conv.h"

#include "base/integer.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "kernel/columns.h"
#include "kernel/elementwise.h"
#include "kernel/gemm.h"
#include "kernel/weight_order.h"

#include <string.h>

enum {
    SMALL_PRODUCT = 1000000, /* m n k up to which OpenBLAS multiplies without packing: faster there            */
    BLOCK_BYTES = 1 << 19,   /* of columns otherwise                                                           */
    MIN_BLOCK = 8,           /* pixels                                                                         */
    MAX_BLOCK = 512,
    PARTIAL_BYTES = 8 << 20 /* for the chunks' gradients of w                                                  */
};

static int64_t taps(const hni_conv *g)
{
    return g->kernel_height * g->kernel_width;
}

/* Length of a row of the column matrix. */
static int64_t depth(const hni_conv *g)
{
    return taps(g) * g->in;
}

/* The image is its own column matrix. */
static bool pointwise(const hni_conv *g)
{
    return taps(g) == 1 && g->stride == 1 && g->padding == 0;
}

static int64_t block_pixels(const hni_conv *g)
{
    int64_t small = SMALL_PRODUCT / (depth(g) * g->out) / 32 * 32;
    int64_t block = small >= 32 ? small : BLOCK_BYTES / 4 / depth(g) / MIN_BLOCK * MIN_BLOCK;
    return block < MIN_BLOCK ? MIN_BLOCK : hni_min(block, MAX_BLOCK);
}

/* Square kernels only, as one padding serves both directions. */
static bool reversible(const hni_conv *g)
{
    return g->stride == 1 && g->kernel_height == g->kernel_width && g->padding < g->kernel_height;
}

/* ---- orders of the weights ---------------------------------------------------------------------------------------- */

static hni_weight_order tap_in_out(const hni_conv *g)
{
    return (hni_weight_order){
        g->out, g->in, taps(g), .out_stride = 1, .in_stride = g->out, .tap_stride = g->in * g->out};
}

static hni_weight_order out_tap_in(const hni_conv *g)
{
    return (hni_weight_order){g->out, g->in, taps(g), .out_stride = depth(g), .in_stride = 1, .tap_stride = g->in};
}

static hni_weight_order turned_tap_out_in(const hni_conv *g)
{
    return (hni_weight_order){
        g->out, g->in, taps(g), .out_stride = g->in, .in_stride = 1, .tap_stride = g->in * g->out, .turned = true};
}

static hni_weight_order turned_in_tap_out(const hni_conv *g)
{
    return (hni_weight_order){
        g->out, g->in, taps(g), .out_stride = 1, .in_stride = taps(g) * g->out, .tap_stride = g->out, .turned = true};
}

/* ---- the engine -------------------------------------------------------------------------------------------------- */

static int64_t weights(const hni_conv *g)
{
    return g->out * depth(g);
}

static int64_t chunk_count(const hni_conv *g)
{
    return hni_conv_chunks((size_t)weights(g) * sizeof(float), PARTIAL_BYTES);
}

static size_t weight_bytes(const hni_conv *g)
{
    return hni_round_up((size_t)weights(g) * sizeof(float));
}

static size_t column_bytes(const hni_conv *g)
{
    return pointwise(g) ? 0 : hni_round_up((size_t)(block_pixels(g) * depth(g)) * sizeof(float));
}

static hn_status prepare(hn_context *context, int32_t num_threads, const hni_conv *g, bool backward, size_t *bytes)
{
    (void)context;
    const int64_t pieces = hni_conv_piece_bound(g, g->out_height * g->out_width, block_pixels(g));
    size_t cols = column_bytes(g);
    if (backward && reversible(g)) {
        const hni_conv r = hni_conv_reversed(g);
        cols = column_bytes(&r) > cols ? column_bytes(&r) : cols;
    }
    const int64_t chunks = backward ? hni_min(chunk_count(g), hni_conv_part_bound(g)) : 0;
    *bytes = (size_t)hni_min(num_threads, pieces) * cols + (size_t)(1 + chunks) * weight_bytes(g);
    return HN_OK;
}

typedef struct job {
    const hni_conv *g;
    const hni_conv *visited; /* j->g, or in a reversed convolution the plain one: its parts are visited */
    const hni_conv_visit *visit;
    int64_t block;  /* pixels of a column matrix */
    int64_t chunks; /* of parts, a task of backward each */
    const float *x, *dy;
    float *y, *dx;
    float *packed;   /* weights                                 */
    float *partials; /* a gradient of w for each chunk, or NULL */
    size_t partial_bytes, column_bytes;
    char *cols; /* column_bytes a thread */
} job;

static float *cols_of(const job *j, int32_t thread)
{
    return (float *)(void *)(j->cols + (size_t)thread * j->column_bytes);
}

/* The columns of pixels of `image` under geometry g: made in cols, unless the image is its own. */
static const float *columns_at(const hni_conv *g, const float *image, int64_t first, int64_t count, float *cols)
{
    if (pointwise(g))
        return image + first * g->in;
    hni_columns(g, image, first, count, cols);
    return cols;
}

/* Results [first, end) counted in pixels. */
static void forward_pixels(const job *j, int64_t first, int64_t end, int32_t thread)
{
    const hni_conv *g = j->g;
    for (; first < end; first += j->block) {
        const int64_t count = hni_min(j->block, end - first);
        const float *cols = columns_at(g, j->x, first, count, cols_of(j, thread));
        hni_gemm(false, false, count, g->out, depth(g), 1.0f, cols, depth(g), j->packed, g->out, 0.0f,
                 j->y + first * g->out, g->out);
    }
}

/* The pixels of part `part` under j->g. */
static void part_pixels(const job *j, int64_t part, int64_t *first, int64_t *end)
{
    const int64_t pixels = j->g->out_height * j->g->out_width;
    hni_conv_part(j->g, part, first, end);
    *first *= pixels;
    *end *= pixels;
}

static void forward_part(void *arg, int64_t part, int32_t thread)
{
    const job *j = arg;
    int64_t first, end;
    part_pixels(j, part, &first, &end);
    forward_pixels(j, first, end, thread);
    hni_conv_visit_part(j->g, j->visit, part, thread);
}

static void forward_block(void *arg, int64_t task, int32_t thread)
{
    const job *j = arg;
    const int64_t pixels = j->g->images * j->g->out_height * j->g->out_width;
    forward_pixels(j, task * j->block, hni_min((task + 1) * j->block, pixels), thread);
}

static hn_status forward(hn_context *context, int32_t num_threads, const hni_conv *g, const void *x, const float *w,
                         void *y, void *scratch, const hni_conv_visit *after)
{
    (void)context;
    const hni_weight_order order = tap_in_out(g);
    hni_weights_pack(num_threads, &order, w, scratch);
    job j = {.g = g,
             .visit = after,
             .block = block_pixels(g),
             .x = x,
             .y = y,
             .packed = scratch,
             .cols = (char *)scratch + weight_bytes(g),
             .column_bytes = column_bytes(g)};
    const int64_t pixels = g->images * g->out_height * g->out_width;
    if (hni_conv_part_count(g) >= HNI_CONV_FEW_PARTS) {
        hni_parallel(num_threads, hni_conv_part_count(g), forward_part, &j);
        return HN_OK;
    }
    hni_parallel(num_threads, (pixels + j.block - 1) / j.block, forward_block, &j);
    hni_conv_visit_all(num_threads, g, after);
    return HN_OK;
}

/* Clears the chunk's gradient of w; NULL if none is wanted. */
static float *start_partial(const job *j, int64_t chunk)
{
    if (j->partials == NULL)
        return NULL;
    float *partial = (float *)(void *)((char *)j->partials + (size_t)chunk * j->partial_bytes);
    memset(partial, 0, j->partial_bytes);
    return partial;
}

/* j->g is the reversed geometry: columns of dy give dx (packed [tap, out, in]) and dw (partial [in, tap, out]). */
static void backward_reversed(const job *j, int64_t part, float *partial, int32_t thread)
{
    const hni_conv *r = j->g;
    const int64_t in = r->out;
    int64_t first, end;
    for (part_pixels(j, part, &first, &end); first < end; first += j->block) {
        const int64_t count = hni_min(j->block, end - first);
        const float *cols = columns_at(r, j->dy, first, count, cols_of(j, thread));
        hni_gemm(false, false, count, in, depth(r), 1.0f, cols, depth(r), j->packed, in, 0.0f, j->dx + first * in, in);
        if (partial != NULL)
            hni_gemm(true, false, in, depth(r), count, 1.0f, j->x + first * in, in, cols, depth(r), 1.0f, partial,
                     depth(r));
    }
}

/* Columns of x give dw (partial [out, tap, in]); the gradient's columns then take their place and are summed into dx
 * (packed [out, tap, in]).                                                                                           */
static void backward_columns(const job *j, int64_t part, float *partial, int32_t thread)
{
    const hni_conv *g = j->g;
    const int64_t k = depth(g), in_image = g->height * g->width * g->in, image = part * hni_conv_part_images(g);
    const int64_t images = hni_min(hni_conv_part_images(g), g->images - image);
    float *cols = cols_of(j, thread);
    int64_t first, end;
    if (j->dx != NULL)
        memset(j->dx + image * in_image, 0, (size_t)(images * in_image) * sizeof(float));
    for (part_pixels(j, part, &first, &end); first < end; first += j->block) {
        const int64_t count = hni_min(j->block, end - first);
        const float *dy = j->dy + first * g->out;
        if (partial != NULL)
            hni_gemm(true, false, g->out, k, count, 1.0f, dy, g->out, columns_at(g, j->x, first, count, cols), k, 1.0f,
                     partial, k);
        if (j->dx == NULL)
            continue;
        hni_gemm(false, false, count, k, g->out, 1.0f, dy, g->out, j->packed, k, 0.0f, cols, k);
        hni_columns_add(g, cols, first, count, j->dx);
    }
}

static void backward_chunk(void *arg, int64_t chunk, int32_t thread)
{
    const job *j = arg;
    const int64_t parts = hni_conv_part_count(j->g);
    float *partial = start_partial(j, chunk);
    for (int64_t part = chunk * parts / j->chunks; part < (chunk + 1) * parts / j->chunks; ++part) {
        hni_conv_visit_part(j->visited, j->visit, part, thread);
        if (j->visited == j->g)
            backward_columns(j, part, partial, thread);
        else
            backward_reversed(j, part, partial, thread);
    }
}

static hn_status backward(hn_context *context, int32_t num_threads, const hni_conv *g, const void *x, const float *w,
                          const void *dy, void *dx, float *dw, void *scratch, const hni_conv_visit *before)
{
    (void)context;
    const bool turn = dx != NULL && reversible(g);
    const hni_conv r = turn ? hni_conv_reversed(g) : *g;
    const int64_t chunks = hni_min(chunk_count(g), hni_conv_part_count(g));
    float *packed = scratch, *partials = (float *)(void *)((char *)scratch + weight_bytes(g));
    job j = {.g = turn ? &r : g,
             .visited = g,
             .visit = before,
             .block = block_pixels(&r),
             .chunks = chunks,
             .x = x,
             .dy = dy,
             .dx = dx,
             .packed = packed,
             .partials = dw != NULL ? partials : NULL,
             .partial_bytes = weight_bytes(g),
             .cols = (char *)partials + (size_t)chunks * weight_bytes(g),
             .column_bytes = column_bytes(&r)};
    if (dx != NULL) {
        const hni_weight_order order = turn ? turned_tap_out_in(g) : out_tap_in(g);
        hni_weights_pack(num_threads, &order, w, packed);
    }
    hni_parallel(num_threads, chunks, backward_chunk, &j);
    if (dw == NULL)
        return HN_OK;
    hni_accumulate_all(num_threads, weights(g), chunks, weight_bytes(g), partials);
    const hni_weight_order order = turn ? turned_in_tap_out(g) : out_tap_in(g);
    hni_weights_add(num_threads, &order, partials, dw);
    return HN_OK;
}

static bool takes(const hni_conv *g)
{
    return g->dtype != HN_BF16;
}

const hni_conv_engine hni_conv_cblas = {
    .name = "cblas", .takes = takes, .prepare = prepare, .forward = forward, .backward = backward};
