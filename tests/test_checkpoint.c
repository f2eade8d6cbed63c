/* Checkpoints: training goes on with the same bits, for every loss, at any step, on any number of threads; what is no
 * checkpoint of this training is refused, and nothing changes.                                                            */
#include "checkpoint_case.h"

#include <stdio.h>

#ifdef HNI_HAVE_JANSSON

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* ---- repro: training goes on with the same bits --------------------------------------------------------------------- */

START_TEST(goes_on_with_the_same_bits)
{
    static const int cuts[] = {1, 4, 5, 7, 11};
    RIG_DIRECTORIES;
    for (int k = 0; k < KINDS; ++k) {
        rig r;
        rig_open(&r, k);
        rig_train(&r, TOTAL);
        rig_bytes want = rig_state(&r, other);
        rig_close(&r);
        for (size_t i = 0; i < sizeof cuts / sizeof *cuts; ++i) {
            rig_open(&r, k);
            rig_train(&r, cuts[i]);
            hnt_ok(hn_checkpoint_save(&r.t, dir, 1, NULL, 0));
            rig_close(&r);
            /* In another process, as it were: other initial values, other threads. */
            rig_open_in(&r, &(rig_recipe){k, 1 + (int32_t)i % 3, 99, QUEUE, IMAGES}, NULL);
            rig_train(&r, 2);
            hn_checkpoint *c = NULL;
            ck_assert_int_eq(hn_checkpoint_open(&c, r.context, dir), HN_OK);
            hnt_ok(hn_checkpoint_restore(c, &r.t));
            ck_assert_int_eq(r.t.epoch * STEPS + r.t.step, cuts[i]);
            ck_assert_int_eq(hn_checkpoint_epoch(c), r.t.epoch);
            ck_assert_int_eq(hn_checkpoint_step(c), r.t.step);
            hn_checkpoint_close(c);
            rig_train(&r, TOTAL);
            rig_bytes got = rig_state(&r, other);
            ck_assert_msg(rig_same(want, got), "%s, gone on with after step %d, is not what it would have been",
                          rig_kinds[k].name, cuts[i]);
            free(got.data);
            rig_close(&r);
            remove(rig_path(dir, cuts[i]));
        }
        free(want.data);
    }
}
END_TEST

/* A second stage: the momentum is of the heads alone then. */
START_TEST(a_frozen_training_goes_on_frozen)
{
    RIG_DIRECTORIES;
    rig a, b;
    hn_checkpoint *c = NULL;
    rig_open(&a, PACO);
    rig_train(&a, 3);
    rig_bytes before = rig_state(&a, other);
    hnt_ok(hn_hybrid_freeze_backbone(a.t.hybrid, 1));
    rig_train(&a, 6);
    hnt_ok(hn_checkpoint_save(&a.t, dir, 1, NULL, 0));
    rig_train(&a, TOTAL);
    rig_open(&b, PACO);
    rig_train(&b, 3);
    hnt_ok(hn_checkpoint_open(&c, b.context, dir));
    hnt_ok(hn_checkpoint_restore(c, &b.t));
    rig_train(&b, TOTAL);
    rig_bytes want = rig_state(&a, other), got = rig_state(&b, other);
    ck_assert(rig_same(want, got));
    ck_assert(want.size < before.size);
    hn_checkpoint_close(c);
    free(want.data);
    free(got.data);
    free(before.data);
    rig_close(&a);
    rig_close(&b);
}
END_TEST

/* Whoever adds a loss is told to add it here: a state that is left out of checkpoints shows in the test above. */
START_TEST(every_loss_is_tried)
{
    FILE *f = fopen(HNT_SYMBOLS, "r");
    ck_assert_ptr_nonnull(f);
    char line[200];
    int losses = 0;
    while (fgets(line, sizeof line, f) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "hn_loss_create_", 15) != 0)
            continue;
        bool tried = false;
        for (int k = 0; k < KINDS; ++k)
            tried |= strcmp(rig_kinds[k].creator, line) == 0;
        ck_assert_msg(tried, "%s is not among the rig_kinds of this test", line);
        ++losses;
    }
    fclose(f);
    ck_assert_int_ge(losses, 7);
}
END_TEST

/* ---- unit: what is in the file -------------------------------------------------------------------------------------- */

START_TEST(is_a_file_of_weights_too)
{
    static const hn_metadata metadata[] = {{"options", "a = 1\nb = \"2\"\t\xc3\xa9\n"}, {"best", "0x1.8p-1"}};
    RIG_DIRECTORIES;
    rig a, b;
    char path[300];
    hn_checkpoint *c = NULL;
    rig_open(&a, TSC);
    rig_train(&a, 4);
    hnt_ok(hn_checkpoint_save(&a.t, dir, 2, metadata, 2));
    snprintf(path, sizeof path, "%s", rig_path(dir, 4));
    hnt_ok(hn_checkpoint_open(&c, a.context, dir));
    ck_assert_str_eq(hn_checkpoint_metadata(c, "options"), metadata[0].value);
    ck_assert_str_eq(hn_checkpoint_metadata(c, "best"), metadata[1].value);
    ck_assert_str_eq(hn_checkpoint_metadata(c, "version"), hn_version_string());
    ck_assert_ptr_null(hn_checkpoint_metadata(c, "worst"));
    ck_assert_ptr_null(hn_checkpoint_metadata(NULL, "best"));
    ck_assert_int_eq(hn_checkpoint_epoch(NULL), -1);
    ck_assert_int_eq(hn_checkpoint_step(NULL), -1);
    hn_checkpoint_close(c);
    hn_checkpoint_close(NULL);

    hn_safetensors *file = NULL;
    hnt_ok(hn_safetensors_open(&file, a.context, path));
    static const struct {
        const char *name;
        int32_t dtype;
    } tensors[] = {{"unit.conv.weight", HN_F32},
                   {"unit.bn.running_var", HN_F32},
                   {"fc.bias", HN_F32},
                   {"optimizer.momentum.unit.conv.weight", HN_F32},
                   {"optimizer.momentum.fc.bias", HN_F32},
                   {"loss.feature.queue", HN_F32},
                   {"loss.feature.queue_labels", HN_I32},
                   {"loss.feature.steps", HN_I64}};
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; ++i) {
        const hn_tensor *t = hn_safetensors_find(file, tensors[i].name);
        ck_assert_msg(t != NULL, "no %s", tensors[i].name);
        ck_assert_int_eq(hn_tensor_desc(t)->dtype, tensors[i].dtype);
    }
    ck_assert_int_eq(*(const int64_t *)hn_tensor_cdata(hn_safetensors_find(file, "loss.feature.steps")), 4);
    ck_assert_ptr_null(hn_safetensors_find(file, "optimizer.momentum.unit.bn.running_var"));
    hn_safetensors_close(file);

    /* Weights alone, out of it and into a file of their own. */
    rig_open_in(&b, &(rig_recipe){CE, 1, 5, QUEUE, IMAGES}, NULL);
    hnt_ok(hn_hybrid_load(b.t.hybrid, path, 0));
    float la[BATCH * CLASSES], lb[BATCH * CLASSES];
    hn_matf ma = {la, BATCH, CLASSES, CLASSES}, mb = {lb, BATCH, CLASSES, CLASSES};
    hn_batch batch = {.struct_size = sizeof batch};
    rig_next_batch(a.t.classifier, &batch);
    hnt_ok(hn_hybrid_predict(a.t.hybrid, batch.images, &ma));
    hnt_ok(hn_hybrid_predict(b.t.hybrid, batch.images, &mb));
    ck_assert(memcmp(la, lb, sizeof la) == 0);
    snprintf(path, sizeof path, "%s/weights.safetensors", other);
    hnt_ok(hn_hybrid_save_inference(a.t.hybrid, path));
    hnt_ok(hn_safetensors_open(&file, a.context, path));
    ck_assert_int_eq(hn_safetensors_count(file), hn_hybrid_param_count(b.t.hybrid));
    hn_safetensors_close(file);
    hnt_ok(hn_hybrid_load(b.t.hybrid, path, 1));
    hnt_fails(hn_hybrid_save_inference(NULL, path), HN_E_ARG, "hybrid is NULL");
    hnt_fails(hn_hybrid_save_inference(b.t.hybrid, "/nonexistent/w"), HN_E_IO, "/nonexistent/w");
    rig_close(&a);
    rig_close(&b);
}
END_TEST

START_TEST(misuse_is_named)
{
    static const hn_metadata own = {"hybridnet.epoch", "1"}, none = {"x", NULL};
    static const hn_metadata taken[] = {{"format", "x"}, {"producer", "x"}, {"version", "x"}};
    RIG_DIRECTORIES;
    rig r;
    hn_checkpoint *c = NULL;
    rig_open(&r, CE);
    hn_training empty = {.struct_size = sizeof empty}, negative = r.t;
    negative.step = -1;
    hnt_fails(hn_checkpoint_save(NULL, dir, 1, NULL, 0), HN_E_ARG, "training is NULL");
    hnt_fails(hn_checkpoint_save(&empty, dir, 1, NULL, 0), HN_E_ARG, "training->hybrid is NULL");
    hnt_fails(hn_checkpoint_save(&r.t, NULL, 1, NULL, 0), HN_E_ARG, "directory is NULL");
    hnt_fails(hn_checkpoint_save(&r.t, dir, -1, NULL, 0), HN_E_ARG, "keep is -1");
    hnt_fails(hn_checkpoint_save(&negative, dir, 1, NULL, 0), HN_E_ARG, "step -1");
    hnt_fails(hn_checkpoint_save(&r.t, dir, 1, NULL, 1), HN_E_ARG, "metadata is NULL");
    hnt_fails(hn_checkpoint_save(&r.t, dir, 1, &own, 1), HN_E_ARG, "hybridnet.epoch");
    for (size_t i = 0; i < sizeof taken / sizeof *taken; ++i)
        hnt_fails(hn_checkpoint_save(&r.t, dir, 1, &taken[i], 1), HN_E_ARG, taken[i].key);
    hnt_fails(hn_checkpoint_save(&r.t, dir, 1, &none, 1), HN_E_ARG, "no value");
    ck_assert_int_eq(rig_entries(dir), 0);
    hnt_fails(hn_checkpoint_open(NULL, r.context, dir), HN_E_ARG, "out is NULL");
    hnt_fails(hn_checkpoint_open(&c, NULL, dir), HN_E_ARG, "context is NULL");
    hnt_fails(hn_checkpoint_open(&c, r.context, NULL), HN_E_ARG, "directory is NULL");
    ck_assert_int_eq(hn_checkpoint_open(&c, r.context, dir), HN_END);
    ck_assert_int_eq(hn_checkpoint_open(&c, r.context, "/nonexistent/directory"), HN_END);
    hnt_fails(hn_checkpoint_open(&c, r.context, "/dev/null"), HN_E_IO, "/dev/null");
    ck_assert_ptr_null(c);
    hnt_fails(hn_checkpoint_restore(NULL, &r.t), HN_E_ARG, "checkpoint is NULL");
    hnt_ok(hn_checkpoint_save(&r.t, dir, 1, NULL, 0));
    hnt_ok(hn_checkpoint_open(&c, r.context, dir));
    hnt_fails(hn_checkpoint_restore(c, NULL), HN_E_ARG, "training is NULL");
    hnt_fails(hn_checkpoint_restore(c, &empty), HN_E_ARG, "training->hybrid is NULL");
    hn_checkpoint_close(c);
    ck_assert_ptr_null(hn_optimizer_momentum(NULL, NULL));
    rig_close(&r);
}
END_TEST

/* A struct without room for what restoring sets, as of a caller that set another size, is refused before anything is set. */
START_TEST(a_training_without_its_place_is_refused)
{
    static const size_t sizes[] = {offsetof(hn_training, epoch), offsetof(hn_training, step), sizeof(hn_training) - 1};
    RIG_DIRECTORIES;
    rig r;
    hn_checkpoint *c = NULL;
    char sentence[100];
    rig_open(&r, PSC);
    rig_train(&r, 1);
    hnt_ok(hn_checkpoint_save(&r.t, dir, 1, NULL, 0));
    hnt_ok(hn_checkpoint_open(&c, r.context, dir));
    rig_train(&r, 7); /* in another epoch */
    rig_bytes before = rig_state(&r, other);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i) {
        snprintf(sentence, sizeof sentence, "training->struct_size is %zu; it lacks epoch or step", sizes[i]);
        r.t.struct_size = sizes[i];
        hnt_fails(hn_checkpoint_restore(c, &r.t), HN_E_ARG, sentence);
        ck_assert_uint_eq(r.t.struct_size, sizes[i]);
        r.t.struct_size = sizeof r.t;
        rig_bytes after = rig_state(&r, other);
        ck_assert_msg(rig_same(before, after), "a size of %zu has changed the training", sizes[i]);
        free(after.data);
    }
    hnt_ok(hn_checkpoint_restore(c, &r.t));
    ck_assert_int_eq(r.t.step, 1);
    free(before.data);
    hn_checkpoint_close(c);
    rig_close(&r);
}
END_TEST

/* A training of another make is refused, and stays as it was. */
START_TEST(another_training_is_refused)
{
    static const struct {
        rig_recipe made;
        const char *text;
    } cases[] = {
        {{KCL, 1, 1, QUEUE + 1, IMAGES}, "loss.feature.queue is f32 21x4 in the checkpoint and f32 22x4"},
        {{KCL, 1, 1, QUEUE, 16}, "loader.classifier is at batch 4; an epoch of the training's has 2"},
        {{TSC, 1, 1, QUEUE, IMAGES}, "the checkpoint has no loss.feature.targets"},
        {{PSC, 1, 1, QUEUE, IMAGES}, "the checkpoint has no prototypes"},
        {{SC, 1, 1, QUEUE, IMAGES}, "the checkpoint has loss.feature.queue, the training has not"},
        {{CE, 1, 1, QUEUE, IMAGES}, "the checkpoint has projection.0.weight, the training has not"},
    };
    RIG_DIRECTORIES;
    rig a;
    hn_checkpoint *c = NULL;
    rig_open(&a, KCL);
    rig_train(&a, 4);
    hnt_ok(hn_checkpoint_save(&a.t, dir, 2, NULL, 0));
    hnt_ok(hn_checkpoint_open(&c, a.context, dir));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        rig b;
        rig_open_in(&b, &cases[i].made, NULL);
        rig_train(&b, 1);
        rig_bytes before = rig_state(&b, other);
        hnt_fails(hn_checkpoint_restore(c, &b.t), HN_E_FORMAT, cases[i].text);
        rig_bytes after = rig_state(&b, other);
        ck_assert_msg(rig_same(before, after), "case %zu has changed the training", i);
        free(before.data);
        free(after.data);
        rig_close(&b);
    }
    hn_checkpoint_close(c);
    rig_close(&a);
}
END_TEST

/* A file whose checksum is right, but whose numbers would lead out of an array. */
START_TEST(numbers_out_of_range_are_refused)
{
    static const struct {
        const char *name;
        int64_t value;
    } bad[] = {{"loss.feature.queue_next", QUEUE}, {"loss.feature.queue_count", QUEUE + 1},
               {"loss.feature.queue_count", -1},   {"loss.feature.class_target", CLASSES},
               {"loss.feature.queue_labels", -1},  {"loss.feature.ready", 2}};
    RIG_DIRECTORIES;
    rig r;
    rig_open(&r, TSC);
    rig_train(&r, 2);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i) {
        hn_safetensors *file = NULL;
        hn_checkpoint *c = NULL;
        hnt_ok(hn_checkpoint_save(&r.t, dir, 1, NULL, 0));
        hnt_ok(hn_safetensors_open(&file, r.context, rig_path(dir, 2)));
        hn_tensor *t = (hn_tensor *)(uintptr_t)hn_safetensors_find(file, bad[i].name);
        if (hn_tensor_desc(t)->dtype == HN_I32)
            ((int32_t *)hn_tensor_data(t))[hn_tensor_count(t) - 1] = (int32_t)bad[i].value;
        else
            ((int64_t *)hn_tensor_data(t))[hn_tensor_count(t) - 1] = bad[i].value;
        rig_seal(r.context, file, rig_path(dir, 2));
        hn_safetensors_close(file);
        hnt_ok(hn_checkpoint_open(&c, r.context, dir));
        hnt_fails(hn_checkpoint_restore(c, &r.t), HN_E_FORMAT, bad[i].name);
        hn_checkpoint_close(c);
    }
    rig_close(&r);
}
END_TEST

/* ---- oom ------------------------------------------------------------------------------------------------------------ */

START_TEST(every_allocation_may_fail)
{
    RIG_DIRECTORIES;
    hnt_counter counter = {.fail_at = -1};
    hn_context *context = NULL;
    rig r;
    hnt_ok(hnt_counting_context(&context, &counter, 1));
    rig_open_in(&r, &(rig_recipe){TSC, 1, 1, QUEUE, IMAGES}, context);
    rig_train(&r, 2);
    rig_bytes want = rig_state(&r, other);
    const int64_t alive = counter.alive;
    for (int64_t k = 0, calls = 0; counter.calls > calls + k - 1; ++k) { /* until none failed */
        calls = counter.calls;
        counter.fail_at = calls + k;
        hn_status status = hn_checkpoint_save(&r.t, dir, 1, NULL, 0);
        ck_assert_msg(status == HN_OK || status == HN_E_NOMEM, "%s", hn_last_error());
        ck_assert_int_eq(counter.alive, alive);
        ck_assert_int_le(rig_entries(dir), 1);
    }
    for (int64_t k = 0, calls = 0; counter.calls > calls + k - 1; ++k) {
        hn_checkpoint *c = NULL;
        calls = counter.calls;
        counter.fail_at = calls + k;
        hn_status status = hn_checkpoint_open(&c, context, dir);
        if (status == HN_OK)
            status = hn_checkpoint_restore(c, &r.t);
        ck_assert_msg(status == HN_OK || status == HN_E_NOMEM, "%s", hn_last_error());
        hn_checkpoint_close(c);
        ck_assert_int_eq(counter.alive, alive);
    }
    counter.fail_at = -1;
    rig_bytes got = rig_state(&r, other);
    ck_assert(rig_same(want, got));
    free(want.data);
    free(got.data);
    rig_close(&r);
    hn_context_destroy(context);
    ck_assert_int_eq(counter.alive, 0);
}
END_TEST

#else

START_TEST(a_build_without_jansson_says_so)
{
    hn_context *context = hnt_context(1);
    hn_checkpoint *c = NULL;
    char dir[200], path[300];
    hnt_temp_dir(dir, sizeof dir);
    snprintf(path, sizeof path, "%s/checkpoint-00000000-00000001.safetensors", dir);
    hnt_write_file(path, "", 0);
    hnt_fails(hn_checkpoint_open(&c, context, dir), HN_E_UNSUPPORTED, "without jansson");
    hn_context_destroy(context);
}
END_TEST

#endif

static Suite *suite(void)
{
    Suite *s = suite_create("checkpoint");
    TCase *unit = hnt_case(s, "unit");
#ifdef HNI_HAVE_JANSSON
    tcase_add_test(unit, every_loss_is_tried);
    tcase_add_test(unit, is_a_file_of_weights_too);
    tcase_add_test(unit, misuse_is_named);
    tcase_add_test(unit, a_training_without_its_place_is_refused);
    tcase_add_test(unit, another_training_is_refused);
    tcase_add_test(unit, numbers_out_of_range_are_refused);
    TCase *repro = hnt_case(s, "repro");
    tcase_add_test(repro, goes_on_with_the_same_bits);
    tcase_add_test(repro, a_frozen_training_goes_on_frozen);
    tcase_add_test(hnt_case(s, "oom"), every_allocation_may_fail);
#else
    static const char *const labels[] = {"unit", "repro", "oom"}; /* as CMake lists them */
    for (int i = 0; i < 3; ++i)
        tcase_add_test(i == 0 ? unit : hnt_case(s, labels[i]), a_build_without_jansson_says_so);
#endif
    return s;
}

HNT_MAIN(suite)
