/* pca.h -- the first two principal components of a set of rows, in double precision. */
#ifndef PCA_H
#define PCA_H

#include <stdint.h>

struct pca {
    double share[2];     /* of the variance, what each component has of it; 0 when all rows are equal          */
    double deviation;    /* standard deviation of the rows along the first component                           */
    double *coordinates; /* [n x 2] of the centred rows                                                        */
    double *components;  /* [2 x d] of length 1, the largest entry positive; a component that does not exist is 0 */
};

/* x: [n x d], finite. 0 and pca_free is due, or -1 for want of memory. Same input, same bits. */
int pca_of(struct pca *pca, const float *x, int64_t n, int64_t d);

void pca_free(struct pca *pca);

#endif
