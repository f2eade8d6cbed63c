#include "kernel/rownorm.h"

#include "base/parallel.h"
#include "kernel/clones.h"

#include <math.h>

enum { BLOCK = 64 };

HNI_CLONES static double dot(int64_t dim, const float *a, const float *b)
{
    double sum = 0.0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < dim; ++i)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

double hni_dot(int64_t dim, const float *a, const float *b)
{
    return dot(dim, a, b);
}

HNI_CLONES static void scale_row(int64_t dim, const float *x, double factor, float *y)
{
    for (int64_t d = 0; d < dim; ++d)
        y[d] = (float)((double)x[d] * factor);
}

double hni_rownorm_row(int64_t dim, const float *x, float *y)
{
    double length = sqrt(dot(dim, x, x)), inverse = length > 0.0 ? 1.0 / length : length == 0.0 ? 0.0 : length;
    scale_row(dim, x, inverse, y);
    return inverse;
}

/* dx = beta dx + factor (dy - along y) */
HNI_CLONES static void project_row(int64_t dim, const float *y, const float *dy, double factor, double along,
                                   float beta, float *dx)
{
    for (int64_t d = 0; d < dim; ++d) {
        float g = (float)(factor * ((double)dy[d] - along * (double)y[d]));
        dx[d] = beta == 0.0f ? g : beta * dx[d] + g;
    }
}

void hni_rownorm_row_backward(int64_t dim, const float *y, double inverse, const float *dy, float scale, float beta,
                              float *dx)
{
    project_row(dim, y, dy, (double)scale * inverse, dot(dim, dy, y), beta, dx);
}

typedef struct forward_job {
    int64_t rows, dim, ld;
    const float *x;
    float *y;
    double *inverse;
} forward_job;

static void forward_block(void *arg, int64_t task, int32_t thread)
{
    const forward_job *j = arg;
    (void)thread;
    for (int64_t i = task * BLOCK; i < j->rows && i < (task + 1) * BLOCK; ++i)
        j->inverse[i] = hni_rownorm_row(j->dim, j->x + i * j->ld, j->y + i * j->dim);
}

void hni_rownorm_forward(int32_t num_threads, int64_t rows, int64_t dim, const float *x, int64_t ld, float *y,
                         double *inverse)
{
    forward_job j = {rows, dim, ld, x, y, inverse};
    hni_parallel(num_threads, (rows + BLOCK - 1) / BLOCK, forward_block, &j);
}

typedef struct backward_job {
    int64_t rows, dim, ld;
    const float *y;
    const double *inverse;
    const float *dy;
    float scale, beta;
    float *dx;
} backward_job;

static void backward_block(void *arg, int64_t task, int32_t thread)
{
    const backward_job *j = arg;
    (void)thread;
    for (int64_t i = task * BLOCK; i < j->rows && i < (task + 1) * BLOCK; ++i)
        hni_rownorm_row_backward(j->dim, j->y + i * j->dim, j->inverse[i], j->dy + i * j->dim, j->scale, j->beta,
                                 j->dx + i * j->ld);
}

void hni_rownorm_backward(int32_t num_threads, int64_t rows, int64_t dim, const float *y, const double *inverse,
                          const float *dy, float scale, float beta, float *dx, int64_t ld)
{
    backward_job j = {rows, dim, ld, y, inverse, dy, scale, beta, dx};
    hni_parallel(num_threads, (rows + BLOCK - 1) / BLOCK, backward_block, &j);
}

double hni_longest_row(int64_t n, int64_t dim, const float *rows)
{
    double most = 0.0;
    for (int64_t i = 0; i < n; ++i) {
        const double square = hni_dot(dim, rows + i * dim, rows + i * dim);
        if (isnan(square))
            return square;
        most = square > most ? square : most;
    }
    return sqrt(most);
}
