/* image_set.h -- what datasets of image files have in common: a directory, the files' paths below it, the classes' names.
 * A source fills the lists and makes a dataset of them, whose images are loaded from the files.                          */
#ifndef HNI_IMAGE_SET_H
#define HNI_IMAGE_SET_H

#include "data/dataset.h"
#include "data/string_list.h"

typedef struct hni_image_set {
    hn_context *context;
    char *root;
    hni_string_list paths;       /* below root, in the order of the images; one that begins with / stands alone */
    hni_string_list class_names; /* one a class, or none at all                                                 */
} hni_image_set;

/* An empty set; copies root. HN_E_NOMEM. */
hn_status hni_image_set_new(hni_image_set **out, hn_context *context, const char *function, const char *root);
/* NULL is allowed. */
void hni_image_set_release(hni_image_set *set);

/* The dataset of all paths with their labels; takes the set over on HN_OK. Errors as hni_dataset_new. */
hn_status hni_image_set_finish(hni_image_set *set, hn_dataset **out, const char *function, const int32_t *labels,
                               int32_t classes);

#endif
