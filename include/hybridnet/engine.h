/* engine.h -- engines: who computes the convolutions of a context's layers. Results agree to rounding errors, bits do not.
 * An engine is chosen when a context is created (context.h). Any thread may call these functions.                         */
#ifndef HYBRIDNET_ENGINE_H
#define HYBRIDNET_ENGINE_H

#include <hybridnet/types.h>

enum {
    HN_ENGINE_AUTO = 0,   /* for each convolution the first that can compute it and is there: direct's own kernels,
                             onednn, cblas. The fastest ResNet-32 step in bench/README.md                            */
    HN_ENGINE_CBLAS = 1,  /* column matrices and BLAS; every convolution, everywhere                                 */
    HN_ENGINE_DIRECT = 2, /* kernels of this library's own: 3x3 with stride 1 by Winograd's minimal filtering
                             (Lavin and Gray 2016, F(2x2, 3x3)), for AVX-512, AVX2 and any CPU; the others as CBLAS   */
    HN_ENGINE_ONEDNN = 3  /* oneDNN 2.6 or a later 2.x, where it was found when the library was built; f32 and bf16. It
                             keeps memory of its own beside the context's allocator                                  */
};

HN_BEGIN_DECLS

/* "auto", "cblas", "direct", "onednn"; NULL for an engine that does not exist. Static storage. */
HN_API const char *hn_engine_name(int32_t engine);

/* 1 if this build has the engine, else 0; 0 also for an engine that does not exist. */
HN_API int32_t hn_engine_available(int32_t engine);

/* 1 if the engine computes convolutions of arrays of this element type, HN_F32 or HN_BF16, in this build and on this
 * CPU, else 0. bf16 takes HN_ENGINE_ONEDNN or HN_ENGINE_AUTO, and a CPU that multiplies it (AVX512-BF16).              */
HN_API int32_t hn_engine_supports(int32_t engine, int32_t dtype);

HN_END_DECLS
#endif
