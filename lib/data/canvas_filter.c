#include "data/canvas.h"

#include "kernel/clones.h"

#include <math.h>
#include <string.h>

/* One inner row of Sharpness: n values, the neighbours of value i at i -+ step and in the rows above and below. Smoothed by
 * 3 x 3 weights of 1 / 13, 5 in the middle, rounded; then away from that by the factor.                                 */
HNI_CLONES static void sharpen_row(const uint8_t *above, const uint8_t *row, const uint8_t *below, int64_t step,
                                   int64_t n, float factor, uint8_t *restrict out)
{
    for (int64_t i = 0; i < n; ++i) {
        int32_t sum = above[i - step] + above[i] + above[i + step] + row[i - step] + 5 * row[i] + row[i + step] +
                      below[i - step] + below[i] + below[i + step];
        int32_t smooth = (2 * sum + 13) / 26;
        float value = (float)smooth + factor * (float)(row[i] - smooth);
        value = value > 0 ? value : 0;
        out[i] = (uint8_t)(int32_t)(value < 255 ? value : 255);
    }
}

/* The edge stays as it is. */
void hni_canvas_sharpness(hni_canvas *c, float factor)
{
    int64_t step = c->channels, row = c->width * step;
    memcpy(c->spare, c->pixels, (size_t)hni_canvas_bytes(c));
    for (int64_t y = 1; y < c->height - 1 && c->width > 2; ++y) {
        const uint8_t *p = c->pixels + y * row + step;
        sharpen_row(p - row, p, p + row, step, row - 2 * step, factor, c->spare + y * row + step);
    }
    hni_canvas_swap(c);
}

/* ---- Gaussian blur --------------------------------------------------------------------------------------------------- */

size_t hni_canvas_row_floats(int64_t width, int64_t channels, int64_t kernel)
{
    return (size_t)((width + kernel) * channels + kernel);
}

/* i mirrored about the first and the last of n, which are not repeated. */
static int64_t mirrored(int64_t i, int64_t n)
{
    i = i < 0 ? -i : i;
    return i < n ? i : 2 * (n - 1) - i;
}

HNI_CLONES static void add_row(const uint8_t *row, float weight, float *restrict sum, int64_t n)
{
    for (int64_t i = 0; i < n; ++i)
        sum[i] += weight * (float)row[i];
}

/* sum: n values, weights `step` apart -> out. */
HNI_CLONES static void across(const float *in, const float *weight, int64_t kernel, int64_t step, uint8_t *restrict out,
                              int64_t n)
{
    enum { BLOCK = 64 };
    for (int64_t i = 0; i < n; i += BLOCK) {
        float sum[BLOCK];
        int64_t m = n - i < BLOCK ? n - i : BLOCK;
        for (int64_t j = 0; j < m; ++j)
            sum[j] = 0.5f;
        for (int64_t k = 0; k < kernel; ++k)
            for (int64_t j = 0; j < m; ++j)
                sum[j] += weight[k] * in[i + j + k * step];
        for (int64_t j = 0; j < m; ++j)
            out[i + j] = (uint8_t)(int32_t)(sum[j] < 255 ? sum[j] : 255);
    }
}

static void make_weights(float *weight, int64_t kernel, float sigma)
{
    double sum = 0;
    const int64_t middle = kernel / 2;
    for (int64_t k = 0; k < kernel; ++k) {
        double d = (double)(k - middle) / (double)sigma;
        sum += exp(-0.5 * d * d);
    }
    for (int64_t k = 0; k < kernel; ++k) {
        double d = (double)(k - middle) / (double)sigma;
        weight[k] = (float)(exp(-0.5 * d * d) / sum);
    }
}

/* Down the columns into one row of floats with mirrored ends, then across it. */
void hni_canvas_blur(hni_canvas *c, int64_t kernel, float sigma)
{
    int64_t half = kernel / 2, step = c->channels, row = c->width * step;
    float *sum = c->row, *inner = sum + half * step, *weight = sum + (c->width + kernel) * step;
    make_weights(weight, kernel, sigma);
    for (int64_t y = 0; y < c->height; ++y) {
        memset(inner, 0, (size_t)row * sizeof *inner);
        for (int64_t k = 0; k < kernel; ++k)
            if (weight[k] > 1e-7f) /* a narrow bell has few */
                add_row(c->pixels + mirrored(y + k - half, c->height) * row, weight[k], inner, row);
        for (int64_t x = 0; x < half; ++x)
            for (int64_t k = 0; k < step; ++k) {
                inner[(-1 - x) * step + k] = inner[mirrored(-1 - x, c->width) * step + k];
                inner[(c->width + x) * step + k] = inner[mirrored(c->width + x, c->width) * step + k];
            }
        across(sum, weight, kernel, step, c->spare + y * row, row);
    }
    hni_canvas_swap(c);
}
