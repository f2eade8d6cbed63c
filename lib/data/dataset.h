/* dataset.h -- the dataset's insides: what every source fills in. */
#ifndef HNI_DATASET_H
#define HNI_DATASET_H

#include "data/image.h"

#include <hybridnet/dataset.h>

#include <stdatomic.h>
#include <stdbool.h>

/* Where the images come from: exactly one of read and load. Every index and class they get is in range. */
typedef struct hni_dataset_source {
    hn_status (*read)(void *user, int64_t index, uint8_t *pixels);   /* images of one shape                           */
    hn_status (*load)(void *user, int64_t index, hni_image *image);  /* images of any size, RGB: as hni_image_load    */
    const char *(*class_name)(void *user, int32_t class_index);      /* may be NULL: the classes have no names        */
    void (*release)(void *user);                                     /* may be NULL                                   */
    void *user;
} hni_dataset_source;

struct hn_dataset {
    hn_context *context;
    atomic_size_t references;
    hn_image_shape shape; /* 0 x 0 x 3 if the images differ in size        */
    size_t image_bytes;   /* height * width * channels; 0 likewise         */
    int64_t count;
    int32_t classes;
    int32_t *labels; /* [count], owned */
    hni_dataset_source source;
};

/* A dataset with one reference; copies labels. shape: NULL for a source with load. On HN_OK source->user is the
 * dataset's, on failure the caller's. Checks all of the arguments: HN_E_ARG, HN_E_SHAPE, HN_E_LABEL, HN_E_NOMEM.  */
hn_status hni_dataset_new(hn_dataset **out, hn_context *context, const char *function, const hn_image_shape *shape,
                          const int32_t *labels, int64_t n, int32_t classes, const hni_dataset_source *source);

/* Whether the images differ in size: then they are loaded, not read. */
static inline bool hni_dataset_has_files(const hn_dataset *dataset)
{
    return dataset->source.load != NULL;
}

/* Loads one image's file as hni_image_load does; hni_image_decode has its pixels. Any number of threads, each with an
 * image of its own. HN_E_ARG for an index out of range or a dataset whose images have one shape, or the source's status. */
hn_status hni_dataset_load(const hn_dataset *dataset, int64_t index, hni_image *image);

/* Images in memory. owned: bytes to release with the dataset (on failure they stay the caller's), 0 if borrowed. */
hn_status hni_dataset_new_memory(hn_dataset **out, hn_context *context, const char *function,
                                 const hn_image_shape *shape, const uint8_t *pixels, size_t owned,
                                 const int32_t *labels, int64_t n, int32_t classes);

/* Bytes of n images; HN_E_ARG or HN_E_SHAPE if the shape or n is out of range, or the product too large. */
hn_status hni_image_bytes(const hn_image_shape *shape, int64_t n, const char *function, size_t *bytes);

#endif
