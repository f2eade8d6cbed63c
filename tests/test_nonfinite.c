/* A step that meets a NaN or an infinity: what it names, and that nothing has changed. */
#include "hybrid_case.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = HNT_HYBRID_SIDE, CHANNELS = 3, ROWS = 12, CLASSES = HNT_HYBRID_CLASSES, FEATURES = HNT_HYBRID_FEATURES };

/* Two views of six images in the feature batch, twelve images in the classifier's. */
typedef struct noise {
    hn_tensor *images[2];
    int32_t labels[ROWS];
    int64_t index[ROWS];
    hn_batch batches[2];
} noise;

static void make_noise(hn_context *context, noise *x)
{
    for (int i = 0; i < ROWS; ++i) {
        x->labels[i] = i % CLASSES;
        x->index[i] = 100 + i;
    }
    for (int b = 0; b < 2; ++b) {
        x->images[b] = hnt_hybrid_images(context, ROWS, (uint64_t)b + 1);
        x->batches[b] = (hn_batch){.struct_size = sizeof(hn_batch),
                                   .images = x->images[b],
                                   .labels = x->labels,
                                   .index = x->index,
                                   .n = b == 0 ? ROWS / 2 : ROWS};
    }
}

static void drop_noise(noise *x)
{
    hn_tensor_destroy(x->images[0]);
    hn_tensor_destroy(x->images[1]);
}

static hn_tensor *value_of(const hn_hybrid *h, const char *name)
{
    for (int64_t i = 0; i < hn_hybrid_param_count(h); ++i) {
        hn_param param = {.struct_size = sizeof param};
        hnt_ok(hn_hybrid_param(h, i, &param));
        if (strcmp(param.name, name) == 0)
            return param.value;
    }
    ck_abort_msg("there is no %s", name);
    return NULL;
}

/* All values, running statistics too. */
static float *copy_of(const hn_hybrid *h, int64_t *count)
{
    *count = 0;
    float *values = NULL;
    for (int pass = 0; pass < 2; ++pass) {
        int64_t n = 0;
        for (int64_t i = 0; i < hn_hybrid_param_count(h); ++i) {
            hn_param param = {.struct_size = sizeof param};
            hnt_ok(hn_hybrid_param(h, i, &param));
            if (pass == 1)
                memcpy(values + n, hn_tensor_cdata(param.value), hn_tensor_bytes(param.value));
            n += hn_tensor_count(param.value);
        }
        if (pass == 0)
            values = hnt_alloc((size_t)n * sizeof(float));
        *count = n;
    }
    return values;
}

static void step_fails(hn_hybrid *h, const noise *x, const char *sentence)
{
    int64_t n, m;
    float *before = copy_of(h, &n);
    hn_hybrid_losses losses = {.struct_size = sizeof losses, .loss = 17.0};
    hnt_fails(hn_hybrid_step(h, &x->batches[0], &x->batches[1], 0.5, 0.1, &losses), HN_E_NONFINITE, sentence);
    float *after = copy_of(h, &m);
    ck_assert(memcmp(before, after, (size_t)n * sizeof(float)) == 0);
    ck_assert(losses.loss == 17.0);
    free(before);
    free(after);
}

static hn_hybrid_options clip_at(double norm)
{
    hn_hybrid_options o;
    hn_hybrid_options_init(&o, sizeof o);
    o.clip_norm = norm;
    return o;
}

/* In the second batch: the first has then been through the network, and its statistics must go. */
START_TEST(a_pixel_that_is_nan_names_its_image)
{
    hn_context *context = hnt_context(2);
    hn_hybrid *h = hnt_hybrid(context, ROWS, 1, NULL, 1);
    noise x;
    make_noise(context, &x);
    hnt_ok(hn_hybrid_step(h, &x.batches[0], &x.batches[1], 0.5, 0.1, NULL));
    float *pixels = hn_tensor_data(x.images[1]), before = pixels[7];
    pixels[7] = NAN;
    step_fails(h, &x, "of the classifier batch (image 1");
    pixels[7] = before;
    hnt_ok(hn_hybrid_step(h, &x.batches[0], &x.batches[1], 0.5, 0.1, NULL)); /* the batch can be left out */
    drop_noise(&x);
    hn_hybrid_destroy(h);
    hn_context_destroy(context);
}
END_TEST

/* Inference's statistics do not mix rows: the row that is named is the one with the pixel. */
START_TEST(the_row_is_named_where_rows_do_not_mix)
{
    hn_context *context = hnt_context(1);
    hn_hybrid *h = hnt_hybrid(context, ROWS, 1, NULL, 1);
    noise x;
    make_noise(context, &x);
    hnt_ok(hn_hybrid_freeze_backbone(h, 1));
    ((float *)hn_tensor_data(x.images[0]))[8 * SIDE * SIDE * CHANNELS + 5] = INFINITY;
    step_fails(h, &x, "for row 8 of the feature batch (image 102, view 1)");
    x.batches[0].index = NULL;
    step_fails(h, &x, "for row 8 of the feature batch");
    drop_noise(&x);
    hn_hybrid_destroy(h);
    hn_context_destroy(context);
}
END_TEST

/* Logits of 1e38 are finite, and so is their cross-entropy; their gradient becomes too large on its way back through a batch
 * norm that multiplies by 300, having next to no variance to divide by. */
static void make_gradient_too_large(hn_hybrid *h)
{
    float *weight = hn_tensor_data(value_of(h, "fc.weight"));
    for (int i = 0; i < CLASSES * FEATURES; ++i)
        weight[i] = i % FEATURES == i / FEATURES ? 1e38f : 0.0f;
    hn_tensor *conv = value_of(h, "layer3.0.conv2.weight");
    for (int64_t i = 0; i < hn_tensor_count(conv); ++i)
        ((float *)hn_tensor_data(conv))[i] *= 1e-4f;
}

START_TEST(a_gradient_that_is_not_finite_names_its_parameter)
{
    hn_context *context = hnt_context(1);
    const hn_hybrid_options clipping = clip_at(1.0);
    hn_hybrid *h = hnt_hybrid(context, ROWS, 1, &clipping, 1);
    noise x;
    make_noise(context, &x);
    make_gradient_too_large(h);
    step_fails(h, &x, "the gradient of ");
    drop_noise(&x);
    hn_hybrid_destroy(h);
    hn_context_destroy(context);
}
END_TEST

/* One step from equal weights: clipped, weights move by the same direction and lr times the norm allowed. */
START_TEST(clipping_limits_the_step)
{
    hn_context *context = hnt_context(1);
    const hn_hybrid_options clipping = clip_at(0.01);
    hn_hybrid *free_one = hnt_hybrid(context, ROWS, 1, NULL, 1), *clipped = hnt_hybrid(context, ROWS, 1, &clipping, 1);
    noise x;
    make_noise(context, &x);
    hn_hybrid_losses a = {.struct_size = sizeof a}, b = {.struct_size = sizeof b};
    int64_t n;
    float *start = copy_of(clipped, &n);
    hnt_ok(hn_hybrid_step(free_one, &x.batches[0], &x.batches[1], 0.5, 1.0, &a));
    hnt_ok(hn_hybrid_step(clipped, &x.batches[0], &x.batches[1], 0.5, 1.0, &b));
    ck_assert(a.gradient_norm > 0.01);
    hnt_close_d("norm before clipping", b.gradient_norm, a.gradient_norm, 1e-12);
    double moved = 0.0;
    int64_t at = 0;
    for (int64_t i = 0; i < hn_hybrid_param_count(clipped); ++i) {
        hn_param param = {.struct_size = sizeof param};
        hnt_ok(hn_hybrid_param(clipped, i, &param));
        const float *value = hn_tensor_cdata(param.value);
        for (int64_t k = 0; k < hn_tensor_count(param.value); ++k, ++at)
            if (param.grad != NULL) /* the weight decay of the default options comes on top */
                moved += pow((double)(value[k] - start[at]) + 1e-4 * (double)start[at], 2);
    }
    hnt_close_d("way", sqrt(moved), 0.01, 1e-3);
    free(start);
    drop_noise(&x);
    hn_hybrid_destroy(free_one);
    hn_hybrid_destroy(clipped);
    hn_context_destroy(context);
}
END_TEST

/* Two networks of one beginning that have taken a step. One of them is then to fail. */
typedef struct twins {
    hn_context *context;
    hn_hybrid *failing, *spared;
    noise x;
} twins;

/* masked: the branch, 0 for feature or 1 for classifier, whose cross-entropy gives the class 2 no probability: a row of that
 * class, which there is none of yet, has a loss of infinity. -1: none.                                                    */
static hn_hybrid *twin(hn_context *context, int64_t micro_batch, int masked)
{
    static const int64_t columns[2] = {HNT_HYBRID_DIM, CLASSES};
    static const float adjustment[HNT_HYBRID_DIM] = {[CLASSES - 1] = -INFINITY};
    hn_hybrid_options settings;
    hn_hybrid_options_init(&settings, sizeof settings);
    settings.micro_batch = micro_batch;
    if (masked < 0)
        return hnt_hybrid(context, ROWS, 1, &settings, 1);
    hn_loss *losses[2] = {NULL, NULL};
    for (int b = 0; b < 2; ++b) {
        hn_loss_ce_options o;
        hn_loss_ce_options_init(&o, sizeof o);
        o.logit_adjustment = b == masked ? adjustment : NULL;
        hnt_ok(hn_loss_create_ce(&losses[b], context, columns[b], &o));
    }
    return hnt_hybrid_of(context, ROWS, losses[0], losses[1], &settings, 1);
}

static void open_twins(twins *t, int64_t micro_batch, int masked)
{
    t->context = hnt_context(1);
    t->failing = twin(t->context, micro_batch, masked);
    t->spared = twin(t->context, micro_batch, masked);
    make_noise(t->context, &t->x);
    for (int i = 0; masked >= 0 && i < ROWS; ++i)
        t->x.labels[i] = i % (CLASSES - 1);
    hnt_ok(hn_hybrid_step(t->failing, &t->x.batches[0], &t->x.batches[1], 0.5, 0.1, NULL));
    hnt_ok(hn_hybrid_step(t->spared, &t->x.batches[0], &t->x.batches[1], 0.5, 0.1, NULL));
}

/* Another step, which starts from the momentum, too: nothing tells one from the other. */
static void close_twins(twins *t)
{
    hnt_ok(hn_hybrid_step(t->failing, &t->x.batches[0], &t->x.batches[1], 0.5, 0.1, NULL));
    hnt_ok(hn_hybrid_step(t->spared, &t->x.batches[0], &t->x.batches[1], 0.5, 0.1, NULL));
    const char *name = hnt_hybrid_difference(t->failing, t->spared);
    ck_assert_msg(name == NULL, "%s differs after a step that has failed", name);
    drop_noise(&t->x);
    hn_hybrid_destroy(t->failing);
    hn_hybrid_destroy(t->spared);
    hn_context_destroy(t->context);
}

START_TEST(a_failed_step_leaves_the_momentum)
{
    static const char *const sentences[2] = {"of the feature batch (image 10", "of the classifier batch (image 1"};
    static const int64_t parts[2] = {0, 5};
    for (int b = 0; b < 2; ++b)
        for (int i = 0; i < 2; ++i) {
            twins t;
            open_twins(&t, parts[i], -1);
            float *pixel = (float *)hn_tensor_data(t.x.images[b]) + 8 * SIDE * SIDE * CHANNELS, kept = *pixel;
            *pixel = NAN;
            step_fails(t.failing, &t.x, sentences[b]);
            *pixel = kept;
            close_twins(&t);
        }
    twins t; /* the last thing that is looked at before the update */
    open_twins(&t, 0, -1);
    make_gradient_too_large(t.failing);
    step_fails(t.failing, &t.x, "the gradient of ");
    hnt_hybrid_copy(t.failing, t.spared);
    close_twins(&t);
}
END_TEST

START_TEST(a_loss_that_is_not_finite_names_its_branch)
{
    static const char *const sentences[2] = {"the feature loss is inf", "the classifier loss is inf"};
    static const int64_t parts[2] = {0, 5};
    for (int b = 0; b < 2; ++b)
        for (int i = 0; i < 2; ++i) {
            twins t;
            open_twins(&t, parts[i], b);
            t.x.labels[3] = CLASSES - 1;
            step_fails(t.failing, &t.x, sentences[b]);
            t.x.labels[3] = 0;
            close_twins(&t);
        }
}
END_TEST

/* Logits that are finite, but not once they are scaled. */
START_TEST(a_loss_that_overflows_is_named)
{
    hn_context *context = hnt_context(1);
    hn_loss *feature = NULL, *classifier = NULL;
    hn_loss_ce_options o;
    hn_loss_ce_options_init(&o, sizeof o);
    o.logit_scale = 1e38f;
    hnt_ok(hn_loss_create_sc(&feature, context, NULL));
    hnt_ok(hn_loss_create_ce(&classifier, context, CLASSES, &o));
    hn_hybrid *h = hnt_hybrid_of(context, ROWS, feature, classifier, NULL, 1);
    noise x;
    make_noise(context, &x);
    float *weight = hn_tensor_data(value_of(h, "fc.weight"));
    for (int i = 0; i < CLASSES * FEATURES; ++i)
        weight[i] *= 1e3f;
    step_fails(h, &x, "the classifier loss is");
    drop_noise(&x);
    hn_hybrid_destroy(h);
    hn_context_destroy(context);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("nonfinite");
    TCase *unit = hnt_case(s, "unit");
    tcase_add_test(unit, a_pixel_that_is_nan_names_its_image);
    tcase_add_test(unit, the_row_is_named_where_rows_do_not_mix);
    tcase_add_test(unit, a_gradient_that_is_not_finite_names_its_parameter);
    tcase_add_test(unit, a_failed_step_leaves_the_momentum);
    tcase_add_test(unit, a_loss_that_is_not_finite_names_its_branch);
    tcase_add_test(unit, a_loss_that_overflows_is_named);
    tcase_add_test(unit, clipping_limits_the_step);
    return s;
}

HNT_MAIN(suite)
