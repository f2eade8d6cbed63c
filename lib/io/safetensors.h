/* safetensors.h -- what reader and writer of the format share. */
#ifndef HNI_SAFETENSORS_H
#define HNI_SAFETENSORS_H

#include <hybridnet/safetensors.h>

enum { HNI_SAFETENSORS_MAX_HEADER = 100000000 }; /* bytes: the limit of the format's own reader */

/* The format's name of a dtype ("F32"), or NULL; the dtype of a name, or 0. */
const char *hni_safetensors_dtype_name(int32_t dtype);
int32_t hni_safetensors_dtype(const char *name);

/* Swaps the bytes of every element on a big-endian host; nothing on others. */
void hni_safetensors_host_order(void *data, size_t bytes, size_t element);

#endif
