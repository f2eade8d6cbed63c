/* progress.c: the line of progress on a terminal: share, rate, time left. */
#include "progress.h"

#include <math.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static const double seconds_between_lines = 0.25;

double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void progress_start(struct progress *progress, int64_t steps, int64_t done, bool quiet)
{
    *progress = (struct progress){.quiet = quiet,
                                  .live = !quiet && isatty(STDERR_FILENO) == 1,
                                  .steps = steps,
                                  .steps_done = done,
                                  .steps_before = done};
    progress->started = now();
}

void progress_start_epoch(struct progress *progress)
{
    progress->epoch_started = now();
    progress->epoch_images = 0;
}

double progress_rate(const struct progress *progress)
{
    const double seconds = now() - progress->epoch_started;
    return progress->epoch_images > 0 && seconds > 0.0 ? (double)progress->epoch_images / seconds : NAN;
}

/* "2 h 05 min", "4 min 10 s", "9 s". */
static void duration(double seconds, char *text, size_t size)
{
    long s = (long)(seconds + 0.5);
    if (s >= 3600)
        snprintf(text, size, "%ld h %02ld min", s / 3600, s % 3600 / 60);
    else if (s >= 60)
        snprintf(text, size, "%ld min %02ld s", s / 60, s % 60);
    else
        snprintf(text, size, "%ld s", s);
}

void progress_step(struct progress *progress, int64_t images, double loss, int64_t epoch, int64_t epochs)
{
    progress->steps_done++;
    progress->epoch_images += images;
    double time = now();
    if (!progress->live || time - progress->shown < seconds_between_lines)
        return;
    progress->shown = time;
    double a_step = (time - progress->started) / (double)(progress->steps_done - progress->steps_before);
    char left[32];
    duration(a_step * (double)(progress->steps - progress->steps_done), left, sizeof left);
    fprintf(stderr, "\r\033[Kepoch %lld/%lld  %.0f %%  loss %.4f  %.0f images/s  %s left", (long long)epoch,
            (long long)epochs, 100.0 * (double)progress->steps_done / (double)progress->steps, loss,
            progress_rate(progress), left);
    fflush(stderr);
}

void progress_clear(struct progress *progress)
{
    if (progress->live)
        fputs("\r\033[K", stderr);
    progress->shown = 0.0;
}
