#include "data/image_set.h"

#include "base/memory.h"

#include <string.h>

hn_status hni_image_set_new(hni_image_set **out, hn_context *context, const char *function, const char *root)
{
    hni_image_set *set = hni_alloc(context, sizeof *set);
    if (set == NULL)
        return hni_no_memory(function, sizeof *set);
    *set = (hni_image_set){.context = context, .root = hni_copy_string(context, root)};
    hni_string_list_init(&set->paths, context);
    hni_string_list_init(&set->class_names, context);
    if (set->root == NULL) {
        hni_image_set_release(set);
        return hni_no_memory(function, strlen(root) + 1);
    }
    *out = set;
    return HN_OK;
}

void hni_image_set_release(hni_image_set *set)
{
    if (set == NULL)
        return;
    hni_string_list_release(&set->paths);
    hni_string_list_release(&set->class_names);
    hni_release_string(set->context, set->root);
    hni_release(set->context, set, sizeof *set);
}

static hn_status load(void *user, int64_t index, hni_image *image)
{
    const hni_image_set *set = user;
    return hni_image_load_in(image, set->root, set->paths.items[index]);
}

static const char *class_name(void *user, int32_t class_index)
{
    const hni_image_set *set = user;
    return set->class_names.items[class_index];
}

static void release(void *user)
{
    hni_image_set_release(user);
}

hn_status hni_image_set_finish(hni_image_set *set, hn_dataset **out, const char *function, const int32_t *labels,
                               int32_t classes)
{
    const hni_dataset_source source = {
        .load = load,
        .class_name = set->class_names.count == classes ? class_name : NULL,
        .release = release,
        .user = set,
    };
    return hni_dataset_new(out, set->context, function, NULL, labels, set->paths.count, classes, &source);
}
