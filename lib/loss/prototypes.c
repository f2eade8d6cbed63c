#include <hybridnet/prototypes.h>

#include "base/error.h"
#include "base/options.h"
#include "kernel/rownorm.h"
#include "loss/common.h"
#include "loss/pairs.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static const hn_prototypes_options defaults = {
    .struct_size = sizeof defaults, .temperature = 0.07f, .steps = 300, .num_threads = 1};

void hn_prototypes_options_init(hn_prototypes_options *options, size_t struct_size)
{
    hni_options_init(options, struct_size, &defaults, sizeof defaults);
}

static hn_status read_options(hn_prototypes_options *o, const hn_prototypes_options *options, const char *function)
{
    *o = defaults;
    HNI_TRY(hni_options_read(o, sizeof *o, options, function));
    HNI_TRY(hni_loss_check_temperature(o->temperature, function));
    HNI_FAIL_IF(o->steps < 0, HN_E_ARG, "%s: steps is %d; it must not be negative", function, (int)o->steps);
    return hni_loss_check_threads(&o->num_threads, function);
}

static hn_status check_output(const hn_rng *rng, const hn_matf *prototypes, const char *function)
{
    HNI_FAIL_IF(rng == NULL || prototypes == NULL, HN_E_ARG, "%s: %s is NULL", function,
                rng == NULL ? "rng" : "prototypes");
    const hn_cmatf view = {prototypes->data, prototypes->rows, prototypes->cols, prototypes->ld};
    return hni_loss_check_matrix(&view, function, "prototypes");
}

/* A random direction; normal numbers that are all 0 do not happen twice. */
static void random_direction(hn_rng *rng, int64_t dim, float *row)
{
    do
        hn_rng_fill_normal(rng, row, (size_t)dim, 0.0f, 1.0f);
    while (hni_rownorm_row(dim, row, row) == 0.0);
}

hn_status hn_prototypes_gaussian(const hn_rng *rng, hn_matf *prototypes)
{
    HNI_TRY(check_output(rng, prototypes, "hn_prototypes_gaussian"));
    hn_rng stream = *rng;
    for (int64_t i = 0; i < prototypes->rows; ++i)
        random_direction(&stream, prototypes->cols, prototypes->data + i * prototypes->ld);
    return HN_OK;
}

hn_status hn_prototypes_class_means(const hn_cmatf *z, const int32_t *labels, int64_t prototypes_per_class,
                                    const hn_rng *rng, hn_matf *prototypes)
{
    static const char function[] = "hn_prototypes_class_means";
    const int64_t m = prototypes_per_class;
    int64_t valid;
    HNI_TRY(check_output(rng, prototypes, function));
    HNI_TRY(hni_loss_check_matrix(z, function, "z"));
    HNI_FAIL_IF(z->cols != prototypes->cols, HN_E_SHAPE, "%s: prototypes have %" PRId64 " columns, z has %" PRId64,
                function, prototypes->cols, z->cols);
    HNI_FAIL_IF(m < 1 || prototypes->rows < 1 || prototypes->rows % m != 0, HN_E_SHAPE,
                "%s: prototypes have %" PRId64
                " rows; it must be a positive multiple of prototypes_per_class, %" PRId64,
                function, prototypes->rows, m);
    HNI_TRY(hni_loss_check_labels(labels, z->rows, prototypes->rows / m, function, &valid));
    HNI_TRY(hni_loss_check_finite(1, z, function, "z"));
    for (int64_t p = 0; p < prototypes->rows; ++p) {
        float *mean = prototypes->data + p * prototypes->ld;
        int64_t seen = 0;
        memset(mean, 0, (size_t)prototypes->cols * sizeof *mean);
        for (int64_t i = 0; i < z->rows; ++i) {
            if (labels[i] != p / m || seen++ % m != p % m)
                continue;
            const float *row = z->data + i * z->ld;
            const double length = sqrt(hni_dot(z->cols, row, row));
            for (int64_t c = 0; length > 0.0 && c < z->cols; ++c)
                mean[c] += (float)((double)row[c] / length);
        }
        if (hni_rownorm_row(prototypes->cols, mean, mean) == 0.0) {
            hn_rng stream;
            hn_rng_derive(&stream, rng, "prototype", (uint64_t)p);
            random_direction(&stream, prototypes->cols, mean);
        }
    }
    return HN_OK;
}

/* ---- maximally separated -------------------------------------------------------------------------------------------- */

typedef struct work {
    double *frame, *sum;          /* simplex: (k - 1) x dim orthonormal rows; [dim] */
    float *z, *velocity, *values; /* optimised: k x dim each, values being one row  */
    hni_pairs pairs;
} work;

static bool fits_simplex(int64_t k, int64_t dim)
{
    return k <= dim + 1;
}

static size_t carve(work *w, int64_t k, int64_t dim, int32_t threads, char *base)
{
    hni_carver c = {base, 0};
    w->values = hni_carve(&c, dim, sizeof *w->values);
    if (fits_simplex(k, dim)) {
        w->frame = hni_carve(&c, k * dim, sizeof *w->frame);
        w->sum = hni_carve(&c, dim, sizeof *w->sum);
        return c.used;
    }
    w->z = hni_carve(&c, k * dim, sizeof *w->z);
    w->velocity = hni_carve(&c, k * dim, sizeof *w->velocity);
    w->pairs.sum = hni_carve(&c, k, sizeof *w->pairs.sum);
    w->pairs.shift = hni_carve(&c, k, sizeof *w->pairs.shift);
    w->pairs.push = hni_carve(&c, k, sizeof *w->pairs.push);
    w->pairs.g = hni_carve(&c, k * dim, sizeof *w->pairs.g);
    w->pairs.tiles = hni_carve(&c, hni_pairs_threads(k, threads), hni_pairs_tile_bytes(k));
    return c.used;
}

static double dot(int64_t dim, const double *a, const double *b)
{
    double sum = 0.0;
    for (int64_t c = 0; c < dim; ++c)
        sum += a[c] * b[c];
    return sum;
}

/* Random orthonormal rows, by Gram and Schmidt, twice for the sake of rounding. */
static void make_frame(work *w, int64_t rows, int64_t dim, hn_rng *rng)
{
    for (int64_t i = 0; i < rows; ++i) {
        double *row = w->frame + i * dim, length = 0.0;
        while (length < 1e-3) { /* of a unit vector that was */
            random_direction(rng, dim, w->values);
            for (int64_t c = 0; c < dim; ++c)
                row[c] = (double)w->values[c];
            for (int64_t j = 0; j < 2 * i; ++j) {
                const double *other = w->frame + j % i * dim, along = dot(dim, row, other);
                for (int64_t c = 0; c < dim; ++c)
                    row[c] -= along * other[c];
            }
            length = sqrt(dot(dim, row, row));
        }
        for (int64_t c = 0; c < dim; ++c)
            row[c] /= length;
    }
}

/* In the frame's coordinates vertex i of the simplex has a_i at i and -a_j / (k - 1 - j) at each j < i. */
static void make_simplex(work *w, hn_rng *rng, hn_matf *t)
{
    const int64_t k = t->rows, dim = t->cols;
    make_frame(w, k - 1, dim, rng);
    memset(w->sum, 0, (size_t)dim * sizeof *w->sum);
    for (int64_t i = 0; i < k; ++i) {
        const double n = (double)k, rest = n - 1.0 - (double)i; /* vertices after i; the last has no axis of its own */
        const double a = rest > 0.0 ? sqrt(n * rest / ((n - 1.0) * (rest + 1.0))) : 0.0;
        const double *axis = w->frame + i * dim;
        float *row = t->data + i * t->ld;
        for (int64_t c = 0; c < dim; ++c) {
            row[c] = (float)(w->sum[c] + (rest > 0.0 ? a * axis[c] : 0.0));
            w->sum[c] -= rest > 0.0 ? a / rest * axis[c] : 0.0;
        }
    }
}

/* The tangential part of a row's gradient into it; returns its length. */
static double tangent(int64_t dim, const float *z, float *g)
{
    const double along = hni_dot(dim, g, z);
    for (int64_t c = 0; c < dim; ++c)
        g[c] = (float)((double)g[c] - along * (double)z[c]);
    return sqrt(hni_dot(dim, g, g));
}

/* One step: every row by at most about `rate`, the one with the steepest gradient by that. */
static void step(work *w, int64_t k, int64_t dim, float rate)
{
    hni_pairs *p = &w->pairs;
    double steepest = 0.0;
    hni_pairs_sums(p, 1.0);
    for (int64_t i = 0; i < k; ++i)
        p->push[i] = (float)(1.0 / p->sum[i]);
    memset(p->g, 0, (size_t)(k * dim) * sizeof *p->g);
    hni_pairs_gradient(p);
    for (int64_t i = 0; i < k; ++i)
        steepest = fmax(steepest, tangent(dim, w->z + i * dim, p->g + i * dim));
    const float momentum = 0.9f, by = steepest > 0.0 ? (float)((double)rate / steepest) : 0.0f;
    for (int64_t i = 0; i < k; ++i) {
        float *z = w->z + i * dim, *v = w->velocity + i * dim;
        for (int64_t c = 0; c < dim; ++c) {
            v[c] = momentum * v[c] - by * p->g[i * dim + c];
            z[c] += v[c];
        }
        (void)hni_rownorm_row(dim, z, z);
    }
}

/* The first half of the steps: their temperature, and how far rows move at first; the latter of the second half. */
#define BLUNT 0.5f
#define FIRST_RATE 0.05
#define SECOND_RATE 0.01

static void optimise(work *w, const hn_prototypes_options *o, hn_rng *rng, hn_matf *t)
{
    const int64_t k = t->rows, dim = t->cols;
    const double pi = 3.14159265358979323846;
    for (int64_t i = 0; i < k; ++i)
        random_direction(rng, dim, w->z + i * dim);
    memset(w->velocity, 0, (size_t)(k * dim) * sizeof *w->velocity);
    w->pairs.num_threads = hni_pairs_threads(k, o->num_threads);
    w->pairs.n = k;
    w->pairs.dim = dim;
    w->pairs.z = w->z;
    /* A sharp temperature looks at the nearest neighbour alone: two that come to lie between others' stay together. So the
     * first half of the steps spreads all by a blunt one, and the second lets each move a little.                      */
    const int32_t half = o->steps / 2;
    for (int32_t s = 0; s < o->steps; ++s) {
        const bool first = s < half;
        const double done = first ? (double)s / half : (double)(s - half) / (o->steps - half);
        w->pairs.temperature = first ? fmaxf(BLUNT, o->temperature) : o->temperature;
        step(w, k, dim, (float)((first ? FIRST_RATE : SECOND_RATE) * 0.5 * (1.0 + cos(pi * done))));
    }
    for (int64_t i = 0; i < k; ++i)
        memcpy(t->data + i * t->ld, w->z + i * dim, (size_t)dim * sizeof(float));
}

hn_status hn_prototypes_separated_scratch(const hn_prototypes_options *options, int64_t k, int64_t dim, size_t *bytes)
{
    static const char function[] = "hn_prototypes_separated_scratch";
    hn_prototypes_options o;
    work w;
    HNI_FAIL_IF(bytes == NULL, HN_E_ARG, "%s: bytes is NULL", function);
    HNI_TRY(read_options(&o, options, function));
    HNI_TRY(hni_loss_check_extents(k, dim, function, "prototypes"));
    *bytes = carve(&w, k, dim, o.num_threads, NULL);
    return HN_OK;
}

hn_status hn_prototypes_separated(const hn_prototypes_options *options, const hn_rng *rng, hn_matf *prototypes,
                                  const hn_scratch *scratch)
{
    static const char function[] = "hn_prototypes_separated";
    hn_prototypes_options o;
    work w = {0};
    size_t bytes;
    HNI_TRY(read_options(&o, options, function));
    HNI_TRY(check_output(rng, prototypes, function));
    HNI_TRY(hn_prototypes_separated_scratch(&o, prototypes->rows, prototypes->cols, &bytes));
    HNI_TRY(hni_loss_check_scratch(scratch, bytes, function));
    (void)carve(&w, prototypes->rows, prototypes->cols, o.num_threads, scratch->data);
    hn_rng stream = *rng;
    if (prototypes->rows == 1)
        random_direction(&stream, prototypes->cols, prototypes->data);
    else if (fits_simplex(prototypes->rows, prototypes->cols))
        make_simplex(&w, &stream, prototypes);
    else
        optimise(&w, &o, &stream, prototypes);
    return HN_OK;
}
