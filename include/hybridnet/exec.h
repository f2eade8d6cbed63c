/* exec.h -- an executor: one set of activations and scratch, planned for a shape, that runs a layer. */
#ifndef HYBRIDNET_EXEC_H
#define HYBRIDNET_EXEC_H

#include <hybridnet/layer.h>

/* One thread at a time. Several executors may run one layer forward at once in HN_MODE_INFER; HN_MODE_TRAIN updates
 * running statistics and gradients and needs the layer alone.                                                        */
typedef struct hn_exec hn_exec;

HN_BEGIN_DECLS

/* Plans and allocates everything forward and backward need: neither allocates later, but that the engine onednn makes its
 * code for a number of rows when it first sees it, and keeps it until the layer's context goes (and longer: engine.h); then
 * forward may be HN_E_NOMEM or HN_E_UNSUPPORTED, too. Convolutions are computed by the engine of the context that they were
 * created with. layer is borrowed and must outlive the executor. input: f32 or bf16, as the layer takes it; dim[0] is the
 * largest batch. HN_E_SHAPE if the layer cannot take the input, HN_E_UNSUPPORTED if its engine cannot compute it (bf16),
 * HN_E_STATE for a sequential without children, HN_E_ARG, HN_E_NOMEM; of a caller's layer what its plan returns.         */
HN_API HN_MUST_CHECK hn_status hn_exec_create(hn_exec **out, hn_context *context, hn_layer *layer, const hn_desc *input,
                                              int32_t mode);

/* Bytes of activations, workspace and scratch. */
HN_API size_t hn_exec_bytes(const hn_exec *exec);

/* Runs the layer. x: planned shape, dim[0] from 1 to the planned one; it must stay unchanged until backward.
 * *y is borrowed from the executor and valid until its next forward. HN_E_SHAPE; HN_E_ARG if x lies in the executor's own
 * memory, as its *y does; HN_E_STATE if the layer's plan wants more memory for these rows than for the planned ones. If a
 * layer fails, running statistics of those before it may have counted this batch.                                      */
HN_API HN_MUST_CHECK hn_status hn_exec_forward(hn_exec *exec, const hn_tensor *x, const hn_tensor **y);

/* As hn_exec_forward, for rows that it has been given before: running statistics, which have counted them, stay as they
 * are, and *y has the bits it had. For gradients of more rows than fit into memory: forward part by part, the loss of all
 * rows, then part by part forward again and backward (Gao et al. 2021, "Scaling deep contrastive learning batch size under
 * memory limited setup"; hn_hybrid_options.micro_batch does that). Errors as hn_exec_forward's.                         */
HN_API HN_MUST_CHECK hn_status hn_exec_forward_again(hn_exec *exec, const hn_tensor *x, const hn_tensor **y);

/* Runs the layer backward for the last forward: adds to the parameters' gradients; dx (may be NULL) is overwritten with the
 * gradient of x and must overlap neither x, dy nor the executor's own memory (HN_E_ARG). Once for each forward. HN_E_STATE
 * without one, in HN_MODE_INFER, or if the layer has got children since. If a layer fails, gradients of those behind it may
 * have this batch's, and dx is undefined.                                                                                */
HN_API HN_MUST_CHECK hn_status hn_exec_backward(hn_exec *exec, const hn_tensor *dy, hn_tensor *dx);

/* NULL is allowed. */
HN_API void hn_exec_destroy(hn_exec *exec);

HN_END_DECLS
#endif
