/* A whole training of the hybrid network, put together by hand: long-tailed images, two loaders, a backbone of one's own,
 * heads and losses, steps that move from features to classifier, a test, a prediction. docs/pipeline.md explains it.
 * train_hybrid does the same with everything to choose from.                                                         */
#include <hybridnet.h>
#include <stdio.h>
#include <stdlib.h>

enum { CLASSES = 10, SIDE = 32, BATCH = 64, VIEWS = 2, WIDTH = 64, DIM = 32, EPOCHS = 12 };

static void must(hn_status status)
{
    if (status == HN_OK)
        return;
    fprintf(stderr, "pipeline: %s\n", hn_last_error());
    exit(1);
}

/* Images that need no file; hn_dataset_create_memory takes yours. Of the training images an exponential tail is kept. */
static hn_dataset *training_images(hn_context *context)
{
    hn_dataset *balanced, *tail;
    hn_long_tail_options options;
    hn_long_tail_options_init(&options, sizeof options);
    options.ratio = 20.0; /* the largest class has 200 images, the smallest 10 */
    must(hn_dataset_create_synthetic(&balanced, context, 2000, 1));
    must(hn_dataset_create_long_tail(&tail, balanced, &options));
    hn_dataset_release(balanced); /* tail keeps it */
    return tail;
}

/* Batches of a set in the order of a sampler; augment: what happens to an image on its way. */
static hn_loader *loader_of(hn_context *context, hn_dataset *set, int32_t kind, int32_t views, int32_t random)
{
    hn_sampler *sampler;
    hn_loader *loader;
    hn_augment_options augment;
    hn_augment_options_init(&augment, sizeof augment);
    for (int c = 0; c < 3; ++c) {
        augment.mean[c] = 0.5f;
        augment.std[c] = 0.25f;
    }
    augment.crop_padding = random ? 4 : 0;
    augment.flip = random;
    hn_loader_options options;
    hn_loader_options_init(&options, sizeof options);
    options.batch = BATCH;
    options.views = views;
    options.augment = &augment;
    must(hn_sampler_create(&sampler, context, kind, hn_dataset_labels(set), hn_dataset_count(set), CLASSES, NULL));
    must(hn_loader_create(&loader, context, set, sampler, &options)); /* takes the sampler */
    return loader;
}

/* Three convolutions with batch norm and ReLU, each halving the sides, and the mean over what is left: N x WIDTH. Any layer
 * that puts out rows will do: hn_resnet_cifar_create() makes the paper's.                                              */
static hn_layer *backbone_of(hn_context *context)
{
    static const int32_t channels[] = {3, 16, 32, WIDTH};
    hn_layer *backbone, *unit, *pool;
    must(hn_sequential_create(&backbone, context));
    for (int i = 0; i < 3; ++i) {
        char conv[16], norm[16];
        hn_conv2d_options options;
        hn_conv2d_options_init(&options, sizeof options);
        options.in_channels = channels[i];
        options.out_channels = channels[i + 1];
        options.stride = 2;
        snprintf(conv, sizeof conv, "conv%d", i + 1);
        snprintf(norm, sizeof norm, "bn%d", i + 1);
        must(hn_conv_unit_create(&unit, context, conv, norm, &options, NULL, 1));
        must(hn_layer_add_child(backbone, "", unit));
    }
    must(hn_global_avg_pool_create(&pool, context));
    must(hn_layer_add_child(backbone, "", pool));
    return backbone;
}

static hn_hybrid *network_of(hn_context *context)
{
    hn_hybrid *network;
    hn_hybrid_parts parts = {.struct_size = sizeof parts, .backbone = backbone_of(context)};
    hn_projection_options projection;
    hn_projection_options_init(&projection, sizeof projection);
    projection.in = WIDTH;
    projection.out = DIM;
    must(hn_projection_create(&parts.projection, context, &projection));
    must(hn_linear_create(&parts.classifier, context, WIDTH, CLASSES, 1));
    must(hn_loss_create_psc(&parts.feature_loss, context, CLASSES, DIM, NULL)); /* or hn_loss_create_sc */
    must(hn_loss_create_ce(&parts.classifier_loss, context, CLASSES, NULL));
    hn_hybrid_options options;
    hn_hybrid_options_init(&options, sizeof options);
    options.input = (hn_desc){HN_F32, 4, {BATCH * VIEWS, SIDE, SIDE, 3}}; /* the largest batch; channels last */
    must(hn_hybrid_create(&network, context, &parts, &options));         /* takes the parts */
    hn_rng rng;
    hn_rng_seed(&rng, 1, 0);
    must(hn_hybrid_init_params(network, &rng));
    return network;
}

/* The next batch; at the end of the loader's epoch the first of the next. */
static hn_batch next(hn_loader *loader)
{
    hn_batch batch = {.struct_size = sizeof batch};
    hn_status status = hn_loader_next(loader, &batch);
    must(status == HN_END ? hn_loader_next(loader, &batch) : status);
    return batch;
}

int main(void)
{
    hn_context *context;
    hn_dataset *test_set;
    must(hn_context_create(&context, NULL)); /* all cores; messages and memory by default */
    hn_dataset *training_set = training_images(context);
    must(hn_dataset_create_synthetic(&test_set, context, 1000, 2));
    /* Features are learnt from the images as they lie, in two views each; the classifier from classes drawn alike. */
    hn_loader *feature = loader_of(context, training_set, HN_SAMPLER_INSTANCE_BALANCED, VIEWS, 1);
    hn_loader *classifier = loader_of(context, training_set, HN_SAMPLER_CLASS_BALANCED, 1, 1);
    hn_loader *test = loader_of(context, test_set, HN_SAMPLER_INSTANCE_BALANCED, 1, 0);
    hn_hybrid *network = network_of(context);

    hn_transition *transition;
    hn_transition_options moving;
    hn_transition_options_init(&moving, sizeof moving); /* alpha = 1 - (epoch / epochs)^2 */
    moving.total_epochs = EPOCHS;
    must(hn_transition_create(&transition, context, &moving));
    for (int64_t epoch = 0; epoch < EPOCHS; ++epoch) {
        hn_hybrid_losses losses = {.struct_size = sizeof losses};
        double alpha = 0.0, lr = epoch < EPOCHS * 3 / 4 ? 0.1 : 0.01;
        for (int64_t step = 0; step < hn_loader_batches(feature); ++step) {
            hn_batch views = next(feature), images = next(classifier);
            must(hn_transition_alpha(transition, epoch, step, &alpha));
            must(hn_hybrid_step(network, &views, &images, alpha, lr, &losses));
        }
        printf("epoch %d  alpha %.3f  loss %.3f\n", (int)epoch + 1, alpha, losses.loss);
    }

    int64_t counts[CLASSES];
    hn_metrics *metrics;
    hn_metrics_report report = {.struct_size = sizeof report};
    hn_dataset_class_counts(training_set, counts);
    must(hn_metrics_create(&metrics, context, CLASSES, counts));
    must(hn_hybrid_evaluate(network, test, metrics));
    must(hn_metrics_get(metrics, &report));
    printf("test accuracy %.1f %%: many %.1f, medium %.1f, few %.1f\n", 100 * report.top1, 100 * report.many,
           100 * report.medium, 100 * report.few);

    float scores[BATCH * CLASSES] = {0};
    hn_batch some = next(test);
    hn_matf logits = {scores, some.n, CLASSES, CLASSES};
    must(hn_hybrid_predict(network, some.images, &logits));
    int best = 0;
    for (int c = 1; c < CLASSES; ++c)
        best = scores[c] > scores[best] ? c : best;
    printf("one image, of class %d, is taken for one of class %d\n", (int)some.labels[0], best);

    hn_metrics_destroy(metrics);
    hn_transition_destroy(transition);
    hn_hybrid_destroy(network);
    hn_loader_destroy(feature);
    hn_loader_destroy(classifier);
    hn_loader_destroy(test);
    hn_dataset_release(training_set);
    hn_dataset_release(test_set);
    hn_context_destroy(context);
    return 0;
}
