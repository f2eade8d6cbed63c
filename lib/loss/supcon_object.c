/* SC as an object. */
#include "loss/loss.h"

#include "base/context.h"
#include "base/error.h"
#include "base/options.h"

typedef struct sc_loss {
    hn_loss base;
    hn_loss_sc_options options;
} sc_loss;

static hn_status sc_scratch(const hn_loss *loss, int64_t rows, int64_t cols, size_t *bytes)
{
    return hn_loss_sc_scratch(&((const sc_loss *)loss)->options, rows, cols, bytes);
}

static hn_status sc_apply(hn_loss *loss, const hn_cmatf *input, const int32_t *labels, float scale, double *value,
                          hn_matf *dinput, const hn_scratch *scratch)
{
    hn_loss_sc_options o = ((sc_loss *)loss)->options;
    o.grad_scale = scale;
    return hn_loss_sc(&o, input, labels, value, NULL, dinput, scratch);
}

static const hni_loss_kind sc_kind = {
    .name = "supervised contrastive", .size = sizeof(sc_loss), .scratch = sc_scratch, .apply = sc_apply};

hn_status hn_loss_create_sc(hn_loss **out, hn_context *context, const hn_loss_sc_options *options)
{
    static const char function[] = "hn_loss_create_sc";
    hn_loss *loss = NULL;
    HNI_FAIL_IF(out == NULL, HN_E_ARG, "%s: out is NULL", function);
    HNI_TRY(hni_loss_start(&loss, context, &sc_kind, function));
    hn_loss_sc_options *o = &((sc_loss *)loss)->options;
    hn_loss_sc_options_init(o, sizeof *o);
    hn_status status = hni_options_read(o, sizeof *o, options, function);
    o->num_threads = context->num_threads;
    o->grad_beta = 0.0f;
    return hni_loss_finish(status, out, loss, 1);
}
