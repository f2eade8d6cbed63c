/* sgd.h -- the update of stochastic gradient descent with momentum, as torch.optim.SGD does it. */
#ifndef HNI_SGD_H
#define HNI_SGD_H

#include <stdint.h>

typedef struct hni_sgd {
    float lr, momentum, weight_decay;
    int32_t nesterov;
} hni_sgd;

/* n values: g = grad + weight_decay weight; velocity = momentum velocity + g;
 * weight -= lr (nesterov ? g + momentum velocity : velocity). The arrays must not overlap. */
void hni_sgd_update(const hni_sgd *s, int64_t n, const float *grad, float *velocity, float *weight);

#endif
