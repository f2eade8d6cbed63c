#include "kernel/batchnorm.h"

#include "base/integer.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "kernel/clones.h"
#include "kernel/elementwise.h"

#include <math.h>
#include <string.h>

/* Rows are handled in groups so long that loops over one group vectorise well even for 3 or 16 channels; numbers that
 * belong to a channel are repeated to the length of a group.                                                           */
enum {
    MIN_WIDTH = 64, /* floats a group, at least                                                   */
    MAX_TASKS = 64,
    RUN = 128, /* groups summed in float before the sum goes to double                       */
    TILE = 16  /* groups whose masked gradient waits in the cache, when it has no other place */
};

typedef struct partition {
    int64_t rows, channels, group, width; /* group rows = width floats */
    int64_t groups;                       /* the last one may be short */
    int64_t tasks, task_groups;
    size_t wide_bytes, sums_bytes, task_bytes;
} partition;

static partition partition_of(int64_t rows, int64_t channels)
{
    partition p = {.rows = rows, .channels = channels, .group = (MIN_WIDTH + channels - 1) / channels};
    p.width = p.group * channels;
    p.groups = (rows + p.group - 1) / p.group;
    int64_t tasks = (p.groups + RUN - 1) / RUN;
    p.task_groups = (p.groups + hni_min(tasks, MAX_TASKS) - 1) / hni_min(tasks, MAX_TASKS);
    p.tasks = (p.groups + p.task_groups - 1) / p.task_groups;
    p.wide_bytes = hni_round_up((size_t)p.width * sizeof(float));
    p.sums_bytes = hni_round_up((size_t)channels * sizeof(double));
    p.task_bytes = 2 * p.sums_bytes + (2 + TILE) * p.wide_bytes;
    return p;
}

enum { COEFFICIENTS = 4 };

size_t hni_batchnorm_scratch_bytes(int64_t rows, int64_t channels)
{
    const partition p = partition_of(rows, channels);
    return COEFFICIENTS * p.wide_bytes + (size_t)p.tasks * p.task_bytes;
}

typedef struct job {
    partition p;
    char *scratch;
    const float *x, *y, *dy, *addend;
    float *out, *daddend;
    float lowest; /* of y: 0 with a ReLU */
} job;

/* Coefficient arrays of a group's width, shared by all tasks. */
static float *wide(const job *j, int i)
{
    return (float *)(void *)(j->scratch + (size_t)i * j->p.wide_bytes);
}

/* A task's own memory: two double sums a channel, two float sums a column, a tile. */
static char *task_memory(const job *j, int64_t task)
{
    return j->scratch + COEFFICIENTS * j->p.wide_bytes + (size_t)task * j->p.task_bytes;
}

static double *task_sums(const job *j, int64_t task, int which)
{
    return (double *)(void *)(task_memory(j, task) + (size_t)which * j->p.sums_bytes);
}

static float *task_wide(const job *j, int64_t task, int which)
{
    return (float *)(void *)(task_memory(j, task) + 2 * j->p.sums_bytes + (size_t)which * j->p.wide_bytes);
}

/* Repeats channels values to a group's width. */
static void widen(const partition *p, const float *values, float *to)
{
    for (int64_t i = 0; i < p->group; ++i)
        memcpy(to + i * p->channels, values, (size_t)p->channels * sizeof *to);
}

/* Floats in groups [first, first + count): the last group of all may be short. */
static int64_t floats_in(const partition *p, int64_t first, int64_t count)
{
    return hni_min((first + count) * p->width, p->rows * p->channels) - first * p->width;
}

/* Empties the columns' float sums into the channels' double sums. */
static void fold(const partition *p, float *columns, double *sums)
{
    for (int64_t i = 0; i < p->group; ++i)
        for (int64_t c = 0; c < p->channels; ++c)
            sums[c] += (double)columns[i * p->channels + c];
    memset(columns, 0, (size_t)p->width * sizeof *columns);
}

/* The tasks' sums in order; totals: [channels] each, kept in the first task's place. */
static void combine(const job *j)
{
    for (int64_t task = 1; task < j->p.tasks; ++task)
        for (int which = 0; which < 2; ++which) {
            double *total = task_sums(j, 0, which);
            const double *sums = task_sums(j, task, which);
            for (int64_t c = 0; c < j->p.channels; ++c)
                total[c] += sums[c];
        }
}

/* ---- statistics -------------------------------------------------------------------------------------------------- */

/* first += x - shift, second += (x - shift)^2 for n floats from the start of a group. */
HNI_CLONES static void sum_squares(int64_t n, int64_t width, const float *restrict x, const float *restrict shift,
                                   float *restrict first, float *restrict second)
{
    for (; n > 0; n -= width, x += width) {
        int64_t columns = n < width ? n : width;
        for (int64_t i = 0; i < columns; ++i) {
            float d = x[i] - shift[i];
            first[i] += d;
            second[i] += d * d;
        }
    }
}

static void statistics_task(void *arg, int64_t task, int32_t thread)
{
    const job *j = arg;
    const partition *p = &j->p;
    (void)thread;
    memset(task_memory(j, task), 0, 2 * p->sums_bytes + 2 * p->wide_bytes);
    float *first = task_wide(j, task, 0), *second = task_wide(j, task, 1);
    int64_t end = hni_min((task + 1) * p->task_groups, p->groups);
    for (int64_t g = task * p->task_groups; g < end; g += RUN) {
        int64_t n = floats_in(p, g, hni_min(RUN, end - g));
        sum_squares(n, p->width, j->x + g * p->width, wide(j, 0), first, second);
        fold(p, first, task_sums(j, task, 0));
        fold(p, second, task_sums(j, task, 1));
    }
}

void hni_batchnorm_statistics(int32_t num_threads, const hni_batchnorm *b, const float *x, float *mean, float *var,
                              void *scratch)
{
    job j = {.p = partition_of(b->rows, b->channels), .scratch = scratch, .x = x};
    /* Shifted by the first row: the squares of a column far from zero would drown its variance. */
    widen(&j.p, x, wide(&j, 0));
    hni_parallel(num_threads, j.p.tasks, statistics_task, &j);
    combine(&j);
    const double *first = task_sums(&j, 0, 0), *second = task_sums(&j, 0, 1), rows = (double)b->rows;
    for (int64_t c = 0; c < b->channels; ++c) {
        double offset = first[c] / rows, variance = second[c] / rows - offset * offset;
        mean[c] = (float)((double)x[c] + offset);
        var[c] = variance < 0.0 ? 0.0f : (float)variance; /* keeps a NaN */
    }
}

/* ---- forward ----------------------------------------------------------------------------------------------------- */

HNI_CLONES static void normalise(int64_t n, int64_t width, const float *restrict x, const float *restrict mean,
                                 const float *restrict scale, const float *restrict bias, float lowest,
                                 float *restrict y)
{
    for (; n > 0; n -= width, x += width, y += width) {
        int64_t columns = n < width ? n : width;
        for (int64_t i = 0; i < columns; ++i) {
            float v = (x[i] - mean[i]) * scale[i] + bias[i];
            y[i] = v < lowest ? lowest : v; /* keeps a NaN */
        }
    }
}

HNI_CLONES static void normalise_add(int64_t n, int64_t width, const float *restrict x, const float *restrict mean,
                                     const float *restrict scale, const float *restrict bias,
                                     const float *restrict addend, float lowest, float *restrict y)
{
    for (; n > 0; n -= width, x += width, addend += width, y += width) {
        int64_t columns = n < width ? n : width;
        for (int64_t i = 0; i < columns; ++i) {
            float v = (x[i] - mean[i]) * scale[i] + bias[i] + addend[i];
            y[i] = v < lowest ? lowest : v;
        }
    }
}

static void forward_task(void *arg, int64_t task, int32_t thread)
{
    const job *j = arg;
    const partition *p = &j->p;
    (void)thread;
    int64_t at = task * p->task_groups * p->width, n = floats_in(p, task * p->task_groups, p->task_groups);
    const float *mean = wide(j, 0), *scale = wide(j, 1), *bias = wide(j, 2);
    if (j->addend == NULL)
        normalise(n, p->width, j->x + at, mean, scale, bias, j->lowest, j->out + at);
    else
        normalise_add(n, p->width, j->x + at, mean, scale, bias, j->addend + at, j->lowest, j->out + at);
}

/* 1 / sqrt(var + eps). */
static double inverse_deviation(const hni_batchnorm *b, float var)
{
    return 1.0 / sqrt((double)var + (double)b->eps);
}

void hni_batchnorm_forward(int32_t num_threads, const hni_batchnorm *b, const float *x, const float *mean,
                           const float *var, const float *weight, const float *bias, const float *addend, bool relu,
                           float *y, void *scratch)
{
    job j = {.p = partition_of(b->rows, b->channels),
             .scratch = scratch,
             .x = x,
             .addend = addend,
             .out = y,
             .lowest = relu ? 0.0f : -INFINITY};
    float *scale = wide(&j, 1);
    for (int64_t i = 0; i < j.p.width; ++i)
        scale[i] = (float)((double)weight[i % b->channels] * inverse_deviation(b, var[i % b->channels]));
    widen(&j.p, mean, wide(&j, 0));
    widen(&j.p, bias, wide(&j, 2));
    hni_parallel(num_threads, j.p.tasks, forward_task, &j);
}

/* ---- backward ---------------------------------------------------------------------------------------------------- */

/* first += g, second += g (x - mean). */
HNI_CLONES static void sum_products(int64_t n, int64_t width, const float *restrict g, const float *restrict x,
                                    const float *restrict mean, float *restrict first, float *restrict second)
{
    for (; n > 0; n -= width, g += width, x += width) {
        int64_t columns = n < width ? n : width;
        for (int64_t i = 0; i < columns; ++i) {
            first[i] += g[i];
            second[i] += g[i] * (x[i] - mean[i]);
        }
    }
}

/* dx = a g + b (x - mean) + c. Lanes of 16 go through a local array because dx may be x. */
HNI_CLONES static void combine_gradient(int64_t n, int64_t width, const float *g, const float *x,
                                        const float *restrict mean, const float *restrict a, const float *restrict b,
                                        const float *restrict c, float *dx)
{
    enum { LANES = 16 };
    for (; n > 0; n -= width, g += width, x += width, dx += width) {
        int64_t columns = n < width ? n : width, i = 0;
        for (; i + LANES <= columns; i += LANES) {
            float t[LANES];
            for (int l = 0; l < LANES; ++l)
                t[l] = a[i + l] * g[i + l] + b[i + l] * (x[i + l] - mean[i + l]) + c[i + l];
            memcpy(dx + i, t, sizeof t);
        }
        for (; i < columns; ++i)
            dx[i] = a[i] * g[i] + b[i] * (x[i] - mean[i]) + c[i];
    }
}

/* dy behind the ReLU for n floats from `at`: in dy itself without one, else in daddend or the task's tile. */
static const float *masked(const job *j, int64_t task, int64_t at, int64_t n)
{
    float *to = j->daddend != NULL ? j->daddend + at : task_wide(j, task, 2);
    if (j->y != NULL)
        hni_relu_mask(n, j->y + at, j->dy + at, to);
    else if (j->daddend != NULL)
        memcpy(to, j->dy + at, (size_t)n * sizeof *to);
    else
        return j->dy + at;
    return to;
}

static void reduce_task(void *arg, int64_t task, int32_t thread)
{
    const job *j = arg;
    const partition *p = &j->p;
    (void)thread;
    memset(task_memory(j, task), 0, 2 * p->sums_bytes + 2 * p->wide_bytes);
    float *first = task_wide(j, task, 0), *second = task_wide(j, task, 1);
    int64_t begin = task * p->task_groups, end = hni_min(begin + p->task_groups, p->groups);
    for (int64_t g = begin; g < end; g += TILE) {
        int64_t at = g * p->width, n = floats_in(p, g, hni_min(TILE, end - g));
        sum_products(n, p->width, masked(j, task, at, n), j->x + at, wide(j, 0), first, second);
        if ((g - begin + TILE) % RUN == 0 || g + TILE >= end) {
            fold(p, first, task_sums(j, task, 0));
            fold(p, second, task_sums(j, task, 1));
        }
    }
}

static void gradient_task(void *arg, int64_t task, int32_t thread)
{
    const job *j = arg;
    const partition *p = &j->p;
    (void)thread;
    int64_t begin = task * p->task_groups, end = hni_min(begin + p->task_groups, p->groups);
    for (int64_t t = begin; t < end; t += TILE) {
        int64_t at = t * p->width, n = floats_in(p, t, hni_min(TILE, end - t));
        const float *g = j->daddend != NULL ? j->daddend + at : masked(j, task, at, n);
        combine_gradient(n, p->width, g, j->x + at, wide(j, 0), wide(j, 1), wide(j, 2), wide(j, 3), j->out + at);
    }
}

void hni_batchnorm_backward(int32_t num_threads, const hni_batchnorm *b, const float *x, const float *mean,
                            const float *var, const float *weight, const float *y, const float *dy, float *dx,
                            float *daddend, float *dweight, float *dbias, void *scratch)
{
    job j = {.p = partition_of(b->rows, b->channels),
             .scratch = scratch,
             .x = x,
             .y = y,
             .dy = dy,
             .out = dx,
             .daddend = daddend};
    widen(&j.p, mean, wide(&j, 0));
    hni_parallel(num_threads, j.p.tasks, reduce_task, &j);
    combine(&j);
    const double *sum = task_sums(&j, 0, 0), *product = task_sums(&j, 0, 1), rows = (double)b->rows;
    for (int64_t i = 0; i < j.p.width; ++i) {
        int64_t c = i % b->channels;
        double inverse = inverse_deviation(b, var[c]), scale = (double)weight[c] * inverse;
        if (i < b->channels) {
            dweight[c] += (float)(product[c] * inverse);
            dbias[c] += (float)sum[c];
        }
        wide(&j, 1)[i] = (float)scale;
        wide(&j, 2)[i] = (float)(-scale * inverse * inverse * product[c] / rows);
        wide(&j, 3)[i] = (float)(-scale * sum[c] / rows);
    }
    if (dx != NULL)
        hni_parallel(num_threads, j.p.tasks, gradient_task, &j);
}
