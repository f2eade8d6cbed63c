#include "golden.h"
#include "image_maker.h"

#include "data/image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint8_t bytes[HNT_FILE_ROOM];

/* One of the kinds of files that this build reads: 0 JPEG, 1 progressive JPEG, 2 PNG. 0 bytes: it does not. */
enum { KINDS = 3, PNG = 2 };

static size_t make(int kind, int32_t height, int32_t width)
{
    return kind == PNG ? hnt_make_png(bytes, height, width) : hnt_make_jpeg(bytes, height, width, kind);
}

static hn_status decode(hni_image *image, const char *path, int32_t shrink)
{
    hn_status status = hni_image_load(image, path);
    return status == HN_OK ? hni_image_decode(image, shrink) : status;
}

/* The file anew. Removed first: a file that is cut to nothing and written again is flushed to the disk by some systems. */
static void write_anew(const char *path, size_t size)
{
    (void)remove(path);
    hnt_write_file(path, bytes, size);
}

/* ---- pixels ------------------------------------------------------------------------------------------------------ */

/* Every kind of file in the golden file has Pillow's pixels, to the bit. */
START_TEST(pillows_pixels)
{
    hn_context *context = hnt_context(1);
    hnt_place place = hnt_new_place("image");
    hn_safetensors *golden = hnt_golden_open(context, "image");
    hni_image image;
    hni_image_init(&image, context);
    int64_t compared = 0;
    for (int64_t i = 0; i < hn_safetensors_count(golden); ++i) {
        const char *name, *dot;
        const hn_tensor *file;
        char pixels_name[64];
        hnt_ok(hn_safetensors_get(golden, i, &name, &file));
        dot = strrchr(name, '.');
        if (strcmp(dot, ".file") != 0)
            continue;
        snprintf(pixels_name, sizeof pixels_name, "%.*s.pixels", (int)(dot - name), name);
        const hn_tensor *pixels = hnt_golden(golden, pixels_name, HN_U8, -1);
        const hn_desc *shape = hn_tensor_desc(pixels);
        hnt_write_file(place.file, hn_tensor_cdata(file), (size_t)hn_tensor_count(file));
        hn_status status = decode(&image, place.file, 1);
        if (status == HN_E_UNSUPPORTED)
            continue;
        hnt_ok(status);
        ck_assert_int_eq(image.height, shape->dim[0]);
        ck_assert_int_eq(image.width, shape->dim[1]);
        if (memcmp(image.pixels, hn_tensor_cdata(pixels), (size_t)hn_tensor_count(pixels)) != 0)
            ck_abort_msg("%s differs from Pillow", name);
        ++compared;
    }
#if defined(HNI_HAVE_JPEG) && defined(HNI_HAVE_PNG)
    ck_assert_int_eq(2 * compared, hn_safetensors_count(golden));
#endif
    hni_image_release(&image);
    hn_safetensors_close(golden);
    hn_context_destroy(context);
}
END_TEST

START_TEST(load_then_decode)
{
    hn_context *context = hnt_context(1);
    hnt_place place = hnt_new_place("image");
    hni_image image;
    hni_image_init(&image, context);
    for (int kind = 0; kind < KINDS; ++kind) {
        size_t size = make(kind, 45, 70);
        if (size == 0)
            continue;
        hnt_write_file(place.file, bytes, size);
        hnt_ok(hni_image_load(&image, place.file));
        ck_assert_str_eq(image.name, place.file);
        ck_assert_ptr_ne(image.name, place.file);
        ck_assert(image.full_height == 45 && image.full_width == 70 && image.height == 0 && image.width == 0);
        for (int32_t shrink = 8; shrink >= 1; shrink /= 2) {
            hnt_ok(hni_image_decode(&image, shrink));
            int32_t by = kind == PNG ? 1 : shrink;
            ck_assert_int_eq(image.height, (45 + by - 1) / by);
            ck_assert_int_eq(image.width, (70 + by - 1) / by);
            ck_assert(image.full_height == 45 && image.full_width == 70);
        }
        int64_t off = 0;
        for (int32_t y = 0; y < 45; ++y)
            for (int32_t x = 0; x < 70; ++x)
                for (int32_t c = 0; c < 3; ++c)
                    off += abs(image.pixels[(y * 70 + x) * 3 + c] - hnt_picture(y, x, c));
        ck_assert_int_le(off, kind == PNG ? 0 : 45 * 70 * 3 * 20);
        hnt_fails(hni_image_decode(&image, 3), HN_E_ARG, "shrink is 3");
        hnt_fails(hni_image_decode(&image, 0), HN_E_ARG, "shrink is 0");
    }
    hni_image_release(&image);
    hn_context_destroy(context);
}
END_TEST

/* A shrunk JPEG is the mean of its blocks, near enough: the scaling is of the DCT, not of something else. */
START_TEST(shrunk_is_the_same_picture)
{
    hn_context *context = hnt_context(1);
    hnt_place place = hnt_new_place("image");
    hni_image image, small;
    hni_image_init(&image, context);
    hni_image_init(&small, context);
    size_t size = make(0, 64, 96);
    if (size > 0) {
        hnt_write_file(place.file, bytes, size);
        hnt_ok(decode(&image, place.file, 1));
        hnt_ok(decode(&small, place.file, 8));
        ck_assert(small.height == 8 && small.width == 12);
        for (int32_t y = 0; y < 8; ++y)
            for (int32_t x = 0; x < 12; ++x) {
                int32_t sum = 0;
                for (int32_t p = 0; p < 64; ++p)
                    sum += image.pixels[((8 * y + p / 8) * 96 + 8 * x + p % 8) * 3 + 1];
                ck_assert_int_le(abs(sum / 64 - small.pixels[(y * 12 + x) * 3 + 1]), 12);
            }
    }
    hni_image_release(&image);
    hni_image_release(&small);
    hn_context_destroy(context);
}
END_TEST

START_TEST(memory_is_kept)
{
    hnt_counter counter = {.fail_at = -1};
    hn_context *context;
    hnt_ok(hnt_counting_context(&context, &counter, 1));
    hni_image image;
    hni_image_init(&image, context);
    hnt_ok(hni_image_reserve(&image, 50, 60));
    uint8_t *pixels = image.pixels;
    hnt_ok(hni_image_reserve(&image, 60, 50));
    hnt_ok(hni_image_reserve(&image, 1, 1));
    ck_assert_ptr_eq(image.pixels, pixels);
    ck_assert(image.height == 1 && image.width == 1);
    int64_t alive = counter.alive_bytes;
    hnt_fails(hni_image_reserve(&image, 0, 5), HN_E_SHAPE, "0x5");
    hnt_fails(hni_image_reserve(&image, 5, -1), HN_E_SHAPE, "5x-1");
    hnt_fails(hni_image_reserve(&image, 65501, 1), HN_E_SHAPE, "65501x1");
    hnt_fails(hni_image_reserve(&image, 16385, 16384), HN_E_SHAPE, "16385x16384");
    ck_assert_int_eq(counter.alive_bytes, alive);
    hnt_fails(hni_image_decode(&image, 1), HN_E_STATE, "no image has been loaded");
    hni_image_release(&image);
    hni_image_release(&image);
    hn_context_destroy(context);
    ck_assert_int_eq(counter.alive, 0);
}
END_TEST

/* ---- files that are not in order ----------------------------------------------------------------------------------- */

/* A file that breaks off anywhere is refused. What may be missing is a JPEG's end marker, after the last pixel. */
START_TEST(truncated_anywhere)
{
    hn_context *context = hnt_context(1);
    hnt_place place = hnt_new_place("image");
    hni_image image, whole;
    hni_image_init(&image, context);
    hni_image_init(&whole, context);
    for (int kind = 0; kind < KINDS; ++kind) {
        size_t size = make(kind, 21, 34), refused = 0;
        if (size == 0)
            continue;
        write_anew(place.file, size);
        hnt_ok(decode(&whole, place.file, 1));
        for (size_t cut = 0; cut < size; ++cut) {
            write_anew(place.file, cut);
            hn_status status = decode(&image, place.file, 1);
            if (status == HN_OK) {
                ck_assert(kind == 0 && cut + 2 >= size);
                ck_assert_mem_eq(image.pixels, whole.pixels, 21 * 34 * 3);
                continue;
            }
            hnt_fails(status, HN_E_FORMAT, place.file);
            ck_assert(image.height == 0 && image.width == 0);
            ++refused;
        }
        ck_assert_uint_ge(refused, size - 2);
    }
    hni_image_release(&image);
    hni_image_release(&whole);
    hn_context_destroy(context);
}
END_TEST

/* Any byte may be anything: the outcome is pixels or a sentence. */
START_TEST(broken_bytes)
{
    hn_context *context = hnt_context(1);
    hnt_place place = hnt_new_place("image");
    hni_image image;
    hni_image_init(&image, context);
    for (int kind = 0; kind < KINDS; ++kind) {
        static const uint8_t values[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
        size_t size = make(kind, 21, 34), refused = 0;
        for (size_t at = 0; at < size; ++at)
            for (size_t v = 0; v < sizeof values; ++v) {
                uint8_t was = bytes[at];
                bytes[at] = values[v];
                write_anew(place.file, size);
                /* A changed size may be allowed and still take long. */
                hn_status status = hni_image_load(&image, place.file);
                if (status == HN_OK && (int64_t)image.full_height * image.full_width < 1 << 16)
                    status = hni_image_decode(&image, 1 + (int32_t)(at % 2));
                if (status != HN_OK) {
                    ck_assert(status == HN_E_FORMAT || status == HN_E_UNSUPPORTED);
                    ck_assert_ptr_nonnull(strstr(hn_last_error(), place.file));
                    ++refused;
                }
                bytes[at] = was;
            }
        if (kind == PNG && size > 0) /* its checksums are looked at */
            ck_assert_uint_gt(refused, size * 4);
    }
    hni_image_release(&image);
    hn_context_destroy(context);
}
END_TEST

static void refused(hni_image *image, const char *path, size_t size, hn_status status, const char *sentence)
{
    hnt_write_file(path, bytes, size);
    hnt_fails(decode(image, path, 1), status, sentence);
    ck_assert_ptr_nonnull(strstr(hn_last_error(), path));
}

START_TEST(hostile_headers)
{
    hnt_place place = hnt_new_place("image");
    hnt_counter counter = {.fail_at = -1};
    hn_context *context;
    hnt_ok(hnt_counting_context(&context, &counter, 1));
    hni_image image;
    hni_image_init(&image, context);
    size_t size = make(0, 16, 16), at = 2;
    if (size > 0) {
        while (bytes[at + 1] != 0xc0) /* the frame's header */
            at += 2 + (size_t)(bytes[at + 2] << 8 | bytes[at + 3]);
        memcpy(bytes + at + 5, "\xff\xff\xff\xff", 4);
        refused(&image, place.file, size, HN_E_FORMAT, "65500");
        memcpy(bytes + at + 5, "\xff\x00\xff\x00", 4);
        refused(&image, place.file, size, HN_E_FORMAT, "65280x65280 pixels");
        memcpy(bytes + at + 5, "\x0f\xa0\xff\xdc", 4);
        refused(&image, place.file, size, HN_E_FORMAT, "4000x65500 pixels: more than its");
        memcpy(bytes + at + 5, "\x00\x00\x00\x10", 4);
        refused(&image, place.file, size, HN_E_FORMAT, "Empty JPEG image");
        memcpy(bytes + at + 5, "\x00\x10\x00\x10", 4);
        bytes[at + 4] = 12;
        refused(&image, place.file, size, HN_E_UNSUPPORTED, "precision 12");
        bytes[at + 4] = 8;
        bytes[at + 1] = 0xc3; /* lossless */
        refused(&image, place.file, size, HN_E_UNSUPPORTED, "SOF type 0xc3");
    }
    size = make(PNG, 16, 16);
    if (size > 0) {
        memcpy(bytes + 16, "\x7f\xff\xff\xff\x7f\xff\xff\xff", 8);
        refused(&image, place.file, size, HN_E_FORMAT, "CRC");
        memcpy(bytes + 16, "\x00\x01\x00\x00\x00\x00\x00\x01\x08\x02\x00\x00\x00\xe4\x10\x74\x8f", 17);
        refused(&image, place.file, size, HN_E_FORMAT, "1x65536 pixels; a side must be in [1, 65500]");
        memcpy(bytes + 16, "\x00\x00\xff\xdc\x00\x00\x0f\xa0\x08\x02\x00\x00\x00\x04\xab\x76\x2f", 17);
        refused(&image, place.file, size, HN_E_FORMAT, "4000x65500 pixels: more than its");
    }
    ck_assert_int_lt(counter.alive_bytes, 1 << 20);
    hni_image_release(&image);
    hn_context_destroy(context);
    ck_assert_int_eq(counter.alive, 0);
}
END_TEST

START_TEST(no_images)
{
    hn_context *context = hnt_context(1);
    hnt_place place = hnt_new_place("image");
    hni_image image;
    hni_image_init(&image, context);
    image.function = "hn_loader_next";
    memcpy(bytes, "GIF89a...", 9);
    refused(&image, place.file, 9, HN_E_FORMAT, "neither JPEG nor PNG: it begins with 47 49 46 38");
    refused(&image, place.file, 2, HN_E_FORMAT, "has 2 bytes: too short");
    refused(&image, place.file, 0, HN_E_FORMAT, "hn_loader_next: ");
    hnt_fails(hni_image_load(&image, place.dir), HN_E_IO, "not a regular file");
    hnt_fails(hni_image_load_in(&image, place.dir, "nobody.jpg"), HN_E_IO, "No such file");
    char path[512];
    snprintf(path, sizeof path, "%s/nobody.jpg", place.dir);
    ck_assert_str_eq(image.name, path);
    hnt_fails(hni_image_load_in(&image, "somewhere/", "a b.png"), HN_E_IO, "somewhere/a b.png");
    hnt_fails(hni_image_load_in(&image, "somewhere", "/a.png"), HN_E_IO, " /a.png");
    hnt_fails(hni_image_decode(&image, 1), HN_E_STATE, "no image");
    memcpy(bytes, "\xff\xd8\xff\xd9....", 8);
    hnt_write_file(place.file, bytes, 8);
    ck_assert_int_lt(hni_image_load(&image, place.file), 0);
#ifndef HNI_HAVE_JPEG
    hnt_fails(hni_image_load(&image, place.file), HN_E_UNSUPPORTED, "HN_JPEG");
#endif
#ifndef HNI_HAVE_PNG
    memcpy(bytes, "\x89PNG\r\n\x1a\n", 8);
    refused(&image, place.file, 8, HN_E_UNSUPPORTED, "HN_PNG");
#endif
    hni_image_release(&image);
    hn_context_destroy(context);
}
END_TEST

#ifdef HNI_HAVE_JPEG

static int32_t warnings;

static void count_warning(int32_t level, const char *text, void *user)
{
    (void)user;
    warnings += level == HN_LOG_WARNING && strstr(text, "orrupt JPEG data") != NULL;
}

/* What other libraries pass over is passed over, and told. */
START_TEST(warnings_go_to_the_log)
{
    hnt_place place = hnt_new_place("image");
    hn_context_options o;
    hn_context_options_init(&o, sizeof o);
    o.log = count_warning;
    hn_context *context;
    hnt_ok(hn_context_create(&context, &o));
    hni_image image;
    hni_image_init(&image, context);
    size_t size = make(0, 21, 34);
    hnt_write_file(place.file, bytes, size);
    hnt_ok(decode(&image, place.file, 1));
    ck_assert_int_eq(warnings, 0);
    memmove(bytes + 5, bytes + 2, size - 2); /* rubbish between segments */
    memcpy(bytes + 2, "abc", 3);
    hnt_write_file(place.file, bytes, size + 3);
    hn_status status = decode(&image, place.file, 1);
    ck_assert(status == HN_E_FORMAT); /* a file must begin FF D8 FF */
    size = make(0, 21, 34);
    size_t first = 4 + (size_t)(bytes[4] << 8 | bytes[5]);
    memmove(bytes + first + 3, bytes + first, size - first);
    memcpy(bytes + first, "abc", 3);
    hnt_write_file(place.file, bytes, size + 3);
    hnt_ok(decode(&image, place.file, 1));
    ck_assert_int_ge(warnings, 1);
    hni_image_release(&image);
    hn_context_destroy(context);
}
END_TEST

/* A progressive file that repeats its last scan for ever. */
START_TEST(endless_scans)
{
    hn_context *context = hnt_context(1);
    hnt_place place = hnt_new_place("image");
    hni_image image;
    hni_image_init(&image, context);
    size_t size = make(1, 16, 16), scan = size;
    while (bytes[--scan] != 0xda || bytes[scan - 1] != 0xff)
        ;
    --scan;
    size_t length = size - 2 - scan, end = size - 2;
    while (end + length + 2 < HNT_FILE_ROOM) {
        memcpy(bytes + end, bytes + scan, length);
        end += length;
    }
    ck_assert_uint_gt((end - scan) / length, 300);
    memcpy(bytes + end, "\xff\xd9", 2);
    refused(&image, place.file, end + 2, HN_E_FORMAT, "more than 200 scans");
    hni_image_release(&image);
    hn_context_destroy(context);
}
END_TEST

#endif

/* ---- allocations that fail --------------------------------------------------------------------------------------------- */

static hn_status attempt(hn_context *context, const void *path)
{
    hni_image image;
    hni_image_init(&image, context);
    const hn_status status = decode(&image, path, 1);
    if (status != HN_OK) {
        hnt_fails(status, HN_E_NOMEM, "out of memory");
        ck_assert(image.height == 0 && image.width == 0);
        hnt_memory_is_back(context);
        hnt_ok(decode(&image, path, 1)); /* nothing is lost for the next */
    }
    hni_image_release(&image);
    return status;
}

START_TEST(allocation_failures)
{
    hnt_place place = hnt_new_place("image");
    for (int kind = 0; kind < KINDS; ++kind) {
        const size_t size = make(kind, 21, 34);
        if (size == 0)
            continue;
        hnt_write_file(place.file, bytes, size);
        hnt_survives(attempt, place.file, 3);
    }
}
END_TEST

static Suite *image_suite(void)
{
    Suite *suite = suite_create("image");
    TCase *unit = hnt_case(suite, "unit");
    tcase_add_test(unit, load_then_decode);
    tcase_add_test(unit, shrunk_is_the_same_picture);
    tcase_add_test(unit, memory_is_kept);
    tcase_add_test(unit, truncated_anywhere);
    tcase_add_test(unit, broken_bytes);
    tcase_add_test(unit, hostile_headers);
    tcase_add_test(unit, no_images);
#ifdef HNI_HAVE_JPEG
    tcase_add_test(unit, warnings_go_to_the_log);
    tcase_add_test(unit, endless_scans);
#endif
    tcase_add_test(hnt_case(suite, "golden"), pillows_pixels);
    tcase_add_test(hnt_case(suite, "oom"), allocation_failures);
    return suite;
}

HNT_MAIN(image_suite)
