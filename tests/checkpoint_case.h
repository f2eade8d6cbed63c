/* checkpoint_case.h -- what the tests of checkpoints train: a small network with each loss, its loaders, its place. */
#ifndef HNT_CHECKPOINT_CASE_H
#define HNT_CHECKPOINT_CASE_H

#include "support.h"

#include <stdbool.h>

enum { CLASSES = 10, IMAGES = 40, FEATURE_IMAGES = 24, BATCH = 8, STEPS = 5, WIDTH = 4, TOTAL = 12, QUEUE = 21 };

/* A feature loss, and the function that makes it. */
typedef struct kind {
    const char *name, *creator;
    hn_status (*create)(hn_loss **out, hn_context *context, int64_t queue); /* NULL: no feature branch */
} kind;

enum { CE, SC, PSC, BCL, KCL, TSC, PACO, PROCO, KINDS };
extern const kind rig_kinds[KINDS];

/* What a rig is made of. */
typedef struct rig_recipe {
    int kind;
    int32_t threads;
    uint64_t seed; /* of the initial values */
    int64_t queue, images;
} rig_recipe;

/* A training, and what the library has told the log. */
typedef struct rig {
    hn_context *context;
    bool own_context;
    hn_training t;
    char dir[200];
    int warnings;
    char warning[512];
} rig;

/* In place: the context's log has its address. context: NULL makes one. */
void rig_open_in(rig *r, const rig_recipe *c, hn_context *context);
/* The usual one of a kind. */
void rig_open(rig *r, int which);
void rig_close(rig *r);

/* The next batch; from one epoch straight into the next. */
void rig_next_batch(hn_loader *loader, hn_batch *batch);
/* Trains from where the rig stands until `until` steps are done in all. */
void rig_train(rig *r, int until);

/* ---- files ---------------------------------------------------------------------------------------------------------- */

typedef struct rig_bytes {
    unsigned char *data;
    size_t size;
} rig_bytes;

rig_bytes rig_read(const char *path);
bool rig_same(rig_bytes a, rig_bytes b);
/* The checkpoint at that many steps; valid until the next call. */
const char *rig_path(const char *dir, int steps);
/* Everything of a training, as the bytes of its checkpoint. */
rig_bytes rig_state(const rig *r, const char *dir);
/* How many entries a directory has. */
int rig_entries(const char *dir);

/* Writes an open file, whose tensors or metadata have been changed, to path: with the checksum that a checkpoint has. */
void rig_seal(hn_context *context, const hn_safetensors *file, const char *path);

/* Two empty directories, dir and other. */
void rig_directories(char *dir, size_t size, char *other, size_t other_size);
#define RIG_DIRECTORIES            \
    char dir[210], other[210]; \
    rig_directories(dir, sizeof dir, other, sizeof other)

#endif
