#include "kernel/conv.h"

bool hni_conv_fit(hni_conv *g)
{
    int64_t rows = g->height + 2 * g->padding - g->kernel_height, cols = g->width + 2 * g->padding - g->kernel_width;
    if (rows < 0 || cols < 0)
        return false;
    g->out_height = rows / g->stride + 1;
    g->out_width = cols / g->stride + 1;
    return true;
}

const hni_conv_engine *hni_conv_engine_at(int index)
{
    static const hni_conv_engine *const engines[] = {
        &hni_conv_cblas,
        &hni_conv_direct,
#ifdef HNI_HAVE_ONEDNN
        &hni_conv_onednn,
#endif
    };
    return index >= 0 && index < (int)(sizeof engines / sizeof engines[0]) ? engines[index] : NULL;
}

const hni_conv_engine *hni_conv_engine_for(const hn_context *context, const hni_conv *g)
{
    const int32_t engine = hn_context_engine(context);
#ifdef HNI_HAVE_ONEDNN
    if (engine == HN_ENGINE_ONEDNN)
        return &hni_conv_onednn;
#endif
    return engine != HN_ENGINE_CBLAS && hni_conv_direct.takes(g) ? &hni_conv_direct : &hni_conv_cblas;
}
