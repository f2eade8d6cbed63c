/* pairs.h -- rows against each other: the log-sum-exp of each row's similarities to all other rows, and its gradient, in
 * O(n dim) memory.
 *
 * With s_ij = z_i.z_j / tau and lse_i = log sum_{j != i} exp(s_ij), the gradient of sum_i a_i lse_i is
 *     g_i = 1/tau sum_{j != i} (a_i exp(s_ij - lse_i) + a_j exp(s_ij - lse_j)) z_j
 * Similarities exist as tiles of BLOCK x BLOCK, computed for one of (i, j) and (j, i) only: n^2 dim flops for the sums, 3 more
 * for the gradient. A tile writes to the rows of both its blocks, so tiles are taken in rounds in which no block occurs
 * twice: the tiles of a round may run at once, and every row is added to in the order of the rounds.                     */
#ifndef HNI_PAIRS_H
#define HNI_PAIRS_H

#include <stddef.h>
#include <stdint.h>

typedef struct hni_pairs {
    /* Set by the caller. */
    int32_t num_threads;
    float temperature;
    int64_t n, dim;
    const float *z; /* n x dim, dense */
    double *sum;    /* [n] sum_{j != i} exp(s_ij - shift_i)                                    */
    float *shift;   /* [n], near the row's largest similarity                                  */
    float *push;    /* [n], for the gradient: a_i / sum_i                                      */
    float *g;       /* n x dim, for the gradient: added to                                     */
    char *tiles;    /* hni_pairs_tile_bytes() for each of hni_pairs_threads(), 64-byte aligned */

    /* The engine's own. */
    int64_t block, blocks, round; /* rows of a block; blocks; what is being run */
    int32_t bounded;              /* one shift does for all rows                */
} hni_pairs;

size_t hni_pairs_tile_bytes(int64_t n);
/* How many of num_threads threads can have work. */
int32_t hni_pairs_threads(int64_t n, int32_t num_threads);

/* longest: an upper bound of the rows' lengths. Fills sum and shift; a row without any other has sum 0. */
void hni_pairs_sums(hni_pairs *p, double longest);
/* After it: adds the gradient to g. */
void hni_pairs_gradient(hni_pairs *p);

#endif
