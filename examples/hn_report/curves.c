/* curves.c -- what changes with the epochs: losses, alpha, accuracies. */
#include "page.h"

#include "plot.h"
#include "text.h"

#include <math.h>
#include <stddef.h>

enum { POINTS_MAX = 800, MARKERS_MAX = 40, MARKERS = 12 };

struct panel {
    const char *title, *text, *unit;
    size_t offset; /* in struct log_row */
    bool share;    /* from 0 to 1 */
    bool accuracy; /* in per cent, with a ring at the best epoch by validation */
    bool steps;    /* of the steps, where a log has them */
};

static double value_at(const struct log_rows *rows, size_t k, const struct panel *panel)
{
    return *(const double *)(const void *)((const char *)&rows->row[k] + panel->offset);
}

static bool has_values(const struct log_rows *rows, const struct panel *panel)
{
    for (size_t k = 0; k < rows->count; ++k)
        if (!isnan(value_at(rows, k, panel)) && !isnan(rows->row[k].at))
            return true;
    return false;
}

static const struct log_rows *rows_of(const struct trial *trial, const struct panel *panel)
{
    return panel->steps && has_values(&trial->steps, panel) ? &trial->steps : &trial->epochs;
}

/* A line through the rows that have a value, with markers at all of few, and some of many. */
static void draw_curve(struct plot *plot, const struct trial *trial, const struct panel *panel, int series)
{
    const struct log_rows *rows = rows_of(trial, panel);
    size_t values = 0, seen = 0;
    for (size_t k = 0; k < rows->count; ++k)
        values += plot_shows(plot, rows->row[k].at, value_at(rows, k, panel));
    const size_t stride = values / POINTS_MAX + 1;
    const double best = panel->accuracy ? trial_number(trial, "best_epoch") : NAN;
    size_t shown = 0;
    plot_series(plot->out, "g", series);
    fputs("<path class=\"line\" d=\"", plot->out);
    for (size_t k = 0; k < rows->count; ++k) {
        const double x = rows->row[k].at, y = value_at(rows, k, panel);
        if (plot_shows(plot, x, y) && (seen++ % stride == 0 || seen == values))
            fprintf(plot->out, "%s%.1f %.1f", shown++ == 0 ? "M" : "L", plot_x(plot, x), plot_y(plot, y));
    }
    fputs("\"/>\n", plot->out);
    const size_t every = shown <= MARKERS_MAX ? 1 : (shown + MARKERS - 1) / MARKERS;
    seen = 0;
    for (size_t k = 0; k < rows->count; ++k) {
        const double x = rows->row[k].at, y = value_at(rows, k, panel);
        if (!plot_shows(plot, x, y))
            continue;
        if (seen++ % (every * stride) == 0)
            plot_marker(plot->out, series, plot_x(plot, x), plot_y(plot, y), 2.6);
        if (x == best)
            fprintf(plot->out, "<circle class=\"ring\" cx=\"%.1f\" cy=\"%.1f\" r=\"7\"/>", plot_x(plot, x),
                    plot_y(plot, y));
    }
    fputs("</g>\n", plot->out);
}

/* For who cannot see the curves. */
static void describe(FILE *out, const struct page *page, const struct panel *panel, const bool *has)
{
    fputs("<desc>", out);
    for (size_t i = 0; i < page_shown(page); ++i) {
        const struct log_rows *rows = rows_of(&page->logs->trials[i], panel);
        double first = NAN, last = NAN, best = NAN;
        for (size_t k = 0; k < rows->count; ++k) {
            const double value = isnan(rows->row[k].at) ? NAN : value_at(rows, k, panel);
            first = isnan(first) ? value : first;
            last = isnan(value) ? last : value;
            best = panel->accuracy ? fmax(best, value) : fmin(best, value); /* which pass over NAN */
        }
        if (!has[i])
            continue;
        text_html(out, page->logs->trials[i].label);
        fprintf(out, ": first %.4g, last %.4g", first, last);
        if (!panel->share)
            fprintf(out, ", best %.4g", best);
        fputs(". ", out);
    }
    fputs("</desc>\n", out);
}

/* False when no run has such values. */
static bool draw_panel(FILE *out, const struct page *page, const struct panel *panel)
{
    struct plot plot = {.x = axis_empty("epoch"), .y = axis_empty(panel->unit)};
    bool has[SERIES_MAX] = {false}, any = false;
    plot.x.whole = true;
    for (size_t i = 0; i < page_shown(page); ++i) {
        const struct trial *trial = &page->logs->trials[i];
        const struct log_rows *rows = rows_of(trial, panel);
        has[i] = has_values(rows, panel);
        any |= has[i];
        plot.x.whole &= rows == &trial->epochs;
        for (size_t k = 0; k < rows->count && has[i]; ++k)
            if (!isnan(value_at(rows, k, panel))) {
                axis_cover(&plot.x, rows->row[k].at);
                axis_cover(&plot.y, value_at(rows, k, panel));
            }
    }
    if (!any)
        return false;
    if (panel->accuracy) {
        plot.y.floor = 0.0;
        plot.y.ceiling = 100.0;
    }
    if (panel->share) {
        axis_cover(&plot.y, 0.0);
        axis_cover(&plot.y, 1.0);
    }
    axis_widen(&plot.x, 0.02);
    axis_widen(&plot.y, 0.06);
    figure_open(out, panel->title, panel->text);
    plot_open(&plot, out, 560, 330, panel->title);
    describe(out, page, panel, has);
    for (size_t i = 0; i < page_shown(page); ++i)
        if (has[i])
            draw_curve(&plot, &page->logs->trials[i], panel, (int)i);
    plot_close(&plot);
    figure_close(out, page, has);
    return true;
}

static void draw_panels(FILE *out, const struct page *page, const struct panel *panels, size_t count,
                        const char *nothing)
{
    bool any = false;
    fputs("<div class=\"figures\">\n", out);
    for (size_t i = 0; i < count; ++i)
        any |= draw_panel(out, page, &panels[i]);
    fputs("</div>\n", out);
    if (!any)
        page_nothing(out, nothing);
}

void section_training(FILE *out, const struct page *page)
{
    static const struct panel panels[] = {
        {"Loss.",
         "Of both branches, weighted by alpha; mean over the steps of an epoch, or of steps where the log has them.",
         "loss", offsetof(struct log_row, loss), false, false, true},
        {"Alpha.", "The weight of the feature branch; the classifier has the rest.", "alpha",
         offsetof(struct log_row, alpha), true, false, false},
        {"Loss of the feature branch.", "Losses of different kinds do not compare.", "loss",
         offsetof(struct log_row, loss_feature), false, false, true},
        {"Loss of the classifier.", "Without its weight.", "loss", offsetof(struct log_row, loss_classifier), false,
         false, true},
    };
    draw_panels(out, page, panels, sizeof panels / sizeof panels[0], "No log has an epoch yet.");
}

void section_accuracy(FILE *out, const struct page *page)
{
    static const struct panel panels[] = {
        {"Test images.", "Top-1 accuracy. Ring: the best epoch by validation.", "top-1 accuracy, %",
         offsetof(struct log_row, top1), false, true, false},
        {"Validation images.",
         "Mean of the classes' accuracies, on training images that were held out. Ring: the best epoch.",
         "balanced accuracy, %", offsetof(struct log_row, validation), false, true, false},
    };
    draw_panels(out, page, panels, sizeof panels / sizeof panels[0], "No log has a test yet.");
}
