/* The network in use: logits, features, an evaluation. */
#include "train/hybrid.h"

#include "base/error.h"
#include "base/tensor.h"

#include <inttypes.h>
#include <string.h>

static hn_status infer(hn_hybrid *h, const hn_tensor *images, const hn_tensor **logits)
{
    const hn_tensor *features;
    HNI_TRY(hn_exec_forward(h->backbone_infer, images, &features));
    return hn_exec_forward(h->classifier_infer, features, logits);
}

/* Copies what one of the executors put out into the caller's matrix. */
static hn_status give(const hn_tensor *result, hn_matf *to, const char *function, const char *name)
{
    const int64_t rows = result->desc.dim[0], columns = result->desc.dim[1];
    HNI_FAIL_IF(to->rows != rows || to->cols != columns || to->ld < columns, HN_E_SHAPE,
                "%s: %s is %" PRId64 "x%" PRId64 " (ld %" PRId64 "); it must be %" PRId64 "x%" PRId64, function, name,
                to->rows, to->cols, to->ld, rows, columns);
    const float *from = result->data;
    for (int64_t i = 0; i < rows; ++i)
        memcpy(to->data + i * to->ld, from + i * columns, (size_t)columns * sizeof(float));
    return HN_OK;
}

hn_status hn_hybrid_predict(hn_hybrid *hybrid, const hn_tensor *images, hn_matf *logits)
{
    HNI_FAIL_IF(hybrid == NULL || images == NULL || logits == NULL || logits->data == NULL, HN_E_ARG,
                "hn_hybrid_predict: %s is NULL",
                hybrid == NULL   ? "hybrid"
                : images == NULL ? "images"
                                 : "logits");
    const hn_tensor *result;
    HNI_TRY(infer(hybrid, images, &result));
    return give(result, logits, "hn_hybrid_predict", "logits");
}

hn_status hn_hybrid_features(hn_hybrid *hybrid, const hn_tensor *images, hn_matf *features)
{
    HNI_FAIL_IF(hybrid == NULL || images == NULL || features == NULL || features->data == NULL, HN_E_ARG,
                "hn_hybrid_features: %s is NULL",
                hybrid == NULL   ? "hybrid"
                : images == NULL ? "images"
                                 : "features");
    const hn_tensor *result;
    HNI_TRY(hn_exec_forward(hybrid->backbone_infer, images, &result));
    return give(result, features, "hn_hybrid_features", "features");
}

int64_t hn_hybrid_feature_dim(const hn_hybrid *hybrid)
{
    return hybrid == NULL ? 0 : hybrid->features_gradient->desc.dim[1];
}

hn_status hn_hybrid_evaluate(hn_hybrid *hybrid, hn_loader *loader, hn_metrics *metrics)
{
    HNI_FAIL_IF(hybrid == NULL || loader == NULL || metrics == NULL, HN_E_ARG, "hn_hybrid_evaluate: %s is NULL",
                hybrid == NULL   ? "hybrid"
                : loader == NULL ? "loader"
                                 : "metrics");
    for (;;) {
        hn_batch batch = {.struct_size = sizeof batch};
        hn_status status = hn_loader_next(loader, &batch);
        if (status != HN_OK)
            return status == HN_END ? HN_OK : status;
        const hn_tensor *logits;
        HNI_TRY(infer(hybrid, batch.images, &logits));
        const hn_desc *d = &logits->desc;
        const hn_cmatf matrix = {logits->data, d->dim[0], d->dim[1], d->dim[1]};
        HNI_TRY(hn_metrics_add(metrics, &matrix, batch.labels));
    }
}
