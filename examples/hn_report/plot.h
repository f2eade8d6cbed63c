/* plot.h -- a plot as inline SVG: frame, grid, ticks, titles of axes, and what is drawn in it. Colours come from the
 * page's style sheet: series i has the class s<i>, so that light, dark and printed pages each have their own.        */
#ifndef PLOT_H
#define PLOT_H

#include <stdbool.h>
#include <stdio.h>

enum { SERIES_MAX = 12 }; /* colours, with shapes and dashes of their own, that can be told apart */

struct axis {
    const char *title;
    double least, most;      /* least > most: nothing to show yet  */
    double floor, ceiling;   /* what values cannot pass            */
    bool logarithmic, whole; /* whole: ticks at whole numbers only */
};

struct plot {
    FILE *out;
    double width, height;            /* of the picture */
    double left, right, top, bottom; /* of the frame   */
    struct axis x, y;
    bool bare; /* no ticks: positions mean nothing by themselves */
};

/* An axis with nothing to show. */
struct axis axis_empty(const char *title);
/* Makes room for a value; NAN, and what a logarithm cannot show, need none. */
void axis_cover(struct axis *axis, double value);
/* Rounds the ends outward, by a share of the length. */
void axis_widen(struct axis *axis, double share);

/* Opens the SVG of that size in user units and draws the empty plot; title is what a screen reader says. */
void plot_open(struct plot *plot, FILE *out, double width, double height, const char *title);
void plot_close(struct plot *plot);

/* Places in the picture; whether a point is to be shown. */
double plot_x(const struct plot *plot, double value);
double plot_y(const struct plot *plot, double value);
bool plot_shows(const struct plot *plot, double x, double y);

/* One of four shapes at a place in the picture. */
void plot_marker(FILE *out, int series, double x, double y, double radius);

/* Opens an element with the classes of series i, colour and dash: <g class="s3 d0">. */
void plot_series(FILE *out, const char *element, int series);

/* What a legend shows before its text: a piece of line with a marker, or the marker alone. */
void plot_swatch(FILE *out, int series, bool line);

#endif
