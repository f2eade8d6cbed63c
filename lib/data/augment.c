#include <hybridnet/augment.h>

#include "base/error.h"
#include "base/options.h"

#include <math.h>
#include <stdbool.h>

static const hn_augment_options defaults = {.struct_size = sizeof defaults, .std = {1, 1, 1, 1}};

void hn_augment_options_init(hn_augment_options *options, size_t struct_size)
{
    hni_options_init(options, struct_size, &defaults, sizeof defaults);
}

static hn_status check(hn_augment_options *o, const hn_augment_options *options, const hn_image_shape *shape,
                       const char *function)
{
    *o = defaults;
    HNI_TRY(hni_options_read(o, sizeof *o, options, function));
    HNI_FAIL_IF(shape == NULL, HN_E_ARG, "%s: shape is NULL", function);
    HNI_FAIL_IF(shape->height < 1 || shape->width < 1 || shape->channels < 1 || shape->channels > HN_MAX_IMAGE_CHANNELS,
                HN_E_ARG, "%s: the image shape is %dx%dx%d; sides must be positive, channels in [1, %d]", function,
                (int)shape->height, (int)shape->width, (int)shape->channels, (int)HN_MAX_IMAGE_CHANNELS);
    HNI_FAIL_IF(o->crop_padding < 0 || o->crop_padding > shape->height || o->crop_padding > shape->width, HN_E_ARG,
                "%s: crop_padding is %d; it must be in [0, %d]", function, (int)o->crop_padding,
                (int)(shape->height < shape->width ? shape->height : shape->width));
    HNI_FAIL_IF(!(o->grayscale >= 0 && o->grayscale <= 1), HN_E_ARG, "%s: grayscale is %g; it must be in [0, 1]",
                function, (double)o->grayscale);
    for (int32_t c = 0; c < shape->channels; ++c) {
        HNI_FAIL_IF(!isfinite(o->mean[c]), HN_E_ARG, "%s: mean[%d] is %g; it must be finite", function, (int)c,
                    (double)o->mean[c]);
        HNI_FAIL_IF(!(o->std[c] > 0) || !isfinite(o->std[c]), HN_E_ARG,
                    "%s: std[%d] is %g; it must be positive and finite", function, (int)c, (double)o->std[c]);
    }
    return HN_OK;
}

hn_status hn_augment_check(const hn_augment_options *options, const hn_image_shape *shape)
{
    hn_augment_options o;
    return check(&o, options, shape, "hn_augment_check");
}

/* What happens to one image. */
struct choice {
    int32_t top, left; /* the crop's place relative to the image, in [-padding, padding] */
    bool mirror, grey;
};

/* Every draw is made whether its option is on or not: turning one off leaves the others as they were. */
static struct choice draw(const hn_augment_options *o, const hn_image_shape *shape, const hn_rng *rng)
{
    hn_rng r = *rng;
    int64_t pad = o->crop_padding;
    int64_t top = (int64_t)hn_rng_below(&r, (uint64_t)(2 * pad + 1)) - pad;
    int64_t left = (int64_t)hn_rng_below(&r, (uint64_t)(2 * pad + 1)) - pad;
    bool mirror = hn_rng_uniform(&r) < 0.5, grey = hn_rng_uniform(&r) < (double)o->grayscale;
    return (struct choice){.top = (int32_t)top,
                           .left = (int32_t)left,
                           .mirror = mirror && o->flip != 0,
                           .grey = grey && shape->channels == 3};
}

/* One row of the crop: value: [channels][256], what a pixel becomes; row: W x C bytes, NULL above and below the image. */
static void crop_row(float (*value)[256], const struct choice *ch, int64_t width, int64_t channels, const uint8_t *row,
                     float *out)
{
    for (int64_t x = 0; x < width; ++x, out += channels) {
        int64_t from = ch->left + (ch->mirror ? width - 1 - x : x);
        if (row == NULL || from < 0 || from >= width) {
            for (int64_t c = 0; c < channels; ++c)
                out[c] = value[c][0];
            continue;
        }
        const uint8_t *p = row + from * channels;
        if (ch->grey) {
            uint32_t luma = (19595u * p[0] + 38470u * p[1] + 7471u * p[2] + 0x8000u) >> 16; /* Pillow's "L" */
            for (int64_t c = 0; c < channels; ++c)
                out[c] = value[c][luma];
        } else {
            for (int64_t c = 0; c < channels; ++c)
                out[c] = value[c][p[c]];
        }
    }
}

hn_status hn_augment_apply(const hn_augment_options *options, const hn_image_shape *shape, const uint8_t *pixels,
                           const hn_rng *rng, float *out)
{
    static const char function[] = "hn_augment_apply";
    hn_augment_options o;
    float value[HN_MAX_IMAGE_CHANNELS][256];
    HNI_TRY(check(&o, options, shape, function));
    HNI_FAIL_IF(pixels == NULL || rng == NULL || out == NULL, HN_E_ARG, "%s: %s is NULL", function,
                pixels == NULL ? "pixels" : (rng == NULL ? "rng" : "out"));
    struct choice choice = draw(&o, shape, rng);
    for (int32_t c = 0; c < shape->channels; ++c)
        for (int32_t p = 0; p < 256; ++p)
            value[c][p] = ((float)p / 255.0f - o.mean[c]) / o.std[c];
    int64_t height = shape->height, row = (int64_t)shape->width * shape->channels;
    for (int64_t y = 0; y < height; ++y) {
        int64_t from = y + choice.top;
        crop_row(value, &choice, shape->width, shape->channels, from < 0 || from >= height ? NULL : pixels + from * row,
                 out + y * row);
    }
    return HN_OK;
}
