/* profile.h -- where the time of training goes: the library's trace with a clock, added up by kind of work. */
#ifndef PROFILE_H
#define PROFILE_H

#include "log.h"
#include "peaks.h"

enum { PROFILE_LINES = 128, PROFILE_DEPTH = 64 };

/* All work of one kind, shape and pass. */
struct profile_line {
    char kind[40], shape[48];
    int32_t pass; /* HN_TRACE_* */
    int64_t calls;
    double seconds, flops, bytes;
};

/* Functions take NULL for "no profile" and then do nothing. */
struct profile {
    struct peaks peaks;
    struct profile_line lines[PROFILE_LINES];
    struct profile_line rest; /* what no piece of work claims */
    int32_t count, depth;
    struct profile_line *open[PROFILE_DEPTH]; /* begun and not ended, the latest last          */
    double counted_to;                        /* up to this moment the time is given to lines  */
    bool running;
};

/* Measures what the machine can do (peaks.h) on that many threads in that precision. NULL after a sentence on stderr. */
struct profile *profile_create(int32_t num_threads, int32_t precision);
void profile_destroy(struct profile *profile);

/* For hn_context_options.trace, with the profile as its user. */
void profile_event(const hn_trace_event *event, void *profile);

/* Work of the program's own, as one more kind. */
void profile_begin(struct profile *profile, const char *kind);
void profile_end(struct profile *profile, const char *kind);

/* Only what lies between the two counts. Neither may be called while a piece of work is open. */
void profile_resume(struct profile *profile);
void profile_pause(struct profile *profile);

/* Prints the table, unless quiet, and logs every line of it. 0, or -1 when the log cannot be written. */
int profile_report(const struct profile *profile, bool quiet, struct event_log *log);

#endif
