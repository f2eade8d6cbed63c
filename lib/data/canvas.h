/* canvas.h -- an 8-bit image that operations change in place, with Pillow 9's arithmetic unless it says otherwise. */
#ifndef HNI_CANVAS_H
#define HNI_CANVAS_H

#include <stddef.h>
#include <stdint.h>

typedef struct hni_canvas {
    int64_t height, width, channels; /* channels: 1 .. 4                                                */
    uint8_t *pixels;                 /* height x width x channels                                       */
    uint8_t *spare;                  /* as much again; operations that need it swap the two             */
    float *row;                      /* hni_canvas_row_floats of the blur's kernel; for the blur alone  */
} hni_canvas;

/* How many bytes an image has. */
static inline int64_t hni_canvas_bytes(const hni_canvas *c)
{
    return c->height * c->width * c->channels;
}

static inline void hni_canvas_swap(hni_canvas *c)
{
    uint8_t *pixels = c->pixels;
    c->pixels = c->spare;
    c->spare = pixels;
}

/* Rec. 601 luma, as Pillow's convert("L"). */
static inline uint8_t hni_luma(const uint8_t *rgb)
{
    return (uint8_t)((19595u * rgb[0] + 38470u * rgb[1] + 7471u * rgb[2] + 0x8000u) >> 16);
}

/* ---- canvas_colour.c: ImageEnhance; factor 1 changes nothing ---- */

void hni_canvas_brightness(hni_canvas *c, float factor);
/* Around the mean luma, of all values without 3 channels. */
void hni_canvas_contrast(hni_canvas *c, float factor);
/* Nothing without 3 channels; nor the next two. */
void hni_canvas_saturation(hni_canvas *c, float factor);
/* turns: in [-0.5, 0.5]; through Pillow's 8-bit HSV. */
void hni_canvas_hue(hni_canvas *c, float turns);
void hni_canvas_grayscale(hni_canvas *c);

/* ---- canvas_tone.c: ImageOps; every pixel through a table ---- */

/* Keeps the upper `bits`, 0 .. 8. */
void hni_canvas_posterize(hni_canvas *c, int32_t bits);
/* Inverts values at and above the threshold. */
void hni_canvas_solarize(hni_canvas *c, float threshold);
void hni_canvas_invert(hni_canvas *c);
/* Each channel by itself, both. */
void hni_canvas_autocontrast(hni_canvas *c);
void hni_canvas_equalize(hni_canvas *c);

/* ---- canvas_filter.c: neighbourhoods ---- */

/* ImageEnhance.Sharpness: 0 is smoothed, 2 sharpened. */
void hni_canvas_sharpness(hni_canvas *c, float factor);
/* torchvision's gaussian_blur: kernel x kernel weights exp(-d^2 / (2 sigma^2)), mirrored at the edges. kernel: odd,
 * kernel / 2 below both sides.                                                                                     */
void hni_canvas_blur(hni_canvas *c, int64_t kernel, float sigma);
size_t hni_canvas_row_floats(int64_t width, int64_t channels, int64_t kernel);

/* ---- canvas_affine.c: nearest neighbour; fill: value of what comes from outside ---- */

/* Output pixel (x, y) is input pixel (x + amount * y, y), or (x, y + amount * x). */
void hni_canvas_shear_x(hni_canvas *c, double amount, uint8_t fill);
void hni_canvas_shear_y(hni_canvas *c, double amount, uint8_t fill);
/* Moves the image to the right and down. */
void hni_canvas_translate(hni_canvas *c, int64_t right, int64_t down, uint8_t fill);
/* Counter-clockwise about the centre. */
void hni_canvas_rotate(hni_canvas *c, double degrees, uint8_t fill);

/* Zeros in a square of this side about (y, x), cut at the edges: [y - side / 2, y + side / 2). */
void hni_canvas_cutout(hni_canvas *c, int64_t y, int64_t x, int64_t side);

#endif
