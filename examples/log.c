/* log.c -- JSON Lines through jansson. */
#include "log.h"

#include "option_table.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct event_log {
    FILE *file;
    const char *path;
    json_t *object; /* between event_begin and event_end */
    bool failed;    /* a value could not be added        */
};

/* The file, cut to its first `kept` bytes; NULL with errno, 0 for a file that is shorter. */
static FILE *go_on(const char *path, int64_t kept)
{
    struct stat info;
    FILE *file = fopen(path, "r+");
    errno = file == NULL ? errno : 0;
    if (file == NULL)
        return NULL;
    if (fstat(fileno(file), &info) == 0 && info.st_size >= kept && ftruncate(fileno(file), (off_t)kept) == 0 &&
        fseeko(file, 0, SEEK_END) == 0)
        return file;
    fclose(file);
    return NULL;
}

struct event_log *event_log_open(const char *path, int64_t kept)
{
    struct event_log *log = calloc(1, sizeof *log);
    if (log == NULL) {
        complain("not enough memory for a log");
        return NULL;
    }
    log->path = path;
    log->file = kept > 0 ? go_on(path, kept) : fopen(path, "w");
    if (log->file == NULL) {
        complain("the log %s cannot be %s: %s", path, kept > 0 ? "gone on with" : "written",
                 errno != 0 ? strerror(errno) : "it is shorter than when the checkpoint was written; name a new --log");
        free(log);
        return NULL;
    }
    return log;
}

/* Gives value to the object; NULL, which jansson returns for what JSON cannot say, becomes null. */
static void add(struct event_log *log, const char *key, json_t *value)
{
    if (json_object_set_new(log->object, key, value == NULL ? json_null() : value) != 0)
        log->failed = true;
}

void event_begin(struct event_log *log, const char *name)
{
    if (log == NULL)
        return;
    log->object = json_object();
    log->failed = log->object == NULL;
    event_text(log, "event", name);
}

void event_text(struct event_log *log, const char *key, const char *value)
{
    if (log != NULL)
        add(log, key, value == NULL ? NULL : json_string(value));
}

void event_integer(struct event_log *log, const char *key, int64_t value)
{
    if (log != NULL)
        add(log, key, json_integer(value));
}

void event_number(struct event_log *log, const char *key, double value)
{
    if (log != NULL)
        add(log, key, isfinite(value) ? json_real(value) : NULL);
}

void event_flag(struct event_log *log, const char *key, bool value)
{
    if (log != NULL)
        add(log, key, json_boolean(value));
}

void event_integers(struct event_log *log, const char *key, const int64_t *values, int64_t count)
{
    if (log == NULL)
        return;
    json_t *array = json_array();
    for (int64_t i = 0; i < count; ++i)
        log->failed |= json_array_append_new(array, json_integer(values[i])) != 0;
    add(log, key, array);
}

void event_numbers(struct event_log *log, const char *key, const double *values, int64_t count)
{
    if (log == NULL)
        return;
    json_t *array = json_array();
    for (int64_t i = 0; i < count; ++i)
        log->failed |= json_array_append_new(array, isfinite(values[i]) ? json_real(values[i]) : json_null()) != 0;
    add(log, key, array);
}

void event_table(struct event_log *log, const char *key, const int64_t *values, int64_t rows, int64_t columns)
{
    if (log == NULL)
        return;
    json_t *table = json_array();
    for (int64_t i = 0; i < rows; ++i) {
        json_t *row = json_array();
        for (int64_t j = 0; j < columns; ++j)
            log->failed |= json_array_append_new(row, json_integer(values[i * columns + j])) != 0;
        log->failed |= json_array_append_new(table, row) != 0;
    }
    add(log, key, table);
}

/* Half a line would spoil those after it: the file ends again where the line began. A pipe has no such place. */
static void forget(struct event_log *log, off_t begin)
{
    const int copy = begin >= 0 ? dup(fileno(log->file)) : -1;
    FILE *file = copy >= 0 ? fdopen(copy, "r+") : NULL;
    if (file == NULL) {
        if (copy >= 0)
            (void)close(copy);
        return;
    }
    (void)fclose(log->file); /* its buffer may hold the rest of the line */
    log->file = file;
    (void)ftruncate(copy, begin);
    (void)fseeko(file, 0, SEEK_END);
}

int event_end(struct event_log *log)
{
    if (log == NULL)
        return 0;
    const off_t begin = ftello(log->file);
    errno = 0;
    bool written = !log->failed && json_dumpf(log->object, log->file, JSON_COMPACT | JSON_REAL_PRECISION(8)) == 0 &&
                   fputc('\n', log->file) != EOF && fflush(log->file) == 0;
    json_decref(log->object);
    log->object = NULL;
    if (!written) {
        complain("the log %s cannot be written: %s", log->path, errno != 0 ? strerror(errno) : "out of memory");
        forget(log, begin);
    }
    return written ? 0 : -1;
}

int64_t event_log_sync(struct event_log *log)
{
    if (log == NULL)
        return 0;
    (void)fsync(fileno(log->file)); /* which a pipe cannot do */
    const off_t bytes = ftello(log->file);
    return bytes > 0 ? (int64_t)bytes : 0;
}

int event_log_close(struct event_log *log)
{
    if (log == NULL)
        return 0;
    int status = fclose(log->file) == 0 ? 0 : -1;
    if (status != 0)
        complain("the log %s cannot be written: %s", log->path, strerror(errno));
    json_decref(log->object);
    free(log);
    return status;
}
