/* bench.h -- what the parts of the benchmark share. */
#ifndef BENCH_H
#define BENCH_H

#include <hybridnet.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Seconds of a clock that only goes forward. */
static inline double bench_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Ends the program with the library's sentence if the status is a failure. */
static inline void bench_ok(hn_status status)
{
    if (status >= 0)
        return;
    fprintf(stderr, "%s\n", hn_last_error());
    exit(1);
}

/* A tensor of normal numbers. */
hn_tensor *bench_normal(hn_context *context, const hn_desc *desc, uint64_t stream);

/* Prints a table to standard error: where a step of the network spends its time, each conv unit timed alone on its
 * shape. step_seconds: of the whole step.                                                                          */
void bench_split(hn_context *context, int32_t depth, int64_t batch, int32_t repeats, double step_seconds);

#endif
