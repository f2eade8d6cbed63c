#include "train/hybrid.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/options.h"
#include "layer/layer.h"
#include "loss/loss.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

void hn_hybrid_options_init(hn_hybrid_options *options, size_t struct_size)
{
    const hn_hybrid_options defaults = {.struct_size = sizeof defaults};
    hni_options_init(options, struct_size, &defaults, sizeof defaults);
}

static hn_status check_parts(const hn_hybrid_parts *p)
{
    HNI_FAIL_IF(p->backbone == NULL || p->classifier == NULL || p->classifier_loss == NULL, HN_E_ARG,
                "hn_hybrid_create: parts lack the %s",
                p->backbone == NULL     ? "backbone"
                : p->classifier == NULL ? "classifier"
                                        : "classifier_loss");
    HNI_FAIL_IF((p->projection == NULL) != (p->feature_loss == NULL), HN_E_ARG,
                "hn_hybrid_create: parts have a %s without a %s", p->projection == NULL ? "feature_loss" : "projection",
                p->projection == NULL ? "projection" : "feature_loss");
    HNI_FAIL_IF(p->backbone == p->classifier || p->backbone == p->projection || p->classifier == p->projection,
                HN_E_ARG, "hn_hybrid_create: one layer is two of the parts");
    HNI_FAIL_IF(p->feature_loss == p->classifier_loss, HN_E_ARG, "hn_hybrid_create: one loss is two of the parts");
    const hn_layer *layers[] = {p->backbone, p->classifier, p->projection};
    for (int i = 0; i < 3; ++i)
        HNI_FAIL_IF(layers[i] != NULL && layers[i]->owned, HN_E_ARG, "hn_hybrid_create: the %s has an owner already",
                    i == 0   ? "backbone"
                    : i == 1 ? "classifier"
                             : "projection");
    const hn_loss *losses[] = {p->classifier_loss, p->feature_loss};
    for (int i = 0; i < 2; ++i)
        HNI_FAIL_IF(losses[i] != NULL && losses[i]->owned, HN_E_ARG, "hn_hybrid_create: the %s has an owner already",
                    i == 0 ? "classifier_loss" : "feature_loss");
    return HN_OK;
}

/* Executors and arrays of one head; features: what the backbone puts out for the rows that run at once. */
static hn_status create_branch(const hn_hybrid *h, hni_branch *branch, const char *name, const hn_desc *features)
{
    hn_desc output;
    char text[HNI_DESC_TEXT];
    HNI_TRY(hn_layer_output(branch->head, features, &output));
    HNI_FAIL_IF(output.ndim != 2 || output.dtype != HN_F32, HN_E_SHAPE,
                "hn_hybrid_create: the %s puts out %s; it must be f32 rows x width", name,
                hni_desc_text(&output, text));
    for (int64_t i = 0; i < hn_loss_param_count(branch->loss); ++i) {
        hn_param param = {.struct_size = sizeof param};
        HNI_TRY(hn_loss_param(branch->loss, i, &param));
        const hn_desc *desc = hn_tensor_desc(param.value);
        HNI_FAIL_IF(desc->dim[desc->ndim - 1] != output.dim[1], HN_E_SHAPE,
                    "hn_hybrid_create: the %s puts out %" PRId64 " columns; the loss's %s have %" PRId64, name,
                    output.dim[1], param.name, desc->dim[desc->ndim - 1]);
    }
    size_t bytes;
    char why[512];
    if (branch->loss->kind->scratch(branch->loss, 1, output.dim[1], &bytes) < 0) { /* what has no parameters, too */
        snprintf(why, sizeof why, "%s", hn_last_error());
        return hni_fail(HN_E_SHAPE, "hn_hybrid_create: the %s's loss does not take its output: %s", name, why);
    }
    HNI_TRY(hn_exec_create(&branch->train, h->context, branch->head, features, HN_MODE_TRAIN));
    output.dim[0] = h->rows;
    if (h->at_once < h->rows)
        HNI_TRY(hn_tensor_create(&branch->output, h->context, &output));
    return hn_tensor_create(&branch->gradient, h->context, &output);
}

/* An optimizer of the parameters from `first` on takes the place of the one before. */
static hn_status replace_optimizer(hn_hybrid *h, int64_t first)
{
    hn_optimizer *optimizer;
    HNI_TRY(hn_optimizer_create_sgd(&optimizer, h->context, &h->sgd));
    hn_status status = HN_OK;
    for (int64_t i = first; i < h->param_count && status == HN_OK; ++i)
        if (h->params[i].grad != NULL)
            status = hn_optimizer_add(optimizer, &h->params[i]);
    if (status < 0) {
        hn_optimizer_destroy(optimizer);
        return status;
    }
    hn_optimizer_destroy(h->optimizer);
    h->optimizer = optimizer;
    return HN_OK;
}

/* Room for all buffers' values. */
static hn_status create_kept(hn_hybrid *h)
{
    for (int64_t i = 0; i < h->param_count; ++i)
        if (h->params[i].grad == NULL)
            h->kept_count += hn_tensor_count(h->params[i].value);
    h->kept = hni_alloc(h->context, (size_t)h->kept_count * sizeof *h->kept);
    return h->kept != NULL ? HN_OK : hni_no_memory("hn_hybrid_create", (size_t)h->kept_count * sizeof *h->kept);
}

static hn_status create_all(hn_hybrid *h, const hn_hybrid_options *o)
{
    hn_desc input = o->input, features;
    char text[HNI_DESC_TEXT];
    HNI_FAIL_IF(o->input.ndim != 4 || o->input.dtype != HN_F32, HN_E_SHAPE,
                "hn_hybrid_create: options.input is %s; it must be f32 N x H x W x C", hni_desc_text(&o->input, text));
    HNI_FAIL_IF(o->micro_batch < 0, HN_E_ARG,
                "hn_hybrid_create: options.micro_batch is %" PRId64 "; it must not be negative", o->micro_batch);
    HNI_FAIL_IF(!(o->clip_norm >= 0.0 && isfinite(o->clip_norm)), HN_E_ARG,
                "hn_hybrid_create: options.clip_norm is %g; it must be finite and not negative", o->clip_norm);
    HNI_FAIL_IF(o->statistics != HN_STATISTICS_BOTH && o->statistics != HN_STATISTICS_CLASSIFIER, HN_E_ARG,
                "hn_hybrid_create: options.statistics is %" PRId32 "; it must be HN_STATISTICS_BOTH or _CLASSIFIER",
                o->statistics);
    h->clip_norm = o->clip_norm;
    h->statistics = o->statistics;
    h->rows = o->input.dim[0];
    h->at_once = o->micro_batch > 0 && o->micro_batch < h->rows ? o->micro_batch : h->rows;
    input.dim[0] = h->at_once;
    HNI_TRY(hn_layer_output(h->backbone, &input, &features));
    if (h->feature.head != NULL)
        HNI_TRY(create_branch(h, &h->feature, "projection", &features));
    HNI_TRY(create_branch(h, &h->classifier, "classifier", &features));
    HNI_TRY(hn_exec_create(&h->backbone_train, h->context, h->backbone, &input, HN_MODE_TRAIN));
    HNI_TRY(hn_exec_create(&h->backbone_infer, h->context, h->backbone, &input, HN_MODE_INFER));
    HNI_TRY(hn_exec_create(&h->classifier_infer, h->context, h->classifier.head, &features, HN_MODE_INFER));
    HNI_TRY(hn_tensor_create(&h->features_gradient, h->context, &features));
    HNI_TRY(hni_hybrid_list_params(h));
    HNI_TRY(create_kept(h));
    hn_sgd_options_init(&h->sgd, sizeof h->sgd);
    HNI_TRY(hni_options_read(&h->sgd, sizeof h->sgd, o->sgd, "hn_hybrid_create"));
    return replace_optimizer(h, 0);
}

/* Everything but the parts. */
static void destroy_own(hn_hybrid *h)
{
    hn_optimizer_destroy(h->optimizer);
    hni_release(h->context, h->kept, (size_t)h->kept_count * sizeof *h->kept);
    hni_hybrid_release_params(h);
    hn_tensor_destroy(h->features_gradient);
    hn_exec_destroy(h->classifier_infer);
    hn_exec_destroy(h->backbone_infer);
    hn_exec_destroy(h->backbone_train);
    hni_branch *branches[] = {&h->feature, &h->classifier};
    for (int i = 0; i < 2; ++i) {
        hn_exec_destroy(branches[i]->train);
        hn_tensor_destroy(branches[i]->output);
        hn_tensor_destroy(branches[i]->gradient);
    }
    hni_release(h->context, h, sizeof *h);
}

hn_status hn_hybrid_create(hn_hybrid **out, hn_context *context, const hn_hybrid_parts *parts,
                           const hn_hybrid_options *options)
{
    HNI_FAIL_IF(out == NULL || context == NULL || parts == NULL || options == NULL, HN_E_ARG,
                "hn_hybrid_create: %s is NULL",
                out == NULL       ? "out"
                : context == NULL ? "context"
                : parts == NULL   ? "parts"
                                  : "options");
    hn_hybrid_parts p = {.struct_size = sizeof p};
    hn_hybrid_options o = {.struct_size = sizeof o};
    HNI_TRY(hni_options_read(&p, sizeof p, parts, "hn_hybrid_create"));
    HNI_TRY(hni_options_read(&o, sizeof o, options, "hn_hybrid_create"));
    HNI_TRY(check_parts(&p));
    hn_hybrid *h = hni_alloc(context, sizeof *h);
    if (h == NULL)
        return hni_no_memory("hn_hybrid_create", sizeof *h);
    *h = (hn_hybrid){.context = context,
                     .backbone = p.backbone,
                     .feature = {.head = p.projection, .loss = p.feature_loss},
                     .classifier = {.head = p.classifier, .loss = p.classifier_loss}};
    hn_status status = create_all(h, &o);
    if (status < 0) {
        destroy_own(h);
        return status;
    }
    h->backbone->owned = h->classifier.head->owned = h->classifier.loss->owned = true;
    if (h->feature.head != NULL)
        h->feature.head->owned = h->feature.loss->owned = true;
    *out = h;
    return HN_OK;
}

hn_status hn_hybrid_init_params(hn_hybrid *hybrid, const hn_rng *rng)
{
    HNI_FAIL_IF(hybrid == NULL || rng == NULL, HN_E_ARG, "hn_hybrid_init_params: %s is NULL",
                hybrid == NULL ? "hybrid" : "rng");
    hn_rng stream;
    hn_rng_derive(&stream, rng, "backbone", 0);
    HNI_TRY(hn_layer_init_params(hybrid->backbone, &stream));
    hn_rng_derive(&stream, rng, "classifier", 0);
    HNI_TRY(hn_layer_init_params(hybrid->classifier.head, &stream));
    hn_rng_derive(&stream, rng, "classifier loss", 0);
    HNI_TRY(hn_loss_init_params(hybrid->classifier.loss, &stream));
    if (hybrid->feature.head == NULL)
        return HN_OK;
    hn_rng_derive(&stream, rng, "projection", 0);
    HNI_TRY(hn_layer_init_params(hybrid->feature.head, &stream));
    hn_rng_derive(&stream, rng, "prototypes", 0);
    return hn_loss_init_params(hybrid->feature.loss, &stream);
}

hn_status hn_hybrid_freeze_backbone(hn_hybrid *hybrid, int32_t frozen)
{
    HNI_FAIL_IF(hybrid == NULL, HN_E_ARG, "hn_hybrid_freeze_backbone: hybrid is NULL");
    HNI_TRY(replace_optimizer(hybrid, frozen ? hybrid->backbone_count : 0));
    hybrid->frozen = frozen != 0;
    return HN_OK;
}

hn_layer *hn_hybrid_classifier(hn_hybrid *hybrid)
{
    return hybrid == NULL ? NULL : hybrid->classifier.head;
}

hn_loss *hn_hybrid_feature_loss(hn_hybrid *hybrid)
{
    return hybrid == NULL ? NULL : hybrid->feature.loss;
}

hn_loss *hn_hybrid_classifier_loss(hn_hybrid *hybrid)
{
    return hybrid == NULL ? NULL : hybrid->classifier.loss;
}

void hn_hybrid_destroy(hn_hybrid *hybrid)
{
    if (hybrid == NULL)
        return;
    hn_hybrid_parts parts = {.backbone = hybrid->backbone,
                             .classifier = hybrid->classifier.head,
                             .projection = hybrid->feature.head,
                             .feature_loss = hybrid->feature.loss,
                             .classifier_loss = hybrid->classifier.loss};
    destroy_own(hybrid);
    hn_layer_destroy(parts.backbone);
    hn_layer_destroy(parts.classifier);
    hn_layer_destroy(parts.projection);
    hn_loss_destroy(parts.feature_loss);
    hn_loss_destroy(parts.classifier_loss);
}
