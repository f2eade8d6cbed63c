/* policy.h -- RandAugment and AutoAugment: drawn operations on an image, named and scaled as in torchvision. */
#ifndef HNI_POLICY_H
#define HNI_POLICY_H

#include "data/canvas.h"

#include <hybridnet/rng.h>

#include <stdbool.h>

/* RandAugment draws from those before HNI_OP_INVERT. */
typedef enum hni_op {
    HNI_OP_IDENTITY,
    HNI_OP_SHEAR_X,
    HNI_OP_SHEAR_Y,
    HNI_OP_TRANSLATE_X,
    HNI_OP_TRANSLATE_Y,
    HNI_OP_ROTATE,
    HNI_OP_BRIGHTNESS,
    HNI_OP_COLOR,
    HNI_OP_CONTRAST,
    HNI_OP_SHARPNESS,
    HNI_OP_POSTERIZE,
    HNI_OP_SOLARIZE,
    HNI_OP_AUTOCONTRAST,
    HNI_OP_EQUALIZE,
    HNI_OP_INVERT,
    HNI_OP_COUNT
} hni_op;

/* Levels are 0 .. bins - 1. */
enum { HNI_RANDAUGMENT_BINS = 31, HNI_AUTOAUGMENT_BINS = 10, HNI_AUTOAUGMENT_PAIRS = 25 };

/* One step of an AutoAugment pair. */
typedef struct hni_step {
    hni_op op;
    float probability;
    int32_t level;
} hni_step;

/* The two steps of pair 0 .. 24 of the policy found on CIFAR-10. */
const hni_step *hni_autoaugment_cifar10(int64_t pair);

/* What a level means: an angle in degrees, a shift in pixels, bits ... ; 0 where the operation has none. */
float hni_op_magnitude(hni_op op, int32_t level, int32_t bins, int64_t height, int64_t width);

/* Whether a sign is drawn for it. */
bool hni_op_signed(hni_op op);

void hni_op_apply(hni_op op, hni_canvas *canvas, float magnitude, uint8_t fill);

/* Draw from *rng. */
void hni_randaugment(hni_canvas *canvas, int32_t ops, int32_t level, uint8_t fill, hn_rng *rng);
void hni_autoaugment(hni_canvas *canvas, uint8_t fill, hn_rng *rng);

#endif
