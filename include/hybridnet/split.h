/* split.h -- a validation set carved out of training images. */
#ifndef HYBRIDNET_SPLIT_H
#define HYBRIDNET_SPLIT_H

#include <hybridnet/dataset.h>

HN_BEGIN_DECLS

/* Cuts base in two: *part gets share of the images of each class, rounded to the nearest number, but at least one of a class
 * with two or more, and never all; *rest gets the others. Both keep the order of base and retain it. Which images is a pure
 * function of labels, share and seed. share in (0, 1). Either both are made, one reference each, or on failure none.
 * HN_E_ARG (share, NULL, or a part that would be empty), HN_E_NOMEM.                                                     */
HN_API HN_MUST_CHECK hn_status hn_dataset_split(hn_dataset **rest, hn_dataset **part, hn_dataset *base, double share,
                                                uint64_t seed);

HN_END_DECLS
#endif
