/* hybrid.h -- the two-branch network of the paper and its training step.
 *
 * Wang et al. 2021: images of the feature branch go through backbone and projection head to a contrastive loss, images of
 * the classifier branch through the same backbone and a linear classifier to cross-entropy;
 * L = alpha L_feature + (1 - alpha) L_classifier. Each branch has its own forward and backward pass (and so its own batch
 * statistics); the gradients add up, then one update follows.                                                            */
#ifndef HYBRIDNET_HYBRID_H
#define HYBRIDNET_HYBRID_H

#include <hybridnet/layer.h>
#include <hybridnet/loader.h>
#include <hybridnet/loss.h>
#include <hybridnet/metrics.h>
#include <hybridnet/optimizer.h>

/* One thread at a time. */
typedef struct hn_hybrid hn_hybrid;

/* The parts; all belong to the hybrid once hn_hybrid_create returns HN_OK. */
typedef struct hn_hybrid_parts {
    size_t struct_size;
    hn_layer *backbone;
    hn_layer *classifier;     /* backbone's output -> N x classes                                               */
    hn_layer *projection;     /* backbone's output -> N x dim; NULL for plain cross-entropy training            */
    hn_loss *feature_loss;    /* SC or PSC; NULL exactly when projection is NULL                                */
    hn_loss *classifier_loss;
} hn_hybrid_parts;

typedef struct hn_hybrid_options {
    size_t struct_size;
    hn_desc input;            /* of one batch: f32, N x H x W x C; N: the largest number of rows a step or an evaluation
                                 will bring (views counted)                                                            */
    const hn_sgd_options *sgd; /* copied; NULL: defaults                                                              */
} hn_hybrid_options;

/* Filled by a step. */
typedef struct hn_hybrid_losses {
    size_t struct_size;
    double loss;            /* alpha * feature + (1 - alpha) * classifier  */
    double loss_feature;    /* NaN when the branch was not computed        */
    double loss_classifier; /* NaN when the branch was not computed        */
} hn_hybrid_losses;

HN_BEGIN_DECLS

HN_API void hn_hybrid_options_init(hn_hybrid_options *options, size_t struct_size);

/* Puts the parts together: executors, optimizer over all parameters. On failure the parts stay the caller's.
 * Parameters are listed as the backbone's own names, "fc." + the classifier's, "projection." + the projection's, and the
 * feature loss's ("prototypes"). HN_E_SHAPE if the parts do not fit each other, HN_E_ARG, HN_E_NOMEM.                  */
HN_API HN_MUST_CHECK hn_status hn_hybrid_create(hn_hybrid **out, hn_context *context, const hn_hybrid_parts *parts,
                                                const hn_hybrid_options *options);

/* Initial values for every parameter. */
HN_API HN_MUST_CHECK hn_status hn_hybrid_init_params(hn_hybrid *hybrid, const hn_rng *rng);

/* One training step at learning rate lr, with alpha in [0, 1] (0 without a projection). A branch whose weight is 0 is
 * not computed and its batch may be NULL; its own parameters go on by momentum and weight decay alone, as with a zero
 * gradient. Nothing is allocated. losses may be NULL; losses->struct_size is the caller's to set. HN_E_NONFINITE if a
 * loss is not finite: no parameter has changed then, running statistics may have.                                       */
HN_API HN_MUST_CHECK hn_status hn_hybrid_step(hn_hybrid *hybrid, const hn_batch *feature, const hn_batch *classifier,
                                              double alpha, double lr, hn_hybrid_losses *losses);

/* Logits of n images (f32, n x H x W x C, n from 1 to the planned N) in inference mode; logits: n x classes. */
HN_API HN_MUST_CHECK hn_status hn_hybrid_predict(hn_hybrid *hybrid, const hn_tensor *images, hn_matf *logits);

/* Adds the predictions for one epoch of a loader (one view, no random augmentation) to metrics. */
HN_API HN_MUST_CHECK hn_status hn_hybrid_evaluate(hn_hybrid *hybrid, hn_loader *loader, hn_metrics *metrics);

/* Parameters and buffers of all parts. */
HN_API int64_t hn_hybrid_param_count(const hn_hybrid *hybrid);
HN_API HN_MUST_CHECK hn_status hn_hybrid_param(const hn_hybrid *hybrid, int64_t index, hn_param *param);
/* Trainable values of the network used at inference: backbone and classifier. */
HN_API int64_t hn_hybrid_parameter_total(const hn_hybrid *hybrid);

/* Weights to and from a safetensors file under the names above. load takes a file without projection and prototypes
 * too if strict is 0 (then those keep their values). On failure nothing has changed.                                   */
HN_API HN_MUST_CHECK hn_status hn_hybrid_save(const hn_hybrid *hybrid, const char *path);
HN_API HN_MUST_CHECK hn_status hn_hybrid_load(hn_hybrid *hybrid, const char *path, int32_t strict);

/* NULL is allowed. */
HN_API void hn_hybrid_destroy(hn_hybrid *hybrid);

HN_END_DECLS
#endif
