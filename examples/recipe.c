/* recipe.c -- reading and writing recipes. */
#include "recipe.h"

#include "character.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_BYTES = 1 << 16 };

/* These say what to do, not how to train. */
static bool of_recipes(const struct option_row *row)
{
    static const char *const others[] = {"recipe", "print-recipe", "help", "version", "quiet", "checkpoint", "resume"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; ++i)
        if (strcmp(row->name, others[i]) == 0)
            return false;
    return row->kind != OPTION_HEADING;
}

static const struct option_row *row_called(const struct option_row *rows, size_t count, const char *key)
{
    for (size_t i = 0; i < count; ++i)
        if (strcmp(rows[i].name, key) == 0 && of_recipes(&rows[i]))
            return &rows[i];
    return NULL;
}

/* Without blanks around it; cuts the text. */
static char *trimmed(char *text)
{
    text += strspn(text, " \t\r");
    size_t length = strlen(text);
    while (length > 0 && strchr(" \t\r", text[length - 1]) != NULL)
        text[--length] = '\0';
    return text;
}

/* yes sets a switch, no leaves it. */
static int set_value(const struct option_row *row, void *target, const char *value)
{
    if (character_controls(value)) {
        complain("%s is '%s', with a control character", row->name, value);
        return -1;
    }
    if (row->kind != OPTION_SWITCH)
        return option_table_set(row, target, value);
    if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0) {
        complain("%s is '%s'; it must be yes or no", row->name, value);
        return -1;
    }
    *(bool *)((char *)target + row->offset) = value[0] == 'y';
    return 0;
}

/* Cuts a comment off: a # that begins the line or follows a blank. */
static void cut_comment(char *line)
{
    for (char *hash = strchr(line, '#'); hash != NULL; hash = strchr(hash + 1, '#'))
        if (hash == line || hash[-1] == ' ' || hash[-1] == '\t') {
            *hash = '\0';
            return;
        }
}

static int apply_line(const char *source, int number, char *line, const struct option_row *rows, size_t count,
                      void *target)
{
    cut_comment(line);
    line = trimmed(line);
    if (*line == '\0')
        return 0;
    char *equals = strchr(line, '=');
    if (equals == NULL) {
        complain("%s, line %d: '%s' is not of the form: option = value", source, number, line);
        return -1;
    }
    *equals = '\0';
    const char *key = trimmed(line), *value = trimmed(equals + 1);
    const struct option_row *row = row_called(rows, count, key);
    if (row == NULL) {
        complain("%s, line %d: a recipe has no option '%s'", source, number, key);
        return -1;
    }
    if (set_value(row, target, value) == 0)
        return 0;
    complain("that was %s, line %d", source, number);
    return -1;
}

int recipe_apply_text(const char *source, char *text, const struct option_row *rows, size_t count, void *target)
{
    int number = 1;
    for (char *line = text, *next; line != NULL; line = next, ++number) {
        next = strchr(line, '\n');
        if (next != NULL)
            *next++ = '\0';
        if (apply_line(source, number, line, rows, count, target) != 0)
            return -1;
    }
    return 0;
}

static const struct recipe_part *part_called(const struct recipe_part *parts, const char *name, size_t length)
{
    for (; parts->name != NULL; ++parts)
        if (strlen(parts->name) == length && memcmp(parts->name, name, length) == 0)
            return parts;
    return NULL;
}

/* The lines of SET/METHOD, to be freed; NULL if there is no such recipe. */
static char *built_in(const char *name)
{
    const struct recipe_part *whole = part_called(recipe_wholes, name, strlen(name));
    if (whole != NULL)
        return strdup(whole->lines);
    const char *slash = strchr(name, '/');
    const struct recipe_part *set = slash == NULL ? NULL : part_called(recipe_sets, name, (size_t)(slash - name));
    const struct recipe_part *method = set == NULL ? NULL : part_called(recipe_methods, slash + 1, strlen(slash + 1));
    if (method == NULL)
        return NULL;
    size_t size = strlen(set->lines) + strlen(method->lines) + 1;
    char *text = malloc(size);
    if (text != NULL)
        snprintf(text, size, "%s%s", set->lines, method->lines);
    return text;
}

/* A whole file, ended by a zero; NULL after a sentence. */
static char *read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        complain("there is no recipe %s, and no such file can be read: %s", path, strerror(errno));
        fputs("  train_hybrid --recipe list names them\n", stderr);
        return NULL;
    }
    char *text = calloc(1, MOST_BYTES + 1);
    size_t read = text == NULL ? 0 : fread(text, 1, MOST_BYTES, file);
    bool good = text != NULL && ferror(file) == 0 && fgetc(file) == EOF && memchr(text, '\0', read) == NULL;
    fclose(file);
    if (good)
        return text;
    complain("%s is no recipe: it must be a text of at most %d bytes", path, (int)MOST_BYTES);
    free(text);
    return NULL;
}

int recipe_apply(const char *name, const struct option_row *rows, size_t count, void *target, char **text)
{
    char *lines = built_in(name);
    if (lines == NULL)
        lines = read_file(name);
    if (lines == NULL)
        return -1;
    if (recipe_apply_text(name, lines, rows, count, target) != 0) {
        free(lines);
        return -1;
    }
    *text = lines;
    return 0;
}

/* The shortest text that reads back as the same number. */
static void print_number(double value, FILE *stream)
{
    char text[32] = "auto";
    for (int digits = 6; digits <= 17 && !isnan(value); ++digits) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    fputs(text, stream);
}

static void print_list(const struct number_list *list, FILE *stream)
{
    if (list->count < 0)
        fputs("auto", stream);
    for (int32_t i = 0; i < list->count; ++i) {
        if (i > 0)
            fputc(',', stream);
        print_number(list->value[i], stream);
    }
}

void recipe_print_value(const struct option_row *row, const void *target, FILE *stream)
{
    const void *field = (const char *)target + row->offset;
    char text[64];
    switch (row->kind) {
    case OPTION_INTEGER:
        fprintf(stream, "%lld", (long long)*(const int64_t *)field);
        break;
    case OPTION_REAL:
        print_number(*(const double *)field, stream);
        break;
    case OPTION_LIST:
        print_list(field, stream);
        break;
    case OPTION_CHOICE:
        option_choice_text(row, *(const int32_t *)field, text, sizeof text);
        fputs(text, stream);
        break;
    case OPTION_TEXT:
        if (*(const char *const *)field != NULL)
            fputs(*(const char *const *)field, stream);
        break;
    case OPTION_SWITCH:
        fputs(*(const bool *)field ? "yes" : "no", stream);
        break;
    case OPTION_HEADING:
        break;
    }
}

void recipe_print(const struct option_row *rows, size_t count, const void *target, FILE *stream)
{
    const char *heading = NULL, *before = "";
    for (size_t i = 0; i < count; ++i) {
        const void *field = (const char *)target + rows[i].offset;
        if (rows[i].kind == OPTION_HEADING)
            heading = rows[i].name;
        else if (of_recipes(&rows[i]) && (rows[i].kind != OPTION_TEXT || *(const char *const *)field != NULL)) {
            if (heading != NULL)
                fprintf(stream, "%s# %s\n", before, heading);
            heading = NULL;
            before = "\n";
            /* Behind a blank, a text that begins with # would be a comment. */
            const bool hash = rows[i].kind == OPTION_TEXT && **(const char *const *)field == '#';
            fprintf(stream, hash ? "%s =" : "%s = ", rows[i].name);
            recipe_print_value(&rows[i], target, stream);
            fputc('\n', stream);
        }
    }
}

static void list_parts(const char *heading, const struct recipe_part *parts, FILE *stream)
{
    fputs(heading, stream);
    for (; parts->name != NULL; ++parts)
        fprintf(stream, "  %-28s%s\n", parts->name, parts->help);
}

void recipe_list(FILE *stream)
{
    fputs("A recipe is a set and a method, such as cifar10-lt-100/hybrid-sc, or a file that --print-recipe wrote.\n",
          stream);
    list_parts("\nSets:\n", recipe_sets, stream);
    list_parts("\nMethods:\n", recipe_methods, stream);
    list_parts("\nWith settings of their own:\n", recipe_wholes, stream);
}
