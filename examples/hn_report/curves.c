/* curves.c -- what changes with the epochs: losses, alpha, accuracies. */
#include "page.h"

#include "plot.h"
#include "text.h"

#include <math.h>
#include <stddef.h>

enum { POINTS_MAX = 800, MARKERS_MAX = 40 };

struct panel {
    const char *title, *text, *unit;
    size_t offset; /* in struct epoch_row */
    bool share;    /* from 0 to 1         */
    bool best;     /* a ring at the best epoch by validation */
};

static double value_at(const struct trial *trial, size_t epoch, const struct panel *panel)
{
    return *(const double *)(const void *)((const char *)&trial->epochs[epoch] + panel->offset);
}

static bool has_values(const struct trial *trial, const struct panel *panel)
{
    for (size_t k = 0; k < trial->epoch_count; ++k)
        if (!isnan(value_at(trial, k, panel)) && !isnan(trial->epochs[k].number))
            return true;
    return false;
}

/* A line through the epochs that have a value, with markers where they are few. */
static void draw_curve(struct plot *plot, const struct trial *trial, const struct panel *panel, int series)
{
    const size_t stride = trial->epoch_count / POINTS_MAX + 1;
    const double best = panel->best ? trial_number(trial, "best_epoch") : NAN;
    size_t shown = 0;
    plot_series(plot->out, "g", series);
    fputs("<path class=\"line\" d=\"", plot->out);
    for (size_t k = 0; k < trial->epoch_count; ++k) {
        const double x = trial->epochs[k].number, y = value_at(trial, k, panel);
        if (plot_shows(plot, x, y) && (k % stride == 0 || k + 1 == trial->epoch_count))
            fprintf(plot->out, "%s%.1f %.1f", shown++ == 0 ? "M" : "L", plot_x(plot, x), plot_y(plot, y));
    }
    fputs("\"/>\n", plot->out);
    for (size_t k = 0; k < trial->epoch_count; ++k) {
        const double x = trial->epochs[k].number, y = value_at(trial, k, panel);
        if (!plot_shows(plot, x, y))
            continue;
        if (shown <= MARKERS_MAX)
            plot_marker(plot->out, series, plot_x(plot, x), plot_y(plot, y), 2.6);
        if (x == best)
            fprintf(plot->out, "<circle class=\"ring\" cx=\"%.1f\" cy=\"%.1f\" r=\"7\"/>", plot_x(plot, x),
                    plot_y(plot, y));
    }
    fputs("</g>\n", plot->out);
}

/* False when no run has such values. */
static bool draw_panel(FILE *out, const struct page *page, const struct panel *panel)
{
    struct plot plot = {.x = axis_empty("epoch"), .y = axis_empty(panel->unit)};
    bool has[SERIES_MAX] = {false}, any = false;
    plot.x.whole = true;
    for (size_t i = 0; i < page_shown(page); ++i) {
        const struct trial *trial = &page->logs->trials[i];
        has[i] = has_values(trial, panel);
        any |= has[i];
        for (size_t k = 0; k < trial->epoch_count && has[i]; ++k)
            if (!isnan(value_at(trial, k, panel))) {
                axis_cover(&plot.x, trial->epochs[k].number);
                axis_cover(&plot.y, value_at(trial, k, panel));
            }
    }
    if (!any)
        return false;
    if (panel->share) {
        axis_cover(&plot.y, 0.0);
        axis_cover(&plot.y, 1.0);
    }
    axis_widen(&plot.x, 0.02);
    axis_widen(&plot.y, 0.06);
    figure_open(out, panel->title, panel->text);
    plot_open(&plot, out, 560, 330, panel->title);
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
        {"Loss.", "Of both branches, weighted by alpha; mean over the steps of an epoch.", "loss",
         offsetof(struct epoch_row, loss), false, false},
        {"Alpha.", "The weight of the feature branch; the classifier has the rest.", "alpha",
         offsetof(struct epoch_row, alpha), true, false},
        {"Loss of the feature branch.", "Losses of different kinds do not compare.", "loss",
         offsetof(struct epoch_row, loss_feature), false, false},
        {"Loss of the classifier.", "Without its weight.", "loss", offsetof(struct epoch_row, loss_classifier), false,
         false},
    };
    draw_panels(out, page, panels, sizeof panels / sizeof panels[0], "No log has an epoch yet.");
}

void section_accuracy(FILE *out, const struct page *page)
{
    static const struct panel panels[] = {
        {"Test images.", "Top-1 accuracy. Ring: the best epoch by validation.", "top-1 accuracy, %",
         offsetof(struct epoch_row, top1), false, true},
        {"Validation images.",
         "Mean of the classes' accuracies, on training images that were held out. Ring: the best epoch.",
         "balanced accuracy, %", offsetof(struct epoch_row, validation), false, true},
    };
    draw_panels(out, page, panels, sizeof panels / sizeof panels[0], "No log has a test yet.");
}
