#include "kernel/norm.h"

#include "base/isa.h"

const hni_norm_table *hni_norm_variant(int index)
{
    static const hni_norm_table *const tables[] = {HNI_ISA_TABLES(hni_norm)};
    return index >= 0 && index < hni_isa_count() ? tables[index] : NULL;
}

const hni_norm_table *hni_norm_best(void)
{
    return hni_norm_variant(hni_isa_count() - 1);
}
