#include <hybridnet/engine.h>

#include <stddef.h>

const char *hn_engine_name(int32_t engine)
{
    static const char *const names[] = {"auto", "cblas", "direct", "onednn"};
    return engine >= HN_ENGINE_AUTO && engine <= HN_ENGINE_ONEDNN ? names[engine] : NULL;
}

int32_t hn_engine_available(int32_t engine)
{
#ifdef HNI_HAVE_ONEDNN
    return hn_engine_name(engine) != NULL;
#else
    return hn_engine_name(engine) != NULL && engine != HN_ENGINE_ONEDNN;
#endif
}

/* Whether it multiplies bf16. */
static int32_t cpu_has_bf16(void)
{
#ifdef HNI_X86_VARIANTS
    return __builtin_cpu_supports("avx512bf16") != 0;
#else
    return 0;
#endif
}

int32_t hn_engine_supports(int32_t engine, int32_t dtype)
{
    if (!hn_engine_available(engine))
        return 0;
    if (dtype == HN_BF16)
        return (engine == HN_ENGINE_AUTO || engine == HN_ENGINE_ONEDNN) && hn_engine_available(HN_ENGINE_ONEDNN) &&
               cpu_has_bf16();
    return dtype == HN_F32;
}
