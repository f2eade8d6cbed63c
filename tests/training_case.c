#include "training_case.h"

#include "base/error.h"
#include "checkpoint_case.h"
#include "io/checksum.h"
#include "train/training_state.h"

#include <stdio.h>
#include <string.h>

enum { ROWS = 4, SIDE = 32, CHANNELS = 2 };

/* ---- from files to initial values ----------------------------------------------------------------------------------- */

static hn_status make_loader(hn_loader **out, const hnt_trainee *t, int32_t views)
{
    hn_sampler *sampler = NULL;
    hn_sampler_options order;
    hn_sampler_options_init(&order, sizeof order);
    hn_augment_options augment;
    hn_augment_options_init(&augment, sizeof augment);
    augment.flip = 1;
    augment.crop_padding = 4;
    hn_loader_options o;
    hn_loader_options_init(&o, sizeof o);
    o.batch = ROWS;
    o.views = views;
    o.workers = 0;
    o.augment = &augment;
    HNI_TRY(hn_sampler_create(&sampler, t->context, HN_SAMPLER_CLASS_BALANCED, hn_dataset_labels(t->data),
                              hn_dataset_count(t->data), hn_dataset_classes(t->data), &order));
    const hn_status status = hn_loader_create(out, t->context, t->data, sampler, &o);
    if (status < 0)
        hn_sampler_destroy(sampler); /* not the loader's yet */
    return status;
}

static hn_status make_parts(hn_hybrid_parts *parts, hn_context *context, int which)
{
    hn_resnet_cifar_options net;
    hn_resnet_cifar_options_init(&net, sizeof net);
    net.depth = 8;
    net.width = CHANNELS;
    HNI_TRY(hn_resnet_cifar_create(&parts->backbone, context, &net));
    HNI_TRY(hn_linear_create(&parts->classifier, context, 4 * CHANNELS, CLASSES, 1));
    HNI_TRY(hn_loss_create_ce(&parts->classifier_loss, context, CLASSES, NULL));
    if (rig_kinds[which].create == NULL)
        return HN_OK;
    hn_projection_options head;
    hn_projection_options_init(&head, sizeof head);
    head.in = 4 * CHANNELS;
    head.out = WIDTH;
    HNI_TRY(hn_projection_create(&parts->projection, context, &head));
    return rig_kinds[which].create(&parts->feature_loss, context, QUEUE);
}

static hn_status make_hybrid(hn_hybrid **out, hn_context *context, const hnt_plan *plan)
{
    hn_hybrid_parts parts = {.struct_size = sizeof parts};
    hn_hybrid_options o;
    hn_hybrid_options_init(&o, sizeof o);
    o.input = (hn_desc){HN_F32, 4, {2 * ROWS, SIDE, SIDE, 3}};
    o.micro_batch = plan->micro_batch;
    hn_status status = make_parts(&parts, context, plan->kind);
    if (status == HN_OK)
        status = hn_hybrid_create(out, context, &parts, &o);
    if (status < 0) { /* not the hybrid's yet */
        hn_layer_destroy(parts.backbone);
        hn_layer_destroy(parts.classifier);
        hn_layer_destroy(parts.projection);
        hn_loss_destroy(parts.classifier_loss);
        hn_loss_destroy(parts.feature_loss);
    }
    return status;
}

hn_status hnt_trainee_open(hnt_trainee *t, hn_context *context, const hnt_plan *plan)
{
    *t = (hnt_trainee){.context = context, .t = {.struct_size = sizeof t->t}};
    snprintf(t->in, sizeof t->in, "%s", plan->in);
    snprintf(t->out, sizeof t->out, "%s", plan->out);
    hn_rng rng;
    hn_rng_seed(&rng, 5, 0);
    HNI_TRY(hn_dataset_open_cifar(&t->data, context, t->in, 10, 0));
    HNI_TRY(make_loader(&t->t.classifier, t, 1));
    HNI_TRY(make_loader(&t->test, t, 1));
    if (rig_kinds[plan->kind].create != NULL)
        HNI_TRY(make_loader(&t->t.feature, t, 2));
    HNI_TRY(hn_metrics_create(&t->metrics, context, CLASSES, NULL));
    HNI_TRY(make_hybrid(&t->t.hybrid, context, plan));
    return hn_hybrid_init_params(t->t.hybrid, &rng);
}

void hnt_trainee_close(hnt_trainee *t)
{
    hn_hybrid_destroy(t->t.hybrid);
    hn_metrics_destroy(t->metrics);
    hn_loader_destroy(t->t.feature);
    hn_loader_destroy(t->t.classifier);
    hn_loader_destroy(t->test);
    hn_dataset_release(t->data);
}

/* ---- training ------------------------------------------------------------------------------------------------------- */

hn_status hnt_trainee_take(hnt_trainee *t)
{
    t->feature_batch.struct_size = t->classifier_batch.struct_size = sizeof t->feature_batch;
    if (t->t.feature != NULL)
        HNI_TRY(hn_loader_next(t->t.feature, &t->feature_batch));
    return hn_loader_next(t->t.classifier, &t->classifier_batch);
}

hn_status hnt_trainee_step(hnt_trainee *t)
{
    const int two = t->t.feature != NULL;
    HNI_TRY(
        hn_hybrid_step(t->t.hybrid, two ? &t->feature_batch : NULL, &t->classifier_batch, two ? 0.5 : 0.0, 0.1, NULL));
    t->t.step++;
    return HN_OK;
}

const char *hnt_trainee_weights(const hnt_trainee *t)
{
    static char path[300];
    snprintf(path, sizeof path, "%s/weights.safetensors", t->out);
    return path;
}

hn_status hnt_trainee_save_weights(hnt_trainee *t)
{
    return hn_hybrid_save(t->t.hybrid, hnt_trainee_weights(t));
}

hn_status hnt_trainee_save_inference(hnt_trainee *t)
{
    return hn_hybrid_save_inference(t->t.hybrid, hnt_trainee_weights(t));
}

hn_status hnt_trainee_save(hnt_trainee *t)
{
    static const hn_metadata note = {"note", "kept"};
    char path[300];
    HNI_TRY(hnt_trainee_save_weights(t));
    snprintf(path, sizeof path, "%s/network.safetensors", t->out);
    HNI_TRY(hn_hybrid_save_inference(t->t.hybrid, path));
    return hn_checkpoint_save(&t->t, t->out, 1, &note, 1);
}

hn_status hnt_trainee_restore(hnt_trainee *t)
{
    char path[300];
    hn_checkpoint *c = NULL;
    snprintf(path, sizeof path, "%s/network.safetensors", t->out);
    HNI_TRY(hn_hybrid_load(t->t.hybrid, path, 0));
    hn_status status = hn_checkpoint_open(&c, t->context, t->out);
    if (status == HN_END)
        status = HN_E_IO;
    if (status == HN_OK)
        status = hn_checkpoint_restore(c, &t->t);
    hn_checkpoint_close(c);
    return status;
}

hn_status hnt_whole_training(hnt_trainee *t, hn_context *context, const hnt_plan *plan)
{
    HNI_TRY(hnt_trainee_open(t, context, plan));
    HNI_TRY(hn_loss_begin_epoch(hn_hybrid_classifier_loss(t->t.hybrid), 0));
    if (t->t.feature != NULL)
        HNI_TRY(hn_loss_begin_epoch(hn_hybrid_feature_loss(t->t.hybrid), 0));
    for (int i = 0; i < 2; ++i) {
        HNI_TRY(hnt_trainee_take(t));
        HNI_TRY(hnt_trainee_step(t));
    }
    HNI_TRY(hn_hybrid_evaluate(t->t.hybrid, t->test, t->metrics));
#ifdef HNI_HAVE_JANSSON
    HNI_TRY(hnt_trainee_save(t));
    HNI_TRY(hnt_trainee_restore(t));
#endif
    return HN_OK;
}

uint64_t hnt_trainee_sum(const hnt_trainee *t, int losses)
{
    hni_crc64 crc;
    hni_state state;
    int64_t place[4] = {0};
    hni_crc64_begin(&crc);
    hnt_ok(hni_state_list(&state, t->t.hybrid, t->t.hybrid->frozen, "hnt_trainee_sum"));
    for (int64_t i = 0; i < state.count; ++i) {
        const hn_tensor *tensor = hni_state_tensor(&state, i);
        if (losses || strncmp(state.arrays[i].name, "loss.", 5) != 0)
            hni_crc64_add(&crc, hn_tensor_cdata(tensor), hn_tensor_bytes(tensor));
    }
    hni_state_release(&state);
    hn_loader_tell(t->t.feature, &place[0], &place[1]);
    hn_loader_tell(t->t.classifier, &place[2], &place[3]);
    hni_crc64_add(&crc, place, sizeof place);
    hni_crc64_add(&crc, &t->t.epoch, sizeof t->t.epoch);
    hni_crc64_add(&crc, &t->t.step, sizeof t->t.step);
    return hni_crc64_value(&crc);
}
