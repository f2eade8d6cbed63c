/* Similarities exist only as tiles. With s_ij = z_i.z_j / tau, lse_i = log sum_{j != i} exp(s_ij), a_i the weight of
 * anchor i in the reduction and S the sum of its class's rows:
 *     L_i    = lse_i - z_i.(S - z_i) / (tau |P|)
 *     dL/dz_i = 1/tau ( sum_{j != i} (a_i exp(s_ij - lse_i) + a_j exp(s_ij - lse_j)) z_j - 2 a_i / |P| (S - z_i) )
 * so positives cost O(n dim) and only the denominators need tiles: 2 n^2 dim flops for the loss, 4 more for the gradient.
 * Rows are sorted by label first: a class is then a stretch of rows.                                                     */
#include <hybridnet/supcon.h>

#include "base/error.h"
#include "base/options.h"
#include "base/parallel.h"
#include "kernel/gemm.h"
#include "kernel/rownorm.h"
#include "kernel/softmax.h"
#include "loss/common.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { ROWS = 128, COLS = 256 }; /* of a tile: 128 KiB */

static const hn_loss_sc_options defaults = {
    .struct_size = sizeof defaults, .num_threads = 1, .grad_scale = 1.0f, .temperature = 0.1f, .normalize = 1};

void hn_loss_sc_options_init(hn_loss_sc_options *options, size_t struct_size)
{
    hni_options_init(options, struct_size, &defaults, sizeof defaults);
}

static hn_status read_options(hn_loss_sc_options *o, const hn_loss_sc_options *options, const char *function)
{
    *o = defaults;
    HNI_TRY(hni_options_read(o, sizeof *o, options, function));
    HNI_TRY(hni_loss_check_common(o, function));
    HNI_TRY(hni_loss_check_temperature(o->temperature, function));
    HNI_FAIL_IF(o->lonely_anchor != HN_LONELY_SKIP && o->lonely_anchor != HN_LONELY_ZERO, HN_E_ARG,
                "%s: lonely_anchor %d does not exist", function, (int)o->lonely_anchor);
    return HN_OK;
}

/* Everything a call needs; rows below are in sorted order, of which `order` tells the caller's row. */
typedef struct work {
    const hn_loss_sc_options *o;
    const hn_cmatf *x;
    const int32_t *labels;
    const hn_matf *dx;
    int64_t m, dim;  /* rows with a label */
    int32_t *order;  /* [m] */
    int32_t *buffer; /* [m], for sorting */
    int32_t *first;  /* [m], where the row's class begins */
    int32_t *size;   /* [m], rows of its class */
    float *z;        /* m x dim, normalised */
    double *inverse; /* [m], of the lengths */
    float *sum;      /* m x dim: row first[i] holds the sum of the class */
    float *shift;    /* [m], the largest similarity */
    float *push;     /* [m], a_i / sum_{j != i} exp(s_ij - shift_i) */
    double *row;     /* [m], losses */
    float share;     /* a_i of an anchor that counts */
    char *tiles;     /* tile_bytes a thread: ROWS x COLS similarities, ROWS x dim gradients */
    size_t tile_bytes;
} work;

static size_t carve(work *w, int64_t n, int64_t dim, int32_t threads, char *base)
{
    hni_carver c = {base, 0};
    w->order = hni_carve(&c, n, sizeof *w->order);
    w->buffer = hni_carve(&c, n, sizeof *w->buffer);
    w->first = hni_carve(&c, n, sizeof *w->first);
    w->size = hni_carve(&c, n, sizeof *w->size);
    w->z = hni_carve(&c, n * dim, sizeof *w->z);
    w->inverse = hni_carve(&c, n, sizeof *w->inverse);
    w->sum = hni_carve(&c, n * dim, sizeof *w->sum);
    w->shift = hni_carve(&c, n, sizeof *w->shift);
    w->push = hni_carve(&c, n, sizeof *w->push);
    w->row = hni_carve(&c, n, sizeof *w->row);
    size_t before = c.used;
    (void)hni_carve(&c, ROWS * (COLS + dim), sizeof(float));
    w->tile_bytes = c.used - before;
    w->tiles = base == NULL ? NULL : base + before;
    int64_t blocks = (n + ROWS - 1) / ROWS; /* more threads than that have nothing to do */
    return before + (size_t)(threads < blocks ? threads : blocks) * w->tile_bytes;
}

/* Merge sort of row numbers by label: stable, so that the order of equal labels is the caller's. */
static void sort_by_label(const int32_t *labels, int32_t *order, int32_t *buffer, int64_t m)
{
    for (int64_t width = 1; width < m; width *= 2) {
        for (int64_t low = 0; low < m; low += 2 * width) {
            int64_t middle = low + width < m ? low + width : m, high = low + 2 * width < m ? low + 2 * width : m;
            int64_t a = low, b = middle;
            for (int64_t k = low; k < high; ++k)
                buffer[k] = a < middle && (b >= high || labels[order[a]] <= labels[order[b]]) ? order[a++] : order[b++];
        }
        memcpy(order, buffer, (size_t)m * sizeof *order);
    }
}

static void group(work *w, int64_t n)
{
    int64_t m = 0;
    for (int64_t i = 0; i < n; ++i)
        if (w->labels[i] >= 0)
            w->order[m++] = (int32_t)i;
    sort_by_label(w->labels, w->order, w->buffer, m);
    for (int64_t begin = 0, end; begin < m; begin = end) {
        for (end = begin + 1; end < m && w->labels[w->order[end]] == w->labels[w->order[begin]];)
            ++end;
        for (int64_t i = begin; i < end; ++i) {
            w->first[i] = (int32_t)begin;
            w->size[i] = (int32_t)(end - begin);
        }
    }
    w->m = m;
}

static void normalize_block(void *arg, int64_t task, int32_t thread)
{
    const work *w = arg;
    (void)thread;
    for (int64_t i = task * ROWS; i < w->m && i < (task + 1) * ROWS; ++i) {
        const float *x = w->x->data + w->order[i] * w->x->ld;
        if (w->o->normalize)
            w->inverse[i] = hni_rownorm_row(w->dim, x, w->z + i * w->dim);
        else
            memcpy(w->z + i * w->dim, x, (size_t)w->dim * sizeof *x);
    }
}

/* Sums of the classes that begin in this block of rows. */
static void sum_block(void *arg, int64_t task, int32_t thread)
{
    const work *w = arg;
    (void)thread;
    for (int64_t i = task * ROWS; i < w->m && i < (task + 1) * ROWS; ++i)
        for (int64_t d = 0; w->first[i] == i && d < w->dim; ++d) {
            double sum = 0.0;
            for (int64_t k = i; k < i + w->size[i]; ++k)
                sum += (double)w->z[k * w->dim + d];
            w->sum[i * w->dim + d] = (float)sum;
        }
}

/* similarities: rows x cols for rows from i and columns from j; the diagonal is minus infinity. */
static void similarities(const work *w, int64_t i, int64_t rows, int64_t j, int64_t cols, float *tile)
{
    hni_gemm(false, true, rows, cols, w->dim, 1.0f / w->o->temperature, w->z + i * w->dim, w->dim, w->z + j * w->dim,
             w->dim, 0.0f, tile, COLS);
    for (int64_t r = 0; r < rows; ++r)
        if (i + r >= j && i + r < j + cols)
            tile[r * COLS + (i + r - j)] = -INFINITY;
}

static int64_t minimum(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void loss_block(void *arg, int64_t task, int32_t thread)
{
    const work *w = arg;
    int64_t i = task * ROWS, rows = minimum(ROWS, w->m - i);
    float *tile = (float *)(void *)(w->tiles + (size_t)thread * w->tile_bytes);
    hni_lse lse[ROWS];
    for (int64_t r = 0; r < rows; ++r)
        lse[r] = (hni_lse){-INFINITY, 0.0};
    for (int64_t j = 0; j < w->m; j += COLS) {
        int64_t cols = minimum(COLS, w->m - j);
        similarities(w, i, rows, j, cols, tile);
        for (int64_t r = 0; r < rows; ++r)
            hni_lse_add(&lse[r], cols, tile + r * COLS);
    }
    for (int64_t r = 0; r < rows; ++r) {
        int64_t k = i + r, positives = w->size[k] - 1;
        const float *z = w->z + k * w->dim, *sum = w->sum + w->first[k] * w->dim;
        double value = hni_lse_value(&lse[r]);
        w->shift[k] = positives > 0 ? lse[r].max : 0.0f;
        w->push[k] = positives > 0 ? (float)(1.0 / lse[r].sum) : 0.0f;
        double near = hni_dot(w->dim, z, sum) - hni_dot(w->dim, z, z);
        w->row[k] = positives > 0 ? value - near / ((double)w->o->temperature * (double)positives) : 0.0;
    }
}

static void gradient_block(void *arg, int64_t task, int32_t thread)
{
    const work *w = arg;
    int64_t i = task * ROWS, rows = minimum(ROWS, w->m - i), dim = w->dim;
    float *tile = (float *)(void *)(w->tiles + (size_t)thread * w->tile_bytes), *g = tile + ROWS * COLS;
    const float sharp = 1.0f / w->o->temperature;
    for (int64_t r = 0; r < rows; ++r) {
        int64_t k = i + r, positives = w->size[k] - 1;
        const float *z = w->z + k * dim, *sum = w->sum + w->first[k] * dim;
        float pull = positives > 0 ? -2.0f * sharp * w->share / (float)positives : 0.0f;
        for (int64_t d = 0; d < dim; ++d)
            g[r * dim + d] = pull * (sum[d] - z[d]);
    }
    for (int64_t j = 0; j < w->m; j += COLS) {
        int64_t cols = minimum(COLS, w->m - j);
        similarities(w, i, rows, j, cols, tile);
        for (int64_t r = 0; r < rows; ++r)
            hni_exp_pair(cols, w->push[i + r], w->shift[i + r], w->push + j, w->shift + j, tile + r * COLS);
        hni_gemm(false, false, rows, dim, cols, sharp, tile, COLS, w->z + j * dim, dim, 1.0f, g, dim);
    }
    const float scale = w->o->grad_scale, beta = w->o->grad_beta;
    for (int64_t r = 0; r < rows; ++r) {
        float *dx = w->dx->data + w->order[i + r] * w->dx->ld;
        if (w->o->normalize)
            hni_rownorm_row_backward(dim, w->z + (i + r) * dim, w->inverse[i + r], g + r * dim, scale, beta, dx);
        else
            for (int64_t d = 0; d < dim; ++d)
                dx[d] = scale * g[r * dim + d] + (beta == 0.0f ? 0.0f : beta * dx[d]);
    }
}

/* The reduced loss; gives the anchors their weight. */
static double reduce(work *w)
{
    int64_t counted = 0;
    double sum = 0.0;
    for (int64_t i = 0; i < w->m; ++i) {
        counted += w->size[i] > 1 || w->o->lonely_anchor == HN_LONELY_ZERO;
        sum += w->row[i];
    }
    double share = w->o->reduction == HN_REDUCE_SUM ? 1.0 : counted > 0 ? 1.0 / (double)counted : 0.0;
    for (int64_t i = 0; i < w->m; ++i)
        w->push[i] *= (float)share;
    w->share = (float)share;
    return counted > 0 ? share * sum : 0.0;
}

hn_status hn_loss_sc_scratch(const hn_loss_sc_options *options, int64_t n, int64_t dim, size_t *bytes)
{
    hn_loss_sc_options o;
    work w;
    HNI_FAIL_IF(bytes == NULL, HN_E_ARG, "hn_loss_sc_scratch: bytes is NULL");
    HNI_TRY(read_options(&o, options, "hn_loss_sc_scratch"));
    HNI_TRY(hni_loss_check_extents(n, dim, "hn_loss_sc_scratch", "z"));
    *bytes = carve(&w, n, dim, o.num_threads, NULL);
    return HN_OK;
}

hn_status hn_loss_sc(const hn_loss_sc_options *options, const hn_cmatf *z, const int32_t *labels, double *loss,
                     float *row_loss, hn_matf *dz, const hn_scratch *scratch)
{
    static const char function[] = "hn_loss_sc";
    hn_loss_sc_options o;
    int64_t valid;
    size_t bytes;
    HNI_TRY(read_options(&o, options, function));
    HNI_TRY(hni_loss_check_matrix(z, function, "z"));
    HNI_TRY(hni_loss_check_gradient(dz, z, function, "dz"));
    HNI_TRY(hni_loss_check_labels(labels, z->rows, -1, function, &valid));
    HNI_TRY(hni_loss_check_finite(o.check_finite, z, function, "z"));
    HNI_TRY(hn_loss_sc_scratch(&o, z->rows, z->cols, &bytes));
    HNI_TRY(hni_loss_check_scratch(scratch, bytes, function));

    work w = {.o = &o, .x = z, .labels = labels, .dx = dz, .dim = z->cols};
    (void)carve(&w, z->rows, z->cols, o.num_threads, scratch->data);
    group(&w, z->rows);
    int64_t blocks = (w.m + ROWS - 1) / ROWS;
    hni_parallel(o.num_threads, blocks, normalize_block, &w);
    hni_parallel(o.num_threads, blocks, sum_block, &w);
    hni_parallel(o.num_threads, blocks, loss_block, &w);
    double value = reduce(&w);
    if (dz != NULL) {
        for (int64_t i = 0; i < z->rows; ++i)
            if (labels[i] < 0)
                hni_loss_scale_row(z->cols, o.grad_beta, dz->data + i * dz->ld);
        hni_parallel(o.num_threads, blocks, gradient_block, &w);
    }
    for (int64_t i = 0; row_loss != NULL && i < z->rows; ++i)
        row_loss[i] = 0.0f;
    for (int64_t i = 0; row_loss != NULL && i < w.m; ++i)
        row_loss[w.order[i]] = (float)w.row[i];
    if (loss != NULL)
        *loss = value;
    return HN_OK;
}
