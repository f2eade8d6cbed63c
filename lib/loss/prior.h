/* prior.h -- logarithms of how frequent the classes are. */
#ifndef HNI_PRIOR_H
#define HNI_PRIOR_H

#include "loss/loss.h"

/* *to = hn_class_log_prior of counts with tau, [classes], to be released with the size even after a failure; counts NULL: a copy of
 * given, or NULL for NULL. HN_E_ARG for counts that cannot be and for both of them, HN_E_NOMEM.                          */
hn_status hni_loss_log_prior(hn_loss *loss, const int64_t *counts, const float *given, int64_t classes,
                             double tau, const char *function, float **to);

#endif
