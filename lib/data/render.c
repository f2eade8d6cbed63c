/* Doing to an image what was drawn for it. */
#include "data/augment.h"

#include "base/memory.h"
#include "data/canvas.h"
#include "data/policy.h"
#include "kernel/clones.h"

#include <math.h>
#include <string.h>

/* ---- memory --------------------------------------------------------------------------------------------------------- */

/* Whether steps between geometry and normalisation may happen. */
static bool has_canvas(const hni_augment *a)
{
    return a->o.jitter > 0 || a->kernel != 0 || a->o.policy != HN_POLICY_NONE || a->o.cutout > 0;
}

static bool resizes(const hni_augment *a, int32_t height, int32_t width)
{
    return a->o.resized_crop != 0 || a->o.resize_shorter != 0 || a->output.height != height || a->output.width != width;
}

static size_t output_bytes(const hni_augment *a, int32_t channels)
{
    return hni_round_up((size_t)a->output.height * (size_t)a->output.width * (size_t)channels);
}

/* Two images of the output's size, then what resizing needs or the blur, which do not happen at once. */
size_t hni_augment_scratch(const hni_augment *a, int32_t height, int32_t width, int32_t channels)
{
    size_t resize = 0, blur = 0;
    if (!has_canvas(a) && !resizes(a, height, width))
        return 0;
    if (resizes(a, height, width))
        resize = hni_resample_scratch(height, width, channels, a->output.height, a->output.width);
    if (a->kernel != 0)
        blur = hni_canvas_row_floats(a->output.width, channels, a->kernel) * sizeof(float);
    return 2 * output_bytes(a, channels) + hni_round_up(resize > blur ? resize : blur);
}

/* ---- geometry ------------------------------------------------------------------------------------------------------- */

/* The crop of the picture, resized and, if that was drawn, mirrored -> out. */
static void resize(const hni_augment *a, const hni_choice *choice, const hni_picture *p, uint8_t *out, void *scratch)
{
    double scale = 1.0 / p->shrink;
    int64_t top = 0, left = 0, bottom = p->height, right = p->width, stride = (int64_t)p->width * p->channels;
    hni_box b = {choice->crop.top * scale, choice->crop.left * scale, choice->crop.bottom * scale,
                 choice->crop.right * scale};
    if (choice->cut) { /* only the crop counts: an image of its own */
        top = (int64_t)floor(b.top);
        left = (int64_t)floor(b.left);
        bottom = (int64_t)ceil(b.bottom);
        right = (int64_t)ceil(b.right);
        b = (hni_box){b.top - (double)top, b.left - (double)left, b.bottom - (double)top, b.right - (double)left};
    }
    hni_resample(p->pixels + top * stride + left * p->channels, stride, bottom - top, right - left, p->channels, &b,
                 out, a->output.height, a->output.width, choice->mirror, scratch);
}

/* Moves and mirrors: row y of out from row y + top; zeros come in from outside. */
static void place(const hni_choice *ch, const uint8_t *pixels, int64_t height, int64_t width, int64_t channels,
                  uint8_t *out)
{
    int64_t row = width * channels;
    for (int64_t y = 0; y < height; ++y) {
        int64_t from_y = y + ch->top;
        uint8_t *to = out + y * row;
        if (from_y < 0 || from_y >= height) {
            memset(to, 0, (size_t)row);
            continue;
        }
        for (int64_t x = 0; x < width; ++x, to += channels) {
            int64_t from = ch->left + (ch->mirror ? width - 1 - x : x);
            const uint8_t *p = pixels + from_y * row + from * channels;
            for (int64_t c = 0; c < channels; ++c)
                to[c] = from < 0 || from >= width ? 0 : p[c];
        }
    }
}

/* ---- colours and operations: each draws from a stream of its own ----------------------------------------------------- */

static float factor(hn_rng *rng, float strength)
{
    double low = strength < 1 ? 1 - (double)strength : 0;
    return (float)(low + (1 + (double)strength - low) * hn_rng_uniform(rng));
}

static void jitter(const hn_augment_options *o, const hn_rng *rng, hni_canvas *c)
{
    hn_rng r;
    int64_t order[4] = {0, 1, 2, 3};
    hn_rng_derive(&r, rng, "colour jitter", 0);
    bool takes = hn_rng_uniform(&r) < (double)o->jitter;
    hn_rng_shuffle(&r, order, 4);
    float brightness = factor(&r, o->brightness), contrast = factor(&r, o->contrast);
    float saturation = factor(&r, o->saturation), hue = (float)((2 * hn_rng_uniform(&r) - 1) * (double)o->hue);
    for (int32_t i = 0; i < 4 && takes; ++i) {
        if (order[i] == 0 && o->brightness > 0)
            hni_canvas_brightness(c, brightness);
        else if (order[i] == 1 && o->contrast > 0)
            hni_canvas_contrast(c, contrast);
        else if (order[i] == 2 && o->saturation > 0)
            hni_canvas_saturation(c, saturation);
        else if (order[i] == 3 && o->hue > 0)
            hni_canvas_hue(c, hue);
    }
}

static void blur(const hni_augment *a, const hn_rng *rng, hni_canvas *c)
{
    hn_rng r;
    double low = (double)a->o.blur_sigma_min, high = (double)a->o.blur_sigma_max;
    hn_rng_derive(&r, rng, "blur", 0);
    bool takes = hn_rng_uniform(&r) < (double)a->o.blur;
    double sigma = low + (high - low) * hn_rng_uniform(&r);
    if (takes)
        hni_canvas_blur(c, a->kernel, (float)sigma);
}

static void operations(const hn_augment_options *o, const hn_rng *rng, hni_canvas *c)
{
    hn_rng r;
    hn_rng_derive(&r, rng, "policy", 0);
    if (o->policy == HN_POLICY_RANDAUGMENT)
        hni_randaugment(c, o->randaugment_ops, o->randaugment_level, (uint8_t)o->fill, &r);
    else if (o->policy == HN_POLICY_AUTOAUGMENT_CIFAR10)
        hni_autoaugment(c, (uint8_t)o->fill, &r);
}

static void cutout(const hn_augment_options *o, const hn_rng *rng, hni_canvas *c)
{
    hn_rng r;
    hn_rng_derive(&r, rng, "cutout", 0);
    int64_t y = (int64_t)hn_rng_below(&r, (uint64_t)c->height), x = (int64_t)hn_rng_below(&r, (uint64_t)c->width);
    if (o->cutout > 0)
        hni_canvas_cutout(c, y, x, o->cutout);
}

static void paint(const hni_augment *a, const hni_choice *choice, hni_canvas *c)
{
    if (a->o.jitter > 0)
        jitter(&a->o, &choice->rng, c);
    if (choice->grey)
        hni_canvas_grayscale(c);
    if (a->kernel != 0)
        blur(a, &choice->rng, c);
    operations(&a->o, &choice->rng, c);
    cutout(&a->o, &choice->rng, c);
}

/* ---- to floats ------------------------------------------------------------------------------------------------------ */

/* One row of the crop. row: W x C bytes, NULL above and below the image. */
static void normalise_row(const hni_augment *a, const hni_choice *ch, int64_t width, int64_t channels,
                          const uint8_t *row, float *out)
{
    for (int64_t x = 0; x < width; ++x, out += channels) {
        int64_t from = ch->left + (ch->mirror ? width - 1 - x : x);
        if (row == NULL || from < 0 || from >= width) {
            for (int64_t c = 0; c < channels; ++c)
                out[c] = a->value[c][0];
            continue;
        }
        const uint8_t *p = row + from * channels;
        for (int64_t c = 0; c < channels; ++c)
            out[c] = a->value[c][ch->grey ? hni_luma(p) : p[c]];
    }
}

typedef float floats4 __attribute__((vector_size(16)));

/* Byte i of the eight that were loaded at once. */
static inline size_t byte_of(uint64_t eight, int i)
{
    return (eight >> (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 8 * i : 56 - 8 * i)) & 255;
}

/* Pixels of 3 channels, of which none is moved or mirrored. Eight are read and four numbers written at a time: one by one
 * the loads and stores themselves are what takes the time.                                                              */
HNI_CLONES static void normalise_whole_3(const float (*value)[256], int64_t pixels, const uint8_t *restrict from,
                                         float *restrict out)
{
    const float *r = value[0], *g = value[1], *b = value[2];
    for (; pixels >= 8; pixels -= 8, from += 24, out += 24) {
        uint64_t w[3];
        memcpy(w, from, sizeof w);
        const floats4 numbers[6] = {
            {r[byte_of(w[0], 0)], g[byte_of(w[0], 1)], b[byte_of(w[0], 2)], r[byte_of(w[0], 3)]},
            {g[byte_of(w[0], 4)], b[byte_of(w[0], 5)], r[byte_of(w[0], 6)], g[byte_of(w[0], 7)]},
            {b[byte_of(w[1], 0)], r[byte_of(w[1], 1)], g[byte_of(w[1], 2)], b[byte_of(w[1], 3)]},
            {r[byte_of(w[1], 4)], g[byte_of(w[1], 5)], b[byte_of(w[1], 6)], r[byte_of(w[1], 7)]},
            {g[byte_of(w[2], 0)], b[byte_of(w[2], 1)], r[byte_of(w[2], 2)], g[byte_of(w[2], 3)]},
            {b[byte_of(w[2], 4)], r[byte_of(w[2], 5)], g[byte_of(w[2], 6)], b[byte_of(w[2], 7)]}};
        memcpy(out, numbers, sizeof numbers);
    }
    for (; pixels > 0; --pixels, from += 3, out += 3) {
        out[0] = r[from[0]];
        out[1] = g[from[1]];
        out[2] = b[from[2]];
    }
}

/* Moves, mirrors and turns grey on the way. */
static void normalise(const hni_augment *a, const hni_choice *choice, const uint8_t *pixels, int64_t channels,
                      float *out)
{
    int64_t height = a->output.height, row = a->output.width * channels;
    if (channels == 3 && choice->top == 0 && choice->left == 0 && !choice->mirror && !choice->grey) {
        normalise_whole_3(a->value, height * a->output.width, pixels, out);
        return;
    }
    for (int64_t y = 0; y < height; ++y) {
        int64_t from = y + choice->top;
        normalise_row(a, choice, a->output.width, channels, from < 0 || from >= height ? NULL : pixels + from * row,
                      out + y * row);
    }
}

void hni_augment_render(const hni_augment *a, const hni_choice *drawn, const hni_picture *picture, void *scratch,
                        float *out)
{
    static const hni_choice as_it_is = {.top = 0};
    if (scratch == NULL) { /* none is needed: nothing but to normalise */
        normalise(a, drawn, picture->pixels, picture->channels, out);
        return;
    }
    hni_choice choice = *drawn; /* what is left to do */
    int32_t height = a->output.height, width = a->output.width, channels = picture->channels;
    size_t bytes = output_bytes(a, channels);
    uint8_t *first = scratch, *second = first + bytes;
    const uint8_t *pixels = picture->pixels;
    if (resizes(a, picture->height, picture->width) || picture->shrink > 1) {
        resize(a, drawn, picture, first, second + bytes);
        pixels = first;
        choice.left = drawn->mirror ? -drawn->left : drawn->left;
        choice.mirror = false;
    }
    if (!has_canvas(a)) {
        normalise(a, &choice, pixels, channels, out);
        return;
    }
    place(&choice, pixels, height, width, channels, second);
    hni_canvas c = {height, width, channels, second, first, (float *)(void *)(second + bytes)};
    paint(a, &choice, &c);
    normalise(a, &as_it_is, c.pixels, channels, out);
}
