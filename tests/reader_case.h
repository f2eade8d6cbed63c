/* reader_case.h -- one small set of files for every reader, and all readers in a table: for the tests that let each of them
 * fail at every call it makes.                                                                                           */
#ifndef HNT_READER_CASE_H
#define HNT_READER_CASE_H

#include "support.h"

#include "io/checksum.h"

/* How a reader is called on the files in `dir`. */
typedef struct hnt_reader {
    const char *name;
    hn_status (*open)(hn_dataset **out, hn_context *context, const char *dir);
    int in_build; /* 0: needs a library that this build is without */
} hnt_reader;

extern const hnt_reader hnt_readers[];
extern const int hnt_reader_count;

/* Writes the files of all readers into an empty directory. */
void hnt_make_files(const char *dir);

/* A checksum of everything that a dataset gives: labels, class names, and the pixels of all images, of image files decoded. The
 * first failure is returned.                                                                                           */
hn_status hnt_dataset_sum(hn_dataset *dataset, hn_context *context, uint64_t *sum);

/* A loader of the files in a directory's "tree" (which needs libjpeg and libpng), which skips what is corrupt. */
hn_status hnt_open_loader(hn_loader **out, hn_context *context, const char *dir, int32_t workers);

/* Two epochs of a loader, summed up. */
typedef struct hnt_batches {
    hni_crc64 crc;
    int epochs;
} hnt_batches;
void hnt_batches_begin(hnt_batches *all);
/* Adds the rest of them: HN_END, or the first failure, after which the call may be repeated. */
hn_status hnt_batches_add(hnt_batches *all, hn_loader *loader);

/* A checksum of the files in a directory, their names included. */
uint64_t hnt_files_sum(const char *dir);

/* Removes them. */
void hnt_empty(const char *dir);

#endif
