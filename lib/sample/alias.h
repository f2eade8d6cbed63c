/* alias.h -- drawing from n weights in O(1): Walker's alias method in Vose's form (IEEE TSE 17(9), 1991). */
#ifndef HNI_ALIAS_H
#define HNI_ALIAS_H

#include <hybridnet/rng.h>

/* Column i keeps itself with probability keep[i] and gives alias[i] otherwise. */
typedef struct hni_alias {
    int64_t n;
    double *keep;   /* [n] */
    int64_t *alias; /* [n] */
} hni_alias;

/* Fills keep and alias, which the caller has allocated, for weights >= 0 with a positive sum. work: [n]. */
void hni_alias_build(hni_alias *a, const double *weights, int64_t *work);

/* An index with probability weights[index] / sum. */
int64_t hni_alias_draw(const hni_alias *a, hn_rng *rng);

#endif
