/* gemm.h -- matrix products in f32; gemm.c is the only file that includes cblas.h. */
#ifndef HNI_GEMM_H
#define HNI_GEMM_H

#include <stdbool.h>
#include <stdint.h>

/* C = alpha op(A) op(B) + beta C, row-major; op(A) is m x k, op(B) is k x n, C is m x n; op(X) = X^T if trans_x.
 * From hni_parallel tasks only: there BLAS stays on the calling thread. beta == 0 never reads C. m, n or k may be 0; n and
 * the leading dimensions are below 2^31.                                                                               */
void hni_gemm(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, float alpha, const float *a, int64_t lda,
              const float *b, int64_t ldb, float beta, float *c, int64_t ldc);

/* The same on num_threads threads: C is cut into fixed blocks of rows, so the bits do not depend on num_threads. */
void hni_gemm_parallel(int32_t num_threads, bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, float alpha,
                       const float *a, int64_t lda, const float *b, int64_t ldb, float beta, float *c, int64_t ldc);

#endif
