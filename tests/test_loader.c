#include "support.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { IMAGES = 53, BATCH = 8, VIEWS = 2, BATCHES = 7, IMAGE = 4 * 3 * 3, ROW_BYTES = IMAGE * (int)sizeof(float) };

static const hn_image_shape shape = {4, 3, 3};
static const int32_t workers[] = {0, 1, 2, 4};

/* A source of small images; image `bad` cannot be read while `broken` is set. */
struct source {
    int64_t bad;
    int broken;
    pthread_mutex_t lock;
};

static hn_status read_source(void *user, int64_t index, uint8_t *pixels)
{
    struct source *s = user;
    pthread_mutex_lock(&s->lock);
    int fails = s->broken && index == s->bad;
    pthread_mutex_unlock(&s->lock);
    for (int i = 0; i < IMAGE; ++i)
        pixels[i] = (uint8_t)(index * 31 + i * 3 + 1);
    return fails ? HN_E_IO : HN_OK;
}

static void set_broken(struct source *s, int broken)
{
    pthread_mutex_lock(&s->lock);
    s->broken = broken;
    pthread_mutex_unlock(&s->lock);
}

static void make_labels(int32_t labels[IMAGES])
{
    for (int i = 0; i < IMAGES; ++i)
        labels[i] = i < 30 ? 0 : (i < 45 ? 1 : 2);
}

static hn_status make_dataset(hn_dataset **out, hn_context *context, struct source *source)
{
    static const hn_dataset_ops ops = {sizeof ops, read_source, NULL};
    int32_t labels[IMAGES];
    make_labels(labels);
    return hn_dataset_create_custom(out, context, &shape, labels, IMAGES, 3, &ops, source);
}

static hn_status make_sampler(hn_sampler **out, hn_context *context, int32_t kind)
{
    int32_t labels[IMAGES];
    hn_sampler_options o;
    make_labels(labels);
    hn_sampler_options_init(&o, sizeof o);
    o.seed = 4;
    return hn_sampler_create(out, context, kind, labels, IMAGES, 3, &o);
}

static hn_loader_options options(int32_t number_of_workers)
{
    static hn_augment_options augment;
    hn_loader_options o;
    hn_augment_options_init(&augment, sizeof augment);
    augment.crop_padding = 1;
    augment.flip = 1;
    augment.grayscale = 0.3f;
    hn_loader_options_init(&o, sizeof o);
    o.batch = BATCH;
    o.views = VIEWS;
    o.workers = number_of_workers;
    o.prefetch = 3;
    o.seed = 9;
    o.augment = &augment;
    return o;
}

struct setting {
    hn_context *context;
    hn_loader *loader;
    struct source source;
};

/* In place: the source's address goes to the dataset. */
static void open_setting(struct setting *s, int32_t kind, const hn_loader_options *o)
{
    hn_dataset *dataset = NULL;
    hn_sampler *sampler = NULL;
    *s = (struct setting){.source = {.bad = -1}};
    pthread_mutex_init(&s->source.lock, NULL);
    s->context = hnt_context(1);
    hnt_ok(make_dataset(&dataset, s->context, &s->source));
    hnt_ok(make_sampler(&sampler, s->context, kind));
    hnt_ok(hn_loader_create(&s->loader, s->context, dataset, sampler, o));
    hn_dataset_release(dataset); /* the loader keeps it */
}

static void close_setting(struct setting *s)
{
    hn_loader_destroy(s->loader);
    hn_context_destroy(s->context);
    pthread_mutex_destroy(&s->source.lock);
}

static hn_status next(hn_loader *loader, hn_batch *batch)
{
    *batch = (hn_batch){.struct_size = sizeof *batch};
    return hn_loader_next(loader, batch);
}

/* Everything a batch holds, in one block. */
struct copy {
    int64_t n, index[BATCH];
    int32_t labels[VIEWS * BATCH];
    float images[VIEWS * BATCH * IMAGE];
};

static void keep(struct copy *copy, const hn_batch *b)
{
    const hn_desc *desc = hn_tensor_desc(b->images);
    memset(copy, 0, sizeof *copy);
    ck_assert_int_eq(desc->dtype, HN_F32);
    ck_assert_int_eq(desc->ndim, 4);
    int64_t views = desc->dim[0] / b->n;
    ck_assert_int_eq(desc->dim[0], views * b->n);
    ck_assert(desc->dim[1] == 4 && desc->dim[2] == 3 && desc->dim[3] == 3);
    ck_assert_uint_eq((uintptr_t)hn_tensor_cdata(b->images) % 64, 0);
    copy->n = b->n;
    memcpy(copy->index, b->index, (size_t)b->n * sizeof *b->index);
    memcpy(copy->labels, b->labels, (size_t)(views * b->n) * sizeof *b->labels);
    memcpy(copy->images, hn_tensor_cdata(b->images), hn_tensor_bytes(b->images));
}

/* All batches of some epochs, HN_END between them checked. */
static struct copy *collect(hn_loader *loader, int epochs)
{
    struct copy *all = hnt_alloc((size_t)(epochs * BATCHES) * sizeof *all);
    hn_batch b;
    for (int e = 0; e < epochs; ++e) {
        for (int i = 0; i < BATCHES; ++i) {
            ck_assert_int_eq(next(loader, &b), HN_OK);
            keep(&all[e * BATCHES + i], &b);
        }
        ck_assert_int_eq(next(loader, &b), HN_END);
        ck_assert_ptr_null(b.images); /* untouched */
    }
    return all;
}

START_TEST(an_epoch_without_augmentation)
{
    for (size_t w = 0; w < sizeof workers / sizeof *workers; ++w) {
        hn_loader_options o = options(workers[w]);
        o.augment = NULL;
        struct setting s;
        open_setting(&s, HN_SAMPLER_INSTANCE_BALANCED, &o);
        ck_assert_int_eq(hn_loader_batches(s.loader), BATCHES);
        struct copy *all = collect(s.loader, 2);
        int32_t labels[IMAGES];
        make_labels(labels);
        for (int e = 0; e < 2; ++e) {
            int seen[IMAGES] = {0};
            for (int i = 0; i < BATCHES; ++i) {
                const struct copy *c = &all[e * BATCHES + i];
                ck_assert_int_eq(c->n, i < BATCHES - 1 ? BATCH : IMAGES % BATCH);
                for (int64_t k = 0; k < c->n; ++k) {
                    seen[c->index[k]]++;
                    for (int v = 0; v < VIEWS; ++v) {
                        int64_t row = v * c->n + k;
                        ck_assert_int_eq(c->labels[row], labels[c->index[k]]);
                        for (int p = 0; p < IMAGE; ++p)
                            ck_assert(c->images[row * IMAGE + p] ==
                                      (float)(uint8_t)(c->index[k] * 31 + p * 3 + 1) / 255.0f);
                    }
                }
            }
            for (int i = 0; i < IMAGES; ++i)
                ck_assert_int_eq(seen[i], 1);
        }
        free(all);
        close_setting(&s);
    }
}
END_TEST

/* The indices are those the sampler gives on its own. */
START_TEST(order_is_the_samplers)
{
    hn_loader_options o = options(2);
    struct setting s;
    open_setting(&s, HN_SAMPLER_CLASS_BALANCED, &o);
    struct copy *all = collect(s.loader, 2);
    hn_sampler *sampler = NULL;
    hnt_ok(make_sampler(&sampler, s.context, HN_SAMPLER_CLASS_BALANCED));
    for (int e = 0; e < 2; ++e) {
        int64_t index[IMAGES], got = 0;
        hnt_ok(hn_sampler_seek(sampler, e, 0));
        hnt_ok(hn_sampler_next(sampler, index, IMAGES, &got));
        ck_assert_int_eq(got, IMAGES);
        for (int i = 0; i < IMAGES; ++i)
            ck_assert_int_eq(all[e * BATCHES + i / BATCH].index[i % BATCH], index[i]);
    }
    hn_sampler_destroy(sampler);
    free(all);
    close_setting(&s);
}
END_TEST

START_TEST(drop_last)
{
    hn_loader_options o = options(1);
    o.drop_last = 1;
    struct setting s;
    open_setting(&s, HN_SAMPLER_INSTANCE_BALANCED, &o);
    ck_assert_int_eq(hn_loader_batches(s.loader), BATCHES - 1);
    hn_batch b;
    for (int e = 0; e < 3; ++e) {
        for (int i = 0; i < BATCHES - 1; ++i) {
            ck_assert_int_eq(next(s.loader, &b), HN_OK);
            ck_assert_int_eq(b.n, BATCH);
        }
        ck_assert_int_eq(next(s.loader, &b), HN_END);
    }
    close_setting(&s);
}
END_TEST

/* A newer header's longer hn_batch: what the library does not know comes back zero. */
START_TEST(batch_struct_sizes)
{
    hn_loader_options o = options(1);
    struct setting s;
    struct {
        hn_batch b;
        int64_t later;
    } longer = {{.struct_size = sizeof longer}, 5};
    hn_batch b = {.struct_size = 0};
    open_setting(&s, HN_SAMPLER_INSTANCE_BALANCED, &o);
    hnt_fails(hn_loader_next(s.loader, &b), HN_E_ARG, "struct_size is 0");
    b.struct_size = SIZE_MAX;
    hnt_fails(hn_loader_next(s.loader, &b), HN_E_ARG, "struct_size");
    hnt_fails(hn_loader_next(NULL, &b), HN_E_ARG, "loader is NULL");
    hnt_fails(hn_loader_next(s.loader, NULL), HN_E_ARG, "batch is NULL");
    hnt_ok(hn_loader_next(s.loader, &longer.b));
    ck_assert_uint_eq(longer.b.struct_size, sizeof longer);
    ck_assert_int_eq(longer.b.n, BATCH);
    ck_assert_int_eq(longer.later, 0);
    close_setting(&s);
}
END_TEST

START_TEST(wrong_arguments)
{
    hn_context *context = hnt_context(1);
    struct source source = {.bad = -1};
    hn_dataset *dataset = NULL;
    hn_sampler *sampler = NULL;
    hn_loader *l = NULL;
    pthread_mutex_init(&source.lock, NULL);
    hnt_ok(make_dataset(&dataset, context, &source));
    hnt_ok(make_sampler(&sampler, context, HN_SAMPLER_INSTANCE_BALANCED));
    hn_loader_options o;
#define REFUSED(field, value, status, text)                                           \
    do {                                                                              \
        o = options(1);                                                               \
        o.field = (value);                                                            \
        hnt_fails(hn_loader_create(&l, context, dataset, sampler, &o), status, text); \
    } while (0)
    REFUSED(batch, 0, HN_E_ARG, "batch is 0");
    REFUSED(batch, -5, HN_E_ARG, "batch is -5");
    REFUSED(batch, INT64_MAX, HN_E_ARG, "batch");
    REFUSED(views, 0, HN_E_ARG, "views is 0");
    REFUSED(views, 17, HN_E_ARG, "views is 17");
    REFUSED(workers, -1, HN_E_ARG, "workers is -1");
    REFUSED(workers, 100000, HN_E_ARG, "workers is 100000");
    REFUSED(prefetch, 0, HN_E_ARG, "prefetch is 0");
    REFUSED(prefetch, 65, HN_E_ARG, "prefetch is 65");
    REFUSED(struct_size, 1, HN_E_ARG, "struct_size is 1");
    hn_augment_options augment;
    hn_augment_options_init(&augment, sizeof augment);
    augment.crop_padding = 4;
    REFUSED(augment, &augment, HN_E_ARG, "crop_padding is 4");
    o = options(1);
    o.batch = 54;
    o.drop_last = 1;
    hnt_fails(hn_loader_create(&l, context, dataset, sampler, &o), HN_E_ARG, "53");
    hnt_fails(hn_loader_create(NULL, context, dataset, sampler, NULL), HN_E_ARG, "out is NULL");
    hnt_fails(hn_loader_create(&l, NULL, dataset, sampler, NULL), HN_E_ARG, "context is NULL");
    hnt_fails(hn_loader_create(&l, context, NULL, sampler, NULL), HN_E_ARG, "dataset is NULL");
    hnt_fails(hn_loader_create(&l, context, dataset, NULL, NULL), HN_E_ARG, "sampler is NULL");
    ck_assert_ptr_null(l);
    int64_t index, got = 0; /* the sampler is still the caller's */
    hnt_ok(hn_sampler_next(sampler, &index, 1, &got));
    hnt_ok(hn_loader_create(&l, context, dataset, sampler, NULL));
    hnt_fails(hn_loader_seek(l, -1, 0), HN_E_ARG, "epoch is -1");
    hnt_fails(hn_loader_seek(l, 0, -1), HN_E_ARG, "batch is -1");
    hnt_fails(hn_loader_seek(l, 0, hn_loader_batches(l) + 1), HN_E_ARG, "batch is 2");
    hnt_fails(hn_loader_seek(NULL, 0, 0), HN_E_ARG, "loader is NULL");
    ck_assert_int_eq(hn_loader_batches(NULL), 0);
    hn_loader_destroy(NULL);
    hn_loader_destroy(l);
    hn_dataset_release(dataset);
    hn_context_destroy(context);
    pthread_mutex_destroy(&source.lock);
}
END_TEST

/* A failure arrives with its sentence, in its place; the batch is tried again, and comes out right once it can be read. */
START_TEST(failing_dataset)
{
    for (size_t w = 0; w < sizeof workers / sizeof *workers; ++w) {
        hn_loader_options o = options(workers[w]);
        struct setting good, s;
        open_setting(&good, HN_SAMPLER_INSTANCE_BALANCED, &o);
        struct copy *want = collect(good.loader, 1), got;
        close_setting(&good);
        open_setting(&s, HN_SAMPLER_INSTANCE_BALANCED, &o);
        s.source.bad = want[2].index[5]; /* nobody knows of it before it is broken */
        set_broken(&s.source, 1);
        hnt_ok(hn_loader_seek(s.loader, 0, 0));
        hn_batch b;
        for (int i = 0; i < 2; ++i)
            hnt_ok(next(s.loader, &b));
        char sentence[64];
        snprintf(sentence, sizeof sentence, "image %d returned HN_E_IO", (int)s.source.bad);
        for (int again = 0; again < 3; ++again) {
            hnt_fails(next(s.loader, &b), HN_E_IO, sentence);
            ck_assert_ptr_null(b.images);
        }
        set_broken(&s.source, 0);
        hn_status status = next(s.loader, &b);
        if (status != HN_OK) /* it may have been tried ahead while it was broken */
            status = next(s.loader, &b);
        for (int i = 2; i < BATCHES; ++i) {
            hnt_ok(status);
            keep(&got, &b);
            ck_assert_mem_eq(&got, &want[i], sizeof got);
            status = next(s.loader, &b);
        }
        ck_assert_int_eq(status, HN_END);
        set_broken(&s.source, 1);
        hnt_ok(hn_loader_seek(s.loader, 0, 3)); /* past the bad image */
        hnt_ok(next(s.loader, &b));
        keep(&got, &b);
        ck_assert_mem_eq(&got, &want[3], sizeof got);
        free(want);
        close_setting(&s);
    }
}
END_TEST

/* A sampler made for a larger set. */
START_TEST(sampler_beyond_the_dataset)
{
    for (int32_t w = 0; w < 2; ++w) {
        struct source source = {.bad = -1};
        hn_context *context = hnt_context(1);
        hn_dataset *dataset = NULL;
        hn_sampler *sampler = NULL;
        hn_loader *l = NULL;
        hn_loader_options o = options(w);
        int32_t labels[500] = {0};
        pthread_mutex_init(&source.lock, NULL);
        o.batch = 500;
        hnt_ok(make_dataset(&dataset, context, &source));
        hnt_ok(hn_sampler_create(&sampler, context, HN_SAMPLER_INSTANCE_BALANCED, labels, 500, 1, NULL));
        hnt_ok(hn_loader_create(&l, context, dataset, sampler, &o));
        hn_batch b;
        hnt_fails(next(l, &b), HN_E_ARG, "is not in [0, 53)");
        hn_loader_destroy(l);
        hn_dataset_release(dataset);
        hn_context_destroy(context);
        pthread_mutex_destroy(&source.lock);
    }
}
END_TEST

START_TEST(destroyed_while_busy)
{
    for (int32_t w = 0; w <= 4; ++w)
        for (int taken = 0; taken < 10; ++taken) {
            hn_loader_options o = options(w);
            struct setting s;
            hn_batch b;
            open_setting(&s, HN_SAMPLER_INSTANCE_BALANCED, &o);
            for (int i = 0; i < taken; ++i)
                hnt_ok(next(s.loader, &b));
            close_setting(&s);
        }
}
END_TEST

/* What the caller holds stays as it is while the workers go on. */
START_TEST(held_batch_is_left_alone)
{
    hn_loader_options o = options(4);
    o.prefetch = 1;
    struct setting s;
    hn_batch b;
    struct copy first, later;
    open_setting(&s, HN_SAMPLER_INSTANCE_BALANCED, &o);
    for (int i = 0; i < 5; ++i) {
        hnt_ok(next(s.loader, &b));
        keep(&first, &b);
        const struct timespec moment = {0, 5000000};
        nanosleep(&moment, NULL);
        keep(&later, &b);
        ck_assert_mem_eq(&first, &later, sizeof first);
    }
    close_setting(&s);
}
END_TEST

/* ---- repro ------------------------------------------------------------------------------------------------------------ */

START_TEST(same_bits_for_any_workers)
{
    hn_loader_options o = options(0);
    struct setting s;
    open_setting(&s, HN_SAMPLER_CLASS_BALANCED_RANDOM, &o);
    struct copy *want = collect(s.loader, 3);
    close_setting(&s);
    for (size_t w = 0; w < sizeof workers / sizeof *workers; ++w)
        for (int32_t prefetch = 1; prefetch <= 5; prefetch += 2) {
            o = options(workers[w]);
            o.prefetch = prefetch;
            open_setting(&s, HN_SAMPLER_CLASS_BALANCED_RANDOM, &o);
            struct copy *got = collect(s.loader, 3);
            ck_assert_mem_eq(got, want, 3 * BATCHES * sizeof *got);
            free(got);
            close_setting(&s);
        }
    free(want);
}
END_TEST

START_TEST(seek_equals_running_there)
{
    static const int places[][2] = {{1, 3}, {0, 0}, {2, 6}, {2, 0}, {0, 5}};
    for (size_t w = 0; w < sizeof workers / sizeof *workers; ++w) {
        hn_loader_options o = options(workers[w]);
        struct setting s;
        open_setting(&s, HN_SAMPLER_INSTANCE_BALANCED, &o);
        struct copy *want = collect(s.loader, 4), got;
        hn_batch b;
        for (size_t p = 0; p < sizeof places / sizeof *places; ++p) {
            int at = places[p][0] * BATCHES + places[p][1];
            hnt_ok(hn_loader_seek(s.loader, places[p][0], places[p][1]));
            for (int i = 0; i < BATCHES; ++i, ++at) {
                if (i > 0 && at % BATCHES == 0)
                    ck_assert_int_eq(next(s.loader, &b), HN_END);
                ck_assert_int_eq(next(s.loader, &b), HN_OK);
                keep(&got, &b);
                ck_assert_mem_eq(&got, &want[at], sizeof got);
            }
        }
        free(want);
        close_setting(&s);
    }
}
END_TEST

static void tells(const hn_loader *loader, int64_t epoch, int64_t batch)
{
    int64_t e = -1, b = -1;
    hn_loader_tell(loader, &e, &b);
    ck_assert_int_eq(e, epoch);
    ck_assert_int_eq(b, batch);
}

/* Wherever a loader stands, at an epoch's end too, another one goes on from what it tells. */
START_TEST(tell_and_seek_go_together)
{
    for (size_t w = 0; w < sizeof workers / sizeof *workers; ++w) {
        hn_loader_options o = options(workers[w]);
        struct setting s, t;
        struct copy here, there;
        int64_t epoch, batch;
        hn_batch b;
        open_setting(&s, HN_SAMPLER_CLASS_BALANCED, &o);
        open_setting(&t, HN_SAMPLER_CLASS_BALANCED, &o);
        tells(s.loader, 0, 0);
        for (int i = 0; i < 2 * BATCHES + 3; ++i) { /* with the ends of two epochs */
            hn_loader_tell(s.loader, &epoch, &batch);
            tells(s.loader, i / (BATCHES + 1), i % (BATCHES + 1));
            hnt_ok(hn_loader_seek(t.loader, epoch, batch));
            tells(t.loader, epoch, batch);
            hn_status status = next(s.loader, &b);
            ck_assert_int_eq(status, batch == BATCHES ? HN_END : HN_OK);
            if (status == HN_OK)
                keep(&here, &b);
            ck_assert_int_eq(next(t.loader, &b), status);
            if (status == HN_OK)
                keep(&there, &b);
            ck_assert_mem_eq(&here, &there, sizeof here);
        }
        hn_loader_tell(s.loader, &epoch, NULL);
        hn_loader_tell(s.loader, NULL, &batch);
        hn_loader_tell(NULL, &epoch, &batch);
        ck_assert(epoch == 2 && batch == 1);
        close_setting(&s);
        close_setting(&t);
    }
}
END_TEST

/* An image's stream is its own: epochs, positions, views and seeds differ; the batch size does not matter. */
START_TEST(streams_are_separate)
{
    hn_loader_options o = options(1);
    struct setting s;
    open_setting(&s, HN_SAMPLER_INSTANCE_BALANCED, &o);
    struct copy *all = collect(s.loader, 1);
    int differ = 0;
    for (int64_t k = 0; k < BATCH; ++k)
        differ += memcmp(all[0].images + k * IMAGE, all[0].images + (BATCH + k) * IMAGE, ROW_BYTES) != 0;
    ck_assert_int_ge(differ, BATCH / 2); /* views of an image differ, but for rare coincidences */
    close_setting(&s);
    o.seed = 10;
    open_setting(&s, HN_SAMPLER_INSTANCE_BALANCED, &o);
    struct copy *other = collect(s.loader, 1);
    ck_assert_mem_eq(other[0].index, all[0].index, sizeof all[0].index); /* the order is the sampler's */
    ck_assert_mem_ne(other[0].images, all[0].images, sizeof all[0].images);
    close_setting(&s);
    o = options(1);
    o.batch = 5;
    open_setting(&s, HN_SAMPLER_INSTANCE_BALANCED, &o);
    for (int64_t at = 0; at < IMAGES; at += 5) {
        hn_batch b;
        hnt_ok(next(s.loader, &b));
        const float *images = hn_tensor_cdata(b.images);
        for (int64_t i = 0; i < b.n; ++i)
            for (int64_t v = 0; v < VIEWS; ++v) {
                const struct copy *c = &all[(at + i) / BATCH];
                ck_assert_mem_eq(images + (v * b.n + i) * IMAGE, c->images + (v * c->n + (at + i) % BATCH) * IMAGE,
                                 ROW_BYTES);
            }
    }
    free(all);
    free(other);
    close_setting(&s);
}
END_TEST

/* ---- allocations that fail --------------------------------------------------------------------------------------------- */

/* The workers allocate nothing, so that counting on one thread is right: the counter stands still after creation. */
START_TEST(allocation_failures)
{
    struct source source = {.bad = -1};
    pthread_mutex_init(&source.lock, NULL);
    for (int32_t w = 0; w <= 2; w += 2) {
        hn_status status = HN_E_NOMEM;
        int64_t failures = 0;
        for (int64_t fail_at = 1; status != HN_OK; ++fail_at) { /* call 0 is the context's own */
            ck_assert_int_lt(fail_at, 200);
            hnt_counter counter = {.fail_at = fail_at};
            hn_context *context = NULL;
            hn_dataset *dataset = NULL;
            hn_sampler *sampler = NULL;
            hn_loader *l = NULL;
            hn_loader_options o = options(w);
            hnt_ok(hnt_counting_context(&context, &counter, 1));
            status = make_dataset(&dataset, context, &source);
            if (status == HN_OK)
                status = make_sampler(&sampler, context, HN_SAMPLER_INSTANCE_BALANCED);
            if (status == HN_OK) {
                status = hn_loader_create(&l, context, dataset, sampler, &o);
                failures += status != HN_OK;
                sampler = status == HN_OK ? NULL : sampler; /* the loader's, or still ours */
            }
            if (status != HN_OK) {
                hnt_fails(status, HN_E_NOMEM, "out of memory");
                ck_assert_ptr_null(l);
            } else {
                int64_t calls = counter.calls;
                free(collect(l, 2));
                hnt_ok(hn_loader_seek(l, 1, 1));
                ck_assert_int_eq(counter.calls, calls);
            }
            hn_loader_destroy(l);
            hn_sampler_destroy(sampler);
            hn_dataset_release(dataset);
            hn_context_destroy(context);
            ck_assert_int_eq(counter.alive, 0);
            ck_assert_int_eq(counter.alive_bytes, 0);
        }
        ck_assert_int_ge(failures, 5);
    }
    pthread_mutex_destroy(&source.lock);
}
END_TEST

static Suite *loader_suite(void)
{
    Suite *suite = suite_create("loader");
    TCase *unit = hnt_case(suite, "unit");
    tcase_add_test(unit, an_epoch_without_augmentation);
    tcase_add_test(unit, order_is_the_samplers);
    tcase_add_test(unit, drop_last);
    tcase_add_test(unit, batch_struct_sizes);
    tcase_add_test(unit, wrong_arguments);
    tcase_add_test(unit, failing_dataset);
    tcase_add_test(unit, sampler_beyond_the_dataset);
    tcase_add_test(unit, destroyed_while_busy);
    tcase_add_test(unit, held_batch_is_left_alone);
    TCase *repro = hnt_case(suite, "repro");
    tcase_add_test(repro, same_bits_for_any_workers);
    tcase_add_test(repro, seek_equals_running_there);
    tcase_add_test(repro, tell_and_seek_go_together);
    tcase_add_test(repro, streams_are_separate);
    TCase *oom = hnt_case(suite, "oom");
    tcase_add_test(oom, allocation_failures);
    return suite;
}

HNT_MAIN(loader_suite)
