/* plot.c: axes, ticks, curves and points, as SVG. */
#include "plot.h"

#include "text.h"

#include <math.h>
#include <string.h>

enum { TICKS_MAX = 24, LEFT = 62, RIGHT = 14, TOP = 12, BOTTOM = 46, TICK = 48 };

/* ---- axes -------------------------------------------------------------------------------------------------------- */

struct axis axis_empty(const char *title)
{
    return (struct axis){.title = title, .least = INFINITY, .most = -INFINITY, .floor = -INFINITY, .ceiling = INFINITY};
}

void axis_cover(struct axis *axis, double value)
{
    if (!isfinite(value) || (axis->logarithmic && value <= 0.0))
        return;
    axis->least = fmin(axis->least, value);
    axis->most = fmax(axis->most, value);
}

void axis_widen(struct axis *axis, double share)
{
    if (axis->least > axis->most)
        axis->least = axis->logarithmic ? 1.0 : 0.0, axis->most = 1.0;
    if (axis->logarithmic) {
        const double factor = axis->most > axis->least ? exp(share * (log(axis->most) - log(axis->least))) : 2.0;
        axis->least /= factor;
        axis->most *= factor;
        return;
    }
    const double size = fmax(fabs(axis->least), fabs(axis->most));
    if (axis->most - axis->least <= 5e-5 * size) { /* one value, or such that the ticks' six digits would be the same */
        const double room = fmax(0.05 * (size > 0.0 ? size : 1.0), axis->whole ? 1.0 : 1e-6);
        axis->least = fmin(axis->least, fmax(axis->least - room, axis->floor));
        axis->most = fmax(axis->most, fmin(axis->most + room, axis->ceiling));
    }
    const double room = share * (axis->most - axis->least);
    axis->least -= room;
    axis->most += room;
}

/* The least of 1, 2 and 5 times a power of ten that cuts the axis into at most so many pieces. */
static double step_of(const struct axis *axis, int pieces)
{
    const double rough = (axis->most - axis->least) / pieces, power = pow(10.0, floor(log10(rough)));
    const double step = rough <= power         ? power
                        : rough <= 2.0 * power ? 2.0 * power
                        : rough <= 5.0 * power ? 5.0 * power
                                               : 10.0 * power;
    return axis->whole ? fmax(step, 1.0) : step;
}

static int linear_ticks(const struct axis *axis, int pieces, double *at)
{
    const double step = step_of(axis, pieces);
    int count = 0;
    for (double k = ceil(axis->least / step - 1e-9); k * step <= axis->most + 1e-9 * step && count < TICKS_MAX; ++k)
        at[count++] = k == 0.0 ? 0.0 : k * step;
    return count;
}

/* Powers of ten, and 2 and 5 times them where there is room. */
static int logarithmic_ticks(const struct axis *axis, double *at)
{
    const double decades = log10(axis->most / axis->least);
    const double stride = ceil(decades / 10.0);
    int count = 0;
    for (double power = floor(log10(axis->least)); power <= log10(axis->most) && count + 3 < TICKS_MAX; power += stride)
        for (int k = 0; k < 3; ++k) {
            static const double times[] = {1.0, 2.0, 5.0};
            const double value = times[k] * pow(10.0, power);
            if ((k == 0 || decades < 3.5) && value >= axis->least * 0.999999 && value <= axis->most * 1.000001)
                at[count++] = value;
        }
    return count;
}

/* As many decimals as the step has; "%g" where that would be long. The number of characters. */
static int tick_label(char text[TICK], const struct axis *axis, double value, double step)
{
    const char *minus = value < 0.0 ? "\xE2\x88\x92" : "";
    const int decimals = axis->logarithmic || step >= 1.0 ? 0 : (int)ceil(-log10(step) - 1e-9);
    if (fabs(value) >= (step >= 1.0 ? 1e7 : 1e5) || decimals > 4 || (axis->logarithmic && value < 1.0))
        snprintf(text, TICK, "%s%g", minus, fabs(value));
    else
        snprintf(text, TICK, "%s%.*f", minus, decimals, fabs(value));
    return (int)strlen(text) - (value < 0.0 ? 2 : 0);
}

double plot_x(const struct plot *p, double value)
{
    const struct axis *a = &p->x;
    const double share = a->logarithmic ? (log(value) - log(a->least)) / (log(a->most) - log(a->least))
                                        : (value - a->least) / (a->most - a->least);
    return p->left + share * (p->right - p->left);
}

double plot_y(const struct plot *p, double value)
{
    const struct axis *a = &p->y;
    return p->bottom - (value - a->least) / (a->most - a->least) * (p->bottom - p->top);
}

bool plot_shows(const struct plot *p, double x, double y)
{
    return x >= p->x.least && x <= p->x.most && y >= p->y.least && y <= p->y.most;
}

/* ---- the frame --------------------------------------------------------------------------------------------------- */

static void draw_x(const struct plot *p)
{
    char text[TICK];
    double at[TICKS_MAX];
    const int count = p->x.logarithmic ? logarithmic_ticks(&p->x, at) : linear_ticks(&p->x, 8, at);
    const double step = p->x.logarithmic ? 1.0 : step_of(&p->x, 8);
    for (int i = 0; i < count; ++i) {
        const double x = plot_x(p, at[i]);
        tick_label(text, &p->x, at[i], step);
        fprintf(p->out,
                "<path class=\"grid\" d=\"M%.1f %.1fV%.1f\"/><text class=\"tick\" x=\"%.1f\" y=\"%.1f\" "
                "text-anchor=\"middle\">%s</text>\n",
                x, p->top, p->bottom, x, p->bottom + 16, text);
    }
}

static void draw_y(const struct plot *p)
{
    char text[TICK];
    double at[TICKS_MAX];
    const int count = linear_ticks(&p->y, 6, at);
    for (int i = 0; i < count; ++i) {
        const double y = plot_y(p, at[i]);
        tick_label(text, &p->y, at[i], step_of(&p->y, 6));
        fprintf(p->out,
                "<path class=\"grid\" d=\"M%.1f %.1fH%.1f\"/><text class=\"tick\" x=\"%.1f\" y=\"%.1f\" "
                "text-anchor=\"end\">%s</text>\n",
                p->left, y, p->right, p->left - 7, y + 4, text);
    }
}

/* Room for the ticks of the axis and its title, which stand beside each other. */
static double left_of(const struct axis *y)
{
    char text[TICK];
    double at[TICKS_MAX], left = LEFT;
    const int count = linear_ticks(y, 6, at);
    for (int i = 0; i < count; ++i)
        left = fmax(left, 31.0 + 7.7 * tick_label(text, y, at[i], step_of(y, 6)));
    return left;
}

void plot_open(struct plot *p, FILE *out, double width, double height, const char *title)
{
    p->out = out;
    p->width = width;
    p->height = height;
    p->left = p->bare ? 28 : left_of(&p->y);
    p->right = width - RIGHT;
    p->top = TOP;
    p->bottom = height - (p->bare ? 28 : BOTTOM);
    fprintf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" role=\"img\">\n<title>", width,
            height);
    text_html(out, title);
    fputs("</title>\n", out);
    if (!p->bare) {
        draw_x(p);
        draw_y(p);
    }
    fprintf(out, "<rect class=\"frame\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>\n", p->left, p->top,
            p->right - p->left, p->bottom - p->top);
    fprintf(out, "<text class=\"axis\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">", 0.5 * (p->left + p->right),
            height - 8);
    text_html(out, p->x.title);
    fprintf(out, "</text>\n<text class=\"axis\" transform=\"translate(16 %.1f) rotate(-90)\" text-anchor=\"middle\">",
            0.5 * (p->top + p->bottom));
    text_html(out, p->y.title);
    fputs("</text>\n", out);
}

void plot_close(struct plot *p)
{
    fputs("</svg>\n", p->out);
}

/* ---- what is drawn ----------------------------------------------------------------------------------------------- */

void plot_marker(FILE *out, int series, double x, double y, double r)
{
    switch (series % 4) {
    case 0:
        fprintf(out, "<circle class=\"mark\" cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"/>", x, y, r);
        break;
    case 1:
        fprintf(out, "<rect class=\"mark\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>", x - 0.88 * r,
                y - 0.88 * r, 1.76 * r, 1.76 * r);
        break;
    case 2:
        fprintf(out, "<path class=\"mark\" d=\"M%.1f %.1fl%.1f %.1fh%.1fz\"/>", x, y - 1.25 * r, 1.2 * r, 2.1 * r,
                -2.4 * r);
        break;
    default:
        fprintf(out, "<path class=\"mark\" d=\"M%.1f %.1fl%.1f %.1fl%.1f %.1fl%.1f %.1fz\"/>", x, y - 1.3 * r, 1.3 * r,
                1.3 * r, -1.3 * r, 1.3 * r, -1.3 * r, -1.3 * r);
    }
}

void plot_series(FILE *out, const char *element, int series)
{
    fprintf(out, "<%s class=\"s%d d%d\">", element, series % SERIES_MAX, series / 4 % 3);
}

void plot_swatch(FILE *out, int series, bool line)
{
    fprintf(out, "<svg class=\"swatch s%d d%d\" viewBox=\"0 0 %d 12\" width=\"%d\" height=\"12\" aria-hidden=\"true\">",
            series % SERIES_MAX, series / 4 % 3, line ? 28 : 12, line ? 28 : 12);
    if (line)
        fputs("<path class=\"line\" d=\"M1 6H27\"/>", out);
    plot_marker(out, series, line ? 14 : 6, 6, 3.4);
    fputs("</svg>", out);
}
