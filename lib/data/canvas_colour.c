#include "data/canvas.h"

#include "kernel/clones.h"

/* Pillow's Image.blend: from + factor * (to - from), cut off to [0, 255] and towards zero. */
static inline uint8_t blend(int32_t from, int32_t to, float factor)
{
    float value = (float)from + factor * (float)(to - from);
    value = value > 0 ? value : 0;
    return (uint8_t)(int32_t)(value < 255 ? value : 255);
}

/* All pixels away from one grey value: a table does. */
static void away_from(hni_canvas *c, int32_t grey, float factor)
{
    uint8_t table[256];
    int64_t n = hni_canvas_bytes(c);
    for (int32_t v = 0; v < 256; ++v)
        table[v] = blend(grey, v, factor);
    for (int64_t i = 0; i < n; ++i)
        c->pixels[i] = table[c->pixels[i]];
}

void hni_canvas_brightness(hni_canvas *c, float factor)
{
    away_from(c, 0, factor);
}

HNI_CLONES static uint64_t sum_of_luma(const uint8_t *p, int64_t pixels)
{
    uint64_t sum = 0;
    for (int64_t i = 0; i < pixels; ++i)
        sum += hni_luma(p + 3 * i);
    return sum;
}

void hni_canvas_contrast(hni_canvas *c, float factor)
{
    uint64_t sum = 0, n = (uint64_t)(c->height * c->width);
    if (c->channels == 3) {
        sum = sum_of_luma(c->pixels, (int64_t)n);
    } else {
        n *= (uint64_t)c->channels;
        for (uint64_t i = 0; i < n; ++i)
            sum += c->pixels[i];
    }
    /* A canvas has pixels. NOLINTNEXTLINE(clang-analyzer-core.DivideZero) */
    away_from(c, (int32_t)((2 * sum + n) / (2 * n)), factor);
}

HNI_CLONES static void saturate(const uint8_t *p, int64_t pixels, float factor, uint8_t *restrict out)
{
    for (int64_t i = 0; i < 3 * pixels; i += 3) {
        int32_t grey = hni_luma(p + i);
        out[i] = blend(grey, p[i], factor);
        out[i + 1] = blend(grey, p[i + 1], factor);
        out[i + 2] = blend(grey, p[i + 2], factor);
    }
}

void hni_canvas_saturation(hni_canvas *c, float factor)
{
    if (c->channels != 3)
        return;
    saturate(c->pixels, c->height * c->width, factor, c->spare);
    hni_canvas_swap(c);
}

void hni_canvas_grayscale(hni_canvas *c)
{
    int64_t n = hni_canvas_bytes(c);
    if (c->channels != 3)
        return;
    for (uint8_t *p = c->pixels, *end = p + n; p < end; p += 3)
        p[0] = p[1] = p[2] = hni_luma(p);
}

/* ---- hue: through Pillow's 8-bit HSV, whose mixture of float and double is kept; without branches, for vectors ---------- */

enum { BLOCK = 64 };

typedef struct colours {
    int32_t red[BLOCK], green[BLOCK], blue[BLOCK];
    int32_t high[BLOCK], least[BLOCK]; /* largest and smallest of the three */
    int32_t hue[BLOCK], saturation[BLOCK];
} colours;

static inline int32_t larger(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

static inline int32_t smaller(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

/* Hue and saturation in [0, 255]; of greys anything. */
static inline void to_hsv(colours *b)
{
    for (int32_t i = 0; i < BLOCK; ++i) {
        int32_t high = larger(larger(b->red[i], b->green[i]), b->blue[i]);
        int32_t least = smaller(smaller(b->red[i], b->green[i]), b->blue[i]);
        float spread = (float)larger(high - least, 1), of_red = (float)(high - b->red[i]) / spread;
        float of_green = (float)(high - b->green[i]) / spread, of_blue = (float)(high - b->blue[i]) / spread;
        float if_red = of_blue - of_green, if_green = (float)(2.0 + (double)of_red - (double)of_blue);
        float h = (float)(4.0 + (double)of_green - (double)of_red);
        h = b->green[i] == high ? if_green : h;
        h = b->red[i] == high ? if_red : h;
        double turns = (double)h / 6.0 + 1.0; /* in [5/6, 11/6]: one subtraction is fmod(turns, 1) */
        h = (float)(turns - (turns >= 1.0 ? 1.0 : 0.0));
        b->hue[i] = (int32_t)((double)h * 255.0);
        b->saturation[i] = (int32_t)((double)(spread / (float)larger(high, 1)) * 255.0);
        b->high[i] = high;
        b->least[i] = least;
    }
}

static inline int32_t rounded(double x)
{
    return (int32_t)(x + 0.5); /* in [0, 255] */
}

/* Back, but for greys: two of the three are the largest and the smallest, the third lies between on its way up or down. */
static inline void from_hsv(colours *b)
{
    int32_t sixths[BLOCK], low[BLOCK], falling[BLOCK], rising[BLOCK];
    for (int32_t i = 0; i < BLOCK; ++i) {
        double turns = (double)b->hue[i] * 6.0 / 255.0, v = (double)b->high[i];
        float s = (float)((double)(float)b->saturation[i] / 255.0), f = (float)(turns - (double)(int32_t)turns);
        low[i] = rounded(v * (1.0 - (double)s));
        falling[i] = rounded(v * (1.0 - (double)(s * f)));
        rising[i] = rounded(v * (1.0 - (double)s * (1.0 - (double)f)));
        sixths[i] = (int32_t)turns;
    }
    for (int32_t i = 0; i < BLOCK; ++i) {
        int32_t sixth = sixths[i], high = b->high[i], grey = b->least[i] == high;
        int32_t red = low[i], green = low[i], blue = low[i];
        red = sixth == 1 ? falling[i] : red;
        red = sixth == 4 ? rising[i] : red;
        red = ((sixth == 0) | (sixth >= 5) | grey) ? high : red;
        green = ((sixth == 0) | (sixth == 6)) ? rising[i] : green;
        green = sixth == 3 ? falling[i] : green;
        green = ((sixth == 1) | (sixth == 2) | grey) ? high : green;
        blue = sixth == 2 ? rising[i] : blue;
        blue = sixth == 5 ? falling[i] : blue;
        blue = ((sixth == 3) | (sixth == 4) | grey) ? high : blue;
        b->red[i] = red;
        b->green[i] = green;
        b->blue[i] = blue;
    }
}

/* n <= BLOCK pixels. */
HNI_CLONES static void shift_hue(uint8_t *p, int64_t n, int32_t shift)
{
    colours b = {.red = {0}};
    for (int64_t i = 0; i < n; ++i) {
        b.red[i] = p[3 * i];
        b.green[i] = p[3 * i + 1];
        b.blue[i] = p[3 * i + 2];
    }
    to_hsv(&b);
    for (int32_t i = 0; i < BLOCK; ++i)
        b.hue[i] = (b.hue[i] + shift) & 255;
    from_hsv(&b);
    for (int64_t i = 0; i < n; ++i) {
        p[3 * i] = (uint8_t)b.red[i];
        p[3 * i + 1] = (uint8_t)b.green[i];
        p[3 * i + 2] = (uint8_t)b.blue[i];
    }
}

void hni_canvas_hue(hni_canvas *c, float turns)
{
    int64_t pixels = c->height * c->width;
    if (c->channels != 3)
        return;
    for (int64_t i = 0; i < pixels; i += BLOCK)
        shift_hue(c->pixels + 3 * i, pixels - i < BLOCK ? pixels - i : BLOCK, (int32_t)((double)turns * 255.0));
}
