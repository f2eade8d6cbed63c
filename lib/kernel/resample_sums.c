#include "kernel/resample_sums.h"

#include "base/isa.h"

#include <stddef.h>

static const hni_resample_sums *const tables[] = {
    &hni_resample_sums_portable,
#ifdef HNI_X86_VARIANTS
    &hni_resample_sums_avx2,
#endif
};

enum { ALL = sizeof tables / sizeof tables[0] };

static int count(void)
{
    return hni_isa_count() < ALL ? hni_isa_count() : ALL; /* CPUs beyond AVX2 take that */
}

const hni_resample_sums *hni_resample_sums_variant(int index)
{
    return index >= 0 && index < count() ? tables[index] : NULL;
}

const hni_resample_sums *hni_resample_sums_best(void)
{
    return hni_resample_sums_variant(count() - 1);
}
