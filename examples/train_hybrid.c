/* train_hybrid.c -- trains a classifier on long-tailed images by the hybrid methods of Wang et al. (CVPR 2021), or by
 * plain cross-entropy, on libhybridnet's public interface alone. `train_hybrid --help` tells how to use it.
 *
 * The flow is here; options.c has what can be asked for, data.c the images, network.c the network, report.c what is told. */
#include "evaluate.h"
#include "losses.h"
#include "network.h"
#include "report.h"
#include "second_stage.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DONE = 0, FAILED = 1, BAD_USAGE = 2, INTERRUPTED = 130 };

/* ---- stopping ----------------------------------------------------------------------------------------------------- */

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal_number)
{
    (void)signal_number;
    interrupted = 1;
}

/* The first Ctrl-C lets the step end, a second one kills. */
static void catch_interrupts(void)
{
    struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

/* Tells what the library said of its last failure, and what to try. */
static int fail(struct run *run, hn_status status, const char *hint)
{
    progress_clear(&run->progress);
    complain("%s", hn_last_error());
    fprintf(stderr, "  %s\n", status == HN_E_NOMEM ? "not enough memory: try a smaller --batch" : hint);
    return FAILED;
}

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
        return fail(run, begun, "the losses could not begin the epoch");
    struct mean alpha_mean = {0}, loss = {0}, feature = {0}, classifier = {0};
    int64_t steps = hn_loader_batches(run->data.classifier);
    progress_start_epoch(&run->progress);
    for (int64_t step = 0; step < steps && !interrupted; ++step) {
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
            return fail(run, status,
                        status == HN_E_NONFINITE ? "training diverged: try a smaller --lr or a longer --warmup"
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
static int test(struct run *run, struct scores *scores)
{
    struct scores validation = {.validation = NAN};
    hn_status status = evaluate(run, run->data.testing, scores);
    scores->validation = NAN;
    if (status == HN_OK && run->data.validation != NULL) {
        status = evaluate(run, run->data.validation, &validation);
        scores->validation = validation.report.balanced_accuracy;
    }
    return status == HN_OK ? DONE : fail(run, status, "the weights could not be tested");
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
    return status == HN_OK ? DONE : fail(run, status, "is the directory of --save there, and writable?");
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
        if (interrupted) {
            progress_clear(&run->progress);
            complain("stopped in epoch %lld%s", (long long)number,
                     o->save != NULL && number > 1 ? "; the weights of the epoch before it are saved" : "");
            return INTERRUPTED;
        }
        bool tested = number % o->eval_every == 0 || number == o->epochs;
        if (tested && test(run, &scores) != DONE)
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
        return fail(run, status, "the second stage failed; with --save the weights before it are kept");
    if (interrupted) {
        complain("stopped in the second stage%s", run->options.save != NULL ? "; the weights before it are saved" : "");
        return INTERRUPTED;
    }
    outcome->best_epoch = 0; /* of the classifier that was */
    if (test(run, &outcome->last) != DONE || report_second_stage(run, &outcome->last, outcome->tau) != 0)
        return FAILED;
    return save(run);
}

/* Hours of training must not end at a directory that is not there. */
static int check_save(const char *path)
{
    char directory[4096];
    const char *slash = strrchr(path, '/');
    int length = slash == NULL ? 1 : slash == path ? 1 : (int)(slash - path);
    snprintf(directory, sizeof directory, "%.*s", length, slash == NULL ? "." : path);
    if (access(directory, W_OK) == 0)
        return DONE;
    complain("--save is %s, but nothing can be written in the directory %s", path, directory);
    return FAILED;
}

static int prepare(struct run *run)
{
    const struct options *o = &run->options;
    if (o->save != NULL && check_save(o->save) != DONE)
        return FAILED;
    if (o->log != NULL && (run->log = event_log_open(o->log)) == NULL)
        return FAILED;

    if (o->profile && (run->profile = profile_create((int32_t)o->threads, options_precision(o))) == NULL)
        return FAILED;

    hn_context_options context;
    hn_context_options_init(&context, sizeof context);
    context.num_threads = (int32_t)o->threads;
    context.engine = o->engine;
    context.trace = o->profile ? profile_event : NULL;
    context.trace_user = run->profile;
    hn_status status = hn_context_create(&run->context, &context);
    if (status != HN_OK)
        return fail(run, status, "try another number of --threads, or another --engine");
    status = data_open(&run->data, run->context, o);
    if (status != HN_OK)
        return fail(run, status, data_hint(o));
    status = network_create(&run->network, run->context, o, &run->data);
    if (status != HN_OK)
        return fail(run, status,
                    status == HN_E_UNSUPPORTED ? "use --precision f32" : "the network could not be put together");
    status = data_start_loaders(&run->data, run->context, o);
    if (status != HN_OK)
        return fail(run, status, "try fewer --workers");
    hn_transition_options transition;
    hn_transition_options_init(&transition, sizeof transition);
    transition.kind = o->transition;
    transition.first_epoch = (int32_t)o->alpha_origin;
    transition.total_epochs = o->epochs;
    transition.fixed = o->alpha;
    transition.seed = (uint64_t)o->seed;
    status = hn_transition_create(&run->transition, run->context, &transition);
    if (status != HN_OK)
        return fail(run, status, "try another --transition");
    /* A file of the inference network alone will do: what it lacks of the feature branch keeps its initial values. */
    status = o->load == NULL ? HN_OK : hn_hybrid_load(run->network, o->load, 0);
    return status == HN_OK ? DONE : fail(run, status, "--load must fit --arch and --dataset");
}

static int work(struct run *run)
{
    struct outcome outcome = {.tau = NAN};
    int code = prepare(run);
    if (code == DONE && report_start(run) != 0)
        code = FAILED;
    if (code == DONE)
        code = run->options.eval_only ? test(run, &outcome.last) : train(run, &outcome);
    if (code == DONE && !run->options.eval_only)
        code = refine(run, &outcome);
    if ((code == DONE || code == INTERRUPTED) && profile_report(run->profile, run->options.quiet, run->log) != 0)
        code = FAILED;
    if (code == DONE && report_result(run, &outcome) != 0)
        code = FAILED;
    return code;
}

/* Between parallel regions OpenMP's threads spin, and take the cores from the threads that prepare images (and from
 * everybody else), unless the environment says otherwise before the program starts: so it starts itself once more.     */
static void let_idle_threads_sleep(char **argv)
{
    if (getenv("OMP_WAIT_POLICY") == NULL && setenv("OMP_WAIT_POLICY", "passive", 1) == 0)
        execv("/proc/self/exe", argv); /* where that is not possible, it goes on as it is */
}

int main(int argc, char **argv)
{
    let_idle_threads_sleep(argv);
    struct run run = {.started = now(), .interrupted = &interrupted};
    int read = options_read(&run.options, argc, argv);
    if (read != 0) {
        options_release(&run.options);
        return read > 0 ? DONE : BAD_USAGE;
    }
    catch_interrupts();
    int code = work(&run);
    hn_transition_destroy(run.transition);
    hn_hybrid_destroy(run.network);
    data_close(&run.data);
    hn_context_destroy(run.context);
    profile_destroy(run.profile);
    if (event_log_close(run.log) != 0 && code == DONE)
        code = FAILED;
    options_release(&run.options);
    return code;
}
