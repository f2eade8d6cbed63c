/* dataset.h -- the dataset's insides: what every source fills in. */
#ifndef HNI_DATASET_H
#define HNI_DATASET_H

#include <hybridnet/dataset.h>

#include <stdatomic.h>

struct hn_dataset {
    hn_context *context;
    atomic_size_t references;
    hn_image_shape shape;
    size_t image_bytes; /* height * width * channels */
    int64_t count;
    int32_t classes;
    int32_t *labels;                                               /* [count], owned */
    hn_status (*read)(void *user, int64_t index, uint8_t *pixels); /* index is in range */
    void (*release)(void *user);                                   /* may be NULL       */
    void *user;
};

/* A dataset with one reference; copies labels. On HN_OK user is the dataset's, on failure the caller's.
 * Checks all of the arguments: HN_E_ARG, HN_E_SHAPE, HN_E_LABEL, HN_E_NOMEM.                              */
hn_status hni_dataset_new(hn_dataset **out, hn_context *context, const char *function, const hn_image_shape *shape,
                          const int32_t *labels, int64_t n, int32_t classes,
                          hn_status (*read)(void *user, int64_t index, uint8_t *pixels), void (*release)(void *user),
                          void *user);

/* Images in memory. owned: bytes to release with the dataset (on failure they stay the caller's), 0 if borrowed. */
hn_status hni_dataset_new_memory(hn_dataset **out, hn_context *context, const char *function,
                                 const hn_image_shape *shape, const uint8_t *pixels, size_t owned,
                                 const int32_t *labels, int64_t n, int32_t classes);

/* Bytes of n images; HN_E_ARG or HN_E_SHAPE if the shape or n is out of range, or the product too large. */
hn_status hni_image_bytes(const hn_image_shape *shape, int64_t n, const char *function, size_t *bytes);

#endif
