/* gradients.h -- all gradients of a model together: their norm, whether they are finite, clipping. */
#ifndef HYBRIDNET_GRADIENTS_H
#define HYBRIDNET_GRADIENTS_H

#include <hybridnet/context.h>
#include <hybridnet/param.h>

HN_BEGIN_DECLS

/* Clips by the global norm (Pascanu et al. 2013), as torch.nn.utils.clip_grad_norm_: with norm the L2 norm of all gradients
 * together, each is multiplied by min(1, max_norm / (norm + 1e-6)).
 *   params    [count]; entries without a gradient (buffers) are passed over
 *   max_norm  > 0, or 0 to measure and leave the gradients alone
 *   norm      before clipping; may be NULL
 * HN_E_NONFINITE, naming the first parameter with a NaN or an infinity in its gradient: then no gradient has changed.
 * HN_E_ARG. Allocates nothing; the same bits on any number of threads (the context's). One thread at a time.            */
HN_API HN_MUST_CHECK hn_status hn_gradients_clip(hn_context *context, const hn_param *params, int64_t count,
                                                 double max_norm, double *norm);

HN_END_DECLS
#endif
