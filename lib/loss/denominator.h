/* denominator.h -- what the losses between rows (anchors) and keys share: the log-sum-exp of each row's similarities to all
 * keys, and its gradients, in O((n + k) dim) memory.
 *
 * With s_ik = x_i.y_k / tau + adjustment_ik, lse_i = log sum_k exp(s_ik), a loss has the form
 *     L = sum_i (a_i lse_i + what pulls row i towards some keys)
 * The engine takes care of the first part; the loss's callbacks supply adjustments, weights and the pull. Similarities exist
 * for a stripe of rows at a time, so nothing is computed twice: 6 n k dim flops with both gradients, 2 without.
 * Stripes come one after the other, so that the keys' gradient is added up in a fixed order; within one the work is shared
 * out over fixed chunks of keys.                                                                                         */
#ifndef HNI_DENOMINATOR_H
#define HNI_DENOMINATOR_H

#include <hybridnet/types.h>

#include <stdbool.h>

typedef struct hni_denominator {
    /* Set by the loss. */
    int32_t num_threads;
    int32_t normalize; /* nonzero: rows of x and y are L2-normalised, gradients are with respect to the raw ones  */
    float temperature;
    float grad_scale, x_beta,
        y_beta;            /* dx = x_beta dx + grad_scale gradient, likewise dy                               */
    const hn_cmatf *x, *y; /* n x dim, k x dim                                                                        */
    const int32_t *x_labels, *y_labels; /* [n], [k]: rows with one < 0 are taken for zeros, so that nothing comes of
                                           whatever they hold; NULL: all rows count                                   */
    const hn_matf *dx,
        *dy;               /* likewise; NULL: not wanted                                                              */
    float lowest, highest; /* the range of what `adjust` adds, minus infinity apart                                   */

    /* The callbacks; each may be called from several threads at once, for different rows or stretches of keys. */
    void *arg;
    /* s[k] for keys begin <= k < end of row i, as s[0] .. s[end - begin - 1]: may add to it; -INFINITY takes a key out. May be
     * NULL.                                                                                                             */
    void (*adjust)(void *arg, int64_t i, int64_t begin, int64_t end, float *s);
    /* Row i has this log-sum-exp (-INFINITY: of nothing). Records the loss; returns a_i times how much of the row's
     * denominator the keys are (1 unless the loss has other terms in it).                                               */
    double (*weigh)(void *arg, int64_t i, double lse);
    /* Adds the pull to g[dim], the gradient with respect to normalised row i. */
    void (*pull)(void *arg, int64_t i, float *g);
    /* Adds the pull of all rows to g (k x dim), the gradient with respect to the normalised keys. Called once, at the end. */
    void (*pull_keys)(void *arg, float *g);

    /* Made by the engine: normalised rows and keys, n x dim and k x dim, dense. */
    float *z, *p;

    /* The engine's own. */
    int64_t n, k, dim, i, m, chunk,
        chunks;                    /* the stripe: rows i to i + m - 1; keys a chunk, number of chunks             */
    double *z_inverse, *p_inverse; /* [n], [k], of the lengths                                                   */
    float *gp;                     /* k x dim                                                                    */
    float *s;                      /* chunks x m x chunk: similarities, then exponentials                         */
    double *part;                  /* chunks x m: maxima or sums of a chunk                                      */
    float *shift;                  /* [m], subtracted in the exponent                                            */
    float *factor;                 /* [m], what turns exponentials into the gradient                             */
    float *scaled;                 /* m x dim, rows times their factor                                           */
    float *g;                      /* chunks x m x dim: parts of the rows' gradient; the first holds their sum   */
    bool bounded;                  /* no exponent can leave the range of a float: `shift` is known beforehand    */
} hni_denominator;

/* Lays the engine's arrays (and z, p) out from base and returns the bytes; base NULL: only counts. n, k, dim decide. */
size_t hni_denominator_carve(hni_denominator *d, int64_t n, int64_t k, int64_t dim, char *base);

/* Fills z and p from x and y. */
void hni_denominator_take(hni_denominator *d);

/* Runs over all rows, after take: weigh for every row and, if dx or dy is wanted, the gradients. */
void hni_denominator_run(hni_denominator *d);

/* The similarity of row i with key k, from z and p, divided by the temperature; in double. */
double hni_denominator_similarity(const hni_denominator *d, int64_t i, int64_t k);

#endif
