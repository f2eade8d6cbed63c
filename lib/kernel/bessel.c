/* The uniform expansion of I_nu for large orders (DLMF 10.41): with t = sqrt(nu^2 + x^2), q = (nu / t)^2,
 *     I_nu(x) = (x / (nu + t))^nu exp(t) / sqrt(2 pi t) U,    U = sum_k u_k(q) / t^k
 * holds for every x >= 0, for x >> nu too, where it is Hankel's; only t must be large. From the same expansion of the
 * derivative, I_nu' = I_{nu+1} + nu / x I_nu, and with the difference of the two series in closed form, nothing cancels in
 *     I_{nu+1}(x) / (x I_nu(x)) = 1 / (nu + t) - D / (t U),    D = sum_k d_k(q) / t^k,  d_k = (k - 1/2) u_{k-1} + 2 q u_{k-1}'
 * Small orders take it at order top = nu + steps and come down by I_{m-1} = (2 m / x) I_m + I_{m+1}, whose terms are
 * positive. The work is the same for every x, so that it vectorises over places.                                         */
#include "kernel/bessel.h"

#include "kernel/clones.h"

#include <math.h>
#include <string.h>

enum { BLOCK = 32 }; /* places at a time */

/* The order from which that many terms are enough: the first one left out, largest at q = 0, is 1e-15 there. */
static const double enough[] = {INFINITY, 1.3e14, 8.4e6, 4.2e4, 3260.0, 744.0, 289.0,
                                151.0,    94.0,   67.0,  51.0,  42.0,   35.0};

void hni_bessel_init(hni_bessel *b, double nu)
{
    const double least = enough[HNI_BESSEL_TERMS];
    *b = (hni_bessel){.nu = nu, .steps = nu < least ? (int32_t)ceil(least - nu) : 0, .terms = HNI_BESSEL_TERMS};
    b->top = nu + (double)b->steps;
    while (b->terms > 2 && b->top >= enough[b->terms - 1])
        --b->terms;
    b->u[0][0] = 1.0;
    for (int k = 0; k < HNI_BESSEL_TERMS; ++k)
        for (int j = 0; j <= k; ++j) {
            const double power = (double)(k + 2 * j);
            b->d[k][j] = (power + 0.5) * b->u[k][j];
            if (k + 1 < HNI_BESSEL_TERMS) {
                b->u[k + 1][j] += b->u[k][j] * (0.5 * power + 0.125 / (power + 1.0));
                b->u[k + 1][j + 1] -= b->u[k][j] * (0.5 * power + 0.625 / (power + 3.0));
            }
        }
}

/* log(x) of a normal positive x, to two units in the last place; vectorises. x = 2^k m with m between sqrt(1/2) and
 * sqrt(2); log m = 2 artanh s.                                                                                           */
static inline double log_of(double x)
{
    uint64_t bits, exponent;
    double m, k;
    memcpy(&bits, &x, sizeof bits);
    exponent = (bits - 0x3fe6a09e667f3bcdu + (UINT64_C(1023) << 52)) >> 52;
    bits -= (exponent - 1023u) << 52;
    memcpy(&m, &bits, sizeof m);
    bits = exponent | 0x4330000000000000u; /* 2^52 + exponent */
    memcpy(&k, &bits, sizeof k);
    k -= 0x1p52 + 1023.0;
    const double s = (m - 1.0) / (m + 1.0), z = s * s;
    double p = 1.0 / 21.0;
    p = p * z + 1.0 / 19.0;
    p = p * z + 1.0 / 17.0;
    p = p * z + 1.0 / 15.0;
    p = p * z + 1.0 / 13.0;
    p = p * z + 1.0 / 11.0;
    p = p * z + 1.0 / 9.0;
    p = p * z + 1.0 / 7.0;
    p = p * z + 1.0 / 5.0;
    p = p * z + 1.0 / 3.0;
    return k * 6.93147180369123816490e-01 + (k * 1.90821492927058770002e-10 + (2.0 * s + 2.0 * s * z * p));
}

/* One block; what lies beyond n is computed too, of square 0. */
HNI_CLONES static void block(const hni_bessel *b, const double *restrict square, double *restrict value,
                             double *restrict ratio)
{
    double t[BLOCK], w[BLOCK], q[BLOCK], u[BLOCK], d[BLOCK], power[BLOCK], pu[BLOCK], pd[BLOCK];
    const double top = b->top;
    for (int i = 0; i < BLOCK; ++i) {
        t[i] = sqrt(top * top + square[i]);
        w[i] = 1.0 / t[i];
        q[i] = top * w[i] * (top * w[i]);
        u[i] = d[i] = 0.0;
        power[i] = 1.0;
    }
    for (int k = 0; k < b->terms; ++k) {
        for (int i = 0; i < BLOCK; ++i)
            pu[i] = pd[i] = 0.0;
        for (int j = k; j >= 0; --j)
            for (int i = 0; i < BLOCK; ++i) {
                pu[i] = pu[i] * q[i] + b->u[k][j];
                pd[i] = pd[i] * q[i] + b->d[k][j];
            }
        for (int i = 0; i < BLOCK; ++i) {
            u[i] += pu[i] * power[i];
            power[i] *= w[i];
            d[i] += pd[i] * power[i];
        }
    }
    for (int i = 0; i < BLOCK; ++i) {
        const double both = top + t[i];
        ratio[i] = (u[i] - d[i] * w[i] * both) / (both * u[i]);
        value[i] = u[i];
    }
    /* Down to nu: value is a product of factors, each divided by t. */
    for (int32_t step = 0; step < b->steps; ++step) {
        const double twice = 2.0 * (top - (double)step);
        for (int i = 0; i < BLOCK; ++i) {
            double factor = twice + square[i] * ratio[i];
            value[i] *= factor * w[i];
            ratio[i] = 1.0 / factor;
        }
    }
    for (int i = 0; b->steps > 0 && i < BLOCK; ++i)
        power[i] = (double)b->steps * log_of(t[i]);
    for (int i = 0; b->steps == 0 && i < BLOCK; ++i)
        power[i] = 0.0;
    const double log_two_pi = 1.83787706640934548356;
    for (int i = 0; i < BLOCK; ++i)
        value[i] = t[i] - top * log_of(top + t[i]) + power[i] + 0.5 * (log_of(value[i] * value[i] * w[i]) - log_two_pi);
}

void hni_bessel_log(const hni_bessel *b, int64_t n, const double *square, double *value, double *ratio)
{
    double x[BLOCK], v[BLOCK], r[BLOCK];
    for (int64_t begin = 0; begin < n; begin += BLOCK) {
        const int64_t count = n - begin < BLOCK ? n - begin : BLOCK;
        memset(x, 0, sizeof x);
        memcpy(x, square + begin, (size_t)count * sizeof *x);
        block(b, x, v, r);
        memcpy(value + begin, v, (size_t)count * sizeof *v);
        memcpy(ratio + begin, r, (size_t)count * sizeof *r);
    }
}
