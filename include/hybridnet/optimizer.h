/* optimizer.h -- stochastic gradient descent: on the caller's arrays, and as an object over parameters. */
#ifndef HYBRIDNET_OPTIMIZER_H
#define HYBRIDNET_OPTIMIZER_H

#include <hybridnet/layer.h>
#include <hybridnet/loss.h>

typedef struct hn_sgd_options {
    size_t struct_size;
    float lr;                   /* >= 0; default 0.1                                                           */
    float momentum;             /* in [0, 1); default 0.9                                                       */
    float weight_decay;         /* >= 0; default 1e-4                                                           */
    int32_t nesterov;           /* default 0                                                                    */
    int32_t decay_all;          /* nonzero (default): weight decay on every parameter, as torch.optim.SGD does;
                                   0: only on those listed with weight_decay (no biases, no batch norm)         */
    int32_t reserved;
} hn_sgd_options;

/* One thread at a time. */
typedef struct hn_optimizer hn_optimizer;

HN_BEGIN_DECLS

/* Fills the struct with its defaults; struct_size: sizeof *options. NULL is ignored. */
HN_API void hn_sgd_options_init(hn_sgd_options *options, size_t struct_size);

/* One update of n values, exactly torch.optim.SGD's: g = grad + weight_decay * weight; velocity = momentum * velocity + g;
 * weight -= lr * (nesterov ? g + momentum * velocity : velocity). velocity: [n], zero before the first update.
 * Re-entrant. HN_E_ARG.                                                                                                   */
HN_API HN_MUST_CHECK hn_status hn_sgd_update(const hn_sgd_options *options, int64_t n, const float *grad, float *velocity,
                                             float *weight);

/* An optimizer without parameters; *out is the caller's to destroy. */
HN_API HN_MUST_CHECK hn_status hn_optimizer_create_sgd(hn_optimizer **out, hn_context *context,
                                                       const hn_sgd_options *options);

/* Adds one parameter (its tensors are borrowed and must outlive the optimizer), all of a layer's, or all of a loss's.
 * Buffers are passed over. HN_E_ARG for one that is there already, HN_E_NOMEM.                                         */
HN_API HN_MUST_CHECK hn_status hn_optimizer_add(hn_optimizer *optimizer, const hn_param *param);
/* Adds all parameters of a layer, or on failure none. */
HN_API HN_MUST_CHECK hn_status hn_optimizer_add_layer(hn_optimizer *optimizer, const hn_layer *layer);
/* Adds all parameters of a loss, or on failure none. */
HN_API HN_MUST_CHECK hn_status hn_optimizer_add_loss(hn_optimizer *optimizer, const hn_loss *loss);

/* lr >= 0 and finite. */
HN_API HN_MUST_CHECK hn_status hn_optimizer_set_lr(hn_optimizer *optimizer, double lr);
/* One update of every parameter from its gradient. */
HN_API HN_MUST_CHECK hn_status hn_optimizer_step(hn_optimizer *optimizer);
/* Sets every gradient to zero. */
HN_API HN_MUST_CHECK hn_status hn_optimizer_zero_grad(hn_optimizer *optimizer);

/* The momentum of the parameter whose values are in `value` (the tensor it was added with), of the same shape, to be read or
 * set: what the next step's update starts from. Borrowed; NULL for a tensor that is no parameter of the optimizer's.     */
HN_API hn_tensor *hn_optimizer_momentum(hn_optimizer *optimizer, const hn_tensor *value);

/* NULL is allowed. */
HN_API void hn_optimizer_destroy(hn_optimizer *optimizer);

HN_END_DECLS
#endif
