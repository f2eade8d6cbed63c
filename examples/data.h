/* data.h -- the data of a run: long-tailed training set, balanced test set, and the loaders that feed the network. */
#ifndef DATA_H
#define DATA_H

#include "options.h"

#include <hybridnet.h>

enum { MAX_CLASSES = 10000 };

struct data {
    hn_dataset *train, *test, *held_out; /* held_out: for --validation, else NULL */
    hn_image_shape shape;
    int32_t classes;
    int64_t counts[MAX_CLASSES]; /* training images of each class               */
    int64_t whole[MAX_CLASSES];  /* the same before any were held out: they make many, medium and few, so that the
                                    classes of a run with --validation are those of one without                  */
    /* An epoch of feature and classifier is as many images: those of train. feature is NULL without a feature branch, and
     * both are NULL when only testing.                                                                                  */
    hn_loader *feature, *classifier, *testing;
    hn_loader *validation; /* of held_out                                                                      */
    hn_loader *balanced;   /* for a second stage that trains: class-balanced, augmented                        */
    hn_loader *plain;      /* for one that does not: the training images as they are                           */
};

/* Opens the sets and cuts the tail. On failure hn_last_error() has the sentence and data is empty. */
hn_status data_open(struct data *data, hn_context *context, const struct options *options);

/* Whether the sets fit each other, the options and this program: 0, or -1 after a sentence on stderr. */
int data_check(const struct data *data, const struct options *options);

/* What to try when data_open fails with a status. */
const char *data_hint(const struct options *options, hn_status status);

/* Makes the loaders; on failure data_close clears up. */
hn_status data_start_loaders(struct data *data, hn_context *context, const struct options *options);

/* Rows of the largest batch any loader brings. */
int64_t data_rows(const struct options *options);

/* What the progressive sampler draws depends on the epoch: of training, not of how often its loader was asked. */
hn_status data_begin_epoch(struct data *data, const struct options *options, int64_t epoch);

/* How often another image stood in for a training image (--on-corrupt skip), in the batches until now. */
int64_t data_skipped(const struct data *data);

void data_close(struct data *data);

#endif
