/* conv.h -- two-dimensional convolution of channels-last images: the geometry and what an engine is. */
#ifndef HNI_CONV_H
#define HNI_CONV_H

#include <hybridnet/context.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* x: images x height x width x in; y: images x out_height x out_width x out; w: out x in x kernel_height x kernel_width
 * (PyTorch's order). y(oy, ox) = sum over ky, kx of w(ky, kx) x(oy stride - padding + ky, ox stride - padding + kx);
 * x is zero outside the image.                                                                                       */
typedef struct hni_conv {
    int64_t images, height, width, in;
    int64_t out_height, out_width, out;
    int64_t kernel_height, kernel_width, stride, padding;
    int32_t dtype; /* of x, y and their gradients: HN_BF16, else f32; w and its gradient are f32 */
} hni_conv;

/* Fills out_height and out_width; false if the kernel does not fit into the padded image. */
bool hni_conv_fit(hni_conv *g);

/* The convolution, of stride 1, that computes dx from dy of one of stride 1. */
hni_conv hni_conv_reversed(const hni_conv *g);

/* Into how many chunks backward gathers its work, each with a gradient of w of its own of `bytes` bytes: as many as go into
 * `affordable` bytes, at least 8 and at most HNI_CONV_MAX_CHUNKS. Depends on shapes only, as the order of summation does. */
enum { HNI_CONV_MAX_CHUNKS = 32 };
int64_t hni_conv_chunks(size_t bytes, size_t affordable);

/* Images are worked on in parts of a few, whose arrays stay in the second-level cache. */
int64_t hni_conv_part_images(const hni_conv *g);
int64_t hni_conv_part_count(const hni_conv *g);
/* Part `part` has images [*first, *end). */
void hni_conv_part(const hni_conv *g, int64_t part, int64_t *first, int64_t *end);
/* At most so many parts for this number of images or fewer: what memory is planned for. */
int64_t hni_conv_part_bound(const hni_conv *g);
/* Fewer parts than this many are worked on in pieces smaller than images. */
enum { HNI_CONV_FEW_PARTS = 16 };
/* At most so many parts or, where these are few, blocks of so many pixels of an image of `pixels`, for this number of images
 * or fewer: no more threads than that have work, and memory.                                                          */
int64_t hni_conv_piece_bound(const hni_conv *g, int64_t pixels, int64_t block);

/* What a caller does to the rows (pixels) of y or dy part by part, while they are in the cache: called once for every
 * part, whose rows are [first, first + count), on any thread.                                                        */
typedef struct hni_conv_visit {
    void (*rows)(void *arg, int64_t part, int64_t first, int64_t count, int32_t thread);
    void *arg;
} hni_conv_visit;

/* Calls visit (NULL: nothing happens) for one part, or for all. */
void hni_conv_visit_part(const hni_conv *g, const hni_conv_visit *visit, int64_t part, int32_t thread);
void hni_conv_visit_all(int32_t num_threads, const hni_conv *g, const hni_conv_visit *visit);

/* One way of computing it. After prepare, forward and backward do not allocate; they fail only where a library that they
 * call does. Their bits do not depend on num_threads.                                                                 */
typedef struct hni_conv_engine {
    const char *name;
    /* Whether it can compute this geometry. */
    bool (*takes)(const hni_conv *g);
    /* Makes what the calls need that is kept in the context. *bytes: the scratch, 64-byte aligned and dead after each
     * call, that forward needs, and backward if it is wanted: with one for both, of g's images or fewer.              */
    hn_status (*prepare)(hn_context *context, int32_t num_threads, const hni_conv *g, bool backward, size_t *bytes);
    /* Writes y; `after` (or NULL) sees each part of it. */
    hn_status (*forward)(hn_context *context, int32_t num_threads, const hni_conv *g, const void *x, const float *w,
                         void *y, void *scratch, const hni_conv_visit *after);
    /* Writes dx and adds to dw; either may be NULL. One call for both, since they read the same dy; `before` (or NULL)
     * is called for each part of dy before it is read, and may write it.                                             */
    hn_status (*backward)(hn_context *context, int32_t num_threads, const hni_conv *g, const void *x, const float *w,
                          const void *dy, void *dx, float *dw, void *scratch, const hni_conv_visit *before);
} hni_conv_engine;

/* The engine for a geometry, as the context's options ask, the same one whenever it is asked; NULL if there is none. */
const hni_conv_engine *hni_conv_engine_for(const hn_context *context, const hni_conv *g);
/* All engines of this build; NULL from `index` = their number on. */
const hni_conv_engine *hni_conv_engine_at(int index);

/* cblas takes every geometry in f32, winograd 3x3 with stride 1 and padding up to 2 in f32, paired every geometry in bf16:
 * these two are what is asked for as HN_ENGINE_DIRECT. onednn, which takes f32 and where the CPU multiplies it bf16, is
 * there where HNI_HAVE_ONEDNN is defined.                                                                             */
extern const hni_conv_engine hni_conv_cblas, hni_conv_winograd, hni_conv_paired, hni_conv_onednn;

/* Whether it is the fastest here (bench/README.md). */
bool hni_conv_paired_leads(const hn_context *context, const hni_conv *g);
bool hni_conv_winograd_leads(const hni_conv *g);

#endif
