/* log.c -- JSON Lines through jansson. */
#include "log.h"

#include "beginning.h"
#include "option_table.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const uint64_t hash_of_nothing = UINT64_C(0xcbf29ce484222325);

struct event_log {
    int file;
    const char *path;
    bool regular;          /* what else there is, such as a pipe, cannot be cut */
    bool begun;            /* an event is written                               */
    struct log_part lines; /* those that are kept or written                    */
    json_t *object;        /* between event_begin and event_end                 */
    bool failed;           /* a value could not be added                        */
};

static uint64_t hash_byte(uint64_t hash, int byte)
{
    return (hash ^ (uint64_t)(unsigned char)byte) * UINT64_C(0x100000001b3);
}

/* What is wrong with a file that is to begin with the part to be kept, or NULL; *hash: the part's. */
static const char *misfit(const char *path, struct log_part kept, uint64_t *hash)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return strerror(errno);
    int64_t left = kept.bytes;
    int last = '\n';
    for (int byte; left > 0 && (byte = getc(file)) != EOF; --left) {
        *hash = hash_byte(*hash, byte);
        last = byte;
    }
    (void)fclose(file);
    if (left > 0)
        return "it is shorter than when the checkpoint was written";
    return last != '\n' || (kept.hash != 0 && kept.hash != *hash) ? "it is not the log of this training" : NULL;
}

struct event_log *event_log_open(const char *path, struct log_part kept)
{
    uint64_t hash = hash_of_nothing;
    struct stat info;
    const char *wrong = kept.bytes > 0 ? misfit(path, kept, &hash) : NULL;
    if (wrong != NULL) {
        complain("the log %s cannot be gone on with: %s; name a new --log", path, wrong);
        return NULL;
    }
    if (kept.bytes == 0 && begins_otherwise(path, "{\"event\"")) {
        complain("the log is to be %s, where there is a file that is no log; name another with --log", path);
        return NULL;
    }
    struct event_log *log = calloc(1, sizeof *log);
    if (log == NULL) {
        complain("not enough memory for a log");
        return NULL;
    }
    log->path = path;
    log->lines = (struct log_part){kept.bytes, hash};
    log->file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (log->file < 0) {
        complain("the log %s cannot be written: %s", path, strerror(errno));
        free(log);
        return NULL;
    }
    log->regular = fstat(log->file, &info) == 0 && S_ISREG(info.st_mode);
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

/* Reals are written with 8 digits; a whole number that has more, such as a seed, is written as such. */
static json_t *number(double value)
{
    if (!isfinite(value))
        return json_null();
    const bool long_integer = fabs(value) >= 1e8 && fabs(value) < 9e15 && value == floor(value);
    return long_integer ? json_integer((json_int_t)value) : json_real(value);
}

void event_number(struct event_log *log, const char *key, double value)
{
    if (log != NULL)
        add(log, key, number(value));
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
        log->failed |= json_array_append_new(array, number(values[i])) != 0;
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

/* The file ends with the lines that are to stay: what was there before the first event goes, and, when one cannot be
 * written, its half line, which would spoil those after it.                                                            */
static bool cut(const struct event_log *log)
{
    const off_t end = (off_t)log->lines.bytes;
    return !log->regular || (ftruncate(log->file, end) == 0 && lseek(log->file, end, SEEK_SET) == end);
}

static bool write_all(int file, const char *bytes, size_t size)
{
    while (size > 0) {
        const ssize_t written = write(file, bytes, size);
        if (written < 0 && errno != EINTR)
            return false;
        bytes += written > 0 ? written : 0;
        size -= written > 0 ? (size_t)written : 0;
    }
    return true;
}

int event_end(struct event_log *log)
{
    if (log == NULL)
        return 0;
    char *line = log->failed ? NULL : json_dumps(log->object, JSON_COMPACT | JSON_REAL_PRECISION(8));
    json_decref(log->object);
    log->object = NULL;
    if (line == NULL) {
        complain("the log %s cannot be written: out of memory", log->path);
        return -1;
    }
    const size_t size = strlen(line) + 1;
    line[size - 1] = '\n';
    const bool written = (log->begun || cut(log)) && write_all(log->file, line, size);
    if (!written) {
        complain("the log %s cannot be written: %s", log->path, strerror(errno));
        (void)cut(log);
    }
    for (size_t i = 0; i < size && written; ++i)
        log->lines.hash = hash_byte(log->lines.hash, line[i]);
    log->lines.bytes += written ? (int64_t)size : 0;
    log->begun |= written;
    free(line);
    return written ? 0 : -1;
}

struct log_part event_log_sync(struct event_log *log)
{
    if (log == NULL || !log->regular)
        return (struct log_part){0, 0};
    (void)fsync(log->file);
    return log->lines;
}

int event_log_close(struct event_log *log)
{
    if (log == NULL)
        return 0;
    int status = close(log->file) == 0 ? 0 : -1;
    if (status != 0)
        complain("the log %s cannot be written: %s", log->path, strerror(errno));
    json_decref(log->object);
    free(log);
    return status;
}
