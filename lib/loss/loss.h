/* loss.h -- a loss as an object: what all have in common, and what each kind adds. */
#ifndef HNI_LOSS_H
#define HNI_LOSS_H

#include <hybridnet/loss.h>

#include <stdbool.h>

/* One array of a loss's state beside its parameter: what a checkpoint must keep for training to go on with the same bits.
 * data is the loss's own; integers outside [least, most] are not taken back from a file.                                 */
typedef struct hni_loss_array {
    const char *name;
    void *data;
    hn_desc desc;
    int64_t least, most;
} hni_loss_array;

enum { HNI_LOSS_ARRAYS = 12 }; /* a kind's, at most */

/* One kind of loss. rows and cols: of the input. */
typedef struct hni_loss_kind {
    const char *name; /* "prototypical contrastive": for the sentences */
    size_t size;      /* of its struct, which begins with a struct hn_loss */
    /* Bytes that apply needs; judges the options and the shape. */
    hn_status (*scratch)(const hn_loss *loss, int64_t rows, int64_t cols, size_t *bytes);
    hn_status (*apply)(hn_loss *loss, const hn_cmatf *input, const int32_t *labels, float scale, double *value,
                       hn_matf *dinput, const hn_scratch *scratch);
    /* The rest may be NULL. */
    hn_status (*init_params)(hn_loss *loss, const hn_rng *rng); /* of what the kind itself has */
    hn_status (*begin_epoch)(hn_loss *loss, int64_t epoch);
    hn_status (*set_class_weights)(hn_loss *loss, const float *weights);
    /* Lists everything that apply, init_params or begin_epoch change and a later apply reads; returns how many. */
    int32_t (*state)(hn_loss *loss, hni_loss_array *arrays);
    void (*release)(hn_loss *loss); /* what the kind has allocated for itself */
} hni_loss_kind;

struct hn_loss {
    hn_context *context;
    const hni_loss_kind *kind;
    hn_scratch scratch;
    const char *param_name; /* of the learnable parameter, rows x dim unit vectors; NULL if there is none */
    hn_tensor *param, *param_grad;
    bool owned; /* by a network */
};

/* A zeroed object of the kind. */
hn_status hni_loss_start(hn_loss **out, hn_context *context, const hni_loss_kind *kind, const char *function);
/* Gives it its parameter. */
hn_status hni_loss_add_param(hn_loss *loss, const char *name, int64_t rows, int64_t dim);
/* Ends every creator: lets the kind's `scratch` judge the options on one row of cols columns; then *out = loss, or loss is
 * destroyed and the status says why. status: of the creator so far.                                                     */
hn_status hni_loss_finish(hn_status status, hn_loss **out, hn_loss *loss, int64_t cols);
/* Classes from 1 to 2^31 - 1, and likewise dim. */
hn_status hni_loss_check_size(int64_t classes, int64_t dim, const char *function);
/* *to = a copy of an optional array, to be released with the size; NULL stays NULL. */
hn_status hni_loss_copy(hn_loss *loss, const float *from, int64_t count, const char *function, float **to);

/* The arrays of a loss's state, into HNI_LOSS_ARRAYS of them; returns how many. NULL has none. */
int32_t hni_loss_state(hn_loss *loss, hni_loss_array *arrays);
/* For the kinds: floats rows x dim; one integer, in the given range. */
hni_loss_array hni_loss_floats(const char *name, float *data, int64_t rows, int64_t dim);
hni_loss_array hni_loss_integer(const char *name, int64_t *data, int64_t least, int64_t most);

/* The parameter and its gradient as matrices. */
hn_cmatf hni_loss_param(const hn_loss *loss);
hn_matf hni_loss_param_grad(const hn_loss *loss);

#endif
