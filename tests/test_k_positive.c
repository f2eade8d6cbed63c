/* KCL and TSC against a plain double reference, central differences and PyTorch; the draw of positives. What they share with
 * the other losses is the contract of loss_contract.h.                                                                  */
#include "loss_contract.h"

#include <stdio.h>

/* t targets (0: KCL). pairing: keys 0, 1, ... are the anchors' other views, the last ones the anchors themselves. */
static hnt_batch make(uint64_t seed, int64_t n, int64_t k, int64_t t, int64_t dim, int64_t pad, int pairing)
{
    hnt_batch b = hnt_batch_of(&hnt_kcl, n, 5, dim);
    b.rng = hnt_alloc(sizeof *b.rng);
    hn_rng_seed(b.rng, seed, 1);
    b.o.kcl.target_weight = t > 0 ? 0.2f : 0.0f;
    b.z = hnt_matrix_of(seed, n, dim, pad);
    b.y = hnt_matrix_of(seed + 1, k, dim, pad);
    if (t > 0)
        b.t = hnt_matrix_of(seed + 2, t, dim, pad);
    b.key_labels = hnt_integers(k);
    b.class_target = hnt_integers(b.classes);
    for (int64_t i = 0; i < n; ++i)
        b.labels[i] = i % 9 == 4 ? -1 - (int32_t)i : (int32_t)(i % 2 == 0 ? 0 : i / 3 % b.classes);
    for (int64_t i = 0; i < k; ++i)
        b.key_labels[i] = i % 7 == 5 ? -1 : (int32_t)(i % 2 == 0 ? 0 : i * 5 % (b.classes - 1));
    for (int64_t c = 0; c < b.classes; ++c)
        b.class_target[c] = c == 3 || t == 0 ? -1 : (int32_t)((c * 3 + 1) % t);
    if (pairing) {
        b.self = hnt_integers(n);
        b.own_key = hnt_integers(n);
        for (int64_t i = 0; i < n; ++i) {
            b.own_key[i] = i % 5 == 3 ? -1 : (int32_t)(i % (k - 1));
            b.self[i] = i % 4 == 2 ? -7 : (int32_t)(b.own_key[i] + 1);
        }
    }
    return b;
}

static hnt_batch sized(uint64_t seed, int size, int64_t pad)
{
    static const int64_t shapes[][4] = {{0, 20, 3, 4}, {12, 15, 4, 3}, {40, 50, 4, 7}, {300, 4500, 40, 24}};
    const int64_t *shape = shapes[size];
    return make(seed, shape[0], shape[1], shape[2], shape[3], pad, size != HNT_EMPTY);
}

/* ---- the reference ----------------------------------------------------------------------------------------------- */

/* The draw as the header has it: Floyd's algorithm over the candidates in their order. */
static void choose(const hnt_batch *b, int64_t i, char *chosen)
{
    int32_t *candidate = hnt_alloc((size_t)(b->y.rows + 1) * sizeof *candidate);
    int32_t own = b->own_key == NULL || b->own_key[i] < 0 ? -1 : b->own_key[i],
            self = b->self == NULL || b->self[i] < 0 ? -1 : b->self[i];
    int64_t many = 0;
    for (int32_t k = 0; k < b->y.rows; ++k)
        if (b->key_labels[k] == b->labels[i] && k != own && k != self)
            candidate[many++] = k;
    int64_t take = b->o.kcl.positives == 0 || b->o.kcl.positives > many ? many : b->o.kcl.positives;
    hn_rng stream, zero;
    hn_rng_seed(&zero, 0, 0);
    hn_rng_derive(&stream, b->o.kcl.rng == NULL ? &zero : b->rng, "k_positive", (uint64_t)i);
    for (int64_t last = many - take; last < many; ++last) {
        int64_t rank = (int64_t)hn_rng_below(&stream, (uint64_t)last + 1);
        chosen[candidate[chosen[candidate[rank]] ? last : rank]] = 1;
    }
    if (own >= 0)
        chosen[own] = 1;
    free(candidate);
}

/* Which keys are positives: n x k. */
static void *hold(const hnt_reference *r)
{
    const hnt_batch *b = r->b;
    char *chosen = hnt_alloc((size_t)(b->n * b->y.rows + 1));
    for (int64_t i = 0; i < b->n; ++i)
        if (b->labels[i] >= 0)
            choose(b, i, chosen + i * b->y.rows);
    return chosen;
}

/* The loss of anchor x; *count: its positives. */
static double anchor(const hnt_reference *r, const double *x, const double *y, const double *t, int64_t i,
                     int64_t *count)
{
    const hnt_batch *b = r->b;
    const char *chosen = r->held;
    const bool targeted = b->o.kcl.target_weight > 0.0f;
    const int64_t self = b->self == NULL ? -1 : b->self[i];
    double max = -INFINITY, sum = 0, total = 0;
    *count = 0;
    for (int64_t k = 0; k < b->y.rows; ++k)
        if (k != self)
            max = fmax(max, hnt_similarity(b, x, y + k * b->dim));
    for (int64_t j = 0; targeted && j < b->t.rows; ++j)
        max = fmax(max, hnt_similarity(b, x, t + j * b->dim));
    for (int64_t k = 0; k < b->y.rows; ++k)
        if (k != self)
            sum += exp(hnt_similarity(b, x, y + k * b->dim) - max);
    for (int64_t j = 0; targeted && j < b->t.rows; ++j)
        sum += exp(hnt_similarity(b, x, t + j * b->dim) - max);
    for (int64_t k = 0; k < b->y.rows; ++k)
        if (chosen[i * b->y.rows + k]) {
            total -= hnt_similarity(b, x, y + k * b->dim) - max - log(sum);
            ++*count;
        }
    const int64_t j = targeted ? b->class_target[b->labels[i]] : -1;
    if (j >= 0) {
        total -= (double)b->o.kcl.target_weight * (hnt_similarity(b, x, t + j * b->dim) - max - log(sum));
        ++*count;
    }
    return *count == 0 ? 0 : total / (double)*count;
}

static double evaluate(const void *arg)
{
    const hnt_reference *r = arg;
    const hnt_batch *b = r->b;
    double *x = hnt_reference_rows(b, r->z, b->n), *y = hnt_reference_rows(b, r->y, b->y.rows),
           *t = hnt_reference_rows(b, r->t, b->t.rows), total = 0;
    int64_t counted = 0;
    for (int64_t i = 0; i < b->n; ++i) {
        int64_t count = 0;
        r->rows[i] = b->labels[i] < 0 ? 0 : anchor(r, x + i * b->dim, y, t, i, &count);
        counted += count > 0;
        total += r->rows[i];
    }
    free(x);
    free(y);
    free(t);
    return hnt_reduce(b, total, counted);
}

/* ---- the contract ------------------------------------------------------------------------------------------------ */

static const hnt_mistake mistakes[] = {
    HNT_I32(kcl, positives, -1, "positives is -1"),
    HNT_F32(kcl, target_weight, -0.5, "target_weight is -0.5"),
    HNT_F32(kcl, target_weight, NAN, "target_weight is nan"),
    {HNT_INDEX + HNT_LABELS, 5, 5, HN_E_LABEL, "label 5 of row 5"},
    {HNT_INDEX + HNT_CLASS_TARGET, 2, 4, HN_E_ARG, "class_target[2] is 4"},
    {HNT_INDEX + HNT_SELF, 3, 15, HN_E_ARG, "self[3] is 15"},
    {HNT_INDEX + HNT_OWN_KEY, 6, 99, HN_E_ARG, "own_key[6] is 99"},
    {HNT_GIVEN_ROWS + HNT_Y, 0, 16, HN_E_SHAPE, "dkeys has 16 rows"},
};

static const hnt_misshape misshapes[] = {
    {HNT_INPUT, HNT_Y, 3, 2, 2, HN_E_SHAPE, "keys have 2 columns"},
    {HNT_INPUT, HNT_T, 3, 2, 2, HN_E_SHAPE, "targets have 2 columns"},
    {HNT_CLASSES, 0, 0, 0, 0, HN_E_ARG, "classes is 0"},
};

static const hnt_missize missizes[] = {
    {{.n = -4, .k = 4, .targets = 3, .dim = 3}, HN_E_SHAPE, "anchors is -4x3"},
    {{.n = 4, .k = INT64_MAX, .targets = 3, .dim = 3}, HN_E_SHAPE, "keys is"},
    {{.n = 4, .k = 4, .targets = -1, .dim = 3}, HN_E_SHAPE, "targets is -1x3"},
    {{.n = 4, .k = INT32_MAX, .targets = INT32_MAX, .dim = 3}, HN_E_SHAPE, "together"},
};

static const hnt_subject subject = {.loss = &hnt_kcl,
                                    .evaluate = evaluate,
                                    .hold = hold,
                                    .make = sized,
                                    .given = 13,
                                    .zero_key = 3,
                                    HNT_TABLE(mistake),
                                    HNT_TABLE(misshape),
                                    HNT_TABLE(missize)};

/* ---- unit -------------------------------------------------------------------------------------------------------- */

START_TEST(values_follow_the_formula)
{
    static const int64_t shapes[][5] = {{1, 2, 0, 1, 0},    {6, 9, 3, 4, 3},    {64, 70, 0, 16, 0}, {65, 100, 7, 8, 1},
                                        {270, 40, 4, 5, 2}, {3, 2500, 9, 4, 0}, {5, 0, 4, 3, 0},    {30, 2, 2, 6, 0}};
    static const int32_t positives[] = {6, 0, 1, 3, 1000};
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; ++s)
        for (int32_t setting = 0; setting < 20; ++setting) {
            const int64_t *shape = shapes[s];
            hnt_batch b = make(s, shape[0], shape[1], shape[2], shape[3], shape[4], setting % 2 && shape[1] > 1);
            b.o.kcl.positives = positives[setting % 5];
            b.o.normalize = setting % 3 != 2;
            b.o.reduction = setting / 5 % 2;
            b.o.kcl.rng = setting % 7 == 0 ? NULL : b.rng;
            b.o.temperature = setting < 10 ? 1.0f : 0.2f;
            hnt_value_follows(&subject, &b);
            hnt_drop(&b);
        }
}
END_TEST

START_TEST(defaults_are_the_headers)
{
    hn_loss_kcl_options o;
    hn_loss_kcl_options_init(&o, sizeof o);
    ck_assert_uint_eq(o.struct_size, sizeof o);
    ck_assert_float_eq(o.temperature, 0.07f);
    ck_assert_int_eq(o.normalize, 1);
    ck_assert_int_eq(o.positives, 6);
    ck_assert_float_eq(o.target_weight, 0.0f);
    ck_assert_ptr_null(o.rng);
}
END_TEST

START_TEST(rows_without_a_positive_do_not_count)
{
    hnt_batch b = make(5, 30, 40, 0, 8, 0, 0), c = make(5, 30, 40, 0, 8, 0, 0);
    int64_t lonely = 0;
    for (int64_t i = 0; i < b.n; ++i)
        lonely += b.labels[i] == 4; /* no key has it */
    ck_assert_int_gt(lonely, 0);
    hnt_ok(hnt_call(&b));
    for (int64_t i = 0; i < b.n; ++i)
        if (b.labels[i] == 4 || b.labels[i] < 0) {
            ck_assert_float_eq(b.rows[i], 0.0f);
            hnt_zeros(b.z.g + i * b.dim, b.dim);
            c.labels[i] = -5;
        }
    hnt_ok(hnt_call(&c)); /* as if they were ignored */
    ck_assert_double_eq(b.loss, c.loss);
    for (int64_t i = 0; i < b.n * b.dim; ++i) /* by value: one zero may be negative */
        ck_assert_float_eq(b.z.g[i], c.z.g[i]);
    for (int64_t i = 0; i < b.y.rows * b.dim; ++i)
        ck_assert_float_eq(b.y.g[i], c.y.g[i]);
    hnt_drop(&b);
    hnt_drop(&c);

    b = make(6, 12, 20, 0, 4, 0, 0);
    for (int64_t i = 0; i < b.y.rows; ++i)
        b.key_labels[i] = 7; /* nobody has a positive */
    hnt_ok(hnt_call(&b));
    ck_assert_double_eq(b.loss, 0.0);
    hnt_zeros(b.rows, b.n);
    hnt_zero_gradient(&b.z);
    hnt_zero_gradient(&b.y);
    hnt_drop(&b);
}
END_TEST

START_TEST(one_class_and_one_key)
{
    hnt_batch b = make(8, 12, 20, 1, 4, 0, 1);
    for (int64_t i = 0; i < b.n; ++i)
        b.labels[i] = 0;
    for (int64_t i = 0; i < b.y.rows; ++i)
        b.key_labels[i] = 0;
    b.class_target[0] = 0;
    hnt_value_follows(&subject, &b);
    hnt_drop(&b);
    b = make(9, 1, 1, 0, 4, 0, 0); /* the only key is the only positive: nothing to contrast with */
    hnt_ok(hnt_call(&b));
    ck_assert_double_eq_tol(b.loss, 0.0, 1e-6);
    hnt_drop(&b);
}
END_TEST

/* Nothing to be done takes no scratch, and then there need be none. */
START_TEST(nothing_needs_no_scratch)
{
    float none[1] = {0};
    const hn_cmatf empty = {none, 0, 3, 3};
    size_t bytes = 1;
    double loss = 5.0;
    hnt_ok(hn_loss_kcl_scratch(NULL, 0, 0, 0, 3, &bytes));
    ck_assert_uint_eq(bytes, 0);
    hnt_ok(hn_loss_kcl(NULL, &empty, NULL, &empty, NULL, NULL, NULL, NULL, 4, NULL, &loss, NULL, NULL, NULL, NULL));
    ck_assert_double_eq(loss, 0.0);
}
END_TEST

START_TEST(keys_without_a_label_are_negatives)
{
    hnt_batch b = make(9, 20, 30, 0, 6, 0, 0), fewer = make(9, 20, 30, 0, 6, 0, 0);
    b.key_labels[29] = -1;
    fewer.y.rows = fewer.y.given = 29;
    b.o.kcl.positives = fewer.o.kcl.positives = 0;
    hnt_ok(hnt_call(&b));
    hnt_ok(hnt_call(&fewer));
    for (int64_t i = 0; i < b.n; ++i) /* one key more in the denominator */
        ck_assert(fewer.rows[i] == 0.0f || b.rows[i] >= fewer.rows[i]);
    ck_assert_double_gt(b.loss, fewer.loss + 1e-3);
    hnt_drop(&b);
    hnt_drop(&fewer);
}
END_TEST

START_TEST(labels_and_pairs_that_exclude_each_other)
{
    hnt_batch b = sized(10, HNT_SMALL, 0);
    b.own_key[6] = b.self[6] = 4;
    hnt_refuse(&b, HN_E_ARG, "key 4 is both self and own_key of row 6");
    b.self[6] = -1;
    b.labels[5] = 5;
    b.o.kcl.target_weight = 0.0f; /* without targets any label will do */
    hnt_ok(hnt_call(&b));
    hnt_drop(&b);
}
END_TEST

/* ---- grad -------------------------------------------------------------------------------------------------------- */

START_TEST(gradients_follow_differences)
{
    for (int32_t setting = 0; setting < 16; ++setting) {
        hnt_batch b = make(20 + (uint64_t)setting, 14, 25, setting & 1 ? 4 : 0, 4, setting & 1, setting >> 3);
        b.o.normalize = (setting >> 1 & 1) == 0;
        b.o.reduction = setting >> 2 & 1;
        b.o.kcl.positives = setting % 3 == 2 ? 0 : 2;
        b.o.temperature = 0.4f;
        b.o.kcl.rng = b.rng;
        hnt_gradients_follow(&subject, &b, 1e-5);
        hnt_drop(&b);
    }
}
END_TEST

/* ---- golden ------------------------------------------------------------------------------------------------------ */

START_TEST(pytorch_agrees)
{
    enum { N = 21, K = 30, T = 5, C = 6, D = 9 };
    static const struct {
        const char *kind;
        float temperature, weight;
        int pairing;
    } settings[] = {{"kcl", 0.07f, 0.0f, 1}, {"kcl", 0.5f, 0.0f, 1}, {"kcl", 0.2f, 0.0f, 0},
                    {"tsc", 0.07f, 0.2f, 1}, {"tsc", 0.5f, 0.2f, 1}, {"tsc", 0.2f, 1.5f, 0}};
    hn_context *context = hnt_context(1);
    hn_safetensors *file = hnt_golden_open(context, "k_positive");
    const int32_t *own = hnt_golden_i(file, "own_key", N), *self = hnt_golden_i(file, "self", N);
    for (int32_t setting = 0; setting < 12; ++setting) {
        char name[64];
        hnt_batch b = make(0, N, K, T, D, 0, settings[setting / 2].pairing);
        free(b.class_target);
        b.class_target = hnt_alloc(C * sizeof *b.class_target);
        b.classes = C;
        b.o.kcl.positives = 0;
        b.o.normalize = setting % 2;
        b.o.temperature = settings[setting / 2].temperature;
        b.o.kcl.target_weight = settings[setting / 2].weight;
        memcpy(b.z.x, hnt_golden_f(file, "anchors", N * D), N * D * sizeof *b.z.x);
        memcpy(b.y.x, hnt_golden_f(file, "keys", K * D), K * D * sizeof *b.y.x);
        memcpy(b.t.x, hnt_golden_f(file, "targets", T * D), T * D * sizeof *b.t.x);
        memcpy(b.labels, hnt_golden_i(file, "labels", N), N * sizeof *b.labels);
        memcpy(b.key_labels, hnt_golden_i(file, "key_labels", K), K * sizeof *b.key_labels);
        memcpy(b.class_target, hnt_golden_i(file, "class_target", C), C * sizeof *b.class_target);
        if (b.own_key != NULL) {
            memcpy(b.own_key, own, N * sizeof *own);
            memcpy(b.self, self, N * sizeof *self);
        }
        for (int64_t i = 0; !b.o.normalize && i < K * D; ++i) {
            b.y.x[i] /= 4;
            if (i < N * D)
                b.z.x[i] /= 4;
            if (i < T * D)
                b.t.x[i] /= 4;
        }
        snprintf(name, sizeof name, "%s.%g.%d.%d", settings[setting / 2].kind, (double)b.o.temperature,
                 settings[setting / 2].pairing, (int)b.o.normalize);
        hnt_golden_agrees(file, name, &b, 1, 1e-5, 1e-4);
        hnt_drop(&b);
    }
    hn_safetensors_close(file);
    hn_context_destroy(context);
}
END_TEST

/* ---- property ---------------------------------------------------------------------------------------------------- */

START_TEST(all_positives_are_the_supervised_contrastive_loss)
{
    enum { N = 40, D = 7 };
    hnt_batch b = make(30, N, N, 0, D, 0, 0);
    b.o.kcl.positives = 0;
    b.o.temperature = 0.2f;
    b.self = hnt_alloc(N * sizeof *b.self);
    memcpy(b.y.x, b.z.x, N * D * sizeof *b.z.x);
    for (int32_t i = 0; i < N; ++i) {
        b.labels[i] = b.key_labels[i] = i / 3 % 8; /* some are alone in the end */
        b.self[i] = i;
    }
    b.labels[5] = b.key_labels[5] = 90;
    hnt_ok(hnt_call(&b));
    hn_loss_sc_options o;
    hn_loss_sc_options_init(&o, sizeof o);
    o.temperature = 0.2f;
    size_t bytes;
    hnt_ok(hn_loss_sc_scratch(&o, N, D, &bytes));
    hn_scratch scratch = hnt_scratch(bytes);
    float dz[N * D], rows[N];
    double loss;
    hnt_ok(hn_loss_sc(&o, &(hn_cmatf){b.z.x, N, D, D}, b.labels, &loss, rows, &(hn_matf){dz, N, D, D}, &scratch));
    hnt_close_d("loss", b.loss, loss, 1e-6);
    hnt_close_f("row_loss", b.rows, rows, N, 1e-5);
    for (int i = 0; i < N * D; ++i)
        b.z.g[i] += b.y.g[i];
    hnt_close_f("dz", b.z.g, dz, N * D, 1e-5);
    free(scratch.data);
    hnt_drop(&b);
}
END_TEST

START_TEST(draws_are_even_and_without_replacement)
{
    /* Key k is the k-th axis: the gradient of an anchor at 0 shows which keys pull it. */
    enum { N = 3000, K = 12, TAKE = 3 };
    hnt_batch b = make(31, N, K, 0, K, 0, 0);
    hn_rng_seed(b.rng, 17, 3);
    b.o.kcl.rng = b.rng;
    b.o.kcl.positives = TAKE;
    b.o.normalize = 0;
    b.o.temperature = 1.0f;
    b.o.reduction = HN_REDUCE_SUM;
    b.self = hnt_alloc(N * sizeof *b.self);
    memset(b.z.x, 0, N * K * sizeof *b.z.x);
    for (int i = 0; i < K * K; ++i)
        b.y.x[i] = i / K == i % K;
    for (int k = 0; k < K; ++k)
        b.key_labels[k] = k == 4; /* 11 of class 0, of which one is the anchor itself */
    for (int i = 0; i < N; ++i) {
        b.labels[i] = 0;
        b.self[i] = 7;
    }
    hnt_ok(hnt_call(&b));
    double drawn[K] = {0}, pairs[K][K] = {{0}}, chi = 0, chi_pairs = 0;
    for (int i = 0; i < N; ++i) {
        int taken = 0;
        for (int k = 0; k < K; ++k)
            if (b.z.g[i * K + k] < 0.0f) { /* 1/11 - 1/3, not 1/11 */
                ++taken;
                ++drawn[k];
                for (int l = 0; l < k; ++l)
                    pairs[k][l] += b.z.g[i * K + l] < 0.0f;
            }
        ck_assert_int_eq(taken, TAKE);
    }
    ck_assert_double_eq(drawn[4] + drawn[7], 0.0);
    for (int k = 0; k < K; ++k)
        for (int l = 0; l <= k; ++l)
            if (k != 4 && k != 7 && l != 4 && l != 7) {
                double expected = l == k ? N * TAKE / 10.0 : N * TAKE * (TAKE - 1) / 90.0;
                double got = l == k ? drawn[k] : pairs[k][l];
                *(l == k ? &chi : &chi_pairs) += (got - expected) * (got - expected) / expected;
            }
    ck_assert_double_lt(chi, 27.9);       /* 9 degrees of freedom, 0.1 % */
    ck_assert_double_lt(chi_pairs, 80.1); /* 45, fewer in truth          */

    /* The same state draws the same, another one others. */
    hnt_batch again = b;
    again.loss = 0;
    hnt_ok(hnt_call(&again));
    ck_assert_double_eq(again.loss, b.loss);
    float *first = hnt_alloc(N * K * sizeof *first);
    memcpy(first, b.z.g, N * K * sizeof *first);
    hn_rng_seed(b.rng, 17, 4);
    hnt_ok(hnt_call(&b));
    ck_assert_mem_ne(first, b.z.g, N * K * sizeof *first);
    free(first);
    hnt_drop(&b);
}
END_TEST

START_TEST(any_temperature_and_scale_is_finite)
{
    static const float temperatures[] = {0.005f, 0.02f, 0.1f, 1.0f, 100.0f}, scales[] = {1e-20f, 1.0f, 1e20f};
    for (size_t t = 0; t < 5; ++t)
        for (size_t s = 0; s < 3; ++s) {
            hnt_batch b = make(50, 24, 30, 5, 8, 0, 1);
            b.o.temperature = temperatures[t];
            for (int64_t d = 0; d < b.dim; ++d) {
                b.z.x[d] = b.y.x[d];                  /* a row on a key  */
                b.z.x[b.dim + d] = -b.y.x[b.dim + d]; /* opposite of one */
                b.z.x[2 * b.dim + d] = 0.0f;
                b.y.x[2 * b.dim + d] = b.y.x[3 * b.dim + d]; /* duplicates */
                b.y.x[4 * b.dim + d] = 0.0f;
                b.t.x[d] = b.z.x[5 * b.dim + d];
            }
            for (int64_t i = 0; i < b.n * b.dim; ++i)
                b.z.x[i] *= scales[s];
            for (int64_t i = 0; i < b.y.rows * b.dim; ++i)
                b.y.x[i] *= scales[2 - s];
            hnt_value_follows(&subject, &b);
            hnt_finite_gradients(&b);
            hnt_drop(&b);
        }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("k_positive");
    TCase *unit = hnt_case(s, "unit"), *property = hnt_case(s, "property");
    tcase_add_test(unit, values_follow_the_formula);
    tcase_add_test(unit, defaults_are_the_headers);
    tcase_add_test(unit, rows_without_a_positive_do_not_count);
    tcase_add_test(unit, one_class_and_one_key);
    tcase_add_test(unit, nothing_needs_no_scratch);
    tcase_add_test(unit, keys_without_a_label_are_negatives);
    tcase_add_test(unit, labels_and_pairs_that_exclude_each_other);
    hnt_contract(&subject, unit, property, hnt_case(s, "repro"));
    tcase_add_test(hnt_case(s, "grad"), gradients_follow_differences);
    tcase_add_test(hnt_case(s, "golden"), pytorch_agrees);
    tcase_add_test(property, all_positives_are_the_supervised_contrastive_loss);
    tcase_add_test(property, draws_are_even_and_without_replacement);
    tcase_add_test(property, any_temperature_and_scale_is_finite);
    return s;
}

HNT_MAIN(suite)
