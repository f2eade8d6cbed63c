#include "sample/alias.h"

void hni_alias_build(hni_alias *a, const double *weights, int64_t *work)
{
    double sum = 0.0;
    for (int64_t i = 0; i < a->n; ++i)
        sum += weights[i];
    /* work holds columns below their share from the left, the others from the right. */
    int64_t small = 0, large = a->n;
    for (int64_t i = 0; i < a->n; ++i) {
        a->keep[i] = weights[i] / sum * (double)a->n;
        a->alias[i] = i;
        if (a->keep[i] < 1.0)
            work[small++] = i;
        else
            work[--large] = i;
    }
    while (small > 0 && large < a->n) {
        int64_t from = work[--small], to = work[large];
        a->alias[from] = to;
        a->keep[to] -= 1.0 - a->keep[from];
        if (a->keep[to] < 1.0) {
            ++large;
            work[small++] = to;
        }
    }
    /* What rounding left over is full. A weight of 0 cannot be among them unless nothing else is left to fill it. */
    while (small > 0)
        a->keep[work[--small]] = 1.0;
    while (large < a->n)
        a->keep[work[large++]] = 1.0;
    for (int64_t i = 0; i < a->n; ++i)
        if (weights[i] == 0.0 && a->alias[i] == i) { /* never give a weight of 0 away */
            int64_t heaviest = 0;
            for (int64_t j = 1; j < a->n; ++j)
                heaviest = weights[j] > weights[heaviest] ? j : heaviest;
            a->keep[i] = 0.0;
            a->alias[i] = heaviest;
        }
}

int64_t hni_alias_draw(const hni_alias *a, hn_rng *rng)
{
    int64_t column = (int64_t)hn_rng_below(rng, (uint64_t)a->n);
    return hn_rng_uniform(rng) < a->keep[column] ? column : a->alias[column];
}
