/* Datasets from the field's files: IDX, plain and gzip, Fashion-MNIST, CIFAR. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef HNI_HAVE_ZLIB
#include <zlib.h>
enum { HAVE_GZIP = 1 };
#else
enum { HAVE_GZIP = 0 };
#endif

enum { PATH_SIZE = 512, FILE_SIZE = 1 << 16 };

static const hn_image_shape tiny = {2, 3, 1};

static void count_up(uint8_t *x, size_t n)
{
    for (size_t i = 0; i < n; ++i)
        x[i] = (uint8_t)(i * 7 + 1);
}

/* ---- IDX -------------------------------------------------------------------------------------------------------------- */

/* Four images of 2x3 and their labels. */
struct pair {
    uint8_t images[16 + 24], labels[8 + 4];
};

static struct pair good_pair(void)
{
    struct pair p = {.images = {0, 0, 8, 3, 0, 0, 0, 4, 0, 0, 0, 2, 0, 0, 0, 3},
                     .labels = {0, 0, 8, 1, 0, 0, 0, 4, 5, 0, 2, 5}};
    count_up(p.images + 16, 24);
    return p;
}

/* Bytes of content as a gzip file; plain bytes if not asked for or there is no zlib. */
static size_t pack(int gzip, const void *content, size_t size, uint8_t *out)
{
#ifdef HNI_HAVE_ZLIB
    if (gzip) {
        z_stream z = {
            .next_in = (void *)(uintptr_t)content, .avail_in = (uInt)size, .next_out = out, .avail_out = FILE_SIZE};
        ck_assert_int_eq(deflateInit2(&z, 9, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
        ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
        size_t packed = z.total_out;
        deflateEnd(&z);
        return packed;
    }
#else
    (void)gzip;
#endif
    memcpy(out, content, size);
    return size;
}

struct place {
    char dir[PATH_SIZE - 64], images[PATH_SIZE], labels[PATH_SIZE];
};

static struct place make_place(void)
{
    struct place p;
    hnt_temp_dir(p.dir, sizeof p.dir);
    snprintf(p.images, sizeof p.images, "%s/images", p.dir);
    snprintf(p.labels, sizeof p.labels, "%s/labels", p.dir);
    return p;
}

static void write_packed(const char *path, int gzip, const void *content, size_t size)
{
    static uint8_t packed[FILE_SIZE];
    hnt_write_file(path, packed, pack(gzip, content, size, packed));
}

static void check_pair(hn_dataset *d, const struct pair *p)
{
    uint8_t got[6];
    ck_assert_int_eq(hn_dataset_count(d), 4);
    ck_assert_int_eq(hn_dataset_classes(d), 6);
    hn_image_shape shape = hn_dataset_shape(d);
    ck_assert_mem_eq(&shape, &tiny, sizeof tiny);
    for (int i = 0; i < 4; ++i) {
        hnt_ok(hn_dataset_read(d, i, got));
        ck_assert_mem_eq(got, p->images + 16 + 6 * i, 6);
        ck_assert_int_eq(hn_dataset_labels(d)[i], p->labels[8 + i]);
    }
}

#define OPEN(d) hn_dataset_open_idx(d, context, place.images, place.labels)

START_TEST(idx_plain_and_gzip)
{
    hn_context *context = hnt_context(1);
    struct place place = make_place();
    struct pair pair = good_pair();
    for (int gzip = 0; gzip < 2; ++gzip) {
        hn_dataset *d = NULL;
        write_packed(place.images, gzip, pair.images, sizeof pair.images);
        write_packed(place.labels, !gzip, pair.labels, sizeof pair.labels);
        hnt_ok(OPEN(&d));
        check_pair(d, &pair);
        hn_dataset_release(d);
    }
    hn_context_destroy(context);
}
END_TEST

/* Every prefix of either file must be refused, whatever it ends in. */
START_TEST(idx_truncated_anywhere)
{
    static uint8_t packed[FILE_SIZE];
    hn_context *context = hnt_context(1);
    struct place place = make_place();
    struct pair pair = good_pair();
    for (int gzip = 0; gzip < 2; ++gzip)
        for (int which = 0; which < 2; ++which) {
            const char *path = which == 0 ? place.images : place.labels;
            write_packed(place.images, gzip, pair.images, sizeof pair.images);
            write_packed(place.labels, gzip, pair.labels, sizeof pair.labels);
            size_t size = which == 0 ? pack(gzip, pair.images, sizeof pair.images, packed)
                                     : pack(gzip, pair.labels, sizeof pair.labels, packed);
            for (size_t cut = 0; cut < size; ++cut) {
                hn_dataset *d = NULL;
                hnt_write_file(path, packed, cut);
                hnt_fails(OPEN(&d), HN_E_FORMAT, path);
                ck_assert_ptr_null(d);
            }
        }
    hn_context_destroy(context);
}
END_TEST

START_TEST(idx_wrong_content)
{
    hn_context *context = hnt_context(1);
    struct place place = make_place();
    hn_dataset *d = NULL;
    for (int gzip = 0; gzip < 2; ++gzip) {
        struct pair pair = good_pair();
        uint8_t longer[sizeof pair.images + 1] = {0};
        write_packed(place.labels, gzip, pair.labels, sizeof pair.labels);
#define REFUSED(at, value, sentence)                                       \
    do {                                                                   \
        pair = good_pair();                                                \
        pair.images[at] = (value);                                         \
        write_packed(place.images, gzip, pair.images, sizeof pair.images); \
        hnt_fails(OPEN(&d), HN_E_FORMAT, sentence);                        \
    } while (0)
        REFUSED(0, 1, "begins with 0x01000803");
        REFUSED(2, 9, "begins with 0x00000903"); /* signed bytes */
        REFUSED(3, 1, "begins with 0x00000801"); /* labels in the images' place */
        REFUSED(7, 0, "dimension 0 is 0");
        REFUSED(11, 0, "dimension 1 is 0");
        REFUSED(7, 3, "trailing bytes");
        REFUSED(7, 5, "truncated");
        REFUSED(12, 0xff, "dimension 2 is 4278190083");
        REFUSED(4, 0x7f, HAVE_GZIP && gzip ? "can hold" : "truncated"); /* 12 GB are not asked of the allocator */
#undef REFUSED
        pair = good_pair();
        memcpy(longer, pair.images, sizeof pair.images);
        write_packed(place.images, gzip, longer, sizeof longer);
        hnt_fails(OPEN(&d), HN_E_FORMAT, "trailing bytes");
        pair.images[7] = 3;
        write_packed(place.images, gzip, pair.images, sizeof pair.images - 6);
        hnt_fails(OPEN(&d), HN_E_FORMAT, "has 3 images");
        /* 2^31-1 cubed overflows 64 bits */
        for (int i = 0; i < 3; ++i)
            memcpy(pair.images + 4 + 4 * i, "\x7f\xff\xff\xff", 4);
        write_packed(place.images, gzip, pair.images, sizeof pair.images);
        hnt_fails(OPEN(&d), HN_E_FORMAT, "overflow");
    }
    ck_assert_ptr_null(d);
    hn_context_destroy(context);
}
END_TEST

START_TEST(idx_no_file)
{
    hn_context *context = hnt_context(1);
    struct place place = make_place();
    struct pair pair = good_pair();
    hn_dataset *d = NULL;
    write_packed(place.labels, 0, pair.labels, sizeof pair.labels);
    hnt_fails(OPEN(&d), HN_E_IO, place.images);
    hnt_fails(OPEN(&d), HN_E_IO, "No such file");
    hnt_fails(hn_dataset_open_idx(&d, context, place.dir, place.labels), HN_E_IO, "not a regular file");
    ck_assert_int_eq(mkfifo(place.images, 0600), 0); /* must not wait for a writer */
    hnt_fails(OPEN(&d), HN_E_IO, "not a regular file");
    hnt_fails(hn_dataset_open_idx(NULL, context, place.images, place.labels), HN_E_ARG, "out is NULL");
    hnt_fails(hn_dataset_open_idx(&d, NULL, place.images, place.labels), HN_E_ARG, "context is NULL");
    hnt_fails(hn_dataset_open_idx(&d, context, NULL, place.labels), HN_E_ARG, "images_path is NULL");
    hnt_fails(hn_dataset_open_idx(&d, context, place.images, NULL), HN_E_ARG, "labels_path is NULL");
    ck_assert_ptr_null(d);
    hn_context_destroy(context);
}
END_TEST

#ifdef HNI_HAVE_ZLIB

/* A broken byte anywhere must not go unnoticed, except in fields of gzip's header that say nothing about the content. */
START_TEST(gzip_garbage)
{
    static uint8_t packed[FILE_SIZE];
    hn_context *context = hnt_context(1);
    struct place place = make_place();
    struct pair pair = good_pair();
    write_packed(place.labels, 0, pair.labels, sizeof pair.labels);
    size_t size = pack(1, pair.images, sizeof pair.images, packed);
    hn_dataset *d = NULL;
    for (size_t at = 10; at < size; ++at) {
        packed[at] ^= 0x55;
        hnt_write_file(place.images, packed, size);
        hnt_fails(OPEN(&d), HN_E_FORMAT, place.images);
        packed[at] ^= 0x55;
    }
    packed[2] = 7; /* an unknown compression method */
    hnt_write_file(place.images, packed, size);
    hnt_fails(OPEN(&d), HN_E_FORMAT, "broken gzip");
    packed[2] = 8;
    memcpy(packed + size, "garbage", 7);
    hnt_write_file(place.images, packed, size + 7);
    hnt_fails(OPEN(&d), HN_E_FORMAT, "broken gzip");
    ck_assert_ptr_null(d);
    /* Two members end to end are one file. */
    size_t head = pack(1, pair.images, 20, packed);
    size_t tail = pack(1, pair.images + 20, sizeof pair.images - 20, packed + head);
    hnt_write_file(place.images, packed, head + tail);
    hnt_ok(OPEN(&d));
    check_pair(d, &pair);
    hn_dataset_release(d);
    hn_context_destroy(context);
}
END_TEST

#else

START_TEST(gzip_without_zlib)
{
    static const uint8_t gzip[] = {0x1f, 0x8b, 8, 0};
    hn_context *context = hnt_context(1);
    struct place place = make_place();
    hn_dataset *d = NULL;
    hnt_write_file(place.images, gzip, sizeof gzip);
    hnt_write_file(place.labels, gzip, sizeof gzip);
    hnt_fails(OPEN(&d), HN_E_UNSUPPORTED, "gunzip");
    hn_context_destroy(context);
}
END_TEST

#endif

START_TEST(fashion_mnist_directory)
{
    hn_context *context = hnt_context(1);
    struct place place = make_place();
    struct pair pair = good_pair();
    char path[PATH_SIZE];
    hn_dataset *d = NULL;
    hnt_fails(hn_dataset_open_fashion_mnist(&d, context, place.dir, 1), HN_E_IO,
              "neither train-images-idx3-ubyte nor train-images-idx3-ubyte.gz");
    hnt_fails(hn_dataset_open_fashion_mnist(&d, context, place.dir, 0), HN_E_IO, "t10k-images");
    hnt_fails(hn_dataset_open_fashion_mnist(&d, context, NULL, 0), HN_E_ARG, "directory is NULL");
#ifdef HNI_HAVE_ZLIB
    snprintf(path, sizeof path, "%s/train-images-idx3-ubyte.gz", place.dir);
    write_packed(path, 1, pair.images, sizeof pair.images);
#else
    snprintf(path, sizeof path, "%s/train-images-idx3-ubyte", place.dir);
    write_packed(path, 0, pair.images, sizeof pair.images);
#endif
    hnt_fails(hn_dataset_open_fashion_mnist(&d, context, place.dir, 1), HN_E_IO, "neither train-labels");
    ck_assert_ptr_null(d);
    snprintf(path, sizeof path, "%s/train-labels-idx1-ubyte", place.dir);
    write_packed(path, 0, pair.labels, sizeof pair.labels);
    hnt_ok(hn_dataset_open_fashion_mnist(&d, context, place.dir, 1));
    check_pair(d, &pair);
    hn_dataset_release(d);
    hn_context_destroy(context);
}
END_TEST

/* The real set, where Debian's dataset-fashion-mnist puts it. */
START_TEST(fashion_mnist_real)
{
    static const char dir[] = "/usr/share/datasets/fashion-mnist";
    if (access(dir, R_OK) != 0) {
        printf("passing over the real Fashion-MNIST: Debian's dataset-fashion-mnist is not installed\n");
        return;
    }
    hn_context *context = hnt_context(1);
    hn_dataset *d = NULL;
    hn_status status = hn_dataset_open_fashion_mnist(&d, context, dir, 1);
#ifndef HNI_HAVE_ZLIB
    ck_assert_int_eq(status, HN_E_UNSUPPORTED);
#else
    hnt_ok(status);
    ck_assert_int_eq(hn_dataset_count(d), 60000);
    int64_t counts[10];
    hn_dataset_class_counts(d, counts);
    for (int c = 0; c < 10; ++c)
        ck_assert_int_eq(counts[c], 6000);
    uint8_t pixels[784];
    hnt_ok(hn_dataset_read(d, 0, pixels)); /* an ankle boot */
    ck_assert_int_eq(hn_dataset_labels(d)[0], 9);
    int64_t sum = 0;
    for (int i = 0; i < 784; ++i)
        sum += pixels[i];
    ck_assert_int_eq(sum, 76247);
    hn_dataset_release(d);
    hnt_ok(hn_dataset_open_fashion_mnist(&d, context, dir, 0));
    ck_assert_int_eq(hn_dataset_count(d), 10000);
    hn_dataset_release(d);
#endif
    hn_context_destroy(context);
}
END_TEST

/* ---- CIFAR ------------------------------------------------------------------------------------------------------------ */

enum { CIFAR_IMAGE = 3072 };

/* A file of `records` records whose pixel bytes are (record + first) * 5 + position. */
static void write_cifar(const char *dir, const char *name, int records, size_t head, int first)
{
    static uint8_t content[4 * (2 + CIFAR_IMAGE)];
    char path[PATH_SIZE];
    size_t size = head + CIFAR_IMAGE;
    for (int r = 0; r < records; ++r) {
        uint8_t *record = content + (size_t)r * size;
        record[0] = (uint8_t)((first + r) % 10);
        record[head - 1] = (uint8_t)(head == 1 ? (first + r) % 10 : (first + r) * 30 % 100);
        for (int i = 0; i < CIFAR_IMAGE; ++i)
            record[(int)head + i] = (uint8_t)((first + r) * 5 + i);
    }
    snprintf(path, sizeof path, "%s/%s", dir, name);
    hnt_write_file(path, content, (size_t)records * size);
}

static void check_cifar(hn_dataset *d, int64_t n, int32_t classes)
{
    uint8_t got[CIFAR_IMAGE];
    ck_assert_int_eq(hn_dataset_count(d), n);
    ck_assert_int_eq(hn_dataset_classes(d), classes);
    hn_image_shape shape = hn_dataset_shape(d);
    ck_assert(shape.height == 32 && shape.width == 32 && shape.channels == 3);
    for (int64_t i = 0; i < n; ++i) {
        hnt_ok(hn_dataset_read(d, i, got));
        ck_assert_int_eq(hn_dataset_labels(d)[i], classes == 10 ? i % 10 : i * 30 % 100);
        for (int p = 0; p < 1024; ++p)
            for (int c = 0; c < 3; ++c)
                ck_assert_uint_eq(got[3 * p + c], (uint8_t)(i * 5 + c * 1024 + p));
    }
}

START_TEST(cifar_files)
{
    hn_context *context = hnt_context(1);
    struct place place = make_place();
    hn_dataset *d = NULL;
    for (int i = 1; i <= 5; ++i) {
        char name[32];
        hnt_fails(hn_dataset_open_cifar(&d, context, place.dir, 10, 1), HN_E_IO, "data_batch_");
        snprintf(name, sizeof name, "data_batch_%d.bin", i);
        write_cifar(place.dir, name, 2, 1, 2 * (i - 1));
    }
    hnt_ok(hn_dataset_open_cifar(&d, context, place.dir, 10, 1));
    check_cifar(d, 10, 10);
    hn_dataset_release(d);
    write_cifar(place.dir, "test_batch.bin", 3, 1, 0);
    hnt_ok(hn_dataset_open_cifar(&d, context, place.dir, 10, 0));
    check_cifar(d, 3, 10);
    hn_dataset_release(d);
    for (int train = 0; train < 2; ++train) {
        write_cifar(place.dir, train ? "train.bin" : "test.bin", 4, 2, 0);
        hnt_ok(hn_dataset_open_cifar(&d, context, place.dir, 100, train));
        check_cifar(d, 4, 100);
        hn_dataset_release(d);
        hnt_ok(hn_dataset_open_cifar100_coarse(&d, context, place.dir, train));
        ck_assert_int_eq(hn_dataset_count(d), 4);
        ck_assert_int_eq(hn_dataset_classes(d), 20);
        for (int i = 0; i < 4; ++i)
            ck_assert_int_eq(hn_dataset_labels(d)[i], i);
        hn_dataset_release(d);
    }
    hn_context_destroy(context);
}
END_TEST

START_TEST(cifar_wrong)
{
    static uint8_t content[2 * (2 + CIFAR_IMAGE)];
    hn_context *context = hnt_context(1);
    struct place place = make_place();
    char ten[PATH_SIZE], hundred[PATH_SIZE];
    hn_dataset *d = NULL;
    snprintf(ten, sizeof ten, "%s/test_batch.bin", place.dir);
    snprintf(hundred, sizeof hundred, "%s/test.bin", place.dir);
#define TEN(size, text)                                                                     \
    do {                                                                                    \
        hnt_write_file(ten, content, size);                                                 \
        hnt_fails(hn_dataset_open_cifar(&d, context, place.dir, 10, 0), HN_E_FORMAT, text); \
    } while (0)
#define HUNDRED(size, text)                                                                  \
    do {                                                                                     \
        hnt_write_file(hundred, content, size);                                              \
        hnt_fails(hn_dataset_open_cifar(&d, context, place.dir, 100, 0), HN_E_FORMAT, text); \
    } while (0)
    TEN(0, "has 0 bytes");
    TEN(1, "test_batch.bin has 1 bytes");
    TEN(3072, "multiple of its record's 3073");
    TEN(3074, "multiple");
    HUNDRED(3073, "multiple of its record's 3074");
    content[3073] = 10;
    TEN(2 * 3073, "test_batch.bin: record 1: label 10; it must be below 10");
    content[3073] = 0;
    content[3074] = 20;
    HUNDRED(2 * 3074, "test.bin: record 1: coarse label 20");
    content[3074] = 0;
    content[3075] = 100;
    HUNDRED(2 * 3074, "record 1: label 100; it must be below 100");
    content[0] = 0x1f;
    content[1] = 0x8b;
    content[2] = 8;
    hnt_write_file(ten, content, 3073);
#ifdef HNI_HAVE_ZLIB
    hnt_fails(hn_dataset_open_cifar(&d, context, place.dir, 10, 0), HN_E_FORMAT, "is gzip");
#else
    hnt_fails(hn_dataset_open_cifar(&d, context, place.dir, 10, 0), HN_E_UNSUPPORTED, "is gzip");
#endif
#undef TEN
#undef HUNDRED
    hnt_fails(hn_dataset_open_cifar100_coarse(&d, context, place.dir, 0), HN_E_FORMAT,
              "label 100; it must be below 100");
    hnt_fails(hn_dataset_open_cifar100_coarse(&d, context, NULL, 0), HN_E_ARG, "coarse: directory is NULL");
    hnt_fails(hn_dataset_open_cifar100_coarse(&d, context, place.images, 1), HN_E_IO, "train.bin");
    hnt_fails(hn_dataset_open_cifar(&d, context, place.dir, 20, 0), HN_E_ARG, "classes is 20");
    hnt_fails(hn_dataset_open_cifar(&d, context, NULL, 10, 0), HN_E_ARG, "directory is NULL");
    hnt_fails(hn_dataset_open_cifar(NULL, context, place.dir, 10, 0), HN_E_ARG, "out is NULL");
    hnt_fails(hn_dataset_open_cifar(&d, context, place.images, 10, 1), HN_E_IO, "data_batch_1.bin");
    ck_assert_ptr_null(d);
    hn_context_destroy(context);
}
END_TEST

/* ---- allocations that fail --------------------------------------------------------------------------------------------- */

static struct place files;

/* 0: IDX, in a directory of Fashion-MNIST's names; 1: CIFAR-10. */
static hn_status attempt(hn_context *context, const void *which)
{
    hn_dataset *d = NULL;
    const hn_status status = *(const int *)which == 0 ? hn_dataset_open_fashion_mnist(&d, context, files.dir, 1)
                                                      : hn_dataset_open_cifar(&d, context, files.dir, 10, 0);
    ck_assert((status == HN_OK) == (d != NULL));
    hn_dataset_release(d);
    return status;
}

START_TEST(allocation_failures)
{
    struct pair pair = good_pair();
    char path[PATH_SIZE];
    files = make_place();
    snprintf(path, sizeof path, "%s/train-images-idx3-ubyte.gz", files.dir);
    write_packed(path, 1, pair.images, sizeof pair.images);
    snprintf(path, sizeof path, "%s/train-labels-idx1-ubyte.gz", files.dir);
    write_packed(path, 1, pair.labels, sizeof pair.labels);
    write_cifar(files.dir, "test_batch.bin", 3, 1, 0);
    for (int which = 0; which < 2; ++which)
        hnt_survives(attempt, &which, 2);
}
END_TEST

/* A file may promise anything: what is asked of the allocator stays in proportion to what is there. */
START_TEST(hostile_sizes_are_not_allocated)
{
    struct place place = make_place();
    struct pair pair = good_pair();
    memcpy(pair.labels + 4, "\x7f\xff\xff\xff", 4);
    for (int gzip = 0; gzip < 2; ++gzip) {
        hnt_counter counter = {.fail_at = -1};
        hn_context *context = NULL;
        hn_dataset *d = NULL;
        write_packed(place.labels, gzip, pair.labels, sizeof pair.labels);
        write_packed(place.images, gzip, pair.images, sizeof pair.images);
        hnt_ok(hnt_counting_context(&context, &counter, 1));
        int64_t before = counter.calls;
        hnt_fails(OPEN(&d), HN_E_FORMAT, place.labels);
        ck_assert_int_le(counter.calls - before, 4); /* the file's handle and zlib's state, no content */
        hn_context_destroy(context);
        ck_assert_int_eq(counter.alive, 0);
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("dataset_files");
    TCase *unit = hnt_case(s, "unit"), *oom = hnt_case(s, "oom");
    tcase_add_test(unit, idx_plain_and_gzip);
    tcase_add_test(unit, idx_truncated_anywhere);
    tcase_add_test(unit, idx_wrong_content);
    tcase_add_test(unit, idx_no_file);
#ifdef HNI_HAVE_ZLIB
    tcase_add_test(unit, gzip_garbage);
#else
    tcase_add_test(unit, gzip_without_zlib);
#endif
    tcase_add_test(unit, fashion_mnist_directory);
    tcase_add_test(unit, fashion_mnist_real);
    tcase_add_test(unit, cifar_files);
    tcase_add_test(unit, cifar_wrong);
    tcase_add_test(oom, allocation_failures);
    tcase_add_test(oom, hostile_sizes_are_not_allocated);
    return s;
}

HNT_MAIN(suite)
