/* bench_step.h -- what the parts of bench_step share. */
#ifndef BENCH_STEP_H
#define BENCH_STEP_H

#include "bench.h"

typedef struct bench_settings {
    int32_t depth, threads, warmup, steps;
    int32_t engine;    /* HN_ENGINE_AUTO ...  */
    int32_t precision; /* HN_F32 or HN_BF16   */
    int64_t batch;
    int infer; /* forward in HN_MODE_INFER alone            */
    int split; /* a table of where a training step's time goes */
} bench_settings;

/* Reads the command line; on a mistake it tells what there is and ends the program. */
bench_settings bench_settings_read(int argc, char **argv);

/* "f32" or "bf16". */
const char *bench_precision_name(int32_t precision);

/* A tensor of normal numbers. */
hn_tensor *bench_normal(hn_context *context, const hn_desc *desc, uint64_t stream);

/* Prints a table to standard error: where a step of the network spends its time, each conv unit timed alone on its
 * shape. step_seconds: of the whole step.                                                                          */
void bench_split(hn_context *context, int32_t depth, int64_t batch, int32_t repeats, double step_seconds);

#endif
