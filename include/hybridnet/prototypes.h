/* prototypes.h -- where prototypes start: pure functions that fill a matrix of them, for hn_loss_set_params or a trainer of
 * one's own. Any number of threads may call them at once; on failure nothing has been written.                          */
#ifndef HYBRIDNET_PROTOTYPES_H
#define HYBRIDNET_PROTOTYPES_H

#include <hybridnet/rng.h>
#include <hybridnet/status.h>
#include <hybridnet/types.h>

typedef struct hn_prototypes_options {
    size_t struct_size;
    float temperature; /* tau of the repulsion below, positive and finite; default 0.07 (TSC)              */
    int32_t steps;     /* of the optimisation, >= 0; default 300                                           */
    int32_t num_threads; /* 1 (default): the calling thread; 0: as many as OpenMP would use; n: n threads.
                            The bits do not depend on it                                                   */
} hn_prototypes_options;

HN_BEGIN_DECLS

/* Fills the struct with its defaults; struct_size: sizeof *options. NULL is ignored. */
HN_API void hn_prototypes_options_init(hn_prototypes_options *options, size_t struct_size);

/* Random directions of length 1: normal numbers, normalised. prototypes: k x dim. HN_E_ARG, HN_E_SHAPE. */
HN_API HN_MUST_CHECK hn_status hn_prototypes_gaussian(const hn_rng *rng, hn_matf *prototypes);

/* The directions of the class means: prototype c is the L2-normalised mean of the L2-normalised embeddings of class c. With
 * M = prototypes_per_class > 1 the rows of a class are dealt out in turn, its m-th, (m + M)-th ... row to prototype
 * c * M + m. A prototype without a row, or whose mean is 0, gets a random direction.
 *   z           n x dim, finite
 *   labels      [n] below classes = prototypes->rows / M, or < 0 to ignore the row
 *   prototypes  (classes * M) x dim, must not overlap z
 * HN_E_ARG, HN_E_SHAPE, HN_E_LABEL, HN_E_NONFINITE.                                                                    */
HN_API HN_MUST_CHECK hn_status hn_prototypes_class_means(const hn_cmatf *z, const int32_t *labels,
                                                         int64_t prototypes_per_class, const hn_rng *rng,
                                                         hn_matf *prototypes);

/* Bytes of scratch that hn_prototypes_separated needs for k prototypes. */
HN_API HN_MUST_CHECK hn_status hn_prototypes_separated_scratch(const hn_prototypes_options *options, int64_t k,
                                                               int64_t dim, size_t *bytes);

/* Unit vectors as far from each other as can be. For k <= dim + 1 the regular simplex, whose cosines are all -1 / (k - 1), in
 * a random orientation. For more, TSC's targets (Li et al., CVPR 2022): random directions moved to lessen
 *     sum_i log sum_{j != i} exp(t_i.t_j / tau)
 * on the sphere, `steps` steps of normalised gradient descent with momentum, O(k^2 dim) each, the first half of them at a
 * temperature of at least 0.5; with 0 steps they stay random. That is a local minimum: where vectors are as crowded as ten on
 * a circle are at tau = 0.07, some may coincide.
 *   prototypes  k x dim
 * HN_E_ARG, HN_E_SHAPE, HN_E_WORKSPACE.                                                                                */
HN_API HN_MUST_CHECK hn_status hn_prototypes_separated(const hn_prototypes_options *options, const hn_rng *rng,
                                                       hn_matf *prototypes, const hn_scratch *scratch);

HN_END_DECLS
#endif
