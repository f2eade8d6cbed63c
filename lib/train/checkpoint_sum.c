/* The checksum of a checkpoint: no bit of its content can change unseen. */
#include "train/checkpoint.h"

#include "base/tensor.h"
#include "io/safetensors.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void add_text(hni_crc64 *crc, const char *text)
{
    hni_crc64_add(crc, text, strlen(text) + 1);
}

void hni_checkpoint_sum_entry(hni_crc64 *crc, const char *key, const char *value)
{
    if (strcmp(key, HNI_CHECKPOINT_CHECKSUM) == 0)
        return;
    add_text(crc, key);
    add_text(crc, value);
}

void hni_checkpoint_sum_tensor(hni_crc64 *crc, const char *name, const hn_tensor *tensor)
{
    char text[HNI_CHECKPOINT_TEXT];
    unsigned char piece[4096];
    const unsigned char *from = tensor->data;
    const size_t element = hn_dtype_bytes(tensor->desc.dtype);
    add_text(crc, name);
    add_text(crc, hni_safetensors_dtype_name(tensor->desc.dtype));
    for (int32_t i = 0; i < tensor->desc.ndim; ++i) {
        (void)snprintf(text, sizeof text, "%" PRId64, tensor->desc.dim[i]);
        add_text(crc, text);
    }
    if (!hni_safetensors_swapped(element)) {
        hni_crc64_add(crc, from, hn_tensor_bytes(tensor));
        return;
    }
    for (size_t left = hn_tensor_bytes(tensor), n; left > 0; left -= n, from += n) {
        n = left < sizeof piece ? left : sizeof piece;
        memcpy(piece, from, n);
        hni_safetensors_host_order(piece, n, element);
        hni_crc64_add(crc, piece, n);
    }
}

void hni_checkpoint_sum_text(const hni_crc64 *crc, char text[HNI_CHECKPOINT_TEXT])
{
    (void)snprintf(text, HNI_CHECKPOINT_TEXT, "%016" PRIx64, hni_crc64_value(crc));
}
