/* Batches in parts (GradCache): gradients of the whole batch, statistics counted once, memory of one part. */
#include "support.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { SIDE = 8, CHANNELS = 3, ROWS = 22, CLASSES = 5, WIDTH = 12, DIM = 8 };

typedef enum method { SC, PSC, KCL, METHODS } method;

/* ---- networks ------------------------------------------------------------------------------------------------------- */

static hn_layer *convolution(hn_context *context, int32_t in, int32_t stride)
{
    hn_conv2d_options o;
    hn_conv2d_options_init(&o, sizeof o);
    o.in_channels = in;
    o.out_channels = WIDTH;
    o.stride = stride;
    o.bias = 1;
    hn_layer *layer;
    hnt_ok(hn_conv2d_create(&layer, context, &o));
    return layer;
}

static hn_layer *unit(hn_context *context, int32_t in, int32_t stride)
{
    hn_conv2d_options o;
    hn_conv2d_options_init(&o, sizeof o);
    o.in_channels = in;
    o.out_channels = WIDTH;
    o.stride = stride;
    hn_layer *layer;
    hnt_ok(hn_conv_unit_create(&layer, context, "conv", "bn", &o, NULL, 1));
    return layer;
}

static hn_layer *relu(hn_context *context)
{
    hn_layer *layer;
    hnt_ok(hn_relu_create(&layer, context));
    return layer;
}

/* Two convolutions and the mean of their result, with batch norms or with none. */
static hn_layer *backbone(hn_context *context, bool norms)
{
    hn_layer *net, *pool;
    hnt_ok(hn_sequential_create(&net, context));
    hnt_ok(hn_layer_add_child(net, "0", norms ? unit(context, CHANNELS, 1) : convolution(context, CHANNELS, 1)));
    hnt_ok(hn_layer_add_child(net, "1", relu(context)));
    hnt_ok(hn_layer_add_child(net, "2", norms ? unit(context, WIDTH, 2) : convolution(context, WIDTH, 2)));
    hnt_ok(hn_layer_add_child(net, "3", relu(context)));
    hnt_ok(hn_global_avg_pool_create(&pool, context));
    hnt_ok(hn_layer_add_child(net, "4", pool));
    return net;
}

static hn_loss *feature_loss(hn_context *context, method m)
{
    hn_loss *loss = NULL;
    hn_loss_kcl_options kcl;
    hn_loss_kcl_options_init(&kcl, sizeof kcl);
    hnt_ok(m == SC    ? hn_loss_create_sc(&loss, context, NULL)
           : m == PSC ? hn_loss_create_psc(&loss, context, CLASSES, DIM, NULL)
                      : hn_loss_create_kcl(&loss, context, CLASSES, DIM, &kcl, 16));
    return loss;
}

static hn_hybrid_options options_of(int64_t micro_batch)
{
    hn_hybrid_options o;
    hn_hybrid_options_init(&o, sizeof o);
    o.input = (hn_desc){HN_F32, 4, {ROWS, SIDE, SIDE, CHANNELS}};
    o.micro_batch = micro_batch;
    return o;
}

static hn_hybrid *made(hn_context *context, method m, bool norms, int64_t micro_batch)
{
    hn_hybrid_parts parts = {.struct_size = sizeof parts};
    hn_projection_options head;
    hn_projection_options_init(&head, sizeof head);
    head.in = WIDTH;
    head.out = DIM;
    parts.backbone = backbone(context, norms);
    hnt_ok(hn_projection_create(&parts.projection, context, &head));
    hnt_ok(hn_linear_create(&parts.classifier, context, WIDTH, CLASSES, 1));
    hnt_ok(hn_loss_create_ce(&parts.classifier_loss, context, CLASSES, NULL));
    parts.feature_loss = feature_loss(context, m);
    const hn_hybrid_options o = options_of(micro_batch);
    hn_hybrid *h = NULL;
    hnt_ok(hn_hybrid_create(&h, context, &parts, &o));
    hn_rng rng;
    hn_rng_seed(&rng, 1, 0);
    hnt_ok(hn_hybrid_init_params(h, &rng));
    return h;
}

/* Two batches of noise; the second is smaller. */
typedef struct noise {
    hn_tensor *images[2];
    int32_t labels[ROWS];
    hn_batch batches[2];
} noise;

static void make_noise(hn_context *context, noise *x)
{
    for (int i = 0; i < ROWS; ++i)
        x->labels[i] = i % CLASSES;
    for (int b = 0; b < 2; ++b) {
        const hn_desc desc = {HN_F32, 4, {ROWS - 3 * b, SIDE, SIDE, CHANNELS}};
        hnt_ok(hn_tensor_create(&x->images[b], context, &desc));
        hnt_normal((uint64_t)b + 1, hn_tensor_data(x->images[b]), hn_tensor_count(x->images[b]));
        x->batches[b] = (hn_batch){.struct_size = sizeof(hn_batch), .images = x->images[b], .labels = x->labels};
    }
}

static void drop_noise(noise *x)
{
    hn_tensor_destroy(x->images[0]);
    hn_tensor_destroy(x->images[1]);
}

static hn_param param_of(const hn_hybrid *h, int64_t i)
{
    hn_param param = {.struct_size = sizeof param};
    hnt_ok(hn_hybrid_param(h, i, &param));
    return param;
}

/* ---- gradients ------------------------------------------------------------------------------------------------------ */

static double squares(const float *a, const float *b, int64_t n)
{
    double sum = 0.0;
    for (int64_t i = 0; i < n; ++i)
        sum += pow((double)a[i] - (b != NULL ? (double)b[i] : 0.0), 2);
    return sum;
}

/* |got - want| <= 1e-5 |want| for all gradients together; one by one, where BLAS' rounding of the terms that cancel weighs
 * more, and another BLAS and CPU rounds otherwise, a millionth of all together is allowed beside.                          */
static void near_in_norm(const hn_hybrid *h, const hn_hybrid *reference)
{
    double off = 0.0, all = 0.0;
    for (int64_t i = 0; i < hn_hybrid_param_count(reference); ++i) {
        const hn_param want = param_of(reference, i);
        all += want.grad == NULL ? 0.0 : squares(hn_tensor_cdata(want.grad), NULL, hn_tensor_count(want.grad));
    }
    for (int64_t i = 0; i < hn_hybrid_param_count(reference); ++i) {
        const hn_param want = param_of(reference, i), got = param_of(h, i);
        if (want.grad == NULL)
            continue;
        const float *w = hn_tensor_cdata(want.grad), *g = hn_tensor_cdata(got.grad);
        const double difference = squares(g, w, hn_tensor_count(want.grad)),
                     length = squares(w, NULL, hn_tensor_count(want.grad));
        ck_assert_msg(length > 0.0 && sqrt(difference) <= 1e-5 * sqrt(length) + 1e-6 * sqrt(all),
                      "%s: %g of %g, all: %g", want.name, sqrt(difference), sqrt(length), sqrt(all));
        off += difference;
    }
    ck_assert_msg(sqrt(off) <= 1e-5 * sqrt(all), "all gradients: %g of %g", sqrt(off), sqrt(all));
}

/* Without batch norms every gradient is the whole batch's. The learning rate is 0: both stay on the same weights. */
static void gradients_are_the_whole_batchs(method m, int64_t micro_batch)
{
    hn_context *context = hnt_context(2);
    hn_hybrid *whole = made(context, m, false, 0), *parts = made(context, m, false, micro_batch);
    noise x;
    make_noise(context, &x);
    hn_hybrid_losses a = {.struct_size = sizeof a}, b = {.struct_size = sizeof b};
    for (int step = 0; step < 2; ++step) { /* the second finds KCL's queue filled */
        hnt_ok(hn_hybrid_step(whole, &x.batches[0], &x.batches[1], 0.6, 0.0, &a));
        hnt_ok(hn_hybrid_step(parts, &x.batches[0], &x.batches[1], 0.6, 0.0, &b));
        hnt_close_d("feature loss", b.loss_feature, a.loss_feature, 1e-6);
        hnt_close_d("classifier loss", b.loss_classifier, a.loss_classifier, 1e-6);
        near_in_norm(parts, whole);
    }
    drop_noise(&x);
    hn_hybrid_destroy(whole);
    hn_hybrid_destroy(parts);
    hn_context_destroy(context);
}

START_TEST(gradients_equal_the_undivided_batchs)
{
    static const int64_t sizes[] = {1, 3, 7, 11, 21};
    for (int m = 0; m < METHODS; ++m)
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; ++i)
            gradients_are_the_whole_batchs((method)m, sizes[i]);
}
END_TEST

/* The plain way to the same: an executor a part, all held, the loss of all rows, then backward. micro_batch 8 makes three
 * parts of the 22 rows: 7, 7 and 8. */
typedef struct plain {
    hn_layer *layers[2]; /* backbone, projection */
    hn_exec *exec[3][2];
    hn_tensor *part[3], *dfeatures[3], *doutput[3];
} plain;

static const int64_t bounds[4] = {0, 7, 14, 22};

static void copy_params(const hn_hybrid *from, plain *to)
{
    for (int k = 0; k < 2; ++k)
        for (int64_t i = 0; i < hn_layer_param_count(to->layers[k]); ++i) {
            hn_param want = {.struct_size = sizeof want};
            char name[300];
            hnt_ok(hn_layer_param(to->layers[k], i, &want));
            snprintf(name, sizeof name, "%s%s", k == 0 ? "" : "projection.", want.name);
            for (int64_t j = 0; j < hn_hybrid_param_count(from); ++j)
                if (strcmp(param_of(from, j).name, name) == 0)
                    memcpy(hn_tensor_data(want.value), hn_tensor_cdata(param_of(from, j).value),
                           hn_tensor_bytes(want.value));
        }
}

static void make_plain(hn_context *context, plain *p, const hn_hybrid *from, const hn_tensor *images)
{
    hn_projection_options head;
    hn_projection_options_init(&head, sizeof head);
    head.in = WIDTH;
    head.out = DIM;
    p->layers[0] = backbone(context, true);
    hnt_ok(hn_projection_create(&p->layers[1], context, &head));
    copy_params(from, p);
    for (int k = 0; k < 3; ++k) {
        const int64_t n = bounds[k + 1] - bounds[k], pixels = SIDE * SIDE * CHANNELS;
        const hn_desc input = {HN_F32, 4, {n, SIDE, SIDE, CHANNELS}}, features = {HN_F32, 2, {n, WIDTH}},
                      output = {HN_F32, 2, {n, DIM}};
        hnt_ok(hn_exec_create(&p->exec[k][0], context, p->layers[0], &input, HN_MODE_TRAIN));
        hnt_ok(hn_exec_create(&p->exec[k][1], context, p->layers[1], &features, HN_MODE_TRAIN));
        hnt_ok(hn_tensor_create(&p->part[k], context, &input));
        hnt_ok(hn_tensor_create(&p->dfeatures[k], context, &features));
        hnt_ok(hn_tensor_create(&p->doutput[k], context, &output));
        memcpy(hn_tensor_data(p->part[k]), (const float *)hn_tensor_cdata(images) + bounds[k] * pixels,
               hn_tensor_bytes(p->part[k]));
    }
}

static void run_plain(hn_context *context, plain *p, const int32_t *labels)
{
    float z[ROWS * DIM], dz[ROWS * DIM];
    for (int k = 0; k < 3; ++k) {
        const hn_tensor *features, *output;
        hnt_ok(hn_exec_forward(p->exec[k][0], p->part[k], &features));
        hnt_ok(hn_exec_forward(p->exec[k][1], features, &output));
        memcpy(z + bounds[k] * DIM, hn_tensor_cdata(output), hn_tensor_bytes(output));
    }
    hn_loss *loss = feature_loss(context, SC);
    const hn_desc desc = {HN_F32, 2, {ROWS, DIM}};
    hn_tensor *input, *gradient;
    hnt_ok(hn_tensor_create(&input, context, &desc));
    hnt_ok(hn_tensor_create(&gradient, context, &desc));
    memcpy(hn_tensor_data(input), z, sizeof z);
    hnt_ok(hn_loss_apply(loss, input, labels, 1.0f, NULL, gradient));
    memcpy(dz, hn_tensor_cdata(gradient), sizeof dz);
    for (int k = 2; k >= 0; --k) {
        memcpy(hn_tensor_data(p->doutput[k]), dz + bounds[k] * DIM, hn_tensor_bytes(p->doutput[k]));
        hnt_ok(hn_exec_backward(p->exec[k][1], p->doutput[k], p->dfeatures[k]));
        hnt_ok(hn_exec_backward(p->exec[k][0], p->dfeatures[k], NULL));
    }
    hn_tensor_destroy(input);
    hn_tensor_destroy(gradient);
    hn_loss_destroy(loss);
}

static void drop_plain(plain *p)
{
    for (int k = 0; k < 3; ++k) {
        hn_exec_destroy(p->exec[k][0]);
        hn_exec_destroy(p->exec[k][1]);
        hn_tensor_destroy(p->part[k]);
        hn_tensor_destroy(p->dfeatures[k]);
        hn_tensor_destroy(p->doutput[k]);
    }
    hn_layer_destroy(p->layers[0]);
    hn_layer_destroy(p->layers[1]);
}

/* Batch norms normalise each part by itself, and count it once in their running statistics. */
START_TEST(batch_norms_see_each_part_once)
{
    hn_context *context = hnt_context(2);
    hn_hybrid *h = made(context, SC, true, 8);
    noise x;
    plain p = {0};
    make_noise(context, &x);
    make_plain(context, &p, h, x.images[0]);
    run_plain(context, &p, x.labels);
    hnt_ok(hn_hybrid_step(h, &x.batches[0], NULL, 1.0, 0.0, NULL));
    int compared = 0;
    for (int64_t i = 0; i < hn_layer_param_count(p.layers[0]); ++i) {
        hn_param want = {.struct_size = sizeof want};
        hnt_ok(hn_layer_param(p.layers[0], i, &want));
        const hn_param got = param_of(h, i);
        ck_assert_str_eq(got.name, want.name);
        const hn_tensor *a = want.grad == NULL ? want.value : want.grad, *b = got.grad == NULL ? got.value : got.grad;
        ck_assert_msg(memcmp(hn_tensor_cdata(a), hn_tensor_cdata(b), hn_tensor_bytes(a)) == 0, "%s differs", got.name);
        compared += want.grad == NULL;
    }
    ck_assert_int_eq(compared, 4); /* running statistics of two units */
    drop_plain(&p);
    drop_noise(&x);
    hn_hybrid_destroy(h);
    hn_context_destroy(context);
}
END_TEST

/* ---- inference, freezing, bits -------------------------------------------------------------------------------------- */

static void predict(hn_hybrid *h, const hn_tensor *images, float *logits, float *features)
{
    hn_matf l = {logits, ROWS, CLASSES, CLASSES}, f = {features, ROWS, WIDTH, WIDTH + 1};
    hnt_ok(hn_hybrid_predict(h, images, &l));
    hnt_ok(hn_hybrid_features(h, images, &f));
}

START_TEST(inference_in_parts_gives_the_same)
{
    hn_context *context = hnt_context(1);
    hn_hybrid *whole = made(context, PSC, true, 0), *parts = made(context, PSC, true, 4);
    float logits[2][ROWS * CLASSES] = {{0}}, features[2][ROWS * (WIDTH + 1)] = {{0}};
    noise x;
    make_noise(context, &x);
    predict(whole, x.images[0], logits[0], features[0]);
    predict(parts, x.images[0], logits[1], features[1]);
    hnt_close_f("logits", logits[1], logits[0], ROWS * CLASSES, 1e-6);
    hnt_close_f("features", features[1], features[0], ROWS * (WIDTH + 1), 1e-6);
    drop_noise(&x);
    hn_hybrid_destroy(whole);
    hn_hybrid_destroy(parts);
    hn_context_destroy(context);
}
END_TEST

START_TEST(a_frozen_backbone_takes_parts_too)
{
    hn_context *context = hnt_context(1);
    hn_hybrid *whole = made(context, PSC, true, 0), *parts = made(context, PSC, true, 5);
    noise x;
    make_noise(context, &x);
    hnt_ok(hn_hybrid_freeze_backbone(whole, 1));
    hnt_ok(hn_hybrid_freeze_backbone(parts, 1));
    hnt_ok(hn_hybrid_step(whole, &x.batches[0], &x.batches[1], 0.5, 0.1, NULL));
    hnt_ok(hn_hybrid_step(parts, &x.batches[0], &x.batches[1], 0.5, 0.1, NULL));
    for (int64_t i = 0; i < hn_hybrid_param_count(whole); ++i) {
        const hn_param want = param_of(whole, i), got = param_of(parts, i);
        hnt_close_f(want.name, hn_tensor_cdata(got.value), hn_tensor_cdata(want.value), hn_tensor_count(want.value),
                    1e-5);
    }
    drop_noise(&x);
    hn_hybrid_destroy(whole);
    hn_hybrid_destroy(parts);
    hn_context_destroy(context);
}
END_TEST

static void train(int32_t threads, float *values, int64_t *count)
{
    hn_context *context = hnt_context(threads);
    hn_hybrid *h = made(context, SC, true, 6);
    noise x;
    make_noise(context, &x);
    for (int step = 0; step < 4; ++step)
        hnt_ok(hn_hybrid_step(h, &x.batches[0], &x.batches[1], 0.6, 0.1, NULL));
    *count = 0;
    for (int64_t i = 0; i < hn_hybrid_param_count(h); ++i) {
        const hn_param p = param_of(h, i);
        memcpy(values + *count, hn_tensor_cdata(p.value), hn_tensor_bytes(p.value));
        *count += hn_tensor_count(p.value);
    }
    drop_noise(&x);
    hn_hybrid_destroy(h);
    hn_context_destroy(context);
}

START_TEST(parts_have_the_same_bits_on_any_number_of_threads)
{
    static float one[8192], more[8192];
    int64_t n, m;
    train(1, one, &n);
    for (int32_t threads = 2; threads <= 3; ++threads) {
        train(threads, more, &m);
        ck_assert_int_eq(n, m);
        ck_assert(memcmp(one, more, (size_t)n * sizeof(float)) == 0);
    }
}
END_TEST

/* ---- memory and misuse ---------------------------------------------------------------------------------------------- */

/* Memory alive once a step has been taken, and whether another takes more. */
static int64_t bytes_of(int64_t micro_batch)
{
    hnt_counter counter = {.fail_at = -1};
    hn_context *context = NULL;
    hnt_ok(hnt_counting_context(&context, &counter, 1));
    noise x;
    make_noise(context, &x);
    hn_hybrid *h = made(context, SC, true, micro_batch);
    hnt_ok(hn_hybrid_step(h, &x.batches[0], &x.batches[1], 0.5, 0.1, NULL));
    const int64_t calls = counter.calls, bytes = counter.alive_bytes;
    hnt_ok(hn_hybrid_step(h, &x.batches[0], &x.batches[1], 0.5, 0.1, NULL));
    ck_assert_int_eq(counter.calls, calls);
    drop_noise(&x);
    hn_hybrid_destroy(h);
    hn_context_destroy(context);
    ck_assert_int_eq(counter.alive, 0);
    return bytes;
}

/* Images and scratch stay; what is held for backward is a part's. */
START_TEST(memory_is_that_of_a_part)
{
    const int64_t whole = bytes_of(0), half = bytes_of(11), few = bytes_of(2);
    ck_assert_msg(half < whole && few < half, "%lld, %lld, %lld bytes", (long long)whole, (long long)half,
                  (long long)few);
    ck_assert_int_gt(whole - few, ROWS / 2 * SIDE * SIDE * WIDTH * 2 * (int64_t)sizeof(float));
    ck_assert_int_eq(bytes_of(ROWS), whole);
    ck_assert_int_eq(bytes_of(1000), whole);
}
END_TEST

START_TEST(misuse_is_named)
{
    hn_context *context = hnt_context(1);
    hn_hybrid *h = made(context, SC, true, 4), *none = NULL;
    noise x;
    make_noise(context, &x);
    const hn_desc desc = {HN_F32, 4, {ROWS + 1, SIDE, SIDE, CHANNELS}}, flat = {HN_F32, 2, {4, 6}};
    hn_tensor *many, *rows;
    hnt_ok(hn_tensor_create(&many, context, &desc));
    hnt_ok(hn_tensor_create(&rows, context, &flat));
    float logits[(ROWS + 1) * CLASSES];
    hn_matf m = {logits, ROWS + 1, CLASSES, CLASSES}, four = {logits, 4, CLASSES, CLASSES};
    hnt_fails(hn_hybrid_predict(h, many, &m), HN_E_SHAPE, "1 to 22 rows");
    hnt_fails(hn_hybrid_predict(h, rows, &four), HN_E_SHAPE, "f32 4x6");
    hn_batch batch = x.batches[0];
    batch.images = rows;
    hnt_fails(hn_hybrid_step(h, &batch, &x.batches[1], 0.5, 0.1, NULL), HN_E_SHAPE, "f32 4x6");
    hn_hybrid_parts parts = {.struct_size = sizeof parts};
    parts.backbone = backbone(context, true);
    hnt_ok(hn_linear_create(&parts.classifier, context, WIDTH, CLASSES, 1));
    hnt_ok(hn_loss_create_ce(&parts.classifier_loss, context, CLASSES, NULL));
    const hn_hybrid_options o = options_of(-1);
    hnt_fails(hn_hybrid_create(&none, context, &parts, &o), HN_E_ARG, "micro_batch is -1");
    ck_assert_ptr_null(none);
    hn_layer_destroy(parts.backbone);
    hn_layer_destroy(parts.classifier);
    hn_loss_destroy(parts.classifier_loss);
    hn_tensor_destroy(many);
    hn_tensor_destroy(rows);
    drop_noise(&x);
    hn_hybrid_destroy(h);
    hn_context_destroy(context);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("micro_batch");
    TCase *unit = hnt_case(s, "unit"), *grad = hnt_case(s, "grad");
    tcase_add_test(unit, inference_in_parts_gives_the_same);
    tcase_add_test(unit, a_frozen_backbone_takes_parts_too);
    tcase_add_test(unit, memory_is_that_of_a_part);
    tcase_add_test(unit, misuse_is_named);
    tcase_add_test(grad, gradients_equal_the_undivided_batchs);
    tcase_add_test(grad, batch_norms_see_each_part_once);
    tcase_add_test(hnt_case(s, "repro"), parts_have_the_same_bits_on_any_number_of_threads);
    return s;
}

HNT_MAIN(suite)
