/* A trainer of one's own around hn_loss_psc(): a linear model z = W x on plain float arrays learns a long-tailed toy
 * problem by gradient descent; a sample belongs to the class of the most similar prototype. No tensor, layer or context. */
#include <hybridnet.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { CLASSES = 5, IN = 16, DIM = 8, TRAIN = 310, TEST = 500, STEPS = 100 };

static float centre[CLASSES][IN], x[TRAIN][IN];
static float weight[DIM][IN], prototype[CLASSES][DIM], z[TRAIN][DIM], dz[TRAIN][DIM], dprototype[CLASSES][DIM];

static void sample(hn_rng *rng, int32_t label, float *to)
{
    for (int i = 0; i < IN; ++i)
        to[i] = centre[label][i] + (float)hn_rng_normal(rng);
}

static float dot(int n, const float *a, const float *b)
{
    float sum = 0.0f;
    for (int i = 0; i < n; ++i)
        sum += a[i] * b[i];
    return sum;
}

static float similarity(const float *y, const float *p)
{
    return dot(DIM, y, p) / sqrtf(dot(DIM, p, p));
}

int main(void)
{
    int32_t labels[TRAIN], right = 0;
    hn_rng rng;
    hn_rng_seed(&rng, 1, 0);
    hn_rng_fill_normal(&rng, centre[0], CLASSES * IN, 0.0f, 1.5f);
    hn_rng_fill_normal(&rng, weight[0], DIM * IN, 0.0f, 0.25f);
    hn_rng_fill_normal(&rng, prototype[0], CLASSES * DIM, 0.0f, 1.0f);
    for (int c = 0, n = 0; c < CLASSES; ++c)
        for (int k = 0; k < 160 >> c; ++k, ++n) /* the long tail: 160, 80, 40, 20, 10 */
            sample(&rng, labels[n] = c, x[n]);
    hn_loss_psc_options options;
    hn_loss_psc_options_init(&options, sizeof options);
    options.temperature = 0.5f;
    size_t bytes = 0;
    hn_status status = hn_loss_psc_scratch(&options, TRAIN, CLASSES, DIM, &bytes);
    hn_scratch scratch = {aligned_alloc(HN_SCRATCH_ALIGN, (bytes + 63) / 64 * 64), bytes};
    const hn_cmatf rows = {z[0], TRAIN, DIM, DIM}, prototypes = {prototype[0], CLASSES, DIM, DIM};
    hn_matf drows = {dz[0], TRAIN, DIM, DIM}, dprototypes = {dprototype[0], CLASSES, DIM, DIM};
    for (int step = 0; step <= STEPS && status == HN_OK; ++step) {
        double loss = 0.0;
        for (int n = 0; n < TRAIN; ++n)
            for (int d = 0; d < DIM; ++d)
                z[n][d] = dot(IN, weight[d], x[n]);
        status = hn_loss_psc(&options, &rows, &prototypes, labels, &loss, NULL, &drows, &dprototypes, &scratch);
        for (int n = 0; n < TRAIN; ++n) /* one step down the gradient: by the chain rule, and directly */
            for (int k = 0; k < DIM * IN; ++k)
                weight[k / IN][k % IN] -= dz[n][k / IN] * x[n][k % IN];
        for (int k = 0; k < CLASSES * DIM; ++k)
            prototype[k / DIM][k % DIM] -= dprototype[k / DIM][k % DIM];
        if (step % 20 == 0)
            printf("step %3d  loss %8.4f\n", step, loss);
    }
    free(scratch.data);
    if (status != HN_OK) {
        fprintf(stderr, "%s\n", hn_last_error());
        return 1;
    }
    for (int n = 0, best; n < TEST; ++n) { /* as many of every class */
        sample(&rng, n % CLASSES, x[0]);
        for (int d = 0; d < DIM; ++d)
            z[0][d] = dot(IN, weight[d], x[0]);
        for (int c = best = 0; c < CLASSES; ++c)
            best = similarity(z[0], prototype[c]) > similarity(z[0], prototype[best]) ? c : best;
        right += best == n % CLASSES;
    }
    printf("test accuracy %.1f %%\n", 100.0 * right / TEST);
    return 0;
}
