/* All pure losses on random input: whatever the shape, scale, temperature and labels, results are finite, inside their bounds
 * and nowhere but where they belong.
 * A case that fails names its number: HNT_CASE=NUMBER runs it alone.                                                        */
#include "loss_batch.h"

#if defined(__SANITIZE_ADDRESS__)
enum { CASES = 4000 };
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
enum { CASES = 4000 };
#else
enum { CASES = 100000 };
#endif
#else
enum { CASES = 100000 };
#endif

static int64_t below(hn_rng *rng, int64_t n)
{
    return (int64_t)hn_rng_below(rng, (uint64_t)n);
}

static double between(hn_rng *rng, double low, double high)
{
    return low + (high - low) * hn_rng_uniform(rng);
}

/* 10^uniform(low, high) */
static float log_uniform(hn_rng *rng, double low, double high)
{
    return (float)pow(10, between(rng, low, high));
}

/* ---- random input --------------------------------------------------------------------------------------------------- */

/* Rows of one length or of lengths 1e-decades to 1e+decades; some equal, opposite, zero, along an axis. */
static hnt_matrix make_matrix(hn_rng *rng, int64_t rows, int64_t cols, double decades)
{
    hnt_matrix m = {.rows = rows, .cols = cols, .ld = cols + below(rng, 4), .given = rows};
    m.x = hnt_poison(rows * m.ld);
    m.g = hnt_poison(rows * m.ld);
    const float common_scale = log_uniform(rng, -decades, decades);
    const int mixed = below(rng, 2) == 0, special = below(rng, 2) == 0;
    for (int64_t i = 0; i < rows; ++i) {
        float *row = m.x + i * m.ld;
        const int64_t kind = special ? below(rng, 8) : 7, other = i > 0 ? below(rng, i) : 0;
        const float scale = mixed ? log_uniform(rng, -decades, decades) : common_scale;
        hn_rng_fill_normal(rng, row, (size_t)cols, 0.0f, 1.0f);
        for (int64_t c = 0; c < cols; ++c)
            row[c] = kind == 0 ? 0.0f : kind == 1 ? (c == i % cols ? 1.0f : 0.0f) : row[c];
        for (int64_t c = 0; c < cols; ++c)
            row[c] *= scale;
        for (int64_t c = 0; i > 0 && kind >= 2 && kind <= 4 && c < cols; ++c) /* equal, opposite, along another */
            row[c] = (kind == 2 ? 1.0f : kind == 3 ? -1.0f : 0.5f) * m.x[other * m.ld + c];
    }
    return m;
}

static int32_t *make_labels(hn_rng *rng, int64_t n, int64_t classes)
{
    int32_t *labels = hnt_alloc((size_t)n * sizeof *labels);
    const int64_t kind = below(rng, 6);
    for (int64_t i = 0; i < n; ++i) {
        const double u = hn_rng_uniform(rng);
        labels[i] = (int32_t)(kind == 0   ? 0
                              : kind == 1 ? i % classes
                              : kind == 2 ? (int64_t)((double)classes * u * u * u) /* a long tail */
                                          : below(rng, classes));
        if (kind == 5 || (kind == 4 && u < 0.3))
            labels[i] = -1 - (int32_t)below(rng, 100);
    }
    return labels;
}

static void replace(hnt_matrix *m, hnt_matrix by)
{
    free(m->x);
    free(m->g);
    *m = by;
}

static hnt_batch make(const hnt_pure_loss *loss, hn_rng *rng)
{
    const int64_t n = below(rng, 10) == 0 ? below(rng, 3) : below(rng, 40);
    const int64_t classes = 1 + (below(rng, 4) == 0 ? below(rng, 2) : below(rng, 20));
    const int64_t k = below(rng, 50) == 0 ? 0 : below(rng, 40), dim = 1 + below(rng, 24);
    const float temperature = log_uniform(rng, log10(0.005), 2);
    const int32_t normalize = below(rng, 4) != 0;
    hnt_batch b = hnt_batch_of(loss, n, classes, dim);
    /* Taken as they are, similarities divided by the temperature must fit a float. */
    const double decades = normalize ? 20 : 0.5;
    b.z = make_matrix(rng, n, dim, decades);
    b.y = make_matrix(rng, k, dim, decades);
    b.t = make_matrix(rng, n, classes, below(rng, 2) == 0 ? 1 : 20);
    free(b.labels);
    b.labels = make_labels(rng, n, classes);
    b.key_labels = make_labels(rng, k, classes);
    b.self = hnt_integers(n);
    for (int64_t i = 0; i < n; ++i)
        b.self[i] = k > 0 && below(rng, 2) == 0 ? (int32_t)below(rng, k) : -1;
    b.o.reduction = (int32_t)below(rng, 2);
    b.o.num_threads = below(rng, 20) == 0 ? 1 + (int32_t)below(rng, 3) : 1;
    b.o.grad_scale = below(rng, 3) == 0 ? (float)between(rng, -2, 2) : 1.0f;
    b.o.grad_beta = below(rng, 3) == 0 ? (float)between(rng, -2, 2) : 0.0f;
    if (loss->spherical) {
        b.o.temperature = temperature;
        b.o.normalize = normalize;
    }
    return b;
}

/* ---- the losses ----------------------------------------------------------------------------------------------------- */

/* Each sets its own options, and puts what it takes for keys and targets in their places. */

static float *numbers(hnt_batch *b, int which, int64_t n)
{
    return b->extra[which] = hnt_alloc((size_t)n * sizeof(float));
}

static void set_ce(hnt_batch *b, hn_rng *rng)
{
    float *weight = numbers(b, 0, b->classes), *margin = numbers(b, 1, b->classes);
    for (int64_t c = 0; c < b->classes; ++c) {
        weight[c] = below(rng, 5) == 0 ? 0.0f : (float)hn_rng_uniform(rng);
        margin[c] = (float)hn_rng_uniform(rng);
    }
    b->o.ce.label_smoothing = below(rng, 2) == 0 ? 0.0f : (float)hn_rng_uniform(rng);
    b->o.ce.focal_gamma = below(rng, 2) == 0 ? 0.0f : (float)between(rng, 0, 5);
    b->o.ce.class_weight = below(rng, 2) == 0 ? NULL : weight;
    b->o.ce.margin = below(rng, 2) == 0 ? NULL : margin;
    b->o.ce.logit_scale = below(rng, 2) == 0 ? 1.0f : 30.0f;
}

static void set_sc(hnt_batch *b, hn_rng *rng)
{
    b->o.sc.lonely_anchor = (int32_t)below(rng, 3);
    b->o.sc.anchors = (int32_t)below(rng, 2);
    b->o.sc.view_order = (int32_t)below(rng, 2);
    b->o.sc.views = b->n % 2 == 0 ? 2 : 1;
    b->o.sc.base_temperature = below(rng, 2) == 0 ? 0.0f : b->o.temperature;
    if (b->o.sc.views == 2 && below(rng, 2) == 0) {
        free(b->labels);
        b->labels = NULL;
    }
}

static void set_sc_contrast(hnt_batch *b, hn_rng *rng)
{
    b->o.sc.lonely_anchor = (int32_t)below(rng, 3);
    if (below(rng, 2) == 0) {
        free(b->self);
        b->self = NULL;
    }
}

/* Prototypes in place of the keys. */
static void use_prototypes(hnt_batch *b, hn_rng *rng, int64_t per_class)
{
    replace(&b->y, make_matrix(rng, b->classes * per_class, b->dim, b->o.normalize ? 20 : 0.5));
}

static void set_psc(hnt_batch *b, hn_rng *rng)
{
    b->o.psc.include_own = (int32_t)below(rng, 2);
    b->o.psc.prototypes_per_class = 1 + (int32_t)below(rng, 3);
    b->o.psc.assign = (int32_t)below(rng, 4);
    b->o.psc.one_over_m = (int32_t)below(rng, 2);
    float *given = numbers(b, 0, b->n * b->o.psc.prototypes_per_class);
    for (int64_t i = 0; i < b->n * b->o.psc.prototypes_per_class; ++i)
        given[i] = below(rng, 4) == 0 ? 0.0f : (float)hn_rng_uniform(rng);
    b->o.psc.assignment = given;
    use_prototypes(b, rng, b->o.psc.prototypes_per_class);
}

static void set_bcl(hnt_batch *b, hn_rng *rng)
{
    use_prototypes(b, rng, 1);
}

static void set_kcl(hnt_batch *b, hn_rng *rng)
{
    replace(&b->t, make_matrix(rng, b->classes, b->dim, b->o.normalize ? 20 : 0.5));
    b->o.kcl.positives = (int32_t)below(rng, 8);
    b->o.kcl.target_weight = below(rng, 2) == 0 ? 0.0f : 0.2f;
    b->o.kcl.rng = rng;
    b->class_target = hnt_integers(b->classes);
    for (int32_t c = 0; c < b->classes; ++c)
        b->class_target[c] = c;
}

static void set_paco(hnt_batch *b, hn_rng *rng)
{
    b->o.paco.gamma = below(rng, 3) == 0 ? 0.0f : (float)hn_rng_uniform(rng);
    b->o.paco.alpha = (float)hn_rng_uniform(rng);
    b->o.paco.logit_temperature = b->o.temperature > 0.05f ? b->o.temperature : 0.05f;
}

static void set_proco(hnt_batch *b, hn_rng *rng)
{
    hnt_matrix mean = make_matrix(rng, b->classes, b->dim, 0); /* of length below 1, up to it or 0 */
    for (int64_t c = 0; c < b->classes; ++c) {
        double square = 0, length = below(rng, 5) == 0 ? 1 : hn_rng_uniform(rng);
        for (int64_t l = 0; l < b->dim; ++l)
            square += (double)mean.x[c * mean.ld + l] * (double)mean.x[c * mean.ld + l];
        for (int64_t l = 0; square > 0 && l < b->dim; ++l)
            mean.x[c * mean.ld + l] *= (float)(length / sqrt(square));
    }
    replace(&b->y, mean);
}

static const struct {
    const char *name;
    const hnt_pure_loss *loss;
    void (*set)(hnt_batch *b, hn_rng *rng);
} losses[] = {
    {"ce", &hnt_ce, set_ce},       {"sc", &hnt_sc, set_sc},         {"sc_contrast", &hnt_sc_contrast, set_sc_contrast},
    {"psc", &hnt_psc, set_psc},    {"bcl", &hnt_bcl, set_bcl},      {"kcl", &hnt_kcl, set_kcl},
    {"paco", &hnt_paco, set_paco}, {"proco", &hnt_proco, set_proco}};

enum { LOSSES = sizeof losses / sizeof losses[0] };

/* ---- finite, in bounds, in place ------------------------------------------------------------------------------------ */

/* 0.5 where the call is to add to it; the padding stays NaN. */
static void fill_gradient(const hnt_batch *b, hnt_matrix *m)
{
    for (int64_t i = 0; i < m->rows * m->ld; ++i)
        m->g[i] = b->o.grad_beta != 0.0f && i % m->ld < m->cols ? 0.5f : NAN;
}

/* rows: of a matrix of unit rows. The length of their gradient has a bound, what a row gets from its own loss and from those of
 * all others; and it does not change the length of the row.                                                            */
static void check_gradient(const hnt_batch *b, const char *what, uint64_t number, const hnt_matrix *m, int rows)
{
    const double bound =
        !rows ? 0 : (double)(4 + 4 * b->n) / (double)b->o.temperature * fabs((double)b->o.grad_scale) * 1.01;
    for (int64_t i = 0; i < m->rows; ++i) {
        double size = 0, length = 0, along = 0;
        for (int64_t c = 0; c < m->ld; ++c) {
            const float g = m->g[i * m->ld + c];
            hnt_check(c < m->cols ? isfinite(g) : isnan(g), "HNT_CASE=%llu: %s of row %lld, column %lld is %g",
                      (unsigned long long)number, what, (long long)i, (long long)c, (double)g);
            if (c >= m->cols)
                continue;
            const double x = (double)m->x[i * m->ld + c], d = (double)g - (double)b->o.grad_beta * 0.5;
            size += d * d;
            length += x * x;
            along += d * x;
        }
        if (!rows || !b->o.normalize || b->o.grad_beta != 0.0f)
            continue;
        size = sqrt(size);
        length = sqrt(length);
        hnt_check(size * length <= bound, "HNT_CASE=%llu: %s of row %lld, of length %g, has length %g",
                  (unsigned long long)number, what, (long long)i, length, size);
        hnt_check(fabs(along) <= 1e-5 * bound, "HNT_CASE=%llu: %s of row %lld changes its length",
                  (unsigned long long)number, what, (long long)i);
    }
}

static void run_case(int which, uint64_t number)
{
    hn_rng rng;
    hn_rng_seed(&rng, 2026, number * LOSSES + (uint64_t)which);
    hnt_batch b = make(losses[which].loss, &rng);
    losses[which].set(&b, &rng);
    for (int i = 0; i < HNT_MATRICES; ++i)
        fill_gradient(&b, &b.m[i]);
    const hn_status status = hnt_call(&b);
    hnt_check(status == HN_OK || (b.of == &hnt_proco && b.dim < 2 && status == HN_E_SHAPE), "HNT_CASE=%llu: %s: %s",
              (unsigned long long)number, losses[which].name, hn_last_error());
    if (status == HN_OK) {
        hnt_check(isfinite(b.loss), "HNT_CASE=%llu: the loss is %g", (unsigned long long)number, b.loss);
        for (int64_t i = 0; i < b.n; ++i)
            hnt_check(isfinite(b.rows[i]), "HNT_CASE=%llu: the loss of row %lld is %g", (unsigned long long)number,
                      (long long)i, (double)b.rows[i]);
        for (int i = 0; i < HNT_MATRICES; ++i)
            if (b.of->gradient[i] != NULL)
                check_gradient(&b, b.of->gradient[i], number, &b.m[i], i != HNT_T);
    }
    hnt_drop(&b);
}

START_TEST(finite_whatever_the_input)
{
    const char *only = getenv("HNT_CASE");
    if (only != NULL) {
        run_case(_i, strtoull(only, NULL, 10));
        return;
    }
    for (uint64_t number = 0; number < CASES / LOSSES; ++number)
        run_case(_i, number);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("loss_property");
    tcase_add_loop_test(hnt_case(s, "property"), finite_whatever_the_input, 0, LOSSES);
    return s;
}

HNT_MAIN(suite)
