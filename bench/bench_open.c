/* bench_open.c -- how long a large set of image files takes to open, and how much memory; no image is read.
 *
 *     bench_open inaturalist2018 ROOT FILE.json
 *     bench_open image-list ROOT FILE.txt
 *     bench_open image-folder DIR
 *
 * One line of JSON: images, classes, seconds, cpu_seconds, library_bytes (what the context's allocator gave and has not got
 * back), peak_bytes (of the whole process, with what the JSON library took).                                            */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void usage(void)
{
    fprintf(stderr, "usage: bench_open inaturalist2018|image-list ROOT FILE\n       bench_open image-folder DIR\n");
    exit(2);
}

static void *count_alloc(void *user, size_t size, size_t align)
{
    void *p = NULL;
    if (posix_memalign(&p, align < sizeof p ? sizeof p : align, size) != 0)
        return NULL;
    *(size_t *)user += size;
    return p;
}

static void count_release(void *user, void *p, size_t size)
{
    *(size_t *)user -= size;
    free(p);
}

static hn_status open_set(hn_dataset **out, hn_context *context, int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "inaturalist2018") == 0)
        return hn_dataset_open_inaturalist(out, context, argv[2], argv[3]);
    if (argc == 4 && strcmp(argv[1], "image-list") == 0)
        return hn_dataset_open_image_list(out, context, argv[2], argv[3]);
    if (argc == 3 && strcmp(argv[1], "image-folder") == 0)
        return hn_dataset_open_image_folder(out, context, argv[2], NULL);
    usage();
    return HN_E_ARG;
}

int main(int argc, char **argv)
{
    size_t bytes = 0;
    const hn_allocator allocator = {
        .struct_size = sizeof allocator, .alloc = count_alloc, .release = count_release, .user = &bytes};
    hn_context_options options;
    hn_context *context;
    hn_dataset *set = NULL;
    hn_context_options_init(&options, sizeof options);
    options.allocator = &allocator;
    bench_ok(hn_context_create(&context, &options));
    const double begin = bench_now(), cpu = bench_cpu_now();
    bench_ok(open_set(&set, context, argc, argv));
    printf("{\"images\": %lld, \"classes\": %d, \"seconds\": %.2f, \"cpu_seconds\": %.2f, \"library_bytes\": %zu, "
           "\"peak_bytes\": %.0f}\n",
           (long long)hn_dataset_count(set), (int)hn_dataset_classes(set), bench_now() - begin, bench_cpu_now() - cpu,
           bytes, bench_process_bytes("VmHWM:"));
    hn_dataset_release(set);
    hn_context_destroy(context);
    return 0;
}
