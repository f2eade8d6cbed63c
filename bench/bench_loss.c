/* bench_loss.c -- times one pure loss on random input, beside this machine's own rate of matrix products.
 *
 *     bench_loss [--loss sc|sc_contrast|psc|bcl] [--n N] [--classes C] [--dim D] [--threads T] [--repeats R]
 *                [--temperature TAU] [--forward-only]
 *
 * One line of JSON: seconds (median) and best_seconds; flops by the formula of a plain implementation (6 N K D with gradients,
 * 2 N K D without, K keys: N for sc, C rows or prototypes for sc_contrast and psc, N + C for bcl); sgemm_gflops, of one
 * thread on square matrices of 2048, taken in turn with the loss; ratio, of the time those flops take at T times that rate
 * to the measured time; scratch_bytes, what the loss asks for; peak_bytes, by how much the process really grew.            */
#include "bench.h"

#include <cblas.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SQUARE = 2048, MAX_REPEATS = 1000 };

struct bench {
    const char *loss;
    int64_t n, classes, dim;
    int32_t threads;
    int repeats;
    float temperature;
    bool forward_only;
    int64_t keys; /* K */
    float *z, *y, *dz, *dy;
    int32_t *labels, *key_labels;
    hn_scratch scratch;
};

/* ---- the losses ----------------------------------------------------------------------------------------------------- */

#define BEGIN(name)                              \
    hn_loss_##name##_options o;                  \
    hn_loss_##name##_options_init(&o, sizeof o); \
    o.temperature = b->temperature;              \
    o.num_threads = b->threads

static hn_cmatf rows(const float *data, int64_t n, int64_t dim)
{
    return (hn_cmatf){data, n, dim, dim};
}

/* Asks for scratch, or runs: bytes NULL. */
static hn_status sc(struct bench *b, size_t *bytes, double *value)
{
    BEGIN(sc);
    if (bytes != NULL)
        return hn_loss_sc_scratch(&o, b->n, b->dim, bytes);
    const hn_cmatf z = rows(b->z, b->n, b->dim);
    hn_matf dz = {b->dz, b->n, b->dim, b->dim};
    return hn_loss_sc(&o, &z, b->labels, value, NULL, b->forward_only ? NULL : &dz, &b->scratch);
}

static hn_status sc_contrast(struct bench *b, size_t *bytes, double *value)
{
    BEGIN(sc);
    if (bytes != NULL)
        return hn_loss_sc_contrast_scratch(&o, b->n, b->keys, b->dim, bytes);
    const hn_cmatf z = rows(b->z, b->n, b->dim), y = rows(b->y, b->keys, b->dim);
    hn_matf dz = {b->dz, b->n, b->dim, b->dim}, dy = {b->dy, b->keys, b->dim, b->dim};
    return hn_loss_sc_contrast(&o, &z, b->labels, &y, b->key_labels, NULL, value, NULL, b->forward_only ? NULL : &dz,
                               b->forward_only ? NULL : &dy, &b->scratch);
}

static hn_status psc(struct bench *b, size_t *bytes, double *value)
{
    BEGIN(psc);
    if (bytes != NULL)
        return hn_loss_psc_scratch(&o, b->n, b->classes, b->dim, bytes);
    const hn_cmatf z = rows(b->z, b->n, b->dim), y = rows(b->y, b->classes, b->dim);
    hn_matf dz = {b->dz, b->n, b->dim, b->dim}, dy = {b->dy, b->classes, b->dim, b->dim};
    return hn_loss_psc(&o, &z, &y, b->labels, value, NULL, b->forward_only ? NULL : &dz, b->forward_only ? NULL : &dy,
                       &b->scratch);
}

static hn_status bcl(struct bench *b, size_t *bytes, double *value)
{
    BEGIN(bcl);
    if (bytes != NULL)
        return hn_loss_bcl_scratch(&o, b->n, b->classes, b->dim, bytes);
    const hn_cmatf z = rows(b->z, b->n, b->dim), y = rows(b->y, b->classes, b->dim);
    hn_matf dz = {b->dz, b->n, b->dim, b->dim}, dy = {b->dy, b->classes, b->dim, b->dim};
    return hn_loss_bcl(&o, &z, b->labels, &y, value, NULL, b->forward_only ? NULL : &dz, b->forward_only ? NULL : &dy,
                       &b->scratch);
}

static const struct kind {
    const char *name;
    hn_status (*run)(struct bench *b, size_t *bytes, double *value);
    int64_t keys_by_n, keys_by_classes; /* K = the sum of N and C as many times */
    int64_t y_by_classes;               /* rows of y: C as many times           */
} kinds[] = {{"sc", sc, 1, 0, 0}, {"sc_contrast", sc_contrast, 0, 1, 1}, {"psc", psc, 0, 1, 1}, {"bcl", bcl, 1, 1, 1}};

/* ---- measuring ------------------------------------------------------------------------------------------------------ */

static void fail(const char *what)
{
    fprintf(stderr, "bench_loss: %s\n", what);
    exit(1);
}

static void *memory(size_t bytes)
{
    void *block = aligned_alloc(HN_SCRATCH_ALIGN, (bytes / HN_SCRATCH_ALIGN + 1) * HN_SCRATCH_ALIGN);
    if (block == NULL)
        fail("out of memory");
    return block;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double time_sgemm(float *square)
{
    const double start = bench_now();
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, SQUARE, SQUARE, SQUARE, 1.0f, square, SQUARE,
                square + SQUARE * SQUARE, SQUARE, 0.0f, square + 2 * SQUARE * SQUARE, SQUARE);
    return bench_now() - start;
}

static void measure(struct bench *b, const struct kind *kind)
{
    static double loss_seconds[MAX_REPEATS], sgemm_seconds[MAX_REPEATS];
    float *square = memory(3 * SQUARE * SQUARE * sizeof *square);
    for (size_t i = 0; i < 3 * SQUARE * SQUARE; ++i)
        square[i] = (float)(i % 31) / 31.0f;
    (void)time_sgemm(square);
    size_t bytes = 0;
    bench_ok(kind->run(b, &bytes, NULL));
    b->scratch = (hn_scratch){memory(bytes), bytes};
    const double before = bench_process_bytes("VmRSS:");
    double value = 0;
    bench_ok(kind->run(b, NULL, &value));
    for (int r = 0; r < b->repeats; ++r) {
        const double start = bench_now();
        bench_ok(kind->run(b, NULL, &value));
        loss_seconds[r] = bench_now() - start;
        sgemm_seconds[r] = time_sgemm(square);
    }
    const double grown = bench_process_bytes("VmHWM:") - before;
    qsort(loss_seconds, (size_t)b->repeats, sizeof(double), ascending);
    qsort(sgemm_seconds, (size_t)b->repeats, sizeof(double), ascending);
    const double seconds = loss_seconds[b->repeats / 2];
    const double rate = 2.0 * SQUARE * SQUARE * SQUARE / sgemm_seconds[b->repeats / 2];
    const double flops = (b->forward_only ? 2.0 : 6.0) * (double)b->n * (double)b->keys * (double)b->dim;
    printf("{\"name\": \"%s\", \"N\": %lld, \"C\": %lld, \"D\": %lld, \"threads\": %d, \"gradient\": %s, "
           "\"seconds\": %.6g, \"best_seconds\": %.6g, \"flops\": %.6g, \"sgemm_gflops\": %.1f, \"ratio\": %.3f, "
           "\"scratch_bytes\": %zu, \"peak_bytes\": %.0f, \"value\": %.9g}\n",
           kind->name, (long long)b->n, (long long)b->classes, (long long)b->dim, (int)b->threads,
           b->forward_only ? "false" : "true", seconds, loss_seconds[0], flops, rate / 1e9,
           flops / (rate * (double)b->threads) / seconds, bytes, grown, value);
    free(b->scratch.data);
    free(square);
}

static float *normal(uint64_t stream, int64_t n)
{
    hn_rng rng;
    float *x = memory((size_t)n * sizeof *x);
    hn_rng_seed(&rng, 1, stream);
    hn_rng_fill_normal(&rng, x, (size_t)n, 0.0f, 1.0f);
    return x;
}

static int32_t *labels(int64_t n, int64_t classes)
{
    int32_t *l = memory((size_t)n * sizeof *l);
    for (int64_t i = 0; i < n; ++i)
        l[i] = (int32_t)(i % classes);
    return l;
}

static float *zeros(int64_t n)
{
    float *x = memory((size_t)n * sizeof *x);
    memset(x, 0, (size_t)n * sizeof *x);
    return x;
}

static void run(struct bench *b)
{
    const struct kind *kind = NULL;
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; ++k)
        kind = strcmp(kinds[k].name, b->loss) == 0 ? &kinds[k] : kind;
    if (kind == NULL)
        fail("--loss must be one of sc, sc_contrast, psc, bcl");
    const int64_t others = kind->y_by_classes * b->classes;
    b->keys = kind->keys_by_n * b->n + kind->keys_by_classes * b->classes;
    b->z = normal(1, b->n * b->dim);
    b->y = normal(2, others * b->dim);
    b->dz = zeros(b->n * b->dim);
    b->dy = zeros(others * b->dim);
    b->labels = labels(b->n, b->classes);
    b->key_labels = labels(others, b->classes < 10 ? b->classes : 10);
    measure(b, kind);
    free(b->z);
    free(b->y);
    free(b->dz);
    free(b->dy);
    free(b->labels);
    free(b->key_labels);
}

static void usage(void)
{
    fprintf(stderr, "usage: bench_loss [--loss sc|sc_contrast|psc|bcl] [--n N] [--classes C] [--dim D] [--threads T]\n"
                    "                  [--repeats R] [--temperature TAU] [--forward-only]\n");
    exit(2);
}

/* BLAS outside the library must use one thread, the library has its own: so the program starts itself once more. */
static void one_blas_thread(char **argv)
{
    if (getenv("HN_BENCH_STARTED") != NULL)
        return;
    setenv("OMP_NUM_THREADS", "1", 1);
    setenv("OPENBLAS_NUM_THREADS", "1", 1);
    setenv("BLIS_NUM_THREADS", "1", 1);
    setenv("HN_BENCH_STARTED", "1", 1);
    execv("/proc/self/exe", argv);
    fail("could not restart with one BLAS thread");
}

int main(int argc, char **argv)
{
    one_blas_thread(argv);
    struct bench b = {
        .loss = "sc", .n = 1024, .classes = 10, .dim = 128, .threads = 1, .repeats = 5, .temperature = 0.1f};
    for (int i = 1; i < argc; ++i) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--forward-only") == 0) {
            b.forward_only = true;
            continue;
        }
        if (strcmp(argv[i], "--loss") == 0)
            b.loss = value;
        else if (strcmp(argv[i], "--n") == 0)
            b.n = bench_number(value, 1, 1 << 24, usage);
        else if (strcmp(argv[i], "--classes") == 0)
            b.classes = bench_number(value, 1, 1 << 24, usage);
        else if (strcmp(argv[i], "--dim") == 0)
            b.dim = bench_number(value, 1, 1 << 16, usage);
        else if (strcmp(argv[i], "--threads") == 0)
            b.threads = (int32_t)bench_number(value, 1, 1024, usage);
        else if (strcmp(argv[i], "--repeats") == 0)
            b.repeats = (int)bench_number(value, 1, MAX_REPEATS, usage);
        else if (strcmp(argv[i], "--temperature") == 0)
            b.temperature = (float)bench_real(value, 1e-3, 1e3, usage);
        else
            usage();
        ++i;
    }
    run(&b);
    return 0;
}
