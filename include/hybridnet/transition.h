/* transition.h -- the progressive transition from feature learning to classifier learning.
 *
 * alpha weighs the feature branch, 1 - alpha the classifier branch: L = alpha L_feature + (1 - alpha) L_classifier
 * (Wang et al. 2021; the family is that of BBN, Zhou et al. 2020). With t = epoch / total_epochs:                     */
#ifndef HYBRIDNET_TRANSITION_H
#define HYBRIDNET_TRANSITION_H

#include <hybridnet/context.h>

typedef struct hn_transition hn_transition;

enum {
    HN_TRANSITION_PARABOLIC = 0,          /* 1 - t^2: the paper's                    */
    HN_TRANSITION_LINEAR = 1,             /* 1 - t                                   */
    HN_TRANSITION_COSINE = 2,             /* cos(t pi / 2)                           */
    HN_TRANSITION_FIXED = 3,              /* the option `fixed`                      */
    HN_TRANSITION_PARABOLIC_INCREASE = 4, /* t^2                                     */
    HN_TRANSITION_BETA = 5,               /* drawn from Beta(0.2, 0.2) every step    */
    HN_TRANSITION_SEPARATE = 6            /* 1 for t < separate_at, then 0           */
};

typedef struct hn_transition_options {
    size_t struct_size;
    int32_t kind;         /* default HN_TRANSITION_PARABOLIC                                                             */
    int32_t first_epoch;  /* the number the first epoch has in the formula: 0 (default) starts at alpha = 1 exactly,
                             1 ends at alpha = 0 exactly                                                                */
    int64_t total_epochs; /* > 0                                                                                        */
    double fixed;         /* FIXED: in [0, 1]; default 0.5                                                              */
    double separate_at;   /* SEPARATE: in [0, 1]; default 0.6: BBN's 120 of 200 epochs, where first_epoch is 0             */
    uint64_t seed;        /* BETA                                                                                       */
} hn_transition_options;

HN_BEGIN_DECLS

/* Fills the struct with its defaults; struct_size: sizeof *options. NULL is ignored. */
HN_API void hn_transition_options_init(hn_transition_options *options, size_t struct_size);

/* *out is the caller's to destroy. HN_E_ARG, HN_E_NOMEM. */
HN_API HN_MUST_CHECK hn_status hn_transition_create(hn_transition **out, hn_context *context,
                                                    const hn_transition_options *options);

/* alpha in [0, 1] at step `step` of epoch `epoch`, both from 0; a pure function of the options and the two. epochs
 * beyond the last give the last one's alpha (BETA goes on drawing). Any number of threads. HN_E_ARG for negative ones.   */
HN_API HN_MUST_CHECK hn_status hn_transition_alpha(const hn_transition *transition, int64_t epoch, int64_t step,
                                                   double *alpha);

/* "parabolic", "linear", ...: the kind's name in options and logs; NULL for an unknown kind. */
HN_API const char *hn_transition_name(int32_t kind);

/* NULL is allowed. */
HN_API void hn_transition_destroy(hn_transition *transition);

HN_END_DECLS
#endif
