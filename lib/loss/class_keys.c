#include "loss/class_keys.h"

#include "kernel/rownorm.h"
#include "loss/common.h"

#include <math.h>
#include <string.h>

size_t hni_class_keys_carve(hni_class_keys *c, char *base)
{
    hni_carver carver = {base, 0};
    c->by = hni_carve(&carver, c->n, sizeof *c->by);
    c->positives = hni_carve(&carver, c->n, sizeof *c->positives);
    c->first = hni_carve(&carver, c->n, sizeof *c->first);
    c->sum = hni_carve(&carver, c->k * c->dim, sizeof *c->sum);
    return carver.used + hni_groups_carve(&c->groups, c->k, base == NULL ? NULL : base + carver.used);
}

/* The key that is row i itself if it is one of the row's class, or -1. */
static int64_t own_key(const hni_class_keys *c, int64_t i)
{
    const int64_t self = c->self == NULL ? -1 : c->self[i];
    return self >= 0 && c->key_labels[self] == c->labels[i] ? self : -1;
}

void hni_class_keys_find(hni_class_keys *c)
{
    hni_groups_sort(&c->groups, c->key_labels, c->k);
    for (int64_t i = 0; i < c->n; ++i) {
        const int64_t first = c->labels[i] < 0 ? -1 : hni_groups_find(&c->groups, c->labels[i]);
        c->first[i] = (int32_t)first;
        c->positives[i] = first < 0 ? 0 : c->groups.size[first] - (own_key(c, i) >= 0);
    }
}

void hni_class_keys_sum(hni_class_keys *c, int32_t num_threads, const float *p)
{
    hni_groups_sum(&c->groups, num_threads, c->dim, p, c->groups.order, c->sum);
}

void hni_class_keys_leave_out(const hni_class_keys *c, int64_t i, int64_t begin, int64_t end, float *s)
{
    const int64_t self = c->self == NULL ? -1 : c->self[i];
    if (self >= begin && self < end)
        s[self - begin] = -INFINITY;
    for (int64_t k = begin; c->groups.m < c->k && k < end; ++k)
        if (c->key_labels[k] < 0)
            s[k - begin] = -INFINITY;
}

double hni_class_keys_nearness(const hni_class_keys *c, int64_t i, const float *z, const float *p)
{
    if (c->positives[i] == 0)
        return 0.0;
    const int64_t own = own_key(c, i);
    const float *row = z + i * c->dim;
    const double near = hni_dot(c->dim, row, c->sum + c->first[i] * c->dim);
    return own < 0 ? near : near - hni_dot(c->dim, row, p + own * c->dim);
}

void hni_class_keys_pull(const hni_class_keys *c, int64_t i, const float *p, float *g)
{
    if (c->by[i] == 0.0)
        return;
    const float *sum = c->sum + c->first[i] * c->dim, by = (float)c->by[i];
    for (int64_t l = 0; l < c->dim; ++l)
        g[l] -= by * sum[l];
    const int64_t own = own_key(c, i);
    for (int64_t l = 0; own >= 0 && l < c->dim; ++l)
        g[l] += by * p[own * c->dim + l];
}

/* Each key of a class is pulled by all rows of the class but itself. */
void hni_class_keys_pull_keys(hni_class_keys *c, const float *z, float *g)
{
    const hni_groups *groups = &c->groups;
    for (int64_t i = 0; i < groups->m; i += groups->size[i])
        memset(c->sum + i * c->dim, 0, (size_t)c->dim * sizeof *c->sum);
    for (int64_t i = 0; i < c->n; ++i) {
        if (c->by[i] == 0.0)
            continue;
        const int64_t own = own_key(c, i);
        const float *row = z + i * c->dim, by = (float)c->by[i];
        float *sum = c->sum + c->first[i] * c->dim;
        for (int64_t l = 0; l < c->dim; ++l)
            sum[l] += by * row[l];
        for (int64_t l = 0; own >= 0 && l < c->dim; ++l)
            g[own * c->dim + l] += by * row[l];
    }
    for (int64_t i = 0; i < groups->m; ++i) {
        const float *sum = c->sum + groups->first[i] * c->dim;
        float *to = g + groups->order[i] * c->dim;
        for (int64_t l = 0; l < c->dim; ++l)
            to[l] -= sum[l];
    }
}
