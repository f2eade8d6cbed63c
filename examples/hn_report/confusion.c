/* confusion.c -- which classes are taken for which: one matrix a run. */
#include "page.h"

#include "plot.h"
#include "text.h"

#include <math.h>

enum { CLASSES_MAX = 200, NUMBERS_MAX = 12, SIDE = 400, LEFT = 62, TOP = 12 };

static double count_at(const json_t *matrix, size_t row, size_t column)
{
    return (double)json_integer_value(json_array_get(json_array_get(matrix, row), column));
}

/* Every so many classes a number: 1, 2, 5, 10 ... so that they do not touch. */
static size_t label_stride(size_t classes)
{
    static const size_t strides[] = {1, 2, 5, 10, 20, 50};
    size_t k = 0;
    while (k + 1 < sizeof strides / sizeof strides[0] && classes / strides[k] > 12)
        ++k;
    return strides[k];
}

static void draw_labels(FILE *out, size_t classes, double cell)
{
    for (size_t c = 0; c < classes; c += label_stride(classes)) {
        const double middle = ((double)c + 0.5) * cell;
        fprintf(out,
                "<text class=\"tick\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%zu</text>"
                "<text class=\"tick\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%zu</text>\n",
                LEFT + middle, (double)(TOP + SIDE + 16), c, LEFT - 7, TOP + middle + 4, c);
    }
    fprintf(
        out,
        "<text class=\"axis\" x=\"%d\" y=\"%d\" text-anchor=\"middle\">predicted class</text>"
        "<text class=\"axis\" transform=\"translate(16 %d) rotate(-90)\" text-anchor=\"middle\">true class</text>\n",
        LEFT + SIDE / 2, TOP + SIDE + 36, TOP + SIDE / 2);
}

/* What can be read on the shade: black and white change places elsewhere on a dark page (style.c), and each has a
 * contrast of 4.5 at least.                                                                                          */
static const char *ink(double shade)
{
    return shade > 0.815 ? "count high" : shade > 0.66 ? "count mid" : "count";
}

/* The root shows the small shares too, which are the confusions. */
static double shade(double share)
{
    return sqrt(share);
}

/* One row: cells as dark as their share of its images. */
static void draw_row(FILE *out, const json_t *matrix, size_t row, size_t classes, double cell)
{
    double images = 0.0;
    for (size_t c = 0; c < classes; ++c)
        images += count_at(matrix, row, c);
    fputs("<g class=\"cell\">", out);
    for (size_t c = 0; c < classes; ++c) {
        const double count = count_at(matrix, row, c), share = images > 0.0 ? count / images : 0.0;
        const double x = LEFT + (double)c * cell, y = TOP + (double)row * cell;
        if (share >= 0.001)
            fprintf(out, "<rect x=\"%.5g\" y=\"%.5g\" width=\"%.4g\" height=\"%.4g\" fill-opacity=\"%.2g\"", x, y, cell,
                    cell, shade(share));
        if (share >= 0.01 && c != row)
            fprintf(out, "><title>%zu \xE2\x86\x92 %zu: %.3g %%</title></rect>", row, c, 100.0 * share);
        else if (share >= 0.001)
            fputs("/>", out);
        if (classes <= NUMBERS_MAX && count > 0.0)
            fprintf(out, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%.*f</text>",
                    ink(shade(share)), x + 0.5 * cell, y + 0.5 * cell + 4, share >= 0.9995 ? 0 : 1, 100.0 * share);
    }
    fputs("</g>\n", out);
}

static void draw_matrix(FILE *out, const struct trial *trial, const json_t *matrix, int series)
{
    const size_t classes = json_array_size(matrix);
    const double cell = (double)SIDE / (double)classes;
    fputs("<figure>\n<figcaption>", out);
    plot_swatch(out, series, false);
    fputs("<strong>", out);
    text_html(out, trial->label);
    fputs("</strong></figcaption>\n", out);
    fprintf(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" role=\"img\">\n<title>Confusion matrix of ",
        LEFT + SIDE + 14, TOP + SIDE + 46);
    text_html(out, trial->label);
    fputs("</title>\n", out);
    for (size_t row = 0; row < classes; ++row)
        draw_row(out, matrix, row, classes, cell);
    fprintf(out, "<rect class=\"frame\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/>\n", LEFT, TOP, SIDE, SIDE);
    draw_labels(out, classes, cell);
    fputs("</svg>\n</figure>\n", out);
}

/* What a colour stands for. */
static void draw_scale(FILE *out, bool numbers)
{
    fprintf(out, "<p class=\"small\">%s: of the images of a class (row), ",
            numbers ? "Numbers and colours" : "Colours");
    fputs("the share in per cent that was taken for each class (column). <span class=\"scale\">0 <svg class=\"swatch\" "
          "viewBox=\"0 0 220 12\" width=\"220\" height=\"12\" role=\"img\"><title>from 0 to 100 per cent</title>",
          out);
    for (int k = 0; k <= 10; ++k)
        fprintf(out, "<rect class=\"cell\" x=\"%d\" y=\"0\" width=\"20\" height=\"12\" fill-opacity=\"%.2f\"/>", 20 * k,
                shade(0.1 * k));
    fputs("<rect class=\"frame\" x=\"0.5\" y=\"0.5\" width=\"219\" height=\"11\"/></svg>100 %</span></p>\n", out);
}

void section_confusion(FILE *out, const struct page *page)
{
    size_t drawn = 0, large = 0;
    bool numbers = false;
    for (size_t i = 0; i < page_shown(page); ++i) {
        const size_t classes = json_array_size(trial_list(&page->logs->trials[i], "confusion"));
        numbers |= classes > 0 && classes <= NUMBERS_MAX;
    }
    for (size_t i = 0; i < page_shown(page); ++i) {
        const json_t *matrix = trial_list(&page->logs->trials[i], "confusion");
        const size_t classes = json_array_size(matrix);
        large += classes > CLASSES_MAX;
        if (classes == 0 || classes > CLASSES_MAX)
            continue;
        if (drawn++ == 0) {
            draw_scale(out, numbers);
            fputs("<div class=\"figures\">\n", out);
        }
        draw_matrix(out, &page->logs->trials[i], matrix, (int)i);
    }
    if (drawn > 0)
        fputs("</div>\n", out);
    if (large > 0)
        page_nothing(out, "A confusion matrix of more than 200 classes was left out.");
    else if (drawn == 0)
        page_nothing(out, "No log has a confusion matrix: it comes with the result of a run, for at most 100 classes.");
}
