/* tables.c -- the tables of runs: what was asked of them, and what came of it. */
#include "page.h"

#include "plot.h"
#include "text.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

/* ---- cells ------------------------------------------------------------------------------------------------------- */

/* Titles that begin with '<' head text, which stands to the left; the others head numbers. */
static void head(FILE *out, const char *const *titles, size_t count)
{
    fputs("<div class=\"scroll\"><table>\n<thead><tr><th>run</th>", out);
    for (size_t i = 0; i < count; ++i)
        fprintf(out, titles[i][0] == '<' ? "<th class=\"text\">%s</th>" : "<th>%s</th>",
                titles[i] + (titles[i][0] == '<'));
    fputs("</tr></thead>\n<tbody>\n", out);
}

static void name_cell(FILE *out, const struct page *page, size_t i)
{
    fputs("<tr><th scope=\"row\">", out);
    if (i < SERIES_MAX)
        plot_swatch(out, (int)i, false);
    text_html(out, page->logs->trials[i].label);
    fputs("</th>", out);
}

static void text_cell(FILE *out, const char *text)
{
    fputs("<td class=\"text\">", out);
    if (text == NULL)
        text_number(out, "%g", NAN);
    else
        text_html(out, text);
    fputs("</td>", out);
}

static void number_cell(FILE *out, const char *format, double value, bool best) __attribute__((format(printf, 2, 0)));

static void number_cell(FILE *out, const char *format, double value, bool best)
{
    fputs(best ? "<td><strong>" : "<td>", out);
    text_number(out, format, value);
    fputs(best ? "</strong></td>" : "</td>", out);
}

/* "45 s", "12 min 5 s", "3 h 20 min". */
static void time_cell(FILE *out, double seconds)
{
    const double whole = floor(seconds + 0.5);
    fputs("<td>", out);
    if (isnan(seconds) || seconds < 0.0 || seconds > 1e9)
        text_number(out, "%g", NAN);
    else if (whole < 100.0)
        fprintf(out, "%.3g s", seconds);
    else if (whole < 3600.0)
        fprintf(out, "%.0f min %.0f s", floor(whole / 60.0), fmod(whole, 60.0));
    else
        fprintf(out, "%.0f h %.0f min", floor(whole / 3600.0), floor(fmod(whole, 3600.0) / 60.0));
    fputs("</td>", out);
}

/* ---- settings ---------------------------------------------------------------------------------------------------- */

/* "psc + ce, then crt". */
static void loss_cell(FILE *out, const struct trial *trial)
{
    const char *feature = trial_text(trial, "feature_loss"), *classifier = trial_text(trial, "classifier_loss");
    const char *stage = trial_text(trial, "second_stage");
    const bool two = feature != NULL && strcmp(feature, "none") != 0;
    if (feature == NULL && classifier == NULL) {
        text_cell(out, NULL);
        return;
    }
    fputs("<td class=\"text wrap\">", out);
    text_html(out, two ? feature : "");
    fputs(two && classifier != NULL ? " + " : "", out);
    text_html(out, classifier != NULL ? classifier : "");
    if (stage != NULL && strcmp(stage, "none") != 0) {
        fputs(", then ", out);
        text_html(out, stage);
    }
    fputs("</td>", out);
}

static void parameters_cell(FILE *out, double parameters)
{
    if (parameters >= 1e6 && parameters < 1e16)
        number_cell(out, "%.2f M", 1e-6 * parameters, false);
    else if (parameters >= 1e3 && parameters < 1e6)
        number_cell(out, "%.1f k", 1e-3 * parameters, false);
    else
        number_cell(out, "%.0f", parameters, false);
}

/* Those that were trained, of those that were planned unless they are the same. */
static void epochs_cell(FILE *out, const struct trial *trial)
{
    const double planned = trial_number(trial, "epochs");
    const double done = trial->epochs.count > 0 ? trial->epochs.row[trial->epochs.count - 1].at : 0.0;
    const bool trained = trial->epochs.count > 0 || trial->result == NULL; /* else it is a test alone */
    if (done == planned || !trained) {
        number_cell(out, "%.0f", trained ? planned : NAN, false);
        return;
    }
    fputs("<td>", out);
    text_number(out, "%.0f", done);
    fputs(" of ", out);
    text_number(out, "%.0f", planned);
    fputs("</td>", out);
}

/* A result of a run that still goes is as old as its last test; the last epoch is not. */
static double time_of(const struct trial *trial)
{
    const struct log_rows *epochs = &trial->epochs;
    const double last = epochs->count > 0 ? epochs->row[epochs->count - 1].seconds : NAN;
    return fmax(trial_number(trial, "seconds"), last); /* which passes over NAN */
}

static double mean_speed(const struct trial *trial)
{
    double sum = 0.0, count = 0.0;
    for (size_t i = 0; i < trial->epochs.count; ++i)
        if (!isnan(trial->epochs.row[i].images_per_second)) {
            sum += trial->epochs.row[i].images_per_second;
            count += 1.0;
        }
    return count > 0.0 ? sum / count : NAN;
}

void section_settings(FILE *out, const struct page *page)
{
    static const char *const titles[] = {"<method",    "<loss",  "<dataset", "imbalance", "training images", "<network",
                                         "parameters", "epochs", "seed",     "time",      "images/s"};
    head(out, titles, sizeof titles / sizeof titles[0]);
    for (size_t i = 0; i < page->logs->count; ++i) {
        const struct trial *trial = &page->logs->trials[i];
        name_cell(out, page, i);
        text_cell(out, trial_text(trial, "method"));
        loss_cell(out, trial);
        text_cell(out, trial_text(trial, "dataset"));
        number_cell(out, "%g", trial_number(trial, "imbalance"), false);
        number_cell(out, "%.0f", trial_number(trial, "train_images"), false);
        text_cell(out, trial_text(trial, "arch"));
        parameters_cell(out, trial_number(trial, "parameters"));
        epochs_cell(out, trial);
        number_cell(out, "%.0f", trial_number(trial, "seed"), false);
        time_cell(out, time_of(trial));
        number_cell(out, "%.0f", mean_speed(trial), false);
        fputs("</tr>\n", out);
    }
    fputs("</tbody></table></div>\n<p class=\"small\">The loss is the feature branch's and the classifier's. images/s "
          "is the mean over "
          "epochs; every view of every branch counts.</p>\n",
          out);
}

/* ---- scores ------------------------------------------------------------------------------------------------------ */

/* U+2011, where no line ends. */
#define HYPHEN "\xE2\x80\x91"

static const struct score {
    const char *title, *key;
    bool least; /* the least is the best */
} scores[] = {
    {"top" HYPHEN "1", "top1", false},
    {"many", "many", false},
    {"medium", "medium", false},
    {"few", "few", false},
    {"macro" HYPHEN "F1", "macro_f1", false},
    {"G" HYPHEN "mean", "g_mean", false},
    {"worst recall", "worst_recall", false},
    {"ECE", "ece", true},
    {"many ECE", "many_ece", true},
    {"medium ECE", "medium_ece", true},
    {"few ECE", "few_ece", true},
};

enum { SCORES = sizeof scores / sizeof scores[0] };

/* The best of a score over the runs; NAN where all are the same, and it would say nothing. */
static double best_of(const struct page *page, const struct score *score)
{
    double least = INFINITY, most = -INFINITY;
    for (size_t i = 0; i < page->logs->count; ++i) {
        const double value = trial_number(&page->logs->trials[i], score->key);
        least = fmin(least, value); /* which pass over NAN */
        most = fmax(most, value);
    }
    return least < most ? (score->least ? least : most) : NAN;
}

static void score_row(FILE *out, const struct page *page, size_t i, const double *best)
{
    const struct trial *trial = &page->logs->trials[i];
    name_cell(out, page, i);
    for (int k = 0; k < SCORES; ++k) {
        const double value = trial_number(trial, scores[k].key);
        number_cell(out, "%.2f", value, value == best[k]);
    }
    number_cell(out, "%.0f", trial_number(trial, "best_epoch"), false);
    number_cell(out, "%.2f", trial_number(trial, "best_top1"), false);
    fprintf(out, "<td class=\"text\">%s</td></tr>\n",
            trial->finished         ? "finished"
            : trial->result != NULL ? "so far"
                                    : "no test yet");
}

/* The means that train_hybrid --seeds computed, in the columns of their scores. */
static void seeds_row(FILE *out, const json_t *entry)
{
    const json_t *event = json_object_get(entry, "event");
    const char *log = json_string_value(json_object_get(entry, "log"));
    fputs("<tr class=\"seeds\"><th scope=\"row\">", out);
    text_html(out, log != NULL ? log : "");
    fprintf(out, ", mean of %zu seeds</th>", json_array_size(json_object_get(event, "seeds")));
    for (int k = 0; k < SCORES; ++k) {
        char mean[64], deviation[64];
        snprintf(mean, sizeof mean, "%s_mean", scores[k].key);
        snprintf(deviation, sizeof deviation, "%s_deviation", scores[k].key);
        const json_t *m = json_object_get(event, mean), *d = json_object_get(event, deviation);
        fputs("<td>", out);
        text_number(out, "%.2f", log_number(m));
        if (!isnan(log_number(m)) && !isnan(log_number(d))) {
            fputs(" \xC2\xB1\xC2\xA0", out); /* a line may end before it alone */
            text_number(out, "%.2f", log_number(d));
        }
        fputs("</td>", out);
    }
    fputs("<td></td><td></td><td></td></tr>\n", out);
}

void section_scores(FILE *out, const struct page *page)
{
    const char *titles[SCORES + 3];
    double best[SCORES];
    for (int k = 0; k < SCORES; ++k) {
        titles[k] = scores[k].title;
        best[k] = best_of(page, &scores[k]);
    }
    titles[SCORES] = "best epoch";
    titles[SCORES + 1] = "its top" HYPHEN "1";
    titles[SCORES + 2] = "<state";
    head(out, titles, SCORES + 3);
    for (size_t i = 0; i < page->logs->count; ++i)
        score_row(out, page, i, best);
    for (size_t i = 0; i < json_array_size(page->logs->seeds); ++i)
        seeds_row(out, json_array_get(page->logs->seeds, i));
    fputs("</tbody></table></div>\n<p class=\"small\">All in per cent, of the last epoch or the second stage. many, "
          "medium and few are "
          "means over the classes with more than 100, 20 to 100 and fewer than 20 training images. G-mean is the "
          "geometric mean of "
          "the classes' accuracies, worst recall the least of them, ECE the expected calibration error (less is "
          "better). The best "
          "epoch is chosen by the validation images. Bold: the best of the runs. \xE2\x80\x93: there is none.</p>\n",
          out);
}
