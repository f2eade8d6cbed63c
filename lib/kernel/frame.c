#include "kernel/frame.h"

#include "base/integer.h"

#include <string.h>

const hni_bf16 *hni_frame_row(const hni_frame *f, const hni_bf16 *image, int64_t row)
{
    const int64_t y = row - f->top;
    if (y < 0 || y % f->spread != 0 || y / f->spread >= f->height)
        return NULL;
    return image + y / f->spread * f->width * f->channels;
}

/* The image's columns [first, end) that lie in the frame, and the pixel where the first stands. */
typedef struct span {
    int64_t first, end, at;
} span;

static span framed_columns(const hni_frame *f)
{
    span s = {.first = f->left < 0 ? (-f->left + f->spread - 1) / f->spread : 0};
    s.at = hni_min(f->left + s.first * f->spread, f->pixels);
    s.end = s.first + (f->pixels - s.at + f->spread - 1) / f->spread;
    s.end = hni_max(s.first, hni_min(s.end, f->width));
    return s;
}

void hni_frame_copy(const hni_frame *f, const hni_bf16 *from, int64_t numbers, hni_bf16 *to)
{
    const span s = framed_columns(f);
    const int64_t count = s.end - s.first;
    const size_t pixel = (size_t)f->channels * sizeof *to;
    if (from == NULL || f->spread != 1 || numbers != f->channels || count == 0) {
        memset(to, 0, (size_t)(f->pixels * numbers) * sizeof *to);
        for (int64_t i = 0; from != NULL && i < count; ++i)
            memcpy(to + (s.at + i * f->spread) * numbers, from + (s.first + i) * f->channels, pixel);
        return;
    }
    memset(to, 0, (size_t)s.at * pixel);
    memcpy(to + s.at * numbers, from + s.first * numbers, (size_t)count * pixel);
    memset(to + (s.at + count) * numbers, 0, (size_t)(f->pixels - s.at - count) * pixel);
}

void hni_frame_pair(const hni_paired *isa, const hni_frame *f, const hni_bf16 *first, const hni_bf16 *second,
                    const hni_bf16 *zeros, int64_t numbers, hni_bf16 *to)
{
    const span s = framed_columns(f);
    const int64_t count = s.end - s.first, channels = f->channels;
    first = first == NULL ? zeros : first + s.first * channels;
    second = second == NULL ? zeros : second + s.first * channels;
    memset(to, 0, (size_t)(2 * s.at * numbers) * sizeof *to);
    memset(to + 2 * (s.at + count) * numbers, 0, (size_t)(2 * (f->pixels - s.at - count) * numbers) * sizeof *to);
    to += 2 * s.at * numbers;
    if (numbers == channels) {
        isa->interleave(count * channels, first, second, to);
        return;
    }
    for (int64_t i = 0; i < count; ++i, first += channels, second += channels, to += 2 * numbers) {
        isa->interleave(channels, first, second, to);
        memset(to + 2 * channels, 0, (size_t)(2 * (numbers - channels)) * sizeof *to);
    }
}
