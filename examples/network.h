/* network.h -- the network of a run: backbone, heads and losses put together as the method says. */
#ifndef NETWORK_H
#define NETWORK_H

#include "data.h"

/* *out is the caller's to destroy. Initial weights come from --seed. On failure hn_last_error() has the sentence. */
hn_status network_create(hn_hybrid **out, hn_context *context, const struct options *options, const struct data *data);

#endif
