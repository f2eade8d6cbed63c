/* safetensors_file.h -- an open safetensors file. */
#ifndef HNI_SAFETENSORS_FILE_H
#define HNI_SAFETENSORS_FILE_H

#include <hybridnet/safetensors.h>

typedef struct hni_safetensors_entry {
    char *name;
    hn_tensor *tensor;
} hni_safetensors_entry;

typedef struct hni_safetensors_meta {
    char *key, *value;
} hni_safetensors_meta;

struct hn_safetensors {
    hn_context *context;
    hni_safetensors_entry *entries; /* [capacity], count filled */
    int64_t count, capacity;
    hni_safetensors_meta *metadata; /* [metadata_capacity], metadata_count filled */
    int64_t metadata_count, metadata_capacity;
};

#endif
