/* checkpoints.c: what train_hybrid keeps beside the network and the loaders' places, and takes up again. */
#include "checkpoints.h"

#include "losses.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TEXT = 1024, MEANS = 5 };

/* ---- what is kept beside the network: text, in which %a keeps every bit of a number ----------------------------------- */

static void means_of(struct course *c, struct mean *means[MEANS])
{
    means[0] = &c->alpha;
    means[1] = &c->loss;
    means[2] = &c->feature;
    means[3] = &c->classifier;
    means[4] = &c->gradient_norm;
}

/* What the log has of the best epoch, as it is kept in best_text. */
static const size_t kept_scores[] = {
    offsetof(hn_metrics_report, top1),         offsetof(hn_metrics_report, many),
    offsetof(hn_metrics_report, medium),       offsetof(hn_metrics_report, few),
    offsetof(hn_metrics_report, macro_f1),     offsetof(hn_metrics_report, balanced_accuracy),
    offsetof(hn_metrics_report, g_mean),       offsetof(hn_metrics_report, worst_recall),
    offsetof(hn_metrics_report, ece),          offsetof(hn_metrics_report, many_ece),
    offsetof(hn_metrics_report, medium_ece),   offsetof(hn_metrics_report, few_ece)};
enum { KEPT_SCORES = sizeof kept_scores / sizeof kept_scores[0] };

static double *kept_score(hn_metrics_report *report, int i)
{
    return (double *)(void *)((char *)report + kept_scores[i]);
}

static void write_course(struct course course, int64_t left_out, const struct outcome *outcome, char *course_text,
                         char *best_text)
{
    hn_metrics_report best = outcome->best.report;
    struct mean *means[MEANS];
    means_of(&course, means);
    int at = snprintf(course_text, TEXT, "%a", course.lr);
    for (int i = 0; i < MEANS; ++i)
        at += snprintf(course_text + at, TEXT - (size_t)at, " %a %" PRId64, means[i]->sum, means[i]->n);
    snprintf(course_text + at, TEXT - (size_t)at, " %" PRId64 " %" PRId64 " %" PRId64, course.skipped, left_out,
             course.skipped_images);
    at = snprintf(best_text, TEXT, "%" PRId64 " %a", outcome->best_epoch, outcome->best.validation);
    for (int i = 0; i < KEPT_SCORES; ++i)
        at += snprintf(best_text + at, TEXT - (size_t)at, " %a", *kept_score(&best, i));
}

/* The numbers of a text that the same program wrote; a text that ends early gives zeros, and of scores, which an earlier
 * version wrote fewer of, NaN. */
static double next_number(const char **text)
{
    char *rest;
    const double value = strtod(*text, &rest);
    *text = rest;
    return value;
}

static double next_score(const char **text)
{
    const char *before = *text;
    const double value = next_number(text);
    return *text == before ? NAN : value;
}

static int64_t next_integer(const char **text)
{
    char *rest;
    const int64_t value = strtoll(*text, &rest, 10);
    *text = rest;
    return value;
}

static void read_course(struct course *course, int64_t *left_out, struct outcome *outcome, const char *course_text,
                        const char *best_text)
{
    struct mean *means[MEANS];
    means_of(course, means);
    course->lr = next_number(&course_text);
    for (int i = 0; i < MEANS; ++i) {
        means[i]->sum = next_number(&course_text);
        means[i]->n = next_integer(&course_text);
    }
    course->skipped = next_integer(&course_text);
    *left_out = next_integer(&course_text);
    course->skipped_images = next_integer(&course_text);
    outcome->best_epoch = next_integer(&best_text);
    outcome->best.validation = next_number(&best_text);
    for (int i = 0; i < KEPT_SCORES; ++i)
        *kept_score(&outcome->best.report, i) = next_score(&best_text);
}

/* Tells one training set from another: its size and a hash of its labels (FNV-1a). */
static void describe_data(const struct run *run, char *text, size_t size)
{
    const int64_t n = hn_dataset_count(run->data.train);
    const int32_t *labels = hn_dataset_labels(run->data.train);
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (int64_t i = 0; i < n; ++i)
        hash = (hash ^ (uint64_t)labels[i]) * UINT64_C(0x100000001b3);
    snprintf(text, size, "%" PRId64 " images %016" PRIx64, n, hash);
}

static int64_t tests_of(const hn_loader *loader)
{
    int64_t epoch = 0;
    hn_loader_tell(loader, &epoch, NULL);
    return epoch;
}

/* All options as a recipe, to be freed; NULL where memory is short. */
static char *options_text(const struct options *options)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    if (stream == NULL)
        return NULL;
    options_print(options, stream);
    if (fclose(stream) == 0)
        return text;
    free(text);
    return NULL;
}

/* ---- saving --------------------------------------------------------------------------------------------------------- */

static hn_training training_of(const struct run *run, const struct course *course)
{
    return (hn_training){.struct_size = sizeof(hn_training),
                         .hybrid = run->network,
                         .feature = run->data.feature,
                         .classifier = run->data.classifier,
                         .epoch = course->epoch,
                         .step = course->step};
}

static hn_status save(struct run *run, const struct course *course, const struct outcome *outcome)
{
    const struct options *o = &run->options;
    const hn_training training = training_of(run, course);
    char course_text[TEXT], best_text[TEXT], data[TEXT], log_bytes[TEXT], log_hash[TEXT], seconds[TEXT], tests[TEXT];
    char *options = options_text(o);
    if (options == NULL) {
        complain("not enough memory for the options of a checkpoint");
        return HN_E_NOMEM;
    }
    struct course now_at = *course;
    now_at.skipped_images += data_skipped(&run->data) - run->skipped_images;
    write_course(now_at, run->left_out, outcome, course_text, best_text);
    describe_data(run, data, sizeof data);
    const struct log_part log = event_log_sync(run->log);
    snprintf(log_bytes, sizeof log_bytes, "%" PRId64, log.bytes);
    snprintf(log_hash, sizeof log_hash, "%016" PRIx64, log.hash);
    snprintf(seconds, sizeof seconds, "%a", now() - run->started);
    snprintf(tests, sizeof tests, "%" PRId64 " %" PRId64, tests_of(run->data.testing), tests_of(run->data.validation));
    const hn_metadata metadata[] = {{"options", options}, {"course", course_text},  {"best", best_text},
                                    {"data", data},       {"log_bytes", log_bytes}, {"log_hash", log_hash},
                                    {"seconds", seconds}, {"tests", tests}};
    hn_status status = hn_checkpoint_save(&training, o->checkpoint, o->keep, metadata,
                                          (int64_t)(sizeof metadata / sizeof metadata[0]));
    free(options);
    return status;
}

bool checkpoints_due(const struct options *options, const struct course *course, int64_t steps)
{
    const int64_t every = options->checkpoint_every;
    if (options->checkpoint == NULL)
        return false;
    if (every > 0 && (course->epoch * steps + course->step) % every == 0)
        return true;
    return course->step == steps && (every == 0 || course->epoch + 1 == options->epochs);
}

void checkpoints_save(struct run *run, const struct course *course, const struct outcome *outcome)
{
    const hn_status status = save(run, course, outcome);
    run->unsaved = status != HN_OK;
    if (status == HN_OK)
        return;
    progress_clear(&run->progress);
    complain("%s", hn_last_error());
    fprintf(stderr, "  this checkpoint is not written; those before it stay\n");
    event_begin(run->log, "checkpoint_failed");
    event_integer(run->log, "epoch", course->epoch + 1);
    event_integer(run->log, "step", course->step);
    event_text(run->log, "error", hn_last_error());
    (void)event_end(run->log);
}

/* ---- beginning ------------------------------------------------------------------------------------------------------ */

int checkpoints_prepare(const struct run *run)
{
    const char *directory = run->options.checkpoint;
    if (directory == NULL)
        return DONE;
    struct stat info;
    if (mkdir(directory, 0777) == 0)
        return DONE;
    const int error = errno;
    if (error == EEXIST && stat(directory, &info) == 0 && S_ISDIR(info.st_mode) && access(directory, W_OK) == 0)
        return DONE;
    complain("--checkpoint is %s, and checkpoints cannot be written there: %s", directory,
             error != EEXIST ? strerror(error) : "it is no directory, or not a writable one");
    return FAILED;
}

/* Takes all of it, with the run's own parts. */
static hn_status restore(struct run *run, const hn_checkpoint *checkpoint, struct course *course,
                         struct outcome *outcome)
{
    hn_training training = training_of(run, course);
    const char *course_text = hn_checkpoint_metadata(checkpoint, "course");
    const char *best_text = hn_checkpoint_metadata(checkpoint, "best");
    const char *seconds = hn_checkpoint_metadata(checkpoint, "seconds");
    const char *tests = hn_checkpoint_metadata(checkpoint, "tests");
    hn_status status = hn_checkpoint_restore(checkpoint, &training);
    if (status != HN_OK)
        return status;
    course->epoch = training.epoch;
    course->step = training.step;
    read_course(course, &run->left_out, outcome, course_text != NULL ? course_text : "", best_text != NULL ? best_text : "");
    run->started = now() - (seconds != NULL ? strtod(seconds, NULL) : 0.0);
    /* Tests see the images in another order each time. */
    if (tests != NULL)
        status = hn_loader_seek(run->data.testing, next_integer(&tests), 0);
    if (tests != NULL && status == HN_OK && run->data.validation != NULL)
        status = hn_loader_seek(run->data.validation, next_integer(&tests), 0);
    /* What the loss is told at an epoch's beginning it remembers, but for the weights. */
    if (status == HN_OK && course->step > 0)
        status = losses_weigh_classes(run->network, &run->options, &run->data, course->epoch);
    return status;
}

/* Whether the numbers can be those of a training with these options: others would overflow, or end it before its end. */
static bool course_fits(const struct run *run, struct course *course, const struct outcome *outcome)
{
    static const int64_t most = INT64_C(1) << 53;
    struct mean *means[MEANS];
    means_of(course, means);
    const int64_t counts[] = {course->skipped, run->left_out, course->skipped_images};
    bool fits = course->epoch >= 0 && course->epoch <= run->options.epochs && course->step >= 0 &&
                course->step <= hn_loader_batches(run->data.classifier) && outcome->best_epoch >= 0 &&
                outcome->best_epoch <= run->options.epochs;
    for (size_t i = 0; i < sizeof counts / sizeof *counts; ++i)
        fits = fits && counts[i] >= 0 && counts[i] <= most;
    for (int i = 0; i < MEANS; ++i)
        fits = fits && means[i]->n >= 0 && means[i]->n <= most;
    return fits;
}

static int go_on(struct run *run, struct course *course, struct outcome *outcome)
{
    const char *directory = run->options.checkpoint;
    hn_checkpoint *checkpoint = NULL;
    char data[TEXT];
    describe_data(run, data, sizeof data);
    hn_status status = hn_checkpoint_open(&checkpoint, run->context, directory);
    if (status == HN_END) {
        complain("the checkpoints in %s are gone", directory);
        return FAILED;
    }
    const char *before = hn_checkpoint_metadata(checkpoint, "data");
    if (status == HN_OK && (before == NULL || strcmp(before, data) != 0)) {
        complain("the training images are not those of the checkpoint: %s by size and labels, it has %s", data,
                 before == NULL ? "none" : before);
        hn_checkpoint_close(checkpoint);
        return FAILED;
    }
    if (status == HN_OK)
        status = restore(run, checkpoint, course, outcome);
    hn_checkpoint_close(checkpoint);
    if (status != HN_OK)
        return run_fail(run, status, "does the checkpoint belong to these options and this build?");
    if (!course_fits(run, course, outcome)) {
        complain("the checkpoint in %s stands in epoch %" PRId64 ", after %" PRId64 " of its steps, with counts that no "
                 "training of %" PRId64 " epochs has",
                 directory, course->epoch + 1, course->step, (int64_t)run->options.epochs);
        return FAILED;
    }
    return report_resume(run, course->epoch + 1, course->step) == 0 ? DONE : FAILED;
}

int checkpoints_begin(struct run *run, struct course *course, struct outcome *outcome)
{
    const struct options *o = &run->options;
    if (o->checkpoint == NULL)
        return DONE;
    if (o->resumed)
        return go_on(run, course, outcome);
    if (o->resume && !o->quiet)
        printf("no checkpoint in %s yet: training begins from the beginning\n", o->checkpoint);
    const hn_status status = save(run, course, outcome);
    return status == HN_OK ? DONE : run_fail(run, status, "the first checkpoint cannot be written");
}
