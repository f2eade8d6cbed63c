/* clones.h -- how a hot function is compiled. */
#ifndef HNI_CLONES_H
#define HNI_CLONES_H

/* One variant per instruction set, of which the loader picks. On static functions only: a variant is reached through an
 * ifunc, whose resolver some compilers would export. What another file calls is a plain function around it.             */
#ifdef HNI_TARGET_CLONES
#define HNI_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define HNI_CLONES
#endif

/* Part of its callers, whose constant arguments then leave one branch of many. */
#define HNI_INLINE static inline __attribute__((always_inline))

#endif
