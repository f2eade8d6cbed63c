#include "kernel/convert.h"

#include "base/integer.h"
#include "base/parallel.h"
#include "kernel/norm.h"

#include <hybridnet/types.h>

#include <string.h>

enum { BLOCK = 1 << 15 }; /* values a task */

typedef struct job {
    int64_t n;
    int32_t from, to; /* dtypes */
    hni_norm_rows arrays;
} job;

static void convert_block(void *arg, int64_t task, int32_t thread)
{
    const job *j = arg;
    const int64_t at = task * BLOCK, n = hni_min(BLOCK, j->n - at), bytes = j->to == HN_BF16 ? 2 : 4;
    (void)thread;
    if (j->from == j->to)
        memcpy((char *)j->arrays.out + at * bytes, (const char *)j->arrays.x + at * bytes, (size_t)(n * bytes));
    else
        hni_norm_best()->convert[j->to == HN_BF16 ? HNI_NORM_BF16 : HNI_NORM_F32](&j->arrays, at, n);
}

void hni_convert(int32_t num_threads, int64_t n, int32_t x_dtype, const void *x, int32_t y_dtype, void *y)
{
    job j = {n, x_dtype, y_dtype, {.x = x, .out = y}};
    hni_parallel(num_threads, (n + BLOCK - 1) / BLOCK, convert_block, &j);
}
