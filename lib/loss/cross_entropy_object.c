/* Cross-entropy as an object. */
#include "loss/loss.h"

#include "base/context.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/options.h"

#include <inttypes.h>
#include <string.h>

enum { ARRAYS = 4 }; /* of the options, each [classes] or NULL */

typedef struct ce_loss {
    hn_loss base;
    hn_loss_ce_options options;
    int64_t classes;
    float *array[ARRAYS]; /* copies */
} ce_loss;

static hn_status ce_scratch(const hn_loss *loss, int64_t rows, int64_t cols, size_t *bytes)
{
    const ce_loss *l = (const ce_loss *)loss;
    HNI_FAIL_IF(cols != l->classes, HN_E_SHAPE,
                "hn_loss_apply: logits have %" PRId64 " columns; the loss was made for %" PRId64 " classes", cols,
                l->classes);
    return hn_loss_ce_scratch(&l->options, rows, cols, bytes);
}

static hn_status ce_apply(hn_loss *loss, const hn_cmatf *input, const int32_t *labels, float scale, double *value,
                          hn_matf *dinput, const hn_scratch *scratch)
{
    hn_loss_ce_options o = ((ce_loss *)loss)->options;
    o.grad_scale = scale;
    return hn_loss_ce(&o, input, labels, value, NULL, dinput, scratch);
}

static void ce_release(hn_loss *loss)
{
    ce_loss *l = (ce_loss *)loss;
    for (int i = 0; i < ARRAYS; ++i)
        hni_release(loss->context, l->array[i], (size_t)l->classes * sizeof(float));
}

static hn_status ce_set_class_weights(hn_loss *loss, const float *weights)
{
    static const char function[] = "hn_loss_set_class_weights";
    ce_loss *l = (ce_loss *)loss;
    hn_loss_ce_options o = l->options;
    size_t bytes;
    o.class_weight = weights;
    HNI_TRY(hn_loss_ce_scratch(&o, 1, l->classes, &bytes)); /* judges them */
    if (weights != NULL && l->array[0] == NULL)
        HNI_TRY(hni_loss_copy(loss, weights, l->classes, function, &l->array[0]));
    else if (weights != NULL)
        memcpy(l->array[0], weights, (size_t)l->classes * sizeof *weights);
    l->options.class_weight = weights == NULL ? NULL : l->array[0];
    return HN_OK;
}

static const hni_loss_kind ce_kind = {.name = "cross-entropy",
                                      .size = sizeof(ce_loss),
                                      .scratch = ce_scratch,
                                      .apply = ce_apply,
                                      .set_class_weights = ce_set_class_weights,
                                      .release = ce_release};

hn_status hn_loss_create_ce(hn_loss **out, hn_context *context, int64_t classes, const hn_loss_ce_options *options)
{
    static const char function[] = "hn_loss_create_ce";
    hn_loss *loss = NULL;
    HNI_FAIL_IF(out == NULL, HN_E_ARG, "%s: out is NULL", function);
    HNI_TRY(hni_loss_check_size(classes, 1, function));
    HNI_TRY(hni_loss_start(&loss, context, &ce_kind, function));
    ce_loss *l = (ce_loss *)loss;
    hn_loss_ce_options *o = &l->options;
    hn_loss_ce_options_init(o, sizeof *o);
    l->classes = classes;
    hn_status status = hni_options_read(o, sizeof *o, options, function);
    const float **field[ARRAYS] = {&o->class_weight, &o->logit_adjustment, &o->margin, &o->class_smoothing};
    for (int i = 0; i < ARRAYS; ++i) {
        if (status == HN_OK)
            status = hni_loss_copy(loss, *field[i], classes, function, &l->array[i]);
        *field[i] = l->array[i];
    }
    o->num_threads = context->num_threads;
    o->grad_beta = 0.0f;
    return hni_loss_finish(status, out, loss, classes);
}
