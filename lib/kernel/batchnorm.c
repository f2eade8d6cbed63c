#include "kernel/batchnorm.h"

#include "base/integer.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "kernel/clones.h"

#include <hybridnet/types.h>

#include <math.h>
#include <string.h>

enum {
    MIN_WIDTH = 64, /* elements a group, at least                         */
    TILE = 8192,    /* elements at a time: they stay in the first-level cache, and so few are summed in float */
    MAX_PARTS = 64, /* each has sums of its own, which are added in their order */
    MIN_PART = 8 * MIN_WIDTH * 128,
    COEFFICIENTS = 5, /* of hni_norm_rows */
    SUMS = 2
};

/* ---- memory ------------------------------------------------------------------------------------------------------ */

/* Rows of a group. */
static int64_t group_rows(int64_t channels)
{
    return (MIN_WIDTH + channels - 1) / channels;
}

static int64_t width_of(int64_t channels)
{
    return group_rows(channels) * channels;
}

static int64_t part_count(const hni_batchnorm *b)
{
    return (b->rows + b->part_rows - 1) / b->part_rows;
}

static size_t wide_bytes(int64_t channels)
{
    return hni_round_up((size_t)width_of(channels) * sizeof(float));
}

static size_t double_bytes(int64_t channels)
{
    return hni_round_up((size_t)channels * sizeof(double));
}

/* A part's own memory: two double sums a channel, two float sums and a shift a column. */
static size_t part_bytes(int64_t channels)
{
    return SUMS * double_bytes(channels) + (SUMS + 1) * wide_bytes(channels);
}

int64_t hni_batchnorm_part_bound(int64_t rows, int64_t channels)
{
    return hni_min(hni_max(rows * channels / MIN_PART, 1), MAX_PARTS);
}

int64_t hni_batchnorm_part_rows(int64_t rows, int64_t channels)
{
    const int64_t parts = hni_batchnorm_part_bound(rows, channels), group = group_rows(channels);
    return ((rows + parts - 1) / parts + group - 1) / group * group;
}

size_t hni_batchnorm_scratch_bytes(int64_t channels, int64_t parts)
{
    return COEFFICIENTS * wide_bytes(channels) + (size_t)parts * part_bytes(channels);
}

/* Coefficients shared by all parts. */
static float *wide(const hni_batchnorm_pass *p, int i)
{
    return (float *)(void *)(p->scratch + (size_t)i * wide_bytes(p->b.channels));
}

static char *part_memory(const hni_batchnorm_pass *p, int64_t part)
{
    return p->scratch + COEFFICIENTS * wide_bytes(p->b.channels) + (size_t)part * part_bytes(p->b.channels);
}

static double *part_sums(const hni_batchnorm_pass *p, int64_t part, int which)
{
    return (double *)(void *)(part_memory(p, part) + (size_t)which * double_bytes(p->b.channels));
}

static float *part_wide(const hni_batchnorm_pass *p, int64_t part, int which)
{
    return (float *)(void *)(part_memory(p, part) + SUMS * double_bytes(p->b.channels) +
                             (size_t)which * wide_bytes(p->b.channels));
}

static void begin(hni_batchnorm_pass *p, const hni_batchnorm *b, void *scratch)
{
    *p = (hni_batchnorm_pass){.b = *b, .isa = hni_norm_best(), .scratch = scratch};
    p->rows.width = width_of(b->channels);
    for (int i = 0; i < COEFFICIENTS; ++i)
        p->rows.k[i] = wide(p, i);
}

/* Repeats channels values to a group's width. */
static void widen(const hni_batchnorm *b, const float *values, float *to)
{
    for (int64_t at = 0; at < width_of(b->channels); at += b->channels)
        memcpy(to + at, values, (size_t)b->channels * sizeof *to);
}

static int kind_of(const hni_batchnorm_pass *p)
{
    return p->b.dtype == HN_BF16 ? HNI_NORM_BF16 : HNI_NORM_F32;
}

/* ---- parts ------------------------------------------------------------------------------------------------------- */

typedef struct run {
    hni_batchnorm_pass *pass;
    hni_batchnorm_fn fn;
} run;

static void run_part(void *arg, int64_t part, int32_t thread)
{
    const run *r = arg;
    const int64_t rows = r->pass->b.part_rows, first = part * rows;
    r->fn(r->pass, part, first, hni_min(rows, r->pass->b.rows - first), thread);
}

void hni_batchnorm_run(int32_t num_threads, hni_batchnorm_pass *pass, hni_batchnorm_fn fn)
{
    run r = {pass, fn};
    hni_parallel(num_threads, part_count(&pass->b), run_part, &r);
}

/* Empties the columns' float sums into the channels' double sums. */
HNI_CLONES static void fold(int64_t width, int64_t channels, float *restrict columns, double *restrict sums)
{
    for (int64_t at = 0; at < width; at += channels)
        for (int64_t c = 0; c < channels; ++c)
            sums[c] += (double)columns[at + c];
    memset(columns, 0, (size_t)width * sizeof *columns);
}

/* Runs a function that sums over a part's rows; r: the pass's, with what else is the part's own. */
static void sum_part(const hni_batchnorm_pass *p, hni_norm_fn fn, hni_norm_rows *r, int64_t part, int64_t first,
                     int64_t count)
{
    const hni_batchnorm *b = &p->b;
    const int64_t tile = hni_max(TILE / r->width, 1) * r->width, end = (first + count) * b->channels;
    for (int i = 0; i < SUMS; ++i) {
        r->sum[i] = part_wide(p, part, i);
        memset(r->sum[i], 0, wide_bytes(b->channels));
        memset(part_sums(p, part, i), 0, double_bytes(b->channels));
    }
    for (int64_t at = first * b->channels; at < end; at += tile) {
        fn(r, at, hni_min(tile, end - at));
        for (int i = 0; i < SUMS; ++i)
            fold(r->width, b->channels, r->sum[i], part_sums(p, part, i));
    }
}

/* Runs a function that writes a part's rows. */
static void write_part(const hni_batchnorm_pass *p, hni_norm_fn fn, int64_t first, int64_t count)
{
    const int64_t width = p->rows.width, tile = hni_max(TILE / width, 1) * width;
    const int64_t end = (first + count) * p->b.channels;
    for (int64_t at = first * p->b.channels; at < end; at += tile)
        fn(&p->rows, at, hni_min(tile, end - at));
}

/* ---- statistics -------------------------------------------------------------------------------------------------- */

void hni_batchnorm_begin_statistics(hni_batchnorm_pass *p, const hni_batchnorm *b, const void *x, void *scratch)
{
    begin(p, b, scratch);
    p->rows.x = x;
}

/* Shifted by the part's first row: the squares of a column far from zero would drown its variance. Leaves the part's
 * means and sums of squared deviations.                                                                              */
void hni_batchnorm_statistics(void *pass, int64_t part, int64_t first, int64_t count, int32_t thread)
{
    const hni_batchnorm_pass *p = pass;
    const int64_t channels = p->b.channels;
    hni_norm_rows r = p->rows;
    float *shift = part_wide(p, part, SUMS);
    (void)thread;
    if (p->b.dtype == HN_BF16) {
        const hni_norm_rows row = {.width = channels, .x = (const uint16_t *)r.x + first * channels, .out = shift};
        p->isa->convert[HNI_NORM_F32](&row, 0, channels);
    } else {
        memcpy(shift, (const float *)r.x + first * channels, (size_t)channels * sizeof *shift);
    }
    for (int64_t at = channels; at < r.width; at += channels)
        memcpy(shift + at, shift, (size_t)channels * sizeof *shift);
    r.k[0] = shift;
    sum_part(p, p->isa->squares[kind_of(p)], &r, part, first, count);
    double *mean = part_sums(p, part, 0), *square = part_sums(p, part, 1);
    for (int64_t c = 0; c < channels; ++c) {
        const double offset = mean[c] / (double)count;
        square[c] -= mean[c] * offset;
        mean[c] = (double)shift[c] + offset;
    }
}

/* The parts' means and squares joined one by one (Chan, Golub and LeVeque 1979). */
void hni_batchnorm_end_statistics(const hni_batchnorm_pass *p, float *mean, float *var)
{
    const hni_batchnorm *b = &p->b;
    for (int64_t c = 0; c < b->channels; ++c) {
        double m = part_sums(p, 0, 0)[c], square = part_sums(p, 0, 1)[c];
        for (int64_t part = 1; part < part_count(b); ++part) {
            const double before = (double)(part * b->part_rows);
            const double rows = (double)hni_min(b->part_rows, b->rows - part * b->part_rows), all = before + rows;
            const double apart = part_sums(p, part, 0)[c] - m;
            square += part_sums(p, part, 1)[c] + apart * apart * (before * rows / all);
            m += apart * (rows / all);
        }
        mean[c] = (float)m;
        var[c] = square < 0.0 ? 0.0f : (float)(square / (double)b->rows); /* keeps a NaN */
    }
}

/* ---- forward ----------------------------------------------------------------------------------------------------- */

/* 1 / sqrt(var + eps). */
static double inverse_deviation(const hni_batchnorm *b, float var)
{
    return 1.0 / sqrt((double)var + (double)b->eps);
}

/* What x - mean is multiplied by; also what backward multiplies dy by. */
static void scale_by(const hni_batchnorm_pass *p, const float *var, const float *weight)
{
    const int64_t channels = p->b.channels;
    for (int64_t i = 0; i < p->rows.width; ++i)
        wide(p, 1)[i] = (float)((double)weight[i % channels] * inverse_deviation(&p->b, var[i % channels]));
}

void hni_batchnorm_begin_forward(hni_batchnorm_pass *p, const hni_batchnorm *b, const void *x, const float *mean,
                                 const float *var, const float *weight, const float *bias, const void *addend,
                                 bool relu, void *y, void *scratch)
{
    begin(p, b, scratch);
    p->rows.x = x;
    p->rows.addend = addend;
    p->rows.out = y;
    p->rows.lowest = relu ? 0.0f : -INFINITY;
    widen(b, mean, wide(p, 0));
    widen(b, bias, wide(p, 2));
    scale_by(p, var, weight);
}

void hni_batchnorm_forward(void *pass, int64_t part, int64_t first, int64_t count, int32_t thread)
{
    const hni_batchnorm_pass *p = pass;
    (void)part;
    (void)thread;
    write_part(p, p->isa->normalise[kind_of(p)], first, count);
}

/* ---- backward ---------------------------------------------------------------------------------------------------- */

void hni_batchnorm_begin_sums(hni_batchnorm_pass *p, const hni_batchnorm *b, const void *x, const float *mean,
                              const void *y, const void *dy, void *daddend, void *scratch)
{
    begin(p, b, scratch);
    p->rows.x = x;
    p->rows.y = y;
    p->rows.dy = dy;
    p->rows.masked = daddend;
    widen(b, mean, wide(p, 0));
}

void hni_batchnorm_relu_of_x(hni_batchnorm_pass *p, const float *var, const float *weight, const float *bias)
{
    p->rows.relu_of_x = 1;
    scale_by(p, var, weight);
    widen(&p->b, bias, wide(p, 4));
}

void hni_batchnorm_sums(void *pass, int64_t part, int64_t first, int64_t count, int32_t thread)
{
    const hni_batchnorm_pass *p = pass;
    hni_norm_rows r = p->rows;
    (void)thread;
    sum_part(p, p->isa->products[kind_of(p)], &r, part, first, count);
}

void hni_batchnorm_end_sums(const hni_batchnorm_pass *p, const float *var, const float *weight, float *dweight,
                            float *dbias)
{
    const hni_batchnorm *b = &p->b;
    const double rows = (double)b->rows;
    for (int64_t c = 0; c < b->channels; ++c) {
        double sum = 0.0, product = 0.0;
        for (int64_t part = 0; part < part_count(b); ++part) {
            sum += part_sums(p, part, 0)[c];
            product += part_sums(p, part, 1)[c];
        }
        const double inverse = inverse_deviation(b, var[c]), scale = (double)weight[c] * inverse;
        dweight[c] += (float)(product * inverse);
        dbias[c] += (float)sum;
        for (int64_t i = c; i < p->rows.width; i += b->channels) {
            wide(p, 1)[i] = (float)scale; /* as scale_by has it */
            wide(p, 2)[i] = (float)(-scale * inverse * inverse * product / rows);
            wide(p, 3)[i] = (float)(-scale * sum / rows);
        }
    }
}

void hni_batchnorm_begin_gradient(hni_batchnorm_pass *p, void *dx)
{
    p->rows.out = dx;
    if (p->rows.masked == NULL)
        return;
    p->rows.dy = p->rows.masked; /* behind the ReLU already */
    p->rows.y = NULL;
}

void hni_batchnorm_gradient(void *pass, int64_t part, int64_t first, int64_t count, int32_t thread)
{
    const hni_batchnorm_pass *p = pass;
    (void)part;
    (void)thread;
    write_part(p, p->isa->gradient[kind_of(p)], first, count);
}
