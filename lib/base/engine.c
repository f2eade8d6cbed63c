#include <hybridnet/engine.h>

#include "base/isa.h"

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

/* By CBLAS there is no bf16, and oneDNN would imitate what the CPU lacks, slowly. */
int32_t hn_engine_supports(int32_t engine, int32_t dtype)
{
    if (!hn_engine_available(engine))
        return 0;
    if (dtype == HN_BF16)
        return engine == HN_ENGINE_AUTO || engine == HN_ENGINE_DIRECT ||
               (engine == HN_ENGINE_ONEDNN && hni_isa_has_bf16());
    return dtype == HN_F32;
}
