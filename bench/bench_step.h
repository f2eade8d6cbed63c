/* bench_step.h -- what the parts of bench_step share. */
#ifndef BENCH_STEP_H
#define BENCH_STEP_H

#include "bench.h"

typedef struct bench_settings {
    int32_t depth, threads, warmup, steps;
    int imagenet; /* hn_resnet_create's network of that depth, else hn_resnet_cifar_create's */
    int32_t engine;    /* HN_ENGINE_AUTO ...  */
    int32_t precision; /* HN_F32 or HN_BF16   */
    int64_t batch, side; /* of the images */
    int infer; /* forward in HN_MODE_INFER alone            */
    int split; /* a table of where a training step's time goes */
} bench_settings;

/* Reads the command line; on a mistake it tells what there is and ends the program. */
bench_settings bench_settings_read(int argc, char **argv);

/* "f32" or "bf16". */
const char *bench_precision_name(int32_t precision);

/* A tensor of normal numbers. */
hn_tensor *bench_normal(hn_context *context, const hn_desc *desc, uint64_t stream);

/* Where the time of steps goes: a table filled by events, to be set as the context's trace. */
typedef struct bench_split bench_split;
bench_split *bench_split_create(void); /* free() destroys it */
void bench_split_event(const hn_trace_event *event, void *split);
/* Forgets what there was, between steps. */
void bench_split_reset(bench_split *split);
/* Prints the table to standard error; seconds: of all steps since the reset. */
void bench_split_print(bench_split *split, int32_t steps, double seconds);

#endif
