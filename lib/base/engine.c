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
