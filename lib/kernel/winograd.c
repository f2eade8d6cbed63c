#include "kernel/winograd.h"

#include "base/isa.h"

#include <stddef.h>

const hni_winograd *hni_winograd_variant(int index)
{
    static const hni_winograd *const tables[] = {HNI_ISA_TABLES(hni_winograd)};
    return index >= 0 && index < hni_isa_count() ? tables[index] : NULL;
}

const hni_winograd *hni_winograd_best(void)
{
    return hni_winograd_variant(hni_isa_count() - 1);
}
