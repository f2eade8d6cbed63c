/* The split of a step's time by layers: every shape of conv unit alone in an executor of its own. */
#include "bench_step.h"

#include <stdio.h>

typedef struct shape {
    int32_t in, out, stride;
    int64_t side; /* of the input image */
    int32_t count;
    int with_dx; /* the first layer's input needs no gradient */
} shape;

typedef struct times {
    double forward, backward;
} times;

static times time_unit(hn_context *context, const shape *s, int64_t batch, int32_t repeats)
{
    hn_conv2d_options o;
    hn_conv2d_options_init(&o, sizeof o);
    o.in_channels = s->in;
    o.out_channels = s->out;
    o.stride = s->stride;
    hn_layer *unit;
    bench_ok(hn_conv_unit_create(&unit, context, "conv", "bn", &o, NULL, 1));
    hn_rng rng;
    hn_rng_seed(&rng, 1, 0);
    bench_ok(hn_layer_init_params(unit, &rng));
    const hn_desc input = {HN_F32, 4, {batch, s->side, s->side, s->in}};
    hn_desc output;
    bench_ok(hn_layer_output(unit, &input, &output));
    hn_exec *exec;
    bench_ok(hn_exec_create(&exec, context, unit, &input, HN_MODE_TRAIN));
    hn_tensor *x = bench_normal(context, &input, 2), *dy = bench_normal(context, &output, 3);
    hn_tensor *dx = bench_normal(context, &input, 4);
    times best = {1e30, 1e30};
    for (int32_t i = 0; i <= repeats; ++i) { /* one more, to warm up */
        const hn_tensor *y;
        double start = bench_now();
        bench_ok(hn_exec_forward(exec, x, &y));
        double middle = bench_now();
        bench_ok(hn_exec_backward(exec, dy, s->with_dx ? dx : NULL));
        double end = bench_now();
        if (i > 0 && middle - start < best.forward)
            best.forward = middle - start;
        if (i > 0 && end - middle < best.backward)
            best.backward = end - middle;
    }
    hn_tensor_destroy(x);
    hn_tensor_destroy(dy);
    hn_tensor_destroy(dx);
    hn_exec_destroy(exec);
    hn_layer_destroy(unit);
    return best;
}

void bench_split(hn_context *context, int32_t depth, int64_t batch, int32_t repeats, double step_seconds)
{
    const int32_t blocks = (depth - 2) / 6; /* a stage; each has two units */
    const shape shapes[] = {{3, 16, 1, 32, 1, 0},  {16, 16, 1, 32, 2 * blocks, 1},
                            {16, 32, 2, 32, 1, 1}, {32, 32, 1, 16, 2 * blocks - 1, 1},
                            {32, 64, 2, 16, 1, 1}, {64, 64, 1, 8, 2 * blocks - 1, 1}};
    double sum = 0.0;
    fprintf(stderr, "%-28s %5s %12s %12s %7s\n", "conv unit", "count", "forward ms", "backward ms", "share");
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; ++i) {
        const shape *s = &shapes[i];
        char name[64];
        times t = time_unit(context, s, batch, repeats);
        double all = s->count * (t.forward + t.backward);
        snprintf(name, sizeof name, "%d -> %d, stride %d, %dx%d", (int)s->in, (int)s->out, (int)s->stride, (int)s->side,
                 (int)s->side);
        fprintf(stderr, "%-28s %5d %12.3f %12.3f %6.1f%%\n", name, (int)s->count, 1e3 * t.forward, 1e3 * t.backward,
                100.0 * all / step_seconds);
        sum += all;
    }
    fprintf(stderr, "%-28s %5s %12s %12.3f %6.1f%%\n", "rest of the step", "", "", 1e3 * (step_seconds - sum),
            100.0 * (step_seconds - sum) / step_seconds);
}
