/* loss.h -- what every loss has in common, and losses as opaque objects for composing pipelines.
 *
 * The pure functions are hn_loss_ce (cross_entropy.h), hn_loss_sc (supcon.h) and hn_loss_psc (prototypical.h).
 * Their common contract:
 *  - They allocate nothing, log nothing and keep no state: any number of threads may call them at once.
 *  - Matrices are row-major with any leading dimension; no output may overlap an input or another output.
 *  - labels: one per row. A label < 0 means "ignore this row": it adds nothing to the loss, its row_loss and
 *    its gradient are 0, and the mean does not count it. A label >= classes is HN_E_LABEL.
 *  - loss (may be NULL): the reduced value. With no row to average it is 0.
 *  - row_loss (may be NULL): [rows], the value of each row before reduction.
 *  - each gradient (may be NULL): G = grad_beta * G + grad_scale * d(loss)/d(input);
 *    grad_beta == 0 never reads G, so uninitialised memory is fine.
 *  - scratch: hn_loss_*_scratch() gives the bytes, from shapes and options alone; scratch may be NULL if that is 0.
 *  - On failure no output has been written.
 *  - The bits of every result are the same for any num_threads.
 * Statuses: HN_E_ARG (NULL, option out of range), HN_E_SHAPE, HN_E_LABEL, HN_E_WORKSPACE, HN_E_NONFINITE (see
 * check_finite), HN_E_VERSION (options from a newer library).                                                   */
#ifndef HYBRIDNET_LOSS_H
#define HYBRIDNET_LOSS_H

#include <hybridnet/cross_entropy.h>
#include <hybridnet/param.h>
#include <hybridnet/prototypical.h>
#include <hybridnet/rng.h>
#include <hybridnet/supcon.h>

/* A loss with its options, its scratch and, for PSC, its learnable prototypes. One thread at a time. */
typedef struct hn_loss hn_loss;

HN_BEGIN_DECLS

/* The three losses as objects; num_threads of the options is replaced by the context's. The arrays that
 * CE's options point to are copied (classes of them). *out is the caller's to destroy.                     */
HN_API HN_MUST_CHECK hn_status hn_loss_create_ce(hn_loss **out, hn_context *context, int64_t classes,
                                                 const hn_loss_ce_options *options);
HN_API HN_MUST_CHECK hn_status hn_loss_create_sc(hn_loss **out, hn_context *context, const hn_loss_sc_options *options);
/* Prototypes: classes * prototypes_per_class x dim, one learnable parameter named "prototypes", all zero until
 * hn_loss_init_params.                                                                                           */
HN_API HN_MUST_CHECK hn_status hn_loss_create_psc(hn_loss **out, hn_context *context, int64_t classes, int64_t dim,
                                                  const hn_loss_psc_options *options);

/* Sets the prototypes to unit vectors in random directions (Gaussian, normalised); other losses: nothing. */
HN_API HN_MUST_CHECK hn_status hn_loss_init_params(hn_loss *loss, const hn_rng *rng);

/* Applies the loss to input (f32, rows x columns: logits for CE, embeddings for SC and PSC).
 *   labels   [rows]
 *   scale    multiplies every gradient (and not the value)
 *   value    the reduced loss; may be NULL
 *   dinput   overwritten with scale * d(loss)/d(input); same shape as input; may be NULL: then no gradient
 *            is computed at all. Prototype gradients are added to the parameter's grad.
 * Allocates scratch when the number of rows first grows, and never again below it.                          */
HN_API HN_MUST_CHECK hn_status hn_loss_apply(hn_loss *loss, const hn_tensor *input, const int32_t *labels, float scale,
                                             double *value, hn_tensor *dinput);

/* Learnable parameters of the loss: 1 for PSC, 0 for the others. */
HN_API int64_t hn_loss_param_count(const hn_loss *loss);
HN_API HN_MUST_CHECK hn_status hn_loss_param(const hn_loss *loss, int64_t index, hn_param *param);

/* NULL is allowed. */
HN_API void hn_loss_destroy(hn_loss *loss);

HN_END_DECLS
#endif
