/* loss_common.h -- the option fields all pure losses begin with; see loss.h for the contract they share. */
#ifndef HYBRIDNET_LOSS_COMMON_H
#define HYBRIDNET_LOSS_COMMON_H

#include <hybridnet/status.h>
#include <hybridnet/types.h>

enum {
    HN_REDUCE_MEAN = 0, /* over the rows that count */
    HN_REDUCE_SUM = 1
};

/* reduction     HN_REDUCE_MEAN (default) or HN_REDUCE_SUM
 * check_finite  nonzero: a NaN or infinity in the inputs is HN_E_NONFINITE, at the price of one pass over them;
 *               0 (default): it shows up in the outputs
 * num_threads   1 (default): the calling thread; 0: as many as OpenMP would use, 1024 at most; n: n threads. A BLAS with
 *               threads of its own (no OpenMP build) takes those beside
 * grad_scale    default 1
 * grad_beta     default 0                                                                                        */
#define HN_LOSS_COMMON_OPTIONS \
    size_t struct_size;        \
    int32_t reduction;         \
    int32_t check_finite;      \
    int32_t num_threads;       \
    float grad_scale;          \
    float grad_beta;

#endif
