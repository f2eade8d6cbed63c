/* page.h -- the page and its sections; each section writes itself, or a sentence that says what it would need. */
#ifndef PAGE_H
#define PAGE_H

#include "feature_file.h"
#include "logs.h"

#include <stdbool.h>
#include <stdio.h>

/* What there is to show. */
struct page {
    const char *title;
    const struct logs *logs;
    const struct features *features; /* NULL without --features                  */
    const char *features_path;
};

/* How a page begins, and no other file does; not more than the 64 bytes that begins_otherwise compares. */
#define PAGE_BEGINNING "<!DOCTYPE html>\n<html lang=\"en\"><head>\n<meta content=\"hn_report\""

/* 0, or -1 after a sentence on stderr. */
int page_write(FILE *out, const struct page *page);

void section_settings(FILE *out, const struct page *page);
void section_scores(FILE *out, const struct page *page);
void section_training(FILE *out, const struct page *page);
void section_accuracy(FILE *out, const struct page *page);
void section_classes(FILE *out, const struct page *page);
void section_confusion(FILE *out, const struct page *page);
int section_map(FILE *out, const struct page *page); /* -1 for want of memory, after a sentence on stderr */

/* Runs that a plot shows: the first SERIES_MAX. */
size_t page_shown(const struct page *page);

/* A figure's beginning, up to its picture, and its end with a legend of the runs for which has (NULL: all) is true. */
void figure_open(FILE *out, const char *title, const char *text);
void figure_close(FILE *out, const struct page *page, const bool *has);

/* "<p class="none">text</p>", for a section without anything. */
void page_nothing(FILE *out, const char *text);

/* The style sheet and the element around it. */
void style_write(FILE *out);

#endif
