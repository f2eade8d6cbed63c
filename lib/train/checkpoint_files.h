/* checkpoint_files.h -- the files of a checkpoint directory: their names, which there are, and taking away the oldest. */
#ifndef HNI_CHECKPOINT_FILES_H
#define HNI_CHECKPOINT_FILES_H

#include <hybridnet/context.h>

#include <stdbool.h>

/* Where training stood, by a file's name. */
typedef struct hni_place {
    int64_t epoch, step;
} hni_place;

typedef struct hni_places {
    hn_context *context;
    const char *function; /* begins the sentences */
    hni_place *place; /* the latest first */
    int64_t count, capacity;
} hni_places;

/* "directory/checkpoint-EEEEEEEE-SSSSSSSS.safetensors"; release with hni_release_string. NULL on failure. */
char *hni_checkpoint_path(hn_context *context, const char *directory, hni_place place);

/* The checkpoints that a directory has. HN_END where there is no such directory; HN_E_IO, HN_E_NOMEM. Release in any case. */
hn_status hni_places_list(hni_places *places, hn_context *context, const char *function, const char *directory);
void hni_places_release(hni_places *places);

/* Takes away the checkpoints beyond the `keep` latest (0: all stay) of those not later than `last`, and the temporary files of
 * writers that are no more. What fails is a warning in the log.                                                         */
void hni_checkpoint_prune(hn_context *context, const char *function, const char *directory, hni_place last, int64_t keep);

#endif
