/* engine.h -- engines: who computes the convolutions of a context's layers. Results agree to rounding errors, bits do not.
 * An engine is chosen when a context is created (context.h). Any thread may call these functions.                         */
#ifndef HYBRIDNET_ENGINE_H
#define HYBRIDNET_ENGINE_H

#include <hybridnet/types.h>

enum {
    HN_ENGINE_AUTO = 0,   /* for each convolution whoever is the fastest in bench/README.md. 3x3 with stride 1: direct's own
                             kernels, in f32 with 8 channels or more on both sides whose product is at most 131,072, in
                             bf16 up to 64 channels on CPUs with AVX512-BF16 and no AMX. Else onednn if it is there; else
                             direct                                                                                    */
    HN_ENGINE_CBLAS = 1,  /* column matrices and BLAS; every convolution of f32, everywhere                            */
    HN_ENGINE_DIRECT = 2, /* kernels of this library's own. f32: 3x3 with stride 1 and padding up to 2 by Winograd's minimal
                             filtering (Lavin and Gray 2016, F(2x2, 3x3)), for AVX-512, AVX2 and any CPU; the others as
                             CBLAS. bf16: every convolution, products two at a time, for AVX512-BF16, AVX-512, AVX2 and
                             any CPU                                                                                   */
    HN_ENGINE_ONEDNN = 3  /* oneDNN 2.6 or a later 2.x, where it was found when the library was built; f32 and, where the
                             CPU multiplies it, bf16; sides and channels up to 65536, an image of up to 2^31 - 1 values.
                             It keeps memory of its own beside the context's allocator, and compiled code until the
                             process ends, within oneDNN's limit (DNNL_PRIMITIVE_CACHE_CAPACITY, 1024 pieces)         */
};

HN_BEGIN_DECLS

/* "auto", "cblas", "direct", "onednn"; NULL for an engine that does not exist. Static storage. */
HN_API const char *hn_engine_name(int32_t engine);

/* 1 if this build has the engine, else 0; 0 also for an engine that does not exist. */
HN_API int32_t hn_engine_available(int32_t engine);

/* 1 if the engine computes convolutions of arrays of this element type, HN_F32 or HN_BF16, in this build and on this
 * CPU, else 0. bf16: HN_ENGINE_AUTO and HN_ENGINE_DIRECT everywhere, though only a CPU that multiplies it (AVX512-BF16)
 * gains by it; HN_ENGINE_ONEDNN on such a CPU.                                                                         */
HN_API int32_t hn_engine_supports(int32_t engine, int32_t dtype);

HN_END_DECLS
#endif
