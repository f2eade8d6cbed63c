/* bench_loader.c -- how many augmented images a second a loader makes, when nothing else is to do.
 *
 *     bench_loader [--dataset synthetic|cifar10|fashion-mnist] [--data DIR] [--imbalance RATIO] [--batch N] [--views N]
 *                  [--workers N] [--batches N]
 *
 * The augmentation is that of train_hybrid: padded random crop, flip, now and then gray, normalised; views: 2 as in the
 * feature branch. One line of JSON: images_per_second, views counted, of all batches; best_images_per_second, of the best
 * of ten equal parts; microseconds, of one image on one worker.                                                         */
#include "bench.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PARTS = 10 };

typedef struct settings {
    const char *dataset, *data;
    double imbalance;
    int64_t batch;
    int32_t views, workers, batches;
} settings;

static void usage(void)
{
    fprintf(stderr, "usage: bench_loader [--dataset synthetic|cifar10|fashion-mnist] [--data DIR] [--imbalance RATIO]\n"
                    "                    [--batch N] [--views N] [--workers N] [--batches N]\n");
    exit(2);
}

static settings parse(int argc, char **argv)
{
    static const struct option options[] = {
        {"dataset", required_argument, NULL, 'd'},   {"data", required_argument, NULL, 'p'},
        {"imbalance", required_argument, NULL, 'i'}, {"batch", required_argument, NULL, 'b'},
        {"views", required_argument, NULL, 'v'},     {"workers", required_argument, NULL, 'w'},
        {"batches", required_argument, NULL, 'n'},   {NULL, 0, NULL, 0}};
    settings s = {"synthetic", NULL, .imbalance = 100, .batch = 512, .views = 2, .workers = 1, .batches = 100};
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;)
        switch (c) {
        case 'd':
            s.dataset = optarg;
            break;
        case 'p':
            s.data = optarg;
            break;
        case 'i':
            s.imbalance = bench_real(optarg, 1, 1e6, usage);
            break;
        case 'b':
            s.batch = bench_number(optarg, 1, 65536, usage);
            break;
        case 'v':
            s.views = (int32_t)bench_number(optarg, 1, 16, usage);
            break;
        case 'w':
            s.workers = (int32_t)bench_number(optarg, 0, 64, usage);
            break;
        case 'n':
            s.batches = (int32_t)bench_number(optarg, PARTS, 1000000, usage);
            break;
        default:
            usage();
        }
    if (optind != argc)
        usage();
    return s;
}

/* The long-tailed training set. */
static hn_dataset *open_set(hn_context *context, const settings *s)
{
    hn_dataset *whole, *set;
    if (strcmp(s->dataset, "synthetic") == 0)
        bench_ok(hn_dataset_create_synthetic(&whole, context, 5000, 1));
    else if (strcmp(s->dataset, "cifar10") == 0)
        bench_ok(hn_dataset_open_cifar(&whole, context, s->data, 10, 1));
    else if (strcmp(s->dataset, "fashion-mnist") == 0)
        bench_ok(hn_dataset_open_fashion_mnist(&whole, context,
                                               s->data != NULL ? s->data : "/usr/share/datasets/fashion-mnist", 1));
    else
        usage();
    hn_long_tail_options tail;
    hn_long_tail_options_init(&tail, sizeof tail);
    tail.ratio = s->imbalance;
    bench_ok(hn_dataset_create_long_tail(&set, whole, &tail));
    hn_dataset_release(whole);
    return set;
}

static hn_loader *open_loader(hn_context *context, hn_dataset *set, const settings *s)
{
    hn_augment_options augment;
    hn_augment_options_init(&augment, sizeof augment);
    augment.crop_padding = hn_dataset_shape(set).channels == 3 ? 4 : 2;
    augment.flip = 1;
    augment.grayscale = 0.2f;
    for (int32_t c = 0; c < hn_dataset_shape(set).channels; ++c) {
        augment.mean[c] = 0.5f;
        augment.std[c] = 0.25f;
    }
    hn_sampler *sampler;
    bench_ok(hn_sampler_create(&sampler, context, HN_SAMPLER_INSTANCE_BALANCED, hn_dataset_labels(set),
                               hn_dataset_count(set), hn_dataset_classes(set), NULL));
    hn_loader_options options;
    hn_loader_options_init(&options, sizeof options);
    options.batch = s->batch;
    options.views = s->views;
    options.workers = s->workers;
    options.augment = &augment;
    hn_loader *loader;
    bench_ok(hn_loader_create(&loader, context, set, sampler, &options));
    return loader;
}

/* Images of so many batches, from one epoch straight into the next. */
static int64_t take(hn_loader *loader, int32_t batches, int32_t views)
{
    int64_t images = 0;
    for (int32_t i = 0; i < batches; ++i) {
        hn_batch batch = {.struct_size = sizeof batch};
        hn_status status = hn_loader_next(loader, &batch);
        bench_ok(status == HN_END ? hn_loader_next(loader, &batch) : status);
        images += batch.n * views;
    }
    return images;
}

int main(int argc, char **argv)
{
    const settings s = parse(argc, argv);
    hn_context *context;
    bench_ok(hn_context_create(&context, NULL));
    hn_dataset *set = open_set(context, &s);
    hn_loader *loader = open_loader(context, set, &s);
    (void)take(loader, 4, s.views); /* those prepared before the clock starts, and the first touch of their memory */
    double total = 0.0, best = 0.0;
    int64_t images = 0;
    for (int part = 0; part < PARTS; ++part) {
        const double start = bench_now();
        const int64_t n = take(loader, s.batches / PARTS, s.views);
        const double seconds = bench_now() - start;
        images += n;
        total += seconds;
        best = (double)n / seconds > best ? (double)n / seconds : best;
    }
    printf("{\"dataset\": \"%s\", \"batch\": %lld, \"views\": %d, \"workers\": %d, \"images\": %lld, "
           "\"images_per_second\": %.0f, \"best_images_per_second\": %.0f, \"microseconds\": %.3f}\n",
           s.dataset, (long long)s.batch, (int)s.views, (int)s.workers, (long long)images, (double)images / total, best,
           1e6 * (s.workers > 1 ? s.workers : 1) / best);
    hn_loader_destroy(loader);
    hn_dataset_release(set);
    hn_context_destroy(context);
    return 0;
}
