#include <hybridnet/decoupled.h>

#include "base/error.h"
#include "loss/common.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>

static double length_of(const float *row, int64_t n)
{
    double sum = 0.0;
    for (int64_t i = 0; i < n; ++i)
        sum += (double)row[i] * (double)row[i];
    return sqrt(sum);
}

static hn_status check(const hn_cmatf *m, const char *function, const char *name)
{
    HNI_TRY(hni_loss_check_matrix(m, function, name));
    return hni_loss_check_finite(1, m, function, name);
}

/* The same matrix to be read. */
static hn_status readable(const hn_matf *m, const char *function, const char *name, hn_cmatf *out)
{
    HNI_FAIL_IF(m == NULL, HN_E_ARG, "%s: %s is NULL", function, name);
    *out = (hn_cmatf){m->data, m->rows, m->cols, m->ld};
    return hni_loss_check_matrix(out, function, name);
}

hn_status hn_tau_normalize(hn_matf *weight, double tau)
{
    static const char function[] = "hn_tau_normalize";
    hn_cmatf w;
    HNI_TRY(readable(weight, function, "weight", &w));
    HNI_FAIL_IF(!(tau >= 0.0 && isfinite(tau)), HN_E_ARG, "%s: tau is %g; it must be finite and not negative", function,
                tau);
    HNI_TRY(check(&w, function, "weight"));
    for (int64_t c = 0; c < w.rows; ++c) { /* all of it before anything is written */
        const double length = length_of(w.data + c * w.ld, w.cols), divisor = pow(length, tau);
        for (int64_t i = 0; i < w.cols && length > 0.0; ++i)
            HNI_FAIL_IF(!(fabs((double)w.data[c * w.ld + i]) / divisor <= (double)FLT_MAX), HN_E_NONFINITE,
                        "%s: row %" PRId64 " has the length %g; with tau %g its value %g would not be finite", function,
                        c, length, tau, (double)w.data[c * w.ld + i]);
    }
    for (int64_t c = 0; c < w.rows; ++c) {
        float *row = weight->data + c * w.ld;
        const double length = length_of(row, w.cols), divisor = pow(length, tau);
        for (int64_t i = 0; i < w.cols && length > 0.0; ++i)
            row[i] = (float)((double)row[i] / divisor);
    }
    return HN_OK;
}

hn_status hn_class_sums_add(const hn_cmatf *features, const int32_t *labels, hn_matf *sums, int64_t *counts)
{
    static const char function[] = "hn_class_sums_add";
    hn_cmatf s;
    HNI_FAIL_IF(features == NULL || labels == NULL || counts == NULL, HN_E_ARG, "%s: %s is NULL", function,
                features == NULL ? "features"
                : labels == NULL ? "labels"
                                 : "counts");
    HNI_TRY(readable(sums, function, "sums", &s));
    HNI_TRY(check(features, function, "features"));
    HNI_FAIL_IF(features->cols != s.cols, HN_E_SHAPE, "%s: features have %" PRId64 " columns, sums %" PRId64, function,
                features->cols, s.cols);
    int64_t valid;
    HNI_TRY(hni_loss_check_labels(labels, features->rows, s.rows, function, &valid));
    for (int64_t i = 0; i < features->rows; ++i) {
        const float *row = features->data + i * features->ld;
        const double length = length_of(row, s.cols);
        if (labels[i] < 0 || length == 0.0)
            continue;
        float *sum = sums->data + (int64_t)labels[i] * s.ld;
        for (int64_t d = 0; d < s.cols; ++d)
            sum[d] += (float)((double)row[d] / length);
        counts[labels[i]]++;
    }
    return HN_OK;
}

hn_status hn_nearest_mean_weights(const hn_cmatf *sums, const int64_t *counts, hn_matf *weight)
{
    static const char function[] = "hn_nearest_mean_weights";
    hn_cmatf w;
    HNI_FAIL_IF(sums == NULL || counts == NULL, HN_E_ARG, "%s: %s is NULL", function, sums == NULL ? "sums" : "counts");
    HNI_TRY(check(sums, function, "sums"));
    HNI_TRY(readable(weight, function, "weight", &w));
    HNI_FAIL_IF(w.rows != sums->rows || w.cols != sums->cols, HN_E_SHAPE,
                "%s: weight is %" PRId64 "x%" PRId64 ", sums is %" PRId64 "x%" PRId64, function, w.rows, w.cols,
                sums->rows, sums->cols);
    for (int64_t c = 0; c < w.rows; ++c) {
        HNI_FAIL_IF(counts[c] < 1, HN_E_LABEL, "%s: class %" PRId64 " has no image, and so no mean", function, c);
        HNI_FAIL_IF(length_of(sums->data + c * sums->ld, w.cols) == 0.0, HN_E_NONFINITE,
                    "%s: the features of class %" PRId64 " cancel out; their mean has no direction", function, c);
    }
    for (int64_t c = 0; c < w.rows; ++c) {
        const float *from = sums->data + c * sums->ld;
        const double length = length_of(from, w.cols);
        for (int64_t d = 0; d < w.cols; ++d)
            weight->data[c * w.ld + d] = (float)((double)from[d] / length);
    }
    return HN_OK;
}
