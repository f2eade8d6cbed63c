/* peaks.c: what this machine computes and moves at most, for --profile. */
#include "peaks.h"

#include "progress.h"

enum { REPEATS = 5, WIDTH = 1024, IMAGES = 1024, SIDE = 8, CHANNELS = 64, ARRAY = 256 << 20 };

/* Seconds of the fastest of a few forward passes of a layer; the first one, which touches fresh memory, does not count. */
static hn_status fastest(hn_context *context, hn_layer *layer, const hn_desc *input, double *seconds)
{
    hn_tensor *x = NULL;
    const hn_tensor *y;
    hn_exec *exec = NULL;
    hn_status status = hn_tensor_create(&x, context, input);
    if (status == HN_OK)
        status = hn_exec_create(&exec, context, layer, input, HN_MODE_INFER);
    *seconds = 1e30;
    for (int i = 0; i <= REPEATS && status == HN_OK; ++i) {
        double begun = now();
        status = hn_exec_forward(exec, x, &y);
        double taken = now() - begun;
        if (i > 0 && taken < *seconds)
            *seconds = taken;
    }
    hn_exec_destroy(exec);
    hn_tensor_destroy(x);
    return status;
}

static hn_status measure_linear(hn_context *context, struct peaks *peaks)
{
    const hn_desc input = {HN_F32, 2, {WIDTH, WIDTH}};
    hn_layer *linear = NULL;
    double seconds;
    hn_status status = hn_linear_create(&linear, context, WIDTH, WIDTH, 0);
    if (status == HN_OK)
        status = fastest(context, linear, &input, &seconds);
    if (status == HN_OK)
        peaks->flops = 2.0 * WIDTH * WIDTH * WIDTH / seconds;
    hn_layer_destroy(linear);
    return status;
}

static hn_status measure_convolution(hn_context *context, struct peaks *peaks)
{
    const hn_desc input = {HN_BF16, 4, {IMAGES, SIDE, SIDE, CHANNELS}};
    hn_layer *conv = NULL;
    hn_conv2d_options options;
    double seconds;
    hn_conv2d_options_init(&options, sizeof options);
    options.in_channels = options.out_channels = CHANNELS;
    hn_status status = hn_conv2d_create(&conv, context, &options);
    if (status == HN_OK)
        status = fastest(context, conv, &input, &seconds);
    if (status == HN_OK)
        peaks->flops = 2.0 * IMAGES * SIDE * SIDE * CHANNELS * CHANNELS * options.kernel * options.kernel / seconds;
    hn_layer_destroy(conv);
    return status;
}

static hn_status measure_bytes(hn_context *context, struct peaks *peaks)
{
    const hn_desc input = {HN_F32, 1, {ARRAY / (int64_t)sizeof(float)}};
    hn_layer *relu = NULL;
    double seconds;
    hn_status status = hn_relu_create(&relu, context);
    if (status == HN_OK)
        status = fastest(context, relu, &input, &seconds);
    if (status == HN_OK)
        peaks->bytes = 2.0 * ARRAY / seconds;
    hn_layer_destroy(relu);
    return status;
}

hn_status peaks_measure(struct peaks *peaks, int32_t num_threads, int32_t precision)
{
    hn_context_options options;
    hn_context_options_init(&options, sizeof options);
    options.num_threads = num_threads;
    hn_context *context = NULL;
    hn_status status = hn_context_create(&context, &options);
    if (status == HN_OK)
        status = precision == HN_BF16 ? measure_convolution(context, peaks) : measure_linear(context, peaks);
    if (status == HN_OK)
        status = measure_bytes(context, peaks);
    peaks->threads = hn_context_num_threads(context);
    hn_context_destroy(context);
    return status;
}
