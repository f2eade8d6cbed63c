#include "kernel/gemm.h"

#include "base/integer.h"
#include "base/parallel.h"

#include <cblas.h>

/* BLAS counts in int (or its own integer type): rows, which may be more, are cut into pieces, be they m or k. */
enum { MAX_EXTENT = 1 << 30 };

void hni_gemm(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, float alpha, const float *a, int64_t lda,
              const float *b, int64_t ldb, float beta, float *c, int64_t ldc)
{
    if (m <= 0 || n <= 0)
        return;
    if (k <= 0) { /* some BLAS return early and leave C unscaled */
        for (int64_t i = 0; i < m; ++i)
            for (int64_t j = 0; j < n; ++j)
                c[i * ldc + j] = beta == 0.0f ? 0.0f : beta * c[i * ldc + j];
        return;
    }
    for (int64_t i = 0; i < m; i += MAX_EXTENT)
        for (int64_t l = 0; l < k; l += MAX_EXTENT)
            cblas_sgemm(CblasRowMajor, trans_a ? CblasTrans : CblasNoTrans, trans_b ? CblasTrans : CblasNoTrans,
                        (int)hni_min(MAX_EXTENT, m - i), (int)n, (int)hni_min(MAX_EXTENT, k - l), alpha,
                        trans_a ? a + l * lda + i : a + i * lda + l, (int)lda, trans_b ? b + l : b + l * ldb, (int)ldb,
                        l == 0 ? beta : 1.0f, c + i * ldc, (int)ldc);
}

typedef struct product {
    bool trans_a, trans_b;
    int64_t m, n, k, lda, ldb, ldc, block;
    float alpha, beta;
    const float *a, *b;
    float *c;
} product;

static void run_block(void *arg, int64_t task, int32_t thread)
{
    const product *p = arg;
    (void)thread;
    int64_t i = task * p->block, rows = p->m - i < p->block ? p->m - i : p->block;
    hni_gemm(p->trans_a, p->trans_b, rows, p->n, p->k, p->alpha, p->trans_a ? p->a + i : p->a + i * p->lda, p->lda,
             p->b, p->ldb, p->beta, p->c + i * p->ldc, p->ldc);
}

void hni_gemm_parallel(int32_t num_threads, bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, float alpha,
                       const float *a, int64_t lda, const float *b, int64_t ldb, float beta, float *c, int64_t ldc)
{
    /* Up to 16 blocks, none under 32 rows: enough to share out, few enough that packing B again stays cheap. */
    int64_t block = (m + 15) / 16;
    block = block < 32 ? 32 : (block + 31) / 32 * 32;
    product p = {trans_a, trans_b, m, n, k, lda, ldb, ldc, block, alpha, beta, a, b, c};
    hni_parallel(num_threads, (m + block - 1) / block, run_block, &p);
}
