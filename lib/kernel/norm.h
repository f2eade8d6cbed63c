/* norm.h -- batch norm's loops over rows, in variants for instruction sets; batchnorm.c has the policy. Rows are taken in
 * groups so long that vectors are full even for 3 channels; what belongs to a channel is repeated to a group's width.  */
#ifndef HNI_NORM_H
#define HNI_NORM_H

#include <stddef.h>
#include <stdint.h>

/* Arrays of rows x channels are f32 or bf16, all of one kind; coefficients and sums are f32. */
typedef struct hni_norm_rows {
    int64_t width;      /* elements of a group: a multiple of the channels                     */
    const float *k[5];  /* coefficients, [width] each                                          */
    float *sum[2];      /* [width] each; added to                                              */
    float lowest;       /* of results: 0 with a ReLU, else -infinity                           */
    const void *x;
    const void *addend; /* or NULL                                                             */
    const void *dy;
    const void *y;      /* the result behind a ReLU, whose mask it is; or NULL                 */
    int32_t relu_of_x;  /* nonzero, with y NULL: the mask follows from x, there was no addend  */
    void *out;          /* may be x                                                            */
    void *masked;       /* or NULL                                                             */
} hni_norm_rows;

/* Elements [at, at + n) of every array; `at` is the start of a group, the last group may be short. */
typedef void (*hni_norm_fn)(const hni_norm_rows *r, int64_t at, int64_t n);

enum { HNI_NORM_F32, HNI_NORM_BF16, HNI_NORM_KINDS };

typedef struct hni_norm_table {
    const char *name;
    /* sum0 += x - k0; sum1 += (x - k0)^2 */
    hni_norm_fn squares[HNI_NORM_KINDS];
    /* out = max((x - k0) k1 + k2 + addend, lowest); a NaN stays */
    hni_norm_fn normalise[HNI_NORM_KINDS];
    /* With g = dy where y > 0, else 0: sum0 += g; sum1 += g (x - k0); masked = g. With relu_of_x (x - k0) k1 + k4 stands for
     * y, as normalise computed it: one array less is read.                                                            */
    hni_norm_fn products[HNI_NORM_KINDS];
    /* out = k1 g + k2 (x - k0) + k3 */
    hni_norm_fn gradient[HNI_NORM_KINDS];
    /* out = x, one array f32 and the other bf16; width is not used. [HNI_NORM_BF16]: to bf16. */
    hni_norm_fn convert[HNI_NORM_KINDS];
} hni_norm_table;

/* The tables that this build has and this CPU can run, from the plainest to the best; NULL from `index` = their number
 * on.                                                                                                                 */
const hni_norm_table *hni_norm_variant(int index);
/* The last of them. */
const hni_norm_table *hni_norm_best(void);

extern const hni_norm_table hni_norm_portable, hni_norm_avx2, hni_norm_avx512; /* x86's: where HNI_X86_VARIANTS is defined */

#endif
