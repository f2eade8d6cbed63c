/* dataset.h -- labelled images, wherever they come from: files, memory, a generator, the caller's own functions.
 * Sets of JPEG and PNG files are in image_files.h.
 *
 * Files may be hostile: their content leads to a dataset or to a failure, and what is allocated on the way stays below
 * 1 MiB and 10 bytes for each byte of IDX (a label is held as an int32_t, twice for a moment; of gzip the unpacked bytes
 * count, at most 1032 for each of the file), 2 of CIFAR. SECURITY.md has the whole promise.                           */
#ifndef HYBRIDNET_DATASET_H
#define HYBRIDNET_DATASET_H

#include <hybridnet/context.h>

/* Reference counted; immutable, so any number of threads may read it. */
typedef struct hn_dataset hn_dataset;

/* Shape of every image: 8-bit values, H x W x C, channels last. 0 x 0 x 3 where the images of a set differ in size. */
typedef struct hn_image_shape {
    int32_t height, width, channels;
} hn_image_shape;

/* The caller's own source. */
typedef struct hn_dataset_ops {
    size_t struct_size;
    /* Writes image `index` (height * width * channels bytes); called from several threads at once. Returns HN_OK or a negative
     * status, which the reader gets with a sentence of the library's (a positive one as HN_E_STATE); an image of which it is
     * HN_E_IO or HN_E_FORMAT a loader may skip (hn_loader_options.on_corrupt).                                        */
    hn_status (*read)(void *user, int64_t index, uint8_t *pixels);
    /* Called once when the last reference goes; may be NULL. */
    void (*release)(void *user);
} hn_dataset_ops;

HN_BEGIN_DECLS

/* ---- sources: *out is one reference, the caller's to release; it must go before the context ---- */

/* Images through the caller's functions. labels: [n] in [0, classes), copied. On HN_OK user is released with the last
 * reference; on failure it stays the caller's. HN_E_ARG, HN_E_SHAPE, HN_E_LABEL (negative labels, too), HN_E_NOMEM.      */
HN_API HN_MUST_CHECK hn_status hn_dataset_create_custom(hn_dataset **out, hn_context *context, const hn_image_shape *shape,
                                                        const int32_t *labels, int64_t n, int32_t classes,
                                                        const hn_dataset_ops *ops, void *user);

/* Images in the caller's memory, n x H x W x C bytes, borrowed: they must outlive the dataset. labels are copied. Statuses
 * as hn_dataset_create_custom.                                                                                         */
HN_API HN_MUST_CHECK hn_status hn_dataset_create_memory(hn_dataset **out, hn_context *context,
                                                        const hn_image_shape *shape, const uint8_t *pixels,
                                                        const int32_t *labels, int64_t n, int32_t classes);

/* A pair of IDX files as MNIST and Fashion-MNIST use them (ubyte, 3 and 1 dimensions), plain or gzip (recognised by content;
 * any number of members and nothing behind them). The number of classes is the largest label + 1. HN_E_IO, HN_E_FORMAT
 * (wrong magic, truncated, trailing bytes, counts that differ), HN_E_UNSUPPORTED (gzip in a build without zlib), HN_E_NOMEM. */
HN_API HN_MUST_CHECK hn_status hn_dataset_open_idx(hn_dataset **out, hn_context *context, const char *images_path,
                                                   const char *labels_path);

/* The pair train-images-idx3-ubyte[.gz] (t10k-... if train is 0) in a directory. */
HN_API HN_MUST_CHECK hn_status hn_dataset_open_fashion_mnist(hn_dataset **out, hn_context *context, const char *directory,
                                                             int32_t train);

/* CIFAR's binary format in a directory: classes 10 (data_batch_1..5.bin or test_batch.bin) or 100 (train.bin or
 * test.bin, fine labels).                                                                                            */
HN_API HN_MUST_CHECK hn_status hn_dataset_open_cifar(hn_dataset **out, hn_context *context, const char *directory,
                                                     int32_t classes, int32_t train);

/* CIFAR-100 with its 20 coarse labels (superclasses) instead of the fine ones. */
HN_API HN_MUST_CHECK hn_status hn_dataset_open_cifar100_coarse(hn_dataset **out, hn_context *context,
                                                               const char *directory, int32_t train);

/* A set that needs no file: 10 classes of 32x32x3 images (coloured gratings and blobs under noise and shift) that a
 * small network can tell apart, though not perfectly. n images, class i % 10; a pure function of (n, seed): different
 * seeds give disjoint training and test sets.                                                                       */
HN_API HN_MUST_CHECK hn_status hn_dataset_create_synthetic(hn_dataset **out, hn_context *context, int64_t n,
                                                           uint64_t seed);

/* The images base[index[0]], base[index[1]], ...; retains base. HN_E_ARG for an index out of range. */
HN_API HN_MUST_CHECK hn_status hn_dataset_create_subset(hn_dataset **out, hn_dataset *base, const int64_t *index,
                                                        int64_t n);

/* ---- reading ---- */

/* Number of images; 0 for NULL. */
HN_API int64_t hn_dataset_count(const hn_dataset *dataset);
/* Number of classes; labels are below it. */
HN_API int32_t hn_dataset_classes(const hn_dataset *dataset);
/* The class's name, borrowed; NULL if the set has no names of classes or there is no such class. */
HN_API const char *hn_dataset_class_name(const hn_dataset *dataset, int32_t class_index);
/* Shape of every image; 0 x 0 x 3 if they differ in size, as images from files do. */
HN_API hn_image_shape hn_dataset_shape(const hn_dataset *dataset);
/* [count], borrowed. */
HN_API const int32_t *hn_dataset_labels(const hn_dataset *dataset);
/* Images of each class; counts: [classes]. */
HN_API void hn_dataset_class_counts(const hn_dataset *dataset, int64_t *counts);
/* One image; pixels: height * width * channels bytes. HN_E_ARG for an index out of range, HN_E_SHAPE if the images
 * differ in size (loader.h crops and resizes those), or the source's status.                                         */
HN_API HN_MUST_CHECK hn_status hn_dataset_read(const hn_dataset *dataset, int64_t index, uint8_t *pixels);

/* ---- references ---- */

/* Takes one more reference and returns the dataset. Any thread. */
HN_API hn_dataset *hn_dataset_retain(hn_dataset *dataset);
/* NULL is allowed. */
HN_API void hn_dataset_release(hn_dataset *dataset);

HN_END_DECLS
#endif
