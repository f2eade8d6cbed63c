/* isa.h -- the instruction sets that kernels are compiled for: portable, avx2, avx512; each can do what those before it
 * can.                                                                                                                */
#ifndef HNI_ISA_H
#define HNI_ISA_H

/* The tables NAME_portable, NAME_avx2 ... of this build, as an initialiser. */
#ifdef HNI_X86_VARIANTS
#define HNI_ISA_TABLES(name)                           \
    {                                                  \
        &name##_portable, &name##_avx2, &name##_avx512 \
    }
#else
#define HNI_ISA_TABLES(name) \
    {                        \
        &name##_portable     \
    }
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

#endif
