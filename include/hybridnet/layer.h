/* layer.h -- a layer: topology, named parameters and the table of functions that computes it.
 *
 * A layer holds no activations: those live in executors (exec.h). Built-in layers are made by the creators of their own
 * headers; anybody's layer is made by hn_layer_create from a table of the same kind.
 * A layer may be read by several threads (inference by several executors at once); training, loading and
 * initialising change it and need it alone.                                                                          */
#ifndef HYBRIDNET_LAYER_H
#define HYBRIDNET_LAYER_H

#include <hybridnet/param.h>
#include <hybridnet/rng.h>

typedef struct hn_layer hn_layer;

enum {
    HN_MODE_INFER = 0, /* running statistics, nothing kept for backward */
    HN_MODE_TRAIN = 1
};

/* What a layer needs for one input shape; filled by its plan function, which gets it zeroed but for struct_size. It never
 * grows: hn_layer_plan_call fills all of it without asking how long the caller's is.                                    */
typedef struct hn_layer_plan {
    size_t struct_size;
    hn_desc output;         /* of y                                                                           */
    size_t workspace_bytes; /* kept from forward to backward, apart from x and y, which are kept anyway       */
    size_t scratch_bytes;   /* dead after each call                                                           */
} hn_layer_plan;

/* One forward or backward call. y, workspace and scratch are the executor's, 64-byte aligned; workspace and scratch have the
 * planned sizes (or those of a smaller batch), their contents are undefined before forward and before each call. x, dy and
 * dx may be a caller's arrays, aligned to their elements.                                                              */
typedef struct hn_layer_call {
    size_t struct_size;
    hn_context *context;
    int32_t mode;        /* HN_MODE_INFER or HN_MODE_TRAIN; backward: always HN_MODE_TRAIN                         */
    int32_t num_threads; /* as given to plan                                                                      */
    hn_desc input, output;
    const void *x;       /* input                                                                                 */
    void *y;             /* output; written by forward, read by backward                                          */
    const void *dy;      /* backward: gradient of y                                                               */
    void *dx;            /* backward: overwritten with the gradient of x; NULL: not wanted                        */
    void *workspace;
    void *scratch;
    const void *addend;  /* layers that can add, else NULL: an array of y's shape, y += addend; in backward any
                            array if there was one, else NULL ...                                             */
    void *daddend;       /* ... backward: overwritten with its gradient; NULL: not wanted                         */
    int32_t relu;        /* ... and then y = max(y, 0); the same in forward and backward                          */
    int32_t again;       /* forward in HN_MODE_TRAIN: nonzero if running statistics are not to count these rows: they
                            have been run before (hn_exec_forward_again), or are those of a branch that does not count
                            (HN_STATISTICS_CLASSIFIER). It says nothing of the workspace: y follows from x alone */
} hn_layer_call;

/* What one call costs, for a trace: what its time is to be held against. Of the layer's own work, children left out.
 * flops: of its convolutions and matrix products as they are written down, a multiply-add is two; element by element work,
 *   which memory bounds, is left out. An algorithm that needs fewer (Winograd's) seems faster than the machine.
 * bytes: the arrays that its passes read and write, each pass over an array counted, as if nothing stayed in the cache from
 *   one to the next. What a pass only takes along is left out: vectors of a number a channel, an engine's own scratch.
 * 0: not stated.                                                                                                        */
typedef struct hn_layer_cost {
    size_t struct_size;
    double flops;
    double bytes;
} hn_layer_cost;

/* Flags of a layer's table. */
enum {
    HN_LAYER_ADDEND = 1,      /* the layer can add a second array and apply a ReLU in the pass that writes y */
    HN_LAYER_ADDEND_LAST = 2, /* ... it can if its last child can                                           */
    HN_LAYER_CAST = 4         /* the layer changes the element type and nothing else                         */
};

/* The functions of one kind of layer; a static const table. Functions return HN_OK or a negative status, which gets a sentence
 * of the library's that names kind and function (any other status is a failure, HN_E_STATE).
 * During calls `self` must not change, except for parameters' gradients and, in training, buffers.          */
typedef struct hn_layer_ops {
    size_t struct_size;
    const char *kind; /* "linear": for error sentences and time tables */
    int32_t flags;    /* HN_LAYER_ADDEND, HN_LAYER_ADDEND_LAST, HN_LAYER_CAST or 0 */
    int32_t reserved;
    /* Shape inference and memory for an input of this desc; dim[0] is the batch. HN_E_SHAPE for an input that does not
     * fit. Pure: it is called before every pass. Fewer rows must not need more memory.                                */
    hn_status (*plan)(const void *self, const hn_desc *input, int32_t mode, int32_t num_threads, hn_layer_plan *plan);
    hn_status (*forward)(void *self, const hn_layer_call *call);
    /* Adds to the gradients of the layer's own parameters. */
    hn_status (*backward)(void *self, const hn_layer_call *call);
    /* Initial values of the layer's own parameters; NULL if it has none. */
    void (*init)(void *self, hn_rng *rng);
    /* Releases self; children and parameters are the layer's to release. NULL if there is nothing to do. */
    void (*destroy)(void *self);
    /* Fills in *cost, zero but for struct_size, for a call that is about to be made; asked only where the call's context
     * has a trace. pass: HN_TRACE_FORWARD or HN_TRACE_BACKWARD. NULL: nothing is stated.                               */
    void (*cost)(const void *self, const hn_layer_call *call, int32_t pass, hn_layer_cost *cost);
} hn_layer_ops;

HN_BEGIN_DECLS

/* Makes a layer of `self` and its table (borrowed: it must outlive the layer). On HN_OK the layer owns self; on failure
 * the caller still does. HN_E_ARG if the table lacks kind, plan, forward or backward; HN_E_NOMEM.                      */
HN_API HN_MUST_CHECK hn_status hn_layer_create(hn_layer **out, hn_context *context, const hn_layer_ops *ops, void *self);

/* Adds a zeroed f32 parameter to a layer made by hn_layer_create, before the layer becomes a child (then HN_E_STATE). *value
 * and *grad are borrowed; grad NULL makes it a buffer (no gradient, not trained, but saved). name: letters, digits, '_',
 * '.'.                                                                                                                   */
HN_API HN_MUST_CHECK hn_status hn_layer_add_param(hn_layer *layer, const char *name, const hn_desc *desc,
                                                  int32_t weight_decay, hn_tensor **value, hn_tensor **grad);

/* Takes ownership of child (on HN_OK only) and lists its parameters as "NAME.PARAMETER" after those there are, or under
 * their own names if name is "". The child must be complete: neither parameters nor children can be added later. The layer
 * must be one that runs its children: a sequential, or one of yours. A child goes with its owner and is not to be destroyed.
 * HN_E_ARG for a parameter name that exists already, and for a child that has an owner (a layer or a network) or that holds
 * the layer; HN_E_STATE for a layer that has an owner.                                                                   */
HN_API HN_MUST_CHECK hn_status hn_layer_add_child(hn_layer *layer, const char *name, hn_layer *child);

/* Draws initial values for all parameters, children included, from streams derived from rng and the children's order
 * (casts not counted).                                                                                                */
HN_API HN_MUST_CHECK hn_status hn_layer_init_params(hn_layer *layer, const hn_rng *rng);

/* Number of entries of hn_layer_param: parameters and buffers, children included. */
HN_API int64_t hn_layer_param_count(const hn_layer *layer);
/* Entry index, 0 <= index < hn_layer_param_count; param->struct_size is the caller's to set. */
HN_API HN_MUST_CHECK hn_status hn_layer_param(const hn_layer *layer, int64_t index, hn_param *param);
/* Number of trainable values: what papers call "0.46 M parameters". */
HN_API int64_t hn_layer_param_total(const hn_layer *layer);

/* For layers made of others: the child's own plan, forward and backward, with memory cut from the parent's.
 * plan: struct_size is set here; HN_E_ARG for a mode that does not exist or num_threads < 1, HN_E_SHAPE for one that wants
 * more than 2^48 bytes. call: its struct_size must be set, else HN_E_ARG; what an older header's struct lacks is 0, and
 * what a newer's has beyond this one must be 0, else HN_E_VERSION. Other statuses are the child's.
 * forward and backward send their two events to the trace of the call's context, if it has one.                       */
HN_API HN_MUST_CHECK hn_status hn_layer_plan_call(const hn_layer *layer, const hn_desc *input, int32_t mode,
                                                  int32_t num_threads, hn_layer_plan *plan);
/* The child's forward; see hn_layer_plan_call. */
HN_API HN_MUST_CHECK hn_status hn_layer_forward(const hn_layer *layer, const hn_layer_call *call);
/* The child's backward; see hn_layer_plan_call. */
HN_API HN_MUST_CHECK hn_status hn_layer_backward(const hn_layer *layer, const hn_layer_call *call);

/* Nonzero if the layer can take an addend and a ReLU in its calls. */
HN_API int32_t hn_layer_can_add(const hn_layer *layer);

/* The table's kind; borrowed. */
HN_API const char *hn_layer_kind(const hn_layer *layer);
/* Shape of the output for an input of this desc. HN_E_SHAPE if the layer cannot take it, HN_E_UNSUPPORTED and HN_E_STATE as
 * hn_exec_create, HN_E_ARG.                                                                                            */
HN_API HN_MUST_CHECK hn_status hn_layer_output(const hn_layer *layer, const hn_desc *input, hn_desc *output);

/* Destroys the layer, its parameters and its children. NULL is allowed; executors must be gone. */
HN_API void hn_layer_destroy(hn_layer *layer);

HN_END_DECLS
#endif
