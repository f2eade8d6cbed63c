/* Writing a checkpoint. */
#include "train/checkpoint.h"

#include "base/error.h"
#include "base/memory.h"
#include "train/checkpoint_files.h"
#include "train/training_state.h"

#include <hybridnet/version.h>

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { OWN_ENTRIES = 10 };

/* Metadata of the library's own, with the texts it points into. */
typedef struct entries {
    hn_metadata list[OWN_ENTRIES];
    char texts[OWN_ENTRIES][HNI_CHECKPOINT_TEXT];
    int count;
} entries;

static char *add_own(entries *e, const char *key)
{
    e->list[e->count] = (hn_metadata){key, e->texts[e->count]};
    return e->texts[e->count++];
}

static void add_loader(entries *e, const char *key, const hn_loader *loader)
{
    int64_t epoch, batch;
    if (loader == NULL)
        return;
    hn_loader_tell(loader, &epoch, &batch);
    (void)snprintf(add_own(e, key), HNI_CHECKPOINT_TEXT, "%" PRId64 " %" PRId64, epoch, batch);
}

static void fill_entries(entries *e, const hn_training *t)
{
    e->count = 0;
    (void)snprintf(add_own(e, "format"), HNI_CHECKPOINT_TEXT, "pt");
    (void)snprintf(add_own(e, "producer"), HNI_CHECKPOINT_TEXT, "libhybridnet");
    (void)snprintf(add_own(e, "version"), HNI_CHECKPOINT_TEXT, "%s", hn_version_string());
    (void)snprintf(add_own(e, HNI_CHECKPOINT_FORMAT), HNI_CHECKPOINT_TEXT, HNI_CHECKPOINT_VERSION);
    (void)snprintf(add_own(e, HNI_CHECKPOINT_EPOCH), HNI_CHECKPOINT_TEXT, "%" PRId64, t->epoch);
    (void)snprintf(add_own(e, HNI_CHECKPOINT_STEP), HNI_CHECKPOINT_TEXT, "%" PRId64, t->step);
    (void)snprintf(add_own(e, HNI_CHECKPOINT_FROZEN), HNI_CHECKPOINT_TEXT, "%d", t->hybrid->frozen);
    add_loader(e, HNI_CHECKPOINT_FEATURE, t->feature);
    add_loader(e, HNI_CHECKPOINT_CLASSIFIER, t->classifier);
}

/* All but the file: names and tensors of the state, metadata with the checksum last. */
static void fill(const hni_state *state, hn_named_tensor *tensors, entries *own, hn_metadata *all,
                 const hn_metadata *given, int64_t count)
{
    hni_crc64 crc;
    int64_t n = 0;
    for (int i = 0; i < own->count; ++i)
        all[n++] = own->list[i];
    for (int64_t i = 0; i < count; ++i)
        all[n++] = given[i];
    hni_crc64_begin(&crc);
    for (int64_t i = 0; i < n; ++i)
        hni_checkpoint_sum_entry(&crc, all[i].key, all[i].value);
    for (int64_t i = 0; i < state->count; ++i) {
        tensors[i] = (hn_named_tensor){state->arrays[i].name, hni_state_tensor(state, i)};
        hni_checkpoint_sum_tensor(&crc, tensors[i].name, tensors[i].tensor);
    }
    hni_checkpoint_sum_text(&crc, add_own(own, HNI_CHECKPOINT_CHECKSUM));
    all[n] = own->list[own->count - 1];
}

static hn_status write_file(const hn_training *t, const hni_state *state, const char *path, const hn_metadata *metadata,
                            int64_t count)
{
    hn_context *context = t->hybrid->context;
    const size_t tensor_bytes = (size_t)state->count * sizeof(hn_named_tensor),
                 metadata_bytes = ((size_t)count + OWN_ENTRIES) * sizeof(hn_metadata);
    hn_named_tensor *tensors = hni_alloc(context, tensor_bytes);
    hn_metadata *all = hni_alloc(context, metadata_bytes);
    hn_status status = HN_OK;
    if (tensors == NULL || all == NULL) {
        status = hni_no_memory("hn_checkpoint_save", tensor_bytes + metadata_bytes);
    } else {
        entries own;
        fill_entries(&own, t);
        fill(state, tensors, &own, all, metadata, count);
        status = hn_safetensors_write(context, path, tensors, state->count, all, own.count + count);
    }
    hni_release(context, all, metadata_bytes);
    hni_release(context, tensors, tensor_bytes);
    return status;
}

static hn_status check_metadata(const hn_metadata *metadata, int64_t count, const char *function)
{
    HNI_FAIL_IF(count < 0 || (metadata == NULL && count > 0), HN_E_ARG, "%s: metadata is %s", function,
                count < 0 ? "of a negative count" : "NULL");
    for (int64_t i = 0; i < count; ++i) {
        HNI_FAIL_IF(metadata[i].key == NULL || metadata[i].value == NULL, HN_E_ARG,
                    "%s: metadata %" PRId64 " has no %s", function, i, metadata[i].key == NULL ? "key" : "value");
        HNI_FAIL_IF(strncmp(metadata[i].key, HNI_CHECKPOINT_OWN, sizeof HNI_CHECKPOINT_OWN - 1) == 0, HN_E_ARG,
                    "%s: the metadata key %s begins with \"" HNI_CHECKPOINT_OWN "\", as the library's own do", function,
                    metadata[i].key);
    }
    return HN_OK;
}

/* A training that has diverged must not push out checkpoints of one that had not. */
static hn_status check_finite(const hn_hybrid *hybrid, const char *function)
{
    for (int64_t p = 0; p < hybrid->param_count; ++p) {
        const hn_tensor *value = hybrid->params[p].value;
        const float *x = value->data;
        for (int64_t i = 0; i < hn_tensor_count(value); ++i)
            HNI_FAIL_IF(!isfinite(x[i]), HN_E_NONFINITE, "%s: %s is %g at its value %" PRId64, function,
                        hybrid->params[p].name, isnan(x[i]) ? (double)NAN : (double)x[i], i);
    }
    return HN_OK;
}

hn_status hn_checkpoint_save(const hn_training *training, const char *directory, int64_t keep,
                             const hn_metadata *metadata, int64_t count)
{
    static const char function[] = "hn_checkpoint_save";
    hn_training t;
    HNI_TRY(hni_checkpoint_training(&t, training, function));
    HNI_FAIL_IF(directory == NULL || directory[0] == '\0', HN_E_ARG, "%s: directory is %s", function,
                directory == NULL ? "NULL" : "empty");
    HNI_FAIL_IF(t.epoch < 0 || t.epoch > HNI_CHECKPOINT_MOST || t.step < 0 || t.step > HNI_CHECKPOINT_MOST, HN_E_ARG,
                "%s: epoch is %" PRId64 ", step %" PRId64 "; both must be in [0, 10^18)", function, t.epoch, t.step);
    HNI_FAIL_IF(keep < 0, HN_E_ARG, "%s: keep is %" PRId64 "; it must not be negative", function, keep);
    HNI_TRY(check_metadata(metadata, count, function));
    HNI_TRY(check_finite(t.hybrid, function));
    const hni_place place = {t.epoch, t.step};
    hn_context *context = t.hybrid->context;
    hni_state state;
    HNI_TRY(hni_state_list(&state, t.hybrid, t.hybrid->frozen, function));
    char *path = hni_checkpoint_path(context, directory, place);
    hn_status status =
        path == NULL ? hni_no_memory(function, strlen(directory)) : write_file(&t, &state, path, metadata, count);
    hni_release_string(context, path);
    hni_state_release(&state);
    if (status == HN_OK)
        hni_checkpoint_prune(context, function, directory, place, keep);
    return status;
}
