/* loader.h -- batches of augmented images, prepared on worker threads while the network computes. */
#ifndef HYBRIDNET_LOADER_H
#define HYBRIDNET_LOADER_H

#include <hybridnet/augment.h>
#include <hybridnet/sampler.h>
#include <hybridnet/tensor.h>

/* One thread at a time. */
typedef struct hn_loader hn_loader;

typedef struct hn_loader_options {
    size_t struct_size;
    int64_t batch;                     /* images a batch, > 0; default 128                                            */
    int32_t views;                     /* augmented views of each image, 1 .. 16; default 1                           */
    int32_t workers;                   /* worker threads, 0 .. 64; 0: batches are made in hn_loader_next itself; default 1 */
    int32_t prefetch;                  /* batches prepared ahead, 1 .. 64; default 2                                  */
    int32_t drop_last;                 /* nonzero: an epoch's last batch is left out if it is smaller; default 0      */
    uint64_t seed;                     /* of the augmentation; the stream of an image depends on (seed, epoch, position,
                                          view) alone                                                                 */
    const hn_augment_options *augment; /* copied; NULL (default): pixels / 255. 1 to 4 channels. Images of differing sizes
                                          (hn_dataset_shape 0 x 0 x 3) need an output size there                      */
    const hn_augment_options *augment_later; /* of views 1, 2 ...; copied; the output's shape must be the same; NULL
                                                (default): as view 0                                                  */
    int32_t full_decode; /* nonzero: JPEG files are decoded at full size; 0 (default): at 1/2, 1/4 or 1/8, which is
                            faster, as long as no view's crop then has fewer pixels than the output. One decoding
                            serves all views of an image                                                              */
    int32_t on_corrupt;  /* HN_LOADER_FAIL (default) or HN_LOADER_SKIP                                                */
} hn_loader_options;

/* What happens with an image that cannot be read (HN_E_IO) or decoded (HN_E_FORMAT, HN_E_UNSUPPORTED but in a build without
 * libjpeg or libpng for want of it). */
enum {
    HN_LOADER_FAIL = 0, /* hn_loader_next fails; the sentence has the file's path                                     */
    HN_LOADER_SKIP = 1  /* the next image of the dataset with the same label stands in, from the last on to the first;
                           the context's log gets a warning with the path. Fails if a class has no image left         */
};

/* What hn_loader_next gives; borrowed from the loader until its next call. */
typedef struct hn_batch {
    size_t struct_size;
    const hn_tensor *images; /* f32, (views * n) x H x W x C, view after view: row v * n + i is view v of image i */
    const int32_t *labels;   /* [views * n]                                                                           */
    const int64_t *index;    /* [n], into the dataset; of the image that stands in for a corrupt one                  */
    int64_t n;               /* images, at most the loader's batch                                                    */
} hn_batch;

HN_BEGIN_DECLS

/* Fills the struct with its defaults; struct_size: sizeof *options. NULL is ignored. */
HN_API void hn_loader_options_init(hn_loader_options *options, size_t struct_size);

/* A loader at epoch 0. Retains dataset; takes ownership of sampler on HN_OK. HN_E_ARG (also for a sampler that has an owner),
 * HN_E_SHAPE (views of a batch that are too large to address), HN_E_NOMEM, HN_E_STATE (a thread could not be started). */
HN_API HN_MUST_CHECK hn_status hn_loader_create(hn_loader **out, hn_context *context, hn_dataset *dataset,
                                                hn_sampler *sampler, const hn_loader_options *options);

/* Batches an epoch. */
HN_API int64_t hn_loader_batches(const hn_loader *loader);

/* Where the loader stands: the epoch and the number in it of the batch that hn_loader_next gives next, whatever is prepared
 * ahead; at an epoch's end that number is hn_loader_batches. Either pointer may be NULL; nothing is written for a NULL
 * loader. hn_loader_seek to it, on a loader made with the same options, goes on from there.                             */
HN_API void hn_loader_tell(const hn_loader *loader, int64_t *epoch, int64_t *batch);

/* Goes to batch `batch` of `epoch`, from 0 to the number of batches an epoch (the epoch's end: hn_loader_next gives HN_END);
 * batches prepared ahead are dropped. HN_E_ARG (also for an epoch of 2^62 or more). */
HN_API HN_MUST_CHECK hn_status hn_loader_seek(hn_loader *loader, int64_t epoch, int64_t batch);

/* The next batch: HN_OK, or HN_END after the epoch's last one (*batch untouched; the loader then stands at the start of
 * the next epoch and prepares it). batch->struct_size is the caller's to set. A failure of the dataset is passed on, and
 * the loader stays on the batch that failed.                                                                         */
HN_API HN_MUST_CHECK hn_status hn_loader_next(hn_loader *loader, hn_batch *batch);

/* How many times an image stood in for a corrupt one, in the batches that were handed out. Any thread. */
HN_API int64_t hn_loader_skipped(const hn_loader *loader);

/* Stops the workers. NULL is allowed. */
HN_API void hn_loader_destroy(hn_loader *loader);

HN_END_DECLS
#endif
