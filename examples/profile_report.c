/* profile_report.c -- a profile as a table and as events. */
#include "profile.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double smallest_share = 0.005; /* of a layer's line in the table; the log has them all */

static const char *pass_name(int32_t pass)
{
    return pass == HN_TRACE_FORWARD ? "forward" : pass == HN_TRACE_BACKWARD ? "backward" : "";
}

/* NaN for work that states none. */
static double rate(double amount, double seconds)
{
    return amount > 0.0 && seconds > 0.0 ? amount / seconds : NAN;
}

/* The time that the slower of computing and moving takes at the machine's peak, over the time it took. */
static double of_bound(const struct peaks *peaks, const struct profile_line *line)
{
    return rate(fmax(line->flops / peaks->flops, line->bytes / peaks->bytes), line->seconds);
}

static void print_number(const char *format, int width, double value)
{
    if (isnan(value))
        printf("%*s", width, "-");
    else
        printf(format, width, value);
}

static void print_line(const struct peaks *peaks, const struct profile_line *line, double total)
{
    char name[sizeof line->kind + sizeof line->shape + 1];
    snprintf(name, sizeof name, "%s %s", line->kind, line->shape);
    printf("%-34s %-8s", name, pass_name(line->pass));
    print_number("%*.0f", 8, line->calls > 0 ? (double)line->calls : NAN);
    printf(" %9.2f %6.1f %%", line->seconds, 100.0 * line->seconds / total);
    print_number("%*.1f", 8, 1e-9 * rate(line->flops, line->seconds));
    print_number("%*.2f", 8, 1e-9 * rate(line->bytes, line->seconds));
    print_number("%*.2f", 10, of_bound(peaks, line));
    putchar('\n');
}

static int log_line(const struct peaks *peaks, const struct profile_line *line, double total, struct event_log *log)
{
    event_begin(log, "profile");
    event_text(log, "kind", line->kind);
    event_text(log, "shape", line->shape[0] == '\0' ? NULL : line->shape);
    event_text(log, "pass", line->pass == HN_TRACE_OTHER ? NULL : pass_name(line->pass));
    event_integer(log, "calls", line->calls);
    event_number(log, "seconds", line->seconds);
    event_number(log, "share", line->seconds / total);
    event_number(log, "gflops", 1e-9 * rate(line->flops, line->seconds));
    event_number(log, "gbytes_per_second", 1e-9 * rate(line->bytes, line->seconds));
    event_number(log, "of_bound", of_bound(peaks, line));
    return event_end(log);
}

static int longer_first(const void *a, const void *b)
{
    double first = ((const struct profile_line *)a)->seconds, second = ((const struct profile_line *)b)->seconds;
    return (first < second) - (first > second);
}

static void print_table(const struct profile *p, const struct profile_line *lines, double total)
{
    struct profile_line smaller = {.kind = "smaller layers"};
    printf("where %.2f s of training went; the machine, %d threads: %.1f GF/s, %.2f GB/s\n", total,
           (int)p->peaks.threads, 1e-9 * p->peaks.flops, 1e-9 * p->peaks.bytes);
    printf("%-34s %-8s %8s %9s %8s %7s %7s %9s\n", "work", "pass", "calls", "seconds", "share", "GF/s", "GB/s",
           "of bound");
    for (int32_t i = 0; i < p->count; ++i)
        if (lines[i].pass == HN_TRACE_OTHER || lines[i].seconds >= smallest_share * total) {
            print_line(&p->peaks, &lines[i], total);
        } else {
            smaller.calls += lines[i].calls;
            smaller.seconds += lines[i].seconds;
        }
    print_line(&p->peaks, &smaller, total);
    print_line(&p->peaks, &p->rest, total);
}

static int log_all(const struct profile *p, const struct profile_line *lines, double total, struct event_log *log)
{
    event_begin(log, "peaks");
    event_integer(log, "threads", p->peaks.threads);
    event_number(log, "gflops", 1e-9 * p->peaks.flops);
    event_number(log, "gbytes_per_second", 1e-9 * p->peaks.bytes);
    int status = event_end(log);
    for (int32_t i = 0; i < p->count && status == 0; ++i)
        status = log_line(&p->peaks, &lines[i], total, log);
    return status == 0 ? log_line(&p->peaks, &p->rest, total, log) : status;
}

int profile_report(const struct profile *profile, bool quiet, struct event_log *log)
{
    if (profile == NULL)
        return 0;
    struct profile_line lines[PROFILE_LINES];
    double total = profile->rest.seconds;
    memcpy(lines, profile->lines, sizeof lines);
    qsort(lines, (size_t)profile->count, sizeof lines[0], longer_first);
    for (int32_t i = 0; i < profile->count; ++i)
        total += lines[i].seconds;
    if (total <= 0.0) /* stopped before it began */
        return 0;
    if (!quiet)
        print_table(profile, lines, total);
    return log_all(profile, lines, total, log);
}
