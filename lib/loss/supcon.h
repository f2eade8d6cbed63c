/* supcon.h -- what the two forms of the supervised contrastive loss share. */
#ifndef HNI_SUPCON_H
#define HNI_SUPCON_H

#include <hybridnet/supcon.h>

/* *o = the defaults and then the caller's options, checked; num_threads is the real number. */
hn_status hni_loss_sc_read_options(hn_loss_sc_options *o, const hn_loss_sc_options *options, const char *function);

/* The factor that base_temperature asks for. */
double hni_loss_sc_factor(const hn_loss_sc_options *o);

/* An anchor, as the reduction sees it. */
enum { HNI_NO_ANCHOR = 0, HNI_LONELY = 1, HNI_ANCHOR = 2 };

/* Takes the losses row[n] (without base_temperature's factor) of rows of these kinds to the reduced loss. *share: what every
 * counted anchor's loss is multiplied by; the losses of anchors that lonely_anchor does not count are set to 0 and their kind
 * to HNI_LONELY. single: all keys have one label.                                                                         */
double hni_loss_sc_reduce(const hn_loss_sc_options *o, int64_t n, int8_t *kind, double *row, int32_t single,
                          double *share);

#endif
