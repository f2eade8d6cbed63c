/* profile.c -- every moment belongs to the piece of work that was begun last and has not ended: a layer that holds others
 * is left with what they do not take, and the sum of all lines is the time that has passed.                            */
#include "profile.h"

#include "option_table.h"
#include "progress.h"

#include <stdlib.h>
#include <string.h>

struct profile *profile_create(int32_t num_threads, int32_t precision)
{
    struct profile *profile = calloc(1, sizeof *profile);
    if (profile == NULL) {
        complain("not enough memory for a profile");
        return NULL;
    }
    if (peaks_measure(&profile->peaks, num_threads, precision) != HN_OK) {
        complain("the machine's speed cannot be measured: %s", hn_last_error());
        free(profile);
        return NULL;
    }
    snprintf(profile->rest.kind, sizeof profile->rest.kind, "everything else");
    return profile;
}

void profile_destroy(struct profile *profile)
{
    free(profile);
}

/* "16->32 28x28 to 14x14" of images, "64->10" of rows; nothing for work without flops, whose time depends on bytes. */
static void describe(const hn_trace_event *event, char *text, size_t size)
{
    text[0] = '\0';
    if (event->flops <= 0.0 || event->input == NULL || event->output == NULL)
        return;
    const hn_desc *in = event->input, *out = event->output;
    int length =
        snprintf(text, size, "%lld->%lld", (long long)in->dim[in->ndim - 1], (long long)out->dim[out->ndim - 1]);
    if (in->ndim != 4 || out->ndim != 4 || length < 0 || (size_t)length >= size)
        return;
    text += length;
    size -= (size_t)length;
    if (in->dim[1] == out->dim[1] && in->dim[2] == out->dim[2])
        snprintf(text, size, " %lldx%lld", (long long)in->dim[1], (long long)in->dim[2]);
    else
        snprintf(text, size, " %lldx%lld to %lldx%lld", (long long)in->dim[1], (long long)in->dim[2],
                 (long long)out->dim[1], (long long)out->dim[2]);
}

/* The line of an event's work; a new one for a kind, shape and pass not seen before. */
static struct profile_line *line_of(struct profile *p, const hn_trace_event *event)
{
    struct profile_line wanted = {.pass = event->pass};
    snprintf(wanted.kind, sizeof wanted.kind, "%s", event->kind);
    describe(event, wanted.shape, sizeof wanted.shape);
    for (int32_t i = 0; i < p->count; ++i)
        if (p->lines[i].pass == wanted.pass && strcmp(p->lines[i].shape, wanted.shape) == 0 &&
            strcmp(p->lines[i].kind, wanted.kind) == 0)
            return &p->lines[i];
    if (p->count == PROFILE_LINES)
        return &p->rest;
    p->lines[p->count] = wanted;
    return &p->lines[p->count++];
}

/* Gives the time since the last call to the piece of work that is on top. */
static void count_time(struct profile *p)
{
    double time = now();
    int32_t top = p->depth < PROFILE_DEPTH ? p->depth : PROFILE_DEPTH;
    /* cppcheck-suppress knownConditionTrueFalse; it does not see that depth changes */
    struct profile_line *line = top > 0 ? p->open[top - 1] : &p->rest;
    line->seconds += time - p->counted_to;
    p->counted_to = time;
}

void profile_event(const hn_trace_event *event, void *profile)
{
    struct profile *p = profile;
    if (!p->running)
        return;
    count_time(p);
    if (event->ends) {
        p->depth--;
        return;
    }
    struct profile_line *line = line_of(p, event);
    line->calls++;
    line->flops += event->flops;
    line->bytes += event->bytes;
    if (p->depth < PROFILE_DEPTH)
        p->open[p->depth] = line;
    p->depth++;
}

void profile_begin(struct profile *profile, const char *kind)
{
    const hn_trace_event event = {.struct_size = sizeof event, .kind = kind};
    if (profile != NULL)
        profile_event(&event, profile);
}

void profile_end(struct profile *profile, const char *kind)
{
    const hn_trace_event event = {.struct_size = sizeof event, .kind = kind, .ends = 1};
    if (profile != NULL)
        profile_event(&event, profile);
}

void profile_resume(struct profile *profile)
{
    if (profile == NULL)
        return;
    profile->running = true;
    profile->counted_to = now();
}

void profile_pause(struct profile *profile)
{
    if (profile == NULL)
        return;
    count_time(profile);
    profile->running = false;
}
