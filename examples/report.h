/* report.h -- what a run tells: on the terminal, unless --quiet, and in the log, if there is one. */
#ifndef REPORT_H
#define REPORT_H

#include "run.h"

/* What an epoch of training did; means over its steps, NaN for a loss that was never computed. */
struct epoch {
    int64_t number; /* from 1 */
    double alpha, lr, loss, loss_feature, loss_classifier, gradient_norm;
    int64_t skipped;          /* steps left out                                                 */
    int64_t skipped_images;   /* for which others stood in                                      */
    double images_per_second; /* every view of every branch counts; NAN if there was no step */
};

/* What one step did; NaN as above. */
struct step {
    int64_t epoch, number, steps; /* from 1; number of the epoch's steps */
    double alpha, lr;
    hn_hybrid_losses losses;
};

struct scores {
    hn_metrics_report report;      /* of the test set, shares in [0, 1]                                        */
    double per_class[MAX_CLASSES]; /* per cent                                                                  */
    double validation;             /* share: balanced accuracy on the images held out; NAN without --validation */
};

/* How training ended: its last epoch, and the one that was the best by validation (number 0 without --validation). */
struct outcome {
    struct scores last, best;
    int64_t best_epoch;
    double tau; /* of a second stage's tau-normalisation, else NAN */
};

/* Each returns 0, or -1 when the log cannot be written, which has been explained on stderr. */
int report_start(const struct run *run);
/* Of a run that goes on: where, epoch from 1. */
int report_resume(const struct run *run, int64_t epoch, int64_t steps);
/* A step was left out; the library's last error says why. */
int report_skipped(struct run *run, int64_t epoch, int64_t step);
/* In the log alone. */
int report_step(const struct run *run, const struct step *step);
/* scores: NULL for an epoch without a test. */
int report_epoch(struct run *run, const struct epoch *epoch, const struct scores *scores);
/* After a second stage: its own scores, beside those of the training before. */
int report_second_stage(struct run *run, const struct scores *scores, double tau);
int report_result(const struct run *run, const struct outcome *outcome);

#endif
