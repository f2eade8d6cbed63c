/* groups.h -- rows sorted by label, so that a class is a stretch of them, and the sums of classes. */
#ifndef HNI_GROUPS_H
#define HNI_GROUPS_H

#include <stddef.h>
#include <stdint.h>

typedef struct hni_groups {
    int64_t m;      /* rows with a label >= 0                                       */
    int32_t *order; /* [m], these rows sorted by label, those of one label in order */
    int32_t *label; /* [m], of sorted row i                                         */
    int32_t *first; /* [m], the sorted row where its class begins                   */
    int32_t *size;  /* [m], rows of its class                                       */
} hni_groups;

/* Lays the arrays for up to n rows out from base and returns the bytes; base NULL: only counts. */
size_t hni_groups_carve(hni_groups *groups, int64_t n, char *base);

/* labels: [n]. */
void hni_groups_sort(hni_groups *groups, const int32_t *labels, int64_t n);

/* Where the class of a label begins among the sorted rows, or -1. */
int64_t hni_groups_find(const hni_groups *groups, int32_t label);

/* For every class, the sum of its rows, into the row of sum (m x dim) where it begins; other rows are untouched.
 * z: sorted row i is z + order[i] * dim, or z + i * dim with order NULL.                                                  */
void hni_groups_sum(const hni_groups *groups, int32_t num_threads, int64_t dim, const float *z, const int32_t *order,
                    float *sum);

#endif
