/* CIFAR's binary files: records of one label byte (CIFAR-10) or coarse and fine label (CIFAR-100), then the red, green
 * and blue planes of 32x32 bytes.                                                                                        */
#include "base/error.h"
#include "base/memory.h"
#include "data/dataset.h"
#include "io/file.h"

#include <inttypes.h>
#include <stdbool.h>

enum { SIDE = 32, PLANE = SIDE * SIDE, IMAGE = 3 * PLANE, MAX_FILES = 5, COARSE_CLASSES = 20 };

/* One of the four sets. */
struct part {
    int32_t files, classes;
    size_t head; /* label bytes a record */
    const char *names[MAX_FILES];
};

static const struct part parts[2][2] = {
    {{1, 10, 1, {"test_batch.bin"}},
     {5, 10, 1, {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"}}},
    {{1, 100, 2, {"test.bin"}}, {1, 100, 2, {"train.bin"}}}};

struct input {
    char *path;
    hni_file *file;
    int64_t records;
};

/* What is being read: the whole set's pixels and labels, filled up to `done`. */
struct target {
    uint8_t *pixels;
    int32_t *labels;
    size_t pixel_bytes, label_bytes;
    int64_t done;
};

static hn_status open_input(struct input *in, hn_context *context, const char *function, const char *directory,
                            const char *name, const struct part *part)
{
    in->path = hni_path_join(context, directory, name);
    HNI_FAIL_IF(in->path == NULL, HN_E_NOMEM, "%s: out of memory", function);
    HNI_TRY(hni_file_open(&in->file, context, function, in->path));
    uint64_t size = hni_file_size(in->file), record = part->head + IMAGE;
    HNI_FAIL_IF(hni_file_compressed(in->file), HN_E_FORMAT, "%s: %s is gzip; unpack it", function, in->path);
    HNI_FAIL_IF(size == 0 || size % record != 0, HN_E_FORMAT,
                "%s: %s has %" PRIu64 " bytes; they must be a positive multiple of its record's %" PRIu64, function,
                in->path, size, record);
    in->records = (int64_t)(size / record);
    return HN_OK;
}

static hn_status check_label(const struct input *in, const char *function, int64_t record, const char *kind,
                             int32_t label, int32_t classes)
{
    HNI_FAIL_IF(label >= classes, HN_E_FORMAT, "%s: %s: record %" PRId64 ": %s %d; it must be below %d", function,
                in->path, record, kind, (int)label, (int)classes);
    return HN_OK;
}

/* Of CIFAR-100's two labels, both are checked; coarse says which is taken. */
static hn_status read_input(const struct input *in, const char *function, const struct part *part, bool coarse,
                            struct target *t)
{
    unsigned char record[2 + IMAGE];
    for (int64_t r = 0; r < in->records; ++r) {
        HNI_TRY(hni_file_read(in->file, record, part->head + IMAGE));
        if (part->head == 2)
            HNI_TRY(check_label(in, function, r, "coarse label", record[0], COARSE_CLASSES));
        int32_t label = record[part->head - 1];
        HNI_TRY(check_label(in, function, r, "label", label, part->classes));
        const unsigned char *planes = record + part->head;
        uint8_t *image = t->pixels + (size_t)t->done * IMAGE;
        for (size_t p = 0; p < PLANE; ++p)
            for (size_t c = 0; c < 3; ++c)
                image[3 * p + c] = planes[c * PLANE + p];
        t->labels[t->done++] = coarse ? record[0] : label;
    }
    return hni_file_end(in->file);
}

static hn_status read_inputs(hn_dataset **out, hn_context *context, const char *function, const struct input *inputs,
                             const struct part *part, bool coarse)
{
    const hn_image_shape shape = {SIDE, SIDE, 3};
    struct target t = {.done = 0};
    int64_t n = 0;
    for (int32_t i = 0; i < part->files; ++i)
        n += inputs[i].records;
    HNI_TRY(hni_image_bytes(&shape, n, function, &t.pixel_bytes));
    t.label_bytes = (size_t)n * sizeof *t.labels;
    t.pixels = hni_alloc(context, t.pixel_bytes);
    t.labels = hni_alloc(context, t.label_bytes);
    hn_status status = HN_OK;
    if (t.pixels == NULL || t.labels == NULL)
        status = hni_no_memory(function, t.pixel_bytes);
    for (int32_t i = 0; i < part->files && status == HN_OK; ++i)
        status = read_input(&inputs[i], function, part, coarse, &t);
    if (status == HN_OK)
        status = hni_dataset_new_memory(out, context, function, &shape, t.pixels, t.pixel_bytes, t.labels, n,
                                        coarse ? COARSE_CLASSES : part->classes);
    hni_release(context, t.labels, t.label_bytes);
    if (status < 0)
        hni_release(context, t.pixels, t.pixel_bytes);
    return status;
}

static hn_status open_part(hn_dataset **out, hn_context *context, const char *function, const char *directory,
                           const struct part *part, bool coarse)
{
    HNI_FAIL_IF(out == NULL || context == NULL || directory == NULL, HN_E_ARG, "%s: %s is NULL", function,
                out == NULL ? "out" : (context == NULL ? "context" : "directory"));
    struct input inputs[MAX_FILES] = {{NULL, NULL, 0}};
    hn_status status = HN_OK;
    for (int32_t i = 0; i < part->files && status == HN_OK; ++i)
        status = open_input(&inputs[i], context, function, directory, part->names[i], part);
    if (status == HN_OK)
        status = read_inputs(out, context, function, inputs, part, coarse);
    for (int32_t i = 0; i < part->files; ++i) {
        hni_file_close(inputs[i].file);
        hni_release_string(context, inputs[i].path);
    }
    return status;
}

hn_status hn_dataset_open_cifar(hn_dataset **out, hn_context *context, const char *directory, int32_t classes,
                                int32_t train)
{
    static const char function[] = "hn_dataset_open_cifar";
    HNI_FAIL_IF(classes != 10 && classes != 100, HN_E_ARG, "%s: classes is %d; it must be 10 or 100", function,
                (int)classes);
    return open_part(out, context, function, directory, &parts[classes == 100][train != 0], false);
}

hn_status hn_dataset_open_cifar100_coarse(hn_dataset **out, hn_context *context, const char *directory, int32_t train)
{
    return open_part(out, context, "hn_dataset_open_cifar100_coarse", directory, &parts[1][train != 0], true);
}
