/* metrics.h -- what is reported of a classifier on a test set: overall, per class, by shot group. */
#ifndef HYBRIDNET_METRICS_H
#define HYBRIDNET_METRICS_H

#include <hybridnet/context.h>

enum { HN_MAX_CONFUSION_CLASSES = 2048 };

/* Counts predictions; one thread at a time. */
typedef struct hn_metrics hn_metrics;

/* Shares in [0, 1]. A value that does not exist (an empty group, no test image) is NaN. */
typedef struct hn_metrics_report {
    size_t struct_size;
    int64_t images;                             /* counted                                                            */
    double top1;                                /* share of images predicted right                                    */
    double many, medium, few;                   /* mean over the group's classes of their accuracies; groups by
                                                   training images of the class: > 100, 20 to 100, < 20 (Liu et al.
                                                   2019; Kang et al. 2020)                                            */
    int32_t many_classes, medium_classes, few_classes; /* classes with test images in each group                      */
    int32_t reserved;
    double macro_f1;                            /* mean over classes with test images or predictions of 2PR/(P+R),
                                                   0 where undefined                                                  */
    double balanced_accuracy;                   /* mean over classes with test images of their accuracies             */
    double g_mean;                              /* geometric mean of the same: 0 as soon as one class is never right   */
    double worst_recall;                        /* the least of the same                                              */
    int32_t worst_class;                        /* the first class that has it; -1 without test images                */
    int32_t reserved2;
    double ece;                                 /* expected calibration error of the softmax in 15 bins of equal width
                                                   (Guo et al. 2017, equation 3)                                      */
    double many_ece, medium_ece, few_ece;       /* the same of the images of each group's classes                     */
} hn_metrics_report;

HN_BEGIN_DECLS

/* Counters for this many classes; train_counts: [classes] images of each class in the training set, copied; NULL: no shot
 * groups. *out is the caller's to destroy. HN_E_ARG, HN_E_NOMEM.                                                          */
HN_API HN_MUST_CHECK hn_status hn_metrics_create(hn_metrics **out, hn_context *context, int32_t classes,
                                                 const int64_t *train_counts);

/* Counts n rows: the prediction is the largest logit, the first of equals. A label < 0 is passed over; a label >= classes
 * is HN_E_LABEL, a NaN logit HN_E_NONFINITE, and nothing is counted.                                                      */
HN_API HN_MUST_CHECK hn_status hn_metrics_add(hn_metrics *metrics, const hn_cmatf *logits, const int32_t *labels);

/* The figures so far; report->struct_size is the caller's to set. HN_E_ARG. */
HN_API HN_MUST_CHECK hn_status hn_metrics_get(const hn_metrics *metrics, hn_metrics_report *report);
/* Accuracy of each class, NaN where it has no test image; accuracy: [classes]. */
HN_API HN_MUST_CHECK hn_status hn_metrics_per_class(const hn_metrics *metrics, double *accuracy);
/* [classes x classes], row = true class, column = predicted; borrowed. NULL beyond HN_MAX_CONFUSION_CLASSES classes, where
 * it would take more memory than the network.                                                                          */
HN_API const int64_t *hn_metrics_confusion(const hn_metrics *metrics);
/* Back to zero. */
HN_API void hn_metrics_reset(hn_metrics *metrics);

/* NULL is allowed. */
HN_API void hn_metrics_destroy(hn_metrics *metrics);

HN_END_DECLS
#endif
