/* training_state.h -- every array of a training's state under the name it has in a checkpoint: one list for saving and for
 * going on.                                                                                                              */
#ifndef HNI_TRAINING_STATE_H
#define HNI_TRAINING_STATE_H

#include "base/tensor.h"
#include "train/hybrid.h"

#include <hybridnet/safetensors.h>

typedef struct hni_state_array {
    char *name;
    hn_tensor view;           /* of the object's own memory, which the array's owner lets be written         */
    const hn_tensor *trained; /* for a momentum: the parameter's values; its memory is the optimizer's, which
                               * freezing replaces, and so it is asked for when it is needed                  */
    int64_t least, most;      /* of integers */
} hni_state_array;

typedef struct hni_state {
    hn_hybrid *hybrid;
    hni_state_array *arrays;
    int64_t count, capacity;
} hni_state;

/* Lists all arrays of a training whose backbone is frozen or not, whatever the hybrid's is at the moment. On failure *state is
 * empty. HN_E_NOMEM.                                                                                                     */
hn_status hni_state_list(hni_state *state, hn_hybrid *hybrid, bool frozen, const char *function);
void hni_state_release(hni_state *state);

/* The array as it is in memory now. */
hn_tensor *hni_state_tensor(const hni_state *state, int64_t index);

/* Whether a file has exactly these arrays, with values that may be taken. HN_E_FORMAT. */
hn_status hni_state_check(const hni_state *state, const hn_safetensors *file, const char *function);
/* Takes them, from a file that was checked. */
void hni_state_take(const hni_state *state, const hn_safetensors *file);

#endif
