/* PSC as an object, with its learnable prototypes. */
#include "loss/loss.h"

#include "base/context.h"
#include "base/error.h"
#include "base/options.h"
#include "loss/prototypical.h"

#include <inttypes.h>

typedef struct psc_loss {
    hn_loss base;
    hn_loss_psc_options options;
    int64_t classes, dim;
} psc_loss;

static hn_status psc_scratch(const hn_loss *loss, int64_t rows, int64_t cols, size_t *bytes)
{
    const psc_loss *l = (const psc_loss *)loss;
    HNI_FAIL_IF(cols != l->dim, HN_E_SHAPE,
                "hn_loss_apply: embeddings have %" PRId64 " columns; the prototypes have %" PRId64, cols, l->dim);
    return hn_loss_psc_scratch(&l->options, rows, l->classes, cols, bytes);
}

static hn_status psc_apply(hn_loss *loss, const hn_cmatf *input, const int32_t *labels, float scale, double *value,
                           hn_matf *dinput, const hn_scratch *scratch)
{
    hn_loss_psc_options o = ((psc_loss *)loss)->options;
    const hn_cmatf prototypes = hni_loss_param(loss);
    hn_matf gradient = hni_loss_param_grad(loss);
    o.grad_scale = scale;
    return hni_loss_psc("hn_loss_apply", &o, 1.0f, input, &prototypes, labels, value, NULL, dinput,
                        dinput == NULL ? NULL : &gradient, scratch);
}

static const hni_loss_kind psc_kind = {
    .name = "prototypical contrastive", .size = sizeof(psc_loss), .scratch = psc_scratch, .apply = psc_apply};

hn_status hn_loss_create_psc(hn_loss **out, hn_context *context, int64_t classes, int64_t dim,
                             const hn_loss_psc_options *options)
{
    static const char function[] = "hn_loss_create_psc";
    hn_loss *loss = NULL;
    HNI_FAIL_IF(out == NULL, HN_E_ARG, "%s: out is NULL", function);
    HNI_TRY(hni_loss_check_size(classes, dim, function));
    HNI_TRY(hni_loss_start(&loss, context, &psc_kind, function));
    psc_loss *l = (psc_loss *)loss;
    hn_loss_psc_options *o = &l->options;
    hn_loss_psc_options_init(o, sizeof *o);
    l->classes = classes;
    l->dim = dim;
    hn_status status = hni_options_read(o, sizeof *o, options, function);
    o->num_threads = context->num_threads;
    o->grad_beta = 0.0f;
    if (status == HN_OK && o->assign == HN_ASSIGN_GIVEN)
        status = hni_fail(HN_E_ARG, "%s: assign is HN_ASSIGN_GIVEN, which is for hn_loss_psc alone", function);
    size_t bytes;
    if (status == HN_OK) /* before prototypes are made from a count that may be nonsense */
        status = hn_loss_psc_scratch(o, 1, classes, dim, &bytes);
    if (status == HN_OK)
        status = hni_loss_add_param(loss, "prototypes", classes * o->prototypes_per_class, dim);
    return hni_loss_finish(status, out, loss, dim);
}
