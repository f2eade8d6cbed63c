/* bench_memory -- what a step of the two-branch network takes of memory: by feature loss, batch, classes, and rows at once.
 * One step on noise; prints one line of JSON: peak_bytes, by how much the process grew since its start, images_bytes
 * of it the two batches, seconds of a second step.                                                                      */
#include "bench.h"

#include <getopt.h>
#include <inttypes.h>

enum { CHANNELS = 3, DIM = 128 };

typedef struct settings {
    const char *loss; /* "sc", "psc", or "ce" for no feature branch */
    int64_t batch, views, classes, micro_batch, side;
    int32_t depth, precision, threads;
} settings;

static void usage(void)
{
    fprintf(stderr, "usage: bench_memory [--loss sc|psc|ce] [--arch resnetDEPTH] [--side N] [--batch N] [--views N]\n"
                    "                    [--classes N] [--micro-batch N] [--precision f32|bf16] [--threads N]\n"
                    "batch: images; views: of each in the feature branch (2 for sc, 1 for psc)\n");
    exit(2);
}

static settings read_settings(int argc, char **argv)
{
    static const char *const names[] = {"loss", "batch", "views",     "classes", "micro-batch",
                                        "side", "arch",  "precision", "threads"};
    enum { COUNT = sizeof names / sizeof names[0] };
    struct option options[COUNT + 1] = {{0}};
    for (int i = 0; i < COUNT; ++i)
        options[i] = (struct option){names[i], required_argument, NULL, 'a' + i};
    settings s = {
        .loss = "sc", .batch = 32, .classes = 1000, .side = 224, .depth = 50, .threads = 1, .precision = HN_F32};
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;)
        switch (c) {
        case 'a':
            s.loss = optarg;
            break;
        case 'b':
            s.batch = bench_number(optarg, 1, 1 << 20, usage);
            break;
        case 'c':
            s.views = bench_number(optarg, 1, 16, usage);
            break;
        case 'd':
            s.classes = bench_number(optarg, 2, 1 << 20, usage);
            break;
        case 'e':
            s.micro_batch = bench_number(optarg, 0, 1 << 20, usage);
            break;
        case 'f':
            s.side = bench_number(optarg, 32, 1024, usage);
            break;
        case 'g':
            if (strncmp(optarg, "resnet", 6) != 0)
                usage();
            s.depth = (int32_t)bench_number(optarg + 6, 18, 152, usage);
            break;
        case 'h':
            if (strcmp(optarg, "bf16") != 0 && strcmp(optarg, "f32") != 0)
                usage();
            s.precision = strcmp(optarg, "bf16") == 0 ? HN_BF16 : HN_F32;
            break;
        case 'i':
            s.threads = (int32_t)bench_number(optarg, 1, 1024, usage);
            break;
        default:
            usage();
        }
    if (optind != argc || (strcmp(s.loss, "sc") != 0 && strcmp(s.loss, "psc") != 0 && strcmp(s.loss, "ce") != 0))
        usage();
    s.views = s.views > 0 ? s.views : strcmp(s.loss, "sc") == 0 ? 2 : 1;
    return s;
}

static hn_hybrid *create(hn_context *context, const settings *s)
{
    hn_hybrid_parts parts = {.struct_size = sizeof parts};
    hn_resnet_options net;
    hn_resnet_options_init(&net, sizeof net);
    net.depth = s->depth;
    net.precision = s->precision;
    hn_hybrid_options o;
    hn_hybrid_options_init(&o, sizeof o);
    o.input = (hn_desc){HN_F32, 4, {s->batch * s->views, s->side, s->side, CHANNELS}};
    o.micro_batch = s->micro_batch;
    hn_desc features;
    bench_ok(hn_resnet_create(&parts.backbone, context, &net));
    bench_ok(hn_layer_output(parts.backbone, &o.input, &features));
    bench_ok(hn_linear_create(&parts.classifier, context, features.dim[1], s->classes, 1));
    bench_ok(hn_loss_create_ce(&parts.classifier_loss, context, s->classes, NULL));
    if (strcmp(s->loss, "ce") != 0) {
        hn_projection_options head;
        hn_projection_options_init(&head, sizeof head);
        head.in = features.dim[1];
        head.out = DIM;
        bench_ok(hn_projection_create(&parts.projection, context, &head));
        bench_ok(strcmp(s->loss, "sc") == 0 ? hn_loss_create_sc(&parts.feature_loss, context, NULL)
                                            : hn_loss_create_psc(&parts.feature_loss, context, s->classes, DIM, NULL));
    }
    hn_hybrid *h;
    hn_rng rng;
    bench_ok(hn_hybrid_create(&h, context, &parts, &o));
    hn_rng_seed(&rng, 1, 0);
    bench_ok(hn_hybrid_init_params(h, &rng));
    return h;
}

static hn_batch noise(hn_context *context, const settings *s, int64_t rows)
{
    const hn_desc desc = {HN_F32, 4, {rows, s->side, s->side, CHANNELS}};
    hn_tensor *images;
    hn_rng rng;
    int32_t *labels = malloc((size_t)rows * sizeof *labels);
    if (labels == NULL) {
        fprintf(stderr, "bench_memory: out of memory\n");
        exit(1);
    }
    bench_ok(hn_tensor_create(&images, context, &desc));
    hn_rng_seed(&rng, 7, (uint64_t)rows);
    hn_rng_fill_normal(&rng, hn_tensor_data(images), (size_t)hn_tensor_count(images), 0.0f, 1.0f);
    for (int64_t i = 0; i < rows; ++i)
        labels[i] = (int32_t)(i % s->batch % s->classes);
    return (hn_batch){.struct_size = sizeof(hn_batch), .images = images, .labels = labels, .n = s->batch};
}

int main(int argc, char **argv)
{
    const double before = bench_process_bytes("VmHWM:");
    const settings s = read_settings(argc, argv);
    const double alpha = strcmp(s.loss, "ce") == 0 ? 0.0 : 0.5;
    hn_context_options options;
    hn_context *context;
    hn_context_options_init(&options, sizeof options);
    options.num_threads = s.threads;
    bench_ok(hn_context_create(&context, &options));
    hn_hybrid *h = create(context, &s);
    const hn_batch feature = noise(context, &s, s.batch * s.views), classifier = noise(context, &s, s.batch);
    hn_hybrid_losses losses = {.struct_size = sizeof losses};
    bench_ok(hn_hybrid_step(h, &feature, &classifier, alpha, 1e-3, &losses));
    const double start = bench_now();
    bench_ok(hn_hybrid_step(h, &feature, &classifier, alpha, 1e-3, &losses));
    printf("{\"loss\": \"%s\", \"arch\": \"resnet%d\", \"side\": %" PRId64
           ", \"precision\": \"%s\", \"batch\": %" PRId64 ", \"views\": %" PRId64 ", \"classes\": %" PRId64
           ", \"micro_batch\": %" PRId64
           ", \"threads\": %d, \"seconds\": %.3f, \"images_bytes\": %zu, \"peak_bytes\": %.0f, \"value\": %.6f}\n",
           s.loss, (int)s.depth, s.side, s.precision == HN_BF16 ? "bf16" : "f32", s.batch, s.views, s.classes,
           s.micro_batch, (int)s.threads, bench_now() - start,
           hn_tensor_bytes(feature.images) + hn_tensor_bytes(classifier.images), bench_process_bytes("VmHWM:") - before,
           losses.loss);
    return 0;
}
