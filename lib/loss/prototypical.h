/* prototypical.h -- PSC with a separate factor for what the prototypes' gradient already holds. */
#ifndef HNI_PROTOTYPICAL_H
#define HNI_PROTOTYPICAL_H

#include <hybridnet/prototypical.h>

/* hn_loss_psc, but dprototypes = prototypes_beta * dprototypes + ...; function: for the sentences. */
hn_status hni_loss_psc(const char *function, const hn_loss_psc_options *options, float prototypes_beta,
                       const hn_cmatf *z, const hn_cmatf *prototypes, const int32_t *labels, double *loss,
                       float *row_loss, hn_matf *dz, hn_matf *dprototypes, const hn_scratch *scratch);

#endif
