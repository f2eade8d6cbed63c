/* sampler.h -- in which order a long-tailed set is visited. The order is a pure function of (seed, epoch). */
#ifndef HYBRIDNET_SAMPLER_H
#define HYBRIDNET_SAMPLER_H

#include <hybridnet/context.h>

/* One thread at a time. */
typedef struct hn_sampler hn_sampler;

/* n_c: images of class c among the labels; classes without an image are never drawn. */
enum {
    HN_SAMPLER_INSTANCE_BALANCED = 0,     /* a new permutation of all images every epoch                                  */
    HN_SAMPLER_CLASS_BALANCED = 1,        /* class-aware: every class once a cycle in a new order, every image of a class
                                             once before any repeats within the epoch (Kang et al. 2020; in OLTR's code an
                                             epoch goes on where the last one ended)                                      */
    HN_SAMPLER_CLASS_BALANCED_RANDOM = 2, /* class uniform, image uniform in it, both with replacement (BBN, Zhou et al.
                                             2020)                                                                        */
    HN_SAMPLER_SQUARE_ROOT = 3,           /* class with probability ~ sqrt(n_c), image uniform (Kang et al. 2020)          */
    HN_SAMPLER_PROGRESSIVE = 4,           /* (1 - t) instance-balanced + t class-balanced probabilities, t = epoch /
                                             (total_epochs - 1), at most 1, and 0 where there is one epoch (Kang et al.
                                             2020)                                                                        */
    HN_SAMPLER_REVERSED = 5               /* class with probability ~ 1 / n_c, image uniform (BBN's reversed sampler)      */
};

typedef struct hn_sampler_options {
    size_t struct_size;
    uint64_t seed;        /* default 0                                                                                 */
    int64_t epoch_length; /* draws an epoch; 0 (default): the number of images with a label. INSTANCE_BALANCED goes on
                             with further permutations of the same epoch when it is longer                             */
    int64_t total_epochs; /* for PROGRESSIVE; > 0                                                                      */
} hn_sampler_options;

HN_BEGIN_DECLS

/* Fills the struct with its defaults; struct_size: sizeof *options. NULL is ignored. */
HN_API void hn_sampler_options_init(hn_sampler_options *options, size_t struct_size);

/* A sampler of one of the kinds above over images 0 .. n-1, standing at epoch 0, position 0.
 *   labels  [n] in [0, classes), read during the call only; < 0: the image is never drawn
 * Set-up is O(n), a draw O(1). HN_E_ARG (kind, n < 1, no image with a label), HN_E_LABEL, HN_E_NOMEM.  */
HN_API HN_MUST_CHECK hn_status hn_sampler_create(hn_sampler **out, hn_context *context, int32_t kind,
                                                 const int32_t *labels, int64_t n, int32_t classes,
                                                 const hn_sampler_options *options);

/* Image i with probability weights[i] / sum, with replacement (Walker's alias method).
 *   weights  [n], >= 0, their sum finite and not 0; read during the call only               */
HN_API HN_MUST_CHECK hn_status hn_sampler_create_weighted(hn_sampler **out, hn_context *context, const double *weights,
                                                          int64_t n, const hn_sampler_options *options);

/* Draws an epoch. */
HN_API int64_t hn_sampler_epoch_length(const hn_sampler *sampler);
/* The state: the epoch and the number of indices already taken from it. Either pointer may be NULL. */
HN_API void hn_sampler_tell(const hn_sampler *sampler, int64_t *epoch, int64_t *position);
/* Goes to a state, forwards or backwards; 0 <= position <= epoch length. O(n) at most. HN_E_ARG. */
HN_API HN_MUST_CHECK hn_status hn_sampler_seek(hn_sampler *sampler, int64_t epoch, int64_t position);

/* Takes up to capacity indices of the current epoch: HN_OK with *got >= 1 of them in index, or HN_END with *got 0 at the
 * epoch's end (seek to the next one to go on).                                                                          */
HN_API HN_MUST_CHECK hn_status hn_sampler_next(hn_sampler *sampler, int64_t *index, int64_t capacity, int64_t *got);

/* NULL is allowed. */
HN_API void hn_sampler_destroy(hn_sampler *sampler);

HN_END_DECLS
#endif
