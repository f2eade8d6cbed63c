/* What must not change a loss, or change it in a known way: SC and PSC on many small problems. */
#include "loss_batch.h"

enum { INVARIANCES = 400 };

static int64_t below(hn_rng *rng, int64_t n)
{
    return (int64_t)hn_rng_below(rng, (uint64_t)n);
}

/* A problem of moderate numbers, for SC and PSC: rows z and prototypes y. */
static hnt_batch make(uint64_t seed)
{
    hn_rng rng;
    hn_rng_seed(&rng, 77, seed);
    const int64_t n = 2 + below(&rng, 40), classes = 2 + below(&rng, 8), dim = 2 + below(&rng, 12);
    hnt_batch b = hnt_batch_of(&hnt_psc, n, classes, dim);
    b.z = hnt_matrix_of(0, n, dim, 0);
    b.y = hnt_matrix_of(0, classes, dim, 0);
    hn_rng_fill_normal(&rng, b.z.x, (size_t)(n * dim), 0, 1);
    hn_rng_fill_normal(&rng, b.y.x, (size_t)(classes * dim), 0, 1);
    for (int64_t i = 0; i < n; ++i)
        b.labels[i] = (int32_t)below(&rng, classes);
    b.o.temperature = (float)pow(10, -1.3 + 2.3 * hn_rng_uniform(&rng));
    return b;
}

static void run(hnt_batch *b, int psc, int32_t include_own, int32_t reduction)
{
    const float temperature = b->o.temperature;
    b->of = psc ? &hnt_psc : &hnt_sc;
    b->of->init(&b->o);
    b->o.temperature = temperature;
    b->o.reduction = reduction;
    if (psc)
        b->o.psc.include_own = include_own;
    hnt_ok(hnt_call(b));
}

/* |got - want| within rounding: similarities are off by 1e-6 / temperature at the very most. */
static void same(const hnt_batch *b, const char *what, const float *got, const float *want, int64_t n, double size)
{
    for (int64_t i = 0; i < n; ++i)
        hnt_check(fabs((double)got[i] - (double)want[i]) <= 4e-6 * size / (double)b->o.temperature,
                  "%s: element %lld is %g, not %g", what, (long long)i, (double)got[i], (double)want[i]);
}

static void same_loss(const hnt_batch *got, const hnt_batch *want)
{
    ck_assert_double_eq_tol(got->loss, want->loss, 4e-6 * (1 + 1 / (double)want->o.temperature));
}

static double largest(const float *x, int64_t n)
{
    double most = 0;
    for (int64_t i = 0; i < n; ++i)
        most = fmax(most, fabs((double)x[i]));
    return most;
}

START_TEST(the_order_of_rows_does_not_matter)
{
    for (uint64_t seed = 0; seed < INVARIANCES; ++seed) {
        hnt_batch a = make(seed), b = make(seed);
        for (int64_t i = 0; i < a.n; ++i) {
            memcpy(b.z.x + (a.n - 1 - i) * a.dim, a.z.x + i * a.dim, (size_t)a.dim * sizeof *a.z.x);
            b.labels[a.n - 1 - i] = a.labels[i];
        }
        for (int psc = 0; psc < 2; ++psc) {
            run(&a, psc, 0, HN_REDUCE_MEAN);
            run(&b, psc, 0, HN_REDUCE_MEAN);
            same_loss(&b, &a);
            const double size = largest(a.z.g, a.n * a.dim);
            for (int64_t i = 0; i < a.n; ++i)
                same(&a, "dz", b.z.g + (a.n - 1 - i) * a.dim, a.z.g + i * a.dim, a.dim, size + 1 / (double)a.n);
        }
        hnt_drop(&a);
        hnt_drop(&b);
    }
}
END_TEST

/* Rows through two reflections, which make a rotation. */
static void rotate(uint64_t seed, float *x, int64_t rows, int64_t dim)
{
    for (int turn = 0; turn < 2; ++turn) {
        float axis[16];
        double length = 0;
        hnt_normal(1000 + 2 * seed + (uint64_t)turn, axis, dim);
        for (int64_t c = 0; c < dim; ++c)
            length += (double)axis[c] * (double)axis[c];
        for (int64_t i = 0; i < rows; ++i) {
            double along = 0;
            for (int64_t c = 0; c < dim; ++c)
                along += (double)x[i * dim + c] * (double)axis[c];
            for (int64_t c = 0; c < dim; ++c)
                x[i * dim + c] = (float)((double)x[i * dim + c] - 2 * along / length * (double)axis[c]);
        }
    }
}

START_TEST(rotating_the_space_rotates_gradients)
{
    for (uint64_t seed = 0; seed < INVARIANCES; ++seed) {
        hnt_batch a = make(seed), b = make(seed);
        rotate(seed, b.z.x, b.n, b.dim);
        rotate(seed, b.y.x, b.classes, b.dim);
        for (int psc = 0; psc < 2; ++psc) {
            run(&a, psc, 0, HN_REDUCE_MEAN);
            run(&b, psc, 0, HN_REDUCE_MEAN);
            same_loss(&b, &a);
            rotate(seed, a.z.g, a.n, a.dim);
            same(&a, "dz", b.z.g, a.z.g, a.n * a.dim, largest(a.z.g, a.n * a.dim) + 1 / (double)a.n);
            if (psc) {
                rotate(seed, a.y.g, a.classes, a.dim);
                same(&a, "dp", b.y.g, a.y.g, a.classes * a.dim, largest(a.y.g, a.classes * a.dim) + 0.1);
            }
        }
        hnt_drop(&a);
        hnt_drop(&b);
    }
}
END_TEST

START_TEST(lengths_do_not_matter)
{
    for (uint64_t seed = 0; seed < INVARIANCES; ++seed) {
        hnt_batch a = make(seed), b = make(seed);
        for (int64_t i = 0; i < b.n * b.dim; ++i)
            b.z.x[i] *= i / b.dim % 2 == 0 ? 1024.0f : 0.0009765625f; /* powers of two: exact */
        for (int psc = 0; psc < 2; ++psc) {
            run(&a, psc, 0, HN_REDUCE_SUM);
            run(&b, psc, 0, HN_REDUCE_SUM);
            ck_assert_double_eq(a.loss, b.loss);
            for (int64_t i = 0; i < b.n * b.dim; ++i)
                b.z.g[i] *= i / b.dim % 2 == 0 ? 1024.0f : 0.0009765625f;
            ck_assert_mem_eq(a.z.g, b.z.g, (size_t)(a.n * a.dim) * sizeof *a.z.g);
        }
        hnt_drop(&a);
        hnt_drop(&b);
    }
}
END_TEST

/* PSC with the own class in the denominator is cross-entropy of the cosines over the temperature. */
START_TEST(psc_with_its_own_class_is_cosine_cross_entropy)
{
    for (uint64_t seed = 0; seed < INVARIANCES; ++seed) {
        hnt_batch b = make(seed);
        run(&b, 1, 1, HN_REDUCE_MEAN);
        double *z = hnt_dense_d(b.z.x, b.n, b.dim, b.dim), *p = hnt_dense_d(b.y.x, b.classes, b.dim, b.dim);
        double *length = hnt_alloc((size_t)b.n * sizeof *length);
        for (int64_t i = 0; i < b.n * b.dim; ++i)
            length[i / b.dim] += z[i] * z[i];
        hnt_unit_rows(z, b.n, b.dim);
        hnt_unit_rows(p, b.classes, b.dim);
        float *logits = hnt_alloc((size_t)(b.n * b.classes) * sizeof *logits), *d = hnt_poison(b.n * b.classes);
        for (int64_t i = 0; i < b.n * b.classes; ++i) {
            double s = 0;
            for (int64_t c = 0; c < b.dim; ++c)
                s += z[i / b.classes * b.dim + c] * p[i % b.classes * b.dim + c];
            logits[i] = (float)(s / (double)b.o.temperature);
        }
        size_t bytes;
        double loss;
        hnt_ok(hn_loss_ce_scratch(NULL, b.n, b.classes, &bytes));
        hn_scratch scratch = hnt_scratch(bytes);
        hnt_ok(hn_loss_ce(NULL, &(hn_cmatf){logits, b.n, b.classes, b.classes}, b.labels, &loss, NULL,
                          &(hn_matf){d, b.n, b.classes, b.classes}, &scratch));
        ck_assert_double_eq_tol(b.loss, loss, 2e-6 * (1 + 1 / (double)b.o.temperature));
        for (int64_t i = 0; i < b.n; ++i) { /* the chain rule: d logits -> unit row -> row */
            double g[16] = {0}, along = 0;
            for (int64_t k = 0; k < b.classes; ++k)
                for (int64_t c = 0; c < b.dim; ++c)
                    g[c] += (double)d[i * b.classes + k] * p[k * b.dim + c] / (double)b.o.temperature;
            for (int64_t c = 0; c < b.dim; ++c)
                along += g[c] * z[i * b.dim + c];
            for (int64_t c = 0; c < b.dim; ++c) {
                const double got = (double)b.z.g[i * b.dim + c] * sqrt(length[i]),
                             want = g[c] - along * z[i * b.dim + c];
                hnt_check(fabs(got - want) <
                              4e-6 / (double)b.o.temperature / (double)b.o.temperature / (double)b.n + 1e-7,
                          "dz of row %lld, column %lld is %g, not %g", (long long)i, (long long)c, got, want);
            }
        }
        free(scratch.data);
        free(logits);
        free(d);
        free(z);
        free(p);
        free(length);
        hnt_drop(&b);
    }
}
END_TEST

START_TEST(names_of_classes_do_not_matter)
{
    for (uint64_t seed = 0; seed < INVARIANCES; ++seed) {
        hnt_batch a = make(seed), b = make(seed);
        for (int64_t i = 0; i < b.n; ++i) /* class c becomes classes - 1 - c */
            b.labels[i] = (int32_t)(b.classes - 1 - b.labels[i]);
        for (int64_t c = 0; c < b.classes; ++c)
            memcpy(b.y.x + (b.classes - 1 - c) * b.dim, a.y.x + c * b.dim, (size_t)b.dim * sizeof *b.y.x);
        for (int psc = 0; psc < 2; ++psc) {
            run(&a, psc, 0, HN_REDUCE_MEAN);
            run(&b, psc, 0, HN_REDUCE_MEAN);
            same_loss(&b, &a);
            same(&a, "dz", b.z.g, a.z.g, a.n * a.dim, largest(a.z.g, a.n * a.dim) + 1 / (double)a.n);
        }
        hnt_drop(&a);
        hnt_drop(&b);
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("loss_invariance");
    TCase *property = hnt_case(s, "property");
    tcase_add_test(property, the_order_of_rows_does_not_matter);
    tcase_add_test(property, rotating_the_space_rotates_gradients);
    tcase_add_test(property, lengths_do_not_matter);
    tcase_add_test(property, psc_with_its_own_class_is_cosine_cross_entropy);
    tcase_add_test(property, names_of_classes_do_not_matter);
    return s;
}

HNT_MAIN(suite)
