/* All pure losses on random input: whatever the shape, scale, temperature and labels, results are finite, inside their bounds
 * and nowhere but where they belong. Then what must not change a loss, or change it in a known way.
 * A case that fails names its number: HNT_CASE=NUMBER runs it alone.                                                        */
#include "loss_case.h"

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
enum { INVARIANCES = 400 };

/* What every options struct begins with. */
typedef struct common {
    HN_LOSS_COMMON_OPTIONS
} common;

/* Matrices: the rows z, the keys y (prototypes, contrast rows ...), logits; each with a gradient and its own padding. */
typedef struct matrix {
    float *data, *grad;
    int64_t rows, cols, ld;
} matrix;

typedef struct problem {
    hn_rng rng;
    int64_t n, k, classes, dim;
    matrix z, y, logits;
    int32_t *labels, *key_labels, *self;
    float temperature;
    int32_t normalize;
    common c; /* the common options of this case */
    double loss;
    float *rows;
    hn_scratch scratch;
} problem;

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
static matrix make_matrix(hn_rng *rng, int64_t rows, int64_t cols, double decades)
{
    matrix m = {.rows = rows, .cols = cols, .ld = cols + below(rng, 4)};
    m.data = hnt_poison(rows * m.ld);
    m.grad = hnt_poison(rows * m.ld);
    const float common_scale = log_uniform(rng, -decades, decades);
    const int mixed = below(rng, 2) == 0, special = below(rng, 2) == 0;
    for (int64_t i = 0; i < rows; ++i) {
        float *row = m.data + i * m.ld;
        const int64_t kind = special ? below(rng, 8) : 7, other = i > 0 ? below(rng, i) : 0;
        const float scale = mixed ? log_uniform(rng, -decades, decades) : common_scale;
        hn_rng_fill_normal(rng, row, (size_t)cols, 0.0f, 1.0f);
        for (int64_t c = 0; c < cols; ++c)
            row[c] = kind == 0 ? 0.0f : kind == 1 ? (c == i % cols ? 1.0f : 0.0f) : row[c];
        for (int64_t c = 0; c < cols; ++c)
            row[c] *= scale;
        for (int64_t c = 0; i > 0 && kind >= 2 && kind <= 4 && c < cols; ++c) /* equal, opposite, along another */
            row[c] = (kind == 2 ? 1.0f : kind == 3 ? -1.0f : 0.5f) * m.data[other * m.ld + c];
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

static problem make(uint64_t number)
{
    problem p = {.n = 0};
    hn_rng *rng = &p.rng;
    hn_rng_seed(rng, 2026, number);
    p.n = below(rng, 10) == 0 ? below(rng, 3) : below(rng, 40);
    p.classes = 1 + (below(rng, 4) == 0 ? below(rng, 2) : below(rng, 20));
    p.k = below(rng, 50) == 0 ? 0 : below(rng, 40);
    p.dim = 1 + below(rng, 24);
    p.temperature = log_uniform(rng, log10(0.005), 2);
    p.normalize = below(rng, 4) != 0;
    /* Taken as they are, similarities divided by the temperature must fit a float. */
    const double decades = p.normalize ? 20 : 0.5;
    p.z = make_matrix(rng, p.n, p.dim, decades);
    p.y = make_matrix(rng, p.k, p.dim, decades);
    p.logits = make_matrix(rng, p.n, p.classes, below(rng, 2) == 0 ? 1 : 20);
    p.labels = make_labels(rng, p.n, p.classes);
    p.key_labels = make_labels(rng, p.k, p.classes);
    p.self = hnt_alloc((size_t)p.n * sizeof *p.self);
    for (int64_t i = 0; i < p.n; ++i)
        p.self[i] = p.k > 0 && below(rng, 2) == 0 ? (int32_t)below(rng, p.k) : -1;
    p.rows = hnt_poison(p.n);
    p.c.reduction = (int32_t)below(rng, 2);
    p.c.num_threads = below(rng, 20) == 0 ? 1 + (int32_t)below(rng, 3) : 1;
    p.c.grad_scale = below(rng, 3) == 0 ? (float)between(rng, -2, 2) : 1.0f;
    p.c.grad_beta = below(rng, 3) == 0 ? (float)between(rng, -2, 2) : 0.0f;
    return p;
}

static void drop_matrix(matrix *m)
{
    free(m->data);
    free(m->grad);
}

static void drop(problem *p)
{
    drop_matrix(&p->z);
    drop_matrix(&p->y);
    drop_matrix(&p->logits);
    free(p->labels);
    free(p->key_labels);
    free(p->self);
    free(p->rows);
}

/* ---- the losses ----------------------------------------------------------------------------------------------------- */

static hn_cmatf in(const matrix *m)
{
    return (hn_cmatf){m->data, m->rows, m->cols, m->ld};
}

static hn_matf out(const matrix *m)
{
    return (hn_matf){m->grad, m->rows, m->cols, m->ld};
}

/* The case's common options into an options struct. */
static void set_common(const problem *p, void *options)
{
    common *c = options;
    const size_t size = c->struct_size;
    *c = p->c;
    c->struct_size = size;
}

#define OPTIONS(name)                            \
    hn_loss_##name##_options o;                  \
    hn_loss_##name##_options_init(&o, sizeof o); \
    set_common(p, &o)

#define SCRATCH(call)                \
    size_t bytes = 0;                \
    hn_status status = call;         \
    if (status < 0)                  \
        return status;               \
    p->scratch = hnt_scratch(bytes); \
    memset(p->scratch.data, 0xff, bytes)

static hn_status run_ce(problem *p)
{
    OPTIONS(ce);
    float weight[64], margin[64];
    for (int64_t c = 0; c < p->classes; ++c) {
        weight[c] = below(&p->rng, 5) == 0 ? 0.0f : (float)hn_rng_uniform(&p->rng);
        margin[c] = (float)hn_rng_uniform(&p->rng);
    }
    o.label_smoothing = below(&p->rng, 2) == 0 ? 0.0f : (float)hn_rng_uniform(&p->rng);
    o.focal_gamma = below(&p->rng, 2) == 0 ? 0.0f : (float)between(&p->rng, 0, 5);
    o.class_weight = below(&p->rng, 2) == 0 ? NULL : weight;
    o.margin = below(&p->rng, 2) == 0 ? NULL : margin;
    o.logit_scale = below(&p->rng, 2) == 0 ? 1.0f : 30.0f;
    SCRATCH(hn_loss_ce_scratch(&o, p->n, p->classes, &bytes));
    return hn_loss_ce(&o, &(hn_cmatf){p->logits.data, p->n, p->classes, p->logits.ld}, p->labels, &p->loss, p->rows,
                      &(hn_matf){p->logits.grad, p->n, p->classes, p->logits.ld}, &p->scratch);
}

static hn_status run_sc(problem *p)
{
    OPTIONS(sc);
    o.temperature = p->temperature;
    o.normalize = p->normalize;
    o.lonely_anchor = (int32_t)below(&p->rng, 3);
    o.anchors = (int32_t)below(&p->rng, 2);
    o.view_order = (int32_t)below(&p->rng, 2);
    o.views = p->n % 2 == 0 ? 2 : 1;
    o.base_temperature = below(&p->rng, 2) == 0 ? 0.0f : p->temperature;
    SCRATCH(hn_loss_sc_scratch(&o, p->n, p->dim, &bytes));
    const hn_cmatf z = in(&p->z);
    hn_matf dz = out(&p->z);
    return hn_loss_sc(&o, &z, o.views == 2 && below(&p->rng, 2) == 0 ? NULL : p->labels, &p->loss, p->rows, &dz,
                      &p->scratch);
}

static hn_status run_sc_contrast(problem *p)
{
    OPTIONS(sc);
    o.temperature = p->temperature;
    o.normalize = p->normalize;
    o.lonely_anchor = (int32_t)below(&p->rng, 3);
    SCRATCH(hn_loss_sc_contrast_scratch(&o, p->n, p->k, p->dim, &bytes));
    const hn_cmatf z = in(&p->z), y = in(&p->y);
    hn_matf dz = out(&p->z), dy = out(&p->y);
    return hn_loss_sc_contrast(&o, &z, p->labels, &y, p->key_labels, below(&p->rng, 2) == 0 ? NULL : p->self, &p->loss,
                               p->rows, &dz, &dy, &p->scratch);
}

/* Prototypes: the first classes * M rows of a matrix made for them in place of the keys. */
static void use_prototypes(problem *p, int64_t per_class)
{
    drop_matrix(&p->y);
    p->y = make_matrix(&p->rng, p->classes * per_class, p->dim, p->normalize ? 20 : 0.5);
    for (int64_t i = 0; p->c.grad_beta != 0.0f && i < p->y.rows; ++i)
        for (int64_t c = 0; c < p->dim; ++c)
            p->y.grad[i * p->y.ld + c] = 0.5f;
}

static hn_status run_psc(problem *p)
{
    OPTIONS(psc);
    float given[40 * 3];
    o.temperature = p->temperature;
    o.normalize = p->normalize;
    o.include_own = (int32_t)below(&p->rng, 2);
    o.prototypes_per_class = 1 + (int32_t)below(&p->rng, 3);
    o.assign = (int32_t)below(&p->rng, 4);
    o.one_over_m = (int32_t)below(&p->rng, 2);
    for (int64_t i = 0; i < p->n * o.prototypes_per_class; ++i)
        given[i] = below(&p->rng, 4) == 0 ? 0.0f : (float)hn_rng_uniform(&p->rng);
    o.assignment = given;
    use_prototypes(p, o.prototypes_per_class);
    SCRATCH(hn_loss_psc_scratch(&o, p->n, p->classes, p->dim, &bytes));
    const hn_cmatf z = in(&p->z), y = in(&p->y);
    hn_matf dz = out(&p->z), dy = out(&p->y);
    return hn_loss_psc(&o, &z, &y, p->labels, &p->loss, p->rows, &dz, &dy, &p->scratch);
}

static hn_status run_bcl(problem *p)
{
    OPTIONS(bcl);
    o.temperature = p->temperature;
    o.normalize = p->normalize;
    use_prototypes(p, 1);
    SCRATCH(hn_loss_bcl_scratch(&o, p->n, p->classes, p->dim, &bytes));
    const hn_cmatf z = in(&p->z), y = in(&p->y);
    hn_matf dz = out(&p->z), dy = out(&p->y);
    return hn_loss_bcl(&o, &z, p->labels, &y, &p->loss, p->rows, &dz, &dy, &p->scratch);
}

static hn_status run_kcl(problem *p)
{
    OPTIONS(kcl);
    int32_t class_target[64];
    matrix targets = make_matrix(&p->rng, p->classes, p->dim, p->normalize ? 20 : 0.5);
    o.temperature = p->temperature;
    o.normalize = p->normalize;
    o.positives = (int32_t)below(&p->rng, 8);
    o.target_weight = below(&p->rng, 2) == 0 ? 0.0f : 0.2f;
    o.rng = &p->rng;
    for (int32_t c = 0; c < p->classes; ++c)
        class_target[c] = c;
    hn_status status;
    size_t bytes = 0;
    if ((status = hn_loss_kcl_scratch(&o, p->n, p->k, p->classes, p->dim, &bytes)) == HN_OK) {
        p->scratch = hnt_scratch(bytes);
        memset(p->scratch.data, 0xff, bytes);
        const hn_cmatf z = in(&p->z), y = in(&p->y), t = in(&targets);
        hn_matf dz = out(&p->z), dy = out(&p->y);
        status = hn_loss_kcl(&o, &z, p->labels, &y, p->key_labels, p->self, NULL, &t, p->classes, class_target,
                             &p->loss, p->rows, &dz, &dy, &p->scratch);
    }
    drop_matrix(&targets);
    return status;
}

static hn_status run_paco(problem *p)
{
    OPTIONS(paco);
    o.temperature = p->temperature;
    o.normalize = p->normalize;
    o.gamma = below(&p->rng, 3) == 0 ? 0.0f : (float)hn_rng_uniform(&p->rng);
    o.alpha = (float)hn_rng_uniform(&p->rng);
    o.logit_temperature = p->temperature > 0.05f ? p->temperature : 0.05f;
    SCRATCH(hn_loss_paco_scratch(&o, p->n, p->k, p->classes, p->dim, &bytes));
    const hn_cmatf z = in(&p->z), y = in(&p->y), logits = in(&p->logits);
    hn_matf dz = out(&p->z), dy = out(&p->y), dlogits = out(&p->logits);
    return hn_loss_paco(&o, &logits, &z, p->labels, &y, p->key_labels, p->self, &p->loss, p->rows, &dlogits, &dz, &dy,
                        &p->scratch);
}

static hn_status run_proco(problem *p)
{
    OPTIONS(proco);
    o.temperature = p->temperature;
    o.normalize = p->normalize;
    matrix mean = make_matrix(&p->rng, p->classes, p->dim, 0); /* of length below 1, up to it or 0 */
    for (int64_t c = 0; c < p->classes; ++c) {
        double square = 0, length = below(&p->rng, 5) == 0 ? 1 : hn_rng_uniform(&p->rng);
        for (int64_t l = 0; l < p->dim; ++l)
            square += (double)mean.data[c * mean.ld + l] * (double)mean.data[c * mean.ld + l];
        for (int64_t l = 0; square > 0 && l < p->dim; ++l)
            mean.data[c * mean.ld + l] *= (float)(length / sqrt(square));
    }
    hn_status status;
    size_t bytes = 0;
    if ((status = hn_loss_proco_scratch(&o, p->n, p->classes, p->dim, &bytes)) == HN_OK) {
        p->scratch = hnt_scratch(bytes);
        memset(p->scratch.data, 0xff, bytes);
        const hn_cmatf z = in(&p->z), r = in(&mean);
        hn_matf dz = out(&p->z);
        status = hn_loss_proco(&o, &z, p->labels, &r, &p->loss, p->rows, &dz, &p->scratch);
    }
    drop_matrix(&mean);
    return status;
}

/* z, y, logits: which matrices get a gradient. push: a bound of |gradient of a unit row| times the temperature, for the sum of
 * n losses; what a row gets from its own loss and from those of all others.                                               */
static const struct {
    const char *name;
    hn_status (*run)(problem *p);
    int z, y, logits;
} losses[] = {{"ce", run_ce, 0, 0, 1},     {"sc", run_sc, 1, 0, 0},      {"sc_contrast", run_sc_contrast, 1, 1, 0},
              {"psc", run_psc, 1, 1, 0},   {"bcl", run_bcl, 1, 1, 0},    {"kcl", run_kcl, 1, 1, 0},
              {"paco", run_paco, 1, 1, 1}, {"proco", run_proco, 1, 0, 0}};

enum { LOSSES = sizeof losses / sizeof losses[0] };

/* ---- finite, in bounds, in place ------------------------------------------------------------------------------------ */

/* 0.5 where the call is to add to it; the padding stays NaN. */
static void fill_gradient(const problem *p, matrix *m)
{
    for (int64_t i = 0; i < m->rows * m->ld; ++i)
        m->grad[i] = p->c.grad_beta != 0.0f && i % m->ld < m->cols ? 0.5f : NAN;
}

static void check_gradient(const problem *p, const char *what, uint64_t number, const matrix *m, int rows)
{
    const double bound = (double)(4 + 4 * p->n) / (double)p->temperature * fabs((double)p->c.grad_scale) * 1.01;
    for (int64_t i = 0; i < m->rows; ++i) {
        double size = 0, length = 0, along = 0;
        for (int64_t c = 0; c < m->ld; ++c) {
            const float g = m->grad[i * m->ld + c];
            hnt_check(c < m->cols ? isfinite(g) : isnan(g), "HNT_CASE=%llu: %s of row %lld, column %lld is %g",
                      (unsigned long long)number, what, (long long)i, (long long)c, (double)g);
            if (c >= m->cols)
                continue;
            const double x = (double)m->data[i * m->ld + c], d = (double)g - (double)p->c.grad_beta * 0.5;
            size += d * d;
            length += x * x;
            along += d * x;
        }
        if (!rows || !p->normalize || p->c.grad_beta != 0.0f)
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
    problem p = make(number * LOSSES + (uint64_t)which);
    fill_gradient(&p, &p.z);
    fill_gradient(&p, &p.y);
    fill_gradient(&p, &p.logits);
    hn_status status = losses[which].run(&p);
    hnt_check(status == HN_OK || (which == 7 && p.dim < 2 && status == HN_E_SHAPE), "HNT_CASE=%llu: %s: %s",
              (unsigned long long)number, losses[which].name, hn_last_error());
    if (status == HN_OK) {
        hnt_check(isfinite(p.loss), "HNT_CASE=%llu: the loss is %g", (unsigned long long)number, p.loss);
        for (int64_t i = 0; i < p.n; ++i)
            hnt_check(isfinite(p.rows[i]), "HNT_CASE=%llu: the loss of row %lld is %g", (unsigned long long)number,
                      (long long)i, (double)p.rows[i]);
        if (losses[which].z)
            check_gradient(&p, "dz", number, &p.z, 1);
        if (losses[which].y)
            check_gradient(&p, "dkeys", number, &p.y, 1);
        if (losses[which].logits)
            check_gradient(&p, "dlogits", number, &p.logits, 0);
    }
    free(p.scratch.data);
    drop(&p);
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

/* ---- what must not matter ------------------------------------------------------------------------------------------- */

/* SC or PSC on a fresh problem of moderate numbers. */
typedef struct plain {
    int64_t n, classes, dim;
    float *z, *p, *dz, *dp, *rows;
    int32_t *labels;
    float temperature;
    double loss;
} plain;

static plain make_plain(uint64_t seed)
{
    hn_rng rng;
    hn_rng_seed(&rng, 77, seed);
    plain b = {.n = 2 + below(&rng, 40), .classes = 2 + below(&rng, 8), .dim = 2 + below(&rng, 12)};
    b.z = hnt_alloc((size_t)(b.n * b.dim) * sizeof *b.z);
    b.p = hnt_alloc((size_t)(b.classes * b.dim) * sizeof *b.p);
    b.dz = hnt_poison(b.n * b.dim);
    b.dp = hnt_poison(b.classes * b.dim);
    b.rows = hnt_poison(b.n);
    b.labels = hnt_alloc((size_t)b.n * sizeof *b.labels);
    hn_rng_fill_normal(&rng, b.z, (size_t)(b.n * b.dim), 0, 1);
    hn_rng_fill_normal(&rng, b.p, (size_t)(b.classes * b.dim), 0, 1);
    for (int64_t i = 0; i < b.n; ++i)
        b.labels[i] = (int32_t)below(&rng, b.classes);
    b.temperature = log_uniform(&rng, -1.3, 1);
    return b;
}

static void drop_plain(plain *b)
{
    free(b->z);
    free(b->p);
    free(b->dz);
    free(b->dp);
    free(b->rows);
    free(b->labels);
}

static void run_plain(plain *b, int psc, int32_t include_own, int32_t reduction)
{
    size_t bytes;
    hn_scratch scratch;
    const hn_cmatf z = {b->z, b->n, b->dim, b->dim}, p = {b->p, b->classes, b->dim, b->dim};
    hn_matf dz = {b->dz, b->n, b->dim, b->dim}, dp = {b->dp, b->classes, b->dim, b->dim};
    if (psc) {
        hn_loss_psc_options o;
        hn_loss_psc_options_init(&o, sizeof o);
        o.temperature = b->temperature;
        o.include_own = include_own;
        o.reduction = reduction;
        hnt_ok(hn_loss_psc_scratch(&o, b->n, b->classes, b->dim, &bytes));
        scratch = hnt_scratch(bytes);
        hnt_ok(hn_loss_psc(&o, &z, &p, b->labels, &b->loss, b->rows, &dz, &dp, &scratch));
    } else {
        hn_loss_sc_options o;
        hn_loss_sc_options_init(&o, sizeof o);
        o.temperature = b->temperature;
        o.reduction = reduction;
        hnt_ok(hn_loss_sc_scratch(&o, b->n, b->dim, &bytes));
        scratch = hnt_scratch(bytes);
        hnt_ok(hn_loss_sc(&o, &z, b->labels, &b->loss, b->rows, &dz, &scratch));
    }
    free(scratch.data);
}

/* |got - want| within rounding: similarities are off by 1e-6 / temperature at the very most. */
static void same(const plain *b, const char *what, const float *got, const float *want, int64_t n, double size)
{
    for (int64_t i = 0; i < n; ++i)
        hnt_check(fabs((double)got[i] - (double)want[i]) <= 4e-6 * size / (double)b->temperature,
                  "%s: element %lld is %g, not %g", what, (long long)i, (double)got[i], (double)want[i]);
}

static void same_loss(const plain *got, const plain *want)
{
    ck_assert_double_eq_tol(got->loss, want->loss, 4e-6 * (1 + 1 / (double)want->temperature));
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
        plain a = make_plain(seed), b = make_plain(seed);
        for (int64_t i = 0; i < a.n; ++i) {
            memcpy(b.z + (a.n - 1 - i) * a.dim, a.z + i * a.dim, (size_t)a.dim * sizeof *a.z);
            b.labels[a.n - 1 - i] = a.labels[i];
        }
        for (int psc = 0; psc < 2; ++psc) {
            run_plain(&a, psc, 0, HN_REDUCE_MEAN);
            run_plain(&b, psc, 0, HN_REDUCE_MEAN);
            same_loss(&b, &a);
            const double size = largest(a.dz, a.n * a.dim);
            for (int64_t i = 0; i < a.n; ++i)
                same(&a, "dz", b.dz + (a.n - 1 - i) * a.dim, a.dz + i * a.dim, a.dim, size + 1 / (double)a.n);
        }
        drop_plain(&a);
        drop_plain(&b);
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
        plain a = make_plain(seed), b = make_plain(seed);
        rotate(seed, b.z, b.n, b.dim);
        rotate(seed, b.p, b.classes, b.dim);
        for (int psc = 0; psc < 2; ++psc) {
            run_plain(&a, psc, 0, HN_REDUCE_MEAN);
            run_plain(&b, psc, 0, HN_REDUCE_MEAN);
            same_loss(&b, &a);
            rotate(seed, a.dz, a.n, a.dim);
            same(&a, "dz", b.dz, a.dz, a.n * a.dim, largest(a.dz, a.n * a.dim) + 1 / (double)a.n);
            if (psc) {
                rotate(seed, a.dp, a.classes, a.dim);
                same(&a, "dp", b.dp, a.dp, a.classes * a.dim, largest(a.dp, a.classes * a.dim) + 0.1);
            }
        }
        drop_plain(&a);
        drop_plain(&b);
    }
}
END_TEST

START_TEST(lengths_do_not_matter)
{
    for (uint64_t seed = 0; seed < INVARIANCES; ++seed) {
        plain a = make_plain(seed), b = make_plain(seed);
        for (int64_t i = 0; i < b.n * b.dim; ++i)
            b.z[i] *= i / b.dim % 2 == 0 ? 1024.0f : 0.0009765625f; /* powers of two: exact */
        for (int psc = 0; psc < 2; ++psc) {
            run_plain(&a, psc, 0, HN_REDUCE_SUM);
            run_plain(&b, psc, 0, HN_REDUCE_SUM);
            ck_assert_double_eq(a.loss, b.loss);
            for (int64_t i = 0; i < b.n * b.dim; ++i)
                b.dz[i] *= i / b.dim % 2 == 0 ? 1024.0f : 0.0009765625f;
            ck_assert_mem_eq(a.dz, b.dz, (size_t)(a.n * a.dim) * sizeof *a.dz);
        }
        drop_plain(&a);
        drop_plain(&b);
    }
}
END_TEST

/* PSC with the own class in the denominator is cross-entropy of the cosines over the temperature. */
START_TEST(psc_with_its_own_class_is_cosine_cross_entropy)
{
    for (uint64_t seed = 0; seed < INVARIANCES; ++seed) {
        plain b = make_plain(seed);
        run_plain(&b, 1, 1, HN_REDUCE_MEAN);
        double *z = hnt_dense_d(b.z, b.n, b.dim, b.dim), *p = hnt_dense_d(b.p, b.classes, b.dim, b.dim);
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
            logits[i] = (float)(s / (double)b.temperature);
        }
        size_t bytes;
        double loss;
        hnt_ok(hn_loss_ce_scratch(NULL, b.n, b.classes, &bytes));
        hn_scratch scratch = hnt_scratch(bytes);
        hnt_ok(hn_loss_ce(NULL, &(hn_cmatf){logits, b.n, b.classes, b.classes}, b.labels, &loss, NULL,
                          &(hn_matf){d, b.n, b.classes, b.classes}, &scratch));
        ck_assert_double_eq_tol(b.loss, loss, 2e-6 * (1 + 1 / (double)b.temperature));
        for (int64_t i = 0; i < b.n; ++i) { /* the chain rule: d logits -> unit row -> row */
            double g[16] = {0}, along = 0;
            for (int64_t k = 0; k < b.classes; ++k)
                for (int64_t c = 0; c < b.dim; ++c)
                    g[c] += (double)d[i * b.classes + k] * p[k * b.dim + c] / (double)b.temperature;
            for (int64_t c = 0; c < b.dim; ++c)
                along += g[c] * z[i * b.dim + c];
            for (int64_t c = 0; c < b.dim; ++c) {
                const double got = (double)b.dz[i * b.dim + c] * sqrt(length[i]),
                             want = g[c] - along * z[i * b.dim + c];
                hnt_check(fabs(got - want) < 4e-6 / (double)b.temperature / (double)b.temperature / (double)b.n + 1e-7,
                          "dz of row %lld, column %lld is %g, not %g", (long long)i, (long long)c, got, want);
            }
        }
        free(scratch.data);
        free(logits);
        free(d);
        free(z);
        free(p);
        free(length);
        drop_plain(&b);
    }
}
END_TEST

START_TEST(names_of_classes_do_not_matter)
{
    for (uint64_t seed = 0; seed < INVARIANCES; ++seed) {
        plain a = make_plain(seed), b = make_plain(seed);
        for (int64_t i = 0; i < b.n; ++i) /* class c becomes classes - 1 - c */
            b.labels[i] = (int32_t)(b.classes - 1 - b.labels[i]);
        for (int64_t c = 0; c < b.classes; ++c)
            memcpy(b.p + (b.classes - 1 - c) * b.dim, a.p + c * b.dim, (size_t)b.dim * sizeof *b.p);
        for (int psc = 0; psc < 2; ++psc) {
            run_plain(&a, psc, 0, HN_REDUCE_MEAN);
            run_plain(&b, psc, 0, HN_REDUCE_MEAN);
            same_loss(&b, &a);
            same(&a, "dz", b.dz, a.dz, a.n * a.dim, largest(a.dz, a.n * a.dim) + 1 / (double)a.n);
        }
        drop_plain(&a);
        drop_plain(&b);
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("loss_property");
    TCase *property = hnt_case(s, "property");
    tcase_add_loop_test(property, finite_whatever_the_input, 0, LOSSES);
    tcase_add_test(property, the_order_of_rows_does_not_matter);
    tcase_add_test(property, rotating_the_space_rotates_gradients);
    tcase_add_test(property, lengths_do_not_matter);
    tcase_add_test(property, psc_with_its_own_class_is_cosine_cross_entropy);
    tcase_add_test(property, names_of_classes_do_not_matter);
    return s;
}

HNT_MAIN(suite)
