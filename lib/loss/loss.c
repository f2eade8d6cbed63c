/* Losses as objects: what all kinds share. A kind is options, learnable prototypes and scratch around a pure function. */
#include "loss/loss.h"

#include "base/context.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/options.h"
#include "base/tensor.h"
#include "kernel/rownorm.h"
#include "loss/common.h"

#include <inttypes.h>
#include <string.h>

/* ---- for the kinds -------------------------------------------------------------------------------------------------- */

hn_status hni_loss_start(hn_loss **out, hn_context *context, const hni_loss_kind *kind, const char *function)
{
    HNI_FAIL_IF(context == NULL, HN_E_ARG, "%s: context is NULL", function);
    hn_loss *loss = hni_alloc_zero(context, kind->size);
    if (loss == NULL)
        return hni_no_memory(function, kind->size);
    loss->context = context;
    loss->kind = kind;
    *out = loss;
    return HN_OK;
}

hn_status hni_loss_add_param(hn_loss *loss, const char *name, int64_t rows, int64_t dim)
{
    const hn_desc desc = {HN_F32, 2, {rows, dim}};
    loss->param_name = name;
    HNI_TRY(hn_tensor_create(&loss->param, loss->context, &desc));
    return hn_tensor_create(&loss->param_grad, loss->context, &desc);
}

hn_status hni_loss_finish(hn_status status, hn_loss **out, hn_loss *loss, int64_t cols)
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

hn_status hni_loss_check_size(int64_t classes, int64_t dim, const char *function)
{
    HNI_FAIL_IF(classes < 1 || classes > INT32_MAX, HN_E_ARG, "%s: classes is %" PRId64 "; it must be in [1, 2^31 - 1]",
                function, classes);
    HNI_FAIL_IF(dim < 1 || dim > INT32_MAX, HN_E_ARG, "%s: dim is %" PRId64 "; it must be in [1, 2^31 - 1]", function,
                dim);
    return HN_OK;
}

hn_status hni_loss_copy(hn_loss *loss, const float *from, int64_t count, const char *function, float **to)
{
    if (from == NULL)
        return HN_OK;
    size_t bytes = (size_t)count * sizeof *from;
    *to = hni_alloc(loss->context, bytes);
    if (*to == NULL)
        return hni_no_memory(function, bytes);
    memcpy(*to, from, bytes);
    return HN_OK;
}

hn_cmatf hni_loss_param(const hn_loss *loss)
{
    const int64_t *dim = loss->param->desc.dim;
    return (hn_cmatf){loss->param->data, dim[0], dim[1], dim[1]};
}

hn_matf hni_loss_param_grad(const hn_loss *loss)
{
    const int64_t *dim = loss->param_grad->desc.dim;
    return (hn_matf){loss->param_grad->data, dim[0], dim[1], dim[1]};
}

int32_t hni_loss_state(hn_loss *loss, hni_loss_array *arrays)
{
    return loss == NULL || loss->kind->state == NULL ? 0 : loss->kind->state(loss, arrays);
}

hni_loss_array hni_loss_floats(const char *name, float *data, int64_t rows, int64_t dim)
{
    return (hni_loss_array){name, data, {HN_F32, 2, {rows, dim}}, 0, 0};
}

hni_loss_array hni_loss_integer(const char *name, int64_t *data, int64_t least, int64_t most)
{
    return (hni_loss_array){name, data, {HN_I64, 1, {1}}, least, most};
}

/* ---- for the caller ------------------------------------------------------------------------------------------------- */

void hn_loss_destroy(hn_loss *loss)
{
    if (loss == NULL)
        return;
    hn_context *context = loss->context;
    if (loss->kind->release != NULL)
        loss->kind->release(loss);
    hni_release(context, loss->scratch.data, loss->scratch.size);
    hn_tensor_destroy(loss->param);
    hn_tensor_destroy(loss->param_grad);
    hni_release(context, loss, loss->kind->size);
}

hn_status hn_loss_init_params(hn_loss *loss, const hn_rng *rng)
{
    HNI_FAIL_IF(loss == NULL || rng == NULL, HN_E_ARG, "hn_loss_init_params: %s is NULL",
                loss == NULL ? "loss" : "rng");
    if (loss->kind->init_params != NULL)
        HNI_TRY(loss->kind->init_params(loss, rng));
    if (loss->param == NULL)
        return HN_OK;
    hn_rng stream;
    hn_rng_derive(&stream, rng, loss->param_name, 0);
    float *p = loss->param->data;
    const int64_t *dim = loss->param->desc.dim;
    hn_rng_fill_normal(&stream, p, (size_t)(dim[0] * dim[1]), 0.0f, 1.0f);
    for (int64_t i = 0; i < dim[0]; ++i)
        (void)hni_rownorm_row(dim[1], p + i * dim[1], p + i * dim[1]);
    return HN_OK;
}

hn_status hn_loss_set_params(hn_loss *loss, const hn_cmatf *values)
{
    static const char function[] = "hn_loss_set_params";
    HNI_FAIL_IF(loss == NULL, HN_E_ARG, "%s: loss is NULL", function);
    HNI_FAIL_IF(loss->param == NULL, HN_E_UNSUPPORTED, "%s: the %s loss has no parameters", function, loss->kind->name);
    HNI_TRY(hni_loss_check_matrix(values, function, "values"));
    const int64_t *dim = loss->param->desc.dim;
    HNI_FAIL_IF(values->rows != dim[0] || values->cols != dim[1], HN_E_SHAPE,
                "%s: values is %" PRId64 "x%" PRId64 "; the %s are %" PRId64 "x%" PRId64, function, values->rows,
                values->cols, loss->param_name, dim[0], dim[1]);
    HNI_TRY(hni_loss_check_finite(1, values, function, "values"));
    for (int64_t i = 0; i < dim[0]; ++i)
        memcpy((float *)loss->param->data + i * dim[1], values->data + i * values->ld, (size_t)dim[1] * sizeof(float));
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
    hn_trace_event event = {.struct_size = sizeof event, .kind = loss->kind->name, .input = &input->desc};
    hni_trace(loss->context, &event, 0);
    hn_status status =
        loss->kind->apply(loss, &matrix, labels, scale, value, dinput == NULL ? NULL : &gradient, &loss->scratch);
    hni_trace(loss->context, &event, 1);
    return status;
}

int64_t hn_loss_param_count(const hn_loss *loss)
{
    return loss != NULL && loss->param != NULL;
}

hn_status hn_loss_param(const hn_loss *loss, int64_t index, hn_param *param)
{
    HNI_FAIL_IF(loss == NULL || param == NULL, HN_E_ARG, "hn_loss_param: %s is NULL", loss == NULL ? "loss" : "param");
    HNI_FAIL_IF(index < 0 || index >= hn_loss_param_count(loss), HN_E_ARG,
                "hn_loss_param: index is %" PRId64 "; the loss has %" PRId64 " parameters", index,
                hn_loss_param_count(loss));
    const hn_param full = {sizeof full, loss->param_name, loss->param, loss->param_grad, 1, 0};
    HNI_TRY(hni_output_check(param, "hn_loss_param", "param"));
    hni_options_init(param, param->struct_size, &full, sizeof full);
    return HN_OK;
}

hn_status hn_loss_begin_epoch(hn_loss *loss, int64_t epoch)
{
    HNI_FAIL_IF(loss == NULL, HN_E_ARG, "hn_loss_begin_epoch: loss is NULL");
    HNI_FAIL_IF(epoch < 0, HN_E_ARG, "hn_loss_begin_epoch: epoch is %" PRId64 "; it must not be negative", epoch);
    return loss->kind->begin_epoch == NULL ? HN_OK : loss->kind->begin_epoch(loss, epoch);
}

hn_status hn_loss_set_class_weights(hn_loss *loss, const float *weights)
{
    HNI_FAIL_IF(loss == NULL, HN_E_ARG, "hn_loss_set_class_weights: loss is NULL");
    HNI_FAIL_IF(loss->kind->set_class_weights == NULL, HN_E_UNSUPPORTED,
                "hn_loss_set_class_weights: the %s loss has no class weights", loss->kind->name);
    return loss->kind->set_class_weights(loss, weights);
}
