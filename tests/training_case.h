/* training_case.h -- a whole small training, from files to a checkpoint, in calls that return what the library returned: for
 * the tests that let it fail anywhere.                                                                                    */
#ifndef HNT_TRAINING_CASE_H
#define HNT_TRAINING_CASE_H

#include "support.h"

/* ResNet-8 of width 2 on CIFAR-10's files, its loaders, and where it stands. */
typedef struct hnt_trainee {
    hn_context *context;
    char in[200], out[210]; /* directories: the files of reader_case.h, and what is written */
    hn_dataset *data;
    hn_training t;
    hn_batch feature_batch, classifier_batch;
    hn_loader *test;
    hn_metrics *metrics;
} hnt_trainee;

typedef struct hnt_plan {
    const char *in, *out;
    int kind; /* of rig_kinds in checkpoint_case.h */
    int64_t micro_batch;
} hnt_plan;

/* Everything up to initial values. After a failure, too, t is to be closed. */
hn_status hnt_trainee_open(hnt_trainee *t, hn_context *context, const hnt_plan *plan);
void hnt_trainee_close(hnt_trainee *t);

/* The loaders' next batches, and a step on them. */
hn_status hnt_trainee_take(hnt_trainee *t);
hn_status hnt_trainee_step(hnt_trainee *t);
/* Where weights are written: one path at a time. The whole network to it, or backbone and classifier. */
const char *hnt_trainee_weights(const hnt_trainee *t);
hn_status hnt_trainee_save_weights(hnt_trainee *t);
hn_status hnt_trainee_save_inference(hnt_trainee *t);
/* Weights, the network used at inference and a checkpoint, in files of their own; back again from the last two. */
hn_status hnt_trainee_save(hnt_trainee *t);
hn_status hnt_trainee_restore(hnt_trainee *t);

/* All of it: open, begin an epoch, two steps, evaluate, save, restore. After a failure, too, t is to be closed. */
hn_status hnt_whole_training(hnt_trainee *t, hn_context *context, const hnt_plan *plan);

/* A checksum of the whole state: parameters and buffers, momentum, what losses keep, the loaders' places. Without `losses` what
 * losses keep is left out. The context must have memory.                                                               */
uint64_t hnt_trainee_sum(const hnt_trainee *t, int losses);

#endif
