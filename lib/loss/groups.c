#include "loss/groups.h"

#include "base/parallel.h"
#include "kernel/clones.h"
#include "loss/common.h"

#include <string.h>

enum { ROWS = 128, COLUMNS = 64 }; /* rows of a task; columns summed at a time */

size_t hni_groups_carve(hni_groups *g, int64_t n, char *base)
{
    hni_carver c = {base, 0};
    g->order = hni_carve(&c, n, sizeof *g->order);
    g->label = hni_carve(&c, n, sizeof *g->label);
    g->first = hni_carve(&c, n, sizeof *g->first);
    g->size = hni_carve(&c, n, sizeof *g->size);
    return c.used;
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

void hni_groups_sort(hni_groups *g, const int32_t *labels, int64_t n)
{
    int64_t m = 0;
    for (int64_t i = 0; i < n; ++i)
        if (labels[i] >= 0)
            g->order[m++] = (int32_t)i;
    sort_by_label(labels, g->order, g->first, m);
    for (int64_t begin = 0, end; begin < m; begin = end) {
        const int32_t label = labels[g->order[begin]];
        for (end = begin + 1; end < m && labels[g->order[end]] == label;)
            ++end;
        for (int64_t i = begin; i < end; ++i) {
            g->label[i] = label;
            g->first[i] = (int32_t)begin;
            g->size[i] = (int32_t)(end - begin);
        }
    }
    g->m = m;
}

int64_t hni_groups_find(const hni_groups *g, int32_t label)
{
    int64_t low = 0, high = g->m;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (g->label[middle] < label)
            low = middle + 1;
        else
            high = middle;
    }
    return low < g->m && g->label[low] == label ? low : -1;
}

typedef struct job {
    const hni_groups *groups;
    int64_t dim;
    const float *z;
    const int32_t *order;
    float *sum;
} job;

/* sum[n] = the sum of `rows` rows, n <= COLUMNS; order: of these rows. */
HNI_CLONES static void sum_rows(int64_t rows, int64_t n, const float *restrict z, int64_t dim, const int32_t *order,
                                float *restrict sum)
{
    double part[COLUMNS] = {0};
    for (int64_t r = 0; r < rows; ++r) {
        const float *row = z + (order == NULL ? r : order[r]) * dim;
        for (int64_t c = 0; c < n; ++c)
            part[c] += (double)row[c];
    }
    for (int64_t c = 0; c < n; ++c)
        sum[c] = (float)part[c];
}

/* A task: the classes that begin in this block of rows. */
static void sum_classes(void *arg, int64_t task, int32_t thread)
{
    const job *j = arg;
    const hni_groups *g = j->groups;
    (void)thread;
    for (int64_t i = task * ROWS; i < g->m && i < (task + 1) * ROWS; ++i)
        for (int64_t c = 0; g->first[i] == i && c < j->dim; c += COLUMNS)
            sum_rows(g->size[i], j->dim - c < COLUMNS ? j->dim - c : COLUMNS,
                     j->order == NULL ? j->z + i * j->dim + c : j->z + c, j->dim,
                     j->order == NULL ? NULL : j->order + i, j->sum + i * j->dim + c);
}

void hni_groups_sum(const hni_groups *groups, int32_t num_threads, int64_t dim, const float *z, const int32_t *order,
                    float *sum)
{
    job j = {groups, dim, z, order, sum};
    hni_parallel(num_threads, (groups->m + ROWS - 1) / ROWS, sum_classes, &j);
}
