/* bench_conv -- measures single convolutions, forward and backward (both gradients), by every engine in turns, and prints a
 * line of JSON for each shape and engine: gigaflops a second of the best of the repeats, flops as they are written down.  */
#include "bench.h"

#include <getopt.h>
#include <inttypes.h>

typedef struct shape {
    const char *set;
    int64_t side; /* of the input image */
    int32_t in, out, kernel, stride;
} shape;

/* Those of ResNet-32 on CIFAR's images, and of ResNet-50's on ImageNet's. */
static const shape shapes[] = {
    {"cifar", 32, 3, 16, 3, 1},        {"cifar", 32, 16, 16, 3, 1},      {"cifar", 32, 16, 32, 3, 2},
    {"cifar", 16, 32, 32, 3, 1},       {"cifar", 16, 32, 64, 3, 2},      {"cifar", 8, 64, 64, 3, 1},
    {"imagenet", 56, 64, 64, 3, 1},    {"imagenet", 28, 128, 128, 3, 1}, {"imagenet", 14, 256, 256, 3, 1},
    {"imagenet", 7, 512, 512, 3, 1},   {"imagenet", 56, 64, 256, 1, 1},  {"imagenet", 28, 512, 128, 1, 1},
    {"imagenet", 14, 1024, 256, 1, 1}, {"imagenet", 56, 128, 128, 3, 2},
};

typedef struct settings {
    const char *set;
    int32_t precision, threads, repeats;
    int64_t batch;
} settings;

/* A convolution with an executor of its own, and what it took at best. */
typedef struct trial {
    hn_context *context;
    hn_layer *layer;
    hn_exec *exec;
    hn_tensor *x, *dx, *dy;
    double flops, forward, backward;
} trial;

static hn_tensor *filled(hn_context *context, hn_desc desc, int32_t precision, uint64_t stream)
{
    hn_tensor *t, *values;
    hn_rng rng;
    desc.dtype = HN_F32;
    bench_ok(hn_tensor_create(&values, context, &desc));
    hn_rng_seed(&rng, 7, stream);
    hn_rng_fill_normal(&rng, hn_tensor_data(values), (size_t)hn_tensor_count(values), 0.0f, 1.0f);
    if (precision == HN_F32)
        return values;
    hn_layer *cast;
    hn_exec *exec;
    const hn_tensor *y;
    bench_ok(hn_cast_create(&cast, context, precision));
    bench_ok(hn_exec_create(&exec, context, cast, &desc, HN_MODE_INFER));
    bench_ok(hn_exec_forward(exec, values, &y));
    desc.dtype = precision;
    bench_ok(hn_tensor_create(&t, context, &desc));
    memcpy(hn_tensor_data(t), hn_tensor_cdata(y), (size_t)hn_tensor_count(t) * 2);
    hn_exec_destroy(exec);
    hn_layer_destroy(cast);
    hn_tensor_destroy(values);
    return t;
}

static void begin(trial *t, const settings *s, const shape *c, int32_t engine)
{
    hn_context_options options;
    hn_conv2d_options o;
    hn_rng rng;
    const hn_desc input = {s->precision, 4, {s->batch, c->side, c->side, c->in}};
    hn_desc output;
    hn_context_options_init(&options, sizeof options);
    options.num_threads = s->threads;
    options.engine = engine;
    bench_ok(hn_context_create(&t->context, &options));
    hn_conv2d_options_init(&o, sizeof o);
    o.in_channels = c->in;
    o.out_channels = c->out;
    o.kernel = c->kernel;
    o.padding = c->kernel / 2;
    o.stride = c->stride;
    bench_ok(hn_conv2d_create(&t->layer, t->context, &o));
    hn_rng_seed(&rng, 1, 0);
    bench_ok(hn_layer_init_params(t->layer, &rng));
    bench_ok(hn_layer_output(t->layer, &input, &output));
    bench_ok(hn_exec_create(&t->exec, t->context, t->layer, &input, HN_MODE_TRAIN));
    t->x = filled(t->context, input, s->precision, 2);
    t->dx = filled(t->context, input, s->precision, 3);
    t->dy = filled(t->context, output, s->precision, 4);
    t->flops = 2.0 * (double)hn_tensor_count(t->dy) * c->in * c->kernel * c->kernel;
    t->forward = t->backward = 1e30;
}

static void repeat(trial *t)
{
    const hn_tensor *y;
    const double start = bench_now();
    bench_ok(hn_exec_forward(t->exec, t->x, &y));
    const double middle = bench_now();
    bench_ok(hn_exec_backward(t->exec, t->dy, t->dx));
    const double end = bench_now();
    t->forward = middle - start < t->forward ? middle - start : t->forward;
    t->backward = end - middle < t->backward ? end - middle : t->backward;
}

static void finish(trial *t, const settings *s, const shape *c, int32_t engine)
{
    printf("{\"side\": %" PRId64 ", \"in\": %d, \"out\": %d, \"kernel\": %d, \"stride\": %d, \"batch\": %" PRId64
           ", \"precision\": \"%s\", \"engine\": \"%s\", \"threads\": %d, \"forward_gflops\": %.1f, "
           "\"backward_gflops\": %.1f}\n",
           c->side, (int)c->in, (int)c->out, (int)c->kernel, (int)c->stride, s->batch,
           s->precision == HN_BF16 ? "bf16" : "f32", hn_engine_name(engine), (int)hn_context_num_threads(t->context),
           1e-9 * t->flops / t->forward, 2e-9 * t->flops / t->backward);
    fflush(stdout);
    hn_tensor_destroy(t->x);
    hn_tensor_destroy(t->dx);
    hn_tensor_destroy(t->dy);
    hn_exec_destroy(t->exec);
    hn_layer_destroy(t->layer);
    hn_context_destroy(t->context);
}

static void measure(const settings *s, const shape *c)
{
    enum { MOST = 8 };
    trial trials[MOST];
    for (int32_t engine = HN_ENGINE_CBLAS; hn_engine_name(engine) != NULL; ++engine)
        if (hn_engine_supports(engine, s->precision))
            begin(&trials[engine], s, c, engine);
    for (int32_t i = 0; i < s->repeats; ++i)
        for (int32_t engine = HN_ENGINE_CBLAS; hn_engine_name(engine) != NULL; ++engine)
            if (hn_engine_supports(engine, s->precision))
                repeat(&trials[engine]);
    for (int32_t engine = HN_ENGINE_CBLAS; hn_engine_name(engine) != NULL; ++engine)
        if (hn_engine_supports(engine, s->precision))
            finish(&trials[engine], s, c, engine);
}

static void usage(void)
{
    fprintf(
        stderr,
        "usage: bench_conv [--set cifar|imagenet] [--precision f32|bf16] [--batch N] [--threads N] [--repeats N]\n");
    exit(2);
}

static const char *one_of(const char *text, const char *first, const char *second)
{
    if (strcmp(text, first) != 0 && strcmp(text, second) != 0)
        usage();
    return text;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"set", required_argument, NULL, 's'},     {"precision", required_argument, NULL, 'p'},
        {"batch", required_argument, NULL, 'b'},   {"threads", required_argument, NULL, 't'},
        {"repeats", required_argument, NULL, 'r'}, {NULL, 0, NULL, 0}};
    settings s = {.set = "cifar", .precision = HN_F32, .threads = 1, .repeats = 10, .batch = 128};
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;)
        switch (c) {
        case 's':
            s.set = one_of(optarg, "cifar", "imagenet");
            break;
        case 'p':
            s.precision = strcmp(one_of(optarg, "f32", "bf16"), "f32") == 0 ? HN_F32 : HN_BF16;
            break;
        case 'b':
            s.batch = bench_number(optarg, 1, 1 << 20, usage);
            break;
        case 't':
            s.threads = (int32_t)bench_number(optarg, 1, 1024, usage);
            break;
        case 'r':
            s.repeats = (int32_t)bench_number(optarg, 1, 1000000, usage);
            break;
        default:
            usage();
        }
    if (optind != argc)
        usage();
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; ++i)
        if (strcmp(shapes[i].set, s.set) == 0)
            measure(&s, &shapes[i]);
    return 0;
}
