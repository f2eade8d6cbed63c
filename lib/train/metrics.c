#include <hybridnet/metrics.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/options.h"
#include "train/calibration.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { FEW_BELOW = 20, MANY_ABOVE = 100, MAX_CLASSES = 1 << 24 };

enum group { MANY, MEDIUM, FEW, GROUPS };

/* Counts of a class. */
typedef struct tally {
    int64_t train, images, predicted, hits;
} tally;

struct hn_metrics {
    hn_context *context;
    int32_t classes;
    bool grouped;
    tally *tallies;     /* [classes] */
    int64_t *confusion; /* [classes x classes], or NULL for too many */
    hni_calibration calibration, groups[GROUPS];
};

/* 0 beyond what is kept. */
static size_t confusion_bytes(int32_t classes)
{
    return classes > HN_MAX_CONFUSION_CLASSES ? 0 : (size_t)classes * (size_t)classes * sizeof(int64_t);
}

static enum group group_of(int64_t train_images)
{
    return train_images > MANY_ABOVE ? MANY : train_images >= FEW_BELOW ? MEDIUM : FEW;
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
    m->tallies = hni_alloc_zero(context, (size_t)classes * sizeof *m->tallies);
    m->confusion = confusion_bytes(classes) == 0 ? NULL : hni_alloc_zero(context, confusion_bytes(classes));
    if (m->tallies == NULL || (m->confusion == NULL && confusion_bytes(classes) > 0)) {
        hn_metrics_destroy(m);
        return hni_no_memory("hn_metrics_create", (size_t)classes * sizeof *m->tallies + confusion_bytes(classes));
    }
    for (int32_t c = 0; train_counts != NULL && c < classes; ++c)
        m->tallies[c].train = train_counts[c];
    *out = m;
    return HN_OK;
}

static void count(hn_metrics *m, const float *row, int32_t label)
{
    int64_t best = 0;
    for (int64_t c = 1; c < m->classes; ++c)
        if (row[c] > row[best])
            best = c;
    const double confidence = hni_confidence(row, m->classes, best);
    m->tallies[label].images++;
    m->tallies[label].hits += best == label;
    m->tallies[best].predicted++;
    if (m->confusion != NULL)
        m->confusion[(int64_t)label * m->classes + best]++;
    hni_calibration_add(&m->calibration, confidence, best == label);
    if (m->grouped)
        hni_calibration_add(&m->groups[group_of(m->tallies[label].train)], confidence, best == label);
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
    for (int64_t i = 0; i < logits->rows; ++i)
        if (labels[i] >= 0)
            count(m, logits->data + i * logits->ld, labels[i]);
    return HN_OK;
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
    mean groups[GROUPS] = {{0, 0}, {0, 0}, {0, 0}}, all = {0, 0}, f1 = {0, 0}, logarithm = {0, 0};
    int64_t right = 0, total = 0;
    double worst = (double)NAN;
    int32_t worst_class = -1;
    for (int32_t c = 0; c < m->classes; ++c) {
        const tally *t = &m->tallies[c];
        right += t->hits;
        total += t->images;
        if (t->images + t->predicted > 0)
            add(&f1, 2.0 * (double)t->hits / (double)(t->images + t->predicted));
        if (t->images == 0)
            continue;
        const double accuracy = (double)t->hits / (double)t->images;
        add(&all, accuracy);
        add(&logarithm, log(accuracy)); /* of 0: minus infinity, whose exponential is 0 */
        if (m->grouped)
            add(&groups[group_of(t->train)], accuracy);
        if (worst_class < 0 || accuracy < worst) {
            worst = accuracy;
            worst_class = c;
        }
    }
    const hn_metrics_report full = {.struct_size = sizeof full,
                                    .images = total,
                                    .top1 = total > 0 ? (double)right / (double)total : (double)NAN,
                                    .many = value_of(&groups[MANY]),
                                    .medium = value_of(&groups[MEDIUM]),
                                    .few = value_of(&groups[FEW]),
                                    .many_classes = groups[MANY].count,
                                    .medium_classes = groups[MEDIUM].count,
                                    .few_classes = groups[FEW].count,
                                    .macro_f1 = value_of(&f1),
                                    .balanced_accuracy = value_of(&all),
                                    .g_mean = exp(value_of(&logarithm)),
                                    .worst_recall = worst,
                                    .worst_class = worst_class,
                                    .ece = hni_calibration_error(&m->calibration),
                                    .many_ece = hni_calibration_error(&m->groups[MANY]),
                                    .medium_ece = hni_calibration_error(&m->groups[MEDIUM]),
                                    .few_ece = hni_calibration_error(&m->groups[FEW])};
    HNI_TRY(hni_output_check(report, "hn_metrics_get", "report"));
    hni_options_init(report, report->struct_size, &full, sizeof full);
    return HN_OK;
}

hn_status hn_metrics_per_class(const hn_metrics *m, double *accuracy)
{
    HNI_FAIL_IF(m == NULL || accuracy == NULL, HN_E_ARG, "hn_metrics_per_class: %s is NULL",
                m == NULL ? "metrics" : "accuracy");
    for (int32_t c = 0; c < m->classes; ++c)
        accuracy[c] =
            m->tallies[c].images > 0 ? (double)m->tallies[c].hits / (double)m->tallies[c].images : (double)NAN;
    return HN_OK;
}

const int64_t *hn_metrics_confusion(const hn_metrics *metrics)
{
    return metrics == NULL ? NULL : metrics->confusion;
}

void hn_metrics_reset(hn_metrics *m)
{
    if (m == NULL)
        return;
    for (int32_t c = 0; c < m->classes; ++c)
        m->tallies[c] = (tally){.train = m->tallies[c].train};
    if (m->confusion != NULL)
        memset(m->confusion, 0, confusion_bytes(m->classes));
    m->calibration = (hni_calibration){{0}, {0}, {0}};
    for (int g = 0; g < GROUPS; ++g)
        m->groups[g] = (hni_calibration){{0}, {0}, {0}};
}

void hn_metrics_destroy(hn_metrics *m)
{
    if (m == NULL)
        return;
    hni_release(m->context, m->confusion, confusion_bytes(m->classes));
    hni_release(m->context, m->tallies, (size_t)m->classes * sizeof *m->tallies);
    hni_release(m->context, m, sizeof *m);
}
