#include "kernel/paired.h"

#include "base/isa.h"

#include <stddef.h>

static const hni_paired *const tables[] = {
    HNI_ISA_TABLES(hni_paired),
#ifdef HNI_X86_VARIANTS
    &hni_paired_avx512bf16,
#endif
};

static int count(void)
{
    return hni_isa_count() + hni_isa_has_bf16();
}

const hni_paired *hni_paired_variant(int index)
{
    return index >= 0 && index < count() ? tables[index] : NULL;
}

const hni_paired *hni_paired_best(void)
{
    return tables[count() - 1];
}
