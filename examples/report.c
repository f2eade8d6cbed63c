/* report.c: what is told of epochs, second stage and end, on the terminal and in the log. */
#include "report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* The most memory this process has held. getrusage would count what the program had that started this one. */
static double peak_mib(void)
{
    char line[128];
    double kib = 0.0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, "VmHWM:", 6) == 0)
            kib = strtod(line + 6, NULL);
    if (file != NULL)
        fclose(file);
    struct rusage usage;
    if (kib == 0.0 && getrusage(RUSAGE_SELF, &usage) == 0)
        kib = (double)usage.ru_maxrss;
    return kib / 1024.0;
}

/* "  name 93.2", or "  name -" for a value that does not exist. */
static void print_value(const char *name, const char *format, double value)
{
    printf("  %s ", name);
    if (isnan(value))
        putchar('-');
    else
        printf(format, value);
}

static void print_scores(const struct scores *scores)
{
    if (!isnan(scores->validation))
        print_value("validation", "%.2f", 100.0 * scores->validation);
    print_value("top-1", "%.2f", 100.0 * scores->report.top1);
    print_value("many", "%.2f", 100.0 * scores->report.many);
    print_value("medium", "%.2f", 100.0 * scores->report.medium);
    print_value("few", "%.2f", 100.0 * scores->report.few);
}

enum { COUNTS_MAX = 20 }; /* of more classes only the largest and the smallest is told */

static void print_counts(const int64_t *counts, int32_t classes)
{
    int64_t most = counts[0], least = counts[0];
    for (int32_t c = 0; c < classes; ++c) {
        most = counts[c] > most ? counts[c] : most;
        least = counts[c] < least ? counts[c] : least;
        if (classes <= COUNTS_MAX)
            printf("%s%lld", c > 0 ? " " : "", (long long)counts[c]);
    }
    if (classes > COUNTS_MAX)
        printf("%d classes of %lld to %lld", (int)classes, (long long)most, (long long)least);
}

static void print_start(const struct run *run)
{
    const struct options *o = &run->options;
    printf("ResNet-%d, %.2f M parameters\n%s: %lld training images (", (int)options_depth(o),
           1e-6 * (double)hn_hybrid_param_total(run->network), options_dataset_name(o),
           (long long)hn_dataset_count(run->data.train));
    print_counts(run->data.counts, run->data.classes);
    printf("), %lld test images\n", (long long)hn_dataset_count(run->data.test));
    fflush(stdout);
}

static void print_epoch(const struct run *run, const struct epoch *epoch, const struct scores *scores)
{
    printf("epoch %lld/%lld", (long long)epoch->number, (long long)run->options.epochs);
    print_value("alpha", "%.3f", epoch->alpha);
    print_value("lr", "%.4g", epoch->lr);
    print_value("loss", "%.4f", epoch->loss);
    if (run->data.feature != NULL) {
        print_value("feature", "%.4f", epoch->loss_feature);
        print_value("classifier", "%.4f", epoch->loss_classifier);
    }
    if (scores != NULL)
        print_scores(scores);
    if (epoch->skipped_images > 0)
        printf("  %lld images skipped", (long long)epoch->skipped_images);
    if (!isnan(epoch->images_per_second))
        printf("  %.0f images/s", epoch->images_per_second);
    putchar('\n');
    fflush(stdout);
}

static int log_start(const struct run *run)
{
    event_begin(run->log, "start");
    event_text(run->log, "library", hn_version_string());
    event_text(run->log, "build", hn_build_info());
    options_log(&run->options, run->log);
    event_integer(run->log, "compute_threads", hn_context_num_threads(run->context));
    event_integer(run->log, "parameters", hn_hybrid_param_total(run->network));
    event_integer(run->log, "train_images", hn_dataset_count(run->data.train));
    event_integer(run->log, "test_images", hn_dataset_count(run->data.test));
    event_integers(run->log, "class_counts", run->data.counts, run->data.classes);
    if (run->data.held_out != NULL) /* those by which classes have many, medium or few images */
        event_integers(run->log, "group_counts", run->data.whole, run->data.classes);
    return event_end(run->log);
}

int report_step(const struct run *run, const struct step *step)
{
    event_begin(run->log, "step");
    event_integer(run->log, "epoch", step->epoch);
    event_integer(run->log, "step", step->number);
    event_integer(run->log, "steps", step->steps);
    event_number(run->log, "alpha", step->alpha);
    event_number(run->log, "lr", step->lr);
    event_number(run->log, "loss", step->losses.loss);
    event_number(run->log, "loss_feature", step->losses.loss_feature);
    event_number(run->log, "loss_classifier", step->losses.loss_classifier);
    event_number(run->log, "gradient_norm", step->losses.gradient_norm);
    return event_end(run->log);
}

/* Scores in per cent; null for those that do not exist, and all of them for an epoch without a test. */
static void log_scores(struct event_log *log, const struct scores *scores)
{
    const hn_metrics_report *r = scores == NULL ? NULL : &scores->report;
    event_number(log, "top1", r == NULL ? NAN : 100.0 * r->top1);
    event_number(log, "many", r == NULL ? NAN : 100.0 * r->many);
    event_number(log, "medium", r == NULL ? NAN : 100.0 * r->medium);
    event_number(log, "few", r == NULL ? NAN : 100.0 * r->few);
    event_number(log, "balanced", r == NULL ? NAN : 100.0 * r->balanced_accuracy);
    event_number(log, "macro_f1", r == NULL ? NAN : 100.0 * r->macro_f1);
    event_number(log, "g_mean", r == NULL ? NAN : 100.0 * r->g_mean);
    event_number(log, "worst_recall", r == NULL ? NAN : 100.0 * r->worst_recall);
    event_number(log, "ece", r == NULL ? NAN : 100.0 * r->ece);
    event_number(log, "many_ece", r == NULL ? NAN : 100.0 * r->many_ece);
    event_number(log, "medium_ece", r == NULL ? NAN : 100.0 * r->medium_ece);
    event_number(log, "few_ece", r == NULL ? NAN : 100.0 * r->few_ece);
    event_number(log, "validation", scores == NULL ? NAN : 100.0 * scores->validation);
}

static int log_epoch(const struct run *run, const struct epoch *epoch, const struct scores *scores)
{
    event_begin(run->log, "epoch");
    event_integer(run->log, "epoch", epoch->number);
    event_number(run->log, "alpha", epoch->alpha);
    event_number(run->log, "lr", epoch->lr);
    event_number(run->log, "loss", epoch->loss);
    event_number(run->log, "loss_feature", epoch->loss_feature);
    event_number(run->log, "loss_classifier", epoch->loss_classifier);
    event_number(run->log, "gradient_norm", epoch->gradient_norm);
    event_integer(run->log, "skipped_steps", epoch->skipped);
    event_integer(run->log, "skipped_images", epoch->skipped_images);
    log_scores(run->log, scores);
    event_number(run->log, "images_per_second", epoch->images_per_second);
    event_number(run->log, "seconds", now() - run->started);
    return event_end(run->log);
}

/* "none|crt|..." by its index, as the option has it. */
static const char *const second_stages[] = {"none", "crt", "lws", "tau", "ncm"};

int report_second_stage(struct run *run, const struct scores *scores, double tau)
{
    progress_clear(&run->progress);
    if (!run->options.quiet) {
        printf("second stage %s", second_stages[run->options.second_stage]);
        if (!isnan(tau))
            print_value("tau", "%g", tau);
        print_scores(scores);
        putchar('\n');
        fflush(stdout);
    }
    event_begin(run->log, "second_stage");
    event_text(run->log, "kind", second_stages[run->options.second_stage]);
    event_number(run->log, "tau", tau);
    log_scores(run->log, scores);
    event_number(run->log, "seconds", now() - run->started);
    return event_end(run->log);
}

static void print_result(const struct outcome *outcome, double seconds, double mib)
{
    printf("result");
    print_scores(&outcome->last);
    print_value("macro-F1", "%.2f", 100.0 * outcome->last.report.macro_f1);
    print_value("G-mean", "%.2f", 100.0 * outcome->last.report.g_mean);
    print_value("worst recall", "%.2f", 100.0 * outcome->last.report.worst_recall);
    print_value("ECE", "%.2f", 100.0 * outcome->last.report.ece);
    printf("  (%.0f s, %.0f MiB)\n", seconds, mib);
    if (outcome->best_epoch > 0) {
        printf("best by validation, epoch %lld", (long long)outcome->best_epoch);
        print_scores(&outcome->best);
        putchar('\n');
    }
}

int report_result(const struct run *run, const struct outcome *outcome)
{
    const double seconds = now() - run->started, mib = peak_mib();
    if (!run->options.quiet)
        print_result(outcome, seconds, mib);
    char arch[32];
    snprintf(arch, sizeof arch, "resnet%d", (int)options_depth(&run->options));
    if (outcome->best_epoch > 0) {
        event_begin(run->log, "best");
        event_integer(run->log, "epoch", outcome->best_epoch);
        log_scores(run->log, &outcome->best);
        if (event_end(run->log) != 0)
            return -1;
    }
    event_begin(run->log, "result");
    event_text(run->log, "method", options_method(&run->options)->name);
    event_text(run->log, "arch", arch);
    event_integer(run->log, "parameters", hn_hybrid_param_total(run->network));
    event_integer(run->log, "train_images", hn_dataset_count(run->data.train));
    log_scores(run->log, &outcome->last);
    event_numbers(run->log, "per_class", outcome->last.per_class, run->data.classes);
    if (run->confusion != NULL)
        event_table(run->log, "confusion", run->confusion, run->data.classes, run->data.classes);
    if (outcome->best_epoch > 0) {
        event_integer(run->log, "best_epoch", outcome->best_epoch);
        event_number(run->log, "best_validation", 100.0 * outcome->best.validation);
        event_number(run->log, "best_top1", 100.0 * outcome->best.report.top1);
    }
    event_number(run->log, "seconds", seconds);
    event_number(run->log, "peak_rss_mib", mib);
    return event_end(run->log);
}

int report_start(const struct run *run)
{
    if (!run->options.quiet)
        print_start(run);
    return run->options.resumed ? 0 : log_start(run); /* that one's log waits for report_resume */
}

int report_resume(const struct run *run, int64_t epoch, int64_t steps)
{
    if (!run->options.quiet)
        printf("goes on in epoch %lld, after %lld of its steps\n", (long long)epoch, (long long)steps);
    if (run->options.log_kept.bytes == 0 && log_start(run) != 0) /* a new log */
        return -1;
    event_begin(run->log, "resume");
    event_integer(run->log, "epoch", epoch);
    event_integer(run->log, "step", steps);
    event_text(run->log, "library", hn_version_string());
    event_text(run->log, "build", hn_build_info());
    event_integer(run->log, "compute_threads", hn_context_num_threads(run->context));
    return event_end(run->log);
}

int report_skipped(struct run *run, int64_t epoch, int64_t step)
{
    progress_clear(&run->progress);
    complain("epoch %lld, step %lld left out: %s", (long long)epoch, (long long)step, hn_last_error());
    event_begin(run->log, "skipped");
    event_integer(run->log, "epoch", epoch);
    event_integer(run->log, "step", step);
    event_text(run->log, "error", hn_last_error());
    return event_end(run->log);
}

int report_epoch(struct run *run, const struct epoch *epoch, const struct scores *scores)
{
    progress_clear(&run->progress);
    if (!run->options.quiet)
        print_epoch(run, epoch, scores);
    return log_epoch(run, epoch, scores);
}
