/* exp.h -- an exponential that vectorises: static inline, so that each clone of a loop gets its own. */
#ifndef HNI_EXP_H
#define HNI_EXP_H

#include <stdint.h>
#include <string.h>

/* exp(x) to about 1e-7 relative; 0 below -80 (2e-35), so that products with it do not become slow denormals; x above 88
 * counts as 88; a NaN stays one.
 * Argument reduction y = n ln 2 + r, then Cephes' polynomial of degree 5 on |r| <= ln 2 / 2.                           */
static inline float hni_exp(float x)
{
    float y = x < -80.0f ? -80.0f : x;
    y = y > 88.0f ? 88.0f : y;
    const float shift = 12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer in the low bits */
    float shifted = y * 1.44269504088896341f + shift, n = shifted - shift;
    float r = y - n * 0.693359375f + n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    uint32_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    bits = (bits - 0x4b400000u + 127u) << 23;
    float power;
    memcpy(&power, &bits, sizeof power);
    return x < -80.0f ? 0.0f : p * power;
}

#endif
