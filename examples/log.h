/* log.h -- events as JSON Lines: one object a line, flushed as it is written, so that a log can be followed. */
#ifndef EVENT_LOG_H
#define EVENT_LOG_H

#include <stdbool.h>
#include <stdint.h>

/* Every function takes NULL for "no log" and then does nothing. */
struct event_log;

/* The first lines of a log: how many bytes they have, and a hash to know them by (FNV-1a); hash 0: it is not known. */
struct log_part {
    int64_t bytes;
    uint64_t hash;
};

/* Opens the file, or makes it. Its first event goes behind the part to be kept, which must be there as it was, and in the
 * place of all that lay behind: until then the file stays as it is. NULL after a sentence on stderr.                     */
struct event_log *event_log_open(const char *path, struct log_part kept);

/* Brings what is written to the disk; returns what that is: nothing of a log that is no regular file. */
struct log_part event_log_sync(struct event_log *log);

/* Starts an object {"event": name, ...}; the next calls add to it. Numbers that are not finite and text that is NULL or
 * not UTF-8 become null. The values of one key must not repeat.                                                         */
void event_begin(struct event_log *log, const char *name);
void event_text(struct event_log *log, const char *key, const char *value);
void event_integer(struct event_log *log, const char *key, int64_t value);
void event_number(struct event_log *log, const char *key, double value);
void event_flag(struct event_log *log, const char *key, bool value);
void event_integers(struct event_log *log, const char *key, const int64_t *values, int64_t count);
void event_numbers(struct event_log *log, const char *key, const double *values, int64_t count);
/* A list of rows. */
void event_table(struct event_log *log, const char *key, const int64_t *values, int64_t rows, int64_t columns);

/* Writes the object. 0, or -1 after a sentence on stderr. */
int event_end(struct event_log *log);

/* 0, or -1 after a sentence on stderr. */
int event_log_close(struct event_log *log);

#endif
