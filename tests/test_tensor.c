#include "support.h"

#include "base/tensor.h"

START_TEST(own_memory_is_zero_and_described)
{
    hn_context *context = hnt_context(1);
    const hn_desc desc = {HN_F32, 3, {2, 3, 4, 99}};
    hn_tensor *t = NULL;
    hnt_ok(hn_tensor_create(&t, context, &desc));
    ck_assert_int_eq(hn_tensor_count(t), 24);
    ck_assert_uint_eq(hn_tensor_bytes(t), 96);
    ck_assert_int_eq(hn_tensor_desc(t)->dim[2], 4);
    ck_assert_uint_eq((uintptr_t)hn_tensor_data(t) % 64, 0);
    for (int i = 0; i < 24; ++i)
        ck_assert(((const float *)hn_tensor_cdata(t))[i] == 0.0f);
    hn_tensor_destroy(t);
    hn_tensor_destroy(NULL);
    hn_context_destroy(context);
}
END_TEST

START_TEST(a_view_uses_the_callers_memory)
{
    hn_context *context = hnt_context(1);
    float data[6] = {1, 2, 3, 4, 5, 6};
    const hn_desc desc = {HN_F32, 2, {2, 3}}, none = {HN_F32, 2, {0, 3}};
    hn_tensor *t = NULL;
    hnt_ok(hn_tensor_wrap(&t, context, data, &desc));
    ck_assert_ptr_eq(hn_tensor_data(t), data);
    hn_tensor_destroy(t);
    ck_assert(data[5] == 6.0f);
    hnt_ok(hn_tensor_wrap(&t, context, NULL, &none));
    ck_assert_int_eq(hn_tensor_count(t), 0);
    hn_tensor_destroy(t);
    hn_context_destroy(context);
}
END_TEST

START_TEST(bad_descriptions_are_named)
{
    hn_context *context = hnt_context(1);
    hn_tensor *t = NULL;
    float data[2];
    const hn_desc odd = {42, 1, {1}}, flat = {HN_F32, 0, {1}}, deep = {HN_F32, 7, {1}}, negative = {HN_F32, 2, {2, -3}};
    const hn_desc huge = {HN_F32, 4, {1 << 20, 1 << 20, 1 << 20, 1 << 20}}, two = {HN_F32, 1, {2}};
    hnt_fails(hn_tensor_create(&t, context, &odd), HN_E_ARG, "dtype 42");
    hnt_fails(hn_tensor_create(&t, context, &flat), HN_E_SHAPE, "ndim is 0");
    hnt_fails(hn_tensor_create(&t, context, &deep), HN_E_SHAPE, "ndim is 7");
    hnt_fails(hn_tensor_create(&t, context, &negative), HN_E_SHAPE, "dimension 1 is -3");
    hnt_fails(hn_tensor_create(&t, context, &huge), HN_E_SHAPE, "too large");
    const hn_desc above = {HN_U8, 1, {(1LL << 48) + 1}};
    hnt_fails(hn_tensor_create(&t, context, &above), HN_E_SHAPE, "too large");
    hnt_fails(hn_tensor_create(&t, context, NULL), HN_E_ARG, "desc is NULL");
    hnt_fails(hn_tensor_create(&t, NULL, &two), HN_E_ARG, "context is NULL");
    hnt_fails(hn_tensor_wrap(&t, context, NULL, &two), HN_E_ARG, "data is NULL");
    hnt_fails(hn_tensor_wrap(&t, context, (char *)data + 1, &two), HN_E_ARG, "not aligned");
    ck_assert_ptr_null(t);
    ck_assert_uint_eq(hn_dtype_bytes(HN_BF16), 2);
    ck_assert_uint_eq(hn_dtype_bytes(HN_F64), 8);
    ck_assert_uint_eq(hn_dtype_bytes(HN_I64), 8);
    ck_assert_uint_eq(hn_dtype_bytes(0), 0);
    char text[HNI_DESC_TEXT];
    ck_assert_str_eq(hni_desc_text(&negative, text), "f32 2x-3");
    hn_context_destroy(context);
}
END_TEST

START_TEST(every_allocation_may_fail)
{
    const hn_desc desc = {HN_U8, 1, {100}};
    for (int64_t k = 1;; ++k) {
        hnt_counter counter = {.fail_at = k};
        hn_context *context = NULL;
        hn_tensor *t = NULL;
        hnt_ok(hnt_counting_context(&context, &counter, 1));
        hn_status status = hn_tensor_create(&t, context, &desc);
        if (status < 0) {
            ck_assert_int_eq(status, HN_E_NOMEM);
            ck_assert_ptr_null(t);
        }
        hn_tensor_destroy(t);
        hn_context_destroy(context);
        ck_assert_int_eq(counter.alive, 0);
        if (status == HN_OK) {
            ck_assert_int_eq(k, 3);
            return;
        }
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("tensor");
    TCase *unit = hnt_case(s, "unit");
    tcase_add_test(unit, own_memory_is_zero_and_described);
    tcase_add_test(unit, a_view_uses_the_callers_memory);
    tcase_add_test(unit, bad_descriptions_are_named);
    tcase_add_test(hnt_case(s, "oom"), every_allocation_may_fail);
    return s;
}

HNT_MAIN(suite)
