/* seeds.c: the runs of --seeds, and their means and deviations. */
#include "seeds.h"

#include "report.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>

/* Means and sample standard deviations of one score over the runs, in per cent; NAN where it does not exist. */
struct spread {
    double mean, deviation;
};

static struct spread spread_of(const struct outcome *outcomes, int32_t count, size_t offset)
{
    double sum = 0.0, squares = 0.0;
    for (int32_t i = 0; i < count; ++i)
        sum += 100.0 * *(const double *)(const void *)((const char *)&outcomes[i].last.report + offset);
    const double mean = sum / count;
    for (int32_t i = 0; i < count; ++i) {
        const double value = 100.0 * *(const double *)(const void *)((const char *)&outcomes[i].last.report + offset);
        squares += (value - mean) * (value - mean);
    }
    return (struct spread){mean, count > 1 ? sqrt(squares / (count - 1)) : NAN};
}

static int report(const struct run *run, const struct outcome *outcomes, int32_t count)
{
    static const struct {
        const char *name, *key;
        size_t offset;
    } scores[] = {{"top-1", "top1", offsetof(hn_metrics_report, top1)},
                  {"many", "many", offsetof(hn_metrics_report, many)},
                  {"medium", "medium", offsetof(hn_metrics_report, medium)},
                  {"few", "few", offsetof(hn_metrics_report, few)},
                  {"balanced", "balanced", offsetof(hn_metrics_report, balanced_accuracy)},
                  {"macro-F1", "macro_f1", offsetof(hn_metrics_report, macro_f1)},
                  {"G-mean", "g_mean", offsetof(hn_metrics_report, g_mean)},
                  {"worst recall", "worst_recall", offsetof(hn_metrics_report, worst_recall)},
                  {"ECE", "ece", offsetof(hn_metrics_report, ece)},
                  {"many ECE", "many_ece", offsetof(hn_metrics_report, many_ece)},
                  {"medium ECE", "medium_ece", offsetof(hn_metrics_report, medium_ece)},
                  {"few ECE", "few_ece", offsetof(hn_metrics_report, few_ece)}};
    char key[64];
    if (!run->options.quiet)
        printf("%d seeds, mean and standard deviation:", (int)count);
    event_begin(run->log, "seeds");
    event_numbers(run->log, "seeds", run->options.seeds.value, count);
    for (size_t i = 0; i < sizeof scores / sizeof scores[0]; ++i) {
        const struct spread s = spread_of(outcomes, count, scores[i].offset);
        if (!run->options.quiet && isnan(s.mean))
            printf("  %s -", scores[i].name);
        else if (!run->options.quiet && isnan(s.deviation))
            printf("  %s %.2f +- -", scores[i].name, s.mean);
        else if (!run->options.quiet)
            printf("  %s %.2f +- %.2f", scores[i].name, s.mean, s.deviation);
        snprintf(key, sizeof key, "%s_mean", scores[i].key);
        event_number(run->log, key, s.mean);
        snprintf(key, sizeof key, "%s_deviation", scores[i].key);
        event_number(run->log, key, s.deviation);
    }
    if (!run->options.quiet)
        putchar('\n');
    return event_end(run->log);
}

int seeds_run(struct run *run)
{
    const struct number_list *seeds = &run->options.seeds;
    struct outcome *outcomes = calloc(OPTION_LIST_MAX, sizeof *outcomes);
    int code = outcomes == NULL ? FAILED : DONE;
    if (outcomes == NULL)
        complain("not enough memory for %d runs", (int)seeds->count);
    for (int32_t i = 0; i < seeds->count && code == DONE; ++i) {
        struct run one = {.options = run->options, .log = run->log, .interrupted = run->interrupted, .started = now()};
        one.options.seed = (int64_t)seeds->value[i];
        code = run_whole(&one, &outcomes[i]);
    }
    if (code == DONE && report(run, outcomes, seeds->count) != 0)
        code = FAILED;
    free(outcomes);
    return code;
}
