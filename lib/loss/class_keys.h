/* class_keys.h -- rows whose positives are all keys of their class, as callbacks of denominator.h need them: what is not
 * compared, sums of similarities to the positives, and the pull. Sums of classes make it O((n + k) dim).                 */
#ifndef HNI_CLASS_KEYS_H
#define HNI_CLASS_KEYS_H

#include "loss/groups.h"

typedef struct hni_class_keys {
    /* Set by the loss. */
    int64_t n, k, dim;
    const int32_t *labels, *key_labels; /* [n], [k]; < 0: an ignored row, a key that is left out             */
    const int32_t *self;                /* [n], the key that is row i itself, or < 0; NULL: there is none    */
    double *by; /* [n], laid out here, filled by the loss: how strongly a row is pulled to each positive, 0 for none */

    int32_t *positives; /* [n], how many row i has                                        */
    hni_groups groups;  /* of the keys                                                    */
    int32_t *first;     /* [n], where the row's class begins among the sorted keys, or -1 */
    float *sum;         /* k x dim: row first has the sum of the class's keys             */
} hni_class_keys;

/* Lays the arrays out from base and returns the bytes; base NULL: only counts. n, k, dim decide. */
size_t hni_class_keys_carve(hni_class_keys *c, char *base);

/* Finds the positives; before anything below. */
void hni_class_keys_find(hni_class_keys *c);
/* Sums the classes' keys p, k x dim; before nearness and pull. */
void hni_class_keys_sum(hni_class_keys *c, int32_t num_threads, const float *p);

/* s, of keys begin <= k < end and row i: -INFINITY for those that row i is not compared with. */
void hni_class_keys_leave_out(const hni_class_keys *c, int64_t i, int64_t begin, int64_t end, float *s);
/* The sum of z_i.p over row i's positives; z: n x dim. */
double hni_class_keys_nearness(const hni_class_keys *c, int64_t i, const float *z, const float *p);
/* g[dim] -= by_i p over row i's positives. */
void hni_class_keys_pull(const hni_class_keys *c, int64_t i, const float *p, float *g);
/* g (k x dim): minus by_i z_i over the rows each key is a positive of. Spoils the sums: the last call. */
void hni_class_keys_pull_keys(hni_class_keys *c, const float *z, float *g);

#endif
