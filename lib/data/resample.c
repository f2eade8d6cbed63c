/* Two passes, rows then columns, each a weighted mean over the filter's reach in fixed point, with 8-bit pixels between
 * them. The filter is a triangle whose half width is one output pixel, at least one input pixel. Order, rounding and
 * precision are Pillow's: what a network learned from images it resized is then what it sees here.                      */
#include "data/resample.h"

#include "base/integer.h"
#include "base/memory.h"
#include "kernel/resample_sums.h"

#include <math.h>
#include <string.h>

/* How many pairs of neighbouring inputs each of `out` coordinates of an axis averages. */
static int64_t axis_pairs(double length, int64_t out)
{
    double scale = length / (double)out;
    return (int64_t)ceil(scale < 1 ? 1 : scale) + 1;
}

static size_t axis_bytes(int64_t length, int64_t out)
{
    const size_t pairs = (size_t)axis_pairs((double)length, out);
    return hni_round_up((size_t)out * (2 * sizeof(int32_t) + pairs * sizeof(hni_resample_pair)));
}

/* Four rows side by side; behind the width stands what weights of 0 are for. */
static size_t wide_bytes(int64_t width, int64_t pairs)
{
    return hni_round_up((size_t)(width + 2 * pairs) * HNI_RESAMPLE_SITE);
}

size_t hni_resample_scratch(int64_t height, int64_t width, int64_t channels, int64_t out_height, int64_t out_width)
{
    return axis_bytes(height, out_height) + axis_bytes(width, out_width) +
           wide_bytes(width, axis_pairs((double)width, out_width)) +
           hni_round_up((size_t)height * (size_t)out_width * (size_t)channels);
}

static double triangle(double x)
{
    x = fabs(x);
    return x < 1 ? 1 - x : 0;
}

/* Stores weight t, counted from 0, in its two halves. */
static void put_weight(hni_resample_pair *pairs, int64_t t, int32_t weight)
{
    pairs[t / 2].high[t % 2] = (int16_t)(weight >> HNI_RESAMPLE_LOW_BITS);
    pairs[t / 2].low[t % 2] = (int16_t)(weight % (1 << HNI_RESAMPLE_LOW_BITS));
}

/* Weights that take [from, to) of `in` coordinates to `out`. Returns memory behind what it used. */
static char *axis_plan(hni_resample_axis *a, char *memory, int64_t in, double from, double to, int64_t out)
{
    double scale = (to - from) / (double)out, support = scale < 1 ? 1 : scale, inverse = 1 / support;
    a->stride = axis_pairs(to - from, out);
    a->pairs = 0;
    a->first = (int32_t *)(void *)memory;
    a->count = a->first + out;
    a->weights = (hni_resample_pair *)(void *)(a->count + out);
    memset(a->weights, 0, (size_t)(out * a->stride) * sizeof *a->weights);
    for (int64_t o = 0; o < out; ++o) {
        double centre = from + ((double)o + 0.5) * scale, sum = 0;
        int64_t low = (int64_t)(centre - support + 0.5), high = (int64_t)(centre + support + 0.5);
        low = low < 0 ? 0 : low;
        high = high > in ? in : high;
        for (int64_t i = low; i < high; ++i)
            sum += triangle(((double)i - centre + 0.5) * inverse);
        for (int64_t i = low; i < high; ++i) {
            double w = triangle(((double)i - centre + 0.5) * inverse) / sum;
            put_weight(a->weights + o * a->stride, i - low, (int32_t)(0.5 + w * (1 << HNI_RESAMPLE_BITS)));
        }
        a->first[o] = (int32_t)low;
        a->count[o] = (int32_t)(high - low);
        a->pairs = hni_max(a->pairs, (high - low + 1) / 2);
    }
    return memory + axis_bytes((int64_t)ceil(to - from), out);
}

/* rows: width pixels each, `stride` bytes apart -> out: out_width pixels each. wide: of wide_bytes. */
static void pass_rows(const hni_resample_sums *isa, const hni_resample_axis *a, const uint8_t *from, int64_t stride,
                      int64_t rows, int64_t width, int64_t channels, uint8_t *out, int64_t out_width, bool mirror,
                      uint8_t *wide)
{
    memset(wide + width * HNI_RESAMPLE_SITE, 0, (size_t)(2 * a->pairs) * HNI_RESAMPLE_SITE);
    for (int64_t row = 0; row < rows; row += HNI_RESAMPLE_ROWS) {
        const uint8_t *in[HNI_RESAMPLE_ROWS];
        uint8_t *to[HNI_RESAMPLE_ROWS];
        for (int64_t r = 0; r < HNI_RESAMPLE_ROWS; ++r) { /* past the last row: the last one again */
            const int64_t at = hni_min(row + r, rows - 1);
            in[r] = from + at * stride;
            to[r] = out + at * out_width * channels;
        }
        isa->gather(in, width, channels, wide);
        isa->rows(a, wide, out_width, channels, mirror, to);
    }
}

/* rows: `stride` bytes apart, the first is row `base`; n bytes of each -> out: out_height x n bytes. */
static void pass_columns(const hni_resample_sums *isa, const hni_resample_axis *a, const uint8_t *rows, int64_t stride,
                         int64_t base, int64_t n, uint8_t *out, int64_t out_height)
{
    for (int64_t o = 0; o < out_height; ++o)
        isa->columns(a->weights + o * a->stride, a->count[o], rows + (a->first[o] - base) * stride, stride, n,
                     out + o * n);
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
    const hni_resample_sums *isa = hni_resample_sums_best();
    hni_resample_axis x, y;
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
        uint8_t *wide = (uint8_t *)memory;
        memory += wide_bytes(width, x.stride);
        uint8_t *to = whole_columns ? out : (uint8_t *)memory;
        pass_rows(isa, &x, from, stride, rows, width, channels, to, out_width, mirror, wide);
        from = to;
        stride = n;
    }
    if (!whole_columns)
        pass_columns(isa, &y, from, stride, first, n, out, out_height);
    else if (whole_rows)
        for (int64_t r = 0; r < rows; ++r)
            memcpy(out + r * n, from + r * stride, (size_t)n);
    if (mirror && whole_rows)
        mirror_rows(out, out_height, out_width, channels);
}
