/* recipe.h -- values of many options under one name: the papers' settings, or a text file of lines "option = value". */
#ifndef RECIPE_H
#define RECIPE_H

#include "option_table.h"

/* Sets the options of a recipe: SET/METHOD, such as cifar10-lt-100/hybrid-sc, or else the path of a file. *text is what
 * values point into, for the caller to free once they are not needed. 0, or -1 after a sentence on stderr.              */
int recipe_apply(const char *name, const struct option_row *rows, size_t count, void *target, char **text);

/* The same for lines that are there already, which are changed, and which values point into. source: for the sentences. */
int recipe_apply_text(const char *source, char *text, const struct option_row *rows, size_t count, void *target);

/* Writes the value of one option as a recipe has it; nothing for a text that is not given. */
void recipe_print_value(const struct option_row *row, const void *target, FILE *stream);

/* Writes the values of all options as a recipe file. */
void recipe_print(const struct option_row *rows, size_t count, const void *target, FILE *stream);

/* Names of the recipes that need no file, with what they are. */
void recipe_list(FILE *stream);

/* A part of a recipe's name and the lines it stands for. */
struct recipe_part {
    const char *name, *lines, *help;
};

/* Each ended by a NULL name. recipe_wholes are not made of parts: their names have set and method. */
extern const struct recipe_part recipe_sets[], recipe_methods[], recipe_wholes[];

#endif
