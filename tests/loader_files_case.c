#include "loader_files_case.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum {
    CLASSES = HNT_FILES_CLASSES,
    EACH = HNT_FILES_EACH,
    IMAGES = HNT_FILES_IMAGES,
    BATCH = HNT_FILES_BATCH,
    SIDE = HNT_FILES_SIDE,
    IMAGE = HNT_FILES_IMAGE
};

/* ---- a directory of files ---------------------------------------------------------------------------------------- */

char hnt_files_dir[256];

/* File i of the sorted set: class i / EACH. */
void hnt_files_path(char *path, size_t size, int i)
{
    snprintf(path, size, "%s/class%d/%02d.%s", hnt_files_dir, i / EACH, i % EACH, i % 2 == 0 ? "jpg" : "png");
}

void hnt_files_size(int i, int32_t *height, int32_t *width)
{
    *height = 9 + i * 17 % 90;
    *width = 9 + i * 29 % 120;
}

void hnt_files_make(void)
{
    static uint8_t file[HNT_FILE_ROOM];
    hnt_temp_dir(hnt_files_dir, sizeof hnt_files_dir);
    for (int i = 0; i < IMAGES; ++i) {
        char path[512];
        int32_t height, width;
        if (i % EACH == 0) {
            snprintf(path, sizeof path, "%s/class%d", hnt_files_dir, i / EACH);
            ck_assert_int_eq(mkdir(path, 0700), 0);
        }
        hnt_files_size(i, &height, &width);
        size_t bytes = i % 2 == 0 ? hnt_make_jpeg(file, height, width, 0) : hnt_make_png(file, height, width);
        ck_assert_uint_gt(bytes, 0);
        hnt_files_path(path, sizeof path, i);
        hnt_write_file(path, file, bytes);
    }
}

int hnt_files_main(Suite *suite)
{
    if (strstr(hn_build_info(), "; jpeg") == NULL || strstr(hn_build_info(), "; png") == NULL) {
        srunner_free(srunner_create(suite));
        printf("skipped: this build does not read both JPEG and PNG\n");
        return 77;
    }
    return hnt_run(suite);
}

size_t hnt_files_read(int i, uint8_t bytes[HNT_FILE_ROOM])
{
    char path[512];
    hnt_files_path(path, sizeof path, i);
    FILE *f = fopen(path, "rb");
    ck_assert_ptr_nonnull(f);
    size_t size = fread(bytes, 1, HNT_FILE_ROOM, f);
    fclose(f);
    return size;
}

/* Half a file. */
void hnt_files_corrupt(int i)
{
    static uint8_t bytes[HNT_FILE_ROOM];
    char path[512];
    hnt_files_path(path, sizeof path, i);
    ck_assert_uint_gt(hnt_files_read(i, bytes), 60);
    hnt_write_file(path, bytes, 60);
}

/* ---- a loader over it -------------------------------------------------------------------------------------------- */

static void keep_line(int32_t level, const char *text, void *user)
{
    hnt_files_log *log = user;
    pthread_mutex_lock(&log->lock);
    ck_assert_int_eq(level, HN_LOG_WARNING);
    for (const char *c = text; *c != '\0'; ++c)
        ck_assert_msg((unsigned char)*c >= ' ' && *c != 0x7f, "a line of the log holds the byte %d", *c);
    log->lines++;
    log->skipped += strncmp(text, "skipped: ", 9) == 0;
    log->warned += strstr(text, "extraneous bytes") != NULL;
    snprintf(log->last, sizeof log->last, "%s", text);
    pthread_mutex_unlock(&log->lock);
}

hn_augment_options hnt_files_augment(void)
{
    hn_augment_options a;
    hn_augment_options_init(&a, sizeof a);
    a.height = a.width = SIDE;
    a.resized_crop = a.flip = 1;
    a.jitter = 0.8f;
    a.brightness = a.contrast = a.saturation = 0.4f;
    a.hue = 0.1f;
    a.blur = 0.5f;
    a.blur_kernel = 3;
    a.cutout = 4;
    a.policy = HN_POLICY_RANDAUGMENT;
    return a;
}

hn_loader_options hnt_files_options(int32_t number_of_workers, int32_t views, const hn_augment_options *a)
{
    hn_loader_options o;
    hn_loader_options_init(&o, sizeof o);
    o.batch = BATCH;
    o.views = views;
    o.workers = number_of_workers;
    o.seed = 5;
    o.augment = a;
    return o;
}

hn_sampler *hnt_files_sampler(hn_context *context, const hn_dataset *dataset)
{
    hn_sampler *sampler = NULL;
    hnt_ok(hn_sampler_create(&sampler, context, HN_SAMPLER_INSTANCE_BALANCED, hn_dataset_labels(dataset),
                             hn_dataset_count(dataset), CLASSES, NULL));
    return sampler;
}

void hnt_files_open(hnt_files_setting *s, const hn_loader_options *o)
{
    hn_context_options c;
    *s = (hnt_files_setting){.log = {.lines = 0}};
    pthread_mutex_init(&s->log.lock, NULL);
    hn_context_options_init(&c, sizeof c);
    c.num_threads = 1;
    c.log = keep_line;
    c.log_user = &s->log;
    hnt_ok(hn_context_create(&s->context, &c));
    hnt_ok(hn_dataset_open_image_folder(&s->dataset, s->context, hnt_files_dir, NULL));
    ck_assert_int_eq(hn_dataset_count(s->dataset), IMAGES);
    hnt_ok(hn_loader_create(&s->loader, s->context, s->dataset, hnt_files_sampler(s->context, s->dataset), o));
}

void hnt_files_close(hnt_files_setting *s)
{
    hn_loader_destroy(s->loader);
    hn_dataset_release(s->dataset);
    hn_context_destroy(s->context);
    pthread_mutex_destroy(&s->log.lock);
}

hn_status hnt_files_next(hn_loader *loader, hn_batch *batch)
{
    *batch = (hn_batch){.struct_size = sizeof *batch};
    return hn_loader_next(loader, batch);
}

/* Everything of `epochs` epochs: floats of image after image and view after view, and indices. */
void hnt_files_collect(hn_loader *loader, int epochs, int32_t views, float *images, int64_t *index)
{
    hn_batch b;
    for (int e = 0; e < epochs; ++e) {
        for (int64_t first = 0; first < IMAGES; first += BATCH) {
            hnt_ok(hnt_files_next(loader, &b));
            const float *from = hn_tensor_cdata(b.images);
            for (int64_t i = 0; i < b.n; ++i) {
                int64_t at = e * IMAGES + first + i;
                index[at] = b.index[i];
                ck_assert_int_eq(b.labels[i], (int32_t)(b.index[i] / EACH));
                for (int64_t v = 0; v < views; ++v)
                    memcpy(images + (at * views + v) * IMAGE, from + (v * b.n + i) * IMAGE, IMAGE * sizeof *images);
            }
        }
        ck_assert_int_eq(hnt_files_next(loader, &b), HN_END);
    }
}
