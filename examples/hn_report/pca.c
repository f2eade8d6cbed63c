/* pca.c -- block power iteration: a few orthonormal columns v are multiplied by the covariance X'X again and again, as
 * X'(X v), so that the d x d matrix is never made; Jacobi's rotations solve the small problem within their span
 * (Rayleigh and Ritz), which lets the first two converge as fast as the gap to the last of the block allows.         */
#include "pca.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 8, ROUNDS_MAX = 300, SWEEPS_MAX = 60 };

static const double tolerance = 1e-11; /* of a residual, relative to the largest eigenvalue */

struct work {
    int64_t n, d;
    double *x;      /* [n x d] centred          */
    double *v, *av; /* [d x BLOCK], and X'X v   */
};

static double *numbers(int64_t rows, int64_t columns)
{
    return calloc((size_t)rows, sizeof(double) * (size_t)columns);
}

static void centre(const struct work *w, const float *x)
{
    for (int64_t k = 0; k < w->d; ++k) {
        double sum = 0.0;
        for (int64_t i = 0; i < w->n; ++i)
            sum += (double)x[i * w->d + k];
        for (int64_t i = 0; i < w->n; ++i)
            w->x[i * w->d + k] = (double)x[i * w->d + k] - sum / (double)w->n;
    }
}

/* av = X'X v, and small = v'X'X v. */
static void multiply(const struct work *w, double small[BLOCK][BLOCK])
{
    memset(w->av, 0, sizeof(double) * (size_t)(w->d * BLOCK));
    memset(small, 0, sizeof(double) * BLOCK * BLOCK);
    for (int64_t i = 0; i < w->n; ++i) {
        const double *row = w->x + i * w->d;
        double product[BLOCK] = {0.0};
        for (int64_t k = 0; k < w->d; ++k)
            for (int b = 0; b < BLOCK; ++b)
                product[b] += row[k] * w->v[k * BLOCK + b];
        for (int64_t k = 0; k < w->d; ++k)
            for (int b = 0; b < BLOCK; ++b)
                w->av[k * BLOCK + b] += row[k] * product[b];
        for (int a = 0; a < BLOCK; ++a)
            for (int b = 0; b < BLOCK; ++b)
                small[a][b] += product[a] * product[b];
    }
}

/* Columns by Gram and Schmidt, twice over for rounding's sake; what is nothing but rounding becomes 0. */
static void orthonormalise(double *v, int64_t d)
{
    for (int b = 0; b < BLOCK; ++b) {
        double before = 0.0, after = 0.0;
        for (int64_t k = 0; k < d; ++k)
            before += v[k * BLOCK + b] * v[k * BLOCK + b];
        for (int a = 0; a < 2 * b; ++a) {
            double dot = 0.0;
            for (int64_t k = 0; k < d; ++k)
                dot += v[k * BLOCK + a % b] * v[k * BLOCK + b];
            for (int64_t k = 0; k < d; ++k)
                v[k * BLOCK + b] -= dot * v[k * BLOCK + a % b];
        }
        for (int64_t k = 0; k < d; ++k)
            after += v[k * BLOCK + b] * v[k * BLOCK + b];
        const double scale = after > 1e-24 * before ? 1.0 / sqrt(after) : 0.0;
        for (int64_t k = 0; k < d; ++k)
            v[k * BLOCK + b] *= scale;
    }
}

/* One rotation that makes a[p][q] zero; r collects the eigenvectors as columns. */
static void rotate(double a[BLOCK][BLOCK], double r[BLOCK][BLOCK], int p, int q)
{
    const double theta = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
    const double t = (theta < 0.0 ? -1.0 : 1.0) / (fabs(theta) + sqrt(theta * theta + 1.0));
    const double c = 1.0 / sqrt(t * t + 1.0), s = t * c;
    for (int k = 0; k < BLOCK; ++k) {
        const double left = a[k][p], right = a[k][q];
        a[k][p] = c * left - s * right;
        a[k][q] = s * left + c * right;
    }
    for (int k = 0; k < BLOCK; ++k) {
        const double upper = a[p][k], lower = a[q][k], left = r[k][p], right = r[k][q];
        a[p][k] = c * upper - s * lower;
        a[q][k] = s * upper + c * lower;
        r[k][p] = c * left - s * right;
        r[k][q] = s * left + c * right;
    }
}

/* a becomes diagonal, r its eigenvectors; order lists the eigenvalues, the largest first. */
static void jacobi(double a[BLOCK][BLOCK], double r[BLOCK][BLOCK], int order[BLOCK])
{
    double scale = 0.0;
    for (int i = 0; i < BLOCK; ++i) {
        scale = fmax(scale, fabs(a[i][i]));
        for (int j = 0; j < BLOCK; ++j)
            r[i][j] = i == j;
    }
    bool rotated = true;
    for (int sweep = 0; sweep < SWEEPS_MAX && rotated; ++sweep) {
        rotated = false;
        for (int p = 0; p < BLOCK; ++p)
            for (int q = p + 1; q < BLOCK; ++q)
                if (fabs(a[p][q]) > 1e-16 * scale) {
                    rotate(a, r, p, q);
                    rotated = true;
                }
    }
    for (int i = 0; i < BLOCK; ++i) {
        int at = i;
        for (; at > 0 && a[order[at - 1]][order[at - 1]] < a[i][i]; --at)
            order[at] = order[at - 1];
        order[at] = i;
    }
}

/* Columns of m become their combinations m r, in that order. */
static void combine(double *m, int64_t d, double r[BLOCK][BLOCK], const int order[BLOCK])
{
    for (int64_t k = 0; k < d; ++k) {
        double row[BLOCK] = {0.0};
        for (int b = 0; b < BLOCK; ++b)
            for (int a = 0; a < BLOCK; ++a)
                row[b] += m[k * BLOCK + a] * r[a][order[b]];
        memcpy(m + k * BLOCK, row, sizeof row);
    }
}

/* Iterates until the first two columns of v are eigenvectors; their eigenvalues go to value. */
static void iterate(struct work *w, double value[2])
{
    for (int64_t k = 0; k < w->d; ++k)
        for (int b = 0; b < BLOCK; ++b) /* any start that is no component's rival will do: a fixed, uneven one */
            w->v[k * BLOCK + b] = sin(1.0 + 0.7 * (double)k + 1.3 * (double)(b * b) + 0.37 * (double)(k * b));
    orthonormalise(w->v, w->d);
    for (int round = 0;; ++round) {
        double small[BLOCK][BLOCK], r[BLOCK][BLOCK], residual = 0.0;
        int order[BLOCK];
        multiply(w, small);
        jacobi(small, r, order);
        combine(w->v, w->d, r, order);
        combine(w->av, w->d, r, order);
        for (int b = 0; b < 2; ++b) {
            value[b] = fmax(0.0, small[order[b]][order[b]]);
            double squares = 0.0;
            for (int64_t k = 0; k < w->d; ++k)
                squares += pow(w->av[k * BLOCK + b] - value[b] * w->v[k * BLOCK + b], 2.0);
            residual = fmax(residual, sqrt(squares));
        }
        if (round == ROUNDS_MAX || residual <= tolerance * value[0])
            return;
        memcpy(w->v, w->av, sizeof(double) * (size_t)(w->d * BLOCK));
        orthonormalise(w->v, w->d);
    }
}

static void take(struct pca *pca, const struct work *w, const double value[2])
{
    double total = 0.0;
    for (int64_t i = 0; i < w->n * w->d; ++i)
        total += w->x[i] * w->x[i];
    for (int b = 0; b < 2; ++b) {
        double largest = 0.0;
        for (int64_t k = 0; k < w->d; ++k)
            if (fabs(w->v[k * BLOCK + b]) > fabs(largest))
                largest = w->v[k * BLOCK + b];
        for (int64_t k = 0; k < w->d; ++k)
            pca->components[b * w->d + k] = (largest < 0.0 ? -1.0 : 1.0) * w->v[k * BLOCK + b];
        for (int64_t i = 0; i < w->n; ++i)
            for (int64_t k = 0; k < w->d; ++k)
                pca->coordinates[2 * i + b] += w->x[i * w->d + k] * pca->components[b * w->d + k];
        pca->share[b] = total > 0.0 ? value[b] / total : 0.0;
    }
    pca->deviation = sqrt(value[0] / (double)w->n);
}

int pca_of(struct pca *pca, const float *x, int64_t n, int64_t d)
{
    struct work w = {n, d, numbers(n, d), numbers(d, BLOCK), numbers(d, BLOCK)};
    *pca = (struct pca){.coordinates = numbers(n, 2), .components = numbers(2, d)};
    const bool room = w.x != NULL && w.v != NULL && w.av != NULL && pca->coordinates != NULL && pca->components != NULL;
    if (room) {
        double value[2];
        centre(&w, x);
        iterate(&w, value);
        take(pca, &w, value);
    } else {
        pca_free(pca);
    }
    free(w.x);
    free(w.v);
    free(w.av);
    return room ? 0 : -1;
}

void pca_free(struct pca *pca)
{
    free(pca->coordinates);
    free(pca->components);
    *pca = (struct pca){.coordinates = NULL};
}
