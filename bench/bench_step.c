/* bench_step -- measures one training step of a residual network, for CIFAR's images or for ImageNet's: forward,
 * cross-entropy, backward, SGD; or, with --infer, the forward pass of an evaluation. Prints one line of JSON: times and
 * rates; bytes, the executor's; peak_bytes, by how much the process grew since its start.                            */
#include "bench_step.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHANNELS = 3 };

static int64_t classes_of(const bench_settings *s)
{
    return s->imagenet ? 1000 : 10;
}

hn_tensor *bench_normal(hn_context *context, const hn_desc *desc, uint64_t stream)
{
    hn_tensor *t;
    hn_rng rng;
    bench_ok(hn_tensor_create(&t, context, desc));
    hn_rng_seed(&rng, 7, stream);
    hn_rng_fill_normal(&rng, hn_tensor_data(t), (size_t)hn_tensor_count(t), 0.0f, 1.0f);
    return t;
}

/* Everything a step works on. */
typedef struct training {
    hn_layer *net;
    hn_exec *exec;
    hn_optimizer *optimizer;
    hn_tensor *x, *dlogits;
    int32_t *labels;
    hn_scratch scratch;
} training;

static hn_layer *backbone_of(hn_context *context, const bench_settings *s)
{
    hn_layer *backbone;
    if (s->imagenet) {
        hn_resnet_options o;
        hn_resnet_options_init(&o, sizeof o);
        o.depth = s->depth;
        o.precision = s->precision;
        bench_ok(hn_resnet_create(&backbone, context, &o));
    } else {
        hn_resnet_cifar_options o;
        hn_resnet_cifar_options_init(&o, sizeof o);
        o.depth = s->depth;
        o.precision = s->precision;
        bench_ok(hn_resnet_cifar_create(&backbone, context, &o));
    }
    return backbone;
}

static hn_layer *build(hn_context *context, const bench_settings *s, const hn_desc *input)
{
    hn_layer *net, *backbone = backbone_of(context, s), *head;
    hn_desc features;
    bench_ok(hn_layer_output(backbone, input, &features));
    bench_ok(hn_sequential_create(&net, context));
    bench_ok(hn_layer_add_child(net, "", backbone));
    bench_ok(hn_linear_create(&head, context, features.dim[1], classes_of(s), 1));
    bench_ok(hn_layer_add_child(net, "fc", head));
    hn_rng rng;
    hn_rng_seed(&rng, 1, 0);
    bench_ok(hn_layer_init_params(net, &rng));
    return net;
}

static void prepare(training *t, hn_context *context, const bench_settings *s)
{
    const int64_t classes = classes_of(s);
    const hn_desc input = {HN_F32, 4, {s->batch, s->side, s->side, CHANNELS}},
                  logits = {HN_F32, 2, {s->batch, classes}};
    t->net = build(context, s, &input);
    bench_ok(hn_exec_create(&t->exec, context, t->net, &input, s->infer ? HN_MODE_INFER : HN_MODE_TRAIN));
    t->x = bench_normal(context, &input, 1);
    if (s->infer)
        return;
    bench_ok(hn_optimizer_create_sgd(&t->optimizer, context, NULL));
    bench_ok(hn_optimizer_add_layer(t->optimizer, t->net));
    t->dlogits = bench_normal(context, &logits, 2);
    bench_ok(hn_loss_ce_scratch(NULL, s->batch, classes, &t->scratch.size));
    size_t rounded = (t->scratch.size + HN_SCRATCH_ALIGN) / HN_SCRATCH_ALIGN * HN_SCRATCH_ALIGN;
    t->scratch.data = aligned_alloc(HN_SCRATCH_ALIGN, rounded);
    t->labels = malloc((size_t)s->batch * sizeof *t->labels);
    if (t->scratch.data == NULL || t->labels == NULL) {
        fprintf(stderr, "bench_step: out of memory\n");
        exit(1);
    }
    for (int64_t i = 0; i < s->batch; ++i)
        t->labels[i] = (int32_t)(i % classes);
}

/* Returns the loss. */
static double train(training *t, int64_t batch, int64_t classes)
{
    const hn_tensor *y;
    double loss;
    bench_ok(hn_optimizer_zero_grad(t->optimizer));
    bench_ok(hn_exec_forward(t->exec, t->x, &y));
    const hn_cmatf logits = {hn_tensor_cdata(y), batch, classes, classes};
    hn_matf gradient = {hn_tensor_data(t->dlogits), batch, classes, classes};
    bench_ok(hn_loss_ce(NULL, &logits, t->labels, &loss, NULL, &gradient, &t->scratch));
    bench_ok(hn_exec_backward(t->exec, t->dlogits, NULL));
    bench_ok(hn_optimizer_step(t->optimizer));
    return loss;
}

static void release(training *t)
{
    hn_optimizer_destroy(t->optimizer);
    hn_exec_destroy(t->exec);
    hn_layer_destroy(t->net);
    hn_tensor_destroy(t->x);
    hn_tensor_destroy(t->dlogits);
    free(t->labels);
    free(t->scratch.data);
}

/* Returns a logit. */
static double infer(training *t)
{
    const hn_tensor *y;
    bench_ok(hn_exec_forward(t->exec, t->x, &y));
    const float *logits = hn_tensor_cdata(y);
    return (double)logits[0];
}

int main(int argc, char **argv)
{
    const double before = bench_process_bytes("VmHWM:");
    const bench_settings s = bench_settings_read(argc, argv);
    hn_context_options options;
    hn_context *context;
    hn_context_options_init(&options, sizeof options);
    options.num_threads = s.threads;
    options.engine = s.engine;
    bench_split *split = s.split ? bench_split_create() : NULL;
    if (split != NULL) {
        options.trace = bench_split_event;
        options.trace_user = split;
    }
    bench_ok(hn_context_create(&context, &options));
    training t = {0};
    prepare(&t, context, &s);
    double value = 0.0, total = 0.0, best = 1e30;
    for (int32_t i = 0; i < s.warmup + s.steps; ++i) {
        if (i == s.warmup && split != NULL)
            bench_split_reset(split);
        double start = bench_now();
        value = s.infer ? infer(&t) : train(&t, s.batch, classes_of(&s));
        double seconds = bench_now() - start;
        if (i < s.warmup)
            continue;
        total += seconds;
        best = seconds < best ? seconds : best;
    }
    const double grown = bench_process_bytes("VmHWM:") - before;
    printf("{\"arch\": \"resnet%d\", \"side\": %" PRId64 ", \"batch\": %" PRId64
           ", \"mode\": \"%s\", \"precision\": \"%s\", \"engine\": \"%s\", "
           "\"threads\": %d, \"steps\": %d, \"step_ms\": %.2f, \"best_step_ms\": %.2f, \"images_per_second\": %.1f, "
           "\"best_images_per_second\": %.1f, \"bytes\": %zu, \"peak_bytes\": %.0f, \"%s\": %.6f}\n",
           (int)s.depth, s.side, s.batch, s.infer ? "infer" : "train", bench_precision_name(s.precision),
           hn_engine_name(hn_context_engine(context)), (int)hn_context_num_threads(context), (int)s.steps,
           1e3 * total / s.steps, 1e3 * best, (double)s.batch * s.steps / total, (double)s.batch / best,
           hn_exec_bytes(t.exec), grown, s.infer ? "logit" : "loss", value);
    fflush(stdout);
    if (split != NULL)
        bench_split_print(split, s.steps, total);
    release(&t);
    hn_context_destroy(context);
    free(split);
    return 0;
}
