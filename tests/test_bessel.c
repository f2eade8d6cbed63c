/* Bessel functions against mpmath, closed forms, recurrences and bounds. */
#include "golden.h"
#include "kernel/bessel.h"

#include <math.h>
#include <stdlib.h>

/* One place. */
static double value(double nu, double x, double *ratio)
{
    hni_bessel b;
    double square = x * x, result;
    hni_bessel_init(&b, nu);
    hni_bessel_log(&b, 1, &square, &result, ratio);
    return result;
}

static void near(const char *what, double nu, double x, double got, double want, double allowed)
{
    if (!(fabs(got - want) <= allowed))
        ck_abort_msg("%s of order %g at %g is %.17g, not %.17g (off by %g, allowed %g)", what, nu, x, got, want,
                     fabs(got - want), allowed);
}

/* Orders on all sides of the borders between numbers of terms, and beyond any dim in use. */
static const double orders[] = {0,    0.5,  1,  1.5,  2,   6,   7.5, 15,  31,  34,  34.5,  35,   36,  42,    51,  63,
                                66.5, 67.5, 94, 94.5, 127, 151, 255, 289, 511, 744, 744.5, 1024, 1e4, 4.3e4, 1e7, 1e9};

START_TEST(nothing_is_singular_at_zero)
{
    for (size_t o = 0; o < sizeof orders / sizeof orders[0] && orders[o] < 1e6; ++o) {
        double nu = orders[o], ratio, got = value(nu, 0.0, &ratio), want = -nu * log(2.0) - lgamma(nu + 1.0);
        near("value", nu, 0, got, want, 5e-14 * fmax(1, nu) * (nu > 1 ? log(nu) : 1));
        near("ratio", nu, 0, ratio, 1 / (2 * nu + 2), 1e-14 / (2 * nu + 2));
        near("value", nu, 1e-30, value(nu, 1e-30, &ratio), got, 0.0);
    }
}
END_TEST

START_TEST(half_an_order_is_a_hyperbolic_sine)
{
    for (double x = 1e-3; x < 1e6; x *= 1.37) {
        double ratio, got = value(0.5, x, &ratio);
        double log_sinh = x + log(-expm1(-2 * x)) - log(2.0);
        near("value", 0.5, x, got, 0.5 * log(2 / acos(-1.0)) + log_sinh - log(x), 5e-14 * fmax(1, x));
        /* coth x - 1 / x cancels for a small x */
        double rounding = 4e-16 / (x * x * ratio);
        near("ratio", 0.5, x, ratio, (1 / tanh(x) - 1 / x) / x, (1e-14 + rounding) * ratio);
    }
}
END_TEST

START_TEST(orders_follow_the_recurrence)
{
    /* I_{nu-1} = (2 nu / x) I_nu + I_{nu+1} */
    for (size_t o = 0; o < sizeof orders / sizeof orders[0]; ++o)
        for (double x = 1e-8; orders[o] >= 1 && x < 1e7; x *= 3.1) {
            double nu = orders[o], here, below, v = value(nu, x, &here), w = value(nu - 1, x, &below);
            double factor = 2 * nu + x * x * here;
            near("recurrence", nu, x, w - v, log(factor), 1e-13 * fmax(fmax(1, x), nu * fmax(1, log(nu))));
            near("ratio", nu - 1, x, below * factor, 1.0, 2e-14);
        }
}
END_TEST

START_TEST(ratios_keep_their_bounds)
{
    /* Amos, "Computation of modified Bessel functions and their ratios", 1974 */
    for (size_t o = 0; o < sizeof orders / sizeof orders[0]; ++o)
        for (double x = 1e-8; x < 1e9; x *= 2.3) {
            double nu = orders[o], ratio;
            ck_assert(isfinite(value(nu, x, &ratio)));
            double least = 1 / (nu + 0.5 + sqrt((nu + 1.5) * (nu + 1.5) + x * x)),
                   most = 1 / (nu + 0.5 + sqrt((nu + 0.5) * (nu + 0.5) + x * x));
            if (!(ratio >= least * (1 - 1e-14) && ratio <= most * (1 + 1e-14)))
                ck_abort_msg("ratio of order %g at %g is %.17g, not in [%.17g, %.17g]", nu, x, ratio, least, most);
        }
}
END_TEST

START_TEST(places_do_not_disturb_each_other)
{
    enum { N = 200 };
    double square[N], values[N], ratios[N];
    hni_bessel b;
    hni_bessel_init(&b, 12.5);
    for (int i = 0; i < N; ++i)
        square[i] = (double)(i * i * i);
    square[70] = NAN;
    for (int n = 0; n <= N; n += 25) {
        for (int i = 0; i < N; ++i)
            values[i] = ratios[i] = -7;
        hni_bessel_log(&b, n, square, values, ratios);
        for (int i = 0; i < N; ++i) {
            double ratio, alone = value(12.5, sqrt(square[i]), &ratio);
            if (i >= n)
                ck_assert(values[i] == -7 && ratios[i] == -7);
            else if (i == 70)
                ck_assert(isnan(values[i]) && isnan(ratios[i]));
            else {
                near("value", 12.5, sqrt(square[i]), values[i], alone, 1e-12 * (1 + fabs(alone)));
                near("ratio", 12.5, sqrt(square[i]), ratios[i], ratio, 1e-14);
            }
        }
    }
    hni_bessel_log(&b, N, square, square, ratios); /* in place */
    for (int i = 0; i < N; ++i)
        ck_assert(square[i] == values[i] || i == 70);
}
END_TEST

START_TEST(the_ends_of_the_range_are_finite)
{
    for (size_t o = 0; o < sizeof orders / sizeof orders[0]; ++o) {
        double ratio, x = 1e145, v = value(orders[o], x, &ratio);
        near("value", orders[o], x, v, x, 1e-13 * x);
        near("ratio", orders[o], x, ratio, 1 / x, 1e-14 / x);
    }
}
END_TEST

START_TEST(mpmath_agrees)
{
    enum { ORDERS = 26, PLACES = 29, N = ORDERS * PLACES };
    hn_context *context = hnt_context(1);
    hn_safetensors *file = hnt_golden_open(context, "bessel");
    const float *nu = hnt_golden_f(file, "nu", ORDERS), *x = hnt_golden_f(file, "x", PLACES);
    const float *v0 = hnt_golden_f(file, "value.0", N), *v1 = hnt_golden_f(file, "value.1", N),
                *v2 = hnt_golden_f(file, "value.2", N), *r0 = hnt_golden_f(file, "ratio.0", N),
                *r1 = hnt_golden_f(file, "ratio.1", N), *r2 = hnt_golden_f(file, "ratio.2", N);
    for (int i = 0; i < N; ++i) {
        double order = (double)nu[i / PLACES], place = (double)x[i % PLACES], ratio, got = value(order, place, &ratio);
        double want = (double)v0[i] + ((double)v1[i] + (double)v2[i]),
               want_ratio = (double)r0[i] + ((double)r1[i] + (double)r2[i]);
        near("value", order, place, got, want, 5e-14 * fmax(fmax(1, place), order));
        near("ratio", order, place, ratio, want_ratio, 1e-14 * want_ratio);
        /* and log I itself */
        double log_i = want + order * log(place);
        near("log I", order, place, got + order * log(place), log_i, 1e-13 * fmax(1, fabs(log_i)));
    }
    hn_safetensors_close(file);
    hn_context_destroy(context);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("bessel");
    TCase *unit = hnt_case(s, "unit");
    tcase_add_test(unit, nothing_is_singular_at_zero);
    tcase_add_test(unit, half_an_order_is_a_hyperbolic_sine);
    tcase_add_test(unit, orders_follow_the_recurrence);
    tcase_add_test(unit, ratios_keep_their_bounds);
    tcase_add_test(unit, places_do_not_disturb_each_other);
    tcase_add_test(unit, the_ends_of_the_range_are_finite);
    tcase_add_test(hnt_case(s, "golden"), mpmath_agrees);
    return s;
}

HNT_MAIN(suite)
