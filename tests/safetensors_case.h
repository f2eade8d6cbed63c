/* safetensors_case.h -- what the tests of reading and of writing safetensors share: some tensors, files, directories. */
#ifndef HNT_SAFETENSORS_CASE_H
#define HNT_SAFETENSORS_CASE_H

#include "support.h"

enum { HNT_SAMPLES = 6, HNT_NOTES = 4 };

/* Tensors of all types, one without an element, under names that need care. */
typedef struct hnt_samples {
    hn_tensor *tensor[HNT_SAMPLES];
    hn_named_tensor named[HNT_SAMPLES];
} hnt_samples;

hnt_samples hnt_make_samples(hn_context *context);
void hnt_drop_samples(hnt_samples *s);

/* Metadata that needs care. */
extern const hn_metadata hnt_notes[HNT_NOTES];

/* Writes a small valid file; its bytes are to be freed. */
unsigned char *hnt_small_file(const hnt_place *p, size_t *size);

/* The bytes of a file, to be freed. */
unsigned char *hnt_read_file(const char *path, size_t *size);

/* How many entries a directory has. */
int64_t hnt_entries_in(const char *directory);

#endif
