/* balanced_contrastive.h -- BCL with a separate factor for what the prototypes' gradient already holds. */
#ifndef HNI_BALANCED_CONTRASTIVE_H
#define HNI_BALANCED_CONTRASTIVE_H

#include <hybridnet/balanced_contrastive.h>

/* hn_loss_bcl, but dprototypes = prototypes_beta * dprototypes + ...; function: for the sentences. */
hn_status hni_loss_bcl(const char *function, const hn_loss_bcl_options *options, float prototypes_beta,
                       const hn_cmatf *z, const int32_t *labels, const hn_cmatf *prototypes, double *loss,
                       float *row_loss, hn_matf *dz, hn_matf *dprototypes, const hn_scratch *scratch);

#endif
