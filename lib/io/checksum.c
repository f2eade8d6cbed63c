#include "io/checksum.h"

#define POLYNOMIAL UINT64_C(0xc96c5795d7870f42)

void hni_crc64_begin(hni_crc64 *crc)
{
    for (uint64_t byte = 0; byte < 256; ++byte) {
        uint64_t rest = byte;
        for (int bit = 0; bit < 8; ++bit)
            rest = rest >> 1 ^ (rest & 1 ? POLYNOMIAL : 0);
        crc->table[byte] = rest;
    }
    crc->state = ~UINT64_C(0);
}

void hni_crc64_add(hni_crc64 *crc, const void *data, size_t bytes)
{
    const unsigned char *from = data;
    uint64_t state = crc->state;
    for (size_t i = 0; i < bytes; ++i)
        state = state >> 8 ^ crc->table[(state ^ from[i]) & 0xff];
    crc->state = state;
}

uint64_t hni_crc64_value(const hni_crc64 *crc)
{
    return ~crc->state;
}
