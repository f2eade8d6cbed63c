/* Loaders over files of many sizes. In a build without libjpeg or libpng there is nothing to load, and the cases pass. */
#include "image_maker.h"

#include "data/augment.h"
#include "data/dataset.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CLASSES = 3, EACH = 5, IMAGES = CLASSES * EACH, BATCH = 7, BATCHES = 3, SIDE = 12, IMAGE = SIDE * SIDE * 3 };

static const int32_t workers[] = {0, 1, 2, 4};

/* ---- a directory of files ---------------------------------------------------------------------------------------- */

static char dir[256];

/* File i of the sorted set: class i / EACH. */
static void path_of(char *path, size_t size, int i)
{
    snprintf(path, size, "%s/class%d/%02d.%s", dir, i / EACH, i % EACH, i % 2 == 0 ? "jpg" : "png");
}

static void size_of(int i, int32_t *height, int32_t *width)
{
    *height = 9 + i * 17 % 90;
    *width = 9 + i * 29 % 120;
}

/* False if this build cannot make such files, since it does not read them either. */
static int make_files(void)
{
    static uint8_t file[HNT_FILE_ROOM];
    hnt_temp_dir(dir, sizeof dir);
    for (int i = 0; i < IMAGES; ++i) {
        char path[512];
        int32_t height, width;
        if (i % EACH == 0) {
            snprintf(path, sizeof path, "%s/class%d", dir, i / EACH);
            ck_assert_int_eq(mkdir(path, 0700), 0);
        }
        size_of(i, &height, &width);
        size_t bytes = i % 2 == 0 ? hnt_make_jpeg(file, height, width, 0) : hnt_make_png(file, height, width);
        const char *kind = i % 2 == 0 ? "; jpeg" : "; png";
        ck_assert_int_eq(bytes > 0, strstr(hn_build_info(), kind) != NULL);
        if (bytes == 0) {
            printf("passing over loaders of files: this build lacks \"%s\"\n", kind + 2);
            return 0;
        }
        path_of(path, sizeof path, i);
        hnt_write_file(path, file, bytes);
    }
    return 1;
}

static size_t read_file(int i, uint8_t bytes[HNT_FILE_ROOM])
{
    char path[512];
    path_of(path, sizeof path, i);
    FILE *f = fopen(path, "rb");
    ck_assert_ptr_nonnull(f);
    size_t size = fread(bytes, 1, HNT_FILE_ROOM, f);
    fclose(f);
    return size;
}

/* Half a file. */
static void corrupt(int i)
{
    static uint8_t bytes[HNT_FILE_ROOM];
    char path[512];
    path_of(path, sizeof path, i);
    ck_assert_uint_gt(read_file(i, bytes), 60);
    hnt_write_file(path, bytes, 60);
}

/* ---- a loader over it -------------------------------------------------------------------------------------------- */

/* Lines of the context's log. */
struct log {
    pthread_mutex_t lock;
    int lines, skipped, warned; /* all; "skipped: ..."; about a file that libjpeg reads all the same */
    char last[1024];
};

static void keep_line(int32_t level, const char *text, void *user)
{
    struct log *log = user;
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

static hn_augment_options augment(void)
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

static hn_loader_options options(int32_t number_of_workers, int32_t views, const hn_augment_options *a)
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

struct setting {
    struct log log;
    hn_context *context;
    hn_dataset *dataset;
    hn_loader *loader;
};

static hn_sampler *sampler_of(hn_context *context, const hn_dataset *dataset)
{
    hn_sampler *sampler = NULL;
    hnt_ok(hn_sampler_create(&sampler, context, HN_SAMPLER_INSTANCE_BALANCED, hn_dataset_labels(dataset),
                             hn_dataset_count(dataset), CLASSES, NULL));
    return sampler;
}

static void open_setting(struct setting *s, const hn_loader_options *o)
{
    hn_context_options c;
    *s = (struct setting){.log = {.lines = 0}};
    pthread_mutex_init(&s->log.lock, NULL);
    hn_context_options_init(&c, sizeof c);
    c.num_threads = 1;
    c.log = keep_line;
    c.log_user = &s->log;
    hnt_ok(hn_context_create(&s->context, &c));
    hnt_ok(hn_dataset_open_image_folder(&s->dataset, s->context, dir, NULL));
    ck_assert_int_eq(hn_dataset_count(s->dataset), IMAGES);
    hnt_ok(hn_loader_create(&s->loader, s->context, s->dataset, sampler_of(s->context, s->dataset), o));
}

static void close_setting(struct setting *s)
{
    hn_loader_destroy(s->loader);
    hn_dataset_release(s->dataset);
    hn_context_destroy(s->context);
    pthread_mutex_destroy(&s->log.lock);
}

static hn_status next(hn_loader *loader, hn_batch *batch)
{
    *batch = (hn_batch){.struct_size = sizeof *batch};
    return hn_loader_next(loader, batch);
}

/* Everything of `epochs` epochs: floats of image after image and view after view, and indices. */
static void collect(hn_loader *loader, int epochs, int32_t views, float *images, int64_t *index)
{
    hn_batch b;
    for (int e = 0; e < epochs; ++e) {
        for (int64_t first = 0; first < IMAGES; first += BATCH) {
            hnt_ok(next(loader, &b));
            const float *from = hn_tensor_cdata(b.images);
            for (int64_t i = 0; i < b.n; ++i) {
                int64_t at = e * IMAGES + first + i;
                index[at] = b.index[i];
                ck_assert_int_eq(b.labels[i], (int32_t)(b.index[i] / EACH));
                for (int64_t v = 0; v < views; ++v)
                    memcpy(images + (at * views + v) * IMAGE, from + (v * b.n + i) * IMAGE, IMAGE * sizeof *images);
            }
        }
        ck_assert_int_eq(next(loader, &b), HN_END);
    }
}

/* The stream of a view. */
static hn_rng stream(uint64_t seed, int64_t epoch, int64_t position, int32_t view)
{
    hn_rng rng;
    hn_rng_seed(&rng, seed, 0);
    hn_rng_derive(&rng, &rng, "loader", 0);
    hn_rng_derive(&rng, &rng, "epoch", (uint64_t)epoch);
    hn_rng_derive(&rng, &rng, "position", (uint64_t)position);
    hn_rng_derive(&rng, &rng, "view", (uint64_t)view);
    return rng;
}

/* ---- unit -------------------------------------------------------------------------------------------------------- */

/* Each view is hn_augment_image of the decoded file; the later ones by their own options. */
START_TEST(views_are_augmented_files)
{
    enum { VIEWS = 3 };
    static float images[IMAGES * VIEWS * IMAGE], want[IMAGE];
    int64_t index[IMAGES];
    struct setting s;
    hn_augment_options first = augment(), later = augment();
    if (!make_files())
        return;
    later.jitter = 0;
    later.policy = HN_POLICY_AUTOAUGMENT_CIFAR10;
    hn_loader_options o = options(2, VIEWS, &first);
    o.augment_later = &later;
    o.full_decode = 1;
    open_setting(&s, &o);
    collect(s.loader, 1, VIEWS, images, index);
    hni_image image;
    hni_image_init(&image, s.context);
    for (int64_t i = 0; i < IMAGES; ++i) {
        hnt_ok(hni_dataset_load(s.dataset, index[i], &image));
        hnt_ok(hni_image_decode(&image, 1));
        const hn_image_shape shape = {image.height, image.width, 3};
        for (int32_t v = 0; v < VIEWS; ++v) {
            const hn_augment_options *a = v == 0 ? &first : &later;
            hn_rng rng = stream(o.seed, 0, i, v);
            size_t bytes;
            hnt_ok(hn_augment_scratch(a, &shape, &bytes));
            hn_scratch scratch = hnt_scratch(bytes);
            hnt_ok(hn_augment_image(a, &shape, image.pixels, &rng, want, &scratch));
            ck_assert_mem_eq(want, images + (i * VIEWS + v) * IMAGE, sizeof want);
            free(scratch.data);
        }
    }
    hni_image_release(&image);
    close_setting(&s);
}
END_TEST

/* Fewer pixels are decoded where the crops allow it: nearly the same picture. */
START_TEST(shrunk_decoding_is_close)
{
    static float full[IMAGES * IMAGE], shrunk[IMAGES * IMAGE];
    int64_t index[IMAGES];
    struct setting s;
    hn_augment_options a;
    if (!make_files())
        return;
    hn_augment_options_init(&a, sizeof a);
    a.height = a.width = SIDE;
    hn_loader_options o = options(1, 1, &a);
    open_setting(&s, &o);
    collect(s.loader, 1, 1, shrunk, index);
    close_setting(&s);
    o.full_decode = 1;
    open_setting(&s, &o);
    collect(s.loader, 1, 1, full, index);
    close_setting(&s);
    for (int64_t i = 0; i < IMAGES; ++i) {
        int32_t height, width;
        double distance = 0;
        size_of((int)index[i], &height, &width);
        int shrinks = index[i] % 2 == 0 && height >= 2 * SIDE && width >= 2 * SIDE;
        for (int k = 0; k < IMAGE; ++k)
            distance += fabs((double)full[i * IMAGE + k] - (double)shrunk[i * IMAGE + k]) / IMAGE;
        ck_assert_msg(distance < 0.05, "%dx%d: %g", (int)height, (int)width, distance);
        ck_assert_int_eq(distance > 0, shrinks);
    }
}
END_TEST

START_TEST(wrong_options)
{
    struct setting s;
    hn_augment_options a = augment(), other = augment();
    if (!make_files())
        return;
    hn_loader_options o = options(1, 2, &a);
    open_setting(&s, &o);
    hn_sampler *sampler = sampler_of(s.context, s.dataset);
    hn_loader *l = NULL;
    o.on_corrupt = 2;
    hnt_fails(hn_loader_create(&l, s.context, s.dataset, sampler, &o), HN_E_ARG, "on_corrupt is 2");
    o = options(1, 2, NULL);
    hnt_fails(hn_loader_create(&l, s.context, s.dataset, sampler, &o), HN_E_ARG, "the images differ in size");
    o = options(1, 2, &a);
    o.augment_later = &other;
    other.height = SIDE + 1;
    hnt_fails(hn_loader_create(&l, s.context, s.dataset, sampler, &o), HN_E_ARG, "augment_later of 13x12");
    other.height = SIDE;
    other.hue = 7;
    hnt_fails(hn_loader_create(&l, s.context, s.dataset, sampler, &o), HN_E_ARG, "hue is 7");
    ck_assert_ptr_null(l);
    ck_assert_int_eq(hn_loader_skipped(NULL), 0);
    hn_sampler_destroy(sampler);
    close_setting(&s);
}
END_TEST

START_TEST(corrupt_files_fail_with_their_path)
{
    struct setting s;
    hn_augment_options a = augment();
    if (!make_files())
        return;
    corrupt(8);
    for (size_t w = 0; w < sizeof workers / sizeof *workers; ++w) {
        hn_loader_options o = options(workers[w], 1, &a);
        hn_batch b;
        int failures = 0;
        open_setting(&s, &o);
        for (int i = 0; i < BATCHES && failures == 0; ++i) {
            hn_status status = next(s.loader, &b);
            if (status == HN_OK)
                continue;
            hnt_fails(status, HN_E_FORMAT, "hn_loader_next: ");
            ck_assert_ptr_nonnull(strstr(hn_last_error(), "/class1/03.jpg"));
            hnt_fails(next(s.loader, &b), HN_E_FORMAT, "/class1/03.jpg"); /* it stays there */
            ++failures;
        }
        ck_assert_int_eq(failures, 1);
        ck_assert_int_eq(hn_loader_skipped(s.loader), 0);
        close_setting(&s);
    }
}
END_TEST

/* The next of the same class stands in: 8, the fourth of class 1, by the first, since the fifth is corrupt too. */
START_TEST(corrupt_files_are_skipped)
{
    static float good[IMAGES * IMAGE], images[IMAGES * IMAGE];
    int64_t before[IMAGES], index[IMAGES];
    struct setting s;
    hn_augment_options a = augment();
    if (!make_files())
        return;
    hn_loader_options o = options(1, 1, &a);
    open_setting(&s, &o);
    collect(s.loader, 1, 1, good, before);
    close_setting(&s);
    corrupt(2);
    corrupt(8);
    corrupt(9);
    o.on_corrupt = HN_LOADER_SKIP;
    for (size_t w = 0; w < sizeof workers / sizeof *workers; ++w) {
        o.workers = workers[w];
        open_setting(&s, &o);
        collect(s.loader, 1, 1, images, index);
        for (int64_t i = 0; i < IMAGES; ++i) {
            int64_t want = before[i] == 2 ? 3 : (before[i] == 8 || before[i] == 9 ? 5 : before[i]);
            ck_assert_int_eq(index[i], want);
            if (want == before[i])
                ck_assert_mem_eq(images + i * IMAGE, good + i * IMAGE, IMAGE * sizeof *good);
        }
        ck_assert_int_eq(hn_loader_skipped(s.loader), 3); /* whatever is prepared of the next epoch */
        hn_loader_destroy(s.loader);
        s.loader = NULL;
        ck_assert_int_ge(s.log.lines, 4);
        ck_assert_ptr_nonnull(strstr(s.log.last, "skipped: "));
        ck_assert_ptr_nonnull(strstr(s.log.last, dir));
        close_setting(&s);
    }
    for (int i = 5; i < 8; ++i)
        corrupt(i);
    open_setting(&s, &o);
    hn_batch b;
    hn_status status = HN_OK;
    for (int i = 0; i < BATCHES && status == HN_OK; ++i)
        status = next(s.loader, &b);
    hnt_fails(status, HN_E_FORMAT, "/class1/"); /* none of the class is left */
    close_setting(&s);
}
END_TEST

/* A bit of the header makes a JPEG one of 12 bits, which libjpeg cannot read: that is as corrupt as any. */
START_TEST(headers_that_ask_too_much_are_skipped)
{
    static float images[IMAGES * IMAGE];
    static uint8_t bytes[HNT_FILE_ROOM];
    int64_t index[IMAGES];
    char path[512];
    struct setting s;
    hn_augment_options a = augment();
    if (!make_files())
        return;
    path_of(path, sizeof path, 2);
    size_t size = read_file(2, bytes), sof = 0;
    while (sof + 4 < size && (bytes[sof] != 0xff || bytes[sof + 1] != 0xc0))
        ++sof;
    ck_assert_uint_eq(bytes[sof + 4], 8);
    bytes[sof + 4] = 12;
    hnt_write_file(path, bytes, size);
    hn_loader_options o = options(0, 1, &a);
    open_setting(&s, &o);
    hn_batch b;
    hn_status status = HN_OK;
    for (int i = 0; i < BATCHES && status == HN_OK; ++i)
        status = next(s.loader, &b);
    hnt_fails(status, HN_E_UNSUPPORTED, "precision 12");
    close_setting(&s);
    o.on_corrupt = HN_LOADER_SKIP;
    open_setting(&s, &o);
    collect(s.loader, 1, 1, images, index);
    ck_assert_int_eq(hn_loader_skipped(s.loader), 1);
    close_setting(&s);
}
END_TEST

/* Names of files are others' texts: nothing in one makes a second line of the log, or anything else of a terminal. Here
 * a file that is skipped has such a name, then one that libjpeg complains about and reads.                           */
START_TEST(names_of_files_stay_on_their_line)
{
    static float images[IMAGES * IMAGE];
    static uint8_t bytes[HNT_FILE_ROOM];
    int64_t index[IMAGES];
    char from[512], to[512];
    struct setting s;
    hn_augment_options a = augment();
    if (!make_files())
        return;
    hn_loader_options o = options(0, 1, &a);
    o.on_corrupt = HN_LOADER_SKIP;
    corrupt(8); /* becomes the last of its class: 9 */
    path_of(from, sizeof from, 8);
    snprintf(to, sizeof to, "%s/class1/x\ny.jpg", dir);
    ck_assert_int_eq(rename(from, to), 0);
    open_setting(&s, &o);
    collect(s.loader, 1, 1, images, index);
    ck_assert_int_eq(hn_loader_skipped(s.loader), 1);
    ck_assert_int_eq(s.log.lines, 1);
    ck_assert_int_eq(s.log.skipped, 1);
    ck_assert_ptr_nonnull(strstr(s.log.last, "/class1/x?y.jpg"));
    close_setting(&s);

    ck_assert_int_eq(unlink(to), 0);
    size_t size = read_file(6, bytes), head = 4 + (size_t)bytes[4] * 256 + bytes[5]; /* of the first segment */
    ck_assert_uint_lt(size + 3, sizeof bytes);
    memmove(bytes + head + 3, bytes + head, size - head);
    memset(bytes + head, 0, 3);
    hnt_write_file(to, bytes, size + 3);
    open_setting(&s, &o);
    collect(s.loader, 1, 1, images, index);
    ck_assert_int_eq(hn_loader_skipped(s.loader), 0);
    ck_assert_int_ge(s.log.warned, 1); /* its head is read twice */
    ck_assert_int_eq(s.log.lines, s.log.warned);
    ck_assert_ptr_nonnull(strstr(s.log.last, "/class1/x?y.jpg"));
    close_setting(&s);
}
END_TEST

/* A source that fails for good is no corrupt image. */
static hn_status no_memory(void *user, int64_t index, uint8_t *pixels)
{
    (void)user;
    memset(pixels, 1, 3);
    return index == 1 ? HN_E_NOMEM : HN_OK;
}

START_TEST(other_failures_are_not_skipped)
{
    static const hn_image_shape one = {1, 1, 3};
    static const hn_dataset_ops ops = {sizeof ops, no_memory, NULL};
    static const int32_t labels[4] = {0, 0, 0, 0};
    hn_context *context = hnt_context(1);
    hn_dataset *dataset = NULL;
    hn_sampler *sampler = NULL;
    hn_loader *l = NULL;
    hn_loader_options o = options(1, 1, NULL);
    o.on_corrupt = HN_LOADER_SKIP;
    hnt_ok(hn_dataset_create_custom(&dataset, context, &one, labels, 4, 1, &ops, NULL));
    hnt_ok(hn_sampler_create(&sampler, context, HN_SAMPLER_INSTANCE_BALANCED, labels, 4, 1, NULL));
    hnt_ok(hn_loader_create(&l, context, dataset, sampler, &o));
    hn_batch b;
    hnt_fails(next(l, &b), HN_E_NOMEM, "image 1");
    ck_assert_int_eq(hn_loader_skipped(l), 0);
    hn_loader_destroy(l);
    hn_dataset_release(dataset);
    hn_context_destroy(context);
}
END_TEST

/* ---- repro ------------------------------------------------------------------------------------------------------- */

START_TEST(same_bits_for_any_workers)
{
    enum { VIEWS = 2, EPOCHS = 2, ALL = EPOCHS * IMAGES };
    static float want[ALL * VIEWS * IMAGE], got[ALL * VIEWS * IMAGE];
    int64_t want_index[ALL], index[ALL];
    struct setting s;
    hn_augment_options a = augment();
    if (!make_files())
        return;
    corrupt(4);
    for (size_t w = 0; w < sizeof workers / sizeof *workers; ++w)
        for (int32_t prefetch = 1; prefetch <= 3; prefetch += 2) {
            hn_loader_options o = options(workers[w], VIEWS, &a);
            o.prefetch = prefetch;
            o.on_corrupt = HN_LOADER_SKIP;
            open_setting(&s, &o);
            int first = w == 0 && prefetch == 1;
            collect(s.loader, EPOCHS, VIEWS, first ? want : got, first ? want_index : index);
            close_setting(&s);
            if (first)
                continue;
            ck_assert_mem_eq(got, want, sizeof want);
            ck_assert_mem_eq(index, want_index, sizeof index);
        }
}
END_TEST

/* Images so large that each is a task of its own, several workers at one batch. */
START_TEST(images_shared_out_one_by_one)
{
    enum { LARGE = 160 };
    static float want[IMAGES];
    struct setting s;
    hn_augment_options a = augment();
    if (!make_files())
        return;
    a.height = a.width = LARGE;
    for (size_t w = 0; w < sizeof workers / sizeof *workers; ++w) {
        hn_loader_options o = options(workers[w], 1, &a);
        hn_batch b;
        int64_t at = 0;
        open_setting(&s, &o);
        while (next(s.loader, &b) == HN_OK)
            for (int64_t i = 0; i < b.n; ++i, ++at) {
                const float *image = (const float *)hn_tensor_cdata(b.images) + i * LARGE * LARGE * 3;
                float sum = 0;
                for (int k = 0; k < LARGE * LARGE * 3; ++k)
                    sum += image[k] * (float)(k % 7);
                if (w == 0)
                    want[at] = sum;
                ck_assert(sum == want[at]);
            }
        ck_assert_int_eq(at, IMAGES);
        close_setting(&s);
    }
}
END_TEST

/* ---- allocations that fail --------------------------------------------------------------------------------------- */

/* In hn_loader_next too, where memory for images grows; the batch is then made at the second try. */
START_TEST(allocation_failures)
{
    hn_augment_options a = augment();
    int64_t failures = 0, late = 0;
    if (!make_files())
        return;
    for (int64_t fail_at = 1, done = 0; !done; ++fail_at) {
        ck_assert_int_lt(fail_at, 1000);
        hnt_counter counter = {.fail_at = fail_at};
        hn_context *context = NULL;
        hn_dataset *dataset = NULL;
        hn_sampler *sampler = NULL;
        hn_loader *l = NULL;
        hn_loader_options o = options(0, 2, &a);
        o.on_corrupt = HN_LOADER_SKIP; /* which lack of memory is not */
        hnt_ok(hnt_counting_context(&context, &counter, 1));
        hn_status status = hn_dataset_open_image_folder(&dataset, context, dir, NULL);
        if (status == HN_OK)
            status = hn_sampler_create(&sampler, context, HN_SAMPLER_INSTANCE_BALANCED, hn_dataset_labels(dataset),
                                       IMAGES, CLASSES, NULL);
        if (status == HN_OK) {
            status = hn_loader_create(&l, context, dataset, sampler, &o);
            sampler = status == HN_OK ? NULL : sampler;
        }
        for (int i = 0; i < BATCHES && status == HN_OK; ++i) {
            hn_batch b;
            status = next(l, &b);
            if (status < 0) {
                hnt_fails(status, HN_E_NOMEM, "out of memory");
                hnt_ok(next(l, &b));
                ++late;
            }
        }
        if (status < 0)
            hnt_fails(status, HN_E_NOMEM, "out of memory");
        failures += status < 0;
        done = status == HN_OK;
        ck_assert(hn_loader_skipped(l) == 0);
        hn_loader_destroy(l);
        hn_sampler_destroy(sampler);
        hn_dataset_release(dataset);
        hn_context_destroy(context);
        ck_assert_int_eq(counter.alive, 0);
        ck_assert_int_eq(counter.alive_bytes, 0);
    }
    ck_assert_int_ge(failures, 10);
    ck_assert_int_ge(late, 3);
}
END_TEST

static Suite *loader_files_suite(void)
{
    Suite *suite = suite_create("loader_files");
    TCase *unit = hnt_case(suite, "unit");
    tcase_add_test(unit, views_are_augmented_files);
    tcase_add_test(unit, shrunk_decoding_is_close);
    tcase_add_test(unit, wrong_options);
    tcase_add_test(unit, corrupt_files_fail_with_their_path);
    tcase_add_test(unit, corrupt_files_are_skipped);
    tcase_add_test(unit, headers_that_ask_too_much_are_skipped);
    tcase_add_test(unit, names_of_files_stay_on_their_line);
    tcase_add_test(unit, other_failures_are_not_skipped);
    TCase *repro = hnt_case(suite, "repro");
    tcase_add_test(repro, same_bits_for_any_workers);
    tcase_add_test(repro, images_shared_out_one_by_one);
    TCase *oom = hnt_case(suite, "oom");
    tcase_add_test(oom, allocation_failures);
    return suite;
}

HNT_MAIN(loader_files_suite)
