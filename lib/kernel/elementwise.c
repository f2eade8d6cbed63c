#include "kernel/elementwise.h"

#include "base/integer.h"
#include "base/parallel.h"
#include "kernel/clones.h"

#include <string.h>

enum {
    BLOCK = 1 << 15, /* values a task                     */
    BIAS_TASKS = 32  /* partial sums of a bias's gradient */
};

typedef struct job {
    int64_t n, channels;
    const float *a, *b;
    float *out;
    double *sums;
} job;

static int64_t blocks(int64_t n)
{
    return (n + BLOCK - 1) / BLOCK;
}

HNI_CLONES static void add(int64_t n, const float *restrict from, float *restrict to)
{
    hni_accumulate_run(n, from, to);
}

void hni_accumulate(int64_t n, const float *from, float *to)
{
    add(n, from, to);
}

enum { SLICE = 4096 }; /* floats a task */

typedef struct sum_job {
    int64_t n, count;
    size_t stride_bytes;
    float *arrays;
} sum_job;

static void sum_slice(void *arg, int64_t task, int32_t thread)
{
    const sum_job *s = arg;
    const int64_t at = task * SLICE, n = hni_min(SLICE, s->n - at);
    (void)thread;
    for (int64_t i = 1; i < s->count; ++i)
        add(n, (const float *)(const void *)((const char *)s->arrays + (size_t)i * s->stride_bytes) + at,
            s->arrays + at);
}

void hni_accumulate_all(int32_t num_threads, int64_t n, int64_t count, size_t stride_bytes, float *arrays)
{
    sum_job s = {n, count, stride_bytes, arrays};
    hni_parallel(num_threads, (n + SLICE - 1) / SLICE, sum_slice, &s);
}

HNI_CLONES static void relu(int64_t n, const float *restrict x, float *restrict y)
{
    for (int64_t i = 0; i < n; ++i)
        y[i] = x[i] < 0.0f ? 0.0f : x[i];
}

static void relu_block(void *arg, int64_t task, int32_t thread)
{
    const job *j = arg;
    (void)thread;
    int64_t at = task * BLOCK;
    relu(hni_min(BLOCK, j->n - at), j->a + at, j->out + at);
}

void hni_relu_forward(int32_t num_threads, int64_t n, const float *x, float *y)
{
    job j = {.n = n, .a = x, .out = y};
    hni_parallel(num_threads, blocks(n), relu_block, &j);
}

HNI_CLONES static void mask(int64_t n, const float *restrict y, const float *restrict dy, float *restrict dx)
{
    for (int64_t i = 0; i < n; ++i) {
        float g = dy[i]; /* read in any case, so that the choice needs no branch */
        dx[i] = y[i] > 0.0f ? g : 0.0f;
    }
}

static void mask_block(void *arg, int64_t task, int32_t thread)
{
    const job *j = arg;
    (void)thread;
    int64_t at = task * BLOCK;
    mask(hni_min(BLOCK, j->n - at), j->a + at, j->b + at, j->out + at);
}

void hni_relu_backward(int32_t num_threads, int64_t n, const float *y, const float *dy, float *dx)
{
    job j = {.n = n, .a = y, .b = dy, .out = dx};
    hni_parallel(num_threads, blocks(n), mask_block, &j);
}

/* ---- biases ------------------------------------------------------------------------------------------------------ */

/* Rows of one of BIAS_TASKS tasks; the last ones may be empty. */
static int64_t task_rows(const job *j)
{
    return (j->n + BIAS_TASKS - 1) / BIAS_TASKS;
}

HNI_CLONES static void add_bias(int64_t rows, int64_t channels, const float *restrict bias, float *restrict y)
{
    for (int64_t r = 0; r < rows; ++r)
        for (int64_t c = 0; c < channels; ++c)
            y[r * channels + c] += bias[c];
}

static void add_bias_task(void *arg, int64_t task, int32_t thread)
{
    const job *j = arg;
    (void)thread;
    int64_t first = hni_min(task * task_rows(j), j->n);
    add_bias(hni_min(task_rows(j), j->n - first), j->channels, j->a, j->out + first * j->channels);
}

void hni_bias_forward(int32_t num_threads, int64_t rows, int64_t channels, const float *bias, float *y)
{
    job j = {.n = rows, .channels = channels, .a = bias, .out = y};
    hni_parallel(num_threads, BIAS_TASKS, add_bias_task, &j);
}

HNI_CLONES static void sum_rows(int64_t rows, int64_t channels, const float *restrict dy, double *restrict sums)
{
    for (int64_t r = 0; r < rows; ++r)
        for (int64_t c = 0; c < channels; ++c)
            sums[c] += (double)dy[r * channels + c];
}

static void sum_rows_task(void *arg, int64_t task, int32_t thread)
{
    const job *j = arg;
    (void)thread;
    int64_t first = hni_min(task * task_rows(j), j->n);
    double *sums = j->sums + task * j->channels;
    memset(sums, 0, (size_t)j->channels * sizeof *sums);
    sum_rows(hni_min(task_rows(j), j->n - first), j->channels, j->a + first * j->channels, sums);
}

size_t hni_bias_scratch_bytes(int64_t channels)
{
    return BIAS_TASKS * (size_t)channels * sizeof(double);
}

void hni_bias_backward(int32_t num_threads, int64_t rows, int64_t channels, const float *dy, float *dbias,
                       void *scratch)
{
    job j = {.n = rows, .channels = channels, .a = dy, .sums = scratch};
    hni_parallel(num_threads, BIAS_TASKS, sum_rows_task, &j);
    for (int64_t c = 0; c < channels; ++c) {
        double total = 0.0;
        for (int64_t task = 0; task < BIAS_TASKS; ++task)
            total += j.sums[task * channels + c];
        dbias[c] += (float)total;
    }
}
