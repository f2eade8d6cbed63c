/* loss_object.h -- what every loss object must survive: memory that runs out, and many steps. */
#ifndef HNT_LOSS_OBJECT_H
#define HNT_LOSS_OBJECT_H

#include "support.h"

typedef struct hnt_loss_object {
    hn_status (*create)(hn_loss **out, hn_context *context);
    int64_t rows, cols; /* of a batch; at most 512 numbers */
    int32_t classes;
    int init;            /* hn_loss_init_params comes before the first step */
    int64_t allocations; /* at least so many: the object and its arrays, two views, scratch */
} hnt_loss_object;

/* Every allocation of the object's life fails once: that is HN_E_NOMEM, writes nothing, leaks nothing, and leaves an object
 * that still works.                                                                                                    */
void hnt_loss_survives(const hnt_loss_object *object);

/* Steps and epochs after the first allocate nothing; in the end all memory is given back. */
void hnt_loss_steps(const hnt_loss_object *object);

/* rows x cols of normal numbers. */
hn_tensor *hnt_tensor(hn_context *context, int64_t rows, int64_t cols, uint64_t seed);

#endif
