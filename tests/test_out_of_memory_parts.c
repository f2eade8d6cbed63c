/* Every allocation that a part of a training makes fails, once alone and once with all that follow: the first step, with each
 * loss, saving, going on. The training that was there before, and the files, are as they were, and the same call succeeds,
 * with the same bits, as soon as there is memory.                                                                       */
#include "checkpoint_case.h"
#include "failing_calls.h"
#include "reader_case.h"
#include "training_case.h"

#include <stdio.h>
#include <string.h>

/* ---- parts ---------------------------------------------------------------------------------------------------------- */

static hn_status evaluate(hnt_trainee *t)
{
    return hn_hybrid_evaluate(t->t.hybrid, t->test, t->metrics);
}

static hn_status freeze(hnt_trainee *t)
{
    return hn_hybrid_freeze_backbone(t->t.hybrid, 1);
}

static hn_status weigh(hnt_trainee *t)
{
    static const float weights[CLASSES] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    const hn_status status = hn_loss_set_class_weights(hn_hybrid_classifier_loss(t->t.hybrid), weights);
    return status < 0 ? status : hn_loss_begin_epoch(hn_hybrid_classifier_loss(t->t.hybrid), 3);
}

#ifdef HNI_HAVE_JANSSON

static hn_status load(hnt_trainee *t)
{
    return hn_hybrid_load(t->t.hybrid, hnt_trainee_weights(t), 1);
}

static hn_status save_checkpoint(hnt_trainee *t)
{
    t->t.epoch = 2; /* in place of the oldest */
    const hn_status status = hn_checkpoint_save(&t->t, t->out, 2, NULL, 0);
    t->t.epoch = 0;
    return status;
}

/* The older one is there, too: it must not be taken because there was no memory for the latest. */
static hn_status restore(hnt_trainee *t)
{
    hn_checkpoint *c = NULL;
    hn_status status = hn_checkpoint_open(&c, t->context, t->out);
    ck_assert((status == HN_OK) == (c != NULL));
    if (status == HN_OK) {
        ck_assert_int_eq(hn_checkpoint_epoch(c), 1);
        status = hn_checkpoint_restore(c, &t->t);
    }
    hn_checkpoint_close(c);
    return status;
}

#endif

typedef struct part {
    const char *name;
    hn_status (*act)(hnt_trainee *t);
    int64_t allocations; /* at least */
    bool frozen;         /* the training's backbone is, before */
} part;

static const part parts[] = {
    {"the first step", hnt_trainee_step, 1, false},
    {"evaluate", evaluate, 0, false},
    {"freeze", freeze, 2, false},
    {"class weights", weigh, 0, false},
#ifdef HNI_HAVE_JANSSON
    {"save", hnt_trainee_save_weights, 3, false},
    {"save_inference", hnt_trainee_save_inference, 3, false},
    {"load", load, 20, false},
    {"checkpoint_save", save_checkpoint, 50, false},
    {"checkpoint_open and _restore", restore, 50, false},
    {"into a frozen training", restore, 50, true},
#endif
};

/* A training with batches taken, and with two checkpoints and weights on disk, of other values. */
static void prepare(hnt_trainee *t, hn_context *context, const hnt_plan *plan, const part *p)
{
    const bool files = p->act != hnt_trainee_step;
    hn_rng rng;
    hn_rng_seed(&rng, 6, 0);
    hnt_empty(plan->out);
    hnt_ok(hnt_trainee_open(t, context, plan));
#ifdef HNI_HAVE_JANSSON
    for (int epoch = 0; epoch < 2 && files; ++epoch) {
        t->t.epoch = epoch;
        hnt_ok(hn_checkpoint_save(&t->t, t->out, 0, NULL, 0));
        hnt_ok(hn_hybrid_save(t->t.hybrid, hnt_trainee_weights(t)));
    }
#else
    (void)files;
#endif
    t->t.epoch = 0;
    hnt_ok(hn_hybrid_init_params(t->t.hybrid, &rng));
    if (p->frozen)
        hnt_ok(freeze(t));
    hnt_ok(hnt_trainee_take(t));
}

/* One allocation of the part fails, the k-th, or none for -1: HN_E_NOMEM if one did. */
static hn_status starve(const part *p, const hnt_plan *plan, int64_t k, int for_good, uint64_t want[2])
{
    const int losses = p->act != hnt_trainee_step; /* a queue may have taken its rows */
    hnt_counter counter = {.fail_at = -1, .for_good = for_good};
    hn_context *context = NULL;
    hnt_trainee t;
    hnt_ok(hnt_counting_context(&context, &counter, 1));
    prepare(&t, context, plan, p);
    const uint64_t before = hnt_trainee_sum(&t, losses), files = hnt_files_sum(plan->out);
    const int64_t alive = counter.alive, bytes = counter.alive_bytes;
    counter.fail_at = k < 0 ? -1 : counter.calls + k;
    hn_status status = p->act(&t);
    const int64_t failed = hnt_memory_is_back(context);
    if (failed > 0 && p->act != hnt_trainee_step) { /* where the other loss's scratch may have grown, and stays */
        ck_assert_int_eq(counter.alive, alive);
        ck_assert_int_eq(counter.alive_bytes, bytes);
    }
    if (failed > 0 && status == HN_OK) { /* the new one is whole, and that old ones stay is a warning */
        ck_assert_str_eq(p->name, "checkpoint_save");
        hnt_ok(p->act(&t));
    }
    if (status < 0) {
        hnt_fails(status, HN_E_NOMEM, "out of memory");
        ck_assert_msg(hnt_trainee_sum(&t, losses) == before, "%s, allocation %lld", p->name, (long long)k);
        ck_assert_msg(hnt_files_sum(plan->out) == files, "%s, allocation %lld: files", p->name, (long long)k);
        hnt_ok(p->act(&t));
    }
    const uint64_t got[2] = {hnt_trainee_sum(&t, losses), hnt_files_sum(plan->out)};
    if (k < 0)
        memcpy(want, got, sizeof got);
    ck_assert_msg(got[1] == want[1], "%s, allocation %lld: other files", p->name, (long long)k);
    ck_assert_msg(plan->kind >= KCL || got[0] == want[0], "%s, allocation %lld: other bits", p->name, (long long)k);
    hnt_trainee_close(&t);
    hn_context_destroy(context);
    ck_assert_int_eq(counter.alive, 0);
    ck_assert_int_eq(counter.alive_bytes, 0);
    return failed > 0 ? HN_E_NOMEM : HN_OK;
}

static void starve_all(const part *p, const hnt_plan *plan)
{
    uint64_t want[2];
    hnt_ok(starve(p, plan, -1, 0, want));
    for (int for_good = 0; for_good < 2; ++for_good) {
        int64_t k = 0;
        while (starve(p, plan, k, for_good, want) < 0)
            ck_assert_int_lt(++k, 3000);
        ck_assert_msg(k >= p->allocations, "%s: %lld allocations", p->name, (long long)k);
    }
}

START_TEST(parts_of_a_training)
{
    RIG_DIRECTORIES;
    hnt_make_files(dir);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; ++i)
        starve_all(&parts[i], &(hnt_plan){.in = dir, .out = other, .kind = PSC, .micro_batch = 3});
    for (int which = 0; which < KINDS; ++which)
        starve_all(&parts[0], &(hnt_plan){.in = dir, .out = other, .kind = which});
}
END_TEST

/* Without waiting for the disk. */
static void do_not_sync(void)
{
    hnt_begin_trouble(&(hnt_trouble){.fail_at = -1, .no_sync = true});
}

static Suite *suite(void)
{
    Suite *s = suite_create("out_of_memory_parts");
    TCase *oom = hnt_case(s, "oom");
    tcase_add_checked_fixture(oom, do_not_sync, NULL);
    tcase_add_test(oom, parts_of_a_training);
    return s;
}

HNT_MAIN(suite)
