/* network.c -- from options to a hn_hybrid. */
#include "network.h"

#include "losses.h"

/* A feature branch: projection head and contrastive loss. */
static hn_status add_feature_branch(hn_hybrid_parts *parts, hn_context *context, const struct options *o,
                                    int64_t features, const struct data *data)
{
    hn_projection_options projection;
    hn_projection_options_init(&projection, sizeof projection);
    projection.in = features;
    projection.hidden = o->projection_hidden;
    projection.out = o->projection_out;
    hn_status status = hn_projection_create(&parts->projection, context, &projection);
    if (status != HN_OK)
        return status;
    return losses_create_feature(&parts->feature_loss, context, o, data, projection.out);
}

/* LDAM learns on scaled cosines. */
static hn_status create_classifier(hn_layer **out, hn_context *context, const struct options *o, int64_t features,
                                   int32_t classes)
{
    if (o->classifier_loss != CLASSIFIER_LDAM)
        return hn_linear_create(out, context, features, classes, 1);
    return hn_cosine_linear_create(out, context, features, classes, losses_ldam_scale);
}

static hn_status create_backbone(hn_layer **out, hn_context *context, const struct options *o, int32_t channels)
{
    hn_resnet_cifar_options small;
    hn_resnet_options large;
    hn_resnet_cifar_options_init(&small, sizeof small);
    hn_resnet_options_init(&large, sizeof large);
    small.depth = large.depth = options_depth(o);
    small.in_channels = large.in_channels = channels;
    small.precision = large.precision = options_precision(o);
    return options_large_network(o) ? hn_resnet_create(out, context, &large)
                                    : hn_resnet_cifar_create(out, context, &small);
}

/* Backbone, linear classifier with cross-entropy and, unless only tested, the feature branch the method has. */
static hn_status create_parts(hn_hybrid_parts *parts, hn_context *context, const struct options *o,
                              const struct data *data, const hn_desc *input)
{
    hn_desc features = {0};
    hn_status status = create_backbone(&parts->backbone, context, o, data->shape.channels);
    if (status == HN_OK)
        status = hn_layer_output(parts->backbone, input, &features);
    if (status == HN_OK)
        status = create_classifier(&parts->classifier, context, o, features.dim[1], data->classes);
    if (status == HN_OK)
        status = losses_create_classifier(&parts->classifier_loss, context, o, data);
    if (status == HN_OK && options_two_branches(o) && !o->eval_only)
        status = add_feature_branch(parts, context, o, features.dim[1], data);
    return status;
}

static void destroy_parts(hn_hybrid_parts *parts)
{
    hn_layer_destroy(parts->backbone);
    hn_layer_destroy(parts->classifier);
    hn_layer_destroy(parts->projection);
    hn_loss_destroy(parts->feature_loss);
    hn_loss_destroy(parts->classifier_loss);
}

hn_status network_create(hn_hybrid **out, hn_context *context, const struct options *options, const struct data *data)
{
    hn_sgd_options sgd;
    hn_sgd_options_init(&sgd, sizeof sgd);
    sgd.momentum = (float)options->momentum;
    sgd.weight_decay = (float)options->weight_decay;
    hn_hybrid_options training;
    hn_hybrid_options_init(&training, sizeof training);
    training.input =
        (hn_desc){HN_F32, 4, {data_rows(options), data->shape.height, data->shape.width, data->shape.channels}};
    training.sgd = &sgd;
    training.micro_batch = options->micro_batch;
    training.statistics = options->statistics;
    training.clip_norm = options->clip_norm;

    hn_hybrid_parts parts = {.struct_size = sizeof parts};
    hn_hybrid *network = NULL;
    hn_status status = create_parts(&parts, context, options, data, &training.input);
    if (status == HN_OK)
        status = hn_hybrid_create(&network, context, &parts, &training);
    if (status != HN_OK) {
        destroy_parts(&parts);
        return status;
    }
    hn_rng rng;
    hn_rng_seed(&rng, (uint64_t)options->seed, 0);
    hn_rng_derive(&rng, &rng, "initial weights", 0);
    status = hn_hybrid_init_params(network, &rng);
    if (status != HN_OK) {
        hn_hybrid_destroy(network);
        return status;
    }
    *out = network;
    return HN_OK;
}
