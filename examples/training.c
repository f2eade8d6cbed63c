/* training.c */
#include "training.h"

#include "evaluate.h"
#include "losses.h"
#include "second_stage.h"

#include <math.h>

/* ---- training ----------------------------------------------------------------------------------------------------- */

struct mean {
    double sum;
    int64_t n;
};

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

static int train_epoch(struct run *run, struct epoch *epoch)
{
    const struct options *o = &run->options;
    bool hybrid = options_two_branches(o);
    hn_schedule schedule;
    hn_schedule_init(&schedule, sizeof schedule);
    schedule.kind = HN_SCHEDULE_STEPS;
    schedule.lr = o->lr;
    schedule.milestones = o->milestones.value;
    schedule.num_milestones = o->milestones.count;
    schedule.gamma = o->lr_decay;
    schedule.warmup_epochs = o->warmup;
    schedule.warmup_start = fmin(0.01, 0.1 * o->lr);

    hn_status begun = losses_begin_epoch(run->network, o, &run->data, epoch->number - 1);
    if (begun != HN_OK)
        return run_fail(run, begun, "the losses could not begin the epoch");
    struct mean alpha_mean = {0}, loss = {0}, feature = {0}, classifier = {0};
    int64_t steps = hn_loader_batches(run->data.classifier);
    progress_start_epoch(&run->progress);
    for (int64_t step = 0; step < steps && !*run->interrupted; ++step) {
        hn_hybrid_losses losses = {.struct_size = sizeof losses};
        int64_t images = 0;
        double alpha = 0.0;
        hn_status status =
            hn_schedule_at(&schedule, (double)(epoch->number - 1) + (double)step / (double)steps, &epoch->lr);
        if (status == HN_OK && hybrid)
            status = hn_transition_alpha(run->transition, epoch->number - 1, step, &alpha);
        if (status == HN_OK)
            status = train_step(run, alpha, epoch->lr, &losses, &images);
        if (status != HN_OK)
            return run_fail(run, status,
                            status == HN_E_NONFINITE
                                ? "training diverged: try a smaller --lr or a longer --warmup"
                                : "training cannot go on; with --save the last whole epoch is kept");
        add(&alpha_mean, alpha);
        add(&loss, losses.loss);
        add(&feature, losses.loss_feature);
        add(&classifier, losses.loss_classifier);
        progress_step(&run->progress, images, losses.loss, epoch->number, o->epochs);
    }
    epoch->alpha = value_of(&alpha_mean);
    epoch->loss = value_of(&loss);
    epoch->loss_feature = value_of(&feature);
    epoch->loss_classifier = value_of(&classifier);
    epoch->images_per_second = progress_rate(&run->progress);
    return DONE;
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
    return status == HN_OK ? DONE : run_fail(run, status, "the weights could not be tested");
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

static int train(struct run *run, struct outcome *outcome)
{
    const struct options *o = &run->options;
    progress_start(&run->progress, o->epochs * hn_loader_batches(run->data.classifier), o->quiet);
    for (int64_t number = 1; number <= o->epochs; ++number) {
        struct epoch epoch = {.number = number};
        struct scores scores = {.validation = NAN};
        profile_resume(run->profile);
        int trained = train_epoch(run, &epoch);
        profile_pause(run->profile);
        if (trained != DONE)
            return FAILED;
        if (*run->interrupted) {
            progress_clear(&run->progress);
            complain("stopped in epoch %lld%s", (long long)number,
                     o->save != NULL && number > 1 ? "; the weights of the epoch before it are saved" : "");
            return INTERRUPTED;
        }
        bool tested = number % o->eval_every == 0 || number == o->epochs;
        if (tested && training_test(run, &scores) != DONE)
            return FAILED;
        if (tested)
            keep(outcome, &scores, number);
        if (report_epoch(run, &epoch, tested ? &scores : NULL) != 0 || save(run) != DONE)
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
