/* loss_batch.h -- one batch for any pure loss: matrices with padding, labels, options, results, and the call.
 *
 * The losses differ in what they read. A batch names that by its role: z are the rows of the batch (anchors), y what they
 * are contrasted with (keys, prototypes, mean directions), t the logits, or the targets of KCL.                         */
#ifndef HNT_LOSS_BATCH_H
#define HNT_LOSS_BATCH_H

#include "loss_case.h"

/* The options of any loss. All begin with the common ones; all but cross-entropy's go on with temperature, normalize. */
typedef union hnt_loss_options {
    struct {
        HN_LOSS_COMMON_OPTIONS
        float temperature;
        int32_t normalize;
    };
    hn_loss_ce_options ce;
    hn_loss_sc_options sc; /* of hn_loss_sc_contrast, too */
    hn_loss_psc_options psc;
    hn_loss_bcl_options bcl;
    hn_loss_kcl_options kcl;
    hn_loss_paco_options paco;
    hn_loss_proco_options proco;
} hnt_loss_options;

enum { HNT_Z, HNT_Y, HNT_T, HNT_MATRICES };
enum { HNT_LABELS, HNT_KEY_LABELS, HNT_SELF, HNT_OWN_KEY, HNT_CLASS_TARGET, HNT_INDICES };

/* What a pure loss is called with. A loss takes what its description names and leaves the rest alone. */
typedef struct hnt_arguments {
    const void *options; /* the loss's own, or NULL */
    const hn_cmatf *x[HNT_MATRICES];
    const int32_t *index[HNT_INDICES];
    int64_t classes;
    double *loss;
    float *rows;
    hn_matf *g[HNT_MATRICES];
    const hn_scratch *scratch;
} hnt_arguments;

typedef struct hnt_sizes {
    int64_t n, k, classes, targets, dim;
} hnt_sizes;

/* A pure loss. Names are those of the library's sentences; NULL: it has no such thing. */
typedef struct hnt_pure_loss {
    const char *matrix[HNT_MATRICES], *gradient[HNT_MATRICES], *index[HNT_INDICES];
    int spherical; /* has temperature and normalize */
    void (*init)(void *options);
    hn_status (*scratch)(const void *options, const hnt_sizes *sizes, size_t *bytes);
    hn_status (*run)(const hnt_arguments *a);
} hnt_pure_loss;

extern const hnt_pure_loss hnt_ce, hnt_sc, hnt_sc_contrast, hnt_psc, hnt_bcl, hnt_kcl, hnt_paco, hnt_proco;

/* x: the values; g: their gradient, of the first `given` rows, or NULL. Padding is NaN. */
typedef struct hnt_matrix {
    float *x, *g;
    int64_t rows, cols, ld, given;
} hnt_matrix;

enum { HNT_EXTRAS = 4 };

/* One call: inputs, options, results. n rows; classes and dim are what z, y and t have as columns. */
typedef struct hnt_batch {
    const hnt_pure_loss *of;
    hnt_loss_options o;
    int64_t n, classes, dim;
    union {
        hnt_matrix m[HNT_MATRICES];
        struct {
            hnt_matrix z, y, t;
        };
    };
    union {
        int32_t *index[HNT_INDICES]; /* NULL where the loss may do without */
        struct {
            int32_t *labels, *key_labels, *self, *own_key, *class_target;
        };
    };
    float *extra[HNT_EXTRAS]; /* arrays that options point to */
    hn_rng *rng;
    float *rows;
    double loss;
} hnt_batch;

/* A batch of n rows with the loss's defaults, without matrices; labels 0. */
hnt_batch hnt_batch_of(const hnt_pure_loss *loss, int64_t n, int64_t classes, int64_t dim);
/* rows x cols normal numbers of that seed, the padding of each row NaN, the gradient all NaN. */
hnt_matrix hnt_matrix_of(uint64_t seed, int64_t rows, int64_t cols, int64_t pad);
int32_t *hnt_integers(int64_t n);
void hnt_drop(hnt_batch *b);

hnt_sizes hnt_sizes_of(const hnt_batch *b);
/* Calls the loss with scratch of the size it asks for, all NaN: nothing may rely on what scratch holds. */
hn_status hnt_call(hnt_batch *b);

/* The gradient without its padding, which must still be NaN; to be freed. */
float *hnt_gradient(const hnt_matrix *m);
/* All of the gradient is 0, but for the padding. */
void hnt_zero_gradient(const hnt_matrix *m);
void hnt_zeros(const float *x, int64_t n);
/* One row of it is 0. */
void hnt_zero_row(const hnt_matrix *m, int64_t row);
void hnt_finite_gradients(const hnt_batch *b);

/* The call fails with the sentence, and writes nothing. */
void hnt_refuse(hnt_batch *b, hn_status status, const char *sentence);

#endif
