/* prior.h -- logarithms of how frequent the classes are. */
#ifndef HNI_PRIOR_H
#define HNI_PRIOR_H

#include "loss/loss.h"

/* *to = hn_class_log_prior of counts with tau, [classes], or a copy of given where counts is NULL (NULL if both are). The
 * caller releases it with the size, after a failure too. HN_E_ARG for counts that cannot be and if both are given,
 * HN_E_NOMEM.                                                                                                            */
hn_status hni_loss_log_prior(hn_loss *loss, const int64_t *counts, const float *given, int64_t classes,
                             double tau, const char *function, float **to);

#endif
