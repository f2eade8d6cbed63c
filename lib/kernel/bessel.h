/* bessel.h -- the modified Bessel function of the first kind as the von Mises-Fisher distribution needs it: its logarithm
 * without the power of x, and the ratio of neighbours, of one order at many places.                                      */
#ifndef HNI_BESSEL_H
#define HNI_BESSEL_H

#include <stdint.h>

enum { HNI_BESSEL_TERMS = 12 };

/* What depends on the order alone. */
typedef struct hni_bessel {
    double nu, top;       /* the order asked for, and the one that the expansion is taken at: top = nu + steps */
    int32_t steps, terms; /* of the recurrence from top down to nu; of the expansion                           */
    double u[HNI_BESSEL_TERMS][HNI_BESSEL_TERMS], d[HNI_BESSEL_TERMS][HNI_BESSEL_TERMS];
} hni_bessel;

/* nu >= 0, finite. */
void hni_bessel_init(hni_bessel *bessel, double nu);

/* For x = sqrt(square[i]), 0 <= square[i] <= 1e290:
 *     value[i] = log( I_nu(x) / x^nu ),    ratio[i] = I_{nu+1}(x) / (x I_nu(x)),
 * which is the derivative of value with respect to x, divided by x. Both are smooth at x = 0, where they are
 * -nu log 2 - log Gamma(nu + 1) and 1 / (2 nu + 2). value is off by less than 5e-14 times the largest of 1, x and nu, ratio
 * by less than 1e-14 of itself. An output may be the input. A NaN gives NaN.                                              */
void hni_bessel_log(const hni_bessel *bessel, int64_t n, const double *square, double *value, double *ratio);

#endif
