/* Decoding a part of an image: the same pixels as the whole image's, and the same failures. */
#include "golden.h"
#include "image_maker.h"

#include "data/image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_SIZE = 512, PARTS = 40 };

static int64_t below(hn_rng *rng, int64_t n)
{
    return (int64_t)hn_rng_below(rng, (uint64_t)n);
}

static hni_part draw(hn_rng *rng, int32_t height, int32_t width)
{
    hni_part p;
    p.top = (int32_t)below(rng, height);
    p.left = (int32_t)below(rng, width);
    p.bottom = p.top + 1 + (int32_t)below(rng, height - p.top);
    p.right = p.left + 1 + (int32_t)below(rng, width - p.left);
    return p;
}

static void compare(const hni_image *whole, const hni_image *some, const hni_part *p, int32_t shrink, const char *name)
{
    const int32_t by = whole->height == whole->full_height && whole->width == whole->full_width ? 1 : shrink;
    ck_assert_int_eq(whole->height, some->height);
    ck_assert_int_eq(whole->width, some->width);
    const int32_t left = p->left / by, right = (p->right + by - 1) / by;
    for (int32_t y = p->top / by; y < (p->bottom + by - 1) / by; ++y) {
        const size_t at = ((size_t)y * (size_t)whole->width + (size_t)left) * 3;
        ck_assert_msg(memcmp(whole->pixels + at, some->pixels + at, (size_t)(right - left) * 3) == 0,
                      "%s, 1/%d, rows %d to %d, columns %d to %d: row %d differs", name, (int)shrink, (int)p->top,
                      (int)p->bottom, (int)p->left, (int)p->right, (int)y);
    }
}

/* So many random parts of one file, at every size. The buffer is filled before: what is not decoded is not right by chance. */
static void try_parts(hn_context *context, const char *path, const char *name, int parts)
{
    hni_image whole, some;
    hn_rng rng;
    hni_image_init(&whole, context);
    hni_image_init(&some, context);
    hn_rng_seed(&rng, 5, 0);
    hn_status status = hni_image_load(&whole, path);
    for (int i = 0; i < parts && status != HN_E_UNSUPPORTED; ++i) {
        const int32_t shrink = 1 << (i % 4);
        hnt_ok(hni_image_load(&whole, path));
        status = hni_image_decode(&whole, shrink);
        if (status == HN_E_UNSUPPORTED)
            break;
        hnt_ok(status);
        hnt_ok(hni_image_load(&some, path));
        hnt_ok(hni_image_reserve(&some, some.full_height, some.full_width));
        memset(some.pixels, 0xa5 + i, (size_t)some.full_height * (size_t)some.full_width * 3);
        const hni_part part = draw(&rng, some.full_height, some.full_width);
        hnt_ok(hni_image_decode_part(&some, shrink, &part));
        compare(&whole, &some, &part, shrink, name);
    }
    hni_image_release(&whole);
    hni_image_release(&some);
}

#ifdef HNI_HAVE_JANSSON
/* All kinds of files there are: gray, colours at full and half the resolution, CMYK, progressive, PNG ... */
START_TEST(parts_of_every_kind)
{
    hn_context *context = hnt_context(1);
    char dir[PATH_SIZE - 64], path[PATH_SIZE];
    hnt_temp_dir(dir, sizeof dir);
    snprintf(path, sizeof path, "%s/image", dir);
    hn_safetensors *golden = hnt_golden_open(context, "image");
    for (int64_t i = 0; i < hn_safetensors_count(golden); ++i) {
        const char *name;
        const hn_tensor *file;
        hnt_ok(hn_safetensors_get(golden, i, &name, &file));
        if (strstr(name, ".file") == NULL)
            continue;
        hnt_write_file(path, hn_tensor_cdata(file), (size_t)hn_tensor_count(file));
        try_parts(context, path, name, PARTS);
    }
    hn_safetensors_close(golden);
    hn_context_destroy(context);
}
END_TEST
#endif

/* Larger than the margin around a part. */
START_TEST(parts_of_larger_images)
{
    static uint8_t bytes[HNT_FILE_ROOM];
    hn_context *context = hnt_context(1);
    char dir[PATH_SIZE - 64], path[PATH_SIZE];
    hnt_temp_dir(dir, sizeof dir);
    snprintf(path, sizeof path, "%s/image", dir);
    static const char *const names[] = {"baseline", "progressive", "PNG"};
    for (int kind = 0; kind < 3; ++kind) {
        const size_t size = kind == 2 ? hnt_make_png(bytes, 60, 90) : hnt_make_jpeg(bytes, 203, 301, kind);
        if (size == 0)
            continue;
        hnt_write_file(path, bytes, size);
        try_parts(context, path, names[kind], PARTS);
    }
    hn_context_destroy(context);
}
END_TEST

/* All sampling factors of 1, 2 and 4 that a file may have, of which libjpeg skips rows of some wrongly or without an end, and
 * progressive files that end before their last scan.                                                                   */
START_TEST(parts_of_every_sampling)
{
    static uint8_t bytes[HNT_FILE_ROOM];
    hn_context *context = hnt_context(1);
    char dir[PATH_SIZE - 64], path[PATH_SIZE], name[64];
    hnt_temp_dir(dir, sizeof dir);
    snprintf(path, sizeof path, "%s/image", dir);
    for (int sampling = 0; sampling < 729; ++sampling) {
        hnt_jpeg kind = {.progressive = sampling % 2, .scans_left_out = sampling % 4 == 3 ? 2 : 0};
        int blocks = 0, digits = sampling;
        for (int c = 0; c < 3; ++c) {
            for (int side = 0; side < 2; ++side, digits /= 3)
                kind.sampling[c][side] = 1 << digits % 3;
            blocks += kind.sampling[c][0] * kind.sampling[c][1];
        }
        if (blocks > 10) /* of the format */
            continue;
        const size_t size = hnt_make_jpeg_of(bytes, 95, 130, &kind);
        if (size == 0)
            break;
        snprintf(name, sizeof name, "sampling %d", sampling);
        hnt_write_file(path, bytes, size);
        try_parts(context, path, name, 4);
    }
    hn_context_destroy(context);
}
END_TEST

/* A file that breaks off below the part fails as it does for the whole image. */
START_TEST(failures_are_the_whole_images)
{
    static uint8_t bytes[HNT_FILE_ROOM];
    hn_context *context = hnt_context(1);
    char dir[PATH_SIZE - 64], path[PATH_SIZE];
    hnt_temp_dir(dir, sizeof dir);
    snprintf(path, sizeof path, "%s/image", dir);
    hni_image image;
    hni_image_init(&image, context);
    const hni_part corner = {0, 0, 8, 8}, beyond = {0, 0, 204, 8}, empty = {5, 5, 5, 8};
    for (int progressive = 0; progressive < 2; ++progressive) {
        const size_t size = hnt_make_jpeg(bytes, 203, 301, progressive);
        if (size == 0)
            continue;
        hnt_write_file(path, bytes, size);
        hnt_ok(hni_image_load(&image, path));
        hnt_ok(hni_image_decode_part(&image, 1, &corner));
        hnt_fails(hni_image_decode_part(&image, 1, &beyond), HN_E_ARG, "rows 0 to 204");
        hnt_fails(hni_image_decode_part(&image, 1, &empty), HN_E_ARG, "rows 5 to 5");
        hnt_write_file(path, bytes, size - size / 10);
        hnt_ok(hni_image_load(&image, path));
        hnt_fails(hni_image_decode_part(&image, 1, &corner), HN_E_FORMAT, "breaks off");
        ck_assert(image.height == 0 && image.width == 0);
    }
    hni_image_release(&image);
    hn_context_destroy(context);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("image_part");
    TCase *unit = hnt_case(s, "unit");
#ifdef HNI_HAVE_JANSSON
    tcase_add_test(unit, parts_of_every_kind);
#endif
    tcase_add_test(unit, parts_of_larger_images);
    tcase_add_test(unit, parts_of_every_sampling);
    tcase_add_test(unit, failures_are_the_whole_images);
    return s;
}

HNT_MAIN(suite)
