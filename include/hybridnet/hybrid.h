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
    hn_loss *feature_loss;    /* of the projection's output: SC, PSC ...; NULL exactly when projection is NULL  */
    hn_loss *classifier_loss;
} hn_hybrid_parts;

/* Whose batches the running statistics of the backbone's batch norms follow. */
enum {
    HN_STATISTICS_BOTH = 0,      /* each branch's in turn, as where a module is called twice in PyTorch                  */
    HN_STATISTICS_CLASSIFIER = 1 /* the classifier branch's, which a balancing sampler draws as a balanced test set is
                                    distributed; the feature branch's in steps with alpha 1 alone (docs/reproduction.md
                                    has what it makes of accuracy)                                                      */
};

typedef struct hn_hybrid_options {
    size_t struct_size;
    hn_desc input;            /* of one batch: f32, N x H x W x C; N: the largest number of rows a step or an evaluation
                                 will bring (views counted)                                                            */
    const hn_sgd_options *sgd; /* copied; NULL: defaults                                                              */
    int64_t micro_batch;      /* rows that go through the network at once, >= 0; 0 (default): all. A larger batch is taken
                                 in parts of at most so many rows, whose sizes differ by one at most, and each part but
                                 the last twice (GradCache, Gao et al. 2021): memory is a part's, the loss still that of
                                 the whole batch, a step costs a forward pass more (docs/performance.md). Gradients are
                                 those of the whole batch, but for the batch norms, whose statistics are each part's    */
    double clip_norm;         /* the gradients' L2 norm over all parameters is clipped to this (hn_gradients_clip);
                                 0 (default): not                                                                      */
    int32_t statistics;       /* HN_STATISTICS_BOTH (default) or HN_STATISTICS_CLASSIFIER                              */
    int32_t reserved;
} hn_hybrid_options;

/* Filled by a step. */
typedef struct hn_hybrid_losses {
    size_t struct_size;
    double loss;            /* alpha * feature + (1 - alpha) * classifier  */
    double loss_feature;    /* NaN when the branch was not computed        */
    double loss_classifier; /* NaN when the branch was not computed        */
    double gradient_norm;   /* of the gradients of all that is trained,
                               together, before clipping                   */
} hn_hybrid_losses;

HN_BEGIN_DECLS

/* Fills the struct with its defaults; struct_size: sizeof *options. NULL is ignored. */
HN_API void hn_hybrid_options_init(hn_hybrid_options *options, size_t struct_size);

/* Puts the parts together: executors, optimizer over all parameters. On failure the parts stay the caller's.
 * Parameters are listed as the backbone's own names, "fc." + the classifier's, "projection." + the projection's, and the
 * losses' own ("prototypes", "centers"); two of one name are HN_E_ARG, and so is a layer or loss that is two of the parts or
 * has an owner already. Heads put out f32 rows x width. HN_E_SHAPE if the parts do not fit each other, a loss and its
 * branch's width among them, HN_E_ARG, HN_E_NOMEM.                                                                      */
HN_API HN_MUST_CHECK hn_status hn_hybrid_create(hn_hybrid **out, hn_context *context, const hn_hybrid_parts *parts,
                                                const hn_hybrid_options *options);

/* Initial values for every parameter. */
HN_API HN_MUST_CHECK hn_status hn_hybrid_init_params(hn_hybrid *hybrid, const hn_rng *rng);

/* One training step at learning rate lr, with alpha in [0, 1] (0 without a projection). A branch whose weight is 0 is
 * not computed and its batch may be NULL; its own parameters go on by momentum and weight decay alone, as with a zero
 * gradient. Nothing is allocated once the losses' scratch has grown to the batch (and the
 * engine onednn has seen its number of rows). losses may be NULL; losses->struct_size
 * is the caller's to set.
 * A batch may also be the caller's own: images f32 N x H x W x C, labels [N], n the images of which these are N / n views
 * (HN_E_SHAPE if n does not divide N; 0: not said); index may be NULL.
 * HN_E_NONFINITE if what a head puts out is not finite (the sentence names branch, row and image), or a loss, or a gradient
 * (the parameter). On any failure no parameter, momentum or running statistic has changed: a batch can be left out. A loss
 * with a queue or statistics of classes may have taken its rows, which were finite.                                     */
HN_API HN_MUST_CHECK hn_status hn_hybrid_step(hn_hybrid *hybrid, const hn_batch *feature, const hn_batch *classifier,
                                              double alpha, double lr, hn_hybrid_losses *losses);

/* Logits of n images (f32, n x H x W x C, n from 1 to the planned N) in inference mode; logits: n x classes. HN_E_ARG,
 * HN_E_SHAPE before anything is written; after a failure of the network itself (hn_exec_forward's) logits are undefined.  */
HN_API HN_MUST_CHECK hn_status hn_hybrid_predict(hn_hybrid *hybrid, const hn_tensor *images, hn_matf *logits);

/* What the backbone makes of n images in inference mode: features to look at, or to classify anew (decoupled.h); features:
 * n x hn_hybrid_feature_dim. HN_E_SHAPE if the backbone's output is not f32 rows x width; else as hn_hybrid_predict.     */
HN_API HN_MUST_CHECK hn_status hn_hybrid_features(hn_hybrid *hybrid, const hn_tensor *images, hn_matf *features);
/* Columns of the backbone's output; 0 for NULL, and where it is not f32 rows x width. */
HN_API int64_t hn_hybrid_feature_dim(const hn_hybrid *hybrid);

/* frozen nonzero: from now on steps train the heads alone; the backbone is in inference mode (its batch norms use their
 * running statistics) and none of its values change: the second stage of Kang et al. 2020 (cRT) and of contrastive
 * pre-training. 0: steps train everything again. Momentum begins at zero either way. On failure nothing has changed.
 * HN_E_NOMEM.                                                                                                          */
HN_API HN_MUST_CHECK hn_status hn_hybrid_freeze_backbone(hn_hybrid *hybrid, int32_t frozen);

/* Adds the predictions for what is left of the loader's epoch (one view, no random augmentation) to metrics: all of it where
 * the loader is new, has given HN_END or was sought to a batch 0. After a failure metrics has the batches before it, and the
 * loader stands in the middle of the epoch: reset the one, seek the other.                                             */
HN_API HN_MUST_CHECK hn_status hn_hybrid_evaluate(hn_hybrid *hybrid, hn_loader *loader, hn_metrics *metrics);

/* The classifier, borrowed: for hn_layer_init_params before a second stage, or to read its weights. */
HN_API hn_layer *hn_hybrid_classifier(hn_hybrid *hybrid);

/* The losses of the branches, borrowed: for hn_loss_begin_epoch, hn_loss_set_class_weights and the like. NULL without a
 * feature branch.                                                                                                       */
HN_API hn_loss *hn_hybrid_feature_loss(hn_hybrid *hybrid);
/* The other branch's; see hn_hybrid_feature_loss. */
HN_API hn_loss *hn_hybrid_classifier_loss(hn_hybrid *hybrid);

/* Parameters and buffers of all parts. */
HN_API int64_t hn_hybrid_param_count(const hn_hybrid *hybrid);
/* Entry `index`; param->struct_size is the caller's to set, name and tensors are borrowed. HN_E_ARG. */
HN_API HN_MUST_CHECK hn_status hn_hybrid_param(const hn_hybrid *hybrid, int64_t index, hn_param *param);
/* Trainable values of the network used at inference: backbone and classifier. */
HN_API int64_t hn_hybrid_param_total(const hn_hybrid *hybrid);

/* Weights to and from a safetensors file under the names above. load takes a file without projection and prototypes
 * too if strict is 0 (then those keep their values). Files are written as by hn_safetensors_write. On failure nothing has
 * changed. HN_E_UNSUPPORTED in a build without jansson.                                                                */
HN_API HN_MUST_CHECK hn_status hn_hybrid_save(const hn_hybrid *hybrid, const char *path);
/* The network used at inference alone, backbone and classifier: what hn_hybrid_load takes if not strict, and PyTorch too. */
HN_API HN_MUST_CHECK hn_status hn_hybrid_save_inference(const hn_hybrid *hybrid, const char *path);
/* The other way; see hn_hybrid_save. HN_E_IO, HN_E_FORMAT. */
HN_API HN_MUST_CHECK hn_status hn_hybrid_load(hn_hybrid *hybrid, const char *path, int32_t strict);

/* NULL is allowed. */
HN_API void hn_hybrid_destroy(hn_hybrid *hybrid);

HN_END_DECLS
#endif
