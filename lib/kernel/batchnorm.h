/* batchnorm.h -- batch normalisation of rows x channels (channels last): y = relu?((x - mean) / sqrt(var + eps) weight
 * + bias + addend). Mean, variance, weight and bias: f32, [channels].
 *
 * Work goes over the rows in parts, so that it can be done to rows that another kernel has just written or is about to
 * read. Each pass over the rows is: begin, its function once for every part in any order on any thread, end where there
 * is one. Sums of a part are in double, those of the parts are added in order: bits depend on the partition alone.      */
#ifndef HNI_BATCHNORM_H
#define HNI_BATCHNORM_H

#include "kernel/norm.h"

#include <stdbool.h>

typedef struct hni_batchnorm {
    int64_t rows, channels;
    float eps;
    int32_t dtype;     /* of x, y, addend and their gradients: HN_F32 or HN_BF16 */
    int64_t part_rows; /* rows of a part; of the last one maybe fewer            */
} hni_batchnorm;

/* A partition for rows that come from nowhere in particular, and how many parts so many rows or fewer have at most. */
int64_t hni_batchnorm_part_rows(int64_t rows, int64_t channels);
int64_t hni_batchnorm_part_bound(int64_t rows, int64_t channels);

/* Of a whole round of passes over at most so many parts, 64-byte aligned. */
size_t hni_batchnorm_scratch_bytes(int64_t channels, int64_t parts);

/* One pass; filled by the functions that begin one. */
typedef struct hni_batchnorm_pass {
    hni_batchnorm b;
    hni_norm_rows rows;
    const hni_norm_table *isa;
    char *scratch;
} hni_batchnorm_pass;

/* Rows [first, first + count), which are part `part`. pass: a hni_batchnorm_pass. Any thread. */
typedef void (*hni_batchnorm_fn)(void *pass, int64_t part, int64_t first, int64_t count, int32_t thread);

/* Calls fn for all parts. */
void hni_batchnorm_run(int32_t num_threads, hni_batchnorm_pass *pass, hni_batchnorm_fn fn);

/* Mean and biased variance of x's columns. */
void hni_batchnorm_begin_statistics(hni_batchnorm_pass *pass, const hni_batchnorm *b, const void *x, void *scratch);
void hni_batchnorm_statistics(void *pass, int64_t part, int64_t first, int64_t count, int32_t thread);
void hni_batchnorm_end_statistics(const hni_batchnorm_pass *pass, float *mean, float *var);

/* y from x, which y may be; addend: of y's shape, or NULL. relu: y = max(y, 0). */
void hni_batchnorm_begin_forward(hni_batchnorm_pass *pass, const hni_batchnorm *b, const void *x, const float *mean,
                                 const float *var, const float *weight, const float *bias, const void *addend,
                                 bool relu, void *y, void *scratch);
void hni_batchnorm_forward(void *pass, int64_t part, int64_t first, int64_t count, int32_t thread);

/* Backward takes two passes. The first, for statistics of this very x, sums what the gradients need. y: the result if it
 * went through the ReLU, else NULL. daddend: overwritten with dy where the ReLU let it through; NULL if not wanted.
 * Its end adds to dweight and dbias.                                                                                  */
void hni_batchnorm_begin_sums(hni_batchnorm_pass *pass, const hni_batchnorm *b, const void *x, const float *mean,
                              const void *y, const void *dy, void *daddend, void *scratch);
void hni_batchnorm_sums(void *pass, int64_t part, int64_t first, int64_t count, int32_t thread);
void hni_batchnorm_end_sums(const hni_batchnorm_pass *pass, const float *var, const float *weight, float *dweight,
                            float *dbias);
/* Optional, between begin and the parts: the ReLU's mask is computed again from x instead of being read from y. Only where
 * the forward pass had no addend; y and daddend must then be NULL.                                                      */
void hni_batchnorm_relu_of_x(hni_batchnorm_pass *pass, const float *var, const float *weight, const float *bias);
/* The second goes on with the first's pass and writes dx, which may be x. */
void hni_batchnorm_begin_gradient(hni_batchnorm_pass *pass, void *dx);
void hni_batchnorm_gradient(void *pass, int64_t part, int64_t first, int64_t count, int32_t thread);

#endif
