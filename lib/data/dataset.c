#include "data/dataset.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/options.h"

#include <inttypes.h>
#include <string.h>

hn_status hni_image_bytes(const hn_image_shape *shape, int64_t n, const char *function, size_t *bytes)
{
    HNI_FAIL_IF(shape == NULL, HN_E_ARG, "%s: shape is NULL", function);
    HNI_FAIL_IF(shape->height < 1 || shape->width < 1 || shape->channels < 1, HN_E_SHAPE,
                "%s: the image shape is %dx%dx%d; each must be positive", function, (int)shape->height,
                (int)shape->width, (int)shape->channels);
    HNI_FAIL_IF(n < 1, HN_E_ARG, "%s: n is %" PRId64 "; it must be positive", function, n);
    /* One image within 2^31 bytes: products of its dimensions never need a check again. */
    size_t image = (size_t)shape->height, total;
    HNI_FAIL_IF(!hni_size_mul(image, (size_t)shape->width, &image) ||
                    !hni_size_mul(image, (size_t)shape->channels, &image) || image > INT32_MAX,
                HN_E_SHAPE, "%s: an image of %dx%dx%d is too large", function, (int)shape->height, (int)shape->width,
                (int)shape->channels);
    HNI_FAIL_IF(!hni_size_mul(image, (size_t)n, &total) || total > (size_t)INT64_MAX / 8, HN_E_SHAPE,
                "%s: %" PRId64 " images of %zu bytes are too large to address", function, n, image);
    *bytes = total;
    return HN_OK;
}

hn_status hni_dataset_new(hn_dataset **out, hn_context *context, const char *function, const hn_image_shape *shape,
                          const int32_t *labels, int64_t n, int32_t classes, const hni_dataset_source *source)
{
    const hn_image_shape any_size = {0, 0, 3};
    size_t image = 0, bytes, label_bytes;
    HNI_FAIL_IF(out == NULL || context == NULL || labels == NULL, HN_E_ARG, "%s: %s is NULL", function,
                out == NULL ? "out" : (context == NULL ? "context" : "labels"));
    if (source->load == NULL) {
        HNI_TRY(hni_image_bytes(shape, 1, function, &image));
        HNI_TRY(hni_image_bytes(shape, n, function, &bytes));
    }
    HNI_FAIL_IF(n < 1, HN_E_ARG, "%s: n is %" PRId64 "; it must be positive", function, n);
    HNI_FAIL_IF(classes < 1, HN_E_ARG, "%s: classes is %d; it must be positive", function, (int)classes);
    HNI_FAIL_IF(!hni_size_mul((size_t)n, sizeof *labels, &label_bytes), HN_E_SHAPE, "%s: n is %" PRId64, function, n);
    for (int64_t i = 0; i < n; ++i)
        HNI_FAIL_IF(labels[i] < 0 || labels[i] >= classes, HN_E_LABEL,
                    "%s: label %d of image %" PRId64 " is not in [0, %d)", function, (int)labels[i], i, (int)classes);
    hn_dataset *d = hni_alloc(context, sizeof *d);
    if (d == NULL)
        return hni_no_memory(function, sizeof *d);
    int32_t *copy = hni_alloc(context, label_bytes);
    if (copy == NULL) {
        hni_release(context, d, sizeof *d);
        return hni_no_memory(function, label_bytes);
    }
    memcpy(copy, labels, label_bytes);
    *d = (hn_dataset){.context = context,
                      .shape = source->load == NULL ? *shape : any_size,
                      .image_bytes = image,
                      .count = n,
                      .classes = classes,
                      .labels = copy,
                      .source = *source};
    atomic_init(&d->references, 1);
    *out = d;
    return HN_OK;
}

int64_t hn_dataset_count(const hn_dataset *dataset)
{
    return dataset == NULL ? 0 : dataset->count;
}

int32_t hn_dataset_classes(const hn_dataset *dataset)
{
    return dataset == NULL ? 0 : dataset->classes;
}

hn_image_shape hn_dataset_shape(const hn_dataset *dataset)
{
    return dataset == NULL ? (hn_image_shape){0, 0, 0} : dataset->shape;
}

const int32_t *hn_dataset_labels(const hn_dataset *dataset)
{
    return dataset == NULL ? NULL : dataset->labels;
}

void hn_dataset_class_counts(const hn_dataset *dataset, int64_t *counts)
{
    if (dataset == NULL || counts == NULL)
        return;
    memset(counts, 0, (size_t)dataset->classes * sizeof *counts);
    for (int64_t i = 0; i < dataset->count; ++i)
        counts[dataset->labels[i]]++;
}

const char *hn_dataset_class_name(const hn_dataset *dataset, int32_t class_index)
{
    if (dataset == NULL || dataset->source.class_name == NULL || class_index < 0 || class_index >= dataset->classes)
        return NULL;
    return dataset->source.class_name(dataset->source.user, class_index);
}

hn_status hn_dataset_read(const hn_dataset *dataset, int64_t index, uint8_t *pixels)
{
    HNI_FAIL_IF(dataset == NULL || pixels == NULL, HN_E_ARG, "hn_dataset_read: %s is NULL",
                dataset == NULL ? "dataset" : "pixels");
    HNI_FAIL_IF(index < 0 || index >= dataset->count, HN_E_ARG,
                "hn_dataset_read: index %" PRId64 " is not in [0, %" PRId64 ")", index, dataset->count);
    HNI_FAIL_IF(dataset->source.read == NULL, HN_E_SHAPE,
                "hn_dataset_read: the images of this dataset differ in size; a loader gives them one");
    return dataset->source.read(dataset->source.user, index, pixels);
}

hn_status hni_dataset_load(const hn_dataset *dataset, int64_t index, hni_image *image)
{
    HNI_FAIL_IF(index < 0 || index >= dataset->count, HN_E_ARG, "%s: index %" PRId64 " is not in [0, %" PRId64 ")",
                image->function, index, dataset->count);
    HNI_FAIL_IF(dataset->source.load == NULL, HN_E_ARG, "%s: the images of this dataset are no files", image->function);
    return dataset->source.load(dataset->source.user, index, image);
}

hn_dataset *hn_dataset_retain(hn_dataset *dataset)
{
    if (dataset != NULL)
        atomic_fetch_add_explicit(&dataset->references, 1, memory_order_relaxed);
    return dataset;
}

void hn_dataset_release(hn_dataset *dataset)
{
    /* acq_rel: whoever frees has seen everything the others did. */
    if (dataset == NULL || atomic_fetch_sub_explicit(&dataset->references, 1, memory_order_acq_rel) != 1)
        return;
    hn_context *context = dataset->context;
    if (dataset->source.release != NULL)
        dataset->source.release(dataset->source.user);
    hni_release(context, dataset->labels, (size_t)dataset->count * sizeof *dataset->labels);
    hni_release(context, dataset, sizeof *dataset);
}

/* ---- the caller's own source ----------------------------------------------------------------------------------- */

struct custom {
    hn_context *context;
    hn_dataset_ops ops;
    void *user;
};

/* The caller's function has no way to set the library's sentence: this names the image and the status. */
static hn_status custom_read(void *user, int64_t index, uint8_t *pixels)
{
    const struct custom *c = user;
    hn_status status = c->ops.read(c->user, index, pixels);
    if (status == HN_OK)
        return HN_OK;
    return hni_fail(status < 0 ? status : HN_E_STATE,
                    "hn_dataset_read: the source's read of image %" PRId64 " returned %s (%d)", index,
                    hn_status_name(status), (int)status);
}

static void custom_release(void *user)
{
    struct custom *c = user;
    if (c->ops.release != NULL)
        c->ops.release(c->user);
    hni_release(c->context, c, sizeof *c);
}

hn_status hn_dataset_create_custom(hn_dataset **out, hn_context *context, const hn_image_shape *shape,
                                   const int32_t *labels, int64_t n, int32_t classes, const hn_dataset_ops *ops,
                                   void *user)
{
    static const char function[] = "hn_dataset_create_custom";
    hn_dataset_ops o = {.struct_size = sizeof o};
    HNI_FAIL_IF(context == NULL || ops == NULL, HN_E_ARG, "%s: %s is NULL", function,
                context == NULL ? "context" : "ops");
    HNI_TRY(hni_options_read(&o, sizeof o, ops, function));
    HNI_FAIL_IF(o.read == NULL, HN_E_ARG, "%s: ops.read is NULL", function);
    struct custom *c = hni_alloc(context, sizeof *c);
    if (c == NULL)
        return hni_no_memory(function, sizeof *c);
    *c = (struct custom){.context = context, .ops = o, .user = user};
    const hni_dataset_source source = {.read = custom_read, .release = custom_release, .user = c};
    hn_status status = hni_dataset_new(out, context, function, shape, labels, n, classes, &source);
    if (status < 0)
        hni_release(context, c, sizeof *c);
    return status;
}

/* ---- subset ---------------------------------------------------------------------------------------------------- */

struct subset {
    hn_dataset *base;
    int64_t *index; /* [n] */
    size_t bytes;
};

static hn_status subset_read(void *user, int64_t index, uint8_t *pixels)
{
    const struct subset *s = user;
    return hn_dataset_read(s->base, s->index[index], pixels);
}

static hn_status subset_load(void *user, int64_t index, hni_image *image)
{
    const struct subset *s = user;
    return hni_dataset_load(s->base, s->index[index], image);
}

static const char *subset_class_name(void *user, int32_t class_index)
{
    const struct subset *s = user;
    return hn_dataset_class_name(s->base, class_index);
}

static void subset_release(void *user)
{
    struct subset *s = user;
    hn_dataset *base = s->base;
    hni_release(base->context, s->index, s->bytes);
    hni_release(base->context, s, sizeof *s);
    hn_dataset_release(base);
}

static hn_status check_subset(const hn_dataset *base, const int64_t *index, int64_t n, const char *function)
{
    HNI_FAIL_IF(n < 1 || (uint64_t)n > SIZE_MAX / sizeof *index, HN_E_ARG,
                "%s: n is %" PRId64 "; it must be in [1, %" PRId64 "]", function, n,
                (int64_t)(SIZE_MAX / sizeof *index));
    for (int64_t i = 0; i < n; ++i)
        HNI_FAIL_IF(index[i] < 0 || index[i] >= base->count, HN_E_ARG,
                    "%s: index[%" PRId64 "] is %" PRId64 "; it must be in [0, %" PRId64 ")", function, i, index[i],
                    base->count);
    return HN_OK;
}

hn_status hn_dataset_create_subset(hn_dataset **out, hn_dataset *base, const int64_t *index, int64_t n)
{
    static const char function[] = "hn_dataset_create_subset";
    HNI_FAIL_IF(out == NULL || base == NULL || index == NULL, HN_E_ARG, "%s: %s is NULL", function,
                out == NULL ? "out" : (base == NULL ? "base" : "index"));
    HNI_TRY(check_subset(base, index, n, function));
    hn_context *context = base->context;
    size_t bytes = (size_t)n * sizeof *index, label_bytes = (size_t)n * sizeof *base->labels;
    struct subset *s = hni_alloc(context, sizeof *s);
    int64_t *copy = hni_alloc(context, bytes);
    int32_t *labels = hni_alloc(context, label_bytes);
    hn_status status = HN_OK;
    if (s == NULL || copy == NULL || labels == NULL) {
        status = hni_no_memory(function, bytes);
    } else {
        memcpy(copy, index, bytes);
        for (int64_t i = 0; i < n; ++i)
            labels[i] = base->labels[index[i]];
        *s = (struct subset){.base = base, .index = copy, .bytes = bytes};
        const bool files = hni_dataset_has_files(base);
        const hni_dataset_source source = {.read = files ? NULL : subset_read,
                                           .load = files ? subset_load : NULL,
                                           .class_name = base->source.class_name != NULL ? subset_class_name : NULL,
                                           .release = subset_release,
                                           .user = s};
        status = hni_dataset_new(out, context, function, &base->shape, labels, n, base->classes, &source);
    }
    hni_release(context, labels, label_bytes);
    if (status < 0) {
        hni_release(context, copy, bytes);
        hni_release(context, s, sizeof *s);
        return status;
    }
    hn_dataset_retain(base);
    return HN_OK;
}
