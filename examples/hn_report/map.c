/* map.c -- the features of test images in two dimensions, by principal components and by t-SNE. */
#include "page.h"

#include "pca.h"
#include "plot.h"
#include "text.h"
#include "tsne.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE = 500 };

/* Up to twelve classes have a colour and a shape each; more share twelve shades, neighbours the same. */
static int32_t band(const struct features *f, int32_t label)
{
    return f->classes <= SERIES_MAX ? label : (int32_t)((int64_t)label * SERIES_MAX / f->classes);
}

static void draw_points(struct plot *plot, const struct features *f, const double *y)
{
    for (int32_t b = 0; b < SERIES_MAX && b < f->classes; ++b) {
        fprintf(plot->out, "<g class=\"%c%d dots\">", f->classes <= SERIES_MAX ? 's' : 'q', (int)b);
        for (int64_t i = 0; i < f->n; ++i)
            if (band(f, f->labels[i]) == b)
                plot_marker(plot->out, b, plot_x(plot, y[2 * i]), plot_y(plot, y[2 * i + 1]), 2.7);
        fputs("</g>\n", plot->out);
    }
}

static void draw_legend(FILE *out, const struct features *f)
{
    fputs("<ul class=\"legend\">", out);
    for (int32_t b = 0; b < SERIES_MAX && b < f->classes; ++b) {
        const int many = f->classes > SERIES_MAX;
        int32_t first = b, last = b;
        if (many) { /* the least label l with l * 12 / classes >= b */
            first = (int32_t)(((int64_t)b * f->classes + SERIES_MAX - 1) / SERIES_MAX);
            last = (int32_t)(((int64_t)(b + 1) * f->classes + SERIES_MAX - 1) / SERIES_MAX) - 1;
        }
        fprintf(out,
                "<li><svg class=\"swatch %c%d\" viewBox=\"0 0 12 12\" width=\"12\" height=\"12\" aria-hidden=\"true\">",
                many ? 'q' : 's', (int)b);
        plot_marker(out, b, 6, 6, 3.8);
        fprintf(out, first == last ? "</svg>%s%d</li>\n" : "</svg>%s%d to %d</li>\n", b == 0 ? "class " : "",
                (int)first, (int)last);
    }
    fputs("</ul>\n", out);
}

/* square: the same length in both directions. */
static void draw_map(FILE *out, const struct features *f, const double *y, struct plot *plot, bool square,
                     const char *title)
{
    for (int64_t i = 0; i < f->n; ++i) {
        axis_cover(&plot->x, y[2 * i]);
        axis_cover(&plot->y, y[2 * i + 1]);
    }
    const double width = plot->x.most - plot->x.least, height = plot->y.most - plot->y.least;
    struct axis *narrow = width < height ? &plot->x : &plot->y;
    const double room = square ? 0.5 * fabs(width - height) : 0.0;
    narrow->least -= room;
    narrow->most += room;
    axis_widen(&plot->x, 0.04);
    axis_widen(&plot->y, 0.04);
    plot_open(plot, out, SIZE, SIZE, title);
    draw_points(plot, f, y);
    plot_close(plot);
    draw_legend(out, f);
    fputs("</figure>\n", out);
}

static void draw_pca(FILE *out, const struct features *f, const struct pca *pca)
{
    char first[64], second[64];
    snprintf(first, sizeof first, "first component, %.1f %% of the variance", 100.0 * pca->share[0]);
    snprintf(second, sizeof second, "second component, %.1f %%", 100.0 * pca->share[1]);
    struct plot plot = {.x = axis_empty(first), .y = axis_empty(second)};
    if (pca->share[1] < 1e-10) { /* of one dimension: what the second has is rounding */
        axis_cover(&plot.y, -pca->deviation);
        axis_cover(&plot.y, pca->deviation);
    }
    figure_open(out, "Principal components.", "The two directions in which the features vary most.");
    draw_map(out, f, pca->coordinates, &plot, false, "Features by their first two principal components");
}

/* Starts from the principal components, made small. */
static int draw_tsne(FILE *out, const struct features *f, const struct pca *pca)
{
    char text[256];
    double *y = malloc(sizeof *y * 2 * (size_t)f->n);
    struct tsne result;
    int code = y == NULL ? -1 : 0;
    for (int64_t k = 0; k < 2 * f->n && code == 0; ++k)
        y[k] = pca->coordinates[k] * 1e-4 / pca->deviation;
    if (code == 0)
        code = tsne_map(&result, f->x, f->n, f->d, y);
    if (code == 0) {
        struct plot plot = {.x = axis_empty("t-SNE 1"), .y = axis_empty("t-SNE 2"), .bare = true};
        snprintf(
            text, sizeof text,
            "Neighbours stay neighbours; distances between groups and sizes of groups mean little. Perplexity %.3g, "
            "Kullback\xE2\x80\x93Leibler divergence %.3f.",
            result.perplexity, result.kl);
        figure_open(out, "t-SNE.", text);
        draw_map(out, f, y, &plot, true, "Features by t-SNE");
    }
    free(y);
    return code;
}

/* "what the backbone of run X makes of 2000 of 10000 test images". */
static void describe(FILE *out, const struct page *page)
{
    const struct features *f = page->features;
    const char *label = NULL;
    size_t matches = 0;
    for (size_t i = 0; i < page->logs->count; ++i) {
        const char *path = trial_text(&page->logs->trials[i], "features");
        if (path != NULL && strcmp(path, page->features_path) == 0) {
            label = page->logs->trials[i].label;
            ++matches;
        }
    }
    fprintf(out, "<p class=\"small\">%lld %s from <code>", (long long)f->n, f->n == 1 ? "test image" : "test images");
    text_html(out, page->features_path);
    fputs("</code>", out);
    if (f->n < f->images)
        fprintf(out, ", the first of its %lld", (long long)f->images);
    if (matches == 1) {
        fputs(", which ", out);
        text_html(out, label);
        fputs(" wrote", out);
    }
    fprintf(out, "; %lld features each, what the backbone makes of an image. Colour and shape: the true class%s.</p>\n",
            (long long)f->d, f->classes > SERIES_MAX ? ", from dark for the first to bright for the last" : "");
}

int section_map(FILE *out, const struct page *page)
{
    const struct features *f = page->features;
    struct pca pca;
    if (f == NULL) {
        page_nothing(
            out,
            "No features were given: train_hybrid --features FILE writes them, hn_report --features FILE draws them.");
        return 0;
    }
    describe(out, page);
    int code = pca_of(&pca, f->x, f->n, f->d);
    if (code == 0) {
        fputs("<div class=\"figures\">\n", out);
        draw_pca(out, f, &pca);
        const bool spread = pca.deviation > 0.0 && f->n >= TSNE_ROWS_MIN;
        if (spread)
            code = draw_tsne(out, f, &pca);
        fputs("</div>\n", out);
        if (!spread)
            page_nothing(out,
                         "There is no t-SNE of fewer than 5 images, or of images that all have the same features.");
        pca_free(&pca);
    }
    if (code != 0)
        complain("not enough memory for a map of %lld images; try a smaller file", (long long)f->n);
    return code;
}
