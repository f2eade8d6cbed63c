/* SC against a plain double reference, central differences and SupContrast's formula in PyTorch; policies. What it shares with
 * the other losses is the contract of loss_contract.h.                                                                  */
#include "loss_contract.h"

#include <stdio.h>

/* About `classes` classes, a lonely row and an ignored one among every eleven. */
static hnt_batch make(uint64_t seed, int64_t n, int64_t dim, int64_t classes, int64_t pad)
{
    hnt_batch b = hnt_batch_of(&hnt_sc, n, classes, dim);
    b.z = hnt_matrix_of(seed, n, dim, pad);
    for (int64_t i = 0; i < n; ++i)
        b.labels[i] = i % 11 == 4   ? -1 - (int32_t)i
                      : i % 11 == 7 ? INT32_MAX - (int32_t)i
                                    : (int32_t)((i * 7 + i / 3) % classes);
    return b;
}

static hnt_batch sized(uint64_t seed, int size, int64_t pad)
{
    static const int64_t shapes[][3] = {{0, 6, 3}, {6, 3, 2}, {150, 7, 5}, {700, 24, 20}};
    return make(seed, shapes[size][0], shapes[size][1], shapes[size][2], pad);
}

/* ---- the reference ----------------------------------------------------------------------------------------------- */

static double evaluate(const void *arg)
{
    const hnt_reference *r = arg;
    const hnt_batch *b = r->b;
    int64_t n = b->n, dim = b->dim, counted = 0;
    double *z = hnt_reference_rows(b, r->z, n), *s = hnt_alloc((size_t)n * sizeof *s), total = 0;
    for (int64_t i = 0; i < n; ++i) {
        double max = -INFINITY, sum = 0, near = 0;
        int64_t positives = 0;
        r->rows[i] = 0;
        if (b->labels[i] < 0)
            continue;
        for (int64_t j = 0; j < n; ++j) {
            s[j] = 0;
            for (int64_t d = 0; d < dim; ++d)
                s[j] += z[i * dim + d] * z[j * dim + d] / (double)b->o.temperature;
            if (j != i && b->labels[j] >= 0)
                max = fmax(max, s[j]);
        }
        for (int64_t j = 0; j < n; ++j) {
            if (j == i || b->labels[j] < 0)
                continue;
            sum += exp(s[j] - max);
            if (b->labels[j] == b->labels[i]) {
                near += s[j];
                ++positives;
            }
        }
        counted += positives > 0 || b->o.sc.lonely_anchor == HN_LONELY_ZERO;
        if (positives > 0)
            r->rows[i] = max + log(sum) - near / (double)positives;
        total += r->rows[i];
    }
    free(z);
    free(s);
    return hnt_reduce(b, total, counted);
}

/* ---- the contract ------------------------------------------------------------------------------------------------ */

static const hnt_mistake mistakes[] = {HNT_I32(sc, lonely_anchor, 3, "lonely_anchor 3")};

static const hnt_misshape misshapes[] = {{HNT_INPUT, HNT_Z, 4, 0, 3, HN_E_SHAPE, "z is 4x0"}};

static const hnt_missize missizes[] = {{{.n = 1 << 30, .dim = INT32_MAX}, HN_E_SHAPE, "z is"}};

static const hnt_subject subject = {
    .loss = &hnt_sc, .evaluate = evaluate, .make = sized, HNT_TABLE(mistake), HNT_TABLE(misshape), HNT_TABLE(missize)};

/* ---- unit -------------------------------------------------------------------------------------------------------- */

START_TEST(values_follow_the_formula)
{
    static const int64_t shapes[][4] = {{1, 3, 1, 0},   {2, 5, 1, 1},    {7, 1, 2, 0},    {40, 64, 3, 4},
                                        {128, 9, 5, 0}, {129, 16, 4, 1}, {300, 7, 60, 3}, {530, 12, 10, 0}};
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; ++s)
        for (int32_t setting = 0; setting < 8; ++setting) {
            hnt_batch b = make(s, shapes[s][0], shapes[s][1], shapes[s][2], shapes[s][3]);
            b.o.sc.lonely_anchor = setting & 1;
            b.o.normalize = (setting >> 1 & 1) == 0;
            b.o.reduction = setting >> 2 & 1;
            b.o.temperature = b.o.normalize ? 0.15f : 1.5f;
            hnt_value_follows(&subject, &b);
            hnt_drop(&b);
        }
}
END_TEST

START_TEST(defaults_are_the_headers)
{
    hn_loss_sc_options o;
    hn_loss_sc_options_init(&o, sizeof o);
    ck_assert_uint_eq(o.struct_size, sizeof o);
    ck_assert_float_eq(o.temperature, 0.1f);
    ck_assert_int_eq(o.normalize, 1);
    ck_assert_int_eq(o.lonely_anchor, HN_LONELY_SKIP);
}
END_TEST

/* Nothing is the loss of batches without a pair: no row, one row, nobody alike, all ignored. */
START_TEST(no_pair_no_loss)
{
    for (int32_t what = 0; what < 4; ++what)
        for (int32_t lonely = 0; lonely < 2; ++lonely) {
            hnt_batch b = make(5, what == 0 ? 0 : what == 1 ? 1 : 20, 6, 3, 0);
            b.o.sc.lonely_anchor = lonely;
            for (int64_t i = 0; i < b.n; ++i)
                b.labels[i] = what == 3 ? -7 : (int32_t)i;
            hnt_ok(hnt_call(&b));
            ck_assert_double_eq(b.loss, 0.0);
            hnt_zeros(b.rows, b.n);
            hnt_zero_gradient(&b.z);
            hnt_drop(&b);
        }
}
END_TEST

START_TEST(lonely_anchors_are_still_negatives)
{
    hnt_batch b = make(6, 3, 4, 1, 0), c = make(6, 3, 4, 1, 0);
    for (int32_t i = 0; i < 3; ++i) {
        b.labels[i] = i / 2; /* rows 0 and 1 are a pair, row 2 is alone */
        c.labels[i] = i / 2;
    }
    c.o.sc.lonely_anchor = HN_LONELY_ZERO;
    hnt_ok(hnt_call(&b));
    hnt_ok(hnt_call(&c));
    ck_assert_float_eq(b.rows[2], 0.0f);
    hnt_close_d("mean over two", b.loss, ((double)b.rows[0] + (double)b.rows[1]) / 2, 1e-6);
    hnt_close_d("mean over three", c.loss, b.loss * 2 / 3, 1e-6);
    double push = 0;
    for (int64_t d = 0; d < b.dim; ++d) {
        push += fabs((double)b.z.g[2 * b.dim + d]);
        hnt_close_d("gradient over three", (double)c.z.g[d], (double)b.z.g[d] * 2 / 3, 1e-5);
    }
    ck_assert_double_gt(push, 1e-3);
    hnt_drop(&b);
    hnt_drop(&c);
}
END_TEST

START_TEST(ignored_rows_are_as_if_absent)
{
    hnt_batch b = make(7, 60, 8, 5, 0), c = make(7, 60, 8, 5, 0);
    hnt_ok(hnt_call(&b));
    c.n = 0;
    for (int64_t i = 0; i < b.n; ++i) {
        if (b.labels[i] < 0) {
            ck_assert_float_eq(b.rows[i], 0.0f);
            hnt_zero_row(&b.z, i);
            continue;
        }
        memcpy(c.z.x + c.n * c.dim, b.z.x + i * b.dim, (size_t)b.dim * sizeof *b.z.x);
        c.labels[c.n++] = b.labels[i];
    }
    ck_assert_int_lt(c.n, b.n);
    c.z.rows = c.z.given = c.n;
    hnt_ok(hnt_call(&c));
    ck_assert_double_eq(b.loss, c.loss);
    for (int64_t i = 0, k = 0; i < b.n; ++i)
        if (b.labels[i] >= 0)
            ck_assert_mem_eq(b.z.g + i * b.dim, c.z.g + k++ * c.dim, (size_t)b.dim * sizeof *b.z.g);
    hnt_drop(&b);
    hnt_drop(&c);
}
END_TEST

START_TEST(without_gradient_the_value_is_the_same)
{
    hnt_batch b = make(10, 300, 9, 7, 0), c = make(10, 300, 9, 7, 0);
    float *dz = c.z.g;
    c.z.g = NULL;
    hnt_ok(hnt_call(&b));
    hnt_ok(hnt_call(&c));
    ck_assert_double_eq(b.loss, c.loss);
    ck_assert_mem_eq(b.rows, c.rows, (size_t)b.n * sizeof *b.rows);
    c.z.g = dz;
    hnt_drop(&b);
    hnt_drop(&c);
}
END_TEST

START_TEST(a_longer_struct_of_a_newer_header_is_judged_by_its_tail)
{
    struct {
        hn_loss_sc_options o;
        int64_t newer;
    } longer;
    size_t bytes;
    hn_loss_sc_options_init(&longer.o, sizeof longer);
    hnt_ok(hn_loss_sc_scratch(&longer.o, 4, 4, &bytes));
    longer.newer = 1;
    hnt_fails(hn_loss_sc_scratch(&longer.o, 4, 4, &bytes), HN_E_VERSION, "does not know");
}
END_TEST

START_TEST(memory_grows_with_rows_not_with_their_square)
{
    size_t small, large;
    hnt_ok(hn_loss_sc_scratch(NULL, 10000, 128, &small));
    hnt_ok(hn_loss_sc_scratch(NULL, 20000, 128, &large));
    ck_assert_uint_le(large, 2 * small);
    ck_assert_uint_lt(large, (size_t)20000 * 20000);
}
END_TEST

/* ---- grad -------------------------------------------------------------------------------------------------------- */

START_TEST(gradients_follow_differences)
{
    for (int32_t setting = 0; setting < 8; ++setting) {
        hnt_batch b = make(20 + (uint64_t)setting, 18, 4, 4, setting % 2);
        b.o.sc.lonely_anchor = setting & 1;
        b.o.normalize = (setting >> 1 & 1) == 0;
        b.o.reduction = setting >> 2 & 1;
        b.o.temperature = 0.4f;
        hnt_gradients_follow(&subject, &b, 1e-5);
        hnt_drop(&b);
    }
}
END_TEST

START_TEST(gradients_across_tiles_follow_differences)
{
    hnt_batch b = make(30, 300, 3, 8, 0); /* three blocks of rows, two tiles of columns */
    hnt_ok(hnt_call(&b));
    hnt_reference r = hnt_refer(&subject, &b);
    for (int64_t at = 0; at < b.n * b.dim; at += 97) {
        double want, start = r.z[at];
        r.z[at] = start + 1e-6;
        want = evaluate(&r);
        r.z[at] = start - 1e-6;
        want = (want - evaluate(&r)) / 2e-6;
        r.z[at] = start;
        ck_assert_double_eq_tol((double)b.z.g[at], want, 2e-7);
    }
    hnt_drop_reference(&r);
    hnt_drop(&b);
}
END_TEST

/* ---- golden ------------------------------------------------------------------------------------------------------ */

START_TEST(pytorch_agrees)
{
    static const float temperatures[] = {0.02f, 0.1f, 1.0f, 10.0f};
    enum { N = 45, DIM = 19 };
    hn_context *context = hnt_context(1);
    hn_safetensors *file = hnt_golden_open(context, "losses");
    for (int32_t setting = 0; setting < 9; ++setting) {
        bool raw = setting == 8;
        hnt_batch b = make(0, N, DIM, 5, 0);
        char name[64];
        b.o.temperature = raw ? 0.5f : temperatures[setting % 4];
        b.o.sc.lonely_anchor = raw ? HN_LONELY_SKIP : setting / 4;
        b.o.normalize = !raw;
        memcpy(b.z.x, hnt_golden_f(file, raw ? "sc.raw.z" : "sc.z", N * DIM), N * DIM * sizeof *b.z.x);
        memcpy(b.labels, hnt_golden_i(file, "sc.labels", N), N * sizeof *b.labels);
        snprintf(name, sizeof name, "sc.%s.%g", setting < 4 ? "skip" : "zero", (double)b.o.temperature);
        hnt_golden_agrees(file, raw ? "sc.raw" : name, &b, 0, 1e-5, 1e-4);
        hnt_drop(&b);
    }
    hn_safetensors_close(file);
    hn_context_destroy(context);
}
END_TEST

/* ---- property ---------------------------------------------------------------------------------------------------- */

START_TEST(order_of_rows_does_not_matter)
{
    hnt_batch b = make(40, 290, 10, 12, 0), c = make(40, 290, 10, 12, 0);
    hn_rng rng;
    int64_t order[290];
    hn_rng_seed(&rng, 1, 0);
    for (int64_t i = 0; i < b.n; ++i)
        order[i] = i;
    hn_rng_shuffle(&rng, order, 290);
    for (int64_t i = 0; i < b.n; ++i) {
        memcpy(c.z.x + i * c.dim, b.z.x + order[i] * b.dim, (size_t)b.dim * sizeof *b.z.x);
        c.labels[i] = b.labels[order[i]];
    }
    hnt_ok(hnt_call(&b));
    hnt_ok(hnt_call(&c));
    hnt_close_d("loss", c.loss, b.loss, 1e-7);
    float *back = hnt_alloc((size_t)(b.n * b.dim) * sizeof *back);
    for (int64_t i = 0; i < b.n; ++i)
        memcpy(back + order[i] * b.dim, c.z.g + i * b.dim, (size_t)b.dim * sizeof *back);
    hnt_close_f("dz", back, b.z.g, b.n * b.dim, 1e-5);
    free(back);
    hnt_drop(&b);
    hnt_drop(&c);
}
END_TEST

/* x - 2 (x.u) u for a unit u: a reflection, which is as good as a rotation. */
static void reflect(float *x, int64_t n, int64_t dim)
{
    double *u = hnt_alloc((size_t)dim * sizeof *u);
    for (int64_t d = 0; d < dim; ++d)
        u[d] = 1.0 + (double)(d % 3);
    hnt_unit_rows(u, 1, dim);
    for (int64_t i = 0; i < n; ++i) {
        double along = 0;
        for (int64_t d = 0; d < dim; ++d)
            along += (double)x[i * dim + d] * u[d];
        for (int64_t d = 0; d < dim; ++d)
            x[i * dim + d] = (float)((double)x[i * dim + d] - 2 * along * u[d]);
    }
    free(u);
}

START_TEST(rotation_does_not_matter)
{
    for (int32_t normalize = 0; normalize < 2; ++normalize) {
        hnt_batch b = make(41, 140, 10, 12, 0), c = make(41, 140, 10, 12, 0);
        b.o.normalize = c.o.normalize = normalize;
        b.o.temperature = c.o.temperature = normalize ? 0.1f : 2.0f;
        reflect(c.z.x, c.n, c.dim);
        hnt_ok(hnt_call(&b));
        hnt_ok(hnt_call(&c));
        hnt_close_d("loss", c.loss, b.loss, 1e-6);
        reflect(c.z.g, c.n, c.dim);
        hnt_close_f("dz", c.z.g, b.z.g, b.n * b.dim, 2e-5);
        hnt_drop(&b);
        hnt_drop(&c);
    }
}
END_TEST

START_TEST(any_temperature_and_scale_is_finite)
{
    static const float temperatures[] = {0.005f, 0.02f, 0.1f, 1.0f, 100.0f}, scales[] = {1e-20f, 1.0f, 1e20f};
    for (size_t t = 0; t < 5; ++t)
        for (size_t s = 0; s < 3; ++s) {
            hnt_batch b = make(50, 24, 8, 4, 0);
            b.o.temperature = temperatures[t];
            for (int64_t d = 0; d < b.dim; ++d) {
                b.z.x[3 * b.dim + d] = b.z.x[d];          /* duplicates of other and of the same label */
                b.z.x[2 * b.dim + d] = -b.z.x[b.dim + d]; /* opposite rows                              */
                b.z.x[5 * b.dim + d] = 0.0f;
                b.z.x[9 * b.dim + d] = b.z.x[8 * b.dim + d];
            }
            b.labels[0] = b.labels[1] = b.labels[2] = 0;
            b.labels[3] = b.labels[8] = b.labels[9] = 1;
            for (int64_t i = 0; i < b.n * b.dim; ++i)
                b.z.x[i] *= scales[s];
            hnt_value_follows(&subject, &b);
            hnt_finite_gradients(&b);
            hnt_drop(&b);
        }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("supcon");
    TCase *unit = hnt_case(s, "unit"), *grad = hnt_case(s, "grad"), *property = hnt_case(s, "property");
    tcase_add_test(unit, values_follow_the_formula);
    tcase_add_test(unit, defaults_are_the_headers);
    tcase_add_test(unit, no_pair_no_loss);
    tcase_add_test(unit, lonely_anchors_are_still_negatives);
    tcase_add_test(unit, ignored_rows_are_as_if_absent);
    tcase_add_test(unit, without_gradient_the_value_is_the_same);
    tcase_add_test(unit, a_longer_struct_of_a_newer_header_is_judged_by_its_tail);
    tcase_add_test(unit, memory_grows_with_rows_not_with_their_square);
    hnt_contract(&subject, unit, property, hnt_case(s, "repro"));
    tcase_add_test(grad, gradients_follow_differences);
    tcase_add_test(grad, gradients_across_tiles_follow_differences);
    tcase_add_test(hnt_case(s, "golden"), pytorch_agrees);
    tcase_add_test(property, order_of_rows_does_not_matter);
    tcase_add_test(property, rotation_does_not_matter);
    tcase_add_test(property, any_temperature_and_scale_is_finite);
    return s;
}

HNT_MAIN(suite)
