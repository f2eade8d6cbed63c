/* seeds.h -- the runs of --seeds, and what they have in common. */
#ifndef SEEDS_H
#define SEEDS_H

#include "run.h"

/* A whole run for each of the seeds in run's options, then means and standard deviations of their scores. Returns a status
 * of the program.                                                                                                       */
int seeds_run(struct run *run);

#endif
