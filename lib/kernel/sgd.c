#include "kernel/sgd.h"

#include "kernel/clones.h"

HNI_CLONES static void plain(const hni_sgd *s, int64_t n, const float *restrict grad, float *restrict velocity,
                             float *restrict weight)
{
    const float lr = s->lr, momentum = s->momentum, decay = s->weight_decay;
    for (int64_t i = 0; i < n; ++i) {
        float v = momentum * velocity[i] + (grad[i] + decay * weight[i]);
        velocity[i] = v;
        weight[i] -= lr * v;
    }
}

HNI_CLONES static void nesterov(const hni_sgd *s, int64_t n, const float *restrict grad, float *restrict velocity,
                                float *restrict weight)
{
    const float lr = s->lr, momentum = s->momentum, decay = s->weight_decay;
    for (int64_t i = 0; i < n; ++i) {
        float g = grad[i] + decay * weight[i], v = momentum * velocity[i] + g;
        velocity[i] = v;
        weight[i] -= lr * (g + momentum * v);
    }
}

void hni_sgd_update(const hni_sgd *s, int64_t n, const float *grad, float *velocity, float *weight)
{
    (s->nesterov ? nesterov : plain)(s, n, grad, velocity, weight);
}
