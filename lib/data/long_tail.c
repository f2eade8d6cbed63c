#include <hybridnet/long_tail.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/options.h"
#include "data/by_class.h"
#include "data/dataset.h"
#include "data/mt19937.h"

#include <hybridnet/rng.h>

#include <inttypes.h>
#include <math.h>

static const hn_long_tail_options defaults = {.struct_size = sizeof defaults, .ratio = 100};

void hn_long_tail_options_init(hn_long_tail_options *options, size_t struct_size)
{
    hni_options_init(options, struct_size, &defaults, sizeof defaults);
}

static hn_status read_options(hn_long_tail_options *o, const hn_long_tail_options *options, const char *function)
{
    *o = defaults;
    HNI_TRY(hni_options_read(o, sizeof *o, options, function));
    HNI_FAIL_IF(o->profile != HN_PROFILE_EXP && o->profile != HN_PROFILE_STEP, HN_E_ARG,
                "%s: profile %d does not exist", function, (int)o->profile);
    HNI_FAIL_IF(o->subset != HN_SUBSET_OWN && o->subset != HN_SUBSET_NUMPY_LEGACY, HN_E_ARG,
                "%s: subset %d does not exist", function, (int)o->subset);
    HNI_FAIL_IF(!(o->ratio >= 1) || !isfinite(o->ratio), HN_E_ARG, "%s: ratio is %g; it must be finite and at least 1",
                function, o->ratio);
    HNI_FAIL_IF(o->subset == HN_SUBSET_NUMPY_LEGACY && o->seed > UINT32_MAX, HN_E_ARG,
                "%s: seed is %" PRIu64 "; NumPy's legacy generator takes at most 2^32 - 1", function, o->seed);
    return HN_OK;
}

/* Images of class c, in the doubles and the order of operations of LDAM's Python: int() cuts at exact integers, where
 * another order would give one image more or less. n_max may be a fraction there.                                      */
static int64_t class_count(const hn_long_tail_options *o, double n_max, int32_t classes, int32_t c)
{
    double factor = 1.0 / o->ratio;
    if (o->profile == HN_PROFILE_STEP)
        return (int64_t)(c < classes / 2 || classes == 1 ? n_max : n_max * factor);
    return (int64_t)(classes == 1 ? n_max : n_max * pow(factor, (double)c / (classes - 1.0)));
}

hn_status hn_long_tail_counts(const hn_long_tail_options *options, int64_t n_max, int32_t classes, int64_t *counts)
{
    static const char function[] = "hn_long_tail_counts";
    hn_long_tail_options o;
    HNI_FAIL_IF(counts == NULL, HN_E_ARG, "%s: counts is NULL", function);
    HNI_TRY(read_options(&o, options, function));
    HNI_FAIL_IF(n_max < 1 || n_max > (int64_t)1 << 53, HN_E_ARG, "%s: n_max is %" PRId64 "; it must be in [1, 2^53]",
                function, n_max);
    HNI_FAIL_IF(classes < 1, HN_E_ARG, "%s: classes is %d; it must be positive", function, (int)classes);
    for (int32_t c = 0; c < classes; ++c)
        counts[c] = class_count(&o, (double)n_max, classes, c);
    return HN_OK;
}

/* Shuffles every class and moves the chosen images together at the front of index; *n of them. */
static hn_status choose(const hn_dataset *base, const hn_long_tail_options *o, const char *function, int64_t *index,
                        const int64_t *begin, int64_t *n)
{
    double n_max = (double)base->count / base->classes;
    hni_mt19937 mt;
    hn_rng root, rng;
    hni_mt19937_seed(&mt, (uint32_t)o->seed);
    hn_rng_seed(&root, o->seed, 0);
    *n = 0;
    for (int32_t c = 0; c < base->classes; ++c) {
        int64_t *images = index + begin[c], have = begin[c + 1] - begin[c];
        int64_t want = class_count(o, n_max, base->classes, c);
        HNI_FAIL_IF(want > have, HN_E_ARG, "%s: class %d has %" PRId64 " images; the profile wants %" PRId64, function,
                    (int)c, have, want);
        if (o->subset == HN_SUBSET_NUMPY_LEGACY) {
            hni_mt19937_shuffle(&mt, images, (size_t)have);
        } else {
            hn_rng_derive(&rng, &root, "long tail", (uint64_t)c);
            hn_rng_shuffle(&rng, images, (size_t)have);
        }
        for (int64_t i = 0; i < want; ++i)
            index[(*n)++] = images[i];
    }
    HNI_FAIL_IF(*n == 0, HN_E_ARG, "%s: %" PRId64 " images of %d classes leave none", function, base->count,
                (int)base->classes);
    return HN_OK;
}

hn_status hn_dataset_create_long_tail(hn_dataset **out, hn_dataset *base, const hn_long_tail_options *options)
{
    static const char function[] = "hn_dataset_create_long_tail";
    hn_long_tail_options o;
    HNI_FAIL_IF(out == NULL || base == NULL, HN_E_ARG, "%s: %s is NULL", function, out == NULL ? "out" : "base");
    HNI_TRY(read_options(&o, options, function));
    hn_context *context = base->context;
    size_t index_bytes = (size_t)base->count * sizeof(int64_t);
    size_t begin_bytes = ((size_t)base->classes + 1) * sizeof(int64_t);
    int64_t *index = hni_alloc(context, index_bytes), *begin = hni_alloc(context, begin_bytes), n;
    hn_status status = HN_OK;
    if (index == NULL || begin == NULL) {
        status = hni_no_memory(function, index_bytes);
    } else {
        hni_group_by_class(base, index, begin);
        status = choose(base, &o, function, index, begin, &n);
        if (status == HN_OK)
            status = hn_dataset_create_subset(out, base, index, n);
    }
    hni_release(context, begin, begin_bytes);
    hni_release(context, index, index_bytes);
    return status;
}
