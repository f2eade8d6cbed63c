#include "data/policy.h"

#include <math.h>

/* ---- operations ----------------------------------------------------------------------------------------------------- */

static void identity(hni_canvas *c, float m, uint8_t fill)
{
    (void)c;
    (void)m;
    (void)fill;
}

static void shear_x(hni_canvas *c, float m, uint8_t fill)
{
    hni_canvas_shear_x(c, (double)m, fill);
}

static void shear_y(hni_canvas *c, float m, uint8_t fill)
{
    hni_canvas_shear_y(c, (double)m, fill);
}

static void translate_x(hni_canvas *c, float m, uint8_t fill)
{
    hni_canvas_translate(c, (int64_t)m, 0, fill);
}

static void translate_y(hni_canvas *c, float m, uint8_t fill)
{
    hni_canvas_translate(c, 0, (int64_t)m, fill);
}

static void rotate(hni_canvas *c, float m, uint8_t fill)
{
    hni_canvas_rotate(c, (double)m, fill);
}

static void brightness(hni_canvas *c, float m, uint8_t fill)
{
    (void)fill;
    hni_canvas_brightness(c, (float)(1.0 + (double)m));
}

static void color(hni_canvas *c, float m, uint8_t fill)
{
    (void)fill;
    hni_canvas_saturation(c, (float)(1.0 + (double)m));
}

static void contrast(hni_canvas *c, float m, uint8_t fill)
{
    (void)fill;
    hni_canvas_contrast(c, (float)(1.0 + (double)m));
}

static void sharpness(hni_canvas *c, float m, uint8_t fill)
{
    (void)fill;
    hni_canvas_sharpness(c, (float)(1.0 + (double)m));
}

static void posterize(hni_canvas *c, float m, uint8_t fill)
{
    (void)fill;
    hni_canvas_posterize(c, (int32_t)m);
}

static void solarize(hni_canvas *c, float m, uint8_t fill)
{
    (void)fill;
    hni_canvas_solarize(c, m);
}

static void autocontrast(hni_canvas *c, float m, uint8_t fill)
{
    (void)m;
    (void)fill;
    hni_canvas_autocontrast(c);
}

static void equalize(hni_canvas *c, float m, uint8_t fill)
{
    (void)m;
    (void)fill;
    hni_canvas_equalize(c);
}

static void invert(hni_canvas *c, float m, uint8_t fill)
{
    (void)m;
    (void)fill;
    hni_canvas_invert(c);
}

/* How a level becomes a magnitude: evenly from `from` to `to`, times a side of the image. */
enum { NO_SIDE, WIDTH, HEIGHT };

static const struct operation {
    void (*apply)(hni_canvas *c, float magnitude, uint8_t fill);
    float from, to;
    int32_t side;
    bool with_sign;
} operations[HNI_OP_COUNT] = {
    [HNI_OP_IDENTITY] = {identity, 0, 0, NO_SIDE, false},
    [HNI_OP_SHEAR_X] = {shear_x, 0, 0.3f, NO_SIDE, true},
    [HNI_OP_SHEAR_Y] = {shear_y, 0, 0.3f, NO_SIDE, true},
    [HNI_OP_TRANSLATE_X] = {translate_x, 0, 0, WIDTH, true},
    [HNI_OP_TRANSLATE_Y] = {translate_y, 0, 0, HEIGHT, true},
    [HNI_OP_ROTATE] = {rotate, 0, 30, NO_SIDE, true},
    [HNI_OP_BRIGHTNESS] = {brightness, 0, 0.9f, NO_SIDE, true},
    [HNI_OP_COLOR] = {color, 0, 0.9f, NO_SIDE, true},
    [HNI_OP_CONTRAST] = {contrast, 0, 0.9f, NO_SIDE, true},
    [HNI_OP_SHARPNESS] = {sharpness, 0, 0.9f, NO_SIDE, true},
    [HNI_OP_POSTERIZE] = {posterize, 8, 4, NO_SIDE, false},
    [HNI_OP_SOLARIZE] = {solarize, 255, 0, NO_SIDE, false},
    [HNI_OP_AUTOCONTRAST] = {autocontrast, 0, 0, NO_SIDE, false},
    [HNI_OP_EQUALIZE] = {equalize, 0, 0, NO_SIDE, false},
    [HNI_OP_INVERT] = {invert, 0, 0, NO_SIDE, false},
};

/* As torch.linspace has it: in floats, each half from its end. */
static float evenly(float from, float to, int32_t i, int32_t n)
{
    const float by = (to - from) / (float)(n - 1);
    return i < n / 2 ? from + by * (float)i : to - by * (float)(n - 1 - i);
}

float hni_op_magnitude(hni_op op, int32_t level, int32_t bins, int64_t height, int64_t width)
{
    const struct operation *o = &operations[op];
    if (op == HNI_OP_POSTERIZE) /* whole bits */
        return 8 - rintf((float)level / (float)((bins - 1) / 4.0));
    if (o->side == NO_SIDE)
        return evenly(o->from, o->to, level, bins);
    /* 150 of the 331 pixels that images had when the policies were found */
    return evenly(0, (float)(150.0 / 331.0 * (double)(o->side == WIDTH ? width : height)), level, bins);
}

bool hni_op_signed(hni_op op)
{
    return operations[op].with_sign;
}

void hni_op_apply(hni_op op, hni_canvas *canvas, float magnitude, uint8_t fill)
{
    operations[op].apply(canvas, magnitude, fill);
}

/* ---- policies ------------------------------------------------------------------------------------------------------- */

void hni_randaugment(hni_canvas *canvas, int32_t ops, int32_t level, uint8_t fill, hn_rng *rng)
{
    for (int32_t i = 0; i < ops; ++i) {
        hni_op op = (hni_op)hn_rng_below(rng, HNI_OP_INVERT);
        bool negative = hn_rng_below(rng, 2) != 0;
        float m = hni_op_magnitude(op, level, HNI_RANDAUGMENT_BINS, canvas->height, canvas->width);
        hni_op_apply(op, canvas, negative && hni_op_signed(op) ? -m : m, fill);
    }
}

/* Cubuk et al. 2019, table 7, as torchvision's AutoAugment has it. */
static const hni_step cifar10[HNI_AUTOAUGMENT_PAIRS][2] = {
    {{HNI_OP_INVERT, 0.1f, 0}, {HNI_OP_CONTRAST, 0.2f, 6}},
    {{HNI_OP_ROTATE, 0.7f, 2}, {HNI_OP_TRANSLATE_X, 0.3f, 9}},
    {{HNI_OP_SHARPNESS, 0.8f, 1}, {HNI_OP_SHARPNESS, 0.9f, 3}},
    {{HNI_OP_SHEAR_Y, 0.5f, 8}, {HNI_OP_TRANSLATE_Y, 0.7f, 9}},
    {{HNI_OP_AUTOCONTRAST, 0.5f, 0}, {HNI_OP_EQUALIZE, 0.9f, 0}},
    {{HNI_OP_SHEAR_Y, 0.2f, 7}, {HNI_OP_POSTERIZE, 0.3f, 7}},
    {{HNI_OP_COLOR, 0.4f, 3}, {HNI_OP_BRIGHTNESS, 0.6f, 7}},
    {{HNI_OP_SHARPNESS, 0.3f, 9}, {HNI_OP_BRIGHTNESS, 0.7f, 9}},
    {{HNI_OP_EQUALIZE, 0.6f, 0}, {HNI_OP_EQUALIZE, 0.5f, 0}},
    {{HNI_OP_CONTRAST, 0.6f, 7}, {HNI_OP_SHARPNESS, 0.6f, 5}},
    {{HNI_OP_COLOR, 0.7f, 7}, {HNI_OP_TRANSLATE_X, 0.5f, 8}},
    {{HNI_OP_EQUALIZE, 0.3f, 0}, {HNI_OP_AUTOCONTRAST, 0.4f, 0}},
    {{HNI_OP_TRANSLATE_Y, 0.4f, 3}, {HNI_OP_SHARPNESS, 0.2f, 6}},
    {{HNI_OP_BRIGHTNESS, 0.9f, 6}, {HNI_OP_COLOR, 0.2f, 8}},
    {{HNI_OP_SOLARIZE, 0.5f, 2}, {HNI_OP_INVERT, 0.0f, 0}},
    {{HNI_OP_EQUALIZE, 0.2f, 0}, {HNI_OP_AUTOCONTRAST, 0.6f, 0}},
    {{HNI_OP_EQUALIZE, 0.2f, 0}, {HNI_OP_EQUALIZE, 0.6f, 0}},
    {{HNI_OP_COLOR, 0.9f, 9}, {HNI_OP_EQUALIZE, 0.6f, 0}},
    {{HNI_OP_AUTOCONTRAST, 0.8f, 0}, {HNI_OP_SOLARIZE, 0.2f, 8}},
    {{HNI_OP_BRIGHTNESS, 0.1f, 3}, {HNI_OP_COLOR, 0.7f, 0}},
    {{HNI_OP_SOLARIZE, 0.4f, 5}, {HNI_OP_AUTOCONTRAST, 0.9f, 0}},
    {{HNI_OP_TRANSLATE_Y, 0.9f, 9}, {HNI_OP_TRANSLATE_Y, 0.7f, 9}},
    {{HNI_OP_AUTOCONTRAST, 0.9f, 0}, {HNI_OP_SOLARIZE, 0.8f, 3}},
    {{HNI_OP_EQUALIZE, 0.8f, 0}, {HNI_OP_INVERT, 0.1f, 0}},
    {{HNI_OP_TRANSLATE_Y, 0.7f, 9}, {HNI_OP_AUTOCONTRAST, 0.9f, 0}},
};

const hni_step *hni_autoaugment_cifar10(int64_t pair)
{
    return cifar10[pair];
}

void hni_autoaugment(hni_canvas *canvas, uint8_t fill, hn_rng *rng)
{
    const hni_step *pair = cifar10[hn_rng_below(rng, HNI_AUTOAUGMENT_PAIRS)];
    for (int32_t i = 0; i < 2; ++i) {
        const hni_step *s = &pair[i];
        bool takes = hn_rng_uniform(rng) <= (double)s->probability, negative = hn_rng_below(rng, 2) != 0;
        float m = hni_op_magnitude(s->op, s->level, HNI_AUTOAUGMENT_BINS, canvas->height, canvas->width);
        if (takes && s->probability > 0)
            hni_op_apply(s->op, canvas, negative && hni_op_signed(s->op) ? -m : m, fill);
    }
}
