/* Whose batches the running statistics follow: hn_hybrid_options.statistics. */
#include "hybrid_case.h"

#include <stdlib.h>
#include <string.h>

enum { ROWS = 12, MICRO = 5 };

typedef struct batches {
    hn_tensor *images[2];
    int32_t labels[ROWS];
    hn_batch feature, classifier;
} batches;

static void make_batches(batches *b, hn_context *context)
{
    for (int i = 0; i < 2; ++i)
        b->images[i] = hnt_hybrid_images(context, ROWS, 7 + (uint64_t)i);
    for (int i = 0; i < ROWS; ++i)
        b->labels[i] = i % HNT_HYBRID_CLASSES;
    b->feature = (hn_batch){.struct_size = sizeof b->feature, .images = b->images[0], .labels = b->labels, .n = ROWS};
    b->classifier =
        (hn_batch){.struct_size = sizeof b->feature, .images = b->images[1], .labels = b->labels, .n = ROWS};
}

/* A network from the same beginning, after one step. */
static hn_hybrid *after_a_step(hn_context *context, const batches *b, int32_t statistics, int64_t micro_batch,
                               double alpha)
{
    hn_hybrid_options o;
    hn_hybrid_options_init(&o, sizeof o);
    o.statistics = statistics;
    o.micro_batch = micro_batch;
    hn_hybrid *h = hnt_hybrid(context, ROWS, 1, &o, 3);
    hnt_ok(hn_hybrid_step(h, &b->feature, &b->classifier, alpha, 0.1, NULL));
    return h;
}

/* How many buffers (or parameters) of two networks differ, of how many. */
static int64_t differing(const hn_hybrid *a, const hn_hybrid *b, int buffers, int64_t *of)
{
    int64_t n = 0;
    *of = 0;
    for (int64_t i = 0; i < hn_hybrid_param_count(a); ++i) {
        hn_param p = {.struct_size = sizeof p}, q = {.struct_size = sizeof q};
        hnt_ok(hn_hybrid_param(a, i, &p));
        hnt_ok(hn_hybrid_param(b, i, &q));
        if ((p.grad == NULL) != buffers)
            continue;
        ++*of;
        n += memcmp(hn_tensor_cdata(p.value), hn_tensor_cdata(q.value), hn_tensor_bytes(p.value)) != 0;
    }
    return n;
}

/* The classifier's alone: those of a step without the other branch, while weights move as ever. In parts, too. */
START_TEST(they_follow_the_classifier_where_asked)
{
    static const int64_t parts[] = {0, MICRO};
    hn_context *context = hnt_context(2);
    batches b;
    make_batches(&b, context);
    for (int i = 0; i < 2; ++i) {
        hn_hybrid *both = after_a_step(context, &b, HN_STATISTICS_BOTH, parts[i], 0.5),
                  *one = after_a_step(context, &b, HN_STATISTICS_CLASSIFIER, parts[i], 0.5),
                  *alone = after_a_step(context, &b, HN_STATISTICS_BOTH, parts[i], 0.0);
        int64_t of;
        ck_assert_int_eq(differing(one, alone, 1, &of), 0);
        ck_assert_int_gt(of, 10);
        ck_assert_int_eq(differing(one, both, 1, &of), of);
        ck_assert_int_eq(differing(one, both, 0, &of), 0);
        ck_assert_int_gt(differing(one, alone, 0, &of), of / 2);
        hn_hybrid_destroy(alone);
        hn_hybrid_destroy(one);
        hn_hybrid_destroy(both);
    }
    hn_tensor_destroy(b.images[0]);
    hn_tensor_destroy(b.images[1]);
    hn_context_destroy(context);
}
END_TEST

/* With alpha 1 there is only the feature branch to follow. */
START_TEST(they_follow_the_feature_branch_where_it_is_alone)
{
    hn_context *context = hnt_context(1);
    batches b;
    make_batches(&b, context);
    hn_hybrid *both = after_a_step(context, &b, HN_STATISTICS_BOTH, 0, 1.0),
              *one = after_a_step(context, &b, HN_STATISTICS_CLASSIFIER, 0, 1.0);
    int64_t of;
    ck_assert_int_eq(differing(one, both, 1, &of), 0);
    hn_hybrid_destroy(one);
    hn_hybrid_destroy(both);
    hn_tensor_destroy(b.images[0]);
    hn_tensor_destroy(b.images[1]);
    hn_context_destroy(context);
}
END_TEST

START_TEST(another_value_is_refused)
{
    hn_context *context = hnt_context(1);
    hn_hybrid_parts parts = {.struct_size = sizeof parts};
    hn_hybrid_options o;
    hn_hybrid_options_init(&o, sizeof o);
    ck_assert_int_eq(o.statistics, HN_STATISTICS_BOTH);
    hnt_ok(hn_global_avg_pool_create(&parts.backbone, context));
    hnt_ok(hn_linear_create(&parts.classifier, context, 3, HNT_HYBRID_CLASSES, 1));
    hnt_ok(hn_loss_create_ce(&parts.classifier_loss, context, HNT_HYBRID_CLASSES, NULL));
    o.input = (hn_desc){HN_F32, 4, {ROWS, 2, 2, 3}};
    o.statistics = 2;
    hn_hybrid *none = NULL;
    hnt_fails(hn_hybrid_create(&none, context, &parts, &o), HN_E_ARG, "statistics is 2");
    ck_assert_ptr_null(none);
    o.statistics = HN_STATISTICS_BOTH;
    hnt_ok(hn_hybrid_create(&none, context, &parts, &o));
    hn_hybrid_destroy(none);
    hn_context_destroy(context);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("running_statistics");
    TCase *unit = hnt_case(s, "unit");
    tcase_add_test(unit, they_follow_the_classifier_where_asked);
    tcase_add_test(unit, they_follow_the_feature_branch_where_it_is_alone);
    tcase_add_test(unit, another_value_is_refused);
    return s;
}

HNT_MAIN(suite)
