#include "hybrid_case.h"

#include <string.h>

hn_hybrid *hnt_hybrid_of(hn_context *context, int64_t rows, hn_loss *feature, hn_loss *classifier,
                         const hn_hybrid_options *settings, uint64_t seed)
{
    hn_hybrid_parts parts = {.struct_size = sizeof parts, .feature_loss = feature, .classifier_loss = classifier};
    hn_resnet_cifar_options net;
    hn_resnet_cifar_options_init(&net, sizeof net);
    net.depth = 8;
    hn_projection_options head;
    hn_projection_options_init(&head, sizeof head);
    head.in = HNT_HYBRID_FEATURES;
    head.out = HNT_HYBRID_DIM;
    hn_hybrid_options o;
    hn_hybrid_options_init(&o, sizeof o);
    if (settings != NULL)
        o = *settings;
    o.input = (hn_desc){HN_F32, 4, {rows, HNT_HYBRID_SIDE, HNT_HYBRID_SIDE, 3}};
    hn_hybrid *h = NULL;
    hn_rng rng;
    hnt_ok(hn_resnet_cifar_create(&parts.backbone, context, &net));
    hnt_ok(hn_projection_create(&parts.projection, context, &head));
    hnt_ok(hn_linear_create(&parts.classifier, context, HNT_HYBRID_FEATURES, HNT_HYBRID_CLASSES, 1));
    hnt_ok(hn_hybrid_create(&h, context, &parts, &o));
    hn_rng_seed(&rng, seed, 0);
    hnt_ok(hn_hybrid_init_params(h, &rng));
    return h;
}

hn_hybrid *hnt_hybrid(hn_context *context, int64_t rows, int psc, const hn_hybrid_options *settings, uint64_t seed)
{
    hn_loss *feature = NULL, *classifier = NULL;
    hnt_ok(hn_loss_create_ce(&classifier, context, HNT_HYBRID_CLASSES, NULL));
    hnt_ok(psc ? hn_loss_create_psc(&feature, context, HNT_HYBRID_CLASSES, HNT_HYBRID_DIM, NULL)
               : hn_loss_create_sc(&feature, context, NULL));
    return hnt_hybrid_of(context, rows, feature, classifier, settings, seed);
}

hn_tensor *hnt_hybrid_images(hn_context *context, int64_t rows, uint64_t seed)
{
    const hn_desc desc = {HN_F32, 4, {rows, HNT_HYBRID_SIDE, HNT_HYBRID_SIDE, 3}};
    hn_tensor *images = NULL;
    hnt_ok(hn_tensor_create(&images, context, &desc));
    hnt_normal(seed, hn_tensor_data(images), hn_tensor_count(images));
    return images;
}

hn_param hnt_hybrid_param(const hn_hybrid *h, int64_t index)
{
    hn_param param = {.struct_size = sizeof param};
    hnt_ok(hn_hybrid_param(h, index, &param));
    return param;
}

const char *hnt_hybrid_difference(const hn_hybrid *a, const hn_hybrid *b)
{
    ck_assert_int_eq(hn_hybrid_param_count(a), hn_hybrid_param_count(b));
    for (int64_t i = 0; i < hn_hybrid_param_count(a); ++i) {
        const hn_param p = hnt_hybrid_param(a, i), q = hnt_hybrid_param(b, i);
        if (memcmp(hn_tensor_cdata(p.value), hn_tensor_cdata(q.value), hn_tensor_bytes(p.value)) != 0)
            return p.name;
    }
    return NULL;
}

void hnt_hybrid_copy(hn_hybrid *to, const hn_hybrid *from)
{
    for (int64_t i = 0; i < hn_hybrid_param_count(from); ++i) {
        const hn_param p = hnt_hybrid_param(from, i);
        memcpy(hn_tensor_data(hnt_hybrid_param(to, i).value), hn_tensor_cdata(p.value), hn_tensor_bytes(p.value));
    }
}
