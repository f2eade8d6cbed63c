/* winograd_variants.h -- the tables of winograd.h by name; those for x86 exist where HNI_X86_VARIANTS is defined. */
#ifndef HNI_WINOGRAD_VARIANTS_H
#define HNI_WINOGRAD_VARIANTS_H

#include "kernel/winograd.h"

extern const hni_winograd hni_winograd_portable, hni_winograd_avx2, hni_winograd_avx512;

#endif
