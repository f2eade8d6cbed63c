/* What every pure loss refuses, and how: a sentence that names it, and nothing written. */
#include "loss_contract.h"

#include <stdio.h>

static const hnt_subject *subject; /* of this program */

/* ---- values ---------------------------------------------------------------------------------------------------------- */

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

void hnt_refusals(const hnt_subject *s, TCase *unit)
{
    subject = s;
    tcase_add_test(unit, values_out_of_range_are_named);
    tcase_add_test(unit, nan_and_infinity_are_named);
    tcase_add_test(unit, arguments_out_of_shape_are_named);
    tcase_add_test(unit, sizes_out_of_range_are_named);
}
