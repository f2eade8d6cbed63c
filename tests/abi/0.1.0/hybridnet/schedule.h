/* schedule.h -- the learning rate as a function of the epoch: a pure function of a plain struct. */
#ifndef HYBRIDNET_SCHEDULE_H
#define HYBRIDNET_SCHEDULE_H

#include <hybridnet/status.h>
#include <stddef.h>

enum {
    HN_SCHEDULE_CONSTANT = 0,
    HN_SCHEDULE_STEPS = 1, /* lr * gamma^(number of milestones <= epoch)               */
    HN_SCHEDULE_COSINE = 2 /* end + (lr - end) (1 + cos(pi epoch / total_epochs)) / 2  */
};

typedef struct hn_schedule {
    size_t struct_size;
    int32_t kind;              /* default HN_SCHEDULE_CONSTANT                                                        */
    int32_t num_milestones;    /* STEPS                                                                               */
    const double *milestones;  /* STEPS: [num_milestones], epochs, ascending; borrowed                                */
    double lr;                 /* the base rate, > 0                                                                  */
    double end;                /* COSINE: the last rate; default 0                                                    */
    double gamma;              /* STEPS: default 0.1                                                                  */
    double total_epochs;       /* COSINE: > 0                                                                         */
    double warmup_epochs;      /* linear warm-up before that, default 0: for epoch < warmup_epochs the rate is
                                  warmup_start + (schedule(warmup_epochs) - warmup_start) * epoch / warmup_epochs     */
    double warmup_start;       /* default 0.01                                                                        */
} hn_schedule;

HN_BEGIN_DECLS

HN_API void hn_schedule_init(hn_schedule *schedule, size_t struct_size);

/* The rate at `epoch` (0-based, fractions allowed: epoch 2.5 is in the middle of the third). Re-entrant. HN_E_ARG. */
HN_API HN_MUST_CHECK hn_status hn_schedule_at(const hn_schedule *schedule, double epoch, double *rate);

HN_END_DECLS
#endif
