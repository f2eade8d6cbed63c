/* safetensors.h -- what reader and writer of the format share. */
#ifndef HNI_SAFETENSORS_H
#define HNI_SAFETENSORS_H

#include <hybridnet/safetensors.h>

#include <stdbool.h>

enum { HNI_SAFETENSORS_MAX_HEADER = 100000000 }; /* bytes: the limit of the format's own reader */

/* The format's name of a dtype ("F32"), or NULL; the dtype of a name, or 0. */
const char *hni_safetensors_dtype_name(int32_t dtype);
int32_t hni_safetensors_dtype(const char *name);

/* Whether a tensor is PyTorch's count of batches in batch norm, by its name. */
bool hni_safetensors_counter(const char *name);

/* Whether elements of that size are stored in another byte order than the host's. */
bool hni_safetensors_swapped(size_t element);
/* Swaps the bytes of every element on a big-endian host; nothing on others. */
void hni_safetensors_host_order(void *data, size_t bytes, size_t element);

#endif
