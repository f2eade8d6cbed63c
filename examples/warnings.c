/* warnings.c: a file that cannot be read is met again in every epoch, and there may be thousands of them. */
#include "warnings.h"

#include "option_table.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINES = 20, LINE = 512 };

struct warnings {
    pthread_mutex_t lock;
    bool terminal; /* where there may be a line of progress to begin over */
    int told;
    char lines[LINES][LINE];
};

struct warnings *warnings_create(void)
{
    struct warnings *w = calloc(1, sizeof *w);
    if (w == NULL || pthread_mutex_init(&w->lock, NULL) != 0) {
        complain("not enough memory");
        free(w);
        return NULL;
    }
    w->terminal = isatty(STDERR_FILENO) == 1;
    return w;
}

static bool is_new(const struct warnings *w, const char *line)
{
    for (int i = 0; i < w->told; ++i)
        if (strcmp(w->lines[i], line) == 0)
            return false;
    return true;
}

void warnings_event(int32_t level, const char *text, void *warnings)
{
    struct warnings *w = warnings;
    char line[LINE];
    (void)level;
    snprintf(line, sizeof line, "%s", text);
    pthread_mutex_lock(&w->lock);
    if (w->told < LINES && is_new(w, line)) {
        snprintf(w->lines[w->told++], LINE, "%s", line);
        if (w->terminal)
            fputs("\r\033[K", stderr);
        complain("warning: %s", line);
        if (w->told == LINES)
            complain("no more warnings are printed");
    }
    pthread_mutex_unlock(&w->lock);
}

void warnings_destroy(struct warnings *w)
{
    if (w == NULL)
        return;
    pthread_mutex_destroy(&w->lock);
    free(w);
}
