/* progress.h -- what a run shows while it goes: a line that is rewritten on a terminal, and one line an epoch that stays. */
#ifndef PROGRESS_H
#define PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    bool quiet, live;          /* live: stderr is a terminal */
    int64_t steps_done, steps; /* of the whole run           */
    int64_t steps_before;      /* done before it was resumed */
    double started, shown;     /* seconds                    */
    double epoch_started;
    int64_t epoch_images;
};

/* Seconds on a clock that only goes forward. */
double now(void);

/* done: of the steps, before now. */
void progress_start(struct progress *progress, int64_t steps, int64_t done, bool quiet);
void progress_start_epoch(struct progress *progress);

/* After a step of epoch `epoch` (from 1) that took `images` through the network. Rewrites the line a few times a second. */
void progress_step(struct progress *progress, int64_t images, double loss, int64_t epoch, int64_t epochs);

/* Images a second since progress_start_epoch; NAN without a step. */
double progress_rate(const struct progress *progress);

/* Wipes the rewritten line, so that something else can be printed. */
void progress_clear(struct progress *progress);

#endif
