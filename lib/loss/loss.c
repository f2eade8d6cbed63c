/* Losses as objects: options, learnable prototypes and scratch around the pure functions. */
#include <hybridnet/loss.h>

#include "base/context.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/options.h"
#include "base/tensor.h"
#include "kernel/rownorm.h"
#include "loss/prototypical.h"

#include <inttypes.h>
#include <string.h>

struct hn_loss;

/* One kind of loss. rows and cols: of the input. */
typedef struct loss_kind {
    const char *name;
    hn_status (*scratch)(const hn_loss *loss, int64_t rows, int64_t cols, size_t *bytes);
    hn_status (*apply)(hn_loss *loss, const hn_cmatf *input, const int32_t *labels, float scale, double *value,
                       hn_matf *dinput, const hn_scratch *scratch);
} loss_kind;

struct hn_loss {
    hn_context *context;
    const loss_kind *kind;
    union {
        hn_loss_ce_options ce;
        hn_loss_sc_options sc;
        hn_loss_psc_options psc;
    } options;
    int64_t classes, dim;                    /* CE and PSC; PSC */
    float *class_weight, *adjustment;        /* CE: [classes], copies, or NULL */
    hn_tensor *prototypes, *prototypes_grad; /* PSC */
    hn_scratch scratch;
};

/* ---- the kinds ------------------------------------------------------------------------------------------------------ */

static hn_status ce_scratch(const hn_loss *l, int64_t rows, int64_t cols, size_t *bytes)
{
    HNI_FAIL_IF(cols != l->classes, HN_E_SHAPE,
                "hn_loss_apply: logits have %" PRId64 " columns; the loss was made for %" PRId64 " classes", cols,
                l->classes);
    return hn_loss_ce_scratch(&l->options.ce, rows, cols, bytes);
}

static hn_status ce_apply(hn_loss *l, const hn_cmatf *input, const int32_t *labels, float scale, double *value,
                          hn_matf *dinput, const hn_scratch *scratch)
{
    hn_loss_ce_options o = l->options.ce;
    o.grad_scale = scale;
    return hn_loss_ce(&o, input, labels, value, NULL, dinput, scratch);
}

static hn_status sc_scratch(const hn_loss *l, int64_t rows, int64_t cols, size_t *bytes)
{
    return hn_loss_sc_scratch(&l->options.sc, rows, cols, bytes);
}

static hn_status sc_apply(hn_loss *l, const hn_cmatf *input, const int32_t *labels, float scale, double *value,
                          hn_matf *dinput, const hn_scratch *scratch)
{
    hn_loss_sc_options o = l->options.sc;
    o.grad_scale = scale;
    return hn_loss_sc(&o, input, labels, value, NULL, dinput, scratch);
}

static hn_status psc_scratch(const hn_loss *l, int64_t rows, int64_t cols, size_t *bytes)
{
    HNI_FAIL_IF(cols != l->dim, HN_E_SHAPE,
                "hn_loss_apply: embeddings have %" PRId64 " columns; the prototypes have %" PRId64, cols, l->dim);
    return hn_loss_psc_scratch(&l->options.psc, rows, l->classes, cols, bytes);
}

static hn_status psc_apply(hn_loss *l, const hn_cmatf *input, const int32_t *labels, float scale, double *value,
                           hn_matf *dinput, const hn_scratch *scratch)
{
    hn_loss_psc_options o = l->options.psc;
    int64_t rows = l->prototypes->desc.dim[0];
    const hn_cmatf prototypes = {l->prototypes->data, rows, l->dim, l->dim};
    hn_matf gradient = {l->prototypes_grad->data, rows, l->dim, l->dim};
    o.grad_scale = scale;
    return hni_loss_psc("hn_loss_apply", &o, 1.0f, input, &prototypes, labels, value, NULL, dinput,
                        dinput == NULL ? NULL : &gradient, scratch);
}

static const loss_kind ce_kind = {"cross-entropy", ce_scratch, ce_apply};
static const loss_kind sc_kind = {"supervised contrastive", sc_scratch, sc_apply};
static const loss_kind psc_kind = {"prototypical contrastive", psc_scratch, psc_apply};

/* ---- life ----------------------------------------------------------------------------------------------------------- */

static hn_status start(hn_loss **out, hn_context *context, const loss_kind *kind, const char *function)
{
    HNI_FAIL_IF(context == NULL, HN_E_ARG, "%s: context is NULL", function);
    hn_loss *loss = hni_alloc(context, sizeof *loss);
    if (loss == NULL)
        return hni_no_memory(function, sizeof *loss);
    *loss = (hn_loss){.context = context, .kind = kind};
    *out = loss;
    return HN_OK;
}

/* A copy of an optional array of the classes. */
static hn_status copy_array(hn_loss *l, const float *from, float **to)
{
    if (from == NULL)
        return HN_OK;
    size_t bytes = (size_t)l->classes * sizeof *from;
    *to = hni_alloc(l->context, bytes);
    if (*to == NULL)
        return hni_no_memory("hn_loss_create_ce", bytes);
    memcpy(*to, from, bytes);
    return HN_OK;
}

/* Lets the pure function judge the options: on one row of input. */
static hn_status finish(hn_status status, hn_loss **out, hn_loss *loss, int64_t cols)
{
    size_t bytes;
    if (status == HN_OK)
        status = loss->kind->scratch(loss, 1, cols, &bytes);
    if (status < 0)
        hn_loss_destroy(loss);
    else
        *out = loss;
    return status;
}

hn_status hn_loss_create_ce(hn_loss **out, hn_context *context, int64_t classes, const hn_loss_ce_options *options)
{
    static const char function[] = "hn_loss_create_ce";
    hn_loss *loss = NULL;
    HNI_FAIL_IF(out == NULL, HN_E_ARG, "%s: out is NULL", function);
    HNI_FAIL_IF(classes < 1 || classes > INT32_MAX, HN_E_ARG, "%s: classes is %" PRId64, function, classes);
    HNI_TRY(start(&loss, context, &ce_kind, function));
    hn_loss_ce_options *o = &loss->options.ce;
    hn_loss_ce_options_init(o, sizeof *o);
    loss->classes = classes;
    hn_status status = hni_options_read(o, sizeof *o, options, function);
    if (status == HN_OK)
        status = copy_array(loss, o->class_weight, &loss->class_weight);
    if (status == HN_OK)
        status = copy_array(loss, o->logit_adjustment, &loss->adjustment);
    o->class_weight = loss->class_weight;
    o->logit_adjustment = loss->adjustment;
    o->num_threads = context->num_threads;
    o->grad_beta = 0.0f;
    return finish(status, out, loss, classes);
}

hn_status hn_loss_create_sc(hn_loss **out, hn_context *context, const hn_loss_sc_options *options)
{
    static const char function[] = "hn_loss_create_sc";
    hn_loss *loss = NULL;
    HNI_FAIL_IF(out == NULL, HN_E_ARG, "%s: out is NULL", function);
    HNI_TRY(start(&loss, context, &sc_kind, function));
    hn_loss_sc_options *o = &loss->options.sc;
    hn_loss_sc_options_init(o, sizeof *o);
    hn_status status = hni_options_read(o, sizeof *o, options, function);
    o->num_threads = context->num_threads;
    o->grad_beta = 0.0f;
    return finish(status, out, loss, 1);
}

static hn_status create_prototypes(hn_loss *l)
{
    const hn_desc desc = {HN_F32, 2, {l->classes * l->options.psc.prototypes_per_class, l->dim}};
    HNI_TRY(hn_tensor_create(&l->prototypes, l->context, &desc));
    return hn_tensor_create(&l->prototypes_grad, l->context, &desc);
}

hn_status hn_loss_create_psc(hn_loss **out, hn_context *context, int64_t classes, int64_t dim,
                             const hn_loss_psc_options *options)
{
    static const char function[] = "hn_loss_create_psc";
    hn_loss *loss = NULL;
    HNI_FAIL_IF(out == NULL, HN_E_ARG, "%s: out is NULL", function);
    HNI_FAIL_IF(classes < 1 || classes > INT32_MAX || dim < 1 || dim > INT32_MAX, HN_E_ARG,
                "%s: classes is %" PRId64 " and dim %" PRId64 "; both must be in [1, 2^31 - 1]", function, classes,
                dim);
    HNI_TRY(start(&loss, context, &psc_kind, function));
    hn_loss_psc_options *o = &loss->options.psc;
    hn_loss_psc_options_init(o, sizeof *o);
    loss->classes = classes;
    loss->dim = dim;
    hn_status status = hni_options_read(o, sizeof *o, options, function);
    o->num_threads = context->num_threads;
    o->grad_beta = 0.0f;
    size_t bytes;
    if (status == HN_OK) /* before prototypes are made from a count that may be nonsense */
        status = hn_loss_psc_scratch(o, 1, classes, dim, &bytes);
    if (status == HN_OK)
        status = create_prototypes(loss);
    return finish(status, out, loss, dim);
}

void hn_loss_destroy(hn_loss *loss)
{
    if (loss == NULL)
        return;
    hn_context *context = loss->context;
    hni_release(context, loss->scratch.data, loss->scratch.size);
    hni_release(context, loss->class_weight, (size_t)loss->classes * sizeof(float));
    hni_release(context, loss->adjustment, (size_t)loss->classes * sizeof(float));
    hn_tensor_destroy(loss->prototypes);
    hn_tensor_destroy(loss->prototypes_grad);
    hni_release(context, loss, sizeof *loss);
}

/* ---- use ------------------------------------------------------------------------------------------------------------ */

hn_status hn_loss_init_params(hn_loss *loss, const hn_rng *rng)
{
    HNI_FAIL_IF(loss == NULL || rng == NULL, HN_E_ARG, "hn_loss_init_params: %s is NULL",
                loss == NULL ? "loss" : "rng");
    if (loss->prototypes == NULL)
        return HN_OK;
    hn_rng stream;
    hn_rng_derive(&stream, rng, "prototypes", 0);
    float *p = loss->prototypes->data;
    hn_rng_fill_normal(&stream, p, (size_t)hn_tensor_count(loss->prototypes), 0.0f, 1.0f);
    for (int64_t i = 0; i < loss->prototypes->desc.dim[0]; ++i)
        (void)hni_rownorm_row(loss->dim, p + i * loss->dim, p + i * loss->dim);
    return HN_OK;
}

static hn_status grow_scratch(hn_loss *loss, size_t bytes)
{
    if (bytes <= loss->scratch.size && loss->scratch.data != NULL)
        return HN_OK;
    void *grown = hni_alloc(loss->context, bytes);
    if (grown == NULL)
        return hni_no_memory("hn_loss_apply", bytes);
    hni_release(loss->context, loss->scratch.data, loss->scratch.size);
    loss->scratch = (hn_scratch){grown, bytes};
    return HN_OK;
}

hn_status hn_loss_apply(hn_loss *loss, const hn_tensor *input, const int32_t *labels, float scale, double *value,
                        hn_tensor *dinput)
{
    char got[HNI_DESC_TEXT], want[HNI_DESC_TEXT];
    HNI_FAIL_IF(loss == NULL || input == NULL || labels == NULL, HN_E_ARG, "hn_loss_apply: %s is NULL",
                loss == NULL    ? "loss"
                : input == NULL ? "input"
                                : "labels");
    HNI_FAIL_IF(input->desc.dtype != HN_F32 || input->desc.ndim != 2, HN_E_SHAPE,
                "hn_loss_apply: the input is %s; the %s loss takes f32 rows x columns",
                hni_desc_text(&input->desc, got), loss->kind->name);
    HNI_FAIL_IF(dinput != NULL && !hni_desc_equal(&input->desc, &dinput->desc), HN_E_SHAPE,
                "hn_loss_apply: dinput is %s; the input is %s", hni_desc_text(&dinput->desc, got),
                hni_desc_text(&input->desc, want));
    int64_t rows = input->desc.dim[0], cols = input->desc.dim[1];
    size_t bytes;
    HNI_TRY(loss->kind->scratch(loss, rows, cols, &bytes));
    HNI_TRY(grow_scratch(loss, bytes));
    const hn_cmatf matrix = {input->data, rows, cols, cols};
    hn_matf gradient = {dinput == NULL ? NULL : dinput->data, rows, cols, cols};
    return loss->kind->apply(loss, &matrix, labels, scale, value, dinput == NULL ? NULL : &gradient, &loss->scratch);
}

int64_t hn_loss_param_count(const hn_loss *loss)
{
    return loss != NULL && loss->prototypes != NULL;
}

hn_status hn_loss_param(const hn_loss *loss, int64_t index, hn_param *param)
{
    HNI_FAIL_IF(loss == NULL || param == NULL, HN_E_ARG, "hn_loss_param: %s is NULL", loss == NULL ? "loss" : "param");
    HNI_FAIL_IF(index < 0 || index >= hn_loss_param_count(loss), HN_E_ARG,
                "hn_loss_param: index is %" PRId64 "; the loss has %" PRId64 " parameters", index,
                hn_loss_param_count(loss));
    const hn_param full = {sizeof full, "prototypes", loss->prototypes, loss->prototypes_grad, 1, 0};
    hni_options_init(param, param->struct_size, &full, sizeof full);
    return HN_OK;
}
