/* bench.h -- what the parts of the benchmark share. */
#ifndef BENCH_H
#define BENCH_H

#include <hybridnet.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

/* Seconds of a clock that only goes forward. */
static inline double bench_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Seconds of all the process' threads on CPUs. */
static inline double bench_cpu_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Ends the program with the library's sentence if the status is a failure. */
static inline void bench_ok(hn_status status)
{
    if (status >= 0)
        return;
    fprintf(stderr, "%s\n", hn_last_error());
    exit(1);
}

/* A whole number of the command line in [low, high]; usage, which does not return, for anything else. */
static inline int64_t bench_number(const char *text, int64_t low, int64_t high, void (*usage)(void))
{
    char *end;
    const long long value = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || value < low || value > high)
        usage();
    return value;
}

/* Likewise a number; NaN is none. */
static inline double bench_real(const char *text, double low, double high, void (*usage)(void))
{
    char *end;
    const double value = strtod(text, &end);
    if (end == text || *end != '\0' || !(value >= low && value <= high))
        usage();
    return value;
}

/* A line of /proc/self/status, "VmRSS:" or "VmHWM:", in bytes. Where there is none, getrusage's peak: exec hands that on from
 * the process before, so a small program that a large one starts would seem not to grow.                              */
static inline double bench_process_bytes(const char *key)
{
    char line[256];
    double kib = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, key, strlen(key)) == 0)
            kib = strtod(line + strlen(key), NULL);
    if (file != NULL)
        fclose(file);
    struct rusage usage;
    if (kib == 0 && getrusage(RUSAGE_SELF, &usage) == 0)
        kib = (double)usage.ru_maxrss;
    return 1024 * kib;
}

#endif
