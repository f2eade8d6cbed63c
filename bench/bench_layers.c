/* The split of a step's time by layers, from the events of the context's trace: every kind and shape of layer, as it runs in
 * the network. A layer that holds others has what they leave.                                                           */
#include "bench_step.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { LINES = 256, DEPTH = 64, PENDING = 4096 };

typedef struct line {
    char kind[24];
    hn_desc input, output;
    double kernel; /* of a convolution: its side */
    int64_t count;
    double seconds[3], flops[3]; /* by pass: HN_TRACE_OTHER ... */
} line;

typedef struct open_piece {
    line *line;
    int32_t pass;
} open_piece;

struct bench_split {
    line lines[LINES];
    int count;
    open_piece open[DEPTH];
    int depth;
    line *pending[PENDING]; /* whose forward has been seen, but not its backward */
    int pending_count;
    double counted_to;
};

bench_split *bench_split_create(void)
{
    bench_split *s = calloc(1, sizeof *s);
    if (s == NULL) {
        fprintf(stderr, "bench_step: out of memory\n");
        exit(1);
    }
    return s;
}

void bench_split_reset(bench_split *s)
{
    memset(s, 0, sizeof *s);
}

static int same(const hn_desc *a, const hn_desc *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

/* With zeros for what is not there, so that it can be compared. */
static hn_desc desc_of(const hn_desc *d)
{
    hn_desc full;
    memset(&full, 0, sizeof full);
    if (d == NULL)
        return full;
    full.dtype = d->dtype;
    full.ndim = d->ndim;
    for (int32_t i = 0; i < d->ndim; ++i)
        full.dim[i] = d->dim[i];
    return full;
}

static double count_of(const hn_desc *d)
{
    double n = 1.0;
    for (int32_t i = 0; i < d->ndim; ++i)
        n *= (double)d->dim[i];
    return n;
}

/* The line of an event that begins; a new one for a kind and shape not seen before. Backward has its flops from what the
 * caller wants of it, so it is matched with the latest forward pass of its kind and shape.                              */
static line *line_of(bench_split *s, const hn_trace_event *e)
{
    line wanted;
    memset(&wanted, 0, sizeof wanted);
    snprintf(wanted.kind, sizeof wanted.kind, "%s", e->kind);
    wanted.input = desc_of(e->input);
    wanted.output = desc_of(e->output);
    for (int i = s->pending_count - 1; e->pass == HN_TRACE_BACKWARD && i >= 0; --i) {
        line *l = s->pending[i];
        if (strcmp(l->kind, wanted.kind) != 0 || !same(&l->input, &wanted.input) || !same(&l->output, &wanted.output))
            continue;
        memmove(&s->pending[i], &s->pending[i + 1], (size_t)(--s->pending_count - i) * sizeof s->pending[0]);
        return l;
    }
    if (wanted.input.ndim == 4 && e->flops > 0.0)
        wanted.kernel = sqrt(e->flops / (2.0 * count_of(&wanted.output) * (double)wanted.input.dim[3]));
    int i = 0;
    while (i < s->count && (strcmp(s->lines[i].kind, wanted.kind) != 0 || !same(&s->lines[i].input, &wanted.input) ||
                            !same(&s->lines[i].output, &wanted.output) || s->lines[i].kernel != wanted.kernel))
        ++i;
    if (i == LINES) /* the last one then holds the rest */
        --i;
    else if (i == s->count)
        s->lines[s->count++] = wanted;
    s->lines[i].count += e->pass != HN_TRACE_BACKWARD;
    if (e->pass == HN_TRACE_FORWARD && s->pending_count < PENDING)
        s->pending[s->pending_count++] = &s->lines[i];
    return &s->lines[i];
}

void bench_split_event(const hn_trace_event *e, void *split)
{
    bench_split *s = split;
    const double now = bench_now();
    if (s->depth > 0 && s->depth <= DEPTH)
        s->open[s->depth - 1].line->seconds[s->open[s->depth - 1].pass] += now - s->counted_to;
    s->counted_to = now;
    if (e->ends) {
        s->depth -= s->depth > 0;
        return;
    }
    line *l = line_of(s, e);
    l->flops[e->pass] += e->flops;
    if (s->depth < DEPTH)
        s->open[s->depth] = (open_piece){l, e->pass};
    ++s->depth;
}

static double seconds_of(const line *l)
{
    return l->seconds[0] + l->seconds[1] + l->seconds[2];
}

static int slower_first(const void *a, const void *b)
{
    const double x = seconds_of(a), y = seconds_of(b);
    return (x < y) - (x > y);
}

/* "conv_unit 3x3, 64 -> 128, 56x56 to 28x28" */
static void name_of(const line *l, char *text, size_t size)
{
    int n = snprintf(text, size, "%s", l->kind);
    const hn_desc *in = &l->input, *out = &l->output;
    if (l->kernel > 0.0)
        n += snprintf(text + n, size - (size_t)n, " %.0fx%.0f,", l->kernel, l->kernel);
    if (in->ndim > 0 && out->ndim > 0)
        n += snprintf(text + n, size - (size_t)n, " %lld -> %lld", (long long)in->dim[in->ndim - 1],
                      (long long)out->dim[out->ndim - 1]);
    if (in->ndim == 4)
        n += snprintf(text + n, size - (size_t)n, ", %lldx%lld", (long long)in->dim[1], (long long)in->dim[2]);
    if (out->ndim == 4 && (out->dim[1] != in->dim[1] || out->dim[2] != in->dim[2]))
        (void)snprintf(text + n, size - (size_t)n, " to %lldx%lld", (long long)out->dim[1], (long long)out->dim[2]);
}

void bench_split_print(bench_split *s, int32_t steps, double seconds)
{
    double sum = 0.0;
    qsort(s->lines, (size_t)s->count, sizeof s->lines[0], slower_first);
    fprintf(stderr, "%-48s %5s %10s %10s %7s %15s\n", "layer", "count", "forward ms", "backward", "share", "Gflop/s");
    for (int i = 0; i < s->count; ++i) {
        const line *l = &s->lines[i];
        char name[160];
        name_of(l, name, sizeof name);
        fprintf(stderr, "%-48s %5lld %10.2f %10.2f %6.1f%%", name, (long long)(l->count / steps),
                1e3 * (l->seconds[HN_TRACE_OTHER] + l->seconds[HN_TRACE_FORWARD]) / steps,
                1e3 * l->seconds[HN_TRACE_BACKWARD] / steps, 100.0 * seconds_of(l) / seconds);
        for (int pass = HN_TRACE_FORWARD; pass <= HN_TRACE_BACKWARD && l->flops[pass] > 0.0; ++pass)
            fprintf(stderr, " %7.1f", l->flops[pass] / l->seconds[pass] / 1e9);
        fprintf(stderr, "\n");
        sum += seconds_of(l);
    }
    fprintf(stderr, "%-48s %5s %10.2f %10s %6.1f%%\n", "rest of the step", "", 1e3 * (seconds - sum) / steps, "",
            100.0 * (seconds - sum) / seconds);
}
