/* losses.c -- each loss of the options with its paper's settings; docs/rebalancing.md has the formulas. */
#include "losses.h"

#include <stdbool.h>

/* Settings as published: BALMS and LDAM need none beside the defaults of their options. */
static const float focal_gamma = 2.0f, smoothing = 0.1f, tsc_target_weight = 0.2f;
static const double effective_beta = 0.9999, ldam_margin = 0.5, prior_power = 1.0;
static const double smoothing_head = 0.4, smoothing_tail = 0.1;
const float losses_ldam_scale = 30.0f;

/* ---- the feature branch --------------------------------------------------------------------------------------------- */

static hn_status create_sc(hn_loss **out, hn_context *context, const struct options *o)
{
    hn_loss_sc_options sc;
    hn_loss_sc_options_init(&sc, sizeof sc);
    sc.temperature = (float)o->temperature;
    sc.reduction = o->reduction;
    return hn_loss_create_sc(out, context, &sc);
}

static hn_status create_psc(hn_loss **out, hn_context *context, const struct options *o, int32_t classes, int64_t dim)
{
    hn_loss_psc_options psc;
    hn_loss_psc_options_init(&psc, sizeof psc);
    psc.temperature = (float)o->temperature;
    psc.reduction = o->reduction;
    psc.include_own = o->psc_include_own;
    psc.prototypes_per_class = (int32_t)o->prototypes;
    psc.assign = o->assign;
    return hn_loss_create_psc(out, context, classes, dim, &psc);
}

static hn_status create_bcl(hn_loss **out, hn_context *context, const struct options *o, int32_t classes, int64_t dim)
{
    hn_loss_bcl_options bcl;
    hn_loss_bcl_options_init(&bcl, sizeof bcl);
    bcl.temperature = (float)o->temperature;
    bcl.reduction = o->reduction;
    return hn_loss_create_bcl(out, context, classes, dim, &bcl);
}

static hn_status create_kcl(hn_loss **out, hn_context *context, const struct options *o, int32_t classes, int64_t dim)
{
    hn_loss_kcl_options kcl;
    hn_loss_kcl_options_init(&kcl, sizeof kcl);
    kcl.temperature = (float)o->temperature;
    kcl.reduction = o->reduction;
    kcl.target_weight = o->feature_loss == FEATURE_TSC ? tsc_target_weight : 0.0f;
    return hn_loss_create_kcl(out, context, classes, dim, &kcl, o->queue);
}

static hn_status create_paco(hn_loss **out, hn_context *context, const struct options *o, const struct data *data,
                             int64_t dim)
{
    hn_loss_paco_options paco;
    hn_loss_paco_options_init(&paco, sizeof paco);
    paco.temperature = (float)o->temperature;
    paco.reduction = o->reduction;
    paco.logit_temperature = (float)o->temperature; /* the centres begin as unit rows, as the keys are */
    return hn_loss_create_paco(out, context, data->classes, dim, data->counts, &paco, o->queue);
}

static hn_status create_proco(hn_loss **out, hn_context *context, const struct options *o, const struct data *data,
                              int64_t dim)
{
    hn_loss_proco_options proco;
    hn_loss_proco_options_init(&proco, sizeof proco);
    proco.temperature = (float)o->temperature;
    proco.reduction = o->reduction;
    return hn_loss_create_proco(out, context, data->classes, dim, data->counts, &proco);
}

hn_status losses_create_feature(hn_loss **out, hn_context *context, const struct options *o, const struct data *data,
                                int64_t dim)
{
    switch (o->feature_loss) {
    case FEATURE_PSC:
        return create_psc(out, context, o, data->classes, dim);
    case FEATURE_BCL:
        return create_bcl(out, context, o, data->classes, dim);
    case FEATURE_KCL:
    case FEATURE_TSC:
        return create_kcl(out, context, o, data->classes, dim);
    case FEATURE_PACO:
        return create_paco(out, context, o, data, dim);
    case FEATURE_PROCO:
        return create_proco(out, context, o, data, dim);
    default:
        return create_sc(out, context, o);
    }
}

/* ---- the classifier branch ------------------------------------------------------------------------------------------ */

hn_status losses_create_classifier(hn_loss **out, hn_context *context, const struct options *o, const struct data *data)
{
    float array[MAX_CLASSES]; /* of the one rule, from the class counts */
    hn_loss_ce_options ce;
    hn_loss_ce_options_init(&ce, sizeof ce);
    hn_status status = HN_OK;
    switch (o->classifier_loss) {
    case CLASSIFIER_SMOOTHED:
        ce.label_smoothing = smoothing;
        break;
    case CLASSIFIER_LABEL_AWARE:
        status = hn_class_smoothing(data->counts, data->classes, HN_SMOOTHING_CONCAVE, smoothing_head, smoothing_tail,
                                    array);
        ce.class_smoothing = array;
        break;
    case CLASSIFIER_FOCAL:
        ce.focal_gamma = focal_gamma;
        break;
    case CLASSIFIER_CLASS_BALANCED_FOCAL:
        ce.focal_gamma = focal_gamma; /* and the weights of the next */
        /* fall through */
    case CLASSIFIER_CLASS_BALANCED:
        status = hn_class_weights_effective(data->counts, data->classes, effective_beta, array);
        ce.class_weight = array;
        break;
    case CLASSIFIER_BALANCED_SOFTMAX:
    case CLASSIFIER_LOGIT_ADJUSTMENT:
        status = hn_class_log_prior(data->counts, data->classes, prior_power, array);
        ce.logit_adjustment = array;
        break;
    case CLASSIFIER_LDAM:
        status = hn_class_margins(data->counts, data->classes, losses_ldam_scale * ldam_margin, array);
        ce.margin = array; /* of logits that the layer has scaled */
        break;
    default:
        break;
    }
    return status == HN_OK ? hn_loss_create_ce(out, context, data->classes, &ce) : status;
}

hn_status losses_weigh_classes(hn_hybrid *network, const struct options *o, const struct data *data, int64_t epoch)
{
    float weights[MAX_CLASSES];
    if (o->drw_epoch == 0)
        return HN_OK;
    hn_status status =
        hn_class_weights_deferred(data->counts, data->classes, effective_beta, epoch, o->drw_epoch, weights);
    return status == HN_OK ? hn_loss_set_class_weights(hn_hybrid_classifier_loss(network), weights) : status;
}

hn_status losses_begin_epoch(hn_hybrid *network, const struct options *o, const struct data *data, int64_t epoch)
{
    hn_loss *feature = hn_hybrid_feature_loss(network), *classifier = hn_hybrid_classifier_loss(network);
    hn_status status = feature == NULL ? HN_OK : hn_loss_begin_epoch(feature, epoch);
    if (status == HN_OK)
        status = hn_loss_begin_epoch(classifier, epoch);
    return status == HN_OK ? losses_weigh_classes(network, o, data, epoch) : status;
}
