/* hybrid.h -- the insides of the two-branch network. */
#ifndef HNI_HYBRID_H
#define HNI_HYBRID_H

#include <hybridnet/exec.h>
#include <hybridnet/hybrid.h>

#include "base/tensor.h"

#include <stdbool.h>

/* One head on the backbone: executors, its output's gradient, its loss. */
typedef struct hni_branch {
    hn_layer *head;
    hn_loss *loss;
    hn_exec *train;
    hn_tensor *output;   /* planned rows x width; NULL where all rows run at once: then the executor holds it */
    hn_tensor *gradient; /* of the head's output, planned rows x width */
} hni_branch;

struct hn_hybrid {
    hn_context *context;
    hn_layer *backbone;
    hni_branch feature, classifier; /* feature.head NULL: plain cross-entropy training */
    hn_exec *backbone_train, *backbone_infer, *classifier_infer;
    hn_tensor *features_gradient; /* at_once x features */
    hn_optimizer *optimizer;      /* of the heads alone where frozen */
    hn_sgd_options sgd;
    double clip_norm;
    float *kept; /* the buffers' values before the step, one after the other */
    int64_t kept_count;
    bool frozen;
    int32_t statistics; /* HN_STATISTICS_BOTH ... */
    int64_t rows, at_once; /* planned: of a batch, and those that run through the network at once */
    hn_param *params;
    char **names; /* of params that needed a prefix, else NULL */
    int64_t param_capacity; /* of params and names: their layers may have got more since */
    int64_t param_count, backbone_count, required_count; /* the first backbone_count are the backbone's, the first
                                                          * required_count backbone's and classifier's           */
};

/* Part `part` of n rows, in parts of at most at_once that differ by at most one row: the first row and one past the last. */
typedef struct hni_rows {
    int64_t begin, end;
} hni_rows;
int64_t hni_hybrid_parts(const hn_hybrid *hybrid, int64_t n);
hni_rows hni_hybrid_part(const hn_hybrid *hybrid, int64_t n, int64_t part);
/* Those rows of a tensor. */
hn_tensor hni_hybrid_rows(const hn_tensor *tensor, hni_rows rows);

/* Lists all parameters under the names of hybrid.h; frees them. */
hn_status hni_hybrid_list_params(hn_hybrid *hybrid);
void hni_hybrid_release_params(hn_hybrid *hybrid);

#endif
