#include "data/canvas.h"

#include <string.h>

/* Every value of every channel through one table. */
static void map(hni_canvas *c, const uint8_t *table)
{
    int64_t n = hni_canvas_bytes(c);
    for (int64_t i = 0; i < n; ++i)
        c->pixels[i] = table[c->pixels[i]];
}

static void identity(uint8_t *table)
{
    for (int32_t v = 0; v < 256; ++v)
        table[v] = (uint8_t)v;
}

void hni_canvas_posterize(hni_canvas *c, int32_t bits)
{
    uint8_t table[256];
    for (int32_t v = 0; v < 256; ++v)
        table[v] = (uint8_t)(v & ~((1 << (8 - bits)) - 1));
    map(c, table);
}

void hni_canvas_solarize(hni_canvas *c, float threshold)
{
    uint8_t table[256];
    for (int32_t v = 0; v < 256; ++v)
        table[v] = (uint8_t)((float)v < threshold ? v : 255 - v);
    map(c, table);
}

void hni_canvas_invert(hni_canvas *c)
{
    hni_canvas_solarize(c, 0);
}

/* ---- tables that depend on the histogram of a channel --------------------------------------------------------------- */

/* The darkest value that occurs becomes 0, the lightest 255. */
static void stretch(const int64_t *count, uint8_t *table)
{
    int32_t low = 0, high = 255;
    while (low < 256 && count[low] == 0)
        ++low;
    while (high >= 0 && count[high] == 0)
        --high;
    if (high <= low) {
        identity(table);
        return;
    }
    double scale = 255.0 / (high - low), offset = -low * scale;
    for (int32_t v = 0; v < 256; ++v) {
        double to = v * scale + offset;
        table[v] = (uint8_t)(to < 0 ? 0 : (to > 255 ? 255 : to));
    }
}

/* Each value becomes the share of pixels below it; Pillow's integers. */
static void equal_shares(const int64_t *count, uint8_t *table)
{
    int64_t total = 0, last = 0;
    for (int32_t v = 0; v < 256; ++v) {
        total += count[v];
        last = count[v] != 0 ? count[v] : last;
    }
    int64_t step = (total - last) / 255;
    if (step == 0) { /* so too where one value fills the channel */
        identity(table);
        return;
    }
    int64_t n = step / 2;
    for (int32_t v = 0; v < 256; ++v) {
        int64_t to = n / step;
        table[v] = (uint8_t)(to > 255 ? 255 : to);
        n += count[v];
    }
}

static void by_histogram(hni_canvas *c, void (*make)(const int64_t *count, uint8_t *table))
{
    uint8_t table[256];
    int64_t count[256], n = hni_canvas_bytes(c);
    for (int64_t k = 0; k < c->channels; ++k) {
        memset(count, 0, sizeof count);
        for (int64_t i = k; i < n; i += c->channels)
            count[c->pixels[i]]++;
        make(count, table);
        for (int64_t i = k; i < n; i += c->channels)
            c->pixels[i] = table[c->pixels[i]];
    }
}

void hni_canvas_autocontrast(hni_canvas *c)
{
    by_histogram(c, stretch);
}

void hni_canvas_equalize(hni_canvas *c)
{
    by_histogram(c, equal_shares);
}
