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

const hni_conv_engine *hni_conv_engine_for(const hni_conv *g)
{
    (void)g;
    return &hni_conv_cblas;
}
