#include "loss_contract.h"

static const hnt_subject *subject; /* of this program */

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

/* Values of rows and keys that are left out may be anything. KCL compares with keys of no class, too. */
START_TEST(ignored_rows_may_hold_anything)
{
    for (int32_t raw = 0; raw <= subject->loss->spherical; ++raw) {
        hnt_batch b = subject->make(7, HNT_MIDDLE, 1), c = subject->make(7, HNT_MIDDLE, 1);
        if (raw)
            b.o.normalize = c.o.normalize = 0;
        for (int m = HNT_Z; m <= HNT_T; ++m) {
            const int32_t *labels = m == HNT_Y ? c.key_labels : c.labels;
            if (labels == NULL || subject->loss->gradient[m] == NULL || (m == HNT_Y && subject->loss == &hnt_kcl))
                continue;
            for (int64_t i = 0; i < c.m[m].rows; ++i)
                for (int64_t k = 0; labels[i] < 0 && k < c.m[m].cols; ++k)
                    c.m[m].x[i * c.m[m].ld + k] = k % 2 == 0 ? NAN : INFINITY;
        }
        hnt_ok(hnt_call(&b));
        hnt_ok(hnt_call(&c));
        ck_assert_double_eq(c.loss, b.loss);
        for (int m = 0; m < HNT_MATRICES; ++m) {
            if (subject->loss->gradient[m] == NULL)
                continue;
            float *got = hnt_gradient(&c.m[m]), *want = hnt_gradient(&b.m[m]);
            for (int64_t k = 0; k < b.m[m].given * b.m[m].cols; ++k)
                hnt_check(got[k] == want[k], "%s", subject->loss->gradient[m]);
            free(got);
            free(want);
        }
        hnt_drop(&b);
        hnt_drop(&c);
    }
}
END_TEST

/* A NaN among the rows or keys that count reaches the loss, but no row that is ignored. */
START_TEST(ignored_rows_stay_apart_from_a_nan)
{
    for (int m = HNT_Z; m <= HNT_T; ++m) {
        hnt_batch b = subject->make(7, HNT_MIDDLE, 1);
        const int32_t *labels = m == HNT_Y ? b.key_labels : b.labels;
        int64_t at = 0;
        while (labels != NULL && labels[at] < 0)
            ++at;
        if (b.m[m].x != NULL) {
            b.m[m].x[at * b.m[m].ld] = NAN;
            hnt_ok(hnt_call(&b));
            for (int64_t i = 0; i < b.n; ++i)
                for (int g = HNT_Z; g <= HNT_T; ++g)
                    if (b.labels[i] < 0 && g != HNT_Y && subject->loss->gradient[g] != NULL)
                        hnt_zero_row(&b.m[g], i);
            for (int64_t k = 0; b.key_labels != NULL && k < b.m[HNT_Y].given; ++k)
                if (b.key_labels[k] < 0 && subject->loss != &hnt_kcl) /* for which they are keys of no class */
                    hnt_zero_row(&b.y, k);
        }
        hnt_drop(&b);
    }
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
    tcase_add_test(unit, ignored_rows_may_hold_anything);
    tcase_add_test(unit, ignored_rows_stay_apart_from_a_nan);
    tcase_add_test(unit, gradients_are_scaled_and_added);
    tcase_add_test(unit, outputs_may_be_left_out);
    hnt_refusals(s, unit);
    tcase_add_test(repro, threads_do_not_change_bits);
    if (s->loss->spherical) {
        tcase_add_test(unit, zero_rows_have_gradient_zero);
        tcase_add_test(property, scale_of_rows_changes_only_their_gradient);
    }
}
