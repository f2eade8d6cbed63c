/* evaluate.c: a test of the network: its scores, and the best epoch so far. */
#include "evaluate.h"

#include <string.h>

hn_status evaluate(struct run *run, hn_loader *loader, struct scores *scores, int64_t *confusion)
{
    hn_metrics *metrics = NULL;
    scores->report.struct_size = sizeof scores->report;
    hn_status status = hn_metrics_create(&metrics, run->context, run->data.classes, run->data.whole);
    if (status == HN_OK)
        status = hn_hybrid_evaluate(run->network, loader, metrics);
    if (status == HN_OK)
        status = hn_metrics_get(metrics, &scores->report);
    if (status == HN_OK)
        status = hn_metrics_per_class(metrics, scores->per_class);
    const int64_t *counted = status == HN_OK ? hn_metrics_confusion(metrics) : NULL;
    if (confusion != NULL && counted != NULL)
        memcpy(confusion, counted, sizeof *counted * (size_t)run->data.classes * (size_t)run->data.classes);
    hn_metrics_destroy(metrics);
    for (int32_t c = 0; c < run->data.classes; ++c)
        scores->per_class[c] *= 100.0;
    return status;
}
