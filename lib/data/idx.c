/* IDX, MNIST's format: magic 0x00000800 + number of dimensions (ubyte), big-endian dimensions, then the bytes. */
#include "base/error.h"
#include "base/memory.h"
#include "data/dataset.h"
#include "io/file.h"

#include <inttypes.h>

enum { MAGIC_UBYTE = 0x800, MAX_DIMS = 3 };

static uint32_t big_endian(const unsigned char b[4])
{
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* The header, checked against the file's size: after it, that many bytes may be asked of the allocator. */
static hn_status read_header(hni_file *file, const char *function, const char *path, int dims, uint32_t dim[MAX_DIMS],
                             size_t *bytes)
{
    unsigned char head[4 + 4 * MAX_DIMS];
    size_t size = 4 + 4 * (size_t)dims, content = 1, total;
    HNI_TRY(hni_file_read(file, head, size));
    uint32_t magic = big_endian(head), want = MAGIC_UBYTE + (uint32_t)dims;
    HNI_FAIL_IF(magic != want, HN_E_FORMAT,
                "%s: %s begins with 0x%08" PRIx32 "; IDX with %d dimensions of bytes is 0x%08" PRIx32, function, path,
                magic, dims, want);
    for (int i = 0; i < dims; ++i) {
        dim[i] = big_endian(head + 4 + 4 * i);
        HNI_FAIL_IF(dim[i] == 0 || dim[i] > INT32_MAX, HN_E_FORMAT,
                    "%s: %s: dimension %d is %" PRIu32 "; it must be in [1, 2^31)", function, path, i, dim[i]);
        HNI_FAIL_IF(!hni_size_mul(content, dim[i], &content), HN_E_FORMAT, "%s: %s: its dimensions overflow", function,
                    path);
    }
    HNI_FAIL_IF(!hni_size_add(content, size, &total), HN_E_FORMAT, "%s: %s: its dimensions overflow", function, path);
    *bytes = content;
    return hni_file_expect(file, total);
}

/* One whole file; *data is the caller's to release, *bytes long. */
static hn_status read_idx(uint8_t **data, size_t *bytes, uint32_t dim[MAX_DIMS], hn_context *context,
                          const char *function, const char *path, int dims)
{
    hni_file *file;
    size_t size = 0;
    HNI_TRY(hni_file_open(&file, context, function, path));
    uint8_t *content = NULL;
    hn_status status = read_header(file, function, path, dims, dim, &size);
    if (status == HN_OK) {
        content = hni_alloc(context, size);
        status = content == NULL ? hni_no_memory(function, size) : hni_file_read(file, content, size);
    }
    if (status == HN_OK)
        status = hni_file_end(file);
    hni_file_close(file);
    if (status != HN_OK) {
        hni_release(context, content, size);
        return status;
    }
    *data = content;
    *bytes = size;
    return HN_OK;
}

/* The dataset of both files' contents; takes the pixels over on HN_OK. */
static hn_status join(hn_dataset **out, hn_context *context, const char *function, const hn_image_shape *shape,
                      const uint8_t *pixels, size_t pixel_bytes, const uint8_t *raw_labels, int64_t n)
{
    size_t label_bytes;
    if (!hni_size_mul((size_t)n, sizeof(int32_t), &label_bytes))
        return hni_no_memory(function, SIZE_MAX);
    int32_t *labels = hni_alloc(context, label_bytes), largest = 0;
    if (labels == NULL)
        return hni_no_memory(function, label_bytes);
    for (int64_t i = 0; i < n; ++i) {
        labels[i] = raw_labels[i];
        largest = labels[i] > largest ? labels[i] : largest;
    }
    hn_status status =
        hni_dataset_new_memory(out, context, function, shape, pixels, pixel_bytes, labels, n, largest + 1);
    hni_release(context, labels, label_bytes);
    return status;
}

static hn_status open_pair(hn_dataset **out, hn_context *context, const char *function, const char *images_path,
                           const char *labels_path)
{
    uint8_t *pixels = NULL, *labels = NULL;
    size_t pixel_bytes = 0, label_bytes = 0;
    uint32_t dim[MAX_DIMS], label_dim[MAX_DIMS];
    hn_status status = read_idx(&labels, &label_bytes, label_dim, context, function, labels_path, 1);
    if (status == HN_OK)
        status = read_idx(&pixels, &pixel_bytes, dim, context, function, images_path, 3);
    if (status == HN_OK && dim[0] != label_dim[0])
        status = hni_fail(HN_E_FORMAT, "%s: %s has %" PRIu32 " images, %s has %" PRIu32 " labels", function,
                          images_path, dim[0], labels_path, label_dim[0]);
    if (status == HN_OK) {
        const hn_image_shape shape = {(int32_t)dim[1], (int32_t)dim[2], 1};
        status = join(out, context, function, &shape, pixels, pixel_bytes, labels, dim[0]);
    }
    hni_release(context, labels, label_bytes);
    if (status < 0)
        hni_release(context, pixels, pixel_bytes);
    return status;
}

hn_status hn_dataset_open_idx(hn_dataset **out, hn_context *context, const char *images_path, const char *labels_path)
{
    static const char function[] = "hn_dataset_open_idx";
    HNI_FAIL_IF(out == NULL || context == NULL, HN_E_ARG, "%s: %s is NULL", function, out == NULL ? "out" : "context");
    HNI_FAIL_IF(images_path == NULL || labels_path == NULL, HN_E_ARG, "%s: %s is NULL", function,
                images_path == NULL ? "images_path" : "labels_path");
    return open_pair(out, context, function, images_path, labels_path);
}

/* The path of NAME or NAME.gz in the directory, whichever is there, the plain one first. */
static hn_status find_file(char **path, hn_context *context, const char *function, const char *directory,
                           const char *const names[2])
{
    for (int i = 0; i < 2; ++i) {
        bool exists = false;
        char *candidate = hni_path_join(context, directory, names[i]);
        HNI_FAIL_IF(candidate == NULL, HN_E_NOMEM, "%s: out of memory", function);
        hn_status status = hni_file_look(function, candidate, &exists);
        if (exists)
            *path = candidate;
        else
            hni_release_string(context, candidate);
        if (exists || status < 0)
            return status;
    }
    return hni_fail(HN_E_IO, "%s: %s holds neither %s nor %s", function, directory, names[0], names[1]);
}

hn_status hn_dataset_open_fashion_mnist(hn_dataset **out, hn_context *context, const char *directory, int32_t train)
{
    static const char function[] = "hn_dataset_open_fashion_mnist";
    static const char *const images[2][2] = {{"t10k-images-idx3-ubyte", "t10k-images-idx3-ubyte.gz"},
                                             {"train-images-idx3-ubyte", "train-images-idx3-ubyte.gz"}};
    static const char *const labels[2][2] = {{"t10k-labels-idx1-ubyte", "t10k-labels-idx1-ubyte.gz"},
                                             {"train-labels-idx1-ubyte", "train-labels-idx1-ubyte.gz"}};
    HNI_FAIL_IF(out == NULL || context == NULL || directory == NULL, HN_E_ARG, "%s: %s is NULL", function,
                out == NULL ? "out" : (context == NULL ? "context" : "directory"));
    char *images_path = NULL, *labels_path = NULL;
    hn_status status = find_file(&images_path, context, function, directory, images[train != 0]);
    if (status == HN_OK)
        status = find_file(&labels_path, context, function, directory, labels[train != 0]);
    if (status == HN_OK)
        status = open_pair(out, context, function, images_path, labels_path);
    hni_release_string(context, images_path);
    hni_release_string(context, labels_path);
    return status;
}
