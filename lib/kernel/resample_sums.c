#include "kernel/resample_sums.h"

#include "base/isa.h"

#include <stddef.h>

/* AVX-512 has no variant of its own: a pixel of four rows is 16 bytes. */
const hni_resample_sums *hni_resample_sums_variant(int index)
{
#ifdef HNI_X86_VARIANTS
    if (index == 1 && hni_isa_count() > 1)
        return &hni_resample_sums_avx2;
#endif
    return index == 0 ? &hni_resample_sums_portable : NULL;
}

const hni_resample_sums *hni_resample_sums_best(void)
{
    const hni_resample_sums *avx2 = hni_resample_sums_variant(1);
    return avx2 != NULL ? avx2 : &hni_resample_sums_portable;
}
