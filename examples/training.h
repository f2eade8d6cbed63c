/* training.h -- the epochs of a run, their tests, and what follows them. */
#ifndef TRAINING_H
#define TRAINING_H

#include "report.h"

struct mean {
    double sum;
    int64_t n;
};

/* How far training has come, and what it has seen of the epoch it is in. */
struct course {
    int64_t epoch, step; /* from 0; steps of the epoch that are done */
    double lr;           /* of the last step                         */
    struct mean alpha, loss, feature, classifier, gradient_norm;
    int64_t skipped;        /* steps of the epoch that were left out (--on-nonfinite skip)           */
    int64_t skipped_images; /* in the epoch, before training was resumed in it (--on-corrupt skip) */
};

/* Each returns DONE, or another status of the program after a sentence on stderr. */
int training_run(struct run *run, struct outcome *outcome);
int training_test(struct run *run, struct scores *scores);

#endif
