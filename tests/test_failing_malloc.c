/* Lack of memory inside of the libraries below: every malloc of jansson, libjpeg, zlib and the C library fails, once alone and
 * once with all that follow, while files are read, decoded and written. That is HN_E_NOMEM, or, where the library below
 * goes on without (a sort in place), the right result; nothing stays behind, and the next try succeeds.
 *
 * jansson 2.14 does not look whether its buffer for a token could grow beyond 16 bytes, and reads on past what it has: what is
 * read here has shorter tokens. Weights and checkpoints, with their long names, are written only.                       */
#include "checkpoint_case.h"
#include "data/image.h"
#include "failing_calls.h"
#include "failing_malloc.h"
#include "reader_case.h"

#include <stdio.h>
#include <string.h>

enum { MOST = 2000 };

/* What is done: *got is to be the same every time. */
typedef struct deed {
    const char *dir;
    const hnt_reader *reader;
    const char *name; /* of a file */
    const hn_training *t;
} deed;

typedef hn_status deed_fn(const deed *d, hn_context *context, uint64_t *got);

/* Everything that deed allocates fails. */
static int64_t starve(deed_fn *act, const deed *d, const char *what)
{
    int64_t most = 0;
    for (int for_good = 0; for_good < 2; ++for_good) {
        hn_context *context = hnt_context(1);
        uint64_t want = 0;
        hnt_ok(act(d, context, &want)); /* what the C library allocates once and for all */
        for (int64_t k = 0, failed = 1; failed > 0; ++k) {
            uint64_t got = 0;
            hnt_malloc_begin(k, for_good);
            const hn_status status = act(d, context, &got);
            failed = hnt_malloc_is_back();
            const int64_t alive = hnt_malloc_end();
            ck_assert_msg(alive == 0, "%s: malloc %lld: %lld blocks stay", what, (long long)k, (long long)alive);
            ck_assert_msg(status == HN_OK || (status == HN_E_NOMEM && failed > 0 && strstr(hn_last_error(), "memory")),
                          "%s: malloc %lld: %s: %s", what, (long long)k, hn_status_name(status), hn_last_error());
            if (status < 0)
                hnt_ok(act(d, context, &got));
            ck_assert_msg(got == want, "%s: malloc %lld: other bits", what, (long long)k);
            ck_assert_int_lt(k, MOST);
            most = k;
        }
        hn_context_destroy(context);
    }
    return most;
}

/* ---- reading -------------------------------------------------------------------------------------------------------- */

static hn_status open_dataset(const deed *d, hn_context *context, uint64_t *got)
{
    hn_dataset *data = NULL;
    const hn_status status = d->reader->open(&data, context, d->dir);
    if (status == HN_OK)
        *got = (uint64_t)hn_dataset_count(data) * 1000 + (uint64_t)hn_dataset_labels(data)[0];
    hn_dataset_release(data);
    return status;
}

START_TEST(readers)
{
    const hnt_place place = hnt_new_place("");
    hnt_make_files(place.dir);
    for (int i = 0; i < hnt_reader_count; ++i)
        if (hnt_readers[i].in_build)
            starve(open_dataset, &(deed){.dir = place.dir, .reader = &hnt_readers[i]}, hnt_readers[i].name);
}
END_TEST

static hn_status decode(const deed *d, hn_context *context, uint64_t *got)
{
    char path[600];
    hni_image image;
    hni_crc64 crc;
    snprintf(path, sizeof path, "%s/%s", d->dir, d->name);
    hni_image_init(&image, context);
    hn_status status = hni_image_load(&image, path);
    if (status == HN_OK)
        status = hni_image_decode(&image, 1);
    if (status == HN_OK) {
        hni_crc64_begin(&crc);
        hni_crc64_add(&crc, image.pixels, (size_t)image.height * (size_t)image.width * 3);
        *got = hni_crc64_value(&crc);
    }
    hni_image_release(&image);
    return status;
}

static hn_status load_batches(const deed *d, hn_context *context, uint64_t *got)
{
    hn_loader *l = NULL;
    hn_status status = hnt_open_loader(&l, context, d->dir, 0);
    hn_batch b = {.struct_size = sizeof b};
    hni_crc64 crc;
    hni_crc64_begin(&crc);
    for (int i = 0; i < 2 && status == HN_OK; ++i) {
        status = hn_loader_next(l, &b);
        if (status == HN_OK)
            hni_crc64_add(&crc, hn_tensor_cdata(b.images), hn_tensor_bytes(b.images));
    }
    *got = hni_crc64_value(&crc);
    hn_loader_destroy(l);
    return status;
}

START_TEST(images)
{
    const hnt_place place = hnt_new_place("");
    hnt_make_files(place.dir);
#if defined(HNI_HAVE_JPEG) && defined(HNI_HAVE_PNG)
    ck_assert_int_gt(starve(decode, &(deed){.dir = place.dir, .name = "tree/x/1.jpg"}, "jpeg"), 5);
    starve(decode, &(deed){.dir = place.dir, .name = "tree/x/2.png"}, "png"); /* whose memory is the context's */
    ck_assert_int_gt(starve(load_batches, &(deed){.dir = place.dir}, "loader"), 20);
#else
    (void)decode;
    (void)load_batches;
#endif
}
END_TEST

/* ---- safetensors ---------------------------------------------------------------------------------------------------- */

#ifdef HNI_HAVE_JANSSON

static hn_status open_tensors(const deed *d, hn_context *context, uint64_t *got)
{
    char path[600];
    hn_safetensors *file = NULL;
    snprintf(path, sizeof path, "%s/%s", d->dir, d->name);
    const hn_status status = hn_safetensors_open(&file, context, path);
    if (status == HN_OK)
        *got = (uint64_t)hn_safetensors_count(file) * 1000 + (uint64_t)strlen(hn_safetensors_metadata(file, "made"));
    hn_safetensors_close(file);
    return status;
}

static hn_status write_tensors(const deed *d, hn_context *context, uint64_t *got)
{
    static const hn_metadata made = {"made", "by hand"};
    char path[600];
    hn_tensor *tensor[2] = {NULL, NULL};
    const hn_desc desc[2] = {{HN_F32, 2, {3, 2}}, {HN_I64, 1, {2}}};
    snprintf(path, sizeof path, "%s/%s", d->dir, d->name);
    hn_status status = hn_tensor_create(&tensor[0], context, &desc[0]);
    if (status == HN_OK)
        status = hn_tensor_create(&tensor[1], context, &desc[1]);
    const hn_named_tensor named[2] = {{"a.weight", tensor[0]}, {"b", tensor[1]}};
    if (status == HN_OK)
        status = hn_safetensors_write(context, path, named, 2, &made, 1);
    *got = (uint64_t)status;
    hn_tensor_destroy(tensor[0]);
    hn_tensor_destroy(tensor[1]);
    return status;
}

/* The file is the old one, whole, whatever failed. */
START_TEST(tensors)
{
    hnt_place place = hnt_new_place("");
    const deed d = {.dir = place.dir, .name = "t.safetensors"};
    hn_context *context = hnt_context(1);
    uint64_t got;
    hnt_ok(write_tensors(&d, context, &got));
    const uint64_t files = hnt_files_sum(place.dir);
    ck_assert_int_gt(starve(write_tensors, &d, "safetensors_write"), 20);
    ck_assert(hnt_files_sum(place.dir) == files);
    ck_assert_int_gt(starve(open_tensors, &d, "safetensors_open"), 20);
    hn_context_destroy(context);
}
END_TEST

static hn_status save(const deed *d, hn_context *context, uint64_t *got)
{
    char path[600];
    (void)context;
    snprintf(path, sizeof path, "%s/%s", d->dir, d->name);
    hn_status status = hn_hybrid_save(d->t->hybrid, path);
    if (status == HN_OK)
        status = hn_checkpoint_save(d->t, d->dir, 1, NULL, 0);
    *got = 1;
    return status;
}

START_TEST(saves)
{
    RIG_DIRECTORIES;
    rig r;
    uint64_t got;
    rig_open(&r, CE);
    const deed d = {.dir = dir, .name = "w.safetensors", .t = &r.t};
    hnt_ok(save(&d, NULL, &got));
    const uint64_t files = hnt_files_sum(dir);
    ck_assert_int_gt(starve(save, &d, "hybrid_save and checkpoint_save"), 100);
    ck_assert(hnt_files_sum(dir) == files);
    rig_close(&r);
}
END_TEST

#endif

/* Without waiting for the disk. */
static void do_not_sync(void)
{
    hnt_begin_trouble(&(hnt_trouble){.fail_at = -1, .no_sync = true});
}

static Suite *suite(void)
{
    Suite *s = suite_create("failing_malloc");
    TCase *oom = hnt_case(s, "oom");
    tcase_add_checked_fixture(oom, do_not_sync, NULL);
    tcase_add_test(oom, readers);
    tcase_add_test(oom, images);
#ifdef HNI_HAVE_JANSSON
    tcase_add_test(oom, tensors);
    tcase_add_test(oom, saves);
#endif
    return s;
}

HNT_MAIN(suite)
