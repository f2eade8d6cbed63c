#include "train/calibration.h"

#include <math.h>

double hni_confidence(const float *logits, int64_t n, int64_t best)
{
    const double most = (double)logits[best];
    if (isinf(most)) /* all of the softmax, or n equal shares of nothing */
        return most > 0.0 ? 1.0 : 1.0 / (double)n;
    double sum = 0.0;
    for (int64_t i = 0; i < n; ++i)
        sum += exp((double)logits[i] - most);
    return 1.0 / sum;
}

void hni_calibration_add(hni_calibration *c, double confidence, bool hit)
{
    int bin = (int)ceil(confidence * HNI_CALIBRATION_BINS) - 1;
    bin = bin < 0 ? 0 : bin < HNI_CALIBRATION_BINS ? bin : HNI_CALIBRATION_BINS - 1;
    c->images[bin]++;
    c->hits[bin] += hit;
    c->confidence[bin] += confidence;
}

double hni_calibration_error(const hni_calibration *c)
{
    int64_t images = 0;
    double sum = 0.0;
    for (int b = 0; b < HNI_CALIBRATION_BINS; ++b) {
        images += c->images[b];
        sum += fabs((double)c->hits[b] - c->confidence[b]);
    }
    return images > 0 ? sum / (double)images : (double)NAN;
}
