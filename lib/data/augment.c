/* Options, what is drawn from them, and one image of the caller's. */
#include "data/augment.h"

#include "base/error.h"
#include "base/options.h"
#include "data/image.h"

#include <math.h>

enum { MAX_SIDE = 4096, MAX_OPS = 16, MAX_LEVEL = 30 };

static const hn_augment_options defaults = {.struct_size = sizeof defaults,
                                            .std = {1, 1, 1, 1},
                                            .scale_min = 0.08f,
                                            .scale_max = 1,
                                            .ratio_min = 3.0f / 4.0f,
                                            .ratio_max = 4.0f / 3.0f,
                                            .blur_sigma_min = 0.1f,
                                            .blur_sigma_max = 2,
                                            .randaugment_ops = 2,
                                            .randaugment_level = 9};

void hn_augment_options_init(hn_augment_options *options, size_t struct_size)
{
    hni_options_init(options, struct_size, &defaults, sizeof defaults);
}

/* ---- checks --------------------------------------------------------------------------------------------------------- */

/* low <= value <= high; NaN is not. */
static hn_status within(const char *function, const char *name, double value, double low, double high)
{
    HNI_FAIL_IF(!(value >= low && value <= high), HN_E_ARG, "%s: %s is %g; it must be in [%g, %g]", function, name,
                value, low, high);
    return HN_OK;
}

/* 0 < low <= high <= limit, all finite. */
static hn_status range(const char *function, const char *name, double low, double high, double limit)
{
    HNI_FAIL_IF(!(low > 0 && low <= high && high <= limit) || !isfinite(high), HN_E_ARG,
                "%s: %s_min and %s_max are %g and %g; they must be positive, in order, and at most %g", function, name,
                name, low, high, limit);
    return HN_OK;
}

static hn_status check_size(hni_augment *a, const hn_image_shape *shape, const char *function)
{
    const hn_augment_options *o = &a->o;
    bool any = shape->height == 0 && shape->width == 0, sized = o->height != 0 || o->width != 0;
    HNI_FAIL_IF((!any && (shape->height < 1 || shape->width < 1)) || shape->channels < 1 ||
                    shape->channels > HN_MAX_IMAGE_CHANNELS,
                HN_E_ARG, "%s: the image shape is %dx%dx%d; sides must be positive, channels in [1, %d]", function,
                (int)shape->height, (int)shape->width, (int)shape->channels, (int)HN_MAX_IMAGE_CHANNELS);
    /* The largest side of a JPEG; resizing's weights, rounded to 22 bits, add up to less than 256 there. */
    HNI_FAIL_IF(shape->height > HNI_IMAGE_MAX_SIDE || shape->width > HNI_IMAGE_MAX_SIDE, HN_E_ARG,
                "%s: the image is %dx%d; a side may have %d pixels", function, (int)shape->height, (int)shape->width,
                (int)HNI_IMAGE_MAX_SIDE);
    HNI_FAIL_IF(sized && (o->height < 1 || o->width < 1 || o->height > MAX_SIDE || o->width > MAX_SIDE), HN_E_ARG,
                "%s: the output is %dx%d; both must be in [1, %d], or both 0 for the image's own size", function,
                (int)o->height, (int)o->width, (int)MAX_SIDE);
    HNI_FAIL_IF(any && !sized, HN_E_ARG, "%s: the images differ in size: height and width of the output must be given",
                function);
    a->output = (hn_image_shape){sized ? o->height : shape->height, sized ? o->width : shape->width, shape->channels};
    int32_t shorter = a->output.height < a->output.width ? a->output.height : a->output.width;
    int32_t longer = a->output.height < a->output.width ? a->output.width : a->output.height;
    HNI_FAIL_IF(o->crop_padding < 0 || o->crop_padding > shorter, HN_E_ARG,
                "%s: crop_padding is %d; it must be in [0, %d]", function, (int)o->crop_padding, (int)shorter);
    HNI_FAIL_IF(o->resize_shorter != 0 && (o->resize_shorter < longer || o->resize_shorter > 2 * MAX_SIDE), HN_E_ARG,
                "%s: resize_shorter is %d; it must be 0, or in [%d, %d] for an output of %dx%d", function,
                (int)o->resize_shorter, (int)longer, (int)(2 * MAX_SIDE), (int)a->output.height, (int)a->output.width);
    HNI_FAIL_IF(o->resize_shorter != 0 && o->resized_crop != 0, HN_E_ARG,
                "%s: resize_shorter (for evaluation) and resized_crop (for training) exclude each other", function);
    HNI_TRY(range(function, "scale", (double)o->scale_min, (double)o->scale_max, 1));
    return range(function, "ratio", (double)o->ratio_min, (double)o->ratio_max, 1e6);
}

static hn_status check_colour(hni_augment *a, const char *function)
{
    const hn_augment_options *o = &a->o;
    int32_t shorter = a->output.height < a->output.width ? a->output.height : a->output.width;
    HNI_TRY(within(function, "grayscale", (double)o->grayscale, 0, 1));
    HNI_TRY(within(function, "jitter", (double)o->jitter, 0, 1));
    HNI_TRY(within(function, "brightness", (double)o->brightness, 0, 1e3));
    HNI_TRY(within(function, "contrast", (double)o->contrast, 0, 1e3));
    HNI_TRY(within(function, "saturation", (double)o->saturation, 0, 1e3));
    HNI_TRY(within(function, "hue", (double)o->hue, 0, 0.5));
    HNI_TRY(within(function, "blur", (double)o->blur, 0, 1));
    HNI_TRY(range(function, "blur_sigma", (double)o->blur_sigma_min, (double)o->blur_sigma_max, 1e3));
    HNI_FAIL_IF(o->blur_kernel != 0 && (o->blur_kernel < 1 || o->blur_kernel % 2 == 0 || o->blur_kernel / 2 >= shorter),
                HN_E_ARG, "%s: blur_kernel is %d; it must be 0, or odd and below %d", function, (int)o->blur_kernel,
                (int)(2 * shorter));
    if (o->blur > 0)
        a->kernel = o->blur_kernel != 0 ? o->blur_kernel : (shorter / 10 | 1);
    return HN_OK;
}

static hn_status check_operations(const hn_augment_options *o, const char *function)
{
    HNI_FAIL_IF(o->policy < 0 || o->policy > HN_POLICY_AUTOAUGMENT_CIFAR10, HN_E_ARG,
                "%s: policy is %d; it must be in [0, %d]", function, (int)o->policy,
                (int)HN_POLICY_AUTOAUGMENT_CIFAR10);
    HNI_TRY(within(function, "randaugment_ops", o->randaugment_ops, 0, MAX_OPS));
    HNI_TRY(within(function, "randaugment_level", o->randaugment_level, 0, MAX_LEVEL));
    HNI_TRY(within(function, "fill", o->fill, 0, 255));
    return within(function, "cutout", o->cutout, 0, 2 * MAX_SIDE);
}

hn_status hni_augment_plan(hni_augment *a, const hn_augment_options *options, const hn_image_shape *shape,
                           const char *function)
{
    a->o = defaults;
    a->kernel = 0;
    HNI_TRY(hni_options_read(&a->o, sizeof a->o, options, function));
    HNI_FAIL_IF(shape == NULL, HN_E_ARG, "%s: shape is NULL", function);
    HNI_TRY(check_size(a, shape, function));
    HNI_TRY(check_colour(a, function));
    HNI_TRY(check_operations(&a->o, function));
    for (int32_t c = 0; c < shape->channels; ++c) {
        float mean = a->o.mean[c], std = a->o.std[c];
        HNI_FAIL_IF(!isfinite(mean), HN_E_ARG, "%s: mean[%d] is %g; it must be finite", function, (int)c, (double)mean);
        HNI_FAIL_IF(!(std > 0) || !isfinite(std), HN_E_ARG, "%s: std[%d] is %g; it must be positive and finite",
                    function, (int)c, (double)std);
        for (int32_t p = 0; p < 256; ++p)
            a->value[c][p] = ((float)p / 255.0f - mean) / std;
    }
    return HN_OK;
}

hn_status hn_augment_check(const hn_augment_options *options, const hn_image_shape *shape)
{
    hni_augment a;
    return hni_augment_plan(&a, options, shape, "hn_augment_check");
}

hn_status hn_augment_output(const hn_augment_options *options, const hn_image_shape *shape, hn_image_shape *output)
{
    hni_augment a;
    HNI_FAIL_IF(output == NULL, HN_E_ARG, "hn_augment_output: output is NULL");
    HNI_TRY(hni_augment_plan(&a, options, shape, "hn_augment_output"));
    *output = a.output;
    return HN_OK;
}

/* ---- draws ---------------------------------------------------------------------------------------------------------- */

/* Every draw is made whether its option is on or not, or from a stream of its own: turning one off leaves the others as
 * they were.                                                                                                            */
void hni_augment_draw(const hni_augment *a, int32_t height, int32_t width, int32_t channels, const hn_rng *rng,
                      hni_choice *choice)
{
    hn_rng r = *rng, crop;
    int64_t pad = a->o.crop_padding;
    int64_t top = (int64_t)hn_rng_below(&r, (uint64_t)(2 * pad + 1)) - pad;
    int64_t left = (int64_t)hn_rng_below(&r, (uint64_t)(2 * pad + 1)) - pad;
    bool mirror = hn_rng_uniform(&r) < 0.5, grey = hn_rng_uniform(&r) < (double)a->o.grayscale;
    *choice = (hni_choice){.crop = {0, 0, height, width},
                           .cut = a->o.resized_crop != 0,
                           .top = (int32_t)top,
                           .left = (int32_t)left,
                           .mirror = mirror && a->o.flip != 0,
                           .grey = grey && channels == 3,
                           .rng = *rng};
    if (a->o.resized_crop != 0) {
        hn_rng_derive(&crop, rng, "resized crop", 0);
        choice->crop = hni_crop_random(&a->o, height, width, &crop);
    } else if (a->o.resize_shorter != 0) {
        choice->crop = hni_crop_centre(a->o.resize_shorter, a->output.height, a->output.width, height, width);
    }
}

int32_t hni_augment_shrink(const hni_augment *a, const hni_choice *choice)
{
    double height = choice->crop.bottom - choice->crop.top, width = choice->crop.right - choice->crop.left;
    int32_t shrink = 8;
    while (shrink > 1 && (height < (double)shrink * a->output.height || width < (double)shrink * a->output.width))
        shrink /= 2;
    return shrink;
}

/* A crop that is cut out is all there is. Else the filter reaches beyond it, at most by the width of a pixel of the output
 * and of one of the image shrunk by 8, and begins and ends at whole ones of those. */
hni_part hni_augment_part(const hni_augment *a, const hni_choice *choice, int32_t height, int32_t width)
{
    const hni_box *c = &choice->crop;
    const double y = choice->cut ? 0 : (c->bottom - c->top) / a->output.height + 16;
    const double x = choice->cut ? 0 : (c->right - c->left) / a->output.width + 16;
    return (hni_part){.top = (int32_t)fmax(floor(c->top - y), 0),
                      .left = (int32_t)fmax(floor(c->left - x), 0),
                      .bottom = (int32_t)fmin(ceil(c->bottom + y), height),
                      .right = (int32_t)fmin(ceil(c->right + x), width)};
}

/* ---- one image of the caller's ---------------------------------------------------------------------------------------- */

static hn_status plan_one(hni_augment *a, const hn_augment_options *options, const hn_image_shape *shape,
                          const char *function)
{
    HNI_TRY(hni_augment_plan(a, options, shape, function));
    HNI_FAIL_IF(shape->height < 1, HN_E_ARG, "%s: the image shape is %dx%dx%d; sides must be positive", function,
                (int)shape->height, (int)shape->width, (int)shape->channels);
    HNI_FAIL_IF((int64_t)shape->height * shape->width * shape->channels > INT32_MAX, HN_E_ARG,
                "%s: an image of %dx%dx%d is too large", function, (int)shape->height, (int)shape->width,
                (int)shape->channels);
    return HN_OK;
}

hn_status hn_augment_scratch(const hn_augment_options *options, const hn_image_shape *shape, size_t *bytes)
{
    hni_augment a;
    HNI_FAIL_IF(bytes == NULL, HN_E_ARG, "hn_augment_scratch: bytes is NULL");
    HNI_TRY(plan_one(&a, options, shape, "hn_augment_scratch"));
    *bytes = hni_augment_scratch(&a, shape->height, shape->width, shape->channels);
    return HN_OK;
}

hn_status hn_augment_image(const hn_augment_options *options, const hn_image_shape *shape, const uint8_t *pixels,
                           const hn_rng *rng, float *out, const hn_scratch *scratch)
{
    static const char function[] = "hn_augment_image";
    hni_augment a;
    hni_choice choice;
    HNI_TRY(plan_one(&a, options, shape, function));
    HNI_FAIL_IF(pixels == NULL || rng == NULL || out == NULL, HN_E_ARG, "%s: %s is NULL", function,
                pixels == NULL ? "pixels" : (rng == NULL ? "rng" : "out"));
    size_t need = hni_augment_scratch(&a, shape->height, shape->width, shape->channels);
    HNI_FAIL_IF(need > 0 && (scratch == NULL || scratch->data == NULL || scratch->size < need), HN_E_WORKSPACE,
                "%s: these options need %zu bytes of scratch (hn_augment_scratch); it was lent %zu", function, need,
                scratch == NULL || scratch->data == NULL ? (size_t)0 : scratch->size);
    HNI_FAIL_IF(need > 0 && (uintptr_t)scratch->data % HN_SCRATCH_ALIGN != 0, HN_E_WORKSPACE,
                "%s: scratch->data is not aligned to %d bytes", function, (int)HN_SCRATCH_ALIGN);
    const hni_picture picture = {pixels, shape->height, shape->width, shape->channels, 1};
    hni_augment_draw(&a, shape->height, shape->width, shape->channels, rng, &choice);
    hni_augment_render(&a, &choice, &picture, need > 0 ? scratch->data : NULL, out);
    return HN_OK;
}
