/* paired_body.h -- the functions of paired.h, compiled once for each instruction set by a source that defines
 *   TABLE  the table's name      NAME    "its name in words"
 *   LANES  floats in a vector    ROWS    rows of a block of results    PANELS  panels of it, 1 or 2
 * and is compiled with that instruction set's flags.                                                                  */
#include "kernel/paired.h"
#include "kernel/vec.h"

#include <stdbool.h>
#include <stddef.h>

enum { PANEL = HNI_PAIRED_PANEL, VECS = PANEL / LANES, MAX_ROWS = 8, LONG_ROWS = 16, TAPS = 3 };

#define UNROLL _Pragma("GCC unroll 18")

/* ---- pairs ------------------------------------------------------------------------------------------------------- */

#if LANES == 16 && defined(__AVX512BF16__)
typedef __m512bh pairs;

HNI_INLINE pairs load_pairs(const hni_bf16 *p)
{
    return (pairs)_mm512_loadu_si512(p);
}

HNI_INLINE pairs splat_pair(const hni_bf16 *p)
{
    int32_t both;
    memcpy(&both, p, sizeof both);
    return (pairs)_mm512_set1_epi32(both);
}

HNI_INLINE vec add_products(vec sum, pairs a, pairs b)
{
    return (vec)_mm512_dpbf16_ps((__m512)sum, a, b);
}
#else
typedef struct pairs {
    vec low, high; /* halves of a word: which of them is the first depends on the byte order, alike for both factors */
} pairs;

HNI_INLINE pairs load_pairs(const hni_bf16 *p)
{
    const words w = *(const words *)(const void *)p;
    return (pairs){(vec)(w << 16), (vec)(w & 0xffff0000u)};
}

HNI_INLINE pairs splat_pair(const hni_bf16 *p)
{
    uint32_t both;
    memcpy(&both, p, sizeof both);
    return (pairs){splat((hni_float_bits){.bits = both << 16}.value),
                   splat((hni_float_bits){.bits = both & 0xffff0000u}.value)};
}

HNI_INLINE vec add_products(vec sum, pairs a, pairs b)
{
    return sum + a.low * b.low + a.high * b.high;
}
#endif

static void interleave(int64_t n, const hni_bf16 *even, const hni_bf16 *odd, hni_bf16 *out)
{
    int64_t i = 0;
#if LANES == 16 && defined(__AVX512BW__)
    uint16_t order[2][32]; /* of the 64 numbers of two vectors */
    for (uint16_t k = 0; k < 32; ++k)
        for (int half = 0; half < 2; ++half)
            order[half][k] = (uint16_t)(16 * half + k / 2 + k % 2 * 32);
    const __m512i first = _mm512_loadu_si512(order[0]), second = _mm512_loadu_si512(order[1]);
    for (; i + 32 <= n; i += 32) {
        const __m512i a = _mm512_loadu_si512(even + i), b = _mm512_loadu_si512(odd + i);
        _mm512_storeu_si512(out + 2 * i, _mm512_permutex2var_epi16(a, first, b));
        _mm512_storeu_si512(out + 2 * i + 32, _mm512_permutex2var_epi16(a, second, b));
    }
#endif
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    for (; i + LANES <= n; i += LANES) {
        const words low = widen(*(const halves *)(const void *)(even + i));
        const words high = widen(*(const halves *)(const void *)(odd + i));
        *(words *)(void *)(out + 2 * i) = low | high << 16;
    }
#endif
    for (; i < n; ++i) {
        out[2 * i] = even[i];
        out[2 * i + 1] = odd[i];
    }
}

/* ---- the convolution --------------------------------------------------------------------------------------------- */

/* The first n columns of a panel. */
static __attribute__((noinline)) void store_columns(hni_bf16 *y, int64_t n, const vec sum[VECS])
{
    for (int u = 0; u < VECS && u * LANES < n; ++u)
        store_bf16(y + u * LANES, n - u * LANES < LANES ? n - u * LANES : LANES, sum[u]);
}

HNI_INLINE void store_panel(hni_bf16 *y, const vec sum[VECS])
{
#if LANES == 16 && defined(__AVX512BF16__)
    _mm256_storeu_si256((__m256i *)(void *)y, (__m256i)_mm512_cvtneps_pbh((__m512)sum[0]));
#else
    for (int u = 0; u < VECS; ++u)
        store_bf16(y + u * LANES, LANES, sum[u]);
#endif
}

/* rows x panels of results. */
HNI_INLINE void store_block(int rows, int panels, int64_t step, int64_t columns, hni_bf16 *y,
                            vec sum[][PANELS][VECS])
{
    if (columns >= panels * PANEL)
        UNROLL for (int r = 0; r < rows; ++r)
            UNROLL for (int v = 0; v < panels; ++v)
                store_panel(y + r * step + v * PANEL, sum[r][v]);
    else
        for (int r = 0; r < rows; ++r)
            for (int v = 0; v < panels; ++v)
                store_columns(y + r * step + v * PANEL, columns - v * PANEL, sum[r][v]);
}

/* Where a block begins: a pixel of x, a panel of w, a pixel and panel of y; columns: left from there. */
typedef struct place {
    const hni_bf16 *x, *w;
    hni_bf16 *y;
    int64_t columns;
} place;

/* rows pixels x panels. Both are constants wherever it is called. */
HNI_INLINE void conv_block(int rows, int panels, const hni_paired_conv *c, const place *at)
{
    const int64_t depth = c->kernel_width * c->pairs, step = 2 * c->pairs * c->stride;
    const int64_t panel = c->kernel_height * depth * 2 * PANEL;
    const hni_bf16 *w = at->w;
    vec sum[MAX_ROWS][PANELS][VECS];
    UNROLL for (int r = 0; r < rows; ++r)
        UNROLL for (int v = 0; v < panels; ++v)
            UNROLL for (int u = 0; u < VECS; ++u)
                sum[r][v][u] = (vec){0};
    for (int64_t ky = 0; ky < c->kernel_height; ++ky) {
        const hni_bf16 *x = at->x + ky * c->x_row;
        for (int64_t k = 0; k < depth; ++k, x += 2, w += 2 * PANEL) {
            pairs right[PANELS][VECS];
            UNROLL for (int v = 0; v < panels; ++v) UNROLL for (int u = 0; u < VECS; ++u) right[v][u] =
                load_pairs(w + v * panel + 2 * u * LANES);
            UNROLL for (int r = 0; r < rows; ++r)
            {
                const pairs left = splat_pair(x + r * step);
                UNROLL for (int v = 0; v < panels; ++v) UNROLL for (int u = 0; u < VECS; ++u) sum[r][v][u] =
                    add_products(sum[r][v][u], right[v][u], left);
            }
        }
    }
    store_block(rows, panels, c->columns, at->columns, at->y, sum);
}

#if LANES == 16
/* rows pixels x 1 panel for 3 taps and stride 1. With one panel a product a load would wait for loads; here each pair
 * that is broadcast serves the three pixels that see it.                                                               */
HNI_INLINE void conv_long_block(int rows, const hni_paired_conv *c, const place *at)
{
    const int64_t tap = c->pairs * 2 * PANEL;
    const hni_bf16 *w = at->w;
    vec sum[LONG_ROWS][PANELS][VECS];
    UNROLL for (int r = 0; r < rows; ++r)
        sum[r][0][0] = (vec){0};
    for (int64_t ky = 0; ky < c->kernel_height; ++ky, w += 2 * tap) {
        const hni_bf16 *x = at->x + ky * c->x_row;
        for (int64_t k = 0; k < c->pairs; ++k, x += 2, w += 2 * PANEL) {
            pairs right[TAPS];
            UNROLL for (int t = 0; t < TAPS; ++t) right[t] = load_pairs(w + t * tap);
            UNROLL for (int q = 0; q < rows + TAPS - 1; ++q)
            {
                const pairs left = splat_pair(x + q * 2 * c->pairs);
                UNROLL for (int t = 0; t < TAPS; ++t) if (q - t >= 0 && q - t < rows)
                    sum[q - t][0][0] = add_products(sum[q - t][0][0], right[t], left);
            }
        }
    }
    store_block(rows, 1, c->columns, at->columns, at->y, sum);
}
#endif

/* One case for each number of rows, of which a block has at most `most`, so that each is compiled with its constant. */
#define CASE(n, most, block, ...)  \
    case n:                        \
        if (n <= (most))           \
            block(n, __VA_ARGS__); \
        break;
#define CASES(first, most, block, ...)                                                          \
    CASE(first + 1, most, block, __VA_ARGS__)                                                   \
    CASE(first + 2, most, block, __VA_ARGS__) CASE(first + 3, most, block, __VA_ARGS__)         \
        CASE(first + 4, most, block, __VA_ARGS__) CASE(first + 5, most, block, __VA_ARGS__)     \
            CASE(first + 6, most, block, __VA_ARGS__) CASE(first + 7, most, block, __VA_ARGS__) \
                CASE(first + 8, most, block, __VA_ARGS__)

static void conv_wide(int64_t rows, const hni_paired_conv *c, const place *at)
{
    switch (rows) {
        CASES(0, ROWS, conv_block, PANELS, c, at)
    }
}

static void conv_narrow(int64_t rows, const hni_paired_conv *c, const place *at)
{
    switch (rows) {
        CASES(0, ROWS, conv_block, 1, c, at)
    }
}

#if LANES == 16
static void conv_long(int64_t rows, const hni_paired_conv *c, const place *at)
{
    switch (rows) {
        CASES(0, LONG_ROWS, conv_long_block, c, at)
        CASES(8, LONG_ROWS, conv_long_block, c, at)
    }
}
#define CONV_LONG conv_long
#else
#define CONV_LONG conv_narrow
#endif

/* Which blocks serve a number of panels, and how many rows they have at most. */
typedef struct blocks {
    void (*run)(int64_t rows, const hni_paired_conv *c, const place *at);
    int64_t rows, panels;
} blocks;

static blocks blocks_for(const hni_paired_conv *c, int64_t columns)
{
    if (PANELS == 2 && columns > PANEL)
        return (blocks){conv_wide, ROWS, PANELS};
    if (LANES == 16 && c->kernel_width == TAPS && c->stride == 1)
        return (blocks){CONV_LONG, LONG_ROWS, 1};
    return (blocks){conv_narrow, ROWS, 1};
}

/* A row's pixels are shared out evenly among its blocks: a block of few rows takes as long as a longer one. */
static void multiply(const hni_paired_conv *c)
{
    const int64_t panel = c->kernel_height * c->kernel_width * c->pairs * 2 * PANEL;
    for (int64_t column = 0; column < c->columns;) {
        const blocks b = blocks_for(c, c->columns - column);
        const int64_t count = (c->pixels + b.rows - 1) / b.rows;
        for (int64_t row = 0; row < c->rows; ++row)
            for (int64_t i = 0; i < count; ++i) {
                const int64_t first = i * c->pixels / count, end = (i + 1) * c->pixels / count;
                const place at = {.x = c->x + row * c->stride * c->x_row + first * c->stride * 2 * c->pairs,
                                  .w = c->w + column / PANEL * panel,
                                  .y = c->y + (row * c->pixels + first) * c->columns + column,
                                  .columns = c->columns - column};
                b.run(end - first, c, &at);
            }
        column += b.panels * PANEL;
    }
}

/* ---- the gradient of w ------------------------------------------------------------------------------------------- */

/* Sums that go to dw, [rows][vectors]: rows are input channels, vectors are panels or taps. */
typedef struct target {
    const hni_bf16 *x, *dy;
    int64_t pixels;            /* of a segment                                   */
    int64_t dy_vector, vector; /* from one vector to the next, in dy and in dw   */
    float *dw;
} target;

HNI_INLINE void gradient_block(int rows, int vectors, const hni_paired_gradient *g, const target *to)
{
    const int64_t x_step = 2 * g->in * g->stride, dy_step = 2 * g->columns;
    vec sum[MAX_ROWS][TAPS][VECS];
    UNROLL for (int r = 0; r < rows; ++r) UNROLL for (int v = 0; v < vectors; ++v) UNROLL for (int u = 0; u < VECS; ++u)
        sum[r][v][u] = load(to->dw + r * g->columns + v * to->vector + u * LANES, LANES);
    for (int64_t image = 0; image < g->images; ++image)
        for (int64_t segment = 0; segment < g->segments; ++segment) {
            const hni_bf16 *x = to->x + image * g->x_image + segment * g->x_segment;
            const hni_bf16 *dy = to->dy + image * g->dy_image + segment * g->dy_segment;
            for (int64_t p = 0; p < to->pixels; ++p, x += x_step, dy += dy_step) {
                pairs right[TAPS][VECS];
                UNROLL for (int v = 0; v < vectors; ++v) UNROLL for (int u = 0; u < VECS; ++u) right[v][u] =
                    load_pairs(dy + v * to->dy_vector + 2 * u * LANES);
                UNROLL for (int r = 0; r < rows; ++r)
                {
                    const pairs left = splat_pair(x + 2 * r);
                    UNROLL for (int v = 0; v < vectors; ++v) UNROLL for (int u = 0; u < VECS; ++u) sum[r][v][u] =
                        add_products(sum[r][v][u], right[v][u], left);
                }
            }
        }
    UNROLL for (int r = 0; r < rows; ++r) UNROLL for (int v = 0; v < vectors; ++v) UNROLL for (int u = 0; u < VECS; ++u)
        store(to->dw + r * g->columns + v * to->vector + u * LANES, LANES, sum[r][v][u]);
}

static void gradient_rows(int64_t rows, int vectors, const hni_paired_gradient *g, const target *to)
{
    switch (vectors) {
    case 1:
        switch (rows) {
            CASES(0, ROWS, gradient_block, 1, g, to)
        }
        break;
#if PANELS == 2
    case 2:
        switch (rows) {
            CASES(0, ROWS, gradient_block, 2, g, to)
        }
        break;
#endif
#if LANES == 16
    case TAPS:
        switch (rows) {
            CASES(0, ROWS, gradient_block, TAPS, g, to)
        }
        break;
#endif
    }
}

/* All vectors of the input channels [first, first + rows). Two panels at a time, one tap after the other; of a single
 * panel all three taps at once, whose dy are shifted by a pixel each and begin or end in the zeros.                    */
static void accumulate_rows(const hni_paired_gradient *g, int64_t first, int64_t rows)
{
    const int64_t tap = g->in * g->columns;
    for (int64_t column = 0; column < g->columns;) {
        const bool wide = PANELS == 2 && g->columns - column > PANEL;
        target to = {
            g->x + 2 * first, g->dy + 2 * column, g->pixels, 2 * PANEL, PANEL, g->dw + first * g->columns + column};
        if (LANES == 16 && !wide && g->taps == TAPS && g->stride == 1) {
            to.pixels += TAPS - 1;
            to.dy_vector = -2 * g->columns;
            to.vector = tap;
            gradient_rows(rows, TAPS, g, &to);
        } else
            for (int64_t t = 0; t < g->taps; ++t, to.x += 2 * g->in, to.dw += tap)
                gradient_rows(rows, wide ? 2 : 1, g, &to);
        column += wide ? 2 * PANEL : PANEL;
    }
}

static void accumulate(const hni_paired_gradient *g)
{
    const int64_t count = (g->in + ROWS - 1) / ROWS;
    for (int64_t i = 0; i < count; ++i) {
        const int64_t first = i * g->in / count, end = (i + 1) * g->in / count;
        accumulate_rows(g, first, end - first);
    }
}

const hni_paired TABLE = {.name = NAME, .interleave = interleave, .multiply = multiply, .accumulate = accumulate};
