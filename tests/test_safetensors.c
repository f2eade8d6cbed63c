/* Reading safetensors: what comes back, what is refused, parameters by their names. */
#include "golden.h"
#include "safetensors_case.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef HNI_HAVE_JANSSON

/* A build without jansson says so, before it looks at anything else, and allocates nothing. */
START_TEST(is_not_in_this_build)
{
    hnt_counter counter = {.fail_at = -1};
    hn_context *context = NULL;
    hnt_ok(hnt_counting_context(&context, &counter, 1));
    int64_t calls = counter.calls;
    hn_safetensors *file = NULL;
    hnt_fails(hn_safetensors_open(&file, context, "x.safetensors"), HN_E_UNSUPPORTED, "HN_SAFETENSORS");
    ck_assert_ptr_null(file);
    ck_assert_int_eq(counter.calls, calls);
    hn_context_destroy(context);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("safetensors");
    tcase_add_test(hnt_case(s, "unit"), is_not_in_this_build);
    tcase_add_test(hnt_case(s, "oom"), is_not_in_this_build);
    return s;
}

#else

/* A file of this header and so many bytes of data, 0, 1, 2 ... */
static void craft(const char *path, const char *header, size_t data)
{
    size_t length = strlen(header);
    unsigned char *bytes = hnt_alloc(8 + length + data);
    for (int i = 0; i < 8; ++i)
        bytes[i] = (unsigned char)(length >> (8 * i));
    memcpy(bytes + 8, header, length);
    for (size_t i = 0; i < data; ++i)
        bytes[8 + length + i] = (unsigned char)i;
    hnt_write_file(path, bytes, 8 + length + data);
    free(bytes);
}

/* ---- what was written ---------------------------------------------------------------------------------------------- */

START_TEST(what_is_written_comes_back)
{
    hnt_place p = hnt_new_place("a.safetensors");
    hn_context *context = hnt_context(1);
    hnt_samples s = hnt_make_samples(context);
    hnt_ok(hn_safetensors_write(context, p.file, s.named, HNT_SAMPLES, hnt_notes, HNT_NOTES));
    hn_safetensors *file = NULL;
    hnt_ok(hn_safetensors_open(&file, context, p.file));
    ck_assert_int_eq(hn_safetensors_count(file), HNT_SAMPLES);
    for (int i = 0; i < HNT_SAMPLES; ++i) {
        const char *name = NULL;
        const hn_tensor *t = NULL;
        hnt_ok(hn_safetensors_get(file, i, &name, &t));
        ck_assert_str_eq(name, s.named[i].name);
        ck_assert_ptr_eq(hn_safetensors_find(file, name), t);
        const hn_desc *got = hn_tensor_desc(t), *want = hn_tensor_desc(s.tensor[i]);
        ck_assert_int_eq(got->dtype, want->dtype);
        ck_assert_int_eq(got->ndim, want->ndim);
        for (int k = 0; k < got->ndim; ++k)
            ck_assert_int_eq(got->dim[k], want->dim[k]);
        ck_assert_uint_eq((uintptr_t)hn_tensor_cdata(t) % 64, 0);
        if (hn_tensor_bytes(t) > 0)
            ck_assert_mem_eq(hn_tensor_cdata(t), hn_tensor_cdata(s.tensor[i]), hn_tensor_bytes(t));
    }
    for (int i = 0; i < HNT_NOTES; ++i)
        ck_assert_str_eq(hn_safetensors_metadata(file, hnt_notes[i].key), hnt_notes[i].value);
    ck_assert_ptr_null(hn_safetensors_metadata(file, "forma"));
    ck_assert_ptr_null(hn_safetensors_metadata(file, NULL));
    ck_assert_ptr_null(hn_safetensors_find(file, "z.weigh"));
    ck_assert_ptr_null(hn_safetensors_find(file, "__metadata__"));
    ck_assert_ptr_null(hn_safetensors_find(NULL, "a"));
    ck_assert_int_eq(hn_safetensors_count(NULL), 0);
    const char *name = NULL;
    const hn_tensor *t = NULL;
    hnt_fails(hn_safetensors_get(file, HNT_SAMPLES, &name, &t), HN_E_ARG, "index is 6");
    hnt_fails(hn_safetensors_get(file, -1, &name, &t), HN_E_ARG, "index is -1");
    hnt_fails(hn_safetensors_get(NULL, 0, &name, &t), HN_E_ARG, "file is NULL");
    ck_assert(name == NULL && t == NULL);
    hn_safetensors_close(file);
    hn_safetensors_close(NULL);
    hnt_drop_samples(&s);
    hn_context_destroy(context);
}
END_TEST

/* ---- hostile files ----------------------------------------------------------------------------------------------- */

/* Opens without a leak; on HN_OK reads everything there is. */
static hn_status try_open(const char *path)
{
    hnt_counter counter = {.fail_at = -1};
    hn_context *context = NULL;
    hnt_ok(hnt_counting_context(&context, &counter, 1));
    int64_t before = counter.alive;
    hn_safetensors *file = NULL;
    hn_status status = hn_safetensors_open(&file, context, path);
    if (status < 0)
        ck_assert_ptr_null(file);
    unsigned sum = 0;
    for (int64_t i = 0; i < hn_safetensors_count(file); ++i) {
        const char *name = NULL;
        const hn_tensor *t = NULL;
        hnt_ok(hn_safetensors_get(file, i, &name, &t));
        ck_assert_ptr_nonnull(name);
        const unsigned char *data = hn_tensor_cdata(t);
        for (size_t k = 0; k < hn_tensor_bytes(t); ++k)
            sum += data[k];
    }
    ck_assert_uint_lt(sum, UINT32_MAX); /* every byte has been read */
    hn_safetensors_close(file);
    ck_assert_int_eq(counter.alive, before);
    hn_context_destroy(context);
    return status;
}

#define ENTRY(dtype, shape, offsets) "{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

typedef struct refused {
    const char *header;
    size_t data;
    const char *sentence;
} refused;

static const refused headers[] = {
    {"", 0, "not JSON"},
    {"{", 0, "not JSON"},
    {"[]", 0, "not a JSON object"},
    {"{} x", 0, "not JSON"},
    {"{\"a\":" ENTRY("U8", "[1]", "[0,1]") ",\"a\":" ENTRY("U8", "[1]", "[0,1]") "}", 1, "not JSON"},
    {"{\"a\\u0000b\":" ENTRY("U8", "[1]", "[0,1]") "}", 1, "not JSON"},
    {"{\"\xff\":" ENTRY("U8", "[1]", "[0,1]") "}", 1, "not JSON"},
    {"{\"a\":3}", 0, "the entry of a is not a JSON object"},
    {"{\"a\":null}", 0, "the entry of a is not a JSON object"},
    {"{\"a\":{\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "a has no dtype"},
    {"{\"a\":{\"dtype\":1,\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "a has no dtype"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1]}}", 1, "a has no data_offsets"},
    {"{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,1]}}", 1, "shape of a"},
    {"{\"a\":" ENTRY("U8", "1", "[0,1]") "}", 1, "shape of a"},
    {"{\"a\":" ENTRY("U8", "[1]", "[0]") "}", 1, "a has no data_offsets"},
    {"{\"a\":" ENTRY("U8", "[1]", "[0,1,1]") "}", 1, "a has no data_offsets"},
    {"{\"a\":" ENTRY("U8", "[1]", "[0.0,1]") "}", 1, "integers that are not negative"},
    {"{\"a\":" ENTRY("U8", "[1]", "[0,1e0]") "}", 1, "integers that are not negative"},
    {"{\"a\":" ENTRY("U8", "[1]", "[-1,0]") "}", 1, "integers that are not negative"},
    {"{\"a\":" ENTRY("U8", "[1]", "[0,\"1\"]") "}", 1, "integers that are not negative"},
    {"{\"a\":" ENTRY("U8", "[1]", "[0,18446744073709551617]") "}", 1, "not JSON"},
    {"{\"a\":" ENTRY("U8", "[1]", "[1,0]") "}", 1, "a lies at 1 to 0"},
    {"{\"a\":" ENTRY("U8", "[2]", "[0,2]") "}", 1, "a lies at 0 to 2 of 1"},
    {"{\"a\":" ENTRY("U8", "[1]", "[9223372036854775806,9223372036854775807]") "}", 1, "a lies at"},
    {"{\"a\":" ENTRY("U8", "[2]", "[0,1]") "}", 1, "not what its shape needs"},
    {"{\"a\":" ENTRY("F32", "[1]", "[0,1]") "}", 1, "not what its shape needs"},
    {"{\"a\":" ENTRY("U8", "[-1]", "[0,1]") "}", 1, "integers that are not negative"},
    {"{\"a\":" ENTRY("U8", "[1.5]", "[0,1]") "}", 1, "integers that are not negative"},
    {"{\"a\":" ENTRY("F32", "[4611686018427387905]", "[0,4]") "}", 4, "not what its shape needs"},
    {"{\"a\":" ENTRY("F32", "[2147483648,2147483648,4]", "[0,0]") "}", 0, "not what its shape needs"},
    {"{\"a\":" ENTRY("F32", "[0,9223372036854775807,9223372036854775807]", "[0,4]") "}", 4, "not what its shape needs"},
    {"{\"a\":" ENTRY("U8", "[1,1,1,1,1,1,1]", "[0,1]") "}", 1, "at most 6"},
    {"{\"a\":" ENTRY("U64", "[1]", "[0,8]") "}", 8, "a is of dtype U64"},
    {"{\"a\":" ENTRY("F16", "[1]", "[0,2]") "}", 2, "a is of dtype F16"},
    {"{\"a\":" ENTRY("I16", "[1]", "[0,2]") "}", 2, "a is of dtype I16"},
    {"{\"a\":" ENTRY("BOOL", "[1]", "[0,1]") "}", 1, "a is of dtype BOOL"},
    {"{\"a\":" ENTRY("f32", "[1]", "[0,4]") "}", 4, "a is of dtype f32"},
    {"{\"num_batches_tracked.x\":" ENTRY("U64", "[1]", "[0,8]") "}", 8, "of dtype U64"},
    {"{\"a\":" ENTRY("U8", "[2]", "[0,2]") ",\"b\":" ENTRY("U8", "[2]", "[1,3]") "}", 3,
     "overlap: up to b they take 4 of 3 bytes"},
    {"{\"a\":" ENTRY("U8", "[2]", "[0,2]") ",\"b\":" ENTRY("U8", "[2]", "[0,2]") "}", 2, "overlap"},
    {"{\"a\":" ENTRY("U8", "[1]", "[2,3]") ",\"b\":" ENTRY("U8", "[1]", "[0,1]") "}", 3, "leave a hole at byte 1"},
    {"{\"a\":" ENTRY("U8", "[1]", "[1,2]") "}", 2, "leave a hole at byte 0"},
    {"{\"a\":" ENTRY("U8", "[1]", "[0,1]") "}", 2, "1 bytes at the end"},
    {"{}", 1, "1 bytes at the end"},
    {"{\"n.num_batches_tracked\":" ENTRY("I64", "[]", "[0,9]") "}", 8, "lies at 0 to 9"},
    {"{\"__metadata__\":[]}", 0, "not a JSON object"},
    {"{\"__metadata__\":{\"a\":1}}", 0, "the value of a is not a string"},
    {"{\"__metadata__\":{\"a\":\"1\",\"b\":{}}}", 0, "the value of b is not a string"},
};
enum { HEADERS = sizeof headers / sizeof headers[0] };

START_TEST(wrong_headers_are_refused)
{
    hnt_place p = hnt_new_place("a.safetensors");
    craft(p.file, headers[_i].header, headers[_i].data);
    hnt_fails(try_open(p.file), HN_E_FORMAT, headers[_i].sentence);
}
END_TEST

/* Each of many tensors claims all of the data: there is memory for no more than one. */
START_TEST(data_claimed_twice_takes_no_memory)
{
    enum { DATA = 1 << 16, TENSORS = 200 };
    char *text = hnt_alloc(TENSORS * 100 + 8 + DATA);
    size_t length = (size_t)sprintf(text + 8, "{");
    for (int i = 0; i < TENSORS; ++i)
        length +=
            (size_t)sprintf(text + 8 + length, "%s\"a%d\":{\"dtype\":\"U8\",\"shape\":[%d],\"data_offsets\":[0,%d]}",
                            i > 0 ? "," : "", i, DATA, DATA);
    length += (size_t)sprintf(text + 8 + length, "}");
    for (int i = 0; i < 8; ++i)
        text[i] = (char)(length >> 8 * i);
    memset(text + 8 + length, 0, DATA);
    hnt_place place = hnt_new_place("a.safetensors");
    hnt_write_file(place.file, text, 8 + length + DATA);
    hnt_counter counter = {.fail_at = -1};
    hn_context *context = NULL;
    hn_safetensors *file = NULL;
    hnt_ok(hnt_counting_context(&context, &counter, 1));
    const int64_t before = counter.calls;
    hnt_fails(hn_safetensors_open(&file, context, place.file), HN_E_FORMAT, "overlap: up to a1 they take");
    ck_assert_int_lt(counter.calls - before, 20);
    hn_context_destroy(context);
    free(text);
}
END_TEST

START_TEST(unusual_headers_are_taken)
{
    hnt_place p = hnt_new_place("a.safetensors");
    hn_context *context = hnt_context(1);
    hn_safetensors *file = NULL;
    /* A scalar, an empty tensor, a counter of PyTorch's, data in another order than the header's, other keys, spaces. */
    craft(p.file,
          " \n{\"later\":" ENTRY("U8", "[2]", "[14,16]") ",\"empty\":" ENTRY(
              "F32", "[3,0]",
              "[4,4]") ",\"bn.num_batches_tracked\":" ENTRY("I64", "[]",
                                                            "[6,14]") ",\"scalar\":" ENTRY("F32", "[]",
                                                                                           "[0,4]") ",\"b\":{\"data_"
                                                                                                    "offsets\":[4,6],"
                                                                                                    "\"more\":[{}],"
                                                                                                    "\"shape\":[1],"
                                                                                                    "\"dtype\":"
                                                                                                    "\"BF16\"}} \n ",
          16);
    hnt_ok(hn_safetensors_open(&file, context, p.file));
    ck_assert_int_eq(hn_safetensors_count(file), 4);
    const hn_tensor *scalar = hn_safetensors_find(file, "scalar"), *later = hn_safetensors_find(file, "later");
    ck_assert_int_eq(hn_tensor_desc(scalar)->ndim, 1);
    ck_assert_int_eq(hn_tensor_desc(scalar)->dim[0], 1);
    float value;
    memcpy(&value, hn_tensor_cdata(scalar), 4);
    ck_assert(value == 0x1.0402p-121f); /* 0x03020100 */
    ck_assert_mem_eq(hn_tensor_cdata(later), "\x0e\x0f", 2);
    ck_assert_int_eq(hn_tensor_count(hn_safetensors_find(file, "empty")), 0);
    ck_assert_ptr_null(hn_safetensors_find(file, "bn.num_batches_tracked"));
    ck_assert_uint_eq(*(const uint16_t *)hn_tensor_cdata(hn_safetensors_find(file, "b")), 0x0504);
    hn_safetensors_close(file);
    hn_context_destroy(context);
}
END_TEST

START_TEST(every_truncation_is_refused)
{
    hnt_place p = hnt_new_place("a.safetensors");
    size_t size;
    unsigned char *whole = hnt_small_file(&p, &size);
    for (size_t n = 0; n < size; ++n) {
        hnt_write_file(p.file, whole, n);
        ck_assert_int_eq(try_open(p.file), HN_E_FORMAT);
    }
    unsigned char *longer = hnt_alloc(size + 1);
    memcpy(longer, whole, size);
    hnt_write_file(p.file, longer, size + 1);
    hnt_fails(try_open(p.file), HN_E_FORMAT, "at the end");
    free(longer);
    free(whole);
}
END_TEST

/* Every byte replaced by others: an error or a file, never a crash or a leak (the sanitizers watch). */
START_TEST(every_changed_byte_is_survived)
{
    static const unsigned char flips[] = {0x01, 0x02, 0x10, 0x20, 0x80, 0xff};
    hnt_place p = hnt_new_place("a.safetensors");
    size_t size, files = 0, errors = 0;
    unsigned char *whole = hnt_small_file(&p, &size);
    for (size_t i = 0; i < size; ++i)
        for (size_t k = 0; k < sizeof flips; ++k) {
            whole[i] ^= flips[k];
            hnt_write_file(p.file, whole, size);
            hn_status status = try_open(p.file);
            ck_assert(status == HN_OK || status == HN_E_FORMAT);
            files += status == HN_OK;
            errors += status != HN_OK;
            whole[i] ^= flips[k];
        }
    ck_assert_uint_gt(files, 0); /* changes in names and data */
    ck_assert_uint_gt(errors, 0);
    free(whole);
}
END_TEST

static void put_length(const hnt_place *p, uint64_t length, off_t size)
{
    unsigned char bytes[16] = {0};
    for (int i = 0; i < 8; ++i)
        bytes[i] = (unsigned char)(length >> (8 * i));
    memcpy(bytes + 8, "{}      ", 8);
    hnt_write_file(p->file, bytes, sizeof bytes);
    ck_assert_int_eq(truncate(p->file, size), 0);
}

/* A length whose first bytes are gzip's, from a writer that does not pad. */
START_TEST(a_length_that_looks_like_gzip_is_taken)
{
    enum { LENGTH = 0x088b1f };
    hnt_place p = hnt_new_place("a.safetensors");
    char *header = hnt_alloc(LENGTH + 1);
    memset(header, ' ', LENGTH);
    memcpy(header, "{}", 2);
    header[LENGTH] = '\0';
    craft(p.file, header, 0);
    hnt_ok(try_open(p.file));
    free(header);
}
END_TEST

START_TEST(header_lengths_are_checked)
{
    hnt_place p = hnt_new_place("a.safetensors");
    static const uint64_t wrong[] = {9, 1 << 20, INT64_MAX, UINT64_MAX - 7, UINT64_MAX};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; ++i) {
        put_length(&p, wrong[i], 16);
        hnt_fails(try_open(p.file), HN_E_FORMAT, "says its header has");
    }
    put_length(&p, 100000001, 100000009); /* the file is long enough (a hole on disk), the limit is 100 MB */
    hnt_fails(try_open(p.file), HN_E_FORMAT, "says its header has 100000001 bytes; it may have 100000000");
    put_length(&p, 8, 16);
    hnt_ok(try_open(p.file));
}
END_TEST

START_TEST(deep_nesting_is_refused)
{
    hnt_place p = hnt_new_place("a.safetensors");
    enum { DEPTH = 1000000 };
    char *header = hnt_alloc(DEPTH + 6);
    memcpy(header, "{\"a\":", 5);
    memset(header + 5, '[', DEPTH);
    craft(p.file, header, 0);
    hnt_fails(try_open(p.file), HN_E_FORMAT, "not JSON");
    for (int i = 0; i < DEPTH; i += 5)
        memcpy(header + 5 + i, "{\"a\":", 5);
    craft(p.file, header, 0);
    hnt_fails(try_open(p.file), HN_E_FORMAT, "not JSON");
    free(header);
}
END_TEST

START_TEST(files_that_are_not_there)
{
    hnt_place p = hnt_new_place("a.safetensors");
    hn_context *context = hnt_context(1);
    hn_safetensors *file = NULL;
    hnt_fails(hn_safetensors_open(&file, context, p.file), HN_E_IO, "No such file");
    hnt_fails(hn_safetensors_open(&file, context, p.dir), HN_E_IO, "not a regular file");
    hnt_fails(hn_safetensors_open(NULL, context, p.file), HN_E_ARG, "out is NULL");
    hnt_fails(hn_safetensors_open(&file, NULL, p.file), HN_E_ARG, "context is NULL");
    hnt_fails(hn_safetensors_open(&file, context, NULL), HN_E_ARG, "path is NULL");
    hnt_write_file(p.file, "\x1f\x8b", 2);
    ck_assert_int_lt(hn_safetensors_open(&file, context, p.file), 0);
    ck_assert_ptr_null(file);
    hn_context_destroy(context);
}
END_TEST

/* ---- parameters -------------------------------------------------------------------------------------------------- */

static hn_param param_of(const char *name, hn_tensor *value)
{
    return (hn_param){.struct_size = sizeof(hn_param), .name = name, .value = value};
}

START_TEST(parameters_are_loaded_by_name)
{
    hnt_place p = hnt_new_place("a.safetensors");
    hn_context *context = hnt_context(1);
    const hn_desc two = {HN_F32, 1, {2}}, flat = {HN_F32, 2, {1, 2}}, whole = {HN_I32, 1, {2}};
    hn_tensor *a = NULL, *b = NULL, *c = NULL, *other = NULL, *integers = NULL;
    hnt_ok(hn_tensor_create(&a, context, &two));
    hnt_ok(hn_tensor_create(&b, context, &two));
    hnt_ok(hn_tensor_create(&c, context, &two));
    hnt_ok(hn_tensor_create(&other, context, &flat));
    hnt_ok(hn_tensor_create(&integers, context, &whole));
    hnt_normal(1, hn_tensor_data(a), 2);
    hnt_normal(2, hn_tensor_data(b), 2);
    const hn_named_tensor named[] = {{"a", a}, {"b", b}, {"bn.num_batches_tracked", integers}};
    hnt_ok(hn_safetensors_write(context, p.file, named, 3, NULL, 0));
    hn_safetensors *file = NULL;
    hnt_ok(hn_safetensors_open(&file, context, p.file));
    const float *va = hn_tensor_cdata(hn_safetensors_find(file, "a"));
    float zero[2] = {0, 0};

    hn_param params[2] = {param_of("b", c), param_of("a", other)};
    hnt_fails(hn_safetensors_load_params(file, params, 2, 1), HN_E_FORMAT, "a is f32 2 in the file and f32 1x2");
    params[1].value = integers;
    hnt_fails(hn_safetensors_load_params(file, params, 2, 0), HN_E_FORMAT, "i32 2");
    params[1] = param_of("absent", a);
    hnt_fails(hn_safetensors_load_params(file, params, 2, 0), HN_E_FORMAT, "no tensor absent");
    hnt_fails(hn_safetensors_load_params(file, params, 1, 1), HN_E_FORMAT, "has a tensor a");
    params[1] = param_of(NULL, a);
    hnt_fails(hn_safetensors_load_params(file, params, 2, 0), HN_E_ARG, "no name");
    params[1] = param_of("a", NULL);
    hnt_fails(hn_safetensors_load_params(file, params, 2, 0), HN_E_ARG, "no value");
    hnt_fails(hn_safetensors_load_params(NULL, params, 2, 0), HN_E_ARG, "file is NULL");
    hnt_fails(hn_safetensors_load_params(file, NULL, 2, 0), HN_E_ARG, "params");
    hnt_fails(hn_safetensors_load_params(file, params, -1, 0), HN_E_ARG, "negative");
    ck_assert_mem_eq(hn_tensor_cdata(c), zero, sizeof zero); /* nothing was written by any of these */

    hnt_ok(hn_safetensors_load_params(file, params, 1, 0));
    ck_assert_mem_eq(hn_tensor_cdata(c), hn_tensor_cdata(b), sizeof zero);
    params[1] = param_of("a", c);
    params[0].value = b;
    hnt_ok(hn_safetensors_load_params(file, params, 2, 1)); /* the counter of batches counts as nothing */
    ck_assert_mem_eq(hn_tensor_cdata(c), va, sizeof zero);
    ck_assert_mem_eq(va, hn_tensor_cdata(a), sizeof zero);
    hn_safetensors_close(file);
    hn_tensor *all[] = {a, b, c, other, integers};
    for (int i = 0; i < 5; ++i)
        hn_tensor_destroy(all[i]);
    hn_context_destroy(context);
}
END_TEST

/* ---- a file of another writer ------------------------------------------------------------------------------------- */

START_TEST(file_of_another_writer)
{
    hn_context *context = hnt_context(1);
    hn_safetensors *file = hnt_golden_open(context, "safetensors");
    static const char *const names[] = {"layer1.0.conv1.weight", "labels", "pixels", "scalar", "edges", "empty"};
    ck_assert_int_eq(hn_safetensors_count(file), 6);
    for (int i = 0; i < 6; ++i) {
        const char *name = NULL;
        const hn_tensor *t = NULL;
        hnt_ok(hn_safetensors_get(file, i, &name, &t));
        ck_assert_str_eq(name, names[i]);
    }
    const hn_tensor *weight = hnt_golden(file, names[0], HN_F32, 2 * 3 * 3 * 3);
    ck_assert_int_eq(hn_tensor_desc(weight)->ndim, 4);
    ck_assert_int_eq(hn_tensor_desc(weight)->dim[0], 2);
    for (int i = 0; i < 54; ++i)
        ck_assert(((const float *)hn_tensor_cdata(weight))[i] == 0.25f * (float)i - 3.0f);
    const int32_t *labels = hnt_golden_i(file, "labels", 5), want[] = {INT32_MIN, -1, 0, 1, INT32_MAX};
    ck_assert_mem_eq(labels, want, sizeof want);
    const uint8_t *pixels = hn_tensor_cdata(hnt_golden(file, "pixels", HN_U8, 256));
    for (int i = 0; i < 256; ++i)
        ck_assert_int_eq(pixels[i], 255 - i);
    ck_assert(*hnt_golden_f(file, "scalar", 1) == 0.1f);
    const float *edges = hnt_golden_f(file, "edges", 6);
    ck_assert(edges[0] == 0.0f && signbit(edges[0]) && edges[1] == INFINITY && edges[2] == -INFINITY);
    ck_assert(isnan(edges[3]) && edges[4] == 0x1p-149f && edges[5] == 0x1.fffffep127f);
    hnt_golden_f(file, "empty", 0);
    const char *sources = hn_safetensors_metadata(file, "sources");
    ck_assert_ptr_nonnull(sources);
    ck_assert_int_eq(strncmp(sources, "make_safetensors.py:", 20), 0);
    hn_safetensors_close(file);
    hn_context_destroy(context);
}
END_TEST

/* ---- memory that runs out ---------------------------------------------------------------------------------------------- */

static hn_status attempt(hn_context *context, const void *path)
{
    hn_safetensors *file = NULL;
    const hn_status status = hn_safetensors_open(&file, context, path);
    hn_safetensors_close(file);
    return status;
}

START_TEST(every_allocation_may_fail)
{
    hnt_place p = hnt_new_place("a.safetensors");
    size_t before, after;
    unsigned char *old = hnt_small_file(&p, &before);
    hnt_survives(attempt, p.file, 10);
    unsigned char *now = hnt_read_file(p.file, &after);
    ck_assert_uint_eq(after, before);
    ck_assert_mem_eq(now, old, before);
    ck_assert_int_eq(hnt_entries_in(p.dir), 1);
    free(now);
    free(old);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("safetensors");
    TCase *unit = hnt_case(s, "unit");
    tcase_add_test(unit, what_is_written_comes_back);
    tcase_add_loop_test(unit, wrong_headers_are_refused, 0, HEADERS);
    tcase_add_test(unit, unusual_headers_are_taken);
    tcase_add_test(unit, data_claimed_twice_takes_no_memory);
    tcase_add_test(unit, every_truncation_is_refused);
    tcase_add_test(unit, every_changed_byte_is_survived);
    tcase_add_test(unit, a_length_that_looks_like_gzip_is_taken);
    tcase_add_test(unit, header_lengths_are_checked);
    tcase_add_test(unit, deep_nesting_is_refused);
    tcase_add_test(unit, files_that_are_not_there);
    tcase_add_test(unit, parameters_are_loaded_by_name);
    tcase_add_test(hnt_case(s, "golden"), file_of_another_writer);
    tcase_add_test(hnt_case(s, "oom"), every_allocation_may_fail);
    return s;
}

#endif

HNT_MAIN(suite)
