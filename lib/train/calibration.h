/* calibration.h -- how far a classifier's confidence is from its accuracy. */
#ifndef HNI_CALIBRATION_H
#define HNI_CALIBRATION_H

#include <stdbool.h>
#include <stdint.h>

enum { HNI_CALIBRATION_BINS = 15 };

/* Images by confidence: bin b holds those in (b / bins, (b + 1) / bins]. */
typedef struct hni_calibration {
    int64_t images[HNI_CALIBRATION_BINS], hits[HNI_CALIBRATION_BINS];
    double confidence[HNI_CALIBRATION_BINS]; /* sums */
} hni_calibration;

/* The largest value of the softmax of n logits, none of them NaN, whose largest is logits[best]. */
double hni_confidence(const float *logits, int64_t n, int64_t best);

void hni_calibration_add(hni_calibration *calibration, double confidence, bool hit);

/* Expected calibration error (Naeini et al. 2015; Guo et al. 2017, equation 3): the mean over images of the distance between
 * their bin's accuracy and mean confidence; NaN without images.                                                          */
double hni_calibration_error(const hni_calibration *calibration);

#endif
