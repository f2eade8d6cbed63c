/* tsne.h -- exact t-SNE (van der Maaten and Hinton 2008): a map of rows on which neighbours stay neighbours. */
#ifndef TSNE_H
#define TSNE_H

#include <stdint.h>

enum { TSNE_ROWS_MIN = 5 };

struct tsne {
    double perplexity;   /* 30, or (n - 1) / 3 for fewer than 91 rows                              */
    double kl_start, kl; /* Kullback-Leibler divergence of the map from the rows, before and after */
};

/* x: [n x d], finite, n >= TSNE_ROWS_MIN; y: [n x 2], the map to start from, replaced by the one that is found. Takes
 * 8 n^2 bytes and O(n^2) time. 0, or -1 for want of memory (and y is as it was). Same input, same bits.              */
int tsne_map(struct tsne *result, const float *x, int64_t n, int64_t d, double *y);

#endif
