#include "support.h"

#include <math.h>

static double alpha_of(int32_t kind, int32_t first, int64_t total, int64_t epoch, int64_t step)
{
    hn_context *context = hnt_context(1);
    hn_transition *t = NULL;
    hn_transition_options o;
    double alpha = -1;
    hn_transition_options_init(&o, sizeof o);
    o.kind = kind;
    o.first_epoch = first;
    o.total_epochs = total;
    hnt_ok(hn_transition_create(&t, context, &o));
    hnt_ok(hn_transition_alpha(t, epoch, step, &alpha));
    hn_transition_destroy(t);
    hn_context_destroy(context);
    return alpha;
}

START_TEST(formulas)
{
    static const struct {
        int32_t kind;
        double first, middle, last; /* of 200 epochs: 0, 100, 199 */
    } table[] = {
        {HN_TRANSITION_PARABOLIC, 1, 0.75, 1 - 199.0 * 199 / 40000},      {HN_TRANSITION_LINEAR, 1, 0.5, 0.005},
        {HN_TRANSITION_COSINE, 1, 0.70710678118654752, 0.00785390089},    {HN_TRANSITION_FIXED, 0.5, 0.5, 0.5},
        {HN_TRANSITION_PARABOLIC_INCREASE, 0, 0.25, 199.0 * 199 / 40000}, {HN_TRANSITION_SEPARATE, 1, 1, 0}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; ++i) {
        ck_assert_double_eq_tol(alpha_of(table[i].kind, 0, 200, 0, 0), table[i].first, 1e-9);
        ck_assert_double_eq_tol(alpha_of(table[i].kind, 0, 200, 100, 3), table[i].middle, 1e-9);
        ck_assert_double_eq_tol(alpha_of(table[i].kind, 0, 200, 199, 3), table[i].last, 1e-9);
        ck_assert_double_eq_tol(alpha_of(table[i].kind, 0, 200, 5000, 3), table[i].last, 1e-9);
    }
    ck_assert(alpha_of(HN_TRANSITION_PARABOLIC, 1, 200, 199, 0) == 0.0); /* counted from 1: the last epoch has none */
    ck_assert(alpha_of(HN_TRANSITION_COSINE, 1, 200, 199, 0) == 0.0);
    ck_assert_double_eq_tol(alpha_of(HN_TRANSITION_PARABOLIC, 1, 200, 0, 0), 0.999975, 1e-12);
    ck_assert(alpha_of(HN_TRANSITION_SEPARATE, 0, 200, 119, 0) == 1.0);
    ck_assert(alpha_of(HN_TRANSITION_SEPARATE, 0, 200, 120, 0) == 0.0);
}
END_TEST

static double alpha_with(const hn_transition_options *options, int64_t epoch, int64_t step)
{
    hn_context *context = hnt_context(1);
    hn_transition *t = NULL;
    double alpha = -1;
    hnt_ok(hn_transition_create(&t, context, options));
    hnt_ok(hn_transition_alpha(t, epoch, step, &alpha));
    hn_transition_destroy(t);
    hn_context_destroy(context);
    return alpha;
}

START_TEST(options_of_a_kind)
{
    hn_transition_options o;
    hn_transition_options_init(&o, sizeof o);
    o.total_epochs = 200;
    o.kind = HN_TRANSITION_FIXED;
    o.fixed = 0.3;
    ck_assert_double_eq(alpha_with(&o, 7, 1), 0.3);
    o.kind = HN_TRANSITION_SEPARATE;
    o.separate_at = 0.25;
    ck_assert_double_eq(alpha_with(&o, 49, 0), 1.0);
    ck_assert_double_eq(alpha_with(&o, 50, 0), 0.0);
    o.kind = HN_TRANSITION_BETA;
    o.seed = 1;
    const double drawn = alpha_with(&o, 3, 4);
    ck_assert_double_eq(alpha_with(&o, 3, 4), drawn);
    ck_assert_double_ne(alpha_with(&o, 4, 4), drawn);
    ck_assert_double_ne(alpha_with(&o, 3, 5), drawn);
    o.seed = 2;
    ck_assert_double_ne(alpha_with(&o, 3, 4), drawn);
}
END_TEST

START_TEST(names_and_errors)
{
    hn_context *context = hnt_context(1);
    hn_transition *t = NULL;
    hn_transition_options o;
    double alpha;
    const char *const names[] = {"parabolic", "linear", "cosine", "fixed", "parabolic-increase", "beta", "separate"};
    for (int32_t kind = 0; kind < 7; ++kind)
        ck_assert_str_eq(hn_transition_name(kind), names[kind]);
    ck_assert_ptr_null(hn_transition_name(7));
    ck_assert_ptr_null(hn_transition_name(-1));
    hn_transition_options_init(&o, sizeof o);
    hnt_fails(hn_transition_create(&t, context, &o), HN_E_ARG, "total_epochs is 0");
    o.total_epochs = 10;
    o.kind = 12;
    hnt_fails(hn_transition_create(&t, context, &o), HN_E_ARG, "kind 12");
    o.kind = 0;
    o.first_epoch = 2;
    hnt_fails(hn_transition_create(&t, context, &o), HN_E_ARG, "first_epoch is 2");
    o.first_epoch = 0;
    o.fixed = 1.5;
    hnt_fails(hn_transition_create(&t, context, &o), HN_E_ARG, "fixed is 1.5");
    o.fixed = 0.5;
    o.separate_at = (double)NAN;
    hnt_fails(hn_transition_create(&t, context, &o), HN_E_ARG, "separate_at");
    o.separate_at = 0.6;
    hnt_ok(hn_transition_create(&t, context, &o));
    hnt_fails(hn_transition_alpha(t, -1, 0, &alpha), HN_E_ARG, "epoch is -1");
    hnt_fails(hn_transition_alpha(t, 0, 0, NULL), HN_E_ARG, "alpha is NULL");
    hn_transition_destroy(t);
    hn_transition_destroy(NULL);
    hn_context_destroy(context);
}
END_TEST

/* Beta(0.2, 0.2): mean 1/2, variance 1/4 / 1.4, and P(x < 0.01) = 0.2118 (numerical integration of the density). */
START_TEST(beta_has_its_distribution)
{
    enum { N = 40000 };
    hn_context *context = hnt_context(1);
    hn_transition *t = NULL;
    hn_transition_options o;
    hn_transition_options_init(&o, sizeof o);
    o.kind = HN_TRANSITION_BETA;
    o.total_epochs = 10;
    hnt_ok(hn_transition_create(&t, context, &o));
    double mean = 0, square = 0, again, below = 0;
    for (int i = 0; i < N; ++i) {
        double a = -1;
        hnt_ok(hn_transition_alpha(t, i / 100, i % 100, &a));
        ck_assert(a >= 0.0 && a <= 1.0);
        mean += a / N;
        square += a * a / N;
        below += (a < 0.01) / (double)N;
    }
    ck_assert_double_eq_tol(mean, 0.5, 0.01);
    ck_assert_double_eq_tol(square - mean * mean, 0.25 / 1.4, 0.004);
    ck_assert_double_eq_tol(below, 0.2118, 0.01);
    hnt_ok(hn_transition_alpha(t, 3, 4, &mean));
    hnt_ok(hn_transition_alpha(t, 3, 4, &again));
    ck_assert(mean == again);
    hn_transition_destroy(t);
    hn_context_destroy(context);
}
END_TEST

START_TEST(no_memory)
{
    hnt_counter counter = {.fail_at = 1};
    hn_context *context = NULL;
    hn_transition *t = NULL;
    hn_transition_options o;
    hn_transition_options_init(&o, sizeof o);
    o.total_epochs = 10;
    hnt_ok(hnt_counting_context(&context, &counter, 1));
    hnt_fails(hn_transition_create(&t, context, &o), HN_E_NOMEM, "out of memory");
    ck_assert_ptr_null(t);
    hn_context_destroy(context);
    ck_assert_int_eq(counter.alive, 0);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("transition");
    TCase *unit = hnt_case(s, "unit");
    tcase_add_test(unit, formulas);
    tcase_add_test(unit, options_of_a_kind);
    tcase_add_test(unit, names_and_errors);
    tcase_add_test(hnt_case(s, "property"), beta_has_its_distribution);
    tcase_add_test(hnt_case(s, "oom"), no_memory);
    return s;
}

HNT_MAIN(suite)
