/* An epoch of Hybrid-SC and Hybrid-PSC, from data set to weights: the same bits on any number of threads and workers. */
#include "hybrid_case.h"

enum { IMAGES = 100, CLASSES = 10, BATCH = 32, SIDE = 32, DIM = 128 };

/* What one training needs. */
typedef struct training {
    hn_context *context;
    hn_hybrid *hybrid;
    hn_dataset *data;
    hn_loader *loaders[2]; /* of the feature branch, of the classifier branch */
} training;

/* ResNet-8 and its heads, each training's from the same numbers. */
static hn_hybrid *make_hybrid(hn_context *context, int psc)
{
    hn_hybrid_parts parts = {.struct_size = sizeof parts};
    hn_resnet_cifar_options net;
    hn_resnet_cifar_options_init(&net, sizeof net);
    net.depth = 8;
    hn_projection_options head;
    hn_projection_options_init(&head, sizeof head);
    head.in = 64;
    head.out = DIM;
    hn_hybrid_options options;
    hn_hybrid_options_init(&options, sizeof options);
    options.input = (hn_desc){HN_F32, 4, {2 * BATCH, SIDE, SIDE, 3}};
    hn_hybrid *h = NULL;
    hn_rng rng;
    hnt_ok(hn_resnet_cifar_create(&parts.backbone, context, &net));
    hnt_ok(hn_linear_create(&parts.classifier, context, 64, CLASSES, 1));
    hnt_ok(hn_projection_create(&parts.projection, context, &head));
    hnt_ok(hn_loss_create_ce(&parts.classifier_loss, context, CLASSES, NULL));
    hnt_ok(psc ? hn_loss_create_psc(&parts.feature_loss, context, CLASSES, DIM, NULL)
               : hn_loss_create_sc(&parts.feature_loss, context, NULL));
    hnt_ok(hn_hybrid_create(&h, context, &parts, &options));
    hn_rng_seed(&rng, 9, 0);
    hnt_ok(hn_hybrid_init_params(h, &rng));
    return h;
}

/* Two views of images as they lie, or one of images drawn balanced. */
static hn_loader *make_loader(const training *t, int balanced, int32_t workers)
{
    hn_augment_options augment;
    hn_augment_options_init(&augment, sizeof augment);
    augment.crop_padding = 4;
    augment.flip = 1;
    augment.grayscale = 0.2f;
    hn_loader_options o;
    hn_loader_options_init(&o, sizeof o);
    o.batch = BATCH;
    o.views = balanced ? 1 : 2;
    o.workers = workers;
    o.augment = &augment;
    hn_sampler *sampler = NULL;
    hn_loader *loader = NULL;
    hnt_ok(hn_sampler_create(&sampler, t->context, balanced ? HN_SAMPLER_CLASS_BALANCED : HN_SAMPLER_INSTANCE_BALANCED,
                             hn_dataset_labels(t->data), IMAGES, CLASSES, NULL));
    hnt_ok(hn_loader_create(&loader, t->context, t->data, sampler, &o));
    return loader;
}

static training after_an_epoch(int32_t threads, int32_t workers, int psc)
{
    training t = {.context = hnt_context(threads)};
    t.hybrid = make_hybrid(t.context, psc);
    hnt_ok(hn_dataset_create_synthetic(&t.data, t.context, IMAGES, 4));
    for (int i = 0; i < 2; ++i)
        t.loaders[i] = make_loader(&t, i, workers);
    for (;;) {
        hn_batch a = {.struct_size = sizeof a}, b = {.struct_size = sizeof b};
        hn_status first = hn_loader_next(t.loaders[0], &a), second = hn_loader_next(t.loaders[1], &b);
        ck_assert(first == HN_OK || first == HN_END);
        ck_assert_int_eq(first, second);
        if (first == HN_END)
            return t;
        hnt_ok(hn_hybrid_step(t.hybrid, &a, &b, 0.6, 0.05, NULL));
    }
}

static void drop(training *t)
{
    hn_loader_destroy(t->loaders[0]);
    hn_loader_destroy(t->loaders[1]);
    hn_dataset_release(t->data);
    hn_hybrid_destroy(t->hybrid);
    hn_context_destroy(t->context);
}

static void same_bits(int psc)
{
    static const int32_t combinations[][2] = {{1, 1}, {2, 1}, {2, 3}, {3, 2}};
    training one = after_an_epoch(1, 0, psc);
    for (size_t i = 0; i < sizeof combinations / sizeof combinations[0]; ++i) {
        const int32_t threads = combinations[i][0], workers = combinations[i][1];
        training other = after_an_epoch(threads, workers, psc);
        const char *name = hnt_hybrid_difference(one.hybrid, other.hybrid);
        ck_assert_msg(name == NULL, "%s differs with %d threads, %d workers", name, threads, workers);
        drop(&other);
    }
    drop(&one);
}

START_TEST(an_epoch_has_the_same_bits_on_any_number_of_threads)
{
    same_bits(0);
    same_bits(1);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("epoch");
    tcase_add_test(hnt_case(s, "repro"), an_epoch_has_the_same_bits_on_any_number_of_threads);
    return s;
}

HNT_MAIN(suite)
