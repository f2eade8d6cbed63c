/* option_table.h -- command-line options described by a table: one row an option, in one place its name, type, default,
 * range and help. The same rows can read a recipe file or write the values to a log.                                    */
#ifndef OPTION_TABLE_H
#define OPTION_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { OPTION_ROWS_MAX = 96, OPTION_LIST_MAX = 16 };

/* In brackets the type of the field in the caller's struct. */
enum option_kind {
    OPTION_HEADING, /* no option: a heading in the help        */
    OPTION_INTEGER, /* [int64_t]                               */
    OPTION_REAL,    /* [double]  NAN stands for "auto"          */
    OPTION_CHOICE,  /* [int32_t] index into the row's choices   */
    OPTION_TEXT,    /* [const char *] NULL when not given       */
    OPTION_LIST,    /* [struct number_list] comma-separated, ascending */
    OPTION_SWITCH   /* [bool]    takes no value                 */
};

/* count -1 stands for "auto". */
struct number_list {
    int32_t count;
    double value[OPTION_LIST_MAX];
};

struct option_row {
    const char *name; /* without the dashes; the text of a heading  */
    enum option_kind kind;
    size_t offset;        /* of the field                               */
    const char *fallback; /* the default as text; NULL: not given; "auto": decided later, from other options */
    double least, most;   /* numbers: the range, ends included          */
    const char *shape;    /* CHOICE: "one|two|three"; otherwise the value's name in the help: "FILE"         */
    const char *help;     /* lines separated by \n                      */
};

/* Sets every field to its default. The table must be right: a default outside its range is a bug, reported as -1. */
int option_table_defaults(const struct option_row *rows, size_t count, void *target);

/* Sets one option from text. 0, or -1 after a sentence on stderr that names the value and what is allowed. */
int option_table_set(const struct option_row *row, void *target, const char *text);

/* Reads the command line, long options and their abbreviations. 0, or -1 after a sentence on stderr. */
int option_table_parse(const struct option_row *rows, size_t count, void *target, int argc, char **argv);

/* Prints the options with their defaults, wrapped as the rows are. */
void option_table_help(const struct option_row *rows, size_t count, FILE *stream);

/* The text of choice `index` of a row, written to text (size bytes). */
void option_choice_text(const struct option_row *row, int32_t index, char *text, size_t size);

/* One line on stderr: "train_hybrid: ...". Bytes of files and names that a terminal would obey become '?'. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
