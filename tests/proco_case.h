/* proco_case.h -- batches for ProCo and its double reference, which the tests of the loss and of the object share. */
#ifndef HNT_PROCO_CASE_H
#define HNT_PROCO_CASE_H

#include "loss_contract.h"

/* Rows in z; mean directions of lengths 0.15 to 0.95 in y; extra[0] is an adjustment, which is not set as an option. */
hnt_batch hnt_proco_batch(uint64_t seed, int64_t n, int64_t classes, int64_t dim, int64_t pad);

/* The loss of an hnt_reference. */
double hnt_proco_value(const void *reference);

#endif
