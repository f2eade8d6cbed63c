/* classes.c -- accuracy of each class against the number of its training images. */
#include "page.h"

#include "plot.h"
#include "text.h"

#include <math.h>
#include <stdlib.h>

enum { JOINED_MAX = 20, BINS = 10 };

struct point {
    double size, accuracy;
};

static int by_size(const void *a, const void *b)
{
    const struct point *p = a, *q = b;
    return p->size != q->size ? (p->size > q->size) - (p->size < q->size)
                              : (p->accuracy > q->accuracy) - (p->accuracy < q->accuracy);
}

/* The classes that have both, by size; an array of *count for the caller to free, or NULL. */
static struct point *points_of(const struct trial *trial, size_t *count)
{
    const json_t *whole = trial_list(trial, "group_counts"), *accuracies = trial_list(trial, "per_class");
    const json_t *sizes = whole != NULL ? whole : trial_list(trial, "class_counts");
    const size_t classes = json_array_size(sizes);
    *count = 0;
    if (classes == 0 || json_array_size(accuracies) != classes)
        return NULL;
    struct point *points = malloc(classes * sizeof *points);
    for (size_t c = 0; c < classes && points != NULL; ++c) {
        const struct point point = {list_number(sizes, c), list_number(accuracies, c)};
        if (point.size >= 1.0 && !isnan(point.accuracy))
            points[(*count)++] = point;
    }
    if (*count > 0)
        qsort(points, *count, sizeof *points, by_size);
    return points;
}

/* A line through few points, or through the means of tenths of many. */
static void draw_line(struct plot *plot, const struct point *points, size_t count)
{
    const size_t pieces = count <= JOINED_MAX ? count : BINS;
    fputs("<path class=\"line\" d=\"", plot->out);
    for (size_t k = 0; k < pieces; ++k) {
        const size_t from = k * count / pieces, to = (k + 1) * count / pieces;
        double size = 0.0, accuracy = 0.0;
        for (size_t i = from; i < to; ++i) {
            size += log(points[i].size) / (double)(to - from);
            accuracy += points[i].accuracy / (double)(to - from);
        }
        fprintf(plot->out, "%s%.1f %.1f", k == 0 ? "M" : "L", plot_x(plot, exp(size)), plot_y(plot, accuracy));
    }
    fputs("\"/>\n", plot->out);
}

/* For who cannot see the points. */
static void describe(FILE *out, const char *label, const struct point *points, size_t count)
{
    double best = 0.0;
    for (size_t i = 0; i < count; ++i)
        best = fmax(best, points[i].accuracy);
    text_html(out, label);
    fprintf(out, ": %.4g %% in the smallest class, %.4g %% in the largest, %.4g %% at best. ", points[0].accuracy,
            points[count - 1].accuracy, best);
}

static void draw_run(struct plot *plot, const struct point *points, size_t count, int series)
{
    plot_series(plot->out, "g", series);
    draw_line(plot, points, count);
    fputs(count <= JOINED_MAX ? "<g>" : "<g class=\"faint\">", plot->out);
    for (size_t i = 0; i < count; ++i)
        if (plot_shows(plot, points[i].size, points[i].accuracy))
            plot_marker(plot->out, series, plot_x(plot, points[i].size), plot_y(plot, points[i].accuracy),
                        count <= JOINED_MAX ? 3.4 : 2.4);
    fputs("</g></g>\n", plot->out);
}

/* Where few, medium and many begin. */
static void draw_groups(struct plot *plot)
{
    static const double ends[] = {0.0, 20.0, 100.0, INFINITY};
    static const char *const names[] = {"few", "medium", "many"};
    for (int g = 0; g < 3; ++g) {
        const double from = fmax(ends[g], plot->x.least), to = fmin(ends[g + 1], plot->x.most);
        if (from >= to)
            continue;
        const double left = plot_x(plot, from), right = plot_x(plot, to);
        if (g > 0 && from > plot->x.least)
            fprintf(plot->out, "<path class=\"border\" d=\"M%.1f %.1fV%.1f\"/>", left, plot->top, plot->bottom);
        if (right - left > 52)
            fprintf(plot->out, "<text class=\"group\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%s</text>",
                    0.5 * (left + right), plot->top + 15, names[g]);
    }
}

void section_classes(FILE *out, const struct page *page)
{
    struct plot plot = {.x = axis_empty("training images of the class, logarithmic"),
                        .y = axis_empty("accuracy of the class, %")};
    bool has[SERIES_MAX] = {false}, any = false;
    plot.x.logarithmic = true;
    for (size_t i = 0; i < page_shown(page); ++i) {
        size_t count;
        struct point *points = points_of(&page->logs->trials[i], &count);
        for (size_t k = 0; k < count; ++k)
            axis_cover(&plot.x, points[k].size);
        any |= has[i] = count > 0;
        free(points);
    }
    if (!any) {
        page_nothing(out, "No log has a result with class sizes and accuracies yet.");
        return;
    }
    axis_widen(&plot.x, 0.04);
    plot.y.least = -4.0; /* so that markers at 0 and 100 are whole, and the groups' names above them */
    plot.y.most = 112.0;
    figure_open(out, "Each point is a class.",
                "With more than 20 classes, the line goes through the means of tenths of them.");
    plot_open(&plot, out, 1000, 400, "Accuracy of each class against its number of training images");
    draw_groups(&plot);
    fputs("<desc>", out);
    for (size_t i = 0; i < page_shown(page); ++i) {
        size_t count;
        struct point *points = points_of(&page->logs->trials[i], &count);
        if (count > 0)
            describe(out, page->logs->trials[i].label, points, count);
        free(points);
    }
    fputs("</desc>\n", out);
    for (size_t i = 0; i < page_shown(page); ++i) {
        size_t count;
        struct point *points = points_of(&page->logs->trials[i], &count);
        if (count > 0)
            draw_run(&plot, points, count, (int)i);
        free(points);
    }
    plot_close(&plot);
    figure_close(out, page, has);
}
