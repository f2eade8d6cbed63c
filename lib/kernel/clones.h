/* clones.h -- marks a hot function: the compiler makes one variant per instruction set, the loader picks. */
#ifndef HNI_CLONES_H
#define HNI_CLONES_H

#ifdef HNI_TARGET_CLONES
#define HNI_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define HNI_CLONES
#endif

#endif
