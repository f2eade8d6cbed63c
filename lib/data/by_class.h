/* by_class.h -- the images of a dataset in the order of their classes. */
#ifndef HNI_BY_CLASS_H
#define HNI_BY_CLASS_H

#include <hybridnet/dataset.h>

/* The images of all classes, class after class, in their order in base; class c begins at begin[c]. index: [count], begin:
 * [classes + 1].                                                                                                        */
void hni_group_by_class(const hn_dataset *base, int64_t *index, int64_t *begin);

#endif
