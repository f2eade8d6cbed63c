/* augment.h -- augmentation in two halves: what happens to an image is drawn from its size, before it is decoded. */
#ifndef HNI_AUGMENT_H
#define HNI_AUGMENT_H

#include "data/image.h"
#include "data/resample.h"

#include <hybridnet/augment.h>

#include <stdbool.h>

/* Checked options and what follows from them. */
typedef struct hni_augment {
    hn_augment_options o;
    int32_t kernel;                          /* of the blur; 0 without                                                */
    hn_image_shape output;                   /* height and width 0: the image's own                                   */
    float value[HN_MAX_IMAGE_CHANNELS][256]; /* what a pixel becomes                                                  */
} hni_augment;

/* What happens to one image. */
typedef struct hni_choice {
    hni_box crop;      /* part of the image, in pixels of its full size */
    bool cut;          /* what lies beyond it does not count                                                          */
    int32_t top, left; /* the padded crop's place, in [-padding, padding] */
    bool mirror, grey;
    hn_rng rng; /* of the streams for colours and operations */
} hni_choice;

/* Pixels of one image, maybe decoded at a fraction of its full size. */
typedef struct hni_picture {
    const uint8_t *pixels;          /* height x width x channels                                                      */
    int32_t height, width, channels;
    int32_t shrink;                 /* full size is at most shrink times */
} hni_picture;

/* Checks the options for images of this shape (0 x 0 x C: any size) and fills in *a. HN_E_ARG. function: for
 * sentences.                                                                                                         */
hn_status hni_augment_plan(hni_augment *a, const hn_augment_options *options, const hn_image_shape *shape,
                           const char *function);

/* Draws what happens to an image of this full size. */
void hni_augment_draw(const hni_augment *a, int32_t height, int32_t width, int32_t channels, const hn_rng *rng,
                      hni_choice *choice);

/* 8, 4, 2 or 1: how far an image may be shrunk so that the choice's crop has no fewer pixels than the output. */
int32_t hni_augment_shrink(const hni_augment *a, const hni_choice *choice);

/* The part of an image of this full size, shrunk or not, that rendering the choice reads. */
hni_part hni_augment_part(const hni_augment *a, const hni_choice *choice, int32_t height, int32_t width);

/* Bytes of scratch for images of this size or of a fraction of it; 0 if none is needed. */
size_t hni_augment_scratch(const hni_augment *a, int32_t height, int32_t width, int32_t channels);

/* Applies the choice to a picture. out: the output's height x width x channels floats. scratch: 64-byte aligned,
 * hni_augment_scratch of the picture's size.                                                                         */
void hni_augment_render(const hni_augment *a, const hni_choice *choice, const hni_picture *picture, void *scratch,
                        float *out);

/* ---- crop.c ---- */

/* torchvision's RandomResizedCrop.get_params. */
hni_box hni_crop_random(const hn_augment_options *o, int32_t height, int32_t width, hn_rng *rng);
/* The part of the image that is the centre of out_height x out_width once its shorter side is `shorter`. */
hni_box hni_crop_centre(int32_t shorter, int32_t out_height, int32_t out_width, int32_t height, int32_t width);

#endif
