/* augment.h -- from 8-bit pixels to a normalised, randomly changed image: a pure function of pixels and generator. */
#ifndef HYBRIDNET_AUGMENT_H
#define HYBRIDNET_AUGMENT_H

#include <hybridnet/dataset.h>
#include <hybridnet/rng.h>

enum { HN_MAX_IMAGE_CHANNELS = 4 };

typedef struct hn_augment_options {
    size_t struct_size;
    int32_t crop_padding;               /* > 0: pad by so many zeros (before normalisation) on each side and crop back
                                           to the image's size at a random place; default 0                             */
    int32_t flip;                       /* nonzero: mirror left-right with probability 1/2; default 0                    */
    float grayscale;                    /* probability of replacing RGB by its luma (Rec. 601, as Pillow's "L"); default
                                           0; no effect on images without 3 channels                                    */
    float mean[HN_MAX_IMAGE_CHANNELS];  /* of channels scaled to [0, 1]; default 0                                       */
    float std[HN_MAX_IMAGE_CHANNELS];   /* > 0; default 1: y = (pixel / 255 - mean) / std                                */
    int32_t reserved;
} hn_augment_options;

HN_BEGIN_DECLS

HN_API void hn_augment_options_init(hn_augment_options *options, size_t struct_size);

/* HN_E_ARG with a sentence if an option is out of range for images of this shape. */
HN_API HN_MUST_CHECK hn_status hn_augment_check(const hn_augment_options *options, const hn_image_shape *shape);

/* Augments one image: pixels (H x W x C bytes) -> out (H x W x C floats). Draws from a copy of rng in a fixed order
 * (crop y, crop x, flip, grayscale), so the result depends on nothing else. Re-entrant.                               */
HN_API HN_MUST_CHECK hn_status hn_augment_apply(const hn_augment_options *options, const hn_image_shape *shape,
                                                const uint8_t *pixels, const hn_rng *rng, float *out);

HN_END_DECLS
#endif
