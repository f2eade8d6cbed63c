/* The command line of bench_step. */
#include "bench_step.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void usage(void)
{
    fprintf(stderr,
            "usage: bench_step [--arch DEPTH|resnetDEPTH] [--side N] [--engine auto|cblas|direct|onednn]\n"
            "                  [--precision f32|bf16] [--batch N] [--threads N] [--warmup N] [--steps N]\n"
            "                  [--infer | --split]\n"
            "DEPTH: a network for CIFAR's images (side 32, batch 128); resnetDEPTH: for ImageNet's (224, 32)\n");
    exit(2);
}

static void arch_called(bench_settings *s, const char *name)
{
    static const char prefix[] = "resnet";
    s->imagenet = strncmp(name, prefix, sizeof prefix - 1) == 0;
    s->depth = (int32_t)bench_number(name + (s->imagenet ? sizeof prefix - 1 : 0), 8, 302, usage);
}

static int32_t engine_called(const char *name)
{
    for (int32_t engine = HN_ENGINE_AUTO; hn_engine_name(engine) != NULL; ++engine)
        if (strcmp(hn_engine_name(engine), name) == 0)
            return engine;
    usage();
    return -1;
}

const char *bench_precision_name(int32_t precision)
{
    return precision == HN_BF16 ? "bf16" : "f32";
}

static int32_t precision_called(const char *name)
{
    if (strcmp(name, "f32") == 0)
        return HN_F32;
    if (strcmp(name, "bf16") != 0)
        usage();
    return HN_BF16;
}

bench_settings bench_settings_read(int argc, char **argv)
{
    static const struct option options[] = {{"arch", required_argument, NULL, 'a'},
                                            {"batch", required_argument, NULL, 'b'},
                                            {"threads", required_argument, NULL, 't'},
                                            {"warmup", required_argument, NULL, 'w'},
                                            {"steps", required_argument, NULL, 's'},
                                            {"engine", required_argument, NULL, 'e'},
                                            {"precision", required_argument, NULL, 'c'},
                                            {"infer", no_argument, NULL, 'i'},
                                            {"split", no_argument, NULL, 'p'},
                                            {"side", required_argument, NULL, 'd'},
                                            {NULL, 0, NULL, 0}};
    bench_settings s = {.depth = 32, .threads = 1, .warmup = 1, .steps = 5, .precision = HN_F32};
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;)
        switch (c) {
        case 'a':
            arch_called(&s, optarg);
            break;
        case 'b':
            s.batch = bench_number(optarg, 1, 1 << 20, usage);
            break;
        case 'd':
            s.side = bench_number(optarg, 8, 4096, usage);
            break;
        case 't':
            s.threads = (int32_t)bench_number(optarg, 0, 1024, usage);
            break;
        case 'w':
            s.warmup = (int32_t)bench_number(optarg, 0, 1000000, usage);
            break;
        case 's':
            s.steps = (int32_t)bench_number(optarg, 1, 1000000, usage);
            break;
        case 'e':
            s.engine = engine_called(optarg);
            break;
        case 'c':
            s.precision = precision_called(optarg);
            break;
        case 'i':
            s.infer = 1;
            break;
        case 'p':
            s.split = 1;
            break;
        default:
            usage();
        }
    if (optind != argc || (s.split && s.infer)) /* the split is of training */
        usage();
    s.batch = s.batch > 0 ? s.batch : s.imagenet ? 32 : 128;
    s.side = s.side > 0 ? s.side : s.imagenet ? 224 : 32;
    return s;
}
