/* training.c: the epochs and steps of a run. */
#include "training.h"

#include "checkpoints.h"
#include "evaluate.h"
#include "losses.h"
#include "second_stage.h"

#include <math.h>

/* ---- training ----------------------------------------------------------------------------------------------------- */

static void add(struct mean *mean, double value)
{
    if (!isnan(value)) {
        mean->sum += value;
        mean->n++;
    }
}

static double value_of(const struct mean *mean)
{
    return mean->n > 0 ? mean->sum / (double)mean->n : NAN;
}

/* The next batch; from one epoch of the loader straight into the next. */
static hn_status next_batch(struct run *run, hn_loader *loader, hn_batch *batch)
{
    static const char waiting[] = "waiting for images";
    profile_begin(run->profile, waiting);
    hn_status status = hn_loader_next(loader, batch);
    if (status == HN_END)
        status = hn_loader_next(loader, batch);
    profile_end(run->profile, waiting);
    return status;
}

/* One step: batches for the branches that have a weight, then both passes and the update. Counts the images. */
static hn_status train_step(struct run *run, double alpha, double lr, hn_hybrid_losses *losses, int64_t *images)
{
    hn_batch feature = {.struct_size = sizeof feature}, classifier = {.struct_size = sizeof classifier};
    hn_status status = HN_OK;
    *images = 0;
    if (alpha > 0.0) {
        status = next_batch(run, run->data.feature, &feature);
        *images += feature.n * run->options.views;
    }
    if (status == HN_OK && alpha < 1.0) {
        status = next_batch(run, run->data.classifier, &classifier);
        *images += classifier.n;
    }
    return status == HN_OK ? hn_hybrid_step(run->network, &feature, &classifier, alpha, lr, losses) : status;
}

static void make_schedule(hn_schedule *schedule, const struct options *o)
{
    hn_schedule_init(schedule, sizeof *schedule);
    schedule->kind = HN_SCHEDULE_STEPS;
    schedule->lr = o->lr;
    schedule->milestones = o->milestones.value;
    schedule->num_milestones = o->milestones.count;
    schedule->gamma = o->lr_decay;
    schedule->warmup_epochs = o->warmup;
    schedule->warmup_start = fmin(0.01, 0.1 * o->lr);
}

/* A step is done: it counts in the epoch's means, and may be one that the log has. 0, or -1 after a sentence. */
static int take_step(struct run *run, struct course *course, const struct step *step)
{
    const int64_t every = run->options.log_steps, count = (step->epoch - 1) * step->steps + step->number;
    run->left_out = 0;
    add(&course->alpha, step->alpha);
    add(&course->loss, step->losses.loss);
    add(&course->feature, step->losses.loss_feature);
    add(&course->classifier, step->losses.loss_classifier);
    add(&course->gradient_norm, step->losses.gradient_norm);
    return every > 0 && count % every == 0 ? report_step(run, step) : 0;
}

enum { SKIPS_IN_A_ROW = 10 };

/* The step failed: whether training goes on without it. */
static bool skip(struct run *run, struct course *course, hn_status status)
{
    if (status != HN_E_NONFINITE || run->options.on_nonfinite != SKIP_NONFINITE || run->left_out >= SKIPS_IN_A_ROW)
        return false;
    run->left_out++;
    course->skipped++;
    return report_skipped(run, course->epoch + 1, course->step + 1) == 0;
}

static int fail_step(struct run *run, const struct course *course, hn_status status)
{
    const struct options *o = &run->options;
    char hint[256];
    if (status == HN_E_NONFINITE)
        snprintf(hint, sizeof hint,
                 "training diverged in epoch %lld, step %lld: try a smaller --lr, a longer --warmup%s",
                 (long long)course->epoch + 1, (long long)course->step + 1,
                 o->on_nonfinite == SKIP_NONFINITE ? " or --clip-norm" : ", --clip-norm, or --on-nonfinite skip");
    else if (status == HN_E_FORMAT || status == HN_E_IO) /* the loader's; what a step computes fails otherwise */
        snprintf(hint, sizeof hint, "%s",
                 o->on_corrupt == HN_LOADER_SKIP
                     ? "no image of its class can be read, so that none can stand in"
                     : "an image cannot be read; --on-corrupt skip lets another of its class stand in");
    else
        snprintf(hint, sizeof hint, "training cannot go on; %s",
                 o->checkpoint != NULL ? "--resume begins at the latest checkpoint"
                                       : "with --save the last whole epoch is kept");
    return run_fail(run, status, hint);
}

static hn_status begin_epoch(struct run *run, int64_t epoch)
{
    const hn_status status = losses_begin_epoch(run->network, &run->options, &run->data, epoch);
    return status == HN_OK ? data_begin_epoch(&run->data, &run->options, epoch) : status;
}

/* The rest of the epoch that the course is in, up to its end or an interruption. */
static int train_epoch(struct run *run, struct course *course, const struct outcome *outcome, int64_t steps)
{
    const struct options *o = &run->options;
    const bool hybrid = options_two_branches(o);
    hn_schedule schedule;
    make_schedule(&schedule, o);
    progress_start_epoch(&run->progress);
    while (course->step < steps && !*run->interrupted) {
        hn_hybrid_losses losses = {.struct_size = sizeof losses};
        int64_t images = 0;
        double alpha = 0.0;
        const double at = (double)course->epoch + (double)course->step / (double)steps;
        /* Right before its first step: a checkpoint between epochs has not begun the next. */
        hn_status status = course->step > 0 ? HN_OK : begin_epoch(run, course->epoch);
        if (status != HN_OK)
            return run_fail(run, status, "the losses or the loaders could not begin the epoch");
        status = hn_schedule_at(&schedule, at, &course->lr);
        if (status == HN_OK && hybrid)
            status = hn_transition_alpha(run->transition, course->epoch, course->step, &alpha);
        if (status == HN_OK)
            status = train_step(run, alpha, course->lr, &losses, &images);
        if (status != HN_OK && !skip(run, course, status))
            return fail_step(run, course, status);
        const struct step step = {course->epoch + 1, course->step + 1, steps, alpha, course->lr, losses};
        if (status == HN_OK && take_step(run, course, &step) != 0)
            return FAILED;
        course->step++;
        progress_step(&run->progress, images, losses.loss, course->epoch + 1, o->epochs);
        if (checkpoints_due(o, course, steps))
            checkpoints_save(run, course, outcome);
    }
    return DONE;
}

static struct epoch epoch_of(struct run *run, const struct course *course)
{
    const int64_t skipped_before = run->skipped_images;
    run->skipped_images = data_skipped(&run->data);
    return (struct epoch){.number = course->epoch + 1,
                          .alpha = value_of(&course->alpha),
                          .lr = course->lr,
                          .loss = value_of(&course->loss),
                          .loss_feature = value_of(&course->feature),
                          .loss_classifier = value_of(&course->classifier),
                          .gradient_norm = value_of(&course->gradient_norm),
                          .skipped = course->skipped,
                          .skipped_images = course->skipped_images + run->skipped_images - skipped_before,
                          .images_per_second = progress_rate(&run->progress)};
}

/* ---- testing ------------------------------------------------------------------------------------------------------ */

/* Test set and, if there are any, validation images. */
int training_test(struct run *run, struct scores *scores)
{
    struct scores validation = {.validation = NAN};
    hn_status status = evaluate(run, run->data.testing, scores, run->confusion);
    scores->validation = NAN;
    if (status == HN_OK && run->data.validation != NULL) {
        status = evaluate(run, run->data.validation, &validation, NULL);
        scores->validation = validation.report.balanced_accuracy;
    }
    return status == HN_OK ? DONE
                           : run_fail(run, status,
                                      status == HN_E_FORMAT || status == HN_E_IO
                                          ? "an image of a test cannot be read; none may stand in for it"
                                          : "the weights could not be tested");
}

/* ---- the run ------------------------------------------------------------------------------------------------------ */

/* The last tested epoch, and whether it is the best by validation. */
static void keep(struct outcome *outcome, const struct scores *scores, int64_t number)
{
    outcome->last = *scores;
    if (!isnan(scores->validation) && (outcome->best_epoch == 0 || scores->validation > outcome->best.validation)) {
        outcome->best = *scores;
        outcome->best_epoch = number;
    }
}

static int save(struct run *run)
{
    hn_status status = run->options.save == NULL ? HN_OK : hn_hybrid_save(run->network, run->options.save);
    return status == HN_OK ? DONE : run_fail(run, status, "is the directory of --save there, and writable?");
}

/* Somebody wants an end, in the middle of an epoch or between two. */
static int stop(struct run *run, const struct course *course, const struct outcome *outcome)
{
    const struct options *o = &run->options;
    const long long epoch = (long long)course->epoch + 1, step = (long long)course->step;
    if (o->checkpoint != NULL)
        checkpoints_save(run, course, outcome);
    progress_clear(&run->progress);
    if (o->checkpoint == NULL)
        complain("stopped in epoch %lld%s", epoch,
                 o->save != NULL && epoch > 1 ? "; the weights of the epoch before it are saved" : "");
    else if (!run->unsaved)
        complain("stopped in epoch %lld, after %lld of its steps; to go on: train_hybrid --checkpoint %s --resume",
                 epoch, step, o->checkpoint);
    return run->unsaved ? FAILED : INTERRUPTED;
}

/* The epoch is over: its test, its line in the log, its weights. */
static int end_epoch(struct run *run, const struct course *course, struct outcome *outcome)
{
    const struct options *o = &run->options;
    const struct epoch epoch = epoch_of(run, course);
    struct scores scores = {.validation = NAN};
    const bool tested = epoch.number % o->eval_every == 0 || epoch.number == o->epochs;
    if (tested && training_test(run, &scores) != DONE)
        return FAILED;
    if (tested)
        keep(outcome, &scores, epoch.number);
    return report_epoch(run, &epoch, tested ? &scores : NULL) != 0 ? FAILED : save(run);
}

static int train(struct run *run, struct outcome *outcome)
{
    const struct options *o = &run->options;
    const int64_t steps = hn_loader_batches(run->data.classifier);
    struct course course = {0};
    if (checkpoints_begin(run, &course, outcome) != DONE)
        return FAILED;
    progress_start(&run->progress, o->epochs * steps, course.epoch * steps + course.step, o->quiet);
    for (; course.epoch < o->epochs; course = (struct course){.epoch = course.epoch + 1}) {
        profile_resume(run->profile);
        const int trained = train_epoch(run, &course, outcome, steps);
        profile_pause(run->profile);
        if (trained != DONE)
            return FAILED;
        if (*run->interrupted && course.step < steps)
            return stop(run, &course, outcome);
        if (end_epoch(run, &course, outcome) != DONE)
            return FAILED;
    }
    return DONE;
}

/* The classifier of a second stage takes the place of the one that training has made. */
static int refine(struct run *run, struct outcome *outcome)
{
    if (run->options.second_stage == SECOND_NONE)
        return DONE;
    hn_status status = second_stage_run(run, &outcome->tau);
    if (status != HN_OK)
        return run_fail(run, status, "the second stage failed; with --save the weights before it are kept");
    if (*run->interrupted) {
        complain("stopped in the second stage%s", run->options.save != NULL ? "; the weights before it are saved" : "");
        return INTERRUPTED;
    }
    outcome->best_epoch = 0; /* of the classifier that was */
    if (training_test(run, &outcome->last) != DONE || report_second_stage(run, &outcome->last, outcome->tau) != 0)
        return FAILED;
    return save(run);
}

int training_run(struct run *run, struct outcome *outcome)
{
    const int code = train(run, outcome);
    return code == DONE ? refine(run, outcome) : code;
}
