/* option_table.c -- the table's reader and its help text. */
#include "option_table.h"

#include "character.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { HELP_COLUMN = 26, HELP_WIDTH = 76, FIRST_CODE = 256 };

void complain(const char *format, ...)
{
    char line[2048];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    character_plain(line);
    fprintf(stderr, "train_hybrid: %s\n", line);
}

static void *field(const struct option_row *row, void *target)
{
    return (char *)target + row->offset;
}

static bool is_auto(const struct option_row *row, const char *text)
{
    return row->fallback != NULL && strcmp(row->fallback, "auto") == 0 && strcmp(text, "auto") == 0;
}

static int set_integer(const struct option_row *row, int64_t *value, const char *text)
{
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || (double)number < row->least || (double)number > row->most) {
        complain("--%s is '%s'; it must be a whole number from %.0f to %.0f", row->name, text, row->least, row->most);
        return -1;
    }
    *value = number;
    return 0;
}

/* A number in the row's range, up to a comma or the end of the text. */
static bool read_real(const struct option_row *row, const char *text, char **end, double *value)
{
    *value = strtod(text, end);
    return *end != text && isfinite(*value) && *value >= row->least && *value <= row->most;
}

static int set_real(const struct option_row *row, double *value, const char *text)
{
    char *end;
    double number = NAN;
    if (!is_auto(row, text) && (!read_real(row, text, &end, &number) || *end != '\0')) {
        complain("--%s is '%s'; it must be a number from %g to %g", row->name, text, row->least, row->most);
        return -1;
    }
    *value = number;
    return 0;
}

static int set_list(const struct option_row *row, struct number_list *list, const char *text)
{
    struct number_list read = {.count = 0};
    if (is_auto(row, text))
        read.count = -1;
    for (const char *at = text; read.count >= 0 && *at != '\0';) {
        char *end;
        double number;
        bool good = read.count < OPTION_LIST_MAX && read_real(row, at, &end, &number) &&
                    (*end == '\0' || (*end == ',' && end[1] != '\0')) &&
                    (read.count == 0 || number > read.value[read.count - 1]);
        if (!good) {
            complain("--%s is '%s'; it must be at most %d ascending numbers from %g to %g with commas between them, "
                     "e.g. 120,160",
                     row->name, text, OPTION_LIST_MAX, row->least, row->most);
            return -1;
        }
        read.value[read.count++] = number;
        at = *end == ',' ? end + 1 : end;
    }
    *list = read;
    return 0;
}

static int set_choice(const struct option_row *row, int32_t *value, const char *text)
{
    size_t length = strlen(text);
    int32_t index = 0;
    for (const char *at = row->shape; at != NULL; ++index) {
        const char *bar = strchr(at, '|');
        size_t width = bar == NULL ? strlen(at) : (size_t)(bar - at);
        if (width == length && memcmp(at, text, length) == 0) {
            *value = index;
            return 0;
        }
        at = bar == NULL ? NULL : bar + 1;
    }
    complain("--%s is '%s'; it must be one of %s", row->name, text, row->shape);
    return -1;
}

int option_table_set(const struct option_row *row, void *target, const char *text)
{
    switch (row->kind) {
    case OPTION_INTEGER:
        return set_integer(row, field(row, target), text);
    case OPTION_REAL:
        return set_real(row, field(row, target), text);
    case OPTION_LIST:
        return set_list(row, field(row, target), text);
    case OPTION_CHOICE:
        return set_choice(row, field(row, target), text);
    case OPTION_TEXT:
        if (text[0] == '\0') {
            complain("--%s is empty; it needs a %s", row->name, row->shape);
            return -1;
        }
        *(const char **)field(row, target) = text;
        return 0;
    case OPTION_SWITCH:
        *(bool *)field(row, target) = true;
        return 0;
    case OPTION_HEADING:
        break;
    }
    return 0;
}

int option_table_defaults(const struct option_row *rows, size_t count, void *target)
{
    for (size_t i = 0; i < count; ++i) {
        if (rows[i].kind == OPTION_TEXT)
            *(const char **)field(&rows[i], target) = rows[i].fallback;
        else if (rows[i].kind == OPTION_SWITCH)
            *(bool *)field(&rows[i], target) = false;
        else if (rows[i].kind != OPTION_HEADING && option_table_set(&rows[i], target, rows[i].fallback) != 0)
            return -1;
    }
    return 0;
}

/* -h, the one short option: that of the row "help". */
static void ask_for_help(const struct option_row *rows, size_t count, void *target)
{
    for (size_t i = 0; i < count; ++i)
        if (rows[i].kind == OPTION_SWITCH && strcmp(rows[i].name, "help") == 0)
            *(bool *)field(&rows[i], target) = true;
}

int option_table_parse(const struct option_row *rows, size_t count, void *target, int argc, char **argv)
{
    struct option options[OPTION_ROWS_MAX + 1];
    memset(options, 0, sizeof options);
    size_t used = 0;
    for (size_t i = 0; i < count && used < OPTION_ROWS_MAX; ++i)
        if (rows[i].kind != OPTION_HEADING)
            options[used++] =
                (struct option){rows[i].name, rows[i].kind == OPTION_SWITCH ? no_argument : required_argument, NULL,
                                FIRST_CODE + (int)i};
    opterr = 0;
    optind = 1;
    for (;;) {
        int code = getopt_long(argc, argv, ":h", options, NULL);
        if (code == -1)
            break;
        if (code == 'h') {
            ask_for_help(rows, count, target);
            continue;
        }
        if (code == ':') {
            complain("%s needs a value", argv[optind - 1]);
            return -1;
        }
        if (code == '?' && optopt >= FIRST_CODE) {
            complain("--%s takes no value", rows[optopt - FIRST_CODE].name);
            return -1;
        }
        if (code == '?') {
            if (optopt != 0)
                complain("there is no option -%c", optopt);
            else
                complain("there is no option %s (or it abbreviates several)", argv[optind - 1]);
            return -1;
        }
        if (option_table_set(&rows[code - FIRST_CODE], target, optarg) != 0)
            return -1;
    }
    if (optind < argc) {
        complain("'%s' is not an option; options start with --", argv[optind]);
        return -1;
    }
    return 0;
}

void option_choice_text(const struct option_row *row, int32_t index, char *text, size_t size)
{
    const char *at = row->shape;
    for (; index > 0 && at != NULL; --index) {
        at = strchr(at, '|');
        at = at == NULL ? NULL : at + 1;
    }
    int width = at == NULL ? 0 : (int)strcspn(at, "|");
    snprintf(text, size, "%.*s", width, at == NULL ? "" : at);
}

/* Help text from the help column on, a new line for each of its lines. */
static void print_indented(const char *text, FILE *stream)
{
    for (; *text != '\0'; ++text) {
        fputc(*text, stream);
        if (*text == '\n')
            fprintf(stream, "%*s", HELP_COLUMN, "");
    }
}

/* "one|two|three", a new line where it would become too long. */
static void print_choices(const char *shape, FILE *stream)
{
    size_t column = 0;
    while (*shape != '\0') {
        const size_t length = strcspn(shape, "|") + (shape[strcspn(shape, "|")] == '|');
        if (column > 0 && column + length > HELP_WIDTH) {
            fprintf(stream, "\n%*s", HELP_COLUMN, "");
            column = 0;
        }
        fprintf(stream, "%.*s", (int)length, shape);
        column += length;
        shape += length;
    }
    fprintf(stream, "\n%*s", HELP_COLUMN, "");
}

void option_table_help(const struct option_row *rows, size_t count, FILE *stream)
{
    for (size_t i = 0; i < count; ++i) {
        const struct option_row *row = &rows[i];
        if (row->kind == OPTION_HEADING) {
            fprintf(stream, "\n%s:\n", row->name);
            continue;
        }
        const char *shape = row->kind == OPTION_CHOICE ? "NAME" : row->kind == OPTION_SWITCH ? "" : row->shape;
        int width = fprintf(stream, "  --%s %s", row->name, shape);
        fprintf(stream, "%*s", width < HELP_COLUMN ? HELP_COLUMN - width : 1, "");
        if (row->kind == OPTION_CHOICE) {
            print_choices(row->shape, stream);
        }
        print_indented(row->help, stream);
        if (row->fallback != NULL && row->kind != OPTION_SWITCH)
            fprintf(stream, " [%s]", row->fallback);
        fputc('\n', stream);
    }
}
