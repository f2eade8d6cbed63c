/* Images made on demand. A class is a grating's tilt (one of five, mirrored at random, so that flipped images stay in
 * their class) and its frequency (one of two), with one of five hues that two classes share: colour helps, and
 * cannot replace looking at the pattern. Jitter of all three makes neighbouring classes overlap a little.               */
#include "base/error.h"
#include "base/memory.h"
#include "data/dataset.h"

#include <hybridnet/rng.h>

#include <math.h>
#include <string.h>

enum { SIDE = 32, CHANNELS = 3, CLASSES = 10, TILTS = 5, BLOBS = 3 };

static const double pi = 3.14159265358979323846;

struct synthetic {
    hn_context *context;
    uint64_t seed;
};

/* Uniform in [lo, hi). */
static float between(hn_rng *rng, double lo, double hi)
{
    return (float)(lo + (hi - lo) * hn_rng_uniform(rng));
}

/* The colour of a hue angle: unit contrast around grey. */
static void hue_colour(double hue, double saturation, float colour[CHANNELS])
{
    for (int c = 0; c < CHANNELS; ++c)
        colour[c] = (float)(1 + saturation * cos(hue - 2 * pi * c / CHANNELS));
}

/* Adds contrast * colour * sin(fx x + fy y + phase), by the sum formula: 4 * SIDE sines instead of SIDE^2. */
static void add_grating(hn_rng *rng, int32_t label, float canvas[SIDE][SIDE][CHANNELS])
{
    double tilt = pi / 2 * (label % TILTS) / (TILTS - 1) + 0.09 * hn_rng_normal(rng);
    if (hn_rng_uniform(rng) < 0.5)
        tilt = -tilt;
    double cycles = (label / TILTS == 0 ? 2.6 : 4.6) * exp(0.13 * hn_rng_normal(rng));
    double phase = 2 * pi * hn_rng_uniform(rng);
    double hue = 2 * pi * (label * 3 % TILTS) / TILTS + 0.6 * hn_rng_normal(rng);
    float contrast = between(rng, 14, 44), colour[CHANNELS];
    hue_colour(hue, 0.7, colour);
    double fx = 2 * pi * cycles / SIDE * cos(tilt), fy = 2 * pi * cycles / SIDE * sin(tilt);
    for (int y = 0; y < SIDE; ++y) {
        float row_sin = (float)sin(fy * y + phase), row_cos = (float)cos(fy * y + phase);
        for (int x = 0; x < SIDE; ++x) {
            float wave = (float)sin(fx * x) * row_cos + (float)cos(fx * x) * row_sin;
            for (int c = 0; c < CHANNELS; ++c)
                canvas[y][x][c] += contrast * colour[c] * wave;
        }
    }
}

/* Adds a round Gaussian spot of any colour, light or dark: it tells nothing about the class. */
static void add_blob(hn_rng *rng, float canvas[SIDE][SIDE][CHANNELS])
{
    float x0 = between(rng, 0, SIDE), y0 = between(rng, 0, SIDE), width = between(rng, 2, 6);
    float strength = between(rng, 20, 70), colour[CHANNELS], across[SIDE], down[SIDE];
    if (hn_rng_uniform(rng) < 0.5)
        strength = -strength;
    hue_colour(2 * pi * hn_rng_uniform(rng), 1, colour);
    for (int i = 0; i < SIDE; ++i) {
        float dx = ((float)i - x0) / width, dy = ((float)i - y0) / width;
        across[i] = expf(-0.5f * dx * dx);
        down[i] = strength * expf(-0.5f * dy * dy);
    }
    for (int y = 0; y < SIDE; ++y)
        for (int x = 0; x < SIDE; ++x)
            for (int c = 0; c < CHANNELS; ++c)
                canvas[y][x][c] += colour[c] * down[y] * across[x];
}

/* Adds noise and rounds to bytes. The sum of four random bytes is near enough to normal, and cheap. */
static void finish(hn_rng *rng, const float *canvas, uint8_t *pixels)
{
    const float scale = 18.0f / 147.8f; /* standard deviation wanted / that of the sum */
    for (int i = 0; i < SIDE * SIDE * CHANNELS; i += 2) {
        uint64_t bits = hn_rng_u64(rng);
        for (int k = 0; k < 2; ++k, bits >>= 32) {
            int sum = (int)(bits & 255) + (int)(bits >> 8 & 255) + (int)(bits >> 16 & 255) + (int)(bits >> 24 & 255);
            float value = canvas[i + k] + scale * (float)(sum - 510);
            pixels[i + k] = (uint8_t)(value < 0 ? 0 : (value > 255 ? 255 : (int)(value + 0.5f)));
        }
    }
}

static hn_status read_synthetic(void *user, int64_t index, uint8_t *pixels)
{
    const struct synthetic *s = user;
    float canvas[SIDE][SIDE][CHANNELS], ground[CHANNELS];
    hn_rng rng;
    hn_rng_seed(&rng, s->seed, 0);
    hn_rng_derive(&rng, &rng, "synthetic", (uint64_t)index);
    for (int c = 0; c < CHANNELS; ++c)
        ground[c] = between(&rng, 95, 160);
    for (int y = 0; y < SIDE; ++y)
        for (int x = 0; x < SIDE; ++x)
            memcpy(canvas[y][x], ground, sizeof ground);
    for (int i = 0; i < BLOBS; ++i)
        add_blob(&rng, canvas);
    add_grating(&rng, (int32_t)(index % CLASSES), canvas);
    finish(&rng, &canvas[0][0][0], pixels);
    return HN_OK;
}

static void release_synthetic(void *user)
{
    struct synthetic *s = user;
    hni_release(s->context, s, sizeof *s);
}

hn_status hn_dataset_create_synthetic(hn_dataset **out, hn_context *context, int64_t n, uint64_t seed)
{
    static const char function[] = "hn_dataset_create_synthetic";
    const hn_image_shape shape = {SIDE, SIDE, CHANNELS};
    size_t bytes, label_bytes;
    HNI_FAIL_IF(out == NULL || context == NULL, HN_E_ARG, "%s: %s is NULL", function, out == NULL ? "out" : "context");
    HNI_TRY(hni_image_bytes(&shape, n, function, &bytes)); /* nothing of that size is allocated: it bounds n */
    label_bytes = (size_t)n * sizeof(int32_t);
    struct synthetic *s = hni_alloc(context, sizeof *s);
    int32_t *labels = hni_alloc(context, label_bytes);
    hn_status status = HN_OK;
    if (s == NULL || labels == NULL) {
        status = hni_no_memory(function, label_bytes);
    } else {
        *s = (struct synthetic){.context = context, .seed = seed};
        for (int64_t i = 0; i < n; ++i)
            labels[i] = (int32_t)(i % CLASSES);
        const hni_dataset_source source = {.read = read_synthetic, .release = release_synthetic, .user = s};
        status = hni_dataset_new(out, context, function, &shape, labels, n, CLASSES, &source);
    }
    hni_release(context, labels, label_bytes);
    if (status < 0)
        hni_release(context, s, sizeof *s);
    return status;
}
