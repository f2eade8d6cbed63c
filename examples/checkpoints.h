/* checkpoints.h -- when a run writes a checkpoint, what beside the network goes into it, and how a run goes on from one. */
#ifndef CHECKPOINTS_H
#define CHECKPOINTS_H

#include "training.h"

/* Makes the directory, if there is none, and sees whether it can be written in. DONE, or FAILED after a sentence. */
int checkpoints_prepare(const struct run *run);

/* Brings the run to where its latest checkpoint stands, or writes the first one of a run that begins: better that it cannot
 * be written now than after an hour. DONE, or FAILED after a sentence.                                                  */
int checkpoints_begin(struct run *run, struct course *course, struct outcome *outcome);

/* Whether the options want one now; steps: of an epoch. */
bool checkpoints_due(const struct options *options, const struct course *course, int64_t steps);

/* Writes one; run->unsaved tells of failure, after a sentence on stderr and in the log. Training goes on. */
void checkpoints_save(struct run *run, const struct course *course, const struct outcome *outcome);

#endif
