/* positives.h -- which keys pull which anchor in the k-positive loss: K of its class, its own key, its class's target. */
#ifndef HNI_POSITIVES_H
#define HNI_POSITIVES_H

#include <hybridnet/rng.h>

#include "loss/groups.h"

/* The positives of one anchor: those drawn from the candidates, then the own key, then the target. */
typedef struct hni_choice {
    int32_t first;       /* where the keys of the class begin among the sorted ones                                 */
    int32_t skip[2];     /* places in the class that are no candidates, in their order; INT32_MAX: there is no such */
    int32_t taken;       /* candidates that are positives                                                           */
    int32_t own, target; /* keys, or -1                                                                             */
    int32_t count;       /* positives in all                                                                        */
} hni_choice;

typedef struct hni_positives {
    /* Set by the loss. */
    int64_t n, k;
    int32_t most;                  /* K; 0: no bound                                       */
    const int32_t *labels;         /* [n]                                                  */
    const int32_t *key_labels;     /* [k]                                                  */
    const int32_t *self, *own_key; /* [n] or NULL                                          */
    const int32_t *class_target;   /* by label, or NULL; target j is key k + j from here on */

    hni_groups groups;  /* of the keys                                            */
    hni_choice *choice; /* [n]                                                    */
    int64_t drawn;      /* candidates drawn a row at most; 0: all are taken       */
    int32_t *ranks;     /* n x drawn, among the candidates of the row, their order */
} hni_positives;

/* Lays the arrays out from base and returns the bytes; base NULL: only counts. n, k and most decide. */
size_t hni_positives_carve(hni_positives *p, char *base);

/* Makes the choice for every row; returns how many rows have a positive. */
int64_t hni_positives_choose(hni_positives *p, const hn_rng *rng);

/* The l-th of the choice[i].count positives of row i. */
int64_t hni_positives_key(const hni_positives *p, int64_t i, int64_t l);

#endif
