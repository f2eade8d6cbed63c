/* Checkpoints: training goes on with the same bits, for every loss, at any step, on any number of threads; damage is found;
 * the old ones stay until the new one is whole.                                                                          */
#include "support.h"

#include "io/checksum.h"

#include <stdio.h>

START_TEST(checksum_is_that_of_xz)
{
    hni_crc64 crc;
    hni_crc64_begin(&crc);
    ck_assert_uint_eq(hni_crc64_value(&crc), 0);
    hni_crc64_add(&crc, "12345", 5);
    hni_crc64_add(&crc, "6789", 4);
    ck_assert_uint_eq(hni_crc64_value(&crc), UINT64_C(0x995dc9bbdf1939fa)); /* the catalogue's check value */
}
END_TEST

#ifdef HNI_HAVE_JANSSON

#include "io/safetensors_file.h"
#include "train/checkpoint.h"

#include <dirent.h>
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CLASSES = 10, IMAGES = 40, FEATURE_IMAGES = 24, BATCH = 8, STEPS = 5, WIDTH = 4, TOTAL = 12, QUEUE = 21 };

/* ---- a training of each kind ---------------------------------------------------------------------------------------- */

typedef struct kind {
    const char *name, *creator;
    hn_status (*create)(hn_loss **out, hn_context *context, int64_t queue); /* NULL: no feature branch */
} kind;

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

enum { CE, SC, PSC, BCL, KCL, TSC, PACO, PROCO, KINDS };

static const kind kinds[KINDS] = {
    [CE] = {"ce", "hn_loss_create_ce", NULL},
    [SC] = {"sc", "hn_loss_create_sc", create_sc},
    [PSC] = {"psc", "hn_loss_create_psc", create_psc},
    [BCL] = {"bcl", "hn_loss_create_bcl", create_bcl},
    [KCL] = {"kcl", "hn_loss_create_kcl", create_kcl},
    [TSC] = {"tsc", "hn_loss_create_kcl", create_tsc},
    [PACO] = {"paco", "hn_loss_create_paco", create_paco},
    [PROCO] = {"proco", "hn_loss_create_proco", create_proco},
};

/* What a rig is made of. */
typedef struct recipe {
    int kind;
    int32_t threads;
    uint64_t seed; /* of the initial values */
    int64_t queue, images;
} recipe;

typedef struct rig {
    hn_context *context;
    bool own_context;
    hn_training t;
    char dir[200];
    int warnings;
    char warning[512];
} rig;

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

static void make_hybrid(rig *r, const recipe *c)
{
    hn_hybrid_parts parts = {.struct_size = sizeof parts};
    hn_projection_options head;
    hn_projection_options_init(&head, sizeof head);
    head.in = head.out = WIDTH;
    hnt_ok(create_backbone(&parts.backbone, r->context));
    hnt_ok(hn_linear_create(&parts.classifier, r->context, WIDTH, CLASSES, 1));
    hnt_ok(hn_loss_create_ce(&parts.classifier_loss, r->context, CLASSES, NULL));
    if (kinds[c->kind].create != NULL) {
        hnt_ok(hn_projection_create(&parts.projection, r->context, &head));
        hnt_ok(kinds[c->kind].create(&parts.feature_loss, r->context, c->queue));
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

/* In place: the context's log has its address. context: NULL makes one. */
static void open_rig_in(rig *r, const recipe *c, hn_context *context)
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
    if (kinds[c->kind].create != NULL) /* with an epoch of its own length */
        r->t.feature = make_loader(r->context, data, FEATURE_IMAGES, 2, c->threads - 1);
    hn_dataset_release(data);
}

static void open_rig(rig *r, int which)
{
    open_rig_in(r, &(recipe){which, 1, 1, QUEUE, IMAGES}, NULL);
}

static void close_rig(rig *r)
{
    hn_loader_destroy(r->t.feature);
    hn_loader_destroy(r->t.classifier);
    hn_hybrid_destroy(r->t.hybrid);
    if (r->own_context)
        hn_context_destroy(r->context);
}

static void next_batch(hn_loader *loader, hn_batch *batch)
{
    hn_status status = hn_loader_next(loader, batch);
    if (status == HN_END)
        status = hn_loader_next(loader, batch);
    hnt_ok(status);
}

/* Trains from where the rig stands until `until` steps are done in all. */
static void train(rig *r, int until)
{
    hn_training *t = &r->t;
    while (t->epoch * STEPS + t->step < until) {
        hn_batch feature = {.struct_size = sizeof feature}, classifier = {.struct_size = sizeof classifier};
        if (t->step == 0 && t->feature != NULL)
            hnt_ok(hn_loss_begin_epoch(hn_hybrid_feature_loss(t->hybrid), t->epoch));
        if (t->feature != NULL)
            next_batch(t->feature, &feature);
        next_batch(t->classifier, &classifier);
        hnt_ok(hn_hybrid_step(t->hybrid, &feature, &classifier, t->feature != NULL ? 0.6 : 0.0, 0.05, NULL));
        if (++t->step == STEPS) {
            t->step = 0;
            t->epoch++;
        }
    }
}

/* ---- files ---------------------------------------------------------------------------------------------------------- */

typedef struct bytes {
    unsigned char *data;
    size_t size;
} bytes;

static bytes read_path(const char *path)
{
    FILE *f = fopen(path, "rb");
    ck_assert_msg(f != NULL, "%s is not there", path);
    bytes b = {hnt_alloc(1 << 20), 0};
    b.size = fread(b.data, 1, 1 << 20, f);
    fclose(f);
    return b;
}

/* The checkpoint at that many steps. */
static const char *path_at(const char *dir, int steps)
{
    static char path[300];
    snprintf(path, sizeof path, "%s/checkpoint-%08d-%08d.safetensors", dir, steps / STEPS, steps % STEPS);
    return path;
}

/* Everything of a training, as the bytes of its checkpoint. */
static bytes state_of(const rig *r, const char *dir)
{
    hnt_ok(hn_checkpoint_save(&r->t, dir, 0, NULL, 0));
    const char *path = path_at(dir, (int)(r->t.epoch * STEPS + r->t.step));
    bytes b = read_path(path);
    remove(path);
    return b;
}

static bool same(bytes a, bytes b)
{
    return a.size == b.size && memcmp(a.data, b.data, a.size) == 0;
}

/* Entries of a directory. */
static int entries_in(const char *dir)
{
    DIR *d = opendir(dir);
    int n = 0;
    while (readdir(d) != NULL)
        ++n;
    closedir(d);
    return n - 2;
}

static void enter_dir(char *dir, size_t size, char *other, size_t other_size)
{
    char base[200];
    hnt_temp_dir(base, sizeof base);
    snprintf(dir, size, "%s/a", base);
    snprintf(other, other_size, "%s/b", base);
    ck_assert_int_eq(mkdir(dir, 0777), 0);
    ck_assert_int_eq(mkdir(other, 0777), 0);
}

#define DIRECTORIES            \
    char dir[210], other[210]; \
    enter_dir(dir, sizeof dir, other, sizeof other)

/* ---- repro: training goes on with the same bits --------------------------------------------------------------------- */

START_TEST(goes_on_with_the_same_bits)
{
    static const int cuts[] = {1, 4, 5, 7, 11};
    DIRECTORIES;
    for (int k = 0; k < KINDS; ++k) {
        rig r;
        open_rig(&r, k);
        train(&r, TOTAL);
        bytes want = state_of(&r, other);
        close_rig(&r);
        for (size_t i = 0; i < sizeof cuts / sizeof *cuts; ++i) {
            open_rig(&r, k);
            train(&r, cuts[i]);
            hnt_ok(hn_checkpoint_save(&r.t, dir, 1, NULL, 0));
            close_rig(&r);
            /* In another process, as it were: other initial values, other threads. */
            open_rig_in(&r, &(recipe){k, 1 + (int32_t)i % 3, 99, QUEUE, IMAGES}, NULL);
            train(&r, 2);
            hn_checkpoint *c = NULL;
            ck_assert_int_eq(hn_checkpoint_open(&c, r.context, dir), HN_OK);
            hnt_ok(hn_checkpoint_restore(c, &r.t));
            ck_assert_int_eq(r.t.epoch * STEPS + r.t.step, cuts[i]);
            ck_assert_int_eq(hn_checkpoint_epoch(c), r.t.epoch);
            ck_assert_int_eq(hn_checkpoint_step(c), r.t.step);
            hn_checkpoint_close(c);
            train(&r, TOTAL);
            bytes got = state_of(&r, other);
            ck_assert_msg(same(want, got), "%s, gone on with after step %d, is not what it would have been",
                          kinds[k].name, cuts[i]);
            free(got.data);
            close_rig(&r);
            remove(path_at(dir, cuts[i]));
        }
        free(want.data);
    }
}
END_TEST

/* A second stage: the momentum is of the heads alone then. */
START_TEST(a_frozen_training_goes_on_frozen)
{
    DIRECTORIES;
    rig a, b;
    hn_checkpoint *c = NULL;
    open_rig(&a, PACO);
    train(&a, 3);
    bytes before = state_of(&a, other);
    hnt_ok(hn_hybrid_freeze_backbone(a.t.hybrid, 1));
    train(&a, 6);
    hnt_ok(hn_checkpoint_save(&a.t, dir, 1, NULL, 0));
    train(&a, TOTAL);
    open_rig(&b, PACO);
    train(&b, 3);
    hnt_ok(hn_checkpoint_open(&c, b.context, dir));
    hnt_ok(hn_checkpoint_restore(c, &b.t));
    train(&b, TOTAL);
    bytes want = state_of(&a, other), got = state_of(&b, other);
    ck_assert(same(want, got));
    ck_assert(want.size < before.size);
    hn_checkpoint_close(c);
    free(want.data);
    free(got.data);
    free(before.data);
    close_rig(&a);
    close_rig(&b);
}
END_TEST

/* Whoever adds a loss is told to add it here: a state that is left out of checkpoints shows in the test above. */
START_TEST(every_loss_is_tried)
{
    FILE *f = fopen(HNT_SYMBOLS, "r");
    ck_assert_ptr_nonnull(f);
    char line[200];
    int losses = 0;
    while (fgets(line, sizeof line, f) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "hn_loss_create_", 15) != 0)
            continue;
        bool tried = false;
        for (int k = 0; k < KINDS; ++k)
            tried |= strcmp(kinds[k].creator, line) == 0;
        ck_assert_msg(tried, "%s is not among the kinds of this test", line);
        ++losses;
    }
    fclose(f);
    ck_assert_int_ge(losses, 7);
}
END_TEST

/* ---- unit: what is in the file -------------------------------------------------------------------------------------- */

START_TEST(is_a_file_of_weights_too)
{
    static const hn_metadata metadata[] = {{"options", "a = 1\nb = \"2\"\t\xc3\xa9\n"}, {"best", "0x1.8p-1"}};
    DIRECTORIES;
    rig a, b;
    char path[300];
    hn_checkpoint *c = NULL;
    open_rig(&a, TSC);
    train(&a, 4);
    hnt_ok(hn_checkpoint_save(&a.t, dir, 2, metadata, 2));
    snprintf(path, sizeof path, "%s", path_at(dir, 4));
    hnt_ok(hn_checkpoint_open(&c, a.context, dir));
    ck_assert_str_eq(hn_checkpoint_metadata(c, "options"), metadata[0].value);
    ck_assert_str_eq(hn_checkpoint_metadata(c, "best"), metadata[1].value);
    ck_assert_str_eq(hn_checkpoint_metadata(c, "version"), hn_version_string());
    ck_assert_ptr_null(hn_checkpoint_metadata(c, "worst"));
    ck_assert_ptr_null(hn_checkpoint_metadata(NULL, "best"));
    ck_assert_int_eq(hn_checkpoint_epoch(NULL), -1);
    ck_assert_int_eq(hn_checkpoint_step(NULL), -1);
    hn_checkpoint_close(c);
    hn_checkpoint_close(NULL);

    hn_safetensors *file = NULL;
    hnt_ok(hn_safetensors_open(&file, a.context, path));
    static const struct {
        const char *name;
        int32_t dtype;
    } tensors[] = {{"unit.conv.weight", HN_F32},
                   {"unit.bn.running_var", HN_F32},
                   {"fc.bias", HN_F32},
                   {"optimizer.momentum.unit.conv.weight", HN_F32},
                   {"optimizer.momentum.fc.bias", HN_F32},
                   {"loss.feature.queue", HN_F32},
                   {"loss.feature.queue_labels", HN_I32},
                   {"loss.feature.steps", HN_I64}};
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; ++i) {
        const hn_tensor *t = hn_safetensors_find(file, tensors[i].name);
        ck_assert_msg(t != NULL, "no %s", tensors[i].name);
        ck_assert_int_eq(hn_tensor_desc(t)->dtype, tensors[i].dtype);
    }
    ck_assert_int_eq(*(const int64_t *)hn_tensor_cdata(hn_safetensors_find(file, "loss.feature.steps")), 4);
    ck_assert_ptr_null(hn_safetensors_find(file, "optimizer.momentum.unit.bn.running_var"));
    hn_safetensors_close(file);

    /* Weights alone, out of it and into a file of their own. */
    open_rig_in(&b, &(recipe){CE, 1, 5, QUEUE, IMAGES}, NULL);
    hnt_ok(hn_hybrid_load(b.t.hybrid, path, 0));
    float la[BATCH * CLASSES], lb[BATCH * CLASSES];
    hn_matf ma = {la, BATCH, CLASSES, CLASSES}, mb = {lb, BATCH, CLASSES, CLASSES};
    hn_batch batch = {.struct_size = sizeof batch};
    next_batch(a.t.classifier, &batch);
    hnt_ok(hn_hybrid_predict(a.t.hybrid, batch.images, &ma));
    hnt_ok(hn_hybrid_predict(b.t.hybrid, batch.images, &mb));
    ck_assert(memcmp(la, lb, sizeof la) == 0);
    snprintf(path, sizeof path, "%s/weights.safetensors", other);
    hnt_ok(hn_hybrid_save_inference(a.t.hybrid, path));
    hnt_ok(hn_safetensors_open(&file, a.context, path));
    ck_assert_int_eq(hn_safetensors_count(file), hn_hybrid_param_count(b.t.hybrid));
    hn_safetensors_close(file);
    hnt_ok(hn_hybrid_load(b.t.hybrid, path, 1));
    hnt_fails(hn_hybrid_save_inference(NULL, path), HN_E_ARG, "hybrid is NULL");
    hnt_fails(hn_hybrid_save_inference(b.t.hybrid, "/nonexistent/w"), HN_E_IO, "/nonexistent/w");
    close_rig(&a);
    close_rig(&b);
}
END_TEST

START_TEST(misuse_is_named)
{
    static const hn_metadata own = {"hybridnet.epoch", "1"}, taken = {"format", "x"}, none = {"x", NULL};
    DIRECTORIES;
    rig r;
    hn_checkpoint *c = NULL;
    open_rig(&r, CE);
    hn_training empty = {.struct_size = sizeof empty}, negative = r.t;
    negative.step = -1;
    hnt_fails(hn_checkpoint_save(NULL, dir, 1, NULL, 0), HN_E_ARG, "training is NULL");
    hnt_fails(hn_checkpoint_save(&empty, dir, 1, NULL, 0), HN_E_ARG, "training->hybrid is NULL");
    hnt_fails(hn_checkpoint_save(&r.t, NULL, 1, NULL, 0), HN_E_ARG, "directory is NULL");
    hnt_fails(hn_checkpoint_save(&r.t, dir, -1, NULL, 0), HN_E_ARG, "keep is -1");
    hnt_fails(hn_checkpoint_save(&negative, dir, 1, NULL, 0), HN_E_ARG, "step -1");
    hnt_fails(hn_checkpoint_save(&r.t, dir, 1, NULL, 1), HN_E_ARG, "metadata is NULL");
    hnt_fails(hn_checkpoint_save(&r.t, dir, 1, &own, 1), HN_E_ARG, "hybridnet.epoch");
    hnt_fails(hn_checkpoint_save(&r.t, dir, 1, &taken, 1), HN_E_ARG, "format");
    hnt_fails(hn_checkpoint_save(&r.t, dir, 1, &none, 1), HN_E_ARG, "no value");
    ck_assert_int_eq(entries_in(dir), 0);
    hnt_fails(hn_checkpoint_open(NULL, r.context, dir), HN_E_ARG, "out is NULL");
    hnt_fails(hn_checkpoint_open(&c, NULL, dir), HN_E_ARG, "context is NULL");
    hnt_fails(hn_checkpoint_open(&c, r.context, NULL), HN_E_ARG, "directory is NULL");
    ck_assert_int_eq(hn_checkpoint_open(&c, r.context, dir), HN_END);
    ck_assert_int_eq(hn_checkpoint_open(&c, r.context, "/nonexistent/directory"), HN_END);
    hnt_fails(hn_checkpoint_open(&c, r.context, "/dev/null"), HN_E_IO, "/dev/null");
    ck_assert_ptr_null(c);
    hnt_fails(hn_checkpoint_restore(NULL, &r.t), HN_E_ARG, "checkpoint is NULL");
    hnt_ok(hn_checkpoint_save(&r.t, dir, 1, NULL, 0));
    hnt_ok(hn_checkpoint_open(&c, r.context, dir));
    hnt_fails(hn_checkpoint_restore(c, NULL), HN_E_ARG, "training is NULL");
    hnt_fails(hn_checkpoint_restore(c, &empty), HN_E_ARG, "training->hybrid is NULL");
    hn_checkpoint_close(c);
    ck_assert_ptr_null(hn_optimizer_momentum(NULL, NULL));
    close_rig(&r);
}
END_TEST

/* A training of another make is refused, and stays as it was. */
START_TEST(another_training_is_refused)
{
    static const struct {
        recipe made;
        const char *text;
    } cases[] = {
        {{KCL, 1, 1, QUEUE + 1, IMAGES}, "loss.feature.queue is f32 21x4 in the checkpoint and f32 22x4"},
        {{KCL, 1, 1, QUEUE, 16}, "loader.classifier is at batch 4; an epoch of the training's has 2"},
        {{TSC, 1, 1, QUEUE, IMAGES}, "the checkpoint has no loss.feature.targets"},
        {{PSC, 1, 1, QUEUE, IMAGES}, "the checkpoint has no prototypes"},
        {{SC, 1, 1, QUEUE, IMAGES}, "the checkpoint has loss.feature.queue, the training has not"},
        {{CE, 1, 1, QUEUE, IMAGES}, "the checkpoint has projection.0.weight, the training has not"},
    };
    DIRECTORIES;
    rig a;
    hn_checkpoint *c = NULL;
    open_rig(&a, KCL);
    train(&a, 4);
    hnt_ok(hn_checkpoint_save(&a.t, dir, 2, NULL, 0));
    hnt_ok(hn_checkpoint_open(&c, a.context, dir));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        rig b;
        open_rig_in(&b, &cases[i].made, NULL);
        train(&b, 1);
        bytes before = state_of(&b, other);
        hnt_fails(hn_checkpoint_restore(c, &b.t), HN_E_FORMAT, cases[i].text);
        bytes after = state_of(&b, other);
        ck_assert_msg(same(before, after), "case %zu has changed the training", i);
        free(before.data);
        free(after.data);
        close_rig(&b);
    }
    hn_checkpoint_close(c);
    close_rig(&a);
}
END_TEST

/* A file whose checksum is right, but whose numbers would lead out of an array. */
START_TEST(numbers_out_of_range_are_refused)
{
    static const struct {
        const char *name;
        int64_t value;
    } bad[] = {{"loss.feature.queue_next", QUEUE}, {"loss.feature.queue_count", QUEUE + 1},
               {"loss.feature.queue_count", -1},   {"loss.feature.class_target", CLASSES},
               {"loss.feature.queue_labels", -1},  {"loss.feature.ready", 2}};
    DIRECTORIES;
    rig r;
    open_rig(&r, TSC);
    train(&r, 2);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i) {
        hn_safetensors *file = NULL;
        hn_checkpoint *c = NULL;
        hn_named_tensor tensors[64];
        hn_metadata metadata[16];
        hni_crc64 crc;
        char text[HNI_CHECKPOINT_TEXT];
        hnt_ok(hn_checkpoint_save(&r.t, dir, 1, NULL, 0));
        hnt_ok(hn_safetensors_open(&file, r.context, path_at(dir, 2)));
        hn_tensor *t = (hn_tensor *)(uintptr_t)hn_safetensors_find(file, bad[i].name);
        if (hn_tensor_desc(t)->dtype == HN_I32)
            ((int32_t *)hn_tensor_data(t))[hn_tensor_count(t) - 1] = (int32_t)bad[i].value;
        else
            ((int64_t *)hn_tensor_data(t))[hn_tensor_count(t) - 1] = bad[i].value;
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
        hnt_ok(hn_safetensors_write(r.context, path_at(dir, 2), tensors, file->count, metadata, file->metadata_count));
        hn_safetensors_close(file);
        hnt_ok(hn_checkpoint_open(&c, r.context, dir));
        hnt_fails(hn_checkpoint_restore(c, &r.t), HN_E_FORMAT, bad[i].name);
        hn_checkpoint_close(c);
    }
    close_rig(&r);
}
END_TEST

/* ---- unit: files come and go ---------------------------------------------------------------------------------------- */

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

START_TEST(old_ones_go_when_the_new_one_is_whole)
{
    DIRECTORIES;
    static const char *const strangers[] = {"notes.txt", "checkpoint-1-2.safetensors.bak", "checkpoint-x-2.safetensors",
                                            "checkpoint-00000001-00000001.safetensors.tmpfile"};
    char path[300], left[400];
    rig r;
    open_rig(&r, CE);
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; ++i) {
        snprintf(path, sizeof path, "%s/%s", dir, strangers[i]);
        hnt_write_file(path, "mine", 4);
    }
    const int mine = (int)(sizeof strangers / sizeof *strangers);
    r.t.epoch = 3; /* of a training that nobody goes on with */
    hnt_ok(hn_checkpoint_save(&r.t, dir, 2, NULL, 0));
    r.t.epoch = 0;
    for (int steps = 0; steps < 8; ++steps) {
        train(&r, steps);
        snprintf(left, sizeof left, "%s.tmp-123-0", path_at(dir, steps)); /* by a writer that was killed */
        hnt_write_file(left, "half", 4);
        hnt_ok(hn_checkpoint_save(&r.t, dir, 2, NULL, 0));
        ck_assert(!exists(left));
        for (int k = 0; k <= steps; ++k)
            ck_assert_msg(exists(path_at(dir, k)) == (k > steps - 2), "after step %d, %d", steps, k);
        ck_assert_int_eq(entries_in(dir), mine + 1 + (steps > 0 ? 2 : 1));
    }
    ck_assert(exists(path_at(dir, 3 * STEPS)));
    train(&r, 9);
    hnt_ok(hn_checkpoint_save(&r.t, dir, 0, NULL, 0)); /* all stay */
    ck_assert_int_eq(entries_in(dir), mine + 4);
    close_rig(&r);
}
END_TEST

/* No room, and no directory: a sentence, the old checkpoint, and nothing left about. */
START_TEST(a_save_that_fails_leaves_the_old_one)
{
    DIRECTORIES;
    char path[300];
    rig r;
    hn_checkpoint *c = NULL;
    open_rig(&r, PSC);
    train(&r, 1);
    hnt_ok(hn_checkpoint_save(&r.t, dir, 1, NULL, 0));
    train(&r, 2);
    struct rlimit before, small;
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 2000;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    hn_status status = hn_checkpoint_save(&r.t, dir, 1, NULL, 0);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, handler);
    hnt_fails(status, HN_E_IO, "File too large");
    ck_assert_int_eq(entries_in(dir), 1);
    hnt_ok(hn_checkpoint_open(&c, r.context, dir));
    ck_assert_int_eq(hn_checkpoint_step(c), 1);
    hn_checkpoint_close(c);
    hn_param param = {.struct_size = sizeof param};
    hnt_ok(hn_hybrid_param(r.t.hybrid, 0, &param));
    float *weight = hn_tensor_data(param.value), kept = weight[1];
    weight[1] = -INFINITY; /* the training has diverged */
    hnt_fails(hn_checkpoint_save(&r.t, dir, 1, NULL, 0), HN_E_NONFINITE, "conv.weight is -inf at its value 1");
    weight[1] = kept;
    ck_assert_int_eq(entries_in(dir), 1);
    snprintf(path, sizeof path, "%s/file", other);
    hnt_write_file(path, "", 0);
    hnt_fails(hn_checkpoint_save(&r.t, path, 1, NULL, 0), HN_E_IO, path);
    hnt_fails(hn_checkpoint_save(&r.t, "/nonexistent", 1, NULL, 0), HN_E_IO, "/nonexistent");
    hnt_fails(hn_checkpoint_save(&r.t, "/proc", 1, NULL, 0), HN_E_IO, "/proc");
    close_rig(&r);
}
END_TEST

/* ---- unit: damage --------------------------------------------------------------------------------------------------- */

/* The file at `path` is bad: alone it is refused by name, beside an older one it is passed over with a warning. */
static void refused_for_older(rig *r, const char *dir, const char *path, const char *what)
{
    hn_checkpoint *c = NULL;
    r->warnings = 0;
    hn_status status = hn_checkpoint_open(&c, r->context, dir);
    ck_assert_msg(status == HN_OK, "%s: %s", what, hn_last_error());
    ck_assert_int_eq(hn_checkpoint_step(c), 1);
    ck_assert_msg(r->warnings == 1 && strstr(r->warning, path) != NULL, "%s: %d warnings, the last: %s", what,
                  r->warnings, r->warning);
    hn_checkpoint_close(c);
}

START_TEST(damaged_and_foreign_files_are_passed_over)
{
    DIRECTORIES;
    rig r;
    char path[300];
    hn_checkpoint *c = NULL;
    open_rig(&r, PROCO);
    train(&r, 1);
    hnt_ok(hn_checkpoint_save(&r.t, dir, 0, NULL, 0));
    train(&r, 3);
    hnt_ok(hn_checkpoint_save(&r.t, dir, 0, NULL, 0));
    snprintf(path, sizeof path, "%s", path_at(dir, 3));
    bytes whole = read_path(path);
    const size_t cuts[] = {0, 1, 7, 8, 9, whole.size / 4, whole.size / 2, whole.size - 1};
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; ++i) {
        hnt_write_file(path, whole.data, cuts[i]);
        refused_for_older(&r, dir, path, "a truncated file");
    }
    unsigned char *longer = hnt_alloc(whole.size + 1);
    memcpy(longer, whole.data, whole.size);
    hnt_write_file(path, longer, whole.size + 1);
    refused_for_older(&r, dir, path, "a byte too many");
    memset(longer, 0, whole.size);
    hnt_write_file(path, longer, whole.size); /* as some file systems leave it after a crash */
    refused_for_older(&r, dir, path, "zeros");
    hnt_write_file(path, "checkpoint of another program\n", 30);
    refused_for_older(&r, dir, path, "text");
    hnt_ok(hn_hybrid_save(r.t.hybrid, path));
    refused_for_older(&r, dir, path, "weights");
    remove(path);
    ck_assert_int_eq(mkdir(path, 0777), 0);
    refused_for_older(&r, dir, path, "a directory");
    remove(path);

    /* No older one: an error that names the latest. */
    hnt_write_file(path, whole.data, whole.size - 1);
    hnt_write_file(path_at(dir, 1), "", 0);
    hnt_fails(hn_checkpoint_open(&c, r.context, dir), HN_E_FORMAT, path);
    ck_assert_ptr_null(c);
    ck_assert_ptr_nonnull(strstr(hn_last_error(), "2 are there"));
    hnt_write_file(path, whole.data, whole.size); /* it was good */
    hnt_ok(hn_checkpoint_open(&c, r.context, dir));
    hn_checkpoint_close(c);
    free(longer);
    free(whole.data);
    close_rig(&r);
}
END_TEST

/* Every bit of a checkpoint is flipped in turn. The few that are not found change nothing. */
START_TEST(no_flipped_bit_goes_unseen)
{
    static const hn_metadata metadata = {"options", "lr = 0.1\nname = \"x\"\n"};
    DIRECTORIES;
    rig r;
    char path[300];
    size_t harmless = 0;
    open_rig(&r, CE);
    train(&r, 1);
    hnt_ok(hn_checkpoint_save(&r.t, dir, 0, &metadata, 1));
    snprintf(path, sizeof path, "%s", path_at(dir, 1));
    bytes whole = read_path(path), want = state_of(&r, other);
    FILE *f = fopen(path, "r+b");
    ck_assert_ptr_nonnull(f);
    setvbuf(f, NULL, _IONBF, 0);
    for (size_t bit = 0; bit < 8 * whole.size; ++bit) {
        hn_checkpoint *c = NULL;
        fseek(f, (long)(bit / 8), SEEK_SET);
        fputc(whole.data[bit / 8] ^ 1 << bit % 8, f);
        hn_status status = hn_checkpoint_open(&c, r.context, dir);
        if (status == HN_OK) {
            ++harmless;
            ck_assert_str_eq(hn_checkpoint_metadata(c, "options"), metadata.value);
            hnt_ok(hn_checkpoint_restore(c, &r.t));
            bytes got = state_of(&r, other);
            ck_assert_msg(same(want, got), "bit %zu was flipped unseen", bit);
            free(got.data);
            hn_checkpoint_close(c);
        } else {
            ck_assert_msg(status == HN_E_FORMAT, "bit %zu: %s", bit, hn_last_error());
            ck_assert_ptr_null(c);
        }
        fseek(f, (long)(bit / 8), SEEK_SET);
        fputc(whole.data[bit / 8], f);
    }
    fclose(f);
    ck_assert_uint_lt(harmless, 16);
    bytes after = read_path(path);
    ck_assert(same(whole, after));
    free(after.data);
    free(whole.data);
    free(want.data);
    close_rig(&r);
}
END_TEST

/* ---- oom ------------------------------------------------------------------------------------------------------------ */

START_TEST(every_allocation_may_fail)
{
    DIRECTORIES;
    hnt_counter counter = {.fail_at = -1};
    hn_context *context = NULL;
    rig r;
    hnt_ok(hnt_counting_context(&context, &counter, 1));
    open_rig_in(&r, &(recipe){TSC, 1, 1, QUEUE, IMAGES}, context);
    train(&r, 2);
    bytes want = state_of(&r, other);
    const int64_t alive = counter.alive;
    for (int64_t k = 0, calls = 0; counter.calls > calls + k - 1; ++k) { /* until none failed */
        calls = counter.calls;
        counter.fail_at = calls + k;
        hn_status status = hn_checkpoint_save(&r.t, dir, 1, NULL, 0);
        ck_assert_msg(status == HN_OK || status == HN_E_NOMEM, "%s", hn_last_error());
        ck_assert_int_eq(counter.alive, alive);
        ck_assert_int_le(entries_in(dir), 1);
    }
    for (int64_t k = 0, calls = 0; counter.calls > calls + k - 1; ++k) {
        hn_checkpoint *c = NULL;
        calls = counter.calls;
        counter.fail_at = calls + k;
        hn_status status = hn_checkpoint_open(&c, context, dir);
        if (status == HN_OK)
            status = hn_checkpoint_restore(c, &r.t);
        ck_assert_msg(status == HN_OK || status == HN_E_NOMEM, "%s", hn_last_error());
        hn_checkpoint_close(c);
        ck_assert_int_eq(counter.alive, alive);
    }
    counter.fail_at = -1;
    bytes got = state_of(&r, other);
    ck_assert(same(want, got));
    free(want.data);
    free(got.data);
    close_rig(&r);
    hn_context_destroy(context);
    ck_assert_int_eq(counter.alive, 0);
}
END_TEST

#else

START_TEST(a_build_without_jansson_says_so)
{
    hn_context *context = hnt_context(1);
    hn_checkpoint *c = NULL;
    char dir[200], path[300];
    hnt_temp_dir(dir, sizeof dir);
    snprintf(path, sizeof path, "%s/checkpoint-00000000-00000001.safetensors", dir);
    hnt_write_file(path, "", 0);
    hnt_fails(hn_checkpoint_open(&c, context, dir), HN_E_UNSUPPORTED, "without jansson");
    hn_context_destroy(context);
}
END_TEST

#endif

static Suite *suite(void)
{
    Suite *s = suite_create("checkpoint");
    TCase *unit = hnt_case(s, "unit");
    tcase_add_test(unit, checksum_is_that_of_xz);
#ifdef HNI_HAVE_JANSSON
    tcase_add_test(unit, every_loss_is_tried);
    tcase_add_test(unit, is_a_file_of_weights_too);
    tcase_add_test(unit, misuse_is_named);
    tcase_add_test(unit, another_training_is_refused);
    tcase_add_test(unit, numbers_out_of_range_are_refused);
    tcase_add_test(unit, old_ones_go_when_the_new_one_is_whole);
    tcase_add_test(unit, a_save_that_fails_leaves_the_old_one);
    tcase_add_test(unit, damaged_and_foreign_files_are_passed_over);
    tcase_add_test(unit, no_flipped_bit_goes_unseen);
    TCase *repro = hnt_case(s, "repro");
    tcase_add_test(repro, goes_on_with_the_same_bits);
    tcase_add_test(repro, a_frozen_training_goes_on_frozen);
    tcase_add_test(hnt_case(s, "oom"), every_allocation_may_fail);
#else
    static const char *const labels[] = {"unit", "repro", "oom"}; /* as CMake lists them */
    for (int i = 0; i < 3; ++i)
        tcase_add_test(i == 0 ? unit : hnt_case(s, labels[i]), a_build_without_jansson_says_so);
#endif
    return s;
}

HNT_MAIN(suite)
