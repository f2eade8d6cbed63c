#include "data/loader.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/options.h"
#include "sample/sampler.h"

#include <inttypes.h>

enum { SHARE_FLOATS = 65536 };

static const char creator[] = "hn_loader_create";

static const hn_loader_options defaults = {
    .struct_size = sizeof defaults, .batch = 128, .views = 1, .workers = 1, .prefetch = 2};

void hn_loader_options_init(hn_loader_options *options, size_t struct_size)
{
    hni_options_init(options, struct_size, &defaults, sizeof defaults);
}

/* ---- life ----------------------------------------------------------------------------------------------------------- */

static hn_status check_options(const hn_loader_options *o)
{
    HNI_FAIL_IF(o->batch < 1 || o->batch > INT32_MAX, HN_E_ARG, "%s: batch is %" PRId64 "; it must be in [1, 2^31 - 1]",
                creator, o->batch);
    HNI_FAIL_IF(o->views < 1 || o->views > HNI_LOADER_MAX_VIEWS, HN_E_ARG, "%s: views is %d; it must be in [1, %d]",
                creator, (int)o->views, (int)HNI_LOADER_MAX_VIEWS);
    HNI_FAIL_IF(o->workers < 0 || o->workers > HNI_LOADER_MAX_WORKERS, HN_E_ARG,
                "%s: workers is %d; it must be in [0, %d]", creator, (int)o->workers, (int)HNI_LOADER_MAX_WORKERS);
    HNI_FAIL_IF(o->prefetch < 1 || o->prefetch > HNI_LOADER_MAX_PREFETCH, HN_E_ARG,
                "%s: prefetch is %d; it must be in [1, %d]", creator, (int)o->prefetch, (int)HNI_LOADER_MAX_PREFETCH);
    HNI_FAIL_IF(o->on_corrupt < 0 || o->on_corrupt > HN_LOADER_SKIP, HN_E_ARG,
                "%s: on_corrupt is %d; it must be in [0, %d]", creator, (int)o->on_corrupt, (int)HN_LOADER_SKIP);
    return HN_OK;
}

/* The augmentations of view 0 and of the others, and the output's shape. */
static hn_status plan_views(hn_loader *l, const hn_loader_options *o)
{
    HNI_TRY(hni_augment_plan(&l->augment[0], o->augment, &l->shape, "hn_loader_create, augment"));
    l->augment[1] = l->augment[0];
    l->output = l->augment[0].output;
    if (o->augment_later == NULL)
        return HN_OK;
    HNI_TRY(hni_augment_plan(&l->augment[1], o->augment_later, &l->shape, "hn_loader_create, augment_later"));
    const hn_image_shape *later = &l->augment[1].output;
    HNI_FAIL_IF(later->height != l->output.height || later->width != l->output.width, HN_E_ARG,
                "%s: augment gives images of %dx%d, augment_later of %dx%d; they must be the same", creator,
                (int)l->output.height, (int)l->output.width, (int)later->height, (int)later->width);
    return HN_OK;
}

static size_t slot_rows(const hn_loader *l)
{
    return (size_t)l->options.batch * (size_t)l->options.views;
}

static size_t row_floats(const hn_loader *l)
{
    return (size_t)l->output.height * (size_t)l->output.width * (size_t)l->output.channels;
}

static hn_status create_slots(hn_loader *l)
{
    size_t rows = slot_rows(l);
    const hn_desc desc = {HN_F32, 4, {(int64_t)rows, l->output.height, l->output.width, l->output.channels}};
    int64_t count;
    size_t bytes;
    HNI_TRY(hni_desc_size(&desc, creator, &count, &bytes));
    l->slot_count = l->options.workers == 0 ? 1 : l->options.prefetch + 1;
    l->slots = hni_alloc_zero(l->context, (size_t)l->slot_count * sizeof *l->slots);
    if (l->slots == NULL)
        return hni_no_memory(creator, (size_t)l->slot_count * sizeof *l->slots);
    for (int64_t i = 0; i < l->slot_count; ++i) {
        hni_slot *s = &l->slots[i];
        s->memory = hni_alloc(l->context, bytes);
        s->labels = hni_alloc(l->context, rows * sizeof *s->labels);
        s->index = hni_alloc(l->context, (size_t)l->options.batch * sizeof *s->index);
        if (s->memory == NULL || s->labels == NULL || s->index == NULL)
            return hni_no_memory(creator, bytes);
        s->images = hni_tensor_view(s->memory, &desc);
    }
    return HN_OK;
}

static size_t makers_bytes(const hn_loader *l)
{
    return (size_t)(l->options.workers > 0 ? l->options.workers : 1) * sizeof *l->makers;
}

static hn_status create_makers(hn_loader *l)
{
    l->makers = hni_alloc(l->context, makers_bytes(l));
    if (l->makers == NULL)
        return hni_no_memory(creator, makers_bytes(l));
    do
        HNI_TRY(hni_maker_init(&l->makers[l->maker_count++], l)); /* one that failed is released too */
    while (l->maker_count < l->options.workers);
    return HN_OK;
}

/* Stops the workers and frees all but dataset and sampler. */
static void tear_down(hn_loader *l)
{
    hni_loader_stop(l);
    (void)pthread_cond_destroy(&l->changed);
    (void)pthread_mutex_destroy(&l->lock);
    for (int64_t i = 0; i < l->maker_count; ++i)
        hni_maker_release(&l->makers[i], l);
    hni_release(l->context, l->makers, makers_bytes(l));
    for (int64_t i = 0; l->slots != NULL && i < l->slot_count; ++i) {
        hni_slot *s = &l->slots[i];
        hni_release(l->context, s->memory, slot_rows(l) * row_floats(l) * sizeof(float));
        hni_release(l->context, s->labels, slot_rows(l) * sizeof *s->labels);
        hni_release(l->context, s->index, (size_t)l->options.batch * sizeof *s->index);
    }
    hni_release(l->context, l->slots, (size_t)l->slot_count * sizeof *l->slots);
    hni_release(l->context, l, sizeof *l);
}

/* Everything but the object itself. */
static hn_status set_up(hn_loader *l, const hn_loader_options *o)
{
    HNI_TRY(plan_views(l, o));
    int64_t length = hn_sampler_epoch_length(l->sampler), image = (int64_t)row_floats(l) * o->views;
    l->batches = length / o->batch + (length % o->batch != 0 && !o->drop_last);
    HNI_FAIL_IF(l->batches < 1, HN_E_ARG, "%s: an epoch of %" PRId64 " images has no full batch of %" PRId64, creator,
                length, o->batch);
    l->share = image < SHARE_FLOATS ? SHARE_FLOATS / image : 1; /* small images are not worth a lock each */
    HNI_TRY(create_slots(l));
    HNI_TRY(create_makers(l));
    return hni_loader_start(l);
}

hn_status hn_loader_create(hn_loader **out, hn_context *context, hn_dataset *dataset, hn_sampler *sampler,
                           const hn_loader_options *options)
{
    hn_loader_options o = defaults;
    HNI_FAIL_IF(out == NULL || context == NULL || dataset == NULL || sampler == NULL, HN_E_ARG, "%s: %s is NULL",
                creator,
                out == NULL       ? "out"
                : context == NULL ? "context"
                : dataset == NULL ? "dataset"
                                  : "sampler");
    HNI_FAIL_IF(*hni_sampler_owned(sampler), HN_E_ARG, "%s: the sampler is another loader's already", creator);
    HNI_TRY(hni_options_read(&o, sizeof o, options, creator));
    HNI_TRY(check_options(&o));
    hn_loader *l = hni_alloc(context, sizeof *l);
    if (l == NULL)
        return hni_no_memory(creator, sizeof *l);
    *l = (hn_loader){.context = context,
                     .dataset = dataset,
                     .sampler = sampler,
                     .options = o,
                     .shape = hn_dataset_shape(dataset),
                     .paused = true};
    l->options.augment = l->options.augment_later = NULL; /* the caller's, copied */
    atomic_init(&l->skipped, 0);
    hn_rng_seed(&l->root, o.seed, 0);
    hn_rng_derive(&l->root, &l->root, "loader", 0);
    (void)pthread_mutex_init(&l->lock, NULL);
    (void)pthread_cond_init(&l->changed, NULL);
    hn_status status = set_up(l, &o);
    if (status < 0) {
        tear_down(l);
        return status;
    }
    (void)hn_dataset_retain(dataset);
    *hni_sampler_owned(sampler) = true;
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

int64_t hn_loader_skipped(const hn_loader *loader)
{
    return loader == NULL ? 0 : atomic_load_explicit(&loader->skipped, memory_order_relaxed);
}

void hn_loader_tell(const hn_loader *loader, int64_t *epoch, int64_t *batch)
{
    if (loader != NULL && epoch != NULL)
        *epoch = loader->give_epoch; /* which workers do not touch */
    if (loader != NULL && batch != NULL)
        *batch = loader->give_batch;
}

hn_status hn_loader_seek(hn_loader *loader, int64_t epoch, int64_t batch)
{
    HNI_FAIL_IF(loader == NULL, HN_E_ARG, "hn_loader_seek: loader is NULL");
    HNI_FAIL_IF(epoch < 0 || epoch > INT64_MAX / 2, HN_E_ARG,
                "hn_loader_seek: epoch is %" PRId64 "; it must be in [0, 2^62)", epoch);
    HNI_FAIL_IF(batch < 0 || batch > loader->batches, HN_E_ARG,
                "hn_loader_seek: batch is %" PRId64 "; an epoch has %" PRId64, batch, loader->batches);
    pthread_mutex_lock(&loader->lock);
    loader->holding = false;
    hni_loader_reset(loader, epoch, batch);
    pthread_mutex_unlock(&loader->lock);
    return HN_OK;
}

hn_status hn_loader_next(hn_loader *l, hn_batch *batch)
{
    HNI_FAIL_IF(l == NULL || batch == NULL, HN_E_ARG, "hn_loader_next: %s is NULL", l == NULL ? "loader" : "batch");
    HNI_TRY(hni_output_check(batch, "hn_loader_next", "batch"));
    pthread_mutex_lock(&l->lock);
    l->holding = false; /* the batch of the last call may be overwritten now */
    pthread_cond_broadcast(&l->changed);
    if (l->give_batch == l->batches) {
        l->give_batch = 0;
        l->give_epoch++;
        pthread_mutex_unlock(&l->lock);
        return HN_END;
    }
    hni_slot *s = hni_loader_collect(l);
    hn_status status = s->status;
    if (status < 0) {
        (void)hni_fail(status, "%s", s->sentence);
        hni_loader_reset(l, l->give_epoch, l->give_batch);
    } else {
        s->state = HNI_SLOT_FREE;
        atomic_fetch_add_explicit(&l->skipped, atomic_load_explicit(&s->skipped, memory_order_relaxed),
                                  memory_order_relaxed);
        l->holding = true;
        l->next = (l->next + 1) % l->slot_count;
        l->give_batch++;
        const hn_batch full = {sizeof full, &s->images, s->labels, s->index, s->n};
        hni_options_init(batch, batch->struct_size, &full, sizeof full);
    }
    pthread_mutex_unlock(&l->lock);
    return status;
}
