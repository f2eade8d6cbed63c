/* A pure loss against its double reference, central differences and golden files. */
#include "loss_contract.h"

#include <stdio.h>

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
