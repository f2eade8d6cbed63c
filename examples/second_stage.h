/* second_stage.h -- what takes the classifier's place once the features are learned (Kang et al. 2020). */
#ifndef SECOND_STAGE_H
#define SECOND_STAGE_H

#include "report.h"

/* Runs the --second-stage, if there is one, and leaves its classifier in the network; *tau: that of tau-normalisation, else
 * NAN. Ends early, with HN_OK, when the run is interrupted.                                                             */
hn_status second_stage_run(struct run *run, double *tau);

#endif
