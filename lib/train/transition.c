#include <hybridnet/transition.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/options.h"

#include <hybridnet/rng.h>

#include <inttypes.h>
#include <math.h>

struct hn_transition {
    hn_context *context;
    hn_transition_options options;
};

static const char *const names[] = {
    [HN_TRANSITION_PARABOLIC] = "parabolic", [HN_TRANSITION_LINEAR] = "linear",
    [HN_TRANSITION_COSINE] = "cosine",       [HN_TRANSITION_FIXED] = "fixed",
    [HN_TRANSITION_BETA] = "beta",           [HN_TRANSITION_PARABOLIC_INCREASE] = "parabolic-increase",
    [HN_TRANSITION_SEPARATE] = "separate",
};

enum { KINDS = sizeof names / sizeof names[0] };

static const hn_transition_options defaults = {.struct_size = sizeof defaults, .fixed = 0.5, .separate_at = 0.6};

void hn_transition_options_init(hn_transition_options *options, size_t struct_size)
{
    hni_options_init(options, struct_size, &defaults, sizeof defaults);
}

const char *hn_transition_name(int32_t kind)
{
    return kind >= 0 && kind < KINDS ? names[kind] : NULL;
}

hn_status hn_transition_create(hn_transition **out, hn_context *context, const hn_transition_options *options)
{
    HNI_FAIL_IF(out == NULL || context == NULL, HN_E_ARG, "hn_transition_create: %s is NULL",
                out == NULL ? "out" : "context");
    hn_transition_options o = defaults;
    HNI_TRY(hni_options_read(&o, sizeof o, options, "hn_transition_create"));
    HNI_FAIL_IF(hn_transition_name(o.kind) == NULL, HN_E_ARG, "hn_transition_create: kind %d does not exist",
                (int)o.kind);
    HNI_FAIL_IF(o.first_epoch != 0 && o.first_epoch != 1, HN_E_ARG,
                "hn_transition_create: first_epoch is %d; it must be 0 or 1", (int)o.first_epoch);
    HNI_FAIL_IF(o.total_epochs < 1, HN_E_ARG, "hn_transition_create: total_epochs is %" PRId64 "; it must be positive",
                o.total_epochs);
    HNI_FAIL_IF(!(o.fixed >= 0.0 && o.fixed <= 1.0), HN_E_ARG,
                "hn_transition_create: fixed is %g; it must be in [0, 1]", o.fixed);
    HNI_FAIL_IF(!(o.separate_at >= 0.0 && o.separate_at <= 1.0), HN_E_ARG,
                "hn_transition_create: separate_at is %g; it must be in [0, 1]", o.separate_at);
    hn_transition *t = hni_alloc(context, sizeof *t);
    if (t == NULL)
        return hni_no_memory("hn_transition_create", sizeof *t);
    *t = (hn_transition){context, o};
    *out = t;
    return HN_OK;
}

/* Beta(0.2, 0.2) by Johnk: with x = u^(1/0.2), y = v^(1/0.2), given x + y <= 1, x / (x + y) has that distribution
 * (Johnk, "Erzeugung von betaverteilten und gammaverteilten Zufallszahlen", Metrika 8, 1964).                      */
static double beta(const hn_transition_options *o, int64_t epoch, int64_t step)
{
    hn_rng rng;
    hn_rng_seed(&rng, o->seed, 0);
    hn_rng_derive(&rng, &rng, "transition epoch", (uint64_t)epoch);
    hn_rng_derive(&rng, &rng, "transition step", (uint64_t)step);
    for (;;) {
        double x = pow(hn_rng_uniform(&rng), 5.0), y = pow(hn_rng_uniform(&rng), 5.0);
        if (x + y <= 1.0 && x + y > 0.0)
            return x / (x + y);
    }
}

static double alpha_at(const hn_transition_options *o, int64_t epoch, int64_t step)
{
    int64_t last = o->total_epochs - 1;
    double t = (double)((epoch < last ? epoch : last) + o->first_epoch) / (double)o->total_epochs;
    switch (o->kind) {
    case HN_TRANSITION_LINEAR:
        return 1.0 - t;
    case HN_TRANSITION_COSINE:
        return t >= 1.0 ? 0.0 : cos(t * 1.57079632679489661923);
    case HN_TRANSITION_FIXED:
        return o->fixed;
    case HN_TRANSITION_PARABOLIC_INCREASE:
        return t * t;
    case HN_TRANSITION_BETA:
        return beta(o, epoch, step);
    case HN_TRANSITION_SEPARATE:
        return t < o->separate_at ? 1.0 : 0.0;
    default:
        return 1.0 - t * t;
    }
}

hn_status hn_transition_alpha(const hn_transition *transition, int64_t epoch, int64_t step, double *alpha)
{
    HNI_FAIL_IF(transition == NULL || alpha == NULL, HN_E_ARG, "hn_transition_alpha: %s is NULL",
                transition == NULL ? "transition" : "alpha");
    HNI_FAIL_IF(epoch < 0 || step < 0, HN_E_ARG,
                "hn_transition_alpha: epoch is %" PRId64 " and step %" PRId64 "; both start at 0", epoch, step);
    *alpha = alpha_at(&transition->options, epoch, step);
    return HN_OK;
}

void hn_transition_destroy(hn_transition *transition)
{
    if (transition != NULL)
        hni_release(transition->context, transition, sizeof *transition);
}
