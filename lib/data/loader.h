/* loader.h -- the loader's insides: loader.c makes and serves it, loader_ring.c shares out the work, loader_image.c
 * does one image.                                                                                                    */
#ifndef HNI_LOADER_H
#define HNI_LOADER_H

#include "data/augment.h"
#include "data/image.h"

#include <hybridnet/loader.h>

#include "base/tensor.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

enum { HNI_LOADER_MAX_VIEWS = 16, HNI_LOADER_MAX_WORKERS = 64, HNI_LOADER_MAX_PREFETCH = 64 };
enum { HNI_LOADER_SENTENCE = 512 };

typedef enum hni_slot_state { HNI_SLOT_FREE, HNI_SLOT_OPEN, HNI_SLOT_READY } hni_slot_state;

/* One batch of the ring. Under the loader's lock but for memory, labels and index: each worker writes its rows. */
typedef struct hni_slot {
    hni_slot_state state;
    int64_t epoch, first; /* position of its first image in the epoch */
    int64_t n;
    int64_t taken, done;          /* images given to workers; images finished */
    atomic_int_least64_t skipped; /* corrupt ones for which others stand in */
    hn_tensor images;             /* view of memory, views * n rows */
    float *memory;
    int32_t *labels; /* [views * batch] */
    int64_t *index;  /* [batch] */
    hn_status status;
    int64_t failed; /* the first image that failed */
    char sentence[HNI_LOADER_SENTENCE];
} hni_slot;

/* What a thread needs to make images; its memory is kept from image to image. */
typedef struct hni_maker {
    hni_image image; /* of files                                                                                      */
    uint8_t *pixels; /* of datasets whose images have one shape */
    void *scratch;
    size_t scratch_bytes;
} hni_maker;

struct hn_loader {
    hn_context *context;
    hn_dataset *dataset;
    hn_sampler *sampler;
    hn_loader_options options;
    hni_augment augment[2]; /* of view 0; of the others */
    hn_image_shape shape;   /* of the dataset                                                                         */
    hn_image_shape output;
    hn_rng root;
    int64_t batches; /* an epoch                                                                                      */
    int64_t share;   /* images a worker takes at once */
    hni_slot *slots;
    int64_t slot_count;
    hni_maker *makers; /* one a worker; one without workers */
    int64_t maker_count;
    int64_t next;                   /* slot the caller collects next                                                  */
    int64_t give_epoch, give_batch; /* the batch in slot `next`                                                       */
    int64_t prepare;                /* slot whose images are given out                                                */
    int64_t take_epoch, take_batch; /* what the next slot to be opened will hold                                      */
    bool holding;                   /* the caller still reads the slot before `next`                                  */
    bool paused, stopping;
    int32_t busy, workers;        /* workers at an image; workers started */
    atomic_int_least64_t skipped; /* of the batches that were handed out */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t threads[HNI_LOADER_MAX_WORKERS];
};

/* ---- loader_ring.c ---- */

/* Starts the workers. HN_E_STATE; those that were started are counted then. */
hn_status hni_loader_start(hn_loader *l);
/* Stops them. */
void hni_loader_stop(hn_loader *l);
/* Drops what is prepared and goes to a batch; with the lock held. */
void hni_loader_reset(hn_loader *l, int64_t epoch, int64_t batch);
/* The slot the caller collects next, once it is ready; with the lock held. */
hni_slot *hni_loader_collect(hn_loader *l);

/* ---- loader_image.c ---- */

/* Memory for images of the dataset's one shape; that of files grows as they come. HN_E_NOMEM. */
hn_status hni_maker_init(hni_maker *m, const hn_loader *l);
void hni_maker_release(hni_maker *m, const hn_loader *l);
/* All views of image i of a slot. */
hn_status hni_loader_make(hn_loader *l, hni_maker *m, hni_slot *s, int64_t i);

#endif
