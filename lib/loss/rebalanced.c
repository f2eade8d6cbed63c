#include <hybridnet/rebalanced.h>

#include "base/error.h"
#include "loss/common.h"

#include <inttypes.h>
#include <math.h>

#define PI 3.14159265358979323846

static const double least_prior = 1e-12;

/* *sum: of the counts. */
static hn_status check(const int64_t *counts, int64_t classes, const float *out, const char *function, double *sum)
{
    HNI_FAIL_IF(counts == NULL || out == NULL, HN_E_ARG, "%s: %s is NULL", function,
                counts == NULL ? "counts" : "the array to write");
    HNI_FAIL_IF(classes < 1, HN_E_ARG, "%s: classes is %" PRId64 "; it must be positive", function, classes);
    *sum = 0.0;
    for (int64_t c = 0; c < classes; ++c) {
        HNI_FAIL_IF(counts[c] < 0, HN_E_ARG, "%s: counts[%" PRId64 "] is %" PRId64 "; it must not be negative",
                    function, c, counts[c]);
        *sum += (double)counts[c];
    }
    HNI_FAIL_IF(*sum == 0.0, HN_E_ARG, "%s: no class has an image", function);
    return HN_OK;
}

/* weights_c = rule(n_c, parameter), scaled to sum to classes; a class without images has 0. */
static void weigh(const int64_t *counts, int64_t classes, double (*rule)(double, double), double parameter,
                  float *weights)
{
    double sum = 0.0;
    for (int64_t c = 0; c < classes; ++c)
        sum += counts[c] > 0 ? rule((double)counts[c], parameter) : 0.0;
    for (int64_t c = 0; c < classes; ++c)
        weights[c] = counts[c] > 0 ? (float)(rule((double)counts[c], parameter) * ((double)classes / sum)) : 0.0f;
}

static double effective(double n, double beta)
{
    return beta == 0.0 ? 1.0 : (1.0 - beta) / -expm1(n * log(beta));
}

static double inverse(double n, double power)
{
    return pow(n, -power);
}

hn_status hn_class_weights_effective(const int64_t *counts, int64_t classes, double beta, float *weights)
{
    static const char function[] = "hn_class_weights_effective";
    double sum;
    HNI_TRY(check(counts, classes, weights, function, &sum));
    HNI_FAIL_IF(!(beta >= 0.0 && beta < 1.0), HN_E_ARG, "%s: beta is %g; it must be in [0, 1)", function, beta);
    weigh(counts, classes, effective, beta, weights);
    return HN_OK;
}

hn_status hn_class_weights_inverse(const int64_t *counts, int64_t classes, double power, float *weights)
{
    static const char function[] = "hn_class_weights_inverse";
    double sum;
    HNI_TRY(check(counts, classes, weights, function, &sum));
    HNI_FAIL_IF(!(fabs(power) <= 16.0), HN_E_ARG, "%s: power is %g; it must be in [-16, 16]", function, power);
    weigh(counts, classes, inverse, power, weights);
    return HN_OK;
}

hn_status hn_class_weights_deferred(const int64_t *counts, int64_t classes, double beta, int64_t epoch,
                                    int64_t start_epoch, float *weights)
{
    static const char function[] = "hn_class_weights_deferred";
    HNI_FAIL_IF(epoch < 0 || start_epoch < 0, HN_E_ARG,
                "%s: epoch is %" PRId64 " and start_epoch %" PRId64 "; neither may be negative", function, epoch,
                start_epoch);
    HNI_TRY(hn_class_weights_effective(counts, classes, beta, weights));
    for (int64_t c = 0; epoch < start_epoch && c < classes; ++c)
        weights[c] = 1.0f;
    return HN_OK;
}

hn_status hn_class_log_prior(const int64_t *counts, int64_t classes, double tau, float *adjustment)
{
    static const char function[] = "hn_class_log_prior";
    double sum;
    HNI_TRY(check(counts, classes, adjustment, function, &sum));
    HNI_FAIL_IF(!(fabs(tau) <= 1e6), HN_E_ARG, "%s: tau is %g; it must be in [-1e6, 1e6]", function, tau);
    for (int64_t c = 0; c < classes; ++c)
        adjustment[c] = (float)(tau * log(fmax((double)counts[c] / sum, least_prior)));
    return HN_OK;
}

hn_status hn_class_margins(const int64_t *counts, int64_t classes, double max_margin, float *margin)
{
    static const char function[] = "hn_class_margins";
    double sum, most = 0.0;
    HNI_TRY(check(counts, classes, margin, function, &sum));
    HNI_FAIL_IF(!(max_margin >= 0.0 && max_margin <= 1e6), HN_E_ARG, "%s: max_margin is %g; it must be in [0, 1e6]",
                function, max_margin);
    for (int64_t c = 0; c < classes; ++c)
        most = fmax(most, pow(fmax((double)counts[c], 1.0), -0.25));
    for (int64_t c = 0; c < classes; ++c)
        margin[c] = (float)(pow(fmax((double)counts[c], 1.0), -0.25) * (max_margin / most));
    return HN_OK;
}

hn_status hn_class_smoothing(const int64_t *counts, int64_t classes, int32_t shape, double head, double tail,
                             float *smoothing)
{
    static const char function[] = "hn_class_smoothing";
    double sum;
    HNI_TRY(check(counts, classes, smoothing, function, &sum));
    HNI_FAIL_IF(shape < HN_SMOOTHING_CONCAVE || shape > HN_SMOOTHING_CONVEX, HN_E_ARG, "%s: shape %d does not exist",
                function, (int)shape);
    HNI_FAIL_IF(!(head >= 0.0 && head <= 1.0 && tail >= 0.0 && tail <= 1.0), HN_E_ARG,
                "%s: head is %g and tail %g; both must be in [0, 1]", function, head, tail);
    int64_t least = counts[0], most = counts[0];
    for (int64_t c = 1; c < classes; ++c) {
        least = counts[c] < least ? counts[c] : least;
        most = counts[c] > most ? counts[c] : most;
    }
    for (int64_t c = 0; c < classes; ++c) {
        double t = most == least ? 1.0 : (double)(counts[c] - least) / (double)(most - least);
        double value = shape == HN_SMOOTHING_CONCAVE  ? tail + (head - tail) * sin(t * PI / 2.0)
                       : shape == HN_SMOOTHING_LINEAR ? tail + (head - tail) * t
                                                      : head + (head - tail) * sin(1.5 * PI + t * PI / 2.0);
        smoothing[c] = (float)fmin(fmax(value, 0.0), 1.0);
    }
    return HN_OK;
}

hn_status hn_logits_adjust(const float *adjustment, hn_matf *logits)
{
    static const char function[] = "hn_logits_adjust";
    HNI_FAIL_IF(adjustment == NULL || logits == NULL, HN_E_ARG, "%s: %s is NULL", function,
                adjustment == NULL ? "adjustment" : "logits");
    const hn_cmatf view = {logits->data, logits->rows, logits->cols, logits->ld};
    HNI_TRY(hni_loss_check_matrix(&view, function, "logits"));
    for (int64_t c = 0; c < logits->cols; ++c)
        HNI_FAIL_IF(!isfinite(adjustment[c]), HN_E_ARG, "%s: adjustment[%" PRId64 "] is %g; it must be finite",
                    function, c, (double)adjustment[c]);
    for (int64_t i = 0; i < logits->rows; ++i)
        for (int64_t c = 0; c < logits->cols; ++c)
            logits->data[i * logits->ld + c] -= adjustment[c];
    return HN_OK;
}
