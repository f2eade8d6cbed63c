/* One image of a batch: draw what happens to each view, decode no more than that needs, render the views. */
#include "data/loader.h"

#include "base/context.h"
#include "base/error.h"
#include "base/memory.h"
#include "data/dataset.h"

static const char function[] = "hn_loader_next";

static bool one_shape(const hn_loader *l)
{
    return l->shape.height > 0;
}

static size_t image_bytes(const hn_loader *l)
{
    return (size_t)l->shape.height * (size_t)l->shape.width * (size_t)l->shape.channels;
}

/* ---- memory --------------------------------------------------------------------------------------------------------- */

/* Room for what the views of an image of this full size need. */
static hn_status reserve(const hn_loader *l, hni_maker *m, int32_t height, int32_t width, int32_t channels)
{
    size_t need = hni_augment_scratch(&l->augment[0], height, width, channels);
    size_t later = hni_augment_scratch(&l->augment[1], height, width, channels);
    need = later > need ? later : need;
    if (need <= m->scratch_bytes)
        return HN_OK;
    need += one_shape(l) ? 0 : need / 2; /* so that growing ends soon */
    void *scratch = hni_alloc(l->context, need);
    if (scratch == NULL)
        return hni_no_memory(function, need);
    hni_release(l->context, m->scratch, m->scratch_bytes);
    m->scratch = scratch;
    m->scratch_bytes = need;
    return HN_OK;
}

hn_status hni_maker_init(hni_maker *m, const hn_loader *l)
{
    *m = (hni_maker){.pixels = NULL};
    hni_image_init(&m->image, l->context);
    m->image.function = function;
    if (!one_shape(l))
        return HN_OK;
    m->pixels = hni_alloc(l->context, image_bytes(l));
    if (m->pixels == NULL)
        return hni_no_memory("hn_loader_create", image_bytes(l));
    return reserve(l, m, l->shape.height, l->shape.width, l->shape.channels);
}

void hni_maker_release(hni_maker *m, const hn_loader *l)
{
    hni_image_release(&m->image);
    hni_release(l->context, m->pixels, image_bytes(l));
    hni_release(l->context, m->scratch, m->scratch_bytes);
}

/* ---- one image ------------------------------------------------------------------------------------------------------ */

static const hni_augment *augment_of(const hn_loader *l, int32_t view)
{
    return &l->augment[view > 0];
}

static void draw_views(const hn_loader *l, int32_t height, int32_t width, int32_t channels, const hn_rng *position,
                       hni_choice *choice)
{
    hn_rng view;
    for (int32_t v = 0; v < l->options.views; ++v) {
        hn_rng_derive(&view, position, "view", (uint64_t)v);
        hni_augment_draw(augment_of(l, v), height, width, channels, &view, &choice[v]);
    }
}

static hn_status read_pixels(const hn_loader *l, hni_maker *m, int64_t index, const hn_rng *position,
                             hni_choice *choice, hni_picture *picture)
{
    HNI_TRY(hn_dataset_read(l->dataset, index, m->pixels));
    draw_views(l, l->shape.height, l->shape.width, l->shape.channels, position, choice);
    *picture = (hni_picture){m->pixels, l->shape.height, l->shape.width, l->shape.channels, 1};
    return HN_OK;
}

/* What all views read. */
static hni_part part_of(const hn_loader *l, const hni_choice *choice, const hni_image *image)
{
    hni_part all = {image->full_height, image->full_width, 0, 0};
    for (int32_t v = 0; v < l->options.views; ++v) {
        const hni_part p = hni_augment_part(augment_of(l, v), &choice[v], image->full_height, image->full_width);
        all.top = p.top < all.top ? p.top : all.top;
        all.left = p.left < all.left ? p.left : all.left;
        all.bottom = p.bottom > all.bottom ? p.bottom : all.bottom;
        all.right = p.right > all.right ? p.right : all.right;
    }
    return all;
}

/* One decoding serves all views: shrunk as far as the smallest crop allows, and no more than they read. */
static hn_status decode_file(const hn_loader *l, hni_maker *m, int64_t index, const hn_rng *position,
                             hni_choice *choice, hni_picture *picture)
{
    hni_image *image = &m->image;
    int32_t shrink = l->options.full_decode != 0 ? 1 : 8;
    HNI_TRY(hni_dataset_load(l->dataset, index, image));
    draw_views(l, image->full_height, image->full_width, l->shape.channels, position, choice);
    for (int32_t v = 0; v < l->options.views && shrink > 1; ++v) {
        int32_t most = hni_augment_shrink(augment_of(l, v), &choice[v]);
        shrink = most < shrink ? most : shrink;
    }
    const hni_part part = part_of(l, choice, image);
    HNI_TRY(hni_image_decode_part(image, shrink, &part));
    if (image->height == image->full_height && image->width == image->full_width)
        shrink = 1; /* a format that has no other sizes */
    HNI_TRY(reserve(l, m, image->full_height, image->full_width, l->shape.channels));
    *picture = (hni_picture){image->pixels, image->height, image->width, l->shape.channels, shrink};
    return HN_OK;
}

/* The next image with the same label, from the last on to the first; the same one if there is no other. */
static int64_t successor(const hn_loader *l, int64_t index)
{
    const int32_t *labels = hn_dataset_labels(l->dataset);
    int64_t count = hn_dataset_count(l->dataset), next = index;
    do
        next = next + 1 < count ? next + 1 : 0;
    while (labels[next] != labels[index]);
    return next;
}

/* Whether reading failed by the image, such as a bit of its header that stands for a JPEG of 12 bits, and not by what this
 * build or a caller's dataset cannot do.                                                                               */
static bool is_corrupt(const hn_loader *l, const hni_maker *m, hn_status status)
{
    if (status == HN_E_UNSUPPORTED)
        return !one_shape(l) && !m->image.unbuilt;
    return status == HN_E_FORMAT || status == HN_E_IO;
}

/* Reads image s->index[i], or what stands in for it: then that is in s->index[i]. */
static hn_status read_image(hn_loader *l, hni_maker *m, hni_slot *s, int64_t i, const hn_rng *position,
                            hni_choice *choice, hni_picture *picture)
{
    for (const int64_t first = s->index[i];;) {
        const hn_status status = one_shape(l) ? read_pixels(l, m, s->index[i], position, choice, picture)
                                              : decode_file(l, m, s->index[i], position, choice, picture);
        if (status == HN_OK && s->index[i] != first)
            atomic_fetch_add_explicit(&s->skipped, 1, memory_order_relaxed);
        if (l->options.on_corrupt != HN_LOADER_SKIP || !is_corrupt(l, m, status))
            return status;
        const int64_t next = successor(l, s->index[i]);
        if (next == first) /* none of the class can be read */
            return status;
        hni_log(l->context, HN_LOG_WARNING, "skipped: %s", hn_last_error());
        s->index[i] = next;
    }
}

hn_status hni_loader_make(hn_loader *l, hni_maker *m, hni_slot *s, int64_t i)
{
    int64_t row = (int64_t)l->output.height * l->output.width * l->output.channels;
    hni_choice choice[HNI_LOADER_MAX_VIEWS];
    hni_picture picture;
    hn_rng epoch, position;
    hn_rng_derive(&epoch, &l->root, "epoch", (uint64_t)s->epoch);
    hn_rng_derive(&position, &epoch, "position", (uint64_t)(s->first + i));
    HNI_TRY(read_image(l, m, s, i, &position, choice, &picture));
    for (int32_t v = 0; v < l->options.views; ++v) {
        hni_augment_render(augment_of(l, v), &choice[v], &picture, m->scratch, s->memory + (v * s->n + i) * row);
        s->labels[v * s->n + i] = hn_dataset_labels(l->dataset)[s->index[i]];
    }
    return HN_OK;
}
