#include "loss/prior.h"

#include <hybridnet/rebalanced.h>

#include "base/error.h"
#include "base/memory.h"

hn_status hni_loss_log_prior(hn_loss *loss, const int64_t *counts, const float *given, int64_t classes, double tau,
                             const char *function, float **to)
{
    if (counts == NULL)
        return hni_loss_copy(loss, given, classes, function, to);
    HNI_FAIL_IF(given != NULL, HN_E_ARG, "%s: counts and logit_adjustment are both given", function);
    const size_t bytes = (size_t)classes * sizeof **to;
    *to = hni_alloc(loss->context, bytes);
    if (*to == NULL)
        return hni_no_memory(function, bytes);
    return hn_class_log_prior(counts, classes, tau, *to); /* on failure what is there goes with the loss */
}
