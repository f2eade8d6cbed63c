/* winograd.h -- the parts of Winograd's minimal filtering F(2x2, 3x3): transforms of tiles, small matrix products.
 *
 * A tile is 2x2 results of a 3x3 convolution, computed from the 4x4 pixels d that they see (Lavin and Gray 2016):
 *   y = A^T [(G g G^T) . (B^T d B)] A, 16 products a channel pair instead of 36. Its gradients are
 *   dg = G^T [(A dy A^T) . (B^T d B)] G and, the gradient of d being a convolution too, another y.
 * Rounding errors are about those of the plain sum: all constants are 0, 1 and 1/2.
 *
 * There is one table of these functions for each instruction set; they run on the calling thread and give the same bits
 * wherever a tile stands in a call.                                                                                   */
#ifndef HNI_WINOGRAD_H
#define HNI_WINOGRAD_H

#include <stdint.h>

enum {
    HNI_POINTS = 16, /* of a transformed tile; arrays of them hold one matrix a point                        */
    HNI_PANEL = 16   /* columns of a matrix product are padded to a multiple of it, and packed in panels so wide */
};

typedef struct hni_winograd {
    const char *name;
    /* v[p stride + t channels + c] = (B^T d B)[p] of `tiles` neighbouring tiles. rows: four rows of the image, each of
     * width x channels; column: the first tile's first pixel; what lies outside [0, width) is zero.                   */
    void (*input)(int64_t tiles, int64_t channels, const float *const rows[4], int64_t column, int64_t width, float *v,
                  int64_t stride);
    /* rows[i][(2 t + j) channels + c] = (A^T m A)[i, j] where 2 t + j < columns; rows[1] may be NULL.
     * m[p stride + t ld + c].                                                                                        */
    void (*output)(int64_t tiles, int64_t channels, const float *m, int64_t ld, int64_t stride, float *const rows[2],
                   int64_t columns);
    /* v[p stride + t ld + c] = (A dy A^T)[p]: the transpose of output; what it would not write counts as zero.        */
    void (*gradient)(int64_t tiles, int64_t channels, const float *const rows[2], int64_t columns, float *v, int64_t ld,
                     int64_t stride);
    /* c (m x n, rows n apart) = a (m x k, rows lda apart) b; b is packed: [n / HNI_PANEL][k][HNI_PANEL].              */
    void (*multiply)(int64_t m, int64_t n, int64_t k, const float *a, int64_t lda, const float *b, float *c);
    /* c (m x n) += a^T b; a: k x m, b: k x n; n a multiple of HNI_PANEL.                                              */
    void (*accumulate)(int64_t m, int64_t n, int64_t k, const float *a, const float *b, float *c);
} hni_winograd;

/* The tables that this build has and this CPU can run, from the plainest to the best; NULL from `index` = their number
 * on.                                                                                                                 */
const hni_winograd *hni_winograd_variant(int index);
/* The last of them. */
const hni_winograd *hni_winograd_best(void);

extern const hni_winograd hni_winograd_portable, hni_winograd_avx2,
    hni_winograd_avx512; /* x86's: if HNI_X86_VARIANTS */

#endif
