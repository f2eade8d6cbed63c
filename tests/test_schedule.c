#include "support.h"

#include <math.h>

static double at(const hn_schedule *s, double epoch)
{
    double rate = -1;
    hnt_ok(hn_schedule_at(s, epoch, &rate));
    return rate;
}

START_TEST(steps_and_warm_up_of_the_paper)
{
    const double milestones[] = {120, 160};
    hn_schedule s;
    hn_schedule_init(&s, sizeof s);
    s.kind = HN_SCHEDULE_STEPS;
    s.lr = 0.5;
    s.milestones = milestones;
    s.num_milestones = 2;
    hnt_close_d("first", at(&s, 0), 0.5, 1e-12);
    hnt_close_d("before", at(&s, 119.999), 0.5, 1e-12);
    hnt_close_d("at", at(&s, 120), 0.05, 1e-12);
    hnt_close_d("last", at(&s, 199), 0.005, 1e-12);
    s.warmup_epochs = 10;
    hnt_close_d("warm-up start", at(&s, 0), 0.01, 1e-12);
    hnt_close_d("warm-up middle", at(&s, 5), 0.255, 1e-12);
    hnt_close_d("after", at(&s, 10), 0.5, 1e-12);
}
END_TEST

START_TEST(cosine_and_constant)
{
    hn_schedule s;
    hn_schedule_init(&s, sizeof s);
    hnt_close_d("constant", at(&s, 1e6), 0.1, 1e-12);
    s.kind = HN_SCHEDULE_COSINE;
    s.lr = 0.2;
    s.end = 0.02;
    s.total_epochs = 100;
    hnt_close_d("start", at(&s, 0), 0.2, 1e-12);
    hnt_close_d("half", at(&s, 50), 0.11, 1e-12);
    hnt_close_d("end", at(&s, 100), 0.02, 1e-12);
    hnt_close_d("beyond", at(&s, 300), 0.02, 1e-12);
}
END_TEST

START_TEST(every_step_is_gammas)
{
    const double milestones[] = {160, 180};
    hn_schedule s;
    hn_schedule_init(&s, sizeof s);
    s.kind = HN_SCHEDULE_STEPS;
    s.gamma = 0.01;
    s.milestones = milestones;
    s.num_milestones = 2;
    hnt_close_d("before", at(&s, 159), 0.1, 1e-12);
    hnt_close_d("once", at(&s, 160), 1e-3, 1e-12);
    hnt_close_d("twice", at(&s, 180), 1e-5, 1e-12);
}
END_TEST

/* The warm-up leads to what the schedule has when it ends, be that behind a milestone or half of a cosine. */
START_TEST(warm_up_leads_to_the_schedule)
{
    const double milestones[] = {3};
    hn_schedule s;
    hn_schedule_init(&s, sizeof s);
    s.warmup_epochs = 5;
    s.warmup_start = 0.02;
    hnt_close_d("start", at(&s, 0), 0.02, 1e-12);
    hnt_close_d("middle", at(&s, 2.5), 0.06, 1e-12);
    s.kind = HN_SCHEDULE_STEPS;
    s.milestones = milestones;
    s.num_milestones = 1;
    hnt_close_d("before the milestone", at(&s, 2.5), 0.015, 1e-12);
    hnt_close_d("behind it", at(&s, 5), 0.01, 1e-12);
    s.kind = HN_SCHEDULE_COSINE;
    s.lr = 0.2;
    s.end = 0.02;
    s.total_epochs = 100;
    s.warmup_epochs = 50;
    hnt_close_d("half of the way to half of a cosine", at(&s, 25), 0.065, 1e-12);
    hnt_close_d("there", at(&s, 50 - 1e-9), 0.11, 1e-9);
}
END_TEST

START_TEST(bad_values_are_named)
{
    double rate = 7;
    const double falling[] = {5, 3};
    hn_schedule s;
    hn_schedule_init(&s, sizeof s);
    hnt_fails(hn_schedule_at(NULL, 0, &rate), HN_E_ARG, "schedule is NULL");
    hnt_fails(hn_schedule_at(&s, -1, &rate), HN_E_ARG, "epoch is -1");
    hnt_fails(hn_schedule_at(&s, (double)NAN, &rate), HN_E_ARG, "epoch is");
    s.lr = 0;
    hnt_fails(hn_schedule_at(&s, 0, &rate), HN_E_ARG, "lr is 0");
    s.lr = 1;
    s.kind = 9;
    hnt_fails(hn_schedule_at(&s, 0, &rate), HN_E_ARG, "kind 9");
    s.kind = HN_SCHEDULE_COSINE;
    hnt_fails(hn_schedule_at(&s, 0, &rate), HN_E_ARG, "total_epochs is 0");
    s.kind = HN_SCHEDULE_STEPS;
    s.num_milestones = 2;
    hnt_fails(hn_schedule_at(&s, 0, &rate), HN_E_ARG, "milestones is NULL");
    s.milestones = falling;
    hnt_fails(hn_schedule_at(&s, 0, &rate), HN_E_ARG, "milestone 1 is 3");
    s.milestones = (const double[]){3, 5};
    s.warmup_epochs = -2;
    hnt_fails(hn_schedule_at(&s, 0, &rate), HN_E_ARG, "warmup_epochs is -2");
    s.warmup_epochs = 0;
    s.warmup_start = -1;
    hnt_fails(hn_schedule_at(&s, 0, &rate), HN_E_ARG, "warmup_start is -1");
    s.warmup_start = 0;
    s.gamma = 0;
    hnt_fails(hn_schedule_at(&s, 0, &rate), HN_E_ARG, "gamma is 0");
    s.kind = HN_SCHEDULE_COSINE;
    s.total_epochs = 10;
    s.end = -1;
    hnt_fails(hn_schedule_at(&s, 0, &rate), HN_E_ARG, "end is -1");
    ck_assert(rate == 7);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("schedule");
    TCase *unit = hnt_case(s, "unit");
    tcase_add_test(unit, steps_and_warm_up_of_the_paper);
    tcase_add_test(unit, cosine_and_constant);
    tcase_add_test(unit, every_step_is_gammas);
    tcase_add_test(unit, warm_up_leads_to_the_schedule);
    tcase_add_test(unit, bad_values_are_named);
    return s;
}

HNT_MAIN(suite)
