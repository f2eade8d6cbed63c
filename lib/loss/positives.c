#include "loss/positives.h"

#include "loss/common.h"

size_t hni_positives_carve(hni_positives *p, char *base)
{
    hni_carver c = {base, 0};
    p->drawn = p->most < p->k ? p->most : 0;
    p->choice = hni_carve(&c, p->n, sizeof *p->choice);
    p->ranks = hni_carve(&c, p->n * p->drawn, sizeof *p->ranks);
    return c.used + hni_groups_carve(&p->groups, p->k, base == NULL ? NULL : base + c.used);
}

/* The place of a key in its class, `size` sorted keys from `first` on. */
static int32_t place(const hni_groups *g, int64_t first, int64_t size, int32_t key)
{
    int64_t low = 0, high = size - 1;
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if (g->order[first + middle] < key)
            low = middle + 1;
        else
            high = middle;
    }
    return (int32_t)low;
}

/* `take` of the candidates, each set of them as likely as any other: R. Floyd, in J. Bentley, "Programming pearls", CACM
 * 30(9), 1987.                                                                                                           */
static void draw(hn_rng *stream, int32_t candidates, int32_t take, int32_t *ranks)
{
    for (int32_t l = 0; l < take; ++l) {
        const int32_t last = candidates - take + l;
        int32_t rank = (int32_t)hn_rng_below(stream, (uint64_t)last + 1);
        for (int32_t b = 0; b < l; ++b)
            if (ranks[b] == rank) {
                rank = last;
                break;
            }
        ranks[l] = rank;
    }
}

/* Fills in the part of the class, whose keys begin at `first` among the sorted ones. */
static void choose_from(const hni_positives *p, hni_choice *c, int64_t i, int32_t self, int64_t first,
                        const hn_rng *rng)
{
    const int32_t left_out[2] = {self < c->own ? self : c->own, self < c->own ? c->own : self};
    int32_t skips = 0;
    for (int l = 0; l < 2; ++l)
        if (left_out[l] >= 0 && p->key_labels[left_out[l]] == p->labels[i])
            c->skip[skips++] = place(&p->groups, first, p->groups.size[first], left_out[l]);
    const int32_t candidates = p->groups.size[first] - skips;
    c->first = (int32_t)first;
    c->taken = p->drawn > 0 && p->drawn < candidates ? (int32_t)p->drawn : candidates;
    if (p->drawn > 0) {
        hn_rng stream;
        hn_rng_derive(&stream, rng, "k_positive", (uint64_t)i);
        draw(&stream, candidates, c->taken, p->ranks + i * p->drawn);
    }
}

int64_t hni_positives_choose(hni_positives *p, const hn_rng *rng)
{
    int64_t counted = 0;
    hni_groups_sort(&p->groups, p->key_labels, p->k);
    for (int64_t i = 0; i < p->n; ++i) {
        const int32_t y = p->labels[i];
        hni_choice c = {.own = -1, .target = -1, .skip = {INT32_MAX, INT32_MAX}};
        if (y >= 0) {
            const int64_t first = hni_groups_find(&p->groups, y);
            if (p->own_key != NULL && p->own_key[i] >= 0)
                c.own = p->own_key[i];
            if (p->class_target != NULL && p->class_target[y] >= 0)
                c.target = (int32_t)(p->k + p->class_target[y]);
            if (first >= 0)
                choose_from(p, &c, i, p->self == NULL || p->self[i] < 0 ? -1 : p->self[i], first, rng);
            c.count = c.taken + (c.own >= 0) + (c.target >= 0);
        }
        p->choice[i] = c;
        counted += c.count > 0;
    }
    return counted;
}

int64_t hni_positives_key(const hni_positives *p, int64_t i, int64_t l)
{
    const hni_choice *c = &p->choice[i];
    if (l < c->taken) {
        int64_t rank = p->drawn > 0 ? p->ranks[i * p->drawn + l] : l;
        rank += rank >= c->skip[0];
        rank += rank >= c->skip[1];
        return p->groups.order[c->first + rank];
    }
    return l == c->taken && c->own >= 0 ? c->own : c->target;
}
