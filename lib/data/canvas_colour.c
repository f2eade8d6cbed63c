#include "data/canvas.h"

#include <math.h>

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

void hni_canvas_contrast(hni_canvas *c, float factor)
{
    uint64_t sum = 0, n = (uint64_t)(c->height * c->width);
    if (c->channels == 3) {
        for (uint64_t i = 0; i < n; ++i)
            sum += hni_luma(c->pixels + 3 * i);
    } else {
        n *= (uint64_t)c->channels;
        for (uint64_t i = 0; i < n; ++i)
            sum += c->pixels[i];
    }
    away_from(c, (int32_t)((2 * sum + n) / (2 * n)), factor);
}

void hni_canvas_saturation(hni_canvas *c, float factor)
{
    int64_t n = hni_canvas_bytes(c);
    if (c->channels != 3)
        return;
    for (uint8_t *p = c->pixels, *end = p + n; p < end; p += 3) {
        int32_t grey = hni_luma(p);
        for (int32_t k = 0; k < 3; ++k)
            p[k] = blend(grey, p[k], factor);
    }
}

void hni_canvas_grayscale(hni_canvas *c)
{
    int64_t n = hni_canvas_bytes(c);
    if (c->channels != 3)
        return;
    for (uint8_t *p = c->pixels, *end = p + n; p < end; p += 3)
        p[0] = p[1] = p[2] = hni_luma(p);
}

/* ---- hue: through Pillow's 8-bit HSV, whose mixture of float and double is kept ---------------------------------- */

/* What an 8-bit hue stands for: sixth of the circle, and how far into it. */
struct sector {
    int32_t sixth[256];
    float within[256];
};

static void make_sectors(struct sector *s)
{
    for (int32_t h = 0; h < 256; ++h) {
        double turns = (double)h * 6.0 / 255.0;
        int32_t sixth = (int32_t)turns;
        s->within[h] = (float)(turns - (double)(float)sixth);
        s->sixth[h] = sixth % 6;
    }
}

/* Hue of a pixel that is not grey; spread: largest - smallest. */
static uint8_t hue_of(const uint8_t *p, int32_t largest, float spread)
{
    float r = (float)(largest - p[0]) / spread, g = (float)(largest - p[1]) / spread,
          b = (float)(largest - p[2]) / spread;
    float h;
    if (p[0] == largest)
        h = b - g;
    else if (p[1] == largest)
        h = (float)(2.0 + (double)r - (double)b);
    else
        h = (float)(4.0 + (double)g - (double)r);
    double turns = (double)h / 6.0 + 1.0; /* in [5/6, 11/6]: one subtraction is fmod(turns, 1) */
    h = (float)(turns >= 1.0 ? turns - 1.0 : turns);
    return (uint8_t)((double)h * 255.0);
}

static uint8_t rounded(double x)
{
    return (uint8_t)(x + 0.5); /* in [0, 255] */
}

void hni_canvas_hue(hni_canvas *c, float turns)
{
    struct sector sector;
    uint8_t shift = (uint8_t)(int32_t)((double)turns * 255.0);
    int64_t n = hni_canvas_bytes(c);
    if (c->channels != 3)
        return;
    make_sectors(&sector);
    for (uint8_t *p = c->pixels, *end = p + n; p < end; p += 3) {
        int32_t largest = p[0] > p[1] ? p[0] : p[1], smallest = p[0] < p[1] ? p[0] : p[1];
        largest = largest > p[2] ? largest : p[2];
        smallest = smallest < p[2] ? smallest : p[2];
        if (largest == smallest)
            continue;
        float spread = (float)(largest - smallest);
        uint8_t hue = (uint8_t)(hue_of(p, largest, spread) + shift);
        uint8_t saturation = (uint8_t)((double)(spread / (float)largest) * 255.0);
        float s = (float)((double)(float)saturation / 255.0), f = sector.within[hue];
        double v = (double)largest;
        uint8_t low = rounded(v * (1.0 - (double)s));
        uint8_t falling = rounded(v * (1.0 - (double)(s * f)));
        uint8_t rising = rounded(v * (1.0 - (double)s * (1.0 - (double)f)));
        uint8_t high = (uint8_t)largest;
        const uint8_t rgb[6][3] = {{high, rising, low},  {falling, high, low}, {low, high, rising},
                                   {low, falling, high}, {rising, low, high},  {high, low, falling}};
        const uint8_t *to = rgb[sector.sixth[hue]];
        for (int32_t k = 0; k < 3; ++k)
            p[k] = to[k];
    }
}
