/* Two-branch networks of parts that are not the usual ones, and results whose size nobody has set. */
#include "hybrid_case.h"

#include <string.h>

enum { ROWS = 4, SIDE = 14, CLASSES = 10, DIM = 32 };

/* ResNet-8 or, if flat is 0, its first unit; then heads and losses of the caller. */
static hn_status assemble(hn_context *context, int flat, hn_layer *classifier, hn_loss *classifier_loss,
                          hn_layer *projection, hn_loss *feature_loss, hn_hybrid **out)
{
    hn_hybrid_parts parts = {.struct_size = sizeof parts,
                             .classifier = classifier,
                             .classifier_loss = classifier_loss,
                             .projection = projection,
                             .feature_loss = feature_loss};
    hn_resnet_cifar_options net;
    hn_resnet_cifar_options_init(&net, sizeof net);
    net.depth = 8;
    net.in_channels = 1;
    hn_conv2d_options conv;
    hn_conv2d_options_init(&conv, sizeof conv);
    conv.in_channels = 1;
    conv.out_channels = 64;
    conv.kernel = 3;
    conv.padding = 1;
    hn_hybrid_options options;
    hn_hybrid_options_init(&options, sizeof options);
    options.input = (hn_desc){HN_F32, 4, {ROWS, SIDE, SIDE, 1}};
    if (flat)
        hnt_ok(hn_resnet_cifar_create(&parts.backbone, context, &net));
    else
        hnt_ok(hn_conv_unit_create(&parts.backbone, context, "conv", "bn", &conv, NULL, 1));
    const hn_status status = hn_hybrid_create(out, context, &parts, &options);
    if (status != HN_OK) {
        hn_layer_destroy(parts.backbone);
        hn_layer_destroy(classifier);
        hn_layer_destroy(projection);
        hn_loss_destroy(classifier_loss);
        hn_loss_destroy(feature_loss);
    }
    return status;
}

/* A classifier's loss may have parameters, too. */
START_TEST(the_classifiers_loss_is_initialised)
{
    hn_context *context = hnt_context(1);
    hn_layer *fc = NULL;
    hn_loss *psc = NULL;
    hn_hybrid *h = NULL;
    hn_rng rng;
    hnt_ok(hn_linear_create(&fc, context, 64, DIM, 1));
    hnt_ok(hn_loss_create_psc(&psc, context, CLASSES, DIM, NULL));
    hnt_ok(assemble(context, 1, fc, psc, NULL, NULL, &h));
    hn_rng_seed(&rng, 1, 0);
    hnt_ok(hn_hybrid_init_params(h, &rng));
    hn_param param = {.struct_size = sizeof param};
    hnt_ok(hn_hybrid_param(h, hn_hybrid_param_count(h) - 1, &param));
    ck_assert_str_eq(param.name, "prototypes");
    const float *value = hn_tensor_cdata(param.value);
    for (int c = 0; c < CLASSES; ++c) {
        double length = 0;
        for (int d = 0; d < DIM; ++d)
            length += (double)value[c * DIM + d] * (double)value[c * DIM + d];
        ck_assert_double_gt(length, 0.1);
    }
    hn_hybrid_destroy(h);
    hn_context_destroy(context);
}
END_TEST

START_TEST(parts_that_do_not_fit_are_named)
{
    hn_context *context = hnt_context(1);
    hn_layer *fc = NULL, *projection = NULL, *cast = NULL;
    hn_loss *psc = NULL, *another = NULL, *ce = NULL;
    hn_hybrid *h = NULL;
    hnt_ok(hn_linear_create(&fc, context, 64, DIM, 1));
    hnt_ok(hn_linear_create(&projection, context, 64, DIM, 1));
    hnt_ok(hn_loss_create_psc(&psc, context, CLASSES, DIM, NULL));
    hnt_ok(hn_loss_create_psc(&another, context, CLASSES, DIM, NULL));
    hnt_fails(assemble(context, 1, fc, psc, projection, another, &h), HN_E_ARG, "would be called prototypes");

    hnt_ok(hn_linear_create(&fc, context, 64, CLASSES, 1));
    hnt_ok(hn_cast_create(&cast, context, HN_BF16));
    hn_layer *both = NULL;
    hnt_ok(hn_sequential_create(&both, context));
    hnt_ok(hn_layer_add_child(both, "0", fc));
    hnt_ok(hn_layer_add_child(both, "1", cast));
    hnt_ok(hn_loss_create_ce(&ce, context, CLASSES, NULL));
    hnt_fails(assemble(context, 1, both, ce, NULL, NULL, &h), HN_E_SHAPE, "must be f32 rows x width");
    ck_assert_ptr_null(h);

    /* Features that are no rows: heads may take them, but there is nothing to hand out. */
    hn_layer *pool = NULL;
    hnt_ok(hn_linear_create(&fc, context, 64, CLASSES, 1));
    hnt_ok(hn_global_avg_pool_create(&pool, context));
    hnt_ok(hn_sequential_create(&both, context));
    hnt_ok(hn_layer_add_child(both, "0", pool));
    hnt_ok(hn_layer_add_child(both, "1", fc));
    hnt_ok(hn_loss_create_ce(&ce, context, CLASSES, NULL));
    hnt_ok(assemble(context, 0, both, ce, NULL, NULL, &h));
    ck_assert_int_eq(hn_hybrid_feature_dim(h), 0);
    float none[1];
    hn_matf features = {none, 1, 1, 1};
    const hn_desc one = {HN_F32, 4, {1, SIDE, SIDE, 1}};
    hn_tensor *x = NULL;
    hnt_ok(hn_tensor_create(&x, context, &one));
    hnt_fails(hn_hybrid_features(h, x, &features), HN_E_SHAPE, "not f32 rows x width");
    hn_tensor_destroy(x);
    hn_hybrid_destroy(h);
    hn_context_destroy(context);
}
END_TEST

/* A projection that puts out bf16 is refused like a classifier; the parts are the caller's still, who makes a network of them
 * with another projection.                                                                                               */
START_TEST(a_refusal_leaves_the_parts)
{
    hnt_counter counter = {.fail_at = -1};
    hn_context *context = NULL;
    hnt_ok(hnt_counting_context(&context, &counter, 1));
    hn_layer *linear = NULL, *cast = NULL;
    hn_hybrid *h = NULL;
    hn_hybrid_parts parts = {.struct_size = sizeof parts};
    hn_hybrid_options options;
    hn_hybrid_options_init(&options, sizeof options);
    options.input = (hn_desc){HN_F32, 4, {ROWS, 1, 1, 64}};
    hnt_ok(hn_global_avg_pool_create(&parts.backbone, context));
    hnt_ok(hn_linear_create(&parts.classifier, context, 64, CLASSES, 1));
    hnt_ok(hn_loss_create_ce(&parts.classifier_loss, context, CLASSES, NULL));
    hnt_ok(hn_loss_create_psc(&parts.feature_loss, context, CLASSES, DIM, NULL));
    hnt_ok(hn_linear_create(&linear, context, 64, DIM, 1));
    hnt_ok(hn_cast_create(&cast, context, HN_BF16));
    hnt_ok(hn_sequential_create(&parts.projection, context));
    hnt_ok(hn_layer_add_child(parts.projection, "0", linear));
    hnt_ok(hn_layer_add_child(parts.projection, "1", cast));
    const int64_t alive = counter.alive;
    hnt_fails(hn_hybrid_create(&h, context, &parts, &options), HN_E_SHAPE,
              "the projection puts out bf16 4x32; it must be f32 rows x width");
    ck_assert_ptr_null(h);
    ck_assert_int_eq(counter.alive, alive);
    hn_layer_destroy(parts.projection);
    hnt_ok(hn_linear_create(&parts.projection, context, 64, DIM, 1));
    hnt_ok(hn_hybrid_create(&h, context, &parts, &options));
    hn_hybrid_destroy(h);
    hn_context_destroy(context);
    ck_assert_int_eq(counter.alive, 0);
}
END_TEST

/* Losses without a parameter know their columns, too. */
START_TEST(losses_take_their_branch)
{
    hn_context *context = hnt_context(1);
    hn_hybrid *h = NULL;
    hn_hybrid_parts parts = {.struct_size = sizeof parts};
    hn_hybrid_options options;
    hn_hybrid_options_init(&options, sizeof options);
    options.input = (hn_desc){HN_F32, 4, {ROWS, 1, 1, 64}};
    hnt_ok(hn_global_avg_pool_create(&parts.backbone, context));
    hnt_ok(hn_linear_create(&parts.classifier, context, 64, CLASSES, 1));
    hnt_ok(hn_loss_create_ce(&parts.classifier_loss, context, CLASSES + 2, NULL));
    hnt_ok(hn_linear_create(&parts.projection, context, 64, DIM, 1));
    hnt_ok(hn_loss_create_kcl(&parts.feature_loss, context, CLASSES, DIM + 1, NULL, 0));
    hnt_fails(hn_hybrid_create(&h, context, &parts, &options), HN_E_SHAPE, "columns; the loss was made for");
    hn_loss_destroy(parts.feature_loss);
    hnt_ok(hn_loss_create_sc(&parts.feature_loss, context, NULL));
    hnt_fails(hn_hybrid_create(&h, context, &parts, &options), HN_E_SHAPE,
              "the classifier's loss does not take its output");
    hn_loss_destroy(parts.classifier_loss);
    hnt_ok(hn_loss_create_ce(&parts.classifier_loss, context, CLASSES, NULL));
    hnt_ok(hn_hybrid_create(&h, context, &parts, &options));
    hn_hybrid *another = NULL; /* with layers of its own, but the first one's losses */
    hn_hybrid_parts more = parts;
    hnt_ok(hn_global_avg_pool_create(&more.backbone, context));
    hnt_ok(hn_linear_create(&more.classifier, context, 64, CLASSES, 1));
    hnt_ok(hn_linear_create(&more.projection, context, 64, DIM, 1));
    hnt_fails(hn_hybrid_create(&another, context, &more, &options), HN_E_ARG,
              "the classifier_loss has an owner already");
    hn_tensor *weight = NULL;
    const hn_desc desc = {HN_F32, 1, {3}};
    hnt_fails(hn_layer_add_param(parts.classifier, "late", &desc, 0, &weight, NULL), HN_E_STATE, "has an owner");
    hnt_fails(hn_layer_add_child(parts.classifier, "late", more.projection), HN_E_STATE, "has an owner");
    hn_layer_destroy(more.backbone);
    hn_layer_destroy(more.classifier);
    hn_layer_destroy(more.projection);
    hn_hybrid_destroy(h);
    hn_context_destroy(context);
}
END_TEST

/* What the network owns can have no other owner, nor be two of its parts. */
START_TEST(parts_have_one_owner)
{
    hn_context *context = hnt_context(1);
    hn_hybrid *h = NULL, *another = NULL;
    hn_layer *outer = NULL;
    hn_hybrid_options options;
    hn_hybrid_options_init(&options, sizeof options);
    options.input = (hn_desc){HN_F32, 4, {ROWS, 1, 1, 64}};
    hn_hybrid_parts parts = {.struct_size = sizeof parts}, mistaken;
    hnt_ok(hn_global_avg_pool_create(&parts.backbone, context));
    hnt_ok(hn_linear_create(&parts.classifier, context, 64, CLASSES, 1));
    hnt_ok(hn_linear_create(&parts.projection, context, 64, DIM, 1));
    hnt_ok(hn_loss_create_ce(&parts.classifier_loss, context, CLASSES, NULL));
    hnt_ok(hn_loss_create_sc(&parts.feature_loss, context, NULL));
    mistaken = parts;
    mistaken.projection = parts.classifier;
    hnt_fails(hn_hybrid_create(&h, context, &mistaken, &options), HN_E_ARG, "one layer is two of the parts");
    mistaken = parts;
    mistaken.feature_loss = parts.classifier_loss;
    hnt_fails(hn_hybrid_create(&h, context, &mistaken, &options), HN_E_ARG, "one loss is two of the parts");
    hnt_ok(hn_sequential_create(&outer, context));
    hn_layer *inner = NULL;
    hnt_ok(hn_linear_create(&inner, context, 64, CLASSES, 1));
    hnt_ok(hn_layer_add_child(outer, "0", inner));
    mistaken = parts;
    mistaken.classifier = inner;
    hnt_fails(hn_hybrid_create(&h, context, &mistaken, &options), HN_E_ARG, "the classifier has an owner already");
    hnt_ok(hn_hybrid_create(&h, context, &parts, &options));
    hnt_fails(hn_hybrid_create(&another, context, &parts, &options), HN_E_ARG, "the backbone has an owner already");
    hnt_fails(hn_layer_add_child(outer, "1", parts.projection), HN_E_ARG, "has an owner already");
    hn_hybrid_destroy(h);
    hn_layer_destroy(outer);
    hn_context_destroy(context);
}
END_TEST

/* A struct whose size nobody has set is not written to, and nothing else happens. */
START_TEST(results_need_their_size)
{
    static const size_t sizes[] = {0, 7, SIZE_MAX};
    hn_context *context = hnt_context(1);
    hn_hybrid *h = hnt_hybrid(context, ROWS, 0, NULL, 1);
    hn_tensor *images = hnt_hybrid_images(context, ROWS, 1);
    const int32_t labels[ROWS] = {0, 1, 2, 0};
    const hn_batch batch = {.struct_size = sizeof batch, .images = images, .labels = labels, .n = ROWS};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i) {
        hn_param param = {.struct_size = sizes[i], .name = "mine"};
        hnt_fails(hn_hybrid_param(h, 0, &param), HN_E_ARG, "param->struct_size is");
        ck_assert_str_eq(param.name, "mine");
        hn_hybrid_losses losses = {.struct_size = sizes[i], .loss = 5.0};
        hnt_fails(hn_hybrid_step(h, NULL, &batch, 0.0, 0.1, &losses), HN_E_ARG, "losses->struct_size is");
        ck_assert_double_eq(losses.loss, 5.0);
    }
    hn_tensor_destroy(images);
    hn_hybrid_destroy(h);
    hn_context_destroy(context);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("hybrid_parts");
    TCase *unit = hnt_case(s, "unit");
    tcase_add_test(unit, the_classifiers_loss_is_initialised);
    tcase_add_test(unit, parts_that_do_not_fit_are_named);
    tcase_add_test(unit, a_refusal_leaves_the_parts);
    tcase_add_test(unit, parts_have_one_owner);
    tcase_add_test(unit, losses_take_their_branch);
    tcase_add_test(unit, results_need_their_size);
    return s;
}

HNT_MAIN(suite)
