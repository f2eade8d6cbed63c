#include <hybridnet/metrics.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/options.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { FEW_BELOW = 20, MANY_ABOVE = 100, MAX_CLASSES = 1 << 24 };

struct hn_metrics {
    hn_context *context;
    int32_t classes;
    bool grouped;
    int64_t *train_counts; /* classes */
    int64_t *confusion;    /* classes x classes */
};

static size_t confusion_bytes(int32_t classes)
{
    return (size_t)classes * (size_t)classes * sizeof(int64_t);
}

hn_status hn_metrics_create(hn_metrics **out, hn_context *context, int32_t classes, const int64_t *train_counts)
{
    HNI_FAIL_IF(out == NULL || context == NULL, HN_E_ARG, "hn_metrics_create: %s is NULL",
                out == NULL ? "out" : "context");
    HNI_FAIL_IF(classes < 1 || classes > MAX_CLASSES, HN_E_ARG,
                "hn_metrics_create: classes is %d; it must be in [1, %d]", (int)classes, (int)MAX_CLASSES);
    for (int32_t c = 0; train_counts != NULL && c < classes; ++c)
        HNI_FAIL_IF(train_counts[c] < 0, HN_E_ARG, "hn_metrics_create: train_counts[%d] is %" PRId64, (int)c,
                    train_counts[c]);
    hn_metrics *m = hni_alloc(context, sizeof *m);
    if (m == NULL)
        return hni_no_memory("hn_metrics_create", sizeof *m);
    *m = (hn_metrics){.context = context, .classes = classes, .grouped = train_counts != NULL};
    m->train_counts = hni_alloc_zero(context, (size_t)classes * sizeof(int64_t));
    m->confusion = hni_alloc_zero(context, confusion_bytes(classes));
    if (m->train_counts == NULL || m->confusion == NULL) {
        hn_metrics_destroy(m);
        return hni_no_memory("hn_metrics_create", confusion_bytes(classes));
    }
    if (train_counts != NULL)
        memcpy(m->train_counts, train_counts, (size_t)classes * sizeof(int64_t));
    *out = m;
    return HN_OK;
}

hn_status hn_metrics_add(hn_metrics *m, const hn_cmatf *logits, const int32_t *labels)
{
    HNI_FAIL_IF(m == NULL || logits == NULL || labels == NULL || (logits->data == NULL && logits->rows > 0), HN_E_ARG,
                "hn_metrics_add: %s is NULL",
                m == NULL        ? "metrics"
                : labels == NULL ? "labels"
                                 : "logits");
    HNI_FAIL_IF(logits->rows < 0 || logits->cols != m->classes || logits->ld < logits->cols, HN_E_SHAPE,
                "hn_metrics_add: logits is %" PRId64 "x%" PRId64 " (ld %" PRId64 "); it must have %d columns",
                logits->rows, logits->cols, logits->ld, (int)m->classes);
    for (int64_t i = 0; i < logits->rows; ++i) {
        HNI_FAIL_IF(labels[i] >= m->classes, HN_E_LABEL, "hn_metrics_add: label %d of row %" PRId64 " is not below %d",
                    (int)labels[i], i, (int)m->classes);
        for (int64_t c = 0; c < logits->cols; ++c)
            HNI_FAIL_IF(isnan(logits->data[i * logits->ld + c]), HN_E_NONFINITE,
                        "hn_metrics_add: the logit of class %" PRId64 " in row %" PRId64 " is NaN", c, i);
    }
    for (int64_t i = 0; i < logits->rows; ++i) {
        if (labels[i] < 0)
            continue;
        const float *row = logits->data + i * logits->ld;
        int64_t best = 0;
        for (int64_t c = 1; c < logits->cols; ++c)
            if (row[c] > row[best])
                best = c;
        m->confusion[(int64_t)labels[i] * m->classes + best]++;
    }
    return HN_OK;
}

/* Test images of a class, and those predicted as it. */
static void class_totals(const hn_metrics *m, int32_t class_, int64_t *images, int64_t *predicted)
{
    *images = *predicted = 0;
    for (int64_t c = 0; c < m->classes; ++c) {
        *images += m->confusion[(int64_t)class_ * m->classes + c];
        *predicted += m->confusion[c * m->classes + class_];
    }
}

/* A mean under construction. */
typedef struct mean {
    double sum;
    int32_t count;
} mean;

static void add(mean *to, double value)
{
    to->sum += value;
    to->count++;
}

static double value_of(const mean *of)
{
    return of->count > 0 ? of->sum / of->count : (double)NAN;
}

hn_status hn_metrics_get(const hn_metrics *m, hn_metrics_report *report)
{
    HNI_FAIL_IF(m == NULL || report == NULL, HN_E_ARG, "hn_metrics_get: %s is NULL", m == NULL ? "metrics" : "report");
    mean groups[3] = {{0, 0}, {0, 0}, {0, 0}}, all = {0, 0}, f1 = {0, 0};
    int64_t right = 0, total = 0;
    for (int32_t c = 0; c < m->classes; ++c) {
        int64_t images, predicted, hits = m->confusion[(int64_t)c * m->classes + c];
        class_totals(m, c, &images, &predicted);
        right += hits;
        total += images;
        if (images + predicted > 0)
            add(&f1, 2.0 * (double)hits / (double)(images + predicted));
        if (images == 0)
            continue;
        double accuracy = (double)hits / (double)images;
        add(&all, accuracy);
        int64_t n = m->train_counts[c];
        if (m->grouped)
            add(&groups[n > MANY_ABOVE ? 0 : n >= FEW_BELOW ? 1 : 2], accuracy);
    }
    const hn_metrics_report full = {.struct_size = sizeof full,
                                    .images = total,
                                    .top1 = total > 0 ? (double)right / (double)total : (double)NAN,
                                    .many = value_of(&groups[0]),
                                    .medium = value_of(&groups[1]),
                                    .few = value_of(&groups[2]),
                                    .many_classes = groups[0].count,
                                    .medium_classes = groups[1].count,
                                    .few_classes = groups[2].count,
                                    .macro_f1 = value_of(&f1),
                                    .balanced_accuracy = value_of(&all)};
    hni_options_init(report, report->struct_size, &full, sizeof full);
    return HN_OK;
}

hn_status hn_metrics_per_class(const hn_metrics *m, double *accuracy)
{
    HNI_FAIL_IF(m == NULL || accuracy == NULL, HN_E_ARG, "hn_metrics_per_class: %s is NULL",
                m == NULL ? "metrics" : "accuracy");
    for (int32_t c = 0; c < m->classes; ++c) {
        int64_t images, predicted;
        class_totals(m, c, &images, &predicted);
        accuracy[c] = images > 0 ? (double)m->confusion[(int64_t)c * m->classes + c] / (double)images : (double)NAN;
    }
    return HN_OK;
}

const int64_t *hn_metrics_confusion(const hn_metrics *metrics)
{
    return metrics == NULL ? NULL : metrics->confusion;
}

void hn_metrics_reset(hn_metrics *metrics)
{
    if (metrics != NULL)
        memset(metrics->confusion, 0, confusion_bytes(metrics->classes));
}

void hn_metrics_destroy(hn_metrics *m)
{
    if (m == NULL)
        return;
    hni_release(m->context, m->confusion, confusion_bytes(m->classes));
    hni_release(m->context, m->train_counts, (size_t)m->classes * sizeof(int64_t));
    hni_release(m->context, m, sizeof *m);
}
