/* augmentation.c -- how the images of each data set are normalised, and changed in training. */
#include "augmentation.h"

#include <stdbool.h>

#define IMAGENET_MEAN          \
    {                          \
        0.485f, 0.456f, 0.406f \
    }
#define IMAGENET_STD           \
    {                          \
        0.229f, 0.224f, 0.225f \
    }

/* What is known of each set, in the order of enum dataset_name: statistics of its training images' channels scaled to
 * [0, 1] (CIFAR's as LDAM's code has them), and how far a random crop may shift an image.                           */
static const struct known_set {
    float mean[3], std[3];
    int32_t crop_padding;
} known_sets[] = {
    [FASHION_MNIST] = {{0.2860f}, {0.3530f}, 2},
    [CIFAR10] = {{0.4914f, 0.4822f, 0.4465f}, {0.2023f, 0.1994f, 0.2010f}, 4},
    [CIFAR100] = {{0.4914f, 0.4822f, 0.4465f}, {0.2023f, 0.1994f, 0.2010f}, 4},
    [CIFAR100_COARSE] = {{0.4914f, 0.4822f, 0.4465f}, {0.2023f, 0.1994f, 0.2010f}, 4},
    [SYNTHETIC] = {{0.5f, 0.5f, 0.5f}, {0.25f, 0.25f, 0.25f}, 4},
    [IMAGE_FOLDER] = {IMAGENET_MEAN, IMAGENET_STD, 0},
    [IMAGE_LIST] = {IMAGENET_MEAN, IMAGENET_STD, 0},
    [INATURALIST] = {IMAGENET_MEAN, IMAGENET_STD, 0},
};

/* The paper's probability, for both branches of the hybrid methods. */
static const float grayscale_probability = 0.2f;

/* In place of padding and a crop of the image's own size. */
static void add_resized(hn_augment_options *a, bool large)
{
    a->resized_crop = 1;
    a->scale_min = large ? 0.08f : 0.2f;
    a->crop_padding = 0;
}

/* SimAugment (Chen et al. 2020, as Khosla et al. 2020 have it): strong crops and colours; large images are blurred, too. */
static void add_sim(hn_augment_options *a, bool large)
{
    add_resized(a, large);
    a->jitter = 0.8f;
    a->brightness = a->contrast = a->saturation = 0.4f;
    a->hue = 0.1f;
    a->grayscale = 0.2f;
    a->blur = large ? 0.5f : 0.0f;
}

/* A policy of operations; small images lose a square, too (DeVries and Taylor 2017). */
static void add_policy(hn_augment_options *a, int32_t kind, bool large)
{
    a->policy = kind == AUGMENT_AUTO ? HN_POLICY_AUTOAUGMENT_CIFAR10 : HN_POLICY_RANDAUGMENT;
    a->randaugment_level = 30;                /* of geometric operations what BCL and ProCo call 10 */
    a->fill = kind == AUGMENT_AUTO ? 128 : 0; /* as PaCo's and ProCo's code */
    a->cutout = large ? 0 : 16;
    a->grayscale = 0.0f;
}

hn_augment_options augmentation_plain(const struct options *o)
{
    const struct known_set *known = &known_sets[o->dataset];
    hn_augment_options a;
    hn_augment_options_init(&a, sizeof a);
    for (int32_t c = 0; c < 3 && known->std[c] > 0.0f; ++c) {
        a.mean[c] = known->mean[c];
        a.std[c] = known->std[c];
    }
    if (options_image_files(o)) {
        a.height = a.width = (int32_t)o->image_size;
        a.resize_shorter = (int32_t)(o->image_size * 8 / 7);
    }
    return a;
}

hn_augment_options augmentation_random(const struct options *o, int32_t kind)
{
    const bool large = options_image_files(o);
    hn_augment_options a = augmentation_plain(o);
    a.crop_padding = known_sets[o->dataset].crop_padding;
    a.resize_shorter = 0;
    a.resized_crop = large;
    a.flip = 1;
    a.grayscale = options_two_branches(o) ? grayscale_probability : 0.0f;
    if (kind == AUGMENT_SIM)
        add_sim(&a, large);
    else if (kind == AUGMENT_RESIZED)
        add_resized(&a, large);
    else if (kind != AUGMENT_PLAIN)
        add_policy(&a, kind, large);
    return a;
}
