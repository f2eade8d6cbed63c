/* augment.h -- from 8-bit pixels to a normalised, randomly changed image: a pure function of pixels and generator.
 *
 * What happens to an image, in this order, each step off by default:
 *   1. a crop of it is resized to the output's size (resized_crop, resize_shorter, height and width)
 *   2. zeros around it and a crop back (crop_padding), mirror (flip)
 *   3. colour jitter, grayscale, Gaussian blur
 *   4. a policy of drawn operations: RandAugment or AutoAugment
 *   5. a square of zeros (cutout)
 *   6. y = (pixel / 255 - mean) / std
 * Steps 1 to 5 are on 8-bit pixels, with Pillow 9's arithmetic. Each step draws from a stream of its own, so turning
 * one off leaves what the others do as it was. Crops, padding, mirrors, blur, policies and cutout take 1 to 4 channels;
 * saturation, hue and grayscale do nothing to images without 3.
 *
 * Where the settings come from: CIFAR's crop_padding 4 and flip are those of LDAM, BBN and the rest. For ImageNet and
 * iNaturalist: resized_crop with the default ranges, and resize_shorter 256 with an output of 224 to evaluate. PaCo's
 * and ProCo's views of CIFAR: crop_padding 4, flip, AutoAugment with fill 128, cutout 16; and resized_crop (scale_min 0.2
 * in PaCo), flip, jitter 0.8 of (0.4, 0.4, 0.4, 0.1), grayscale 0.2, in PaCo blur 0.5. BCL's and ProCo's of larger images:
 * resized_crop, flip, jitter 1 of (0.4, 0.4, 0.4, 0), then RandAugment; and resized_crop, flip, jitter 0.8 of (0.4, 0.4,
 * 0.4, 0.1), grayscale 0.2.                                                                                          */
#ifndef HYBRIDNET_AUGMENT_H
#define HYBRIDNET_AUGMENT_H

#include <hybridnet/dataset.h>
#include <hybridnet/rng.h>

enum { HN_MAX_IMAGE_CHANNELS = 4 };

/* Policies of drawn operations. */
enum {
    HN_POLICY_NONE = 0,
    HN_POLICY_RANDAUGMENT = 1,         /* Cubuk, Zoph, Shlens, Le 2020, as torchvision's RandAugment: 14 operations,
                                          31 levels                                                                   */
    HN_POLICY_AUTOAUGMENT_CIFAR10 = 2  /* Cubuk, Zoph, Mane, Vasudevan, Le 2019: the 25 pairs found on CIFAR-10, as
                                          torchvision's AutoAugment has them                                          */
};

typedef struct hn_augment_options {
    size_t struct_size;
    int32_t crop_padding;               /* > 0: pad by so many zeros (before normalisation) on each side and crop back
                                           to the output's size at a random place; at most the output's shorter side;
                                           default 0                                                                  */
    int32_t flip;                       /* nonzero: mirror left-right with probability 1/2; default 0                 */
    float grayscale;                    /* probability of replacing RGB by its luma (Rec. 601, as Pillow's "L"); default
                                           0; no effect on images without 3 channels                                  */
    float mean[HN_MAX_IMAGE_CHANNELS];  /* of channels scaled to [0, 1]; default 0                                    */
    float std[HN_MAX_IMAGE_CHANNELS];   /* > 0; default 1: y = (pixel / 255 - mean) / std                             */
    int32_t reserved;

    /* ---- size ---- */
    int32_t height, width;              /* of the output, 1 .. 4096 both; 0 and 0 (default): the image's own size.
                                           Others are resized: bilinear, antialiased, as Pillow's BILINEAR            */
    int32_t resize_shorter;             /* > 0, for evaluation: resize the shorter side to this, then cut height x width
                                           out of the centre, as torchvision's Resize and CenterCrop; at least the
                                           larger of height and width and at most 8192; default 0                     */
    int32_t resized_crop;               /* nonzero: cut out a random part and resize it to the output's size, as
                                           torchvision's RandomResizedCrop: ten attempts, then the central part whose
                                           ratio is nearest; not with resize_shorter; default 0                       */
    float scale_min, scale_max;         /* area of the part over that of the image, uniform; 0 < min <= max <= 1;
                                           default 0.08 and 1                                                         */
    float ratio_min, ratio_max;         /* its width / height, uniform in the logarithm; 0 < min <= max <= 1e6;
                                           default 3/4 and 4/3                                                        */

    /* ---- colour ---- */
    float jitter;                       /* probability of the four changes below, in an order drawn for each image, as
                                           torchvision's ColorJitter inside RandomApply; in [0, 1]; default 0         */
    float brightness;                   /* factors uniform in [max(0, 1 - x), 1 + x]; 0 .. 1000; default 0: none.     */
    float contrast;                     /* Formulas: Pillow's ImageEnhance.Brightness, Contrast and Color             */
    float saturation;
    float hue;                          /* shift uniform in [-x, x] turns of the hue circle, as torchvision's adjust_hue
                                           on Pillow images; in [0, 0.5]; default 0                                   */
    float blur;                         /* probability of a Gaussian blur as torchvision's GaussianBlur (some of the
                                           field use Pillow's, an approximation of one); in [0, 1]; default 0         */
    float blur_sigma_min, blur_sigma_max; /* in pixels, uniform; 0 < min <= max <= 1000; default 0.1 and 2 (SimCLR)   */
    int32_t blur_kernel;                /* its side, odd, below twice the output's shorter side; 0 (default): a tenth of
                                           the output's shorter side, made odd (SimCLR)                               */

    /* ---- policies ---- */
    int32_t policy;                     /* HN_POLICY_NONE (default) ...                                               */
    int32_t randaugment_ops;            /* operations an image, 0 .. 16; default 2                                    */
    int32_t randaugment_level;          /* 0 .. 30; default 9. torchvision's magnitude. timm, whose m10 BCL and ProCo
                                           take, counts to 10: its geometric operations at m10 are those of 30 here;
                                           there each happens with probability 1/2, and the others differ             */
    int32_t fill;                       /* what operations move in from outside, 0 .. 255; default 0                  */
    int32_t cutout;                     /* > 0: side of a square of zeros (before normalisation) whose centre is uniform
                                           over the image, cut at its edges (DeVries and Taylor 2017; 16 for CIFAR). As in
                                           their code an odd side is one pixel shorter; at most 8192; default 0        */
} hn_augment_options;

HN_BEGIN_DECLS

/* Fills the struct with its defaults; struct_size: sizeof *options. NULL is ignored. */
HN_API void hn_augment_options_init(hn_augment_options *options, size_t struct_size);

/* HN_E_ARG with a sentence if an option is out of range for images of this shape, or a side is above 65500. A shape of 0 x 0
 * x C stands for images of any size: the output then needs a size.                                                        */
HN_API HN_MUST_CHECK hn_status hn_augment_check(const hn_augment_options *options, const hn_image_shape *shape);

/* Shape of what comes out for images of this shape (or 0 x 0 x C). HN_E_ARG as hn_augment_check. */
HN_API HN_MUST_CHECK hn_status hn_augment_output(const hn_augment_options *options, const hn_image_shape *shape,
                                                 hn_image_shape *output);

/* Bytes of scratch that hn_augment_image needs for an image of this shape; 0 if it only crops with padding, mirrors,
 * turns gray and normalises. HN_E_ARG as hn_augment_check, or if height or width is 0.                               */
HN_API HN_MUST_CHECK hn_status hn_augment_scratch(const hn_augment_options *options, const hn_image_shape *shape,
                                                  size_t *bytes);

/* Augments one image: pixels (H x W x C bytes) -> out (the output's H x W x C floats). Draws from copies and
 * derivatives of rng in a fixed order, so the result depends on nothing else. scratch: of hn_augment_scratch, may be
 * NULL if that is 0. Re-entrant. HN_E_ARG, HN_E_WORKSPACE; out is untouched then.                                    */
HN_API HN_MUST_CHECK hn_status hn_augment_image(const hn_augment_options *options, const hn_image_shape *shape,
                                                const uint8_t *pixels, const hn_rng *rng, float *out,
                                                const hn_scratch *scratch);

HN_END_DECLS
#endif
