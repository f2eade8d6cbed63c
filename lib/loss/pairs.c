#include "loss/pairs.h"

#include "base/integer.h"
#include "base/parallel.h"
#include "kernel/gemm.h"
#include "kernel/softmax.h"

#include <math.h>

/* Rows of a block: large tiles multiply faster, but few blocks are few tiles to share out. */
enum { SMALL = 128, LARGE = 256, MANY_ROWS = 2048 };

/* Exponents between 0 and minus this keep sums, their reciprocals and products of both within a float. */
#define WIDEST 60.0

static int64_t block_rows(int64_t n)
{
    return n < MANY_ROWS ? SMALL : LARGE;
}

size_t hni_pairs_tile_bytes(int64_t n)
{
    return (size_t)(block_rows(n) * block_rows(n)) * sizeof(float);
}

int32_t hni_pairs_threads(int64_t n, int32_t num_threads)
{
    int64_t blocks = (n + block_rows(n) - 1) / block_rows(n);
    return blocks < 1 ? 1 : blocks < num_threads ? (int32_t)blocks : num_threads;
}

/* A tile: rows i to i + rows - 1 against rows j to j + cols - 1. */
typedef struct tile {
    int64_t i, rows, j, cols;
    float *s; /* rows x block */
} tile;

/* Task `task` of the round. Round 0 has the tiles on the diagonal. In round r > 0 the blocks play a tournament: the last stays,
 * the others stand in a circle turned by r, and opposite ones meet; with an odd number the one without an opposite rests. */
static int find_tile(const hni_pairs *p, int64_t task, int32_t thread, tile *t)
{
    int64_t a = task, b = task;
    if (p->round > 0) {
        int64_t circle = p->blocks - 1 + p->blocks % 2; /* an odd number */
        a = (p->round + task) % circle;
        b = task == 0 ? circle : (p->round - task + circle) % circle;
        if (b >= p->blocks)
            return 0;
    }
    int64_t low = a < b ? a : b, high = a < b ? b : a;
    *t = (tile){low * p->block, hni_min(p->block, p->n - low * p->block), high * p->block,
                hni_min(p->block, p->n - high * p->block),
                (float *)(void *)(p->tiles + (size_t)thread * hni_pairs_tile_bytes(p->n))};
    hni_gemm(false, true, t->rows, t->cols, p->dim, 1.0f / p->temperature, p->z + t->i * p->dim, p->dim,
             p->z + t->j * p->dim, p->dim, 0.0f, t->s, p->block);
    for (int64_t r = 0; t->i == t->j && r < t->rows; ++r)
        t->s[r * p->block + r] = -INFINITY;
    return 1;
}

static void run_rounds(hni_pairs *p, hni_task_fn fn)
{
    const int64_t rounds = p->blocks - 1 + p->blocks % 2;
    for (p->round = 0; p->round <= rounds && p->n > 0; ++p->round)
        hni_parallel(p->num_threads, p->round == 0 ? p->blocks : (p->blocks + 1) / 2, fn, p);
}

static void add_sums(void *arg, int64_t task, int32_t thread)
{
    const hni_pairs *p = arg;
    tile t;
    if (!find_tile(p, task, thread, &t))
        return;
    double *columns = t.i == t.j ? NULL : p->sum + t.j; /* a tile on the diagonal holds both of each pair */
    if (p->bounded)
        hni_tile_exp_sums(t.rows, t.cols, t.s, p->block, p->shift[0], p->sum + t.i, columns);
    else
        hni_tile_lse(t.rows, t.cols, t.s, p->block, p->shift + t.i, p->sum + t.i,
                     columns == NULL ? NULL : p->shift + t.j, columns);
}

void hni_pairs_sums(hni_pairs *p, double longest)
{
    const double most = longest * longest / (double)p->temperature;
    p->block = block_rows(p->n);
    p->blocks = (p->n + p->block - 1) / p->block;
    p->bounded = 2.0 * most <= WIDEST; /* not for a NaN */
    for (int64_t i = 0; i < p->n; ++i) {
        p->sum[i] = 0.0;
        p->shift[i] = p->bounded ? (float)most : -INFINITY;
    }
    run_rounds(p, add_sums);
    for (int64_t i = 0; i < p->n; ++i)
        if (p->shift[i] == -INFINITY)
            p->shift[i] = 0.0f;
}

static void add_gradient(void *arg, int64_t task, int32_t thread)
{
    const hni_pairs *p = arg;
    const float sharp = 1.0f / p->temperature;
    tile t;
    if (!find_tile(p, task, thread, &t))
        return;
    for (int64_t r = 0; r < t.rows; ++r) {
        float *s = t.s + r * p->block;
        if (p->bounded)
            hni_exp_weighted(t.cols, p->push[t.i + r], p->push + t.j, p->shift[0], s);
        else
            hni_exp_pair(t.cols, p->push[t.i + r], p->shift[t.i + r], p->push + t.j, p->shift + t.j, s);
    }
    hni_gemm(false, false, t.rows, p->dim, t.cols, sharp, t.s, p->block, p->z + t.j * p->dim, p->dim, 1.0f,
             p->g + t.i * p->dim, p->dim);
    if (t.i != t.j)
        hni_gemm(true, false, t.cols, p->dim, t.rows, sharp, t.s, p->block, p->z + t.i * p->dim, p->dim, 1.0f,
                 p->g + t.j * p->dim, p->dim);
}

void hni_pairs_gradient(hni_pairs *p)
{
    run_rounds(p, add_gradient);
}
