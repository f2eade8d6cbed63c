#include "loss/common.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/parallel.h"

#include <inttypes.h>
#include <math.h>

hn_status hni_loss_check_common(void *options, const char *function)
{
    hni_loss_common *o = options;
    HNI_FAIL_IF(o->reduction != HN_REDUCE_MEAN && o->reduction != HN_REDUCE_SUM, HN_E_ARG,
                "%s: reduction %d does not exist", function, (int)o->reduction);
    HNI_FAIL_IF(!isfinite(o->grad_scale), HN_E_ARG, "%s: grad_scale is %g; it must be finite", function,
                (double)o->grad_scale);
    HNI_FAIL_IF(!isfinite(o->grad_beta), HN_E_ARG, "%s: grad_beta is %g; it must be finite", function,
                (double)o->grad_beta);
    return hni_loss_check_threads(&o->num_threads, function);
}

hn_status hni_loss_check_threads(int32_t *num_threads, const char *function)
{
    HNI_FAIL_IF(*num_threads < 0 || *num_threads > HNI_MAX_THREADS, HN_E_ARG,
                "%s: num_threads is %d; it must be in [0, %d]", function, (int)*num_threads, (int)HNI_MAX_THREADS);
    if (*num_threads == 0)
        *num_threads = hni_default_threads();
    return HN_OK;
}

hn_status hni_loss_check_temperature(float temperature, const char *function)
{
    HNI_FAIL_IF(!(temperature > 0.0f && isfinite(temperature) && isfinite(1.0f / temperature)), HN_E_ARG,
                "%s: temperature is %g; it must be positive and finite", function, (double)temperature);
    return HN_OK;
}

hn_status hni_loss_check_extents(int64_t rows, int64_t cols, const char *function, const char *name)
{
    HNI_FAIL_IF(rows < 0 || cols < 1 || rows > INT32_MAX || cols > INT32_MAX || rows > INT64_MAX / 64 / cols,
                HN_E_SHAPE, "%s: %s is %" PRId64 "x%" PRId64, function, name, rows, cols);
    return HN_OK;
}

hn_status hni_loss_check_matrix(const hn_cmatf *m, const char *function, const char *name)
{
    HNI_FAIL_IF(m == NULL, HN_E_ARG, "%s: %s is NULL", function, name);
    HNI_TRY(hni_loss_check_extents(m->rows, m->cols, function, name));
    HNI_FAIL_IF(m->data == NULL && m->rows > 0, HN_E_ARG, "%s: %s.data is NULL", function, name);
    HNI_FAIL_IF(m->ld < m->cols || m->ld > INT32_MAX, HN_E_SHAPE,
                "%s: %s.ld is %" PRId64 "; it must be at least the %" PRId64 " columns and below 2^31", function, name,
                m->ld, m->cols);
    return HN_OK;
}

hn_status hni_loss_check_gradient(const hn_matf *g, const hn_cmatf *m, const char *function, const char *name)
{
    if (g == NULL)
        return HN_OK;
    HNI_FAIL_IF(g->data == NULL && g->rows > 0, HN_E_ARG, "%s: %s.data is NULL", function, name);
    HNI_FAIL_IF(g->rows != m->rows || g->cols != m->cols, HN_E_SHAPE,
                "%s: %s is %" PRId64 "x%" PRId64 "; it must be %" PRId64 "x%" PRId64, function, name, g->rows, g->cols,
                m->rows, m->cols);
    HNI_FAIL_IF(g->ld < g->cols, HN_E_SHAPE, "%s: %s.ld is %" PRId64 "; it must be at least the %" PRId64 " columns",
                function, name, g->ld, g->cols);
    return HN_OK;
}

hn_status hni_loss_check_labels(const int32_t *labels, int64_t n, int64_t classes, const char *function, int64_t *valid)
{
    HNI_FAIL_IF(labels == NULL && n > 0, HN_E_ARG, "%s: labels is NULL", function);
    *valid = 0;
    for (int64_t i = 0; i < n; ++i) {
        HNI_FAIL_IF(classes >= 0 && labels[i] >= classes, HN_E_LABEL,
                    "%s: label %d of row %" PRId64 " is not below %" PRId64, function, (int)labels[i], i, classes);
        *valid += labels[i] >= 0;
    }
    return HN_OK;
}

hn_status hni_loss_check_columns(const hn_cmatf *m, const hn_cmatf *other, const char *function, const char *m_has,
                                 const char *other_has)
{
    HNI_FAIL_IF(m->cols != other->cols, HN_E_SHAPE, "%s: %s %" PRId64 " columns, %s %" PRId64, function, m_has, m->cols,
                other_has, other->cols);
    return HN_OK;
}

hn_status hni_loss_check_indices(const int32_t *index, int64_t n, int64_t below, const char *function, const char *name)
{
    for (int64_t i = 0; index != NULL && i < n; ++i)
        HNI_FAIL_IF(index[i] >= below, HN_E_ARG, "%s: %s[%" PRId64 "] is %d; it must be below %" PRId64, function, name,
                    i, (int)index[i], below);
    return HN_OK;
}

hn_status hni_loss_check_keys(const int32_t *key_labels, const hn_matf *dkeys, const hn_cmatf *keys,
                              const char *function)
{
    HNI_FAIL_IF(key_labels == NULL && keys->rows > 0, HN_E_ARG, "%s: key_labels is NULL", function);
    if (dkeys == NULL)
        return HN_OK;
    HNI_FAIL_IF(dkeys->rows < 0 || dkeys->rows > keys->rows, HN_E_SHAPE,
                "%s: dkeys has %" PRId64 " rows; there are %" PRId64 " keys", function, dkeys->rows, keys->rows);
    const hn_cmatf first = {keys->data, dkeys->rows, keys->cols, keys->ld};
    return hni_loss_check_gradient(dkeys, &first, function, "dkeys");
}

hn_status hni_loss_check_adjustment(const float *adjustment, int64_t classes, const char *function)
{
    for (int64_t c = 0; adjustment != NULL && c < classes; ++c)
        HNI_FAIL_IF(!isfinite(adjustment[c]), HN_E_ARG, "%s: logit_adjustment[%" PRId64 "] is %g; it must be finite",
                    function, c, (double)adjustment[c]);
    return HN_OK;
}

hn_status hni_loss_check_finite(int32_t check, const hn_cmatf *m, const char *function, const char *name)
{
    for (int64_t i = 0; check && i < m->rows; ++i)
        for (int64_t j = 0; j < m->cols; ++j)
            HNI_FAIL_IF(!isfinite(m->data[i * m->ld + j]), HN_E_NONFINITE,
                        "%s: %s holds %g in row %" PRId64 ", column %" PRId64, function, name,
                        (double)m->data[i * m->ld + j], i, j);
    return HN_OK;
}

hn_status hni_loss_check_scratch(const hn_scratch *scratch, size_t bytes, const char *function)
{
    if (bytes == 0)
        return HN_OK;
    HNI_FAIL_IF(scratch == NULL || scratch->data == NULL, HN_E_WORKSPACE, "%s: scratch is NULL; %zu bytes are needed",
                function, bytes);
    HNI_FAIL_IF(scratch->size < bytes, HN_E_WORKSPACE, "%s: scratch has %zu bytes; %zu are needed", function,
                scratch->size, bytes);
    HNI_FAIL_IF((uintptr_t)scratch->data % HN_SCRATCH_ALIGN != 0, HN_E_WORKSPACE,
                "%s: scratch is not aligned to %d bytes", function, (int)HN_SCRATCH_ALIGN);
    return HN_OK;
}

void *hni_carve(hni_carver *carver, int64_t count, size_t element)
{
    void *piece = carver->base == NULL ? NULL : carver->base + carver->used;
    carver->used += hni_round_up((size_t)count * element);
    return piece;
}

void hni_loss_scale_row(int64_t n, float beta, float *row)
{
    for (int64_t i = 0; i < n; ++i)
        row[i] = beta == 0.0f ? 0.0f : beta * row[i];
}

void hni_loss_give(const hn_matf *to, float beta, const float *g)
{
    for (int64_t i = 0; to != NULL && i < to->rows; ++i) {
        float *row = to->data + i * to->ld;
        hni_loss_scale_row(to->cols, beta, row);
        for (int64_t c = 0; g != NULL && c < to->cols; ++c)
            row[c] += g[i * to->cols + c];
    }
}

double hni_loss_divisor(int32_t reduction, int64_t counted)
{
    return reduction == HN_REDUCE_SUM || counted == 0 ? 1.0 : (double)counted;
}

void hni_loss_reduce(int64_t n, const double *row, double divisor, double *loss, float *row_loss)
{
    double sum = 0.0;
    for (int64_t i = 0; i < n; ++i) {
        sum += row[i];
        if (row_loss != NULL)
            row_loss[i] = (float)row[i];
    }
    if (loss != NULL)
        *loss = sum / divisor;
}
