/* bench_decode.c -- what a loader makes of JPEG files beside what libjpeg's decoding alone would allow.
 *
 *     bench_decode --data DIR [--side N] [--views N] [--workers N] [--rounds N] [--full]
 *
 * DIR: one sub-directory a class. In turns: every file decoded whole to RGB by libjpeg, from memory, and the second epoch of
 * a loader that crops, resizes to N x N, flips and normalises, as train_hybrid does; --full: without decoding at a fraction of
 * the size. One line of JSON: images a second of CPU time of each, files and not views counted, and their ratio, medians of
 * the rounds; wall_images_per_second of the loader with its workers.                                                     */
#include "bench.h"

#include <getopt.h>
#include <glob.h>

#include <jpeglib.h>

enum { MAX_ROUNDS = 99 };

typedef struct settings {
    const char *data;
    int32_t side, views, workers, rounds, full;
} settings;

static void usage(void)
{
    fprintf(stderr, "usage: bench_decode --data DIR [--side N] [--views N] [--workers N] [--rounds N] [--full]\n");
    exit(2);
}

static settings parse(int argc, char **argv)
{
    static const struct option options[] = {{"data", required_argument, NULL, 'd'},
                                            {"side", required_argument, NULL, 's'},
                                            {"views", required_argument, NULL, 'v'},
                                            {"workers", required_argument, NULL, 'w'},
                                            {"rounds", required_argument, NULL, 'r'},
                                            {"full", no_argument, NULL, 'f'},
                                            {NULL, 0, NULL, 0}};
    settings s = {.side = 224, .views = 1, .rounds = 5};
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;)
        switch (c) {
        case 'd':
            s.data = optarg;
            break;
        case 's':
            s.side = (int32_t)bench_number(optarg, 8, 4096, usage);
            break;
        case 'v':
            s.views = (int32_t)bench_number(optarg, 1, 16, usage);
            break;
        case 'w':
            s.workers = (int32_t)bench_number(optarg, 0, 256, usage);
            break;
        case 'r':
            s.rounds = (int32_t)bench_number(optarg, 1, MAX_ROUNDS, usage);
            break;
        case 'f':
            s.full = 1;
            break;
        default:
            usage();
        }
    if (optind != argc || s.data == NULL)
        usage();
    return s;
}

/* ---- libjpeg alone ---------------------------------------------------------------------------------------------------- */

typedef struct file {
    unsigned char *bytes;
    unsigned long size;
} file;

typedef struct files {
    file *list;
    size_t count, mean_bytes;
} files;

static void *need(void *memory)
{
    if (memory != NULL)
        return memory;
    fprintf(stderr, "bench_decode: out of memory\n");
    exit(1);
}

static files read_files(const char *directory)
{
    char pattern[4096];
    glob_t found;
    snprintf(pattern, sizeof pattern, "%s/*/*.jpg", directory);
    if (glob(pattern, 0, NULL, &found) != 0) {
        fprintf(stderr, "bench_decode: there is no %s\n", pattern);
        exit(1);
    }
    files f = {need(calloc(found.gl_pathc, sizeof(file))), found.gl_pathc, 0};
    for (size_t i = 0; i < f.count; ++i) {
        FILE *stream = fopen(found.gl_pathv[i], "rb");
        long size = -1;
        if (stream != NULL && fseek(stream, 0, SEEK_END) == 0)
            size = ftell(stream);
        if (size <= 0) {
            fprintf(stderr, "bench_decode: cannot read %s\n", found.gl_pathv[i]);
            exit(1);
        }
        rewind(stream);
        f.list[i] = (file){need(malloc((size_t)size)), (unsigned long)size};
        f.mean_bytes += fread(f.list[i].bytes, 1, (size_t)size, stream) / f.count;
        fclose(stream);
    }
    globfree(&found);
    return f;
}

/* CPU seconds of decoding all files. */
static double decode_all(const files *f, unsigned char **pixels, size_t *room)
{
    const double start = bench_cpu_now();
    for (size_t i = 0; i < f->count; ++i) {
        struct jpeg_decompress_struct jpeg;
        struct jpeg_error_mgr errors;
        jpeg.err = jpeg_std_error(&errors);
        jpeg_create_decompress(&jpeg);
        jpeg_mem_src(&jpeg, f->list[i].bytes, f->list[i].size);
        (void)jpeg_read_header(&jpeg, TRUE);
        jpeg.out_color_space = JCS_RGB;
        (void)jpeg_start_decompress(&jpeg);
        const size_t row = (size_t)jpeg.output_width * 3, bytes = row * jpeg.output_height;
        if (bytes > *room)
            *pixels = need(realloc(*pixels, *room = bytes));
        while (jpeg.output_scanline < jpeg.output_height) {
            JSAMPROW to = *pixels + jpeg.output_scanline * row;
            (void)jpeg_read_scanlines(&jpeg, &to, 1);
        }
        (void)jpeg_finish_decompress(&jpeg);
        jpeg_destroy_decompress(&jpeg);
    }
    return bench_cpu_now() - start;
}

/* ---- the loader ------------------------------------------------------------------------------------------------------- */

static hn_loader *open_loader(hn_context *context, hn_dataset *set, const settings *s)
{
    hn_augment_options augment;
    hn_augment_options_init(&augment, sizeof augment);
    augment.height = augment.width = s->side;
    augment.resized_crop = 1;
    augment.flip = 1;
    for (int c = 0; c < 3; ++c) {
        augment.mean[c] = 0.5f;
        augment.std[c] = 0.25f;
    }
    hn_sampler *sampler;
    bench_ok(hn_sampler_create(&sampler, context, HN_SAMPLER_INSTANCE_BALANCED, hn_dataset_labels(set),
                               hn_dataset_count(set), hn_dataset_classes(set), NULL));
    hn_loader_options options;
    hn_loader_options_init(&options, sizeof options);
    options.batch = 32;
    options.views = s->views;
    options.workers = s->workers;
    options.full_decode = s->full;
    options.augment = &augment;
    hn_loader *loader;
    bench_ok(hn_loader_create(&loader, context, set, sampler, &options));
    return loader;
}

/* Seconds of one epoch, of the process's CPUs and of the clock. */
static void load_all(hn_loader *loader, double *cpu, double *wall)
{
    const double cpu_start = bench_cpu_now(), wall_start = bench_now();
    hn_status status = HN_OK;
    while (status == HN_OK) {
        hn_batch batch = {.struct_size = sizeof batch};
        bench_ok(status = hn_loader_next(loader, &batch));
    }
    *cpu = bench_cpu_now() - cpu_start;
    *wall = bench_now() - wall_start;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int32_t n)
{
    /* cppcheck-suppress uninitvar; there is at least one round */
    qsort(values, (size_t)n, sizeof *values, ascending);
    return n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

int main(int argc, char **argv)
{
    const settings s = parse(argc, argv);
    hn_context *context;
    hn_dataset *set;
    bench_ok(hn_context_create(&context, NULL));
    bench_ok(hn_dataset_open_image_folder(&set, context, s.data, NULL));
    const files f = read_files(s.data);
    unsigned char *pixels = NULL;
    size_t room = 0;
    double decode[MAX_ROUNDS], load[MAX_ROUNDS], wall[MAX_ROUNDS], ratio[MAX_ROUNDS], unused;
    (void)decode_all(&f, &pixels, &room); /* files and memory are warm then */
    for (int32_t i = 0; i < s.rounds; ++i) {
        decode[i] = decode_all(&f, &pixels, &room);
        hn_loader *loader = open_loader(context, set, &s); /* whose workers must not run beside libjpeg */
        load_all(loader, &unused, &unused); /* from then on as much is prepared ahead as is left behind */
        load_all(loader, &load[i], &wall[i]);
        hn_loader_destroy(loader);
        ratio[i] = decode[i] / load[i];
    }
    const double n = (double)f.count;
    printf("{\"files\": %zu, \"mean_bytes\": %zu, \"side\": %d, \"views\": %d, \"workers\": %d, \"full\": %s, "
           "\"decode_images_per_cpu_second\": %.1f, \"loader_images_per_cpu_second\": %.1f, \"ratio\": %.3f, "
           "\"wall_images_per_second\": %.1f}\n",
           f.count, f.mean_bytes, (int)s.side, (int)s.views, (int)s.workers, s.full ? "true" : "false",
           n / median(decode, s.rounds), n / median(load, s.rounds), median(ratio, s.rounds),
           n / median(wall, s.rounds));
    hn_dataset_release(set);
    hn_context_destroy(context);
    for (size_t i = 0; i < f.count; ++i)
        free(f.list[i].bytes);
    free(f.list);
    free(pixels);
    return 0;
}
