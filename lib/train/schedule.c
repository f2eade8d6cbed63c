#include <hybridnet/schedule.h>

#include "base/error.h"
#include "base/options.h"

#include <math.h>

static const hn_schedule defaults = {
    .struct_size = sizeof defaults, .kind = HN_SCHEDULE_CONSTANT, .lr = 0.1, .gamma = 0.1, .warmup_start = 0.01};

void hn_schedule_init(hn_schedule *schedule, size_t struct_size)
{
    hni_options_init(schedule, struct_size, &defaults, sizeof defaults);
}

static hn_status check(const hn_schedule *s)
{
    HNI_FAIL_IF(s->kind < HN_SCHEDULE_CONSTANT || s->kind > HN_SCHEDULE_COSINE, HN_E_ARG,
                "hn_schedule_at: kind %d does not exist", (int)s->kind);
    HNI_FAIL_IF(!(s->lr > 0.0 && isfinite(s->lr)), HN_E_ARG, "hn_schedule_at: lr is %g; it must be positive and finite",
                s->lr);
    HNI_FAIL_IF(!(s->warmup_epochs >= 0.0 && isfinite(s->warmup_epochs)), HN_E_ARG,
                "hn_schedule_at: warmup_epochs is %g; it must be finite and not negative", s->warmup_epochs);
    HNI_FAIL_IF(!(s->warmup_start >= 0.0 && isfinite(s->warmup_start)), HN_E_ARG,
                "hn_schedule_at: warmup_start is %g; it must be finite and not negative", s->warmup_start);
    if (s->kind == HN_SCHEDULE_COSINE) {
        HNI_FAIL_IF(!(s->total_epochs > 0.0 && isfinite(s->total_epochs)), HN_E_ARG,
                    "hn_schedule_at: total_epochs is %g; it must be positive and finite", s->total_epochs);
        HNI_FAIL_IF(!(s->end >= 0.0 && isfinite(s->end)), HN_E_ARG,
                    "hn_schedule_at: end is %g; it must be finite and not negative", s->end);
    }
    if (s->kind != HN_SCHEDULE_STEPS)
        return HN_OK;
    HNI_FAIL_IF(s->num_milestones < 0 || (s->num_milestones > 0 && s->milestones == NULL), HN_E_ARG,
                "hn_schedule_at: num_milestones is %d and milestones is %s", (int)s->num_milestones,
                s->milestones == NULL ? "NULL" : "given");
    HNI_FAIL_IF(!(s->gamma > 0.0 && isfinite(s->gamma)), HN_E_ARG,
                "hn_schedule_at: gamma is %g; it must be positive and finite", s->gamma);
    for (int32_t i = 0; i < s->num_milestones; ++i)
        HNI_FAIL_IF(!(s->milestones[i] >= (i > 0 ? s->milestones[i - 1] : 0.0)), HN_E_ARG,
                    "hn_schedule_at: milestone %d is %g; milestones must ascend from 0", (int)i, s->milestones[i]);
    return HN_OK;
}

/* Without the warm-up. */
static double plain(const hn_schedule *s, double epoch)
{
    double rate = s->lr;
    switch (s->kind) {
    case HN_SCHEDULE_STEPS:
        for (int32_t i = 0; i < s->num_milestones && s->milestones[i] <= epoch; ++i)
            rate *= s->gamma;
        return rate;
    case HN_SCHEDULE_COSINE: {
        double t = epoch < s->total_epochs ? epoch / s->total_epochs : 1.0;
        return s->end + (s->lr - s->end) * (1.0 + cos(3.14159265358979323846 * t)) / 2.0;
    }
    default:
        return rate;
    }
}

hn_status hn_schedule_at(const hn_schedule *schedule, double epoch, double *rate)
{
    HNI_FAIL_IF(schedule == NULL || rate == NULL, HN_E_ARG, "hn_schedule_at: %s is NULL",
                schedule == NULL ? "schedule" : "rate");
    hn_schedule s = defaults;
    HNI_TRY(hni_options_read(&s, sizeof s, schedule, "hn_schedule_at"));
    HNI_FAIL_IF(!(epoch >= 0.0 && isfinite(epoch)), HN_E_ARG,
                "hn_schedule_at: epoch is %g; it must be finite and not negative", epoch);
    HNI_TRY(check(&s));
    *rate = epoch < s.warmup_epochs
                ? s.warmup_start + (plain(&s, s.warmup_epochs) - s.warmup_start) * epoch / s.warmup_epochs
                : plain(&s, epoch);
    return HN_OK;
}
