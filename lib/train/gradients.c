#include <hybridnet/gradients.h>

#include "base/context.h"
#include "base/error.h"
#include "base/integer.h"
#include "base/parallel.h"
#include "base/tensor.h"
#include "kernel/clones.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>

enum { TASKS = 64, LANES = 8 };

/* All gradients as one array of `total` values, in TASKS ranges: the sums are of the same values on any number of threads. */
typedef struct job {
    const hn_param *params;
    int64_t count, total;
    bool scaling; /* multiply by factor, else measure */
    float factor;
    double sums[TASKS];
} job;

HNI_CLONES static double sum_of_squares(int64_t n, const float *x)
{
    double lane[LANES] = {0}, sum = 0.0;
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int l = 0; l < LANES; ++l)
            lane[l] += (double)x[i + l] * (double)x[i + l];
    for (; i < n; ++i)
        sum += (double)x[i] * (double)x[i];
    for (int l = 0; l < LANES; ++l)
        sum += lane[l];
    return sum;
}

HNI_CLONES static void scale(int64_t n, float factor, float *x)
{
    for (int64_t i = 0; i < n; ++i)
        x[i] *= factor;
}

/* A task's range. */
static void run(void *arg, int64_t task, int32_t thread)
{
    job *j = arg;
    const int64_t begin = task * j->total / TASKS, end = (task + 1) * j->total / TASKS;
    double sum = 0.0;
    int64_t first = 0; /* of the parameter in the whole array */
    (void)thread;
    for (int64_t p = 0; p < j->count && first < end; ++p) {
        if (j->params[p].grad == NULL)
            continue;
        const int64_t n = hn_tensor_count(j->params[p].grad);
        const int64_t from = hni_max(begin - first, 0), to = hni_min(end - first, n);
        float *values = j->params[p].grad->data;
        if (from < to && j->scaling)
            scale(to - from, j->factor, values + from);
        else if (from < to)
            sum += sum_of_squares(to - from, values + from);
        first += n;
    }
    j->sums[task] = sum;
}

/* Which gradient it is that made the norm NaN or infinite. */
static hn_status name_culprit(const hn_param *params, int64_t count)
{
    for (int64_t p = 0; p < count; ++p) {
        if (params[p].grad == NULL)
            continue;
        const float *values = params[p].grad->data;
        for (int64_t i = 0; i < hn_tensor_count(params[p].grad); ++i)
            HNI_FAIL_IF(!isfinite(values[i]), HN_E_NONFINITE,
                        "hn_gradients_clip: the gradient of %s is %g at its value %" PRId64,
                        params[p].name != NULL ? params[p].name : "a parameter",
                        isnan(values[i]) ? (double)NAN : (double)values[i], i); /* no sign of NaN */
    }
    return HN_OK; /* not reached: squares of finite floats do not overflow a double's sum */
}

hn_status hn_gradients_clip(hn_context *context, const hn_param *params, int64_t count, double max_norm, double *norm)
{
    HNI_FAIL_IF(context == NULL || (params == NULL && count > 0), HN_E_ARG, "hn_gradients_clip: %s is NULL",
                context == NULL ? "context" : "params");
    HNI_FAIL_IF(count < 0, HN_E_ARG, "hn_gradients_clip: count is %" PRId64, count);
    HNI_FAIL_IF(!(max_norm >= 0.0 && isfinite(max_norm)), HN_E_ARG,
                "hn_gradients_clip: max_norm is %g; it must be finite and not negative", max_norm);
    job j = {.params = params, .count = count};
    for (int64_t p = 0; p < count; ++p) {
        HNI_FAIL_IF(params[p].grad != NULL && params[p].grad->desc.dtype != HN_F32, HN_E_ARG,
                    "hn_gradients_clip: the gradient of params[%" PRId64 "] is not f32", p);
        j.total += params[p].grad != NULL ? hn_tensor_count(params[p].grad) : 0;
    }
    hni_parallel(context->num_threads, TASKS, run, &j);
    double sum = 0.0;
    for (int t = 0; t < TASKS; ++t)
        sum += j.sums[t];
    if (!isfinite(sum))
        return name_culprit(params, count);
    const double length = sqrt(sum), factor = max_norm / (length + 1e-6);
    if (norm != NULL)
        *norm = length;
    if (max_norm == 0.0 || factor >= 1.0)
        return HN_OK;
    j.factor = (float)factor;
    j.scaling = true;
    hni_parallel(context->num_threads, TASKS, run, &j);
    return HN_OK;
}
