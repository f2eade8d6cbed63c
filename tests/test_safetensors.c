/* The safetensors format: what comes back, what is refused, and what a failed write leaves behind. */
#include "golden.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
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
    hnt_fails(hn_safetensors_write(context, "x.safetensors", NULL, 0, NULL, 0), HN_E_UNSUPPORTED, "HN_SAFETENSORS");
    ck_assert_int_eq(counter.calls, calls);
    ck_assert_int_eq(access("x.safetensors", F_OK), -1);
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

enum { PATH_SIZE = 512 };

typedef struct place {
    char directory[256], file[PATH_SIZE];
} place;

static place new_place(void)
{
    place p;
    hnt_temp_dir(p.directory, sizeof p.directory);
    snprintf(p.file, sizeof p.file, "%s/a.safetensors", p.directory);
    return p;
}

static int64_t entries_in(const char *directory)
{
    DIR *d = opendir(directory);
    ck_assert_ptr_nonnull(d);
    int64_t n = 0;
    for (struct dirent *e = readdir(d); e != NULL; e = readdir(d))
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(d);
    return n;
}

static unsigned char *read_file(const char *path, size_t *size)
{
    struct stat info;
    ck_assert_int_eq(stat(path, &info), 0);
    *size = (size_t)info.st_size;
    unsigned char *data = hnt_alloc(*size);
    FILE *f = fopen(path, "rb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fread(data, 1, *size, f), *size);
    fclose(f);
    return data;
}

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

/* ---- writing and reading again ----------------------------------------------------------------------------------- */

enum { SAMPLES = 6 };

typedef struct samples {
    hn_tensor *tensor[SAMPLES];
    hn_named_tensor named[SAMPLES];
} samples;

static samples make_samples(hn_context *context)
{
    static const hn_desc descs[SAMPLES] = {{HN_F32, 2, {3, 5}}, {HN_U8, 1, {7}},     {HN_I32, 3, {2, 1, 2}},
                                           {HN_BF16, 1, {3}},   {HN_F32, 2, {0, 4}}, {HN_F32, 6, {1, 2, 1, 3, 1, 2}}};
    static const char *const names[SAMPLES] = {"z.weight", "a",      "layer1.0.bn1.bias", "\xc3\xa4\xe2\x82\xac",
                                               "none",     "b\"\\\n"};
    samples s;
    for (int i = 0; i < SAMPLES; ++i) {
        hnt_ok(hn_tensor_create(&s.tensor[i], context, &descs[i]));
        unsigned char *data = hn_tensor_data(s.tensor[i]);
        for (size_t k = 0; k < hn_tensor_bytes(s.tensor[i]); ++k)
            data[k] = (unsigned char)(17 * k + 29 * (size_t)i + 3);
        s.named[i] = (hn_named_tensor){names[i], s.tensor[i]};
    }
    return s;
}

static void drop_samples(samples *s)
{
    for (int i = 0; i < SAMPLES; ++i)
        hn_tensor_destroy(s->tensor[i]);
}

static const hn_metadata notes[] = {
    {"format", "pt"}, {"", "empty key"}, {"epoch", ""}, {"\xc3\xbc", "\xf0\x9f\x90\x9f"}};
enum { NOTES = sizeof notes / sizeof notes[0] };

START_TEST(what_is_written_comes_back)
{
    place p = new_place();
    hn_context *context = hnt_context(1);
    samples s = make_samples(context);
    hnt_ok(hn_safetensors_write(context, p.file, s.named, SAMPLES, notes, NOTES));
    hn_safetensors *file = NULL;
    hnt_ok(hn_safetensors_open(&file, context, p.file));
    ck_assert_int_eq(hn_safetensors_count(file), SAMPLES);
    for (int i = 0; i < SAMPLES; ++i) {
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
    for (int i = 0; i < NOTES; ++i)
        ck_assert_str_eq(hn_safetensors_metadata(file, notes[i].key), notes[i].value);
    ck_assert_ptr_null(hn_safetensors_metadata(file, "forma"));
    ck_assert_ptr_null(hn_safetensors_metadata(file, NULL));
    ck_assert_ptr_null(hn_safetensors_find(file, "z.weigh"));
    ck_assert_ptr_null(hn_safetensors_find(file, "__metadata__"));
    ck_assert_ptr_null(hn_safetensors_find(NULL, "a"));
    ck_assert_int_eq(hn_safetensors_count(NULL), 0);
    const char *name = NULL;
    const hn_tensor *t = NULL;
    hnt_fails(hn_safetensors_get(file, SAMPLES, &name, &t), HN_E_ARG, "index is 6");
    hnt_fails(hn_safetensors_get(file, -1, &name, &t), HN_E_ARG, "index is -1");
    hnt_fails(hn_safetensors_get(NULL, 0, &name, &t), HN_E_ARG, "file is NULL");
    ck_assert(name == NULL && t == NULL);
    hn_safetensors_close(file);
    hn_safetensors_close(NULL);
    drop_samples(&s);
    hn_context_destroy(context);
}
END_TEST

/* Byte for byte, so that other readers of the format are served too. */
START_TEST(bytes_of_a_file)
{
    place p = new_place();
    hn_context *context = hnt_context(1);
    hn_tensor *t = NULL;
    const hn_desc desc = {HN_F32, 2, {1, 2}};
    hnt_ok(hn_tensor_create(&t, context, &desc));
    ((float *)hn_tensor_data(t))[0] = 1.0f;
    ((float *)hn_tensor_data(t))[1] = -2.0f;
    const hn_named_tensor named = {"w", t};
    const hn_metadata note = {"k", "v"};
    static const char want[] = "\x58\0\0\0\0\0\0\0"
                               "{\"__metadata__\":{\"k\":\"v\"},"
                               "\"w\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[0,8]}}       "
                               "\0\0\x80\x3f\0\0\0\xc0";
    for (int round = 0; round < 2; ++round) {
        hnt_ok(hn_safetensors_write(context, p.file, &named, 1, &note, 1));
        size_t size;
        unsigned char *got = read_file(p.file, &size);
        ck_assert_uint_eq(size, sizeof want - 1);
        ck_assert_mem_eq(got, want, size);
        free(got);
    }
    /* No tensor and no metadata is a file, too. */
    hnt_ok(hn_safetensors_write(context, p.file, NULL, 0, NULL, 0));
    size_t size;
    unsigned char *got = read_file(p.file, &size);
    ck_assert_uint_eq(size, 16);
    ck_assert_mem_eq(got + 8, "{}      ", 8);
    free(got);
    hn_safetensors *file = NULL;
    hnt_ok(hn_safetensors_open(&file, context, p.file));
    ck_assert_int_eq(hn_safetensors_count(file), 0);
    hn_safetensors_close(file);
    ck_assert_int_eq(entries_in(p.directory), 1);
    hn_tensor_destroy(t);
    hn_context_destroy(context);
}
END_TEST

START_TEST(what_cannot_be_written)
{
    place p = new_place();
    hn_context *context = hnt_context(1);
    samples s = make_samples(context);
    hnt_fails(hn_safetensors_write(NULL, p.file, s.named, 1, NULL, 0), HN_E_ARG, "context is NULL");
    hnt_fails(hn_safetensors_write(context, NULL, s.named, 1, NULL, 0), HN_E_ARG, "path is NULL");
    hnt_fails(hn_safetensors_write(context, p.file, NULL, 1, NULL, 0), HN_E_ARG, "tensors is NULL");
    hnt_fails(hn_safetensors_write(context, p.file, s.named, 1, NULL, 1), HN_E_ARG, "metadata is NULL");
    hnt_fails(hn_safetensors_write(context, p.file, s.named, -1, NULL, 0), HN_E_ARG, "negative");
    hn_named_tensor two[2] = {{"w", s.tensor[0]}, {"w", s.tensor[1]}};
    hnt_fails(hn_safetensors_write(context, p.file, two, 2, NULL, 0), HN_E_ARG, "two tensors are named w");
    two[1].name = NULL;
    hnt_fails(hn_safetensors_write(context, p.file, two, 2, NULL, 0), HN_E_ARG, "named NULL");
    two[1].name = "__metadata__";
    hnt_fails(hn_safetensors_write(context, p.file, two, 2, NULL, 0), HN_E_ARG, "named __metadata__");
    two[1].name = "\xff";
    hnt_fails(hn_safetensors_write(context, p.file, two, 2, NULL, 0), HN_E_ARG, "UTF-8");
    two[1] = (hn_named_tensor){"v", NULL};
    hnt_fails(hn_safetensors_write(context, p.file, two, 2, NULL, 0), HN_E_ARG, "tensor 1 is NULL");
    hn_metadata keys[2] = {{"k", "1"}, {"k", "2"}};
    hnt_fails(hn_safetensors_write(context, p.file, s.named, 1, keys, 2), HN_E_ARG, "are named k");
    keys[1].key = NULL;
    hnt_fails(hn_safetensors_write(context, p.file, s.named, 1, keys, 2), HN_E_ARG, "is NULL");
    keys[1] = (hn_metadata){"l", NULL};
    hnt_fails(hn_safetensors_write(context, p.file, s.named, 1, keys, 2), HN_E_ARG, "value is NULL");
    keys[1].value = "\xc3(";
    hnt_fails(hn_safetensors_write(context, p.file, s.named, 1, keys, 2), HN_E_ARG, "UTF-8");
    ck_assert_int_eq(entries_in(p.directory), 0);
    drop_samples(&s);
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
    {"{\"a\":" ENTRY("U8", "[2]", "[0,2]") ",\"b\":" ENTRY("U8", "[2]", "[1,3]") "}", 3, "overlap at byte 2"},
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
    place p = new_place();
    craft(p.file, headers[_i].header, headers[_i].data);
    hnt_fails(try_open(p.file), HN_E_FORMAT, headers[_i].sentence);
}
END_TEST

START_TEST(unusual_headers_are_taken)
{
    place p = new_place();
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

/* A small valid file; free it. */
static unsigned char *small_file(const place *p, size_t *size)
{
    hn_context *context = hnt_context(1);
    samples s = make_samples(context);
    hnt_ok(hn_safetensors_write(context, p->file, s.named, 3, notes, 1));
    drop_samples(&s);
    hn_context_destroy(context);
    return read_file(p->file, size);
}

START_TEST(every_truncation_is_refused)
{
    place p = new_place();
    size_t size;
    unsigned char *whole = small_file(&p, &size);
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
    place p = new_place();
    size_t size, files = 0, errors = 0;
    unsigned char *whole = small_file(&p, &size);
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

static void put_length(const place *p, uint64_t length, off_t size)
{
    unsigned char bytes[16] = {0};
    for (int i = 0; i < 8; ++i)
        bytes[i] = (unsigned char)(length >> (8 * i));
    memcpy(bytes + 8, "{}      ", 8);
    hnt_write_file(p->file, bytes, sizeof bytes);
    ck_assert_int_eq(truncate(p->file, size), 0);
}

START_TEST(header_lengths_are_checked)
{
    place p = new_place();
    static const uint64_t wrong[] = {9, 1 << 20, INT64_MAX, UINT64_MAX - 7, UINT64_MAX};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; ++i) {
        put_length(&p, wrong[i], 16);
        hnt_fails(try_open(p.file), HN_E_FORMAT, "says its header has");
    }
    put_length(&p, 100000001, 100000009); /* the file is long enough (a hole on disk), the limit is 100 MB */
    hnt_fails(try_open(p.file), HN_E_FORMAT, "says its header has 100000001");
    put_length(&p, 8, 16);
    hnt_ok(try_open(p.file));
}
END_TEST

START_TEST(deep_nesting_is_refused)
{
    place p = new_place();
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
    place p = new_place();
    hn_context *context = hnt_context(1);
    hn_safetensors *file = NULL;
    hnt_fails(hn_safetensors_open(&file, context, p.file), HN_E_IO, "No such file");
    hnt_fails(hn_safetensors_open(&file, context, p.directory), HN_E_IO, "not a regular file");
    hnt_fails(hn_safetensors_open(NULL, context, p.file), HN_E_ARG, "out is NULL");
    hnt_fails(hn_safetensors_open(&file, NULL, p.file), HN_E_ARG, "context is NULL");
    hnt_fails(hn_safetensors_open(&file, context, NULL), HN_E_ARG, "path is NULL");
    hnt_write_file(p.file, "\x1f\x8b", 2);
    ck_assert_int_lt(hn_safetensors_open(&file, context, p.file), 0);
    ck_assert_ptr_null(file);
    hn_context_destroy(context);
}
END_TEST

/* ---- writes that fail -------------------------------------------------------------------------------------------- */

/* 20 kB under the name "big". */
static hn_status write_big(hn_context *context, const char *path)
{
    hn_tensor *t = NULL;
    const hn_desc desc = {HN_F32, 1, {5000}};
    hnt_ok(hn_tensor_create(&t, context, &desc));
    const hn_named_tensor named = {"big", t};
    hn_status status = hn_safetensors_write(context, path, &named, 1, NULL, 0);
    hn_tensor_destroy(t);
    return status;
}

/* A disk that fills up in the header, in the data, and at its last byte. */
START_TEST(full_disk_leaves_the_old_file)
{
    place p = new_place();
    hn_context *context = hnt_context(1);
    size_t before, after;
    unsigned char *old = small_file(&p, &before);
    static const rlim_t limits[] = {0, 5, 20, 100, 10000, 20071};
    struct sigaction ignore = {.sa_handler = SIG_IGN}, former;
    ck_assert_int_eq(sigaction(SIGXFSZ, &ignore, &former), 0);
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; ++i) {
        struct rlimit limit, small;
        ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
        small = limit;
        small.rlim_cur = limits[i];
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
        hn_status status = write_big(context, p.file);
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
        hnt_fails(status, HN_E_IO, strerror(EFBIG));
        ck_assert_ptr_nonnull(strstr(hn_last_error(), p.file));
        unsigned char *now = read_file(p.file, &after);
        ck_assert_uint_eq(after, before);
        ck_assert_mem_eq(now, old, before);
        ck_assert_int_eq(entries_in(p.directory), 1);
        free(now);
    }
    ck_assert_int_eq(sigaction(SIGXFSZ, &former, NULL), 0);
    hnt_ok(write_big(context, p.file));
    free(read_file(p.file, &after));
    ck_assert_uint_eq(after, 8 + 64 + 20000);
    free(old);
    hn_context_destroy(context);
}
END_TEST

START_TEST(directories_that_cannot_be_written)
{
    place p = new_place();
    hn_context *context = hnt_context(1);
    char path[2 * PATH_SIZE];
    snprintf(path, sizeof path, "%s/nowhere/a", p.directory);
    hnt_fails(write_big(context, path), HN_E_IO, "No such file");
    hnt_fails(write_big(context, ""), HN_E_IO, "cannot");
    ck_assert_int_eq(mkdir(p.file, 0755), 0); /* a directory where the file should go */
    hnt_fails(write_big(context, p.file), HN_E_IO, "cannot rename");
    ck_assert_int_eq(entries_in(p.directory), 1);

    snprintf(path, sizeof path, "%s/b", p.file);
    ck_assert_int_eq(chmod(p.directory, 0755), 0);
    ck_assert_int_eq(chmod(p.file, 0555), 0);
    const uid_t self = geteuid();
    if (self == 0) /* root may write anywhere: be nobody for a while */
        ck_assert_int_eq(seteuid(65534), 0);
    hn_status status = write_big(context, path);
    if (self == 0)
        ck_assert_int_eq(seteuid(self), 0);
    hnt_fails(status, HN_E_IO, strerror(EACCES));
    ck_assert_int_eq(entries_in(p.file), 0);
    hn_context_destroy(context);
}
END_TEST

START_TEST(mode_follows_the_umask)
{
    place p = new_place();
    hn_context *context = hnt_context(1);
    for (int i = 0; i < 2; ++i) {
        const mode_t masks[] = {022, 077};
        mode_t former = umask(masks[i]);
        hn_status status = write_big(context, p.file);
        umask(former);
        hnt_ok(status);
        struct stat info;
        ck_assert_int_eq(stat(p.file, &info), 0);
        ck_assert_uint_eq(info.st_mode & 0777, 0666 & ~masks[i]);
    }
    /* What an earlier process left under the temporary name stays, and is in nobody's way. */
    char stale[PATH_SIZE + 64];
    snprintf(stale, sizeof stale, "%s.tmp-%ld-0", p.file, (long)getpid());
    hnt_write_file(stale, "x", 1);
    hnt_ok(write_big(context, p.file));
    ck_assert_int_eq(entries_in(p.directory), 2);
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
    place p = new_place();
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

/* ---- a file of another writer, and memory that runs out ---------------------------------------------------------- */

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

START_TEST(every_allocation_may_fail)
{
    place p = new_place();
    size_t before;
    unsigned char *old = small_file(&p, &before);
    for (int writes = 0; writes < 2; ++writes)
        for (int64_t k = 0;; ++k) {
            hnt_counter counter = {.fail_at = -1};
            hn_context *context = NULL;
            hnt_ok(hnt_counting_context(&context, &counter, 1));
            samples s = make_samples(context);
            int64_t alive = counter.alive;
            counter.fail_at = counter.calls + k;
            hn_safetensors *file = NULL;
            hn_status status = writes ? hn_safetensors_write(context, p.file, s.named, SAMPLES, notes, NOTES)
                                      : hn_safetensors_open(&file, context, p.file);
            hn_safetensors_close(file);
            ck_assert_int_eq(counter.alive, alive);
            drop_samples(&s);
            hn_context_destroy(context);
            ck_assert_int_eq(counter.alive, 0);
            ck_assert_int_eq(entries_in(p.directory), 1);
            if (status == HN_OK) {
                ck_assert_int_ge(k, writes ? 4 : 10);
                break;
            }
            ck_assert_int_eq(status, HN_E_NOMEM);
            size_t size;
            unsigned char *now = read_file(p.file, &size);
            ck_assert_uint_eq(size, before);
            ck_assert_mem_eq(now, old, before);
            free(now);
        }
    free(old);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("safetensors");
    TCase *unit = hnt_case(s, "unit");
    tcase_add_test(unit, what_is_written_comes_back);
    tcase_add_test(unit, bytes_of_a_file);
    tcase_add_test(unit, what_cannot_be_written);
    tcase_add_loop_test(unit, wrong_headers_are_refused, 0, HEADERS);
    tcase_add_test(unit, unusual_headers_are_taken);
    tcase_add_test(unit, every_truncation_is_refused);
    tcase_add_test(unit, every_changed_byte_is_survived);
    tcase_add_test(unit, header_lengths_are_checked);
    tcase_add_test(unit, deep_nesting_is_refused);
    tcase_add_test(unit, files_that_are_not_there);
    tcase_add_test(unit, full_disk_leaves_the_old_file);
    tcase_add_test(unit, directories_that_cannot_be_written);
    tcase_add_test(unit, mode_follows_the_umask);
    tcase_add_test(unit, parameters_are_loaded_by_name);
    tcase_add_test(hnt_case(s, "golden"), file_of_another_writer);
    tcase_add_test(hnt_case(s, "oom"), every_allocation_may_fail);
    return s;
}

#endif

HNT_MAIN(suite)
