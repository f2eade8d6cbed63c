#include "checkpoint_case.h"

#include "io/safetensors_file.h"
#include "train/checkpoint.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* ---- a training of each kind ---------------------------------------------------------------------------------------- */

static hn_status create_sc(hn_loss **out, hn_context *context, int64_t queue)
{
    (void)queue;
    return hn_loss_create_sc(out, context, NULL);
}

static hn_status create_psc(hn_loss **out, hn_context *context, int64_t queue)
{
    (void)queue;
    return hn_loss_create_psc(out, context, CLASSES, WIDTH, NULL);
}

static hn_status create_bcl(hn_loss **out, hn_context *context, int64_t queue)
{
    (void)queue;
    return hn_loss_create_bcl(out, context, CLASSES, WIDTH, NULL);
}

static hn_status create_kcl(hn_loss **out, hn_context *context, int64_t queue)
{
    return hn_loss_create_kcl(out, context, CLASSES, WIDTH, NULL, queue);
}

static hn_status create_tsc(hn_loss **out, hn_context *context, int64_t queue)
{
    hn_loss_kcl_options o;
    hn_loss_kcl_options_init(&o, sizeof o);
    o.target_weight = 0.2f;
    return hn_loss_create_kcl(out, context, CLASSES, WIDTH, &o, queue);
}

static hn_status create_paco(hn_loss **out, hn_context *context, int64_t queue)
{
    return hn_loss_create_paco(out, context, CLASSES, WIDTH, NULL, NULL, queue);
}

static hn_status create_proco(hn_loss **out, hn_context *context, int64_t queue)
{
    (void)queue;
    return hn_loss_create_proco(out, context, CLASSES, WIDTH, NULL, NULL);
}

const kind rig_kinds[KINDS] = {
    [CE] = {"ce", "hn_loss_create_ce", NULL},
    [SC] = {"sc", "hn_loss_create_sc", create_sc},
    [PSC] = {"psc", "hn_loss_create_psc", create_psc},
    [BCL] = {"bcl", "hn_loss_create_bcl", create_bcl},
    [KCL] = {"kcl", "hn_loss_create_kcl", create_kcl},
    [TSC] = {"tsc", "hn_loss_create_kcl", create_tsc},
    [PACO] = {"paco", "hn_loss_create_paco", create_paco},
    [PROCO] = {"proco", "hn_loss_create_proco", create_proco},
};

static void on_log(int32_t level, const char *text, void *user)
{
    rig *r = user;
    r->warnings += level == HN_LOG_WARNING;
    snprintf(r->warning, sizeof r->warning, "%s", text);
}

/* A convolution with batch norm, pooled. */
static hn_status create_backbone(hn_layer **out, hn_context *context)
{
    hn_conv2d_options conv;
    hn_conv2d_options_init(&conv, sizeof conv);
    conv.in_channels = 3;
    conv.out_channels = WIDTH;
    conv.stride = 4;
    hn_layer *unit = NULL, *pool = NULL, *all = NULL;
    hn_status status = hn_conv_unit_create(&unit, context, "conv", "bn", &conv, NULL, 1);
    if (status == HN_OK)
        status = hn_global_avg_pool_create(&pool, context);
    if (status == HN_OK)
        status = hn_sequential_create(&all, context);
    if (status == HN_OK)
        status = hn_layer_add_child(all, "unit", unit);
    if (status == HN_OK)
        unit = NULL;
    if (status == HN_OK)
        status = hn_layer_add_child(all, "pool", pool);
    if (status == HN_OK) {
        *out = all;
        return HN_OK;
    }
    hn_layer_destroy(unit);
    hn_layer_destroy(pool);
    hn_layer_destroy(all);
    return status;
}

static void make_hybrid(rig *r, const rig_recipe *c)
{
    hn_hybrid_parts parts = {.struct_size = sizeof parts};
    hn_projection_options head;
    hn_projection_options_init(&head, sizeof head);
    head.in = head.out = WIDTH;
    hnt_ok(create_backbone(&parts.backbone, r->context));
    hnt_ok(hn_linear_create(&parts.classifier, r->context, WIDTH, CLASSES, 1));
    hnt_ok(hn_loss_create_ce(&parts.classifier_loss, r->context, CLASSES, NULL));
    if (rig_kinds[c->kind].create != NULL) {
        hnt_ok(hn_projection_create(&parts.projection, r->context, &head));
        hnt_ok(rig_kinds[c->kind].create(&parts.feature_loss, r->context, c->queue));
    }
    hn_hybrid_options options;
    hn_hybrid_options_init(&options, sizeof options);
    options.input = (hn_desc){HN_F32, 4, {2 * BATCH, 32, 32, 3}};
    hnt_ok(hn_hybrid_create(&r->t.hybrid, r->context, &parts, &options));
    hn_rng rng;
    hn_rng_seed(&rng, c->seed, 0);
    hnt_ok(hn_hybrid_init_params(r->t.hybrid, &rng));
}

static hn_loader *make_loader(hn_context *context, hn_dataset *data, int64_t images, int32_t views, int32_t workers)
{
    hn_sampler *sampler = NULL;
    hn_sampler_options order;
    hn_sampler_options_init(&order, sizeof order);
    order.epoch_length = images;
    hnt_ok(hn_sampler_create(&sampler, context, HN_SAMPLER_INSTANCE_BALANCED, hn_dataset_labels(data),
                             hn_dataset_count(data), CLASSES, &order));
    hn_augment_options augment;
    hn_augment_options_init(&augment, sizeof augment);
    augment.flip = 1;
    augment.crop_padding = 2;
    hn_loader_options o;
    hn_loader_options_init(&o, sizeof o);
    o.batch = BATCH;
    o.views = views;
    o.workers = workers;
    o.augment = &augment;
    hn_loader *loader = NULL;
    hnt_ok(hn_loader_create(&loader, context, data, sampler, &o));
    return loader;
}

void rig_open_in(rig *r, const rig_recipe *c, hn_context *context)
{
    *r = (rig){.t = {.struct_size = sizeof r->t}, .context = context, .own_context = context == NULL};
    if (r->own_context) {
        hn_context_options o;
        hn_context_options_init(&o, sizeof o);
        o.num_threads = c->threads;
        o.log = on_log;
        o.log_user = r;
        hnt_ok(hn_context_create(&r->context, &o));
    }
    make_hybrid(r, c);
    hn_dataset *data = NULL;
    hnt_ok(hn_dataset_create_synthetic(&data, r->context, c->images, 3));
    r->t.classifier = make_loader(r->context, data, c->images, 1, c->threads - 1);
    if (rig_kinds[c->kind].create != NULL) /* with an epoch of its own length */
        r->t.feature = make_loader(r->context, data, FEATURE_IMAGES, 2, c->threads - 1);
    hn_dataset_release(data);
}

void rig_open(rig *r, int which)
{
    rig_open_in(r, &(rig_recipe){which, 1, 1, QUEUE, IMAGES}, NULL);
}

void rig_close(rig *r)
{
    hn_loader_destroy(r->t.feature);
    hn_loader_destroy(r->t.classifier);
    hn_hybrid_destroy(r->t.hybrid);
    if (r->own_context)
        hn_context_destroy(r->context);
}

void rig_next_batch(hn_loader *loader, hn_batch *batch)
{
    hn_status status = hn_loader_next(loader, batch);
    if (status == HN_END)
        status = hn_loader_next(loader, batch);
    hnt_ok(status);
}

void rig_train(rig *r, int until)
{
    hn_training *t = &r->t;
    while (t->epoch * STEPS + t->step < until) {
        hn_batch feature = {.struct_size = sizeof feature}, classifier = {.struct_size = sizeof classifier};
        if (t->step == 0 && t->feature != NULL)
            hnt_ok(hn_loss_begin_epoch(hn_hybrid_feature_loss(t->hybrid), t->epoch));
        if (t->feature != NULL)
            rig_next_batch(t->feature, &feature);
        rig_next_batch(t->classifier, &classifier);
        hnt_ok(hn_hybrid_step(t->hybrid, &feature, &classifier, t->feature != NULL ? 0.6 : 0.0, 0.05, NULL));
        if (++t->step == STEPS) {
            t->step = 0;
            t->epoch++;
        }
    }
}

/* ---- files ---------------------------------------------------------------------------------------------------------- */

rig_bytes rig_read(const char *path)
{
    FILE *f = fopen(path, "rb");
    ck_assert_msg(f != NULL, "%s is not there", path);
    rig_bytes b = {hnt_alloc(1 << 20), 0};
    b.size = fread(b.data, 1, 1 << 20, f);
    fclose(f);
    return b;
}

const char *rig_path(const char *dir, int steps)
{
    static char path[300];
    snprintf(path, sizeof path, "%s/checkpoint-%08d-%08d.safetensors", dir, steps / STEPS, steps % STEPS);
    return path;
}

/* Everything of a training, as the rig_bytes of its checkpoint. */
rig_bytes rig_state(const rig *r, const char *dir)
{
    hnt_ok(hn_checkpoint_save(&r->t, dir, 0, NULL, 0));
    const char *path = rig_path(dir, (int)(r->t.epoch * STEPS + r->t.step));
    rig_bytes b = rig_read(path);
    remove(path);
    return b;
}

bool rig_same(rig_bytes a, rig_bytes b)
{
    return a.size == b.size && memcmp(a.data, b.data, a.size) == 0;
}

int rig_entries(const char *dir)
{
    DIR *d = opendir(dir);
    int n = 0;
    while (readdir(d) != NULL)
        ++n;
    closedir(d);
    return n - 2;
}

void rig_seal(hn_context *context, const hn_safetensors *file, const char *path)
{
    hn_named_tensor tensors[64];
    hn_metadata metadata[16];
    hni_crc64 crc;
    char text[HNI_CHECKPOINT_TEXT];
    ck_assert(file->count <= 64 && file->metadata_count <= 16);
    hni_crc64_begin(&crc);
    for (int64_t k = 0; k < file->metadata_count; ++k) {
        metadata[k] = (hn_metadata){file->metadata[k].key, file->metadata[k].value};
        hni_checkpoint_sum_entry(&crc, metadata[k].key, metadata[k].value);
    }
    for (int64_t k = 0; k < file->count; ++k) {
        tensors[k] = (hn_named_tensor){file->entries[k].name, file->entries[k].tensor};
        hni_checkpoint_sum_tensor(&crc, tensors[k].name, tensors[k].tensor);
    }
    hni_checkpoint_sum_text(&crc, text);
    metadata[file->metadata_count - 1].value = text;
    hnt_ok(hn_safetensors_write(context, path, tensors, file->count, metadata, file->metadata_count));
}

void rig_directories(char *dir, size_t size, char *other, size_t other_size)
{
    char base[200];
    hnt_temp_dir(base, sizeof base);
    snprintf(dir, size, "%s/a", base);
    snprintf(other, other_size, "%s/b", base);
    ck_assert_int_eq(mkdir(dir, 0777), 0);
    ck_assert_int_eq(mkdir(other, 0777), 0);
}
