/* exec.h -- an executor: one set of activations and scratch, planned for a shape, that runs a layer. */
#ifndef HYBRIDNET_EXEC_H
#define HYBRIDNET_EXEC_H

#include <hybridnet/layer.h>

/* One thread at a time. Several executors may run one layer forward at once in HN_MODE_INFER; HN_MODE_TRAIN updates
 * running statistics and gradients and needs the layer alone.                                                        */
typedef struct hn_exec hn_exec;

HN_BEGIN_DECLS

/* Plans and allocates everything forward and backward need: neither allocates later.
 * layer is borrowed and must outlive the executor. input: f32; dim[0] is the largest batch.
 * HN_E_SHAPE if the layer cannot take the input, HN_E_NOMEM.                                     */
HN_API HN_MUST_CHECK hn_status hn_exec_create(hn_exec **out, hn_context *context, hn_layer *layer, const hn_desc *input,
                                              int32_t mode);

/* Bytes of activations, workspace and scratch. */
HN_API size_t hn_exec_bytes(const hn_exec *exec);

/* Runs the layer. x: planned shape, dim[0] from 1 to the planned one; it must stay unchanged until backward.
 * *y is borrowed from the executor and valid until its next forward.                                              */
HN_API HN_MUST_CHECK hn_status hn_exec_forward(hn_exec *exec, const hn_tensor *x, const hn_tensor **y);

/* Runs the layer backward for the last forward: adds to the parameters' gradients; dx (may be NULL) is overwritten
 * with the gradient of x. Once for each forward. HN_E_STATE without one or in HN_MODE_INFER.                        */
HN_API HN_MUST_CHECK hn_status hn_exec_backward(hn_exec *exec, const hn_tensor *dy, hn_tensor *dx);

/* NULL is allowed. */
HN_API void hn_exec_destroy(hn_exec *exec);

HN_END_DECLS
#endif
