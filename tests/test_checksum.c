#include "support.h"

#include "io/checksum.h"
#include "train/checkpoint.h"

#include <string.h>

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

/* On a machine of any byte order: by the bytes that the file has, longer here than one piece of what is swapped at once. */
START_TEST(tensors_are_summed_in_the_order_of_the_file)
{
    enum { N = 1100 };
    static const char head[] = "w\0I64\0"
                               "2\0"
                               "550";
    hn_context *context = hnt_context(1);
    hn_tensor *t = NULL;
    const hn_desc desc = {HN_I64, 2, {2, N / 2}};
    hnt_ok(hn_tensor_create(&t, context, &desc));
    hni_crc64 got, want;
    hni_crc64_begin(&got);
    hni_crc64_begin(&want);
    hni_crc64_add(&want, head, sizeof head);
    for (uint64_t i = 0; i < N; ++i) {
        const uint64_t value = i * UINT64_C(0x0123456789abcdef);
        memcpy((uint64_t *)hn_tensor_data(t) + i, &value, sizeof value);
        for (int shift = 0; shift < 64; shift += 8)
            hni_crc64_add(&want, &(unsigned char){(unsigned char)(value >> shift)}, 1);
    }
    hni_checkpoint_sum_tensor(&got, "w", t);
    ck_assert_uint_eq(hni_crc64_value(&got), hni_crc64_value(&want));
    hn_tensor_destroy(t);
    hn_context_destroy(context);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("checksum");
    tcase_add_test(hnt_case(s, "unit"), checksum_is_that_of_xz);
    tcase_add_test(hnt_case(s, "unit"), tensors_are_summed_in_the_order_of_the_file);
    return s;
}

HNT_MAIN(suite)
