/* augment_case.h -- what the tests of augmentation share: options, pixels, streams of random numbers, the call. */
#ifndef HNT_AUGMENT_CASE_H
#define HNT_AUGMENT_CASE_H

#include "support.h"

/* The defaults but for these. */
hn_augment_options hnt_augmentation(int32_t padding, int32_t flip, float grayscale);

/* n pixels, none of them 0. */
void hnt_random_pixels(uint8_t *pixels, int n);

/* Stream i of the tests' seed. */
hn_rng hnt_stream(uint64_t i);

/* hn_augment_image with scratch of just the size it asks for. */
void hnt_augment(const hn_augment_options *o, const hn_image_shape *s, const uint8_t *pixels, uint64_t number, float *out);

#endif
