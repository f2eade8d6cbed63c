/* prior.h -- logarithms of how frequent the classes are. */
#ifndef HNI_PRIOR_H
#define HNI_PRIOR_H

#include "loss/loss.h"

/* *to = log(counts_c / sum) of [classes] in float, to be released with the size; counts NULL: a copy of given, or NULL for
 * NULL. HN_E_ARG for a count below 1 and for both of them, HN_E_NOMEM.                                                   */
hn_status hni_loss_log_prior(hn_loss *loss, const int64_t *counts, const float *given, int64_t classes,
                             const char *function, float **to);

#endif
