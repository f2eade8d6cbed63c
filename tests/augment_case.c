#include "augment_case.h"

#include <stdlib.h>

hn_augment_options hnt_augmentation(int32_t padding, int32_t flip, float grayscale)
{
    hn_augment_options o;
    hn_augment_options_init(&o, sizeof o);
    o.crop_padding = padding;
    o.flip = flip;
    o.grayscale = grayscale;
    return o;
}

void hnt_random_pixels(uint8_t *pixels, int n)
{
    hn_rng rng;
    hn_rng_seed(&rng, 3, 1);
    for (int i = 0; i < n; ++i)
        pixels[i] = (uint8_t)(1 + hn_rng_below(&rng, 255)); /* no zeros: those are the padding's */
}

hn_rng hnt_stream(uint64_t i)
{
    hn_rng rng;
    hn_rng_seed(&rng, 11, i);
    return rng;
}

void hnt_augment(const hn_augment_options *o, const hn_image_shape *s, const uint8_t *pixels, uint64_t number,
                 float *out)
{
    size_t bytes;
    hn_rng rng = hnt_stream(number);
    hnt_ok(hn_augment_scratch(o, s, &bytes));
    hn_scratch scratch = hnt_scratch(bytes);
    hnt_ok(hn_augment_image(o, s, pixels, &rng, out, bytes > 0 ? &scratch : NULL));
    free(scratch.data);
}
