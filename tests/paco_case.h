/* paco_case.h -- batches for PaCo and its double reference, which the tests of the loss and of the object share. */
#ifndef HNT_PACO_CASE_H
#define HNT_PACO_CASE_H

#include "loss_contract.h"

/* Logits in t, rows in z, k keys in y, of which the first are the rows or come from them; extra[0] is an adjustment, which is
 * not set as an option.                                                                                                */
hnt_batch hnt_paco_batch(uint64_t seed, int64_t n, int64_t k, int64_t classes, int64_t dim, int64_t pad);

/* The loss of an hnt_reference. */
double hnt_paco_value(const void *reference);

#endif
