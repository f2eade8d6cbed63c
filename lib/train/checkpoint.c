/* Opening a checkpoint, and bringing a training to where it stood. */
#include "train/checkpoint.h"

#include "base/context.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/options.h"
#include "io/safetensors_file.h"
#include "train/checkpoint_files.h"
#include "train/training_state.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SENTENCE = 512 };

struct hn_checkpoint {
    hn_context *context;
    hn_safetensors *file;
    hni_place place;
    bool frozen;
};

/* ---- opening -------------------------------------------------------------------------------------------------------- */

/* A whole number >= 0 at *text, which then points behind it and one blank; false where there is none. */
static bool read_number(const char **text, int64_t *value)
{
    char *rest;
    if (*text == NULL || **text < '0' || **text > '9')
        return false;
    *value = strtoll(*text, &rest, 10);
    *text = rest + (*rest == ' ');
    return *value >= 0 && *value <= HNI_CHECKPOINT_MOST;
}

/* The number of a key of the metadata. */
static bool number_of(const hn_safetensors *file, const char *key, int64_t *value)
{
    const char *text = hn_safetensors_metadata(file, key);
    return read_number(&text, value) && *text == '\0';
}

static hn_status check_file(hn_checkpoint *c, const char *path)
{
    static const char function[] = "hn_checkpoint_open";
    const hn_safetensors *file = c->file;
    const char *version = hn_safetensors_metadata(file, HNI_CHECKPOINT_FORMAT);
    const char *checksum = hn_safetensors_metadata(file, HNI_CHECKPOINT_CHECKSUM);
    int64_t frozen = 0;
    hni_crc64 crc;
    char text[HNI_CHECKPOINT_TEXT];
    HNI_FAIL_IF(version == NULL || checksum == NULL, HN_E_FORMAT,
                "%s: %s is no checkpoint: it has no " HNI_CHECKPOINT_OWN "%s", function, path,
                version == NULL ? "checkpoint" : "checksum");
    hni_crc64_begin(&crc);
    for (int64_t i = 0; i < file->metadata_count; ++i)
        hni_checkpoint_sum_entry(&crc, file->metadata[i].key, file->metadata[i].value);
    for (int64_t i = 0; i < file->count; ++i)
        hni_checkpoint_sum_tensor(&crc, file->entries[i].name, file->entries[i].tensor);
    hni_checkpoint_sum_text(&crc, text);
    HNI_FAIL_IF(strcmp(text, checksum) != 0, HN_E_FORMAT,
                "%s: %s is damaged: its content has the checksum %s, not %.16s", function, path, text, checksum);
    HNI_FAIL_IF(strcmp(version, HNI_CHECKPOINT_VERSION) != 0, HN_E_VERSION,
                "%s: %s is in version %.16s of the format; this library knows " HNI_CHECKPOINT_VERSION, function, path,
                version);
    HNI_FAIL_IF(!number_of(file, HNI_CHECKPOINT_EPOCH, &c->place.epoch) ||
                    !number_of(file, HNI_CHECKPOINT_STEP, &c->place.step) ||
                    !number_of(file, HNI_CHECKPOINT_FROZEN, &frozen),
                HN_E_FORMAT, "%s: %s does not say where training stood", function, path);
    c->frozen = frozen != 0;
    return HN_OK;
}

static hn_status open_file(hn_checkpoint **out, hn_context *context, const char *path)
{
    hn_checkpoint *c = hni_alloc(context, sizeof *c);
    if (c == NULL)
        return hni_no_memory("hn_checkpoint_open", sizeof *c);
    *c = (hn_checkpoint){.context = context};
    hn_status status = hn_safetensors_open(&c->file, context, path);
    if (status == HN_OK)
        status = check_file(c, path);
    if (status < 0)
        hn_checkpoint_close(c);
    else
        *out = c;
    return status;
}

/* The latest that is whole; what is wrong with others is for the log, and the sentence if none is. */
static hn_status open_latest(hn_checkpoint **out, hn_context *context, const char *directory, const hni_places *places)
{
    static const char function[] = "hn_checkpoint_open";
    char latest[SENTENCE] = "";
    hn_status first = HN_END;
    for (int64_t i = 0; i < places->count; ++i) {
        char *path = hni_checkpoint_path(context, directory, places->place[i]);
        hn_status status = path == NULL ? hni_no_memory(function, strlen(directory)) : open_file(out, context, path);
        hni_release_string(context, path);
        if (status != HN_E_FORMAT && status != HN_E_IO)
            return status;
        char sentence[SENTENCE]; /* the caller's log may fail at something itself */
        (void)snprintf(sentence, sizeof sentence, "%s", hn_last_error());
        if (i == 0) {
            memcpy(latest, sentence, sizeof latest);
            first = status;
        }
        hni_log(context, HN_LOG_WARNING, "a checkpoint is passed over: %s", sentence);
    }
    if (first == HN_END)
        return HN_END;
    return hni_fail(first, "%s: none of the checkpoints in %s is whole (%" PRId64 " are there); the latest: %s",
                    function, directory, places->count, latest);
}

hn_status hn_checkpoint_open(hn_checkpoint **out, hn_context *context, const char *directory)
{
    static const char function[] = "hn_checkpoint_open";
    hni_places places;
    HNI_FAIL_IF(out == NULL || context == NULL || directory == NULL, HN_E_ARG, "%s: %s is NULL", function,
                out == NULL       ? "out"
                : context == NULL ? "context"
                                  : "directory");
    hn_status status = hni_places_list(&places, context, function, directory);
    if (status == HN_OK)
        status = open_latest(out, context, directory, &places);
    hni_places_release(&places);
    return status;
}

int64_t hn_checkpoint_epoch(const hn_checkpoint *checkpoint)
{
    return checkpoint == NULL ? -1 : checkpoint->place.epoch;
}

int64_t hn_checkpoint_step(const hn_checkpoint *checkpoint)
{
    return checkpoint == NULL ? -1 : checkpoint->place.step;
}

const char *hn_checkpoint_metadata(const hn_checkpoint *checkpoint, const char *key)
{
    return checkpoint == NULL ? NULL : hn_safetensors_metadata(checkpoint->file, key);
}

void hn_checkpoint_close(hn_checkpoint *checkpoint)
{
    if (checkpoint == NULL)
        return;
    hn_safetensors_close(checkpoint->file);
    hni_release(checkpoint->context, checkpoint, sizeof *checkpoint);
}

hn_status hni_checkpoint_training(hn_training *t, const hn_training *given, const char *function)
{
    *t = (hn_training){.struct_size = sizeof *t};
    HNI_FAIL_IF(given == NULL, HN_E_ARG, "%s: training is NULL", function);
    HNI_TRY(hni_options_read(t, sizeof *t, given, function));
    HNI_FAIL_IF(t->hybrid == NULL, HN_E_ARG, "%s: training->hybrid is NULL", function);
    return HN_OK;
}

/* ---- going on ------------------------------------------------------------------------------------------------------- */

/* A loader's place in the file, if there is a loader. */
static hn_status check_loader(const hn_checkpoint *c, const char *key, const hn_loader *loader, hni_place *place,
                              const char *function)
{
    const char *text = hn_safetensors_metadata(c->file, key);
    if (loader == NULL)
        return HN_OK;
    HNI_FAIL_IF(!read_number(&text, &place->epoch) || !read_number(&text, &place->step) || *text != '\0', HN_E_FORMAT,
                "%s: the checkpoint has no %s", function, key);
    HNI_FAIL_IF(place->step > hn_loader_batches(loader), HN_E_FORMAT,
                "%s: %s is at batch %" PRId64 "; an epoch of the training's has %" PRId64, function, key, place->step,
                hn_loader_batches(loader));
    return HN_OK;
}

static hn_status restore(const hn_checkpoint *c, const hn_training *t, const hni_state *state, const char *function)
{
    hni_place feature = {0, 0}, classifier = {0, 0};
    HNI_TRY(hni_state_check(state, c->file, function));
    HNI_TRY(check_loader(c, HNI_CHECKPOINT_FEATURE, t->feature, &feature, function));
    HNI_TRY(check_loader(c, HNI_CHECKPOINT_CLASSIFIER, t->classifier, &classifier, function));
    if (c->frozen != t->hybrid->frozen)
        HNI_TRY(hn_hybrid_freeze_backbone(t->hybrid, c->frozen)); /* the last that can fail */
    if (t->feature != NULL)
        HNI_TRY(hn_loader_seek(t->feature, feature.epoch, feature.step));
    if (t->classifier != NULL)
        HNI_TRY(hn_loader_seek(t->classifier, classifier.epoch, classifier.step));
    hni_state_take(state, c->file);
    return HN_OK;
}

hn_status hn_checkpoint_restore(const hn_checkpoint *checkpoint, hn_training *training)
{
    static const char function[] = "hn_checkpoint_restore";
    hn_training t;
    HNI_FAIL_IF(checkpoint == NULL, HN_E_ARG, "%s: checkpoint is NULL", function);
    HNI_TRY(hni_checkpoint_training(&t, training, function));
    HNI_FAIL_IF(training->struct_size < offsetof(hn_training, step) + sizeof t.step, HN_E_ARG,
                "%s: training->struct_size is %zu; it lacks epoch or step", function, training->struct_size);
    hni_state state;
    HNI_TRY(hni_state_list(&state, t.hybrid, checkpoint->frozen, function));
    hn_status status = restore(checkpoint, &t, &state, function);
    hni_state_release(&state);
    if (status == HN_OK) {
        training->epoch = checkpoint->place.epoch;
        training->step = checkpoint->place.step;
    }
    return status;
}
