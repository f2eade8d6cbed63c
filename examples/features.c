/* features.c: writes the features of the test images, for hn_report. */
#include "features.h"

#include <string.h>

/* Both tensors, filled batch by batch; the last batch may bring more images than are wanted. */
static hn_status collect(struct run *run, hn_tensor *features, hn_tensor *labels)
{
    const int64_t dim = hn_hybrid_feature_dim(run->network), n = hn_tensor_count(labels);
    const hn_desc desc = {HN_F32, 2, {data_rows(&run->options), dim}};
    hn_tensor *rows = NULL;
    hn_status status = hn_tensor_create(&rows, run->context, &desc);
    if (status == HN_OK)
        status = hn_loader_seek(run->data.testing, 0, 0);
    for (int64_t done = 0; status == HN_OK && done < n;) {
        hn_batch batch = {.struct_size = sizeof batch};
        status = hn_loader_next(run->data.testing, &batch);
        hn_matf matrix = {hn_tensor_data(rows), batch.n, dim, dim};
        if (status == HN_OK)
            status = hn_hybrid_features(run->network, batch.images, &matrix);
        if (status != HN_OK)
            break;
        const int64_t taken = batch.n < n - done ? batch.n : n - done;
        memcpy((float *)hn_tensor_data(features) + done * dim, matrix.data, sizeof(float) * (size_t)(taken * dim));
        memcpy((int32_t *)hn_tensor_data(labels) + done, batch.labels, sizeof(int32_t) * (size_t)taken);
        done += taken;
    }
    hn_tensor_destroy(rows);
    return status;
}

int features_write(struct run *run, const char *path)
{
    const int64_t images = hn_dataset_count(run->data.test);
    const int64_t n = images < FEATURE_IMAGES_MAX ? images : FEATURE_IMAGES_MAX;
    const hn_desc features_desc = {HN_F32, 2, {n, hn_hybrid_feature_dim(run->network)}}, labels_desc = {HN_I32, 1, {n}};
    hn_tensor *features = NULL, *labels = NULL;
    hn_status status = hn_tensor_create(&features, run->context, &features_desc);
    if (status == HN_OK)
        status = hn_tensor_create(&labels, run->context, &labels_desc);
    if (status == HN_OK)
        status = collect(run, features, labels);
    const hn_named_tensor named[] = {{"features", features}, {"labels", labels}};
    if (status == HN_OK)
        status = hn_safetensors_write(run->context, path, named, 2, NULL, 0);
    hn_tensor_destroy(features);
    hn_tensor_destroy(labels);
    return status == HN_OK ? DONE : run_fail(run, status, "is the directory of --features there, and writable?");
}
