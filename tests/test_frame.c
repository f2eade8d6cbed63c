/* Rows of images in frames of zeros, against the frame's definition number by number. */
#include "support.h"

#include "kernel/frame.h"

#include <stdlib.h>
#include <string.h>

/* Frames around, inside and beside the image; spread pixels; channels that are padded. */
static const struct {
    hni_frame frame;
    int64_t rows, numbers;
} frames[] = {
    {{3, 4, 2, 1, 1, 1, 6}, 5, 2}, {{3, 4, 3, 1, 1, 1, 6}, 5, 4},   {{3, 4, 2, -1, -2, 1, 3}, 4, 2},
    {{3, 4, 2, 2, 1, 2, 9}, 9, 2}, {{2, 3, 3, -1, -1, 3, 7}, 6, 4}, {{2, 3, 16, 0, 0, 1, 2}, 2, 16},
    {{1, 1, 1, 3, 3, 1, 2}, 5, 2}, {{2, 5, 33, 1, 2, 1, 9}, 4, 48}, {{2, 2, 1, -5, -5, 1, 3}, 3, 2},
};
enum { FRAMES = sizeof frames / sizeof frames[0], LEFT_ALONE = 0x7777 };

/* Number k of pixel p in row r of the frame: the image counts from 1. */
static hni_bf16 wanted(const hni_frame *f, int64_t r, int64_t p, int64_t k)
{
    const int64_t y = r - f->top, x = p - f->left;
    if (k >= f->channels || y < 0 || x < 0 || y % f->spread != 0 || x % f->spread != 0 || y / f->spread >= f->height ||
        x / f->spread >= f->width)
        return 0;
    return (hni_bf16)(1 + ((y / f->spread) * f->width + x / f->spread) * f->channels + k);
}

static hni_bf16 *counting_image(const hni_frame *f)
{
    const int64_t n = f->height * f->width * f->channels;
    hni_bf16 *image = hnt_alloc((size_t)n * sizeof *image);
    for (int64_t i = 0; i < n; ++i)
        image[i] = (hni_bf16)(1 + i);
    return image;
}

/* n numbers and one more, none of them zero. */
static hni_bf16 *dirty(int64_t n)
{
    hni_bf16 *to = hnt_alloc((size_t)(n + 1) * sizeof *to);
    for (int64_t i = 0; i <= n; ++i)
        to[i] = LEFT_ALONE;
    return to;
}

START_TEST(copies_have_zeros_around_the_image)
{
    const hni_frame *f = &frames[_i].frame;
    const int64_t numbers = frames[_i].numbers, n = f->pixels * numbers;
    hni_bf16 *image = counting_image(f);
    for (int64_t r = 0; r < frames[_i].rows; ++r) {
        hni_bf16 *to = dirty(n);
        hni_frame_copy(f, hni_frame_row(f, image, r), numbers, to);
        for (int64_t i = 0; i < n; ++i)
            ck_assert_msg(to[i] == wanted(f, r, i / numbers, i % numbers), "row %d, number %d: %d instead of %d",
                          (int)r, (int)i, to[i], wanted(f, r, i / numbers, i % numbers));
        ck_assert_int_eq(to[n], LEFT_ALONE);
        free(to);
    }
    free(image);
}
END_TEST

START_TEST(pairs_have_zeros_around_the_image)
{
    const hni_frame *f = &frames[_i].frame;
    const int64_t numbers = frames[_i].numbers, n = 2 * f->pixels * numbers;
    if (f->spread != 1)
        return;
    hni_bf16 *image = counting_image(f), *zeros = hnt_alloc((size_t)(f->width * f->channels) * sizeof *zeros);
    for (int64_t r = 0; r + 1 < frames[_i].rows; ++r) {
        hni_bf16 *to = dirty(n);
        hni_frame_pair(hni_paired_best(), f, hni_frame_row(f, image, r), hni_frame_row(f, image, r + 1), zeros, numbers,
                       to);
        for (int64_t i = 0; i < n; ++i) {
            const hni_bf16 want = wanted(f, r + i % 2, i / 2 / numbers, i / 2 % numbers);
            ck_assert_msg(to[i] == want, "rows from %d, number %d: %d instead of %d", (int)r, (int)i, to[i], want);
        }
        ck_assert_int_eq(to[n], LEFT_ALONE);
        free(to);
    }
    free(image);
    free(zeros);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("frame");
    TCase *unit = hnt_case(s, "unit");
    tcase_add_loop_test(unit, copies_have_zeros_around_the_image, 0, FRAMES);
    tcase_add_loop_test(unit, pairs_have_zeros_around_the_image, 0, FRAMES);
    return s;
}

HNT_MAIN(suite)
