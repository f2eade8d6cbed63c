#include "sample/class_index.h"

#include "base/error.h"
#include "base/memory.h"

#include <inttypes.h>
#include <string.h>

hn_status hni_class_index_create(hni_class_index *out, hn_context *context, const char *function, const int32_t *labels,
                                 int64_t n, int32_t classes)
{
    int64_t labelled = 0;
    for (int64_t i = 0; i < n; ++i) {
        HNI_FAIL_IF(labels[i] >= classes, HN_E_LABEL, "%s: label %d of image %" PRId64 " is not below %d", function,
                    (int)labels[i], i, (int)classes);
        labelled += labels[i] >= 0;
    }
    HNI_FAIL_IF(labelled == 0, HN_E_ARG, "%s: no image has a label", function);
    size_t bytes = ((size_t)classes + 1) * sizeof(int64_t);
    hni_class_index index = {.context = context, .images = labelled, .reserved = classes};
    index.start = hni_alloc_zero(context, bytes);
    index.image = hni_alloc(context, (size_t)labelled * sizeof(int64_t));
    if (index.start == NULL || index.image == NULL) {
        hni_class_index_release(&index);
        return hni_no_memory(function, (size_t)labelled * sizeof(int64_t));
    }
    /* start[c + 1] counts class c, then becomes where it begins, and moves on with every image put there. */
    int64_t *start = index.start;
    for (int64_t i = 0; i < n; ++i)
        if (labels[i] >= 0)
            start[labels[i] + 1]++;
    for (int32_t c = 0; c < classes; ++c)
        start[c + 1] += start[c];
    memmove(start + 1, start, (size_t)classes * sizeof *start);
    for (int64_t i = 0; i < n; ++i)
        if (labels[i] >= 0)
            index.image[start[labels[i] + 1]++] = i;
    /* start[c + 1] is now the end of class c; classes without an image drop out. */
    for (int32_t c = 0; c < classes; ++c)
        if (start[c + 1] > start[index.classes])
            start[++index.classes] = start[c + 1];
    *out = index;
    return HN_OK;
}

void hni_class_index_release(hni_class_index *index)
{
    hni_release(index->context, index->start, ((size_t)index->reserved + 1) * sizeof(int64_t));
    hni_release(index->context, index->image, (size_t)index->images * sizeof(int64_t));
}
