#include "support.h"

#include "io/checksum.h"

START_TEST(checksum_is_that_of_xz)
{
    hni_crc64 crc;
    hni_crc64_begin(&crc);
    ck_assert_uint_eq(hni_crc64_value(&crc), 0);
    hni_crc64_add(&crc, "12345", 5);
    hni_crc64_add(&crc, "6789", 4);
    ck_assert_uint_eq(hni_crc64_value(&crc), UINT64_C(0x995dc9bbdf1939fa)); /* the catalogue's check value */
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("checksum");
    tcase_add_test(hnt_case(s, "unit"), checksum_is_that_of_xz);
    return s;
}

HNT_MAIN(suite)
