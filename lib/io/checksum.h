/* checksum.h -- CRC-64 as xz has it (ECMA-182, bits reflected): finds damage, and is no protection against intent. */
#ifndef HNI_CHECKSUM_H
#define HNI_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

typedef struct hni_crc64 {
    uint64_t table[256];
    uint64_t state;
} hni_crc64;

/* The checksum of no bytes. */
void hni_crc64_begin(hni_crc64 *crc);
/* Appends bytes. */
void hni_crc64_add(hni_crc64 *crc, const void *data, size_t bytes);
/* The checksum of all bytes so far. */
uint64_t hni_crc64_value(const hni_crc64 *crc);

#endif
