#include "loss_contract.h"

#include <stdio.h>

static const hnt_subject *subject; /* of this program */

/* ---- the reference --------------------------------------------------------------------------------------------------- */

hnt_reference hnt_refer(const hnt_subject *s, const hnt_batch *b)
{
    hnt_reference r = {.b = b};
    for (int i = 0; i < HNT_MATRICES; ++i)
        r.m[i] = b->m[i].x == NULL ? NULL : hnt_dense_d(b->m[i].x, b->m[i].rows, b->m[i].cols, b->m[i].ld);
    r.rows = hnt_alloc((size_t)b->n * sizeof *r.rows);
    r.held = s->hold == NULL ? NULL : s->hold(&r);
    return r;
}

void hnt_drop_reference(hnt_reference *r)
{
    for (int i = 0; i < HNT_MATRICES; ++i)
        free(r->m[i]);
    free(r->rows);
    free(r->held);
}

double *hnt_reference_rows(const hnt_batch *b, const double *x, int64_t rows)
{
    double *y = hnt_alloc((size_t)(rows * b->dim) * sizeof *y);
    if (rows > 0)
        memcpy(y, x, (size_t)(rows * b->dim) * sizeof *y);
    if (b->o.normalize)
        hnt_unit_rows(y, rows, b->dim);
    return y;
}

double hnt_similarity(const hnt_batch *b, const double *x, const double *y)
{
    double s = 0;
    for (int64_t d = 0; d < b->dim; ++d)
        s += x[d] * y[d];
    return s / (double)b->o.temperature;
}

double hnt_reduce(const hnt_batch *b, double total, int64_t counted)
{
    return b->o.reduction == HN_REDUCE_SUM || counted == 0 ? total : total / (double)counted;
}

double hnt_rounding(const hnt_batch *b)
{
    return 5e-7 * (double)(b->o.normalize ? 1 : b->dim) / (double)b->o.temperature;
}

void hnt_value_follows(const hnt_subject *s, hnt_batch *b)
{
    hnt_ok(hnt_call(b));
    hnt_reference r = hnt_refer(s, b);
    const double want = s->evaluate(&r), rounding = s->rounding == NULL ? hnt_rounding(b) : s->rounding(b);
    const double rows = b->o.reduction == HN_REDUCE_SUM ? (double)b->n : 1;
    ck_assert_double_eq_tol(b->loss, want, rounding * rows + 1e-6);
    hnt_near("row_loss", b->rows, r.rows, b->n, rounding + 1e-6);
    hnt_drop_reference(&r);
}

void hnt_gradients_follow(const hnt_subject *s, hnt_batch *b, double tolerance)
{
    hnt_ok(hnt_call(b));
    hnt_reference r = hnt_refer(s, b);
    for (int i = 0; i < HNT_MATRICES; ++i) {
        const hnt_matrix *m = &b->m[i];
        if (b->of->gradient[i] == NULL)
            continue;
        double *want = hnt_differences(s->evaluate, &r, r.m[i], m->rows * m->cols);
        float *got = hnt_gradient(m);
        hnt_close_fd(b->of->gradient[i], got, want, m->rows * m->cols, tolerance);
        free(want);
        free(got);
    }
    hnt_drop_reference(&r);
}

void hnt_golden_agrees(const hn_safetensors *file, const char *name, hnt_batch *b, int rows, double value_tolerance,
                       double gradient_tolerance)
{
    char key[128];
    hnt_ok(hnt_call(b));
    snprintf(key, sizeof key, "%s.loss", name);
    hnt_close_d(key, b->loss, (double)hnt_golden_f(file, key, 1)[0], value_tolerance);
    snprintf(key, sizeof key, "%s.rows", name);
    if (rows)
        hnt_close_f(key, b->rows, hnt_golden_f(file, key, b->n), b->n, value_tolerance);
    for (int i = 0; i < HNT_MATRICES; ++i) {
        const int64_t count = b->m[i].rows * b->m[i].cols;
        if (b->of->gradient[i] == NULL)
            continue;
        snprintf(key, sizeof key, "%s.%s", name, b->of->gradient[i]);
        hnt_close_f(key, b->m[i].g, hnt_golden_f(file, key, count), count, gradient_tolerance);
    }
}

/* ---- unit ------------------------------------------------------------------------------------------------------------ */

START_TEST(common_defaults_are_the_headers)
{
    hnt_batch b = subject->make(3, HNT_MIDDLE, 0);
    memset(&b.o, 0xa5, sizeof b.o);
    subject->loss->init(&b.o);
    ck_assert_int_eq(b.o.reduction, HN_REDUCE_MEAN);
    ck_assert_int_eq(b.o.check_finite, 0);
    ck_assert_int_eq(b.o.num_threads, 1);
    ck_assert_float_eq(b.o.grad_scale, 1.0f);
    ck_assert_float_eq(b.o.grad_beta, 0.0f);
    if (subject->loss->spherical)
        ck_assert_int_eq(b.o.normalize, 1);
    hnt_drop(&b);
}
END_TEST

/* Without options, results and the arrays that may be NULL: -1 for all is what these stand for. */
START_TEST(null_options_are_the_defaults)
{
    hnt_batch b = subject->make(3, HNT_MIDDLE, 0);
    const hnt_sizes sizes = hnt_sizes_of(&b);
    subject->loss->init(&b.o);
    for (int64_t i = 0; i < b.n; ++i)
        for (int which = HNT_SELF; which <= HNT_OWN_KEY; ++which)
            if (b.index[which] != NULL)
                b.index[which][i] = -1;
    hnt_ok(hnt_call(&b));
    size_t bytes;
    double loss;
    hnt_ok(subject->loss->scratch(NULL, &sizes, &bytes));
    hn_scratch scratch = hnt_scratch(bytes);
    hn_cmatf x[HNT_MATRICES];
    hnt_arguments a = {.classes = b.classes, .loss = &loss, .scratch = &scratch};
    for (int i = 0; i < HNT_MATRICES; ++i) {
        x[i] = (hn_cmatf){b.m[i].x, b.m[i].rows, b.m[i].cols, b.m[i].ld};
        a.x[i] = b.m[i].x == NULL ? NULL : &x[i];
    }
    a.index[HNT_LABELS] = b.labels;
    a.index[HNT_KEY_LABELS] = b.key_labels;
    hnt_ok(subject->loss->run(&a));
    ck_assert_double_eq(loss, b.loss);
    free(scratch.data);
    hnt_drop(&b);
}
END_TEST

/* All rows ignored, or no row. */
START_TEST(no_row_no_loss)
{
    for (int empty = 0; empty < 2; ++empty) {
        hnt_batch b = subject->make(5, empty ? HNT_EMPTY : HNT_MIDDLE, 1);
        for (int64_t i = 0; i < b.n; ++i)
            b.labels[i] = INT32_MIN;
        b.loss = 5.0;
        hnt_ok(hnt_call(&b));
        ck_assert_double_eq(b.loss, 0.0);
        hnt_zeros(b.rows, b.n);
        for (int i = 0; i < HNT_MATRICES; ++i)
            if (subject->loss->gradient[i] != NULL)
                hnt_zero_gradient(&b.m[i]);
        hnt_drop(&b);
    }
}
END_TEST

START_TEST(ignored_rows_have_loss_and_gradient_zero)
{
    hnt_batch b = subject->make(7, HNT_MIDDLE, 1);
    int64_t ignored = 0;
    hnt_ok(hnt_call(&b));
    for (int64_t i = 0; i < b.n; ++i)
        if (b.labels[i] < 0) {
            ++ignored;
            ck_assert_float_eq(b.rows[i], 0.0f);
            for (int m = HNT_Z; m <= HNT_T; m += HNT_T - HNT_Z)
                if (subject->loss->gradient[m] != NULL)
                    hnt_zero_row(&b.m[m], i);
        }
    ck_assert_int_gt(ignored, 0);
    ck_assert_int_lt(ignored, b.n);
    hnt_drop(&b);
}
END_TEST

START_TEST(zero_rows_have_gradient_zero)
{
    hnt_batch b = subject->make(6, HNT_MIDDLE, 0);
    ck_assert_int_ge(b.labels[2], 0);
    memset(b.z.x + 2 * b.dim, 0, (size_t)b.dim * sizeof *b.z.x);
    if (subject->loss->gradient[HNT_Y] != NULL)
        memset(b.y.x + subject->zero_key * b.dim, 0, (size_t)b.dim * sizeof *b.y.x);
    if (subject->loss->gradient[HNT_T] == NULL && b.t.x != NULL) /* targets */
        memset(b.t.x, 0, (size_t)b.dim * sizeof *b.t.x);
    hnt_value_follows(subject, &b);
    hnt_zero_row(&b.z, 2);
    if (subject->loss->gradient[HNT_Y] != NULL)
        hnt_zero_row(&b.y, subject->zero_key);
    hnt_finite_gradients(&b);
    double others = 0;
    for (int64_t d = 0; d < b.dim; ++d)
        others += fabs((double)b.z.g[d]);
    ck_assert_double_gt(others, 1e-3);
    hnt_drop(&b);
}
END_TEST

static double largest(const hnt_matrix *m)
{
    double most = 0;
    for (int64_t i = 0; i < m->given * m->ld; ++i)
        most = fmax(most, i % m->ld < m->cols ? fabs((double)m->g[i]) : 0);
    return most;
}

void hnt_scales_and_adds(hnt_batch *b, hnt_batch *c)
{
    float *old[HNT_MATRICES] = {NULL};
    hnt_ok(hnt_call(b));
    c->o.grad_scale = -3.0f;
    c->o.grad_beta = 0.5f;
    for (int i = 0; i < HNT_MATRICES; ++i) {
        const hnt_matrix *m = &c->m[i];
        if (c->of->gradient[i] == NULL)
            continue;
        old[i] = hnt_padded(100 + (uint64_t)i, m->given, m->cols, m->ld);
        for (int64_t k = 0; k < m->given * m->ld; ++k) /* what was there is as large as what is added */
            m->g[k] = old[i][k] *= (float)largest(&b->m[i]);
    }
    hnt_ok(hnt_call(c));
    ck_assert_double_eq(b->loss, c->loss);
    for (int i = 0; i < HNT_MATRICES; ++i) {
        const hnt_matrix *m = &c->m[i];
        if (c->of->gradient[i] == NULL)
            continue;
        float *got = hnt_gradient(m), *want = hnt_dense(old[i], m->given, m->cols, m->ld), *g = hnt_gradient(&b->m[i]);
        for (int64_t k = 0; k < m->given * m->cols; ++k)
            want[k] = 0.5f * want[k] - 3.0f * g[k];
        hnt_close_f(c->of->gradient[i], got, want, m->given * m->cols, 1e-6);
        free(got);
        free(want);
        free(g);
        free(old[i]);
    }
}

START_TEST(gradients_are_scaled_and_added)
{
    for (int32_t raw = 0; raw <= subject->loss->spherical; ++raw) {
        hnt_batch b = subject->make(8, HNT_MIDDLE, 2), c = subject->make(8, HNT_MIDDLE, 2);
        if (raw)
            b.o.normalize = c.o.normalize = 0;
        hnt_scales_and_adds(&b, &c);
        hnt_drop(&b);
        hnt_drop(&c);
    }
}
END_TEST

START_TEST(outputs_may_be_left_out)
{
    hnt_batch b = subject->make(9, HNT_MIDDLE, 0);
    hnt_ok(hnt_call(&b));
    for (unsigned which = 0; which < 1u << (HNT_MATRICES + 2); ++which) {
        hnt_batch c = subject->make(9, HNT_MIDDLE, 0);
        float *g[HNT_MATRICES], *rows = c.rows;
        for (int i = 0; i < HNT_MATRICES; ++i) {
            g[i] = c.m[i].g;
            if (!(which & 1u << i))
                c.m[i].g = NULL;
        }
        if (which & 1u << HNT_MATRICES && subject->given > 0)
            c.y.given = subject->given;
        if (which & 1u << (HNT_MATRICES + 1))
            c.rows = NULL;
        hnt_ok(hnt_call(&c));
        ck_assert_double_eq(c.loss, b.loss);
        if (c.rows != NULL)
            ck_assert_mem_eq(c.rows, b.rows, (size_t)b.n * sizeof *b.rows);
        for (int i = 0; i < HNT_MATRICES; ++i) {
            const hnt_matrix *m = &c.m[i];
            const int64_t count = m->g == NULL || subject->loss->gradient[i] == NULL ? 0 : m->given * m->cols;
            if (count > 0)
                ck_assert_mem_eq(m->g, b.m[i].g, (size_t)count * sizeof *m->g);
            for (int64_t k = count; k < m->rows * m->cols; ++k)
                hnt_check(isnan(g[i][k]), "a gradient that was left out has been written");
            c.m[i].g = g[i];
        }
        c.rows = rows;
        hnt_drop(&c);
    }
    hnt_drop(&b);
}
END_TEST

/* What is wrong for every loss. */
#define COMMON_F32(field, value, sentence)                                           \
    {                                                                                \
        HNT_F32_OPTION, offsetof(hnt_loss_options, field), value, HN_E_ARG, sentence \
    }
#define COMMON_I32(field, value, sentence)                                           \
    {                                                                                \
        HNT_I32_OPTION, offsetof(hnt_loss_options, field), value, HN_E_ARG, sentence \
    }
static const hnt_mistake common_mistakes[] = {
    COMMON_I32(reduction, 2, "reduction 2"),
    COMMON_I32(reduction, 7, "reduction 7"),
    COMMON_I32(reduction, -1, "reduction -1"),
    COMMON_I32(num_threads, -1, "num_threads is -1"),
    COMMON_I32(num_threads, -3, "num_threads is -3"),
    COMMON_I32(num_threads, 1025, "num_threads is 1025"),
    COMMON_F32(grad_scale, INFINITY, "grad_scale is inf"),
    COMMON_F32(grad_scale, NAN, "grad_scale is nan"),
    COMMON_F32(grad_beta, INFINITY, "grad_beta is inf"),
    COMMON_F32(grad_beta, NAN, "grad_beta is nan"),
    {HNT_SIZE_OPTION, 0, 0, HN_E_ARG, "struct_size is 0"},
    {HNT_SIZE_OPTION, 0, 3, HN_E_ARG, "struct_size is 3"},
    {HNT_SIZE_OPTION, 0, 1 << 20, HN_E_ARG, "struct_size is 1048576"},
};
static const hnt_mistake spherical_mistakes[] = {
    COMMON_F32(temperature, 0.0, "temperature is 0"),        COMMON_F32(temperature, -0.1, "temperature is -0.1"),
    COMMON_F32(temperature, INFINITY, "temperature is inf"), COMMON_F32(temperature, NAN, "temperature is nan"),
    COMMON_F32(temperature, 1e-44, "temperature is 9"), /* its inverse is none */
};

static void make_mistake(hnt_batch *b, const hnt_mistake *m)
{
    char *option = (char *)&b->o + m->at;
    if (m->place >= HNT_GIVEN_ROWS)
        b->m[m->place - HNT_GIVEN_ROWS].given = (int64_t)m->value;
    else if (m->place >= HNT_EXTRA)
        b->extra[m->place - HNT_EXTRA][m->at] = (float)m->value;
    else if (m->place >= HNT_INDEX)
        b->index[m->place - HNT_INDEX][m->at] = (int32_t)m->value;
    else if (m->place == HNT_F32_OPTION)
        *(float *)(void *)option = (float)m->value;
    else if (m->place == HNT_I32_OPTION)
        *(int32_t *)(void *)option = (int32_t)m->value;
    else
        b->o.struct_size = (size_t)m->value;
}

static void check_mistakes(const hnt_mistake *mistakes, size_t count)
{
    for (size_t i = 0; i < count; ++i) {
        hnt_batch b = subject->make(10, HNT_SMALL, 0);
        hnt_ok(hnt_call(&b)); /* it is this field and no other */
        make_mistake(&b, &mistakes[i]);
        hnt_refuse(&b, mistakes[i].status, mistakes[i].sentence);
        hnt_drop(&b);
    }
}

START_TEST(values_out_of_range_are_named)
{
    check_mistakes(common_mistakes, sizeof common_mistakes / sizeof *common_mistakes);
    if (subject->loss->spherical)
        check_mistakes(spherical_mistakes, sizeof spherical_mistakes / sizeof *spherical_mistakes);
    check_mistakes(subject->mistakes, subject->mistake_count);
}
END_TEST

/* With check_finite it is named and nothing is written; without it shows up in the loss. */
START_TEST(nan_and_infinity_are_named)
{
    for (int i = 0; i < HNT_MATRICES; ++i) {
        hnt_batch b = subject->make(10, HNT_SMALL, 0);
        char sentence[64];
        if (subject->loss->matrix[i] == NULL) {
            hnt_drop(&b);
            continue;
        }
        float *in_row_2 = &b.m[i].x[2 * b.m[i].cols + 1], *first = b.m[i].x, good = *in_row_2;
        b.o.check_finite = 1;
        hnt_ok(hnt_call(&b));
        *in_row_2 = INFINITY;
        snprintf(sentence, sizeof sentence, "%s holds inf in row 2, column 1", subject->loss->matrix[i]);
        hnt_refuse(&b, HN_E_NONFINITE, sentence);
        *in_row_2 = -INFINITY;
        snprintf(sentence, sizeof sentence, "%s holds -inf in row 2, column 1", subject->loss->matrix[i]);
        hnt_refuse(&b, HN_E_NONFINITE, sentence);
        *in_row_2 = good;
        *first = NAN;
        snprintf(sentence, sizeof sentence, "%s holds nan in row 0, column 0", subject->loss->matrix[i]);
        hnt_refuse(&b, HN_E_NONFINITE, sentence);
        b.o.check_finite = 0;
        hnt_ok(hnt_call(&b));
        if (i == HNT_Z || subject->loss->gradient[HNT_Z] == NULL)
            ck_assert(isnan(b.loss));
        hnt_drop(&b);
    }
}
END_TEST

/* ---- arguments ------------------------------------------------------------------------------------------------------- */

/* Good arguments, to be spoiled in one place. */
typedef struct good {
    float values[12], gradients[12];
    int32_t integers[4];
    hn_cmatf x[HNT_MATRICES];
    hn_matf g[HNT_MATRICES];
    hnt_loss_options o;
    hnt_arguments a;
    hn_scratch scratch;
    double loss;
} good;

static void start(good *p)
{
    const hnt_sizes sizes = {4, 3, 3, 3, 3};
    const int targeted = subject->loss->gradient[HNT_T] == NULL;
    *p = (good){.values = {1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1, 1}, .integers = {0, 1, 2, 0}, .loss = 77.0};
    subject->loss->init(&p->o);
    if (targeted && subject->loss->matrix[HNT_T] != NULL)
        p->o.kcl.target_weight = 0.2f;
    for (int i = 0; i < HNT_MATRICES; ++i) {
        const int64_t rows = i == HNT_Y || (i == HNT_T && targeted) ? 3 : 4;
        p->x[i] = (hn_cmatf){p->values, rows, 3, 3};
        p->g[i] = (hn_matf){p->gradients, rows, 3, 3};
        p->a.x[i] = subject->loss->matrix[i] == NULL ? NULL : &p->x[i];
    }
    for (int i = 0; i < HNT_INDICES; ++i) /* self and own_key may be NULL */
        p->a.index[i] = subject->loss->index[i] == NULL || i == HNT_SELF || i == HNT_OWN_KEY ? NULL : p->integers;
    size_t bytes;
    hnt_ok(subject->loss->scratch(&p->o, &sizes, &bytes));
    p->scratch = hnt_scratch(bytes + 64);
    p->scratch.size = bytes;
    p->a.options = &p->o;
    p->a.classes = 3;
    p->a.loss = &p->loss;
    p->a.scratch = &p->scratch;
}

static void fails(good *p, hn_status status, const char *name, const char *rest)
{
    char sentence[96];
    snprintf(sentence, sizeof sentence, "%s%s", name, rest);
    hnt_fails(subject->loss->run(&p->a), status, sentence);
    ck_assert_double_eq(p->loss, 77.0);
    free(p->scratch.data);
    start(p);
}

static void check_matrix(good *p, int i)
{
    const char *name = subject->loss->matrix[i], *gradient = subject->loss->gradient[i];
    p->a.x[i] = NULL;
    fails(p, HN_E_ARG, name, " is NULL");
    p->x[i].data = NULL;
    fails(p, HN_E_ARG, name, ".data is NULL");
    p->x[i].ld = 2;
    fails(p, HN_E_SHAPE, name, ".ld is 2");
    p->x[i].rows = -1;
    fails(p, HN_E_SHAPE, name, " is -1x3");
    if (gradient == NULL)
        return;
    p->a.g[i] = &p->g[i];
    p->g[i].data = NULL;
    fails(p, HN_E_ARG, gradient, ".data is NULL");
    p->a.g[i] = &p->g[i];
    p->g[i].ld = 2;
    fails(p, HN_E_SHAPE, gradient, ".ld is 2");
    p->a.g[i] = &p->g[i];
    p->g[i].cols = 2;
    fails(p, HN_E_SHAPE, gradient, p->x[i].rows == 3 ? " is 3x2" : " is 4x2");
    if (i == HNT_Y)
        return;
    p->a.g[i] = &p->g[i];
    p->g[i].rows = 3;
    fails(p, HN_E_SHAPE, gradient, " is 3x3");
}

START_TEST(arguments_out_of_shape_are_named)
{
    good p;
    start(&p);
    hnt_ok(subject->loss->run(&p.a));
    p.loss = 77.0;
    for (int i = 0; i < HNT_MATRICES; ++i)
        if (subject->loss->matrix[i] != NULL)
            check_matrix(&p, i);
    for (int i = 0; i < HNT_INDICES; ++i)
        if (p.a.index[i] != NULL) {
            p.a.index[i] = NULL;
            fails(&p, HN_E_ARG, subject->loss->index[i], " is NULL");
        }
    for (size_t i = 0; i < subject->misshape_count; ++i) {
        const hnt_misshape *m = &subject->misshapes[i];
        if (m->what == HNT_CLASSES)
            p.a.classes = m->rows;
        else if (m->what == HNT_INPUT)
            p.x[m->matrix] = (hn_cmatf){p.values, m->rows, m->cols, m->ld};
        else {
            p.g[m->matrix] = (hn_matf){p.gradients, m->rows, m->cols, m->ld};
            p.a.g[m->matrix] = &p.g[m->matrix];
        }
        fails(&p, m->status, m->sentence, "");
    }
    p.a.scratch = NULL;
    fails(&p, HN_E_WORKSPACE, "scratch is NULL", "");
    p.scratch.size -= 1;
    fails(&p, HN_E_WORKSPACE, "bytes", "");
    const hn_scratch odd = {(char *)p.scratch.data + 4, p.scratch.size};
    p.a.scratch = &odd;
    fails(&p, HN_E_WORKSPACE, "aligned", "");
    free(p.scratch.data);
}
END_TEST

START_TEST(sizes_out_of_range_are_named)
{
    const hnt_sizes good_sizes = {4, 3, 3, 3, 3};
    hnt_fails(subject->loss->scratch(NULL, &good_sizes, NULL), HN_E_ARG, "bytes is NULL");
    for (size_t i = 0; i < subject->missize_count; ++i) {
        const hnt_missize *m = &subject->missizes[i];
        size_t bytes = 78;
        hnt_fails(subject->loss->scratch(NULL, &m->sizes, &bytes), m->status, m->sentence);
        ck_assert_uint_eq(bytes, 78);
    }
}
END_TEST

/* ---- property, repro ------------------------------------------------------------------------------------------------- */

START_TEST(scale_of_rows_changes_only_their_gradient)
{
    hnt_batch b = subject->make(51, HNT_MIDDLE, 0), c = subject->make(51, HNT_MIDDLE, 0);
    for (int64_t i = 0; i < c.n * c.dim; ++i)
        c.z.x[i] *= 0x1p40f;
    hnt_ok(hnt_call(&b));
    hnt_ok(hnt_call(&c));
    ck_assert_double_eq(b.loss, c.loss);
    for (int64_t i = 0; i < c.n * c.dim; ++i)
        c.z.g[i] *= 0x1p40f;
    hnt_close_f(subject->loss->gradient[HNT_Z], c.z.g, b.z.g, b.n * b.dim, 1e-6);
    hnt_drop(&b);
    hnt_drop(&c);
}
END_TEST

START_TEST(threads_do_not_change_bits)
{
    hnt_batch first = subject->make(60, HNT_LARGE, 1);
    hnt_ok(hnt_call(&first));
    for (int32_t threads = 0; threads <= 3; ++threads) {
        hnt_batch b = subject->make(60, HNT_LARGE, 1);
        b.o.num_threads = threads;
        hnt_ok(hnt_call(&b));
        ck_assert_mem_eq(&b.loss, &first.loss, sizeof b.loss);
        ck_assert_mem_eq(b.rows, first.rows, (size_t)b.n * sizeof *b.rows);
        for (int i = 0; i < HNT_MATRICES; ++i)
            if (subject->loss->gradient[i] != NULL)
                ck_assert_mem_eq(b.m[i].g, first.m[i].g, (size_t)(b.m[i].rows * b.m[i].ld) * sizeof *b.m[i].g);
        hnt_drop(&b);
    }
    hnt_drop(&first);
}
END_TEST

void hnt_contract(const hnt_subject *s, TCase *unit, TCase *property, TCase *repro)
{
    subject = s;
    tcase_add_test(unit, common_defaults_are_the_headers);
    tcase_add_test(unit, null_options_are_the_defaults);
    tcase_add_test(unit, no_row_no_loss);
    tcase_add_test(unit, ignored_rows_have_loss_and_gradient_zero);
    tcase_add_test(unit, gradients_are_scaled_and_added);
    tcase_add_test(unit, outputs_may_be_left_out);
    tcase_add_test(unit, values_out_of_range_are_named);
    tcase_add_test(unit, nan_and_infinity_are_named);
    tcase_add_test(unit, arguments_out_of_shape_are_named);
    tcase_add_test(unit, sizes_out_of_range_are_named);
    tcase_add_test(repro, threads_do_not_change_bits);
    if (s->loss->spherical) {
        tcase_add_test(unit, zero_rows_have_gradient_zero);
        tcase_add_test(property, scale_of_rows_changes_only_their_gradient);
    }
}
