#include "kernel/conv.h"

#include "base/integer.h"
#include "base/parallel.h"

enum { PART_IMAGES = 8, PARTS = HNI_CONV_FEW_PARTS, MIN_CHUNKS = 8 };

bool hni_conv_fit(hni_conv *g)
{
    int64_t rows = g->height + 2 * g->padding - g->kernel_height, cols = g->width + 2 * g->padding - g->kernel_width;
    if (rows < 0 || cols < 0)
        return false;
    g->out_height = rows / g->stride + 1;
    g->out_width = cols / g->stride + 1;
    return true;
}

hni_conv hni_conv_reversed(const hni_conv *g)
{
    return (hni_conv){.images = g->images,
                      .height = g->out_height,
                      .width = g->out_width,
                      .in = g->out,
                      .out_height = g->height,
                      .out_width = g->width,
                      .out = g->in,
                      .kernel_height = g->kernel_height,
                      .kernel_width = g->kernel_width,
                      .stride = 1,
                      .padding = g->kernel_height - 1 - g->padding,
                      .dtype = g->dtype};
}

int64_t hni_conv_chunks(size_t bytes, size_t affordable)
{
    return hni_max(MIN_CHUNKS, hni_min(HNI_CONV_MAX_CHUNKS, (int64_t)(affordable / bytes)));
}

/* ---- parts ------------------------------------------------------------------------------------------------------- */

/* Fewer images a part where there would not be work for PARTS threads. */
int64_t hni_conv_part_images(const hni_conv *g)
{
    return hni_max(1, hni_min(PART_IMAGES, g->images / PARTS));
}

int64_t hni_conv_part_count(const hni_conv *g)
{
    const int64_t images = hni_conv_part_images(g);
    return (g->images + images - 1) / images;
}

void hni_conv_part(const hni_conv *g, int64_t part, int64_t *first, int64_t *end)
{
    const int64_t images = hni_conv_part_images(g);
    *first = part * images;
    *end = hni_min(*first + images, g->images);
}

/* 31 images are 31 parts, 32 are 16. */
int64_t hni_conv_part_bound(const hni_conv *g)
{
    return hni_max(hni_min(g->images, 2 * PARTS - 1), (g->images + PART_IMAGES - 1) / PART_IMAGES);
}

int64_t hni_conv_piece_bound(const hni_conv *g, int64_t pixels, int64_t block)
{
    const int64_t images = hni_min(g->images, HNI_CONV_FEW_PARTS - 1);
    return hni_max(hni_conv_part_bound(g), (images * pixels + block - 1) / block);
}

void hni_conv_visit_part(const hni_conv *g, const hni_conv_visit *visit, int64_t part, int32_t thread)
{
    const int64_t pixels = g->out_height * g->out_width;
    int64_t first, end;
    hni_conv_part(g, part, &first, &end);
    if (visit != NULL)
        visit->rows(visit->arg, part, first * pixels, (end - first) * pixels, thread);
}

typedef struct job {
    const hni_conv *g;
    const hni_conv_visit *visit;
} job;

static void visit_task(void *arg, int64_t part, int32_t thread)
{
    const job *j = arg;
    hni_conv_visit_part(j->g, j->visit, part, thread);
}

void hni_conv_visit_all(int32_t num_threads, const hni_conv *g, const hni_conv_visit *visit)
{
    job j = {g, visit};
    if (visit != NULL)
        hni_parallel(num_threads, hni_conv_part_count(g), visit_task, &j);
}

/* ---- engines ----------------------------------------------------------------------------------------------------- */

#ifdef HNI_HAVE_ONEDNN
#define ONEDNN &hni_conv_onednn
#else
#define ONEDNN NULL
#endif

const hni_conv_engine *hni_conv_engine_at(int index)
{
    static const hni_conv_engine *const engines[] = {&hni_conv_cblas, &hni_conv_winograd, &hni_conv_paired, ONEDNN};
    return index >= 0 && index < (int)(sizeof engines / sizeof engines[0]) ? engines[index] : NULL;
}

const hni_conv_engine *hni_conv_engine_for(const hn_context *context, const hni_conv *g)
{
    enum { CHOICES = 4 };
    static const hni_conv_engine *const asked[][CHOICES] = {
        [HN_ENGINE_AUTO] = {ONEDNN, &hni_conv_winograd, &hni_conv_paired, &hni_conv_cblas},
        [HN_ENGINE_CBLAS] = {&hni_conv_cblas},
        [HN_ENGINE_DIRECT] = {&hni_conv_winograd, &hni_conv_paired, &hni_conv_cblas},
        [HN_ENGINE_ONEDNN] = {ONEDNN},
    };
    const int32_t engine = hn_context_engine(context);
    if (engine == HN_ENGINE_AUTO && hni_conv_paired_leads(context, g))
        return &hni_conv_paired;
    if (engine == HN_ENGINE_AUTO && hni_conv_winograd_leads(g))
        return &hni_conv_winograd;
    for (int i = 0; i < CHOICES; ++i)
        if (asked[engine][i] != NULL && asked[engine][i]->takes(g))
            return asked[engine][i];
    return NULL;
}
