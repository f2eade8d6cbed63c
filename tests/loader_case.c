#include "loader_case.h"

#include <string.h>

const hn_image_shape hnt_loader_shape = {4, 3, 3};
const int32_t hnt_loader_workers[HNT_LOADER_WORKERS] = {0, 1, 2, 4};

static hn_status read_source(void *user, int64_t index, uint8_t *pixels)
{
    hnt_loader_source *s = user;
    pthread_mutex_lock(&s->lock);
    int fails = s->broken && index == s->bad;
    pthread_mutex_unlock(&s->lock);
    for (int i = 0; i < IMAGE; ++i)
        pixels[i] = (uint8_t)(index * 31 + i * 3 + 1);
    return fails ? HN_E_IO : HN_OK;
}

void hnt_loader_break(hnt_loader_source *s, int broken)
{
    pthread_mutex_lock(&s->lock);
    s->broken = broken;
    pthread_mutex_unlock(&s->lock);
}

void hnt_loader_labels(int32_t labels[IMAGES])
{
    for (int i = 0; i < IMAGES; ++i)
        labels[i] = i < 30 ? 0 : (i < 45 ? 1 : 2);
}

hn_status hnt_loader_dataset(hn_dataset **out, hn_context *context, hnt_loader_source *source)
{
    static const hn_dataset_ops ops = {sizeof ops, read_source, NULL};
    int32_t labels[IMAGES];
    hnt_loader_labels(labels);
    return hn_dataset_create_custom(out, context, &hnt_loader_shape, labels, IMAGES, 3, &ops, source);
}

hn_status hnt_loader_sampler(hn_sampler **out, hn_context *context, int32_t kind)
{
    int32_t labels[IMAGES];
    hn_sampler_options o;
    hnt_loader_labels(labels);
    hn_sampler_options_init(&o, sizeof o);
    o.seed = 4;
    return hn_sampler_create(out, context, kind, labels, IMAGES, 3, &o);
}

hn_loader_options hnt_loader_options(int32_t workers)
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
    o.workers = workers;
    o.prefetch = 3;
    o.seed = 9;
    o.augment = &augment;
    return o;
}

void hnt_loader_open(hnt_loader_setting *s, int32_t kind, const hn_loader_options *o)
{
    hn_dataset *dataset = NULL;
    hn_sampler *sampler = NULL;
    *s = (hnt_loader_setting){.source = {.bad = -1}};
    pthread_mutex_init(&s->source.lock, NULL);
    s->context = hnt_context(1);
    hnt_ok(hnt_loader_dataset(&dataset, s->context, &s->source));
    hnt_ok(hnt_loader_sampler(&sampler, s->context, kind));
    hnt_ok(hn_loader_create(&s->loader, s->context, dataset, sampler, o));
    hn_dataset_release(dataset); /* the loader keeps it */
}

void hnt_loader_close(hnt_loader_setting *s)
{
    hn_loader_destroy(s->loader);
    hn_context_destroy(s->context);
    pthread_mutex_destroy(&s->source.lock);
}

hn_status hnt_loader_next(hn_loader *loader, hn_batch *batch)
{
    *batch = (hn_batch){.struct_size = sizeof *batch};
    return hn_loader_next(loader, batch);
}

void hnt_loader_keep(hnt_loader_copy *copy, const hn_batch *b)
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

hnt_loader_copy *hnt_loader_collect(hn_loader *loader, int epochs)
{
    hnt_loader_copy *all = hnt_alloc((size_t)(epochs * BATCHES) * sizeof *all);
    hn_batch b;
    for (int e = 0; e < epochs; ++e) {
        for (int i = 0; i < BATCHES; ++i) {
            ck_assert_int_eq(hnt_loader_next(loader, &b), HN_OK);
            hnt_loader_keep(&all[e * BATCHES + i], &b);
        }
        ck_assert_int_eq(hnt_loader_next(loader, &b), HN_END);
        ck_assert_ptr_null(b.images); /* untouched */
    }
    return all;
}
