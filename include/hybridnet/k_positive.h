/* k_positive.h -- the k-positive contrastive loss (KCL) and, with targets, the targeted one (TSC) on the caller's arrays.
 * loss.h states the common contract.
 *
 * Kang et al., "Exploring balanced feature spaces for representation learning", ICLR 2021; Li et al., "Targeted supervised
 * contrastive learning for long-tailed recognition", CVPR 2022, as moco/builder.py of the latter's repository computes them
 * (its class KCL, with --sep_t). Anchor i is compared with all keys but itself, A(i). Its positives P(i) are its own key (a
 * second view of its image) and K keys of its class drawn at random, or all of them where there are no more, so that
 * every class pulls alike:
 *     KCL  L_i = -1/|P(i)| sum_{p in P(i)} log( exp(x_i.y_p / tau) / D_i ),  D_i = sum_{k in A(i)} exp(x_i.y_k / tau)
 * TSC adds fixed targets t_j, spread over the sphere, of which one is assigned to each class (j(i): that of the anchor's
 * class). All targets are in the denominator; the class's own is one positive more, of weight w = target_weight:
 *     TSC  L_i = -1/(|P(i)| + 1) ( sum_{p in P(i)} log( exp(x_i.y_p / tau) / D_i ) + w log( exp(x_i.t_j(i) / tau) / D_i ) )
 *          D_i = sum_{k in A(i)} exp(x_i.y_k / tau) + sum_j exp(x_i.t_j / tau)
 * (There an anchor does not meet the other anchors' own keys until they are in the queue; here all keys are everybody's.)
 * For a class without a target the 1 and the last term are missing. The mean is over the anchors that have a positive. No
 * gradient goes to targets. Memory is O((n + k) dim).                                                                      */
#ifndef HYBRIDNET_K_POSITIVE_H
#define HYBRIDNET_K_POSITIVE_H

#include <hybridnet/loss_common.h>
#include <hybridnet/rng.h>

typedef struct hn_loss_kcl_options {
    HN_LOSS_COMMON_OPTIONS
    float temperature;   /* tau, positive and finite; default 0.07                                                 */
    int32_t normalize;   /* nonzero (default): rows of anchors, keys and targets are L2-normalised here, and the
                            gradients are with respect to the raw rows; a row of length 0 stays 0 and gets gradient
                            0. 0: all are taken as they are                                                        */
    int32_t positives;   /* K, meant to be small; default 6. 0: all keys of the class are positives                */
    float target_weight; /* w: 0 (default): KCL, targets are not read; above 0: TSC, whose authors take 0.2         */
    const hn_rng *rng;   /* the choice of positives is a function of this state, the row's number and its candidates
                            alone: pass another state (hn_rng_derive) each step. NULL: hn_rng_seed(0, 0)            */
} hn_loss_kcl_options;

HN_BEGIN_DECLS

/* Fills the struct with its defaults; struct_size: sizeof *options. NULL is ignored. */
HN_API void hn_loss_kcl_options_init(hn_loss_kcl_options *options, size_t struct_size);

/* Bytes of scratch that hn_loss_kcl needs for n anchors, k keys and t targets. */
HN_API HN_MUST_CHECK hn_status hn_loss_kcl_scratch(const hn_loss_kcl_options *options, int64_t n, int64_t k, int64_t t,
                                                   int64_t dim, size_t *bytes);

/* KCL or TSC over one batch.
 *   anchors       n x dim
 *   labels        [n], any int32 >= 0 (below classes with targets), or < 0 to ignore the row
 *   keys          k x dim, such as the other view's embeddings and a queue
 *   key_labels    [k]; a key with a label < 0 is drawn by no anchor but stays in the denominators
 *   self          [n], the key that is anchor i itself and is left out, or < 0; NULL: there is none
 *   own_key       [n], the key that is anchor i's other view, always a positive and not among those drawn, or < 0; NULL:
 *                 there is none
 *   targets       t x dim; class_target [classes]: the row of targets that is the class's, or < 0. Both are not
 *                 read if target_weight is 0
 *   danchors      n x dim
 *   dkeys         m x dim with m <= k: for the first m keys; the rest are constants. NULL for a queue. Where anchors are
 *                 keys too, their whole gradient is the sum of both
 * Candidates of an anchor are the keys of its label but self and own key, in their order; Floyd's algorithm draws K of
 * them without replacement from the stream (rng, "k_positive", i). HN_E_ARG also for indices out of range and for a self
 * that is the own key.                                                                                                */
HN_API HN_MUST_CHECK hn_status hn_loss_kcl(const hn_loss_kcl_options *options, const hn_cmatf *anchors,
                                           const int32_t *labels, const hn_cmatf *keys, const int32_t *key_labels,
                                           const int32_t *self, const int32_t *own_key, const hn_cmatf *targets,
                                           int64_t classes, const int32_t *class_target, double *loss, float *row_loss,
                                           hn_matf *danchors, hn_matf *dkeys, const hn_scratch *scratch);

/* Bytes of scratch that hn_kcl_assign_targets needs: about 4 classes t. */
HN_API HN_MUST_CHECK hn_status hn_kcl_assign_targets_scratch(int64_t classes, int64_t t, int64_t dim, size_t *bytes);

/* Gives every class a target of its own so that the sum of centroid.target over the classes is largest: the Hungarian
 * algorithm, O(classes^2 t). Of equally good targets the first is taken.
 *   centroids     classes x dim
 *   targets       t x dim, t >= classes
 *   class_target  [classes], written
 * HN_E_ARG, HN_E_SHAPE, HN_E_NONFINITE (a similarity is not a number), HN_E_WORKSPACE; then nothing is written.       */
HN_API HN_MUST_CHECK hn_status hn_kcl_assign_targets(const hn_cmatf *centroids, const hn_cmatf *targets,
                                                     int32_t *class_target, const hn_scratch *scratch);

/* Bytes of scratch that hn_kcl_update_centroids needs. */
HN_API HN_MUST_CHECK hn_status hn_kcl_update_centroids_scratch(int64_t n, int64_t classes, int64_t dim, size_t *bytes);

/* Moves the centroid of every class that has rows in the batch towards them: with u the L2-normalised mean of the class's
 * L2-normalised rows, centroid = momentum centroid + (1 - momentum) u, L2-normalised. Other centroids stay, as do those that
 * would become 0 or not finite.
 *   z          n x dim
 *   labels     [n] below centroids' rows, or < 0 to ignore the row
 *   momentum   in [0, 1]; TSC: 0.9
 *   centroids  classes x dim
 * HN_E_ARG, HN_E_SHAPE, HN_E_LABEL, HN_E_WORKSPACE; then nothing is written.                                          */
HN_API HN_MUST_CHECK hn_status hn_kcl_update_centroids(const hn_cmatf *z, const int32_t *labels, float momentum,
                                                       hn_matf *centroids, const hn_scratch *scratch);

HN_END_DECLS
#endif
