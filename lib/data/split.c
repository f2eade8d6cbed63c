#include <hybridnet/split.h>

#include "base/error.h"
#include "base/memory.h"
#include "data/by_class.h"
#include "data/dataset.h"

#include <hybridnet/rng.h>

#include <math.h>

/* Images of a class of n that go to the part. */
static int64_t share_of(int64_t n, double share)
{
    int64_t part = (int64_t)floor((double)n * share + 0.5);
    if (part < 1)
        part = 1;
    return part < n ? part : n - 1;
}

/* Shuffles each class and sends the first of it to the part: in[i] is 1 for those images. Returns how many. */
static int64_t draw(const hn_dataset *base, double share, uint64_t seed, int64_t *index, const int64_t *begin,
                    uint8_t *in)
{
    hn_rng root, rng;
    int64_t total = 0;
    hn_rng_seed(&root, seed, 0);
    for (int64_t i = 0; i < base->count; ++i)
        in[i] = 0;
    for (int32_t c = 0; c < base->classes; ++c) {
        const int64_t have = begin[c + 1] - begin[c], part = have < 2 ? 0 : share_of(have, share);
        hn_rng_derive(&rng, &root, "split", (uint64_t)c);
        hn_rng_shuffle(&rng, index + begin[c], (size_t)have);
        for (int64_t i = 0; i < part; ++i)
            in[index[begin[c] + i]] = 1;
        total += part;
    }
    return total;
}

/* The images of one side, in the order of base. */
static hn_status take(hn_dataset **out, hn_dataset *base, const uint8_t *in, uint8_t side, int64_t *index)
{
    int64_t n = 0;
    for (int64_t i = 0; i < base->count; ++i)
        if (in[i] == side)
            index[n++] = i;
    return hn_dataset_create_subset(out, base, index, n);
}

static hn_status split(hn_dataset **rest, hn_dataset **part, hn_dataset *base, double share, uint64_t seed,
                       int64_t *index, int64_t *begin, uint8_t *in)
{
    hn_dataset *small, *large;
    hni_group_by_class(base, index, begin);
    HNI_FAIL_IF(draw(base, share, seed, index, begin, in) == 0, HN_E_ARG,
                "hn_dataset_split: no class has two images, so none can be spared");
    HNI_TRY(take(&small, base, in, 1, index));
    hn_status status = take(&large, base, in, 0, index);
    if (status < 0) {
        hn_dataset_release(small);
        return status;
    }
    *rest = large;
    *part = small;
    return HN_OK;
}

hn_status hn_dataset_split(hn_dataset **rest, hn_dataset **part, hn_dataset *base, double share, uint64_t seed)
{
    static const char function[] = "hn_dataset_split";
    HNI_FAIL_IF(rest == NULL || part == NULL || base == NULL, HN_E_ARG, "%s: %s is NULL", function,
                rest == NULL   ? "rest"
                : part == NULL ? "part"
                               : "base");
    HNI_FAIL_IF(!(share > 0.0 && share < 1.0), HN_E_ARG, "%s: share is %g; it must be above 0 and below 1", function,
                share);
    const size_t index_bytes = (size_t)base->count * sizeof(int64_t);
    const size_t begin_bytes = ((size_t)base->classes + 1) * sizeof(int64_t);
    hn_context *context = base->context;
    int64_t *index = hni_alloc(context, index_bytes), *begin = hni_alloc(context, begin_bytes);
    uint8_t *in = hni_alloc(context, (size_t)base->count);
    hn_status status = index == NULL || begin == NULL || in == NULL
                           ? hni_no_memory(function, index_bytes)
                           : split(rest, part, base, share, seed, index, begin, in);
    hni_release(context, in, (size_t)base->count);
    hni_release(context, begin, begin_bytes);
    hni_release(context, index, index_bytes);
    return status;
}
