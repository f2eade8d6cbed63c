/* An evaluation: it counts what the network predicts of a loader's images, in however many parts they go through it. */
#include "hybrid_case.h"

enum { IMAGES = 22, BATCH = 11, CLASSES = HNT_HYBRID_CLASSES, SIDE = HNT_HYBRID_SIDE, PIXELS = SIDE * SIDE * 3 };

/* Images of noise, brighter in one channel by their kind, and labels that are in no order; the loader shuffles them. */
typedef struct set {
    uint8_t pixels[IMAGES * PIXELS];
    int32_t labels[IMAGES];
    hn_loader *loader;
} set;

static void make_set(set *s, hn_context *context)
{
    static float noise[IMAGES * PIXELS];
    const hn_image_shape shape = {SIDE, SIDE, 3};
    hn_dataset *data = NULL;
    hn_sampler *sampler = NULL;
    hn_loader_options o;
    hnt_normal(5, noise, IMAGES * PIXELS);
    for (int k = 0; k < IMAGES * PIXELS; ++k) {
        const int level = (k / PIXELS) % 3 == k % 3 ? 190 : 60; /* of the kind's channel, and the others */
        s->pixels[k] = (uint8_t)(level + (int)(10.0f * noise[k]));
    }
    for (int i = 0; i < IMAGES; ++i) /* the kind, but for every fifth */
        s->labels[i] = (i + (i % 5 == 4)) % CLASSES;
    hnt_ok(hn_dataset_create_memory(&data, context, &shape, s->pixels, s->labels, IMAGES, CLASSES));
    hnt_ok(hn_sampler_create(&sampler, context, HN_SAMPLER_INSTANCE_BALANCED, s->labels, IMAGES, CLASSES, NULL));
    hn_loader_options_init(&o, sizeof o);
    o.batch = BATCH;
    o.workers = 0;
    hnt_ok(hn_loader_create(&s->loader, context, data, sampler, &o));
    hn_dataset_release(data);
}

static void train(hn_hybrid *h, hn_loader *loader)
{
    for (int k = 0; k < 45; ++k) {
        hn_batch batch = {.struct_size = sizeof batch};
        const hn_status status = hn_loader_next(loader, &batch);
        ck_assert(status == HN_OK || status == HN_END);
        if (status == HN_OK)
            hnt_ok(hn_hybrid_step(h, NULL, &batch, 0.0, 0.05, NULL));
    }
}

/* By hand: the largest logit of each image, its label by its place in the set; [true class x predicted]. */
static void count(hn_hybrid *h, const set *s, int64_t counts[CLASSES * CLASSES])
{
    for (;;) {
        hn_batch batch = {.struct_size = sizeof batch};
        float logits[BATCH * CLASSES];
        hn_matf matrix = {logits, BATCH, CLASSES, CLASSES};
        const hn_status status = hn_loader_next(s->loader, &batch);
        ck_assert(status == HN_OK || status == HN_END);
        if (status == HN_END)
            return;
        ck_assert_int_eq(batch.n, BATCH);
        hnt_ok(hn_hybrid_predict(h, batch.images, &matrix));
        for (int i = 0; i < BATCH; ++i) {
            int best = 0;
            for (int c = 1; c < CLASSES; ++c)
                if (logits[i * CLASSES + c] > logits[i * CLASSES + best])
                    best = c;
            counts[s->labels[batch.index[i]] * CLASSES + best]++;
        }
    }
}

/* One epoch, from the loader's first batch to the next epoch's; twice into the same metrics. */
static void evaluates_to(hn_hybrid *h, const set *s, hn_metrics *metrics, const int64_t counts[CLASSES * CLASSES])
{
    for (int times = 1; times <= 2; ++times) {
        int64_t epoch, batch;
        hnt_ok(hn_loader_seek(s->loader, 3, 0));
        hnt_ok(hn_hybrid_evaluate(h, s->loader, metrics));
        hn_loader_tell(s->loader, &epoch, &batch);
        ck_assert(epoch == 4 && batch == 0);
        const int64_t *got = hn_metrics_confusion(metrics);
        for (int k = 0; k < CLASSES * CLASSES; ++k)
            ck_assert_msg(got[k] == times * counts[k], "%lld images of class %d are taken for %d, not %lld",
                          (long long)got[k], k / CLASSES, k % CLASSES, (long long)(times * counts[k]));
    }
}

START_TEST(an_evaluation_in_parts_counts_the_same)
{
    hn_context *context = hnt_context(1);
    hn_hybrid_options settings;
    hn_hybrid_options_init(&settings, sizeof settings);
    settings.micro_batch = 4;
    hn_hybrid *whole = hnt_hybrid(context, BATCH, 1, NULL, 1), *parts = hnt_hybrid(context, BATCH, 1, &settings, 2);
    hn_metrics *of_whole = NULL, *of_parts = NULL;
    int64_t counts[CLASSES * CLASSES] = {0}, sum = 0, right = 0, predicted[CLASSES] = {0};
    static set s;
    make_set(&s, context);
    train(whole, s.loader);
    hnt_hybrid_copy(parts, whole);
    hnt_ok(hn_metrics_create(&of_whole, context, CLASSES, NULL));
    hnt_ok(hn_metrics_create(&of_parts, context, CLASSES, NULL));
    hnt_ok(hn_loader_seek(s.loader, 3, 0));
    count(whole, &s, counts);
    for (int k = 0; k < CLASSES * CLASSES; ++k) {
        sum += counts[k];
        right += k / CLASSES == k % CLASSES ? counts[k] : 0;
        predicted[k % CLASSES] += counts[k];
    }
    /* Labels of other rows would show: the predictions are of all classes, and neither all right nor all wrong. */
    ck_assert_int_eq(sum, IMAGES);
    ck_assert(right > IMAGES / 2 && right < IMAGES);
    for (int c = 0; c < CLASSES; ++c)
        ck_assert_int_gt(predicted[c], 2);
    evaluates_to(whole, &s, of_whole, counts);
    evaluates_to(parts, &s, of_parts, counts);
    hn_metrics_destroy(of_whole);
    hn_metrics_destroy(of_parts);
    hn_loader_destroy(s.loader);
    hn_hybrid_destroy(whole);
    hn_hybrid_destroy(parts);
    hn_context_destroy(context);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("evaluate");
    tcase_add_test(hnt_case(s, "unit"), an_evaluation_in_parts_counts_the_same);
    return s;
}

HNT_MAIN(suite)
