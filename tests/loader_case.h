/* loader_case.h -- a small set of images that are computed, and loaders of it. */
#ifndef HNT_LOADER_CASE_H
#define HNT_LOADER_CASE_H

#include "support.h"

#include <pthread.h>

/* IMAGES of 4x3x3 in classes of 30, 15 and 8; a pass is BATCHES batches, the last with 5 images. */
enum { IMAGES = 53, BATCH = 8, VIEWS = 2, BATCHES = 7, IMAGE = 4 * 3 * 3, ROW_BYTES = IMAGE * (int)sizeof(float) };

/* Numbers of workers worth a try. */
enum { HNT_LOADER_WORKERS = 4 };
extern const int32_t hnt_loader_workers[HNT_LOADER_WORKERS];
extern const hn_image_shape hnt_loader_shape;

/* Where the images come from; image `bad` cannot be read while `broken` is set. */
typedef struct hnt_loader_source {
    int64_t bad;
    int broken;
    pthread_mutex_t lock;
} hnt_loader_source;

void hnt_loader_break(hnt_loader_source *source, int broken);
void hnt_loader_labels(int32_t labels[IMAGES]);
hn_status hnt_loader_dataset(hn_dataset **out, hn_context *context, hnt_loader_source *source);
hn_status hnt_loader_sampler(hn_sampler **out, hn_context *context, int32_t kind);

/* Two views, crop, flip and gray. */
hn_loader_options hnt_loader_options(int32_t workers);

/* A context, a source and a loader; opened in place, since the data set keeps the source's address. */
typedef struct hnt_loader_setting {
    hn_context *context;
    hn_loader *loader;
    hnt_loader_source source;
} hnt_loader_setting;

void hnt_loader_open(hnt_loader_setting *setting, int32_t kind, const hn_loader_options *options);
void hnt_loader_close(hnt_loader_setting *setting);

/* hn_loader_next into a batch that is empty before. */
hn_status hnt_loader_next(hn_loader *loader, hn_batch *batch);

/* Everything a batch holds, in one block. */
typedef struct hnt_loader_copy {
    int64_t n, index[BATCH];
    int32_t labels[VIEWS * BATCH];
    float images[VIEWS * BATCH * IMAGE];
} hnt_loader_copy;

void hnt_loader_keep(hnt_loader_copy *copy, const hn_batch *batch);

/* All batches of some epochs, HN_END between them checked; to be freed. */
hnt_loader_copy *hnt_loader_collect(hn_loader *loader, int epochs);

#endif
