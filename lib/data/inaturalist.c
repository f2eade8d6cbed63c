/* iNaturalist's JSON. What is kept of the three arrays is numbers and paths; sorted by id they are joined at the end,
 * so that the arrays may come in any order.                                                                             */
#include "base/error.h"
#include "base/memory.h"
#include "data/image_set.h"
#include "io/json_arrays.h"

#include <hybridnet/image_files.h>

static const char function[] = "hn_dataset_open_inaturalist";

#ifndef HNI_HAVE_JANSSON

hn_status hn_dataset_open_inaturalist(hn_dataset **out, hn_context *context, const char *root, const char *json_path)
{
    (void)out;
    (void)context;
    (void)root;
    (void)json_path;
    return hni_fail(HN_E_UNSUPPORTED, "%s: this build is without jansson (CMake option HN_SAFETENSORS)", function);
}

#else

#include "io/json_text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* An id and what belongs to it: an image's index, an annotation's category, a category's index. */
struct pair {
    int64_t id, value;
};

struct pairs {
    struct pair *items;
    int64_t count, capacity;
};

struct reader {
    hni_image_set *set;
    const char *path;
    struct pairs images, annotations, categories;
    hni_string_list names; /* of the categories, in the file's order */
    bool all_named;
};

static hn_status add_pair(struct reader *r, struct pairs *pairs, int64_t id, int64_t value)
{
    struct pair *items =
        hni_grow(r->set->context, pairs->items, &pairs->capacity, pairs->count, 1, sizeof *items, function);
    if (items == NULL)
        return HN_E_NOMEM;
    pairs->items = items;
    items[pairs->count++] = (struct pair){id, value};
    return HN_OK;
}

/* ---- one element of an array ------------------------------------------------------------------------------------- */

/* The element as an object, the caller's to give back. */
static hn_status parse(const struct reader *r, const char *array, int64_t index, const char *text, size_t size,
                       json_t **out)
{
    json_error_t error;
    bool no_memory;
    *out = hni_json_load(text, size, JSON_DECODE_ANY, &error, &no_memory);
    HNI_FAIL_IF(no_memory, HN_E_NOMEM, "%s: out of memory reading %s", function, r->path);
    HNI_FAIL_IF(*out == NULL, HN_E_FORMAT, "%s: %s: %s[%" PRId64 "]: %s", function, r->path, array, index, error.text);
    if (json_is_object(*out))
        return HN_OK;
    json_decref(*out);
    return hni_fail(HN_E_FORMAT, "%s: %s: %s[%" PRId64 "] is not an object", function, r->path, array, index);
}

static hn_status integer(const struct reader *r, const json_t *object, const char *array, int64_t index,
                         const char *key, int64_t *out)
{
    const json_t *value = json_object_get(object, key);
    HNI_FAIL_IF(!json_is_integer(value), HN_E_FORMAT, "%s: %s: %s[%" PRId64 "] has no integer \"%s\"", function,
                r->path, array, index, key);
    *out = (int64_t)json_integer_value(value);
    return HN_OK;
}

static hn_status add_image(struct reader *r, const json_t *object, int64_t index)
{
    int64_t id = 0;
    HNI_TRY(integer(r, object, "images", index, "id", &id));
    const json_t *name = json_object_get(object, "file_name");
    HNI_FAIL_IF(!json_is_string(name) || json_string_length(name) == 0, HN_E_FORMAT,
                "%s: %s: images[%" PRId64 "] has no string \"file_name\"", function, r->path, index);
    HNI_TRY(hni_string_list_add(&r->set->paths, function, json_string_value(name), json_string_length(name)));
    return add_pair(r, &r->images, id, index);
}

static hn_status add_annotation(struct reader *r, const json_t *object, int64_t index)
{
    int64_t image = 0, category = 0;
    HNI_TRY(integer(r, object, "annotations", index, "image_id", &image));
    HNI_TRY(integer(r, object, "annotations", index, "category_id", &category));
    return add_pair(r, &r->annotations, image, category);
}

static hn_status add_category(struct reader *r, const json_t *object, int64_t index)
{
    int64_t id = 0;
    HNI_TRY(integer(r, object, "categories", index, "id", &id));
    const json_t *name = json_object_get(object, "name");
    r->all_named = r->all_named && json_is_string(name);
    const char *text = json_is_string(name) ? json_string_value(name) : "";
    HNI_TRY(hni_string_list_add(&r->names, function, text, strlen(text)));
    return add_pair(r, &r->categories, id, index);
}

static hn_status element(struct reader *r, const char *array, int64_t index, const char *text, size_t size,
                         hn_status (*add)(struct reader *r, const json_t *object, int64_t index))
{
    json_t *object;
    HNI_TRY(parse(r, array, index, text, size, &object));
    hn_status status = add(r, object, index);
    json_decref(object);
    return status;
}

static hn_status image_element(void *user, int64_t index, const char *text, size_t size)
{
    return element(user, "images", index, text, size, add_image);
}

static hn_status annotation_element(void *user, int64_t index, const char *text, size_t size)
{
    return element(user, "annotations", index, text, size, add_annotation);
}

static hn_status category_element(void *user, int64_t index, const char *text, size_t size)
{
    return element(user, "categories", index, text, size, add_category);
}

/* ---- joining them -------------------------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;
    int order = (x->id > y->id) - (x->id < y->id);
    return order != 0 ? order : (x->value > y->value) - (x->value < y->value);
}

/* Sorts by id; no id may be there twice. */
static hn_status sort(const struct reader *r, struct pairs *pairs, const char *what)
{
    if (pairs->count > 0)
        qsort(pairs->items, (size_t)pairs->count, sizeof *pairs->items, compare);
    for (int64_t i = 1; i < pairs->count; ++i)
        HNI_FAIL_IF(pairs->items[i - 1].id == pairs->items[i].id, HN_E_FORMAT, "%s: %s: %s %" PRId64 " is there twice",
                    function, r->path, what, pairs->items[i].id);
    return HN_OK;
}

/* Images and annotations, both sorted, must be the same ids. */
static hn_status match(const struct reader *r)
{
    const struct pairs *images = &r->images, *annotations = &r->annotations;
    for (int64_t i = 0; i < images->count || i < annotations->count; ++i) {
        bool has_image = i < images->count, has_annotation = i < annotations->count;
        int64_t image = has_image ? images->items[i].id : 0, of = has_annotation ? annotations->items[i].id : 0;
        HNI_FAIL_IF(has_image && (!has_annotation || image < of), HN_E_FORMAT,
                    "%s: %s: image id %" PRId64 " has no annotation: it has no label", function, r->path, image);
        HNI_FAIL_IF(!has_image || of < image, HN_E_FORMAT,
                    "%s: %s: an annotation is of image id %" PRId64 ", which is not there", function, r->path, of);
    }
    return HN_OK;
}

static int compare_id(const void *key, const void *item)
{
    int64_t id = *(const int64_t *)key, other = ((const struct pair *)item)->id;
    return (id > other) - (id < other);
}

/* labels: [images]. Everything is sorted and matched: annotation i is of image i. */
static hn_status fill_labels(const struct reader *r, int32_t *labels)
{
    for (int64_t i = 0; i < r->images.count; ++i) {
        int64_t id = r->annotations.items[i].value;
        const struct pair *category =
            bsearch(&id, r->categories.items, (size_t)r->categories.count, sizeof *r->categories.items, compare_id);
        HNI_FAIL_IF(category == NULL, HN_E_FORMAT,
                    "%s: %s: the annotation of image id %" PRId64 " is of category id %" PRId64 ", which is not there",
                    function, r->path, r->annotations.items[i].id, id);
        labels[r->images.items[i].value] = (int32_t)(category - r->categories.items);
    }
    return HN_OK;
}

static hn_status name_classes(struct reader *r)
{
    for (int64_t c = 0; r->all_named && c < r->categories.count; ++c) {
        const char *name = r->names.items[r->categories.items[c].value];
        HNI_TRY(hni_string_list_add(&r->set->class_names, function, name, strlen(name)));
    }
    return HN_OK;
}

static hn_status join(struct reader *r, hn_dataset **out)
{
    HNI_FAIL_IF(r->images.count == 0 || r->categories.count == 0, HN_E_FORMAT, "%s: %s has no %s", function, r->path,
                r->images.count == 0 ? "image" : "category");
    HNI_FAIL_IF(r->categories.count > INT32_MAX, HN_E_FORMAT, "%s: %s has %" PRId64 " categories", function, r->path,
                r->categories.count);
    HNI_TRY(sort(r, &r->images, "image id"));
    HNI_TRY(sort(r, &r->annotations, "an annotation of image id"));
    HNI_TRY(sort(r, &r->categories, "category id"));
    HNI_TRY(match(r));
    HNI_TRY(name_classes(r));
    size_t bytes = (size_t)r->images.count * sizeof(int32_t);
    int32_t *labels = hni_alloc(r->set->context, bytes);
    if (labels == NULL)
        return hni_no_memory(function, bytes);
    hn_status status = fill_labels(r, labels);
    if (status == HN_OK)
        status = hni_image_set_finish(r->set, out, function, labels, (int32_t)r->categories.count);
    hni_release(r->set->context, labels, bytes);
    return status;
}

static void release_pairs(hn_context *context, struct pairs *pairs)
{
    hni_release(context, pairs->items, (size_t)pairs->capacity * sizeof *pairs->items);
}

hn_status hn_dataset_open_inaturalist(hn_dataset **out, hn_context *context, const char *root, const char *json_path)
{
    static const hni_json_array arrays[] = {
        {"images", image_element}, {"annotations", annotation_element}, {"categories", category_element}};
    HNI_FAIL_IF(out == NULL || context == NULL, HN_E_ARG, "%s: %s is NULL", function, out == NULL ? "out" : "context");
    HNI_FAIL_IF(root == NULL || json_path == NULL, HN_E_ARG, "%s: %s is NULL", function,
                root == NULL ? "root" : "json_path");
    struct reader r = {.path = json_path, .all_named = true};
    HNI_TRY(hni_image_set_new(&r.set, context, function, root));
    hni_string_list_init(&r.names, context);
    hn_status status = hni_json_arrays(context, function, json_path, arrays, 3, &r);
    if (status == HN_OK)
        status = join(&r, out);
    if (status < 0)
        hni_image_set_release(r.set);
    hni_string_list_release(&r.names);
    release_pairs(context, &r.images);
    release_pairs(context, &r.annotations);
    release_pairs(context, &r.categories);
    return status;
}

#endif
