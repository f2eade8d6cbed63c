#include "data/augment.h"

#include <math.h>

enum { ATTEMPTS = 10 };

static double uniform(hn_rng *rng, double low, double high)
{
    return low + (high - low) * hn_rng_uniform(rng);
}

static hni_box box(int64_t top, int64_t left, int64_t height, int64_t width)
{
    return (hni_box){(double)top, (double)left, (double)(top + height), (double)(left + width)};
}

/* The whole image, or the central part whose ratio is the nearest allowed one. */
static hni_box central(const hn_augment_options *o, int32_t height, int32_t width)
{
    double ratio = (double)width / (double)height;
    int64_t h = height, w = width;
    if (ratio < (double)o->ratio_min)
        h = (int64_t)rint((double)w / (double)o->ratio_min);
    else if (ratio > (double)o->ratio_max)
        w = (int64_t)rint((double)h * (double)o->ratio_max);
    h = h < 1 ? 1 : (h > height ? height : h); /* of images a pixel or two wide */
    w = w < 1 ? 1 : (w > width ? width : w);
    return box((height - h) / 2, (width - w) / 2, h, w);
}

hni_box hni_crop_random(const hn_augment_options *o, int32_t height, int32_t width, hn_rng *rng)
{
    double area = (double)height * (double)width;
    double low = log((double)o->ratio_min), high = log((double)o->ratio_max);
    for (int32_t i = 0; i < ATTEMPTS; ++i) {
        double part = area * uniform(rng, (double)o->scale_min, (double)o->scale_max);
        double ratio = exp(uniform(rng, low, high));
        double w = rint(sqrt(part * ratio)), h = rint(sqrt(part / ratio));
        if (w < 1 || w > (double)width || h < 1 || h > (double)height)
            continue;
        int64_t rows = (int64_t)h, columns = (int64_t)w;
        int64_t top = (int64_t)hn_rng_below(rng, (uint64_t)(height - rows + 1));
        int64_t left = (int64_t)hn_rng_below(rng, (uint64_t)(width - columns + 1));
        return box(top, left, rows, columns);
    }
    return central(o, height, width);
}

/* [from, to) of the `out` coordinates in the middle of `resized`, in those of `full`. */
static void middle(int32_t out, int64_t resized, int32_t full, double *from, double *to)
{
    double scale = (double)full / (double)resized, first = rint((double)(resized - out) / 2.0);
    *from = first * scale;
    *to = (first + (double)out) * scale;
    *to = *to > (double)full ? (double)full : *to;
}

hni_box hni_crop_centre(int32_t shorter, int32_t out_height, int32_t out_width, int32_t height, int32_t width)
{
    hni_box b;
    int64_t longer = (int64_t)shorter * (height > width ? height : width) / (height > width ? width : height);
    middle(out_height, height > width ? longer : shorter, height, &b.top, &b.bottom);
    middle(out_width, height > width ? shorter : longer, width, &b.left, &b.right);
    return b;
}
