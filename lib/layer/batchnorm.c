#include "layer/batchnorm.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/options.h"
#include "layer/layer.h"

#include <inttypes.h>
#include <string.h>

static const hn_batchnorm_options defaults = {.struct_size = sizeof defaults, .eps = 1e-5f, .momentum = 0.1f};

void hn_batchnorm_options_init(hn_batchnorm_options *options, size_t struct_size)
{
    hni_options_init(options, struct_size, &defaults, sizeof defaults);
}

hn_status hni_bn_options(hni_bn *b, int64_t channels, const hn_batchnorm_options *options, const char *function)
{
    hn_batchnorm_options o = defaults;
    HNI_TRY(hni_options_read(&o, sizeof o, options, function));
    HNI_FAIL_IF(channels < 1 || channels > INT32_MAX, HN_E_ARG, "%s: channels is %" PRId64 "; it must be in [1, %d]",
                function, channels, (int)INT32_MAX);
    HNI_FAIL_IF(!(o.eps > 0.0f && o.eps <= 1.0f), HN_E_ARG, "%s: eps is %g; it must be in (0, 1]", function,
                (double)o.eps);
    HNI_FAIL_IF(!(o.momentum >= 0.0f && o.momentum <= 1.0f), HN_E_ARG, "%s: momentum is %g; it must be in [0, 1]",
                function, (double)o.momentum);
    *b = (hni_bn){.options = o, .channels = channels};
    return HN_OK;
}

hn_status hni_bn_add_params(hni_bn *b, hn_layer *layer, const char *prefix)
{
    const hn_desc desc = {HN_F32, 1, {b->channels}};
    HNI_TRY(hni_layer_add_param(layer, prefix, "weight", &desc, 0, &b->weight, &b->dweight));
    HNI_TRY(hni_layer_add_param(layer, prefix, "bias", &desc, 0, &b->bias, &b->dbias));
    HNI_TRY(hni_layer_add_param(layer, prefix, "running_mean", &desc, 0, &b->running_mean, NULL));
    HNI_TRY(hni_layer_add_param(layer, prefix, "running_var", &desc, 0, &b->running_var, NULL));
    hni_bn_init(b); /* a variance of zero would make an uninitialised layer divide by next to nothing */
    return HN_OK;
}

void hni_bn_init(const hni_bn *b)
{
    float *weight = hn_tensor_data(b->weight), *var = hn_tensor_data(b->running_var);
    for (int64_t c = 0; c < b->channels; ++c) {
        weight[c] = b->options.zero_weight ? 0.0f : 1.0f;
        var[c] = 1.0f;
    }
    memset(hn_tensor_data(b->bias), 0, hn_tensor_bytes(b->bias));
    memset(hn_tensor_data(b->running_mean), 0, hn_tensor_bytes(b->running_mean));
}

hn_status hni_bn_check_rows(const char *kind, int64_t rows, int32_t mode)
{
    HNI_FAIL_IF(mode == HN_MODE_TRAIN && rows < 2, HN_E_SHAPE,
                "%s: %" PRId64 " value a channel has no variance; training needs 2 or more", kind, rows);
    return HN_OK;
}

static size_t channel_bytes(const hni_bn *b)
{
    return hni_round_up((size_t)b->channels * sizeof(float));
}

size_t hni_bn_workspace_bytes(const hni_bn *b)
{
    return 2 * channel_bytes(b);
}

hni_batchnorm hni_bn_kernel(const hni_bn *b, int32_t dtype, int64_t rows, int64_t part_rows)
{
    return (hni_batchnorm){rows, b->channels, b->options.eps, dtype, part_rows};
}

static const float *mean_in(const void *workspace)
{
    return workspace;
}

static const float *variance_in(const hni_bn *b, const void *workspace)
{
    return (const float *)(const void *)((const char *)workspace + channel_bytes(b));
}

static void update_running(const hni_bn *b, int64_t rows, const float *mean, const float *var)
{
    float *running_mean = hn_tensor_data(b->running_mean), *running_var = hn_tensor_data(b->running_var);
    const float momentum = b->options.momentum, unbiased = (float)((double)rows / (double)(rows - 1));
    for (int64_t c = 0; c < b->channels; ++c) {
        running_mean[c] = (1.0f - momentum) * running_mean[c] + momentum * mean[c];
        running_var[c] = (1.0f - momentum) * running_var[c] + momentum * (var[c] * unbiased);
    }
}

void hni_bn_end_statistics(const hni_bn *b, const hni_batchnorm_pass *pass, bool again, void *workspace)
{
    float *mean = workspace, *var = (float *)(void *)((char *)workspace + channel_bytes(b));
    hni_batchnorm_end_statistics(pass, mean, var);
    if (!again)
        update_running(b, pass->b.rows, mean, var);
}

void hni_bn_begin_forward(const hni_bn *b, hni_batchnorm_pass *pass, const hni_batchnorm *k, int32_t mode,
                          const void *x, const void *addend, int32_t relu, void *y, const void *workspace,
                          void *scratch)
{
    const bool training = mode == HN_MODE_TRAIN;
    hni_batchnorm_begin_forward(pass, k, x, training ? mean_in(workspace) : hn_tensor_cdata(b->running_mean),
                                training ? variance_in(b, workspace) : hn_tensor_cdata(b->running_var),
                                hn_tensor_cdata(b->weight), hn_tensor_cdata(b->bias), addend, relu != 0, y, scratch);
}

/* Whether x tells what the ReLU let through: then y is not read. */
static bool relu_of_x(const hn_layer_call *call, int32_t relu)
{
    return relu != 0 && call->addend == NULL && call->daddend == NULL;
}

void hni_bn_begin_sums(const hni_bn *b, hni_batchnorm_pass *pass, const hni_batchnorm *k, const hn_layer_call *call,
                       const void *x, int32_t relu, const void *workspace, void *scratch)
{
    const bool of_x = relu_of_x(call, relu);
    hni_batchnorm_begin_sums(pass, k, x, mean_in(workspace), relu != 0 && !of_x ? call->y : NULL, call->dy,
                             call->daddend, scratch);
    if (of_x)
        hni_batchnorm_relu_of_x(pass, variance_in(b, workspace), hn_tensor_cdata(b->weight), hn_tensor_cdata(b->bias));
}

void hni_bn_end_sums(const hni_bn *b, const hni_batchnorm_pass *pass, const void *workspace)
{
    hni_batchnorm_end_sums(pass, variance_in(b, workspace), hn_tensor_cdata(b->weight), hn_tensor_data(b->dweight),
                           hn_tensor_data(b->dbias));
}

void hni_bn_cost(const hn_layer_call *call, int32_t relu, bool unit, int32_t pass, hn_layer_cost *cost)
{
    const bool training = call->mode == HN_MODE_TRAIN, masked = call->daddend != NULL;
    const int y = relu != 0 && !relu_of_x(call, relu), gradient = masked ? 1 : 1 + y; /* read: daddend, or dy and y */
    int arrays;
    if (pass == HN_TRACE_FORWARD) { /* x for the statistics; x, the addend and y */
        arrays = call->addend != NULL;
        arrays += unit ? 2 * training : 2 + training;
    } else { /* x, dy and perhaps y for the sums, where daddend is written; x, the gradient and dx */
        arrays = 2 + y + masked;
        if (unit || call->dx != NULL)
            arrays += 1 + gradient + !unit;
    }
    cost->bytes += (double)arrays * hni_layer_bytes(&call->output);
}

/* ---- the layer --------------------------------------------------------------------------------------------------- */

typedef struct batchnorm {
    hn_context *context;
    hni_bn norm;
} batchnorm;

static int64_t rows_of(const hn_desc *input)
{
    int64_t rows = 1;
    for (int32_t i = 0; i < input->ndim - 1; ++i)
        rows *= input->dim[i];
    return rows;
}

static hni_batchnorm kernel_of(const hni_bn *b, const hn_desc *input)
{
    const int64_t rows = rows_of(input);
    return hni_bn_kernel(b, input->dtype, rows, hni_batchnorm_part_rows(rows, b->channels));
}

static hn_status plan(const void *self, const hn_desc *input, int32_t mode, int32_t num_threads, hn_layer_plan *plan)
{
    const hni_bn *b = &((const batchnorm *)self)->norm;
    (void)num_threads;
    HNI_TRY(hni_layer_check_floats("batchnorm", input, 0));
    HNI_FAIL_IF(input->ndim < 2, HN_E_SHAPE, "batchnorm: the input has 1 dimension; it must have rows and channels");
    HNI_FAIL_IF(input->dim[input->ndim - 1] != b->channels, HN_E_SHAPE,
                "batchnorm: the input has %" PRId64 " channels, not %" PRId64, input->dim[input->ndim - 1],
                b->channels);
    HNI_TRY(hni_bn_check_rows("batchnorm", rows_of(input), mode));
    plan->output = *input;
    plan->workspace_bytes = mode == HN_MODE_TRAIN ? hni_bn_workspace_bytes(b) : 0;
    const int64_t parts = hni_batchnorm_part_bound(rows_of(input), b->channels);
    plan->scratch_bytes = hni_batchnorm_scratch_bytes(b->channels, parts);
    return HN_OK;
}

static hn_status forward(void *self, const hn_layer_call *call)
{
    const hni_bn *b = &((const batchnorm *)self)->norm;
    const hni_batchnorm k = kernel_of(b, &call->input);
    hni_batchnorm_pass pass;
    if (call->mode == HN_MODE_TRAIN) {
        hni_batchnorm_begin_statistics(&pass, &k, call->x, call->scratch);
        hni_batchnorm_run(call->num_threads, &pass, hni_batchnorm_statistics);
        hni_bn_end_statistics(b, &pass, call->again != 0, call->workspace);
    }
    hni_bn_begin_forward(b, &pass, &k, call->mode, call->x, call->addend, call->relu, call->y, call->workspace,
                         call->scratch);
    hni_batchnorm_run(call->num_threads, &pass, hni_batchnorm_forward);
    return HN_OK;
}

static hn_status backward(void *self, const hn_layer_call *call)
{
    const hni_bn *b = &((const batchnorm *)self)->norm;
    const hni_batchnorm k = kernel_of(b, &call->input);
    hni_batchnorm_pass pass;
    hni_bn_begin_sums(b, &pass, &k, call, call->x, call->relu, call->workspace, call->scratch);
    hni_batchnorm_run(call->num_threads, &pass, hni_batchnorm_sums);
    hni_bn_end_sums(b, &pass, call->workspace);
    if (call->dx == NULL)
        return HN_OK;
    hni_batchnorm_begin_gradient(&pass, call->dx);
    hni_batchnorm_run(call->num_threads, &pass, hni_batchnorm_gradient);
    return HN_OK;
}

static void cost(const void *self, const hn_layer_call *call, int32_t pass, hn_layer_cost *cost)
{
    (void)self;
    hni_bn_cost(call, call->relu, false, pass, cost);
}

static void init(void *self, hn_rng *rng)
{
    (void)rng;
    hni_bn_init(&((batchnorm *)self)->norm);
}

static void destroy(void *self)
{
    batchnorm *b = self;
    hni_release(b->context, b, sizeof *b);
}

static const hn_layer_ops ops = {.struct_size = sizeof ops,
                                 .kind = "batchnorm",
                                 .flags = HN_LAYER_ADDEND,
                                 .plan = plan,
                                 .forward = forward,
                                 .backward = backward,
                                 .init = init,
                                 .destroy = destroy,
                                 .cost = cost};

hn_status hn_batchnorm_create(hn_layer **out, hn_context *context, int64_t channels,
                              const hn_batchnorm_options *options)
{
    static const char function[] = "hn_batchnorm_create";
    batchnorm made = {.context = context};
    hn_layer *layer;
    HNI_FAIL_IF(out == NULL || context == NULL, HN_E_ARG, "%s: %s is NULL", function, out == NULL ? "out" : "context");
    HNI_TRY(hni_bn_options(&made.norm, channels, options, function));
    HNI_TRY(hni_layer_begin(&layer, context, &ops, &made, sizeof made, function));
    batchnorm *b = layer->self;
    return hni_layer_finish(out, layer, hni_bn_add_params(&b->norm, layer, ""));
}
