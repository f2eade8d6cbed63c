/* The update of a step: by the caller's options, from no momentum after freezing, and of a branch that has no weight. */
#include "hybrid_case.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 8 };

/* Two batches of noise with labels. */
typedef struct noise {
    hn_tensor *images[2];
    int32_t labels[ROWS];
    hn_batch feature, classifier;
} noise;

static void make_noise(hn_context *context, noise *x)
{
    for (int i = 0; i < ROWS; ++i)
        x->labels[i] = i % HNT_HYBRID_CLASSES;
    for (int b = 0; b < 2; ++b) {
        x->images[b] = hnt_hybrid_images(context, ROWS, (uint64_t)b + 1);
        *(b == 0 ? &x->feature : &x->classifier) =
            (hn_batch){.struct_size = sizeof(hn_batch), .images = x->images[b], .labels = x->labels, .n = ROWS};
    }
}

static void drop_noise(noise *x)
{
    hn_tensor_destroy(x->images[0]);
    hn_tensor_destroy(x->images[1]);
}

static void step(hn_hybrid *h, const noise *x)
{
    hnt_ok(hn_hybrid_step(h, &x->feature, &x->classifier, 0.5, 0.1, NULL));
}

static bool begins_with(const char *name, const char *prefix)
{
    return strncmp(name, prefix, strlen(prefix)) == 0;
}

static bool of_head(const char *name)
{
    return begins_with(name, "fc.") || begins_with(name, "projection.") || begins_with(name, "prototypes");
}

/* ---- options of the update ------------------------------------------------------------------------------------------ */

/* What hn_sgd_update makes of the same gradients, value after value. */
typedef struct replay {
    hn_sgd_options options;
    float *values, *velocity;
} replay;

static replay replay_of(const hn_hybrid *h, const hn_sgd_options *options)
{
    int64_t n = 0;
    for (int64_t i = 0; i < hn_hybrid_param_count(h); ++i)
        n += hn_tensor_count(hnt_hybrid_param(h, i).value);
    replay r = {*options, hnt_alloc((size_t)n * sizeof(float)), hnt_alloc((size_t)n * sizeof(float))};
    n = 0;
    for (int64_t i = 0; i < hn_hybrid_param_count(h); ++i) {
        const hn_tensor *value = hnt_hybrid_param(h, i).value;
        memcpy(r.values + n, hn_tensor_cdata(value), hn_tensor_bytes(value));
        n += hn_tensor_count(value);
    }
    return r;
}

/* The network has taken a step: each of its parameters, or those of the heads alone, must be where the gradients lead to. */
static void follow(replay *r, const hn_hybrid *h, double lr, bool heads)
{
    r->options.lr = (float)lr;
    for (int64_t i = 0, at = 0; i < hn_hybrid_param_count(h); ++i) {
        const hn_param param = hnt_hybrid_param(h, i);
        const int64_t n = hn_tensor_count(param.value);
        hn_sgd_options options = r->options;
        if (!options.decay_all && !param.weight_decay)
            options.weight_decay = 0.0f;
        if (param.grad != NULL && (!heads || of_head(param.name)))
            hnt_ok(hn_sgd_update(&options, n, hn_tensor_cdata(param.grad), r->velocity + at, r->values + at));
        if (param.grad != NULL)
            hnt_close_f(param.name, hn_tensor_cdata(param.value), r->values + at, n, 1e-6);
        at += n;
    }
}

/* All momentum begins at zero. */
static void forget(replay *r, const hn_hybrid *h)
{
    for (int64_t i = 0, at = 0; i < hn_hybrid_param_count(h); ++i) {
        const hn_tensor *value = hnt_hybrid_param(h, i).value;
        memset(r->velocity + at, 0, hn_tensor_bytes(value));
        at += hn_tensor_count(value);
    }
}

static void drop_replay(replay *r)
{
    free(r->values);
    free(r->velocity);
}

static hn_sgd_options sgd_of(float momentum, float weight_decay, int32_t nesterov)
{
    hn_sgd_options o;
    hn_sgd_options_init(&o, sizeof o);
    o.lr = 17.0f; /* a step brings its own */
    o.momentum = momentum;
    o.weight_decay = weight_decay;
    o.nesterov = nesterov;
    return o;
}

static hn_hybrid *updated_by(hn_context *context, const hn_sgd_options *sgd)
{
    hn_sgd_options given = *sgd; /* gone once the network has been made: it has a copy */
    hn_hybrid_options settings;
    hn_hybrid_options_init(&settings, sizeof settings);
    settings.sgd = &given;
    hn_hybrid *h = hnt_hybrid(context, ROWS, 1, &settings, 1);
    memset(&given, 0xff, sizeof given);
    return h;
}

START_TEST(a_step_takes_the_options_of_the_update)
{
    for (int32_t decay_all = 0; decay_all < 2; ++decay_all) {
        hn_context *context = hnt_context(1);
        hn_sgd_options sgd = sgd_of(0.5f, 0.1f, 1);
        sgd.decay_all = decay_all;
        hn_hybrid *h = updated_by(context, &sgd), *usual = hnt_hybrid(context, ROWS, 1, NULL, 1);
        replay r = replay_of(h, &sgd);
        noise x;
        make_noise(context, &x);
        ck_assert_ptr_null(hnt_hybrid_difference(h, usual));
        for (int k = 0; k < 2; ++k) {
            const double lr = 0.1 / (k + 1);
            hnt_ok(hn_hybrid_step(h, &x.feature, &x.classifier, 0.5, lr, NULL));
            hnt_ok(hn_hybrid_step(usual, &x.feature, &x.classifier, 0.5, lr, NULL));
            follow(&r, h, lr, false);
        }
        for (int64_t i = 0; i < hn_hybrid_param_count(h); ++i) {
            const hn_param a = hnt_hybrid_param(h, i), b = hnt_hybrid_param(usual, i);
            ck_assert_msg(memcmp(hn_tensor_cdata(a.value), hn_tensor_cdata(b.value), hn_tensor_bytes(a.value)) != 0,
                          "%s is the same without the options", a.name);
        }
        hnt_ok(hn_hybrid_freeze_backbone(h, 1)); /* another optimizer, the same options */
        forget(&r, h);
        for (int k = 0; k < 2; ++k) {
            hnt_ok(hn_hybrid_step(h, &x.feature, &x.classifier, 0.5, 0.2, NULL));
            follow(&r, h, 0.2, true);
        }
        drop_replay(&r);
        drop_noise(&x);
        hn_hybrid_destroy(h);
        hn_hybrid_destroy(usual);
        hn_context_destroy(context);
    }
}
END_TEST

/* ---- freezing ------------------------------------------------------------------------------------------------------- */

/* A network that has the values of another, and no momentum. */
static hn_hybrid *without_momentum(hn_context *context, const hn_hybrid *like)
{
    hn_hybrid *h = hnt_hybrid(context, ROWS, 1, NULL, 2);
    hnt_hybrid_copy(h, like);
    return h;
}

/* From no momentum a step makes of the same values the same. */
START_TEST(momentum_begins_at_zero_when_the_backbone_freezes_or_thaws)
{
    static const int32_t frozen[] = {1, 0, 0, 1, 1};
    hn_context *context = hnt_context(1);
    hn_hybrid *h = hnt_hybrid(context, ROWS, 1, NULL, 1);
    noise x;
    make_noise(context, &x);
    step(h, &x);
    step(h, &x);
    hn_hybrid *other = without_momentum(context, h);
    step(h, &x);
    step(other, &x);
    ck_assert_ptr_nonnull(hnt_hybrid_difference(h, other)); /* momentum tells them apart */
    hn_hybrid_destroy(other);
    for (size_t i = 0; i < sizeof frozen / sizeof *frozen; ++i) {
        other = without_momentum(context, h);
        hnt_ok(hn_hybrid_freeze_backbone(h, frozen[i]));
        hnt_ok(hn_hybrid_freeze_backbone(other, frozen[i]));
        step(h, &x);
        step(other, &x);
        const char *name = hnt_hybrid_difference(h, other);
        ck_assert_msg(name == NULL, "change %zu: %s still has momentum", i, name);
        step(h, &x); /* and has some for the next change */
        hn_hybrid_destroy(other);
    }
    drop_noise(&x);
    hn_hybrid_destroy(h);
    hn_context_destroy(context);
}
END_TEST

/* ---- a branch of no weight ------------------------------------------------------------------------------------------ */

/* Without momentum, too: lr 0.5 and a decay of 0.1 leave 0.95 of each value. alpha: 1 or 0. */
static void the_other_branch_decays(double alpha)
{
    hn_context *context = hnt_context(1);
    const hn_sgd_options sgd = sgd_of(0.0f, 0.1f, 0);
    hn_hybrid *h = updated_by(context, &sgd);
    noise x;
    make_noise(context, &x);
    for (int64_t i = 0; i < hn_hybrid_param_count(h); ++i) { /* biases begin at 0, of which 0.95 is not seen */
        const hn_param param = hnt_hybrid_param(h, i);
        if (strstr(param.name, "bias") != NULL && of_head(param.name))
            hnt_normal((uint64_t)i, hn_tensor_data(param.value), hn_tensor_count(param.value));
    }
    replay before = replay_of(h, &sgd);
    hn_hybrid_losses losses = {.struct_size = sizeof losses};
    hnt_ok(hn_hybrid_step(h, alpha > 0.0 ? &x.feature : NULL, alpha < 1.0 ? &x.classifier : NULL, alpha, 0.5, &losses));
    ck_assert(alpha > 0.0 ? isnan(losses.loss_classifier) : isnan(losses.loss_feature));
    ck_assert(losses.loss > 0.0 && losses.loss == (alpha > 0.0 ? losses.loss_feature : losses.loss_classifier));
    int decayed = 0;
    for (int64_t i = 0, at = 0; i < hn_hybrid_param_count(h); ++i) {
        const hn_param param = hnt_hybrid_param(h, i);
        const int64_t n = hn_tensor_count(param.value);
        const float *value = hn_tensor_cdata(param.value), *was = before.values + at;
        at += n;
        if (param.grad == NULL)
            continue;
        const bool idle = of_head(param.name) && begins_with(param.name, "fc.") == (alpha > 0.0);
        double off = 0.0, all = 0.0;
        for (int64_t k = 0; k < n; ++k) {
            off = fmax(off, fabs((double)value[k] - 0.95 * (double)was[k]));
            all = fmax(all, fabs((double)was[k]));
        }
        ck_assert_msg((off <= 1e-6 * all) == idle, "alpha %g: %s is %g off its decay, of %g", alpha, param.name, off,
                      all);
        decayed += idle;
    }
    ck_assert_int_eq(decayed, alpha > 0.0 ? 2 : 5);
    drop_replay(&before);
    drop_noise(&x);
    hn_hybrid_destroy(h);
    hn_context_destroy(context);
}

START_TEST(a_branch_of_no_weight_decays)
{
    the_other_branch_decays(1.0);
    the_other_branch_decays(0.0);
}
END_TEST

static void gradients_are_zero(const hn_hybrid *h, bool classifier)
{
    for (int64_t i = 0; i < hn_hybrid_param_count(h); ++i) {
        const hn_param param = hnt_hybrid_param(h, i);
        if (!of_head(param.name) || begins_with(param.name, "fc.") != classifier)
            continue;
        const float *gradient = hn_tensor_cdata(param.grad);
        for (int64_t k = 0; k < hn_tensor_count(param.grad); ++k)
            hnt_check(gradient[k] == 0.0f, "the gradient of %s is %g", param.name, (double)gradient[k]);
    }
}

START_TEST(a_branch_of_no_weight_goes_on_by_momentum)
{
    hn_context *context = hnt_context(1);
    const hn_sgd_options sgd = sgd_of(0.5f, 0.1f, 0);
    hn_hybrid *h = updated_by(context, &sgd);
    replay r = replay_of(h, &sgd);
    noise x;
    make_noise(context, &x);
    step(h, &x);
    follow(&r, h, 0.1, false);
    hnt_ok(hn_hybrid_step(h, &x.feature, NULL, 1.0, 0.1, NULL));
    gradients_are_zero(h, true);
    follow(&r, h, 0.1, false);
    hnt_ok(hn_hybrid_step(h, NULL, &x.classifier, 0.0, 0.1, NULL));
    gradients_are_zero(h, false);
    follow(&r, h, 0.1, false);
    drop_replay(&r);
    drop_noise(&x);
    hn_hybrid_destroy(h);
    hn_context_destroy(context);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("hybrid_update");
    TCase *unit = hnt_case(s, "unit");
    tcase_add_test(unit, a_step_takes_the_options_of_the_update);
    tcase_add_test(unit, momentum_begins_at_zero_when_the_backbone_freezes_or_thaws);
    tcase_add_test(unit, a_branch_of_no_weight_decays);
    tcase_add_test(unit, a_branch_of_no_weight_goes_on_by_momentum);
    return s;
}

HNT_MAIN(suite)
