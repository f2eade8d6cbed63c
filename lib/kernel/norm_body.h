/* norm_body.h -- the functions of norm.h, compiled once for each instruction set by a source that defines
 *   TABLE  the table's name          NAME  "its name in words"
 *   LANES  floats in a vector        VECS  vectors of columns whose coefficients and sums stay in registers
 * and is compiled with that instruction set's flags.                                                                  */
#include "kernel/norm.h"
#include "kernel/vec.h"

HNI_INLINE vec load_as(int kind, const void *p, int64_t at, int64_t n)
{
    return kind == HNI_NORM_BF16 ? load_bf16((const uint16_t *)p + at, n) : load((const float *)p + at, n);
}

HNI_INLINE void store_as(int kind, void *p, int64_t at, int64_t n, vec v)
{
    if (kind == HNI_NORM_BF16)
        store_bf16((uint16_t *)p + at, n, v);
    else
        store((float *)p + at, n, v);
}

/* v where the mask is all ones, else 0. */
HNI_INLINE vec where(words mask, vec v)
{
    return (vec)(mask & (words)v);
}

/* A stripe: `vecs` vectors of columns from `column` on (the last `lanes` long) of `groups` groups from element `at` on.
 * kind, has, vecs and lanes are constants wherever it is called, lanes but for a rest.                                */
typedef void stripe(int kind, int has, int vecs, int64_t lanes, const hni_norm_rows *r, int64_t column, int64_t at,
                    int64_t groups);

/* All stripes of elements [at, at + n). */
HNI_INLINE void walk(stripe *of, int kind, int has, const hni_norm_rows *r, int64_t at, int64_t n)
{
    const int64_t whole = n / r->width;
    for (int short_group = 0; short_group < 2; ++short_group) {
        const int64_t groups = short_group ? 1 : whole, width = short_group ? n - whole * r->width : r->width;
        const int64_t first = short_group ? at + whole * r->width : at;
        int64_t column = 0;
        if (groups == 0 || width == 0)
            continue;
        for (; column + VECS * LANES <= width; column += VECS * LANES)
            of(kind, has, VECS, LANES, r, column, first + column, groups);
        for (; column + LANES <= width; column += LANES)
            of(kind, has, 1, LANES, r, column, first + column, groups);
        if (column < width)
            of(kind, has, 1, width - column, r, column, first + column, groups);
    }
}

HNI_INLINE void load_columns(int vecs, int64_t lanes, const float *from, int64_t column, vec to[VECS])
{
    for (int v = 0; v < vecs; ++v)
        to[v] = load(from + column + v * LANES, lanes);
}

HNI_INLINE void store_columns(int vecs, int64_t lanes, float *to, int64_t column, const vec from[VECS])
{
    for (int v = 0; v < vecs; ++v)
        store(to + column + v * LANES, lanes, from[v]);
}

/* What normalise makes of x - mean, and what backward takes for it: the same operations, so the same sign. */
HNI_INLINE vec scaled(vec difference, vec scale, vec bias)
{
    return difference * scale + bias;
}

/* ---- forward ----------------------------------------------------------------------------------------------------- */

HNI_INLINE void squares(int kind, int has, int vecs, int64_t lanes, const hni_norm_rows *r, int64_t column, int64_t at,
                        int64_t groups)
{
    vec shift[VECS], first[VECS], second[VECS];
    const void *x = r->x;
    const int64_t width = r->width;
    (void)has;
    load_columns(vecs, lanes, r->k[0], column, shift);
    load_columns(vecs, lanes, r->sum[0], column, first);
    load_columns(vecs, lanes, r->sum[1], column, second);
    for (int64_t g = 0; g < groups; ++g, at += width)
        for (int v = 0; v < vecs; ++v) {
            const vec d = load_as(kind, x, at + v * LANES, lanes) - shift[v];
            first[v] += d;
            second[v] += d * d;
        }
    store_columns(vecs, lanes, r->sum[0], column, first);
    store_columns(vecs, lanes, r->sum[1], column, second);
}

HNI_INLINE void normalise(int kind, int has, int vecs, int64_t lanes, const hni_norm_rows *r, int64_t column,
                          int64_t at, int64_t groups)
{
    vec mean[VECS], scale[VECS], bias[VECS];
    const void *x = r->x, *addend = r->addend;
    void *out = r->out;
    const int64_t width = r->width;
    const vec lowest = splat(r->lowest);
    load_columns(vecs, lanes, r->k[0], column, mean);
    load_columns(vecs, lanes, r->k[1], column, scale);
    load_columns(vecs, lanes, r->k[2], column, bias);
    for (int64_t g = 0; g < groups; ++g, at += width)
        for (int v = 0; v < vecs; ++v) {
            vec y = scaled(load_as(kind, x, at + v * LANES, lanes) - mean[v], scale[v], bias[v]);
            if (has)
                y += load_as(kind, addend, at + v * LANES, lanes);
            const words low = (words)(y < lowest);
            store_as(kind, out, at + v * LANES, lanes, (vec)(((words)y & ~low) | ((words)lowest & low)));
        }
}

/* ---- backward ---------------------------------------------------------------------------------------------------- */

enum { HAS_Y = 1, HAS_MASKED = 2, HAS_RELU_OF_X = 4 };

/* dy behind the ReLU; d: x - k0. */
HNI_INLINE vec masked_gradient(int kind, int has, const hni_norm_rows *r, int64_t at, int64_t lanes, vec d, vec scale,
                               vec bias)
{
    const vec g = load_as(kind, r->dy, at, lanes);
    if ((has & HAS_RELU_OF_X) != 0)
        return where((words)(scaled(d, scale, bias) > 0.0f), g);
    return (has & HAS_Y) != 0 ? where((words)(load_as(kind, r->y, at, lanes) > 0.0f), g) : g;
}

HNI_INLINE void products(int kind, int has, int vecs, int64_t lanes, const hni_norm_rows *r, int64_t column, int64_t at,
                         int64_t groups)
{
    vec mean[VECS], scale[VECS], bias[VECS], first[VECS], second[VECS];
    const hni_norm_rows own = *r; /* whose pointers no store can change */
    const int64_t width = r->width;
    load_columns(vecs, lanes, r->k[0], column, mean);
    load_columns(vecs, lanes, r->k[1], column, scale);
    load_columns(vecs, lanes, r->k[4], column, bias);
    load_columns(vecs, lanes, r->sum[0], column, first);
    load_columns(vecs, lanes, r->sum[1], column, second);
    for (int64_t group = 0; group < groups; ++group, at += width)
        for (int v = 0; v < vecs; ++v) {
            const vec d = load_as(kind, own.x, at + v * LANES, lanes) - mean[v];
            const vec g = masked_gradient(kind, has, &own, at + v * LANES, lanes, d, scale[v], bias[v]);
            first[v] += g;
            second[v] += g * d;
            if ((has & HAS_MASKED) != 0)
                store_as(kind, own.masked, at + v * LANES, lanes, g);
        }
    store_columns(vecs, lanes, r->sum[0], column, first);
    store_columns(vecs, lanes, r->sum[1], column, second);
}

HNI_INLINE void gradient(int kind, int has, int vecs, int64_t lanes, const hni_norm_rows *r, int64_t column, int64_t at,
                         int64_t groups)
{
    vec mean[VECS], a[VECS], b[VECS], c[VECS], bias[VECS];
    const hni_norm_rows own = *r;
    const int64_t width = r->width;
    load_columns(vecs, lanes, r->k[0], column, mean);
    load_columns(vecs, lanes, r->k[1], column, a);
    load_columns(vecs, lanes, r->k[2], column, b);
    load_columns(vecs, lanes, r->k[3], column, c);
    load_columns(vecs, lanes, r->k[4], column, bias);
    for (int64_t group = 0; group < groups; ++group, at += width)
        for (int v = 0; v < vecs; ++v) {
            const vec d = load_as(kind, own.x, at + v * LANES, lanes) - mean[v];
            const vec g = masked_gradient(kind, has, &own, at + v * LANES, lanes, d, a[v], bias[v]);
            store_as(kind, own.out, at + v * LANES, lanes, a[v] * g + b[v] * d + c[v]);
        }
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

HNI_INLINE void normalise_all(int kind, const hni_norm_rows *r, int64_t at, int64_t n)
{
    if (r->addend != NULL)
        walk(normalise, kind, 1, r, at, n);
    else
        walk(normalise, kind, 0, r, at, n);
}

HNI_INLINE void products_all(int kind, const hni_norm_rows *r, int64_t at, int64_t n)
{
    if (r->relu_of_x)
        walk(products, kind, HAS_RELU_OF_X, r, at, n); /* masked is for what has an addend */
    else if (r->y != NULL && r->masked != NULL)
        walk(products, kind, HAS_Y | HAS_MASKED, r, at, n);
    else if (r->y != NULL)
        walk(products, kind, HAS_Y, r, at, n);
    else if (r->masked != NULL)
        walk(products, kind, HAS_MASKED, r, at, n);
    else
        walk(products, kind, 0, r, at, n);
}

HNI_INLINE void gradient_all(int kind, const hni_norm_rows *r, int64_t at, int64_t n)
{
    if (r->relu_of_x)
        walk(gradient, kind, HAS_RELU_OF_X, r, at, n);
    else if (r->y != NULL)
        walk(gradient, kind, HAS_Y, r, at, n);
    else
        walk(gradient, kind, 0, r, at, n);
}

HNI_INLINE void convert_all(int kind, const hni_norm_rows *r, int64_t at, int64_t n)
{
    for (int64_t end = at + n; at < end; at += LANES) {
        const int64_t lanes = end - at < LANES ? end - at : LANES;
        if (lanes == LANES)
            store_as(kind, r->out, at, LANES, load_as(!kind, r->x, at, LANES));
        else
            store_as(kind, r->out, at, lanes, load_as(!kind, r->x, at, lanes));
    }
}

HNI_INLINE void squares_all(int kind, const hni_norm_rows *r, int64_t at, int64_t n)
{
    walk(squares, kind, 0, r, at, n);
}

#define BOTH_KINDS(name)                                                   \
    static void name##_f32(const hni_norm_rows *r, int64_t at, int64_t n)  \
    {                                                                      \
        name##_all(HNI_NORM_F32, r, at, n);                                \
    }                                                                      \
    static void name##_bf16(const hni_norm_rows *r, int64_t at, int64_t n) \
    {                                                                      \
        name##_all(HNI_NORM_BF16, r, at, n);                               \
    }

BOTH_KINDS(squares)
BOTH_KINDS(normalise)
BOTH_KINDS(products)
BOTH_KINDS(gradient)
BOTH_KINDS(convert)

const hni_norm_table TABLE = {.name = NAME,
                        .squares = {squares_f32, squares_bf16},
                        .normalise = {normalise_f32, normalise_bf16},
                        .products = {products_f32, products_bf16},
                        .gradient = {gradient_f32, gradient_bf16},
                        .convert = {convert_f32, convert_bf16}};
