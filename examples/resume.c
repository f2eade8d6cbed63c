/* resume.c: which options a training that goes on may change. */
#include "resume.h"

#include "recipe.h"

#include <hybridnet.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* How it runs and what it writes, and where the same data now lie; all else decides what is learnt. */
static const char *const may_change[] = {
    "data",    "train-list", "test-list",    "save",       "export", "eval-every",
    "log",     "log-steps",  "features",     "checkpoint", "keep",   "checkpoint-every",
    "resume",  "recipe",     "print-recipe", "threads",    "engine", "workers",
    "profile", "quiet",      "help",         "version"};

enum { MAY_CHANGE = sizeof may_change / sizeof may_change[0], VALUE = 1024 };

/* Damaged files that are passed over. */
static void warn(int32_t level, const char *text, void *user)
{
    (void)level;
    (void)user;
    complain("%s", text);
}

static hn_status open_latest(hn_checkpoint **out, hn_context **context, const char *directory)
{
    hn_context_options options;
    hn_context_options_init(&options, sizeof options);
    options.num_threads = 1;
    options.log = warn;
    hn_status status = hn_context_create(context, &options);
    return status == HN_OK ? hn_checkpoint_open(out, *context, directory) : status;
}

static int take(const hn_checkpoint *checkpoint, const char *directory, char **text, struct log_part *log)
{
    const char *options = hn_checkpoint_metadata(checkpoint, "options");
    const char *bytes = hn_checkpoint_metadata(checkpoint, "log_bytes");
    const char *hash = hn_checkpoint_metadata(checkpoint, "log_hash"); /* which older ones lack */
    if (options == NULL || bytes == NULL) {
        complain("the checkpoints in %s are not of train_hybrid: they have no options", directory);
        return -2;
    }
    char *end;
    *log = (struct log_part){strtoll(bytes, &end, 10), hash != NULL ? strtoull(hash, NULL, 16) : 0};
    if (*end != '\0' || log->bytes < 0) {
        complain("the checkpoints in %s are not of train_hybrid: log_bytes is %s", directory, bytes);
        return -2;
    }
    *text = strdup(options);
    if (*text == NULL)
        complain("not enough memory for the options of a checkpoint");
    return *text == NULL ? -2 : 0;
}

int resume_look(const struct options *asked, char **text, struct log_part *log)
{
    hn_context *context = NULL;
    hn_checkpoint *checkpoint = NULL;
    *text = NULL;
    *log = (struct log_part){0, 0};
    struct stat info;
    if (stat(asked->checkpoint, &info) != 0 || !S_ISDIR(info.st_mode))
        return 0; /* to be made, or complained of, when the run is prepared */
    const hn_status status = open_latest(&checkpoint, &context, asked->checkpoint);
    int code = 0;
    if (status < 0)
        complain("%s", hn_last_error());
    if (status < 0 && (asked->resume || status == HN_E_NOMEM)) {
        code = -2;
    } else if (status != HN_END && !asked->resume) {
        complain("%s holds checkpoints already: --resume goes on from them; a new training needs a directory without",
                 asked->checkpoint);
        code = -1;
    } else if (status == HN_OK) {
        code = take(checkpoint, asked->checkpoint, text, log);
    }
    hn_checkpoint_close(checkpoint);
    hn_context_destroy(context);
    return code;
}

static bool may(const struct option_row *row)
{
    for (size_t i = 0; i < MAY_CHANGE; ++i)
        if (strcmp(row->name, may_change[i]) == 0)
            return true;
    return row->kind == OPTION_HEADING;
}

/* An option's value as on the command line; false where memory is short. */
static bool value_text(const struct option_row *row, const void *options, char text[VALUE])
{
    FILE *stream = fmemopen(text, VALUE, "w");
    if (stream == NULL)
        return false;
    recipe_print_value(row, options, stream);
    fclose(stream);
    text[VALUE - 1] = '\0';
    return true;
}

int resume_check(const struct option_row *rows, size_t count, const struct options *begun, const struct options *asked)
{
    for (size_t i = 0; i < count; ++i) {
        char before[VALUE] = "", now[VALUE] = "";
        if (may(&rows[i]))
            continue;
        if (!value_text(&rows[i], begun, before) || !value_text(&rows[i], asked, now)) {
            complain("not enough memory to compare options");
            return -1;
        }
        if (strcmp(before, now) != 0) {
            complain("--%s is %s; the training in %s was begun with %s and can only go on with that", rows[i].name,
                     now[0] == '\0' ? "not given" : now, asked->checkpoint, before[0] == '\0' ? "none" : before);
            return -1;
        }
    }
    return 0;
}
