/* The two-branch network: its step against PyTorch, its files, its errors. */
#include "golden.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 14, PIXELS = SIDE * SIDE, IMAGES = 16, CLASSES = 10, DIM = 32, STEPS = 10 };

typedef enum method { CE, SC, PSC } method;

/* ResNet-8 for one channel, heads and losses as in tests/golden/make_training.py. */
static hn_status build(hn_context *context, method m, hn_hybrid **out)
{
    hn_hybrid_parts parts = {.struct_size = sizeof parts};
    hn_resnet_cifar_options net;
    hn_resnet_cifar_options_init(&net, sizeof net);
    net.depth = 8;
    net.in_channels = 1;
    hn_projection_options head;
    hn_projection_options_init(&head, sizeof head);
    head.in = 64;
    head.out = DIM;
    hn_loss_sc_options sc;
    hn_loss_sc_options_init(&sc, sizeof sc);
    sc.temperature = 0.5f;
    hn_loss_psc_options psc;
    hn_loss_psc_options_init(&psc, sizeof psc);
    psc.temperature = 1.0f;
    hn_sgd_options sgd;
    hn_sgd_options_init(&sgd, sizeof sgd);
    hn_hybrid_options options;
    hn_hybrid_options_init(&options, sizeof options);
    options.input = (hn_desc){HN_F32, 4, {2 * IMAGES, SIDE, SIDE, 1}};
    options.sgd = &sgd;
    hn_status status = hn_resnet_cifar_create(&parts.backbone, context, &net);
    if (status == HN_OK)
        status = hn_linear_create(&parts.classifier, context, 64, CLASSES, 1);
    if (status == HN_OK)
        status = hn_loss_create_ce(&parts.classifier_loss, context, CLASSES, NULL);
    if (status == HN_OK && m != CE)
        status = hn_projection_create(&parts.projection, context, &head);
    if (status == HN_OK && m == SC)
        status = hn_loss_create_sc(&parts.feature_loss, context, &sc);
    if (status == HN_OK && m == PSC)
        status = hn_loss_create_psc(&parts.feature_loss, context, CLASSES, DIM, &psc);
    if (status == HN_OK)
        status = hn_hybrid_create(out, context, &parts, &options);
    if (status != HN_OK) {
        hn_layer_destroy(parts.backbone);
        hn_layer_destroy(parts.classifier);
        hn_layer_destroy(parts.projection);
        hn_loss_destroy(parts.feature_loss);
        hn_loss_destroy(parts.classifier_loss);
    }
    return status;
}

static hn_hybrid *made(hn_context *context, method m, uint64_t seed)
{
    hn_hybrid *h = NULL;
    hn_rng rng;
    hnt_ok(build(context, m, &h));
    hn_rng_seed(&rng, seed, 0);
    hnt_ok(hn_hybrid_init_params(h, &rng));
    return h;
}

static hn_tensor *images(hn_context *context, int64_t n)
{
    const hn_desc desc = {HN_F32, 4, {n, SIDE, SIDE, 1}};
    hn_tensor *t = NULL;
    hnt_ok(hn_tensor_create(&t, context, &desc));
    return t;
}

static hn_batch batch_of(const hn_tensor *pixels, const int32_t *labels)
{
    return (hn_batch){
        .struct_size = sizeof(hn_batch), .images = pixels, .labels = labels, .n = hn_tensor_desc(pixels)->dim[0]};
}

/* Two batches of noise with labels, for tests that need no real image. */
typedef struct noise {
    hn_tensor *feature, *classifier;
    int32_t labels[2 * IMAGES];
    hn_batch batches[2];
} noise;

static void make_noise(hn_context *context, noise *x)
{
    x->feature = images(context, 2 * IMAGES);
    x->classifier = images(context, IMAGES);
    hnt_normal(1, hn_tensor_data(x->feature), 2 * IMAGES * PIXELS);
    hnt_normal(2, hn_tensor_data(x->classifier), IMAGES * PIXELS);
    for (int i = 0; i < 2 * IMAGES; ++i)
        x->labels[i] = (i % IMAGES) % CLASSES;
    x->batches[0] = batch_of(x->feature, x->labels);
    x->batches[1] = batch_of(x->classifier, x->labels);
}

static void drop_noise(noise *x)
{
    hn_tensor_destroy(x->feature);
    hn_tensor_destroy(x->classifier);
}

/* ---- golden -------------------------------------------------------------------------------------------------------- */

/* Row `row` of to = pixel / 255 - 0.5, mirrored if flip. */
static void put_image(hn_tensor *to, int64_t row, const uint8_t *pixels, int flip)
{
    float *x = (float *)hn_tensor_data(to) + row * PIXELS;
    for (int y = 0; y < SIDE; ++y)
        for (int c = 0; c < SIDE; ++c)
            x[y * SIDE + c] = (float)pixels[y * SIDE + (flip ? SIDE - 1 - c : c)] / 255.0f - 0.5f;
}

static void follow_pytorch(method m, const char *name)
{
    hn_context *context = hnt_context(2);
    hn_safetensors *golden = hnt_golden_open(context, "training");
    hn_hybrid *h = made(context, m, 1);
    char key[128];
    for (int64_t i = 0; i < hn_hybrid_param_count(h); ++i) {
        hn_param param = {.struct_size = sizeof param};
        hnt_ok(hn_hybrid_param(h, i, &param));
        snprintf(key, sizeof key, "%s.start.%s", name, param.name);
        memcpy(hn_tensor_data(param.value), hnt_golden_f(golden, key, hn_tensor_count(param.value)),
               hn_tensor_bytes(param.value));
    }
    const uint8_t *pixels = hn_tensor_cdata(hnt_golden(golden, "pixels", HN_U8, 2 * IMAGES * PIXELS));
    const int32_t *labels = hnt_golden_i(golden, "labels", 2 * IMAGES);
    hn_tensor *views = images(context, 2 * IMAGES), *second = images(context, IMAGES);
    int32_t view_labels[2 * IMAGES];
    for (int i = 0; i < IMAGES; ++i) {
        put_image(views, i, pixels + i * PIXELS, 0);
        put_image(views, IMAGES + i, pixels + i * PIXELS, 1);
        put_image(second, i, pixels + (IMAGES + i) * PIXELS, 0);
        view_labels[i] = view_labels[IMAGES + i] = labels[i];
    }
    hn_batch feature = batch_of(views, view_labels), classifier = batch_of(second, labels + IMAGES);
    snprintf(key, sizeof key, "%s.losses", name);
    const float *want = hnt_golden_f(golden, key, 3 * STEPS);
    for (int step = 0; step < STEPS; ++step) {
        hn_hybrid_losses losses = {.struct_size = sizeof losses};
        double alpha = 1.0 - pow((double)step / STEPS, 2);
        hnt_ok(hn_hybrid_step(h, &feature, &classifier, alpha, 0.01, &losses));
        hnt_close_d("loss", losses.loss, (double)want[3 * step], 1e-3);
        hnt_close_d("feature loss", losses.loss_feature, (double)want[3 * step + 1], 1e-3);
        if (step > 0)
            hnt_close_d("classifier loss", losses.loss_classifier, (double)want[3 * step + 2], 1e-3);
        else /* its weight is 0: not computed */
            ck_assert(isnan(losses.loss_classifier));
    }
    hn_tensor_destroy(views);
    hn_tensor_destroy(second);
    hn_hybrid_destroy(h);
    hn_safetensors_close(golden);
    hn_context_destroy(context);
}

START_TEST(ten_steps_follow_pytorch_sc)
{
    follow_pytorch(SC, "sc");
}
END_TEST

START_TEST(ten_steps_follow_pytorch_psc)
{
    follow_pytorch(PSC, "psc");
}
END_TEST

/* ---- unit ---------------------------------------------------------------------------------------------------------- */

START_TEST(parameters_have_pytorch_names)
{
    hn_context *context = hnt_context(1);
    hn_hybrid *h = made(context, PSC, 1);
    static const char *const wanted[] = {"conv1.weight", "bn1.running_var",     "layer3.0.bn2.bias", "fc.weight",
                                         "fc.bias",      "projection.0.weight", "projection.2.bias", "prototypes"};
    for (size_t w = 0; w < sizeof wanted / sizeof wanted[0]; ++w) {
        int found = 0;
        for (int64_t i = 0; i < hn_hybrid_param_count(h); ++i) {
            hn_param param = {.struct_size = sizeof param};
            hnt_ok(hn_hybrid_param(h, i, &param));
            found += strcmp(param.name, wanted[w]) == 0;
        }
        ck_assert_msg(found == 1, "%s is listed %d times", wanted[w], found);
    }
    ck_assert_int_eq(hn_hybrid_param_total(h), 75002);
    hn_param param = {.struct_size = sizeof param};
    hnt_fails(hn_hybrid_param(h, -1, &param), HN_E_ARG, "index is -1");
    hn_hybrid_destroy(h);
    hn_context_destroy(context);
}
END_TEST

START_TEST(misuse_is_named)
{
    hn_context *context = hnt_context(1);
    hn_hybrid *h = made(context, SC, 1), *plain = made(context, CE, 1), *none = NULL;
    noise x;
    make_noise(context, &x);
    hnt_fails(hn_hybrid_step(h, &x.batches[0], &x.batches[1], 1.5, 0.1, NULL), HN_E_ARG, "alpha is 1.5");
    hnt_fails(hn_hybrid_step(h, &x.batches[0], &x.batches[1], (double)NAN, 0.1, NULL), HN_E_ARG, "alpha is");
    hnt_fails(hn_hybrid_step(h, NULL, &x.batches[1], 0.5, 0.1, NULL), HN_E_ARG, "feature branch");
    hnt_fails(hn_hybrid_step(h, &x.batches[0], NULL, 0.5, 0.1, NULL), HN_E_ARG, "classifier branch");
    hnt_fails(hn_hybrid_step(plain, &x.batches[0], &x.batches[1], 0.5, 0.1, NULL), HN_E_ARG, "no projection");
    hnt_fails(hn_hybrid_step(h, &x.batches[0], &x.batches[1], 0.5, -1.0, NULL), HN_E_ARG, "lr");
    hn_tensor *many = images(context, 2 * IMAGES + 1);
    hn_batch big = batch_of(many, x.labels);
    hnt_fails(hn_hybrid_step(h, &big, &x.batches[1], 0.5, 0.1, NULL), HN_E_SHAPE, "33 rows");
    hn_hybrid_parts parts = {.struct_size = sizeof parts};
    hn_hybrid_options options;
    hn_hybrid_options_init(&options, sizeof options);
    hnt_fails(hn_hybrid_create(&none, context, &parts, &options), HN_E_ARG, "backbone");
    ck_assert_ptr_null(none);
    float logits[CLASSES];
    hn_matf m = {logits, 1, CLASSES - 1, CLASSES};
    hnt_fails(hn_hybrid_predict(h, x.classifier, &m), HN_E_SHAPE, "it must be 16x10");
    hn_tensor_destroy(many);
    drop_noise(&x);
    hn_hybrid_destroy(h);
    hn_hybrid_destroy(plain);
    hn_hybrid_destroy(NULL);
    hn_context_destroy(context);
}
END_TEST

static void all_values(const hn_hybrid *h, float *to, int64_t *count)
{
    *count = 0;
    for (int64_t i = 0; i < hn_hybrid_param_count(h); ++i) {
        hn_param param = {.struct_size = sizeof param};
        hnt_ok(hn_hybrid_param(h, i, &param));
        if (param.grad == NULL)
            continue;
        if (to != NULL)
            memcpy(to + *count, hn_tensor_cdata(param.value), hn_tensor_bytes(param.value));
        *count += hn_tensor_count(param.value);
    }
}

START_TEST(a_loss_that_is_not_finite_changes_no_parameter)
{
    hn_context *context = hnt_context(1);
    hn_hybrid *h = made(context, SC, 1);
    noise x;
    make_noise(context, &x);
    int64_t n;
    all_values(h, NULL, &n);
    float *before = hnt_alloc((size_t)n * 4), *after = hnt_alloc((size_t)n * 4);
    all_values(h, before, &n);
    ((float *)hn_tensor_data(x.classifier))[7] = NAN;
    hnt_fails(hn_hybrid_step(h, &x.batches[0], &x.batches[1], 0.5, 0.1, NULL), HN_E_NONFINITE,
              "of the classifier batch");
    all_values(h, after, &n);
    ck_assert(memcmp(before, after, (size_t)n * 4) == 0);
    free(before);
    free(after);
    drop_noise(&x);
    hn_hybrid_destroy(h);
    hn_context_destroy(context);
}
END_TEST

/* Whether a parameter or buffer is of the backbone, by its name. */
static bool of_backbone(const char *name)
{
    return strncmp(name, "fc.", 3) != 0 && strncmp(name, "projection.", 11) != 0 && strcmp(name, "prototypes") != 0;
}

/* Everything in it, buffers too, under the same order as the parameters; returns how many values. */
static int64_t copy_all(const hn_hybrid *h, float *to)
{
    int64_t n = 0;
    for (int64_t i = 0; i < hn_hybrid_param_count(h); ++i) {
        hn_param param = {.struct_size = sizeof param};
        hnt_ok(hn_hybrid_param(h, i, &param));
        if (to != NULL)
            memcpy(to + n, hn_tensor_cdata(param.value), hn_tensor_bytes(param.value));
        n += hn_tensor_count(param.value);
    }
    return n;
}

/* A frozen backbone keeps every value, statistics too, while the heads learn; the loss of the classifier is that of its
 * logits in inference mode. */
START_TEST(a_frozen_backbone_stays)
{
    hn_context *context = hnt_context(1);
    hn_hybrid *h = made(context, PSC, 1);
    noise x;
    make_noise(context, &x);
    hnt_ok(hn_hybrid_step(h, &x.batches[0], &x.batches[1], 0.5, 0.1, NULL)); /* there is momentum to forget */
    const int64_t n = copy_all(h, NULL);
    float *before = hnt_alloc((size_t)n * 4), *after = hnt_alloc((size_t)n * 4), logits[IMAGES * CLASSES];
    copy_all(h, before);
    hnt_ok(hn_hybrid_freeze_backbone(h, 1));
    hn_matf matrix = {logits, IMAGES, CLASSES, CLASSES};
    hnt_ok(hn_hybrid_predict(h, x.classifier, &matrix));
    hn_hybrid_losses losses = {.struct_size = sizeof losses};
    hnt_ok(hn_hybrid_step(h, &x.batches[0], &x.batches[1], 0.5, 0.1, &losses));
    double want = 0.0;
    for (int i = 0; i < IMAGES; ++i) {
        double sum = 0.0;
        for (int c = 0; c < CLASSES; ++c)
            sum += exp((double)logits[i * CLASSES + c]);
        want += (log(sum) - (double)logits[i * CLASSES + x.labels[i]]) / IMAGES;
    }
    hnt_close_d("loss", losses.loss_classifier, want, 1e-5);
    copy_all(h, after);
    int64_t at = 0;
    for (int64_t i = 0; i < hn_hybrid_param_count(h); ++i) {
        hn_param param = {.struct_size = sizeof param};
        hnt_ok(hn_hybrid_param(h, i, &param));
        const bool same = memcmp(before + at, after + at, hn_tensor_bytes(param.value)) == 0;
        ck_assert_msg(same == of_backbone(param.name), "%s %s", param.name, same ? "has not changed" : "has changed");
        at += hn_tensor_count(param.value);
    }
    hnt_ok(hn_hybrid_freeze_backbone(h, 0));
    hnt_ok(hn_hybrid_step(h, &x.batches[0], &x.batches[1], 0.5, 0.1, NULL));
    copy_all(h, before);
    ck_assert(memcmp(before, after, 64) != 0); /* conv1.weight learns again */
    free(before);
    free(after);
    drop_noise(&x);
    hn_hybrid_destroy(h);
    hn_context_destroy(context);
}
END_TEST

/* Logits are the classifier's of the features. */
START_TEST(features_make_the_logits)
{
    hn_context *context = hnt_context(1);
    hn_hybrid *h = made(context, CE, 1);
    noise x;
    make_noise(context, &x);
    ck_assert_int_eq(hn_hybrid_feature_dim(h), 64);
    ck_assert_int_eq(hn_hybrid_feature_dim(NULL), 0);
    float features[IMAGES * 64], logits[IMAGES * CLASSES];
    double want[IMAGES * CLASSES];
    hn_matf f = {features, IMAGES, 64, 64}, l = {logits, IMAGES, CLASSES, CLASSES}, narrow = {features, IMAGES, 63, 64};
    hnt_ok(hn_hybrid_features(h, x.classifier, &f));
    hnt_ok(hn_hybrid_predict(h, x.classifier, &l));
    hn_param param = {.struct_size = sizeof param};
    hnt_ok(hn_layer_param(hn_hybrid_classifier(h), 0, &param)); /* the bias is 0 at the start */
    ck_assert_str_eq(param.name, "weight");
    const float *weight = hn_tensor_cdata(param.value);
    for (int i = 0; i < IMAGES * CLASSES; ++i) {
        want[i] = 0.0;
        for (int d = 0; d < 64; ++d)
            want[i] += (double)features[i / CLASSES * 64 + d] * (double)weight[i % CLASSES * 64 + d];
    }
    hnt_close_fd("logits", logits, want, IMAGES * CLASSES, 1e-5);
    hnt_fails(hn_hybrid_features(h, x.classifier, &narrow), HN_E_SHAPE, "it must be 16x64");
    hnt_fails(hn_hybrid_features(NULL, x.classifier, &f), HN_E_ARG, "hybrid is NULL");
    hnt_fails(hn_hybrid_freeze_backbone(NULL, 1), HN_E_ARG, "hybrid is NULL");
    ck_assert_ptr_null(hn_hybrid_classifier(NULL));
    drop_noise(&x);
    hn_hybrid_destroy(h);
    hn_context_destroy(context);
}
END_TEST

#ifdef HNI_HAVE_JANSSON
/* The file is plain's: backbone and classifier become its own, projection and prototypes stay. */
static void take_a_plain_file(hn_hybrid *h, const hn_hybrid *plain, const char *path)
{
    float *before = hnt_alloc((size_t)copy_all(h, NULL) * sizeof *before);
    int64_t at = 0, kept = 0;
    copy_all(h, before);
    hnt_ok(hn_hybrid_load(h, path, 0));
    for (int64_t i = 0; i < hn_hybrid_param_count(h); ++i) {
        hn_param got = {.struct_size = sizeof got}, want = {.struct_size = sizeof want};
        hnt_ok(hn_hybrid_param(h, i, &got));
        const float *values = hn_tensor_cdata(got.value);
        const bool same = memcmp(before + at, values, hn_tensor_bytes(got.value)) == 0;
        const bool own = !of_backbone(got.name) && strncmp(got.name, "fc.", 3) != 0;
        ck_assert_msg(same == own, "%s %s", got.name, same ? "has not changed" : "has changed");
        if (!own) { /* the same place in plain's list */
            hnt_ok(hn_hybrid_param(plain, i, &want));
            ck_assert_str_eq(want.name, got.name);
            ck_assert_mem_eq(values, hn_tensor_cdata(want.value), hn_tensor_bytes(want.value));
        }
        kept += own;
        at += hn_tensor_count(got.value);
    }
    ck_assert_int_eq(kept, 5); /* two layers' weights and biases, prototypes */
    free(before);
}

START_TEST(weights_survive_a_file)
{
    char dir[200], path[256];
    hnt_temp_dir(dir, sizeof dir);
    snprintf(path, sizeof path, "%s/w.safetensors", dir);
    hn_context *context = hnt_context(1);
    hn_hybrid *a = made(context, PSC, 1), *b = made(context, PSC, 2), *plain = made(context, CE, 3);
    noise x;
    make_noise(context, &x);
    hnt_ok(hn_hybrid_step(a, &x.batches[0], &x.batches[1], 0.5, 0.1, NULL));
    hnt_ok(hn_hybrid_save(a, path));
    hnt_ok(hn_hybrid_load(b, path, 1));
    float la[IMAGES * CLASSES], lb[IMAGES * CLASSES];
    hn_matf ma = {la, IMAGES, CLASSES, CLASSES}, mb = {lb, IMAGES, CLASSES, CLASSES};
    hnt_ok(hn_hybrid_predict(a, x.classifier, &ma));
    hnt_ok(hn_hybrid_predict(b, x.classifier, &mb));
    ck_assert(memcmp(la, lb, sizeof la) == 0);

    /* A plain network takes the backbone and classifier out of it, if asked to overlook the rest. */
    hnt_fails(hn_hybrid_load(plain, path, 1), HN_E_FORMAT, "projection");
    hnt_ok(hn_hybrid_load(plain, path, 0));
    hnt_ok(hn_hybrid_predict(plain, x.classifier, &mb));
    ck_assert(memcmp(la, lb, sizeof la) == 0);

    /* And the hybrid network takes a plain one's file, keeping its own projection and prototypes. */
    hnt_ok(hn_hybrid_step(plain, NULL, &x.batches[1], 0.0, 0.1, NULL)); /* it has what b has until here */
    hnt_ok(hn_hybrid_save(plain, path));
    hnt_fails(hn_hybrid_load(b, path, 1), HN_E_FORMAT, "projection");
    take_a_plain_file(b, plain, path);

    /* Not without all that is used at inference. */
    hn_param first = {.struct_size = sizeof first};
    hnt_ok(hn_hybrid_param(plain, 0, &first));
    const hn_named_tensor alone = {first.name, first.value};
    hnt_ok(hn_safetensors_write(context, path, &alone, 1, NULL, 0));
    hnt_fails(hn_hybrid_load(b, path, 0), HN_E_FORMAT, "bn1.weight");
    hnt_fails(hn_hybrid_save(a, "/nonexistent/directory/w.safetensors"), HN_E_IO, "/nonexistent/directory");
    hnt_fails(hn_hybrid_load(a, "/nonexistent/w.safetensors", 1), HN_E_IO, "/nonexistent/w.safetensors");
    drop_noise(&x);
    hn_hybrid_destroy(a);
    hn_hybrid_destroy(b);
    hn_hybrid_destroy(plain);
    hn_context_destroy(context);
}
END_TEST
#endif

/* ---- oom ----------------------------------------------------------------------------------------------------------- */

START_TEST(every_allocation_may_fail_and_a_step_makes_none)
{
    for (int64_t k = 0;; k += k < 40 ? 1 : 7) {
        hnt_counter counter = {.fail_at = -1};
        hn_context *context = NULL;
        hnt_ok(hnt_counting_context(&context, &counter, 1));
        counter.fail_at = counter.calls + k;
        hn_hybrid *h = NULL;
        hn_status status = build(context, SC, &h);
        if (status == HN_OK) {
            counter.fail_at = -1;
            hn_rng rng;
            hn_rng_seed(&rng, 1, 0);
            hnt_ok(hn_hybrid_init_params(h, &rng));
            noise x;
            make_noise(context, &x);
            hnt_ok(hn_hybrid_step(h, &x.batches[0], &x.batches[1], 0.5, 0.1, NULL)); /* the losses' scratch grows */
            int64_t calls = counter.calls;
            hnt_ok(hn_hybrid_step(h, &x.batches[0], &x.batches[1], 0.5, 0.1, NULL));
            ck_assert_int_eq(counter.calls, calls);
            drop_noise(&x);
            hn_hybrid_destroy(h);
        } else {
            ck_assert_int_eq(status, HN_E_NOMEM);
            ck_assert_ptr_null(h);
        }
        hn_context_destroy(context);
        ck_assert_int_eq(counter.alive, 0);
        if (status == HN_OK)
            return;
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("hybrid");
    TCase *unit = hnt_case(s, "unit"), *golden = hnt_case(s, "golden");
    tcase_add_test(unit, parameters_have_pytorch_names);
    tcase_add_test(unit, misuse_is_named);
    tcase_add_test(unit, a_frozen_backbone_stays);
    tcase_add_test(unit, features_make_the_logits);
    tcase_add_test(unit, a_loss_that_is_not_finite_changes_no_parameter);
#ifdef HNI_HAVE_JANSSON
    tcase_add_test(unit, weights_survive_a_file);
#endif
    tcase_add_test(golden, ten_steps_follow_pytorch_sc);
    tcase_add_test(golden, ten_steps_follow_pytorch_psc);
    tcase_add_test(hnt_case(s, "oom"), every_allocation_may_fail_and_a_step_makes_none);
    return s;
}

HNT_MAIN(suite)
