/* loader_files_case.h -- what the tests of loaders over files share: a directory of images, and a loader over it. */
#ifndef HNT_LOADER_FILES_CASE_H
#define HNT_LOADER_FILES_CASE_H

#include "image_maker.h"

#include "data/augment.h"
#include "data/dataset.h"

#include <pthread.h>

enum {
    HNT_FILES_CLASSES = 3,
    HNT_FILES_EACH = 5,
    HNT_FILES_IMAGES = HNT_FILES_CLASSES * HNT_FILES_EACH,
    HNT_FILES_BATCH = 7,
    HNT_FILES_BATCHES = 3,
    HNT_FILES_SIDE = 12, /* of what a loader gives */
    HNT_FILES_IMAGE = HNT_FILES_SIDE * HNT_FILES_SIDE * 3
};

/* Where they are. */
extern char hnt_files_dir[256];
/* A new directory of them. */
void hnt_files_make(void);
/* hnt_run, or 77, "skipped", for a build that does not read such files and so cannot make them either. */
int hnt_files_main(Suite *suite);
/* File i of the sorted set, of class i / HNT_FILES_EACH: its path, its size, its bytes; and half of it. */
void hnt_files_path(char *path, size_t size, int i);
void hnt_files_size(int i, int32_t *height, int32_t *width);
size_t hnt_files_read(int i, uint8_t bytes[HNT_FILE_ROOM]);
void hnt_files_corrupt(int i);

/* Lines of the context's log. */
typedef struct hnt_files_log {
    pthread_mutex_t lock;
    int lines, skipped, warned; /* all; "skipped: ..."; about a file that libjpeg reads all the same */
    char last[1024];
} hnt_files_log;

typedef struct hnt_files_setting {
    hnt_files_log log;
    hn_context *context;
    hn_dataset *dataset;
    hn_loader *loader;
} hnt_files_setting;

/* All kinds of changes, at that size. */
hn_augment_options hnt_files_augment(void);
hn_loader_options hnt_files_options(int32_t number_of_workers, int32_t views, const hn_augment_options *a);
hn_sampler *hnt_files_sampler(hn_context *context, const hn_dataset *dataset);
void hnt_files_open(hnt_files_setting *s, const hn_loader_options *o);
void hnt_files_close(hnt_files_setting *s);
hn_status hnt_files_next(hn_loader *loader, hn_batch *batch);
/* Everything of `epochs` epochs: floats of image after image and view after view, and indices. */
void hnt_files_collect(hn_loader *loader, int epochs, int32_t views, float *images, int64_t *index);

#endif
