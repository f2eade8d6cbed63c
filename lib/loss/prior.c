#include "loss/prior.h"

#include "base/error.h"
#include "base/memory.h"

#include <inttypes.h>
#include <math.h>

hn_status hni_loss_log_prior(hn_loss *loss, const int64_t *counts, const float *given, int64_t classes,
                             const char *function, float **to)
{
    if (counts == NULL)
        return hni_loss_copy(loss, given, classes, function, to);
    HNI_FAIL_IF(given != NULL, HN_E_ARG, "%s: counts and logit_adjustment are both given", function);
    double sum = 0.0;
    for (int64_t c = 0; c < classes; ++c) {
        HNI_FAIL_IF(counts[c] < 1, HN_E_ARG, "%s: counts[%" PRId64 "] is %" PRId64 "; it must be positive", function, c,
                    counts[c]);
        sum += (double)counts[c];
    }
    const size_t bytes = (size_t)classes * sizeof **to;
    *to = hni_alloc(loss->context, bytes);
    if (*to == NULL)
        return hni_no_memory(function, bytes);
    for (int64_t c = 0; c < classes; ++c)
        (*to)[c] = (float)log((double)counts[c] / sum);
    return HN_OK;
}
