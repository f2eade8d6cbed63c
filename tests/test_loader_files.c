/* Loaders over files of many sizes. */
#include "loader_files_case.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CLASSES = HNT_FILES_CLASSES,
    IMAGES = HNT_FILES_IMAGES,
    BATCHES = HNT_FILES_BATCHES,
    SIDE = HNT_FILES_SIDE,
    IMAGE = HNT_FILES_IMAGE
};

static const int32_t workers[] = {0, 1, 2, 4};

/* The stream of a view. */
static hn_rng stream(uint64_t seed, int64_t epoch, int64_t position, int32_t view)
{
    hn_rng rng;
    hn_rng_seed(&rng, seed, 0);
    hn_rng_derive(&rng, &rng, "loader", 0);
    hn_rng_derive(&rng, &rng, "epoch", (uint64_t)epoch);
    hn_rng_derive(&rng, &rng, "position", (uint64_t)position);
    hn_rng_derive(&rng, &rng, "view", (uint64_t)view);
    return rng;
}

/* ---- unit -------------------------------------------------------------------------------------------------------- */

/* Each view is hn_augment_image of the decoded file; the later ones by their own options. */
START_TEST(views_are_augmented_files)
{
    enum { VIEWS = 3 };
    static float images[IMAGES * VIEWS * IMAGE], want[IMAGE];
    int64_t index[IMAGES];
    hnt_files_setting s;
    hn_augment_options first = hnt_files_augment(), later = hnt_files_augment();
    hnt_files_make();
    later.jitter = 0;
    later.policy = HN_POLICY_AUTOAUGMENT_CIFAR10;
    hn_loader_options o = hnt_files_options(2, VIEWS, &first);
    o.augment_later = &later;
    o.full_decode = 1;
    hnt_files_open(&s, &o);
    hnt_files_collect(s.loader, 1, VIEWS, images, index);
    hni_image image;
    hni_image_init(&image, s.context);
    for (int64_t i = 0; i < IMAGES; ++i) {
        hnt_ok(hni_dataset_load(s.dataset, index[i], &image));
        hnt_ok(hni_image_decode(&image, 1));
        const hn_image_shape shape = {image.height, image.width, 3};
        for (int32_t v = 0; v < VIEWS; ++v) {
            const hn_augment_options *a = v == 0 ? &first : &later;
            hn_rng rng = stream(o.seed, 0, i, v);
            size_t bytes;
            hnt_ok(hn_augment_scratch(a, &shape, &bytes));
            hn_scratch scratch = hnt_scratch(bytes);
            hnt_ok(hn_augment_image(a, &shape, image.pixels, &rng, want, &scratch));
            ck_assert_mem_eq(want, images + (i * VIEWS + v) * IMAGE, sizeof want);
            free(scratch.data);
        }
    }
    hni_image_release(&image);
    hnt_files_close(&s);
}
END_TEST

/* Fewer pixels are decoded where the crops allow it: nearly the same picture. */
START_TEST(shrunk_decoding_is_close)
{
    static float full[IMAGES * IMAGE], shrunk[IMAGES * IMAGE];
    int64_t index[IMAGES];
    hnt_files_setting s;
    hn_augment_options a;
    hnt_files_make();
    hn_augment_options_init(&a, sizeof a);
    a.height = a.width = SIDE;
    hn_loader_options o = hnt_files_options(1, 1, &a);
    hnt_files_open(&s, &o);
    hnt_files_collect(s.loader, 1, 1, shrunk, index);
    hnt_files_close(&s);
    o.full_decode = 1;
    hnt_files_open(&s, &o);
    hnt_files_collect(s.loader, 1, 1, full, index);
    hnt_files_close(&s);
    for (int64_t i = 0; i < IMAGES; ++i) {
        int32_t height, width;
        double distance = 0;
        hnt_files_size((int)index[i], &height, &width);
        int shrinks = index[i] % 2 == 0 && height >= 2 * SIDE && width >= 2 * SIDE;
        for (int k = 0; k < IMAGE; ++k)
            distance += fabs((double)full[i * IMAGE + k] - (double)shrunk[i * IMAGE + k]) / IMAGE;
        ck_assert_msg(distance < 0.05, "%dx%d: %g", (int)height, (int)width, distance);
        ck_assert_int_eq(distance > 0, shrinks);
    }
}
END_TEST

START_TEST(wrong_options)
{
    hnt_files_setting s;
    hn_augment_options a = hnt_files_augment(), other = hnt_files_augment();
    hnt_files_make();
    hn_loader_options o = hnt_files_options(1, 2, &a);
    hnt_files_open(&s, &o);
    hn_sampler *sampler = hnt_files_sampler(s.context, s.dataset);
    hn_loader *l = NULL;
    o.on_corrupt = 2;
    hnt_fails(hn_loader_create(&l, s.context, s.dataset, sampler, &o), HN_E_ARG, "on_corrupt is 2");
    o = hnt_files_options(1, 2, NULL);
    hnt_fails(hn_loader_create(&l, s.context, s.dataset, sampler, &o), HN_E_ARG, "the images differ in size");
    o = hnt_files_options(1, 2, &a);
    o.augment_later = &other;
    other.height = SIDE + 1;
    hnt_fails(hn_loader_create(&l, s.context, s.dataset, sampler, &o), HN_E_ARG, "augment_later of 13x12");
    other.height = SIDE;
    other.hue = 7;
    hnt_fails(hn_loader_create(&l, s.context, s.dataset, sampler, &o), HN_E_ARG, "hue is 7");
    ck_assert_ptr_null(l);
    ck_assert_int_eq(hn_loader_skipped(NULL), 0);
    hn_sampler_destroy(sampler);
    hnt_files_close(&s);
}
END_TEST

/* ---- repro ------------------------------------------------------------------------------------------------------- */

START_TEST(same_bits_for_any_workers)
{
    enum { VIEWS = 2, EPOCHS = 2, ALL = EPOCHS * IMAGES };
    static float want[ALL * VIEWS * IMAGE], got[ALL * VIEWS * IMAGE];
    int64_t want_index[ALL], index[ALL];
    hnt_files_setting s;
    hn_augment_options a = hnt_files_augment();
    hnt_files_make();
    hnt_files_corrupt(4);
    for (size_t w = 0; w < sizeof workers / sizeof *workers; ++w)
        for (int32_t prefetch = 1; prefetch <= 3; prefetch += 2) {
            hn_loader_options o = hnt_files_options(workers[w], VIEWS, &a);
            o.prefetch = prefetch;
            o.on_corrupt = HN_LOADER_SKIP;
            hnt_files_open(&s, &o);
            int first = w == 0 && prefetch == 1;
            hnt_files_collect(s.loader, EPOCHS, VIEWS, first ? want : got, first ? want_index : index);
            hnt_files_close(&s);
            if (first)
                continue;
            ck_assert_mem_eq(got, want, sizeof want);
            ck_assert_mem_eq(index, want_index, sizeof index);
        }
}
END_TEST

/* Images so large that each is a task of its own, several workers at one batch. */
START_TEST(images_shared_out_one_by_one)
{
    enum { LARGE = 160 };
    static float want[IMAGES];
    hnt_files_setting s;
    hn_augment_options a = hnt_files_augment();
    hnt_files_make();
    a.height = a.width = LARGE;
    for (size_t w = 0; w < sizeof workers / sizeof *workers; ++w) {
        hn_loader_options o = hnt_files_options(workers[w], 1, &a);
        hn_batch b;
        int64_t at = 0;
        hnt_files_open(&s, &o);
        while (hnt_files_next(s.loader, &b) == HN_OK)
            for (int64_t i = 0; i < b.n; ++i, ++at) {
                const float *image = (const float *)hn_tensor_cdata(b.images) + i * LARGE * LARGE * 3;
                float sum = 0;
                for (int k = 0; k < LARGE * LARGE * 3; ++k)
                    sum += image[k] * (float)(k % 7);
                if (w == 0)
                    want[at] = sum;
                ck_assert(sum == want[at]);
            }
        ck_assert_int_eq(at, IMAGES);
        hnt_files_close(&s);
    }
}
END_TEST

/* ---- allocations that fail --------------------------------------------------------------------------------------- */

/* In hn_loader_next too, where memory for images grows; the batch is then made at the second try. */
START_TEST(allocation_failures)
{
    hn_augment_options a = hnt_files_augment();
    int64_t failures = 0, late = 0;
    hnt_files_make();
    for (int64_t fail_at = 1, done = 0; !done; ++fail_at) {
        ck_assert_int_lt(fail_at, 1000);
        hnt_counter counter = {.fail_at = fail_at};
        hn_context *context = NULL;
        hn_dataset *dataset = NULL;
        hn_sampler *sampler = NULL;
        hn_loader *l = NULL;
        hn_loader_options o = hnt_files_options(0, 2, &a);
        o.on_corrupt = HN_LOADER_SKIP; /* which lack of memory is not */
        hnt_ok(hnt_counting_context(&context, &counter, 1));
        hn_status status = hn_dataset_open_image_folder(&dataset, context, hnt_files_dir, NULL);
        if (status == HN_OK)
            status = hn_sampler_create(&sampler, context, HN_SAMPLER_INSTANCE_BALANCED, hn_dataset_labels(dataset),
                                       IMAGES, CLASSES, NULL);
        if (status == HN_OK) {
            status = hn_loader_create(&l, context, dataset, sampler, &o);
            sampler = status == HN_OK ? NULL : sampler;
        }
        for (int i = 0; i < BATCHES && status == HN_OK; ++i) {
            hn_batch b;
            status = hnt_files_next(l, &b);
            if (status < 0) {
                hnt_fails(status, HN_E_NOMEM, "out of memory");
                hnt_ok(hnt_files_next(l, &b));
                ++late;
            }
        }
        if (status < 0)
            hnt_fails(status, HN_E_NOMEM, "out of memory");
        failures += status < 0;
        done = status == HN_OK;
        ck_assert(hn_loader_skipped(l) == 0);
        hn_loader_destroy(l);
        hn_sampler_destroy(sampler);
        hn_dataset_release(dataset);
        hn_context_destroy(context);
        ck_assert_int_eq(counter.alive, 0);
        ck_assert_int_eq(counter.alive_bytes, 0);
    }
    ck_assert_int_ge(failures, 10);
    ck_assert_int_ge(late, 3);
}
END_TEST

static Suite *loader_files_suite(void)
{
    Suite *suite = suite_create("loader_files");
    TCase *unit = hnt_case(suite, "unit");
    tcase_add_test(unit, views_are_augmented_files);
    tcase_add_test(unit, shrunk_decoding_is_close);
    tcase_add_test(unit, wrong_options);
    TCase *repro = hnt_case(suite, "repro");
    tcase_add_test(repro, same_bits_for_any_workers);
    tcase_add_test(repro, images_shared_out_one_by_one);
    TCase *oom = hnt_case(suite, "oom");
    tcase_add_test(oom, allocation_failures);
    return suite;
}

int main(void)
{
    return hnt_files_main(loader_files_suite());
}
