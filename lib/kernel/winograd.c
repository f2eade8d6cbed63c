#include "kernel/winograd.h"

#include "kernel/winograd_variants.h"

#include <stddef.h>

const hni_winograd *hni_winograd_variant(int index)
{
    const hni_winograd *found[4] = {&hni_winograd_portable};
#ifdef HNI_X86_VARIANTS
    int n = 1;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        found[n++] = &hni_winograd_avx2;
    if (__builtin_cpu_supports("avx512f"))
        found[n++] = &hni_winograd_avx512;
#endif
    return index >= 0 && index < 4 ? found[index] : NULL;
}

const hni_winograd *hni_winograd_best(void)
{
    int last = 0;
    while (hni_winograd_variant(last + 1) != NULL)
        ++last;
    return hni_winograd_variant(last);
}
