#include "conv_case.h"

#include <stdlib.h>

float *hnt_normals(uint64_t seed, int64_t n)
{
    float *x = hnt_alloc((size_t)n * sizeof *x);
    hnt_normal(seed, x, n);
    return x;
}

double *hnt_doubles(const float *x, int64_t n)
{
    double *d = hnt_alloc((size_t)n * sizeof *d);
    for (int64_t i = 0; i < n && x != NULL; ++i)
        d[i] = (double)x[i];
    return d;
}

float *hnt_floats(int64_t n)
{
    return hnt_alloc((size_t)n * sizeof(float));
}

int64_t hnt_count_x(const hni_conv *g)
{
    return g->images * g->height * g->width * g->in;
}

int64_t hnt_count_y(const hni_conv *g)
{
    return g->images * g->out_height * g->out_width * g->out;
}

int64_t hnt_count_w(const hni_conv *g)
{
    return g->out * g->in * g->kernel_height * g->kernel_width;
}

void hnt_conv_reference(const hni_conv *g, const double *x, const double *w, const double *dy, double *y, double *dx,
                        double *dw)
{
    const int64_t pixels = g->images * g->out_height * g->out_width, taps = g->kernel_height * g->kernel_width;
    for (int64_t p = 0; p < pixels; ++p)
        for (int64_t t = 0; t < taps; ++t) {
            const int64_t ox = p % g->out_width, row = p / g->out_width;
            const int64_t iy = row % g->out_height * g->stride - g->padding + t / g->kernel_width;
            const int64_t ix = ox * g->stride - g->padding + t % g->kernel_width;
            if (iy < 0 || iy >= g->height || ix < 0 || ix >= g->width)
                continue;
            const int64_t at = ((row / g->out_height * g->height + iy) * g->width + ix) * g->in;
            for (int64_t o = 0; o < g->out; ++o)
                for (int64_t i = 0; i < g->in; ++i) {
                    const int64_t weight = (o * g->in + i) * taps + t;
                    if (y != NULL)
                        y[p * g->out + o] += w[weight] * x[at + i];
                    if (dx != NULL)
                        dx[at + i] += w[weight] * dy[p * g->out + o];
                    if (dw != NULL)
                        dw[weight] += x[at + i] * dy[p * g->out + o];
                }
        }
}

double hnt_dot(const float *a, const float *b, int64_t n)
{
    double sum = 0.0;
    for (int64_t i = 0; i < n; ++i)
        sum += (double)a[i] * (double)b[i];
    return sum;
}
