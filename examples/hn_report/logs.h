/* logs.h -- the runs that logs of train_hybrid tell of. */
#ifndef LOGS_H
#define LOGS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* Of an epoch or a step; at: where it ends, in epochs. Numbers that are missing are NAN. */
struct log_row {
    double at, alpha, loss, loss_feature, loss_classifier, top1, validation, images_per_second, seconds;
};

struct log_rows {
    struct log_row *row;
    size_t count, room;
};

/* One run; a log of --seeds has several. */
struct trial {
    char *label;           /* what the page calls it                                           */
    json_t *start;         /* that event, NULL when it is missing                               */
    json_t *result;        /* the last event with scores; NULL before the first                 */
    bool finished;         /* that was the result                                               */
    struct log_rows epochs;
    struct log_rows steps; /* none, unless --log-steps had them written */
};

struct logs {
    struct trial *trials;
    size_t count, room;
    json_t *seeds; /* array of {"log": name, "event": the event "seeds"}                       */
    json_t *notes; /* array of sentences about what could not be used                           */
};

/* Adds a file. 0, or -1 after a sentence on stderr; logs_free in any case. Begin with a zeroed struct. */
int logs_read(struct logs *logs, const char *path);
void logs_free(struct logs *logs);

/* A number that can be drawn: NaN for what is none, or is beyond 1e100. */
double log_number(const json_t *value);

/* A value of the last event with scores or, if that has none, of the start: NAN or NULL when neither has it. */
double trial_number(const struct trial *trial, const char *key);
const char *trial_text(const struct trial *trial, const char *key);
const json_t *trial_list(const struct trial *trial, const char *key);

/* Entry of a list; NAN when there is none, or it is beyond what a plot can show. */
double list_number(const json_t *list, size_t index);

#endif
