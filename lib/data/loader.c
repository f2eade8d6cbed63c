/* A ring of batches. Workers take numbers in order, prepare the batch of that number in its slot, and the caller collects
 * slots in order. What a batch holds depends on its number alone: indices are drawn under the lock in order, augmentation
 * streams are derived from epoch, position and view.                                                                      */
#include <hybridnet/loader.h>

#include "base/context.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/options.h"
#include "base/tensor.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { MAX_VIEWS = 16, MAX_WORKERS = 64, MAX_PREFETCH = 64, SENTENCE = 512, MAX_STRUCT = 65536 };

typedef enum slot_state { SLOT_FREE, SLOT_BUSY, SLOT_READY } slot_state;

/* One batch of the ring. */
typedef struct slot {
    slot_state state;
    int64_t epoch, first; /* position of its first image in the epoch */
    int64_t n;
    hn_tensor images; /* view of memory, views * n rows */
    float *memory;
    int32_t *labels; /* [views * batch] */
    int64_t *index;  /* [batch] */
    uint8_t *pixels; /* one image */
    hn_status status;
    char sentence[SENTENCE];
} slot;

struct hn_loader {
    hn_context *context;
    hn_dataset *dataset;
    hn_sampler *sampler;
    hn_loader_options options;
    hn_augment_options augment;
    hn_image_shape shape;
    hn_rng root;
    int64_t batches; /* an epoch */
    slot *slots;
    int64_t slot_count;
    int64_t next;                   /* slot the caller collects next                       */
    int64_t give_epoch, give_batch; /* what it holds                                       */
    int64_t prepare;                /* slot a worker prepares next                         */
    int64_t take_epoch, take_batch; /* what it will hold                                   */
    bool holding;                   /* the caller still reads the slot before `next`       */
    bool paused, stopping;
    int32_t busy, workers; /* workers preparing; workers started                  */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t threads[MAX_WORKERS];
};

static const hn_loader_options defaults = {
    .struct_size = sizeof defaults, .batch = 128, .views = 1, .workers = 1, .prefetch = 2};

void hn_loader_options_init(hn_loader_options *options, size_t struct_size)
{
    hni_options_init(options, struct_size, &defaults, sizeof defaults);
}

/* ---- one batch ------------------------------------------------------------------------------------------------------ */

/* Draws the indices of the next batch into a slot; with the lock held. */
static void draw(hn_loader *l, slot *s)
{
    int64_t length = hn_sampler_epoch_length(l->sampler), got = 0;
    s->epoch = l->take_epoch;
    s->first = l->take_batch * l->options.batch;
    s->n = length - s->first < l->options.batch ? length - s->first : l->options.batch;
    s->status = hn_sampler_seek(l->sampler, s->epoch, s->first);
    if (s->status == HN_OK)
        s->status = hn_sampler_next(l->sampler, s->index, s->n, &got);
    if (s->status == HN_OK && got != s->n)
        s->status = hni_fail(HN_E_INTERNAL, "hn_loader_next: the sampler gave %" PRId64 " of %" PRId64, got, s->n);
    if (s->status < 0)
        (void)snprintf(s->sentence, SENTENCE, "%s", hn_last_error());
    if (++l->take_batch == l->batches) {
        l->take_batch = 0;
        l->take_epoch++;
    }
}

static hn_status fill_image(const hn_loader *l, slot *s, int64_t i, const hn_rng *epoch)
{
    int64_t row = (int64_t)l->shape.height * l->shape.width * l->shape.channels;
    hn_rng position, view;
    hn_rng_derive(&position, epoch, "position", (uint64_t)(s->first + i));
    HNI_TRY(hn_dataset_read(l->dataset, s->index[i], s->pixels));
    for (int32_t v = 0; v < l->options.views; ++v) {
        hn_rng_derive(&view, &position, "view", (uint64_t)v);
        HNI_TRY(hn_augment_apply(&l->augment, &l->shape, s->pixels, &view, s->memory + (v * s->n + i) * row));
        s->labels[v * s->n + i] = hn_dataset_labels(l->dataset)[s->index[i]];
    }
    return HN_OK;
}

static void fill(const hn_loader *l, slot *s)
{
    hn_rng epoch;
    hn_rng_derive(&epoch, &l->root, "epoch", (uint64_t)s->epoch);
    for (int64_t i = 0; i < s->n && s->status == HN_OK; ++i)
        s->status = fill_image(l, s, i, &epoch);
    if (s->status < 0)
        (void)snprintf(s->sentence, SENTENCE, "%s", hn_last_error());
    s->images.desc.dim[0] = s->n * l->options.views;
}

/* ---- workers -------------------------------------------------------------------------------------------------------- */

/* Takes the next slot, if it is free and nobody asked to wait; with the lock held. */
static slot *take(hn_loader *l)
{
    slot *s = &l->slots[l->prepare];
    int64_t held = (l->next + l->slot_count - 1) % l->slot_count;
    if (l->paused || s->state != SLOT_FREE || (l->holding && l->prepare == held))
        return NULL;
    s->state = SLOT_BUSY;
    l->prepare = (l->prepare + 1) % l->slot_count;
    draw(l, s);
    return s;
}

static void *work(void *arg)
{
    hn_loader *l = arg;
    pthread_mutex_lock(&l->lock);
    while (!l->stopping) {
        slot *s = take(l);
        if (s == NULL) {
            pthread_cond_wait(&l->changed, &l->lock);
            continue;
        }
        l->busy++;
        pthread_mutex_unlock(&l->lock);
        if (s->status == HN_OK)
            fill(l, s);
        pthread_mutex_lock(&l->lock);
        l->busy--;
        s->state = SLOT_READY;
        pthread_cond_broadcast(&l->changed);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

/* Drops what is prepared and goes to a batch; with the lock held. */
static void reset(hn_loader *l, int64_t epoch, int64_t batch)
{
    l->paused = true;
    while (l->busy > 0)
        pthread_cond_wait(&l->changed, &l->lock);
    for (int64_t i = 0; i < l->slot_count; ++i)
        l->slots[i].state = SLOT_FREE;
    l->prepare = l->next;
    l->take_epoch = l->give_epoch = epoch;
    l->take_batch = l->give_batch = batch;
    l->paused = false;
    pthread_cond_broadcast(&l->changed);
}

/* ---- life ----------------------------------------------------------------------------------------------------------- */

static hn_status check_options(const hn_loader_options *o)
{
    static const char function[] = "hn_loader_create";
    HNI_FAIL_IF(o->batch < 1 || o->batch > INT32_MAX, HN_E_ARG, "%s: batch is %" PRId64 "; it must be in [1, 2^31 - 1]",
                function, o->batch);
    HNI_FAIL_IF(o->views < 1 || o->views > MAX_VIEWS, HN_E_ARG, "%s: views is %d; it must be in [1, %d]", function,
                (int)o->views, (int)MAX_VIEWS);
    HNI_FAIL_IF(o->workers < 0 || o->workers > MAX_WORKERS, HN_E_ARG, "%s: workers is %d; it must be in [0, %d]",
                function, (int)o->workers, (int)MAX_WORKERS);
    HNI_FAIL_IF(o->prefetch < 1 || o->prefetch > MAX_PREFETCH, HN_E_ARG, "%s: prefetch is %d; it must be in [1, %d]",
                function, (int)o->prefetch, (int)MAX_PREFETCH);
    return HN_OK;
}

static size_t image_bytes(const hn_loader *l)
{
    return (size_t)l->shape.height * (size_t)l->shape.width * (size_t)l->shape.channels;
}

static hn_status create_slots(hn_loader *l)
{
    size_t rows = (size_t)l->options.batch * (size_t)l->options.views;
    const hn_desc desc = {HN_F32, 4, {(int64_t)rows, l->shape.height, l->shape.width, l->shape.channels}};
    int64_t count;
    size_t bytes;
    HNI_TRY(hni_desc_size(&desc, "hn_loader_create", &count, &bytes));
    l->slot_count = l->options.workers == 0 ? 1 : l->options.prefetch + 1;
    l->slots = hni_alloc_zero(l->context, (size_t)l->slot_count * sizeof *l->slots);
    if (l->slots == NULL)
        return hni_no_memory("hn_loader_create", (size_t)l->slot_count * sizeof *l->slots);
    for (int64_t i = 0; i < l->slot_count; ++i) {
        slot *s = &l->slots[i];
        s->memory = hni_alloc(l->context, bytes);
        s->labels = hni_alloc(l->context, rows * sizeof *s->labels);
        s->index = hni_alloc(l->context, (size_t)l->options.batch * sizeof *s->index);
        s->pixels = hni_alloc(l->context, image_bytes(l));
        if (s->memory == NULL || s->labels == NULL || s->index == NULL || s->pixels == NULL)
            return hni_no_memory("hn_loader_create", bytes);
        s->images = hni_tensor_view(s->memory, &desc);
    }
    return HN_OK;
}

static void release_slots(hn_loader *l)
{
    size_t rows = (size_t)l->options.batch * (size_t)l->options.views;
    for (int64_t i = 0; l->slots != NULL && i < l->slot_count; ++i) {
        slot *s = &l->slots[i];
        hni_release(l->context, s->memory, rows * image_bytes(l) * sizeof(float));
        hni_release(l->context, s->labels, rows * sizeof *s->labels);
        hni_release(l->context, s->index, (size_t)l->options.batch * sizeof *s->index);
        hni_release(l->context, s->pixels, image_bytes(l));
    }
    hni_release(l->context, l->slots, (size_t)l->slot_count * sizeof *l->slots);
}

/* Stops the workers and frees all but dataset and sampler. */
static void tear_down(hn_loader *l)
{
    pthread_mutex_lock(&l->lock);
    l->stopping = true;
    pthread_cond_broadcast(&l->changed);
    pthread_mutex_unlock(&l->lock);
    for (int32_t i = 0; i < l->workers; ++i)
        (void)pthread_join(l->threads[i], NULL);
    (void)pthread_cond_destroy(&l->changed);
    (void)pthread_mutex_destroy(&l->lock);
    release_slots(l);
    hni_release(l->context, l, sizeof *l);
}

/* Workers take no signals, so that a program's handlers run on its own threads, and touch the sampler only once all of
 * them have started: until then it may go back to the caller.                                                           */
static hn_status start_workers(hn_loader *l)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    int error = pthread_sigmask(SIG_BLOCK, &all, &before);
    bool masked = error == 0;
    while (error == 0 && l->workers < l->options.workers) {
        error = pthread_create(&l->threads[l->workers], NULL, work, l);
        l->workers += error == 0;
    }
    if (masked)
        (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    HNI_FAIL_IF(error != 0, HN_E_STATE, "hn_loader_create: worker thread %d could not be started (error %d)",
                (int)l->workers, error);
    pthread_mutex_lock(&l->lock);
    l->paused = false;
    pthread_cond_broadcast(&l->changed);
    pthread_mutex_unlock(&l->lock);
    return HN_OK;
}

hn_status hn_loader_create(hn_loader **out, hn_context *context, hn_dataset *dataset, hn_sampler *sampler,
                           const hn_loader_options *options)
{
    static const char function[] = "hn_loader_create";
    hn_loader_options o = defaults;
    HNI_FAIL_IF(out == NULL || context == NULL || dataset == NULL || sampler == NULL, HN_E_ARG, "%s: %s is NULL",
                function,
                out == NULL       ? "out"
                : context == NULL ? "context"
                : dataset == NULL ? "dataset"
                                  : "sampler");
    HNI_TRY(hni_options_read(&o, sizeof o, options, function));
    HNI_TRY(check_options(&o));
    hn_augment_options augment;
    hn_augment_options_init(&augment, sizeof augment);
    HNI_TRY(hni_options_read(&augment, sizeof augment, o.augment, function));
    hn_image_shape shape = hn_dataset_shape(dataset);
    HNI_TRY(hn_augment_check(&augment, &shape));
    int64_t length = hn_sampler_epoch_length(sampler);
    int64_t batches = length / o.batch + (length % o.batch != 0 && !o.drop_last);
    HNI_FAIL_IF(batches < 1, HN_E_ARG, "%s: an epoch of %" PRId64 " images has no full batch of %" PRId64, function,
                length, o.batch);
    hn_loader *l = hni_alloc(context, sizeof *l);
    if (l == NULL)
        return hni_no_memory(function, sizeof *l);
    *l = (hn_loader){.context = context,
                     .dataset = dataset,
                     .sampler = sampler,
                     .options = o,
                     .augment = augment,
                     .shape = shape,
                     .batches = batches,
                     .paused = true};
    hn_rng_seed(&l->root, o.seed, 0);
    hn_rng_derive(&l->root, &l->root, "loader", 0);
    (void)pthread_mutex_init(&l->lock, NULL);
    (void)pthread_cond_init(&l->changed, NULL);
    hn_status status = create_slots(l);
    if (status == HN_OK)
        status = start_workers(l);
    if (status < 0) {
        tear_down(l);
        return status;
    }
    (void)hn_dataset_retain(dataset);
    *out = l;
    return HN_OK;
}

void hn_loader_destroy(hn_loader *loader)
{
    if (loader == NULL)
        return;
    hn_dataset *dataset = loader->dataset;
    hn_sampler *sampler = loader->sampler;
    tear_down(loader);
    hn_sampler_destroy(sampler);
    hn_dataset_release(dataset);
}

/* ---- use ------------------------------------------------------------------------------------------------------------ */

int64_t hn_loader_batches(const hn_loader *loader)
{
    return loader == NULL ? 0 : loader->batches;
}

hn_status hn_loader_seek(hn_loader *loader, int64_t epoch, int64_t batch)
{
    HNI_FAIL_IF(loader == NULL, HN_E_ARG, "hn_loader_seek: loader is NULL");
    HNI_FAIL_IF(epoch < 0, HN_E_ARG, "hn_loader_seek: epoch is %" PRId64, epoch);
    HNI_FAIL_IF(batch < 0 || batch >= loader->batches, HN_E_ARG,
                "hn_loader_seek: batch is %" PRId64 "; an epoch has %" PRId64, batch, loader->batches);
    pthread_mutex_lock(&loader->lock);
    loader->holding = false;
    reset(loader, epoch, batch);
    pthread_mutex_unlock(&loader->lock);
    return HN_OK;
}

/* The slot the caller collects next, once it is ready; with the lock held. */
static slot *collect(hn_loader *l)
{
    slot *s = &l->slots[l->next];
    if (l->workers == 0) {
        (void)take(l);
        if (s->status == HN_OK)
            fill(l, s);
        s->state = SLOT_READY;
    }
    while (s->state != SLOT_READY)
        pthread_cond_wait(&l->changed, &l->lock);
    return s;
}

hn_status hn_loader_next(hn_loader *l, hn_batch *batch)
{
    HNI_FAIL_IF(l == NULL || batch == NULL, HN_E_ARG, "hn_loader_next: %s is NULL", l == NULL ? "loader" : "batch");
    HNI_FAIL_IF(batch->struct_size < sizeof *batch || batch->struct_size > MAX_STRUCT, HN_E_ARG,
                "hn_loader_next: batch->struct_size is %zu; set it to sizeof(hn_batch)", batch->struct_size);
    pthread_mutex_lock(&l->lock);
    l->holding = false; /* the batch of the last call may be overwritten now */
    pthread_cond_broadcast(&l->changed);
    if (l->give_batch == l->batches) {
        l->give_batch = 0;
        l->give_epoch++;
        pthread_mutex_unlock(&l->lock);
        return HN_END;
    }
    slot *s = collect(l);
    hn_status status = s->status;
    if (status < 0) {
        (void)hni_fail(status, "%s", s->sentence);
        reset(l, l->give_epoch, l->give_batch);
    } else {
        s->state = SLOT_FREE;
        l->holding = true;
        l->next = (l->next + 1) % l->slot_count;
        l->give_batch++;
        const hn_batch full = {sizeof full, &s->images, s->labels, s->index, s->n};
        hni_options_init(batch, batch->struct_size, &full, sizeof full);
    }
    pthread_mutex_unlock(&l->lock);
    return status;
}
