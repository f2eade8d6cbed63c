/* isa.h -- the instruction sets that kernels are compiled for: portable, avx2, avx512; each can do what those before it
 * can. And what this CPU does with bf16.                                                                              */
#ifndef HNI_ISA_H
#define HNI_ISA_H

#include <stdbool.h>
#ifdef HNI_X86_VARIANTS
#include <cpuid.h>
#endif

/* The tables NAME_portable, NAME_avx2 ... of this build, as an initialiser. */
#ifdef HNI_X86_VARIANTS
#define HNI_ISA_TABLES(name) &name##_portable, &name##_avx2, &name##_avx512
#else
#define HNI_ISA_TABLES(name) &name##_portable
#endif

/* How many of them this CPU can run. */
static inline int hni_isa_count(void)
{
#ifdef HNI_X86_VARIANTS
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
        return 1;
    return __builtin_cpu_supports("avx512f") ? 3 : 2;
#else
    return 1;
#endif
}

/* Whether it multiplies bf16, in vectors. */
static inline bool hni_isa_has_bf16(void)
{
#ifdef HNI_X86_VARIANTS
    return __builtin_cpu_supports("avx512bf16") != 0;
#else
    return false;
#endif
}

/* Whether it multiplies matrices of bf16 (AMX), which is several times as fast. */
static inline bool hni_isa_has_bf16_matrices(void)
{
#ifdef HNI_X86_VARIANTS
    enum { AMX_BF16 = 1 << 22 };
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & AMX_BF16) != 0;
#else
    return false;
#endif
}

#endif
