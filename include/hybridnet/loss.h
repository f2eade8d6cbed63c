/* loss.h -- what every loss has in common, and losses as opaque objects for composing pipelines.
 *
 * The pure functions are hn_loss_ce (cross_entropy.h), hn_loss_sc and hn_loss_sc_contrast (supcon.h), hn_loss_psc
 * (prototypical.h), hn_loss_bcl, hn_loss_kcl, hn_loss_paco and hn_loss_proco (rebalanced.h says what is what).
 * Their common contract:
 *  - They allocate nothing, log nothing and keep no state: any number of threads may call them at once.
 *  - Matrices are row-major with any leading dimension; no output may overlap an input or another output.
 *  - labels: one per row. A label < 0 means "ignore this row": it adds nothing to the loss, its row_loss and
 *    its gradient are 0, and the mean does not count it. A label >= classes is HN_E_LABEL.
 *  - loss (may be NULL): the reduced value. With no row to average it is 0.
 *  - row_loss (may be NULL): [rows], the value of each row before reduction.
 *  - each gradient (may be NULL): G = grad_beta * G + grad_scale * d(loss)/d(input);
 *    grad_beta == 0 never reads G, so uninitialised memory is fine.
 *  - scratch: hn_loss_*_scratch() gives the bytes, from shapes and options alone (with num_threads = 0 also from how many
 *    threads OpenMP would use just then); scratch may be NULL if that is 0.
 *  - On failure no output has been written.
 *  - The bits of every result are the same for any num_threads.
 * Statuses: HN_E_ARG (NULL, option out of range), HN_E_SHAPE, HN_E_LABEL, HN_E_WORKSPACE, HN_E_NONFINITE (see
 * check_finite), HN_E_VERSION (options from a newer library).                                                   */
#ifndef HYBRIDNET_LOSS_H
#define HYBRIDNET_LOSS_H

#include <hybridnet/balanced_contrastive.h>
#include <hybridnet/cross_entropy.h>
#include <hybridnet/k_positive.h>
#include <hybridnet/paco.h>
#include <hybridnet/param.h>
#include <hybridnet/proco.h>
#include <hybridnet/prototypical.h>
#include <hybridnet/rng.h>
#include <hybridnet/supcon.h>

/* A loss with its options, its scratch and, for PSC, its learnable prototypes. One thread at a time. */
typedef struct hn_loss hn_loss;

HN_BEGIN_DECLS

/* The losses as objects; num_threads of the options is replaced by the context's, grad_scale and grad_beta by
 * hn_loss_apply's rule. The arrays that CE's options point to are copied (classes of them). *out is the caller's to
 * destroy.                                                                                                          */
HN_API HN_MUST_CHECK hn_status hn_loss_create_ce(hn_loss **out, hn_context *context, int64_t classes,
                                                 const hn_loss_ce_options *options);
/* SC as an object: any number of columns, and of rows, a multiple of options->views. */
HN_API HN_MUST_CHECK hn_status hn_loss_create_sc(hn_loss **out, hn_context *context, const hn_loss_sc_options *options);
/* Prototypes: classes * prototypes_per_class x dim, one learnable parameter named "prototypes", all zero until
 * hn_loss_init_params. HN_ASSIGN_GIVEN, an array for the rows of one call, is for hn_loss_psc alone: HN_E_ARG.    */
HN_API HN_MUST_CHECK hn_status hn_loss_create_psc(hn_loss **out, hn_context *context, int64_t classes, int64_t dim,
                                                  const hn_loss_psc_options *options);
/* BCL, its prototypes (classes x dim) being one learnable parameter named "prototypes", as PSC's. */
HN_API HN_MUST_CHECK hn_status hn_loss_create_bcl(hn_loss **out, hn_context *context, int64_t classes, int64_t dim,
                                                  const hn_loss_bcl_options *options);
/* KCL and, with target_weight > 0, TSC, for training without a second, slowly moving network: anchors are the batch's rows,
 * keys the batch's other rows (which get their gradient as keys too) and the last queue_length rows of earlier batches,
 * constants. The object does not know which rows are views of one image: another view is one more row of the class, drawn
 * like any other. Embeddings enter the queue as the loss takes them (normalised if it normalises), and ignored rows nowhere.
 * options->rng is copied; each step draws from its own stream.
 *   TSC: classes targets from hn_prototypes_separated and random centroids are made by hn_loss_init_params, without which
 *   hn_loss_apply is HN_E_STATE. Every step moves the centroids (0.9) and then gives the targets out anew, which takes
 *   classes^3 operations at worst.
 * Queue, centroids and assignment change only where a gradient is wanted. hn_loss_init_params empties the queue.         */
HN_API HN_MUST_CHECK hn_status hn_loss_create_kcl(hn_loss **out, hn_context *context, int64_t classes, int64_t dim,
                                                  const hn_loss_kcl_options *options, int64_t queue_length);

/* PaCo for training without a second, slowly moving network. Input: embeddings z, L2-normalised if options->normalize.
 *  - Centres: classes x dim, one learnable parameter named "centers" (unit vectors after hn_loss_init_params), whose logits
 *    are z.centers. They are not normalised. With unit rows a logit_temperature near the temperature does well, as logits
 *    lie within the centres' lengths.
 *  - Keys: the batch's rows, which get their gradient as keys too, and the last queue_length rows of earlier batches,
 *    constants, as the loss takes them; ignored rows are no keys.
 *  - counts: [classes] images of each class: t_ic = z_i.centers_c / logit_temperature + log(prior_c), the adjustment being
 *    hn_class_log_prior with tau = logit_temperature, so that the prior counts once whatever that is; NULL: by
 *    options->logit_adjustment, which is divided. HN_E_ARG for both.
 * In the paper keys and queue come from a copy of the network that follows it slowly, and centres are the weights of the
 * linear classifier, whose logits come from the backbone's features and are the prediction; the code adds 1e-9 to the prior,
 * and divides it by logit_temperature, which its scripts leave at 1.
 * The queue changes only where a gradient is wanted; hn_loss_init_params empties it.                                    */
HN_API HN_MUST_CHECK hn_status hn_loss_create_paco(hn_loss **out, hn_context *context, int64_t classes, int64_t dim,
                                                   const int64_t *counts, const hn_loss_paco_options *options,
                                                   int64_t queue_length);
/* ProCo with the statistics of the classes, which are estimated in two sets: where a gradient is wanted, hn_loss_apply takes
 * the batch's rows, L2-normalised, into both, and then computes the loss with the means of the first. hn_loss_begin_epoch
 * makes the second the first and begins an empty second: the means in use are always of the whole last epoch and of this
 * one so far. (Without it they are of all rows ever.) Classes without a row yet have kappa 0 or, after
 * hn_loss_init_params, which empties both sets, a random direction and R = 0.9, the authors' beginning.
 * counts as for PaCo. A row that is not finite is HN_E_NONFINITE where a gradient is wanted. No learnable parameter.      */
HN_API HN_MUST_CHECK hn_status hn_loss_create_proco(hn_loss **out, hn_context *context, int64_t classes, int64_t dim,
                                                    const int64_t *counts, const hn_loss_proco_options *options);

/* Sets the prototypes to unit vectors in random directions (Gaussian, normalised); makes TSC's targets;
 * other losses: nothing. HN_E_ARG, HN_E_NOMEM.                                                                       */
HN_API HN_MUST_CHECK hn_status hn_loss_init_params(hn_loss *loss, const hn_rng *rng);

/* Sets the prototypes (or what else the loss's parameter is called) to these values, of the same shape; prototypes.h
 * makes good ones. HN_E_UNSUPPORTED for a loss without any; HN_E_ARG, HN_E_SHAPE, HN_E_NONFINITE.                     */
HN_API HN_MUST_CHECK hn_status hn_loss_set_params(hn_loss *loss, const hn_cmatf *values);

/* Applies the loss to input (f32, rows x columns: logits for CE, embeddings for the contrastive losses).
 *   labels   [rows]; of SC with V views the first rows / V of them are read, one an image, which suits hn_batch's with
 *            HN_VIEW_MAJOR. Not NULL: NT-Xent is for hn_loss_sc alone.
 *   scale    multiplies every gradient (and not the value)
 *   value    the reduced loss; may be NULL
 *   dinput   overwritten with scale * d(loss)/d(input); same shape as input; may be NULL: then no gradient
 *            is computed at all. Prototype gradients are added to the parameter's grad.
 * Allocates scratch when the number of rows first grows, and never again below it.
 * HN_E_ARG, HN_E_SHAPE, HN_E_LABEL (a label that is none of the classes), HN_E_NONFINITE (with check_finite), HN_E_STATE
 * (a loss that hn_loss_init_params has to make ready), HN_E_NOMEM; on failure nothing has changed.                   */
HN_API HN_MUST_CHECK hn_status hn_loss_apply(hn_loss *loss, const hn_tensor *input, const int32_t *labels, float scale,
                                             double *value, hn_tensor *dinput);

/* Tells the loss that an epoch (from 0) begins. Losses with statistics of the classes turn them over here; the others
 * ignore it. HN_E_ARG, HN_E_NOMEM.                                                                                   */
HN_API HN_MUST_CHECK hn_status hn_loss_begin_epoch(hn_loss *loss, int64_t epoch);

/* Replaces the class weights of a cross-entropy ([classes], copied; NULL: none), as deferred re-weighting does at its
 * epoch. HN_E_UNSUPPORTED for a loss without such weights; HN_E_ARG, HN_E_NOMEM; on failure the old ones stay.       */
HN_API HN_MUST_CHECK hn_status hn_loss_set_class_weights(hn_loss *loss, const float *weights);

/* Learnable parameters of the loss: 1 for PSC, BCL and PaCo, 0 for the others. */
HN_API int64_t hn_loss_param_count(const hn_loss *loss);
/* Parameter `index`; param->struct_size is the caller's to set, its tensors are borrowed from the loss. HN_E_ARG. */
HN_API HN_MUST_CHECK hn_status hn_loss_param(const hn_loss *loss, int64_t index, hn_param *param);

/* NULL is allowed. */
HN_API void hn_loss_destroy(hn_loss *loss);

HN_END_DECLS
#endif
