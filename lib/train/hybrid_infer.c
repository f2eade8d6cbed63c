/* The network in use: logits, features, an evaluation. */
#include "train/hybrid.h"

#include "base/error.h"

#include <inttypes.h>
#include <string.h>

/* Who takes the result of some rows. */
typedef hn_status (*taker)(void *user, hni_rows rows, const hn_tensor *result);

/* Features, or logits if classify, of all images, part by part. */
static hn_status infer(hn_hybrid *h, const hn_tensor *images, bool classify, taker take, void *user,
                       const char *function)
{
    char text[HNI_DESC_TEXT];
    const int64_t n = images->desc.dim[0];
    HNI_FAIL_IF(images->desc.ndim != 4 || n < 1 || n > h->rows, HN_E_SHAPE,
                "%s: images is %s; it must have 4 dimensions and 1 to %" PRId64 " rows", function,
                hni_desc_text(&images->desc, text), h->rows);
    for (int64_t k = 0; k < hni_hybrid_parts(h, n); ++k) {
        const hni_rows rows = hni_hybrid_part(h, n, k);
        const hn_tensor part = hni_hybrid_rows(images, rows), *result;
        HNI_TRY(hn_exec_forward(h->backbone_infer, &part, &result));
        if (classify)
            HNI_TRY(hn_exec_forward(h->classifier_infer, result, &result));
        HNI_TRY(take(user, rows, result));
    }
    return HN_OK;
}

static hn_status copy_rows(void *user, hni_rows rows, const hn_tensor *result)
{
    const hn_matf *to = user;
    const float *from = result->data;
    for (int64_t i = rows.begin; i < rows.end; ++i, from += to->cols)
        memcpy(to->data + i * to->ld, from, (size_t)to->cols * sizeof(float));
    return HN_OK;
}

/* Into the caller's matrix. */
static hn_status give(hn_hybrid *h, const hn_tensor *images, bool classify, hn_matf *to, const char *function,
                      const char *name)
{
    const hn_tensor *planned = classify ? h->classifier.gradient : h->features_gradient;
    const int64_t rows = images->desc.dim[0], columns = planned->desc.dim[1];
    HNI_FAIL_IF(to->rows != rows || to->cols != columns || to->ld < columns, HN_E_SHAPE,
                "%s: %s is %" PRId64 "x%" PRId64 " (ld %" PRId64 "); it must be %" PRId64 "x%" PRId64, function, name,
                to->rows, to->cols, to->ld, rows, columns);
    return infer(h, images, classify, copy_rows, to, function);
}

hn_status hn_hybrid_predict(hn_hybrid *hybrid, const hn_tensor *images, hn_matf *logits)
{
    HNI_FAIL_IF(hybrid == NULL || images == NULL || logits == NULL || logits->data == NULL, HN_E_ARG,
                "hn_hybrid_predict: %s is NULL",
                hybrid == NULL   ? "hybrid"
                : images == NULL ? "images"
                                 : "logits");
    return give(hybrid, images, true, logits, "hn_hybrid_predict", "logits");
}

hn_status hn_hybrid_features(hn_hybrid *hybrid, const hn_tensor *images, hn_matf *features)
{
    HNI_FAIL_IF(hybrid == NULL || images == NULL || features == NULL || features->data == NULL, HN_E_ARG,
                "hn_hybrid_features: %s is NULL",
                hybrid == NULL   ? "hybrid"
                : images == NULL ? "images"
                                 : "features");
    HNI_FAIL_IF(hn_hybrid_feature_dim(hybrid) == 0, HN_E_SHAPE,
                "hn_hybrid_features: the backbone's output is not f32 rows x width");
    return give(hybrid, images, false, features, "hn_hybrid_features", "features");
}

int64_t hn_hybrid_feature_dim(const hn_hybrid *hybrid)
{
    const hn_desc *features = hybrid == NULL ? NULL : &hybrid->features_gradient->desc;
    return features != NULL && features->ndim == 2 && features->dtype == HN_F32 ? features->dim[1] : 0;
}

/* A loader's batch, and where its predictions go. */
typedef struct judged {
    const int32_t *labels;
    hn_metrics *metrics;
} judged;

static hn_status judge_rows(void *user, hni_rows rows, const hn_tensor *logits)
{
    const judged *j = user;
    const int64_t *dim = logits->desc.dim;
    const hn_cmatf matrix = {logits->data, dim[0], dim[1], dim[1]};
    return hn_metrics_add(j->metrics, &matrix, j->labels + rows.begin);
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
        judged j = {batch.labels, metrics};
        HNI_TRY(infer(hybrid, batch.images, true, judge_rows, &j, "hn_hybrid_evaluate"));
    }
}
