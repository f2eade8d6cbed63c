/* page.c -- the page around its sections. */
#include "page.h"

#include "plot.h"
#include "text.h"

#include <string.h>

_Static_assert(sizeof PAGE_BEGINNING - 1 <= 64, "begins_otherwise compares no more");

size_t page_shown(const struct page *page)
{
    return page->logs->count < SERIES_MAX ? page->logs->count : SERIES_MAX;
}

void figure_open(FILE *out, const char *title, const char *text)
{
    fputs("<figure>\n<figcaption><strong>", out);
    text_html(out, title);
    fputs("</strong> ", out);
    text_html(out, text);
    fputs("</figcaption>\n", out);
}

void figure_close(FILE *out, const struct page *page, const bool *has)
{
    fputs("<ul class=\"legend\">", out);
    for (size_t i = 0; i < page_shown(page); ++i)
        if (has == NULL || has[i]) {
            fputs("<li>", out);
            plot_swatch(out, (int)i, true);
            text_html(out, page->logs->trials[i].label);
            fputs("</li>\n", out);
        }
    fputs("</ul>\n</figure>\n", out);
}

void page_nothing(FILE *out, const char *text)
{
    fputs("<p class=\"none\">", out);
    text_html(out, text);
    fputs("</p>\n", out);
}

static void write_notes(FILE *out, const struct page *page)
{
    const size_t count = json_array_size(page->logs->notes);
    const bool many = page->logs->count > SERIES_MAX;
    if (count == 0 && !many)
        return;
    fputs("<ul class=\"notes\">\n", out);
    for (size_t i = 0; i < count; ++i) {
        fputs("<li>", out);
        text_html(out, json_string_value(json_array_get(page->logs->notes, i)));
        fputs("</li>\n", out);
    }
    if (many)
        fprintf(out, "<li>There are %zu runs; the plots show the first %d.</li>\n", page->logs->count, (int)SERIES_MAX);
    fputs("</ul>\n", out);
}

/* The heading of a section and the sentence under it. */
static void section(FILE *out, const char *id, const char *title)
{
    fprintf(out, "</section>\n<section id=\"%s\">\n<h2>%s</h2>\n", id, title);
}

static void write_head(FILE *out, const struct page *page)
{
    fputs(PAGE_BEGINNING " name=\"generator\"/>\n<meta charset=\"utf-8\"/>\n"
                         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>",
          out);
    text_html(out, page->title);
    fputs("</title>\n", out);
    style_write(out);
    fputs("</head>\n<body>\n<header>\n<h1>", out);
    text_html(out, page->title);
    fprintf(out, "</h1>\n<p>%zu %s of <code>train_hybrid</code>", page->logs->count,
            page->logs->count == 1 ? "run" : "runs");
    const char *library = page->logs->count > 0 ? trial_text(&page->logs->trials[0], "library") : NULL;
    for (size_t i = 1; i < page->logs->count && library != NULL; ++i) {
        const char *other = trial_text(&page->logs->trials[i], "library");
        if (other == NULL || strcmp(other, library) != 0)
            library = NULL; /* runs of several versions */
    }
    if (library != NULL) {
        fputs(", libhybridnet ", out);
        text_html(out, library);
    }
    fputs("</p>\n<nav><a href=\"#settings\">Runs</a> <a href=\"#scores\">Scores</a> <a href=\"#training\">Training</a> "
          "<a href=\"#accuracy\">Accuracy</a> <a href=\"#classes\">Classes</a> <a href=\"#confusion\">Confusion</a> "
          "<a href=\"#features\">Features</a></nav>\n",
          out);
    write_notes(out, page);
    fputs("</header>\n<main>\n", out);
}

int page_write(FILE *out, const struct page *page)
{
    write_head(out, page);
    fputs("<section id=\"settings\">\n<h2>Runs</h2>\n", out);
    section_settings(out, page);
    section(out, "scores", "Scores on the test set");
    section_scores(out, page);
    section(out, "training", "Training");
    section_training(out, page);
    section(out, "accuracy", "Accuracy by epoch");
    section_accuracy(out, page);
    section(out, "classes", "Accuracy and class size");
    section_classes(out, page);
    section(out, "confusion", "Confusion matrix");
    section_confusion(out, page);
    section(out, "features", "Maps of the features");
    const int code = section_map(out, page);
    fputs("</section>\n</main>\n</body>\n</html>\n", out);
    return code;
}
