/* class_index.h -- the images of each class, side by side. */
#ifndef HNI_CLASS_INDEX_H
#define HNI_CLASS_INDEX_H

#include <hybridnet/context.h>

typedef struct hni_class_index {
    hn_context *context;
    int64_t images;   /* with a label                                             */
    int32_t classes;  /* that have an image: c below counts these                  */
    int64_t *start;   /* [classes + 1]: images of c stand at image[start[c]] ...   */
    int64_t *image;   /* [images]                                                 */
    int32_t reserved; /* classes allocated                                        */
} hni_class_index;

/* labels: [n], below classes; < 0: left out. HN_E_LABEL, HN_E_NOMEM; release on success only. */
hn_status hni_class_index_create(hni_class_index *out, hn_context *context, const char *function, const int32_t *labels,
                                 int64_t n, int32_t classes);
void hni_class_index_release(hni_class_index *index);

#endif
