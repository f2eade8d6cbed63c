/* Two passes, rows then columns, each a weighted mean over the filter's reach in fixed point, with 8-bit pixels between
 * them. The filter is a triangle whose half width is one output pixel, at least one input pixel. Order, rounding and
 * precision are Pillow's: what a network learned from images it resized is then what it sees here.                      */
#include "data/resample.h"

#include "base/integer.h"
#include "base/memory.h"
#include "kernel/clones.h"

#include <math.h>
#include <string.h>

enum { PRECISION = 22, HALF = 1 << (PRECISION - 1), BLOCK = 64, ROWS = 4, PIXEL = 4 };

/* For each output coordinate: the first input coordinate, how many, and their weights. */
typedef struct axis {
    int64_t taps;    /* weights a coordinate */
    int64_t most;    /* of them, the largest count; those beyond a coordinate's own count are 0 */
    int32_t *first;  /* [out]                */
    int32_t *count;  /* [out]                */
    int32_t *weight; /* [out][taps]          */
} axis;

static int64_t axis_taps(double length, int64_t out)
{
    double scale = length / (double)out;
    return (int64_t)ceil(scale < 1 ? 1 : scale) * 2 + 1;
}

static size_t axis_bytes(int64_t length, int64_t out)
{
    return hni_round_up((size_t)out * (size_t)(2 + axis_taps((double)length, out)) * sizeof(int32_t));
}

/* One row as 32-bit values, which vectors load without taking them apart; then ROWS rows of them, their pixels beside each
 * other: [width + taps][ROWS][PIXEL]. Behind the width stands what weights of 0 are for; a pixel's last values may be the
 * next one's.                                                                                                         */
static int64_t line_values(int64_t width, int64_t channels)
{
    return width * channels + PIXEL;
}

static int64_t wide_values(int64_t width, int64_t taps)
{
    return (width + taps) * ROWS * PIXEL;
}

static size_t wide_bytes(int64_t width, int64_t channels, int64_t taps)
{
    return hni_round_up((size_t)(wide_values(width, taps) + line_values(width, channels)) * sizeof(int32_t));
}

size_t hni_resample_scratch(int64_t height, int64_t width, int64_t channels, int64_t out_height, int64_t out_width)
{
    return axis_bytes(height, out_height) + axis_bytes(width, out_width) +
           wide_bytes(width, channels, axis_taps((double)width, out_width)) +
           hni_round_up((size_t)height * (size_t)out_width * (size_t)channels);
}

static double triangle(double x)
{
    x = fabs(x);
    return x < 1 ? 1 - x : 0;
}

/* Weights that take [from, to) of `in` coordinates to `out`. Returns memory behind what it used. */
static char *axis_plan(axis *a, char *memory, int64_t in, double from, double to, int64_t out)
{
    double scale = (to - from) / (double)out, support = scale < 1 ? 1 : scale, inverse = 1 / support;
    a->taps = axis_taps(to - from, out);
    a->most = 0;
    a->first = (int32_t *)(void *)memory;
    a->count = a->first + out;
    a->weight = a->count + out;
    for (int64_t o = 0; o < out; ++o) {
        double centre = from + ((double)o + 0.5) * scale, sum = 0;
        int64_t low = (int64_t)(centre - support + 0.5), high = (int64_t)(centre + support + 0.5);
        int32_t *weight = a->weight + o * a->taps;
        low = low < 0 ? 0 : low;
        high = high > in ? in : high;
        for (int64_t i = low; i < high; ++i)
            sum += triangle(((double)i - centre + 0.5) * inverse);
        for (int64_t i = low; i < high; ++i) {
            double w = triangle(((double)i - centre + 0.5) * inverse) / sum;
            weight[i - low] = (int32_t)(0.5 + w * (1 << PRECISION));
        }
        for (int64_t t = high - low; t < a->taps; ++t)
            weight[t] = 0;
        a->first[o] = (int32_t)low;
        a->count[o] = (int32_t)(high - low);
        a->most = hni_max(a->most, high - low);
    }
    return memory + axis_bytes((int64_t)ceil(to - from), out);
}

/* Weights are not negative and add up to 1 but for rounding: no sum leaves [0, 255]. */
static uint8_t narrow(int32_t sum)
{
    return (uint8_t)(sum >> PRECISION);
}

typedef int32_t words8 __attribute__((vector_size(32)));

/* Up to BLOCK output pixels, from the x-th on, of ROWS rows at once: wide -> pixels [count][ROWS][PIXEL]. A vector holds the
 * pixels of two rows. All sums are narrowed in a loop of their own: compilers take a single vector apart for that.     */
HNI_CLONES static void pass_rows(const axis *a, const int32_t *wide, int64_t x, int64_t count, int64_t out_width,
                                 bool mirror, uint8_t *restrict pixels)
{
    const words8 half = {HALF, HALF, HALF, HALF, HALF, HALF, HALF, HALF};
    int32_t sums[BLOCK * ROWS * PIXEL];
    for (int64_t i = 0; i < count; ++i) {
        const int64_t o = mirror ? out_width - 1 - x - i : x + i;
        const int32_t *p = wide + (int64_t)a->first[o] * ROWS * PIXEL, *w = a->weight + o * a->taps;
        words8 upper = half, lower = half, first, second;
        for (int64_t t = 0; t < a->most; ++t, p += ROWS * PIXEL) { /* as many for all: the loop's end can be foreseen */
            memcpy(&first, p, sizeof first);
            memcpy(&second, p + 2 * PIXEL, sizeof second);
            upper += w[t] * first;
            lower += w[t] * second;
        }
        memcpy(sums + i * ROWS * PIXEL, &upper, sizeof upper);
        memcpy(sums + i * ROWS * PIXEL + 2 * PIXEL, &lower, sizeof lower);
    }
    for (int64_t i = 0; i < count * ROWS * PIXEL; ++i)
        pixels[i] = narrow(sums[i]);
}

/* pixels -> out[r], from the x-th pixel on: the bytes behind a pixel's own are written over by the next. */
static void put_rows(const uint8_t *pixels, int64_t x, int64_t count, int64_t out_width, int64_t channels,
                     uint8_t *const *out)
{
    for (int64_t r = 0; r < ROWS; ++r)
        for (int64_t i = 0; i < count; ++i) {
            const uint8_t *from = pixels + (i * ROWS + r) * PIXEL;
            uint8_t *to = out[r] + (x + i) * channels;
            if (x + i + PIXEL <= out_width)
                memcpy(to, from, PIXEL);
            else
                memcpy(to, from, (size_t)channels);
        }
}

/* One row of n values into its place in wide. line: n + PIXEL values. */
HNI_CLONES static void widen(const uint8_t *restrict from, int64_t n, int64_t channels, int32_t *restrict line,
                             int32_t *restrict wide)
{
    for (int64_t i = 0; i < n; ++i)
        line[i] = from[i];
    for (int64_t i = 0; i < n; i += channels, wide += ROWS * PIXEL)
        memcpy(wide, line + i, PIXEL * sizeof *wide);
}

/* rows: n values each, `stride` bytes apart -> out: out_width x channels each. wide: of wide_bytes. */
static void pass_all_rows(const axis *a, const uint8_t *from, int64_t stride, int64_t rows, int64_t n, int64_t channels,
                          uint8_t *out, int64_t out_width, bool mirror, int32_t *wide)
{
    const int64_t behind = n / channels * ROWS * PIXEL, all = wide_values(n / channels, a->taps);
    int32_t *line = wide + all;
    uint8_t *to[ROWS], pixels[BLOCK * ROWS * PIXEL];
    memset(wide + behind, 0, (size_t)(all - behind) * sizeof *wide);
    memset(line + n, 0, PIXEL * sizeof *line);
    for (int64_t row = 0; row < rows; row += ROWS) {
        for (int64_t r = 0; r < ROWS; ++r) { /* past the last row: the last one again */
            const int64_t at = hni_min(row + r, rows - 1);
            widen(from + at * stride, n, channels, line, wide + r * PIXEL);
            to[r] = out + at * out_width * channels;
        }
        for (int64_t x = 0; x < out_width; x += BLOCK) {
            const int64_t count = hni_min(out_width - x, BLOCK);
            pass_rows(a, wide, x, count, out_width, mirror, pixels);
            put_rows(pixels, x, count, out_width, channels, to);
        }
    }
}

/* Up to BLOCK columns of `count` rows, `stride` bytes apart -> out. */
static inline void pass_block(const uint8_t *rows, int64_t stride, const int32_t *w, int32_t count,
                              uint8_t *restrict out, int64_t n)
{
    int32_t sum[BLOCK];
    for (int64_t i = 0; i < n; ++i)
        sum[i] = HALF;
    for (int32_t t = 0; t < count; ++t)
        for (int64_t i = 0; i < n; ++i)
            sum[i] += w[t] * rows[t * stride + i];
    for (int64_t i = 0; i < n; ++i)
        out[i] = narrow(sum[i]);
}

/* rows: `stride` bytes apart, the first is row `base`; n bytes of each -> out: out_height x n bytes. */
HNI_CLONES static void pass_columns(const axis *a, const uint8_t *rows, int64_t stride, int64_t base, int64_t n,
                                    uint8_t *out, int64_t out_height)
{
    for (int64_t o = 0; o < out_height; ++o) {
        const uint8_t *from = rows + (a->first[o] - base) * stride;
        const int32_t *w = a->weight + o * a->taps;
        int64_t i = 0;
        for (; i + BLOCK <= n; i += BLOCK)
            pass_block(from + i, stride, w, a->count[o], out + o * n + i, BLOCK);
        if (i < n)
            pass_block(from + i, stride, w, a->count[o], out + o * n + i, n - i);
    }
}

/* Whether the pass would copy: as many coordinates, at whole places. */
static bool copies(double from, double to, int64_t out)
{
    double whole = floor(from);
    return !(whole < from) && !(whole > from) && !(to - from < (double)out) && !(to - from > (double)out);
}

static void mirror_rows(uint8_t *pixels, int64_t rows, int64_t width, int64_t channels)
{
    for (int64_t r = 0; r < rows; ++r, pixels += width * channels)
        for (int64_t x = 0; x < width / 2; ++x)
            for (int64_t c = 0; c < channels; ++c) {
                uint8_t *a = pixels + x * channels + c, *b = pixels + (width - 1 - x) * channels + c, kept = *a;
                *a = *b;
                *b = kept;
            }
}

void hni_resample(const uint8_t *pixels, int64_t stride, int64_t height, int64_t width, int64_t channels,
                  const hni_box *box, uint8_t *out, int64_t out_height, int64_t out_width, bool mirror, void *scratch)
{
    axis x, y;
    char *memory = scratch;
    int64_t first = (int64_t)box->top, rows = out_height, n = out_width * channels;
    bool whole_rows = copies(box->left, box->right, out_width),
         whole_columns = copies(box->top, box->bottom, out_height);
    if (!whole_columns) {
        memory = axis_plan(&y, memory, height, box->top, box->bottom, out_height);
        first = y.first[0];
        rows = y.first[out_height - 1] + y.count[out_height - 1] - first;
    }
    const uint8_t *from = pixels + first * stride + (whole_rows ? (int64_t)box->left * channels : 0);
    if (!whole_rows) {
        memory = axis_plan(&x, memory, width, box->left, box->right, out_width);
        int32_t *wide = (int32_t *)(void *)memory;
        memory += wide_bytes(width, channels, x.taps);
        uint8_t *to = whole_columns ? out : (uint8_t *)memory;
        pass_all_rows(&x, from, stride, rows, width * channels, channels, to, out_width, mirror, wide);
        from = to;
        stride = n;
    }
    if (!whole_columns)
        pass_columns(&y, from, stride, first, n, out, out_height);
    else if (whole_rows)
        for (int64_t r = 0; r < rows; ++r)
            memcpy(out + r * n, from + r * stride, (size_t)n);
    if (mirror && whole_rows)
        mirror_rows(out, out_height, out_width, channels);
}
