#include "train/checkpoint_files.h"

#include "base/context.h"
#include "base/memory.h"
#include "io/directory.h"
#include "io/file.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { NAME_BYTES = 96, DIGITS = 8, MOST_DIGITS = 18, WHY = 512 };

/* As atomic_file.c names what it has not finished. */
static const char begin[] = "checkpoint-", end[] = ".safetensors", unfinished[] = ".tmp-";

char *hni_checkpoint_path(hn_context *context, const char *directory, hni_place place)
{
    char name[NAME_BYTES];
    (void)snprintf(name, sizeof name, "%s%08" PRId64 "-%08" PRId64 "%s", begin, place.epoch, place.step, end);
    return hni_path_join(context, directory, name);
}

/* The number at *text as hni_checkpoint_path writes it, with zeros up to DIGITS and no others: another spelling of a place
 * is no checkpoint's. *text then points behind it. -1 where there is none.                                              */
static int64_t number_at(const char **text)
{
    const size_t digits = strspn(*text, "0123456789");
    int64_t value = 0;
    if (digits < DIGITS || digits > MOST_DIGITS || (digits > DIGITS && **text == '0'))
        return -1;
    for (size_t i = 0; i < digits; ++i)
        value = 10 * value + (*(*text)++ - '0');
    return value;
}

/* What follows a checkpoint's name in a file's, and its place; NULL for other names. */
static const char *rest_of(const char *name, hni_place *place)
{
    if (strncmp(name, begin, sizeof begin - 1) != 0)
        return NULL;
    name += sizeof begin - 1;
    place->epoch = number_at(&name);
    if (place->epoch < 0 || *name++ != '-')
        return NULL;
    place->step = number_at(&name);
    if (place->step < 0 || strncmp(name, end, sizeof end - 1) != 0)
        return NULL;
    return name + sizeof end - 1;
}

static bool later(hni_place a, hni_place b)
{
    return a.epoch != b.epoch ? a.epoch > b.epoch : a.step > b.step;
}

/* ---- listing -------------------------------------------------------------------------------------------------------- */

static hn_status take_name(void *user, const char *name)
{
    hni_places *p = user;
    hni_place place;
    const char *rest = rest_of(name, &place);
    if (rest == NULL || *rest != '\0')
        return HN_OK;
    hni_place *grown = hni_grow(p->context, p->place, &p->capacity, p->count, 1, sizeof *grown, p->function);
    if (grown == NULL)
        return HN_E_NOMEM;
    p->place = grown;
    int64_t at = p->count++;
    for (; at > 0 && later(place, grown[at - 1]); --at)
        grown[at] = grown[at - 1];
    grown[at] = place;
    return HN_OK;
}

hn_status hni_places_list(hni_places *places, hn_context *context, const char *function, const char *directory)
{
    *places = (hni_places){.context = context, .function = function};
    return hni_directory_each(function, directory, take_name, places);
}

void hni_places_release(hni_places *places)
{
    hni_release(places->context, places->place, (size_t)places->capacity * sizeof *places->place);
    *places = (hni_places){0};
}

/* ---- taking away ---------------------------------------------------------------------------------------------------- */

typedef struct sweep {
    hn_context *context;
    const char *function, *directory;
    char *why; /* [WHY], the first failure; empty: none */
} sweep;

static void note(const sweep *s, hn_status status)
{
    if (status < 0 && s->why[0] == '\0')
        snprintf(s->why, WHY, "%s", hn_last_error());
}

static hn_status remove_path(const sweep *s, char *path)
{
    if (path == NULL)
        return hni_no_memory(s->function, strlen(s->directory));
    hn_status status = hni_file_remove(s->function, path);
    hni_release_string(s->context, path);
    return status;
}

static hn_status remove_unfinished(void *user, const char *name)
{
    const sweep *s = user;
    hni_place place;
    const char *rest = rest_of(name, &place);
    if (rest == NULL || strncmp(rest, unfinished, sizeof unfinished - 1) != 0)
        return HN_OK;
    note(s,
         remove_path(s, hni_path_join(s->context, s->directory, name))); /* one that stays does not keep the others */
    return HN_OK;
}

static hn_status remove_oldest(const sweep *s, hni_place last, int64_t keep)
{
    hni_places places;
    hn_status status = hni_places_list(&places, s->context, s->function, s->directory);
    int64_t kept = 0;
    for (int64_t i = 0; i < places.count; ++i)
        if (!later(places.place[i], last) && ++kept > keep)
            note(s, remove_path(s, hni_checkpoint_path(s->context, s->directory, places.place[i])));
    hni_places_release(&places);
    return status;
}

void hni_checkpoint_prune(hn_context *context, const char *function, const char *directory, hni_place last,
                          int64_t keep)
{
    char why[WHY] = "";
    sweep s = {context, function, directory, why};
    if (keep > 0) { /* not before the new one is sure to be there after a loss of power, too */
        hn_status status = hni_directory_sync(function, directory);
        note(&s, status == HN_OK ? remove_oldest(&s, last, keep) : status);
    }
    note(&s, hni_directory_each(function, directory, remove_unfinished, &s));
    if (why[0] != '\0')
        hni_log(context, HN_LOG_WARNING, "the new checkpoint is whole, but not all old ones are removed: %s", why);
}
