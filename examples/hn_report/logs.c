/* logs.c -- reads JSON Lines into trials. */
#include "logs.h"

#include "log_check.h"
#include "text.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const size_t file_bytes_max = (size_t)1 << 28;
enum { LABEL = 200 }; /* room for the name of a log */

static const double number_max = 1e100; /* beyond, differences might overflow */

/* What one file adds. */
struct reading {
    struct logs *logs;
    const char *path, *name; /* name: without directory */
    int name_length;         /* and without suffix      */
    size_t first;            /* trial of this file      */
    struct trial *trial;     /* the current one         */
    size_t events;           /* that the page uses      */
};

static int no_memory(const char *path)
{
    complain("not enough memory for %s", path);
    return -1;
}

/* ---- values ------------------------------------------------------------------------------------------------------ */

double log_number(const json_t *value)
{
    const double number = json_is_number(value) ? json_number_value(value) : NAN;
    return fabs(number) <= number_max ? number : NAN;
}

static const json_t *value_of(const struct trial *trial, const char *key)
{
    const json_t *value = json_object_get(trial->result, key);
    return value != NULL && !json_is_null(value) ? value : json_object_get(trial->start, key);
}

double trial_number(const struct trial *trial, const char *key)
{
    return log_number(value_of(trial, key));
}

const char *trial_text(const struct trial *trial, const char *key)
{
    return json_string_value(value_of(trial, key));
}

const json_t *trial_list(const struct trial *trial, const char *key)
{
    return value_of(trial, key);
}

double list_number(const json_t *list, size_t index)
{
    return log_number(json_array_get(list, index));
}

/* ---- events ------------------------------------------------------------------------------------------------------ */

static int add_trial(struct reading *r)
{
    struct logs *logs = r->logs;
    if (logs->count == logs->room) {
        const size_t room = logs->room == 0 ? 8 : 2 * logs->room;
        struct trial *trials = realloc(logs->trials, room * sizeof *trials);
        if (trials == NULL)
            return -1;
        logs->trials = trials;
        logs->room = room;
    }
    r->trial = &logs->trials[logs->count++];
    *r->trial = (struct trial){.label = NULL};
    return 0;
}

static int add_row(struct log_rows *rows, const json_t *event, double at)
{
    if (rows->count == rows->room) {
        const size_t room = rows->room == 0 ? 64 : 2 * rows->room;
        struct log_row *row = realloc(rows->row, room * sizeof *row);
        if (row == NULL)
            return -1;
        rows->row = row;
        rows->room = room;
    }
    rows->row[rows->count++] = (struct log_row){at,
                                                log_number(json_object_get(event, "alpha")),
                                                log_number(json_object_get(event, "loss")),
                                                log_number(json_object_get(event, "loss_feature")),
                                                log_number(json_object_get(event, "loss_classifier")),
                                                log_number(json_object_get(event, "top1")),
                                                log_number(json_object_get(event, "validation")),
                                                log_number(json_object_get(event, "images_per_second")),
                                                log_number(json_object_get(event, "seconds"))};
    return 0;
}

/* Where a step ends, in epochs. */
static double end_of_step(const json_t *event)
{
    const double epoch = log_number(json_object_get(event, "epoch")),
                 steps = log_number(json_object_get(event, "steps"));
    return steps > 0.0 ? epoch - 1.0 + log_number(json_object_get(event, "step")) / steps : NAN;
}

static void replace(json_t **place, json_t *event)
{
    json_decref(*place);
    *place = json_incref(event);
}

/* A start begins a run; so does whatever comes first in a file. */
static int take_event(struct reading *r, json_t *event)
{
    const char *name = json_string_value(json_object_get(event, "event"));
    const bool start = strcmp(name, "start") == 0, epoch = strcmp(name, "epoch") == 0, step = strcmp(name, "step") == 0;
    const bool result = strcmp(name, "result") == 0;
    r->events++;
    if (strcmp(name, "seeds") == 0) {
        char label[256];
        snprintf(label, sizeof label, "%.*s", r->name_length, r->name);
        json_t *log = json_string_nocheck(label); /* a name of a file, which may be no UTF-8 */
        json_t *entry = json_pack("{s:o, s:O}", "log", log, "event", event);
        return json_array_append_new(r->logs->seeds, entry);
    }
    if ((start || r->trial == NULL) && add_trial(r) != 0)
        return -1;
    if (start)
        replace(&r->trial->start, event);
    if (epoch && add_row(&r->trial->epochs, event, log_number(json_object_get(event, "epoch"))) != 0)
        return -1;
    if (step && add_row(&r->trial->steps, event, end_of_step(event)) != 0)
        return -1;
    if ((!start && !epoch && !step) || (epoch && json_is_number(json_object_get(event, "top1"))))
        replace(&r->trial->result, event);
    r->trial->finished |= result;
    return 0;
}

/* ---- files ------------------------------------------------------------------------------------------------------- */

/* All of a file and a 0 behind it, to be freed by the caller; NULL after a sentence. */
static char *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        complain("%s cannot be read: %s", path, strerror(errno));
        return NULL;
    }
    char *text = NULL;
    size_t room = 1 << 16, got = 1;
    *size = 0;
    errno = 0;
    while (got > 0) {
        char *longer = *size <= file_bytes_max ? realloc(text, room + 1) : NULL;
        if (longer == NULL)
            break;
        text = longer;
        got = fread(text + *size, 1, room - *size, file);
        *size += got;
        room += *size == room ? room : 0;
    }
    const bool whole = got == 0 && !ferror(file);
    if (ferror(file))
        complain("%s cannot be read: %s", path, strerror(errno));
    else if (!whole)
        complain("%s is longer than 256 MiB or than memory; is it a log of train_hybrid --log?", path);
    fclose(file);
    if (!whole) {
        free(text);
        return NULL;
    }
    text[*size] = '\0';
    return text;
}

static int add_note(struct logs *logs, const char *path, long line)
{
    char note[512];
    snprintf(note, sizeof note, "The last line of %.400s, line %ld, has no end yet and was left out.", path, line);
    return json_array_append_new(logs->notes, json_string_nocheck(note)) == 0 ? 0 : no_memory(path);
}

static int take_line(struct reading *r, const char *text, size_t length, long line, bool ended)
{
    json_error_t error = {.text = "a NUL byte"}; /* behind a number jansson takes one for the number's end */
    json_t *event = memchr(text, '\0', length) == NULL ? json_loadb(text, length, 0, &error) : NULL;
    if (event == NULL && !ended)
        return add_note(r->logs, r->name, line); /* it is being written, or what wrote it was stopped */
    if (event == NULL) {
        complain("%s, line %ld: %s; is it a log of train_hybrid --log?", r->path, line, error.text);
        return -1;
    }
    int code = log_check(event, r->path, line);
    if (code == 0 && take_event(r, event) != 0)
        code = no_memory(r->path);
    json_decref(event);
    return code < 0 ? -1 : 0;
}

static int take_lines(struct reading *r, const char *text, size_t size)
{
    static const char mark[] = "\xEF\xBB\xBF"; /* of the order of bytes, which editors leave */
    long line = 1;
    int code = 0;
    for (const char *at = text + (strncmp(text, mark, 3) == 0 ? 3 : 0), *end = text + size; at < end && code == 0;
         ++line) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        const size_t length = (size_t)((stop == NULL ? end : stop) - at);
        bool blank = true;
        for (size_t i = 0; i < length && blank; ++i)
            blank = at[i] == ' ' || at[i] == '\t' || at[i] == '\r';
        if (!blank)
            code = take_line(r, at, length, line, stop != NULL);
        at += length + 1;
    }
    return code;
}

/* Whether a run before this one has the label. */
static bool is_label(const struct logs *logs, size_t trial, const char *label)
{
    for (size_t i = 0; i < trial; ++i)
        if (strcmp(logs->trials[i].label, label) == 0)
            return true;
    return false;
}

/* "name", or "name, seed 3" where a file has several runs; "name, seed 3, run 2" where that is taken. */
static int name_trials(struct reading *r)
{
    for (size_t i = r->first; i < r->logs->count; ++i) {
        struct trial *trial = &r->logs->trials[i];
        const double seed = trial_number(trial, "seed");
        const bool several = r->logs->count - r->first > 1;
        char label[400];
        int length = snprintf(label, 200, "%.*s", r->name_length, r->name);
        if (several && !isnan(seed))
            length += snprintf(label + length, 150, ", seed %.0f", seed);
        if (several && (isnan(seed) || is_label(r->logs, i, label)))
            snprintf(label + length, 40, ", run %zu", i - r->first + 1);
        trial->label = strdup(label);
        if (trial->label == NULL)
            return no_memory(r->path);
    }
    return 0;
}

/* Whether a log that was read before has this name, of that length. */
static bool is_taken(const struct logs *logs, const char *name, size_t length)
{
    for (size_t i = 0; i < logs->count; ++i) {
        const char *label = logs->trials[i].label;
        if (strncmp(label, name, length) == 0 && (label[length] == '\0' || label[length] == ','))
            return true;
    }
    return false;
}

/* The file's name without its ending, of that length; where that is taken with the ending, or with the directory, too, or
 * with a number.                                                                                                       */
static void unique_name(const struct logs *logs, const char *path, const char *name, size_t length, char unique[LABEL])
{
    const size_t size = strlen(path);
    snprintf(unique, LABEL, "%.*s", (int)length, name);
    if (is_taken(logs, unique, strlen(unique)))
        snprintf(unique, LABEL, "%s", name);
    if (is_taken(logs, unique, strlen(unique))) /* of a long one the end */
        snprintf(unique, LABEL, "%s", path + (size < LABEL ? 0 : size - LABEL + 1));
    for (int i = 2; is_taken(logs, unique, strlen(unique)); ++i)
        snprintf(unique, LABEL, "%.*s (%d)", (int)(length < LABEL - 20 ? length : LABEL - 20), name, i);
}

int logs_read(struct logs *logs, const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash == NULL ? path : slash + 1, *dot = strrchr(name, '.');
    char unique[LABEL];
    unique_name(logs, path, name, dot == NULL || dot == name ? strlen(name) : (size_t)(dot - name), unique);
    struct reading r = {logs, path, unique, (int)strlen(unique), logs->count, NULL, 0};
    if (logs->seeds == NULL)
        logs->seeds = json_array();
    if (logs->notes == NULL)
        logs->notes = json_array();
    size_t size = 0;
    char *text = read_file(path, &size);
    if (text == NULL)
        return -1;
    int code = take_lines(&r, text, size);
    free(text);
    if (code == 0 && r.events == 0) {
        complain(size == 0 ? "%s is empty; has the run that writes it started?"
                           : "%s has no event of a run; is it a log of train_hybrid --log?",
                 path);
        code = -1;
    }
    return code == 0 ? name_trials(&r) : code;
}

void logs_free(struct logs *logs)
{
    for (size_t i = 0; i < logs->count; ++i) {
        json_decref(logs->trials[i].start);
        json_decref(logs->trials[i].result);
        free(logs->trials[i].epochs.row);
        free(logs->trials[i].steps.row);
        free(logs->trials[i].label);
    }
    free(logs->trials);
    json_decref(logs->seeds);
    json_decref(logs->notes);
    *logs = (struct logs){.trials = NULL};
}
