/* winograd_body.h -- the functions of winograd.h, compiled once for each instruction set by a source that defines
 *   TABLE  the table's name          NAME  "its name in words"
 *   LANES  floats in a vector        ROWS  rows of a product kept in registers, beside one panel's columns
 * and is compiled with that instruction set's flags.                                                                  */
#include "kernel/vec.h"
#include "kernel/winograd.h"

#include <stddef.h>

enum { VECS = HNI_PANEL / LANES };

/* ---- transforms -------------------------------------------------------------------------------------------------- */

/* One column of B^T d: channels [c, c + n) of four rows at pixel x. */
HNI_INLINE void column_of(const float *const rows[4], int64_t x, int64_t width, int64_t channels, int64_t c, int64_t n,
                          vec t[4])
{
    if (x < 0 || x >= width) {
        t[0] = t[1] = t[2] = t[3] = (vec){0};
        return;
    }
    const int64_t at = x * channels + c;
    vec d0 = load(rows[0] + at, n), d1 = load(rows[1] + at, n), d2 = load(rows[2] + at, n), d3 = load(rows[3] + at, n);
    t[0] = d0 - d2;
    t[1] = d1 + d2;
    t[2] = d2 - d1;
    t[3] = d1 - d3;
}

/* Neighbouring tiles share two of their four columns: t keeps these in turn. */
HNI_INLINE void input_lanes(int64_t tiles, int64_t channels, const float *const rows[4], int64_t column, int64_t width,
                            int64_t c, int64_t n, float *v, int64_t stride)
{
    vec t0[4], t1[4], t2[4], t3[4];
    column_of(rows, column, width, channels, c, n, t0);
    column_of(rows, column + 1, width, channels, c, n, t1);
    for (int64_t t = 0; t < tiles; ++t) {
        column_of(rows, column + 2 * t + 2, width, channels, c, n, t2);
        column_of(rows, column + 2 * t + 3, width, channels, c, n, t3);
        float *to = v + t * channels + c;
        for (int i = 0; i < 4; ++i, to += 4 * stride) {
            store(to, n, t0[i] - t2[i]);
            store(to + stride, n, t1[i] + t2[i]);
            store(to + 2 * stride, n, t2[i] - t1[i]);
            store(to + 3 * stride, n, t1[i] - t3[i]);
            t0[i] = t2[i];
            t1[i] = t3[i];
        }
    }
}

static void input(int64_t tiles, int64_t channels, const float *const rows[4], int64_t column, int64_t width, float *v,
                  int64_t stride)
{
    int64_t c = 0;
    for (; c + LANES <= channels; c += LANES)
        input_lanes(tiles, channels, rows, column, width, c, LANES, v, stride);
    if (c < channels)
        input_lanes(tiles, channels, rows, column, width, c, channels - c, v, stride);
}

HNI_INLINE void output_lanes(int64_t tiles, int64_t channels, const float *m, int64_t ld, int64_t stride,
                             float *const rows[2], int64_t columns, int64_t c, int64_t n)
{
    for (int64_t t = 0; t < tiles; ++t) {
        const float *from = m + t * ld + c;
        vec s[2][4];
        for (int j = 0; j < 4; ++j, from += stride) {
            vec m0 = load(from, n), m1 = load(from + 4 * stride, n), m2 = load(from + 8 * stride, n);
            vec m3 = load(from + 12 * stride, n);
            s[0][j] = m0 + (m1 + m2);
            s[1][j] = (m1 - m2) - m3;
        }
        for (int i = 0; i < 2 && rows[i] != NULL; ++i) {
            float *to = rows[i] + 2 * t * channels + c;
            store(to, n, s[i][0] + (s[i][1] + s[i][2]));
            if (2 * t + 1 < columns)
                store(to + channels, n, (s[i][1] - s[i][2]) - s[i][3]);
        }
    }
}

static void output(int64_t tiles, int64_t channels, const float *m, int64_t ld, int64_t stride, float *const rows[2],
                   int64_t columns)
{
    int64_t c = 0;
    for (; c + LANES <= channels; c += LANES)
        output_lanes(tiles, channels, m, ld, stride, rows, columns, c, LANES);
    if (c < channels)
        output_lanes(tiles, channels, m, ld, stride, rows, columns, c, channels - c);
}

HNI_INLINE void gradient_lanes(int64_t tiles, int64_t channels, const float *const rows[2], int64_t columns, float *v,
                               int64_t ld, int64_t stride, int64_t c, int64_t n)
{
    const vec zero = {0};
    for (int64_t t = 0; t < tiles; ++t) {
        const int64_t at = 2 * t * channels + c;
        const int right = 2 * t + 1 < columns, below = rows[1] != NULL;
        vec a0 = load(rows[0] + at, n), a1 = right ? load(rows[0] + at + channels, n) : zero;
        vec b0 = below ? load(rows[1] + at, n) : zero, b1 = below && right ? load(rows[1] + at + channels, n) : zero;
        const vec r[4][2] = {{a0, a1}, {a0 + b0, a1 + b1}, {a0 - b0, a1 - b1}, {-b0, -b1}};
        float *to = v + t * ld + c;
        for (int i = 0; i < 4; ++i, to += 4 * stride) {
            store(to, n, r[i][0]);
            store(to + stride, n, r[i][0] + r[i][1]);
            store(to + 2 * stride, n, r[i][0] - r[i][1]);
            store(to + 3 * stride, n, -r[i][1]);
        }
    }
}

static void gradient(int64_t tiles, int64_t channels, const float *const rows[2], int64_t columns, float *v, int64_t ld,
                     int64_t stride)
{
    int64_t c = 0;
    for (; c + LANES <= channels; c += LANES)
        gradient_lanes(tiles, channels, rows, columns, v, ld, stride, c, LANES);
    if (c < channels)
        gradient_lanes(tiles, channels, rows, columns, v, ld, stride, c, channels - c);
}

/* ---- products ---------------------------------------------------------------------------------------------------- */

/* rows x HNI_PANEL of a product, kept in registers: c (rows ldc apart) = (c where add is set) + sum over k of
 * a[r row_stride + k depth_stride] b[k b_stride ...]. rows and add are constants wherever it is called.               */
HNI_INLINE void product(int rows, int add, int64_t depth, const float *a, int64_t row_stride, int64_t depth_stride,
                        const float *b, int64_t b_stride, float *c, int64_t ldc)
{
    vec sum[ROWS][VECS];
    for (int r = 0; r < rows; ++r)
        for (int v = 0; v < VECS; ++v)
            sum[r][v] = add ? load(c + r * ldc + v * LANES, LANES) : (vec){0};
    for (int64_t k = 0; k < depth; ++k, a += depth_stride, b += b_stride) {
        vec right[VECS];
        for (int v = 0; v < VECS; ++v)
            right[v] = load(b + v * LANES, LANES);
        for (int r = 0; r < rows; ++r) {
            const vec left = splat(a[r * row_stride]);
            for (int v = 0; v < VECS; ++v)
                sum[r][v] += left * right[v];
        }
    }
    for (int r = 0; r < rows; ++r)
        for (int v = 0; v < VECS; ++v)
            store(c + r * ldc + v * LANES, LANES, sum[r][v]);
}

static void multiply(int64_t m, int64_t n, int64_t k, const float *a, int64_t lda, const float *b, float *c)
{
    for (int64_t j = 0; j < n; j += HNI_PANEL, b += k * HNI_PANEL) {
        int64_t i = 0;
        for (; i + ROWS <= m; i += ROWS)
            product(ROWS, 0, k, a + i * lda, lda, 1, b, HNI_PANEL, c + i * n + j, n);
        for (; i + 2 <= m; i += 2)
            product(2, 0, k, a + i * lda, lda, 1, b, HNI_PANEL, c + i * n + j, n);
        if (i < m)
            product(1, 0, k, a + i * lda, lda, 1, b, HNI_PANEL, c + i * n + j, n);
    }
}

/* Eight or four rows at a time, because channels come in multiples of these, not of ROWS. */
static void accumulate(int64_t m, int64_t n, int64_t k, const float *a, const float *b, float *c)
{
    enum { FEW = ROWS < 4 ? ROWS : 4, MANY = ROWS >= 8 ? 8 : FEW };
    for (int64_t j = 0; j < n; j += HNI_PANEL) {
        int64_t i = 0;
        for (; i + MANY <= m; i += MANY)
            product(MANY, 1, k, a + i, 1, m, b + j, n, c + i * n + j, n);
        for (; i + FEW <= m; i += FEW)
            product(FEW, 1, k, a + i, 1, m, b + j, n, c + i * n + j, n);
        for (; i < m; ++i)
            product(1, 1, k, a + i, 1, m, b + j, n, c + i * n + j, n);
    }
}

const hni_winograd TABLE = {.name = NAME,
                            .input = input,
                            .output = output,
                            .gradient = gradient,
                            .multiply = multiply,
                            .accumulate = accumulate};
