#include "reader_case.h"

#include "data/dataset.h"
#include "image_maker.h"

#include <dirent.h>
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

#ifdef HNI_HAVE_JANSSON
enum { HAVE_JSON = 1 };
#else
enum { HAVE_JSON = 0 };
#endif

#if defined(HNI_HAVE_JPEG) && defined(HNI_HAVE_PNG)
enum { HAVE_IMAGES = 1 };
#else
enum { HAVE_IMAGES = 0 };
#endif

enum { PATH_SIZE = 600, CIFAR_IMAGE = 3072, RECORDS = 12 };

/* Valid until the third call after it. */
static const char *below(const char *dir, const char *name)
{
    static char paths[3][PATH_SIZE];
    static int next;
    char *path = paths[next++ % 3];
    snprintf(path, PATH_SIZE, "%s/%s", dir, name);
    return path;
}

/* ---- the table ------------------------------------------------------------------------------------------------------ */

static hn_status open_idx(hn_dataset **out, hn_context *context, const char *dir)
{
    return hn_dataset_open_idx(out, context, below(dir, "train-images-idx3-ubyte"),
                               below(dir, "train-labels-idx1-ubyte"));
}

static hn_status open_fashion(hn_dataset **out, hn_context *context, const char *dir)
{
    return hn_dataset_open_fashion_mnist(out, context, dir, 1);
}

static hn_status open_packed_fashion(hn_dataset **out, hn_context *context, const char *dir)
{
    return hn_dataset_open_fashion_mnist(out, context, dir, 0);
}

static hn_status open_cifar10(hn_dataset **out, hn_context *context, const char *dir)
{
    return hn_dataset_open_cifar(out, context, dir, 10, 0);
}

static hn_status open_cifar10_train(hn_dataset **out, hn_context *context, const char *dir)
{
    return hn_dataset_open_cifar(out, context, dir, 10, 1);
}

static hn_status open_cifar100(hn_dataset **out, hn_context *context, const char *dir)
{
    return hn_dataset_open_cifar(out, context, dir, 100, 0);
}

static hn_status open_coarse(hn_dataset **out, hn_context *context, const char *dir)
{
    return hn_dataset_open_cifar100_coarse(out, context, dir, 0);
}

static hn_status open_folder(hn_dataset **out, hn_context *context, const char *dir)
{
    return hn_dataset_open_image_folder(out, context, below(dir, "tree"), NULL);
}

static hn_status open_list(hn_dataset **out, hn_context *context, const char *dir)
{
    return hn_dataset_open_image_list(out, context, below(dir, "tree"), below(dir, "list.txt"));
}

static hn_status open_inaturalist(hn_dataset **out, hn_context *context, const char *dir)
{
    return hn_dataset_open_inaturalist(out, context, below(dir, "tree"), below(dir, "all.json"));
}

static hn_status open_long_tail(hn_dataset **out, hn_context *context, const char *dir)
{
    hn_dataset *base = NULL;
    hn_status status = open_cifar10(&base, context, dir);
    if (status == HN_OK)
        status = hn_dataset_create_long_tail(out, base, NULL);
    hn_dataset_release(base);
    return status;
}

static hn_status open_subset(hn_dataset **out, hn_context *context, const char *dir)
{
    static const int64_t order[] = {3, 0, 2};
    hn_dataset *base = NULL;
    hn_status status = open_folder(&base, context, dir);
    if (status == HN_OK)
        status = hn_dataset_create_subset(out, base, order, 3);
    hn_dataset_release(base);
    return status;
}

static hn_status open_split(hn_dataset **out, hn_context *context, const char *dir)
{
    hn_dataset *base = NULL, *rest = NULL;
    hn_status status = open_cifar10(&base, context, dir);
    if (status == HN_OK)
        status = hn_dataset_split(out, &rest, base, 0.5, 1);
    hn_dataset_release(base);
    hn_dataset_release(rest);
    return status;
}

static hn_status open_synthetic(hn_dataset **out, hn_context *context, const char *dir)
{
    (void)dir;
    return hn_dataset_create_synthetic(out, context, 12, 1);
}

const hnt_reader hnt_readers[] = {
    {"idx", open_idx, 1},
    {"fashion_mnist", open_fashion, 1},
    {"fashion_mnist gzip", open_packed_fashion, HAVE_GZIP},
    {"cifar10", open_cifar10, 1},
    {"cifar10 of five files", open_cifar10_train, 1},
    {"cifar100", open_cifar100, 1},
    {"cifar100_coarse", open_coarse, 1},
    {"image_folder", open_folder, HAVE_IMAGES},
    {"image_list", open_list, HAVE_IMAGES},
    {"inaturalist", open_inaturalist, HAVE_IMAGES &&HAVE_JSON},
    {"long_tail", open_long_tail, 1},
    {"subset of files", open_subset, HAVE_IMAGES},
    {"split", open_split, 1},
    {"synthetic", open_synthetic, 1},
};
const int hnt_reader_count = (int)(sizeof hnt_readers / sizeof *hnt_readers);

/* ---- the files ------------------------------------------------------------------------------------------------------ */

static void write_cifar(const char *dir, const char *name, int records, size_t head, int first)
{
    static uint8_t content[RECORDS * (2 + CIFAR_IMAGE)];
    const size_t size = head + CIFAR_IMAGE;
    for (int r = 0; r < records; ++r) {
        uint8_t *record = content + (size_t)r * size;
        record[0] = (uint8_t)((first + r) % 10);
        record[head - 1] = (uint8_t)((first + r) % 10);
        for (int i = 0; i < CIFAR_IMAGE; ++i)
            record[(int)head + i] = (uint8_t)((first + r) * 5 + i * (r + 3) % 251);
    }
    hnt_write_file(below(dir, name), content, (size_t)records * size);
}

/* Plain, and packed under another name, which does nothing in a build without zlib. */
static void write_idx(const char *dir, const char *plain, const char *packed, const uint8_t *content, size_t size)
{
    hnt_write_file(below(dir, plain), content, size);
#ifdef HNI_HAVE_ZLIB
    uint8_t out[4096];
    z_stream z = {
        .next_in = (void *)(uintptr_t)content, .avail_in = (uInt)size, .next_out = out, .avail_out = sizeof out};
    ck_assert_int_eq(deflateInit2(&z, 9, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
    hnt_write_file(below(dir, packed), out, z.total_out);
    deflateEnd(&z);
#else
    (void)packed;
#endif
}

static void write_fashion(const char *dir)
{
    uint8_t images[16 + 4 * 6] = {0, 0, 8, 3, 0, 0, 0, 4, 0, 0, 0, 2, 0, 0, 0, 3};
    static const uint8_t labels[] = {0, 0, 8, 1, 0, 0, 0, 4, 5, 0, 2, 5};
    for (size_t i = 16; i < sizeof images; ++i)
        images[i] = (uint8_t)(i * 7 + 1);
    write_idx(dir, "train-images-idx3-ubyte", "t10k-images-idx3-ubyte.gz", images, sizeof images);
    write_idx(dir, "train-labels-idx1-ubyte", "t10k-labels-idx1-ubyte.gz", labels, sizeof labels);
}

/* Every token is shorter than 16 bytes: jansson does not look whether its buffer for one could grow, and reads on beyond it. */
static const char annotations[] =
    "{\"images\": [{\"id\": 4, \"file_name\": \"x/1.jpg\"}, {\"id\": 9, \"file_name\": \"y/3.png\"}],\n"
    " \"annotations\": [{\"image_id\": 9, \"category_id\": 2}, {\"image_id\": 4, \"category_id\": 1}],\n"
    " \"categories\": [{\"id\": 1, \"name\": \"toad\"}, {\"id\": 2, \"name\": \"newt\"}]}\n";

static void write_tree(const char *dir)
{
    static const char *const names[] = {"tree/x/1.jpg", "tree/x/2.png", "tree/y/1.jpg", "tree/y/3.png",
                                        "tree/y/z/4.jpg"};
    static uint8_t file[HNT_FILE_ROOM];
    static const char *const directories[] = {"tree", "tree/x", "tree/y", "tree/y/z"};
    for (size_t i = 0; i < sizeof directories / sizeof *directories; ++i)
        ck_assert_int_eq(mkdir(below(dir, directories[i]), 0700), 0);
    for (int i = 0; i < (int)(sizeof names / sizeof *names); ++i) {
        const int png = strstr(names[i], ".png") != NULL;
        const size_t size = png ? hnt_make_png(file, 20 + i, 17) : hnt_make_jpeg(file, 30 - i, 40, 0);
        hnt_write_file(below(dir, names[i]), file, size);
    }
    static const char list[] = "x/1.jpg 1\ny/1.jpg 0\nx/2.png 1\n";
    hnt_write_file(below(dir, "list.txt"), list, sizeof list - 1);
    hnt_write_file(below(dir, "all.json"), annotations, sizeof annotations - 1);
}

void hnt_make_files(const char *dir)
{
    char name[32];
    write_fashion(dir);
    write_cifar(dir, "test_batch.bin", RECORDS, 1, 0);
    for (int i = 1; i <= 5; ++i) {
        snprintf(name, sizeof name, "data_batch_%d.bin", i);
        write_cifar(dir, name, 2, 1, i);
    }
    write_cifar(dir, "test.bin", 3, 2, 0);
    write_tree(dir);
}

/* ---- checksums ------------------------------------------------------------------------------------------------------ */

static hn_status add_pixels(hni_crc64 *crc, hn_dataset *d, hn_context *context)
{
    const hn_image_shape shape = hn_dataset_shape(d);
    const size_t bytes = (size_t)shape.height * (size_t)shape.width * (size_t)shape.channels;
    uint8_t *pixels = hnt_alloc(bytes);
    hni_image image;
    hni_image_init(&image, context);
    hn_status status = HN_OK;
    for (int64_t i = 0; i < hn_dataset_count(d) && status == HN_OK; ++i) {
        if (bytes > 0) {
            status = hn_dataset_read(d, i, pixels);
            hni_crc64_add(crc, pixels, bytes);
            continue;
        }
        status = hni_dataset_load(d, i, &image);
        if (status == HN_OK)
            status = hni_image_decode(&image, 1);
        if (status == HN_OK)
            hni_crc64_add(crc, image.pixels, (size_t)image.height * (size_t)image.width * 3);
    }
    hni_image_release(&image);
    free(pixels);
    return status;
}

hn_status hnt_dataset_sum(hn_dataset *d, hn_context *context, uint64_t *sum)
{
    hni_crc64 crc;
    hni_crc64_begin(&crc);
    hni_crc64_add(&crc, hn_dataset_labels(d), (size_t)hn_dataset_count(d) * sizeof(int32_t));
    for (int32_t c = 0; c < hn_dataset_classes(d); ++c) {
        const char *name = hn_dataset_class_name(d, c);
        hni_crc64_add(&crc, name == NULL ? "-" : name, name == NULL ? 1 : strlen(name));
    }
    const hn_status status = add_pixels(&crc, d, context);
    if (status == HN_OK)
        *sum = hni_crc64_value(&crc);
    return status;
}

/* ---- loaders -------------------------------------------------------------------------------------------------------- */

hn_status hnt_open_loader(hn_loader **out, hn_context *context, const char *dir, int32_t workers)
{
    hn_dataset *d = NULL;
    hn_sampler *sampler = NULL;
    hn_augment_options augment;
    hn_augment_options_init(&augment, sizeof augment);
    augment.height = augment.width = 12;
    augment.resize_shorter = 16;
    hn_loader_options o;
    hn_loader_options_init(&o, sizeof o);
    o.batch = 2;
    o.workers = workers;
    o.augment = &augment;
    o.on_corrupt = HN_LOADER_SKIP;
    hn_status status = open_folder(&d, context, dir);
    if (status == HN_OK)
        status = hn_sampler_create(&sampler, context, HN_SAMPLER_INSTANCE_BALANCED, hn_dataset_labels(d),
                                   hn_dataset_count(d), hn_dataset_classes(d), NULL);
    if (status == HN_OK)
        status = hn_loader_create(out, context, d, sampler, &o);
    if (status < 0)
        hn_sampler_destroy(sampler);
    hn_dataset_release(d);
    return status;
}

void hnt_batches_begin(hnt_batches *all)
{
    all->epochs = 0;
    hni_crc64_begin(&all->crc);
}

hn_status hnt_batches_add(hnt_batches *all, hn_loader *loader)
{
    while (all->epochs < 2) {
        hn_batch b = {.struct_size = sizeof b};
        const hn_status status = hn_loader_next(loader, &b);
        ck_assert((status == HN_OK) == (b.images != NULL));
        if (status < 0)
            return status;
        all->epochs += status == HN_END;
        hni_crc64_add(&all->crc, hn_tensor_cdata(b.images), hn_tensor_bytes(b.images));
        hni_crc64_add(&all->crc, b.labels, (size_t)b.n * sizeof *b.labels);
    }
    return HN_END;
}

uint64_t hnt_files_sum(const char *dir)
{
    struct dirent **entries;
    static uint8_t content[1 << 16];
    hni_crc64 crc;
    hni_crc64_begin(&crc);
    const int count = scandir(dir, &entries, NULL, alphasort);
    ck_assert_int_ge(count, 2);
    for (int i = 0; i < count; ++i) {
        FILE *f = fopen(below(dir, entries[i]->d_name), "rb");
        ck_assert_ptr_nonnull(f);
        hni_crc64_add(&crc, entries[i]->d_name, strlen(entries[i]->d_name) + 1);
        for (size_t got; (got = fread(content, 1, sizeof content, f)) > 0;) /* none from a directory */
            hni_crc64_add(&crc, content, got);
        fclose(f);
        free(entries[i]);
    }
    free(entries);
    return hni_crc64_value(&crc);
}

void hnt_empty(const char *dir)
{
    DIR *d = opendir(dir);
    char path[600];
    ck_assert_ptr_nonnull(d);
    for (const struct dirent *e; (e = readdir(d)) != NULL;) {
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        (void)unlink(path);
    }
    closedir(d);
}
