/* feature_file.c: reads what train_hybrid --features wrote. */
#include "feature_file.h"

#include "text.h"

#include <hybridnet.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DIM_MAX = 8192, CLASSES_MAX = 1 << 20 };

/* The two tensors as train_hybrid writes them, or a sentence. */
static int check_shapes(const char *path, const hn_tensor *x, const hn_tensor *labels)
{
    if (x == NULL || labels == NULL) {
        complain("%s has no \"%s\"; is it a file of train_hybrid --features?", path, x == NULL ? "features" : "labels");
        return -1;
    }
    const hn_desc *rows = hn_tensor_desc(x), *row_labels = hn_tensor_desc(labels);
    if (rows->dtype != HN_F32 || rows->ndim != 2 || row_labels->dtype != HN_I32 || row_labels->ndim != 1 ||
        rows->dim[0] != row_labels->dim[0] || rows->dim[0] < 1 || rows->dim[1] < 1 || rows->dim[1] > DIM_MAX) {
        complain("%s must have f32 features, images x dimensions (at most %d), and one i32 label for each image", path,
                 (int)DIM_MAX);
        return -1;
    }
    return 0;
}

static int take(struct features *f, const char *path, const hn_tensor *x, const hn_tensor *labels)
{
    if (check_shapes(path, x, labels) != 0)
        return -1;
    f->images = hn_tensor_desc(x)->dim[0];
    f->n = f->images < FEATURE_ROWS_MAX ? f->images : FEATURE_ROWS_MAX;
    f->d = hn_tensor_desc(x)->dim[1];
    const size_t numbers = (size_t)(f->n * f->d);
    f->x = malloc(sizeof *f->x * numbers);
    f->labels = malloc(sizeof *f->labels * (size_t)f->n);
    if (f->x == NULL || f->labels == NULL) {
        complain("not enough memory for the features of %s", path);
        return -1;
    }
    memcpy(f->x, hn_tensor_cdata(x), sizeof *f->x * numbers);
    memcpy(f->labels, hn_tensor_cdata(labels), sizeof *f->labels * (size_t)f->n);
    for (int64_t i = 0; i < f->n; ++i) {
        if (f->labels[i] < 0 || f->labels[i] >= CLASSES_MAX) {
            complain("%s: the label of image %lld is %d, which is no class", path, (long long)i, (int)f->labels[i]);
            return -1;
        }
        f->classes = f->labels[i] >= f->classes ? f->labels[i] + 1 : f->classes;
    }
    for (size_t k = 0; k < numbers; ++k)
        if (!isfinite(f->x[k])) {
            complain("%s: the features of image %lld are not finite; has training diverged?", path,
                     (long long)k / (long long)f->d);
            return -1;
        }
    return 0;
}

int features_read(struct features *features, const char *path)
{
    hn_context *context = NULL;
    hn_safetensors *file = NULL;
    *features = (struct features){0};
    hn_status status = hn_context_create(&context, NULL);
    if (status == HN_OK)
        status = hn_safetensors_open(&file, context, path);
    if (status != HN_OK)
        complain("%s", hn_last_error());
    const int code = status != HN_OK ? -1
                                     : take(features, path, hn_safetensors_find(file, "features"),
                                            hn_safetensors_find(file, "labels"));
    hn_safetensors_close(file);
    hn_context_destroy(context);
    return code;
}

void features_free(struct features *features)
{
    free(features->x);
    free(features->labels);
    *features = (struct features){0};
}
