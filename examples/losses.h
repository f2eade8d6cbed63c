/* losses.h -- the losses of a run: the feature branch's and the classifier branch's, as the options name them. */
#ifndef LOSSES_H
#define LOSSES_H

#include "data.h"

/* What LDAM multiplies cosines by: the classifier's layer does, so that tests have the probabilities that are learnt. */
extern const float losses_ldam_scale;

/* *out is the caller's to destroy; dim: width of the embeddings. */
hn_status losses_create_feature(hn_loss **out, hn_context *context, const struct options *o, const struct data *data,
                                int64_t dim);
hn_status losses_create_classifier(hn_loss **out, hn_context *context, const struct options *o,
                                   const struct data *data);

/* Tells both losses that an epoch (from 0) begins, and weighs the classes. */
hn_status losses_begin_epoch(hn_hybrid *network, const struct options *o, const struct data *data, int64_t epoch);
/* Sets the weights of the classes in an epoch, where they are deferred to a later one or in force. */
hn_status losses_weigh_classes(hn_hybrid *network, const struct options *o, const struct data *data, int64_t epoch);

#endif
