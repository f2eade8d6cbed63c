/* The statistics of ProCo: sums of the classes' rows. */
#include <hybridnet/proco.h>

#include "base/error.h"
#include "kernel/rownorm.h"
#include "loss/common.h"

#include <inttypes.h>
#include <math.h>

hn_status hn_proco_observe(const hn_cmatf *z, const int32_t *labels, int32_t normalize, int64_t classes, double *sum,
                           int64_t *count)
{
    static const char function[] = "hn_proco_observe";
    int64_t valid;
    HNI_TRY(hni_loss_check_matrix(z, function, "z"));
    HNI_FAIL_IF(classes < 1, HN_E_SHAPE, "%s: classes is %" PRId64 "; it must be positive", function, classes);
    HNI_TRY(hni_loss_check_extents(classes, z->cols, function, "sum"));
    HNI_TRY(hni_loss_check_labels(labels, z->rows, classes, function, &valid));
    HNI_FAIL_IF(sum == NULL || count == NULL, HN_E_ARG, "%s: %s is NULL", function, sum == NULL ? "sum" : "count");
    for (int64_t i = 0; i < z->rows; ++i) {
        const hn_cmatf row = {z->data + i * z->ld, 1, z->cols, z->ld};
        HNI_FAIL_IF(labels[i] >= 0 && hni_loss_check_finite(1, &row, function, "z") < 0, HN_E_NONFINITE,
                    "%s: z holds a NaN or an infinity in row %" PRId64, function, i);
    }
    for (int64_t i = 0; i < z->rows; ++i) {
        if (labels[i] < 0)
            continue;
        const float *row = z->data + i * z->ld;
        double *to = sum + labels[i] * z->cols, length = normalize ? sqrt(hni_dot(z->cols, row, row)) : 1.0;
        const double by = length > 0.0 ? 1.0 / length : 0.0;
        for (int64_t c = 0; c < z->cols; ++c)
            to[c] += by * (double)row[c];
        ++count[labels[i]];
    }
    return HN_OK;
}

hn_status hn_proco_mean(const double *sum, const int64_t *count, hn_matf *mean)
{
    static const char function[] = "hn_proco_mean";
    HNI_FAIL_IF(mean == NULL, HN_E_ARG, "%s: mean is NULL", function);
    const hn_cmatf shape = {mean->data, mean->rows, mean->cols, mean->ld};
    HNI_TRY(hni_loss_check_matrix(&shape, function, "mean"));
    HNI_FAIL_IF((sum == NULL || count == NULL) && mean->rows > 0, HN_E_ARG, "%s: %s is NULL", function,
                sum == NULL ? "sum" : "count");
    for (int64_t i = 0; i < mean->rows; ++i)
        for (int64_t c = 0; count[i] > 0 && c < mean->cols; ++c)
            mean->data[i * mean->ld + c] = (float)(sum[i * mean->cols + c] / (double)count[i]);
    return HN_OK;
}
