/* run.h -- one run of training or testing: all that it holds, from the options to the log. */
#ifndef RUN_H
#define RUN_H

#include "data.h"
#include "log.h"
#include "profile.h"
#include "progress.h"
#include "warnings.h"

#include <signal.h>

/* What the program ends with. */
enum { DONE = 0, FAILED = 1, BAD_USAGE = 2, INTERRUPTED = 130 };

enum { CONFUSION_CLASSES_MAX = 100 }; /* beyond, the confusion matrix stays out of the log */

struct outcome;

/* All of a run. */
struct run {
    struct options options;
    hn_context *context;
    struct data data;
    hn_hybrid *network;
    hn_transition *transition;
    int64_t *confusion; /* of the last test, [classes x classes], row = true class; NULL for too many classes */
    struct event_log *log;
    struct progress progress;
    struct profile *profile; /* NULL unless asked for */
    struct warnings *warnings;
    double started;
    int64_t left_out; /* the last so many steps, in a row, of --on-nonfinite skip */
    int64_t skipped_images; /* by training in all the epochs before */
    bool unsaved; /* the last checkpoint could not be written */
    const volatile sig_atomic_t *interrupted; /* nonzero once somebody wants an end */
};

/* Makes everything that options, log and interrupted ask for, trains or tests, reports, and lets go of what it made. Returns
 * a status of the program, not DONE after a sentence on stderr.                                                         */
int run_whole(struct run *run, struct outcome *outcome);

/* Prints what the library said of its last failure, and what to try; returns FAILED. */
int run_fail(struct run *run, hn_status status, const char *hint);

#endif
