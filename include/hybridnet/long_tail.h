/* long_tail.h -- long-tailed subsets of balanced sets, by the rule of the field (Cui et al. 2019; LDAM, Cao et al. 2019). */
#ifndef HYBRIDNET_LONG_TAIL_H
#define HYBRIDNET_LONG_TAIL_H

#include <hybridnet/dataset.h>

enum {
    HN_PROFILE_EXP = 0, /* n_c = int(n_max * (1 / ratio)^(c / (C - 1)))                             */
    HN_PROFILE_STEP = 1 /* the first C / 2 classes n_max, the others int(n_max * (1 / ratio)). A single class: n_max */
};

enum {
    HN_SUBSET_OWN = 0,         /* chosen with this library's generator and the seed                                      */
    HN_SUBSET_NUMPY_LEGACY = 1 /* NumPy's RandomState(seed) and its shuffle, class after class: with seed 0 the very images
                                  that LDAM, BBN, MiSLAS, PaCo and ProCo train on                                        */
};

typedef struct hn_long_tail_options {
    size_t struct_size;
    int32_t profile; /* default HN_PROFILE_EXP                               */
    int32_t subset;  /* default HN_SUBSET_OWN                                */
    double ratio;    /* imbalance ratio n_max / n_min, >= 1; default 100     */
    uint64_t seed;   /* default 0; at most 2^32 - 1 for NUMPY_LEGACY         */
} hn_long_tail_options;

HN_BEGIN_DECLS

/* Fills the struct with its defaults; struct_size: sizeof *options. NULL is ignored. */
HN_API void hn_long_tail_options_init(hn_long_tail_options *options, size_t struct_size);

/* Images of each class under the profile; counts: [classes]. n_max: images of the largest class. HN_E_ARG. */
HN_API HN_MUST_CHECK hn_status hn_long_tail_counts(const hn_long_tail_options *options, int64_t n_max, int32_t classes,
                                                   int64_t *counts);

/* A long-tailed subset of base, ordered class by class, no image twice; n_max is count / classes as in LDAM's code.
 * Retains base. HN_E_ARG if a class of base has too few images for the profile.                                     */
HN_API HN_MUST_CHECK hn_status hn_dataset_create_long_tail(hn_dataset **out, hn_dataset *base,
                                                           const hn_long_tail_options *options);

HN_END_DECLS
#endif
