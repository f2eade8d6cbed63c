/* training.h -- the epochs of a run, their tests, and what follows them. */
#ifndef TRAINING_H
#define TRAINING_H

#include "report.h"

/* Each returns DONE, or another status of the program after a sentence on stderr. */
int training_run(struct run *run, struct outcome *outcome);
int training_test(struct run *run, struct scores *scores);

#endif
